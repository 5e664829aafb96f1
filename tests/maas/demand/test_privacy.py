"""Nothing small leaves: not alone, not as a difference of answers, not from one day to the next.

The twin below follows every single event, which the module cannot: it knows counts only.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maas.demand.day_types import DayType
from maas.demand.metrics import End, Metric
from maas.demand.privacy import COARSER, MIXED, Atom, Cell, K, Tally, release

MONDAY = date(2026, 5, 18)
MESHES = ("533946111", "533946112", "533946113", "533946121", "unknown")
Event = tuple[int, Cell, date]


def cell(mesh: str = MESHES[0], category: str = "any", hour: int = 8) -> Cell:
    return Cell(
        metric=Metric.SEARCHES,
        end=End.ORIGIN,
        mesh=mesh,
        day_type=DayType.WEEKDAY,
        hour=hour,
        category=category,
    )


def tally(count: int, day: date = MONDAY, **fields: str | int) -> Tally:
    return Tally(cell=replace(cell(), **fields), day=day, count=count)  # type: ignore[arg-type]


def follow(events: list[Event], released: date) -> tuple[list[tuple[Cell, list[Event]]], list[Event]]:
    """Group the very events, level by level; the published groups and those that wait."""
    groups: list[tuple[Cell, list[Event]]] = []
    waiting = [event for event in events if event[2] <= released]
    for coarsen in COARSER:
        by_cell: dict[Cell, list[Event]] = defaultdict(list)
        for event in waiting:
            by_cell[coarsen(event[1])].append(event)
        groups += [(key, members) for key, members in by_cell.items() if len(members) >= K]
        waiting = [event for members in by_cell.values() if len(members) < K for event in members]
    return groups, waiting + [event for event in events if event[2] > released]


def tally_up(events: Iterable[Event]) -> list[Tally]:
    counts: dict[tuple[Cell, date], int] = defaultdict(int)
    for _, where, day in events:
        counts[where, day] += 1
    return [Tally(cell=where, day=day, count=count) for (where, day), count in counts.items()]


@st.composite
def days_of_events(draw: st.DrawFn) -> list[list[Event]]:
    number, days = 0, []
    for ahead in range(draw(st.integers(1, 4))):
        today: list[Event] = []
        for _ in range(draw(st.integers(1, 6))):
            where = cell(
                mesh=draw(st.sampled_from(MESHES)), category=draw(st.sampled_from(["bus", "ferry"])), hour=8
            )
            for _ in range(draw(st.integers(1, 14))):
                today.append((number, where, MONDAY + timedelta(days=ahead)))
                number += 1
        days.append(today)
    return days


@settings(max_examples=150, deadline=None)
@given(days=days_of_events())
def test_atoms_are_those_of_the_twin_that_follows_every_event(days: list[list[Event]]) -> None:
    waiting: list[Event] = []
    published: list[tuple[Atom, list[Event]]] = []
    for ahead, today in enumerate(days):
        released = MONDAY + timedelta(days=ahead)
        tallies = tally_up(waiting + today)
        found = release(tallies, released=released)
        groups, waiting = follow(waiting + today, released)
        expected = sorted((str(key), len(members)) for key, members in groups)
        assert sorted((str(atom.cell), atom.count) for atom in found.atoms) == expected
        kept = sum(t.count for i, t in enumerate(tallies) if i not in found.published)
        assert kept == len(waiting)
        by_cell = {(atom.cell, atom.count): atom for atom in found.atoms}
        published += [(by_cell[key, len(members)], members) for key, members in groups]
    check_answers(published)


def check_answers(published: list[tuple[Atom, list[Event]]]) -> None:
    """No event is published twice; nested answers over any meshes and days differ by 0 or K and more."""
    numbers = [event[0] for _, members in published for event in members]
    assert len(numbers) == len(set(numbers))
    selections = [
        frozenset(
            event[0]
            for atom, members in published
            if atom.cell.mesh.startswith(prefix) and since <= atom.since and atom.until <= until
            for event in members
        )
        for prefix in ("", "53394611", "533946111", "533946112")
        for since in (date(2026, 5, 1), MONDAY, MONDAY + timedelta(days=1))
        for until in (MONDAY, MONDAY + timedelta(days=3))
    ]
    for a, b in combinations(set(selections), 2):
        if a < b or b < a:
            assert abs(len(a) - len(b)) >= K
    assert all(len(selection) == 0 or len(selection) >= K for selection in selections)


def test_the_worked_example_of_the_module() -> None:
    monday = [tally(7, mesh="533946111"), tally(5, mesh="533946112"), tally(4, mesh="533946121")]
    first = release(monday, released=MONDAY)
    assert [(a.cell.mesh, a.count, a.since, a.until) for a in first.atoms] == [
        ("53394611", 12, MONDAY, MONDAY)
    ]
    assert first.published == {0, 1}
    tuesday = MONDAY + timedelta(days=1)
    second = release([monday[2], tally(7, tuesday, mesh="533946121")], released=tuesday)
    assert [(a.cell.mesh, a.count, a.since, a.until) for a in second.atoms] == [
        ("533946121", 11, date(2026, 5, 1), tuesday)
    ]


def test_nine_wait_and_ten_leave() -> None:
    assert release([tally(9)], released=MONDAY).atoms == ()
    (atom,) = release([tally(10)], released=MONDAY).atoms
    assert atom.count == 10


def test_a_total_never_gives_away_a_suppressed_neighbour() -> None:
    # 15 are shown, 3 are not: no atom holds 18, so no answer less the visible cell gives 3.
    found = release([tally(15), tally(3, mesh="533946112")], released=MONDAY)
    assert sum(atom.count for atom in found.atoms) == 15


def test_small_categories_of_a_square_leave_together_only() -> None:
    found = release([tally(6, category="bus"), tally(6, category="ferry")], released=MONDAY)
    assert [(atom.cell.category, atom.count) for atom in found.atoms] == [(MIXED, 12)]


def test_hours_are_never_put_together() -> None:
    assert release([tally(6, hour=8), tally(6, hour=9)], released=MONDAY).atoms == ()


def test_a_day_that_is_not_over_is_not_released() -> None:
    with pytest.raises(AssertionError, match="over"):
        release([tally(20, MONDAY + timedelta(days=1))], released=MONDAY)
