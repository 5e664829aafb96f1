"""Fare attributes: by hand, against the oracle, and on two real feeds."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gtfs.fares import FareTables, FlatFare, FlatFareRule
from gtfs.reader import read_feed
from maas.errors import FareNotFound
from maas.fares.standard import Origin
from maas.fares.standard_v1 import FaresV1
from maas.journeys import Leg, Mode, PassedStop
from tests.oracles.fares_v1 import ZonedRide, cheapest_v1
from tests.support.fares import DAY, TOKYO, journey, place

ORIGIN = Origin(valid_from=date(2026, 1, 1), source="test")


def leg(
    route: str, origin: str, destination: str, *, at: int, operator: str = "op", via: tuple[str, ...] = ()
) -> Leg:
    departs = datetime(DAY.year, DAY.month, DAY.day, 8, tzinfo=TOKYO) + timedelta(minutes=at)
    return Leg(
        mode=Mode.BUS,
        origin=place(origin),
        destination=place(destination),
        departs_at=departs,
        arrives_at=departs + timedelta(minutes=10),
        operator_id=operator,
        route_id=f"demo:{route}",
        trip_id=f"demo:{route}-{at}",
        service_date=DAY,
        passed_stops=tuple(
            PassedStop(place=place(each), arrives_at=departs, departs_at=departs) for each in via
        ),
    )


def flat(fare_id: str, amount: int, *rules: FlatFareRule, **limits: int | str) -> FlatFare:
    bare = FlatFare(
        fare_id=fare_id, amount=Decimal(amount), currency="JPY", interchanges_max=None, duration_s=None,
        agency_id=None, rules=rules,
    )  # fmt: skip
    return replace(bare, **limits)  # type: ignore[arg-type]  # the tests name fields of their type


def rule(
    route: str | None = None, origin: str | None = None, to: str | None = None, contains: str | None = None
) -> FlatFareRule:
    return FlatFareRule(route_id=route, origin_id=origin, destination_id=to, contains_id=contains)


def engine(*fares: FlatFare) -> FaresV1:
    tables = FareTables(
        products=(), leg_rules=(), has_priorities=False, join_rules=(), transfer_rules=(), rider_names={},
        default_rider_category_id=None, media_types={}, timeframes={}, areas_of_stop={},
        parent_of_stop={"B2": "B"}, zone_of_stop={"A": "a", "B": "b", "C": "c"}, network_of_route={},
        flat_fares=fares,
    )  # fmt: skip
    return FaresV1(tables, origin=ORIGIN)


def cost(fares: FaresV1, *legs: Leg) -> int:
    price = fares.price(journey=journey(*legs))
    for part in price.components:
        assert part.amount.amount_minor == sum(addend.amount_minor for addend in part.addends)
        assert part.amount.amount_minor == sum(part.shares.values())
    covered = [index for part in price.components for index in part.leg_indices]
    assert covered == list(range(len(legs)))
    return price.total.amount_minor


TWO = (leg("R", "A", "B", at=0), leg("S", "B", "C", at=60))


def test_changes_and_time_within_one_purchase() -> None:
    assert cost(engine(flat("once", 200, interchanges_max=0)), *TWO) == 400
    assert cost(engine(flat("many", 200)), *TWO) == 200
    assert cost(engine(flat("hour", 200, duration_s=3600)), *TWO) == 200
    assert cost(engine(flat("hour", 200, duration_s=3599)), *TWO) == 400
    seated = (TWO[0], replace(TWO[1], in_seat=True))
    assert cost(engine(flat("once", 200, interchanges_max=0)), *seated) == 200
    assert cost(engine(flat("op", 100, agency_id="op"), flat("any", 900)), *TWO) == 100
    assert cost(engine(flat("other", 100, agency_id="other"), flat("any", 900)), *TWO) == 900


def test_routes_origins_and_destinations_belong_together() -> None:
    fares = engine(
        flat("r", 100, rule("R")),
        flat("ab", 150, rule("S", "a", "b")),
        flat("bc", 160, rule("S", "b", "c")),
        flat("rs", 250, rule("R", "a", "c"), rule("S", "a", "c")),
    )
    assert cost(fares, *TWO) == 250  # 100 + 160 is dearer than the fare over both routes
    assert cost(fares, leg("S", "B2", "C", at=0)) == 160  # a platform has its station's zone
    assert cost(fares, leg("S", "A", "C", at=0)) == 250
    with pytest.raises(FareNotFound, match=r"leg 1 .*no fare of the feed pays it"):
        cost(fares, leg("S", "C", "A", at=0))


def test_contains_are_exactly_the_zones_passed() -> None:
    fares = engine(
        flat("abc", 300, rule(contains="a"), rule(contains="b"), rule(contains="c")),
        flat("ac", 200, rule(contains="a"), rule(contains="c")),
    )
    assert cost(fares, leg("R", "A", "C", at=0, via=("B",))) == 300
    assert cost(fares, leg("R", "A", "C", at=0)) == 200


RULES = st.lists(
    st.builds(
        rule,
        st.sampled_from([None, "R", "S"]),
        st.sampled_from([None, "a", "b"]),
        st.sampled_from([None, "b", "c"]),
        st.sampled_from([None, None, "a", "b"]),
    ),
    max_size=4,
)
FARES = st.lists(
    st.tuples(
        RULES, st.integers(50, 500), st.sampled_from([None, 0, 1]), st.sampled_from([None, 1800, 3600]),
        st.sampled_from([None, None, "op"]),
    ),
    min_size=1, max_size=4,
)  # fmt: skip
RIDES = st.lists(
    st.tuples(
        st.sampled_from("RS"), st.lists(st.sampled_from("ABC"), min_size=2, max_size=3),
        st.sampled_from(["op", "op", "po"]),
    ),
    min_size=1, max_size=4,
)  # fmt: skip


@given(FARES, RIDES)
@settings(max_examples=300, deadline=None)
def test_the_price_is_the_least_of_all_ways_to_cut(
    drawn: list[tuple[list[FlatFareRule], int, int | None, int | None, str | None]],
    ridden: list[tuple[str, list[str], str]],
) -> None:
    fares = [
        FlatFare(
            fare_id=str(number), amount=Decimal(amount), currency="JPY", interchanges_max=changes,
            duration_s=duration, agency_id=agency, rules=tuple(rules),
        )
        for number, (rules, amount, changes, duration, agency) in enumerate(drawn)
    ]  # fmt: skip
    legs = [
        leg(route, stops[0], stops[-1], at=25 * number, operator=operator, via=tuple(stops[1:-1]))
        for number, (route, stops, operator) in enumerate(ridden)
    ]
    zoned = [
        ZonedRide(
            route_id=route,
            operator_id=operator,
            zones=tuple(stop.lower() for stop in stops),
            departs=each.departs_at,
        )
        for (route, stops, operator), each in zip(ridden, legs, strict=True)
    ]
    expected = cheapest_v1(fares, zoned)
    if expected is None:
        with pytest.raises(FareNotFound):
            cost(engine(*fares), *legs)
    else:
        assert cost(engine(*fares), *legs) == expected


@pytest.mark.real
def test_a_japanese_bus_by_the_published_pairs(real_data: Path) -> None:
    """Every pair of the feed's own fare table costs what its row says."""
    feed = read_feed(real_data / "gtfs_jp_portliner.zip").feed
    assert feed is not None
    fares = FaresV1.from_feed(feed)
    amounts = dict(feed["fare_attributes"].select("fare_id", "price").rows())
    agencies = dict(feed["fare_attributes"].select("fare_id", "agency_id").rows())
    stop_of_zone = {zone: stop for stop, zone in feed["stops"].select("stop_id", "zone_id").rows()}
    pairs: dict[tuple[str, str, str], int] = {}
    rows = feed["fare_rules"].select("fare_id", "route_id", "origin_id", "destination_id").rows()
    for fare_id, route_id, origin, to in rows:
        key = (route_id, origin, to)
        pairs[key] = min(pairs.get(key, 10**6), int(amounts[fare_id]))
    assert len(pairs) > 50
    for (route_id, origin, to), amount in pairs.items():
        ridden = leg(
            route_id, stop_of_zone[origin], stop_of_zone[to], at=0, operator=next(iter(agencies.values()))
        )
        assert cost(fares, ridden) == amount
