"""What an event contributes, and that nothing else of it is kept."""

from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from maas.demand.metrics import Count, End, Metric, find_count
from maas.events import JourneysPlanned, NothingFound, OrderConfirmed, RideRated
from maas.journeys import Journey, Leg, Mode, Place

TODAY = date(2026, 5, 20)
NIGHT = datetime(2026, 5, 20, 15, 30, tzinfo=UTC)  # 00:30 on the 21st in Tokyo
TOKYO = (35.6812, 139.7671)


def search(asked_for: datetime = NIGHT, lat: float = TOKYO[0]) -> JourneysPlanned:
    return JourneysPlanned(
        origin_lat=lat,
        origin_lon=TOKYO[1],
        destination_lat=34.75,
        destination_lon=139.35,
        asked_for=asked_for,
        journey_count=3,
        modes=("subway", "ferry"),
    )


def test_a_search_counts_at_its_local_hour_and_day_at_both_ends() -> None:
    count = find_count(search(), today=TODAY)
    assert count is not None
    assert (count.metric, count.day, count.hour, count.category) == (
        Metric.SEARCHES,
        date(2026, 5, 21),
        0,
        "any",
    )
    assert [end for end, _ in count.meshes] == [End.ORIGIN, End.DESTINATION]
    assert count.meshes[0][1].startswith("53394611")


def test_nothing_that_leads_to_a_person_fits_into_a_count() -> None:
    assert {field.name for field in fields(Count)} == {"metric", "day", "hour", "category", "meshes"}


@pytest.mark.parametrize(
    ("reason", "category"),
    [
        ("place_not_found", "place_not_found"),
        ("山田太郎 03-1234", "other"),
        ("x" * 41, "other"),
        ("", "other"),
    ],
)
def test_a_reason_is_a_word_or_other(reason: str, category: str) -> None:
    event = NothingFound(
        origin_lat=None,
        origin_lon=None,
        destination_lat=0.0,
        destination_lon=0.0,
        asked_for=NIGHT,
        reason=reason,
    )
    count = find_count(event, today=TODAY)
    assert count is not None
    assert count.category == category
    assert [mesh for _, mesh in count.meshes] == ["unknown", "unknown"]


def test_a_ride_counts_by_its_mode() -> None:
    ride = RideRated(
        ride_id=UUID(int=1), order_id=UUID(int=2), component_index=0, leg_indices=(0,), shares={"Toei": 220},
        amount_minor=220, mode="subway", operator_id="Toei", origin_lat=TOKYO[0], origin_lon=TOKYO[1],
        destination_lat=35.65, destination_lon=139.75, ridden_at=NIGHT,
    )  # fmt: skip
    count = find_count(ride, today=TODAY)
    assert count is not None
    assert (count.metric, count.category) == (Metric.RIDES, "subway")


def test_an_order_counts_by_the_ride_that_takes_longest() -> None:
    a, b = Place(name="a", lat=TOKYO[0], lon=TOKYO[1]), Place(name="b", lat=34.75, lon=139.35)

    def leg(mode: Mode, start: int, minutes: int) -> Leg:
        departs_at = NIGHT + timedelta(minutes=start)
        return Leg(
            mode=mode,
            origin=a,
            destination=b,
            departs_at=departs_at,
            arrives_at=departs_at + timedelta(minutes=minutes),
        )

    journey = Journey(
        journey_id="j",
        legs=(leg(Mode.WALK, 0, 500), leg(Mode.SUBWAY, 500, 20), leg(Mode.FERRY, 520, 480)),
        network_version="1",
    )
    order = OrderConfirmed(
        order_id=UUID(int=1), traveller_id="alice", journey=journey, prices=(), passengers=("山田",)
    )
    count = find_count(order, today=TODAY)
    assert count is not None
    assert (count.metric, count.category) == (Metric.ORDERS, "ferry")
    assert "alice" not in repr(count)


@pytest.mark.parametrize(
    ("asked_for", "counts"),
    [
        (NIGHT - timedelta(days=31), True),
        (NIGHT - timedelta(days=32), False),
        (NIGHT + timedelta(days=400), True),
        (NIGHT + timedelta(days=401), False),
        (datetime.max.replace(tzinfo=UTC), False),
        (datetime.min.replace(tzinfo=UTC), False),
    ],
)
def test_days_far_from_today_are_no_demand(asked_for: datetime, counts: bool) -> None:  # noqa: FBT001 - a table's column
    assert (find_count(search(asked_for), today=TODAY) is not None) is counts


def test_a_place_outside_japan_is_unknown() -> None:
    count = find_count(search(lat=10.0), today=TODAY)
    assert count is not None
    assert count.meshes[0] == (End.ORIGIN, "unknown")
