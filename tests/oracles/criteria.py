"""Slow, obviously right twin of the search by arrival, rides and seconds on foot.

Every state that can be reached is kept: (stop, instant, seconds on foot) after k rides, by boarding every
trip of every day that departs in time. Nothing is compared but at the goal. A walk is told apart from the
instants it takes, so that a rental may take long and be little on foot.
"""

from collections.abc import Iterable, Mapping, Sequence

from tests.oracles.journeys import DAY_S, PlainWorld, rides_from

Way = tuple[int, int]
"""Seconds, and those on foot of them."""

Goal = tuple[int, int, int]
"""Arrival, rides, seconds on foot."""


def every_arrival(
    world: PlainWorld,
    access: Mapping[int, Sequence[Way]],
    egress: Mapping[int, Sequence[Way]],
    time_s: int,
    *,
    ride_count_max: int,
    days: Iterable[int],
) -> set[Goal]:
    """Every way to be at the goal, however bad."""
    ready = {(stop, time_s + s, foot_s) for stop, ways in access.items() for s, foot_s in ways}
    answer: set[Goal] = set()
    for k in range(1, ride_count_max + 1):
        alight = set()
        for t, trip in enumerate(world.trips):
            for day in trip.days & set(days):
                for p, call in enumerate(trip.calls[:-1]):
                    if not call.may_board:
                        continue
                    leaves_s = call.departs_s + day * DAY_S - trip.check_in_s
                    walked = {foot_s for stop, s, foot_s in ready if stop == call.stop and s <= leaves_s}
                    for stop, at in rides_from(world, t, p, day) if walked else ():
                        alight |= {(stop, at, foot_s) for foot_s in walked}
        answer |= {
            (at + s, k, foot_s + more_s) for stop, at, foot_s in alight for s, more_s in egress.get(stop, ())
        }
        ready = {
            (stop, at + world.changes[stop], foot_s) for stop, at, foot_s in alight if stop in world.changes
        }
        ready |= {
            (b, at + s, foot_s + s)
            for stop, at, foot_s in alight
            for (a, b), s in world.walks.items()
            if a == stop
        }
    return answer


def every_departure(
    world: PlainWorld,
    access: Mapping[int, Sequence[Way]],
    egress: Mapping[int, Sequence[Way]],
    time_s: int,
    *,
    ride_count_max: int,
    days: Iterable[int],
) -> set[Goal]:
    """The same of departures, arriving by time_s: departures negated, by asking every departure alone."""
    departures = {
        call.departs_s + day * DAY_S - trip.check_in_s - s
        for trip in world.trips
        for day in trip.days & set(days)
        for call in trip.calls
        for s, _ in access.get(call.stop, ())
    }
    return {
        (-departs_s, k, foot_s)
        for departs_s in departures
        for arrives_s, k, foot_s in every_arrival(
            world, access, egress, departs_s, ride_count_max=ride_count_max, days=days
        )
        if arrives_s <= time_s
    }


def best_of(goals: Iterable[Goal], before_s: Sequence[int]) -> set[Goal]:
    """Those within the limits for their number of rides that no other betters."""
    kept = {goal for goal in goals if goal[1] < len(before_s) and goal[0] < before_s[goal[1]]}
    return {
        one
        for one in kept
        if not any(
            other != one and all(o <= mine for o, mine in zip(other, one, strict=True)) for other in kept
        )
    }
