"""RAPTOR: the earliest arrival for every number of rides.

Problem   A traveller leaves some stops at given times and wants a goal; each additional ride must pay off.
Idea      Round k extends the best journeys of k - 1 rides by one ride. Only lines at stops that improved
          are looked at, each once, from the first such stop on: step along the line with the first run that
          can be caught, catching an earlier one where a label allows; alight wherever that is earlier than
          anything before. Then walk from where somebody alighted. Nothing later than the best arrival at
          the goal so far is followed.
Source    Delling, Pajor, Werneck, "Round-Based Public Transit Routing", 2012.
Twin      tests/oracles/journeys.py
"""

# ruff: noqa: PLR0917 - compiled functions are called by position

from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from routing.kernels.arrays import (
    MAY_ALIGHT,
    MAY_BOARD,
    NONE,
    NOT_REACHED,
    Instances,
    Int32,
    Labels,
    Lines,
    Walks,
)


class _Scratch(NamedTuple):
    """A search's own memory. S stops, I instances.

    best_alight_s, best_ready_s  int32[S]  over all rounds so far
    marked, is_marked            int32[S], bool[S]  the stops newly ready in this round, as a list and a set
    alighted, is_alighted        int32[S], bool[S]  the stops alighted at in this round, likewise
    queue                        int32[I]  the instances to ride in this round
    first_position               int32[I]  where each is first boarded; NONE if not queued
    """

    best_alight_s: Int32
    best_ready_s: Int32
    marked: Int32
    is_marked: npt.NDArray[np.bool_]
    alighted: Int32
    is_alighted: npt.NDArray[np.bool_]
    queue: Int32
    first_position: Int32


@numba.njit(nogil=True, cache=True)
def search(
    lines: Lines,
    instances: Instances,
    walks: Walks,
    access: tuple[Int32, Int32],
    egress_s: Int32,
    latest_s: int,
    labels: Labels,
) -> None:
    """Fill `labels` with the Pareto set of arrival and rides, from the access stops to the goal.

    lines, instances, walks   see arrays.py
    access    int32[A], int32[A]  stops where the journey may begin, and when it can board there, seconds
                        after the start of the day searched
    egress_s  int32[S]  the walk from alighting at a stop to the goal; NONE where there is none
    latest_s  arrivals at the goal after this are not sought; below NOT_REACHED
    labels    written; fresh from allocate_labels
    Requires  Timetable.check; shifted times stay well inside int32 (a few weeks)
    """
    stop_count = labels.alight_s.shape[1]
    scratch = _Scratch(
        np.full(stop_count, NOT_REACHED, dtype=np.int32),
        np.full(stop_count, NOT_REACHED, dtype=np.int32),
        np.empty(stop_count, dtype=np.int32),
        np.zeros(stop_count, dtype=np.bool_),
        np.empty(stop_count, dtype=np.int32),
        np.zeros(stop_count, dtype=np.bool_),
        np.empty(len(instances.lines), dtype=np.int32),
        np.full(len(instances.lines), NONE, dtype=np.int32),
    )
    goal_s = latest_s + 1
    marked_count = 0
    for i in range(len(access[0])):
        marked_count = _get_ready(labels, scratch, marked_count, 0, access[0][i], access[1][i], int(NONE))
    for k in range(1, labels.alight_s.shape[0]):
        if marked_count == 0:
            break
        queue_count = _queue_instances(instances, labels, scratch, marked_count, k, goal_s)
        alighted_count, goal_s = _ride(lines, instances, egress_s, labels, scratch, queue_count, k, goal_s)
        marked_count = _walk(walks, labels, scratch, alighted_count, k)


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


@numba.njit(nogil=True, cache=True, inline="always")
def _get_ready(
    labels: Labels, scratch: _Scratch, marked_count: int, k: int, stop: int, ready_s: int, from_stop: int
) -> int:
    """Note that somebody is ready to board at the stop, if that is earlier; the stops newly ready so far."""
    if ready_s >= scratch.best_ready_s[stop]:
        return marked_count
    scratch.best_ready_s[stop] = ready_s
    labels.ready_s[k, stop] = ready_s
    labels.ready_from[k, stop] = from_stop
    if scratch.is_marked[stop]:
        return marked_count
    scratch.is_marked[stop] = True
    scratch.marked[marked_count] = stop
    return marked_count + 1


@numba.njit(nogil=True, cache=True)
def _queue_instances(
    instances: Instances, labels: Labels, scratch: _Scratch, marked_count: int, k: int, goal_s: int
) -> int:
    """Which instances can be boarded where somebody is newly ready, and from which position on; how many."""
    queue_count = 0
    for m in range(marked_count):
        stop = scratch.marked[m]
        scratch.is_marked[stop] = False
        if labels.ready_s[k - 1, stop] >= goal_s:
            continue
        for e in range(instances.stop_offsets[stop], instances.stop_offsets[stop + 1]):
            instance = instances.entry_instances[e]
            position = instances.entry_positions[e]
            if scratch.first_position[instance] == NONE:
                scratch.queue[queue_count] = instance
                queue_count += 1
                scratch.first_position[instance] = position
            elif position < scratch.first_position[instance]:
                scratch.first_position[instance] = position
    return queue_count


@numba.njit(nogil=True, cache=True)
def _ride(
    lines: Lines,
    instances: Instances,
    egress_s: Int32,
    labels: Labels,
    scratch: _Scratch,
    queue_count: int,
    k: int,
    goal_s: int,
) -> tuple[int, int]:
    """Ride each queued instance once; how many stops were alighted at, and the goal's best arrival."""
    alighted_count = 0
    for i in range(queue_count):
        instance = scratch.queue[i]
        line = instances.lines[instance]
        shift_s = instances.shifts_s[instance]
        stop_begin = lines.stop_offsets[line]
        position_count = lines.stop_offsets[line + 1] - stop_begin
        # Runs are counted from the instance's first. "The run after the last" stands for none caught yet.
        run_from = instances.run_from[instance]
        time_begin = lines.time_offsets[line] + run_from * position_count
        run = run_count = instances.run_to[instance] - run_from
        run_begin = time_begin
        board = int(NONE)
        early_s = lines.board_early_s[line]
        late_s = lines.alight_late_s[line]
        for position in range(scratch.first_position[instance], instances.position_to[instance]):
            stop = lines.stops[stop_begin + position]
            flags = lines.flags[stop_begin + position]
            if run < run_count:
                arrives_s = lines.arrivals[run_begin + position] + shift_s + late_s
                if flags & MAY_ALIGHT and arrives_s < scratch.best_alight_s[stop] and arrives_s < goal_s:
                    scratch.best_alight_s[stop] = arrives_s
                    labels.alight_s[k, stop] = arrives_s
                    labels.ride_instance[k, stop] = instance
                    labels.ride_run[k, stop] = run_from + run
                    labels.ride_board[k, stop] = board
                    labels.ride_alight[k, stop] = position
                    if not scratch.is_alighted[stop]:
                        scratch.is_alighted[stop] = True
                        scratch.alighted[alighted_count] = stop
                        alighted_count += 1
                    if egress_s[stop] != NONE and arrives_s + egress_s[stop] < goal_s:
                        goal_s = arrives_s + egress_s[stop]
                        labels.goal_s[k] = goal_s
                        labels.goal_stop[k] = stop
            ready_s = labels.ready_s[k - 1, stop] + early_s
            if (
                flags & MAY_BOARD
                and ready_s < goal_s
                and (run == run_count or ready_s <= lines.departures[run_begin + position] + shift_s)
            ):
                caught = first_run(
                    lines.departures, time_begin + position, position_count, run, ready_s - shift_s
                )
                if caught < run:
                    run = caught
                    run_begin = time_begin + run * position_count
                    board = position
        scratch.first_position[instance] = NONE
    return alighted_count, goal_s


@numba.njit(nogil=True, cache=True)
def _walk(walks: Walks, labels: Labels, scratch: _Scratch, alighted_count: int, k: int) -> int:
    """Walk, or change at the same stop, from wherever somebody alighted; how many stops are newly ready."""
    marked_count = 0
    for i in range(alighted_count):
        stop = scratch.alighted[i]
        scratch.is_alighted[stop] = False
        arrives_s = labels.alight_s[k, stop]
        if walks.change_s[stop] != NOT_REACHED:
            ready_s = arrives_s + walks.change_s[stop]
            marked_count = _get_ready(labels, scratch, marked_count, k, stop, ready_s, stop)
        for w in range(walks.offsets[stop], walks.offsets[stop + 1]):
            ready_s = arrives_s + walks.walk_s[w]
            marked_count = _get_ready(labels, scratch, marked_count, k, walks.targets[w], ready_s, stop)
    return marked_count
