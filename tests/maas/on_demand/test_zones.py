"""Zones: the first rule that forbids a ride, hours past midnight, and booking rules in local time."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maas.on_demand.places import Point
from maas.on_demand.zones import (
    BookingRule,
    BookingType,
    Polygon,
    Zone,
    ZoneRefusal,
    build_request,
    build_vehicle,
    contains_point,
    find_refusal,
    find_window,
)

TOKYO = ZoneInfo("Asia/Tokyo")
SQUARE = ((139.0, 33.0), (140.0, 33.0), (140.0, 34.0), (139.0, 34.0))
HOLE = ((139.4, 33.4), (139.6, 33.4), (139.6, 33.6), (139.4, 33.6))
ZONE = Zone(
    zone_id="z",
    operator_id="o",
    name="zone",
    polygons=((SQUARE, HOLE),),
    timezone="Asia/Tokyo",
    opens_s=8 * 3600,
    closes_s=18 * 3600,
)
IN, ALSO_IN, OUT = Point(33.1, 139.1), Point(33.2, 139.9), Point(35.0, 139.1)


def at(hour: int, minute: int = 0, day: int = 20) -> datetime:
    return datetime(2026, 5, day, hour, minute, tzinfo=TOKYO)


def refuse(
    zone: Zone = ZONE, *, a: Point = IN, b: Point = ALSO_IN, pickup: datetime, now: datetime
) -> ZoneRefusal | None:
    return find_refusal(zone, pickup=a, dropoff=b, pickup_at=pickup, now=now)


@given(lat=st.floats(32.5, 34.5), lon=st.floats(138.5, 140.5))
def test_a_point_is_inside_exactly_where_the_square_is_and_its_hole_is_not(lat: float, lon: float) -> None:
    def strictly(low: float, value: float, high: float) -> bool:
        return low < value < high

    in_square = strictly(139, lon, 140) and strictly(33, lat, 34)
    in_hole = strictly(139.4, lon, 139.6) and strictly(33.4, lat, 33.6)
    on_an_edge = lon in {139.0, 140.0, 139.4, 139.6} or lat in {33.0, 34.0, 33.4, 33.6}
    if not on_an_edge:
        assert contains_point(ZONE, Point(lat, lon)) == (in_square and not in_hole)


def test_the_first_refusal_wins_and_a_good_wish_has_none() -> None:
    good = {"pickup": at(9), "now": at(8)}
    assert refuse(**good) is None
    assert refuse(a=OUT, b=OUT, pickup=at(20), now=at(21)) is ZoneRefusal.PICKUP_OUTSIDE_ZONE
    assert refuse(b=OUT, pickup=at(20), now=at(21)) is ZoneRefusal.DROPOFF_OUTSIDE_ZONE
    assert refuse(a=Point(33.5, 139.5), **good) is ZoneRefusal.PICKUP_OUTSIDE_ZONE
    assert refuse(pickup=at(20), now=at(21)) is ZoneRefusal.OUTSIDE_HOURS
    assert refuse(pickup=at(18), now=at(8)) is ZoneRefusal.OUTSIDE_HOURS
    assert refuse(pickup=at(9), now=at(9, 1)) is ZoneRefusal.TOO_LATE_TO_BOOK
    assert refuse(pickup=at(8), now=at(8)) is None


def test_same_day_notice_counts_back_from_the_pickup() -> None:
    rule = BookingRule(booking_type=BookingType.SAME_DAY, notice_min_minutes=30, notice_max_minutes=24 * 60)
    zone = replace(ZONE, booking_rule=rule)
    assert refuse(zone, pickup=at(9), now=at(8, 30)) is None
    assert refuse(zone, pickup=at(9), now=at(8, 31)) is ZoneRefusal.TOO_LATE_TO_BOOK
    assert refuse(zone, pickup=at(9), now=at(9, day=19)) is None
    assert refuse(zone, pickup=at(9), now=at(8, 59, day=19)) is ZoneRefusal.TOO_EARLY_TO_BOOK


def test_prior_day_notice_ends_at_a_local_time_of_the_day_before() -> None:
    rule = BookingRule(booking_type=BookingType.PRIOR_DAYS, notice_last_day=1, notice_last_time_s=17 * 3600)
    zone = replace(ZONE, booking_rule=rule)
    assert refuse(zone, pickup=at(9), now=at(17, day=19)) is None
    assert refuse(zone, pickup=at(9), now=at(17, 1, day=19)) is ZoneRefusal.TOO_LATE_TO_BOOK


def test_a_window_past_midnight_belongs_to_the_day_before() -> None:
    late = replace(ZONE, opens_s=20 * 3600, closes_s=26 * 3600)
    window = find_window(late, at(1, 59))
    assert window is not None
    assert window.service_date == at(0, day=19).date()
    assert find_window(late, at(2)) is None
    assert find_window(late, at(19, 59)) is None


def test_hours_are_right_where_clocks_change() -> None:
    # On 2026-03-29 Berlin's clocks skip 02:00-03:00: 08:00 is still 08:00 on the wall.
    berlin = replace(ZONE, timezone="Europe/Berlin")
    opening = datetime(2026, 3, 29, 8, tzinfo=ZoneInfo("Europe/Berlin"))
    assert find_window(berlin, opening) is not None
    assert find_window(berlin, opening - timedelta(seconds=1)) is None


def test_a_request_carries_the_operators_promises() -> None:
    request = build_request(
        ZONE,
        booking_id=UUID(int=1),
        pickup=IN,
        dropoff=ALSO_IN,
        pickup_at=at(9),
        riders=2,
        travel_time=lambda _a, _b: 1000,
    )
    assert request.latest_pickup_s - request.earliest_pickup_s == 1200
    assert request.ride_s_max == 1800  # 180 % of 1000 s
    assert request.latest_dropoff_s == int(at(18).timestamp())
    short = replace(ZONE.limits, detour_percent_max=100)
    floor = build_request(
        replace(ZONE, limits=short), booking_id=UUID(int=1), pickup=IN, dropoff=ALSO_IN, pickup_at=at(9),
        riders=2, travel_time=lambda _a, _b: 10,
    )  # fmt: skip
    assert floor.ride_s_max == 900


def test_a_vehicle_starts_and_ends_its_shift_in_local_time() -> None:
    van = build_vehicle(
        timezone="Asia/Tokyo", vehicle_id="v", seats=8, depot=IN,
        shift_starts_s=8 * 3600, shift_ends_s=18 * 3600,
        service_date=at(0).date(),
    )  # fmt: skip
    assert (van.shift_starts_s, van.shift_ends_s) == (int(at(8).timestamp()), int(at(18).timestamp()))


@pytest.mark.parametrize("polygon", [(SQUARE,), ((*SQUARE, SQUARE[0]),)])
def test_a_ring_may_repeat_its_first_point(polygon: Polygon) -> None:
    zone = replace(ZONE, polygons=(polygon,))
    assert contains_point(zone, IN)
    assert not contains_point(zone, OUT)
