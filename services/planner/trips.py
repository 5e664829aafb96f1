"""One trip on one day, in the shape of the MOTIS API.

Problem   A client that shows a leg wants the whole trip of it; a GTFS trip runs on many days.
Idea      Trip ids told over the MOTIS API carry their service day, `20260520_feed:trip_id`. An id without one
          (feed:trip_id) means the trip's next day, today included, or its last one.
Not here  Trips joined by staying seated: each is asked for by itself.
"""

import re
from datetime import date, datetime, timedelta

import numpy as np

from maas.errors import TripNotFound
from routing.journey import TripLeg, find_ride
from routing.live.changes import planned_calls
from routing.timetable import Timetable
from services.planner.motis import LegMessage, MotisMessage, leg_message
from services.planner.network import Network
from services.planner.parameters import Languages, MotisQuery, TripText

_DATED = re.compile(r"^(\d{8})_(.+)$")


class TripQuery(MotisQuery):
    """GET /api/v6/trip."""

    trip_id: TripText
    detailed_legs: bool = True
    language: Languages = ()


class TripMessage(MotisMessage):
    """A trip as an itinerary of one leg. A cancelled one is told, and marked."""

    id: str
    duration: int
    start_time: datetime
    end_time: datetime
    transfers: int = 0
    legs: list[LegMessage]
    network_version: str


def tell_trip(
    network: Network, query: TripQuery, *, now: datetime, language: str, agency_names: dict[str, str]
) -> TripMessage:
    """Find and tell. Raises TripNotFound."""
    timetable = network.router.timetable
    ride = _find(timetable, query.trip_id, now)
    leg = network.teller.tell_ride(ride, language)
    day = timetable.get_day(ride.service_date)
    message = leg_message(
        leg,
        zone_name=timetable.zone_name,
        agency_names=agency_names,
        has_geometry=query.detailed_legs,
    )
    if network.router.cancellations.is_cancelled(ride.trip, day):
        message = message.model_copy(update={"cancelled": True})
    return TripMessage(
        id=message.trip_id or "",
        duration=message.duration,
        start_time=leg.departs_at,
        end_time=leg.arrives_at,
        legs=[message],
        network_version=network.snapshot_version,
    )


def whole_trip(timetable: Timetable, trip: int, on: date) -> TripLeg | None:
    """All of a trip on that day, or None if it does not run then."""
    day = (on - timetable.first_date).days
    calls = planned_calls(timetable, trip, day) if 0 <= day < timetable.day_count else None
    if calls is None:
        return None
    return find_ride(timetable, trip=trip, service_date=on, board_call=0, alight_call=len(calls.stops) - 1)


def _find(timetable: Timetable, text: str, now: datetime) -> TripLeg:
    dated = _DATED.match(text)
    trip = timetable.find_trip(text)
    on: date | None = None
    if trip is None and dated is not None:
        trip = timetable.find_trip(dated[2])
        on = _day_of(dated[1])
    if trip is None:
        raise TripNotFound(f"The network has no trip {text[:80]!r}. Take the tripId of a leg or of a board.")
    on = on or _next_day(timetable, trip, now)
    ride = None if on is None else whole_trip(timetable, trip, on)
    if ride is None:
        raise TripNotFound(f"The trip {text[:80]!r} does not run {f'on {on}' if on else 'on any day'}.")
    return ride


def _day_of(digits: str) -> date:
    try:
        return datetime.strptime(digits, "%Y%m%d").date()  # noqa: DTZ007 - a service day has no zone
    except ValueError as error:
        raise TripNotFound(f"{digits!r} is no day. A tripId begins with one, like 20260520_.") from error


def _next_day(timetable: Timetable, trip: int, now: datetime) -> date | None:
    """The first day from now on that the trip runs; else its last one; None if it never runs."""
    begin, end = int(timetable.trips.run_offsets[trip]), int(timetable.trips.run_offsets[trip + 1])
    patterns = timetable.lines.patterns[timetable.trips.run_lines[begin:end]]
    days = np.flatnonzero(timetable.days.active[patterns].any(axis=0))
    if not len(days):
        return None
    today = (now.astimezone(timetable.zone).date() - timetable.first_date).days
    coming = days[days >= today]
    return timetable.first_date + timedelta(days=int(coming[0] if len(coming) else days[-1]))
