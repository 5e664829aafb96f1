"""A plain connection scan: the yardstick that carries routing figures from one machine to another.

Problem   Milliseconds belong to a machine. A small, well known algorithm timed in the same run gives a ratio.
Idea      All connections of two days in order of departure; scan from the query's hour until nothing can be
          earlier at the goal; walks are relaxed at each improvement. Earliest arrival only, no journeys.
Source    Dibbelt, Pajor, Strasser, Wagner, "Intriguingly Simple and Fast Transit Routing", 2013.
"""

# ruff: noqa: PLR0917 - compiled functions are called by position

from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from routing.kernels.arrays import NOT_REACHED, Int32, Walks
from routing.timetable import Timetable

DAY_S = 86_400


class Connections(NamedTuple):
    """Every ride from one stop to the next, by departure. int32 each; `runs` numbers vehicles from 0."""

    departs_s: Int32
    arrives_s: Int32
    sources: Int32
    targets: Int32
    runs: Int32


def list_connections(timetable: Timetable, *, day: int, day_count: int) -> tuple[Connections, int]:
    """The connections of some days from `day` on, in seconds after its start; and how many vehicles.

    For feeds where every call may be boarded and alighted at.
    """
    lines = timetable.lines
    counts = np.diff(lines.stop_offsets)
    sizes = np.diff(lines.time_offsets)
    line = np.repeat(np.arange(len(counts)), sizes)
    at = np.arange(len(lines.arrivals)) - lines.time_offsets[line]
    position, run = at % counts[line], at // counts[line]
    first = np.concatenate(([0], np.cumsum(sizes // counts)))[:-1]
    starts = np.flatnonzero(position < counts[line] - 1)
    stop = lines.stop_offsets[line[starts]] + position[starts]
    columns = []
    for later in range(day_count):
        runs_today = timetable.days.active[lines.patterns[line[starts]], day + later] != 0
        kept = starts[runs_today]
        columns.append(
            np.stack(
                [
                    lines.departures[kept] + later * DAY_S,
                    lines.arrivals[kept + 1] + later * DAY_S,
                    lines.stops[stop[runs_today]],
                    lines.stops[stop[runs_today] + 1],
                    (first[line[kept]] + run[kept]) * day_count + later,
                ]
            )
        )
    joined = np.concatenate(columns, axis=1)
    # A connection that takes no time must come before the next one of its vehicle.
    ordered = joined[:, np.lexsort((np.arange(joined.shape[1]), joined[1], joined[0]))].astype(np.int32)
    return Connections(*(column.copy() for column in ordered)), int(ordered[4].max()) + 1


@numba.njit(nogil=True, cache=True)
def scan(
    connections: Connections,
    run_count: int,
    walks: Walks,
    access: tuple[Int32, Int32],
    target: int,
    reached_s: Int32,
    boarded: npt.NDArray[np.bool_],
) -> int:
    """The earliest arrival at the target; NOT_REACHED if none.

    access     int32[A], int32[A]  stops and when one can board there
    reached_s  int32[S]  written: when each stop is reached
    boarded    bool[run_count]  written: vehicles one can be on
    """
    reached_s[:] = NOT_REACHED
    boarded[:run_count] = False
    departs_s = access[1].min()
    for i in range(len(access[0])):
        reached_s[access[0][i]] = min(access[1][i], reached_s[access[0][i]])
    for c in range(np.searchsorted(connections.departs_s, departs_s), len(connections.departs_s)):
        if connections.departs_s[c] >= reached_s[target]:
            break
        run = connections.runs[c]
        if not boarded[run]:
            if reached_s[connections.sources[c]] > connections.departs_s[c]:
                continue
            boarded[run] = True
        stop, arrives_s = connections.targets[c], connections.arrives_s[c]
        if arrives_s < reached_s[stop]:
            reached_s[stop] = arrives_s
            for w in range(walks.offsets[stop], walks.offsets[stop + 1]):
                there = walks.targets[w]
                reached_s[there] = min(arrives_s + walks.walk_s[w], reached_s[there])
    return int(reached_s[target])
