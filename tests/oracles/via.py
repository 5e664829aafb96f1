"""A slow, obviously right twin of searches that must be at places on the way.

Like `earliest` (journeys.py), but who is ready, or aboard, has been at the first so many places besides. Each
call of a vehicle is looked at; each interchange is tried for each number of places that it may add.
"""

from collections.abc import Iterable, Iterator
from itertools import product

from tests.oracles.journeys import DAY_S, PlainWorld, pareto

Place = tuple[frozenset[int], int]
"""Its stops, and how long one must stay there."""


def ride(  # noqa: PLR0917 - the oracle's own
    world: PlainWorld, trip: int, board: int, day: int, been: int, places: list[Place], *, is_on: bool = False
) -> Iterator[tuple[int, int, int]]:
    """(stop, instant, places been at) wherever one who boards this trip there may alight."""
    calls = world.trips[trip].calls
    follows = [t for t in world.stay.get(trip, ()) if day in world.trips[t].days]
    for p, call in enumerate(calls[board:], start=board):
        is_first, is_last = is_on and p == 0, p == len(calls) - 1
        for goes_on in (follows or [None]) if is_last else [None]:
            # Where a vehicle goes on as another trip nobody boards the first trip, or leaves the second.
            may_board = call.may_board and not (is_last and goes_on is not None)
            may_alight = call.may_alight and not is_first
            here = been
            if may_board or may_alight:
                here = pass_by(call.stop, been, places)
            if p > board and may_alight:
                for count in range(been, here + 1):
                    yield call.stop, call.arrives_s + day * DAY_S, count
            if is_last and goes_on is not None:
                yield from ride(world, goes_on, 0, day, here, places, is_on=True)
        if not is_last:
            been = here


def pass_by(stop: int, been: int, places: list[Place]) -> int:
    while been < len(places) and stop in places[been][0] and not places[been][1]:
        been += 1
    return been


def needed_s(places: list[Place], a: int, b: int, walk_s: int) -> int | None:
    """The interchange with stays at all these places: the least over where each stay may be."""
    options = []
    for where in product("abw", repeat=len(places)):
        is_there = all(
            (a in stops) if at == "a" else (b in stops) if at == "b" else (a in stops and b in stops)
            for at, (stops, _) in zip(where, places, strict=True)
        )
        if is_there and [at for at in where if at != "w"] == sorted(at for at in where if at != "w"):
            along = sum(stay for at, (_, stay) in zip(where, places, strict=True) if at == "w")
            apart = sum(stay for at, (_, stay) in zip(where, places, strict=True) if at != "w")
            options.append(apart + max(walk_s, along))
    return min(options, default=None)


def earliest_via(  # noqa: C901 - tries everything, in the open
    world: PlainWorld,
    access: dict[int, int],
    egress: dict[int, int],
    time_s: int,
    places: list[Place],
    *,
    ride_count_max: int,
    days: Iterable[int],
) -> dict[int, int]:
    """{rides: earliest arrival} where each additional ride pays."""
    ready = {(stop, 0): time_s + walk_s for stop, walk_s in access.items()}
    best, answer = None, {}
    for k in range(1, ride_count_max + 1):
        alight: dict[tuple[int, int], int] = {}
        for t, trip in enumerate(world.trips):
            for day in trip.days & set(days):
                for p, call in enumerate(trip.calls[:-1]):
                    leaves_s = call.departs_s + day * DAY_S - trip.check_in_s
                    for been in range(len(places) + 1):
                        at = ready.get((call.stop, been))
                        if call.may_board and at is not None and at <= leaves_s:
                            for stop, arrives_s, now in ride(world, t, p, day, been, places):
                                alight[stop, now] = min(arrives_s, alight.get((stop, now), arrives_s))
        arrivals = [
            at + egress[stop] for (stop, been), at in alight.items() if stop in egress and been == len(places)
        ]
        if arrivals and (best is None or min(arrivals) < best):
            best = answer[k] = min(arrivals)
        ready = {}
        for (stop, been), at in alight.items():
            options = [(stop, world.changes[stop])] if stop in world.changes else []
            options += [(b, walk_s) for (a, b), walk_s in world.walks.items() if a == stop]
            for target, walk_s in options:
                for later in range(been, len(places) + 1):
                    taken = needed_s(places[been:later], stop, target, walk_s)
                    if taken is not None:
                        there = at + taken
                        ready[target, later] = min(there, ready.get((target, later), there))
    return answer


def latest_via(
    world: PlainWorld,
    access: dict[int, int],
    egress: dict[int, int],
    time_s: int,
    places: list[Place],
    *,
    ride_count_max: int,
    days: Iterable[int],
) -> dict[int, int]:
    """{rides: latest departure} arriving by time_s, where each additional ride lets one leave later."""
    answer: dict[int, int] = {}
    for departs_s in sorted(_departures(world, access, days)):
        found = earliest_via(
            world, access, egress, departs_s, places, ride_count_max=ride_count_max, days=days
        )
        answer |= {k: departs_s for k, at in found.items() if at <= time_s}
    return {k: value for k, value in answer.items() if all(value > answer[j] for j in answer if j < k)}


def range_via(
    world: PlainWorld,
    access: dict[int, int],
    egress: dict[int, int],
    places: list[Place],
    *,
    ride_count_max: int,
    days: Iterable[int],
) -> set[tuple[int, int, int]]:
    """(departure, arrival, rides) of every journey that none other betters."""
    return pareto({
        (departs_s, arrives_s, k)
        for departs_s in _departures(world, access, days)
        for k, arrives_s in earliest_via(
            world, access, egress, departs_s, places, ride_count_max=ride_count_max, days=days
        ).items()
    })  # fmt: skip


def _departures(world: PlainWorld, access: dict[int, int], days: Iterable[int]) -> set[int]:
    return {
        call.departs_s + day * DAY_S - trip.check_in_s - access[call.stop]
        for trip in world.trips
        for day in trip.days & set(days)
        for call in trip.calls
        if call.stop in access
    }
