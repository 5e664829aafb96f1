"""Run by test_search with NUMBA_DISABLE_JIT=1: the kernels as plain Python against the oracle."""

import random
import sys

import numba

from routing.bounds import build_bounds
from routing.frugal import SLACK, find_frugal, get_walked_s, limit
from routing.raptor import Query, Router
from routing.timetable import Timetable
from tests.oracles.criteria import best_of, every_arrival
from tests.oracles.journeys import DAY_S, PlainCall, PlainTrip, PlainWorld
from tests.routing.test_range import expect_leaving, query, told
from tests.routing.test_search import expect_earliest, find
from tests.routing.worlds import DAY_COUNT, compile_world


def main() -> None:
    assert numba.config.DISABLE_JIT
    for seed in range(25):
        world = random_world(random.Random(seed))
        timetable = compile_world(world)
        for source in range(3):
            got, _ = find(timetable, source, 3, 7 * 3600)
            assert got == expect_earliest(world, source, 3, 7 * 3600), seed
        asked = query(timetable, 0, 3, 7 * 3600, arrive_by=False)
        if asked is not None:
            journeys = Router(timetable, bounds=build_bounds(timetable)).find_range(asked, 7200)
            check_frugal(world, timetable, asked)
            assert told(journeys) == expect_leaving(world, 0, 3, 7 * 3600, 7200), seed
    sys.stdout.write("25 worlds agree\n")


def check_frugal(world: PlainWorld, timetable: Timetable, asked: Query) -> None:
    router = Router(timetable, bounds=build_bounds(timetable))
    plain, found = router.find_journeys(asked), find_frugal(router, asked)
    got = {(path.arrives_s + DAY_S, len(path.rides), get_walked_s(timetable, path)) for path in found}
    if not plain:
        assert not got
        return
    limits = limit(plain, SLACK, ride_count_max=asked.ride_count_max, is_mirrored=False)
    goals = every_arrival(
        world,
        {0: [(0, 0)]},
        {3: [(0, 0)]},
        7 * 3600 + DAY_S,
        ride_count_max=asked.ride_count_max,
        days=range(DAY_COUNT),
    )
    assert got == best_of(goals, [int(each) + DAY_S for each in limits.before_s])


def random_world(rng: random.Random) -> PlainWorld:
    trips = []
    for _ in range(8):
        at = rng.randrange(6, 20) * 3600
        calls = []
        for stop in rng.sample(range(4), rng.randint(2, 4)):
            calls.append(PlainCall(stop, at, at + 60, rng.random() < 0.9, rng.random() < 0.9))
            at += rng.choice([120, 1200, 7200])
        trips.append(PlainTrip(tuple(calls), frozenset({1, 2})))
    return PlainWorld(4, trips, {(0, 1): 300, (1, 2): 60}, dict.fromkeys(range(4), 60))
