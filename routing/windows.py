"""The lines of a few service days, laid out for the kernel.

Problem   A search sees several service days at once, in its own day's seconds, some lines cut by
          cancellations; the timetable knows each line once.
Idea      Whole days are laid out by columns. Lines that a cancellation touches are left out of them and laid
          out block by block behind (cancellations.py); there are few.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from routing.cancellations import Block, Cancellations
from routing.kernels.arrays import MAY_BOARD, NONE, Instances, Int32, Lines
from routing.timetable import Timetable


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


class _Layout:
    """Columns of instances and of their entries, gathered day by day."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        stop_count = len(lines.stop_line_offsets) - 1
        self._stop_of_entry = np.repeat(
            np.arange(stop_count, dtype=np.int32), np.diff(lines.stop_line_offsets)
        )
        self._count = 0
        self._instances: list[tuple[Int32, ...]] = []
        self._entries: list[tuple[Int32, ...]] = []

    def add_whole(self, is_chosen: npt.NDArray[np.bool_], shift_s: int) -> None:
        """Add a day's lines that run whole."""
        lines = self._lines
        chosen = np.flatnonzero(is_chosen).astype(np.int32)
        index = np.full(len(is_chosen), NONE, dtype=np.int32)
        index[chosen] = np.arange(self._count, self._count + len(chosen), dtype=np.int32)
        self._count += len(chosen)
        counts = np.diff(lines.stop_offsets)[chosen]
        sizes = np.diff(lines.time_offsets)[chosen]
        self._instances.append(
            (
                chosen,
                np.zeros(len(chosen), dtype=np.int32),
                (sizes // counts).astype(np.int32),
                counts.astype(np.int32),
                np.full(len(chosen), shift_s, dtype=np.int32),
            )
        )
        kept = is_chosen[lines.stop_lines]
        of_line = index[lines.stop_lines[kept]]
        self._entries.append((self._stop_of_entry[kept], of_line, lines.stop_positions[kept]))

    def add_block(self, line: int, block: Block, shift_s: int) -> None:
        """Add what is left of a line."""
        begin = int(self._lines.stop_offsets[line])
        # The last position can be alighted at only.
        flags = self._lines.flags[begin + block.position_from : begin + block.position_to - 1]
        positions = (np.flatnonzero(flags & MAY_BOARD) + block.position_from).astype(np.int32)
        row = (line, block.run_from, block.run_to, block.position_to, shift_s)
        self._instances.append(tuple(np.full(1, value, dtype=np.int32) for value in row))
        instance = np.full(len(positions), self._count, dtype=np.int32)
        self._entries.append((self._lines.stops[begin + positions], instance, positions))
        self._count += 1

    def finish(self) -> Instances:
        """All of it, entries by stop."""
        stop_count = len(self._lines.stop_line_offsets) - 1
        of_lines, run_from, run_to, position_to, shifts_s = _join(self._instances, width=5)
        stop, instance, position = _join(self._entries, width=3)
        order = np.argsort(stop, kind="stable")
        return Instances(
            lines=of_lines,
            run_from=run_from,
            run_to=run_to,
            position_to=position_to,
            shifts_s=shifts_s,
            stop_offsets=np.searchsorted(stop[order], np.arange(stop_count + 1)).astype(np.int32),
            entry_instances=instance[order],
            entry_positions=position[order],
        )


def lay_out(
    timetable: Timetable, cancellations: Cancellations, window: Window, start_s: Callable[[int], int]
) -> Instances:
    """The instances of a window. `start_s` gives a day's start, in seconds after that of the day searched."""
    lines = timetable.mirror if window.is_mirrored else timetable.lines
    layout = _Layout(lines)
    for day in window.days:
        if not 0 <= day < timetable.day_count:
            continue
        runs = timetable.days.active[timetable.lines.patterns, day] != 0
        shift_s = start_s(day)
        if day < window.day and window.before == timetable.overhang_days:
            # To depart on the day searched: of days past, only what can still be boarded then.
            runs = runs & (timetable.days.last_departure_s + shift_s >= 0)
        touched = [line for line in cancellations.list_lines(day) if runs[line]]
        runs[touched] = False
        signed_s = -shift_s if window.is_mirrored else shift_s
        layout.add_whole(runs, signed_s)
        for line in touched:
            for block in cancellations.list_blocks(line, day):
                turned = _mirror(lines, line, block) if window.is_mirrored else block
                layout.add_block(line, turned, signed_s)
    return layout.finish()


def _join(rows: Sequence[tuple[Int32, ...]], *, width: int) -> list[Int32]:
    """The rows' columns, each end to end."""
    return [np.concatenate([np.zeros(0, dtype=np.int32), *(row[i] for row in rows)]) for i in range(width)]


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
