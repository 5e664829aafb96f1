"""Least times and fewest rides to a goal, whatever the hour.

Problem   A search towards a goal should not follow what leads away from it; what is "away" must be proven.
Idea      Let every run leave when it is wanted and be as fast as the fastest of its line, stop by stop. Then
          search back from the goal in rounds, as RAPTOR does. The first round that reaches a stop is the
          fewest rides; the best of all rounds is the least time. Waiting is left out; riding, standing at
          stops, walking, changing and checking in are not.
Invariant No journey on any day is faster than its bound or has fewer rides, however many trips are cancelled.
Source    Lower bounds of this kind: Delling, Dibbelt, Pajor, "Fast and Exact Public Transit Routing with
          Restricted Pareto Sets", 2019; Bast et al., "Route Planning in Transportation Networks", 2016.
Twin      tests/oracles/bounds.py
"""

# ruff: noqa: PLR0917 - compiled functions are called by position

from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from routing.kernels.arrays import (
    BOUND_UNIT_S,
    MAY_ALIGHT,
    MAY_BOARD,
    NONE,
    NOT_REACHED,
    RIDES_UNREACHABLE,
    UNREACHABLE,
    BoundRows,
    Int32,
    Lines,
    Walks,
)


class Ways(NamedTuple):
    """Each way to ride once: the lines that call at the same stops by the same rules. V ways, P positions.

    stop_offsets  int32[V+1]  way v owns positions [stop_offsets[v], stop_offsets[v+1])
    stops, flags  int32[P], uint8[P]  as in Lines
    ride_s        int32[P]    the least time from leaving here to arriving at the next position
    stand_s       int32[P]    the least time from arriving here to leaving again
    board_early_s, alight_late_s  int32[V]  as in Lines
    by_stop_offsets int32[S+1]  stop s owns by_stop[by_stop_offsets[s] : by_stop_offsets[s+1]]
    by_stop       int32[A, 2]  a way that can be alighted from at s, and the position, of all ways' positions
    """

    stop_offsets: Int32
    stops: Int32
    flags: npt.NDArray[np.uint8]
    ride_s: Int32
    stand_s: Int32
    board_early_s: Int32
    alight_late_s: Int32
    by_stop_offsets: Int32
    by_stop: Int32


@numba.njit(nogil=True, cache=True)
def find_shortest(lines: Lines, ride_s: Int32, stand_s: Int32) -> None:
    """For each position of each line the least time to the next, and the least time there, of all its runs.

    ride_s, stand_s  int32[Q]  written; ride_s is 0 at a line's last position
    """
    for line in range(len(lines.patterns)):
        begin, end = lines.stop_offsets[line], lines.stop_offsets[line + 1]
        ride_s[begin:end] = NOT_REACHED
        stand_s[begin:end] = NOT_REACHED
        ride_s[end - 1] = 0
        at = lines.time_offsets[line]
        while at < lines.time_offsets[line + 1]:
            for q in range(begin, end):
                stand_s[q] = min(stand_s[q], lines.departures[at] - lines.arrivals[at])
                if q < end - 1:
                    ride_s[q] = min(ride_s[q], lines.arrivals[at + 1] - lines.departures[at])
                at += 1


@numba.njit(nogil=True, cache=True)
def find_bounds(
    ways: Ways,
    mirror_walks: Walks,
    member_offsets: Int32,
    members: Int32,
    goal_from: int,
    goal_to: int,
    bounds: BoundRows,
) -> None:
    """Fill the rows [goal_from, goal_to) of bounds.times and bounds.rides.

    ways          see Ways
    mirror_walks  the footpaths the other way round, see arrays.py
    member_offsets int32[C+1]  group g is the stops members[member_offsets[g] : member_offsets[g+1]]
    members       int32[S]
    """
    stop_count, way_count = len(bounds.groups), len(ways.board_early_s)
    left_s = np.empty(stop_count, dtype=np.int32)
    ready_s = np.empty(stop_count, dtype=np.int32)
    rides = np.empty(stop_count, dtype=np.int32)
    marked = np.empty(stop_count, dtype=np.int32)
    turned = np.empty(stop_count, dtype=np.int32)
    is_marked = np.zeros(stop_count, dtype=np.bool_)
    queue = np.empty(way_count, dtype=np.int32)
    last = np.full(way_count, NONE, dtype=np.int32)
    for goal in range(goal_from, goal_to):
        left_s[:] = NOT_REACHED
        ready_s[:] = NOT_REACHED
        rides[:] = RIDES_UNREACHABLE
        marked_count = 0
        for m in range(member_offsets[goal], member_offsets[goal + 1]):
            left_s[members[m]] = 0
            rides[members[m]] = 0
            marked[marked_count] = members[m]
            marked_count += 1
        k = 0
        while marked_count > 0:
            k += 1
            queue_count = 0
            for m in range(marked_count):
                is_marked[marked[m]] = False
                for w in range(ways.by_stop_offsets[marked[m]], ways.by_stop_offsets[marked[m] + 1]):
                    way = ways.by_stop[w, 0]
                    if last[way] == NONE:
                        queue[queue_count] = way
                        queue_count += 1
                    last[way] = max(last[way], ways.by_stop[w, 1])
            turned_count = 0
            for q in range(queue_count):
                turned_count = _ride_back(
                    ways, queue[q], last[queue[q]], left_s, ready_s, turned, is_marked, turned_count
                )
                last[queue[q]] = NONE
            for t in range(turned_count):
                is_marked[turned[t]] = False
            marked_count = _walk_back(
                mirror_walks, turned, turned_count, left_s, ready_s, rides, marked, is_marked, k
            )
        _take_least(bounds, goal, left_s, rides)


@numba.njit(nogil=True, cache=True)
def _ride_back(
    ways: Ways,
    way: int,
    last: int,
    left_s: Int32,
    ready_s: Int32,
    turned: Int32,
    is_turned: npt.NDArray[np.bool_],
    turned_count: int,
) -> int:
    """From the last position to the way's begin: how soon before the goal one may board; the stops so far."""
    early_s, late_s = ways.board_early_s[way], ways.alight_late_s[way]
    aboard_s = NOT_REACHED
    for q in range(last, ways.stop_offsets[way] - 1, -1):
        stop = ways.stops[q]
        if aboard_s != NOT_REACHED:
            aboard_s += ways.ride_s[q]
            if ways.flags[q] & MAY_BOARD and aboard_s + early_s < ready_s[stop]:
                ready_s[stop] = aboard_s + early_s
                if not is_turned[stop]:
                    is_turned[stop] = True
                    turned[turned_count] = stop
                    turned_count += 1
            aboard_s += ways.stand_s[q]
        if ways.flags[q] & MAY_ALIGHT and left_s[stop] != NOT_REACHED:
            aboard_s = min(aboard_s, left_s[stop] + late_s)
    return turned_count


@numba.njit(nogil=True, cache=True)
def _walk_back(
    mirror_walks: Walks,
    turned: Int32,
    turned_count: int,
    left_s: Int32,
    ready_s: Int32,
    rides: Int32,
    marked: Int32,
    is_marked: npt.NDArray[np.bool_],
    k: int,
) -> int:
    """From where one boards to where one alighted before; how many stops are newly nearer the goal."""
    marked_count = 0
    for t in range(turned_count):
        stop = turned[t]
        for w in range(mirror_walks.offsets[stop] - 1, mirror_walks.offsets[stop + 1]):
            is_same = w == mirror_walks.offsets[stop] - 1
            source = stop if is_same else mirror_walks.targets[w]
            walk_s = mirror_walks.change_s[stop] if is_same else mirror_walks.walk_s[w]
            if walk_s == NOT_REACHED or ready_s[stop] + walk_s >= left_s[source]:
                continue
            left_s[source] = ready_s[stop] + walk_s
            rides[source] = min(rides[source], k)
            if not is_marked[source]:
                is_marked[source] = True
                marked[marked_count] = source
                marked_count += 1
    return marked_count


@numba.njit(nogil=True, cache=True)
def _take_least(bounds: BoundRows, goal: int, left_s: Int32, rides: Int32) -> None:
    """A group is as near as its nearest stop."""
    bounds.times[goal] = UNREACHABLE
    bounds.rides[goal] = RIDES_UNREACHABLE
    for stop in range(len(left_s)):
        if left_s[stop] == NOT_REACHED:
            continue
        group = bounds.groups[stop]
        time = min(left_s[stop] // BOUND_UNIT_S, UNREACHABLE - 1)
        bounds.times[goal, group] = min(bounds.times[goal, group], time)
        bounds.rides[goal, group] = min(bounds.rides[goal, group], rides[stop], RIDES_UNREACHABLE)


@numba.njit(nogil=True, cache=True)
def find_gain(ride_s: Int32, stand_s: Int32, arrivals_s: Int32, departures_s: Int32) -> int:
    """How many seconds a changed run of a line, with these times, is faster than bounds think, at most.

    ride_s, stand_s int32[n]  the line's least rides from each position to the next, and least stands at each
                    (find_shortest)
    arrivals_s, departures_s int32[n]  of the run

    Between any two of its stops, that is; 0 where it is nowhere faster than the fastest of its line, stop by
    stop. A journey of k rides may then be k times as much faster than its bound.
    """
    gained_s = most_s = least_s = 0
    for i in range(len(arrivals_s) - 1):
        gained_s += ride_s[i] - (arrivals_s[i + 1] - departures_s[i])
        most_s = max(most_s, gained_s - least_s)
        gained_s += stand_s[i + 1] - (departures_s[i + 1] - arrivals_s[i + 1])
        most_s = max(most_s, gained_s - least_s)
        least_s = min(least_s, gained_s)
    return most_s
