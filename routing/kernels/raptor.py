"""RAPTOR over several departures, towards a goal: every journey worth having.

Problem   A traveller leaves some stops at given times and wants a goal; each additional ride must pay off,
          and so must each earlier departure.
Idea      Round k extends the best journeys of k - 1 rides by one ride. Only lines at stops that improved
          are looked at, each once, from the first such stop on: step along the line with the first run that
          can be caught, catching an earlier one where a label allows; alight wherever that is earlier than
          anything before. Then walk from where somebody alighted. Departures are searched from the latest to
          the earliest and labels stay, so an earlier departure only follows what it improves.
Pruning   Bounds (bounds.py) tell for every stop the least time and the fewest rides to the goal, whatever the
          hour. Who is at a stop after k rides, and cannot be at the goal before the best arrival known for
          k + fewest rides, is not followed. For that an arrival must be known early, so the last departure is
          first searched along the fewest rides only, and of that search nothing is kept but the arrival.
          And since one arrives only when something arrives, the best arrival known is as good as the last
          arrival there is before it.
          A run that was boarded by as few rides at this position or an earlier one is not boarded again.
Exact     Bounds never exceed what any journey needs, so nothing that could improve the answer is left out.
          Bounds of more trips than run remain bounds; without any, everything is followed.
Source    Delling, Pajor, Werneck, "Round-Based Public Transit Routing", 2012 (with its range form); the rule
          about runs boarded is that of Witt, "Trip-Based Public Transit Routing", 2015.
Twin      tests/oracles/journeys.py
"""

# ruff: noqa: PLR0917 - compiled functions are called by position

import numba
import numpy as np
import numpy.typing as npt

from routing.kernels.arrays import (
    ACCESS,
    ARRIVES,
    BEST_S,
    BOARD_EARLY,
    BOUND_UNIT_S,
    DEPARTS,
    EGRESS_S,
    EGRESS_STOP,
    GOAL_S,
    GOAL_STOP,
    INSTANCE,
    LIMIT_S,
    LINE,
    NONE,
    NOT_REACHED,
    POSITION,
    POSITION_COUNT,
    READY_FROM,
    RIDE_ALIGHT,
    RIDE_BEGIN,
    RIDE_BOARD,
    RIDE_END,
    RIDE_LINE,
    RIDE_RUN,
    RIDE_SHIFT,
    RIDES_TO_GOAL,
    RIDES_UNREACHABLE,
    RUN_COUNT,
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
    UNREACHABLE,
    BoundRows,
    Found,
    Instances,
    Int32,
    Times,
    Walks,
    Workspace,
)
from routing.kernels.rounds import first_run, inner, rides_from, run_rounds


@numba.njit(nogil=True, cache=True)
def search(
    times: Times,
    instances: Instances,
    walks: Walks,
    bounds: BoundRows,
    gain_s: int,
    access: tuple[Int32, Int32],
    egress: tuple[Int32, Int32],
    departs_s: Int32,
    latest_s: int,
    ride_count_max: int,
    workspace: Workspace,
    found: Found,
) -> int:
    """Every Pareto journey of departure, arrival and rides that leaves at one of these instants.

    times, instances, walks, bounds   see arrays.py; bounds of no groups bound nothing
    gain_s    how much faster than the bounds' times a journey may be
    access    int32[A], int32[A]  stops where the journey may begin, and the walk to each, seconds
    egress    int32[B], int32[B]  stops where it may end, and the walk from each
    departs_s int32[D]  when to leave, falling, seconds after the start of the day searched
    latest_s  arrivals at the goal after this are not sought; below NOT_REACHED
    workspace of at least ride_count_max rides
    found     written: the journeys of each departure together, of each the fewest rides first
    Returns   how many; -1 if `found` is too small for them
    Requires  Timetable.check; shifted times stay well inside int32 (a few weeks)
    """
    look_from_goal(bounds, gain_s, egress, workspace)
    fewest = _fewest_rides(walks.change_s, access[0], workspace.to_goal[RIDES_TO_GOAL], ride_count_max)
    _limit(workspace.goal, latest_s + 1)
    # An arrival must be found out first where none is known.
    is_scouting = len(bounds.groups) > 0 and fewest < ride_count_max and latest_s + 1 >= NOT_REACHED
    journey_count, ride_count, row_count = 0, 0, 0
    d = 0
    while d < len(departs_s):
        _clear_goal(workspace.goal)
        rides = fewest if is_scouting else ride_count_max
        row_count = max(
            row_count,
            run_rounds(times, instances, walks, access, egress, departs_s[d], fewest, rides, workspace),
        )
        if is_scouting:
            is_scouting = False
            _limit(workspace.goal, min(workspace.goal[GOAL_S, fewest] + 1, latest_s + 1))
            _forget(workspace, row_count)
            continue
        journey_count, ride_count = _write(
            times, instances, workspace, found, departs_s[d], ride_count_max, journey_count, ride_count
        )
        if journey_count < 0:
            break
        d += 1
    _forget(workspace, row_count)
    for e in range(len(egress[0])):
        workspace.to_goal[EGRESS_S, egress[0][e]] = NONE
    return journey_count


@numba.njit(nogil=True, cache=True)
def search_all(
    times: Times,
    instances: Instances,
    walks: Walks,
    access: tuple[Int32, Int32],
    departs_s: int,
    latest_s: int,
    ride_count_max: int,
    workspace: Workspace,
    there_s: Int32,
    rides: Int32,
) -> None:
    """The earliest that one can be at every stop, and the fewest rides for that.

    there_s, rides  int32[S]  written: NOT_REACHED where that is later than latest_s
    The others as for `search`.
    """
    _limit(workspace.goal, latest_s + 1)
    _forget_bounds(workspace.to_goal)
    nowhere = (access[0][:0], access[1][:0])
    row_count = run_rounds(times, instances, walks, access, nowhere, departs_s, 1, ride_count_max, workspace)
    there_s[:] = NOT_REACHED
    rides[:] = 0
    for k in range(row_count):
        for stop in range(len(there_s)):
            # Readiness is being there, but where it is a change at the same stop; there alighting is earlier.
            earlier_s = min(workspace.alight_s[k, stop], workspace.ready_s[k, stop])
            if earlier_s < there_s[stop] and earlier_s <= latest_s:
                there_s[stop] = earlier_s
                rides[stop] = k
    _forget(workspace, row_count)


@numba.njit(nogil=True, cache=True)
def mark_departures(
    times: Times,
    instances: Instances,
    access: tuple[Int32, Int32],
    begin_s: int,
    is_departure: npt.NDArray[np.bool_],
) -> None:
    """Mark the instants at which one would leave in order to board something at once.

    access        as for `search`
    is_departure  bool[W]  written: True at each such instant, counted from begin_s
    """
    rows = instances.rows
    for a in range(len(access[0])):
        stop = access[0][a]
        for e in range(instances.entry_offsets[stop], instances.entry_offsets[stop + 1]):
            row = instances.entries[e, INSTANCE]
            begin = rows[row, TIME_BEGIN] + instances.entries[e, POSITION]
            for shift in range(rows[row, SHIFT_BEGIN], rows[row, SHIFT_END]):
                away_s = instances.shifts_s[shift] - rows[row, BOARD_EARLY] - access[1][a] - begin_s
                run = first_run(
                    times.departures, begin, rows[row, POSITION_COUNT], rows[row, RUN_COUNT], -away_s
                )
                while run < rows[row, RUN_COUNT]:
                    leaves = times.departures[begin + run * rows[row, POSITION_COUNT]] + away_s
                    if leaves >= len(is_departure):
                        break
                    is_departure[leaves] = True
                    run += 1


@inner(nogil=True, cache=True)
def _limit(goal: Int32, before_s: int) -> None:
    """Nobody who arrives at before_s or later is of use, with however many rides."""
    for k in range(goal.shape[1]):
        goal[BEST_S, k] = before_s
        goal[LIMIT_S, k] = before_s


@inner(nogil=True, cache=True)
def _clear_goal(goal: Int32) -> None:
    for k in range(goal.shape[1]):
        goal[GOAL_S, k] = NOT_REACHED


@inner(nogil=True, cache=True)
def look_from_goal(bounds: BoundRows, gain_s: int, egress: tuple[Int32, Int32], workspace: Workspace) -> None:
    """Write egress_s, and the least time and the fewest rides from every stop to the goal."""
    for e in range(len(egress[0])):
        stop, walk_s = egress[0][e], egress[1][e]
        if workspace.to_goal[EGRESS_S, stop] == NONE or walk_s < workspace.to_goal[EGRESS_S, stop]:
            workspace.to_goal[EGRESS_S, stop] = walk_s
    if len(bounds.groups) == 0:
        _forget_bounds(workspace.to_goal)
        return
    group_count = len(bounds.times)
    times = np.empty(group_count, dtype=np.int32)
    rides = np.empty(group_count, dtype=np.int32)
    for h in range(group_count):
        times[h], rides[h] = NOT_REACHED, RIDES_UNREACHABLE
    for e in range(len(egress[0])):
        group, walk_s = bounds.groups[egress[0][e]], egress[1][e]
        for h in range(group_count):
            if bounds.times[group, h] != UNREACHABLE:
                times[h] = min(times[h], bounds.times[group, h] * BOUND_UNIT_S + walk_s)
            rides[h] = min(rides[h], bounds.rides[group, h])
    _lower(times, gain_s)
    for stop in range(len(bounds.groups)):
        workspace.to_goal[TIME_TO_GOAL, stop] = times[bounds.groups[stop]]
        workspace.to_goal[RIDES_TO_GOAL, stop] = rides[bounds.groups[stop]]


@inner(nogil=True, cache=True)
def _lower(times: Int32, gain_s: int) -> None:
    """What can be reached at all may be so much faster."""
    for h in range(len(times)):
        if times[h] != NOT_REACHED:
            times[h] = max(0, times[h] - gain_s)


@inner(nogil=True, cache=True)
def _forget_bounds(to_goal: Int32) -> None:
    for stop in range(to_goal.shape[1]):
        to_goal[TIME_TO_GOAL, stop] = 0
        to_goal[RIDES_TO_GOAL, stop] = 0


@inner(nogil=True, cache=True)
def _fewest_rides(change_s: Int32, stops: Int32, rides_to_goal: Int32, ride_count_max: int) -> int:
    """No journey from these stops has fewer rides."""
    fewest = ride_count_max
    for i in range(len(stops)):
        fewest = min(fewest, rides_from(change_s, rides_to_goal, stops[i]))
    return fewest


@inner(nogil=True, cache=True)
def _forget(workspace: Workspace, row_count: int) -> None:
    workspace.alight_s[:row_count] = NOT_REACHED
    workspace.ready_s[:row_count] = NOT_REACHED
    workspace.caught[:row_count] = NOT_REACHED


@inner(nogil=True, cache=True)
def _write(
    times: Times,
    instances: Instances,
    workspace: Workspace,
    found: Found,
    departs_s: int,
    ride_count_max: int,
    journey_count: int,
    ride_count: int,
) -> tuple[int, int]:
    """Write the journeys that this departure found; how many journeys and rides there are, -1 if too many."""
    rows, rides = instances.rows, found.rides
    best_s = NOT_REACHED
    for k in range(1, ride_count_max + 1):
        if workspace.goal[GOAL_S, k] >= best_s:
            continue
        best_s = workspace.goal[GOAL_S, k]
        if journey_count == len(found.journeys) or ride_count + k > len(found.rides):
            return -1, 0
        stop = boarded = workspace.goal[GOAL_STOP, k]
        for round_ in range(k, 0, -1):
            row = workspace.steps[round_, stop, STEP_INSTANCE]
            ride = ride_count + round_ - 1
            rides[ride, RIDE_LINE] = rows[row, LINE]
            rides[ride, RIDE_RUN] = workspace.steps[round_, stop, STEP_RUN]
            rides[ride, RIDE_SHIFT] = instances.shifts_s[workspace.steps[round_, stop, STEP_SHIFT]]
            rides[ride, RIDE_BOARD] = workspace.steps[round_, stop, STEP_BOARD]
            rides[ride, RIDE_ALIGHT] = workspace.steps[round_, stop, STEP_ALIGHT]
            boarded = times.stops[rows[row, STOP_BEGIN] + rides[ride, RIDE_BOARD]]
            stop = workspace.steps[round_ - 1, boarded, READY_FROM]
        found.journeys[journey_count, DEPARTS] = departs_s
        found.journeys[journey_count, ARRIVES] = best_s
        found.journeys[journey_count, RIDE_BEGIN] = ride_count
        found.journeys[journey_count, RIDE_END] = ride_count + k
        # Before the first ride there is no stop alighted at, but the index of an access.
        found.journeys[journey_count, ACCESS] = stop
        found.journeys[journey_count, EGRESS_STOP] = workspace.goal[GOAL_STOP, k]
        journey_count += 1
        ride_count += k
    return journey_count, ride_count
