"""A small text language for feeds: stops as columns, a trip per row. For tests and documentation.

Problem   A test that needs a timetable should show the timetable, not five tables of ids.
Idea      A text in which a trip is a line under the names of its stops. It is turned into the very files a
          zip would have and read by `gtfs.reader`, so a literal feed keeps every promise of a real one.

Example::

    calendar weekday 2026-01-01 2026-12-31 mon-fri -2026-05-05 +2026-05-09
    route R1 rail agency=JR name="山手線"
    stops    A      B            C
    t1       08:00  08:05/08:06  08:10
    t2       09:00  -            09:08      headsign=Express
    route R2 bus
    stops    C      D
    b1       8:20b  8:30a
    walk     B C 180

A line holds words parted by blanks; `#` starts a comment; values with blanks stand in double quotes. The
first word says what the line is; any other first word is a trip's id.

`zone NAME`                     the agencies' time zone (Asia/Tokyo)
`agency ID [name=]`             an agency; one named by a route is there by itself
`calendar ID FROM TO [DAYS] [-DATE ...] [+DATE ...]`
                                a service: DAYS is `mon-fri`, `sat,sun`, `none` or absent for every day;
                                -DATE does not run, +DATE also runs. Trips below belong to it. Without any:
                                `daily`, all of 2026
`station ID LAT LON [name=]`    a station (location_type 1)
`level ID INDEX [name=]`        a level, for `level=` below
`entrance ID LAT LON station= [name=] [level=]`, `node ID station= [name=] [level=]`
                                a station's entrance, and a place within it (location_types 2 and 3)
`area ID PLATFORM [name=] [level=]`     a boarding area of a platform (location_type 4)
`pathway ID A B MODE [one] [time=] [length=] [steps=] [slope=] [width=] [sign=]`
                                a way within a station, both ways but for `one`. MODE: walkway stairs
                                travelator escalator elevator gate exit
`stop ID LAT LON [name=] [station=] [zone=] [platform=] [level=] [wheelchair=]`
                                a stop's place. A stop that is only used stands by itself on the meridian
                                139.7, 0.02 degrees (2.2 km) north of the one before, the first at 35.0
`route ID [MODE] [agency=] [name=] [color=] [network=]`
                                the route of the trips below. MODE: tram subway rail bus ferry monorail or a
                                number
`stops ID ...`                  the stops of the trips below, in order; a stop may stand twice
`TRIP CELL ... [calendar=] [headsign=] [block=] [direction=] [wheelchair=] [bikes=]`
                                one cell for each stop: `8:00`, `8:00/8:02` (arrives/departs), `25:10:30`,
                                `-` (does not call), `~` (calls, no time given). Behind a cell: `b` boarding
                                only, `a` alighting only, `x` neither
`walk A B SECONDS`              transfers.txt type 2, both ways; A and B may be the same stop
`link A B`, `timed A B`, `forbid A B`   types 0, 1 and 3, from A to B
`stay T1 T2`, `leave T1 T2`     types 4 and 5: stay seated from trip T1 into T2, or do not
`every TRIP FROM TO SECONDS [exact]`    frequencies.txt
"""

import csv
import io
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

from gtfs.errors import LiteralWrong
from gtfs.reader import read_contents
from gtfs.service_time import find_seconds, format_seconds
from gtfs.tables import SPEC_BY_NAME, Feed

MODES = {"tram": 0, "subway": 1, "rail": 2, "bus": 3, "ferry": 4, "monorail": 12}
PATHWAY_MODES = ("walkway", "stairs", "travelator", "escalator", "elevator", "gate", "exit")
_PATHWAY_OPTIONS = {
    "time": "traversal_time",
    "length": "length",
    "steps": "stair_count",
    "slope": "max_slope",
    "width": "min_width",
    "sign": "signposted_as",
}
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_COLUMNS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
LAT_FIRST, LAT_STEP, LON = 35.0, 0.02, 139.7
_CALLS = {"b": (0, 1), "a": (1, 0), "x": (1, 1)}
_TRIP_OPTIONS = {
    "headsign": "trip_headsign",
    "block": "block_id",
    "direction": "direction_id",
    "wheelchair": "wheelchair_accessible",
    "bikes": "bikes_allowed",
}
Row = dict[str, str]


def literal_feed(text: str, *, feed_id: str = "lit") -> Feed:
    """The feed that the text describes. Raises LiteralWrong for a text or a feed with an error in it."""
    reading = read_contents(literal_contents(text), feed_id=feed_id)
    if reading.feed is None or reading.notices.has_errors:
        raise LiteralWrong("\n".join(str(notice) for notice in reading.notices))
    return reading.feed


def literal_contents(text: str) -> dict[str, bytes]:
    """The files of the feed by name, as they would stand in a zip. Raises LiteralWrong."""
    sheet = _Sheet()
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            words = shlex.split(line, comments=True)
            if words:
                sheet.take(words)
        except (ValueError, KeyError, IndexError) as error:
            raise LiteralWrong(f"line {number}: `{line.strip()}`: {error}") from error
    return sheet.to_contents()


def _split_options(words: list[str], allowed: tuple[str, ...]) -> tuple[list[str], Row]:
    """Plain words, and the `key=value` ones."""
    plain = [word for word in words if "=" not in word]
    options = dict(word.split("=", 1) for word in words if "=" in word)
    unknown = options.keys() - set(allowed)
    if unknown:
        raise ValueError(f"no option {', '.join(sorted(unknown))} here; there are {', '.join(allowed)}")
    return plain, options


@dataclass(slots=True)
class _Sheet:
    """The rows of each file so far, and what the trips below belong to."""

    rows: dict[str, list[Row]] = field(default_factory=dict)
    zone: str = "Asia/Tokyo"
    service_id: str = ""
    route_id: str = ""
    stop_ids: list[str] = field(default_factory=list)

    def take(self, words: list[str]) -> None:
        """Take in one line."""
        directives: dict[str, Callable[[list[str]], None]] = {
            "zone": self._take_zone,
            "agency": self._take_agency,
            "calendar": self._take_calendar,
            "station": self._take_station,
            "stop": self._take_stop,
            "level": self._take_level,
            "entrance": self._take_entrance,
            "node": self._take_node,
            "area": self._take_area,
            "pathway": self._take_pathway,
            "route": self._take_route,
            "stops": self._take_stops,
            "walk": self._take_walk,
            "every": self._take_every,
        }
        first = words[0]
        if first in directives:
            directives[first](words[1:])
        elif first in {"link", "timed", "forbid"}:
            from_id, to_id = words[1:]
            self._add_transfer({"link": 0, "timed": 1, "forbid": 3}[first], from_id, to_id)
        elif first in {"stay", "leave"}:
            from_id, to_id = words[1:]
            kind = "4" if first == "stay" else "5"
            self._add("transfers", from_trip_id=from_id, to_trip_id=to_id, transfer_type=kind)
        else:
            self._take_trip(first, words[1:])

    def _add(self, table: str, **values: str) -> None:
        self.rows.setdefault(table, []).append(values)

    def _has(self, table: str, column: str, value: str) -> bool:
        return any(row[column] == value for row in self.rows.get(table, ()))

    def _take_zone(self, words: list[str]) -> None:
        (self.zone,) = words

    def _take_agency(self, words: list[str]) -> None:
        (agency_id,), options = _split_options(words, ("name",))
        self._add("agency", agency_id=agency_id, agency_name=options.get("name", agency_id))

    def _take_calendar(self, words: list[str]) -> None:
        service_id, first, last = words[:3]
        exceptions = [word for word in words[3:] if word[0] in "+-"]
        (days,) = [word for word in words[3:] if word[0] not in "+-"] or ["mon-sun"]
        runs = _days_of(days)
        self._add(
            "calendar",
            service_id=service_id,
            start_date=_compact(first),
            end_date=_compact(last),
            **{column: str(int(day in runs)) for column, day in zip(DAY_COLUMNS, DAYS, strict=True)},
        )
        for word in exceptions:
            kind = "1" if word[0] == "+" else "2"
            self._add("calendar_dates", service_id=service_id, date=_compact(word[1:]), exception_type=kind)
        self.service_id = service_id

    def _take_station(self, words: list[str]) -> None:
        (stop_id, lat, lon), options = _split_options(words, ("name",))
        name = options.get("name", stop_id)
        self._add("stops", stop_id=stop_id, stop_name=name, stop_lat=lat, stop_lon=lon, location_type="1")

    def _take_stop(self, words: list[str]) -> None:
        (stop_id, lat, lon), options = _split_options(
            words, ("name", "station", "zone", "platform", "level", "wheelchair")
        )
        self._add(
            "stops",
            stop_id=stop_id,
            stop_name=options.get("name", stop_id),
            stop_lat=lat,
            stop_lon=lon,
            parent_station=options.get("station", ""),
            zone_id=options.get("zone", ""),
            platform_code=options.get("platform", ""),
            **_inner_options(options),
        )

    def _take_level(self, words: list[str]) -> None:
        (level_id, index), options = _split_options(words, ("name",))
        self._add("levels", level_id=level_id, level_index=index, level_name=options.get("name", ""))

    def _take_entrance(self, words: list[str]) -> None:
        (stop_id, lat, lon), options = _split_options(words, ("name", "station", "level", "wheelchair"))
        self._take_inner(stop_id, "2", options, stop_lat=lat, stop_lon=lon)

    def _take_node(self, words: list[str]) -> None:
        (stop_id,), options = _split_options(words, ("name", "station", "level"))
        self._take_inner(stop_id, "3", options)

    def _take_area(self, words: list[str]) -> None:
        (stop_id, platform), options = _split_options(words, ("name", "level"))
        self._take_inner(stop_id, "4", {**options, "station": platform})

    def _take_inner(self, stop_id: str, kind: str, options: Row, **place: str) -> None:
        self._add(
            "stops",
            stop_id=stop_id,
            stop_name=options.get("name", stop_id),
            location_type=kind,
            parent_station=options["station"],
            **_inner_options(options),
            **place,
        )

    def _take_pathway(self, words: list[str]) -> None:
        (pathway_id, from_id, to_id, mode, *ways), options = _split_options(words, tuple(_PATHWAY_OPTIONS))
        if ways not in ([], ["one"]):
            raise ValueError(f"a pathway is `one` way or both, not {ways}")
        self._add(
            "pathways",
            pathway_id=pathway_id,
            from_stop_id=from_id,
            to_stop_id=to_id,
            pathway_mode=str(PATHWAY_MODES.index(mode) + 1),
            is_bidirectional=str(int(not ways)),
            **{_PATHWAY_OPTIONS[key]: value for key, value in options.items()},
        )

    def _place_stop(self, stop_id: str) -> None:
        """A stop that is only used gets a place of its own."""
        if not self._has("stops", "stop_id", stop_id):
            lat = LAT_FIRST + LAT_STEP * len(self.rows.get("stops", ()))
            self._take_stop([stop_id, f"{lat:.6f}", str(LON)])

    def _take_route(self, words: list[str]) -> None:
        plain, options = _split_options(words, ("agency", "name", "color", "network"))
        route_id, mode = plain if len(plain) > 1 else (*plain, "bus")
        agency_id = options.get("agency", "lit")
        if not self._has("agency", "agency_id", agency_id):
            self._take_agency([agency_id])
        self._add(
            "routes",
            route_id=route_id,
            agency_id=agency_id,
            route_short_name=options.get("name", route_id),
            route_type=str(MODES[mode]) if mode in MODES else str(int(mode)),
            route_color=options.get("color", ""),
            network_id=options.get("network", ""),
        )
        self.route_id = route_id

    def _take_stops(self, words: list[str]) -> None:
        self.stop_ids = words
        for stop_id in words:
            self._place_stop(stop_id)

    def _take_walk(self, words: list[str]) -> None:
        from_id, to_id, seconds = words
        self._add_transfer(2, from_id, to_id, seconds)
        if from_id != to_id:
            self._add_transfer(2, to_id, from_id, seconds)

    def _add_transfer(self, kind: int, from_id: str, to_id: str, seconds: str = "") -> None:
        self._place_stop(from_id)
        self._place_stop(to_id)
        self._add(
            "transfers",
            from_stop_id=from_id,
            to_stop_id=to_id,
            transfer_type=str(kind),
            min_transfer_time=seconds,
        )

    def _take_every(self, words: list[str]) -> None:
        trip_id, first, last, seconds, *exact = words
        self._add(
            "frequencies",
            trip_id=trip_id,
            start_time=_time(first),
            end_time=_time(last),
            headway_secs=seconds,
            exact_times="1" if exact == ["exact"] else "0",
        )

    def _take_trip(self, trip_id: str, words: list[str]) -> None:
        cells, options = _split_options(words, ("calendar", *_TRIP_OPTIONS))
        if len(cells) != len(self.stop_ids):
            raise ValueError(f"{len(cells)} cells under {len(self.stop_ids)} stops")
        if not self.route_id:
            self._take_route(["R"])
        if not self.service_id:
            self._take_calendar(["daily", "2026-01-01", "2026-12-31"])
        self._add(
            "trips",
            route_id=self.route_id,
            service_id=options.pop("calendar", self.service_id),
            trip_id=trip_id,
            **{_TRIP_OPTIONS[key]: value for key, value in options.items()},
        )
        for place, (stop_id, cell) in enumerate(zip(self.stop_ids, cells, strict=True), start=1):
            if cell != "-":
                self._add_call(trip_id, stop_id, place, cell)

    def _add_call(self, trip_id: str, stop_id: str, place: int, cell: str) -> None:
        pickup, drop_off = _CALLS.get(cell[-1], (0, 0))
        times = cell.rstrip("bax")
        arrival, _, departure = times.partition("/")
        self._add(
            "stop_times",
            trip_id=trip_id,
            stop_id=stop_id,
            stop_sequence=str(place),
            arrival_time="" if times == "~" else _time(arrival),
            departure_time="" if times == "~" else _time(departure or arrival),
            pickup_type=str(pickup),
            drop_off_type=str(drop_off),
        )

    def to_contents(self) -> dict[str, bytes]:
        """Each table with rows as a file; agencies get their zone."""
        for row in self.rows.get("agency", ()):
            row["agency_timezone"] = self.zone
        return {SPEC_BY_NAME[table].file: _to_csv(rows) for table, rows in self.rows.items()}


def _to_csv(rows: list[Row]) -> bytes:
    columns = list(dict.fromkeys(column for row in rows for column in row))
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue().encode()


def _inner_options(options: Row) -> Row:
    names = {"level": "level_id", "wheelchair": "wheelchair_boarding"}
    return {column: options[key] for key, column in names.items() if key in options}


def _days_of(words: str) -> set[str]:
    """`mon-wed`, `sat,sun`, `none` -> days."""
    if words == "none":
        return set()
    if "-" in words:
        first, last = (DAYS.index(day) for day in words.split("-"))
        return set(DAYS[first : last + 1])
    return {DAYS[DAYS.index(day)] for day in words.split(",")}


def _compact(text: str) -> str:
    return date.fromisoformat(text).strftime("%Y%m%d")


def _time(text: str) -> str:
    """`8:00` or `8:00:30` -> `08:00:30`."""
    seconds = find_seconds(text if text.count(":") > 1 else f"{text}:00")
    if seconds is None:
        raise ValueError(f"`{text}` is no time; write 8:00 or 25:10:30")
    return format_seconds(seconds)
