"""On-demand zones: where, when, and how long ahead a ride may be asked for.

Problem   GTFS-Flex says it in three files: an area, a window of service, and a booking rule in local time.
Idea      A `Zone` holds all three with the promises of its operator; `find_refusal` checks a wish against
          them in a fixed precedence, `build_request` turns an admissible wish into a `RideRequest`.
Not here  Whether a vehicle has room (insertion.py), what it costs (maas.fares).
Source    GTFS Schedule reference, booking_rules.txt and locations.geojson.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import IntEnum, StrEnum
from itertools import pairwise
from uuid import UUID
from zoneinfo import ZoneInfo

from maas.on_demand.insertion import RideRequest
from maas.on_demand.places import Point, TravelTime
from maas.on_demand.schedules import Vehicle

Ring = tuple[tuple[float, float], ...]
Polygon = tuple[Ring, ...]


class BookingType(IntEnum):
    """GTFS `booking_type`."""

    REAL_TIME = 0
    SAME_DAY = 1
    PRIOR_DAYS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingRule:
    """How long ahead to book. Minutes for SAME_DAY; days, and a local time of that day, for PRIOR_DAYS."""

    booking_type: BookingType = BookingType.REAL_TIME
    notice_min_minutes: int = 0
    notice_max_minutes: int | None = None
    notice_last_day: int = 0
    notice_last_time_s: int = 0
    phone_number: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RideLimits:
    """What the operator promises every rider.

    A ride takes at most `detour_percent_max` of the direct drive, or `ride_s_floor` where that is more, so
    that short rides can be shared too.
    """

    wait_s_max: int = 1200
    detour_percent_max: int = 180
    ride_s_floor: int = 900
    promise_s: int = 600
    boarding_s: int = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """An area with its hours (seconds after local midnight, may pass 86400) and its rules.

    Rings are of (longitude, latitude) in degrees, the outer one first.
    """

    zone_id: str
    operator_id: str
    name: str
    polygons: tuple[Polygon, ...]
    timezone: str
    opens_s: int
    closes_s: int
    booking_rule: BookingRule = BookingRule()
    limits: RideLimits = RideLimits()


class ZoneRefusal(StrEnum):
    """Why the zone's own rules forbid a ride; checked in this order."""

    PICKUP_OUTSIDE_ZONE = "pickup_outside_zone"
    DROPOFF_OUTSIDE_ZONE = "dropoff_outside_zone"
    OUTSIDE_HOURS = "outside_hours"
    TOO_LATE_TO_BOOK = "too_late_to_book"
    TOO_EARLY_TO_BOOK = "too_early_to_book"


@dataclass(frozen=True, slots=True)
class ServiceWindow:
    """The hours of one service date."""

    service_date: date
    opens_at: datetime
    closes_at: datetime


def contains_point(zone: Zone, point: Point) -> bool:
    """Whether a point lies in one of the zone's polygons and in none of that polygon's holes."""
    return any(
        _is_in_ring(polygon[0], point) and not any(_is_in_ring(hole, point) for hole in polygon[1:])
        for polygon in zone.polygons
    )


def _is_in_ring(ring: Ring, point: Point) -> bool:
    """Even-odd rule: a ray to the east crosses the ring an odd number of times."""
    closed: Sequence[tuple[float, float]] = (*ring, ring[0])
    inside = False
    for (lon_a, lat_a), (lon_b, lat_b) in pairwise(closed):
        if (lat_a > point.lat) == (lat_b > point.lat):
            continue
        crossing_lon = lon_a + (point.lat - lat_a) * (lon_b - lon_a) / (lat_b - lat_a)
        inside ^= point.lon < crossing_lon
    return inside


def find_window(zone: Zone, at: datetime) -> ServiceWindow | None:
    """The service window that contains an instant; a window past midnight belongs to the day before."""
    local_date = at.astimezone(ZoneInfo(zone.timezone)).date()
    for service_date in (local_date, local_date - timedelta(days=1)):
        window = build_window(zone, service_date)
        if window.opens_at <= at < window.closes_at:
            return window
    return None


def build_window(zone: Zone, service_date: date) -> ServiceWindow:
    """The zone's hours on one service date."""
    return ServiceWindow(
        service_date=service_date,
        opens_at=find_instant(service_date, zone.opens_s, zone.timezone),
        closes_at=find_instant(service_date, zone.closes_s, zone.timezone),
    )


def find_instant(service_date: date, seconds: int, timezone: str) -> datetime:
    """The instant `seconds` after the start of a service day: noon minus twelve hours, as GTFS counts."""
    noon = datetime.combine(service_date, time(12), tzinfo=ZoneInfo(timezone))
    return datetime.fromtimestamp(noon.timestamp() - 43_200 + seconds, tz=ZoneInfo(timezone))


def find_refusal(
    zone: Zone, *, pickup: Point, dropoff: Point, pickup_at: datetime, now: datetime
) -> ZoneRefusal | None:
    """The first rule of the zone that forbids the ride, or None."""
    if not contains_point(zone, pickup):
        return ZoneRefusal.PICKUP_OUTSIDE_ZONE
    if not contains_point(zone, dropoff):
        return ZoneRefusal.DROPOFF_OUTSIDE_ZONE
    window = find_window(zone, pickup_at)
    if window is None:
        return ZoneRefusal.OUTSIDE_HOURS
    return _find_notice_refusal(zone, window, pickup_at=pickup_at, now=now)


def _find_notice_refusal(
    zone: Zone, window: ServiceWindow, *, pickup_at: datetime, now: datetime
) -> ZoneRefusal | None:
    rule = zone.booking_rule
    if pickup_at < now or now > find_booking_deadline(zone, window, pickup_at=pickup_at):
        return ZoneRefusal.TOO_LATE_TO_BOOK
    notice_max = rule.notice_max_minutes
    if notice_max is not None and pickup_at - now > timedelta(minutes=notice_max):
        return ZoneRefusal.TOO_EARLY_TO_BOOK
    return None


def find_booking_deadline(zone: Zone, window: ServiceWindow, *, pickup_at: datetime) -> datetime:
    """The last instant at which a pickup at `pickup_at` may be booked."""
    rule = zone.booking_rule
    if rule.booking_type is BookingType.SAME_DAY:
        return pickup_at - timedelta(minutes=rule.notice_min_minutes)
    if rule.booking_type is BookingType.PRIOR_DAYS:
        last_date = window.service_date - timedelta(days=rule.notice_last_day)
        return find_instant(last_date, rule.notice_last_time_s, zone.timezone)
    return pickup_at


def build_request(
    zone: Zone,
    *,
    booking_id: UUID,
    pickup: Point,
    dropoff: Point,
    pickup_at: datetime,
    riders: int,
    travel_time: TravelTime,
) -> RideRequest:
    """The ride as the schedules see it. `pickup_at` must be within the zone's hours (`find_refusal`)."""
    window = find_window(zone, pickup_at)
    assert window is not None, "find_refusal was asked before"
    limits = zone.limits
    asked_s = int(pickup_at.timestamp())
    direct_s = travel_time(pickup, dropoff)
    return RideRequest(
        booking_id=booking_id,
        pickup=pickup,
        dropoff=dropoff,
        riders=riders,
        earliest_pickup_s=asked_s,
        latest_pickup_s=asked_s + limits.wait_s_max,
        latest_dropoff_s=int(window.closes_at.timestamp()),
        ride_s_max=max(limits.ride_s_floor, direct_s * limits.detour_percent_max // 100),
        service_s=limits.boarding_s,
        promise_s=limits.promise_s,
    )


def build_vehicle(
    *,
    vehicle_id: str,
    seats: int,
    depot: Point,
    timezone: str,
    shift_starts_s: int,
    shift_ends_s: int,
    service_date: date,
) -> Vehicle:
    """A vehicle on one service date; shift times are seconds after local midnight."""
    return Vehicle(
        vehicle_id=vehicle_id,
        seats=seats,
        depot=depot,
        shift_starts_s=int(find_instant(service_date, shift_starts_s, timezone).timestamp()),
        shift_ends_s=int(find_instant(service_date, shift_ends_s, timezone).timestamp()),
    )
