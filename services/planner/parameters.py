"""What parameters of the MOTIS API mean here, and which are refused.

Problem   The MOTIS API has some seventy parameters for a search. One that is ignored gives an answer to
          another question: a wheelchair's way with stairs in it.
Idea      A parameter is honoured, or its only accepted value is the one that asks for nothing. Any other
          value is refused with the reason. Lists come as MOTIS describes them (`a,b`) or as its own client
          sends them (`via=a&via=b`).
Invariant No parameter of the MOTIS API is ignored: a test goes through its document.
Source    MOTIS OpenAPI 2.x.
"""

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from services.planner.modes import MotisMode
from services.platform.problem import Problem

_LIST_LENGTH_MAX = 60
POINT_PATTERN = r"^ *-?[0-9]{1,3}(\.[0-9]{1,15})?[,;] *-?[0-9]{1,3}(\.[0-9]{1,15})? *([,;][^,;]*)?$"
"""Latitude and longitude in degrees; what may stand behind (a level) says nothing here."""


class Box(NamedTuple):
    """A section of a map, in degrees."""

    south: float
    west: float
    north: float
    east: float


class NotOffered(NamedTuple):
    """A parameter whose only accepted values ask for nothing (`accepted`), and why there is no other."""

    accepted: frozenset[str]
    reason: str


def _only(reason: str, *accepted: str) -> NotOffered:
    return NotOffered(frozenset(accepted), reason)


_NO_TRUCKS = _only("nobody drives a truck here")
_NO_RENTAL = _only("no shared bike is looked for here; /api/v6/plan does")
_ON_FOOT = _only("reach is told for those who walk to the first stop and from the last", "WALK")

NOT_OFFERED: Mapping[str, NotOffered] = {
    "radius": _only("stops are found by id or name, and walks are limited by their time"),
    "pedestrianProfile": _only("walks alone are told for those on foot", "FOOT"),
    **{
        f"vehicle{what}": _NO_TRUCKS
        for what in (
            "Height", "Width", "Length", "Weight", "Hazmat", "HazmatWater", "AxleCount", "AxleLoad",
            "Trailer", "TopSpeed", "LezAccess",
        )
    },
    "elevationCosts": _only("the network has no elevations", "NONE"),
    "joinInterlinedLegs": _only("each trip is a leg of its own; see interlineWithPreviousLeg", "false"),
    "preTransitModes": _ON_FOOT,
    "postTransitModes": _ON_FOOT,
    **{
        f"{part}Rental{what}": _NO_RENTAL
        for part in ("direct", "preTransit", "postTransit")
        for what in ("FormFactors", "PropulsionTypes", "Providers", "ProviderGroups")
    },
    **{
        f"ignore{part}RentalReturnConstraints": _only(_NO_RENTAL.reason, "false")
        for part in ("Direct", "PreTransit", "PostTransit")
    },
    "requireCarTransport": _only("the network does not know which ships take cars", "false"),
    "noCompulsoryReservation": _only("the network does not know which trips must be reserved", "false"),
    "timeout": _only("a search here takes milliseconds, and is never given up"),
    "passengers": _only("prices are for one rider; an offer is for a party", "1"),
    "luggage": _only("no price here depends on luggage"),
    "slowDirect": _only("overtaken direct rides are not looked for", "false"),
    "fastestSlowDirectFactor": _only("overtaken direct rides are not looked for"),
    "numLegAlternatives": _only("legs are told without alternatives", "0"),
    "withScheduledSkippedStops": _only("stops that are not served are not kept", "false"),
    "realtimeMode": _only("what operators say of trips always counts", "REALTIME"),
    "algorithm": _only("one algorithm searches here, and its answers are exact", "RAPTOR"),
    "both": _only("a board tells departures or arrivals; ask twice", "false"),
    "mode": _only("a board tells all modes", "TRANSIT"),
    "window": _only("a board is as long as n; go on with its cursors"),
    "exactRadius": _only("a board is of one stop and its station", "false"),
    "center": _only("a board is of one stop; /api/v1/reverse-geocode finds those near a point"),
    "fetchStops": _only("a board tells where a trip begins and ends; /api/v6/trip has its stops", "false"),
    "placeBias": _only("places near `place` come first among equals", "1", "1.0"),
}  # fmt: skip


def split_list(value: Any) -> Any:
    """`a,b`, or several of them, as a tuple; blanks are no members."""
    texts = value if isinstance(value, (list, tuple)) else [value]
    if not all(isinstance(text, str) for text in texts):
        return value
    return tuple(part for text in texts for each in text.split(",") if (part := each.strip()))


Listed = Annotated[
    tuple[Annotated[str, StringConstraints(max_length=200)], ...],
    BeforeValidator(split_list),
    Field(max_length=_LIST_LENGTH_MAX),
]
Modes = Annotated[
    tuple[MotisMode, ...],
    BeforeValidator(split_list),
    Field(max_length=_LIST_LENGTH_MAX),
]
Languages = Annotated[
    tuple[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,35}$")], ...],
    BeforeValidator(split_list),
    Field(max_length=20),
]
PlaceText = Annotated[str, StringConstraints(min_length=1, max_length=200)]
TripText = Annotated[str, StringConstraints(min_length=1, max_length=300)]
Cursor = Annotated[str, StringConstraints(pattern=r"^(LATER|EARLIER)\|[0-9]{1,10}$")]
Point = Annotated[str, StringConstraints(pattern=POINT_PATTERN, max_length=80)]
MATCHED_M = 250
"""So far from a coordinate the nearest street is looked for (routing/kernels/street_grid.py)."""
MatchingDistance = Annotated[
    float,
    Field(
        ge=0,
        allow_inf_nan=False,
        description="Metres that a coordinate may be from the nearest street; else no way begins there. More "
        "than 250 counts as 250: farther off, and where no streets are loaded, walks are estimated.",
    ),
]
LocationTypes = Annotated[
    tuple[Annotated[str, StringConstraints(pattern=r"^(ADDRESS|PLACE|STOP)$")], ...],
    BeforeValidator(split_list),
    Field(max_length=10),
]
TransferMinutes = Annotated[int, Field(ge=0, le=120, description="Minutes.")]
WalkingSpeed = Annotated[
    float,
    Field(
        ge=0.3,
        le=3,
        description="Metres a second on a level street. Interchanges that a feed gives a time for keep it.",
    ),
]
CyclingSpeed = Annotated[float, Field(ge=1, le=12, description="Metres a second on a level street.")]
TransferFactor = Annotated[float, Field(ge=1, le=10, allow_inf_nan=False)]


class MotisQuery(BaseModel):
    """A query of the MOTIS API: strict, frozen, camelCase; what is not offered is refused with its reason."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)

    @model_validator(mode="before")
    @classmethod
    def _refuse_what_is_not_offered(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        known = {field.alias or name for name, field in cls.model_fields.items()}
        asked = {name for name in values if name in NOT_OFFERED and name not in known}
        for name in sorted(asked):
            _refuse(name, values[name])
        return {name: value for name, value in values.items() if name not in asked}


def _refuse(name: str, value: Any) -> None:
    row = NOT_OFFERED[name]
    given = split_list(value)
    if given and all(each in row.accepted for each in given):
        return
    cure = " or ".join(["Leave it out", *(f"send {each}" for each in sorted(row.accepted))])
    raise PydanticCustomError(
        "not_offered",
        "{name} is not offered with this value: {reason}. {cure}.",
        {"name": name, "reason": row.reason, "cure": cure},
    )


def limit_matching(metres: float) -> float | None:
    """The limit, or None for the one that holds anyway."""
    return metres if metres < MATCHED_M else None


def parse_point(text: str) -> tuple[float, float]:
    """Latitude and longitude of a text that fits POINT_PATTERN. Raises Problem beyond the poles."""
    lat, lon = (float(part) for part in text.replace(";", ",").split(",")[:2])
    if abs(lat) > 90 or abs(lon) > 180:  # noqa: PLR2004 - degrees
        raise Problem(
            "validation_failed", detail=f"{text!r} is no point on Earth. Give latitude,longitude in degrees."
        )
    return lat, lon


def parse_box(one: str, other: str) -> Box:
    """The box that has these two corners, whichever they are. Raises Problem beyond the poles."""
    (lat_1, lon_1), (lat_2, lon_2) = parse_point(one), parse_point(other)
    return Box(min(lat_1, lat_2), min(lon_1, lon_2), max(lat_1, lat_2), max(lon_1, lon_2))
