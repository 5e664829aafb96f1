"""The city's own text tables, as records.

Problem   The city must be readable and changeable by a person with a text editor.
Idea      Lines, headways, calls, ports and footpaths are small CSV tables beside this module; here they
          become records, with times in minutes after the start of the service day (24:10 is 1450).
Not here  Tariffs (tariffs/, read by maas/fares), and what is made of the records (rail, calls, build).
Source    README.md names where the facts come from.
"""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """A name in the languages the city speaks; empty where the facts give none."""

    ja: str
    en: str = ""
    ko: str = ""
    zh_hans: str = ""
    kana: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agency:
    """An operator."""

    agency_id: str
    names: Names
    url: str
    phone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CityRoute:
    """A GTFS route. `shape` tells how trips are made.

    `line`: by headway, both ways. `loop`: the same, and trains go on around without end. `round`: by headway,
    one way. `calls`: by the timetable. `zone`: on demand, inside a zone.
    """

    route_id: str
    agency_id: str
    short_name: str
    names: Names
    route_type: int
    color: str
    text_color: str
    stop_prefix: str
    shape: str
    network_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LineStop:
    """A stop of a line; minutes are from departure here to departure at the next stop of the table."""

    stop_id: str
    code: str
    names: Names
    lat: float
    lon: float
    forward_min: int
    back_min: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Headway:
    """How often a line runs one way on one kind of day, and where its last trains may end."""

    route_id: str
    direction: int
    service: str
    first_min: int
    last_min: int
    morning_min: float
    day_min: float
    evening_min: float
    night_min: float
    turns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A port or an island bus stop."""

    key: str
    stop_id: str
    names: Names
    lat: float
    lon: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """Stops that a traveller takes for one place."""

    station_id: str
    names: Names
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StopCall:
    """A call of a ship or an island bus at a site."""

    site: str
    arrives_min: int
    departs_min: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TimetableTrip:
    """A trip with its own times; `runs` names the days (calendars.py)."""

    trip_id: str
    route_id: str
    runs: str
    direction: int
    short_name: str
    headsign: str
    calls: tuple[StopCall, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Footpath:
    """A walk between two stops, either way."""

    from_stop_id: str
    to_stop_id: str
    minutes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BerthCount:
    """Places of one class that one sailing of a trip has. `aliases` are other names buyers use for it."""

    trip_id: str
    fare_class: str
    aliases: tuple[str, ...]
    place_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BikePort:
    """A port of the demonstration's bike share."""

    station_id: str
    names: Names
    lat: float
    lon: float
    dock_count: int
    area: str


def parse_minutes(text: str) -> int:
    """Minutes after the start of the service day: `24:10` is 1450."""
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def parse_calls(text: str) -> tuple[StopCall, ...]:
    """Calls such as `Takeshiba 22:00 > OkadaPort 30:00/30:20`: arrival/departure, or one time for both."""
    calls = []
    for part in text.split(">"):
        site, times = part.split()
        arrives, _, departs = times.partition("/")
        calls.append(
            StopCall(
                site=site,
                arrives_min=parse_minutes(arrives),
                departs_min=parse_minutes(departs or arrives),
            )
        )
    return tuple(calls)


@cache
def list_agencies() -> tuple[Agency, ...]:
    """All operators."""
    return tuple(
        Agency(agency_id=row["agency_id"], names=_names(row), url=row["url"], phone=row["phone"])
        for row in _rows("agencies.csv")
    )


@cache
def list_routes() -> tuple[CityRoute, ...]:
    """All routes."""
    return tuple(
        CityRoute(
            route_id=row["route_id"],
            agency_id=row["agency_id"],
            short_name=row["short_name"],
            names=_names(row),
            route_type=int(row["route_type"]),
            color=row["color"],
            text_color=row["text_color"],
            stop_prefix=row["stop_prefix"],
            shape=row["shape"],
            network_id=row["network_id"],
        )
        for row in _rows("routes.csv")
    )


@cache
def list_line_stops(route_id: str) -> tuple[LineStop, ...]:
    """The stops of a line in the order of its table; a loop names its first stop again at the end."""
    prefix = next(route.stop_prefix for route in list_routes() if route.route_id == route_id)
    return tuple(
        LineStop(
            stop_id=prefix + row["id"],
            code=row["code"],
            names=_names(row),
            lat=float(row["lat"]),
            lon=float(row["lon"]),
            forward_min=int(row["forward_min"] or 0),
            back_min=int(row["back_min"] or 0),
        )
        for row in _rows(f"lines/{route_id}.csv")
    )


@cache
def list_headways() -> tuple[Headway, ...]:
    """All headways."""
    return tuple(
        Headway(
            route_id=row["line_id"],
            direction=int(row["direction"]),
            service=row["service"],
            first_min=parse_minutes(row["first"]),
            last_min=parse_minutes(row["last"]),
            morning_min=float(row["morning_min"]),
            day_min=float(row["day_min"]),
            evening_min=float(row["evening_min"]),
            night_min=float(row["night_min"]),
            turns=tuple(row["turns"].split()),
        )
        for row in _rows("headways.csv")
    )


@cache
def list_sites() -> dict[str, Site]:
    """Ports and island bus stops, by their key."""
    return {
        row["key"]: Site(
            key=row["key"],
            stop_id=row["stop_id"],
            names=_names(row),
            lat=float(row["lat"]),
            lon=float(row["lon"]),
        )
        for row in _rows("places.csv")
    }


@cache
def list_stations() -> tuple[Station, ...]:
    """The stations named by hand; lines' stops of one name are grouped by build.py."""
    return tuple(
        Station(station_id=row["station_id"], names=_names(row), members=tuple(row["members"].split()))
        for row in _rows("stations.csv")
    )


@cache
def list_timetable() -> tuple[TimetableTrip, ...]:
    """Ships and island buses."""
    return tuple(
        TimetableTrip(
            trip_id=row["trip_id"],
            route_id=row["route_id"],
            runs=row["runs"],
            direction=int(row["direction"]),
            short_name=row["short_name"],
            headsign=row["headsign"],
            calls=parse_calls(row["calls"]),
        )
        for row in _rows("timetable.csv")
    )


@cache
def list_footpaths() -> tuple[Footpath, ...]:
    """The walks measured by hand."""
    return tuple(
        Footpath(from_stop_id=row["from_stop_id"], to_stop_id=row["to_stop_id"], minutes=int(row["minutes"]))
        for row in _rows("footpaths.csv")
    )


@cache
def list_berths() -> tuple[BerthCount, ...]:
    """What each sailing can sell, by class."""
    return tuple(
        BerthCount(
            trip_id=row["trip_id"],
            fare_class=row["fare_class"],
            aliases=tuple(row["aliases"].split()),
            place_count=int(row["place_count"]),
        )
        for row in _rows("berths.csv")
    )


@cache
def list_bike_ports() -> tuple[BikePort, ...]:
    """The bike share's ports."""
    return tuple(
        BikePort(
            station_id=row["station_id"],
            names=_names(row),
            lat=float(row["lat"]),
            lon=float(row["lon"]),
            dock_count=int(row["dock_count"]),
            area=row["area"],
        )
        for row in _rows("bike_ports.csv")
    )


def _names(row: dict[str, str]) -> Names:
    return Names(
        ja=row["ja"],
        en=row["en"],
        ko=row.get("ko", ""),
        zh_hans=row.get("zh_hans", ""),
        kana=row.get("kana", ""),
    )


def _rows(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
