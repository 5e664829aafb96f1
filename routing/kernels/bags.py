"""Bags: what a search by three criteria writes while it runs.

Problem   With three criteria a stop has no best label, but several of which none betters another.
Idea      Labels stand in one array, in the order in which they were made, and are chained into a bag for each
          stop, newest first: what is new in a round is what comes before the first that is older.
Invariant Of two labels in a bag each is earlier or less on foot. Of two journeys at the goal each has fewer
          rides, is earlier or less on foot.
Twin      tests/oracles/criteria.py
"""

# ruff: noqa: PLR0917 - compiled functions are called by position

from typing import NamedTuple

import numpy as np

from routing.kernels.arrays import NONE, Int32
from routing.kernels.rounds import inner

# Columns of Bags.labels, of Bags.riders, of Bags.goals; rows of Bags.heads, of Bags.counts.
NEXT, AT_S, ON_FOOT_S, FROM, AT_STOP = range(5)
BY_INSTANCE, BY_SHIFT, BY_RUN, BY_BOARD, BY_ALIGHT, LABEL_WIDTH = range(5, 11)
IN_RUN, RIDER_FOOT_S, RIDER_SHIFT, RIDER_RUN, RIDER_BOARD, RIDER_FROM, RIDER_WIDTH = range(7)
THERE_S, THERE_FOOT_S, THERE_RIDES, THERE_LABEL, THERE_EGRESS, THERE_WIDTH = range(6)
READY, ALIT, EGRESSES = range(3)
LABEL_COUNT, GOAL_COUNT, ROUND_BEGIN = range(3)


class Bags(NamedTuple):
    """What a search writes while it runs. N labels, M riders, G journeys at the goal, S stops.

    labels  int32[N, LABEL_WIDTH]  NEXT label of the bag; AT_S the instant, ON_FOOT_S the seconds on foot
                        until then; FROM the label it goes on from (of the first readiness: an index of
                        `access`). AT_STOP; for who alighted the ride: BY_INSTANCE, an index of shifts_s, the
                        run counted among all of the line, positions. A label that is bettered leaves its bag,
                        not the array
    heads   int32[3, S]  first labels of the bags READY to board and ALIT at each stop, newest
                        first; of the EGRESSES from it, an index of `egress`
    riders  int32[M, RIDER_WIDTH]  of one instance: IN_RUN counts runs over the instance's days
    goals   int32[G, THERE_WIDTH]  journeys found: arrival, seconds on foot, rides, the label alighted with,
                        the index of the egress
    counts  int32[3]     labels and goals so far; the first label of this round's readiness
    """

    labels: Int32
    heads: Int32
    riders: Int32
    goals: Int32
    counts: Int32


def allocate_bags(*, stop_count: int, label_count: int) -> Bags:
    """Fresh bags with room for so many labels."""
    return Bags(
        labels=np.empty((label_count, LABEL_WIDTH), dtype=np.int32),
        heads=np.full((3, stop_count), NONE, dtype=np.int32),
        riders=np.empty((label_count, RIDER_WIDTH), dtype=np.int32),
        goals=np.empty((label_count, THERE_WIDTH), dtype=np.int32),
        counts=np.zeros(3, dtype=np.int32),
    )


@inner(nogil=True, cache=True)
def add(bags: Bags, kind: int, stop: int, at_s: int, foot_s: int, from_: int) -> tuple[bool, bool]:
    """Put a label into a bag in place of those it betters, or leave it out; is there room, is it new."""
    labels, heads = bags.labels, bags.heads
    before, label = NONE, heads[kind, stop]
    while label != NONE:
        following = labels[label, NEXT]
        if labels[label, AT_S] <= at_s and labels[label, ON_FOOT_S] <= foot_s:
            return True, False
        if at_s <= labels[label, AT_S] and foot_s <= labels[label, ON_FOOT_S]:
            if before == NONE:
                heads[kind, stop] = following
            else:
                labels[before, NEXT] = following
        else:
            before = label
        label = following
    new = bags.counts[LABEL_COUNT]
    if new == len(labels):
        return False, False
    bags.counts[LABEL_COUNT] += 1
    labels[new, NEXT] = heads[kind, stop]
    labels[new, AT_S] = at_s
    labels[new, ON_FOOT_S] = foot_s
    labels[new, FROM] = from_
    labels[new, AT_STOP] = stop
    heads[kind, stop] = new
    return True, True


@inner(nogil=True, cache=True)
def is_bettered(bags: Bags, there_s: int, foot_s: int) -> bool:
    """Whether a journey found arrives no later than that and is no longer on foot."""
    for g in range(bags.counts[GOAL_COUNT]):
        if bags.goals[g, THERE_S] <= there_s and bags.goals[g, THERE_FOOT_S] <= foot_s:
            return True
    return False


@inner(nogil=True, cache=True)
def reach_goal(bags: Bags, k: int, there_s: int, foot_s: int, label: int, e: int) -> bool:
    """Note a journey in place of those of this round that it betters; is there room."""
    goals = bags.goals
    kept = 0
    for g in range(bags.counts[GOAL_COUNT]):
        if goals[g, THERE_RIDES] == k and there_s <= goals[g, THERE_S] and foot_s <= goals[g, THERE_FOOT_S]:
            continue
        if kept != g:
            goals[kept] = goals[g]
        kept += 1
    if kept == len(goals):
        return False
    goals[kept, THERE_S] = there_s
    goals[kept, THERE_FOOT_S] = foot_s
    goals[kept, THERE_RIDES] = k
    goals[kept, THERE_LABEL] = label
    goals[kept, THERE_EGRESS] = e
    bags.counts[GOAL_COUNT] = kept + 1
    return True
