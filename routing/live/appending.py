"""Lines and trips set behind those of a timetable, in new arrays; the old ones are never written to."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np

from routing.kernels.arrays import MAY_BOARD, Int32, Lines
from routing.live.changes import Calls
from routing.strings import append_strings
from routing.timetable import Parts, Timetable, Trips, index_boardings, mirror_lines


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLine:
    """A line of one run on one day: `calls` of its trips end to end; `starts` is where each trip's begin."""

    day: int
    calls: Calls
    trips: Sequence[int]
    starts: Sequence[int]
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
    first_s, last_s = _list_departures(added)
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
    stop_offsets = _offsets([len(each.calls.stops) for each in lines])
    stops = np.concatenate([each.calls.stops for each in lines]).astype(np.int32)
    flags = np.concatenate([each.calls.flags for each in lines]).astype(np.uint8)
    by_stop = index_boardings(stops, flags, stop_offsets, stop_count=stop_count)
    return Lines(
        stop_offsets=stop_offsets,
        stops=stops,
        flags=flags,
        time_offsets=stop_offsets.astype(np.int64),
        arrivals=np.concatenate([each.calls.arrivals_s for each in lines]).astype(np.int32),
        departures=np.concatenate([each.calls.departures_s for each in lines]).astype(np.int32),
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
    counts = [len(each.trips) for each in lines]
    new_trips = _int32([trip for each in lines for trip in each.trips])
    new_lines = np.repeat(np.arange(len(lines), dtype=np.int32) + np.int32(timetable.line_count), counts)
    new_parts = _int32([part for count in counts for part in range(count)])
    order = np.argsort(new_trips, kind="stable")
    at = trips.run_offsets[new_trips[order]]
    added = np.bincount(new_trips, minlength=len(trips.routes))
    joined = parts._replace(
        offsets=_join_offsets(parts.offsets, _offsets(counts)),
        starts=np.concatenate([parts.starts, _int32([start for each in lines for start in each.starts])]),
        trip_offsets=_join_offsets(parts.trip_offsets, _offsets(counts)),
        trips=np.concatenate([parts.trips, new_trips]),
    )
    runs = trips._replace(
        run_offsets=(trips.run_offsets + np.concatenate(([0], np.cumsum(added)))).astype(np.int32),
        run_lines=np.insert(trips.run_lines, at, new_lines[order]),
        runs=np.insert(trips.runs, at, np.int32(0)),
        run_parts=np.insert(trips.run_parts, at, new_parts[order]),
    )
    return joined, runs


def _list_departures(lines: Lines) -> tuple[Int32, Int32]:
    """Each line's first and last departure where one may board; where nobody may, its first at all."""
    first, last = list[int](), list[int]()
    for begin, end in zip(lines.stop_offsets[:-1].tolist(), lines.stop_offsets[1:].tolist(), strict=True):
        departures = lines.departures[begin : end - 1]
        boarding = departures[lines.flags[begin : end - 1] & MAY_BOARD != 0]
        chosen = boarding if len(boarding) else departures[:1]
        first.append(int(chosen.min()))
        last.append(int(chosen.max()))
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
