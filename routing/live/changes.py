"""Trips that run otherwise than planned, in words of the timetable.

Problem   An operator says that tonight's boat is late, leaves out a port, lands at another one, or sails
          beside the timetable. Messages say it in many ways; the search needs it in one.
Idea      A trip that changes on a day has all its calls told anew (`TripChange`): times, stops, and where
          one may still board and alight. A trip that the timetable has not is an `ExtraTrip`. That a trip
          does not run at all is a cancellation (cancellations.py).
Not here  GTFS-Realtime (services/planner/live), how a change is ridden (overlay.py).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from routing.kernels.arrays import Int32
from routing.timetable import Timetable


class Calls(NamedTuple):
    """A trip's calls in order, n >= 2 of them.

    stops                    int32[n]
    flags                    uint8[n]  MAY_BOARD, MAY_ALIGHT; a call that is skipped has neither
    arrivals_s, departures_s int32[n]  seconds after the start of the trip's service day; made to rise
    """

    stops: Int32
    flags: npt.NDArray[np.uint8]
    arrivals_s: Int32
    departures_s: Int32


@dataclass(frozen=True, slots=True)
class TripChange:
    """A trip's calls on one day (an index), in place of those planned."""

    trip: int
    day: int
    calls: Calls


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraTrip:
    """A trip beside the timetable, on one day; its `trip_id` is new, its `route` one of the timetable's."""

    trip_id: str
    route: int
    day: int
    calls: Calls
    headsign: str = ""
    name: str = ""
    board_early_s: int = 0
    alight_late_s: int = 0


def planned_calls(timetable: Timetable, trip: int, day: int) -> Calls | None:
    """What the timetable says of a trip on a day; None if it does not run then."""
    trips, lines, parts = timetable.trips, timetable.lines, timetable.parts
    for i in range(int(trips.run_offsets[trip]), int(trips.run_offsets[trip + 1])):
        line = int(trips.run_lines[i])
        if not timetable.days.active[lines.patterns[line], day]:
            continue
        at = int(parts.offsets[line]) + int(trips.run_parts[i])
        begin, end = int(lines.stop_offsets[line]), int(lines.stop_offsets[line + 1])
        is_last = at + 1 == int(parts.offsets[line + 1])
        first, last = int(parts.starts[at]), end - begin if is_last else int(parts.starts[at + 1])
        here = slice(begin + first, begin + last)
        times = int(lines.time_offsets[line]) + int(trips.runs[i]) * (end - begin)
        return Calls(
            stops=lines.stops[here],
            flags=lines.flags[here],
            arrivals_s=lines.arrivals[times + first : times + last],
            departures_s=lines.departures[times + first : times + last],
        )
    return None
