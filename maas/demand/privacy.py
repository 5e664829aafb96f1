"""Publish counts in which nobody can be seen, however the answers are combined.

Problem   A count of 3 searches in a square at an hour may be one person. Leaving out small counts is not
          enough: totals less the visible cells give them back, and so do two overlapping answers, or the
          same answer asked twice with an event in between.
Idea      What has happened is cut once, for ever, into atoms of at least `K` events, and only atoms leave.
          Whenever a day is over, all events not yet published are grouped by their cell; a cell with K or
          more becomes an atom. The rest is tried again in coarser cells (500 m -> 1 km -> all categories
          together); what is still fewer than K waits, and is counted with the events of later days. Every
          answer is a sum of whole atoms: totals know nothing that their cells do not.
          Worked example, K = 10: Monday 08:00 has 7 searches in half mesh ...1 and 5 in ...2 of one 1 km
          mesh. Neither is published; together they are: one atom of 12 in the 1 km mesh. A mesh elsewhere
          with 4 waits; on Tuesday 7 more come: one atom of 11, dated from the first of the month.
Rounding  None: an atom's count is exact, since rounding would hide nothing more.
Dates     An atom of one day bears that day. One that took longer bears the first of the month in which it
          began and the day it was released, since an exact first day would tell of one event.
Invariant Each event is in at most one atom of its metric and end; every atom counts K or more; an atom never
          changes. So the difference of two answers, one within the other, is 0 or at least K.
Limits    K counts events, as MDS does, not persons. That a cell has no atom tells that fewer than K events
          have gathered since its last one, nothing else: 0 and 9 look alike.
Source    MDS Metrics, "Data Redaction" (k = 10); the three steps of mobile spatial statistics in Japan.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from maas.demand.day_types import DayType
from maas.demand.meshes import HALF_DIGITS, THIRD_DIGITS, UNKNOWN
from maas.demand.metrics import End, Metric

K = 10
MIXED = "mixed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What is counted together. `category` is a mode or a reason (metrics.py), `hour` 0 to 23 local."""

    metric: Metric
    end: End
    mesh: str
    day_type: DayType
    hour: int
    category: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Events of one cell on one day that are not published yet."""

    cell: Cell
    day: date
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Atom:
    """At least K events, published together for ever; `since` and `until` inclusive."""

    cell: Cell
    since: date
    until: date
    count: int


@dataclass(frozen=True, slots=True)
class Release:
    """What leaves, and which of the tallies given (by index) went into it."""

    atoms: tuple[Atom, ...]
    published: frozenset[int]


def _as_it_is(cell: Cell) -> Cell:
    return cell


def _by_third_mesh(cell: Cell) -> Cell:
    is_half = cell.mesh != UNKNOWN and len(cell.mesh) == HALF_DIGITS
    return replace(cell, mesh=cell.mesh[:THIRD_DIGITS]) if is_half else cell


def _by_third_mesh_mixed(cell: Cell) -> Cell:
    return replace(_by_third_mesh(cell), category=MIXED)


COARSER: tuple[Callable[[Cell], Cell], ...] = (_as_it_is, _by_third_mesh, _by_third_mesh_mixed)


def release(tallies: Sequence[Tally], *, released: date, k: int = K) -> Release:
    """Cut tallies of days up to `released` into atoms; what cannot be part of one waits."""
    assert all(tally.day <= released for tally in tallies), "only days that are over are released"
    waiting = set(range(len(tallies)))
    atoms: list[Atom] = []
    for coarsen in COARSER:
        groups: defaultdict[Cell, list[int]] = defaultdict(list)
        for index in sorted(waiting):
            groups[coarsen(tallies[index].cell)].append(index)
        for cell, members in groups.items():
            count = sum(tallies[index].count for index in members)
            if count >= k:
                since, until = _date([tallies[index].day for index in members], released)
                atoms.append(Atom(cell=cell, since=since, until=until, count=count))
                waiting.difference_update(members)
    assert all(atom.count >= k for atom in atoms), "nothing small is ever published"
    return Release(tuple(atoms), frozenset(range(len(tallies))) - waiting)


def _date(days: Iterable[date], released: date) -> tuple[date, date]:
    different = set(days)
    if len(different) == 1:
        return min(different), min(different)
    return min(different).replace(day=1), released
