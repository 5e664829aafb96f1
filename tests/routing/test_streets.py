"""Searches on small streets against networkx on the same tagged ways, and what must hold on any."""

import math
import os
import random
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.streets.rules import PROFILES
from routing.streets.street_ways import StreetWays
from routing.streets.ways import BEYOND, BeelineWays, Manner, Profile, StepKind, Way
from tests.oracles.streets import PlainMap, PlainStreets, PlainWay, distance_m
from tests.routing.street_maps import (
    DICE,
    SORTS,
    compile_map,
    draw_map,
    draw_point,
    oracle_of,
)

EVER = 10**7
"""A limit in seconds that no way on these maps takes."""


def compiled(plain: PlainMap) -> StreetWays:
    with tempfile.TemporaryDirectory() as folder:
        # The maps keep their pages after the folder is gone.
        return compile_map(plain, Path(folder))


def expected_s(oracle: PlainStreets, start: tuple[float, float], goal: tuple[float, float]) -> list[float]:
    """What it may take: where two streets are equally near, either may be entered. Empty off the streets."""
    spots = oracle.spots(start), oracle.spots(goal)
    if start == goal and spots[0]:
        return [0.0]
    return [seconds for origin in spots[0] for seconds in oracle.seconds_from(origin, spots[1])]


def agrees(got_s: int, expected: list[float]) -> bool:
    """Whole seconds, rounded up; a centimetre and a millisecond an edge are lost to rounding."""
    if got_s == BEYOND:
        return math.inf in expected
    return any(seconds - 0.3 <= got_s <= seconds + 1.3 for seconds in expected)


def check_against_oracle(dice: random.Random) -> None:
    plain = draw_map(dice)
    ways = compiled(plain)
    for profile in PROFILES:
        oracle = oracle_of(plain, profile)
        if oracle.is_close_call:
            continue
        start, *goals = (draw_point(dice, plain) for _ in range(6))
        reached = ways.measure(
            *start, [g[0] for g in goals], [g[1] for g in goals], manner=Manner(profile=profile), limit_s=EVER
        )
        for i, goal in enumerate(goals):
            expected = expected_s(oracle, start, goal)
            assert bool(reached.is_estimate[i]) == (not expected), (profile, start, goal)
            if expected:
                assert agrees(int(reached.seconds[i]), expected), (profile, start, goal, expected)


@settings(max_examples=60, deadline=None)
@given(DICE)
def test_ways_are_those_of_the_oracle(dice: random.Random) -> None:
    check_against_oracle(dice)


@settings(max_examples=40, deadline=None)
@given(DICE, st.sampled_from(PROFILES), st.floats(0.3, 3.0))
def test_measure_is_find_way_and_forward_is_backward(
    dice: random.Random, profile: Profile, speed_m_s: float
) -> None:
    plain = draw_map(dice)
    ways, manner = compiled(plain), Manner(profile=profile, speed_m_s=speed_m_s)
    start, *goals = (draw_point(dice, plain) for _ in range(8))
    forward = ways.measure(*start, [g[0] for g in goals], [g[1] for g in goals], manner=manner, limit_s=EVER)
    for i, goal in enumerate(goals):
        back = ways.measure(*goal, [start[0]], [start[1]], manner=manner, limit_s=EVER, is_backwards=True)
        told = (int(forward.seconds[i]), int(forward.metres[i]), bool(forward.is_estimate[i]))
        assert (int(back.seconds[0]), int(back.metres[0]), bool(back.is_estimate[0])) == told
        way = ways.find_way(start, goal, manner=manner)
        assert (way is None) == (told[0] == BEYOND)
        if way is not None:
            assert (way.seconds, way.metres, way.is_estimate) == told
            check_line(way, start, goal)


def check_line(way: Way, start: tuple[float, float], goal: tuple[float, float]) -> None:
    """From end to end, as long as it says, in steps that follow one another."""
    assert (way.points[0], way.points[-1]) == (start, goal)
    if way.is_estimate:
        assert way.steps == ()
        return
    drawn_m = sum(distance_m(a, b) for a, b in zip(way.points, way.points[1:], strict=False))
    assert drawn_m == pytest.approx(way.metres, abs=1.0 + 0.01 * way.metres)
    assert sum(step.metres for step in way.steps) == way.metres
    for before, after in zip(way.steps, way.steps[1:], strict=False):
        assert before.points[-1] == pytest.approx(after.points[0], abs=1e-9)
        assert (before.name, before.kind) != (after.name, after.kind)


@settings(max_examples=40, deadline=None)
@given(DICE, st.sampled_from(PROFILES), st.integers(0, 900))
def test_a_limit_cuts_off_and_changes_nothing_else(
    dice: random.Random, profile: Profile, limit_s: int
) -> None:
    plain = draw_map(dice)
    ways, manner = compiled(plain), Manner(profile=profile)
    start, *goals = (draw_point(dice, plain) for _ in range(12))
    lat, lon = [g[0] for g in goals], [g[1] for g in goals]
    ever = ways.measure(*start, lat, lon, manner=manner, limit_s=EVER)
    within = ways.measure(*start, lat, lon, manner=manner, limit_s=limit_s)
    is_within = (ever.seconds != BEYOND) & (ever.seconds <= limit_s)
    assert within.seconds.tolist() == np.where(is_within, ever.seconds, BEYOND).tolist()
    assert within.metres.tolist() == np.where(is_within, ever.metres, BEYOND).tolist()
    assert within.is_estimate.tolist() == (ever.is_estimate & is_within).tolist()


@settings(max_examples=40, deadline=None)
@given(DICE)
def test_a_way_taken_away_shortens_nothing(dice: random.Random) -> None:
    """Between ends of two long spurs, so that the streets are entered there before and after."""
    plain = draw_map(dice)
    plain.point_tags = {}
    ends = {101: (34.985, 139.0), 102: (34.985, 139.004)}
    plain.points |= ends
    spurs = [PlainWay(2001, (101, 1), SORTS[0].tags), PlainWay(2002, (102, 5), SORTS[0].tags)]
    fewer = PlainMap(plain.points, plain.ways.copy())
    fewer.ways.pop(dice.randrange(len(fewer.ways)))
    taken = []
    for each in (plain, fewer):
        ways = compiled(PlainMap(each.points, each.ways + spurs))
        way = ways.find_way(ends[101], ends[102])
        taken.append(math.inf if way is None else way.seconds)
    assert taken[0] <= taken[1]


def test_searches_at_once_do_not_disturb_one_another() -> None:
    dice = random.Random(5)
    plain = draw_map(dice)
    ways = compiled(plain)
    points = [draw_point(dice, plain) for _ in range(40)]
    lat, lon = [p[0] for p in points], [p[1] for p in points]

    def measure(point: tuple[float, float]) -> list[int]:
        return ways.measure(*point, lat, lon, limit_s=EVER).seconds.tolist()

    alone = [measure(point) for point in points]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(measure, points * 5)) == alone * 5


def test_off_the_streets_everything_is_estimated() -> None:
    """The sea, 2 km south of the map."""
    ways = compiled(PlainMap({1: (35.0, 139.0), 2: (35.001, 139.0)}, [PlainWay(1, (1, 2), SORTS[0].tags)]))
    sea, street = (34.98, 139.0), (35.0, 139.0)
    told = BeelineWays().measure(*sea, [street[0]], [street[1]], limit_s=EVER)
    for start, goal in ((sea, street), (street, sea)):
        reached = ways.measure(*start, [goal[0]], [goal[1]], limit_s=EVER)
        assert (reached.seconds[0], reached.is_estimate[0]) == (told.seconds[0], True)
        way = ways.find_way(start, goal)
        assert way is not None
        assert (way.seconds, way.is_estimate, way.points) == (told.seconds[0], True, (start, goal))
        assert ways.measure(*start, [goal[0]], [goal[1]], limit_s=60).seconds.tolist() == [BEYOND]


def test_a_bridge_joins_only_where_it_shares_a_point() -> None:
    """Two streets cross in the middle without a common point; both are islands of 222 m."""
    points = {1: (34.999, 139.0), 2: (35.001, 139.0), 3: (35.0, 138.999), 4: (35.0, 139.001)}
    over = [PlainWay(1, (1, 2), SORTS[0].tags), PlainWay(2, (3, 4), {"highway": "footway", "bridge": "yes"})]
    joined = {5: (35.0, 139.0)}
    crossing = [PlainWay(1, (1, 5, 2), SORTS[0].tags), PlainWay(2, (3, 5, 4), SORTS[0].tags)]
    apart = compiled(PlainMap(points, over)).find_way(points[1], points[4])
    # From 4 the nearest street that is no island is the longer one, across the air: 91 m to the side.
    assert apart is not None
    assert apart.steps[-1].kind is StepKind.OFF_STREET
    way = compiled(PlainMap(points | joined, crossing)).find_way(points[1], points[4])
    assert way is not None
    # 111.2 m north and 91.1 m east, at 1.2 m/s.
    assert (way.metres, way.seconds) == (202, 169)


def test_steps_are_told_by_name_and_kind() -> None:
    points = {
        1: (35.0, 139.0),
        2: (35.001, 139.0),
        3: (35.0012, 139.0),
        4: (35.002, 139.0),
        5: (35.003, 139.0),
    }
    ways = [
        PlainWay(11, (1, 2), {"highway": "residential", "name": "桜通り"}),
        PlainWay(12, (2, 3), {"highway": "steps"}),
        PlainWay(13, (3, 4), {"highway": "footway", "name": "上の道", "level": "1"}),
        PlainWay(14, (4, 5), {"highway": "footway", "name": "上の道", "level": "1"}),
    ]
    way = compiled(PlainMap(points, ways)).find_way(points[1], (35.003, 139.0001))
    assert way is not None
    # 0.001 degrees are 111.195 m; steps count twice; 0.0001 degrees east are 9.1 m.
    assert [(step.name, step.metres, step.kind, step.way_id, step.level) for step in way.steps] == [
        ("桜通り", 111, StepKind.STREET, 11, 0.0),
        ("", 22, StepKind.STEPS, 12, 0.0),
        ("上の道", 201, StepKind.FOOTWAY, 13, 1.0),
        ("", 9, StepKind.OFF_STREET, 0, 0.0),
    ]
    # (111.195 + 2 * 22.239 + 200.151 + 9.108) m / 1.2 = 304.11 s
    assert way.seconds == 305


def test_a_lift_takes_a_minute_as_a_point_and_as_a_way() -> None:
    points = {1: (35.0, 139.0), 2: (35.001, 139.0), 3: (35.002, 139.0)}
    foot = {"highway": "footway"}
    flat = PlainMap(points, [PlainWay(1, (1, 2, 3), foot)])
    with_point = PlainMap(points, [PlainWay(1, (1, 2, 3), foot)], {2: {"highway": "elevator"}})
    times = [compiled(each).find_way(points[1], points[3]) for each in (flat, with_point)]
    assert None not in times
    assert [way.seconds for way in times if way] == [186, 246]  # 222.39 m / 1.2 = 185.3 s, and a minute
    # Its own 111.195 m at 1 m/s, a minute, and 111.195 m on foot: 171.195 + 92.66 s
    as_way = compiled(
        PlainMap(points, [PlainWay(1, (1, 2), foot), PlainWay(2, (2, 3), {"highway": "elevator"})])
    )
    way = as_way.find_way(points[1], points[3])
    assert way is not None
    assert way.seconds == 264
    assert [step.kind for step in way.steps] == [StepKind.FOOTWAY, StepKind.ELEVATOR]


def test_the_kernels_agree_as_plain_python_too() -> None:
    told = subprocess.run(
        [sys.executable, "-c", "from tests.routing.plain_streets import main; main()"],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (told.returncode, told.stdout) == (0, "12 maps agree\n"), told.stderr
