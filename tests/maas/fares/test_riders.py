"""Concessions and parties. Amounts are worked out beside each case from the adult fares of the facts."""

import csv
from collections.abc import Sequence
from datetime import date

import pytest

from maas.fares.engine import FareEngine
from maas.fares.riders import list_companies
from maas.journeys import Leg, Mode
from maas.prices import FareMedium, RiderCategory
from tests.support.fares import ADULT, APP, CHILD, DAY, IC, INFANT, TARIFFS, TICKET, journey, ride

STUDENT, SENIOR = RiderCategory.STUDENT, RiderCategory.SENIOR
DISABLED, HELPER = RiderCategory.DISABLED, RiderCategory.HELPER
ISLANDER, GROUP = RiderCategory.ISLANDER, RiderCategory.GROUP

OEDO = ride("Toei.Oedo", "Tochomae", "Daimon")  # adult 220
YURIKAMOME = ride("Yurikamome.Yurikamome", "Shiodome", "Takeshiba")  # adult IC 189, ticket 190
METRO = ride("TokyoMetro.Marunouchi", "Shinjuku", "Yotsuya")
ASAKUSA = ride("Toei.Shinjuku", "Ichigaya", "BakuroYokoyama", at="12:30")
OGASAWARA = ride(
    "[03]x", "=[05]東京・竹芝", "=[03]父島", operator="3010401020097", day=date(2026, 6, 1), minutes=1440
)
HAHAJIMA = ride("[02]x", "=[03]父島", "=[04]母島", operator="3010401020097", minutes=120)
HACHIJO = ride("[13]x", "=[05]東京・竹芝", "=[01]八丈島", operator="3010401020097", minutes=600)
OSHIMA = ride("[13]x", "=[05]東京・竹芝", "=[12]大島", operator="3010401020097", minutes=500)


@pytest.fixture(scope="module")
def engine() -> FareEngine:
    return FareEngine.from_folder(TARIFFS)


def party(
    engine: FareEngine, legs: Sequence[Leg], riders: Sequence[RiderCategory], medium: FareMedium = IC
) -> list[int]:
    prices = engine.price_party(journey=journey(*legs), riders=riders, medium=medium)
    assert [price.rider for price in prices] == list(riders)
    for price in prices:
        for part in price.components:
            assert part.amount.amount_minor == sum(part.shares.values())
            assert part.amount.amount_minor == sum(addend.amount_minor for addend in part.addends)
    return [price.total.amount_minor for price in prices]


def test_a_silver_pass_rides_toei_and_not_the_yurikamome(engine: FareEngine) -> None:
    assert party(engine, [OEDO, YURIKAMOME], [SENIOR]) == [0 + 189]
    # To 本八幡, beyond Tokyo's border, it is good as well.
    assert party(engine, [ride("Toei.Shinjuku", "Shinjuku", "Motoyawata")], [SENIOR]) == [0]
    # Night buses are not of it (nor of any day pass).
    assert party(engine, [ride("ToeiBus.Shinya03", "a", "b", mode=Mode.BUS)], [SENIOR]) == [420]
    # Before the pass of this kind was sold, no row is in force and the adult's fare is due.
    before = ride("Toei.Oedo", "Tochomae", "Daimon", day=date(2025, 9, 30))
    assert party(engine, [before], [SENIOR]) == [220]


def test_a_silver_pass_makes_no_joint_fare_of_the_metro(engine: FareEngine) -> None:
    # The Metro part alone, without the joint discount: 新宿-市ケ谷 is not ridden, 新宿-四ツ谷 is (178).
    there = [METRO, ride("TokyoMetro.Namboku", "Yotsuya", "Ichigaya", at="12:15"), ASAKUSA]
    metro_alone = party(engine, there[:2], [ADULT])
    assert party(engine, there, [SENIOR]) == metro_alone
    assert party(engine, there, [ADULT])[0] > metro_alone[0]


def test_a_disabled_rider_and_a_helper_pay_half_together_only(engine: FareEngine) -> None:
    # IC: half of 189 is 94.5, to the yen below; ticket: half of 190 is 95, to ten yen above.
    assert party(engine, [YURIKAMOME], [DISABLED, HELPER]) == [94, 94]
    assert party(engine, [YURIKAMOME], [DISABLED, HELPER], TICKET) == [100, 100]
    assert party(engine, [YURIKAMOME], [HELPER]) == [189]
    assert party(engine, [YURIKAMOME], [DISABLED]) == [189]
    # One helper for each: the second helper pays in full.
    assert party(engine, [YURIKAMOME], [HELPER, DISABLED, HELPER]) == [94, 94, 189]
    # On the bus the disabled rider alone pays half: 105, and the second bus is cheaper by 50.
    buses = [
        ride("ToeiBus.A", "=a", "=b", operator="ToeiBus"),
        ride("ToeiBus.B", "=b", "=c", operator="ToeiBus", at="12:30"),
    ]
    assert party(engine, buses, [DISABLED]) == [105 + 105 - 50]
    assert party(engine, buses, [ADULT]) == [210 + 210 - 100]


def test_half_a_joint_fare_has_half_the_discount(engine: FareEngine) -> None:
    there = [METRO, ride("TokyoMetro.Namboku", "Yotsuya", "Ichigaya", at="12:15"), ASAKUSA]
    whole = party(engine, there, [ADULT])[0]
    first, second = party(engine, there, [DISABLED, HELPER])
    # Each part is halved to the yen below: at most one yen in all less than half.
    assert first == second
    assert whole - 2 <= 2 * first <= whole


def test_a_student_on_the_ogasawara_maru_by_the_published_fare(engine: FareEngine) -> None:
    assert party(engine, [OGASAWARA], [STUDENT, ADULT, CHILD], TICKET) == [21_480, 26_840, 13_420]
    berth = engine.price(journey=journey(OGASAWARA), rider=STUDENT, medium=TICKET, fare_class="2nd_berth")
    assert berth.total.amount_minor == 30_570  # the discount is of the tatami room only
    # On the subway a student pays the adult's fare, and the explanation says so.
    (price,) = engine.price_party(journey=journey(OEDO), riders=[STUDENT], medium=IC)
    assert price.total.amount_minor == 220
    assert "大人運賃" in price.components[0].addends[0].text


def test_groups_begin_at_fifteen(engine: FareEngine) -> None:
    fare = party(engine, [HAHAJIMA], [ADULT], TICKET)[0]
    assert party(engine, [HAHAJIMA], [GROUP] * 14, TICKET) == [fare] * 14
    assert party(engine, [HAHAJIMA], [GROUP] * 15, TICKET) == [-(-fare * 90 // 1000) * 10] * 15
    assert party(engine, [HAHAJIMA], [STUDENT] * 15, TICKET) == [-(-fare * 70 // 1000) * 10] * 15


def test_islanders_pay_less_to_their_island(engine: FareEngine) -> None:
    fare = party(engine, [HACHIJO], [ADULT], TICKET)[0]
    assert party(engine, [HACHIJO], [ISLANDER], TICKET) == [-(-fare * 65 // 1000) * 10]
    assert party(engine, [OSHIMA], [ISLANDER], TICKET) == party(engine, [OSHIMA], [ADULT], TICKET)


@pytest.mark.parametrize(
    ("riders", "paid"),
    [
        ([ADULT, INFANT, INFANT], [220, 0, 0]),
        ([INFANT, ADULT, INFANT, INFANT], [0, 220, 0, 110]),
        ([INFANT], [110]),
        ([CHILD, INFANT, INFANT, INFANT], [110, 0, 0, 110]),
    ],
)
def test_two_infants_are_free_with_each_paying_rider(
    engine: FareEngine, riders: list[RiderCategory], paid: list[int]
) -> None:
    assert party(engine, [OEDO], riders) == paid


def test_every_concession_row_is_met_by_someone() -> None:
    """A row that no rider and no party can meet would be dead text in the tariff."""
    with (TARIFFS / "concessions.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    companies = {
        (rider, company.partner or "")
        for rider, _, company in list_companies([DISABLED, HELPER, *[STUDENT] * 15, *[GROUP] * 15, SENIOR])
    } | {(DISABLED, ""), (ISLANDER, "")}
    for row in rows:
        assert (RiderCategory(row["rider"]), row["rides_with"]) in companies
        assert int(row["party_min"]) <= 15


def test_who_shows_what_is_part_of_the_explanation(engine: FareEngine) -> None:
    (price, _) = engine.price_party(journey=journey(YURIKAMOME), riders=[DISABLED, HELPER], medium=APP)
    (addend,) = price.components[0].addends
    assert "手帳提示" in addend.text
    assert "with helper" in addend.text_en
    assert "障害者用ICカード" in addend.source
    assert addend.valid_from <= DAY
