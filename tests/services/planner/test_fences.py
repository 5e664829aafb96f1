"""Geofences beside an oracle that cuts each ride at every edge, and ways that keep to them."""

import json
import math
import random
import time
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gtfs.notices import Notices
from maas.errors import JourneyNotFound
from maas.sharing.gbfs import open_document
from maas.sharing.geofences import Geofences, Polygon, Zone, ZoneRule, read_geofences
from services.planner.bikes.fences import FORBIDDEN, Fences
from services.planner.bikes.offers import ANY_RENTAL
from services.planner.bikes.stations import NO_BIKES, BikeStations
from services.planner.bikes.ways import WAY_S_MAX, list_rental_ways
from services.planner.network import Network
from tests.services.planner.conftest import EVENING, PlanningHouse
from tests.services.planner.test_bikes import PIER, STATION, find, get, haversine_m
from tests.services.planner.test_free_bikes import FREE, Oracle, Point, draw_city, free_bikes

PACE_M_S = 4.2
ALLOWED = ZoneRule()


def box(south: float, west: float, north: float, east: float) -> Polygon:
    ring = ((west, south), (east, south), (east, north), (west, north), (west, south))
    return (ring,)


# The oracle ------------------------------------------------------------------------------------------------


def is_inside(polygon: Polygon, lat: float, lon: float) -> bool:
    """By the rule of even and odd, over all rings."""
    inside = False
    for ring in polygon:
        for (x1, y1), (x2, y2) in pairwise(ring):
            if (y1 > lat) != (y2 > lat) and lon < x1 + (lat - y1) * (x2 - x1) / (y2 - y1):
                inside = not inside
    return inside


def rule_at(told: Geofences, kind: str, lat: float, lon: float) -> ZoneRule:
    for zone in told.zones:
        rule = next((r for r in zone.rules if not r.vehicle_type_ids or kind in r.vehicle_type_ids), None)
        if rule is not None and any(is_inside(polygon, lat, lon) for polygon in zone.polygons):
            return rule
    return next(
        (r for r in told.global_rules if not r.vehicle_type_ids or kind in r.vehicle_type_ids), ALLOWED
    )


def cuts(told: Geofences, start: Point, goal: Point) -> list[float]:
    """Where along the ride, from 0 to 1, an edge is crossed."""
    found = {0.0, 1.0}
    dy, dx = goal[0] - start[0], goal[1] - start[1]
    for zone in told.zones:
        for polygon in zone.polygons:
            for ring in polygon:
                for (x1, y1), (x2, y2) in pairwise(ring):
                    across = dx * (y2 - y1) - dy * (x2 - x1)
                    if across:
                        along = ((x1 - start[1]) * (y2 - y1) - (y1 - start[0]) * (x2 - x1)) / across
                        if 0 < along < 1:
                            found.add(along)
    return sorted(found)


class Doubtful(Exception):
    """The ride only just touches what is forbidden: the tolerance decides."""


def judge(told: Geofences, kind: str, start: Point, goal: Point, ride_s: int) -> int | None:
    """Seconds that zones add; None: forbidden. Raises Doubtful."""
    extra_s = 0.0
    is_doubtful = False
    along = cuts(told, start, goal)
    for a, b in pairwise(along):
        middle = (a + b) / 2
        at = (start[0] + middle * (goal[0] - start[0]), start[1] + middle * (goal[1] - start[1]))
        rule = rule_at(told, kind, *at)
        if not rule.may_pass and (b - a) * math.dist(start, goal) > 2e-4:
            return None
        is_doubtful |= not rule.may_pass
        if rule.kph_max is not None:
            slow_m_s = max(1, rule.kph_max) / 3.6
            extra_s += (b - a) * ride_s * max(0.0, PACE_M_S / slow_m_s - 1)
    if is_doubtful:
        raise Doubtful
    return math.ceil(round(extra_s, 3))


def draw_fences(dice: random.Random, centre: Point, kinds: tuple[str, ...]) -> Geofences:
    """Boxes and triangles on a lattice of about half a kilometre, some with a hole, that overlap."""

    def rule() -> ZoneRule:
        return ZoneRule(
            vehicle_type_ids=() if dice.random() < 0.5 else tuple(dice.sample(kinds, 1)),
            may_start=dice.random() < 0.7,
            may_end=dice.random() < 0.7,
            may_pass=dice.random() < 0.7,
            kph_max=dice.choice((None, None, 6, 10, 25)),
            is_left_at_stations=dice.random() < 0.2,
        )

    def area() -> Polygon:
        south, west = (centre[i] + dice.randrange(-5, 5) * 0.005 for i in range(2))
        north, east = south + dice.randrange(1, 5) * 0.005, west + dice.randrange(1, 5) * 0.005
        if dice.random() < 0.3:
            ring = ((west, south), (east, south), (east, north), (west, south))
            return (ring,)
        (outer,) = box(south, west, north, east)
        if dice.random() < 0.3:
            (hole,) = box(south + 0.001, west + 0.001, north - 0.001, east - 0.001)
            return outer, hole
        return (outer,)

    zones = [
        Zone(
            polygons=tuple(area() for _ in range(dice.randrange(1, 3))),
            rules=tuple(rule() for _ in range(dice.randrange(1, 3))),
        )
        for _ in range(dice.randrange(6))
    ]
    # Polygons of one zone do not overlap, as GeoJSON asks.
    zones = [replace(zone, polygons=zone.polygons[:1]) for zone in zones]
    return Geofences(zones=tuple(zones), global_rules=tuple(rule() for _ in range(dice.randrange(2))))


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_rides_and_places_are_judged_as_by_each_piece(seed: int) -> None:
    dice = random.Random(seed)
    centre = (35.69, 139.70)
    told = draw_fences(dice, centre, ("b", "s"))
    fences = Fences(told)
    points = np.array([[centre[0] + dice.uniform(-0.03, 0.03), centre[1] + dice.uniform(-0.03, 0.03)]
                       for _ in range(40)])  # fmt: skip
    for kind in ("b", "s"):
        starts, ends = points[:20], points[20:]
        ride_s = np.array([dice.randrange(60, 1_800) for _ in range(20)], dtype=np.int32)
        found = fences.judge(kind, starts, ends, ride_s, pace_m_s=PACE_M_S).tolist()
        for i, (a, b) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
            with suppress(Doubtful):
                expected = judge(told, kind, tuple(a), tuple(b), int(ride_s[i]))
                assert found[i] == (FORBIDDEN if expected is None else expected)
        rules = [rule_at(told, kind, *point) for point in points.tolist()]
        lat, lon = points[:, 0], points[:, 1]
        assert fences.may_start(kind, lat, lon).tolist() == [rule.may_start for rule in rules]
        assert fences.may_end(kind, lat, lon).tolist() == [
            rule.may_end and not rule.is_left_at_stations for rule in rules
        ]


class FencedOracle(Oracle):
    """The same, with what the zones say of each ride and of what is taken or left by itself."""

    def note(self, stop: int, pickup: Any, end: Point, walks_s: int) -> None:
        place, system_id, kind, range_m, station, _ = pickup
        told, type_id = FENCES.get(system_id), kind.vehicle_type_id
        ride_m = haversine_m(place, end) * 1.3
        ride_s = math.ceil(ride_m / PACE_M_S)
        if told is not None:
            by_itself = station is None
            at_station = any(end == (row.lat, row.lon) for row in self.bikes.rows)
            rule = rule_at(told, type_id, *end)
            if by_itself and not rule_at(told, type_id, *place).may_start:
                return
            if not at_station and (not rule.may_end or rule.is_left_at_stations):
                return
            # The geometry is held against its own oracle above.
            ends = np.array([place]), np.array([end])
            extra_s = int(Fences(told).judge(type_id, *ends, np.array([ride_s]), pace_m_s=PACE_M_S)[0])
            if extra_s == FORBIDDEN:
                return
            ride_s += extra_s
        total = walks_s + ride_s + 120
        if ride_s <= 1_800 and round(ride_m) <= range_m and total <= WAY_S_MAX:
            self.best[stop] = min(self.best.get(stop, total), total)


FENCES: dict[str, Geofences] = {}


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), out=st.booleans())
def test_ways_are_the_quickest_that_geofences_allow(city: Network, *, seed: int, out: bool) -> None:
    dice = random.Random(seed)
    timetable = city.router.timetable
    places = list(zip(timetable.stops.lat.tolist(), timetable.stops.lon.tolist(), strict=True))
    centre = dice.choice(places)
    bikes = draw_city(dice, centre)
    FENCES.clear()
    FENCES["one"] = draw_fences(dice, centre, ("b", "s", "h"))
    bikes = fenced(bikes, FENCES)
    door = (centre[0] + dice.uniform(-0.01, 0.01), centre[1] + dice.uniform(-0.01, 0.01))
    ways = list_rental_ways(bikes, timetable, door, EVENING, is_egress=out, limit_s=WAY_S_MAX)
    expected = FencedOracle(bikes, dict(enumerate(places)), door, ANY_RENTAL, out=out).best
    assert {way.stop: way.walk_s for way in ways} == expected
    for way in ways:
        assert way.rental is not None
        assert way.rental.seconds == way.walk_s


def fenced(bikes: BikeStations, geofences: dict[str, Geofences], name: str = "1") -> BikeStations:
    """The same, with geofences."""
    systems = tuple(
        replace(each, geofences=name if each.system_id in geofences else "") for each in bikes.systems
    )
    told = BikeStations(bikes.rows, bikes.told_at, bikes.vehicles, systems)
    told.prepare(NO_BIKES, geofences)
    return told


def test_ids_hold_while_geofences_do(city: Network) -> None:
    dice = random.Random(6)
    open_city = free_bikes(dice)
    everywhere = (box(35.0, 139.0, 36.0, 140.0),)
    slow = Geofences(zones=(Zone(polygons=everywhere, rules=(ZoneRule(kph_max=8),)),))
    closed = Geofences(zones=(Zone(polygons=everywhere, rules=(ZoneRule(may_pass=False),)),))
    bikes = fenced(open_city, {"demo-cycle": slow})
    by_bike = find(city, PIER, STATION, bikes=bikes).by_bike
    free = find(city, PIER, STATION, bikes=open_city).by_bike
    assert by_bike is not None
    assert free is not None
    assert by_bike.arrives_at - by_bike.departs_at > free.arrives_at - free.departs_at
    assert city.teller.get_journey(by_bike.journey_id, bikes) == by_bike
    shut = fenced(open_city, {"demo-cycle": closed})
    assert find(city, PIER, STATION, bikes=shut).by_bike is None
    with pytest.raises(JourneyNotFound):
        city.teller.get_journey(by_bike.journey_id, shut)


async def test_geofences_are_asked_for_once_and_kept_to(planning: PlanningHouse) -> None:
    bikes = free_bikes(random.Random(1))
    planning.bikes.rows, planning.bikes.vehicles = list(bikes.rows), list(bikes.vehicles)
    planning.bikes.systems = [replace(FREE, geofences="first")]
    everywhere = Zone(polygons=(box(35.0, 139.0, 36.0, 140.0),), rules=(ZoneRule(may_pass=False),))
    planning.bikes.geofences = {"demo-cycle": Geofences(zones=(everywhere,))}
    ends = {
        "fromPlace": PIER,
        "toPlace": STATION,
        "time": "2026-05-20T20:00:00+09:00",
        "directModes": "RENTAL",
    }
    await planning.planner.bikes.refresh()
    assert (await get(planning, **ends))[1]["direct"] == []
    planning.bikes.geofences = {}  # not asked for again
    await planning.planner.bikes.refresh()
    assert (await get(planning, **ends))[1]["direct"] == []
    planning.bikes.systems = [replace(FREE, geofences="second")]
    planning.bikes.geofences = {"demo-cycle": Geofences()}
    await planning.planner.bikes.refresh()
    assert len((await get(planning, **ends))[1]["direct"]) == 1


# A real one ------------------------------------------------------------------------------------------------


@pytest.mark.real
def test_paris_is_judged_as_by_each_piece_and_quickly(real_data: Path) -> None:
    """GBFS's own example: 272 zones that overlap, and nothing allowed outside."""
    document = json.loads((real_data / "gbfs/v3.0/geofencing_zones.json").read_text(encoding="utf-8"))
    notices = Notices()
    envelope = open_document(document, file="geofencing_zones", notices=notices)
    assert envelope is not None
    told = read_geofences(envelope)
    assert (len(told.zones), len(told.global_rules), len(notices)) == (272, 1, 0)
    fences = Fences(told)
    fences.prepare(["escooter_paris"])
    dice = random.Random(3)
    points = np.array([[48.82 + dice.random() * 0.08, 2.27 + dice.random() * 0.13] for _ in range(400)])
    ride_s = np.full(200, 600, dtype=np.int32)
    started_s = time.thread_time()
    found = fences.judge("escooter_paris", points[:200], points[200:], ride_s, pace_m_s=PACE_M_S).tolist()
    assert time.thread_time() - started_s < 1, "a search asks of hundreds of rides"
    sure = 0
    for i in range(200):
        with suppress(Doubtful):
            expected = judge(told, "escooter_paris", tuple(points[i]), tuple(points[200 + i]), 600)
            sure += 1
            assert (expected is None) == (found[i] == FORBIDDEN)
            assert expected is None or abs(found[i] - expected) <= 1
    assert sure > 150
    assert 0 < found.count(FORBIDDEN) < 200
