"""The arrays that searches read and write, as prose: who owns which slice.

Problem   A search touches millions of numbers; objects would be too slow and could not be shared.
Idea      A *line* is a group of *runs* (vehicles) that call at the same stops in the same order with the same
          boarding rules, on the same days, and never overtake one another. So "the first run I can catch" is
          a binary search in one column. A run is one trip, or several trips linked by an in-seat transfer,
          laid end to end: staying seated is then no interchange, and the search need not know.
          Times are whole seconds after the start of the run's own service day and may pass 24 h. An
          *instance* is a line on one service day; its shift is that day's start, in seconds after the start
          of the day the search is about. So a train at 25:10 yesterday and one at 01:10 today compare.
          Where some trips are cancelled on a day, the line is several instances that day, each a rectangle
          of what still runs: a range of its runs and a range of its positions.
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


class Instances(NamedTuple):
    """Lines on the service days around a search. I instances, E boardable (instance, position) pairs.

    An instance is the runs [run_from, run_to) of its line, ridden to before position_to at most. Where it
    begins is in the entries: none is before that. An untouched line is one instance, all its runs and
    positions.

    lines          int32[I]    the line
    run_from, run_to int32[I]  its runs, at least one
    position_to    int32[I]    the position after the last that it may be ridden to
    shifts_s       int32[I]    its service day's start, seconds after the start of the day searched
    stop_offsets   int32[S+1]  stop s owns [stop_offsets[s], stop_offsets[s+1]) of the next two
    entry_instances int32[E]   an instance that can be boarded at s
    entry_positions int32[E]   and where
    """

    lines: Int32
    run_from: Int32
    run_to: Int32
    position_to: Int32
    shifts_s: Int32
    stop_offsets: Int32
    entry_instances: Int32
    entry_positions: Int32


class Labels(NamedTuple):
    """What a search writes; the caller allocates. K rounds (rides at most), row k is what k rides reach.

    alight_s      int32[K+1, S]  earliest alighting with k rides, where that beats fewer rides
    ready_s       int32[K+1, S]  earliest readiness to board after k rides (row 0: the access walks)
    ready_from    int32[K+1, S]  the stop alighted at before that readiness; NONE in row 0
    ride_instance int32[K+1, S]  the ride that alights: its instance,
    ride_run      int32[K+1, S]  run (counted among all runs of the line),
    ride_board    int32[K+1, S]  boarding position
    ride_alight   int32[K+1, S]  and alighting position
    goal_s        int32[K+1]     earliest arrival at the goal with k rides, where that beats fewer rides
    goal_stop     int32[K+1]     the stop alighted at before it

    The last five are meaningful only where alight_s, goal_s say reached.
    """

    alight_s: Int32
    ready_s: Int32
    ready_from: Int32
    ride_instance: Int32
    ride_run: Int32
    ride_board: Int32
    ride_alight: Int32
    goal_s: Int32
    goal_stop: Int32


def allocate_labels(*, ride_count_max: int, stop_count: int) -> Labels:
    """Fresh labels, nothing reached."""
    shape = (ride_count_max + 1, stop_count)
    return Labels(
        alight_s=np.full(shape, NOT_REACHED, dtype=np.int32),
        ready_s=np.full(shape, NOT_REACHED, dtype=np.int32),
        ready_from=np.empty(shape, dtype=np.int32),
        ride_instance=np.empty(shape, dtype=np.int32),
        ride_run=np.empty(shape, dtype=np.int32),
        ride_board=np.empty(shape, dtype=np.int32),
        ride_alight=np.empty(shape, dtype=np.int32),
        goal_s=np.full(ride_count_max + 1, NOT_REACHED, dtype=np.int32),
        goal_stop=np.full(ride_count_max + 1, NONE, dtype=np.int32),
    )
