"""Geofencing zones: where a ride may begin, end and pass, and how fast; read into records.

Problem   GBFS 2.3 and 3.0 say it in different words, zones overlap, and geometries come broken.
Idea      A zone is polygons with rules; the first zone of the list that has a rule for a vehicle type
          decides. Where none does, the system's global rules, and else everything is allowed.
Not here  Whether a way crosses a zone (services/planner/bikes/fences.py).
Invariant Whatever JSON comes in: no exception; a ring has four places or more, each on Earth.
Source    GBFS 3.0 (2024-04-11) and 2.3, geofencing_zones. The order of a ring's places says nothing here,
          though 2.3 would tell areas to stay in by it: GeoJSON asks for one order.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from maas.sharing.fields import Fields
from maas.sharing.gbfs import Envelope

Ring = tuple[tuple[float, float], ...]
"""Longitude and latitude of each place, the first once more at the end."""
Polygon = tuple[Ring, ...]
"""The outer ring, then those of holes."""

_RING_PLACES_MIN = 4
_LON_MAX, _LAT_MAX = 180, 90


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneRule:
    """What holds for vehicles of these types; for all, if there are none.

    `may_*`: a ride may begin, end, go through. `kph_max` is None where the zone sets no speed;
    `is_left_at_stations`: what is left here is left at a station.
    """

    vehicle_type_ids: tuple[str, ...] = ()
    may_start: bool = True
    may_end: bool = True
    may_pass: bool = True
    kph_max: int | None = None
    is_left_at_stations: bool = False

    def concerns(self, vehicle_type_id: str) -> bool:
        """Whether the rule is about this type."""
        return not self.vehicle_type_ids or vehicle_type_id in self.vehicle_type_ids


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """An area with its rules, of which the first for a vehicle type holds."""

    polygons: tuple[Polygon, ...]
    rules: tuple[ZoneRule, ...]
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Geofences:
    """The zones of a system, the one that wins first, and what holds outside."""

    zones: tuple[Zone, ...] = ()
    global_rules: tuple[ZoneRule, ...] = ()


NO_GEOFENCES = Geofences()


def read_geofences(envelope: Envelope) -> Geofences:
    """geofencing_zones. A zone of which an area or a rule cannot be read is left out, and noted."""
    collection = envelope.data.within("geofencing_zones")
    zones = tuple(_zones(collection))
    rules = tuple(_rules(envelope.data, "global_rules")) if "global_rules" in envelope.data else ()
    return Geofences(zones=zones, global_rules=rules)


def _zones(collection: Fields) -> Iterator[Zone]:
    for row in collection.rows("features", required=True):
        properties, geometry = row.within("properties"), row.within("geometry")
        polygons = _polygons(geometry)
        rules = tuple(_rules(properties, "rules")) if "rules" in properties else ()
        usable = (row, properties, geometry)
        if polygons and all(each.is_usable for each in usable):
            yield Zone(polygons=polygons, rules=rules, names=properties.names("name"))


def _rules(fields: Fields, name: str) -> Iterator[ZoneRule]:
    for row in fields.rows(name):
        # 2.x has one flag for both ends of a ride.
        ends = row.flag("ride_allowed", default=True)
        rule = ZoneRule(
            vehicle_type_ids=_type_ids(row),
            may_start=row.flag("ride_start_allowed", default=ends),
            may_end=row.flag("ride_end_allowed", default=ends),
            may_pass=row.flag("ride_through_allowed"),
            kph_max=row.count("maximum_speed_kph"),
            is_left_at_stations=row.flag("station_parking", default=False),
        )
        if row.is_usable:
            yield rule
        else:
            fields.refuse(name, "one of its rules cannot be read")


def _type_ids(row: Fields) -> tuple[str, ...]:
    """`vehicle_type_ids`; systems that copied GBFS's own example say `vehicle_type_id`."""
    for name in ("vehicle_type_ids", "vehicle_type_id"):
        listed = row.raw(name)
        if isinstance(listed, list):
            return tuple(each for each in listed if isinstance(each, str) and "\x00" not in each)
    return ()


def _polygons(geometry: Fields) -> tuple[Polygon, ...]:
    """The polygons of a MultiPolygon, or of a single one; empty, and refused, if a place is none."""
    listed = geometry.raw("coordinates")
    if geometry.raw("type") == "Polygon":
        listed = [listed]
    try:
        found = tuple(tuple(_ring(ring) for ring in polygon) for polygon in listed)
    except (TypeError, ValueError, OverflowError):
        found = ()
    if not found or not all(found):
        geometry.refuse("coordinates", "`coordinates` must be those of a MultiPolygon, closed, in degrees")
        return ()
    return found


def _ring(places: Any) -> Ring:
    """Raises TypeError, ValueError, OverflowError."""
    ring = tuple((_degrees(lon, _LON_MAX), _degrees(lat, _LAT_MAX)) for lon, lat, *_ in places)
    if len(ring) < _RING_PLACES_MIN or ring[0] != ring[-1]:
        raise ValueError("a ring is closed")
    return ring


def _degrees(value: Any, limit: int) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= limit:
        raise ValueError("degrees")
    return float(value)
