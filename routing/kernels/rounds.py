"""The rounds of a search: one departure, one more ride a round.

Problem   Most of what a search could ride, walk and note is of no use to it; asking costs time too.
Idea      What is ridden in a round is queued by instance, so that each is gone along once. What may help is
          asked of arrays that are read anyway; see raptor.py for why it may be left out.
Twin      tests/oracles/journeys.py
"""

# ruff: noqa: PLR0917 - compiled functions are called by position

from functools import partial

import numba
import numpy as np

from routing.kernels.arrays import (
    ALIGHT_LATE,
    ALIGHTED,
    BEST_S,
    BOARD_EARLY,
    CAUGHT_POSITIONS,
    EGRESS_S,
    FIRST,
    GAIN,
    GOAL_S,
    GOAL_STOP,
    INSTANCE,
    LAST,
    LIMIT_S,
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
    READY_FROM,
    RIDES_TO_GOAL,
    RUN_COUNT,
    RUN_FROM,
    SHIFT_BEGIN,
    SHIFT_END,
    STEP_ALIGHT,
    STEP_BOARD,
    STEP_INSTANCE,
    STEP_RUN,
    STEP_SHIFT,
    STOP_BEGIN,
    TIME_BEGIN,
    TIME_TO_GOAL,
    Instances,
    Int32,
    Times,
    Walks,
    Workspace,
)

inner = partial(numba.njit, no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""For functions that only compiled ones call: without the wrapper for Python, which takes long to compile."""

LAST_ARRIVALS_OF_MAX = 200
"""Where more ways than this end at the goal, something arrives all the time, and asking when does not pay."""


@inner(nogil=True, cache=True)
def run_rounds(
    times: Times,
    instances: Instances,
    walks: Walks,
    access: tuple[Int32, Int32],
    egress: tuple[Int32, Int32],
    departs_s: int,
    fewest: int,
    rides_to: int,
    workspace: Workspace,
) -> int:
    """Search one departure, following only what may be at the goal with at most rides_to rides.

    Returns how many rows were written.
    """
    marked_count = 0
    for i in range(len(access[0])):
        stop, ready_s = access[0][i], departs_s + access[1][i]
        if ready_s < workspace.ready_s[0, stop]:
            marked_count = _get_ready(workspace, marked_count, 0, stop, ready_s, i)
    k = 0
    while k < rides_to and marked_count > 0:
        k += 1
        # Until the fewest rides are ridden, the best arrival with those is what counts.
        loosest = max(k, fewest)
        _bring_limits_forward(times, instances, egress, workspace, loosest, rides_to)
        _keep_earlier(workspace.alight_s[k - 1], workspace.alight_s[k])
        _keep_earlier(workspace.ready_s[k - 1], workspace.ready_s[k])
        _keep_earlier(workspace.caught[k - 1], workspace.caught[k])
        limit_s = workspace.goal[LIMIT_S, loosest]
        queue_count = _queue_instances(times.departures, instances, workspace, marked_count, k, limit_s)
        alighted_count = _ride(times, instances, walks.change_s, workspace, queue_count, k, loosest, rides_to)
        for m in range(marked_count):
            workspace.is_listed[MARKED, workspace.listed[MARKED, m]] = False
        marked_count = _walk(walks, workspace, alighted_count, k, rides_to)
    for m in range(marked_count):
        workspace.is_listed[MARKED, workspace.listed[MARKED, m]] = False
    return k + 1


@numba.njit(nogil=True, cache=True)
def first_run(departures: Int32, begin: int, stride: int, run_count: int, ready_s: int) -> int:
    """The first run whose departure is at or after ready_s; run_count if none.

    departures  int32[N]  run j departs at departures[begin + j * stride]; never falls with j
    Twin        tests/oracles/journeys.py
    """
    low, high = 0, run_count
    while low < high:
        middle = (low + high) // 2
        if departures[begin + middle * stride] < ready_s:
            low = middle + 1
        else:
            high = middle
    return low


def warm_up_jit() -> None:
    """Have the compiler's own tables in memory, sixty megabytes of them: before a process forks, for all."""
    first_run(np.zeros(1, dtype=np.int32), 0, 1, 1, 0)


@inner(nogil=True, cache=True, inline="always")
def rides_from(change_s: Int32, rides_to_goal: Int32, stop: int) -> int:
    """The fewest rides to the goal of one who is ready to board; bounds are of one who has alighted."""
    return max(1, rides_to_goal[stop]) if change_s[stop] != NOT_REACHED else 1


@inner(nogil=True, cache=True)
def _keep_earlier(fewer_rides: Int32, this_round: Int32) -> None:
    """What fewer rides reached is reached."""
    for i in range(len(this_round)):
        this_round[i] = min(this_round[i], fewer_rides[i])


@inner(nogil=True, cache=True, inline="always")
def _get_ready(workspace: Workspace, marked_count: int, k: int, stop: int, ready_s: int, from_: int) -> int:
    """Note that somebody is ready to board at the stop, earlier than before; the stops newly ready so far."""
    workspace.ready_s[k, stop] = ready_s
    workspace.steps[k, stop, READY_FROM] = from_
    if workspace.is_listed[MARKED, stop]:
        return marked_count
    workspace.is_listed[MARKED, stop] = True
    workspace.listed[MARKED, marked_count] = stop
    return marked_count + 1


@inner(nogil=True, cache=True)
def _bring_limits_forward(
    times: Times,
    instances: Instances,
    egress: tuple[Int32, Int32],
    workspace: Workspace,
    loosest: int,
    rides_to: int,
) -> None:
    """Where the best arrival with k rides is new: nothing arrives between it and the last one before."""
    way_count = 0
    for e in range(len(egress[0])):
        way_count += instances.alight_offsets[egress[0][e] + 1] - instances.alight_offsets[egress[0][e]]
    if way_count == 0 or way_count > LAST_ARRIVALS_OF_MAX:
        return
    for k in range(loosest, rides_to + 1):
        best_s = workspace.goal[BEST_S, k]
        if workspace.goal[LIMIT_S, k] != best_s or best_s >= NOT_REACHED:
            continue
        if k > loosest and best_s == workspace.goal[BEST_S, k - 1]:
            workspace.goal[LIMIT_S, k] = workspace.goal[LIMIT_S, k - 1]
        else:
            workspace.goal[LIMIT_S, k] = (
                _last_arrival(times.arrivals, instances, egress[0], egress[1], best_s) + 1
            )


@inner(nogil=True, cache=True)
def _last_arrival(arrivals: Int32, instances: Instances, stops: Int32, walk_s: Int32, before_s: int) -> int:
    """The last instant before before_s at which anybody arrives at the goal; -NOT_REACHED if none."""
    last_s = -int(NOT_REACHED)
    rows = instances.rows
    for e in range(len(stops)):
        for w in range(instances.alight_offsets[stops[e]], instances.alight_offsets[stops[e] + 1]):
            row = instances.alights[w, INSTANCE]
            begin = rows[row, TIME_BEGIN] + instances.alights[w, POSITION]
            for shift in range(rows[row, SHIFT_END] - 1, rows[row, SHIFT_BEGIN] - 1, -1):
                there_s = instances.shifts_s[shift] + rows[row, ALIGHT_LATE] + walk_s[e]
                run = first_run(
                    arrivals, begin, rows[row, POSITION_COUNT], rows[row, RUN_COUNT], before_s - there_s
                )
                if run > 0:
                    last_s = max(last_s, arrivals[begin + (run - 1) * rows[row, POSITION_COUNT]] + there_s)
                    break
    return int(last_s)


@inner(nogil=True, cache=True)
def _queue_instances(  # noqa: C901 - one loop, compiled
    departures: Int32, instances: Instances, workspace: Workspace, marked_count: int, k: int, limit_s: int
) -> int:
    """Which instances may help where somebody is newly ready, boarded between which positions; how many."""
    queue_count = 0
    entries, first, last = instances.entries, workspace.queued[FIRST], workspace.queued[LAST]
    rows = instances.rows
    time_to_goal = workspace.to_goal[TIME_TO_GOAL]
    for m in range(marked_count):
        stop = workspace.listed[MARKED, m]
        ready_s = workspace.ready_s[k - 1, stop]
        for e in range(instances.entry_offsets[stop], instances.entry_offsets[stop + 1]):
            if ready_s + entries[e, GAIN] + time_to_goal[entries[e, NEXT_STOP]] >= limit_s:
                continue
            instance, position = entries[e, INSTANCE], entries[e, POSITION]
            caught = workspace.caught[k, instance]
            if caught != NOT_REACHED and position >= caught % CAUGHT_POSITIONS:
                # Only an earlier run is of use. Runs are counted over the instance's days.
                run = caught // CAUGHT_POSITIONS - 1
                if run < 0:
                    continue
                shift = rows[instance, SHIFT_BEGIN]
                while run >= rows[instance, RUN_COUNT]:
                    run -= rows[instance, RUN_COUNT]
                    shift += 1
                departs_s = departures[
                    rows[instance, TIME_BEGIN] + run * rows[instance, POSITION_COUNT] + position
                ]
                if ready_s + rows[instance, BOARD_EARLY] > departs_s + instances.shifts_s[shift]:
                    continue
            if first[instance] == NONE:
                workspace.queued[QUEUE, queue_count] = instance
                queue_count += 1
                first[instance] = position
                last[instance] = position
            elif position < first[instance]:
                first[instance] = position
            elif position > last[instance]:
                last[instance] = position
    return queue_count


@inner(nogil=True, cache=True)
def catch(
    departures: Int32,
    shifts_s: Int32,
    begin: int,
    stride: int,
    run_count: int,
    ready_s: int,
    shift_from: int,
    shift_to: int,
) -> tuple[int, int]:
    """The day (an index of shifts_s) and the number of the first run to be caught; NONE if none."""
    for shift in range(shift_from, shift_to):
        if departures[begin + (run_count - 1) * stride] + shifts_s[shift] >= ready_s:
            return shift, first_run(departures, begin, stride, run_count - 1, ready_s - shifts_s[shift])
    return int(NONE), int(NONE)


@inner(nogil=True, cache=True)
def _ride(  # noqa: C901, PLR0912, PLR0915 - one loop; a call a position costs more than the position
    times: Times,
    instances: Instances,
    change_s: Int32,
    workspace: Workspace,
    queue_count: int,
    k: int,
    loosest: int,
    rides_to: int,
) -> int:
    """Ride every queued instance, alighting wherever that may help; the number of stops alighted at."""
    alighted_count = 0
    alight_s, ready_s = workspace.alight_s[k], workspace.ready_s[k - 1]
    time_to_goal, rides_to_goal, limit_s = (
        workspace.to_goal[TIME_TO_GOAL],
        workspace.to_goal[RIDES_TO_GOAL],
        workspace.goal[LIMIT_S],
    )
    departures, arrivals, shifts_s = times.departures, times.arrivals, instances.shifts_s
    rows = instances.rows
    for q in range(queue_count):
        instance = workspace.queued[QUEUE, q]
        stop_begin, stride, run_count = (
            rows[instance, STOP_BEGIN],
            rows[instance, POSITION_COUNT],
            rows[instance, RUN_COUNT],
        )
        time_begin, early_s, late_s = (
            rows[instance, TIME_BEGIN],
            rows[instance, BOARD_EARLY],
            rows[instance, ALIGHT_LATE],
        )
        last = workspace.queued[LAST, instance]
        shift, run, run_begin, shift_s, board = int(NONE), 0, 0, 0, int(NONE)
        caught = int(NOT_REACHED)
        position = workspace.queued[FIRST, instance]
        workspace.queued[FIRST, instance] = NONE
        while position < rows[instance, POSITION_TO]:
            stop = times.stops[stop_begin + position]
            flags = times.flags[stop_begin + position]
            if shift != NONE:
                arrives_s = arrivals[run_begin + position] + shift_s + late_s
                if flags & MAY_ALIGHT and arrives_s < alight_s[stop]:
                    rides = k + rides_to_goal[stop]
                    if rides <= rides_to and arrives_s + time_to_goal[stop] < limit_s[rides]:
                        alight_s[stop] = arrives_s
                        workspace.steps[k, stop, STEP_INSTANCE] = instance
                        workspace.steps[k, stop, STEP_SHIFT] = shift
                        workspace.steps[k, stop, STEP_RUN] = rows[instance, RUN_FROM] + run
                        workspace.steps[k, stop, STEP_BOARD] = board
                        workspace.steps[k, stop, STEP_ALIGHT] = position
                        if not workspace.is_listed[ALIGHTED, stop]:
                            workspace.is_listed[ALIGHTED, stop] = True
                            workspace.listed[ALIGHTED, alighted_count] = stop
                            alighted_count += 1
                        if (
                            workspace.to_goal[EGRESS_S, stop] != NONE
                            and arrives_s + workspace.to_goal[EGRESS_S, stop] < workspace.goal[BEST_S, k]
                        ):
                            _reach_goal(workspace.goal, arrives_s + workspace.to_goal[EGRESS_S, stop], k)
                            workspace.goal[GOAL_STOP, k] = stop
                # Who stays on from here is no better off than who alighted, changed and boarded here again.
                if (
                    flags & MAY_BOARD
                    and arrives_s - late_s - early_s + time_to_goal[stop] - change_s[stop] >= limit_s[loosest]
                ):
                    shift = int(NONE)
            if flags & MAY_BOARD and position <= last and workspace.is_listed[MARKED, stop]:
                boards_s = ready_s[stop] + early_s
                if shift == NONE:
                    is_earlier = ready_s[stop] + time_to_goal[stop] - change_s[stop] < limit_s[loosest]
                    shift_to = rows[instance, SHIFT_END]
                elif run > 0:
                    is_earlier = boards_s <= departures[run_begin - stride + position] + shift_s
                    shift_to = shift + 1
                else:
                    is_earlier = (
                        shift > rows[instance, SHIFT_BEGIN]
                        and boards_s
                        <= departures[time_begin + (run_count - 1) * stride + position] + shifts_s[shift - 1]
                    )
                    shift_to = shift
                if is_earlier:
                    shift, run = catch(
                        departures,
                        shifts_s,
                        time_begin + position,
                        stride,
                        run_count,
                        boards_s,
                        rows[instance, SHIFT_BEGIN],
                        shift_to,
                    )
                    if shift != NONE:
                        run_begin, shift_s, board = time_begin + run * stride, shifts_s[shift], position
                        counted = (shift - rows[instance, SHIFT_BEGIN]) * run_count + run
                        caught = min(caught, counted * CAUGHT_POSITIONS + board)
            if shift == NONE and position >= last:
                break
            position += 1
        workspace.caught[k, instance] = min(workspace.caught[k, instance], caught)
    return alighted_count


@inner(nogil=True, cache=True)
def _reach_goal(goal: Int32, there_s: int, k: int) -> None:
    """Note an arrival at the goal with k rides: more rides must be earlier."""
    goal[GOAL_S, k] = there_s
    for rides in range(k, goal.shape[1]):
        goal[BEST_S, rides] = min(goal[BEST_S, rides], there_s)
        goal[LIMIT_S, rides] = min(goal[LIMIT_S, rides], there_s)


@inner(nogil=True, cache=True)
def _walk(walks: Walks, workspace: Workspace, alighted_count: int, k: int, rides_to: int) -> int:
    """Walk, or change at the same stop, from wherever somebody alighted; how many stops are newly ready."""
    marked_count = 0
    ready_s, change_s, limit_s = workspace.ready_s[k], walks.change_s, workspace.goal[LIMIT_S]
    rides_to_goal = workspace.to_goal[RIDES_TO_GOAL]
    for i in range(alighted_count):
        stop = workspace.listed[ALIGHTED, i]
        workspace.is_listed[ALIGHTED, stop] = False
        arrives_s = workspace.alight_s[k, stop]
        # Entry -1 is the change at the stop itself, the others are its footpaths.
        for w in range(walks.offsets[stop] - 1, walks.offsets[stop + 1]):
            is_same = w == walks.offsets[stop] - 1
            target = stop if is_same else walks.targets[w]
            walk_s = change_s[stop] if is_same else walks.walk_s[w]
            there_s = arrives_s + walk_s if walk_s != NOT_REACHED else int(NOT_REACHED)
            if there_s >= ready_s[target]:
                continue
            rides = k + rides_from(change_s, rides_to_goal, target)
            if rides > rides_to:
                continue
            if there_s + workspace.to_goal[TIME_TO_GOAL, target] - change_s[target] < limit_s[rides]:
                marked_count = _get_ready(workspace, marked_count, k, target, there_s, stop)
    return marked_count
