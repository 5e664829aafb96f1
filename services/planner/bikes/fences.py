"""Where a system's geofences let a ride begin, end and pass, and how much slower they make it.

Problem   A search asks of thousands of rides whether they cross a zone, and zones overlap: of two the earlier
          holds, for its vehicle types only.
Idea      For each vehicle type the zones are cut so that none overlaps another, and those of one rule are one
          region. What is asked of a place or a straight ride is then one question to a prepared region.
Rule      A ride is a straight line. One that touches an area that may not be passed is not offered: there
          are no streets to lead it around. Forbidden areas are taken for a metre less, and allowed ones for a
          metre more, so that no rounding parts neighbours. Stations say themselves whether they rent and take
          back; only what stands by itself, or is left so, keeps to where rides may begin and end.
Source    GBFS 3.0, geofencing_zones. The geometry is shapely's (GEOS).
Twin      tests/services/planner/test_fences.py cuts the line at every edge and asks each piece.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np
import numpy.typing as npt
import shapely
from shapely import MultiPolygon, STRtree
from shapely.geometry.base import BaseGeometry

from maas.sharing.geofences import Geofences, Zone, ZoneRule
from routing.kernels.arrays import Int32

Flags = npt.NDArray[np.bool_]
Degrees = npt.NDArray[np.float64]

FORBIDDEN = -1
"""Stands for a ride that is not allowed."""
_TOLERANCE_DEGREES = 1e-5
_ANYTHING = ZoneRule()
_M_S_PER_KPH = 1 / 3.6


@dataclass(frozen=True, slots=True)
class _Area:
    """Where something is allowed: inside the region, or (`is_outside`) everywhere else. None: no region."""

    region: BaseGeometry
    is_outside: bool

    def has_places(self, lat: Degrees, lon: Degrees) -> Flags:
        if self.is_outside:
            return np.asarray(~shapely.contains_xy(self.region, lon, lat))
        return np.asarray(shapely.intersects_xy(self.region, lon, lat))

    def has_lines(self, lines: npt.NDArray[np.object_]) -> Flags:
        if self.is_outside:
            return np.asarray(~shapely.intersects(self.region, lines))
        return np.asarray(shapely.covers(self.region, lines))


@dataclass(frozen=True, slots=True)
class _Areas:
    """What holds for one vehicle type; None: allowed everywhere.

    `slow` are speeds in km/h with their regions: inside, or outside of them.
    """

    start: _Area | None
    end: _Area | None
    passing: _Area | None
    slow: tuple[tuple[int, BaseGeometry, bool], ...]


class Fences:
    """The geofences of one system, for places and rides. Safe to use from several threads."""

    def __init__(self, told: Geofences) -> None:
        self._told = told
        self._areas: dict[str, _Areas] = {}
        self._lock = Lock()

    def prepare(self, vehicle_type_ids: Sequence[str]) -> None:
        """Cut the zones for these types, so that no search waits for it."""
        for each in vehicle_type_ids:
            self._of(each)

    def may_start(self, vehicle_type_id: str, lat: Degrees, lon: Degrees) -> Flags:
        """bool[n]: where a vehicle that stands by itself may be taken."""
        return _at(self._of(vehicle_type_id).start, lat, lon)

    def may_end(self, vehicle_type_id: str, lat: Degrees, lon: Degrees) -> Flags:
        """bool[n]: where one may be left by itself."""
        return _at(self._of(vehicle_type_id).end, lat, lon)

    def judge(
        self, vehicle_type_id: str, starts: Degrees, ends: Degrees, ride_s: Int32, *, pace_m_s: float
    ) -> Int32:
        """int32[n]: seconds that each straight ride takes longer, FORBIDDEN where it may not pass.

        starts, ends   float64[n, 2]  latitude and longitude, degrees
        ride_s         int32[n]  how long it takes without zones, at pace_m_s
        """
        areas = self._of(vehicle_type_id)
        found = np.zeros(len(starts), dtype=np.int32)
        if areas.passing is None and not areas.slow:
            return found
        lines = shapely.linestrings(np.stack([starts[:, ::-1], ends[:, ::-1]], axis=1))
        extra_s = np.zeros(len(starts))
        lengths = shapely.length(lines)
        for kph, region, is_outside in areas.slow:
            cap_m_s = max(1, kph) * _M_S_PER_KPH
            if cap_m_s >= pace_m_s:
                continue
            part = np.zeros(len(lines))
            crossing = np.flatnonzero(shapely.intersects(region, lines) & (lengths > 0))
            part[crossing] = shapely.length(shapely.intersection(region, lines[crossing])) / lengths[crossing]
            extra_s += (1 - part if is_outside else part) * ride_s * (pace_m_s / cap_m_s - 1)
        found[:] = np.ceil(np.round(extra_s, 3))
        if areas.passing is not None:
            found[~areas.passing.has_lines(lines)] = FORBIDDEN
        return found

    def _of(self, vehicle_type_id: str) -> _Areas:
        with self._lock:
            if vehicle_type_id not in self._areas:
                self._areas[vehicle_type_id] = _cut(self._told, vehicle_type_id)
            return self._areas[vehicle_type_id]


def _at(area: _Area | None, lat: Degrees, lon: Degrees) -> Flags:
    return np.ones(len(lat), dtype=np.bool_) if area is None else area.has_places(lat, lon)


def _cut(told: Geofences, vehicle_type_id: str) -> _Areas:
    """The areas of one type."""
    pieces = _list_pieces(told, vehicle_type_id)
    outside = next((rule for rule in told.global_rules if rule.concerns(vehicle_type_id)), _ANYTHING)
    limits = sorted({rule.kph_max for rule, _ in pieces if rule.kph_max is not None})
    slow = [(kph, [piece for rule, piece in pieces if rule.kph_max == kph], False) for kph in limits]
    if outside.kph_max is not None:
        slow.append((outside.kph_max, [piece for _, piece in pieces], True))
    return _Areas(
        start=_area(pieces, [rule.may_start for rule, _ in pieces], outside=outside.may_start),
        end=_area(
            pieces,
            [rule.may_end and not rule.is_left_at_stations for rule, _ in pieces],
            outside=outside.may_end and not outside.is_left_at_stations,
        ),
        passing=_area(
            pieces,
            [rule.may_pass for rule, _ in pieces],
            outside=outside.may_pass,
            tolerance=_TOLERANCE_DEGREES,
        ),
        slow=tuple((kph, _joined(regions), is_outside) for kph, regions, is_outside in slow),
    )


def _list_pieces(told: Geofences, vehicle_type_id: str) -> list[tuple[ZoneRule, BaseGeometry]]:
    """What of each zone holds for the type, less what zones before it hold."""
    rules = [next((r for r in zone.rules if r.concerns(vehicle_type_id)), None) for zone in told.zones]
    ruling = [(rule, _shape(zone)) for rule, zone in zip(rules, told.zones, strict=True) if rule is not None]
    shapes = [shape for _, shape in ruling]
    tree = STRtree(shapes)
    pieces = []
    for i, (rule, shape) in enumerate(ruling):
        before = [shapes[other] for other in tree.query(shape, predicate="intersects").tolist() if other < i]
        pieces.append((rule, shape.difference(shapely.union_all(before)) if before else shape))
    return pieces


def _shape(zone: Zone) -> BaseGeometry:
    polygons = [(polygon[0], polygon[1:]) for polygon in zone.polygons]
    return shapely.make_valid(MultiPolygon(polygons))


def _area(
    pieces: Sequence[tuple[ZoneRule, BaseGeometry]],
    allowed: Sequence[bool],
    *,
    outside: bool,
    tolerance: float = 0.0,
) -> _Area | None:
    """Where it is allowed, told by what is fewer: the pieces that differ from outside."""
    others = [piece for (_, piece), is_allowed in zip(pieces, allowed, strict=True) if is_allowed != outside]
    if outside and not others:
        return None
    region = shapely.union_all(others)
    # What is allowed grows, what is forbidden shrinks.
    region = region.buffer(-tolerance if outside else tolerance, join_style="mitre")
    shapely.prepare(region)
    return _Area(region, is_outside=outside)


def _joined(regions: Sequence[BaseGeometry]) -> BaseGeometry:
    region = shapely.union_all(regions)
    shapely.prepare(region)
    return region
