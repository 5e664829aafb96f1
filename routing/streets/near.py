"""The stops near a door.

Problem   A traveller begins at a door, not at a platform.
Idea      Stops within reach are offered; if none is, the quickest of the nearest is, however far up to a
          limit, so that a place a little out of town still has an answer.
Not here  How a way is measured (ways.py).
"""

import numpy as np

from routing.footpaths import distance_m
from routing.journey import Access
from routing.kernels.arrays import Int32
from routing.streets.beeline import OPTIONS
from routing.streets.ways import ON_FOOT, Manner, Ways
from routing.timetable import Timetable

REACH_M = 1_000.0
"""A walk to a first stop that nobody minds: so far as the crow flies, and with a detour on the way."""

FALLBACK_M = 5_000.0
"""How far the nearest stop may be if none is within reach."""

_NEAREST_TRIED = 16
"""Of the stops out of reach, so many are measured: the nearest as the crow flies."""


def list_access_near(
    ways: Ways,
    timetable: Timetable,
    lat: float,
    lon: float,
    *,
    manner: Manner = ON_FOOT,
    is_egress: bool = False,
) -> list[Access]:
    """Stops one may go to from a point (to it, if is_egress); empty if none is within the fallback."""
    stops = timetable.stops
    beeline_m = distance_m(np.array(lat), np.array(lon), stops.lat, stops.lon)

    def measure(candidates: Int32, reach_m: float) -> tuple[Int32, Int32]:
        """Those that are reached, and their seconds."""
        reached = ways.measure(
            lat,
            lon,
            stops.lat[candidates],
            stops.lon[candidates],
            manner=manner,
            limit_s=int(np.ceil(reach_m * OPTIONS.detour_factor / manner.pace_m_s)),
            is_backwards=is_egress,
        )
        is_near = reached.seconds >= 0
        return candidates[is_near], reached.seconds[is_near]

    chosen, seconds = measure(np.flatnonzero(beeline_m <= REACH_M).astype(np.int32), REACH_M)
    if not len(chosen):
        nearest = np.argsort(beeline_m, kind="stable")[:_NEAREST_TRIED].astype(np.int32)
        chosen, seconds = measure(nearest[beeline_m[nearest] <= FALLBACK_M], FALLBACK_M)
        is_first = seconds == seconds.min(initial=np.iinfo(np.int32).max)
        chosen, seconds = chosen[is_first], seconds[is_first]
    return [
        Access(stop=stop, walk_s=walk_s)
        for stop, walk_s in zip(chosen.tolist(), seconds.tolist(), strict=True)
    ]
