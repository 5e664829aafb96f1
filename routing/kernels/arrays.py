"""The arrays that searches read and write, as prose: who owns which slice.

Problem   A search touches millions of numbers; objects would be too slow and could not be shared.
Idea      A *line* is a group of *runs* (vehicles) that call at the same stops in the same order with the same
          boarding rules, on the same days, and never overtake one another. So "the first run I can catch" is
          a binary search in one column. A run is one trip, or several trips linked by an in-seat transfer,
          laid end to end: staying seated is then no interchange, and the search need not know.
          Times are whole seconds after the start of the run's own service day and may pass 24 h. An
          *instance* is a line on its service days; each day's shift is its start, in seconds after the start
          of the day the search is about. So a train at 25:10 yesterday and one at 01:10 today compare.
          Where some trips are cancelled on a day, the line is several instances that day, each a rectangle
          of what still runs: a range of its runs and a range of its positions. *Bounds* are least times and
          rides between stops whatever the hour; what is sure to be too late for the goal is not followed.
          A *mirrored* timetable (times negated, stops and runs in reverse, boarding and alighting swapped)
          turns "arrive by" into "depart at": one kernel, one proof.
Sentinels NOT_REACHED for times, NONE for indices. Both defined here only.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

NOT_REACHED = np.int32(2_000_000_000)
NONE = np.int32(-1)

# Bits of a line's flags, a position each.
MAY_BOARD = np.uint8(1)
MAY_ALIGHT = np.uint8(2)

Int32 = npt.NDArray[np.int32]


class Lines(NamedTuple):
    """All lines. L lines, Q positions (a line's stops, all lines), N times, B boardable positions.

    stop_offsets   int32[L+1]  line l owns positions [stop_offsets[l], stop_offsets[l+1])
    stops          int32[Q]    the stop at each position
    flags          uint8[Q]    MAY_BOARD, MAY_ALIGHT
    time_offsets   int64[L+1]  line l owns times [time_offsets[l], time_offsets[l+1]), run after run:
                               run j at position p is at time_offsets[l] + j * position_count + p
    arrivals       int32[N]    seconds after service-day start; never falls along a run or from run to run
    departures     int32[N]    likewise; arrivals <= departures at each position
    patterns       int32[L]    the day pattern on which the line's runs run
    board_early_s  int32[L]    how long before a departure one must be ready to board (ships check in)
    alight_late_s  int32[L]    how long after an arrival one is off; 0, but in a mirrored timetable, where it
                               is the line's board_early_s
    stop_line_offsets int32[S+1]  stop s owns [stop_line_offsets[s], stop_line_offsets[s+1]) of the next two
    stop_lines     int32[B]    a line that can be boarded at s (the last position never can)
    stop_positions int32[B]    and where
    """

    stop_offsets: Int32
    stops: Int32
    flags: npt.NDArray[np.uint8]
    time_offsets: npt.NDArray[np.int64]
    arrivals: Int32
    departures: Int32
    patterns: Int32
    board_early_s: Int32
    alight_late_s: Int32
    stop_line_offsets: Int32
    stop_lines: Int32
    stop_positions: Int32


class Times(NamedTuple):
    """What a search reads of Lines, as described there. Each array that is passed on costs time."""

    stops: Int32
    flags: npt.NDArray[np.uint8]
    arrivals: Int32
    departures: Int32


class Walks(NamedTuple):
    """Footpaths between stops, and the time a change at one stop takes.

    offsets   int32[S+1]  stop s owns [offsets[s], offsets[s+1]) of the next two
    targets   int32[F]    another stop
    walk_s    int32[F]    seconds from alighting here to boarding there, >= 0
    change_s  int32[S]    seconds from alighting to boarding at the same stop; NOT_REACHED forbids it

    A walk joins two rides, or a ride and an end of the journey; two walks never follow one another. So
    footpaths need not be transitively closed: what may be walked is in the list, and nothing else.
    """

    offsets: Int32
    targets: Int32
    walk_s: Int32
    change_s: Int32


# Columns of Instances.rows.
LINE = 0
STOP_BEGIN = 1
POSITION_COUNT = 2
POSITION_TO = 3
TIME_BEGIN = 4
RUN_FROM = 5
RUN_COUNT = 6
SHIFT_BEGIN = 7
SHIFT_END = 8
BOARD_EARLY = 9
ALIGHT_LATE = 10
ROW_WIDTH = 11

# Columns of Instances.entries, the first two also of Instances.alights.
INSTANCE = 0
POSITION = 1
NEXT_STOP = 2
GAIN = 3


class Instances(NamedTuple):
    """Lines on the service days around a search. I instances, D days of theirs, E entries, A alights.

    An instance is some runs of a line, ridden to before a position at most, on one or several days; where it
    begins is in the entries. An untouched line is one instance, all its runs and positions, on all its days:
    the runs of one day come before those of the next at every position, so they are one long column of runs.
    What a search asks of an instance is a row, so that it is fetched at once.

    rows       int32[I, ROW_WIDTH]  the line, where its stops begin, how many they are; POSITION_TO, the
                             position after the last that it may be ridden to; TIME_BEGIN, where the times
                             of its first run begin, the line's RUN_FROM-th; how many runs a day; its slice
                             of shifts_s; the line's board_early_s and alight_late_s
    shifts_s   int32[D]      the start of the instance's service days, seconds after the start of the day
                             searched; rising within an instance
    entry_offsets int32[S+1] stop s owns entries[entry_offsets[s] : entry_offsets[s+1]]
    entries    int32[E, 4]   an instance that can be boarded at s, at which position, the stop after that, and
                             the GAIN: who is ready at s at t and boards there is, by the bounds (below), no
                             nearer the goal than who alights at the next stop at t + GAIN
    alight_offsets int32[S+1] likewise of
    alights    int32[A, 2]   an instance that can be alighted at, and at which position
    """

    rows: Int32
    shifts_s: Int32
    entry_offsets: Int32
    entries: Int32
    alight_offsets: Int32
    alights: Int32


class BoundRows(NamedTuple):
    """Least times and rides between groups of stops, whatever the hour. C groups.

    groups  int32[S]      the group that a stop is in
    times   uint16[C, C]  times[g, h]: no stop of h, alighted at, is nearer than this to alighting at a stop
                          of g; units of BOUND_UNIT_S, rounded down; UNREACHABLE if it cannot be done at all
    rides   uint8[C, C]   likewise the fewest rides; RIDES_UNREACHABLE
    """

    groups: Int32
    times: npt.NDArray[np.uint16]
    rides: npt.NDArray[np.uint8]


BOUND_UNIT_S = 4
UNREACHABLE = 65_535
RIDES_UNREACHABLE = 100


# Columns of Workspace.steps; rows of goal, to_goal, listed and is_listed, queued.
READY_FROM, STEP_INSTANCE, STEP_SHIFT, STEP_RUN, STEP_BOARD, STEP_ALIGHT, STEP_WIDTH = range(7)
GOAL_S, GOAL_STOP, BEST_S, LIMIT_S = range(4)
EGRESS_S, TIME_TO_GOAL, RIDES_TO_GOAL = range(3)
MARKED, ALIGHTED = range(2)
QUEUE, FIRST, LAST = range(3)


class Workspace(NamedTuple):
    """What a search writes while it runs; the shell keeps it for the next. K rides at most, row k is k rides.

    Few arrays of several rows, since each array that is passed from one compiled function to another costs
    time, when compiling too. Between searches alight_s, ready_s and caught hold NOT_REACHED, EGRESS_S and
    FIRST hold NONE, the sets False.

    alight_s  int32[K+1, S]  earliest alighting with at most k rides
    ready_s   int32[K+1, S]  earliest readiness to board after at most k rides (row 0: the access walks)
    caught    int32[K+1, I]  the earliest run of the instance that k rides have boarded, counted over its
                             days, times CAUGHT_POSITIONS, plus the position it was boarded at
    steps     int32[K+1, S, STEP_WIDTH]  READY_FROM: the stop alighted at before that readiness; in row 0 an
                             index of `access`. The others: the ride that alights here after k, its instance,
                             day (an index of shifts_s), run (counted among all runs of the line), boarding
                             and alighting position
    goal      int32[4, K+1]  GOAL_S: arrival at the goal with k rides, of the departure that is searched;
                             GOAL_STOP: the stop alighted at before it; BEST_S: whoever arrives with k rides
                             then or later is of no use; LIMIT_S: the same, brought forward to just after the
                             last arrival there is before it
    to_goal   int32[3, S]    EGRESS_S: the walk from alighting at a stop to the goal; NONE where none;
                             TIME_TO_GOAL, RIDES_TO_GOAL: the least time and the fewest rides from alighting
                             at a stop to the goal; 0 without bounds
    listed, is_listed int32[2, S], bool[2, S]  the stops newly ready (MARKED) and alighted at (ALIGHTED) in
                             this round, as lists and as sets
    queued    int32[3, I]    QUEUE: the instances to ride in this round; FIRST, LAST: for each instance the
                             first and the last position it may be boarded at; FIRST is NONE if not queued
    """

    alight_s: Int32
    ready_s: Int32
    caught: Int32
    steps: Int32
    goal: Int32
    to_goal: Int32
    listed: Int32
    is_listed: npt.NDArray[np.bool_]
    queued: Int32


CAUGHT_POSITIONS = 4_096
"""More positions than any line has; times a line's runs in a window it stays inside int32."""


class Found(NamedTuple):
    """The journeys a search found. The caller allocates J and R rows.

    journeys  int32[J, JOURNEY_WIDTH]  DEPARTS when one leaves (of equal journeys the latest); ARRIVES at the
                              goal; its slice of rides; the index of its access, the stop before its egress
    rides     int32[R, RIDE_WIDTH]  line, run, shift, boarding and alighting position
    """

    journeys: Int32
    rides: Int32


DEPARTS, ARRIVES, RIDE_BEGIN, RIDE_END, ACCESS, EGRESS_STOP, JOURNEY_WIDTH = range(7)
RIDE_LINE, RIDE_RUN, RIDE_SHIFT, RIDE_BOARD, RIDE_ALIGHT, RIDE_WIDTH = range(6)


def allocate_workspace(*, ride_count_max: int, stop_count: int, instance_count: int) -> Workspace:
    """A fresh workspace for searches of at most so many rides, stops and instances."""
    by_stop, by_instance = (ride_count_max + 1, stop_count), (ride_count_max + 1, instance_count)
    workspace = Workspace(
        alight_s=np.full(by_stop, NOT_REACHED, dtype=np.int32),
        ready_s=np.full(by_stop, NOT_REACHED, dtype=np.int32),
        caught=np.full(by_instance, NOT_REACHED, dtype=np.int32),
        steps=np.empty((*by_stop, STEP_WIDTH), dtype=np.int32),
        goal=np.empty((4, ride_count_max + 1), dtype=np.int32),
        to_goal=np.zeros((3, stop_count), dtype=np.int32),
        listed=np.empty((2, stop_count), dtype=np.int32),
        is_listed=np.zeros((2, stop_count), dtype=np.bool_),
        queued=np.empty((3, instance_count), dtype=np.int32),
    )
    workspace.to_goal[EGRESS_S] = NONE
    workspace.queued[FIRST] = NONE
    return workspace


def allocate_found(*, journey_count: int, ride_count: int) -> Found:
    """Room for so many journeys and rides."""
    return Found(
        journeys=np.empty((journey_count, JOURNEY_WIDTH), dtype=np.int32),
        rides=np.empty((ride_count, RIDE_WIDTH), dtype=np.int32),
    )
