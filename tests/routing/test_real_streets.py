"""Real streets: Shibuya and Porto Alegre, against networkx on the file as pyosmium reads it."""

import math
import random
from collections.abc import Mapping
from pathlib import Path

import osmium
import pytest

from routing.streets.compiling import compile_streets
from routing.streets.graph import open_streets
from routing.streets.rules import PROFILES, classify_way, is_elevator, list_blocked
from routing.streets.street_ways import StreetWays
from routing.streets.ways import BEYOND, Manner, Profile, StepKind
from tests.oracles.streets import Pace, PlainMap, PlainStreets, PlainWay
from tests.routing.street_maps import PUSH, SPEED_M_S, wait_s

pytestmark = pytest.mark.real
CITIES = ("streets/shibuya.osm", "porto_alegre/poa_osm.pbf")
POINTS = 15
"""Of each to each other: 210 pairs a city and profile."""


@pytest.fixture(scope="module", params=CITIES)
def city(
    request: pytest.FixtureRequest, real_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[PlainMap, StreetWays]:
    path = real_data / request.param
    folder = tmp_path_factory.mktemp("city") / "streets"
    compile_streets(path, folder)
    return read_plain(path), StreetWays(open_streets(folder))


def read_plain(path: Path) -> PlainMap:
    """Everything in the file."""
    plain = PlainMap({}, [])
    for entity in osmium.FileProcessor(str(path)):
        tags = {tag.k: tag.v for tag in entity.tags}
        if isinstance(entity, osmium.osm.Node):
            plain.points[entity.id] = (entity.location.lat, entity.location.lon)
            if tags:
                plain.point_tags[entity.id] = tags
        elif isinstance(entity, osmium.osm.Way) and tags:
            plain.ways.append(PlainWay(entity.id, tuple(node.ref for node in entity.nodes), tags))
    return plain


def oracle_of(plain: PlainMap, profile: Profile) -> PlainStreets:
    """What tags mean is asked of the rules (they have tests of their own); everything else is done again."""

    def pace(tags: Mapping[str, str]) -> Pace:
        made = classify_way(tags)
        if made is None:
            return (None, None)
        along, against = (
            None
            if each is None
            else each.level_permille / 1000 / SPEED_M_S[profile] + each.fixed_ms_a_metre / 1000
            for each in made.passages[PROFILES.index(profile)]
        )
        return (along, against)

    return PlainStreets(
        plain,
        pace=pace,
        off_pace=PUSH if profile is Profile.BIKE else 1 / SPEED_M_S[profile],
        is_blocked=lambda tags: profile in list_blocked(tags),
        wait_s=lambda tags: wait_s(tags) if is_elevator(tags) else 0.0,
    )


@pytest.mark.parametrize("profile", PROFILES)
def test_ways_are_those_of_networkx(city: tuple[PlainMap, StreetWays], profile: Profile) -> None:
    plain, ways = city
    oracle = oracle_of(plain, profile)
    low_lat, low_lon, high_lat, high_lon = ways.graph.bounds
    dice = random.Random(7)
    points = [
        (round(dice.uniform(low_lat, high_lat), 7), round(dice.uniform(low_lon, high_lon), 7))
        for _ in range(POINTS)
    ]
    spots = [oracle.spots(point) for point in points]
    compared = 0
    for i, origin in enumerate(points):
        reached = ways.measure(
            *origin,
            [p[0] for p in points],
            [p[1] for p in points],
            manner=Manner(profile=profile),
            limit_s=10**6,
        )
        tables = [oracle.seconds_from(spot, [each for many in spots for each in many]) for spot in spots[i]]
        for j in range(POINTS):
            begin = sum(len(many) for many in spots[:j])
            told = [s for table in tables for s in table[begin : begin + len(spots[j])]]
            assert bool(reached.is_estimate[j]) == (not told)
            if not told or i == j:
                continue
            got_s = int(reached.seconds[j])
            compared += 1
            if got_s == BEYOND:
                assert math.inf in told
            else:
                # Half a centimetre and a millisecond are lost or won on each of some hundred edges.
                assert any(-1.5 - s / 5000 <= got_s - s <= 2.5 + s / 5000 for s in told), (
                    origin,
                    points[j],
                )
    assert compared >= 50


def test_a_wheelchair_never_uses_steps(city: tuple[PlainMap, StreetWays]) -> None:
    """By the way ids that its ways tell, in the file itself. On foot some of the same ways do use them."""
    plain, ways = city
    steps = {
        way.way_id
        for way in plain.ways
        if way.tags.get("highway") == "steps" and way.tags.get("ramp:wheelchair") != "yes"
    }
    low_lat, low_lon, high_lat, high_lon = ways.graph.bounds
    dice = random.Random(8)
    used = {Profile.WALK: 0, Profile.WHEELCHAIR: 0}
    for _ in range(300):
        start, goal = ((dice.uniform(low_lat, high_lat), dice.uniform(low_lon, high_lon)) for _ in range(2))
        for profile in used:
            way = ways.find_way(start, goal, manner=Manner(profile=profile))
            told = way.steps if way is not None else ()
            used[profile] += sum(step.way_id in steps or step.kind is StepKind.STEPS for step in told)
    assert used[Profile.WHEELCHAIR] == 0
    assert used[Profile.WALK] > 0
