"""Footpaths along streets: those of all pairs asked one by one, and which source wins."""

import random
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from hypothesis import given, settings

from gtfs.literal import literal_feed
from routing.build import build_network
from routing.footpaths import StopTransfer, WalkOptions, build_walks
from routing.kernels.arrays import Walks
from routing.streets.footpaths import measure_footpaths
from routing.streets.ways import BeelineWays, Manner, Profile
from routing.timetable import open_timetable
from tests.oracles.streets import PlainMap, PlainWay
from tests.routing.street_maps import DICE, SORTS, compile_map, draw_map, draw_point

OPTIONS = WalkOptions(beeline_m_max=300.0)


def pairs_of(walks: Walks) -> dict[tuple[int, int], int]:
    sources = np.repeat(np.arange(len(walks.change_s)), np.diff(walks.offsets))
    told = zip(sources.tolist(), walks.targets.tolist(), walks.walk_s.tolist(), strict=True)
    return {(source, target): seconds for source, target, seconds in told}


@settings(max_examples=25, deadline=None)
@given(DICE)
def test_footpaths_are_the_ways_of_all_pairs_asked_one_by_one(dice: random.Random) -> None:
    plain = draw_map(dice)
    points = [(0.0, 0.0), *(draw_point(dice, plain) for _ in range(8))]
    lat, lon = (np.array([point[i] for point in points]) for i in range(2))
    with tempfile.TemporaryDirectory() as folder:
        ways = compile_map(plain, Path(folder))
    for profile, limit_s in ((Profile.WALK, 325), (Profile.WHEELCHAIR, 488)):
        pairs, seconds = measure_footpaths(lat, lon, OPTIONS, ways=ways, profile=profile)
        asked = {}
        for a in range(1, len(points)):
            for b in range(1, len(points)):
                way = ways.find_way(points[a], points[b], manner=Manner(profile=profile))
                # As far as an estimate goes: 300 m as the crow flies, 390 m to walk. Two minutes besides.
                if a != b and way is not None and way.seconds <= limit_s:
                    asked[a * len(points) + b] = way.seconds + 120
        assert dict(zip(pairs.tolist(), seconds.tolist(), strict=True)) == asked


def test_a_feeds_word_wins_over_streets_and_streets_over_the_beeline(tmp_path: Path) -> None:
    """Stops 0 and 1 at the ends of a street of 111 m; 2 is 389 m from its end, off the streets."""
    streets = PlainMap({1: (35.0, 139.0), 2: (35.001, 139.0)}, [PlainWay(1, (1, 2), SORTS[0].tags)])
    ways = compile_map(streets, tmp_path)
    lat, lon = np.array([35.0, 35.001, 35.0045]), np.full(3, 139.0)
    none = np.full(3, -1, dtype=np.int32)

    def walks(*transfers: StopTransfer) -> dict[tuple[int, int], int]:
        nearby = measure_footpaths(lat, lon, WalkOptions(), ways=ways)
        made = build_walks(
            lat=lat,
            lon=lon,
            stations=none,
            operators=none,
            transfers=transfers,
            options=WalkOptions(),
            nearby=nearby,
        )
        return pairs_of(made)

    # On the street 111.195 m / 1.2 = 92.7 s, and two minutes. To 2 it is estimated.
    assert walks()[0, 1] == 213
    told = BeelineWays().measure(35.001, 139.0, [35.0045], [139.0], limit_s=10_000)
    assert walks()[1, 2] == int(told.seconds[0]) + 120
    assert walks(StopTransfer(0, 1, 2, 45))[0, 1] == 45
    assert (0, 1) not in walks(StopTransfer(0, 1, 3, None))


def test_a_network_is_built_with_its_streets(tmp_path: Path) -> None:
    """A footbridge of stairs joins N and M, 222 m apart by beeline, 334 m to walk: steps count twice."""
    points = {1: (35.0, 139.0), 2: (35.001, 139.0), 3: (35.002, 139.0)}
    tags = {"highway": "footway"}, {"highway": "steps"}
    ways = compile_map(
        PlainMap(points, [PlainWay(1, (1, 2), tags[0]), PlainWay(2, (2, 3), tags[1])]), tmp_path
    )
    feed = literal_feed(
        """
        stop A 36.000 139.0
        stop N 35.000 139.0
        stop M 35.002 139.0
        route R bus
        stops A     N
        t1    08:00 08:05
        route S bus
        stops M     A
        t2    08:30 08:40
        """
    )
    build_network([feed], tmp_path / "n", version="v", now=datetime(2026, 5, 20, tzinfo=UTC), ways=ways)
    timetable = open_timetable(tmp_path / "n")
    stops = [timetable.find_stop(f"{timetable.feed_ids[0]}:{stop}") for stop in "NM"]
    # (111.195 + 2 * 111.195) m / 1.2 = 278.0 s, and two minutes.
    assert pairs_of(timetable.walks)[stops[0], stops[1]] == 398
