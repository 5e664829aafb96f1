"""A search by arrival, rides and seconds on foot: who arrives a little later may walk much less.

Problem   With two criteria a stop has one best label a round; with three it has a bag of them, and the whole
          Pareto set is large, most of it useless: an hour later for ten seconds less on foot.
Idea      Rounds as in raptor.py, but a stop holds a bag: of all (time, seconds on foot) reached with as many
          rides or fewer, those that no other betters in both. Along an instance travels a bag of riders, each
          in a run with its seconds on foot. The set is restricted: whoever arrives after a limit, which may
          differ by the number of rides, or walks more than a limit, is not sought.
Exact     Runs of a line never overtake, so of two riders of one instance the one in the earlier run with no
          more seconds on foot is nowhere worse off, wherever they alight; of two labels at a stop likewise,
          when both are ready, and when both have alighted. Bounds never exceed what a journey needs, limits
          never rise with the rides, and seconds on foot never fall: who is past a limit, or no better than a
          journey found with as many rides or fewer, stays so.
Words     Seconds on foot are those of access, footpaths and egress, as the timetable has them. A change at
          one stop, checking in and waiting are no walking.
Source    McRAPTOR: Delling, Pajor, Werneck, "Round-Based Public Transit Routing", 2012. The restriction:
          Delling, Dibbelt, Pajor, "Fast and Exact Public Transit Routing with Restricted Pareto Sets", 2019.
Twin      tests/oracles/criteria.py
"""

# ruff: noqa: PLR0917 - compiled functions are called by position

import numba
import numpy as np

from routing.kernels.arrays import (
    ACCESS,
    ALIGHT_LATE,
    ALIGHTED,
    ARRIVES,
    BOARD_EARLY,
    DEPARTS,
    EGRESS_S,
    EGRESS_STOP,
    FIRST,
    GAIN,
    INSTANCE,
    LAST,
    LINE,
    MARKED,
    MAY_ALIGHT,
    MAY_BOARD,
    NEXT_STOP,
    NONE,
    NOT_REACHED,
    POSITION,
    POSITION_COUNT,
    POSITION_TO,
    QUEUE,
    RIDE_ALIGHT,
    RIDE_BEGIN,
    RIDE_BOARD,
    RIDE_END,
    RIDE_LINE,
    RIDE_RUN,
    RIDE_SHIFT,
    RIDES_TO_GOAL,
    RUN_COUNT,
    RUN_FROM,
    SHIFT_BEGIN,
    SHIFT_END,
    STOP_BEGIN,
    TIME_BEGIN,
    TIME_TO_GOAL,
    BoundRows,
    Found,
    Instances,
    Int32,
    Times,
    Walks,
    Workspace,
)
from routing.kernels.bags import (
    ALIT,
    AT_S,
    AT_STOP,
    BY_ALIGHT,
    BY_BOARD,
    BY_INSTANCE,
    BY_RUN,
    BY_SHIFT,
    EGRESSES,
    FROM,
    GOAL_COUNT,
    IN_RUN,
    LABEL_COUNT,
    NEXT,
    ON_FOOT_S,
    READY,
    RIDER_BOARD,
    RIDER_FOOT_S,
    RIDER_FROM,
    RIDER_RUN,
    RIDER_SHIFT,
    ROUND_BEGIN,
    THERE_EGRESS,
    THERE_LABEL,
    THERE_RIDES,
    THERE_S,
    Bags,
    add,
    is_bettered,
    reach_goal,
)
from routing.kernels.raptor import look_from_goal
from routing.kernels.rounds import catch, inner, rides_from


@numba.njit(nogil=True, cache=True)
def search_frugal(  # noqa: C901 - the main loop, compiled
    times: Times,
    instances: Instances,
    walks: Walks,
    bounds: BoundRows,
    gain_s: int,
    access: tuple[Int32, Int32, Int32],
    egress: tuple[Int32, Int32, Int32],
    departs_s: int,
    before_s: Int32,
    foot_s_max: int,
    ride_count_max: int,
    workspace: Workspace,
    bags: Bags,
    found: Found,
) -> int:
    """The Pareto set of arrival, rides and seconds on foot of one departure, within limits.

    times, instances, walks, bounds, gain_s  as for raptor.search
    access    int32[A] three times: stops where the journey may begin, the seconds to each, those on foot of
              them; a stop may stand there several times
    egress    int32[B] three times, likewise
    before_s  int32[ride_count_max + 1]  whoever arrives with k rides at before_s[k] or later is not sought;
              never rises with k
    foot_s_max  nor is who is longer on foot
    workspace of at least ride_count_max rides; left as it was found
    bags      fresh ones
    found     written: of each journey EGRESS_STOP is an index of `egress`; fewest rides first
    Returns   how many; -1 if `bags` or `found` are too small for them
    Requires  as raptor.search
    """
    look_from_goal(bounds, gain_s, (egress[0], egress[1]), workspace)
    egress_next = np.full(len(egress[0]), NONE, dtype=np.int32)
    for e in range(len(egress[0])):
        egress_next[e] = bags.heads[EGRESSES, egress[0][e]]
        bags.heads[EGRESSES, egress[0][e]] = e
    is_room = True
    marked_count = 0
    for i in range(len(access[0])):
        if is_room and access[2][i] <= foot_s_max:
            at_s, foot_s = departs_s + access[1][i], access[2][i]
            is_room, is_new = add(bags, READY, access[0][i], at_s, foot_s, i)
            if is_new:
                marked_count = _list(workspace, MARKED, marked_count, access[0][i])
    k = 0
    while is_room and k < ride_count_max and marked_count > 0:
        k += 1
        queue_count = _queue(instances, workspace, bags, marked_count, before_s[k])
        rides_begin = bags.counts[LABEL_COUNT]
        is_room, alighted_count = _ride(
            times, instances, walks.change_s, (egress[1], egress[2], egress_next), before_s, foot_s_max, k,
            queue_count, workspace, bags,
        )  # fmt: skip
        for m in range(marked_count):
            workspace.is_listed[MARKED, workspace.listed[MARKED, m]] = False
        marked_count = 0
        bags.counts[ROUND_BEGIN] = bags.counts[LABEL_COUNT]
        for a in range(alighted_count):
            stop = workspace.listed[ALIGHTED, a]
            workspace.is_listed[ALIGHTED, stop] = False
            label = bags.heads[ALIT, stop]
            while is_room and k < ride_count_max and label >= rides_begin:
                is_room, marked_count = _walk(
                    walks, before_s, foot_s_max, k, label, marked_count, workspace, bags
                )
                label = bags.labels[label, NEXT]
    for m in range(marked_count):
        workspace.is_listed[MARKED, workspace.listed[MARKED, m]] = False
    for e in range(len(egress[0])):
        workspace.to_goal[EGRESS_S, egress[0][e]] = NONE
    return _write(instances, bags, departs_s, found) if is_room else -1


@inner(nogil=True, cache=True)
def _list(workspace: Workspace, which: int, count: int, stop: int) -> int:
    """Note the stop as one of the newly ready or alighted at; how many they are."""
    if workspace.is_listed[which, stop]:
        return count
    workspace.is_listed[which, stop] = True
    workspace.listed[which, count] = stop
    return count + 1


@inner(nogil=True, cache=True)
def _queue(instances: Instances, workspace: Workspace, bags: Bags, marked_count: int, before_s: int) -> int:
    """Which instances may help where somebody is newly ready, boarded between which positions; how many."""
    queue_count = 0
    entries, first, last = instances.entries, workspace.queued[FIRST], workspace.queued[LAST]
    for m in range(marked_count):
        stop = workspace.listed[MARKED, m]
        earliest_s = NOT_REACHED
        label = bags.heads[READY, stop]
        while label >= bags.counts[ROUND_BEGIN]:
            earliest_s = min(earliest_s, bags.labels[label, AT_S])
            label = bags.labels[label, NEXT]
        for e in range(instances.entry_offsets[stop], instances.entry_offsets[stop + 1]):
            if (
                earliest_s + entries[e, GAIN] + workspace.to_goal[TIME_TO_GOAL, entries[e, NEXT_STOP]]
                >= before_s
            ):
                continue
            instance, position = entries[e, INSTANCE], entries[e, POSITION]
            if first[instance] == NONE:
                workspace.queued[QUEUE, queue_count] = instance
                queue_count += 1
                first[instance] = position
                last[instance] = position
            first[instance] = min(first[instance], position)
            last[instance] = max(last[instance], position)
    return queue_count


@inner(nogil=True, cache=True)
def _ride(  # noqa: C901 - one loop, compiled
    times: Times,
    instances: Instances,
    change_s: Int32,
    egress: tuple[Int32, Int32, Int32],
    before_s: Int32,
    foot_s_max: int,
    k: int,
    queue_count: int,
    workspace: Workspace,
    bags: Bags,
) -> tuple[bool, int]:
    """Ride every queued instance with all who may board; is there room, and the stops alighted at."""
    alighted_count, is_room = 0, True
    rows = instances.rows
    for q in range(queue_count):
        instance = workspace.queued[QUEUE, q]
        position, last = workspace.queued[FIRST, instance], workspace.queued[LAST, instance]
        workspace.queued[FIRST, instance] = NONE
        rider_count = 0
        while is_room and position < rows[instance, POSITION_TO]:
            at = rows[instance, STOP_BEGIN] + position
            stop, flags = times.stops[at], times.flags[at]
            kept = 0
            for r in range(rider_count):
                arrives_s = (
                    times.arrivals[
                        rows[instance, TIME_BEGIN]
                        + bags.riders[r, RIDER_RUN] * rows[instance, POSITION_COUNT]
                        + position
                    ]
                    + instances.shifts_s[bags.riders[r, RIDER_SHIFT]]
                )
                if flags & MAY_ALIGHT and is_room:
                    is_room, is_new = _alight(
                        egress, before_s, foot_s_max, k, instance, stop, position, r,
                        arrives_s + rows[instance, ALIGHT_LATE], rows[instance, RUN_FROM], workspace, bags,
                    )  # fmt: skip
                    if is_new:
                        alighted_count = _list(workspace, ALIGHTED, alighted_count, stop)
                # Who stays on from here is no better off than who alighted, changed and boarded here again.
                there_s = (
                    arrives_s
                    - rows[instance, BOARD_EARLY]
                    + workspace.to_goal[TIME_TO_GOAL, stop]
                    - change_s[stop]
                )
                if flags & MAY_BOARD and (
                    there_s >= before_s[k] or is_bettered(bags, there_s, bags.riders[r, RIDER_FOOT_S])
                ):
                    continue
                if kept != r:
                    bags.riders[kept] = bags.riders[r]
                kept += 1
            rider_count = kept
            if flags & MAY_BOARD and position <= last and workspace.is_listed[MARKED, stop]:
                label = bags.heads[READY, stop]
                while is_room and label >= bags.counts[ROUND_BEGIN]:
                    is_room, rider_count = _board(
                        times, instances, instance, position, label, rider_count, bags
                    )
                    label = bags.labels[label, NEXT]
            if rider_count == 0 and position >= last:
                break
            position += 1
    return is_room, alighted_count


@inner(nogil=True, cache=True)
def _board(
    times: Times,
    instances: Instances,
    instance: int,
    position: int,
    label: int,
    rider_count: int,
    bags: Bags,
) -> tuple[bool, int]:
    """Have who is ready board the first run there is, unless somebody on the way betters them."""
    rows, riders = instances.rows, bags.riders
    run_count, begin = rows[instance, RUN_COUNT], rows[instance, SHIFT_BEGIN]
    shift, run = catch(
        times.departures,
        instances.shifts_s,
        rows[instance, TIME_BEGIN] + position,
        rows[instance, POSITION_COUNT],
        run_count,
        bags.labels[label, AT_S] + rows[instance, BOARD_EARLY],
        begin,
        rows[instance, SHIFT_END],
    )
    if shift == NONE:
        return True, rider_count
    in_run, foot_s = (shift - begin) * run_count + run, bags.labels[label, ON_FOOT_S]
    kept = 0
    for r in range(rider_count):
        if riders[r, IN_RUN] <= in_run and riders[r, RIDER_FOOT_S] <= foot_s:
            return True, rider_count
        if in_run <= riders[r, IN_RUN] and foot_s <= riders[r, RIDER_FOOT_S]:
            continue
        if kept != r:
            riders[kept] = riders[r]
        kept += 1
    if kept == len(riders):
        return False, kept
    riders[kept, IN_RUN] = in_run
    riders[kept, RIDER_FOOT_S] = foot_s
    riders[kept, RIDER_SHIFT] = shift
    riders[kept, RIDER_RUN] = run
    riders[kept, RIDER_BOARD] = position
    riders[kept, RIDER_FROM] = label
    return True, kept + 1


@inner(nogil=True, cache=True)
def _alight(
    egress: tuple[Int32, Int32, Int32],
    before_s: Int32,
    foot_s_max: int,
    k: int,
    instance: int,
    stop: int,
    position: int,
    rider: int,
    arrives_s: int,
    run_from: int,
    workspace: Workspace,
    bags: Bags,
) -> tuple[bool, bool]:
    """Have a rider alight, and go to the goal from there; is there room, and is the label new."""
    foot_s = bags.riders[rider, RIDER_FOOT_S]
    rides = k + workspace.to_goal[RIDES_TO_GOAL, stop]
    there_s = arrives_s + workspace.to_goal[TIME_TO_GOAL, stop]
    if rides >= len(before_s) or there_s >= before_s[rides] or is_bettered(bags, there_s, foot_s):
        return True, False
    is_room, is_new = add(bags, ALIT, stop, arrives_s, foot_s, bags.riders[rider, RIDER_FROM])
    if not is_new:
        return is_room, False
    label = bags.counts[LABEL_COUNT] - 1
    bags.labels[label, BY_INSTANCE] = instance
    bags.labels[label, BY_SHIFT] = bags.riders[rider, RIDER_SHIFT]
    bags.labels[label, BY_RUN] = run_from + bags.riders[rider, RIDER_RUN]
    bags.labels[label, BY_BOARD] = bags.riders[rider, RIDER_BOARD]
    bags.labels[label, BY_ALIGHT] = position
    e = bags.heads[EGRESSES, stop]
    while is_room and e != NONE:
        goal_s, goal_foot_s = arrives_s + egress[0][e], foot_s + egress[1][e]
        if goal_s < before_s[k] and goal_foot_s <= foot_s_max and not is_bettered(bags, goal_s, goal_foot_s):
            is_room = reach_goal(bags, k, goal_s, goal_foot_s, label, e)
        e = egress[2][e]
    return is_room, True


@inner(nogil=True, cache=True)
def _walk(
    walks: Walks,
    before_s: Int32,
    foot_s_max: int,
    k: int,
    label: int,
    marked_count: int,
    workspace: Workspace,
    bags: Bags,
) -> tuple[bool, int]:
    """Walk, or change at the same stop, from where somebody alighted; how many stops are newly ready."""
    stop, change_s = bags.labels[label, AT_STOP], walks.change_s
    # Entry -1 is the change at the stop itself, the others are its footpaths.
    for w in range(walks.offsets[stop] - 1, walks.offsets[stop + 1]):
        is_same = w == walks.offsets[stop] - 1
        target = stop if is_same else walks.targets[w]
        walk_s = change_s[stop] if is_same else walks.walk_s[w]
        foot_s = bags.labels[label, ON_FOOT_S] + (0 if is_same else walk_s)
        rides = k + rides_from(change_s, workspace.to_goal[RIDES_TO_GOAL], target)
        if walk_s == NOT_REACHED or foot_s > foot_s_max or rides >= len(before_s):
            continue
        ready_s = bags.labels[label, AT_S] + walk_s
        there_s = ready_s + workspace.to_goal[TIME_TO_GOAL, target] - change_s[target]
        if there_s >= before_s[rides] or is_bettered(bags, there_s, foot_s):
            continue
        is_room, is_new = add(bags, READY, target, ready_s, foot_s, label)
        if not is_room:
            return False, marked_count
        if is_new:
            marked_count = _list(workspace, MARKED, marked_count, target)
    return True, marked_count


@inner(nogil=True, cache=True)
def _write(instances: Instances, bags: Bags, departs_s: int, found: Found) -> int:
    """Write the journeys at the goal; how many, -1 if too many."""
    labels, rows, rides = bags.labels, instances.rows, found.rides
    ride_count, journey_count = 0, bags.counts[GOAL_COUNT]
    if journey_count > len(found.journeys):
        return -1
    for g in range(journey_count):
        k, label = bags.goals[g, THERE_RIDES], bags.goals[g, THERE_LABEL]
        if ride_count + k > len(rides):
            return -1
        for ride in range(ride_count + k - 1, ride_count - 1, -1):
            rides[ride, RIDE_LINE] = rows[labels[label, BY_INSTANCE], LINE]
            rides[ride, RIDE_RUN] = labels[label, BY_RUN]
            rides[ride, RIDE_SHIFT] = instances.shifts_s[labels[label, BY_SHIFT]]
            rides[ride, RIDE_BOARD] = labels[label, BY_BOARD]
            rides[ride, RIDE_ALIGHT] = labels[label, BY_ALIGHT]
            # The readiness before it, and the ride before that; before the first, an index of access.
            label = labels[labels[label, FROM], FROM]
        found.journeys[g, DEPARTS] = departs_s
        found.journeys[g, ARRIVES] = bags.goals[g, THERE_S]
        found.journeys[g, RIDE_BEGIN] = ride_count
        found.journeys[g, RIDE_END] = ride_count + k
        found.journeys[g, ACCESS] = label
        found.journeys[g, EGRESS_STOP] = bags.goals[g, THERE_EGRESS]
        ride_count += k
    return int(journey_count)
