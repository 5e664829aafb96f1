"""The lines of a few service days, laid out for the kernel.

Problem   A search sees several service days at once, in its own day's seconds, some lines cut by
          cancellations; the timetable knows each line once.
Idea      A line that runs whole is laid out once for all its days, by columns. Lines that a cancellation
          touches are left out of the days touched and laid out block by block behind (cancellations.py);
          there are few. So is, day by day, a line whose last run of a day is still about when the first of
          the next day sets out.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from routing.cancellations import Block, Cancellations
from routing.kernels.arrays import (
    ALIGHT_LATE,
    BOARD_EARLY,
    CAUGHT_POSITIONS,
    LINE,
    MAY_ALIGHT,
    MAY_BOARD,
    NOT_REACHED,
    POSITION_COUNT,
    POSITION_TO,
    ROW_WIDTH,
    RUN_COUNT,
    RUN_FROM,
    SHIFT_BEGIN,
    SHIFT_END,
    STOP_BEGIN,
    TIME_BEGIN,
    Instances,
    Int32,
    Lines,
)
from routing.kernels.bounds import find_shortest
from routing.timetable import Timetable

DAY_S_MIN = 82_800
"""The shortest service day, when clocks go forward."""


@dataclass(frozen=True, slots=True)
class Window:
    """Service days from day - before to day + after; `is_mirrored` runs time backwards."""

    day: int
    before: int
    after: int
    is_mirrored: bool

    @property
    def days(self) -> range:
        """The days, the network's or not."""
        return range(self.day - self.before, self.day + self.after + 1)


class Layout:
    """What laying out needs to know of a timetable's lines, seen one way; worked out once."""

    def __init__(self, timetable: Timetable, *, is_mirrored: bool) -> None:
        self.is_mirrored = is_mirrored
        self._timetable = timetable
        self._lines = timetable.mirror if is_mirrored else timetable.lines
        self._change_s = (timetable.mirror_walks if is_mirrored else timetable.walks).change_s

    def lay_out(
        self, cancellations: Cancellations, window: Window, start_s: Callable[[int], int]
    ) -> Instances:
        """The instances of a window. `start_s` gives a day's start, in seconds after the searched day's."""
        timetable, lines = self._timetable, self._lines
        assert window.is_mirrored == self.is_mirrored, "a window is laid out the way it is seen"
        days = [day for day in window.days if 0 <= day < timetable.day_count]
        if self.is_mirrored:
            days.reverse()
        shifts_s = np.array([start_s(day) for day in days], dtype=np.int32)
        runs = timetable.days.active[lines.patterns][:, days] != 0
        if window.before == timetable.overhang_days:
            # To depart on the day searched: of days past, only what can still be boarded then.
            last_s = timetable.days.last_departure_s[:, None] + shifts_s
            runs &= (np.array(days) >= window.day) | (last_s >= 0)
        blocks = list(self._cut(cancellations, days, runs))
        if self.is_mirrored:
            shifts_s = -shifts_s
        rows, row_shifts = self._whole(runs, shifts_s)
        for line, block, column in blocks:
            rows.append(self._block_rows(np.array([line]), block))
            row_shifts.append((np.ones(1, dtype=np.int64), shifts_s[column : column + 1]))
        return self._finish(np.concatenate(rows), row_shifts)

    def _cut(
        self, cancellations: Cancellations, days: Sequence[int], runs: npt.NDArray[np.bool_]
    ) -> Iterator[tuple[int, Block, int]]:
        """What is left of lines that are touched; they no longer run whole on that day."""
        for column, day in enumerate(days):
            for line in cancellations.list_lines(day):
                if not runs[line, column]:
                    continue
                runs[line, column] = False
                for block in cancellations.list_blocks(line, day):
                    turned = _mirror(self._lines, line, block) if self.is_mirrored else block
                    yield line, turned, column

    def _whole(
        self, runs: npt.NDArray[np.bool_], shifts_s: Int32
    ) -> tuple[list[Int32], list[tuple[npt.NDArray[np.int64], Int32]]]:
        """The rows of lines that run whole, and how many days each has, and which."""
        joined = np.flatnonzero(runs.any(axis=1) & ~self._overlaps)
        _, columns = np.nonzero(runs[joined])
        apart, apart_columns = np.nonzero(runs & self._overlaps[:, None])
        rows = [self._block_rows(joined, None), self._block_rows(apart, None)]
        counts = [runs[joined].sum(axis=1), np.ones(len(apart), dtype=np.int64)]
        return rows, [(counts[0], shifts_s[columns]), (counts[1], shifts_s[apart_columns])]

    def _block_rows(self, chosen: npt.NDArray[np.int64], block: Block | None) -> Int32:
        """A row for each of these lines, whole or the block of it; days are still missing."""
        lines = self._lines
        rows = np.zeros((len(chosen), ROW_WIDTH), dtype=np.int32)
        counts, sizes = np.diff(lines.stop_offsets)[chosen], np.diff(lines.time_offsets)[chosen]
        rows[:, LINE] = chosen
        rows[:, STOP_BEGIN] = lines.stop_offsets[chosen]
        rows[:, POSITION_COUNT] = counts
        rows[:, POSITION_TO] = counts if block is None else block.position_to
        rows[:, RUN_FROM] = 0 if block is None else block.run_from
        rows[:, RUN_COUNT] = sizes // counts if block is None else block.run_to - block.run_from
        rows[:, TIME_BEGIN] = lines.time_offsets[chosen] + rows[:, RUN_FROM] * counts
        rows[:, BOARD_EARLY] = lines.board_early_s[chosen]
        rows[:, ALIGHT_LATE] = lines.alight_late_s[chosen]
        if block is not None:
            rows[:, SHIFT_BEGIN] = block.position_from  # Kept here until the days are known.
        return rows

    def _finish(self, rows: Int32, row_shifts: Sequence[tuple[npt.NDArray[np.int64], Int32]]) -> Instances:
        lines = self._lines
        position_from = rows[:, SHIFT_BEGIN].astype(np.int64)
        day_offsets = np.concatenate(([0], np.cumsum(np.concatenate([count for count, _ in row_shifts]))))
        rows[:, SHIFT_BEGIN], rows[:, SHIFT_END] = day_offsets[:-1], day_offsets[1:]
        counts = rows[:, POSITION_TO] - position_from
        instance = np.repeat(np.arange(len(rows)), counts)
        offsets = np.cumsum(counts) - counts
        position = np.arange(len(instance)) - offsets[instance] + position_from[instance]
        at = rows[instance, STOP_BEGIN] + position
        # The last position can be alighted at only, the first boarded only.
        boards = np.flatnonzero(
            (lines.flags[at] & MAY_BOARD != 0) & (position < rows[instance, POSITION_TO] - 1)
        )
        alights = np.flatnonzero((lines.flags[at] & MAY_ALIGHT != 0) & (position > position_from[instance]))
        entry_offsets, order = self._by_stop(lines.stops[at[boards]])
        boards = boards[order]
        following = lines.stops[at[boards] + 1]
        gain_s = self._gain_s[at[boards]]
        alight_offsets, order = self._by_stop(lines.stops[at[alights]])
        alights = alights[order]
        return Instances(
            rows=rows,
            shifts_s=np.concatenate([shifts for _, shifts in row_shifts]),
            entry_offsets=entry_offsets,
            entries=_columns(instance[boards], position[boards], following, gain_s),
            alight_offsets=alight_offsets,
            alights=_columns(instance[alights], position[alights]),
        )

    def _by_stop(self, stops: Int32) -> tuple[Int32, npt.NDArray[np.int64]]:
        order = np.argsort(stops, kind="stable")
        offsets = np.searchsorted(stops[order], np.arange(len(self._change_s) + 1))
        return offsets.astype(np.int32), order

    @cached_property
    def _gain_s(self) -> Int32:
        """For each position of each line: the GAIN of boarding there (kernels/arrays.py)."""
        lines = self._lines
        ride_s, stand_s = np.empty_like(lines.stops), np.empty_like(lines.stops)
        find_shortest(lines, ride_s, stand_s)
        # At the next position one alights; or stays on, which is no worse than alighting, changing there and
        # boarding again. Where that is not allowed, nothing is known.
        counts = np.diff(lines.stop_offsets)
        early_s = np.repeat(lines.board_early_s, counts).astype(np.int64)
        change_s = self._change_s[lines.stops].astype(np.int64)
        may_board = (lines.flags & MAY_BOARD != 0) & (change_s != NOT_REACHED)
        again_s = np.where(may_board, early_s + change_s, NOT_REACHED)
        again_s[lines.stop_offsets[1:] - 1] = 0
        gain_s = early_s + ride_s - np.append(again_s[1:], 0)
        gains: Int32 = gain_s.astype(np.int32)
        return gains

    @cached_property
    def _overlaps(self) -> npt.NDArray[np.bool_]:
        """Lines whose runs of one day and of the next are about at the same position in another order."""
        lines = self._lines
        counts = np.diff(lines.stop_offsets)
        assert counts.max() < CAUGHT_POSITIONS, "a line's positions can be counted"
        assert lines.time_offsets[-1] < NOT_REACHED, "times can be counted"
        line = np.repeat(np.arange(len(counts)), counts)
        first = lines.time_offsets[line] + np.arange(len(lines.stops)) - lines.stop_offsets[line]
        last = first + np.diff(lines.time_offsets)[line] - counts[line]
        spans_s = np.maximum(
            lines.departures[last] - lines.departures[first], lines.arrivals[last] - lines.arrivals[first]
        )
        return np.asarray(np.maximum.reduceat(spans_s, lines.stop_offsets[:-1]) > DAY_S_MIN)


def _columns(*columns: npt.NDArray[np.signedinteger]) -> Int32:
    return np.ascontiguousarray(np.stack(columns, axis=1).astype(np.int32))


def _mirror(lines: Lines, line: int, block: Block) -> Block:
    """The same rides in the mirrored line."""
    position_count = int(lines.stop_offsets[line + 1] - lines.stop_offsets[line])
    run_count = int(lines.time_offsets[line + 1] - lines.time_offsets[line]) // position_count
    return Block(
        run_from=run_count - block.run_to,
        run_to=run_count - block.run_from,
        position_from=position_count - block.position_to,
        position_to=position_count - block.position_from,
    )
