"""Going outside vehicles: along which streets, and in which manner.

Problem   A walk is measured for hundreds of stops at a door, told for a handful of legs, and told again when
          a journey is rebuilt from its id; all of them must be the same walk.
Idea      `Outside` is a network's ways together with how somebody goes. Whoever measures or tells a walk or
          a ride by bike is given one. All candidates are measured; only legs that are told are found with
          their geometry.
Not here  Footpaths between rides (routing/pacing.py has them at another pace).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial

import numpy as np
import numpy.typing as npt

from maas.journeys import LegStep
from routing.journey import Access
from routing.kernels.arrays import Int32
from routing.streets.matching import list_distances_m
from routing.streets.near import list_access_near
from routing.streets.street_ways import StreetWays
from routing.streets.ways import DEFAULT_SPEED_M_S, ON_FOOT, BeelineWays, Manner, Profile, Way, Ways
from routing.timetable import Timetable
from services.planner.inside import Inside

ON_A_BIKE = Manner(profile=Profile.BIKE)

Point = tuple[float, float]
"""Latitude and longitude, degrees."""
Floats = npt.NDArray[np.float64]
Find = Callable[[Point, Point, Manner], Way | None]

_FOUND_KEPT = 1_024
"""Ways with their geometry: some ten kilobytes each."""

_DEGREE_M_MIN = 110_000.0
"""No degree of latitude is shorter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How somebody goes: on foot (or in a wheelchair), and on a bike."""

    on_foot: Manner = ON_FOOT
    by_bike: Manner = ON_A_BIKE


USUAL = Manners()


def choose_manners(
    *,
    profile: Profile = Profile.WALK,
    walking_m_s: float | None = None,
    cycling_m_s: float | None = None,
) -> Manners:
    """The manners of these speeds; a speed that is the profile's own counts as none."""
    return Manners(on_foot=_manner(profile, walking_m_s), by_bike=_manner(Profile.BIKE, cycling_m_s))


def _manner(profile: Profile, speed_m_s: float | None) -> Manner:
    return Manner(profile=profile, speed_m_s=None if speed_m_s == DEFAULT_SPEED_M_S[profile] else speed_m_s)


@dataclass(frozen=True, slots=True)
class Outside:
    """A network's ways, and how somebody goes along them.

    `find` is the ways' own, or one that keeps what it found.
    """

    ways: Ways = field(default_factory=BeelineWays)
    manners: Manners = USUAL
    find: Find | None = field(default=None, compare=False)
    inside: Inside | None = field(default=None, compare=False)

    @classmethod
    def keeping(cls, ways: Ways, inside: Inside | None = None) -> "Outside":
        """One that keeps the last ways it found: several journeys of an answer begin with the same walk."""
        return cls(ways, find=lru_cache(maxsize=_FOUND_KEPT)(partial(_find, ways)), inside=inside)

    def going(self, manners: Manners) -> "Outside":
        """The same ways in another manner."""
        return self if manners == self.manners else replace(self, manners=manners)

    def list_access(self, timetable: Timetable, point: Point, *, is_egress: bool) -> list[Access]:
        """The stops near a point, through entrances where the feed says how stations are entered."""
        near = list_access_near(
            self.ways, timetable, *point, manner=self.manners.on_foot.on_streets, is_egress=is_egress
        )
        if self.inside is None:
            return near
        ways = [way for way in near if not self.inside.is_gated(way.stop)]
        entered = self.inside.find_ways(self.ways, point, self.manners.on_foot, is_egress=is_egress)
        return [*ways, *(Access(stop=stop, walk_s=walk_s) for stop, walk_s in entered.items())]

    def find_access_s(self, point: Point, stop: int, place: Point, *, is_egress: bool) -> int | None:
        """What `list_access` says of this stop, which is at `place`; None where there is no such way."""
        if self.inside is not None and self.inside.is_gated(stop):
            return self.inside.find_ways(self.ways, point, self.manners.on_foot, is_egress=is_egress).get(
                stop
            )
        way = self.find_walk(place, point) if is_egress else self.find_walk(point, place)
        return None if way is None else way.seconds

    def list_on_streets(self, points: Sequence[Point], within_m: float) -> list[bool]:
        """Of each point, whether a street that may be walked is so near; True where no streets are loaded."""
        if not isinstance(self.ways, StreetWays):
            return [True] * len(points)
        found = list_distances_m(self.ways.graph, points, self.manners.on_foot.on_streets.profile)
        return [metres is not None and metres <= within_m for metres in found]

    def is_near(self, point: Point, lat: Floats, lon: Floats, *, limit_s: int) -> npt.NDArray[np.bool_]:
        """bool[n]: False where nobody walks there in time, however straight. Cheap: degrees, no distances."""
        degrees = limit_s * self.manners.on_foot.pace_m_s / _DEGREE_M_MIN
        wide = degrees / max(np.cos(np.radians(min(90.0, abs(point[0]) + degrees))), 0.01)
        near: npt.NDArray[np.bool_] = (np.abs(lat - point[0]) <= degrees) & (np.abs(lon - point[1]) <= wide)
        return near

    def walks_s(
        self,
        point: Point,
        lat: Sequence[float] | np.ndarray,
        lon: Sequence[float] | np.ndarray,
        *,
        limit_s: int,
        is_backwards: bool = False,
    ) -> Int32:
        """int32[n]: seconds to walk from the point to each (to it, if is_backwards), or BEYOND."""
        return self.ways.measure(
            *point,
            lat,
            lon,
            manner=self.manners.on_foot.on_streets,
            limit_s=limit_s,
            is_backwards=is_backwards,
        ).seconds

    def rides_s(
        self,
        point: Point,
        lat: Sequence[float] | np.ndarray,
        lon: Sequence[float] | np.ndarray,
        *,
        limit_s: int,
        is_backwards: bool = False,
    ) -> Int32:
        """The same by bike."""
        return self.ways.measure(
            *point, lat, lon, manner=self.manners.by_bike, limit_s=limit_s, is_backwards=is_backwards
        ).seconds

    def find_walk(self, start: Point, goal: Point) -> Way | None:
        """The way on foot; None where there is none."""
        return (self.find or partial(_find, self.ways))(start, goal, self.manners.on_foot.on_streets)

    def find_ride(self, start: Point, goal: Point) -> Way | None:
        """The way by bike; None where there is none."""
        return (self.find or partial(_find, self.ways))(start, goal, self.manners.by_bike)


def _find(ways: Ways, start: Point, goal: Point, manner: Manner) -> Way | None:
    return ways.find_way(start, goal, manner=manner)


def points_of(way: Way) -> tuple[Point, ...]:
    """The geometry that a leg tells: along streets, or none."""
    return () if way.is_estimate else way.points


def steps_of(way: Way) -> tuple[LegStep, ...]:
    """The stretches that a leg tells, likewise."""
    if way.is_estimate:
        return ()
    return tuple(
        LegStep(
            name=step.name,
            distance_m=step.metres,
            kind=step.kind,
            point_count=len(step.points),
            way_id=step.way_id,
            level=step.level,
        )
        for step in way.steps
    )


def estimate_walk(start: Point, goal: Point) -> Way:
    """A walk by the beeline: what a footpath is told as where streets do not join its ends."""
    way = BeelineWays().find_way(start, goal)
    assert way is not None, "beelines join all points"
    return way


def warm_up_ways(ways: Ways, lat: float, lon: float) -> None:
    """Have everything compiled that searches call, so that nobody waits for that. A point of the network."""
    for manner in (ON_FOOT, ON_A_BIKE):
        for is_backwards in (False, True):
            ways.measure(lat, lon, [lat], [lon], manner=manner, limit_s=60, is_backwards=is_backwards)
        ways.find_way((lat, lon), (lat + 0.0001, lon), manner=manner)
