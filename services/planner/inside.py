"""Ways inside a network's stations, for each profile: measured when first asked for.

Idea      One `Inside` belongs to a published network and outlives its live messages. Whoever measures
          walks at doors asks it how stations are entered, and whoever changes which footpaths there are.
"""

from threading import Lock

import numpy as np

from routing.footpaths import WalkOptions
from routing.journey import Access, find_walk_s
from routing.kernels.arrays import NOT_REACHED, Int32
from routing.pacing import find_paced_walk_s
from routing.pathways import StationTimes
from routing.profiles import build_for_profile, is_entered, list_ways_through_entrances, measure_timetable
from routing.raptor import Router
from routing.streets.near import REACH_M
from routing.streets.ways import Manner, Profile, Ways
from routing.timetable import Timetable

OPTIONS = WalkOptions()


class Inside:
    """Safe to use from several threads."""

    def __init__(self, timetable: Timetable) -> None:
        self._timetable = timetable
        self._times: dict[Profile, StationTimes] = {}
        self._lock = Lock()
        self.planned = self.get_times(Profile.WALK)

    def get_times(self, profile: Profile) -> StationTimes:
        """The ways in stations for a profile."""
        with self._lock:
            if profile not in self._times:
                self._times[profile] = measure_timetable(self._timetable, profile)
            return self._times[profile]

    def build_router(self, router: Router, manner: Manner) -> Router:
        """The router for somebody in a wheelchair or with a pram."""
        return build_for_profile(router, self.planned, self.get_times(manner.profile), manner)

    def find_ways(
        self, ways: Ways, point: tuple[float, float], manner: Manner, *, is_egress: bool
    ) -> dict[int, int]:
        """Seconds from a point to each stop that is reached through an entrance near it (to the point)."""
        times, nodes = self.get_times(manner.profile), self._timetable.nodes
        if not len(times.entrances):
            return {}
        outside_s: Int32 = ways.measure(
            *point,
            nodes.lat[times.entrances],
            nodes.lon[times.entrances],
            manner=manner.on_streets,
            limit_s=int(np.ceil(REACH_M * OPTIONS.detour_factor / manner.pace_m_s)),
            is_backwards=is_egress,
        ).seconds
        return list_ways_through_entrances(self._timetable, times, outside_s, is_egress=is_egress)

    def find_walk_s(self, timetable: Timetable, source: int, target: int, manner: Manner) -> int | None:
        """The footpath's seconds as `build_router` has them; `timetable` is at the usual pace."""
        paced_s = find_paced_walk_s(timetable, source, target, manner)
        if paced_s is None or manner.profile is Profile.WALK:
            return paced_s
        at = self._find_pair(source, target)
        if at is None:
            return paced_s
        inner_s = int(self.get_times(manner.profile).pair_s[at])
        if inner_s == NOT_REACHED:
            return None
        usual_s = find_walk_s(timetable, source, target)
        assert usual_s is not None, "who goes there slowly goes there"
        return max(usual_s, inner_s + OPTIONS.pathway_extra_s)

    def is_accessible(self, source: int | None, target: int | None) -> bool | None:
        """Whether one in a wheelchair gets from stop to stop; None where no pathways say it."""
        at = None if source is None or target is None else self._find_pair(source, target)
        return None if at is None else bool(self.get_times(Profile.WHEELCHAIR).pair_s[at] < NOT_REACHED)

    def _find_pair(self, source: int, target: int) -> int | None:
        """Where pathways speak about these two stops."""
        pairs, pair = self.planned.pairs, source * self._timetable.stop_count + target
        at = int(np.searchsorted(pairs, pair))
        return at if at < len(pairs) and pairs[at] == pair else None

    def is_gated(self, stop: int) -> bool:
        """Whether the stop is entered and left through entrances only."""
        return bool(self.planned.is_gated[stop])

    def keep_entered(self, ways: list[Access], profile: Profile, *, is_egress: bool) -> list[Access]:
        """Those to stops that the street leads to for this profile, as far as is known; all, on foot."""
        if profile is Profile.WALK:
            return ways
        times = self.get_times(profile)
        return [way for way in ways if is_entered(times, way.stop, is_egress=is_egress)]
