"""locations.geojson -> zones.

Source    GTFS Schedule reference, locations.geojson: a FeatureCollection of Polygon and MultiPolygon.
"""

import json
import math
from typing import Any

from gtfs.notices import Notices, Severity
from gtfs.tables import Zone

FILE = "locations.geojson"
_RING_POINTS_MIN = 4
Ring = tuple[tuple[float, float], ...]


def read_zones(content: bytes, notices: Notices) -> tuple[Zone, ...]:
    """The zones that are whole; each other feature with a notice."""
    try:
        collection = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        _refuse(notices, f"Not readable as GeoJSON ({error}); its zones were left out.")
        return ()
    features = collection.get("features") if isinstance(collection, dict) else None
    if not isinstance(features, list):
        _refuse(notices, "There is no list of features; write a FeatureCollection.")
        return ()
    zones: dict[str, Zone] = {}
    for place, feature in enumerate(features):
        zone = _find_zone(feature)
        if zone is None:
            _refuse(notices, f"Feature {place} has no id, or no whole Polygon; it was left out.")
        elif zone.location_id in zones:
            _refuse(notices, f"Feature {place} repeats an id; it was left out.")
        else:
            zones[zone.location_id] = zone
    return tuple(zones.values())


def _refuse(notices: Notices, message: str) -> None:
    notices.add("zone_unreadable", Severity.ERROR, message, file=FILE)


def _find_zone(feature: Any) -> Zone | None:
    if not isinstance(feature, dict) or not isinstance(feature.get("geometry"), dict):
        return None
    location_id = feature.get("id")
    geometry = feature["geometry"]
    polygons = geometry.get("coordinates")
    if geometry.get("type") == "Polygon":
        polygons = [polygons]
    elif geometry.get("type") != "MultiPolygon":
        return None
    read = _find_polygons(polygons)
    if not isinstance(location_id, str | int) or not str(location_id) or read is None:
        return None
    properties = feature.get("properties")
    name = properties.get("stop_name") if isinstance(properties, dict) else None
    return Zone(str(location_id), name if isinstance(name, str) else str(location_id), read)


def _find_polygons(polygons: Any) -> tuple[tuple[Ring, ...], ...] | None:
    if not isinstance(polygons, list) or not polygons:
        return None
    read = [_find_rings(rings) for rings in polygons]
    whole = tuple(rings for rings in read if rings is not None)
    return whole if len(whole) == len(read) else None


def _find_rings(rings: Any) -> tuple[Ring, ...] | None:
    if not isinstance(rings, list) or not rings:
        return None
    read = [_find_ring(ring) for ring in rings]
    whole = tuple(ring for ring in read if ring is not None)
    return whole if len(whole) == len(read) else None


def _find_ring(ring: Any) -> Ring | None:
    if not isinstance(ring, list) or len(ring) < _RING_POINTS_MIN:
        return None
    points = tuple(_find_point(point) for point in ring)
    if None in points or points[0] != points[-1]:
        return None
    return tuple(point for point in points if point is not None)


def _find_point(point: Any) -> tuple[float, float] | None:
    """(longitude, latitude) in degrees."""
    match point:
        case [int() | float() as lon, int() | float() as lat, *_]:
            is_place = math.isfinite(lon) and math.isfinite(lat) and abs(lon) <= 180 and abs(lat) <= 90  # noqa: PLR2004 - degrees
            return (float(lon), float(lat)) if is_place else None
        case _:
            return None
