"""Changes laid over a timetable: another timetable, in which each changed line has moved behind the others.

Problem   A late train overtakes, a skipped stop breaks a line, and a region cannot be compiled again every
          few seconds; yet a search must be as exact, and nearly as fast, as on a timetable that was compiled
          with the changes.
Idea      A line of which a run changes leaves its place that day and is set behind the others as another
          line, active on that day only, with the new times. A changed run that would overtake there, or calls
          elsewhere, becomes a line of its own. Everything downstream reads one timetable. Who stays seated
          does so as before: the whole run is laid anew, and a vehicle that is late on one trip is late on the
          next, as far as standing does not make up for it.
Bounds    Bounds hold, less `gain_s` a ride, while nothing calls where it did not; else the search must do
          without.
Invariant Times never fall along a run. What does not change is where it was, under the same index.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise

import numpy as np

from routing.kernels.arrays import Int32
from routing.kernels.bounds import find_gain, find_shortest
from routing.live.appending import NewLine, NewTrip, append_lines, append_trips
from routing.live.changes import Calls, ExtraTrip, TripChange
from routing.timetable import Timetable

Sailing = tuple[int, int]
"""A trip on a day, both by index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlay:
    """A timetable with changes.

    planned    without them
    timetable  with them: all that `planned` has, under the same indices, and more behind it
    moved      lines (with a day) that stand behind the others that day, and must not be used in their place
    changed    trips that are not as planned on a day: added ones too
    gain_s     how much faster a ride may be than the bounds of `planned` think (kernels/bounds.py); None
               where they do not hold, because something calls where nothing of its line did
    """

    planned: Timetable
    timetable: Timetable
    moved: frozenset[tuple[int, int]]
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
    mover = _Mover(timetable, by_trip, gone)
    by_line = _list_runs(timetable, by_trip)
    for (line, day), runs in by_line.items():
        mover.move(line, day, runs)
    first_new = len(timetable.trips.routes)
    lines = mover.lines + [_extra_line(each, first_new + i) for i, each in enumerate(extras)]
    changed = mover.changed | {(first_new + i, each.day) for i, each in enumerate(extras)}
    whole = append_trips(timetable, [_new_trip(timetable, each) for each in extras])
    return Overlay(
        planned=timetable,
        timetable=append_lines(whole, lines),
        moved=frozenset(by_line),
        changed=frozenset(changed),
        gain_s=None if extras else mover.gain_s,
    )


def _list_runs(timetable: Timetable, changed: Iterable[Sailing]) -> dict[tuple[int, int], set[int]]:
    """The runs that a changed trip is part of, by line and day."""
    trips, lines, days = timetable.trips, timetable.lines, timetable.days
    found: dict[tuple[int, int], set[int]] = {}
    for trip, day in changed:
        for i in range(int(trips.run_offsets[trip]), int(trips.run_offsets[trip + 1])):
            line = int(trips.run_lines[i])
            if days.active[lines.patterns[line], day]:
                found.setdefault((line, day), set()).add(int(trips.runs[i]))
    return found


@dataclass(slots=True)
class _Chain:
    """Runs none of which overtakes another, in order; `place` sets more of them between the first ones."""

    arrivals_s: Int32
    departures_s: Int32
    trips: Int32
    gaps: list[int] = field(default_factory=list)
    rows: list[tuple[Int32, Int32, Int32]] = field(default_factory=list)

    def place(self, arrivals_s: Int32, departures_s: Int32, trips: Int32) -> bool:
        """Take a run in, unless it would overtake or be overtaken. Runs come by their first departure."""
        gap = int(np.searchsorted(self.departures_s[:, 0], departures_s[0], side="right"))
        before = after = None
        if gap:
            before = self.arrivals_s[gap - 1], self.departures_s[gap - 1]
        if gap < len(self.arrivals_s):
            after = self.arrivals_s[gap], self.departures_s[gap]
        if self.gaps and self.gaps[-1] == gap:
            before = self.rows[-1][:2]
        now = arrivals_s, departures_s
        if (before is not None and not _is_no_later(before, now)) or (
            after is not None and not _is_no_later(now, after)
        ):
            return False
        self.gaps.append(gap)
        self.rows.append((arrivals_s, departures_s, trips))
        return True

    def join(self) -> tuple[Int32, Int32, Int32]:
        """All runs in their order: arrivals, departures, trips."""
        if not self.rows:
            return self.arrivals_s, self.departures_s, self.trips
        known = (self.arrivals_s, self.departures_s, self.trips)
        # Those that were set into a gap stand before the run that follows it, in the order of their coming.
        places = np.concatenate([np.arange(len(self.trips)), np.array(self.gaps) - 0.5])
        order = np.argsort(places, kind="stable")
        arrivals_s, departures_s, trips = (
            np.concatenate([column, np.array(new)])[order]
            for column, new in zip(known, zip(*self.rows, strict=True), strict=True)
        )
        return arrivals_s, departures_s, trips


def _is_no_later(first: tuple[Int32, Int32], second: tuple[Int32, Int32]) -> bool:
    return bool((first[0] <= second[0]).all() and (first[1] <= second[1]).all())


class _Mover:
    """Makes the lines that stand in for changed ones."""

    def __init__(
        self, timetable: Timetable, calls_of: Mapping[Sailing, Calls], gone: frozenset[Sailing]
    ) -> None:
        self._timetable = timetable
        self._calls_of = calls_of
        self._gone = gone
        self._ride_s, self._stand_s = (np.empty_like(timetable.lines.stops) for _ in range(2))
        find_shortest(timetable.lines, self._ride_s, self._stand_s)
        self.lines: list[NewLine] = []
        self.changed: set[Sailing] = set()
        self.gain_s: int | None = 0

    def move(self, line: int, day: int, runs: set[int]) -> None:
        """All runs of a line on a day, with those that change as they are now."""
        lines, parts = self._timetable.lines, self._timetable.parts
        begin, end = int(lines.stop_offsets[line]), int(lines.stop_offsets[line + 1])
        times = slice(int(lines.time_offsets[line]), int(lines.time_offsets[line + 1]))
        starts = parts.starts[int(parts.offsets[line]) : int(parts.offsets[line + 1])]
        arrivals_s = lines.arrivals[times].reshape(-1, end - begin)
        departures_s = lines.departures[times].reshape(-1, end - begin)
        trips = parts.trips[int(parts.trip_offsets[line]) : int(parts.trip_offsets[line + 1])]
        trips = trips.reshape(-1, len(starts))
        is_kept = np.ones(len(trips), dtype=np.bool_)
        is_kept[list(runs)] = False
        whole = Calls(lines.stops[begin:end], lines.flags[begin:end], arrivals_s[0], departures_s[0])
        bounds = [*starts.tolist(), end - begin]
        fitting = []
        for run in sorted(runs):
            planned = whole._replace(arrivals_s=arrivals_s[run], departures_s=departures_s[run])
            now = self._tell_parts(planned, trips[run].tolist(), day, bounds)
            if now is None:
                self._set_alone(line, day, planned, trips[run], bounds)
            else:
                self._note_gain(begin, end, now)
                fitting.append((now.arrivals_s, now.departures_s, trips[run]))
        chains = [_Chain(arrivals_s[is_kept], departures_s[is_kept], trips[is_kept])]
        for row in sorted(fitting, key=lambda row: int(row[1][0])):
            if not any(chain.place(*row) for chain in chains):
                chains.append(_Chain(row[0][None], row[1][None], row[2][None]))
        for chain in chains:
            if len(chain.trips) or chain.rows:
                self._add(line, day, whole, starts, chain.join())

    def _tell_parts(
        self, planned: Calls, trips: Sequence[int], day: int, bounds: Sequence[int]
    ) -> Calls | None:
        """A run as it is now; None where it has other calls than its line, or is cut."""
        now = []
        for trip, (low, high) in zip(trips, pairwise(bounds), strict=True):
            if (trip, day) in self._gone:
                return None
            calls = self._calls_of.get((trip, day))
            if calls is None:
                now.append((planned.arrivals_s[low:high], planned.departures_s[low:high]))
                continue
            self.changed.add((trip, day))
            # Bytes are compared several times faster than so short arrays.
            is_alike = calls.stops.tobytes() == planned.stops[low:high].tobytes()
            if not is_alike or calls.flags.tobytes() != planned.flags[low:high].tobytes():
                return None
            now.append((calls.arrivals_s, calls.departures_s))
        arrivals_s, departures_s = (np.concatenate(column) for column in zip(*now, strict=True))
        return _rising(planned._replace(arrivals_s=arrivals_s, departures_s=departures_s))

    def _note_gain(self, begin: int, end: int, now: Calls) -> None:
        if self.gain_s is not None:
            gain_s = find_gain(
                self._ride_s[begin:end], self._stand_s[begin:end], now.arrivals_s, now.departures_s
            )
            self.gain_s = max(self.gain_s, gain_s)

    def _set_alone(self, line: int, day: int, planned: Calls, trips: Int32, bounds: Sequence[int]) -> None:
        """What is ridden of a run that does not fit its line: stretches of trips that are not cancelled."""
        calls: list[Calls] = []
        its_trips: list[int] = []
        is_other = False
        for trip, (low, high) in [*zip(trips.tolist(), pairwise(bounds), strict=True), (-1, (0, 0))]:
            if trip >= 0 and (trip, day) not in self._gone:
                was = _cut(planned, low, high)
                now = self._calls_of.get((trip, day)) or was
                if now is not was:
                    self.changed.add((trip, day))
                is_other |= len(now.stops) != len(was.stops) or bool((now.stops != was.stops).any())
                is_other = is_other or bool((now.flags & ~was.flags).any())
                calls.append(now)
                its_trips.append(trip)
                continue
            if calls:
                whole = _rising(Calls(*(np.concatenate(column) for column in zip(*calls, strict=True))))
                starts = np.array([0, *accumulate(len(each.stops) for each in calls[:-1])], dtype=np.int32)
                row = (
                    whole.arrivals_s[None],
                    whole.departures_s[None],
                    np.array([its_trips], dtype=np.int32),
                )
                self._add(line, day, whole, starts, row)
            calls, its_trips = [], []
        is_cut = any((trip, day) in self._gone for trip in trips.tolist())
        if is_other or is_cut:
            self.gain_s = None
        elif self.gain_s is not None:
            lines, newest = self._timetable.lines, self.lines[-1]
            now = planned._replace(arrivals_s=newest.arrivals_s[0], departures_s=newest.departures_s[0])
            self._note_gain(int(lines.stop_offsets[line]), int(lines.stop_offsets[line + 1]), now)

    def _add(
        self, line: int, day: int, whole: Calls, starts: Int32, rows: tuple[Int32, Int32, Int32]
    ) -> None:
        arrivals_s, departures_s, trips = rows
        self.lines.append(
            NewLine(
                day=day,
                stops=whole.stops,
                flags=whole.flags,
                arrivals_s=arrivals_s,
                departures_s=departures_s,
                trips=trips,
                starts=starts,
                board_early_s=int(self._timetable.lines.board_early_s[line]),
                alight_late_s=int(self._timetable.lines.alight_late_s[line]),
            )
        )


def _cut(calls: Calls, low: int, high: int) -> Calls:
    return Calls(
        stops=calls.stops[low:high],
        flags=calls.flags[low:high],
        arrivals_s=calls.arrivals_s[low:high],
        departures_s=calls.departures_s[low:high],
    )


def _rising(calls: Calls) -> Calls:
    """The same, nothing earlier than what comes before it."""
    times = np.empty(2 * len(calls.stops), dtype=np.int32)
    times[0::2], times[1::2] = calls.arrivals_s, calls.departures_s
    times = np.maximum.accumulate(times)
    return calls._replace(arrivals_s=times[0::2], departures_s=times[1::2])


def _extra_line(extra: ExtraTrip, trip: int) -> NewLine:
    calls = _rising(extra.calls)
    return NewLine(
        day=extra.day,
        stops=calls.stops,
        flags=calls.flags,
        arrivals_s=calls.arrivals_s[None],
        departures_s=calls.departures_s[None],
        trips=np.array([[trip]], dtype=np.int32),
        starts=np.zeros(1, dtype=np.int32),
        board_early_s=extra.board_early_s,
        alight_late_s=extra.alight_late_s,
    )


def _new_trip(timetable: Timetable, extra: ExtraTrip) -> NewTrip:
    # A route is of the feed of any of its trips.
    of_route = np.flatnonzero(timetable.trips.routes == extra.route)
    feed = int(timetable.trips.feeds[of_route[0]]) if len(of_route) else 0
    return NewTrip(
        trip_id=extra.trip_id, route=extra.route, feed=feed, headsign=extra.headsign, name=extra.name
    )
