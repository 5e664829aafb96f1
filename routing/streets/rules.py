"""What OpenStreetMap's tags say of a street: who may use it, which way, and how fast.

Problem   Thousands of combinations of tags must become one sentence for each profile and direction: passable
          or not, how many level metres a metre is worth, and which seconds no speed can shorten.
Idea      One table a question, read by a few functions. The more special tag wins: `foot` over `access`,
          `bicycle` over `vehicle` over `access`, `wheelchair` over surface, width and kerb.
Choices   - A bike is pushed where one may walk but not ride, and against a one-way street; carried on steps.
          - Steps never carry a wheelchair but with `ramp:wheelchair=yes`; escalators never do.
          - `private` is forbidden, `destination` and `customers` are open: a traveller's door may be there.
          - Nothing is faster than a level street, so a beeline is a lower bound.
Not here  Conditions (`access:conditional`, opening hours), lit, traffic lights, and slopes without a number.
Source    wiki.openstreetmap.org: Key:highway, Key:access, Key:bicycle, Key:wheelchair, Key:barrier, Key:kerb.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from routing.streets.ways import Profile, StepKind

Tags = Mapping[str, str]

PUSHED_M_S = 1.2
CARRIED_M_S = 0.5
"""A bike on foot: pushed on the level, carried on steps."""

ESCALATOR_M_S = 0.5
ELEVATOR_MS = 60_000
"""Waiting for it and getting in; along a lift that is drawn as a way one moves ELEVATOR_M_S besides."""

ELEVATOR_M_S = 1.0

STEPS_FACTOR = 2.0
WHEELCHAIR_WIDTH_M_MIN = 0.8
WHEELCHAIR_INCLINE_MAX = 0.08
WHEELCHAIR_INCLINE_EASY = 0.06
CLIMB_FACTOR = {Profile.WALK: 7.0, Profile.WHEELCHAIR: 15.0, Profile.BIKE: 15.0}
"""Level metres that a metre of height is worth, uphill."""


class Passage(NamedTuple):
    """How one passes: a metre is worth so many thousandths of a level metre, and takes this much besides."""

    level_permille: int
    fixed_ms_a_metre: int = 0
    fixed_ms: int = 0


Both = tuple[Passage | None, Passage | None]
"""Along the way as it is drawn, and against it; None where one may not pass."""

PROFILES = (Profile.WALK, Profile.WHEELCHAIR, Profile.BIKE)
"""In this order rules are stored."""


class StreetClass(NamedTuple):
    """Everything that decides how one moves on a street, in the order of PROFILES."""

    passages: tuple[Both, ...]

    @property
    def is_usable(self) -> bool:
        """Whether anybody may use it in any direction."""
        return any(passage is not None for both in self.passages for passage in both)


# Highway class -> what it is, walking by default, riding by default.
HIGHWAYS: dict[str, tuple[StepKind, bool, bool]] = {
    "trunk": (StepKind.STREET, True, True),
    "trunk_link": (StepKind.STREET, True, True),
    "primary": (StepKind.STREET, True, True),
    "primary_link": (StepKind.STREET, True, True),
    "secondary": (StepKind.STREET, True, True),
    "secondary_link": (StepKind.STREET, True, True),
    "tertiary": (StepKind.STREET, True, True),
    "tertiary_link": (StepKind.STREET, True, True),
    "unclassified": (StepKind.STREET, True, True),
    "residential": (StepKind.STREET, True, True),
    "living_street": (StepKind.STREET, True, True),
    "service": (StepKind.STREET, True, True),
    "road": (StepKind.STREET, True, True),
    "track": (StepKind.STREET, True, True),
    "pedestrian": (StepKind.FOOTWAY, True, False),
    "footway": (StepKind.FOOTWAY, True, False),
    "path": (StepKind.FOOTWAY, True, True),
    "bridleway": (StepKind.FOOTWAY, False, False),
    "cycleway": (StepKind.CYCLEWAY, True, True),
    "steps": (StepKind.STEPS, True, False),
    "corridor": (StepKind.INDOOR, True, False),
    "elevator": (StepKind.ELEVATOR, True, False),
    "platform": (StepKind.PLATFORM, True, False),
    "motorway": (StepKind.STREET, False, False),
    "motorway_link": (StepKind.STREET, False, False),
    "busway": (StepKind.STREET, False, False),
}

OPEN = frozenset({"yes", "designated", "official", "permissive", "destination", "customers", "public"})
SHUT = frozenset(
    {"no", "private", "permit", "residents", "delivery", "agricultural", "forestry", "military", "emergency"}
)
"""Values of access tags. `use_sidepath` is shut too: the way beside it is drawn on its own."""

# Surface -> level metres that a metre of it is worth: on foot, in a wheelchair, by bike. None: not passable.
SURFACES: dict[str, tuple[float, float | None, float | None]] = {
    "compacted": (1.0, 1.1, 1.1),
    "fine_gravel": (1.0, 1.3, 1.2),
    "gravel": (1.1, 2.0, 1.5),
    "pebblestone": (1.1, None, 1.8),
    "unpaved": (1.1, 1.8, 1.4),
    "ground": (1.1, 1.8, 1.4),
    "dirt": (1.1, 1.8, 1.4),
    "earth": (1.1, 1.8, 1.4),
    "grass": (1.1, 2.0, 2.0),
    "grass_paver": (1.0, 1.8, 1.4),
    "woodchips": (1.1, None, 2.0),
    "mud": (1.5, None, 3.0),
    "sand": (1.4, None, 3.0),
    "rock": (1.4, None, None),
    "stepping_stones": (1.3, None, None),
    "snow": (1.4, None, 3.0),
    "ice": (1.4, None, None),
    "sett": (1.0, 1.4, 1.3),
    "cobblestone": (1.0, 2.0, 1.5),
    "unhewn_cobblestone": (1.1, None, 2.0),
}

# Smoothness, likewise; the worse of it and the surface holds.
SMOOTHNESS: dict[str, tuple[float, float | None, float | None]] = {
    "intermediate": (1.0, 1.2, 1.0),
    "bad": (1.0, 1.6, 1.3),
    "very_bad": (1.0, None, 1.8),
    "horrible": (1.2, None, None),
    "very_horrible": (1.3, None, None),
    "impassable": (1.5, None, None),
}

# Barrier -> who does not get past, unless a tag of its own says yes.
BARRIERS: dict[str, frozenset[Profile]] = {
    "stile": frozenset({Profile.WHEELCHAIR, Profile.BIKE}),
    "kissing_gate": frozenset({Profile.WHEELCHAIR, Profile.BIKE}),
    "turnstile": frozenset({Profile.WHEELCHAIR, Profile.BIKE}),
    "full-height_turnstile": frozenset({Profile.WHEELCHAIR, Profile.BIKE}),
    "horse_stile": frozenset({Profile.WHEELCHAIR, Profile.BIKE}),
    "cycle_barrier": frozenset({Profile.WHEELCHAIR}),
    "motorcycle_barrier": frozenset({Profile.WHEELCHAIR}),
    "cattle_grid": frozenset({Profile.WHEELCHAIR}),
    "chain": frozenset({Profile.WHEELCHAIR}),
    "log": frozenset({Profile.WHEELCHAIR}),
    "debris": frozenset({Profile.WHEELCHAIR}),
    "step": frozenset({Profile.WHEELCHAIR}),
    "wall": frozenset(PROFILES),
    "fence": frozenset(PROFILES),
    "hedge": frozenset(PROFILES),
    "guard_rail": frozenset(PROFILES),
    "ditch": frozenset(PROFILES),
}
"""Others (bollard, gate, lift_gate, block, kerb ...) let everybody past."""

KEYS = frozenset(
    {
        *(
            "highway",
            "railway",
            "public_transport",
            "footway",
            "path",
            "area",
            "conveying",
            "junction",
            "motorroad",
        ),
        *(
            "access",
            "foot",
            "bicycle",
            "vehicle",
            "wheelchair",
            "ramp:wheelchair",
            "ramp:bicycle",
            "ramp:stroller",
        ),
        *("oneway", "oneway:foot", "oneway:bicycle", "cycleway", "cycleway:left", "cycleway:right"),
        *("cycleway:both", "cycleway:left:oneway", "cycleway:right:oneway"),
        *("surface", "smoothness", "incline", "width", "maxwidth:physical", "kerb"),
    }
)
"""The tags of ways that these rules look at; ways alike in them are alike."""

RAISED_KERBS = frozenset({"raised", "rolled"})
AGAINST = frozenset({"-1", "reverse"})
YES = frozenset({"yes", "1", "true"})


def find_kind(tags: Tags) -> StepKind | None:
    """What sort of street it is; None if it is none."""
    highway = tags.get("highway", "")
    if highway in HIGHWAYS:
        kind = HIGHWAYS[highway][0]
        if kind is StepKind.STEPS and tags.get("conveying", "no") != "no":
            return StepKind.ESCALATOR
        if tags.get("footway") == "crossing" or tags.get("path") == "crossing":
            return StepKind.CROSSING
        if highway in {"pedestrian", "footway"} and tags.get("area") == "yes":
            return StepKind.PLAZA
        return kind
    if "highway" not in tags and "platform" in {tags.get("railway"), tags.get("public_transport")}:
        return StepKind.PLATFORM
    return None


def classify_way(tags: Tags) -> StreetClass | None:
    """How each profile moves along the way; None if it is no street or nobody may use it."""
    kind = find_kind(tags)
    if kind is None:
        return None
    on_foot = _on_foot(tags, kind)
    made = StreetClass(passages=(on_foot, _in_wheelchair(tags, kind, on_foot), _by_bike(tags, kind, on_foot)))
    return made if made.is_usable else None


def list_blocked(tags: Tags) -> frozenset[Profile]:
    """Who does not get past a point with these tags."""
    blocked = set(BARRIERS.get(tags.get("barrier", ""), frozenset()))
    if tags.get("kerb") in RAISED_KERBS or _is_narrow(tags, ("maxwidth:physical", "maxwidth", "width")):
        blocked.add(Profile.WHEELCHAIR)
    if tags.get("wheelchair") == "no":
        blocked.add(Profile.WHEELCHAIR)
    elif tags.get("wheelchair") in OPEN:
        blocked.discard(Profile.WHEELCHAIR)
    if "barrier" in tags:
        blocked |= _shut_at(tags, blocked)
    return frozenset(blocked)


def is_elevator(tags: Tags) -> bool:
    """Whether a point is a lift between the ways that meet there."""
    return tags.get("highway") == "elevator"


def read_level(tags: Tags) -> float:
    """The lowest floor that the tags name; 0 if none."""
    found = re.findall(r"(?:(?<=[;,])|^)\s*(-?\d+(?:\.\d+)?)", tags.get("level", ""))
    return min((float(text) for text in found), default=0.0)


# One profile each ------------------------------------------------------------------------------------------


def _on_foot(tags: Tags, kind: StepKind) -> Both:
    highway = tags.get("highway", "")
    by_default = HIGHWAYS[highway][1] if highway in HIGHWAYS else True
    if tags.get("motorroad") == "yes":
        by_default = False
    if not _may(tags, ("foot", "access"), by_default=by_default):
        return (None, None)
    if kind is StepKind.ELEVATOR:
        return _in_directions(Passage(0, round(1000 / ELEVATOR_M_S), ELEVATOR_MS), tags)
    if kind is StepKind.ESCALATOR:
        return _in_directions(Passage(0, fixed_ms_a_metre=round(1000 / ESCALATOR_M_S)), tags)
    if kind is StepKind.STEPS:
        return _in_directions(Passage(round(1000 * STEPS_FACTOR)), tags)
    return _sloped(tags, Profile.WALK, _worth(tags, 0) or 1.0, open_to=_directions_on_foot(tags))


def _in_wheelchair(tags: Tags, kind: StepKind, on_foot: Both) -> Both:
    said = tags.get("wheelchair")
    # A word for wheelchairs opens no way that is closed to people, and makes no ramp.
    if said == "no" or on_foot == (None, None) or not _is_rollable(tags, kind, said):
        return (None, None)
    if kind is StepKind.STEPS:
        return _in_directions(Passage(round(1000 * STEPS_FACTOR)), tags)
    if kind is StepKind.ELEVATOR:
        return on_foot
    worth = (_worth(tags, 1) or 1.0) * (1.5 if said == "limited" else 1.0)
    return _sloped(tags, Profile.WHEELCHAIR, worth, open_to=_directions_on_foot(tags))


def _is_rollable(tags: Tags, kind: StepKind, said: str | None) -> bool:
    """Whether wheels can go there. Where the map says that wheelchairs do, its measures are not asked."""
    if kind in {StepKind.STEPS, StepKind.ESCALATOR}:
        return kind is StepKind.STEPS and tags.get("ramp:wheelchair") == "yes"
    if said in {"yes", "designated", "official"}:
        return True
    return (
        _worth(tags, 1) is not None
        and not _is_narrow(tags, ("width", "maxwidth:physical"))
        and tags.get("kerb") not in RAISED_KERBS
        and abs(read_incline(tags) or 0.0) <= WHEELCHAIR_INCLINE_MAX
    )


def _by_bike(tags: Tags, kind: StepKind, on_foot: Both) -> Both:
    pushed: Both = (None, None)
    if kind in {StepKind.STEPS, StepKind.ESCALATOR}:
        has_ramp = "yes" in {tags.get("ramp:bicycle"), tags.get("ramp:stroller")}
        speed_m_s = CARRIED_M_S if kind is StepKind.STEPS and not has_ramp else PUSHED_M_S / 2
        if tags.get("bicycle") == "no" or kind is StepKind.ESCALATOR:
            return pushed
        carried = Passage(0, fixed_ms_a_metre=round(1000 / speed_m_s))
        return (carried if on_foot[0] else None, carried if on_foot[1] else None)
    if kind is StepKind.ELEVATOR:
        return on_foot if tags.get("bicycle") != "no" else pushed
    push = Passage(0, fixed_ms_a_metre=round(1000 / PUSHED_M_S))
    pushed = (push if on_foot[0] else None, push if on_foot[1] else None)
    highway = tags.get("highway", "")
    by_default = HIGHWAYS[highway][2] if highway in HIGHWAYS else False
    if tags.get("motorroad") == "yes":
        by_default = False
    is_ridden = _may(tags, ("bicycle", "vehicle", "access"), by_default=by_default)
    worth = _worth(tags, 2)
    if not is_ridden or worth is None or tags.get("bicycle") == "dismount":
        return pushed
    ridden = _sloped(tags, Profile.BIKE, worth, open_to=_directions_by_bike(tags))
    return (ridden[0] or pushed[0], ridden[1] or pushed[1])


# What single tags say --------------------------------------------------------------------------------------


def read_incline(tags: Tags) -> float | None:
    """The slope along the way as a fraction, uphill positive; None where no number is told."""
    match = re.fullmatch(r"\s*([+-]?\d+(?:\.\d+)?)\s*(%|°)\s*", tags.get("incline", "").replace(",", "."))
    if match is None:
        return None
    value = float(match[1])
    # tan is steep near 90 degrees and meaningless beyond; a slope of 45 degrees is as good as a wall.
    return max(-1.0, min(1.0, value / 100 if match[2] == "%" else value / 45))


def read_metres(text: str) -> float | None:
    """A length in metres: `0.7`, `0.7 m`, `70 cm`, `2'6"`; None if it is none."""
    text = text.strip().lower().replace(",", ".")
    if match := re.fullmatch(r"(\d+(?:\.\d+)?)\s*(m|cm|)", text):
        return float(match[1]) / (100 if match[2] == "cm" else 1)
    if match := re.fullmatch(r"(\d+)'\s*(?:(\d+(?:\.\d+)?)\")?", text):
        return int(match[1]) * 0.3048 + float(match[2] or 0) * 0.0254
    return None


def _may(tags: Tags, keys: tuple[str, ...], *, by_default: bool) -> bool:
    for key in keys:
        said = tags.get(key, "").split(";")[0].strip()
        if said in OPEN:
            # A general `access=yes` opens no motorway to people on foot.
            return by_default if key in {"access", "vehicle"} else True
        if said in SHUT or said == "use_sidepath":
            return False
    return by_default


def _shut_at(tags: Tags, blocked: set[Profile]) -> set[Profile]:
    is_open_on_foot = _may(tags, ("foot", "access"), by_default=True) and Profile.WALK not in blocked
    if tags.get("foot") in OPEN:
        is_open_on_foot = True
    if is_open_on_foot and tags.get("locked") == "yes" and tags.get("foot") not in OPEN:
        is_open_on_foot = False
    is_open_by_bike = _may(tags, ("bicycle", "vehicle", "access"), by_default=True)
    shut: set[Profile] = set()
    if not is_open_on_foot:
        shut |= {Profile.WALK, Profile.WHEELCHAIR}
        # A bike is pushed past whatever lets its rider past.
        if not is_open_by_bike or tags.get("locked") == "yes" or Profile.WALK in blocked:
            shut.add(Profile.BIKE)
    return shut


def _is_narrow(tags: Tags, keys: tuple[str, ...]) -> bool:
    widths = [read_metres(tags[key]) for key in keys if key in tags]
    return any(width is not None and width < WHEELCHAIR_WIDTH_M_MIN for width in widths)


def _worth(tags: Tags, column: int) -> float | None:
    surface = SURFACES.get(tags.get("surface", ""), (1.0, 1.0, 1.0))[column]
    smoothness = SMOOTHNESS.get(tags.get("smoothness", ""), (1.0, 1.0, 1.0))[column]
    return None if surface is None or smoothness is None else max(surface, smoothness)


def _sloped(tags: Tags, profile: Profile, worth: float, *, open_to: tuple[bool, bool]) -> Both:
    incline = read_incline(tags) or 0.0
    passages = []
    for is_open, up in zip(open_to, (incline, -incline), strict=True):
        climb = max(0.0, up - (WHEELCHAIR_INCLINE_EASY if profile is Profile.WHEELCHAIR else 0.0))
        factor = worth + CLIMB_FACTOR[profile] * climb
        passages.append(Passage(round(1000 * factor)) if is_open else None)
    return (passages[0], passages[1])


def _in_directions(passage: Passage, tags: Tags) -> Both:
    along, against = _directions_on_foot(tags)
    return (passage if along else None, passage if against else None)


def _directions_on_foot(tags: Tags) -> tuple[bool, bool]:
    """A one-way street is for vehicles; people are told by `oneway:foot`, and by an escalator's direction."""
    said = tags.get("oneway:foot", "")
    if tags.get("conveying") in {"forward", "backward"}:
        return (tags["conveying"] == "forward", tags["conveying"] == "backward")
    if said in YES:
        return (True, False)
    return (False, True) if said in AGAINST else (True, True)


def _directions_by_bike(tags: Tags) -> tuple[bool, bool]:
    said = tags.get("oneway:bicycle")
    if said is None:
        is_opposite = any(
            tags.get(key, "").startswith("opposite")
            for key in ("cycleway", "cycleway:left", "cycleway:right", "cycleway:both")
        ) or any(tags.get(f"cycleway:{side}:oneway") in {"no", "-1"} for side in ("left", "right"))
        said = "no" if is_opposite else tags.get("oneway")
    if said is None and tags.get("junction") in {"roundabout", "circular"}:
        said = "yes"
    if said in YES:
        return (True, False)
    return (False, True) if said in AGAINST else (True, True)
