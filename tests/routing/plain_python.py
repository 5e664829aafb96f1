"""Run by test_search with NUMBA_DISABLE_JIT=1: the kernels as plain Python against the oracle."""

import random
import sys

import numba

from routing.bounds import build_bounds
from routing.raptor import Router
from tests.oracles.journeys import PlainCall, PlainTrip, PlainWorld
from tests.routing.test_range import expect_leaving, query, told
from tests.routing.test_search import expect_earliest, find
from tests.routing.worlds import compile_world


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
            assert told(journeys) == expect_leaving(world, 0, 3, 7 * 3600, 7200), seed
    sys.stdout.write("25 worlds agree\n")


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
