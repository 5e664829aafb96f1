"""How far one gets: from one place to every stop, or from every stop to one.

Problem   An analyst asks what can be reached in an hour; a traveller, where one could live.
Idea      The same search without a goal: nothing is pruned but what is later than the limit. To be at a stop
          is to alight there, or to have walked there from where one alighted or began. Backwards in time
          it tells for every stop how late one may leave it.
Not here  How to get there: ask for the journey.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from routing.journey import Access
from routing.kernels.arrays import NOT_REACHED, Int32
from routing.kernels.raptor import search_all
from routing.raptor import SEARCH_DAYS_AFTER, Query, Router, ends_of, get_instant
from routing.windows import Window

LIMIT_S_MAX = SEARCH_DAYS_AFTER[0] * 86_400
"""The limit up to which the days looked at hold every ride."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """For each stop within the limit, in order of stops: seconds from the hour asked, waiting included.

    stops int32[R]; seconds int32[R]; rides int32[R], the fewest that take no longer
    """

    stops: Int32
    seconds: Int32
    rides: Int32


def warm_up_reach(router: Router) -> None:
    """Compile the kernel, or load it from its cache, so that nobody waits for that."""
    at = get_instant(router.timetable, router.timetable.first_date, 0)
    find_reach(router, at=at, ends=[Access(stop=0, walk_s=0)], limit_s=0)


def find_reach(
    router: Router,
    *,
    at: datetime,
    ends: Sequence[Access],
    limit_s: int,
    arrive_by: bool = False,
    ride_count_max: int = 8,
) -> Reach:
    """All stops reached by `at + limit_s`; or, to arrive by `at`, left at `at - limit_s` or later.

    `ends` are the ways from the place to stops (to it, if arrive_by). Raises OutsideDates.
    """
    assert 0 <= limit_s <= LIMIT_S_MAX, "the window holds every ride within the limit"
    day, time_s = router.get_day_second(at)
    overhang = router.timetable.overhang_days
    if arrive_by:
        query = Query(at=at, access=(), egress=ends)
        window = Window(day, SEARCH_DAYS_AFTER[0] + overhang, 0, is_mirrored=True)
        start_s = -time_s
    else:
        query = Query(at=at, access=ends, egress=())
        window = Window(day, overhang, SEARCH_DAYS_AFTER[0], is_mirrored=False)
        start_s = time_s
    side, instances = router.sides[window.is_mirrored], router.get_instances(window)
    there_s = np.empty(router.timetable.stop_count, dtype=np.int32)
    rides = np.empty(router.timetable.stop_count, dtype=np.int32)
    with router.workspaces.take(
        instance_count=len(instances.rows), ride_count_max=ride_count_max
    ) as workspace:
        search_all(
            side.times,
            instances,
            side.walks,
            ends_of(query, is_mirrored=window.is_mirrored)[0],
            start_s,
            start_s + limit_s,
            ride_count_max,
            workspace,
            there_s,
            rides,
        )
    stops = np.flatnonzero(there_s != NOT_REACHED)
    return Reach(
        stops=stops.astype(np.int32),
        seconds=(there_s[stops] - start_s).astype(np.int32),
        rides=rides[stops],
    )
