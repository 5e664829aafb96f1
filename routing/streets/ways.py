"""What a search asks of streets, whoever answers it.

Problem   A search needs seconds from a door to many stops, docks or pick-up points; where a street graph is
          loaded they are exact, elsewhere they are estimates, and the search should not care.
Idea      `Ways` is the question; `BeelineWays` answers it without streets: beeline times a detour factor.
          Where streets do not reach, whoever knows streets estimates too, and says so (`is_estimate`).
Invariant `measure` and `find_way` agree: the same seconds and metres for the same ends and manner.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np
import numpy.typing as npt

from routing.footpaths import WalkOptions, distance_m
from routing.kernels.arrays import Int32

OPTIONS = WalkOptions()

BEYOND = -1
"""Stands for a target that is not reached within the limit."""

BIKE_DETOUR_FACTOR = 1.3


class Profile(StrEnum):
    """What one moves as; decides which streets may be used."""

    WALK = "walk"
    WHEELCHAIR = "wheelchair"
    PRAM = "pram"
    BIKE = "bike"


DEFAULT_SPEED_M_S = {
    Profile.WALK: OPTIONS.speed_m_s,
    Profile.WHEELCHAIR: 0.8,
    Profile.PRAM: 1.0,
    Profile.BIKE: 4.2,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How somebody moves. `speed_m_s` is metres a second on a level street; None: the profile's own."""

    profile: Profile = Profile.WALK
    speed_m_s: float | None = None

    @property
    def pace_m_s(self) -> float:
        """The speed that holds."""
        return self.speed_m_s or DEFAULT_SPEED_M_S[self.profile]

    @property
    def on_streets(self) -> "Manner":
        """The same for who knows streets: with a pram one uses those of wheelchairs, at one's own pace."""
        if self.profile is not Profile.PRAM:
            return self
        return Manner(profile=Profile.WHEELCHAIR, speed_m_s=self.pace_m_s)


ON_FOOT = Manner()


@dataclass(frozen=True, slots=True)
class Reached:
    """Ways to targets, in their order: int32[n] whole seconds and metres, BEYOND where there is none.

    is_estimate  bool[n]  the way to this target is no way along streets; False where it is BEYOND
    """

    seconds: Int32
    metres: Int32
    is_estimate: npt.NDArray[np.bool_]


class StepKind(StrEnum):
    """What one goes along."""

    STREET = "street"
    FOOTWAY = "footway"
    CYCLEWAY = "cycleway"
    CROSSING = "crossing"
    STEPS = "steps"
    ESCALATOR = "escalator"
    ELEVATOR = "elevator"
    PLATFORM = "platform"
    INDOOR = "indoor"
    PLAZA = "plaza"
    OFF_STREET = "off_street"


@dataclass(frozen=True, slots=True, kw_only=True)
class WayStep:
    """A stretch of a way along one street.

    `name` is what the map calls it, "" where it has none; `points` as in Way, the ends shared with the steps
    before and after; `way_id` is OpenStreetMap's id of its first way, 0 off the streets; `level` is the
    floor, 0 where the map says nothing.
    """

    name: str
    metres: int
    kind: StepKind
    points: tuple[tuple[float, float], ...]
    way_id: int
    level: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way along streets. `points` are (latitude, longitude) from its start to its end, both included.

    `steps` are its stretches, whose metres sum to the way's; an estimate has none.
    """

    seconds: int
    metres: int
    points: tuple[tuple[float, float], ...]
    is_estimate: bool
    steps: tuple[WayStep, ...] = ()


class Ways(Protocol):
    """Travel outside vehicles, from one point to many or along one way. Points in degrees."""

    def measure(
        self,
        lat: float,
        lon: float,
        targets_lat: Sequence[float] | np.ndarray,
        targets_lon: Sequence[float] | np.ndarray,
        *,
        manner: Manner = ON_FOOT,
        limit_s: int,
        is_backwards: bool = False,
    ) -> Reached:
        """From the point to each target (to the point, if is_backwards), up to limit_s."""

    def find_way(
        self, start: tuple[float, float], goal: tuple[float, float], *, manner: Manner = ON_FOOT
    ) -> Way | None:
        """The way between two points; None where streets do not join them."""


class BeelineWays:
    """Estimates from beelines, where no streets are loaded."""

    def measure(
        self,
        lat: float,
        lon: float,
        targets_lat: Sequence[float] | np.ndarray,
        targets_lon: Sequence[float] | np.ndarray,
        *,
        manner: Manner = ON_FOOT,
        limit_s: int,
        is_backwards: bool = False,  # noqa: ARG002 - a beeline is the same both ways
    ) -> Reached:
        """See Ways."""
        beeline_m = distance_m(np.array(lat), np.array(lon), np.asarray(targets_lat), np.asarray(targets_lon))
        along_m = beeline_m * _detour(manner)
        seconds = np.ceil(along_m / manner.pace_m_s).astype(np.int32)
        is_far = seconds > limit_s
        return Reached(
            np.where(is_far, BEYOND, seconds).astype(np.int32),
            np.where(is_far, BEYOND, np.rint(along_m)).astype(np.int32),
            ~is_far,
        )

    def find_way(
        self, start: tuple[float, float], goal: tuple[float, float], *, manner: Manner = ON_FOOT
    ) -> Way | None:
        """See Ways; there always is one."""
        reached = self.measure(*start, [goal[0]], [goal[1]], manner=manner, limit_s=np.iinfo(np.int32).max)
        return Way(
            seconds=int(reached.seconds[0]),
            metres=int(reached.metres[0]),
            points=(start, goal),
            is_estimate=True,
        )


def _detour(manner: Manner) -> float:
    return BIKE_DETOUR_FACTOR if manner.profile is Profile.BIKE else OPTIONS.detour_factor
