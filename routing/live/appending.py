"""Lines and trips set behind those of a timetable, in new arrays; the old ones are never written to."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from routing.kernels.arrays import MAY_BOARD, Int32, Lines
from routing.strings import append_strings
from routing.timetable import UNKNOWN, Parts, Timetable, Trips, index_boardings, mirror_lines


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLine:
    """A line of r runs on one day, none of which overtakes another; of n positions and p parts.

    stops, flags             int32[n], uint8[n]
    arrivals_s, departures_s int32[r, n]
    trips, starts            int32[r, p], int32[p]  the trips of each run, and where in it each begins
    """

    day: int
    stops: Int32
    flags: npt.NDArray[np.uint8]
    arrivals_s: Int32
    departures_s: Int32
    trips: Int32
    starts: Int32
    board_early_s: int
    alight_late_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTrip:
    """A trip that the timetable has not; indices as in routing.timetable.Trips."""

    trip_id: str
    route: int
    feed: int
    headsign: str
    name: str


def append_trips(timetable: Timetable, trips: Sequence[NewTrip]) -> Timetable:
    """The timetable with these trips behind its own; they run on no line yet."""
    if not trips:
        return timetable
    known = timetable.trips
    last = int(known.run_offsets[-1])
    headsigns = len(timetable.headsigns.order)
    names = len(timetable.trip_names.order)
    count = len(trips)
    unknown = np.full(count, UNKNOWN, dtype=np.uint8)
    return replace(
        timetable,
        trip_ids=append_strings(timetable.trip_ids, [each.trip_id for each in trips]),
        headsigns=append_strings(timetable.headsigns, [each.headsign for each in trips]),
        trip_names=append_strings(timetable.trip_names, [each.name for each in trips]),
        trips=known._replace(
            routes=_append(known.routes, [each.route for each in trips]),
            headsigns=_append(known.headsigns, range(headsigns, headsigns + count)),
            names=_append(known.names, range(names, names + count)),
            feeds=_append(known.feeds, [each.feed for each in trips]),
            bikes=np.concatenate([known.bikes, unknown]),
            wheelchairs=np.concatenate([known.wheelchairs, unknown]),
            sequence_offsets=_append(known.sequence_offsets, [int(known.sequence_offsets[-1])] * count),
            run_offsets=_append(known.run_offsets, [last] * count),
        ),
    )


def append_lines(timetable: Timetable, lines: Sequence[NewLine]) -> Timetable:
    """The timetable with these lines behind its own, each active on its day only.

    Of a trip's runs those that are appended come first: who asks for its run on a day finds the new one.
    """
    if not lines:
        return timetable
    days = sorted({each.day for each in lines})
    pattern_of = {day: len(timetable.days.active) + i for i, day in enumerate(days)}
    active = np.zeros((len(days), timetable.day_count), dtype=np.uint8)
    active[np.arange(len(days)), days] = 1
    added = _make_lines(lines, pattern_of, stop_count=timetable.stop_count)
    mirrored = mirror_lines(added, stop_count=timetable.stop_count)
    first_s, last_s = _list_departures(lines)
    known = timetable.days
    parts, trips = _join_parts(timetable, lines)
    return replace(
        timetable,
        lines=_join_lines(timetable.lines, added),
        mirror=_join_lines(timetable.mirror, mirrored),
        days=known._replace(
            active=np.concatenate([known.active, active]),
            first_departure_s=np.concatenate([known.first_departure_s, first_s]),
            last_departure_s=np.concatenate([known.last_departure_s, last_s]),
        ),
        parts=parts,
        trips=trips,
    )


def _make_lines(lines: Sequence[NewLine], pattern_of: dict[int, int], *, stop_count: int) -> Lines:
    stop_offsets = _offsets([len(each.stops) for each in lines])
    stops = np.concatenate([each.stops for each in lines]).astype(np.int32)
    flags = np.concatenate([each.flags for each in lines]).astype(np.uint8)
    by_stop = index_boardings(stops, flags, stop_offsets, stop_count=stop_count)
    return Lines(
        stop_offsets=stop_offsets,
        stops=stops,
        flags=flags,
        time_offsets=_offsets([each.arrivals_s.size for each in lines]).astype(np.int64),
        arrivals=np.concatenate([each.arrivals_s.ravel() for each in lines]).astype(np.int32),
        departures=np.concatenate([each.departures_s.ravel() for each in lines]).astype(np.int32),
        patterns=_int32([pattern_of[each.day] for each in lines]),
        board_early_s=_int32([each.board_early_s for each in lines]),
        alight_late_s=_int32([each.alight_late_s for each in lines]),
        stop_line_offsets=by_stop[0],
        stop_lines=by_stop[1],
        stop_positions=by_stop[2],
    )


def _join_lines(known: Lines, added: Lines) -> Lines:
    line_count = len(known.patterns)
    # Behind what each stop has.
    at = np.repeat(known.stop_line_offsets[1:].astype(np.int64), np.diff(added.stop_line_offsets))
    return Lines(
        stop_offsets=_join_offsets(known.stop_offsets, added.stop_offsets),
        stops=np.concatenate([known.stops, added.stops]),
        flags=np.concatenate([known.flags, added.flags]),
        time_offsets=np.concatenate([known.time_offsets, added.time_offsets[1:] + known.time_offsets[-1]]),
        arrivals=np.concatenate([known.arrivals, added.arrivals]),
        departures=np.concatenate([known.departures, added.departures]),
        patterns=np.concatenate([known.patterns, added.patterns]),
        board_early_s=np.concatenate([known.board_early_s, added.board_early_s]),
        alight_late_s=np.concatenate([known.alight_late_s, added.alight_late_s]),
        stop_line_offsets=known.stop_line_offsets + added.stop_line_offsets,
        stop_lines=np.insert(known.stop_lines, at, added.stop_lines + np.int32(line_count)),
        stop_positions=np.insert(known.stop_positions, at, added.stop_positions),
    )


def _join_parts(timetable: Timetable, lines: Sequence[NewLine]) -> tuple[Parts, Trips]:
    """Parts of the new lines, and the trips' runs with those on new lines before the others."""
    parts, trips = timetable.parts, timetable.trips
    new_trips = np.concatenate([each.trips.ravel() for each in lines]).astype(np.int32)
    first = np.int32(timetable.line_count)
    new_lines = np.repeat(np.arange(len(lines), dtype=np.int32) + first, [each.trips.size for each in lines])
    new_runs = np.concatenate([np.repeat(np.arange(len(each.trips)), len(each.starts)) for each in lines])
    new_parts = np.concatenate([np.tile(np.arange(len(each.starts)), len(each.trips)) for each in lines])
    order = np.argsort(new_trips, kind="stable")
    at = trips.run_offsets[new_trips[order]]
    added = np.bincount(new_trips, minlength=len(trips.routes))
    joined = parts._replace(
        offsets=_join_offsets(parts.offsets, _offsets([len(each.starts) for each in lines])),
        starts=np.concatenate([parts.starts, *(each.starts for each in lines)]),
        trip_offsets=_join_offsets(parts.trip_offsets, _offsets([each.trips.size for each in lines])),
        trips=np.concatenate([parts.trips, new_trips]),
    )
    runs = trips._replace(
        run_offsets=(trips.run_offsets + np.concatenate(([0], np.cumsum(added)))).astype(np.int32),
        run_lines=np.insert(trips.run_lines, at, new_lines[order]),
        runs=np.insert(trips.runs, at, new_runs[order].astype(np.int32)),
        run_parts=np.insert(trips.run_parts, at, new_parts[order].astype(np.int32)),
    )
    return joined, runs


def _list_departures(lines: Sequence[NewLine]) -> tuple[Int32, Int32]:
    """Each line's first and last departure where one may board; where nobody may, those of its first call."""
    first, last = list[int](), list[int]()
    for each in lines:
        may_board = each.flags[:-1] & MAY_BOARD != 0
        boarded = np.flatnonzero(may_board) if may_board.any() else np.zeros(1, dtype=np.int64)
        first.append(int(each.departures_s[0, boarded].min()))
        last.append(int(each.departures_s[-1, boarded].max()))
    return _int32(first), _int32(last)


def _join_offsets(known: Int32, added: Int32) -> Int32:
    joined: Int32 = np.concatenate([known, added[1:] + known[-1]]).astype(known.dtype)
    return joined


def _offsets(counts: Sequence[int]) -> Int32:
    return _int32([0, *accumulate(counts)])


def _append(column: Int32, values: Sequence[int]) -> Int32:
    return np.concatenate([column, _int32(values)])


def _int32(values: Sequence[int]) -> Int32:
    return np.array(values, dtype=np.int32)
