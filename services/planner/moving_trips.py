"""Vehicles on a map: where trips are under way, in the shape of the MOTIS API.

Problem   A map shows what moves in its section within some minutes.
Idea      Each line has its stops once and its times by column. The hops (from a stop to the next one) whose
          box touches the section are found at once; of each the runs about in those minutes by bisection.
Rule      Zoomed far out the small modes are left out: trains and ships show always, the underground and
          trams from zoom 8, buses from 11. Too many hops are refused: look closer.
Not here  Streets and tracks: a hop is a straight line. Cancelled trips are not shown.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import Field

from maas.journeys import Mode
from routing.footpaths import distance_m
from routing.journey import instant, service_day_start
from routing.raptor import Router
from routing.strings import get_string
from routing.timetable import Timetable
from services.planner.answering import local_instant
from services.planner.modes import MOTIS_MODES, mode_of
from services.planner.motis import MotisMessage, PlaceMessage, place_message
from services.planner.network import Network
from services.planner.parameters import Box, Languages, MotisQuery, Point, parse_box
from services.platform.polyline import encode_polyline
from services.platform.problem import Problem

HOPS_MAX = 5_000
SPAN_MAX = timedelta(hours=2)
_ZOOM_MIN = {Mode.SUBWAY: 8.0, Mode.TRAM: 8.0, Mode.MONORAIL: 8.0, Mode.BUS: 11.0}


class MapTripsQuery(MotisQuery):
    """GET /api/v6/map/trips."""

    zoom: float = Field(ge=0, le=30)
    min: Point
    max: Point
    start_time: datetime
    end_time: datetime
    precision: int = Field(default=5, ge=0, le=6)
    language: Languages = ()


class TripInfo(MotisMessage):
    """A trip, named."""

    trip_id: str
    route_short_name: str
    display_name: str


class SegmentMessage(MotisMessage):
    """A trip between two stops."""

    trips: list[TripInfo]
    route_color: str | None = None
    mode: str
    distance: float
    from_: PlaceMessage = Field(alias="from")
    to: PlaceMessage
    departure: datetime
    arrival: datetime
    scheduled_departure: datetime
    scheduled_arrival: datetime
    real_time: bool = False
    polyline: str


class _Hop(NamedTuple):
    """A trip of a service day from a stop to the next; seconds after that day's start."""

    trip: int
    day: int
    call: int
    origin: int
    destination: int
    departs_s: int
    arrives_s: int


def list_moving(network: Network, query: MapTripsQuery, language: str) -> list[SegmentMessage]:
    """What moves there then, in order of departure. Raises Problem if it is too much, or no span of time."""
    timetable = network.router.timetable
    start = local_instant(query.start_time, timetable.zone)
    end = local_instant(query.end_time, timetable.zone)
    if not timedelta(0) <= end - start <= SPAN_MAX:
        raise Problem("validation_failed", detail="endTime must be at most two hours after startTime.")
    hops: list[_Hop] = []
    for hop in _hops(network.router, parse_box(query.min, query.max), start, end, query.zoom):
        if network.router.cancellations.is_cancelled(hop.trip, hop.day):
            continue
        if len(hops) == HOPS_MAX:
            raise Problem(
                "validation_failed",
                detail=f"More than {HOPS_MAX} trips move there then. Take a smaller box or a shorter time.",
            )
        hops.append(hop)
    messages = [_segment(network, hop, language, query.precision) for hop in hops]
    return sorted(messages, key=lambda message: (message.departure, message.trips[0].trip_id))


def _hops(router: Router, box: Box, start: datetime, end: datetime, zoom: float) -> Iterator[_Hop]:
    timetable, moved = router.timetable, router.cancellations.moved
    lines, parts = timetable.lines, timetable.parts
    days = _days(timetable, start, end)
    told: set[tuple[int, int, int]] = set()
    for position in _positions_in(timetable, box).tolist():
        line = int(np.searchsorted(lines.stop_offsets, position, side="right")) - 1
        count = int(lines.stop_offsets[line + 1] - lines.stop_offsets[line])
        within = position - int(lines.stop_offsets[line])
        first, last = int(lines.time_offsets[line]), int(lines.time_offsets[line + 1])
        departs = lines.departures[first + within : last : count]
        arrives = lines.arrivals[first + within + 1 : last : count]
        begin, part_end = int(parts.offsets[line]), int(parts.offsets[line + 1])
        part = int(np.searchsorted(parts.starts[begin:part_end], within, side="right")) - 1
        call = within - int(parts.starts[begin + part])
        if begin + part + 1 < part_end and within + 1 == int(parts.starts[begin + part + 1]):
            continue  # Between two trips of one vehicle: it stands.
        trips = parts.trips[
            int(parts.trip_offsets[line]) + part : int(parts.trip_offsets[line + 1]) : part_end - begin
        ]
        for day, day_start_s in days:
            if not timetable.days.active[lines.patterns[line], day] or (line, day) in moved:
                continue
            low = int(np.searchsorted(arrives, int(start.timestamp()) - day_start_s))
            high = int(np.searchsorted(departs, int(end.timestamp()) - day_start_s, side="right"))
            for run in range(low, high):
                trip = int(trips[run])
                key = (trip, day, call)
                mode = mode_of(int(timetable.routes.types[timetable.trips.routes[trip]]))
                if key in told or zoom < _ZOOM_MIN.get(mode, 0.0):
                    continue
                told.add(key)
                origin, destination = lines.stops[position : position + 2].tolist()
                yield _Hop(trip, day, call, origin, destination, int(departs[run]), int(arrives[run]))


def _days(timetable: Timetable, start: datetime, end: datetime) -> list[tuple[int, int]]:
    """The service days that may have trips about then, each with its start in seconds since 1970."""
    overhang = 1 + int(timetable.lines.arrivals.max(initial=0)) // 86_400
    first = (start.astimezone(timetable.zone).date() - timetable.first_date).days - overhang
    last = (end.astimezone(timetable.zone).date() - timetable.first_date).days
    return [
        (day, int(service_day_start(timetable, day).timestamp()))
        for day in range(max(0, first), min(last + 1, timetable.day_count))
    ]


def _positions_in(timetable: Timetable, box: Box) -> npt.NDArray[np.int64]:
    """Positions of lines (not their last) from which the hop's box touches the section."""
    lines = timetable.lines
    stops = lines.stops
    is_last = np.zeros(len(stops), dtype=np.bool_)
    is_last[lines.stop_offsets[1:] - 1] = True
    here, there = stops[:-1], stops[1:]
    lat, lon = timetable.stops.lat, timetable.stops.lon
    touches = (
        ~is_last[:-1]
        & (np.maximum(lat[here], lat[there]) >= box.south)
        & (np.minimum(lat[here], lat[there]) <= box.north)
        & (np.maximum(lon[here], lon[there]) >= box.west)
        & (np.minimum(lon[here], lon[there]) <= box.east)
    )
    return np.flatnonzero(touches)


def _segment(network: Network, hop: _Hop, language: str, precision: int) -> SegmentMessage:
    timetable, places = network.router.timetable, network.places
    route = int(timetable.trips.routes[hop.trip])
    departs, arrives = instant(timetable, hop.day, hop.departs_s), instant(timetable, hop.day, hop.arrives_s)
    planned_s = network.live.find_planned_hop(hop.trip, hop.day, hop.call) or (hop.departs_s, hop.arrives_s)
    origin, destination = (
        places.place_of_stop(hop.origin, language),
        places.place_of_stop(hop.destination, language),
    )
    name = get_string(timetable.route_names, route)
    on = timetable.first_date + timedelta(days=hop.day)
    metres = distance_m(
        np.array(origin.lat), np.array(origin.lon), np.array(destination.lat), np.array(destination.lon)
    )
    return SegmentMessage(
        trips=[
            TripInfo(
                trip_id=f"{on:%Y%m%d}_{get_string(timetable.trip_ids, hop.trip)}",
                route_short_name=name,
                display_name=name,
            )
        ],
        route_color=get_string(timetable.route_colors, route) or None,
        mode=MOTIS_MODES[mode_of(int(timetable.routes.types[route]))],
        distance=round(float(metres), 1),
        from_=place_message(origin, zone_name=timetable.zone_name, departure=departs),
        to=place_message(destination, zone_name=timetable.zone_name, arrival=arrives),
        departure=departs,
        arrival=arrives,
        scheduled_departure=instant(timetable, hop.day, planned_s[0]),
        scheduled_arrival=instant(timetable, hop.day, planned_s[1]),
        real_time=(hop.trip, hop.day) in network.live.confirmed,
        polyline=encode_polyline(
            [(origin.lat, origin.lon), (destination.lat, destination.lon)], precision=precision
        ),
    )
