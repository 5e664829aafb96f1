"""Walking from points, and footpaths: distances from theory."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gtfs.literal import literal_feed
from routing.assembly import BuildOptions
from routing.build import compile_timetable
from routing.footpaths import StopTransfer, WalkOptions, build_walks, distance_m
from routing.kernels.arrays import NOT_REACHED
from routing.streets.beeline import estimate_walk
from routing.streets.near import list_access_near
from routing.streets.ways import BeelineWays
from routing.strings import get_string
from routing.timetable import Timetable

# A degree of latitude is 111,195 m on a sphere of 6,371,009 m.
DEGREE_M = 111_195.0


def test_a_degree_of_latitude_and_one_of_longitude() -> None:
    north = distance_m(np.array(35.0), np.array(139.0), np.array(36.0), np.array(139.0))
    assert float(north) == pytest.approx(DEGREE_M, rel=1e-5)
    # At 60 degrees a degree of longitude is half as long (the great circle a trifle shorter).
    east = distance_m(np.array(60.0), np.array(10.0), np.array(60.0), np.array(11.0))
    assert float(east) == pytest.approx(DEGREE_M / 2, rel=1e-4)


def test_a_walk_is_the_beeline_with_a_detour_at_walking_speed() -> None:
    """0.009 degrees = 1,000.8 m; times 1.3 = 1,301 m; at 1.2 m/s 1,084.2 s, rounded up."""
    walk = estimate_walk(35.0, 139.0, 35.009, 139.0)
    assert (walk.metres, walk.seconds) == (1301, 1085)


@pytest.fixture(scope="module")
def town() -> Timetable:
    text = """
        stop N 35.000 139.0
        stop M 35.005 139.0
        stop L 35.100 139.0
        route R bus
        stops N     M     L
        t1    08:00 08:05 08:20
    """
    timetable, _ = compile_timetable([literal_feed(text)], version="v", options=BuildOptions())
    return timetable


def near(timetable: Timetable, lat: float, lon: float) -> dict[str, int]:
    return {
        get_string(timetable.stop_ids, access.stop)[4:]: access.walk_s
        for access in list_access_near(BeelineWays(), timetable, lat, lon)
    }


def test_stops_within_a_kilometre_are_offered(town: Timetable) -> None:
    # To N 0 m; to M 0.005 degrees = 556 m = 603 s.
    assert near(town, 35.0, 139.0) == {"N": 0, "M": 603}


def test_out_of_town_the_nearest_is_offered(town: Timetable) -> None:
    assert list(near(town, 35.03, 139.0)) == ["M"]


def test_in_the_wild_none_is(town: Timetable) -> None:
    assert near(town, 30.0, 150.0) == {}


def walks_of(**said: object) -> tuple[dict[tuple[int, int], int], list[int]]:
    """Four stops 111 m apart; 0 and 1 are one station of one operator, 2 of another in it, 3 alone."""
    arguments = {
        "lat": np.array([35.0, 35.001, 35.002, 35.003]),
        "lon": np.full(4, 139.0),
        "stations": np.array([7, 7, 7, -1], dtype=np.int32),
        "operators": np.array([0, 0, 1, 1], dtype=np.int32),
        "transfers": [],
        "options": WalkOptions(),
    }
    walks = build_walks(**(arguments | said))
    sources = np.repeat(np.arange(4), np.diff(walks.offsets))
    pairs = zip(sources.tolist(), walks.targets.tolist(), walks.walk_s.tolist(), strict=True)
    return {(a, b): seconds for a, b, seconds in pairs}, walks.change_s.tolist()


def test_three_minutes_within_an_operator_six_between_two_and_the_beeline_elsewhere() -> None:
    walks, changes = walks_of()
    assert (walks[0, 1], walks[0, 2], walks[2, 1]) == (180, 360, 360)
    # 2 to 3: 111.2 m * 1.3 / 1.2 = 120.5 s, rounded up, and two minutes.
    assert walks[2, 3] == walks[3, 2] == 241
    assert changes == [120] * 4


def test_what_the_feed_says_wins_and_a_prohibition_wins_over_all() -> None:
    rows = [
        StopTransfer(0, 1, 2, 45),
        StopTransfer(0, 1, 0, None),
        StopTransfer(1, 0, 2, 45),
        StopTransfer(1, 0, 3, None),
        StopTransfer(2, 2, 3, None),
        StopTransfer(3, 3, 1, None),
    ]
    walks, changes = walks_of(transfers=rows)
    assert walks[0, 1] == 45
    assert (1, 0) not in walks
    assert changes == [120, 120, int(NOT_REACHED), 0]


def test_only_the_nearest_are_walked_to_where_stops_crowd() -> None:
    alone = np.full(4, -1, dtype=np.int32)
    walks, _ = walks_of(stations=alone, options=WalkOptions(beeline_count_max=1))
    assert set(walks) <= {(0, 1), (1, 0), (1, 2), (2, 1), (2, 3), (3, 2)}
    assert len(walks) == 4


@given(st.lists(st.tuples(st.floats(34.9, 35.1), st.floats(138.9, 139.1)), min_size=2, max_size=30))
def test_beelines_are_those_of_all_pairs_tried(points: list[tuple[float, float]]) -> None:
    lat, lon = np.array([p[0] for p in points]), np.array([p[1] for p in points])
    none = np.full(len(points), -1, dtype=np.int32)
    walks = build_walks(lat=lat, lon=lon, stations=none, operators=none, transfers=[], options=WalkOptions())
    sources = np.repeat(np.arange(len(points)), np.diff(walks.offsets))
    found = set(zip(sources.tolist(), walks.targets.tolist(), strict=True))
    tried = {
        (a, b)
        for a in range(len(points))
        for b in range(len(points))
        if a != b and float(distance_m(lat[a], lon[a], lat[b], lon[b])) <= 800
    }
    assert found == tried
