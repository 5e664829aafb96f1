"""Lay trips that are one vehicle end to end.

Problem   A third of Tokyo's trains go on as another train: the rider stays seated; that is no interchange.
          A train may split (two continuations) or join, and a link holds only on days when both trips run.
Idea      A *run* is a longest chain of linked trips, on the days when exactly that chain runs. Days are bits
          of an integer, so "both run" is `&`. A chain starts at a trip on the days when none of its
          predecessors runs, and ends where none of its successors does. Every trip is so in some run on each
          of its days; where trains split or join, it is in several, at the same times.
Not here  Which trips are linked (build.py).
Invariant For every trip, the union of the days of its runs = its days.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_

RUNS_PER_TANGLE_MAX = 256
"""A knot of links with more chains than this is taken for bad data; its links are dropped, its trips kept."""


@dataclass(frozen=True, slots=True)
class Run:
    """Trips laid end to end, and the days (bits) when exactly this chain runs."""

    trips: tuple[int, ...]
    days: int


@dataclass(frozen=True, slots=True)
class _Links:
    """Successors and predecessors of each linked trip, each neighbour once."""

    after: dict[int, list[int]]
    before: dict[int, list[int]]


def chain_trips(*, days: Sequence[int], links: Sequence[tuple[int, int]]) -> tuple[list[Run], int]:
    """The runs of all trips that have a link, and how many links were dropped as a tangle.

    `days[trip]` is the bit set of the trip's days. Requires that the links have no cycle.
    """
    index = _index(links)
    runs: list[Run] = []
    dropped = 0
    for members in _components(index):
        if _count_chains(members, index) > RUNS_PER_TANGLE_MAX:
            dropped += sum(len(index.after[trip]) for trip in members)
            runs += [Run((trip,), days[trip]) for trip in members if days[trip]]
        else:
            for trip in members:
                runs += _chains_from(trip, days, index)
    return runs, dropped


def _index(links: Sequence[tuple[int, int]]) -> _Links:
    after: dict[int, list[int]] = defaultdict(list)
    before: dict[int, list[int]] = defaultdict(list)
    for first, second in dict.fromkeys(links):
        after[first].append(second)
        before[second].append(first)
    return _Links(after, before)


def _components(index: _Links) -> Iterator[list[int]]:
    seen: set[int] = set()
    for start in [*index.after, *index.before]:
        if start in seen:
            continue
        seen.add(start)
        members, stack = [], [start]
        while stack:
            trip = stack.pop()
            members.append(trip)
            for neighbour in (*index.after.get(trip, ()), *index.before.get(trip, ())):
                if neighbour not in seen:
                    seen.add(neighbour)
                    stack.append(neighbour)
        yield members


def _count_chains(members: Sequence[int], index: _Links) -> int:
    """Longest chains in a component, had every trip every day; counted from the ends backwards."""
    ways: dict[int, int] = {}
    waiting = {trip: len(index.after.get(trip, ())) for trip in members}
    ready = [trip for trip, count in waiting.items() if count == 0]
    while ready:
        trip = ready.pop()
        ways[trip] = sum(ways[later] for later in index.after.get(trip, ())) or 1
        for earlier in index.before.get(trip, ()):
            waiting[earlier] -= 1
            if waiting[earlier] == 0:
                ready.append(earlier)
    assert len(ways) == len(members), "links have no cycle"
    # Days can split a chain at every link, so every trip may head chains of its own.
    return sum(ways.values()) if max(ways.values()) > 1 else 1


def _chains_from(head: int, days: Sequence[int], index: _Links) -> Iterator[Run]:
    begins = days[head] & ~_union(days, index.before.get(head, ()))
    stack: list[tuple[tuple[int, ...], int]] = [((head,), begins)] if begins else []
    while stack:
        chain, mask = stack.pop()
        later = index.after.get(chain[-1], ())
        ends = mask & ~_union(days, later)
        if ends:
            yield Run(chain, ends)
        stack += [((*chain, trip), mask & days[trip]) for trip in later if mask & days[trip]]


def _union(days: Sequence[int], trips: Sequence[int]) -> int:
    return reduce(or_, (days[trip] for trip in trips), 0)
