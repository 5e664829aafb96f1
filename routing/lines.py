"""Group runs into lines that never overtake.

Problem   A binary search for "the first run I can catch" needs runs of one stop sequence in an order that
          holds at every stop; real trains of one stop sequence do overtake one another now and then.
Idea      Sort runs by a hash of what a line has in common (stops, boarding rules, parts, day pattern), then
          by time. Compare neighbours in one sweep; only groups in which a run overtakes are split, each run
          going to the first line whose last run it does not overtake. Comparing rules out hash collisions.
Not here  What the arrays mean: kernels/arrays.py.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from routing.kernels.arrays import MAY_ALIGHT, MAY_BOARD, Int32, Lines
from routing.timetable import Days, Parts, index_boardings

PART_START = np.uint8(4)
"""A third bit of a call's flags while building: a further trip of the run begins here."""

CHECKS_IN = np.uint8(8)
"""A fourth: the vehicle is a ship, and one must be there some time before it leaves."""

Uint64 = npt.NDArray[np.uint64]


class Calls(NamedTuple):
    """Runs and their calls, run after run. R runs, C calls.

    offsets int64[R+1]; patterns int32[R]
    stops, arrivals, departures int32[C]; flags uint8[C] (with PART_START, CHECKS_IN)
    trip_offsets int64[R+1], trips int32[]: the trips of each run
    """

    offsets: npt.NDArray[np.int64]
    stops: Int32
    arrivals: Int32
    departures: Int32
    flags: npt.NDArray[np.uint8]
    patterns: Int32
    trip_offsets: npt.NDArray[np.int64]
    trips: Int32


def gather_slices(
    offsets: npt.NDArray[np.int64], chosen: npt.NDArray[Any]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Indices that lay the chosen owners' slices end to end, and their new offsets."""
    lengths = (offsets[1:] - offsets[:-1])[chosen]
    new_offsets = np.zeros(len(chosen) + 1, dtype=np.int64)
    np.cumsum(lengths, out=new_offsets[1:])
    shift = np.repeat(offsets[:-1][chosen] - new_offsets[:-1], lengths)
    return np.arange(int(new_offsets[-1]), dtype=np.int64) + shift, new_offsets


def reorder(calls: Calls, order: npt.NDArray[Any]) -> Calls:
    """The same runs in another order."""
    index, offsets = gather_slices(calls.offsets, order)
    trip_index, trip_offsets = gather_slices(calls.trip_offsets, order)
    return Calls(
        offsets=offsets,
        stops=calls.stops[index],
        arrivals=calls.arrivals[index],
        departures=calls.departures[index],
        flags=calls.flags[index],
        patterns=calls.patterns[order],
        trip_offsets=trip_offsets,
        trips=calls.trips[trip_index],
    )


def build_lines(
    calls: Calls, *, stop_count: int, check_in_s: int
) -> tuple[Lines, Parts, Days, npt.NDArray[np.int64]]:
    """Lines, their parts and hours (`Days.active` still empty), and for each run its line's index."""
    keys = _line_keys(calls)
    first = calls.departures[calls.offsets[:-1]]
    last = calls.arrivals[calls.offsets[1:] - 1]
    calls_sorted = reorder(calls, order := np.lexsort((last, first, keys)))
    groups = _groups(calls_sorted, keys[order])
    line_of = _split_overtaking(calls_sorted, groups)
    settled = np.argsort(line_of, kind="stable")
    if not (settled[1:] > settled[:-1]).all():
        calls_sorted, line_of = reorder(calls_sorted, settled), line_of[settled]
    return *_assemble(calls_sorted, line_of, stop_count=stop_count, check_in_s=check_in_s), line_of


def _mix(values: Uint64) -> Uint64:
    """Splitmix64's finaliser: neighbours come out unrelated."""
    mixed = values + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _line_keys(calls: Calls) -> Uint64:
    lengths = np.diff(calls.offsets)
    position = np.arange(len(calls.stops), dtype=np.int64) - np.repeat(calls.offsets[:-1], lengths)
    here = calls.stops.astype(np.uint64) << np.uint64(28) | position.astype(np.uint64) << np.uint64(4)
    mixed = _mix((here | calls.flags.astype(np.uint64)).astype(np.uint64))
    sums: Uint64 = np.add.reduceat(mixed, calls.offsets[:-1])
    return _mix(sums ^ _mix(calls.patterns.astype(np.uint64)) + lengths.astype(np.uint64))


def _groups(calls: Calls, keys: Uint64) -> npt.NDArray[np.int64]:
    """Number the groups of equal keys, and prove that equal keys mean equal lines."""
    same = np.append(False, keys[1:] == keys[:-1])
    lengths = np.diff(calls.offsets)
    assert (lengths[1:][same[1:]] == lengths[:-1][same[1:]]).all(), "equal keys, equal lengths"
    assert (calls.patterns[1:][same[1:]] == calls.patterns[:-1][same[1:]]).all(), "equal keys, equal days"
    index, _ = gather_slices(calls.offsets, np.flatnonzero(same))
    before = index - np.repeat(lengths[same], lengths[same])
    assert (calls.stops[index] == calls.stops[before]).all(), "equal keys, equal stops"
    assert (calls.flags[index] == calls.flags[before]).all(), "equal keys, equal boarding"
    return np.asarray(np.cumsum(~same) - 1, dtype=np.int64)


def _split_overtaking(calls: Calls, groups: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """A line for each run; runs are sorted by group, then time. Numbers follow the groups' order."""
    followers = np.flatnonzero(np.diff(groups, prepend=-1) == 0)
    index, offsets = gather_slices(calls.offsets, followers)
    before = index - np.repeat(np.diff(offsets), np.diff(offsets))
    overtakes = (calls.arrivals[index] < calls.arrivals[before]) | (
        calls.departures[index] < calls.departures[before]
    )
    has_overtaken = np.logical_or.reduceat(overtakes, offsets[:-1]) if len(followers) else overtakes
    part = np.zeros(len(groups), dtype=np.int64)
    for group in np.unique(groups[followers[has_overtaken]]):
        begin, end = np.searchsorted(groups, [group, group + 1])
        part[begin:end] = _first_fit(calls, int(begin), int(end))
    _, line_of = np.unique(groups * (int(part.max(initial=0)) + 1) + part, return_inverse=True)
    return np.asarray(line_of, dtype=np.int64)


def _first_fit(calls: Calls, begin: int, end: int) -> list[int]:
    lasts: list[npt.NDArray[np.int32]] = []
    chosen = []
    for run in range(begin, end):
        here = slice(calls.offsets[run], calls.offsets[run + 1])
        times = np.concatenate((calls.arrivals[here], calls.departures[here]))
        fitting = (i for i, last in enumerate(lasts) if (times >= last).all())
        line = next(fitting, len(lasts))
        lasts[line : line + 1] = [times]
        chosen.append(line)
    return chosen


def _assemble(
    calls: Calls, line_of: npt.NDArray[np.int64], *, stop_count: int, check_in_s: int
) -> tuple[Lines, Parts, Days]:
    leaders = np.flatnonzero(np.diff(line_of, prepend=-1))
    ends = np.append(leaders[1:], len(line_of))
    index, stop_offsets = gather_slices(calls.offsets, leaders)
    offsets32 = stop_offsets.astype(np.int32)
    flags = calls.flags[index]
    boarding = flags & (MAY_BOARD | MAY_ALIGHT)
    checks_in = np.logical_or.reduceat(flags & CHECKS_IN != 0, stop_offsets[:-1])
    by_stop = index_boardings(calls.stops[index], boarding, offsets32, stop_count=stop_count)
    lines = Lines(
        stop_offsets=offsets32,
        stops=calls.stops[index],
        flags=boarding,
        time_offsets=np.append(calls.offsets[leaders], calls.offsets[-1]),
        arrivals=calls.arrivals,
        departures=calls.departures,
        patterns=calls.patterns[leaders],
        board_early_s=np.where(checks_in, check_in_s, 0).astype(np.int32),
        alight_late_s=np.zeros(len(leaders), dtype=np.int32),
        stop_line_offsets=by_stop[0],
        stop_lines=by_stop[1],
        stop_positions=by_stop[2],
    )
    position = np.arange(len(index)) - np.repeat(stop_offsets[:-1], np.diff(stop_offsets))
    is_start = (position == 0) | (flags & PART_START != 0)
    part_counts = np.add.reduceat(is_start.astype(np.int32), stop_offsets[:-1])
    parts = Parts(
        offsets=np.concatenate(([0], np.cumsum(part_counts))).astype(np.int32),
        starts=position[is_start].astype(np.int32),
        trip_offsets=np.append(calls.trip_offsets[leaders], calls.trip_offsets[-1]).astype(np.int32),
        trips=calls.trips,
    )
    # Runs are in order, so a line's first run opens it and its last run closes it.
    closing = calls.departures[calls.offsets[ends] - 2]
    days = Days(
        active=np.zeros((0, 0), dtype=np.uint8),
        first_departure_s=calls.departures[calls.offsets[leaders]],
        last_departure_s=closing,
    )
    return lines, parts, days
