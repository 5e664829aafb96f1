"""Fares v2: each rule by a small feed worked out by hand, all rules together against the oracle."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gtfs.fares import (
    FareLegJoinRule,
    FareLegRule,
    FareProduct,
    FareTables,
    FareTransferRule,
    Timeframe,
)
from gtfs.literal import literal_contents
from gtfs.reader import read_contents, read_feed
from gtfs.service_calendar import ServiceCalendar, ServiceRule
from maas.errors import FareNotFound, TariffUnreadable
from maas.fares.engine import FareEngine
from maas.fares.standard import Origin, to_minor
from maas.fares.standard_v2 import FaresV2
from maas.journeys import Leg, Mode
from maas.prices import FareMedium, RiderCategory
from services.demo.city.build import build_city
from tests.oracles.fares_v2 import RiddenLeg, cheapest_v2
from tests.support.fares import DAY, TARIFFS, TOKYO, journey, place, ride, walk

EVERY_DAY = ServiceCalendar({"daily": ServiceRule(date(2026, 1, 1), date(2026, 12, 31), frozenset(range(7)))})
ORIGIN = Origin(valid_from=date(2026, 1, 1), source="test")


def leg(route: str, origin: str, destination: str, *, at: int, minutes: int = 10) -> Leg:
    departs = datetime(DAY.year, DAY.month, DAY.day, 6, tzinfo=TOKYO) + timedelta(minutes=at)
    return Leg(
        mode=Mode.BUS,
        origin=place(origin),
        destination=place(destination),
        departs_at=departs,
        arrives_at=departs + timedelta(minutes=minutes),
        operator_id=f"op-{route}",
        route_id=f"demo:{route}",
        trip_id=f"demo:{route}-{at}",
        service_date=DAY,
    )


TEXT = """
route N bus network=north
stops A B C
n1 8:00 8:10 8:20
route S bus network=south
stops C D
s1 8:30 8:40
"""
FILES = {
    "fare_media.txt": b"fare_media_id,fare_media_type\nic,2\npaper,1\n",
    "rider_categories.txt": b"rider_category_id,rider_category_name,is_default_fare_category\n"
    b"adult,Adult,1\nchild,Child,0\n",
    "areas.txt": b"area_id\ncentre\n",
    "stop_areas.txt": b"area_id,stop_id\ncentre,C\n",
    "timeframes.txt": b"timeframe_group_id,start_time,end_time,service_id\npeak,7:00:00,9:00:00,daily\n",
    "fare_products.txt": b"fare_product_id,rider_category_id,fare_media_id,amount,currency\n"
    b"n,adult,ic,200,JPY\nn,adult,paper,210,JPY\nn,child,,100,JPY\n"
    b"s,,,300,JPY\ns_centre,,,150,JPY\npeak,,,400,JPY\n"
    b"change,,,50,JPY\nboth,,,320,JPY\nless,,,-80,JPY\n",
}
LEGS = b"leg_group_id,network_id,from_area_id,fare_product_id,from_timeframe_group_id\n"
NORTH = LEGS + b"north,north,,n,\nsouth,south,,s,\n"
TRANSFER = (
    b"from_leg_group_id,to_leg_group_id,transfer_count,duration_limit,duration_limit_type,"
    b"fare_transfer_type,fare_product_id\n"
)


def fares_v2(**files: bytes) -> FaresV2:
    contents = literal_contents(TEXT) | FILES | {f"{name}.txt": text for name, text in files.items()}
    reading = read_contents(contents, feed_id="demo")
    assert reading.feed is not None
    assert [str(notice) for notice in reading.notices if "fare" in str(notice)] == []
    return FaresV2.from_feed(reading.feed)


def cost(fares: FaresV2, *legs: Leg, rider: str | None = None, medium: str | None = "ic") -> int:
    price = fares.price(journey=journey(*legs), rider_category_id=rider, fare_media_id=medium)
    for part in price.components:
        assert part.amount.amount_minor == sum(addend.amount_minor for addend in part.addends)
        assert part.amount.amount_minor == sum(part.shares.values())
        assert min(part.shares.values()) >= 0
    assert price.total.amount_minor == sum(part.amount.amount_minor for part in price.components)
    return price.total.amount_minor


N, S = leg("N", "A", "C", at=0), leg("S", "C", "D", at=30)
MORNING = leg("S", "C", "D", at=90)  # 07:30


def test_riders_and_media_buy_their_own_variant() -> None:
    fares = fares_v2(fare_leg_rules=NORTH)
    assert cost(fares, N) == 200
    assert cost(fares, N, medium="paper") == 210
    assert cost(fares, N, rider="child", medium="paper") == 100
    assert cost(fares, N, walk(), S) == 500
    with pytest.raises(FareNotFound, match=r"leg 1 .* no leg rule prices it for senior on ic"):
        cost(fares, N, rider="senior")


def test_without_priorities_empty_is_what_no_rule_names() -> None:
    fares = fares_v2(fare_leg_rules=LEGS + b"c,south,centre,s_centre,\no,south,,s,\nx,,,n,\n")
    assert cost(fares, S) == 150
    assert cost(fares, leg("S", "D", "C", at=0)) == 300
    assert cost(fares, N) == 200  # north is named by no rule


def test_with_priorities_the_highest_that_matches_counts() -> None:
    rules = (
        b"leg_group_id,network_id,fare_product_id,from_timeframe_group_id,rule_priority\n"
        b"a,,s_centre,,\nb,south,s,,1\nc,,peak,peak,2\n"
    )
    fares = fares_v2(fare_leg_rules=rules)
    assert cost(fares, N) == 150
    assert cost(fares, S) == 300  # dearer, and of a higher priority
    assert cost(fares, MORNING) == 400
    assert cost(fares, leg("N", "A", "C", at=180)) == 150  # 09:00 is no longer the peak


def test_the_three_kinds_of_transfer() -> None:
    for kind, product, expected in (
        (b"0", b"", 200),  # A + AB, free
        (b"0", b"change", 250),
        (b"1", b"less", 200 + 300 - 80),  # A + AB + B
        (b"2", b"both", 320),  # AB
    ):
        fares = fares_v2(
            fare_leg_rules=NORTH,
            fare_transfer_rules=TRANSFER + b"north,south,,,," + kind + b"," + product + b"\n",
        )
        assert cost(fares, N, S) == expected
        assert cost(fares, S, N) == 500, "the rule holds one way only"


def test_limits_of_time_by_their_four_types() -> None:
    # N departs 06:00 and arrives 06:10; S departs 06:30 and arrives 06:40.
    for kind, seconds in ((b"0", 2400), (b"1", 1800), (b"2", 1200), (b"3", 1800)):
        for limit, expected in ((seconds, 200), (seconds - 1, 500)):
            rule = b"north,south,,%d,%s,0,\n" % (limit, kind)
            fares = fares_v2(fare_leg_rules=NORTH, fare_transfer_rules=TRANSFER + rule)
            assert cost(fares, N, S) == expected


def test_a_rule_to_its_own_group_repeats_as_often_as_it_says() -> None:
    rides = [leg("N", "A", "C", at=20 * place) for place in range(5)]
    for count, expected in ((b"-1", 200), (b"1", 3 * 200), (b"2", 2 * 200)):
        fares = fares_v2(
            fare_leg_rules=NORTH, fare_transfer_rules=TRANSFER + b"north,north," + count + b",,,0,\n"
        )
        assert cost(fares, *rides) == expected
    # An hour from the first departure: the rides at 0, 20, 40 and 60 minutes; the fifth is a new fare.
    fares = fares_v2(fare_leg_rules=NORTH, fare_transfer_rules=TRANSFER + b"north,north,-1,3600,1,0,\n")
    assert cost(fares, *rides) == 400


def test_joined_legs_are_one_leg() -> None:
    two = (leg("N", "A", "B", at=0), leg("N", "B", "C", at=20))
    joined = b"from_network_id,to_network_id,from_stop_id,to_stop_id\n"
    assert cost(fares_v2(fare_leg_rules=NORTH), *two) == 400
    assert cost(fares_v2(fare_leg_rules=NORTH, fare_leg_join_rules=joined + b"north,north,,\n"), *two) == 200
    at_b = fares_v2(fare_leg_rules=NORTH, fare_leg_join_rules=joined + b"north,north,B,B\n")
    assert cost(at_b, *two) == 200
    at_c = fares_v2(fare_leg_rules=NORTH, fare_leg_join_rules=joined + b"north,north,C,C\n")
    assert cost(at_c, *two) == 400


def test_amounts_are_whole_minor_units() -> None:
    assert to_minor(Decimal("1.25"), "USD") == 125
    assert to_minor(Decimal(210), "JPY") == 210
    assert to_minor(Decimal("1.250"), "KWD") == 1250
    with pytest.raises(TariffUnreadable, match="more decimals"):
        to_minor(Decimal("0.5"), "JPY")


# All rules together ----------------------------------------------------------------------------------------

MAYBE_NETWORK = st.sampled_from([None, None, "n", "s"])
MAYBE_AREA = st.sampled_from([None, None, "x", "y"])
MAYBE_FRAME = st.sampled_from([None, None, None, "early"])
GROUP = st.sampled_from(["g", "h", None])
PRODUCT_ID = st.sampled_from(["p", "q", "r"])
PRODUCTS = st.lists(
    st.builds(
        FareProduct,
        fare_product_id=PRODUCT_ID,
        name=st.none(),
        rider_category_id=st.sampled_from([None, "adult", "child"]),
        fare_media_id=st.sampled_from([None, "ic", "paper"]),
        amount=st.integers(50, 500).map(Decimal),
        currency=st.just("JPY"),
    ),
    min_size=2,
    max_size=6,
)
LEG_RULES = st.lists(
    st.builds(
        FareLegRule,
        leg_group_id=GROUP,
        network_id=MAYBE_NETWORK,
        from_area_id=MAYBE_AREA,
        to_area_id=MAYBE_AREA,
        from_timeframe_group_id=MAYBE_FRAME,
        to_timeframe_group_id=MAYBE_FRAME,
        fare_product_id=PRODUCT_ID,
        priority=st.integers(0, 2),
    ),
    min_size=1,
    max_size=5,
)
TRANSFER_RULES = st.lists(
    st.builds(
        FareTransferRule,
        from_leg_group_id=GROUP,
        to_leg_group_id=GROUP,
        count=st.sampled_from([None, -1, 1, 2]),
        duration_s=st.sampled_from([None, 1800, 3600]),
        duration_type=st.sampled_from([0, 1, 2, 3]),
        fare_transfer_type=st.sampled_from([0, 1, 2]),
        fare_product_id=st.sampled_from([None, "p", "q"]),
    ),
    max_size=3,
)
JOINS = st.lists(
    st.builds(
        FareLegJoinRule,
        from_network_id=st.sampled_from(["n", "s"]),
        to_network_id=st.sampled_from(["n", "s"]),
        from_stop_id=st.sampled_from([None, "A", "station"]),
        to_stop_id=st.sampled_from([None, "A"]),
    ),
    max_size=1,
)
STOP = st.sampled_from(["A", "B", "C"])
RIDES = st.lists(
    st.tuples(st.sampled_from(["N", "S", "other"]), STOP, STOP, st.integers(5, 30)), min_size=1, max_size=4
)


@given(PRODUCTS, LEG_RULES, TRANSFER_RULES, JOINS, RIDES, st.booleans(), st.sampled_from(["ic", None]))
@settings(max_examples=400, deadline=None)
def test_the_price_is_the_least_of_all_choices(  # noqa: PLR0917  # hypothesis gives them by place
    products: list[FareProduct],
    leg_rules: list[FareLegRule],
    transfer_rules: list[FareTransferRule],
    joins: list[FareLegJoinRule],
    rides: list[tuple[str, str, str, int]],
    has_priorities: bool,  # noqa: FBT001  # hypothesis gives it by place
    medium: str | None,
) -> None:
    tables = FareTables(
        products=tuple(products),
        leg_rules=tuple(leg_rules),
        has_priorities=has_priorities,
        join_rules=tuple(joins),
        transfer_rules=tuple(transfer_rules),
        rider_names={},
        default_rider_category_id="adult",
        media_types={},
        timeframes={"early": (Timeframe(start_s=0, end_s=23_400, service_id="daily"),)},
        areas_of_stop={"A": frozenset("x"), "station": frozenset("xy")},
        parent_of_stop={"B": "station"},
        zone_of_stop={},
        network_of_route={"N": "n", "S": "s"},
        flat_fares=(),
    )
    legs = [
        leg(route, origin, destination, at=25 * place, minutes=minutes)
        for place, (route, origin, destination, minutes) in enumerate(rides)
    ]
    ridden = [
        RiddenLeg(
            route_id=route,
            from_stop=origin,
            to_stop=destination,
            departs=each.departs_at,
            arrives=each.arrives_at,
        )
        for (route, origin, destination, _), each in zip(rides, legs, strict=True)
    ]
    fares = FaresV2(tables, services=EVERY_DAY, zone=TOKYO, origin=ORIGIN)
    expected = cheapest_v2(tables, ridden, "adult", medium)
    if expected is None:
        with pytest.raises(FareNotFound):
            cost(fares, *legs, medium=medium)
    else:
        assert cost(fares, *legs, medium=medium) == expected


# Real feeds ------------------------------------------------------------------------------------------------


def test_the_demonstration_city_says_the_same_in_both_languages(tmp_path: Path) -> None:
    """Its Fares v2 holds the flat fares; the tariff tables price the same rides the same."""
    city = build_city(tmp_path, around=date(2026, 11, 20))
    feed = read_feed(city.demo).feed
    assert feed is not None
    fares, engine = FaresV2.from_feed(feed), FareEngine.from_folder(TARIFFS)
    bus = feed["routes"].filter(agency_id="ToeiBus")["route_id"][0]
    for rider in (RiderCategory.ADULT, RiderCategory.CHILD, RiderCategory.INFANT):
        legs = journey(ride(bus, "=a", "=b", operator="ToeiBus", day=date(2026, 11, 20)))
        for medium in (FareMedium.IC, FareMedium.TICKET, FareMedium.APP):
            standard = fares.price(
                journey=legs, rider_category_id=rider.value, fare_media_id=medium.value
            ).total
            assert standard == engine.price(journey=legs, rider=rider, medium=medium).total
        # The buses take no contactless cards.
        with pytest.raises(FareNotFound):
            fares.price(journey=legs, rider_category_id=rider.value, fare_media_id="card")
        with pytest.raises(FareNotFound, match="no contactless bank cards"):
            engine.price(journey=legs, rider=rider, medium=FareMedium.CARD)
    subway = journey(ride("Toei.Oedo", "Tochomae", "Daimon", day=date(2026, 11, 20)))
    with pytest.raises(FareNotFound):  # distance fares are beyond Fares v2, and are not guessed
        fares.price(journey=subway)


@pytest.mark.real
def test_vans_of_vancouver_for_two_hours_and_a_half(real_data: Path) -> None:
    feed = read_feed(real_data / "flex" / "ctran_flex.zip").feed
    assert feed is not None
    fares = FaresV2.from_feed(feed)
    route = feed["routes"]["route_id"][0]
    rides = [leg(route, "a", "b", at=at) for at in (0, 60, 150, 151)]
    assert cost(fares, rides[0], medium="2") == 125
    assert cost(fares, rides[0], rider="HONORED_CITIZEN", medium="2") == 60
    assert cost(fares, rides[0], rider="YOUTH", medium="0") == 0
    # 9,000 seconds from the first departure to the last, any number of changes.
    assert cost(fares, *rides[:3], medium="2") == 125
    assert cost(fares, *rides, medium="2") == 250
