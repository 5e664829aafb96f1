"""Stops, the stations that group them, and the walks between them.

Problem   新宿 is five stops of four operators; a traveller sees one place and changes there.
Idea      Stations written by hand come first; then lines' stops that share a name become one station, if they
          lie near each other. Inside a station a change takes three minutes, or as long as the walk takes;
          on one's own platform two. Walks measured by hand override both.
Invariant A stop is in at most one station, and no walk is listed twice.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from math import ceil, cos, hypot, radians

from services.demo.city.tables import (
    Names,
    Station,
    list_footpaths,
    list_line_stops,
    list_routes,
    list_sites,
    list_stations,
)

SAME_PLATFORM_S = 120
SAME_STATION_S = 180
_DETOUR = 1.3
_WALK_M_PER_S = 1.2
_SAME_NAME_M_MAX = 700
_M_PER_DEGREE = 111_195


@dataclass(frozen=True, slots=True, kw_only=True)
class CityStop:
    """A platform, a pole or a berth."""

    stop_id: str
    code: str
    names: Names
    lat: float
    lon: float
    agency_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StationSite:
    """A station with its members and its middle."""

    station: Station
    members: tuple[CityStop, ...]
    lat: float
    lon: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """A walk from one stop to another; to itself: changing on the platform."""

    from_stop_id: str
    to_stop_id: str
    seconds: int


def list_city_stops() -> dict[str, CityStop]:
    """All stops by id, in the order of the tables."""
    stops: dict[str, CityStop] = {}
    for route in list_routes():
        if route.shape in ("calls", "zone"):
            continue
        for stop in list_line_stops(route.route_id):
            stops.setdefault(
                stop.stop_id,
                CityStop(
                    stop_id=stop.stop_id,
                    code=stop.code,
                    names=stop.names,
                    lat=stop.lat,
                    lon=stop.lon,
                    agency_id=route.agency_id,
                ),
            )
    for site in list_sites().values():
        stops[site.stop_id] = CityStop(
            stop_id=site.stop_id, code="", names=site.names, lat=site.lat, lon=site.lon, agency_id=""
        )
    return stops


def list_station_sites(stops: dict[str, CityStop]) -> list[StationSite]:
    """Stations by hand, then stations by name."""
    stations = [*list_stations(), *_stations_by_name(stops)]
    return [_site(station, tuple(stops[member] for member in station.members)) for station in stations]


def _stations_by_name(stops: dict[str, CityStop]) -> Iterator[Station]:
    by_hand = {member for station in list_stations() for member in station.members}
    same_name: dict[str, list[CityStop]] = defaultdict(list)
    for stop in stops.values():
        if stop.stop_id not in by_hand:
            same_name[stop.names.ja].append(stop)
    for group in same_name.values():
        near = [stop for stop in group if distance_m(group[0], stop) <= _SAME_NAME_M_MAX]
        if len(near) > 1:
            yield Station(
                station_id=f"Station.{near[0].stop_id.rsplit('.', 1)[-1]}",
                names=near[0].names,
                members=tuple(stop.stop_id for stop in near),
            )


def _site(station: Station, members: tuple[CityStop, ...]) -> StationSite:
    return StationSite(
        station=station,
        members=members,
        lat=round(sum(stop.lat for stop in members) / len(members), 6),
        lon=round(sum(stop.lon for stop in members) / len(members), 6),
    )


def list_walks(stops: dict[str, CityStop], stations: list[StationSite]) -> list[Walk]:
    """Every walk the city lists, both ways, and two minutes on each stop's own platform."""
    seconds: dict[tuple[str, str], int] = {(stop_id, stop_id): SAME_PLATFORM_S for stop_id in stops}
    for site in stations:
        for one, other in combinations(site.members, 2):
            walk_s = max(SAME_STATION_S, _walk_s(one, other))
            seconds[one.stop_id, other.stop_id] = seconds[other.stop_id, one.stop_id] = walk_s
    for path in list_footpaths():
        one_way = (path.from_stop_id, path.to_stop_id)
        assert set(one_way) <= set(stops), f"the footpath {one_way} joins stops of the city"
        seconds[one_way] = seconds[one_way[::-1]] = path.minutes * 60
    return [
        Walk(from_stop_id=one, to_stop_id=other, seconds=walk_s)
        for (one, other), walk_s in sorted(seconds.items())
    ]


def distance_m(one: CityStop, other: CityStop) -> float:
    """Metres as the crow flies; exact enough inside a city."""
    north = (other.lat - one.lat) * _M_PER_DEGREE
    east = (other.lon - one.lon) * _M_PER_DEGREE * cos(radians(one.lat))
    return hypot(north, east)


def _walk_s(one: CityStop, other: CityStop) -> int:
    """Rounded up to whole minutes."""
    return ceil(distance_m(one, other) * _DETOUR / _WALK_M_PER_S / 60) * 60
