"""Small maps for the streets' tests: as OpenStreetMap XML, and as the oracle reads them."""

import random
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import quoteattr

from hypothesis import strategies as st

from routing.streets.compiling import compile_streets
from routing.streets.graph import open_streets
from routing.streets.rules import PROFILES
from routing.streets.street_ways import StreetWays
from routing.streets.ways import Profile
from tests.oracles.streets import Pace, PlainMap, PlainStreets, PlainWay

SPEED_M_S = {Profile.WALK: 1.2, Profile.WHEELCHAIR: 0.8, Profile.BIKE: 4.2}
W, R, B = (1 / SPEED_M_S[profile] for profile in (Profile.WALK, Profile.WHEELCHAIR, Profile.BIKE))
PUSH, CARRY, LIFT = 1 / 1.2, 1 / 0.5, 1 / 0.5
"""Seconds a metre: walking, rolling, riding; pushing a bike, carrying it on steps, an escalator."""

SHUT: Pace = (None, None)


def both(pace: float) -> Pace:
    return (pace, pace)


class Sort(NamedTuple):
    """A sort of street by its tags, and what the trade says of it, seconds a metre."""

    tags: dict[str, str]
    walk: Pace
    wheelchair: Pace
    bike: Pace


SORTS = [
    Sort({"highway": "residential"}, both(W), both(R), both(B)),
    Sort({"highway": "footway"}, both(W), both(R), both(PUSH)),
    Sort({"highway": "footway", "bicycle": "yes"}, both(W), both(R), both(B)),
    Sort({"highway": "cycleway", "foot": "no"}, SHUT, SHUT, both(B)),
    Sort({"highway": "motorway"}, SHUT, SHUT, SHUT),
    Sort({"highway": "steps"}, both(2 * W), SHUT, both(CARRY)),
    Sort({"highway": "steps", "ramp:wheelchair": "yes"}, both(2 * W), both(2 * R), both(CARRY)),
    Sort({"highway": "steps", "conveying": "forward"}, (LIFT, None), SHUT, SHUT),
    Sort({"highway": "residential", "oneway": "yes"}, both(W), both(R), (B, PUSH)),
    Sort({"highway": "residential", "oneway": "-1"}, both(W), both(R), (PUSH, B)),
    Sort({"highway": "residential", "oneway": "yes", "cycleway": "opposite"}, both(W), both(R), both(B)),
    Sort({"highway": "residential", "oneway": "yes", "foot": "no"}, SHUT, SHUT, (B, None)),
    Sort({"highway": "footway", "oneway:foot": "yes"}, (W, None), (R, None), (PUSH, None)),
    Sort({"highway": "residential", "access": "private"}, SHUT, SHUT, SHUT),
    Sort({"highway": "service", "access": "no", "foot": "yes"}, both(W), both(R), both(PUSH)),
    Sort({"highway": "footway", "width": "0.7"}, both(W), SHUT, both(PUSH)),
    Sort({"highway": "footway", "surface": "sand"}, both(1.4 * W), SHUT, both(PUSH)),
    Sort({"highway": "path", "surface": "gravel"}, both(1.1 * W), both(2 * R), both(1.5 * B)),
    # 10 % uphill: a metre is worth 1 + 7 * 0.1 on foot, 1 + 15 * 0.1 by bike; too steep for a wheelchair.
    Sort({"highway": "residential", "incline": "10%"}, (1.7 * W, W), SHUT, (2.5 * B, B)),
]
BY_TAGS = {frozenset(sort.tags.items()): sort for sort in SORTS}

THINGS: list[tuple[dict[str, str], frozenset[Profile]]] = [
    ({"barrier": "bollard"}, frozenset()),
    ({"barrier": "gate", "access": "no"}, frozenset(PROFILES)),
    ({"barrier": "gate", "access": "private", "foot": "yes"}, frozenset()),
    ({"barrier": "stile"}, frozenset({Profile.WHEELCHAIR, Profile.BIKE})),
    ({"barrier": "kerb", "kerb": "raised"}, frozenset({Profile.WHEELCHAIR})),
    ({"kerb": "lowered"}, frozenset()),
    ({"highway": "elevator"}, frozenset()),
]
"""What stands at points, and who does not get past it."""


def pace_of(tags: Mapping[str, str], profile: Profile) -> Pace:
    pace: Pace = getattr(BY_TAGS[frozenset(tags.items())], profile.value)
    return pace


def is_blocked(tags: Mapping[str, str], profile: Profile) -> bool:
    return any(profile in blocked for told, blocked in THINGS if told == dict(tags))


def wait_s(tags: Mapping[str, str]) -> float:
    return 60.0 if tags.get("highway") == "elevator" else 0.0


def oracle_of(plain: PlainMap, profile: Profile) -> PlainStreets:
    return PlainStreets(
        plain,
        pace=lambda tags: pace_of(tags, profile),
        off_pace=PUSH if profile is Profile.BIKE else 1 / SPEED_M_S[profile],
        is_blocked=lambda tags: is_blocked(tags, profile),
        wait_s=wait_s,
    )


def write_osm(plain: PlainMap, path: Path) -> Path:
    """The map as OpenStreetMap XML."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<osm version="0.6">']
    for point, (lat, lon) in plain.points.items():
        lines.append(f'<node id="{point}" version="1" lat="{lat:.7f}" lon="{lon:.7f}">')
        lines += [_tag(*item) for item in plain.point_tags.get(point, {}).items()] + ["</node>"]
    for way in plain.ways:
        lines.append(f'<way id="{way.way_id}" version="1">')
        lines += [f'<nd ref="{point}"/>' for point in way.points]
        lines += [_tag(*item) for item in way.tags.items()] + ["</way>"]
    path.write_text("\n".join([*lines, "</osm>", ""]), encoding="utf-8")
    return path


def _tag(key: str, value: str) -> str:
    return f"<tag k={quoteattr(key)} v={quoteattr(value)}/>"


def compile_map(plain: PlainMap, folder: Path) -> StreetWays:
    """Written, read, compiled, saved and opened again."""
    compile_streets(write_osm(plain, folder / "map.osm"), folder / "streets")
    return StreetWays(open_streets(folder / "streets"))


SIDE = 5
STEP = 0.0008
"""Points stand about 89 m apart from north to south, and 73 m from west to east."""


def draw_map(dice: random.Random) -> PlainMap:
    """A few ways over a crooked grid; some points have something standing there."""
    points = {
        1 + row * SIDE + column: (
            round(35.0 + (row + dice.uniform(-0.3, 0.3)) * STEP, 7),
            round(139.0 + (column + dice.uniform(-0.3, 0.3)) * STEP, 7),
        )
        for row in range(SIDE)
        for column in range(SIDE)
    }
    has_things = dice.random() < 0.5
    ways = []
    for way_id in range(1, dice.randint(2, 22)):
        at = dice.randrange(SIDE * SIDE)
        line = [at + 1]
        # Where something stands, each way has two points, so that its seconds belong to one piece.
        for _ in range(1 if has_things else dice.randint(1, 5)):
            row, column = divmod(at, SIDE)
            near = [(row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)]
            row, column = dice.choice([(r, c) for r, c in near if 0 <= r < SIDE and 0 <= c < SIDE])
            at = row * SIDE + column
            line.append(at + 1)
        # Half of all ways are usable by everybody, or nothing would hang together.
        sort = SORTS[0] if dice.random() < 0.5 else dice.choice(SORTS)
        ways.append(PlainWay(way_id, tuple(line), sort.tags))
    things = {point: dice.choice(THINGS)[0] for point in points if has_things and dice.random() < 0.25}
    return PlainMap(points, [*ways, PlainWay(1000, (1, 2), SORTS[0].tags)], things)


def draw_point(dice: random.Random, plain: PlainMap) -> tuple[float, float]:
    """Anywhere among the streets, on a point of the map, or a little outside."""
    if dice.random() < 0.3:
        return plain.points[dice.choice(list(plain.points))]
    return (
        round(35.0 + dice.uniform(-2, SIDE + 1) * STEP, 7),
        round(139.0 + dice.uniform(-2, SIDE + 1) * STEP, 7),
    )


DICE = st.integers(0, 2**32).map(random.Random)
