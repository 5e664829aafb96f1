"""Walking from a point to stops, and straight to the goal.

Problem   A traveller begins at a door, not at a platform.
Idea      Until street graphs are loaded a walk is estimated: beeline times a detour factor, at walking speed.
          Stops within reach are offered; if none is, the nearest one is, however far up to a limit, so that
          a place a little out of town still has an answer. Legs made of such walks are marked estimates.
Not here  Streets, stairs, lifts.
"""

from dataclasses import dataclass

import numpy as np

from routing.footpaths import WalkOptions, distance_m, walking_s
from routing.journey import Access
from routing.timetable import Timetable

REACH_M = 1_000.0
"""A walk to a first stop that nobody minds."""

FALLBACK_M = 5_000.0
"""How far the nearest stop may be if none is within reach."""

OPTIONS = WalkOptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """An estimated walk."""

    metres: int
    seconds: int


def estimate_walk(lat_1: float, lon_1: float, lat_2: float, lon_2: float) -> Walk:
    """The walk between two points."""
    metres = distance_m(np.array(lat_1), np.array(lon_1), np.array(lat_2), np.array(lon_2))
    along = float(metres) * OPTIONS.detour_factor
    return Walk(metres=round(along), seconds=int(walking_s(metres, OPTIONS)))


def list_access_near(timetable: Timetable, lat: float, lon: float) -> list[Access]:
    """Stops one may walk to from (or from which to) a point; empty if none is within the fallback."""
    metres = distance_m(np.array(lat), np.array(lon), timetable.stops.lat, timetable.stops.lon)
    chosen = np.flatnonzero(metres <= REACH_M)
    if not len(chosen):
        chosen = np.flatnonzero(metres <= min(FALLBACK_M, float(metres.min(initial=np.inf))))
    seconds = walking_s(metres[chosen], OPTIONS)
    return [Access(stop=int(stop), walk_s=int(walk_s)) for stop, walk_s in zip(chosen, seconds, strict=True)]
