"""GTFS route types as the modes a traveller distinguishes, and as those of the MOTIS API."""

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
    Mode.BIKE: "BIKE",
    Mode.ON_DEMAND: "ODM",
}
"""The MOTIS API knows no monorail; it files one under SUBURBAN, as MOTIS itself does."""


def mode_of(route_type: int) -> Mode:
    """The mode of a GTFS route type. Unknown types are called a bus: a vehicle that one boards at a stop."""
    basic = _BASIC.get(route_type)
    if basic is not None:
        return basic
    return next((mode for first, last, mode in _EXTENDED if first <= route_type <= last), Mode.BUS)
