"""Our tables and the feeds' own fares together, as they come out of a network's folder."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from random import Random

import pytest

from gtfs.fares import FareTables
from gtfs.literal import literal_contents
from gtfs.reader import read_contents, read_feed
from gtfs.tables import Feed
from maas.errors import FareNotFound
from maas.fares.engine import FareEngine
from maas.fares.feed_fares import FeedFares, FeedPricer
from maas.fares.network_fares import NetworkFares, open_network_fares, write_feed_fares
from maas.fares.standard import to_minor
from maas.journeys import Leg, Mode
from maas.prices import FareMedium, RiderCategory
from tests.oracles.fares_v2 import RiddenLeg, cheapest_v2
from tests.support.fares import ADULT, APP, CHILD, IC, TARIFFS, TICKET, journey, ride, walk

DAY = date(2026, 1, 5)
TEXT = """
route T bus network=town
stops A B C
t1 8:00 8:10 8:20
"""
FILES = {
    "fare_media.txt": b"fare_media_id,fare_media_type\nic,2\npaper,1\n",
    "rider_categories.txt": b"rider_category_id,rider_category_name,is_default_fare_category\n"
    b"everyone,Everyone,1\nchild,Child,0\n",
    "fare_products.txt": b"fare_product_id,rider_category_id,fare_media_id,amount,currency\n"
    b"t,everyone,ic,200,JPY\nt,everyone,paper,210,JPY\nt,child,,100,JPY\n",
    "fare_leg_rules.txt": b"leg_group_id,network_id,from_area_id,fare_product_id\nt,town,,t\n",
    "fare_transfer_rules.txt": b"from_leg_group_id,to_leg_group_id,transfer_count,duration_limit,"
    b"duration_limit_type,fare_transfer_type,fare_product_id\nt,t,1,3600,1,0,\n",
}


def feed(**files: bytes) -> Feed:
    contents = literal_contents(TEXT) | FILES | {f"{name}.txt": text for name, text in files.items()}
    found = read_contents(contents, feed_id="town").feed
    assert found is not None
    return found


def town(origin: str = "A", destination: str = "B", at: str = "12:00", day: date = DAY) -> Leg:
    leg = ride("T", f"={origin}", f"={destination}", operator="agency", at=at, mode=Mode.BUS, day=day)
    return replace(
        leg,
        route_id="town:T",
        origin=replace(leg.origin, stop_id=f"town:{origin}"),
        destination=replace(leg.destination, stop_id=f"town:{destination}"),
    )


OEDO = ride("Toei.Oedo", "Tochomae", "Daimon", day=DAY)


def through_a_folder(folder: Path, *feeds: Feed, tables: Path = TARIFFS) -> NetworkFares:
    write_feed_fares(folder, feeds)
    fares = open_network_fares(folder, tables)
    assert fares is not None
    return fares


def paid(fares: NetworkFares, *legs: Leg, rider: RiderCategory = ADULT, medium: FareMedium = APP) -> int:
    (price,) = fares.price_party(journey=journey(*legs), riders=[rider], medium=medium)
    covered = [index for part in price.components for index in part.leg_indices]
    assert covered == [index for index, leg in enumerate(legs) if leg.mode is not Mode.WALK]
    for part in price.components:
        assert part.amount.amount_minor == sum(part.shares.values())
    return price.total.amount_minor


def test_a_feed_prices_what_our_tables_do_not_know(tmp_path: Path) -> None:
    fares = through_a_folder(tmp_path, feed())
    # Our own ticket costs what paper costs, the feed knowing no app: 210.
    assert [paid(fares, town(), medium=medium) for medium in (IC, TICKET, APP)] == [200, 210, 210]
    assert paid(fares, town(), rider=CHILD) == 100
    # Both on one journey: 220 of Toei and the bus; the second bus within an hour is free by the feed's rule.
    assert paid(fares, OEDO, walk(), town(at="12:30"), town("B", "C", at="12:50")) == 220 + 210
    assert paid(fares, town(at="11:00"), OEDO, town("B", "C", at="12:30")) == 210 + 220 + 210
    # The change is explained in both languages.
    change = [town(), town("B", "C", at="12:20")]
    (price,) = fares.price_party(journey=journey(*change), riders=[ADULT], medium=APP)
    lines = [(line.text, line.text_en, line.amount_minor) for line in price.components[0].addends]
    assert lines == [("t（A→B）", "t (A to B)", 210), ("乗継無料", "free transfer", 0)]
    # What the tables know is theirs alone.
    assert paid(fares, OEDO, medium=IC) == 220


def test_what_the_feed_does_not_know_is_not_guessed(tmp_path: Path) -> None:
    fares = through_a_folder(tmp_path, feed())
    for rider, medium, reason in (
        (RiderCategory.SENIOR, APP, "no fares for the rider category senior"),
        (ADULT, FareMedium.CARD, "sells no fares on card"),
    ):
        with pytest.raises(FareNotFound, match=reason):
            paid(fares, town(), rider=rider, medium=medium)
    with pytest.raises(FareNotFound, match=r"no tariff of operator X covers.*"):
        paid(fares, replace(OEDO, operator_id="X"))


def test_a_network_without_tables_lives_on_its_feeds(tmp_path: Path) -> None:
    fares = through_a_folder(tmp_path, feed(), tables=tmp_path / "none")
    assert paid(fares, town()) == 210
    with pytest.raises(FareNotFound, match="no tariffs"):
        paid(fares, OEDO, town(at="12:30"))
    assert open_network_fares(tmp_path / "empty", tmp_path / "none") is None


def test_fare_attributes_are_for_adults_and_tickets(tmp_path: Path) -> None:
    attributes = b"fare_id,price,currency_type,payment_method,transfers\nflat,190,JPY,0,0\n"
    contents = literal_contents(TEXT) | {"fare_attributes.txt": attributes}
    found = read_contents(contents, feed_id="town").feed
    assert found is not None
    fares = through_a_folder(tmp_path, found)
    assert (paid(fares, town()), paid(fares, town(), medium=TICKET)) == (190, 190)
    with pytest.raises(FareNotFound, match="for adults only"):
        paid(fares, town(), rider=CHILD)
    with pytest.raises(FareNotFound, match="for tickets only"):
        paid(fares, town(), medium=IC)


def test_two_currencies_are_never_added(tmp_path: Path) -> None:
    dollars = FILES["fare_products.txt"].replace(b",JPY", b".00,USD")
    fares = through_a_folder(tmp_path, feed(fare_products=dollars))
    assert paid(fares, town()) == 21_000
    with pytest.raises(FareNotFound, match="JPY and USD"):
        paid(fares, OEDO, town(at="12:30"))


def test_a_feed_without_fares_leaves_nothing(tmp_path: Path) -> None:
    found = read_contents(literal_contents(TEXT), feed_id="town").feed
    assert found is not None
    assert FeedFares.find_in(found) is None
    write_feed_fares(tmp_path, [found])
    assert list(tmp_path.iterdir()) == []


def test_a_party_is_priced_rider_by_rider(tmp_path: Path) -> None:
    fares = through_a_folder(tmp_path, feed())
    prices = fares.price_party(
        journey=journey(OEDO, town(at="12:30")), riders=[ADULT, CHILD, CHILD], medium=APP
    )
    # 220 + 210; children 110 + 100.
    assert [price.total.amount_minor for price in prices] == [430, 210, 210]
    assert [price.rider for price in prices] == [ADULT, CHILD, CHILD]


@pytest.mark.real
def test_every_fare_of_a_real_feed_agrees_with_the_oracle(real_data: Path) -> None:
    """C-TRAN's Fares v2: 14 products, 3 riders, every medium, its transfers; 120 chains of rides."""
    found = read_feed(real_data / "flex" / "ctran_flex.zip").feed
    assert found is not None
    document = FeedFares.find_in(found)
    assert document is not None
    kept = FeedFares.from_json(document.to_json())
    assert kept == document
    tables, chance = kept.tables, Random(7)
    pricer = FeedPricer(kept)
    routes, stops = found["routes"]["route_id"].to_list(), found["stops"]["stop_id"].to_list()
    priced = 0
    for _ in range(120):
        legs, at = [], chance.randrange(6 * 60, 20 * 60)
        for _ in range(chance.randint(1, 4)):
            route, origin, destination = chance.choice(routes), *chance.sample(stops, 2)
            leg = ride(
                "x", f"={origin}", f"={destination}", at=f"{at // 60}:{at % 60:02}", minutes=15,
                day=kept.valid_from,
            )  # fmt: skip
            legs.append(replace(leg, route_id=f"f:{route}", operator_id="op"))
            at += chance.randrange(16, 80)
        oracle_legs = [
            RiddenLeg(
                route_id=(leg.route_id or "").split(":")[1],
                from_stop=(leg.origin.stop_id or "").split(":", 1)[1],
                to_stop=(leg.destination.stop_id or "").split(":", 1)[1],
                departs=leg.departs_at,
                arrives=leg.arrives_at,
            )
            for leg in legs
        ]
        assert pricer._v2 is not None
        for category in (*tables.rider_names, None):
            for medium in (*tables.media_types, None):
                asked = category or tables.default_rider_category_id
                expected = _cents(tables, oracle_legs, asked, medium)
                try:
                    price = pricer._v2.price(
                        journey=journey(*legs), rider_category_id=category, fare_media_id=medium
                    )
                    assert price.total.amount_minor == expected
                    priced += 1
                except FareNotFound:
                    assert expected is None
    assert priced > 500


def _cents(tables: FareTables, legs: list[RiddenLeg], rider: str | None, medium: str | None) -> int | None:
    """The oracle counts whole units: let it count cents."""
    products = tuple(
        replace(each, amount=type(each.amount)(to_minor(each.amount, each.currency)))
        for each in tables.products
    )
    return cheapest_v2(replace(tables, products=products), legs, rider, medium)


def test_the_engine_alone_is_still_the_first_to_be_asked() -> None:
    engine = FareEngine.from_folder(TARIFFS)
    fares = NetworkFares(tables=engine, feeds={})
    whole = engine.price_party(journey=journey(OEDO), riders=[ADULT], medium=IC)
    assert fares.price_party(journey=journey(OEDO), riders=[ADULT], medium=IC) == whole
