"""What tags mean: the wiki's own examples, one feature a row; what passes beside what does not."""

import pytest

from routing.streets.rules import (
    KEYS,
    PROFILES,
    classify_way,
    find_kind,
    list_blocked,
    read_incline,
    read_level,
    read_metres,
)
from routing.streets.ways import Profile, StepKind


def who(tags: dict[str, str]) -> str:
    """Who passes along and against: w(alk), r(oll), b(ike); a pushed or carried bike is p."""
    made = classify_way(tags)
    if made is None:
        return "/"
    sides = ["", ""]
    for profile, letter in zip(PROFILES, "wrb", strict=True):
        for side, passage in enumerate(made.passages[PROFILES.index(profile)]):
            if passage is not None:
                is_pushed = profile is Profile.BIKE and passage.level_permille == 0
                sides[side] += "p" if is_pushed else letter
    return "/".join(sides)


WAYS = [
    ("highway=residential", "wrb/wrb"),
    ("highway=trunk", "wrb/wrb"),
    ("highway=trunk motorroad=yes", "/"),
    ("highway=motorway", "/"),
    ("highway=construction", "/"),
    ("highway=motorway access=yes", "/"),
    ("highway=residential access=private", "/"),
    ("highway=residential access=private foot=yes", "wrp/wrp"),
    ("highway=residential access=no bicycle=yes", "b/b"),
    ("highway=service access=customers", "wrb/wrb"),
    ("highway=secondary foot=use_sidepath", "b/b"),
    ("highway=secondary bicycle=use_sidepath", "wrp/wrp"),
    ("highway=residential vehicle=no", "wrp/wrp"),
    ("highway=residential vehicle=no bicycle=yes", "wrb/wrb"),
    ("highway=footway", "wrp/wrp"),
    ("highway=footway bicycle=designated", "wrb/wrb"),
    ("highway=cycleway", "wrb/wrb"),
    ("highway=cycleway foot=no", "b/b"),
    ("highway=path bicycle=dismount", "wrp/wrp"),
    ("highway=bridleway", "/"),
    ("highway=bridleway foot=yes", "wrp/wrp"),
    ("highway=residential oneway=yes", "wrb/wrp"),
    ("highway=residential oneway=-1", "wrp/wrb"),
    ("highway=residential oneway=no junction=roundabout", "wrb/wrb"),
    ("highway=residential junction=roundabout", "wrb/wrp"),
    ("highway=residential oneway=yes oneway:bicycle=no", "wrb/wrb"),
    ("highway=residential oneway:bicycle=yes", "wrb/wrp"),
    ("highway=residential oneway=yes cycleway=opposite_lane", "wrb/wrb"),
    ("highway=residential oneway=yes cycleway:left=opposite_track", "wrb/wrb"),
    ("highway=residential oneway=yes cycleway=lane", "wrb/wrp"),
    ("highway=footway oneway:foot=-1", "/wrp"),
    ("highway=steps", "wp/wp"),
    ("highway=steps bicycle=no", "w/w"),
    ("highway=steps wheelchair=yes", "wp/wp"),
    ("highway=steps ramp:wheelchair=yes", "wrp/wrp"),
    ("highway=steps ramp:wheelchair=yes wheelchair=no", "wp/wp"),
    ("highway=steps conveying=backward", "/w"),
    ("highway=steps conveying=yes ramp:wheelchair=yes", "w/w"),
    ("highway=elevator", "wrp/wrp"),
    ("highway=elevator wheelchair=no bicycle=no", "w/w"),
    ("highway=footway wheelchair=no", "wp/wp"),
    ("highway=footway width=0.79", "wp/wp"),
    ("highway=footway width=0.8", "wrp/wrp"),
    ("highway=footway width=0.5 wheelchair=yes", "wrp/wrp"),
    ("highway=footway kerb=raised", "wp/wp"),
    ("highway=footway kerb=flush", "wrp/wrp"),
    ("highway=footway incline=8.1%", "wp/wp"),
    ("highway=footway incline=-8.1%", "wp/wp"),
    ("highway=footway incline=8%", "wrp/wrp"),
    ("highway=footway incline=up", "wrp/wrp"),
    ("highway=path surface=sand", "wb/wb"),
    ("highway=path surface=rock", "wp/wp"),
    ("highway=path surface=asphalt", "wrb/wrb"),
    ("highway=path smoothness=very_bad", "wb/wb"),
    ("highway=path smoothness=bad", "wrb/wrb"),
    ("highway=path smoothness=impassable", "wp/wp"),
    ("railway=platform", "wrp/wrp"),
    ("public_transport=platform", "wrp/wrp"),
    ("railway=rail", "/"),
]


@pytest.mark.parametrize(("told", "expected"), WAYS)
def test_who_may_use_a_way(told: str, expected: str) -> None:
    tags = dict(pair.split("=", 1) for pair in told.split())
    assert who(tags) == expected


class Listener(dict[str, str]):
    """Tags that remember which of them were asked for."""

    def __init__(self, tags: dict[str, str]) -> None:
        super().__init__(tags)
        self.asked: set[str] = set()

    def get(self, key: str, default: str | None = None) -> str | None:  # type: ignore[override]
        self.asked.add(key)
        return super().get(key, default)

    def __contains__(self, key: object) -> bool:
        self.asked.add(str(key))
        return super().__contains__(key)


def test_the_rules_look_at_no_tag_but_those_they_name() -> None:
    """Ways alike in KEYS are classified once: a tag that is read but not among them would be lost."""
    asked: set[str] = set()
    for told, _ in WAYS:
        tags = Listener(dict(pair.split("=", 1) for pair in told.split()))
        classify_way(tags)
        asked |= tags.asked
    assert asked == KEYS


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("barrier=bollard", ""),
        ("barrier=gate", ""),
        ("barrier=gate access=no", "wrb"),
        ("barrier=gate access=private foot=permissive", ""),
        ("barrier=gate foot=no bicycle=yes", "wr"),
        ("barrier=gate locked=yes", "wrb"),
        ("barrier=stile", "rb"),
        ("barrier=cycle_barrier", "r"),
        ("barrier=cycle_barrier wheelchair=yes", ""),
        ("barrier=wall", "wrb"),
        ("barrier=kerb", ""),
        ("barrier=kerb kerb=raised", "r"),
        ("barrier=kerb kerb=lowered", ""),
        ("highway=crossing kerb=raised wheelchair=yes", ""),
        ("barrier=bollard maxwidth:physical=0.7", "r"),
        ("barrier=bollard maxwidth:physical=1.2", ""),
        ("highway=crossing wheelchair=no", "r"),
        ("access=no", ""),
    ],
)
def test_who_does_not_get_past_a_point(told: str, expected: str) -> None:
    blocked = list_blocked(dict(pair.split("=", 1) for pair in told.split()))
    assert (
        "".join(letter for profile, letter in zip(PROFILES, "wrb", strict=True) if profile in blocked)
        == expected
    )


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ({"highway": "pedestrian", "area": "yes"}, StepKind.PLAZA),
        ({"highway": "pedestrian"}, StepKind.FOOTWAY),
        ({"highway": "footway", "footway": "crossing"}, StepKind.CROSSING),
        ({"highway": "steps", "conveying": "no"}, StepKind.STEPS),
        ({"highway": "steps", "conveying": "yes"}, StepKind.ESCALATOR),
        ({"highway": "corridor"}, StepKind.INDOOR),
        ({"highway": "proposed"}, None),
        ({"railway": "platform"}, StepKind.PLATFORM),
        ({}, None),
    ],
)
def test_kinds(told: dict[str, str], kind: StepKind | None) -> None:
    assert find_kind(told) is kind


def test_what_is_climbed_counts_uphill_only() -> None:
    """5 % over a kilometre is 50 m of height: at 7 level metres each, 350 m more on foot; by bike 750 m."""
    made = classify_way({"highway": "residential", "incline": "5%"})
    assert made is not None
    worth = [[passage.level_permille for passage in both if passage] for both in made.passages]
    assert worth == [[1350, 1000], [1000, 1000], [1750, 1000]]


@pytest.mark.parametrize(
    ("text", "metres"),
    [
        ("0.7", 0.7),
        ("0,7 m", 0.7),
        ("70 cm", 0.7),
        ("2'6\"", 0.762),
        ("3'", 0.9144),
        ("narrow", None),
        ("", None),
    ],
)
def test_lengths(text: str, metres: float | None) -> None:
    assert read_metres(text) == (None if metres is None else pytest.approx(metres))


@pytest.mark.parametrize(
    ("text", "slope"),
    [("10%", 0.1), ("-10 %", -0.1), ("up", None), ("45°", 1.0), ("steep", None), ("400%", 1.0)],
)
def test_slopes(text: str, slope: float | None) -> None:
    assert read_incline({"incline": text}) == (None if slope is None else pytest.approx(slope))


@pytest.mark.parametrize(
    ("text", "level"),
    [("1", 1.0), ("-2", -2.0), ("0;1", 0.0), ("-1;-2", -2.0), ("1.5", 1.5), ("B1", 0.0), ("", 0.0)],
)
def test_levels(text: str, level: float) -> None:
    assert read_level({"level": text}) == level
