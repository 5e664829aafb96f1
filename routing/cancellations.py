"""Trips that do not run on some day, while the compiled network says they do.

Problem   An operator cancels tonight's boat; compiling a region again for one boat would take too long, and
          searches that have begun must not see it half done.
Idea      A set of (trip, day), never changed once made. A run of several trips end to end keeps those parts
          that still run: of each run touched there remain *stretches* of positions, and of each line touched
          *blocks*, rectangles of runs and positions, which the search treats as lines of their own. Of a
          line that has moved (live/overlay.py) nothing is left.
Invariant Blocks of a line on a day never share a ride, and together hold every ride that needs no cancelled
          trip. Nobody stays seated across a cancelled trip.
"""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np

from routing.timetable import Timetable


class Block(NamedTuple):
    """The runs [run_from, run_to) of a line, between the positions [position_from, position_to)."""

    run_from: int
    run_to: int
    position_from: int
    position_to: int


class Cancellations:
    """Cancelled trips on their days, by index into one timetable. Immutable."""

    def __init__(
        self,
        timetable: Timetable,
        cancelled: Iterable[tuple[int, date]],
        moved: Iterable[tuple[int, int]] = (),
    ) -> None:
        """`moved`: lines (line, day) for which others stand in that day (live/overlay.py)."""
        self._timetable = timetable
        self.moved = frozenset(moved)
        self._trips = frozenset(
            (trip, day)
            for trip, on in cancelled
            if 0 <= (day := (on - timetable.first_date).days) < timetable.day_count
        )
        # day -> line -> run -> its parts that do not run
        self._parts: dict[int, dict[int, dict[int, set[int]]]] = {}
        for trip, day in self._trips:
            self._cut(trip, day)
        for line, day in self.moved:
            self._parts.setdefault(day, {}).setdefault(line, {})

    def __len__(self) -> int:
        return len(self._trips)

    def list_trips(self) -> list[tuple[int, date]]:
        """The cancelled trips with their dates, in order."""
        first = self._timetable.first_date
        return [(trip, first + timedelta(days=day)) for trip, day in sorted(self._trips)]

    def is_cancelled(self, trip: int, day: int) -> bool:
        """Whether this trip was called off on that day (an index)."""
        return (trip, day) in self._trips

    def touches(self, days: range) -> bool:
        """Whether anything is cancelled on one of these days."""
        return any(day in days for day in self._parts)

    def list_lines(self, day: int) -> list[int]:
        """Lines of which some run is touched that day."""
        return sorted(self._parts.get(day, ()))

    def list_blocks(self, line: int, day: int) -> list[Block]:
        """What is left of a line that day: everything that can still be ridden."""
        if (line, day) in self.moved:
            return []
        lines = self._timetable.lines
        position_count = int(lines.stop_offsets[line + 1] - lines.stop_offsets[line])
        run_count = int(lines.time_offsets[line + 1] - lines.time_offsets[line]) // position_count
        touched = self._parts.get(day, {}).get(line, {})
        blocks, run_from = [], 0
        for run in sorted(touched):
            if run_from < run:
                blocks.append(Block(run_from, run, 0, position_count))
            blocks += [Block(run, run + 1, *stretch) for stretch in self._stretches(line, touched[run])]
            run_from = run + 1
        if run_from < run_count:
            blocks.append(Block(run_from, run_count, 0, position_count))
        return blocks

    def stretch(self, *, line: int, run: int, day: int, position: int) -> tuple[int, int]:
        """The positions [from, to) around this one, over which that run can be ridden that day."""
        lines = self._timetable.lines
        touched = self._parts.get(day, {}).get(line, {}).get(run)
        if touched is None:
            return 0, int(lines.stop_offsets[line + 1] - lines.stop_offsets[line])
        for begin, end in self._stretches(line, touched):
            if begin <= position < end:
                return begin, end
        raise AssertionError("nobody rides a trip that is cancelled")

    def _cut(self, trip: int, day: int) -> None:
        trips, lines = self._timetable.trips, self._timetable.lines
        for i in range(int(trips.run_offsets[trip]), int(trips.run_offsets[trip + 1])):
            line, run, part = int(trips.run_lines[i]), int(trips.runs[i]), int(trips.run_parts[i])
            if self._timetable.days.active[lines.patterns[line], day]:
                self._parts.setdefault(day, {}).setdefault(line, {}).setdefault(run, set()).add(part)

    def _stretches(self, line: int, cut: set[int]) -> list[tuple[int, int]]:
        """The longest stretches of positions whose parts all run."""
        parts, lines = self._timetable.parts, self._timetable.lines
        starts = parts.starts[int(parts.offsets[line]) : int(parts.offsets[line + 1])]
        ends = np.append(starts[1:], lines.stop_offsets[line + 1] - lines.stop_offsets[line])
        stretches: list[tuple[int, int]] = []
        goes_on = False
        for part, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
            if part in cut:
                goes_on = False
            elif goes_on:
                stretches[-1] = (stretches[-1][0], end)
            else:
                stretches.append((start, end))
                goes_on = True
        return stretches
