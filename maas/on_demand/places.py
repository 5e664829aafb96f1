"""Where on-demand vehicles stop, and how long they drive between two places.

Problem   A van's schedule needs driving times between any two points of a zone.
Idea      A `TravelTime` is any function of two points; `BeelineTravel` is the one used until streets are
          loaded: the great-circle distance, lengthened by the usual detour of roads, at a mean speed.
Not here  Streets (routing.streets), and the times of walking to a stop.
Invariant Times are rounded up, so a detour over a third point is never shorter than the direct drive.
"""

import math
from dataclasses import dataclass
from typing import Protocol

EARTH_RADIUS_M = 6_371_008.8  # the mean radius of the IUGG


@dataclass(frozen=True, slots=True)
class Point:
    """A place in degrees WGS84."""

    lat: float
    lon: float


class TravelTime(Protocol):
    """Driving seconds from one point to another; zero or more, and the triangle inequality holds."""

    def __call__(self, origin: Point, destination: Point, /) -> int:
        """Whole seconds, rounded up."""


def measure_beeline_m(origin: Point, destination: Point) -> float:
    """The great-circle distance in metres (haversine, exact enough below 0.6 %)."""
    lat_a, lat_b = math.radians(origin.lat), math.radians(destination.lat)
    half_lat = (lat_b - lat_a) / 2
    half_lon = math.radians(destination.lon - origin.lon) / 2
    chord = math.sin(half_lat) ** 2 + math.cos(lat_a) * math.cos(lat_b) * math.sin(half_lon) ** 2
    return 2 * EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(chord)))


@dataclass(frozen=True, slots=True, kw_only=True)
class BeelineTravel:
    """An estimate: the beeline, times a detour, at a mean speed. 1.4 and 30 km/h suit an island's roads."""

    detour_percent: int = 140
    speed_kmh: int = 30

    def __call__(self, origin: Point, destination: Point, /) -> int:
        """Whole seconds, rounded up."""
        road_m = measure_beeline_m(origin, destination) * self.detour_percent / 100
        return math.ceil(road_m * 3.6 / self.speed_kmh)
