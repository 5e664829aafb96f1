"""A compiled network: everything a search and its answer need, as arrays.

Problem   Half a million connections a day must be opened in under a second and shared by many processes.
Idea      Only numbers and packed strings (routing/strings.py), one .npy file an array, memory-mapped. The
          arrays that the kernels read are described in routing/kernels/arrays.py; here are those that name
          the result. Indices link the groups: a stop to its station, a run to its trips, a trip to its route,
          a route to its agency. Public ids carry their feed, `feed:stop_id`.
Not here  How it is made (build.py) and searched (raptor.py).
Invariant `check` asserts everything the kernels rely on. It runs when a network is built, not on opening.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from routing.errors import NetworkUnreadable, OutsideDates
from routing.kernels.arrays import MAY_ALIGHT, MAY_BOARD, NONE, NOT_REACHED, Int32, Lines, Walks
from routing.pathways import PROFILES, Nodes, Pathways
from routing.strings import Strings, check_strings, find_string, iterate_strings

FORMAT = 6


UNKNOWN, YES, NO = 0, 1, 2
"""What GTFS says of a trip's bikes and wheelchairs."""


class Stops(NamedTuple):
    """Where vehicles stop. S stops.

    lat, lon   float64[S]  degrees WGS84
    stations   int32[S]    the station whose platform this is, or NONE
    feeds      int32[S]    the feed it came from
    wheelchairs  uint8[S]  whether one in a wheelchair can board: UNKNOWN, YES or NO; else its station's
    """

    lat: npt.NDArray[np.float64]
    lon: npt.NDArray[np.float64]
    stations: Int32
    feeds: Int32
    wheelchairs: npt.NDArray[np.uint8]


class Stations(NamedTuple):
    """Groups of stops. Station g owns stops[offsets[g] : offsets[g+1]].

    lat, lon float64[G]; feeds int32[G]; offsets int32[G+1]; stops int32[]
    """

    lat: npt.NDArray[np.float64]
    lon: npt.NDArray[np.float64]
    feeds: Int32
    offsets: Int32
    stops: Int32


class Names(NamedTuple):
    """What places are called, in any language. N names.

    owners     int32[N]  a stop, or -1 - station
    languages  int32[N]  index into the timetable's `languages`; the feed's own name has language 0 ("")
    """

    owners: Int32
    languages: Int32


class Routes(NamedTuple):
    """What the timetable calls its lines to travellers (GTFS routes).

    types int32[R] GTFS route types; agencies int32[R]
    """

    types: Int32
    agencies: Int32


class Trips(NamedTuple):
    """GTFS trips (a frequency's every departure is a trip here). T trips.

    routes       int32[T]
    headsigns    int32[T]    index into `headsigns`
    names        int32[T]    index into `trip_names`: the trip's own name (a ship's, a train's number)
    feeds        int32[T]
    bikes        uint8[T]    whether bikes may be taken along: UNKNOWN, YES or NO, as GTFS counts
    wheelchairs  uint8[T]    whether somebody in a wheelchair can ride, likewise
    sequence_offsets  int32[T+1]  trip t's calls have the stop_sequences
    sequences    int32[]     sequences[sequence_offsets[t] : sequence_offsets[t+1]]; none where 1, 2, 3 ...
    run_offsets  int32[T+1]  trip t is part of the runs [run_offsets[t], run_offsets[t+1]) of the next three:
    run_lines    int32[]     the line,
    runs         int32[]     the run within it,
    run_parts    int32[]     and which part of the run
    """

    routes: Int32
    headsigns: Int32
    names: Int32
    feeds: Int32
    bikes: npt.NDArray[np.uint8]
    wheelchairs: npt.NDArray[np.uint8]
    sequence_offsets: Int32
    sequences: Int32
    run_offsets: Int32
    run_lines: Int32
    runs: Int32
    run_parts: Int32


class Parts(NamedTuple):
    """Which trips make a run, laid end to end. Line l's runs have as many parts as each other.

    offsets       int32[L+1]  line l owns starts[offsets[l] : offsets[l+1]]
    starts        int32[]     the position where each part begins; the first is 0
    trip_offsets  int32[L+1]  run j's part i is the trip trips[trip_offsets[l] + j * part_count + i]
    trips         int32[]
    """

    offsets: Int32
    starts: Int32
    trip_offsets: Int32
    trips: Int32


class Days(NamedTuple):
    """On which days lines run.

    active            uint8[P, D]  pattern p runs on the day first_date + d
    first_departure_s int32[L]     a line's earliest departure
    last_departure_s  int32[L]     and its latest, at any position where one may board
    """

    active: npt.NDArray[np.uint8]
    first_departure_s: Int32
    last_departure_s: Int32


class Walked(NamedTuple):
    """What of the footpaths is walked, and so depends on who walks.

    seconds   int32[F]  of walks.walk_s, those walked at the usual speed; the rest is fixed
    """

    seconds: Int32


@dataclass(frozen=True, kw_only=True)
class Timetable:
    """See the module. `mirror` and `mirror_walks` are the mirrored lines and walks (kernels/arrays.py)."""

    version: str
    zone_name: str
    first_date: date
    feed_ids: tuple[str, ...]
    languages: tuple[str, ...]

    lines: Lines
    mirror: Lines
    walks: Walks
    mirror_walks: Walks
    walked: Walked
    parts: Parts
    days: Days
    stops: Stops
    stations: Stations
    names: Names
    nodes: Nodes
    pathways: Pathways
    routes: Routes
    trips: Trips

    stop_ids: Strings
    stop_names: Strings
    station_ids: Strings
    station_names: Strings
    name_texts: Strings
    node_ids: Strings
    pathway_ids: Strings
    route_ids: Strings
    route_names: Strings
    route_long_names: Strings
    route_colors: Strings
    agency_ids: Strings
    agency_names: Strings
    trip_ids: Strings
    headsigns: Strings
    trip_names: Strings

    @cached_property
    def zone(self) -> ZoneInfo:
        """The network's time zone."""
        return ZoneInfo(self.zone_name)

    @property
    def day_count(self) -> int:
        """Days the network knows, from first_date on."""
        return int(self.days.active.shape[1])

    @property
    def last_date(self) -> date:
        """The last day the network knows."""
        return self.first_date + timedelta(days=self.day_count - 1)

    @property
    def stop_count(self) -> int:
        """Stops, platforms counted one by one."""
        return len(self.stops.lat)

    @property
    def line_count(self) -> int:
        """Lines in the sense of kernels/arrays.py."""
        return len(self.lines.patterns)

    @cached_property
    def overhang_days(self) -> int:
        """Days after its service day on which a run can still be boarded; 1 if some leave past 24:00."""
        return int(self.days.last_departure_s.max(initial=0)) // 86_400

    def get_day(self, on: date) -> int:
        """The index of that day. Raises OutsideDates."""
        day = (on - self.first_date).days
        if not 0 <= day < self.day_count:
            raise OutsideDates(f"{on} is outside {self.first_date} to {self.last_date}")
        return day

    def find_stop(self, stop_id: str) -> int | None:
        """The stop of that public id, or None."""
        return find_string(self.stop_ids, stop_id)

    def find_call(self, trip: int, stop_sequence: int) -> int | None:
        """Which of the trip's calls, counted from 0, has this stop_sequence; None if none has.

        Where the feed counts 1, 2, 3 ... it is for the caller to see that the trip has so many calls.
        """
        begin, end = self.trips.sequence_offsets[trip : trip + 2].tolist()
        if begin == end:
            return stop_sequence - 1 if stop_sequence >= 1 else None
        at = np.flatnonzero(self.trips.sequences[begin:end] == stop_sequence)
        return int(at[0]) if len(at) else None

    def find_station(self, station_id: str) -> int | None:
        """The station of that public id, or None."""
        return find_string(self.station_ids, station_id)

    def find_trip(self, trip_id: str) -> int | None:
        """The trip of that public id, or None."""
        return find_string(self.trip_ids, trip_id)

    @cached_property
    def stop_index(self) -> dict[str, int]:
        """Stops by public id: quicker than `find_stop` for who asks thousands of times, and takes memory."""
        return {stop_id: stop for stop, stop_id in enumerate(iterate_strings(self.stop_ids))}

    @cached_property
    def trip_index(self) -> dict[str, int]:
        """Trips by public id, likewise."""
        return {trip_id: trip for trip, trip_id in enumerate(iterate_strings(self.trip_ids))}

    @cached_property
    def route_index(self) -> dict[str, int]:
        """Routes by public id, likewise."""
        return {route_id: route for route, route_id in enumerate(iterate_strings(self.route_ids))}

    def station_stops(self, station: int) -> list[int]:
        """The stops of a station."""
        begin, end = self.stations.offsets[station], self.stations.offsets[station + 1]
        return [int(stop) for stop in self.stations.stops[begin:end]]

    def check(self) -> None:
        """Assert every invariant that the kernels and the journeys rely on."""
        for strings in self._groups(Strings).values():
            check_strings(strings)
        for lines in (self.lines, self.mirror):
            _check_lines(lines, stop_count=self.stop_count)
        for walks in (self.walks, self.mirror_walks):
            _check_walks(walks, stop_count=self.stop_count)
        assert len(self.walked.seconds) == len(self.walks.walk_s), "of every footpath a part is walked"
        assert (self.walked.seconds >= 0).all(), "nothing is walked backwards in time"
        assert (self.walked.seconds <= self.walks.walk_s).all(), "no more is walked than there is"
        _check_parts(self)

    def save(self, folder: Path) -> None:
        """Write all arrays and a manifest into `folder`, which must not exist or be empty."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, group in self._groups(tuple).items():
            for field, array in zip(group._fields, group, strict=True):
                np.save(folder / f"{name}.{field}.npy", array, allow_pickle=False)
        manifest = {
            "format": FORMAT,
            "version": self.version,
            "zone": self.zone_name,
            "first_date": self.first_date.isoformat(),
            "feed_ids": self.feed_ids,
            "languages": self.languages,
        }
        # The manifest comes last: a folder with one is complete.
        (folder / "manifest.json").write_text(json.dumps(manifest, ensure_ascii=False, indent=1))

    def _groups(self, kind: type) -> dict[str, Any]:
        return {
            name: value for name, value in vars(self).items() if name in GROUPS and isinstance(value, kind)
        }


GROUPS: Mapping[str, type] = {
    name: kind
    for name, kind in Timetable.__annotations__.items()
    if isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields")
}


def open_timetable(folder: Path) -> Timetable:
    """Open a saved timetable by memory map; pages are shared between processes. Raises NetworkUnreadable."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
        if manifest["format"] != FORMAT:
            raise NetworkUnreadable(f"{folder} has format {manifest['format']}, this program reads {FORMAT}")
        groups = {name: _open_group(folder, name, kind) for name, kind in GROUPS.items()}
        return Timetable(
            version=manifest["version"],
            zone_name=manifest["zone"],
            first_date=date.fromisoformat(manifest["first_date"]),
            feed_ids=tuple(manifest["feed_ids"]),
            languages=tuple(manifest["languages"]),
            **groups,
        )
    except (OSError, EOFError, KeyError, ValueError) as error:
        raise NetworkUnreadable(f"{folder} is no complete compiled network: {error}") from error


def remove_timetable(folder: Path) -> None:
    """Delete a saved timetable. Whoever has it open keeps reading it (the pages outlive the name)."""
    shutil.rmtree(folder, ignore_errors=True)


def mirror_lines(lines: Lines, *, stop_count: int) -> Lines:
    """The lines as seen by somebody travelling back in time: see kernels/arrays.py."""
    counts = np.diff(lines.stop_offsets)
    positions = np.arange(len(lines.stops), dtype=np.int64)
    line_of = np.repeat(np.arange(len(counts)), counts)
    turned = lines.stop_offsets[line_of].astype(np.int64) + lines.stop_offsets[line_of + 1] - 1 - positions
    flags = lines.flags[turned]
    swapped = ((flags & MAY_BOARD) << 1) | ((flags & MAY_ALIGHT) >> 1)
    # Reversing a line's whole block of times reverses its runs and their positions at once.
    sizes = np.diff(lines.time_offsets)
    time_line = np.repeat(np.arange(len(sizes)), sizes)
    times = np.arange(len(lines.arrivals), dtype=np.int64)
    back = lines.time_offsets[time_line] + lines.time_offsets[time_line + 1] - 1 - times
    stops = lines.stops[turned]
    flags = swapped.astype(np.uint8)
    by_stop = index_boardings(stops, flags, lines.stop_offsets, stop_count=stop_count)
    return Lines(
        stop_offsets=lines.stop_offsets,
        stops=stops,
        flags=flags,
        time_offsets=lines.time_offsets,
        arrivals=-lines.departures[back],
        departures=-lines.arrivals[back],
        patterns=lines.patterns,
        board_early_s=lines.alight_late_s,
        alight_late_s=lines.board_early_s,
        stop_line_offsets=by_stop[0],
        stop_lines=by_stop[1],
        stop_positions=by_stop[2],
    )


def mirror_walks(walks: Walks) -> Walks:
    """The footpaths the other way round; a change at one stop takes what it took."""
    stop_count = len(walks.change_s)
    sources = np.repeat(np.arange(stop_count, dtype=np.int32), np.diff(walks.offsets))
    order = np.argsort(walks.targets, kind="stable")
    offsets = np.searchsorted(walks.targets[order], np.arange(stop_count + 1)).astype(np.int32)
    return Walks(offsets=offsets, targets=sources[order], walk_s=walks.walk_s[order], change_s=walks.change_s)


def index_boardings(
    stops: Int32, flags: npt.NDArray[np.uint8], stop_offsets: Int32, *, stop_count: int
) -> tuple[Int32, Int32, Int32]:
    """For each stop the lines that can be boarded there, and where: offsets, lines, positions."""
    counts = np.diff(stop_offsets)
    line_of = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    position_of = (np.arange(len(stops)) - stop_offsets[line_of]).astype(np.int32)
    boardable = np.flatnonzero((flags & MAY_BOARD != 0) & (position_of < counts[line_of] - 1))
    order = boardable[np.argsort(stops[boardable], kind="stable")]
    offsets = np.searchsorted(stops[order], np.arange(stop_count + 1)).astype(np.int32)
    return offsets, line_of[order], position_of[order]


def _open_group(folder: Path, name: str, kind: type) -> Any:
    return kind(
        *(map_array(folder / f"{name}.{field}.npy") for field in kind._fields)  # type: ignore[attr-defined]
    )


def map_array(path: Path) -> npt.NDArray[Any]:
    """A saved array by memory map. Raises OSError, EOFError, ValueError."""
    # Copy-on-write maps look writable, so mapped and fresh arrays have one compiled kernel. Nobody writes.
    return np.load(path, mmap_mode="c", allow_pickle=False).view(np.ndarray)  # type: ignore[no-any-return]


def _check_offsets(offsets: npt.NDArray[Any], *, owners: int, owned: int, what: str) -> None:
    assert len(offsets) == owners + 1, f"{what}: one offset more than owners"
    assert int(offsets[0]) == 0, f"{what}: the first owner begins at 0"
    assert int(offsets[-1]) == owned, f"{what}: the last owner ends at the end"
    assert (np.diff(offsets) >= 0).all(), f"{what}: offsets never fall"


def _check_lines(lines: Lines, *, stop_count: int) -> None:
    line_count = len(lines.patterns)
    _check_offsets(lines.stop_offsets, owners=line_count, owned=len(lines.stops), what="positions")
    _check_offsets(lines.time_offsets, owners=line_count, owned=len(lines.arrivals), what="times")
    _check_offsets(lines.stop_line_offsets, owners=stop_count, owned=len(lines.stop_lines), what="boardings")
    counts, sizes = np.diff(lines.stop_offsets), np.diff(lines.time_offsets)
    assert (counts > 1).all(), "a line has at least two positions"
    assert ((lines.stops >= 0) & (lines.stops < stop_count)).all(), "a position is at a stop"
    assert (sizes > 0).all(), "a line has at least one run"
    assert (sizes % counts == 0).all(), "a line's times are whole runs"
    assert len(lines.board_early_s) == len(lines.alight_late_s) == line_count, "every line says how to board"
    assert (lines.board_early_s >= 0).all(), "nobody boards after the departure"
    assert (lines.alight_late_s >= 0).all(), "nobody is off before the arrival"
    assert (lines.arrivals <= lines.departures).all(), "nothing departs before it arrives"
    # Along a run the next arrival is not before this departure; from a run's end to the next's start it may.
    strides = np.repeat(counts, sizes)
    at = np.arange(len(lines.arrivals)) - np.repeat(lines.time_offsets[:-1], sizes)
    inside = (at % strides < strides - 1)[:-1]
    assert (lines.arrivals[1:][inside] >= lines.departures[:-1][inside]).all(), "time goes on along a run"
    following = np.flatnonzero(at + strides < np.repeat(sizes, sizes))
    later = following + strides[following]
    assert (lines.arrivals[later] >= lines.arrivals[following]).all(), "no run overtakes (arrivals)"
    assert (lines.departures[later] >= lines.departures[following]).all(), "no run overtakes (departures)"


def _check_walks(walks: Walks, *, stop_count: int) -> None:
    _check_offsets(walks.offsets, owners=stop_count, owned=len(walks.targets), what="footpaths")
    assert ((walks.targets >= 0) & (walks.targets < stop_count)).all(), "a footpath leads to a stop"
    assert (walks.walk_s >= 0).all(), "no walk takes negative time"
    assert (walks.walk_s < NOT_REACHED).all(), "a footpath can be walked"
    assert len(walks.change_s) == stop_count, "every stop says how long a change takes"
    assert (walks.change_s >= 0).all(), "no change takes negative time"
    sources = np.repeat(np.arange(stop_count), np.diff(walks.offsets))
    assert (sources != walks.targets).all(), "a change at one stop is change_s, not a footpath"


def _check_parts(timetable: Timetable) -> None:
    lines, parts, trips = timetable.lines, timetable.parts, timetable.trips
    line_count = timetable.line_count
    _check_offsets(parts.offsets, owners=line_count, owned=len(parts.starts), what="parts")
    _check_offsets(parts.trip_offsets, owners=line_count, owned=len(parts.trips), what="part trips")
    assert (parts.starts[parts.offsets[:-1]] == 0).all(), "a line's first part begins at its first position"
    run_counts = np.diff(lines.time_offsets) // np.diff(lines.stop_offsets)
    assert (np.diff(parts.trip_offsets) == run_counts * np.diff(parts.offsets)).all(), "a trip a part a run"
    assert ((parts.trips >= 0) & (parts.trips < len(trips.routes))).all(), "a part is a trip"
    _check_offsets(trips.run_offsets, owners=len(trips.routes), owned=len(trips.runs), what="trip runs")
    _check_offsets(
        trips.sequence_offsets, owners=len(trips.routes), owned=len(trips.sequences), what="stop sequences"
    )
    for column in (trips.bikes, trips.wheelchairs):
        assert len(column) == len(trips.routes), "every trip says what it takes, or that nobody knows"
        assert (column <= NO).all(), "it is unknown, yes or no"
    assert ((lines.patterns >= 0) & (lines.patterns < timetable.days.active.shape[0])).all(), "days are known"
    nodes, ways = timetable.nodes, timetable.pathways
    assert ((nodes.stops >= NONE) & (nodes.stops < timetable.stop_count)).all(), (
        "a platform is a stop, or none"
    )
    for ends in (ways.sources, ways.targets):
        assert ((ends >= 0) & (ends < len(nodes.stops))).all(), "a pathway joins two nodes"
    assert ways.seconds.shape == (len(ways.sources), len(PROFILES)), "a pathway has seconds for each profile"
    assert (ways.seconds >= ways.seconds[:, :1]).all(), "nobody is faster than a walker"
    stations = timetable.stations
    _check_offsets(stations.offsets, owners=len(stations.lat), owned=len(stations.stops), what="stations")
