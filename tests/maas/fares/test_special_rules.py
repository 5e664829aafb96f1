"""Rules that few operators have: zones, least fares, supplements, shared sections, running through."""

import shutil
from datetime import date
from pathlib import Path

import pytest

from maas.errors import FareNotFound, TariffUnreadable
from maas.fares.engine import FareEngine
from maas.journeys import Leg, Mode
from maas.prices import FareMedium, RiderCategory
from tests.support.fares import (
    ADULT,
    APP,
    CHILD,
    IC,
    INFANT,
    TARIFFS,
    TICKET,
    journey,
    price,
    ride,
    total,
)

NETWORK = (
    "network_id,operator_id,rule,stations,routes,worlds,app_world,name,name_en,valid_from,valid_to,source\n"
)
CHILD_RULE = (
    "network_id,percent,ic_step_minor,ic_rounding,ticket_step_minor,ticket_rounding,ic_flat_minor,"
    "valid_from,valid_to,source\n*,50,1,down,10,up,,2020-01-01,,test\n"
)
TOKAI = "3010401020097"


def tariff(folder: Path, **tables: str) -> FareEngine:
    """An engine of these tables; each text is header and rows, dates and source are added to each row."""
    for name, text in {"child_rules": CHILD_RULE, **tables}.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return FareEngine.from_folder(folder)


def dated(header: str, *rows: str) -> str:
    lines = [f"{header},valid_from,valid_to,source", *(f"{row},2020-01-01,,test" for row in rows)]
    return "\n".join(lines) + "\n"


SUPPLEMENT = "network_id,fare_class,per,adult_minor,child_minor,name,name_en"
ZONED = dated(
    "network_id,operator_id,rule,stations,routes,worlds,app_world,name,name_en",
    "z,Op,zones,dotted,*,ic ticket,ticket,ゾーン,Zones",
)
ZONES = dated("network_id,station,zone", "z,A,1", "z,B,1", "z,B,2", "z,C,2", "z,D,3")
ZONE_FARES = dated(
    "network_id,zone,other_zone,ic_minor,ticket_minor",
    "z,1,1,150,160",
    "z,1,2,205,210",
    "z,2,2,150,160",
    "z,3,1,295,300",
)


def zoned(origin: str, destination: str, at: str = "12:00") -> Leg:
    return ride("Op.L", origin, destination, at=at)


def test_a_stop_on_the_border_of_zones_lies_in_the_cheaper_one(tmp_path: Path) -> None:
    engine = tariff(tmp_path, networks=ZONED, zones=ZONES, zone_fares=ZONE_FARES)
    # A-B within zone 1, B-C within zone 2, A-C from 1 to 2: 205, 210; child 102 (205 / 2 cut), 110.
    assert [total(engine, [zoned(*ends)]) for ends in (("A", "B"), ("B", "C"), ("A", "C"))] == [150, 150, 205]
    assert [total(engine, [zoned("C", "A")], rider, TICKET) for rider in (ADULT, CHILD)] == [210, 110]
    assert total(engine, [zoned("A", "C")], CHILD) == 102
    assert total(engine, [zoned("D", "A")]) == 295
    # Changing at B does not end the fare: A to C is from zone 1 to zone 2.
    assert total(engine, [zoned("A", "B"), zoned("B", "C", "12:20")]) == 205
    with pytest.raises(FareNotFound, match="no zone fare from C to D"):
        total(engine, [zoned("C", "D")])
    addend = price(engine, [zoned("A", "C")]).components[0].addends[0]
    assert addend.text_en == "Zones, A to C, zones 1 and 2 (adult)"
    assert addend.rule_id == "z/zone_fares/1-2"


def test_a_zone_fare_of_an_unknown_zone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TariffUnreadable, match=r"zone_fares.csv row 5 zone: is no zone of a stop"):
        tariff(tmp_path, networks=ZONED, zones=ZONES, zone_fares=ZONE_FARES.replace("z,3,1", "z,9,1"))


def test_the_least_fare_holds_whatever_the_table_says(tmp_path: Path) -> None:
    least = dated("network_id,ic_minor,ticket_minor", "z,155,160")
    engine = tariff(tmp_path, networks=ZONED, zones=ZONES, zone_fares=ZONE_FARES, minimum_fares=least)
    # 150 is raised to 155 by IC; the ticket's 160 is the least already. A child pays half of it: 77.
    assert total(engine, [zoned("A", "B")]) == 155
    assert total(engine, [zoned("A", "B")], ADULT, TICKET) == 160
    assert total(engine, [zoned("A", "B")], CHILD) == 77
    assert total(engine, [zoned("A", "C")]) == 205


def test_children_of_some_railways_pay_one_fare_by_ic(tmp_path: Path) -> None:
    """As 小田急 since 2022: 50 yen by IC whatever the distance; by ticket half, up to ten yen."""
    flat = CHILD_RULE.replace("2020-01-01", "2019-01-01", 1) + "z,50,1,down,10,up,50,2020-01-01,,test\n"
    engine = tariff(tmp_path, networks=ZONED, zones=ZONES, zone_fares=ZONE_FARES, child_rules=flat)
    assert [total(engine, [zoned("D", "A")], CHILD, medium) for medium in (IC, TICKET)] == [50, 150]


def test_a_seat_is_paid_by_each_rider_and_a_cabin_once(tmp_path: Path) -> None:
    flat = dated(
        "network_id,operator_id,rule,stations,routes,worlds,app_world,name,name_en",
        "liner,Op,flat,any,*,ic ticket,ic,ライナー,Liner",
    )
    fares = dated("network_id,ic_minor,ticket_minor,child_ic_minor,child_ticket_minor", "liner,300,300,,")
    more = dated(
        "network_id,fare_class,per,adult_minor,child_minor,name,name_en",
        "liner,seat,rider,410,210,座席指定料金,reserved seat",
        "liner,cabin,party,4320,4320,個室料金,cabin",
    )
    engine = tariff(tmp_path, networks=flat, flat_fares=fares, supplements=more)
    leg = ride("Op.L", "a", "b")
    riders = [ADULT, CHILD, INFANT]

    def party(fare_class: str | None) -> list[int]:
        prices = engine.price_party(journey=journey(leg), riders=riders, medium=IC, fare_class=fare_class)
        return [each.total.amount_minor for each in prices]

    assert party(None) == [300, 150, 0]
    assert party("seat") == [710, 360, 0]
    assert party("cabin") == [300 + 4320, 150, 0]
    component = price(engine, [leg], fare_class="seat").components[0]
    assert [(line.text_en, line.amount_minor) for line in component.addends][1] == ("reserved seat", 410)
    assert component.fare_class == "seat"
    # A class that a train does not know means nothing, as long as no ship is asked for it.
    assert party("1st") == [300, 150, 0]


def test_a_child_by_bank_card_pays_the_adults_supplement_as_it_pays_the_adults_fare(tmp_path: Path) -> None:
    flat = dated(
        "network_id,operator_id,rule,stations,routes,worlds,app_world,name,name_en",
        "liner,Op,flat,any,*,ic ticket card,ic,ライナー,Liner",
    )
    engine = tariff(
        tmp_path,
        networks=flat,
        flat_fares=dated(
            "network_id,ic_minor,ticket_minor,child_ic_minor,child_ticket_minor", "liner,300,300,,"
        ),
        supplements=dated(SUPPLEMENT, "liner,seat,rider,410,210,座席指定料金,reserved seat"),
    )
    leg = ride("Op.L", "a", "b")
    assert total(engine, [leg], CHILD, IC, "seat") == 150 + 210
    assert total(engine, [leg], CHILD, FareMedium.CARD, "seat") == 300 + 410


def test_a_joint_fare_keeps_the_supplement_of_the_part_that_has_the_class(tmp_path: Path) -> None:
    engine = tariff(
        tmp_path,
        networks=dated(
            "network_id,operator_id,rule,stations,routes,worlds,app_world,name,name_en",
            "m,OpM,distance,dotted,*,ic ticket,ic,M,M",
            "t,OpT,distance,dotted,*,ic ticket,ic,T,T",
        ),
        line_km=dated("network_id,line,station,km", "m,L,A,0", "m,L,B,2.0", "t,K,B,0", "t,K,C,3.0"),
        links=dated("network_id,station,other_network_id,other_station,within_s", "m,B,t,B,"),
        distance_bands=dated(
            "network_id,km_from,km_to,ic_minor,ticket_minor", "m,1,9,150,160", "t,1,9,200,210"
        ),
        discounts=dated(
            "discount_id,kind,network_id,other_network_id,within_s,window_from,adult_ic_minor,"
            "adult_ticket_minor,child_ic_minor,child_ticket_minor,name,name_en",
            "mt,joint,m,t,,alighting,70,70,35,40,乗継割引,joint",
        ),
        supplements=dated(SUPPLEMENT, "t,seat,rider,410,210,座席指定料金,reserved seat"),
    )
    legs = [ride("OpM.L", "A", "B"), ride("OpT.K", "B", "C", at="12:15")]
    assert total(engine, legs) == 150 + 200 - 70
    component = price(engine, legs, fare_class="seat").components[0]
    # The seat is T's alone, and no part of the discount.
    assert component.shares == {"OpM": 150 - 35, "OpT": 200 - 35 + 410}
    assert [line.amount_minor for line in component.addends] == [150, 200, -70, 410]
    assert component.fare_class == "seat"


def test_a_second_boarding_is_free_at_most(tmp_path: Path) -> None:
    """A change that is free for adults: whoever pays less than the discount pays nothing, not less."""
    engine = tariff(
        tmp_path,
        networks=dated(
            "network_id,operator_id,rule,stations,routes,worlds,app_world,name,name_en",
            "bus,Op,flat,any,*,ic ticket,ic,バス,Bus",
        ),
        flat_fares=dated(
            "network_id,ic_minor,ticket_minor,child_ic_minor,child_ticket_minor", "bus,220,220,,"
        ),
        discounts=dated(
            "discount_id,kind,network_id,other_network_id,within_s,window_from,adult_ic_minor,"
            "adult_ticket_minor,child_ic_minor,child_ticket_minor,name,name_en",
            "free,boarding,bus,bus,3600,boarding,220,0,220,0,乗継無料,free change",
        ),
    )
    buses = [ride("Op.A", "a", "b", mode=Mode.BUS), ride("Op.B", "b", "c", at="12:30", mode=Mode.BUS)]
    assert total(engine, buses) == 220
    assert total(engine, buses, CHILD) == 110
    # The explanation says what was really taken off.
    assert [line.amount_minor for line in price(engine, buses, CHILD).components[1].addends] == [110, -110]


@pytest.fixture(scope="module")
def tokyo() -> FareEngine:
    return FareEngine.from_folder(TARIFFS)


def test_the_section_of_two_owners_is_the_one_that_the_journey_goes_on_with(tokyo: FareEngine) -> None:
    """目黒-白金高輪 is Metro's and Toei's; which train runs there does not matter."""
    mita = ride("Toei.Mita", "Meguro", "ShirokaneTakanawa")
    namboku = ride("TokyoMetro.Namboku", "Meguro", "ShirokaneTakanawa")
    to_metro = ride("TokyoMetro.Namboku", "ShirokaneTakanawa", "TameikeSanno", at="12:15")
    to_toei = ride("Toei.Mita", "ShirokaneTakanawa", "Mita", at="12:15")
    for first in (mita, namboku):
        # One fare of Metro (目黒-溜池山王 by 白金高輪 5.7 km: 178), one of Toei (目黒-三田 4.0 km: 178).
        for onward, operator in ((to_metro, "TokyoMetro"), (to_toei, "Toei")):
            (component,) = price(tokyo, [first, onward]).components
            assert (component.amount.amount_minor, component.shares) == (178, {operator: 178})
            assert component.networks == ((component.product_id.split(":")[0],) * 2)
    back = [ride("Toei.Mita", "Mita", "ShirokaneTakanawa"), ride("TokyoMetro.Namboku", "ShirokaneTakanawa",
            "Meguro", at="12:15")]  # fmt: skip
    assert price(tokyo, back).components[0].shares == {"Toei": 178}
    # By itself it is a ride of the operator whose train it was, at Metro's fare.
    assert price(tokyo, [mita]).components[0].shares == {"Toei": 178}
    # Changing at its end is a change between the two: 178 and 178, joint less 70.
    change = [
        ride("Toei.Mita", "Mita", "ShirokaneTakanawa"),
        ride("TokyoMetro.Namboku", "ShirokaneTakanawa", "AzabuJuban", at="12:15"),
    ]
    assert price(tokyo, change).components[0].shares == {"Toei": 143, "TokyoMetro": 143}


def test_a_train_that_runs_through_has_a_fare_for_each_operator_and_no_gate(tokyo: FareEngine) -> None:
    """りんかい線 runs on over 大崎 into JR: the fare changes at the border, and nobody alights."""
    rinkai = ride("TWR.Rinkai", "ShinKiba", "Osaki", at="12:00", mode=Mode.RAIL)
    jr = ride("JR-East.Yamanote", "Osaki", "Shibuya", at="12:30", mode=Mode.RAIL, in_seat=True)
    parts = price(tokyo, [rinkai, jr]).components
    alone = [total(tokyo, [rinkai]), total(tokyo, [jr])]
    assert [part.amount.amount_minor for part in parts] == alone
    # 新木場-大崎 12.2 km is 398 by IC; 大崎-渋谷 5.2 km is 199.
    assert alone == [398, 199]
    assert [part.shares for part in parts] == [{"TWR": 398}, {"JR-East": 199}]


def sail(route: str, origin: str, destination: str, day: date) -> Leg:
    return ride(route, f"={origin}", f"={destination}", operator=TOKAI, mode=Mode.FERRY, day=day)


TAKESHIBA, OSHIMA = "[05]東京・竹芝", "[12]大島"


def test_a_month_of_fuel_may_begin_between_the_way_out_and_the_way_back(tmp_path: Path) -> None:
    folder = tmp_path / "tariffs"
    shutil.copytree(TARIFFS, folder)
    path = folder / "fuel_surcharges.csv"
    row = "ogasawara_ship,Takeshiba,Chichijima,2nd,3200,2025-09-01,,"
    text = path.read_text(encoding="utf-8")
    assert row in text
    later = "ogasawara_ship,Takeshiba,Chichijima,2nd,4100,2026-06-01,,次の月\n"
    path.write_text(text.replace(row, row.replace(",,", ",2026-05-31,")) + later, encoding="utf-8")
    engine = FareEngine.from_folder(folder)
    out = sail("[03]x", TAKESHIBA, "[03]父島", date(2026, 5, 30))
    back = sail("[03]x", "[03]父島", TAKESHIBA, date(2026, 6, 3))
    parts = price(engine, [out, back], CHILD, TICKET).components
    # Child: 23,640 / 2 = 11,820 each way; 3,200 / 2 = 1,600 in May, 4,100 / 2 = 2,050 in June.
    assert [[line.amount_minor for line in part.addends] for part in parts] == [[11820, 1600], [11820, 2050]]
    assert [part.addends[1].valid_from for part in parts] == [date(2025, 9, 1), date(2026, 6, 1)]


CLASSES_2014 = {"2nd": 9240, "special_2nd": 13860, "1st": 18470, "special_1st": 22160}
BASE_2015 = {
    OSHIMA: (4390, 7110),
    "[13]利島": (4880, 8030),
    "[14]新島": (5900, 9050),
    "[15]式根島": (5900, 9050),
    "[16]神津島": (6260, 9640),
}
OLD_SHIPS = {"[21]三宅島": 6600, "[22]御蔵島": 7400, "[01]八丈島": 8270}


def test_the_tachibana_maru_by_class_in_the_summer_of_2014(tokyo: FareEngine) -> None:
    leg = sail("[13]x", TAKESHIBA, "[21]三宅島", date(2014, 8, 1))
    for fare_class, fare in CLASSES_2014.items():
        assert total(tokyo, [leg], ADULT, TICKET, fare_class) == fare
    # 特等 25,870 and 4,320 for the cabin, once for the two who sleep in it; a child 12,940 (12,935 up).
    prices = tokyo.price_party(
        journey=journey(leg), riders=[ADULT, CHILD], medium=TICKET, fare_class="special"
    )
    assert [each.total.amount_minor for each in prices] == [25_870 + 4_320, 12_940]


def test_ships_of_2015_and_later_single_fares(tokyo: FareEngine) -> None:
    in_2015 = date(2015, 7, 1)
    for port, (ship, jet) in BASE_2015.items():
        assert total(tokyo, [sail("[13]x", TAKESHIBA, port, in_2015)], ADULT, TICKET) == ship
        assert total(tokyo, [sail("[06]x", port, TAKESHIBA, in_2015)], ADULT, TICKET) == jet
    for port, fare in OLD_SHIPS.items():
        assert total(tokyo, [sail("[13]x", TAKESHIBA, port, in_2015)], ADULT, TICKET) == fare
    paid = [
        ("[13]x", "[01]八丈島", "[21]三宅島", date(2016, 5, 1), 2_050),
        ("[13]x", "[22]御蔵島", TAKESHIBA, date(2018, 5, 1), 9_620),
        ("[01]x", "[01]八丈島", "[02]青ヶ島", date(2017, 5, 1), 2_550),
        ("[01]x", "[02]青ヶ島", "[01]八丈島", date(2018, 5, 1), 2_730),
        ("[06]x", OSHIMA, "[14]新島", date(2026, 8, 10), 3_950),
        ("[06]x", "[14]新島", TAKESHIBA, date(2026, 8, 10), 13_280),
    ]
    for route, origin, destination, day, fare in paid:
        assert total(tokyo, [sail(route, origin, destination, day)], ADULT, TICKET) == fare


def test_azeria_and_ogasawara_by_class(tokyo: FareEngine) -> None:
    for port in ("[13]利島", "[14]新島", "[15]式根島", "[16]神津島"):
        leg = sail("[15]x", "[20]下田", port, date(2026, 5, 20))
        fares = [total(tokyo, [leg], ADULT, TICKET, each) for each in ("2nd", "special_2nd", "1st")]
        assert fares == [4_470, 6_720, 8_930]
    leg = sail("[03]x", TAKESHIBA, "[03]父島", date(2025, 9, 15))
    published = {
        "special": (79_960, 9_510),
        "special_1st": (72_450, 8_620),
        "1st": (56_190, 6_690),
        "special_2nd_berth": (40_580, 4_830),
        "2nd_berth": (30_570, 3_640),
        "2nd": (26_840, 3_200),
    }
    for fare_class, (whole, surcharge) in published.items():
        component = price(tokyo, [leg], ADULT, TICKET, fare_class).components[0]
        assert (component.amount.amount_minor, component.addends[-1].amount_minor) == (whole, surcharge)


def test_the_worlds_of_one_ride_side_by_side(tokyo: FareEngine) -> None:
    """都庁前-汐留 9.5 km: 272 by IC, 280 by ticket, by our app and by card; a child by card too."""
    leg = ride("Toei.Oedo", "Tochomae", "Shiodome")
    by_world = {medium: total(tokyo, [leg], ADULT, medium) for medium in FareMedium}
    assert by_world == {IC: 272, TICKET: 280, FareMedium.CARD: 280, APP: 280}
    assert total(tokyo, [leg], CHILD, FareMedium.CARD) == 280
    assert total(tokyo, [leg], INFANT, FareMedium.CARD) == 0
    # The subways took no cards before their first day of it.
    before = ride("Toei.Oedo", "Tochomae", "Shiodome", day=date(2025, 12, 22))
    with pytest.raises(FareNotFound, match="no contactless bank cards"):
        total(tokyo, [before], ADULT, FareMedium.CARD)


def test_a_silver_pass_by_card_pays_like_everyone(tokyo: FareEngine) -> None:
    leg = ride("Toei.Oedo", "Tochomae", "Shiodome")
    assert total(tokyo, [leg], RiderCategory.SENIOR, IC) == 0
    assert total(tokyo, [leg], RiderCategory.SENIOR, FareMedium.CARD) == 280
