"""Stops: which routes serve one, and which lie in a section of a map; in the shape of the MOTIS API.

Idea      What stops where follows from the lines: each says at which stops it calls and which routes its
          trips are of. Worked out for the stops asked about, from the lines that call there.
Rule      Too many stops for a map are refused, not thinned out: whoever shows them must look closer, or ask
          for groups (one for the platforms of a place).
"""

import numpy as np
from pydantic import Field

from routing.strings import get_string
from routing.timetable import Timetable
from services.planner.modes import MOTIS_MODES, mode_of, modes_meant
from services.planner.motis import MotisMessage, PlaceMessage, place_message
from services.planner.network import Network
from services.planner.parameters import Box, Languages, Modes, MotisQuery, PlaceText, Point, parse_box
from services.planner.places import End
from services.platform.problem import Problem

STOPS_MAX = 5_000


class StopQuery(MotisQuery):
    """GET /api/v6/stop. A stop is a stop or station id, or a name; its station's platforms count too."""

    stop_id: PlaceText
    language: Languages = ()


class RouteMessage(MotisMessage):
    """A route (GTFS) that serves a stop."""

    route_id: str
    route_short_name: str
    route_long_name: str
    mode: str
    agency_id: str
    agency_name: str
    agency_url: str = ""
    route_color: str | None = None
    route_type: int


class StopMessage(MotisMessage):
    """The answer of /api/v6/stop."""

    place: PlaceMessage
    routes: list[RouteMessage]


class MapStopsQuery(MotisQuery):
    """GET /api/v6/map/stops."""

    min: Point
    max: Point
    grouped: bool = False
    modes: Modes = ()
    language: Languages = Field(default=())


def tell_stop(network: Network, end: End) -> StopMessage:
    """The routes whose trips call at the stops of this end."""
    timetable = network.router.timetable
    routes = _routes_at(timetable, with_platforms(timetable, end.stops))
    return StopMessage(
        place=place_message(end.place, zone_name=timetable.zone_name),
        routes=[_route(timetable, route) for route in routes],
    )


def list_map_stops(network: Network, query: MapStopsQuery, language: str) -> list[PlaceMessage]:
    """The stops in the box, the most important first. Raises Problem if they are too many."""
    timetable, places, box = network.router.timetable, network.places, parse_box(query.min, query.max)
    modes = modes_meant(query.modes) if query.modes else None
    found = [places.spot_of(stop) for stop in _stops_in(timetable, box)]
    spots = {spot.stops: spot for spot in found}
    chosen = [
        (stop, spot)
        for spot in sorted(spots.values(), key=lambda spot: -spot.importance)
        for stop in (spot.stops[:1] if query.grouped else spot.stops)
        if (query.grouped or _is_in(timetable, stop, box))
        and (modes is None or places.modes_of_stops([stop]) & modes)
    ]
    if len(chosen) > STOPS_MAX:
        raise Problem(
            "validation_failed",
            detail=f"{len(chosen)} stops lie there, more than {STOPS_MAX}. "
            "Take a smaller box, or grouped=true.",
        )
    zone_name = timetable.zone_name
    return [
        place_message(places.place_of_stop(stop, language), zone_name=zone_name).model_copy(
            update={
                "importance": places.importance_of(spot),
                "modes": sorted(
                    MOTIS_MODES[mode]
                    for mode in (spot.modes if query.grouped else places.modes_of_stops([stop]))
                ),
            }
        )
        for stop, spot in chosen
    ]


def with_platforms(timetable: Timetable, stops: tuple[int, ...]) -> list[int]:
    """The stops, and all platforms of their stations."""
    stations = {int(timetable.stops.stations[stop]) for stop in stops} - {-1}
    return sorted({*stops, *(stop for station in stations for stop in timetable.station_stops(station))})


def _stops_in(timetable: Timetable, box: Box) -> list[int]:
    lat, lon = timetable.stops.lat, timetable.stops.lon
    inside = (lat >= box.south) & (lat <= box.north) & (lon >= box.west) & (lon <= box.east)
    return [int(stop) for stop in np.flatnonzero(inside)]


def _is_in(timetable: Timetable, stop: int, box: Box) -> bool:
    lat, lon = float(timetable.stops.lat[stop]), float(timetable.stops.lon[stop])
    return box.south <= lat <= box.north and box.west <= lon <= box.east


def _routes_at(timetable: Timetable, stops: list[int]) -> list[int]:
    """Routes of the trips that call at one of the stops, in order of their ids."""
    lines, parts = timetable.lines, timetable.parts
    positions = np.flatnonzero(np.isin(lines.stops, stops))
    routes: set[int] = set()
    for position in positions.tolist():
        line = int(np.searchsorted(lines.stop_offsets, position, side="right")) - 1
        within = position - int(lines.stop_offsets[line])
        begin, end = int(parts.offsets[line]), int(parts.offsets[line + 1])
        part = int(np.searchsorted(parts.starts[begin:end], within, side="right")) - 1
        trips = parts.trips[
            int(parts.trip_offsets[line]) + part : int(parts.trip_offsets[line + 1]) : end - begin
        ]
        routes.update(np.unique(timetable.trips.routes[trips]).tolist())
    return sorted(routes, key=lambda route: get_string(timetable.route_ids, route))


def _route(timetable: Timetable, route: int) -> RouteMessage:
    agency, route_type = int(timetable.routes.agencies[route]), int(timetable.routes.types[route])
    return RouteMessage(
        route_id=get_string(timetable.route_ids, route),
        route_short_name=get_string(timetable.route_names, route),
        route_long_name=get_string(timetable.route_long_names, route),
        mode=MOTIS_MODES[mode_of(route_type)],
        agency_id=get_string(timetable.agency_ids, agency),
        agency_name=get_string(timetable.agency_names, agency),
        route_color=get_string(timetable.route_colors, route) or None,
        route_type=route_type,
    )
