"""Which stations are near, and in which box they lie; as the crow flies.

Source    The haversine formula on a sphere of 6,371,008.8 m: within 0.6 % of the ellipsoid.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import asin, cos, radians, sin, sqrt

from maas.sharing.records import SharingStation

_EARTH_RADIUS_M = 6_371_008.8


@dataclass(frozen=True, slots=True)
class Near:
    """A station and how far it is."""

    station: SharingStation
    distance_m: int


def distance_m(lat: float, lon: float, other_lat: float, other_lon: float) -> float:
    """Metres along the great circle."""
    half_north = radians(other_lat - lat) / 2
    half_east = radians(other_lon - lon) / 2
    chord = sin(half_north) ** 2 + cos(radians(lat)) * cos(radians(other_lat)) * sin(half_east) ** 2
    return 2 * _EARTH_RADIUS_M * asin(min(1.0, sqrt(chord)))


def list_near(stations: Iterable[SharingStation], *, lat: float, lon: float, radius_m: float) -> list[Near]:
    """The stations within `radius_m`, nearest first, equal ones by id."""
    near = [Near(each, round(distance_m(lat, lon, each.lat, each.lon))) for each in stations]
    within = [each for each in near if each.distance_m <= radius_m]
    return sorted(within, key=lambda each: (each.distance_m, each.station.station_id))


def bounding_box(stations: Sequence[SharingStation]) -> tuple[float, float, float, float]:
    """West, south, east, north of all stations; zeros for none."""
    if not stations:
        return (0.0, 0.0, 0.0, 0.0)
    lats, lons = [each.lat for each in stations], [each.lon for each in stations]
    return (min(lons), min(lats), max(lons), max(lats))
