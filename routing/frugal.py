"""Journeys with fewest steps: by arrival, rides and seconds on foot.

Problem   The fastest way may lead through long passages on foot; who carries a child or a trunk would rather
          be there some minutes later. But of all journeys the one least on foot may take half a day.
Idea      1. The plain Pareto set of arrival and rides (raptor.py): for each number of rides, how early one
          can be there. 2. From these a limit for each number of rides: so much later and no more (`Slack`).
          3. The Pareto set of arrival, rides and seconds on foot within the limits (kernels/criteria.py).
          4. For each, the search turned round, from its arrival, with its rides and its seconds on foot at
          most: the latest departure. To arrive by an hour, the other way round.
Exact     Within the limits nothing is left out. Both searches read the same days: none that could matter is
          beyond the window, which reaches over the latest limit.
Source    Delling, Dibbelt, Pajor, "Fast and Exact Public Transit Routing with Restricted Pareto Sets", 2019,
          whose slack on time is the factor here; the minutes beside it are ours, for short journeys.
Not here  Prices; journeys of some hours. A rental's seconds on foot are those to the vehicle and from it.
Twin      tests/oracles/criteria.py
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from routing.found import change_walk_s, read_journey, tidy
from routing.journey import Access, FoundJourney
from routing.kernels.arrays import (
    ACCESS,
    EGRESS_STOP,
    NOT_REACHED,
    RIDE_BEGIN,
    RIDE_END,
    Int32,
)
from routing.kernels.bags import allocate_bags
from routing.kernels.criteria import search_frugal
from routing.raptor import SEARCH_DAYS_AFTER, Query, Router, get_instant
from routing.timetable import Timetable
from routing.windows import Window
from routing.workspaces import make_room

_LABELS = 1 << 14
"""Room for as many labels at first; four times as much when that is too little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slack:
    """How much worse than the plain Pareto set a journey may be.

    Of the plain journeys with no more rides the fastest counts: `factor` times as long as that, and extra_s.
    extra_rides  how many rides more than the fastest journey of all has
    """

    factor: float = 1.25
    extra_s: int = 600
    extra_rides: int = 1


SLACK = Slack()


@dataclass(frozen=True, slots=True)
class Limits:
    """What a search is restricted to, in the kernel's time: before_s as kernels/criteria.py has it."""

    before_s: Int32
    foot_s_max: int = int(NOT_REACHED) - 1

    @property
    def ride_count_max(self) -> int:
        """The most rides that are looked at."""
        return len(self.before_s) - 1


def find_frugal(router: Router, query: Query, slack: Slack = SLACK) -> list[FoundJourney]:
    """The Pareto set of arrival (departure, if arrive_by), rides and seconds on foot, within the slack.

    Each with its latest departure (earliest arrival, if arrive_by). Best first by time; of one instant the
    fewest rides. Raises OutsideDates.
    """
    plain = router.find_journeys(query)
    if not plain:
        return []
    day, time_s = router.get_day_second(query.at)
    is_mirrored = query.arrive_by
    limits = limit(plain, slack, ride_count_max=query.ride_count_max, is_mirrored=is_mirrored)
    there, back = _list_windows(router, day, int(limits.before_s.max()), is_mirrored=is_mirrored)
    found = []
    for path in run(router, query, there, -time_s if is_mirrored else time_s, limits):
        turned = run(
            router,
            query,
            back,
            path.departs_s if is_mirrored else -path.arrives_s,
            Limits(
                np.full(len(path.rides) + 1, (time_s if is_mirrored else -time_s) + 1, dtype=np.int32),
                get_walked_s(router.timetable, path),
            ),
        )
        assert len(turned) == 1, "with fewer rides or seconds on foot there is none as good"
        found.append(tidy(router.timetable, router.cancellations, turned[0], is_frugal=True))
    found.sort(key=lambda path: (-path.departs_s if is_mirrored else path.arrives_s, len(path.rides)))
    return found


def warm_up_frugal(router: Router) -> None:
    """Compile the kernel, or load it from its cache, so that no traveller waits for that."""
    query = Query(at=get_instant(router.timetable, router.timetable.first_date, 0), access=(), egress=())
    window = Window(0, router.timetable.overhang_days, SEARCH_DAYS_AFTER[0], is_mirrored=False)
    run(router, query, window, 0, Limits(np.zeros(2, dtype=np.int32)))


def get_walked_s(timetable: Timetable, path: FoundJourney) -> int:
    """The journey's seconds on foot."""
    between_s = sum(change_walk_s(timetable, *path.rides[i : i + 2]) for i in range(len(path.rides) - 1))
    return _on_foot_s(path.access) + between_s + _on_foot_s(path.egress)


def limit(plain: Sequence[FoundJourney], slack: Slack, *, ride_count_max: int, is_mirrored: bool) -> Limits:
    """The limits for each number of rides, from the plain Pareto set."""
    fastest = max(len(path.rides) for path in plain)
    before_s = np.empty(min(ride_count_max, fastest + slack.extra_rides) + 1, dtype=np.int32)
    # From the fewest rides on, each more tightens the limit; below the fewest there is nothing to find.
    at_s = int(NOT_REACHED) - 1
    by_rides = {len(path.rides): _latest_s(path, slack, is_mirrored=is_mirrored) for path in plain}
    for k in range(len(before_s)):
        at_s = min(at_s, by_rides.get(k, at_s))
        before_s[k] = at_s + 1
    before_s[: min(by_rides)] = before_s[min(by_rides)]
    return Limits(before_s)


def _latest_s(path: FoundJourney, slack: Slack, *, is_mirrored: bool) -> int:
    more_s = int((path.arrives_s - path.departs_s) * (slack.factor - 1)) + slack.extra_s
    return (-path.departs_s if is_mirrored else path.arrives_s) + more_s


def _list_windows(router: Router, day: int, before_s: int, *, is_mirrored: bool) -> tuple[Window, Window]:
    """Windows that hold all before that limit: for the search, and for the search turned round."""
    reach, overhang = SEARCH_DAYS_AFTER[0], router.timetable.overhang_days
    if is_mirrored:
        while router.get_start_s(day - reach, day) > -before_s:
            reach += 1
        before, after = reach + overhang, 0
    else:
        while router.get_start_s(day + reach + 1, day) < before_s:
            reach += 1
        before, after = overhang, reach
    return (
        Window(day, before, after, is_mirrored=is_mirrored),
        Window(day, before, after, is_mirrored=not is_mirrored),
    )


def run(router: Router, query: Query, window: Window, departs_s: int, limits: Limits) -> list[FoundJourney]:
    """The kernel, once. Times are the kernel's: if the window is mirrored, negative and backwards."""
    side, instances = router.sides[window.is_mirrored], router.get_instances(window)
    ends = (query.egress, query.access) if window.is_mirrored else (query.access, query.egress)
    rides, times = limits.ride_count_max, 1
    while True:
        found = make_room(times)
        bags = allocate_bags(stop_count=router.timetable.stop_count, label_count=_LABELS * times)
        with router.workspaces.take(instance_count=len(instances.rows), ride_count_max=rides) as workspace:
            count = search_frugal(
                side.times,
                instances,
                side.walks,
                side.bounds,
                router.gain_s * rides,
                _as_arrays(ends[0]),
                _as_arrays(ends[1]),
                departs_s,
                limits.before_s,
                limits.foot_s_max,
                rides,
                workspace,
                bags,
                found,
            )
        if count >= 0:
            break
        times *= 4
    return [
        read_journey(
            router.timetable,
            window,
            ends[0][row[ACCESS]],
            found.rides[row[RIDE_BEGIN] : row[RIDE_END]].tolist(),
            ends[1][row[EGRESS_STOP]],
        )
        for row in found.journeys[:count].tolist()
    ]


def _as_arrays(ways: Sequence[Access]) -> tuple[Int32, Int32, Int32]:
    return (
        np.array([way.stop for way in ways], dtype=np.int32),
        np.array([way.walk_s for way in ways], dtype=np.int32),
        np.array([_on_foot_s(way) for way in ways], dtype=np.int32),
    )


def _on_foot_s(way: Access) -> int:
    rental = way.rental
    return way.walk_s if rental is None else rental.walk_to_s + rental.walk_from_s
