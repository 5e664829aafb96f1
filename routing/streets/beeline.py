"""Walks as they are estimated where no streets are loaded.

Idea      Beeline times a detour factor, at walking speed. Legs made of such walks are marked estimates.
Not here  Streets, stairs, lifts.
"""

from dataclasses import dataclass

import numpy as np

from routing.footpaths import WalkOptions, distance_m, walking_s

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
