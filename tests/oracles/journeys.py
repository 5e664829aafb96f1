"""Slow, obviously right twins of the routing kernels.

A world is plain Python: trips as lists of calls, walks as a dictionary, days as sets of numbers. `earliest`
tries everything in rounds: after k rides, from every stop ready, board every trip of every day that departs
in time, and alight wherever allowed. No lines, no binary search, no pruning, no mirror.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

DAY_S = 86_400


@dataclass(frozen=True)
class PlainCall:
    stop: int
    arrives_s: int
    departs_s: int
    may_board: bool = True
    may_alight: bool = True


@dataclass(frozen=True)
class PlainTrip:
    """A vehicle's calls and the service days on which it runs."""

    calls: tuple[PlainCall, ...]
    days: frozenset[int]
    check_in_s: int = 0


@dataclass
class PlainWorld:
    """`walks[a, b]` are seconds from alighting at a to boarding at b; `changes[a]` the same at one stop.

    `stay[t]` are the trips that trip t goes on as, with its riders seated.
    """

    stop_count: int
    trips: list[PlainTrip]
    walks: dict[tuple[int, int], int] = field(default_factory=dict)
    changes: dict[int, int] = field(default_factory=dict)
    stay: dict[int, list[int]] = field(default_factory=dict)


def rides_from(world: PlainWorld, trip: int, board: int, day: int) -> Iterator[tuple[int, int]]:
    """Every (stop, instant) where one who boards this trip there may alight; seated where it goes on."""
    calls = world.trips[trip].calls
    for call in calls[board + 1 :]:
        if call.may_alight:
            yield call.stop, call.arrives_s + day * DAY_S
    for following in world.stay.get(trip, ()):
        if day in world.trips[following].days:
            # At its first call the vehicle is where it already was.
            yield from rides_from(world, following, 0, day)


def earliest(
    world: PlainWorld,
    access: dict[int, int],
    egress: dict[int, int],
    time_s: int,
    *,
    ride_count_max: int,
    days: Iterable[int],
) -> dict[int, int]:
    """{rides: earliest arrival} where each additional ride pays. access, egress: {stop: walk seconds}."""
    ready = {stop: time_s + walk_s for stop, walk_s in access.items()}
    best, answer = None, {}
    for k in range(1, ride_count_max + 1):
        alight = {}
        for t, trip in enumerate(world.trips):
            for day in trip.days & set(days):
                for p, call in enumerate(trip.calls[:-1]):
                    leaves_s = call.departs_s + day * DAY_S - trip.check_in_s
                    is_in_time = call.stop in ready and ready[call.stop] <= leaves_s
                    if call.may_board and is_in_time:
                        for stop, at in rides_from(world, t, p, day):
                            alight[stop] = min(at, alight.get(stop, at))
        arrivals = [at + egress[stop] for stop, at in alight.items() if stop in egress]
        if arrivals and (best is None or min(arrivals) < best):
            best = answer[k] = min(arrivals)
        following = {}
        for stop, at in alight.items():
            options = [(stop, world.changes[stop])] if stop in world.changes else []
            options += [(b, walk_s) for (a, b), walk_s in world.walks.items() if a == stop]
            for target, walk_s in options:
                following[target] = min(at + walk_s, following.get(target, at + walk_s))
        ready = following
    return answer


def latest(
    world: PlainWorld,
    access: dict[int, int],
    egress: dict[int, int],
    time_s: int,
    *,
    ride_count_max: int,
    days: Iterable[int],
) -> dict[int, int]:
    """{rides: latest departure} arriving by time_s, where each additional ride lets one leave later.

    By trying every departure at which something leaves: no search back in time.
    """
    candidates = set()
    for trip in world.trips:
        for day in trip.days & set(days):
            for call in trip.calls:
                for stop, walk_s in access.items():
                    if call.stop == stop and call.departs_s + day * DAY_S <= time_s:
                        candidates.add(call.departs_s + day * DAY_S - trip.check_in_s - walk_s)
    answer = {}
    for departs_s in sorted(candidates):
        found = earliest(world, access, egress, departs_s, ride_count_max=ride_count_max, days=days)
        for k, at in found.items():
            if at <= time_s:
                answer[k] = departs_s
    return {k: value for k, value in answer.items() if all(value > answer[j] for j in answer if j < k)}


def pareto_range(
    world: PlainWorld,
    access: dict[int, int],
    egress: dict[int, int],
    *,
    ride_count_max: int,
    days: Iterable[int],
) -> set[tuple[int, int, int]]:
    """(departure, arrival, rides) of every journey that none other betters: every departure asked alone."""
    days = set(days)
    departures = {
        call.departs_s + day * DAY_S - trip.check_in_s - access[call.stop]
        for trip in world.trips
        for day in trip.days & days
        for call in trip.calls
        if call.stop in access
    }
    found = {
        (departs_s, arrives_s, k)
        for departs_s in departures
        for k, arrives_s in earliest(
            world, access, egress, departs_s, ride_count_max=ride_count_max, days=days
        ).items()
    }
    return pareto(found)


def pareto(found: set[tuple[int, int, int]]) -> set[tuple[int, int, int]]:
    """Those of (departure, arrival, rides) that none other betters."""
    return {
        one
        for one in found
        if not any(
            other != one and other[0] >= one[0] and other[1] <= one[1] and other[2] <= one[2]
            for other in found
        )
    }


def first_run(departures: list[int], ready_s: int) -> int:
    """The index of the first departure at or after ready_s; their number if none."""
    return next((i for i, departs_s in enumerate(departures) if departs_s >= ready_s), len(departures))


def best_interchange_cost(
    world: PlainWorld,
    first: Sequence[PlainCall],
    second: Sequence[PlainCall],
    board: int,
    alight: int,
    *,
    check_in_s: int,
    walk_s_max: int,
) -> int | None:
    """The fewest seconds ridden plus twice walked, over all ways to change from trip `first` to `second`.

    first, second: calls as instants. check_in_s is the second trip's. None if one cannot change.
    """
    costs = []
    for before in first[board + 1 :]:
        for after in second[:alight]:
            if not (before.may_alight and after.may_board):
                continue
            is_same = before.stop == after.stop
            walk_s = world.changes.get(before.stop) if is_same else world.walks.get((before.stop, after.stop))
            if not is_same and walk_s is not None and walk_s > walk_s_max:
                continue
            if walk_s is None or before.arrives_s + walk_s + check_in_s > after.departs_s:
                continue
            ridden = before.arrives_s - first[board].departs_s + second[alight].arrives_s - after.departs_s
            costs.append(ridden + (0 if is_same else 2 * walk_s))
    return min(costs, default=None)
