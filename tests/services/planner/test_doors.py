"""Doors on streets: a town of two corners by arithmetic, and a real city against its streets' own answers."""

import math
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import ceil
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from gtfs.literal import literal_feed
from gtfs.reader import read_feed
from maas.journeys import Journey, Leg, Mode, PlanRequest, list_step_points
from maas.ports import PublishedNetwork, StationNow
from routing.build import build_network
from routing.streets.compiling import compile_streets
from routing.streets.ways import Manner
from services.planner.bikes.stations import NO_BIKES, BikeStations
from services.planner.limits import Limits
from services.planner.network import Network, open_network
from services.planner.outside import choose_manners
from services.planner.search import search
from services.planner.turns import list_turns
from services.platform.polyline import decode_polyline
from tests.services.planner.conftest import EVENING, PlanningHouse
from tests.support.streets import TOWN_POINTS, write_map

AT = EVENING.replace(year=2026, month=1, day=15)
DEGREE_M = math.radians(1) * 6_371_009
TOWN = """
    stop A 35.000 139.000
    stop P 35.100 139.000
    route R bus
    stops A     P
    t1    20:30 20:45
    t2    21:30 21:45
"""
CORNER_C, CORNER_R = "35.004,139.006", "35.102,139.004"


def publish_town(folder: Path, version: str = "town") -> PublishedNetwork:
    path = folder / version
    compile_streets(write_map(folder / "town.osm"), path / "streets")
    build_network([literal_feed(TOWN)], path, version=version, now=EVENING)
    return PublishedNetwork(version=version, path=str(path), published_at=EVENING)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Network:
    return open_network(publish_town(tmp_path_factory.mktemp("town")))


def east_m(lat: float, degrees: float) -> float:
    return degrees * DEGREE_M * math.cos(math.radians(lat))


C_TO_A_M = 0.004 * DEGREE_M + east_m(35.0, 0.006)
P_TO_R_M = 0.002 * DEGREE_M + east_m(35.1, 0.004)


def find(network: Network, origin: str, destination: str, **asked: Any) -> tuple[Journey, ...]:
    limits, bikes = asked.pop("limits", Limits()), asked.pop("bikes", NO_BIKES)
    request = replace(PlanRequest(origin=origin, destination=destination, at=AT, language=""), **asked)
    ends = [network.places.get_end(text) for text in (origin, destination)]
    answer = search(network, request, *ends, limits=limits, bikes=bikes)
    return (*answer.journeys, *answer.list_direct())


def seconds_of(leg: Leg) -> int:
    return int((leg.arrives_at - leg.departs_at).total_seconds())


@pytest.mark.parametrize("speed", [None, 0.6, 2.0])
def test_walks_go_round_the_corner_and_are_no_estimates(town: Network, speed: float | None) -> None:
    """C - B - A is 445 m and 546 m: 826 s at 1.2 m/s, where the beeline with its detour says 763."""
    limits = Limits(manners=choose_manners(walking_m_s=speed))
    (journey,) = find(town, CORNER_C, CORNER_R, limits=limits)
    first, ride, last = journey.legs
    assert (first.mode, ride.mode, last.mode) == (Mode.WALK, Mode.BUS, Mode.WALK)
    for leg, metres in ((first, C_TO_A_M), (last, P_TO_R_M)):
        assert leg.distance_m == pytest.approx(metres, abs=1)
        assert seconds_of(leg) == pytest.approx(metres / (speed or 1.2), abs=2)
        assert not leg.is_estimate
    # The first bus is missed by who sets out at 20:00 and walks 991 m at 0.6 m/s, and so is told later.
    assert f"{ride.departs_at:%H:%M}" == "20:30"
    corner = [TOWN_POINTS[name] for name in "CBA"]
    assert [tuple(map(round6, point)) for point in first.points] == corner
    assert [(step.name, step.kind, step.distance_m) for step in first.steps] == [
        ("Side", "street", pytest.approx(445, abs=1)),
        ("Main", "street", pytest.approx(546, abs=1)),
    ]
    assert list_step_points(first) == [first.points[:2], first.points[1:]]
    assert ride.points == ()
    assert town.teller.get_journey(journey.journey_id) == journey
    # Offers keep journeys as JSON.
    kept = TypeAdapter(Journey)
    assert kept.validate_json(kept.dump_json(journey)) == journey


def round6(degrees: float) -> float:
    return round(degrees, 6)


def test_a_walk_all_the_way_is_along_the_streets_both_ways(town: Network) -> None:
    for ends in ((CORNER_C, "35.000,139.000"), ("35.000,139.000", CORNER_C)):
        (walk,) = find(town, *ends)
        assert seconds_of(walk.legs[0]) == pytest.approx(C_TO_A_M / 1.2, abs=1)
        assert town.teller.get_journey(walk.journey_id) == walk
    # Longer than is wanted: no walk, though the beeline would be short enough.
    assert find(town, CORNER_C, "35.000,139.000", limits=Limits(direct_s_max=800)) == ()


def test_bikes_are_ridden_along_the_streets(town: Network) -> None:
    rows = [
        StationNow(
            system_id="s",
            system_names={"ja": "s"},
            operator_id="s",
            station_id=name,
            names={"ja": name},
            lat=TOWN_POINTS[name][0],
            lon=TOWN_POINTS[name][1],
            bikes=1,
            docks=1,
        )
        for name in "AC"
    ]
    bikes = BikeStations(tuple(rows), AT)
    limits = Limits(direct_by=frozenset({Mode.BIKE}), access_by=frozenset({Mode.BIKE}))
    for ends, direction in (((CORNER_C, "35.000,139.000"), "CA"), (("35.000,139.000", CORNER_C), "AC")):
        (found,) = find(town, *ends, bikes=bikes, limits=limits)
        (ride,) = [leg for leg in found.legs if leg.mode is Mode.BIKE]
        assert (ride.origin.stop_id, ride.destination.stop_id) == tuple(f"s:{name}" for name in direction)
        assert seconds_of(ride) == pytest.approx(C_TO_A_M / 4.2 + 120, abs=1)
        assert (ride.distance_m, ride.is_estimate) == (pytest.approx(C_TO_A_M, abs=1), False)
        assert len(ride.points) == 3
        assert town.teller.get_journey(found.journey_id, bikes) == found
    (by_bike,) = find(town, CORNER_C, CORNER_R, bikes=bikes, limits=limits)
    assert by_bike.legs[1].mode is Mode.BIKE
    assert town.teller.get_journey(by_bike.journey_id, bikes) == by_bike


def test_off_the_streets_walks_are_estimates_and_nobody_is_matched_farther_than_asked(town: Network) -> None:
    """A door 111 m north of C, and one a kilometre off every street."""
    near, far = "35.005,139.006", "35.010,139.006"
    (journey,) = find(town, near, CORNER_R)
    assert seconds_of(journey.legs[0]) == pytest.approx((C_TO_A_M + 0.001 * DEGREE_M) / 1.2, abs=2)
    assert find(town, near, CORNER_R, limits=Limits(matching_m_max=112)) == (journey,)
    assert find(town, near, CORNER_R, limits=Limits(matching_m_max=110)) == ()
    assert find(town, CORNER_R, near, limits=Limits(matching_m_max=110)) == ()
    (estimated,) = find(town, far, CORNER_R)
    assert [leg.is_estimate for leg in estimated.legs] == [True, False, False]
    assert estimated.legs[0].points == ()
    assert town.teller.get_journey(estimated.journey_id) == estimated
    assert find(town, far, CORNER_R, limits=Limits(matching_m_max=200)) == ()


async def test_over_http_walks_have_their_line_and_their_steps(
    planning: PlanningHouse, tmp_path: Path
) -> None:
    async def get(path: str, **query: str) -> tuple[int, Any]:
        async with planning.house.client.get(path, params=query) as response:
            return response.status, await response.json()

    asked = {"fromPlace": CORNER_C, "toPlace": CORNER_R, "time": AT.isoformat()}
    status, body = await get("/api/v6/plan", **asked, useRoutedTransfers="true")
    assert (status, body["code"]) == (422, "validation_failed")
    assert "--streets" in body["detail"]
    status, body = await get("/api/v1/map/initial")
    assert body["serverConfig"]["hasStreetRouting"] is False

    planning.paper.published = publish_town(tmp_path)
    await planning.planner.in_force.refresh()
    status, body = await get("/api/v6/plan", **asked, useRoutedTransfers="true")
    assert status == 200, body
    walk = body["itineraries"][0]["legs"][0]
    assert "isEstimate" not in walk
    line = decode_polyline(walk["legGeometry"]["points"])
    assert line == [TOWN_POINTS[name] for name in "CBA"]
    assert walk["legGeometry"]["length"] == 3
    steps = [(step["relativeDirection"], step["streetName"], step["osmWay"]) for step in walk["steps"]]
    # Southwards on Side, then west.
    assert steps == [("DEPART", "Side", 102), ("RIGHT", "Main", 101)]
    assert sum(step["distance"] for step in walk["steps"]) == walk["distance"]
    status, body = await get("/api/v6/plan", **asked, detailedLegs="false")
    assert "steps" not in body["itineraries"][0]["legs"][0]
    status, body = await get("/api/v6/plan", **asked, maxMatchingDistance="0")
    assert body["itineraries"]
    status, body = await get("/api/v1/map/initial")
    assert body["serverConfig"]["hasStreetRouting"] is True

    many = {
        "one": CORNER_C.replace(",", ";"),
        "many": "35.0;139.0,35.005;139.006,36.0;139.0",
        "mode": "WALK",
        "max": "1000",
        "arriveBy": "false",
        "withDistance": "true",
    }
    status, body = await get("/api/v1/one-to-many", **many, maxMatchingDistance="250")
    assert status == 200, body
    assert body[0] == {"duration": ceil(C_TO_A_M / 1.2), "distance": round(C_TO_A_M)}
    assert body[1]["distance"] == 111
    assert body[2] == {}
    status, body = await get("/api/v1/one-to-many", **many, maxMatchingDistance="50")
    assert [bool(each) for each in body] == [True, False, False]

    reach = {"one": CORNER_C, "time": AT.isoformat(), "maxTravelTime": "60"}
    status, body = await get("/api/v6/one-to-all", **reach, useRoutedTransfers="true")
    minutes = {each["place"]["stopId"]: each["duration"] for each in body["all"]}
    assert minutes == {"lit:A": 14, "lit:P": 45}


@pytest.mark.parametrize(
    ("degrees", "wanted"),
    [
        (0, "CONTINUE"),
        (19, "CONTINUE"),
        (-30, "SLIGHTLY_LEFT"),
        (90, "RIGHT"),
        (-90, "LEFT"),
        (130, "HARD_RIGHT"),
        (-175, "UTURN_LEFT"),
    ],
)
def test_turns_are_told_by_their_angle(degrees: float, wanted: str) -> None:
    """Towards the north-east for 100 m, then so many degrees to the right, on the equator."""
    after = 0.001 * math.cos(math.radians(45 + degrees)), 0.001 * math.sin(math.radians(45 + degrees))
    corner = 0.001 * math.cos(math.radians(45)), 0.001 * math.sin(math.radians(45))
    way = [(0.0, 0.0), corner, (corner[0] + after[0], corner[1] + after[1])]
    assert list_turns([("street", way[:2]), ("street", way[1:])]) == ["DEPART", wanted]
    assert list_turns([("street", way[:2]), ("steps", way[1:]), ("elevator", way[2:])])[1:] == [
        "STAIRS",
        "ELEVATOR",
    ]


def test_a_line_is_read_as_it_was_written() -> None:
    points = [(38.5, -120.2), (40.7, -120.95), (43.252, -126.453)]
    assert decode_polyline("_p~iF~ps|U_ulLnnqC_mqNvxq`@", 5) == points
    for broken in ("_p~iF", "_p~iF~", "\x10"):
        with pytest.raises(ValueError, match="poly"):
            decode_polyline(broken)


# A real city -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def porto_alegre(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Network:
    folder = tmp_path_factory.mktemp("porto_alegre") / "network"
    source = real_data / "porto_alegre"
    compile_streets(source / "poa_osm.pbf", folder / "streets")
    found = [read_feed(source / f"poa_{name}.zip").feed for name in ("eptc", "trensurb")]
    feeds = [feed for feed in found if feed is not None]
    now = datetime(2019, 5, 1, tzinfo=UTC)
    build_network(feeds, folder, version="poa", now=now)
    return open_network(PublishedNetwork(version="poa", path=str(folder), published_at=now))


@pytest.mark.real
def test_door_to_door_in_porto_alegre(porto_alegre: Network) -> None:
    """Walks at doors are the streets' own, with their line; ids give journeys back."""
    network, rng = porto_alegre, random.Random(5)
    stops, bounds = network.router.timetable.stops, porto_alegre.ways.graph.bounds  # type: ignore[attr-defined]
    inside = [
        i
        for i in range(len(stops.lat))
        if bounds[0] + 0.01 < stops.lat[i] < bounds[2] - 0.01
        and bounds[1] + 0.01 < stops.lon[i] < bounds[3] - 0.01
    ]
    morning = datetime(2019, 5, 15, 6, tzinfo=network.router.timetable.zone)
    walks = on_streets = 0
    for i in range(40):
        doors = [(stops.lat[at], stops.lon[at]) for at in rng.sample(inside, 2)]
        ends = [",".join(f"{each + rng.uniform(-0.002, 0.002):.6f}" for each in door) for door in doors]
        speed = rng.choice([None, None, 0.8, 1.6])
        manner = Manner(speed_m_s=speed)
        limits = Limits(manners=choose_manners(walking_m_s=speed))
        at = morning + timedelta(minutes=rng.randrange(900))
        for journey in find(network, *ends, at=at, arrive_by=bool(i % 2), limits=limits):
            assert network.teller.get_journey(journey.journey_id) == journey
            for leg in (journey.legs[0], journey.legs[-1]):
                if leg.mode is not Mode.WALK:
                    continue
                start, goal = (leg.origin.lat, leg.origin.lon), (leg.destination.lat, leg.destination.lon)
                way = network.ways.find_way(start, goal, manner=manner)
                assert way is not None
                assert (seconds_of(leg), leg.distance_m) == (way.seconds, way.metres)
                reached = network.ways.measure(
                    *start, [goal[0]], [goal[1]], manner=manner, limit_s=way.seconds
                )
                assert reached.seconds.tolist() == [way.seconds]
                assert leg.is_estimate == way.is_estimate
                walks, on_streets = walks + 1, on_streets + (not leg.is_estimate)
                if not leg.is_estimate:
                    assert leg.points[0] == start
                    assert leg.points[-1] == goal
                    assert sum(step.distance_m for step in leg.steps) == leg.distance_m
    assert walks > 40
    assert on_streets / walks > 0.9
