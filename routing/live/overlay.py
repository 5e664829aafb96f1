"""Changes laid over a timetable: another timetable, in which each changed run is a line of its own.

Problem   A late train overtakes, a skipped stop breaks a line, and a region cannot be compiled again every
          few seconds; yet a search must be as exact as on a timetable that was compiled with the changes.
Idea      A run of which a trip changes leaves its line that day, as cancelled ones do, and comes back behind
          the others as a line of one run, active on that day only. Everything downstream reads one timetable.
          Who stays seated does so as before: the whole run is laid anew, and a vehicle that is late on one
          trip is late on the next, as far as standing does not make up for it.
Bounds    Bounds hold, less `gain_s` a ride, while nothing calls where it did not; else the search must do
          without.
Invariant Times never fall along a run. What does not change is where it was, under the same index.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np

from routing.bounds import find_gain_s
from routing.live.appending import NewLine, NewTrip, append_lines, append_trips
from routing.live.changes import Calls, ExtraTrip, TripChange
from routing.timetable import Timetable

Sailing = tuple[int, int]
"""A trip on a day, both by index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlay:
    """A timetable with changes.

    planned       without them
    timetable     with them: all that `planned` has, under the same indices, and more behind it
    replaced      runs that are not as planned: line, run, day; not to be ridden
    changed       trips that are not as planned on a day: added ones too
    gain_s        how much faster a ride may be than the bounds of `planned` think (find_gain_s); None where
                  they do not hold, because something calls where nothing of its line did
    """

    planned: Timetable
    timetable: Timetable
    replaced: frozenset[tuple[int, int, int]]
    changed: frozenset[Sailing]
    gain_s: int | None


def lay_over(
    timetable: Timetable,
    changes: Iterable[TripChange],
    extras: Sequence[ExtraTrip] = (),
    cancelled: Iterable[Sailing] = (),
) -> Overlay:
    """The timetable with these changes, where `cancelled` trips do not run.

    The last change of a trip on a day holds; one of a trip that does not run that day says nothing, nor does
    one of a cancelled trip.
    """
    gone = frozenset(cancelled)
    by_trip = {(each.trip, each.day): each.calls for each in changes}
    by_trip = {key: calls for key, calls in by_trip.items() if key not in gone}
    runs = _list_runs(timetable, by_trip)
    lines = [line for run in runs for line in _run_anew(timetable, run, by_trip, gone)]
    first_new = len(timetable.trips.routes)
    whole = append_trips(timetable, [_new_trip(timetable, each) for each in extras])
    lines += [
        NewLine(
            day=each.day,
            calls=_rising(each.calls),
            trips=[first_new + i],
            starts=[0],
            board_early_s=each.board_early_s,
            alight_late_s=each.alight_late_s,
        )
        for i, each in enumerate(extras)
    ]
    changed = {(trip, day) for _, _, day, trips in runs for trip in trips if (trip, day) in by_trip}
    changed |= {(first_new + i, each.day) for i, each in enumerate(extras)}
    return Overlay(
        planned=timetable,
        timetable=append_lines(whole, lines),
        replaced=frozenset((line, run, day) for line, run, day, _ in runs),
        changed=frozenset(changed),
        gain_s=None if extras else _find_gain_s(timetable, runs, by_trip, gone),
    )


_Run = tuple[int, int, int, tuple[int, ...]]
"""Line, run and day, and the trips of its parts."""


def _list_runs(timetable: Timetable, changed: Mapping[Sailing, Calls]) -> list[_Run]:
    """The runs that a changed trip is part of."""
    trips, parts, lines = timetable.trips, timetable.parts, timetable.lines
    found: dict[tuple[int, int, int], tuple[int, ...]] = {}
    for trip, day in changed:
        for i in range(int(trips.run_offsets[trip]), int(trips.run_offsets[trip + 1])):
            line, run = int(trips.run_lines[i]), int(trips.runs[i])
            if (line, run, day) in found or not timetable.days.active[lines.patterns[line], day]:
                continue
            count = int(parts.offsets[line + 1] - parts.offsets[line])
            first = int(parts.trip_offsets[line]) + run * count
            found[line, run, day] = tuple(parts.trips[first : first + count].tolist())
    return [(*key, its_trips) for key, its_trips in found.items()]


def _run_anew(
    timetable: Timetable, run: _Run, changed: Mapping[Sailing, Calls], gone: frozenset[Sailing]
) -> Iterator[NewLine]:
    """What is ridden of the run, with times that rise along each stretch of it."""
    line, _, day, trips = run
    planned = _planned(timetable, run)
    now = [changed.get((trip, day)) or calls for trip, calls in zip(trips, planned, strict=True)]
    for stretch in _list_stretches(trips, day, gone):
        counts = [len(now[each].stops) for each in stretch]
        yield NewLine(
            day=day,
            calls=_rising(_join([now[each] for each in stretch])),
            trips=[trips[each] for each in stretch],
            starts=[0, *accumulate(counts[:-1])],
            board_early_s=int(timetable.lines.board_early_s[line]),
            alight_late_s=int(timetable.lines.alight_late_s[line]),
        )


def _list_stretches(trips: Sequence[int], day: int, gone: frozenset[Sailing]) -> list[list[int]]:
    """The longest series of parts of which none is cancelled."""
    stretches: list[list[int]] = [[]]
    for part, trip in enumerate(trips):
        if (trip, day) in gone:
            stretches.append([])
        else:
            stretches[-1].append(part)
    return [stretch for stretch in stretches if stretch]


def _planned(timetable: Timetable, run: _Run) -> Iterator[Calls]:
    """The planned calls of each part."""
    line, number, _, trips = run
    lines, parts = timetable.lines, timetable.parts
    begin, end = int(lines.stop_offsets[line]), int(lines.stop_offsets[line + 1])
    times = int(lines.time_offsets[line]) + number * (end - begin)
    first = int(parts.offsets[line])
    starts = [*parts.starts[first : first + len(trips)].tolist(), end - begin]
    for low, high in pairwise(starts):
        yield Calls(
            stops=lines.stops[begin + low : begin + high],
            flags=lines.flags[begin + low : begin + high],
            arrivals_s=lines.arrivals[times + low : times + high],
            departures_s=lines.departures[times + low : times + high],
        )


def _join(calls: Sequence[Calls]) -> Calls:
    return Calls(*(np.concatenate(column) for column in zip(*calls, strict=True)))


def _rising(calls: Calls) -> Calls:
    """The same, nothing earlier than what comes before it."""
    times = np.empty(2 * len(calls.stops), dtype=np.int32)
    times[0::2], times[1::2] = calls.arrivals_s, calls.departures_s
    times = np.maximum.accumulate(times)
    return calls._replace(arrivals_s=times[0::2], departures_s=times[1::2])


def _find_gain_s(
    timetable: Timetable, runs: Iterable[_Run], changed: Mapping[Sailing, Calls], gone: frozenset[Sailing]
) -> int | None:
    """The most that any of the runs gains; None where one calls where it did not, or is cut and changed."""
    most_s = 0
    for run in runs:
        line, _, day, trips = run
        planned = list(_planned(timetable, run))
        now = [changed.get((trip, day)) or calls for trip, calls in zip(trips, planned, strict=True)]
        for was, calls in zip(planned, now, strict=True):
            is_alike = len(was.stops) == len(calls.stops) and (was.stops == calls.stops).all()
            if not is_alike or (calls.flags & ~was.flags).any():
                return None
        if any((trip, day) in gone for trip in trips):
            return None
        whole = _rising(_join(now))
        most_s = max(most_s, find_gain_s(timetable.lines, line, whole.arrivals_s, whole.departures_s))
    return most_s


def _new_trip(timetable: Timetable, extra: ExtraTrip) -> NewTrip:
    # A route is of the feed of any of its trips.
    of_route = np.flatnonzero(timetable.trips.routes == extra.route)
    feed = int(timetable.trips.feeds[of_route[0]]) if len(of_route) else 0
    return NewTrip(
        trip_id=extra.trip_id, route=extra.route, feed=feed, headsign=extra.headsign, name=extra.name
    )
