"""Bounds of a compiled network: made once, kept beside it, mapped like it.

Problem   A search is several times faster if it knows how far every stop is from the goal at least. Working
          that out for all pairs of stops takes seconds, and a network must be usable without it.
Idea      One table a direction (kernels/bounds.py), of at most GROUPS_MAX groups of stops: in larger networks
          neighbours share a group, whose bound is that of its nearest stop. The tables stand in a folder of
          their own inside the network's; whoever finds none there, or one of another network, searches
          without.
Stale     Bounds say what the timetable could do at best. They hold when trips are cancelled or late. A run
          that is faster between two stops than any of its line was (it makes up for a delay) is so by
          `find_gain`, and the search lowers what it reads by that for each ride. A run that calls where its
          line did not may break them: a router of such runs must be given none.
Not here  The search (kernels/raptor.py).
Invariant times[g, h] never exceeds what any journey from h to g takes; rides likewise.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from routing.kernels.arrays import MAY_ALIGHT, BoundRows, Int32, Lines, Walks
from routing.kernels.bounds import Ways, find_bounds, find_shortest
from routing.timetable import Timetable, map_array

FORMAT = 1
FOLDER = "bounds"
"""The folder inside a network's."""

GROUPS_MAX = 4_096
"""More than this, and tables of uint16 and uint8 for both directions pass 100 MB."""

_GOALS_AT_ONCE = 64
_CELL_DEGREES = 0.001


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds of a network, seen forward and mirrored."""

    forward: BoundRows
    mirror: BoundRows

    def save(self, folder: Path, *, version: str) -> None:
        """Write everything into the network's folder; `version` is the network's."""
        target = folder / FOLDER
        target.mkdir()
        for name, rows in (("forward", self.forward), ("mirror", self.mirror)):
            for field, array in rows._asdict().items():
                np.save(target / f"{name}.{field}.npy", array, allow_pickle=False)
        # The manifest comes last: a folder with one is complete.
        (target / "manifest.json").write_text(json.dumps({"format": FORMAT, "version": version}))


def no_bounds() -> BoundRows:
    """Rows that bound nothing."""
    return BoundRows(
        groups=np.zeros(0, dtype=np.int32),
        times=np.zeros((0, 0), dtype=np.uint16),
        rides=np.zeros((0, 0), dtype=np.uint8),
    )


def find_saved_bounds(folder: Path, timetable: Timetable) -> Bounds | None:
    """The bounds that stand beside this network, mapped; None if there are none that belong to it."""
    source = folder / FOLDER
    try:
        manifest = json.loads((source / "manifest.json").read_text())
        if manifest != {"format": FORMAT, "version": timetable.version}:
            return None
        forward, mirror = (
            BoundRows(*(map_array(source / f"{name}.{field}.npy") for field in BoundRows._fields))
            for name in ("forward", "mirror")
        )
    except (OSError, EOFError, ValueError):
        return None
    if len(forward.groups) != timetable.stop_count or len(mirror.groups) != timetable.stop_count:
        return None
    return Bounds(forward=forward, mirror=mirror)


def build_bounds(
    timetable: Timetable,
    *,
    group_count_max: int = GROUPS_MAX,
    tell: Callable[[int, int], None] = lambda _done, _total: None,
) -> Bounds:
    """The bounds of a network. `tell` hears how many of how many rows are done."""
    groups = _group(timetable, group_count_max)
    group_count = int(groups.max(initial=-1)) + 1
    tables = []
    for i, (lines, walks) in enumerate(
        (
            (timetable.lines, timetable.mirror_walks),
            (timetable.mirror, timetable.walks),
        )
    ):
        rows = BoundRows(
            groups=groups,
            times=np.empty((group_count, group_count), dtype=np.uint16),
            rides=np.empty((group_count, group_count), dtype=np.uint8),
        )
        ways = _list_ways(lines, stop_count=timetable.stop_count)
        for begin in range(0, group_count, _GOALS_AT_ONCE):
            tell(i * group_count + begin, 2 * group_count)
            _fill(ways, walks, rows, begin, min(begin + _GOALS_AT_ONCE, group_count))
        tables.append(rows)
    return Bounds(forward=tables[0], mirror=tables[1])


def _group(timetable: Timetable, group_count_max: int) -> Int32:
    """A number for each stop: its own, or in large networks that of its cell on the map."""
    if timetable.stop_count <= group_count_max:
        return np.arange(timetable.stop_count, dtype=np.int32)
    size = _CELL_DEGREES
    while True:
        cells = np.stack([np.floor(timetable.stops.lat / size), np.floor(timetable.stops.lon / size)], axis=1)
        found, groups = np.unique(cells, axis=0, return_inverse=True)
        if len(found) <= group_count_max:
            return groups.astype(np.int32).ravel()
        size *= 1.25


def _fill(ways: Ways, walks_back: Walks, rows: BoundRows, begin: int, end: int) -> None:
    order = np.argsort(rows.groups, kind="stable").astype(np.int32)
    offsets = np.searchsorted(rows.groups[order], np.arange(len(rows.times) + 1)).astype(np.int32)
    find_bounds(ways, walks_back, offsets, order, begin, end, rows)


def _list_ways(lines: Lines, *, stop_count: int) -> Ways:
    """The lines, of those that differ in their runs only a single one, as fast as the fastest."""
    ride_s, stand_s = np.empty_like(lines.stops), np.empty_like(lines.stops)
    find_shortest(lines, ride_s, stand_s)
    first: dict[tuple[bytes, bytes, int, int], int] = {}
    chosen = []
    for line in range(len(lines.patterns)):
        here = slice(int(lines.stop_offsets[line]), int(lines.stop_offsets[line + 1]))
        rules = (int(lines.board_early_s[line]), int(lines.alight_late_s[line]))
        kept = first.setdefault((lines.stops[here].tobytes(), lines.flags[here].tobytes(), *rules), line)
        if kept == line:
            chosen.append(line)
        else:
            there = slice(int(lines.stop_offsets[kept]), int(lines.stop_offsets[kept + 1]))
            ride_s[there] = np.minimum(ride_s[there], ride_s[here])
            stand_s[there] = np.minimum(stand_s[there], stand_s[here])
    counts = np.diff(lines.stop_offsets)[chosen]
    at = np.concatenate(
        [np.zeros(0, dtype=np.int64)]
        + [np.arange(lines.stop_offsets[line], lines.stop_offsets[line + 1]) for line in chosen]
    )
    way = np.repeat(np.arange(len(chosen)), counts)
    alights = np.flatnonzero(lines.flags[at] & MAY_ALIGHT != 0)
    alights = alights[np.argsort(lines.stops[at[alights]], kind="stable")]
    by_stop_offsets = np.searchsorted(lines.stops[at[alights]], np.arange(stop_count + 1))
    return Ways(
        stop_offsets=np.concatenate(([0], np.cumsum(counts))).astype(np.int32),
        stops=lines.stops[at],
        flags=lines.flags[at],
        ride_s=ride_s[at],
        stand_s=stand_s[at],
        board_early_s=lines.board_early_s[chosen],
        alight_late_s=lines.alight_late_s[chosen],
        by_stop_offsets=by_stop_offsets.astype(np.int32),
        by_stop=np.stack([way[alights], alights], axis=1).astype(np.int32),
    )
