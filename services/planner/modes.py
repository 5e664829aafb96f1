"""GTFS route types as the modes a traveller distinguishes, and as those of the MOTIS API."""

from collections.abc import Iterable
from enum import StrEnum

from maas.journeys import Mode

_BASIC = {
    0: Mode.TRAM,
    1: Mode.SUBWAY,
    2: Mode.RAIL,
    3: Mode.BUS,
    4: Mode.FERRY,
    5: Mode.TRAM,
    6: Mode.RAIL,
    7: Mode.RAIL,
    11: Mode.BUS,
    12: Mode.MONORAIL,
}
_EXTENDED = (
    # (first, last, mode) of the extended route types
    (100, 199, Mode.RAIL),
    (200, 299, Mode.BUS),
    (400, 404, Mode.SUBWAY),
    (405, 405, Mode.MONORAIL),
    (700, 899, Mode.BUS),
    (900, 999, Mode.TRAM),
    (1000, 1099, Mode.FERRY),
    (1200, 1299, Mode.FERRY),
    (1300, 1499, Mode.RAIL),
)

MOTIS_MODES = {
    Mode.WALK: "WALK",
    Mode.TRAM: "TRAM",
    Mode.SUBWAY: "SUBWAY",
    Mode.RAIL: "REGIONAL_RAIL",
    Mode.MONORAIL: "SUBURBAN",
    Mode.BUS: "BUS",
    Mode.FERRY: "FERRY",
    Mode.BIKE: "RENTAL",
    Mode.ON_DEMAND: "ODM",
}
"""The MOTIS API knows no monorail; it files one under SUBURBAN, as MOTIS itself does."""


def mode_of(route_type: int) -> Mode:
    """The mode of a GTFS route type. Unknown types are called a bus: a vehicle that one boards at a stop."""
    basic = _BASIC.get(route_type)
    if basic is not None:
        return basic
    return next((mode for first, last, mode in _EXTENDED if first <= route_type <= last), Mode.BUS)


class MotisMode(StrEnum):
    """The modes that the MOTIS API has words for."""

    WALK = "WALK"
    BIKE = "BIKE"
    RENTAL = "RENTAL"
    CAR = "CAR"
    HGV = "HGV"
    CAR_PARKING = "CAR_PARKING"
    CAR_DROPOFF = "CAR_DROPOFF"
    ODM = "ODM"
    RIDE_SHARING = "RIDE_SHARING"
    FLEX = "FLEX"
    DEBUG_BUS_ROUTE = "DEBUG_BUS_ROUTE"
    DEBUG_RAILWAY_ROUTE = "DEBUG_RAILWAY_ROUTE"
    DEBUG_FERRY_ROUTE = "DEBUG_FERRY_ROUTE"
    TRANSIT = "TRANSIT"
    TRAM = "TRAM"
    SUBWAY = "SUBWAY"
    FERRY = "FERRY"
    AIRPLANE = "AIRPLANE"
    BUS = "BUS"
    COACH = "COACH"
    RAIL = "RAIL"
    HIGHSPEED_RAIL = "HIGHSPEED_RAIL"
    LONG_DISTANCE = "LONG_DISTANCE"
    NIGHT_RAIL = "NIGHT_RAIL"
    REGIONAL_FAST_RAIL = "REGIONAL_FAST_RAIL"
    REGIONAL_RAIL = "REGIONAL_RAIL"
    SUBURBAN = "SUBURBAN"
    FUNICULAR = "FUNICULAR"
    AERIAL_LIFT = "AERIAL_LIFT"
    OTHER = "OTHER"
    AREAL_LIFT = "AREAL_LIFT"
    METRO = "METRO"
    CABLE_CAR = "CABLE_CAR"


_SCHEDULED = frozenset({Mode.TRAM, Mode.SUBWAY, Mode.RAIL, Mode.MONORAIL, Mode.BUS, Mode.FERRY})
_MEANT: dict[str, frozenset[Mode]] = {
    MotisMode.TRANSIT: _SCHEDULED,
    MotisMode.RAIL: frozenset({Mode.RAIL, Mode.MONORAIL, Mode.SUBWAY}),
    MotisMode.METRO: frozenset({Mode.MONORAIL, Mode.SUBWAY}),
    MotisMode.REGIONAL_FAST_RAIL: frozenset({Mode.RAIL}),
    **{motis: frozenset({mode}) for mode, motis in MOTIS_MODES.items() if mode in _SCHEDULED},
}


def is_any_scheduled(modes: frozenset[Mode]) -> bool:
    """Whether these are all there are."""
    return modes >= _SCHEDULED


def modes_meant(motis_modes: Iterable[str]) -> frozenset[Mode]:
    """The scheduled modes that these words of the MOTIS API stand for; none for one that nothing here has."""
    return frozenset().union(*(_MEANT.get(word, frozenset()) for word in motis_modes))
