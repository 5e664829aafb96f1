"""On-demand services of a feed: where, when, and how long before one must book.

Idea      GTFS-Flex hides zones, windows and booking rules in stop_times; here they are records, and a
          booking rule answers for a given ride from when until when it can be booked.
Not here  Vehicles and their schedules (maas/on_demand).
Source    GTFS Schedule reference: locations.geojson, location_groups.txt, booking_rules.txt, stop_times.txt.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import IntEnum
from itertools import pairwise
from typing import Any, Self
from zoneinfo import ZoneInfo

import polars as pl

from gtfs.service_calendar import ServiceCalendar
from gtfs.service_time import instant_of
from gtfs.tables import Feed, Zone

_SEARCH_DAYS_MAX = 3_660


class BookingType(IntEnum):
    """How early one must book."""

    AT_ONCE = 0
    SAME_DAY = 1
    DAYS_BEFORE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingRule:
    """A row of booking_rules.txt. Which fields mean anything hangs on the type; see `window_of`."""

    booking_rule_id: str
    booking_type: BookingType
    notice_min: int | None
    notice_max: int | None
    last_day: int | None
    last_time_s: int | None
    start_day: int | None
    start_time_s: int | None
    service_id: str | None
    message: str | None
    phone_number: str | None
    info_url: str | None
    booking_url: str | None


@dataclass(frozen=True, slots=True)
class BookingWindow:
    """From when until when a ride can be booked; `opens_at` None: any time before."""

    opens_at: datetime | None
    closes_at: datetime

    def is_open(self, now: datetime) -> bool:
        """Whether the ride can be booked at that instant."""
        return now <= self.closes_at and (self.opens_at is None or self.opens_at <= now)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlexStop:
    """One area of an on-demand trip: a zone, or a group of stops. Seconds of the service day."""

    location_id: str | None
    location_group_id: str | None
    start_s: int
    end_s: int
    may_board: bool
    may_alight: bool
    pickup_rule_id: str | None
    drop_off_rule_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FlexTrip:
    """An on-demand service: its areas in order."""

    trip_id: str
    route_id: str
    service_id: str
    stops: tuple[FlexStop, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlexTables:
    """All on-demand services of a feed."""

    zones: Mapping[str, Zone]
    groups: Mapping[str, frozenset[str]]
    rules: Mapping[str, BookingRule]
    trips: tuple[FlexTrip, ...]

    @classmethod
    def from_feed(cls, feed: Feed) -> Self:
        """The on-demand services of a feed that the reader has judged."""
        members = feed["location_group_stops"].group_by("location_group_id").agg("stop_id")
        return cls(
            zones={zone.location_id: zone for zone in feed.zones},
            groups={group_id: frozenset(stop_ids) for group_id, stop_ids in members.iter_rows()},
            rules={rule.booking_rule_id: rule for rule in _rules(feed)},
            trips=_trips(feed),
        )

    def list_zones_at(self, lat: float, lon: float) -> list[Zone]:
        """The zones in which a point lies."""
        return [zone for zone in self.zones.values() if contains(zone, lat=lat, lon=lon)]


def contains(zone: Zone, *, lat: float, lon: float) -> bool:
    """Whether a point lies in the zone: inside an outer ring, and in none of its holes. An edge is inside."""
    return any(
        _in_ring(rings[0], lat, lon)
        and not any(_in_ring(hole, lat, lon) and not _on_ring(hole, lat, lon) for hole in rings[1:])
        for rings in zone.polygons
    )


Ring = tuple[tuple[float, float], ...]


def _in_ring(ring: Ring, lat: float, lon: float) -> bool:
    """Even-odd: a ray to the east crosses the ring an odd number of times; or the point is on the ring."""
    if _on_ring(ring, lat, lon):
        return True
    inside = False
    for (lon_a, lat_a), (lon_b, lat_b) in pairwise(ring):
        # Half-open in latitude, so that a corner is crossed once.
        if (lat_a > lat) != (lat_b > lat) and lon < lon_a + (lat - lat_a) * (lon_b - lon_a) / (lat_b - lat_a):
            inside = not inside
    return inside


def _on_ring(ring: Ring, lat: float, lon: float) -> bool:
    for (lon_a, lat_a), (lon_b, lat_b) in pairwise(ring):
        cross = (lon_b - lon_a) * (lat - lat_a) - (lat_b - lat_a) * (lon - lon_a)
        within = min(lon_a, lon_b) <= lon <= max(lon_a, lon_b) and min(lat_a, lat_b) <= lat <= max(
            lat_a, lat_b
        )
        if cross == 0 and within:
            return True
    return False


def window_of(
    rule: BookingRule | None,
    *,
    service_date: date,
    pickup_s: int,
    zone: ZoneInfo,
    calendar: ServiceCalendar,
) -> BookingWindow:
    """From when until when a ride of that date and time can be booked. No rule: until it starts."""
    pickup_at = instant_of(service_date, pickup_s, zone)
    if rule is None or rule.booking_type is BookingType.AT_ONCE:
        return BookingWindow(None, pickup_at)

    def limit(days_before: int, seconds: int) -> datetime:
        return instant_of(_days_before(rule, days_before, service_date, calendar), seconds, zone)

    opens_at = None if rule.start_day is None else limit(rule.start_day, rule.start_time_s or 0)
    if rule.booking_type is BookingType.SAME_DAY:
        if rule.notice_max is not None:
            opens_at = pickup_at - timedelta(minutes=rule.notice_max)
        return BookingWindow(opens_at, pickup_at - timedelta(minutes=rule.notice_min or 0))
    closes_at = limit(rule.last_day or 0, rule.last_time_s or 0)
    return BookingWindow(opens_at, min(closes_at, pickup_at))


def _days_before(rule: BookingRule, count: int, day: date, calendar: ServiceCalendar) -> date:
    """That many days before, counted in days of the rule's service where it names one."""
    if rule.service_id is None:
        return day - timedelta(days=count)
    for _ in range(_SEARCH_DAYS_MAX):
        if count == 0:
            break
        day -= timedelta(days=1)
        if rule.service_id in calendar.active_on(day):
            count -= 1
    return day


def _rules(feed: Feed) -> list[BookingRule]:
    return [
        BookingRule(
            booking_rule_id=row["booking_rule_id"],
            booking_type=BookingType(row["booking_type"]),
            notice_min=row["prior_notice_duration_min"],
            notice_max=row["prior_notice_duration_max"],
            last_day=row["prior_notice_last_day"],
            last_time_s=row["prior_notice_last_time"],
            start_day=row["prior_notice_start_day"],
            start_time_s=row["prior_notice_start_time"],
            service_id=row["prior_notice_service_id"],
            message=row["message"],
            phone_number=row["phone_number"],
            info_url=row["info_url"],
            booking_url=row["booking_url"],
        )
        for row in feed["booking_rules"].iter_rows(named=True)
    ]


def _trips(feed: Feed) -> tuple[FlexTrip, ...]:
    windows = feed["stop_times"].filter(pl.col("start_pickup_drop_off_window").is_not_null())
    stops: dict[str, list[FlexStop]] = {}
    for row in windows.iter_rows(named=True):
        stops.setdefault(row["trip_id"], []).append(_stop(row))
    trips = feed["trips"].filter(pl.col("trip_id").is_in(list(stops)))
    return tuple(
        FlexTrip(
            trip_id=row["trip_id"],
            route_id=row["route_id"],
            service_id=row["service_id"],
            stops=tuple(stops[row["trip_id"]]),
        )
        for row in trips.iter_rows(named=True)
    )


def _stop(row: dict[str, Any]) -> FlexStop:
    no = 1
    return FlexStop(
        location_id=row["location_id"],
        location_group_id=row["location_group_id"],
        start_s=row["start_pickup_drop_off_window"],
        end_s=row["end_pickup_drop_off_window"],
        may_board=row["pickup_type"] != no,
        may_alight=row["drop_off_type"] != no,
        pickup_rule_id=row["pickup_booking_rule_id"],
        drop_off_rule_id=row["drop_off_booking_rule_id"],
    )
