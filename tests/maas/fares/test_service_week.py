"""A customer's service week: the rules together, from the rides as taps leave them."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maas.fares.best_fare import find_cheapest
from maas.fares.charged import ServiceClock
from maas.fares.engine import FareEngine
from maas.fares.pass_cover import PassInHand
from maas.fares.riders import Company
from maas.fares.service_week import (
    Ride,
    RideMade,
    RideUnfinished,
    WeekRated,
    charge_beside_products,
    charge_fares,
    list_fares,
    rate_week,
)
from maas.journeys import Leg, Mode
from maas.prices import FareMedium, RiderCategory
from tests.oracles.best_fare import cheapest_by_brute_force
from tests.support.fares import ADULT, CHILD, IC, TARIFFS, TICKET, TOKYO, journey, ride

CLOCK = ServiceClock(zone=TOKYO)
MONDAY = date(2026, 5, 18)
ENGINE = FareEngine.from_folder(TARIFFS)
CARD = FareMedium.CARD


def made(name: str, *legs: Leg, medium: FareMedium = IC, ref: str = "card-1", pair: bool = False) -> RideMade:
    company = Company(partner=RiderCategory.HELPER) if pair else Company()
    return RideMade(ride_id=name, medium_ref=ref, medium=medium, journey=journey(*legs), company=company)


def metro(at: str, origin: str = "Shibuya", destination: str = "Ginza", day: date = MONDAY) -> Leg:
    """銀座線 渋谷-銀座 7.2 km: 209 by IC, 210 by ticket, child 104."""
    return ride("TokyoMetro.Ginza", origin, destination, at=at, day=day)


def oedo(at: str, origin: str = "Tochomae", destination: str = "Daimon", day: date = MONDAY) -> Leg:
    """大江戸線 都庁前-大門 8.6 km: 220."""
    return ride("Toei.Oedo", origin, destination, at=at, day=day)


def bus(at: str, day: date = MONDAY) -> Leg:
    return ride("ToeiBus.Shuku74", "a", "b", at=at, mode=Mode.BUS, day=day)


def rate(*rides: Ride, rider: RiderCategory = ADULT, passes: tuple[PassInHand, ...] = ()) -> WeekRated:
    return rate_week(ENGINE, rides, rider=rider, clock=CLOCK, passes=passes)


def charges(rated: WeekRated) -> list[tuple[str, int]]:
    return [(each.fare.fare_id, each.charge_minor) for each in rated.fares]


def test_two_rides_through_gates_cost_what_the_planned_journey_cost() -> None:
    """新宿-新宿三丁目 by Metro is left at the gate; the Toei train there is boarded 40 minutes later."""
    first = ride("TokyoMetro.Marunouchi", "NishiShinjuku", "Shinjuku", at="12:00")
    second = ride("Toei.Shinjuku", "Shinjuku", "Jimbocho", at="12:50")
    planned = ENGINE.price(journey=journey(first, second), rider=ADULT, medium=IC)
    rated = rate(made("a", first), made("b", second))
    # One joint fare of both rides: 286 as in the golden cases of the joint discount.
    assert charges(rated) == [("a/0", 286)]
    assert planned.total.amount_minor == rated.charged_minor == 286
    assert rated.fares[0].fare.ride_ids == ("a", "b")
    # 61 minutes after alighting (12:10) the window is over: 178 and 220 (5.6 km).
    late = ride("Toei.Shinjuku", "Shinjuku", "Jimbocho", at="13:11")
    assert charges(rate(made("a", first), made("b", late))) == [("a/0", 178), ("b/0", 220)]
    # Another card is another traveller to the gate.
    assert charges(rate(made("a", first), made("b", second, ref="card-2"))) == [("a/0", 178), ("b/0", 220)]


def test_a_change_outside_the_gates_goes_on_with_the_fare_for_sixty_minutes() -> None:
    """淡路町 and 新御茶ノ水 are one station for the tariff, with gates between."""

    def pair(at: str) -> list[tuple[str, int]]:
        before = ride("TokyoMetro.Marunouchi", "Ginza", "Awajicho", at="12:00")
        after = ride("TokyoMetro.Chiyoda", "ShinOchanomizu", "NishiNippori", at=at)
        return charges(rate(made("a", before), made("b", after)))

    # 銀座-淡路町 by 東京, 大手町 is 2.6 km; 新御茶ノ水-西日暮里 4.3: 6.9 -> 7 km is 209; alone 178 each.
    assert pair("13:10") == [("a/0", 209)]
    assert pair("13:11") == [("a/0", 178), ("b/0", 178)]


def test_leaving_and_entering_again_at_one_station_is_a_new_fare() -> None:
    # 渋谷-表参道 1.3 km, then 表参道-銀座 5.9 km: two fares of 178, though 7.2 km in one go would be 209.
    first, second = metro("12:00", "Shibuya", "OmoteSando"), metro("12:30", "OmoteSando", "Ginza")
    assert charges(rate(made("a", first), made("b", second))) == [("a/0", 178), ("b/0", 178)]
    assert charges(rate(made("a", first, second))) == [("a/0", 209)]


def test_the_second_bus_is_cheaper_on_one_card_only() -> None:
    assert charges(rate(made("a", bus("08:00")), made("b", bus("09:30")))) == [("a/0", 210), ("b/0", 110)]
    two_cards = rate(made("a", bus("08:00")), made("b", bus("09:30"), ref="card-2"))
    assert charges(two_cards) == [("a/0", 210), ("b/0", 210)]


def test_a_day_of_subway_stops_at_the_cap_and_an_unfinished_ride_stays_beside_it() -> None:
    rides: list[Ride] = [made(f"r{hour}", metro(f"{hour}:00")) for hour in range(8, 13)]
    lost = RideUnfinished(
        ride_id="lost",
        medium_ref="card-1",
        entered_at=datetime(2026, 5, 18, 14, 0, tzinfo=TOKYO),
        operator_id="TokyoMetro",
        maximum_minor=324,
        origin="渋谷",
    )
    rated = rate(*rides, lost)
    # 4 x 209 = 836; the fifth fills the subway's cap of 900 with 64; the maximum fare of 324 is beside it.
    assert [charge for _, charge in charges(rated)] == [209, 209, 209, 209, 64, 324]
    # The Metro's 24-hour ticket at 700 would have covered the five rides: 900 - 700 is given back.
    assert [(each.period, each.starts_on, each.refund.amount_minor) for each in rated.refunds] == [
        ("day", MONDAY, 200)
    ]
    assert rated.refunds[0].refund.borne == {"TokyoMetro": 200}
    assert "東京メトロ24時間券 700円" in rated.refunds[0].refund.lines[1]
    assert "Tokyo Metro 24-hour ticket 700 yen" in rated.refunds[0].refund.lines_en[1]


def test_the_week_takes_into_account_what_its_days_gave_back() -> None:
    """Each day 3 rides of 209 (627), twice from evening to morning within 24 hours."""
    evening = [made(f"m{hour}", metro(f"{hour}:00")) for hour in (18, 19, 20)]
    morning = [made(f"t{hour}", metro(f"{hour}:00", day=MONDAY + timedelta(days=1))) for hour in (8, 9, 10)]
    rated = rate(*evening, *morning)
    assert rated.charged_minor == 6 * 209
    # No day alone reaches the pass's 700, but one pass of 24 hours from 18:00 covers all six: 1,254 - 700.
    assert [(each.period, each.refund.amount_minor) for each in rated.refunds] == [("week", 554)]


def test_passes_in_hand_cover_their_networks_and_hours_begin_with_the_first_entry() -> None:
    sold_at = datetime(2026, 5, 18, 7, 0, tzinfo=TOKYO)
    hours = PassInHand(
        pass_id="p",  # noqa: S106 - a pass is no password
        networks=frozenset({"tokyo_metro"}),
        name="24時間券",
        name_en="24-hour ticket",
        usable_from=sold_at,
        hours=24,
    )
    joint = [
        ride("TokyoMetro.Marunouchi", "NishiShinjuku", "Shinjuku", at="09:00", day=MONDAY),
        ride("Toei.Shinjuku", "Shinjuku", "Jimbocho", at="09:20", day=MONDAY),
    ]
    tomorrow = MONDAY + timedelta(days=1)
    rated = rate(
        made("early", metro("06:30")),  # before the pass was sold: 209
        made("joint", *joint),  # its Metro half is covered: Toei alone is 220
        made("last", metro("08:59", day=tomorrow)),
        made("over", metro("09:00", day=tomorrow)),
        passes=(hours,),
    )
    assert charges(rated) == [("early/0", 209), ("joint/0", 220), ("last/0", 0), ("over/0", 209)]
    assert rated.began == {"p": datetime(2026, 5, 18, 9, 0, tzinfo=TOKYO)}
    # 西新宿-新宿 1.2 km alone 178, and 209: what the pass stood for.
    assert rated.used == {"p": {"TokyoMetro": 178 + 209}}
    assert rated.fares[1].fare.shares == {"Toei": 220}
    line = rated.fares[1].fare.addends[-1]
    assert (line.text, line.text_en) == ("24時間券 適用", "covered by 24-hour ticket")


def test_a_pass_of_hours_covers_who_is_inside_when_it_ends_and_both_sides_of_the_night() -> None:
    begun = datetime(2026, 5, 18, 9, 0, tzinfo=TOKYO)
    held = PassInHand(
        pass_id="p",  # noqa: S106 - a pass is no password
        networks=frozenset({"tokyo_metro"}),
        name="24時間券",
        name_en="24-hour ticket",
        usable_from=begun,
        starts_at=begun,
        ends_at=begun + timedelta(hours=24),
        hours=24,
    )
    tomorrow = MONDAY + timedelta(days=1)
    # The last train at 24:20, the first of the morning, and an entry at 08:59 that leaves the gate at 09:39.
    late = replace(metro("08:59", day=tomorrow), arrives_at=begun + timedelta(hours=24, minutes=39))
    rated = rate(
        made("last train", metro("24:20")),
        made("first train", metro("29:05")),
        made("inside", late),
        made("after", metro("09:40", day=tomorrow)),
        passes=(held,),
    )
    assert [charge for _, charge in charges(rated)] == [0, 0, 0, 209]


def test_a_pair_pays_half_and_a_helper_who_taps_alone_does_not() -> None:
    disabled, helper = RiderCategory.DISABLED, RiderCategory.HELPER
    together = rate(made("a", metro("12:00"), pair=True), rider=disabled)
    # 209 / 2 = 104.5: the yen is cut by IC
    assert charges(together) == [("a/0", 104)]
    assert charges(rate(made("a", metro("12:00")), rider=helper)) == [("a/0", 209)]


def test_a_contactless_card_pays_the_adults_ticket_fare_for_a_child_too() -> None:
    for rider in (ADULT, CHILD):
        assert charges(rate(made("a", metro("12:00"), medium=CARD), rider=rider)) == [("a/0", 210)]
    addend = rate(made("a", metro("12:00"), medium=CARD), rider=CHILD).fares[0].fare.addends[0]
    assert "タッチ決済は大人運賃" in addend.text
    assert "adult fare by contactless card" in addend.text_en
    # The joint discount is given: 178 + 220 is 180 + 180 - 70 on the ticket's cheapest path.
    joint = made(
        "b",
        ride("TokyoMetro.Marunouchi", "NishiShinjuku", "Shinjuku", at="12:00"),
        ride("Toei.Shinjuku", "Shinjuku", "Jimbocho", at="12:30"),
        medium=CARD,
    )
    assert charges(rate(joint)) == [("b/0", 290)]
    assert charges(rate(RideMade(ride_id="t", medium_ref="x", medium=TICKET, journey=joint.journey))) == [
        ("t/0", 290)
    ]


STATIONS = ("Shibuya", "OmoteSando", "AkasakaMitsuke", "Ginza", "Ueno", "Asakusa")
DRAWN = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.integers(5 * 60, 23 * 60),
        st.sampled_from(["metro", "oedo", "bus"]),
        st.sampled_from(STATIONS),
        st.sampled_from(STATIONS),
    ),
    min_size=1,
    max_size=7,
    unique_by=lambda drawn: (drawn[0], drawn[1]),
)


def build_rides(drawn: list[tuple[int, int, str, str, str]]) -> list[Ride]:
    rides: list[Ride] = []
    for place, (day, minute, kind, origin, destination) in enumerate(drawn):
        at, on = f"{minute // 60}:{minute % 60:02}", MONDAY + timedelta(days=day)
        if kind == "metro" and origin != destination:
            rides.append(made(f"r{place}", metro(at, origin, destination, day=on)))
        elif kind == "oedo":
            rides.append(made(f"r{place}", oedo(at, day=on)))
        else:
            rides.append(made(f"r{place}", bus(at, day=on)))
    return rides


@settings(max_examples=150, deadline=None)
@given(drawn=DRAWN, rider=st.sampled_from([ADULT, CHILD, RiderCategory.INFANT, RiderCategory.SENIOR]))
def test_fares_below_all_products_cost_what_asking_every_product_says(
    drawn: list[tuple[int, int, str, str, str]], rider: RiderCategory
) -> None:
    fares = list_fares(ENGINE, build_rides(drawn), rider=rider)
    quick = charge_fares(ENGINE, fares, rider=rider, clock=CLOCK)
    assert quick == charge_beside_products(ENGINE, fares, rider=rider, clock=CLOCK)


@settings(max_examples=40, deadline=None)
@given(drawn=DRAWN, seed=st.integers(0, 999))
def test_any_order_gives_the_same_and_never_more_than_the_cheapest(
    drawn: list[tuple[int, int, str, str, str]], seed: int
) -> None:
    rides = build_rides(drawn)
    rated = rate(*rides)
    shuffled = list(rides)
    Random(seed).shuffle(shuffled)
    assert rate(*shuffled) == rated
    fares = [each.fare for each in rated.fares]
    # Brute force is exponential: it judges the days of up to four fares, the optimiser the rest.
    best = (
        cheapest_by_brute_force(
            fares,
            [row for row in ENGINE.list_passes(MONDAY) if row.count <= 24],
            lambda row: row.adult_minor,
            CLOCK.day_of,
        )
        if len(fares) <= 3
        else find_cheapest(fares, passes_on=ENGINE.list_passes, rider=ADULT, clock=CLOCK).total_minor
    )
    assert rated.charged_minor - rated.refunded_minor <= best
    for each in rated.fares:
        assert sum(each.shares.values()) == each.charge_minor


def test_rides_of_two_weeks_are_refused() -> None:
    with pytest.raises(AssertionError, match="one service week"):
        rate(made("a", metro("12:00")), made("b", metro("12:00", day=MONDAY + timedelta(days=7))))
