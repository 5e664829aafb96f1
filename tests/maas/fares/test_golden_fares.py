"""Fares that operators publish, derived from their tables; the journeys are those of Tokyo."""

from datetime import date

import pytest

from maas.errors import FareNotFound
from maas.fares.engine import FareEngine
from maas.journeys import Leg, Mode
from tests.support.fares import ADULT, APP, CHILD, DAY, IC, INFANT, TARIFFS, TICKET, price, ride, total, walk


@pytest.fixture(scope="module")
def engine() -> FareEngine:
    return FareEngine.from_folder(TARIFFS)


def oedo(origin: str, destination: str) -> Leg:
    return ride("Toei.Oedo", origin, destination)


METRO_THEN_TOEI = [
    # Ridden the long way round by 六本木, priced by 四ツ谷, 飯田橋 and 蔵前: 5.0 km + 7.1 km.
    ride("TokyoMetro.Marunouchi", "Shinjuku", "Kasumigaseki"),
    ride("TokyoMetro.Hibiya", "Kasumigaseki", "Roppongi"),
    walk(),
    ride("Toei.Oedo", "Roppongi", "Daimon"),
    ride("Toei.Asakusa", "Daimon", "Oshiage"),
]

GOLDEN = [
    # Oedo 都庁前-大門 28.6 - 20.0 = 8.6 km -> 9 km -> 220 / 220
    ([oedo("Tochomae", "Daimon")], 220, 220, 110, 110),
    # Oedo 都庁前-汐留 9.5 -> 10 km -> 272 / 280; Yurikamome 1.2 -> 2 km -> 189 / 190
    (
        [oedo("Tochomae", "Shiodome"), walk(), ride("Yurikamome.Yurikamome", "Shiodome", "Takeshiba")],
        461,
        470,
        230,
        240,
    ),
    # 40.7 - 28.6 = 12.1 -> 13 km
    ([oedo("Hikarigaoka", "Tochomae.1")], 272, 280, 136, 140),
    # Mita 26.5 - 9.6 = 16.9 and Shinjuku 23.5 - 5.6 = 17.9: 34.8 -> 35 km
    (
        [
            ride("Toei.Mita", "NishiTakashimadaira", "Jimbocho"),
            ride("Toei.Shinjuku", "Jimbocho", "Motoyawata"),
        ],
        430,
        430,
        215,
        220,
    ),
    # 9.5 -> 10 km, just over the 9 km edge
    ([ride("Toei.Asakusa", "NishiMagome", "Daimon")], 272, 280, 136, 140),
    # 178 + 220 - 70; child 89 + 110 - 35 and 90 + 110 - 40
    (METRO_THEN_TOEI, 328, 330, 164, 160),
    # The special section: Tokyo Metro's fare on the Mita line
    ([ride("Toei.Mita", "Meguro", "Shirokanedai")], 178, 180, 89, 90),
    # 7.8 -> 8 km
    ([ride("Yurikamome.Yurikamome", "Shimbashi", "Daiba")], 325, 330, 162, 170),
    # JR 浜松町-渋谷: 3.7 km to 品川 and 7.2 km on: 10.9 -> 11 km
    ([ride("JR-East.Yamanote", "Hamamatsucho", "Shibuya")], 252, 260, 126, 130),
    # 綾瀬-北千住 special fare
    ([ride("TokyoMetro.Chiyoda", "Ayase", "KitaSenju")], 146, 150, 73, 80),
    ([ride("ToeiBus.Shuku74", "a", "b", mode=Mode.BUS)], 210, 210, 105, 110),
    ([ride("ToeiBus.CH01", "a", "b", mode=Mode.BUS)], 189, 190, 95, 100),
    # 学バス 180 / 178 and AL01 110 / 106; children half: 89, 90; 53, 55 up to 60. 東京BRT 220, children 110.
    ([ride("ToeiBus.Gaku02", "a", "b", mode=Mode.BUS)], 178, 180, 89, 90),
    ([ride("ToeiBus.Shinya03", "a", "b", mode=Mode.BUS)], 420, 420, 210, 210),
    ([ride("ToeiBus.AL01", "a", "b", mode=Mode.BUS)], 106, 110, 53, 60),
    ([ride("TokyoBRT.Trunk", "a", "b", mode=Mode.BUS)], 220, 220, 110, 110),
    ([ride("HachijoDemand", "a", "b", mode=Mode.ON_DEMAND)], 500, 500, 100, 100),
]


@pytest.mark.parametrize(("legs", "ic", "ticket", "child_ic", "child_ticket"), GOLDEN)
def test_the_published_fare(  # noqa: PLR0917  # a row of the table, named
    engine: FareEngine, legs: list[Leg], ic: int, ticket: int, child_ic: int, child_ticket: int
) -> None:
    asked = [(ADULT, IC), (ADULT, TICKET), (CHILD, IC), (CHILD, TICKET)]
    assert [total(engine, legs, *each) for each in asked] == [ic, ticket, child_ic, child_ticket]


@pytest.mark.parametrize(("legs", "ticket"), [(row[0], row[2]) for row in GOLDEN])
def test_our_own_ticket_costs_the_paper_fare_and_infants_are_free(
    engine: FareEngine, legs: list[Leg], ticket: int
) -> None:
    assert total(engine, legs, ADULT, APP) == ticket
    assert total(engine, legs, INFANT, APP) == 0


def test_the_fare_does_not_follow_the_way_ridden(engine: FareEngine) -> None:
    """大門 to 都庁前 the wrong way round the six: 20 km ridden, 8.6 km paid; both platforms one station."""
    assert total(engine, [oedo("Daimon", "Tochomae")]) == 220
    assert total(engine, [oedo("Daimon", "Tochomae.1")]) == 220
    # Yamanote 東京-新宿 is 14.1 km by 池袋 and 10.3 by the Chuo line: 11 km.
    assert total(engine, [ride("JR-East.Yamanote", "Tokyo", "Shinjuku")]) == 252


def test_a_way_there_and_back_is_two_fares(engine: FareEngine) -> None:
    there_and_back = [oedo("Tochomae", "Nakai"), oedo("Nakai", "Tochomae.1")]
    # 都庁前-中井 32.4 - 28.6 = 3.8 km: 178 each way
    assert total(engine, there_and_back) == 356


def test_one_operator_two_lines_is_one_fare_only_where_the_lines_meet(engine: FareEngine) -> None:
    asakusa = ride("Toei.Asakusa", "Daimon", "Shimbashi")
    one_fare = price(engine, [oedo("Tochomae", "Daimon"), asakusa])
    # 8.6 + 1.0 = 9.6 -> 10 km
    assert [part.amount.amount_minor for part in one_fare.components] == [272]
    assert one_fare.components[0].leg_indices == (0, 1)
    # Left at 汐留 and walked to 新橋: the gates end the fare. 9.5 -> 272; 新橋-押上 7.8 -> 220
    left = [oedo("Tochomae", "Shiodome"), walk(), ride("Toei.Asakusa", "Shimbashi", "Oshiage")]
    assert [part.amount.amount_minor for part in price(engine, left).components] == [272, 220]
    # 馬喰横山 and 東日本橋 have two names and are one station: 8.1 + 3.8 -> 12 km
    linked = [
        ride("Toei.Shinjuku", "Shinjuku", "BakuroYokoyama"),
        walk(),
        ride("Toei.Asakusa", "HigashiNihombashi", "Oshiage"),
    ]
    assert total(engine, linked) == 272


def test_the_shares_of_a_joint_fare(engine: FareEngine) -> None:
    adult = price(engine, METRO_THEN_TOEI).components[0]
    assert adult.shares == {"TokyoMetro": 178 - 35, "Toei": 220 - 35}
    assert [addend.amount_minor for addend in adult.addends] == [178, 220, -70]
    assert adult.leg_indices == (0, 1, 3, 4)
    # The odd yen of a child's 35 is Toei's: its id comes first.
    child = price(engine, METRO_THEN_TOEI, CHILD).components[0]
    assert child.shares == {"TokyoMetro": 89 - 17, "Toei": 110 - 18}
    assert price(engine, METRO_THEN_TOEI, INFANT).components[0].shares == {"TokyoMetro": 0, "Toei": 0}


def test_the_joint_discount_is_given_once_and_at_junctions_only(engine: FareEngine) -> None:
    three = [
        ride("TokyoMetro.Marunouchi", "NishiShinjuku", "Shinjuku"),
        ride("Toei.Shinjuku", "Shinjuku", "Jimbocho"),
        ride("TokyoMetro.Hanzomon", "Jimbocho", "Otemachi"),
    ]
    # By 新宿, as ridden, it would be 178 + 220 (5.6 km). The cheapest path changes at 市ケ谷 instead:
    # 西新宿-四ツ谷-市ケ谷 3.7 + 1.0 km 178, 市ヶ谷-神保町 1.9 km 178, less 70. Then 1.7 km 178 by itself.
    assert [part.amount.amount_minor for part in price(engine, three).components] == [286, 178]
    apart = [ride("TokyoMetro.Ginza", "Shibuya", "Ginza"), walk(), oedo("Shiodome", "Daimon")]
    # 7.2 -> 8 km 209, 0.9 km 178, no discount: 銀座 and 汐留 are no junction
    assert total(engine, apart) == 209 + 178


def test_the_second_bus_within_ninety_minutes_is_cheaper_by_ic_only(engine: FareEngine) -> None:
    def buses(*times: str) -> list[Leg]:
        return [ride("ToeiBus.Shuku74", "a", "b", at=at, mode=Mode.BUS) for at in times]

    assert total(engine, buses("12:00", "13:30")) == 210 + 110
    assert total(engine, buses("12:00", "13:31")) == 420
    assert total(engine, buses("12:00", "13:30"), ADULT, TICKET) == 420
    assert total(engine, buses("12:00", "13:00"), CHILD) == 105 + 55
    # The third bus is not a second boarding of the second.
    assert total(engine, buses("12:00", "12:30", "13:00")) == 210 + 110 + 210


def test_staying_seated_is_no_new_boarding(engine: FareEngine) -> None:
    first = ride("ToeiBus.Shuku74", "a", "b", mode=Mode.BUS)
    onward = ride("ToeiBus.Shuku75", "b", "c", mode=Mode.BUS, in_seat=True)
    assert total(engine, [first, onward]) == 210


def test_a_fare_changes_with_the_first_train_of_the_day(engine: FareEngine) -> None:
    def jr(day: date, at: str) -> int:
        return total(engine, [ride("JR-East.Yamanote", "Hamamatsucho", "Shibuya", day=day, at=at)])

    assert jr(date(2026, 3, 13), "12:00") == 208
    # 24:20 of the 13th is 0:20 of the 14th on the wall, and still the old fare.
    assert jr(date(2026, 3, 13), "24:20") == 208
    assert jr(date(2026, 3, 14), "04:30") == 252


def test_ships_by_class(engine: FareEngine) -> None:
    ship = ride("[13]東京", "=[05]東京・竹芝", "=[12]大島", operator="3010401020097", mode=Mode.FERRY)
    jet = ride("[06]東京", "=[05]東京・竹芝", "=[12]大島", operator="3010401020097", mode=Mode.FERRY)
    assert total(engine, [ship]) == 5750
    assert total(engine, [ship], CHILD) == 2880  # 2,875, up to ten yen
    # 5,750 * 1.5 = 8,625 -> 8,630; twice 11,500
    assert total(engine, [ship], fare_class="special_2nd") == 8630
    assert total(engine, [ship], fare_class="1st") == 11500
    # The child's 8,630 / 2 = 4,315 -> 4,320 in two lines: 2,880 + 1,440
    lines = price(engine, [ship], CHILD, fare_class="special_2nd").components[0].addends
    assert [line.amount_minor for line in lines] == [2880, 1440]
    assert total(engine, [jet]) == 9310
    assert price(engine, [jet]).components[0].fare_class == "jet"
    with pytest.raises(FareNotFound, match="class 1st is not sold"):
        total(engine, [jet], fare_class="1st")


def test_base_fare_and_fuel_surcharge_are_rounded_each_by_itself(engine: FareEngine) -> None:
    ogasawara = [ride("[03]父島", "=[05]東京・竹芝", "=[03]父島", operator="3010401020097", mode=Mode.FERRY)]
    # 2等和室: 26,840 of which 3,200 is surcharge; child 13,420 = 11,820 + 1,600
    adult, child = (price(engine, ogasawara, rider).components[0].addends for rider in (ADULT, CHILD))
    assert [addend.amount_minor for addend in adult] == [23640, 3200]
    assert [addend.amount_minor for addend in child] == [11820, 1600]
    # 特1等 child: 63,830 / 2 = 31,915 -> 31,920 and 8,620 / 2 = 4,310
    special = price(engine, ogasawara, CHILD, fare_class="special_1st").components[0].addends
    assert [addend.amount_minor for addend in special] == [31920, 4310]


def test_a_bicycle_is_paid_by_begun_half_hours(engine: FareEngine) -> None:
    def bike(minutes: int) -> int:
        leg = ride("x", "=a", "=b", operator="docomo-cycle-tokyo", mode=Mode.BIKE, minutes=minutes)
        return total(engine, [leg])

    assert [bike(minutes) for minutes in (1, 30, 31, 60, 61)] == [165, 165, 330, 330, 495]


def test_what_no_tariff_prices_is_named_and_never_guessed(engine: FareEngine) -> None:
    with pytest.raises(FareNotFound, match=r"leg 2 .*does not know|leg 2"):
        total(engine, [oedo("Tochomae", "Daimon"), ride("JR-East.Yamanote", "Hamamatsucho", "Yokohama")])
    with pytest.raises(FareNotFound, match="no tariff of operator Keio"):
        total(engine, [ride("Keio.Sagamihara", "Hashimoto", "MinamiOsawa")])
    # Over 15 km JR's IC fare is not in hand, its ticket fare is.
    # 品川-駒込 is 15.5 km the shorter way round.
    far = [ride("JR-East.Yamanote", "Shinagawa", "Komagome")]
    with pytest.raises(FareNotFound, match="has no ic fare"):
        total(engine, far)
    assert total(engine, far, ADULT, TICKET) == 350
    with pytest.raises(FareNotFound):
        total(engine, [ride("Toei.Oedo", "Tochomae", "Daimon", day=date(2019, 9, 30))])
    assert date(2026, 3, 14) < DAY, "the other tests ask for the fares after JR's change"
