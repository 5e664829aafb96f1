"""The MOTIS API beyond searches: lookups, filters, and that no parameter is ignored."""

from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from maas.journeys import Mode, PlanRequest
from services.planner.geocoding import GeocodeQuery, ReverseGeocodeQuery
from services.planner.limits import Limits
from services.planner.modes import MOTIS_MODES
from services.planner.moving_trips import MapTripsQuery
from services.planner.network import Network
from services.planner.parameters import NOT_OFFERED, MotisQuery
from services.planner.plan_query import PlanQuery
from services.planner.reach import ReachQuery
from services.planner.search import search
from services.planner.stops import MapStopsQuery, StopQuery
from services.planner.trips import TripQuery
from services.planner.walks import OneToManyQuery
from tests.services.planner.conftest import EVENING, PlanningHouse, publish_literal
from tests.services.planner.test_planner import WALKS

ENDS = {"fromPlace": "都庁前", "toPlace": "竹芝", "time": "2026-05-20T20:00:00+09:00"}
OTHER_DEFAULTS = {"joinInterlinedLegs", "algorithm", "fastestSlowDirectFactor"}
"""MOTIS joins legs and has three algorithms; overtaken rides are never looked for here."""
ALL = {"min": "26.0,138.0", "max": "37.0,143.0"}


async def get(planning: PlanningHouse, path: str, **query: str) -> tuple[int, Any]:
    async with planning.house.client.get(path, params=query) as response:
        return response.status, await response.json()


# Parameters ------------------------------------------------------------------------------------------------


@pytest.mark.real
@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/api/v6/plan", PlanQuery),
        ("/api/v6/one-to-all", ReachQuery),
        ("/api/v1/one-to-many", OneToManyQuery),
        ("/api/v6/trip", TripQuery),
        ("/api/v6/stop", StopQuery),
        ("/api/v6/map/stops", MapStopsQuery),
        ("/api/v6/map/trips", MapTripsQuery),
        ("/api/v1/geocode", GeocodeQuery),
        ("/api/v1/reverse-geocode", ReverseGeocodeQuery),
    ],
)
def test_every_parameter_is_honoured_or_refused_with_a_reason(
    real_data: Path, path: str, query: type[MotisQuery]
) -> None:
    """None of MOTIS's parameters is merely unknown here; what asks for nothing is accepted."""
    api = yaml.safe_load((real_data / "motis" / "openapi.yaml").read_text())
    known = {field.alias for field in query.model_fields.values()}
    for parameter in api["paths"][path]["get"]["parameters"]:
        name = parameter["name"]
        assert name in known or name in NOT_OFFERED, f"{path} ignores {name}"
        default = parameter["schema"].get("default")
        if name in known or default is None or name in OTHER_DEFAULTS:
            continue
        asked = {str(each).lower() for each in (default if isinstance(default, list) else [default])}
        assert asked <= NOT_OFFERED[name].accepted | {each.lower() for each in NOT_OFFERED[name].accepted}


@pytest.mark.parametrize("name", sorted(NOT_OFFERED))
def test_what_is_not_offered_says_why(name: str) -> None:
    row = NOT_OFFERED[name]
    # Searches offer some that reach does not.
    is_of_plan = name in {field.alias for field in PlanQuery.model_fields.values()}
    query, ends = (ReachQuery, {"one": "都庁前", "maxTravelTime": "30"}) if is_of_plan else (PlanQuery, ENDS)
    if name == "pedestrianProfile":
        # Walks alone are told for those on foot.
        one_to_many = {"one": "35.6;139.7", "many": "35.7;139.7", "mode": "WALK", "max": "900"}
        query, ends = OneToManyQuery, one_to_many | {"maxMatchingDistance": "250", "arriveBy": "false"}
    with pytest.raises(ValueError, match="not offered") as refused:
        query.model_validate(ends | {name: "something else"})
    assert row.reason in str(refused.value)
    for harmless in row.accepted:
        assert query.model_validate(ends | {name: harmless})


async def test_lists_come_as_motis_writes_them_or_as_its_client_does(planning: PlanningHouse) -> None:
    joined = await get(planning, "/api/v6/plan", **ENDS, transitModes="SUBWAY,SUBURBAN")
    url = "/api/v6/plan?" + "&".join(f"{key}={value}" for key, value in ENDS.items()).replace("+", "%2B")
    async with planning.house.client.get(f"{url}&transitModes=SUBWAY&transitModes=SUBURBAN") as response:
        exploded = response.status, await response.json()
    assert joined[0] == 200, joined
    assert joined == exploded


def journeys(network: Network, limits: Limits, **asked: Any) -> list[Any]:
    request = PlanRequest(origin="都庁前", destination="竹芝", at=EVENING, language="", **asked)
    ends = [network.places.get_end(text) for text in (request.origin, request.destination)]
    return list(search(network, request, *ends, count_min=8, limits=limits).journeys)


def test_only_the_modes_wanted_are_ridden(city: Network) -> None:
    """Journeys that use only the modes wanted anyway are found again, and no others than theirs."""
    free = journeys(city, Limits())
    modes = {leg.mode for journey in free for leg in journey.legs} - {Mode.WALK}
    assert len(modes) > 1
    subway = journeys(city, Limits(modes=frozenset({Mode.SUBWAY})))
    assert all({leg.mode for leg in journey.legs} <= {Mode.SUBWAY, Mode.WALK} for journey in subway)
    some = journeys(city, Limits(modes=frozenset(modes)))
    assert [journey.journey_id for journey in some] == [journey.journey_id for journey in free]
    assert journeys(city, Limits(modes=frozenset())) == []
    # A filtered journey's id is as good as any.
    for journey in subway:
        assert city.teller.get_journey(journey.journey_id) == journey


def test_longer_journeys_than_wanted_are_left_out(city: Network) -> None:
    free = journeys(city, Limits())
    lengths = [journey.arrives_at - journey.departs_at for journey in free]
    limit = min(lengths)
    kept = journeys(city, Limits(duration_s_max=int(limit.total_seconds())))
    assert kept
    assert all(journey.arrives_at - journey.departs_at <= limit for journey in kept)


BIKES = """
    calendar all 2026-05-01 2026-05-31
    route R rail
    stops A     B
    fast  08:00 08:10  bikes=2 wheelchair=2
    slow  08:00 08:20  bikes=1 wheelchair=1
    mute  08:00 08:15
"""


async def test_only_trips_that_take_bikes_are_ridden_with_one(
    planning: PlanningHouse, tmp_path: Path
) -> None:
    planning.paper.published = publish_literal(tmp_path, "bikes", BIKES)
    await planning.planner.in_force.refresh()
    ends = {
        "fromPlace": "lit:A",
        "toPlace": "lit:B",
        "time": "2026-05-20T07:30:00+09:00",
        "maxDirectTime": "0",
    }
    _, any_trip = await get(planning, "/api/v6/plan", **ends, timetableView="false")
    _, with_bike = await get(planning, "/api/v6/plan", **ends, requireBikeTransport="true")
    legs = [each["legs"][0] for each in (*any_trip["itineraries"][:1], *with_bike["itineraries"][:1])]
    assert [(leg["feedTripId"], leg["bikesAllowed"], leg["wheelchairAccessible"]) for leg in legs] == [
        ("lit:fast", False, "NOT_ACCESSIBLE"),
        ("lit:slow", True, "ACCESSIBLE"),
    ]
    assert {leg["feedTripId"] for each in with_bike["itineraries"] for leg in each["legs"]} == {"lit:slow"}
    _, board = await get(planning, "/api/v6/stoptimes", stopId="lit:A", time=ends["time"], n="3")
    told = {
        each["feedTripId"]: (each["bikesAllowed"], each["wheelchairAccessible"])
        for each in board["stopTimes"]
    }
    assert told == {
        "lit:fast": (False, "NOT_ACCESSIBLE"),
        "lit:slow": (True, "ACCESSIBLE"),
        "lit:mute": (False, "NOT_ACCESSIBLE"),
    }
    reach = {"one": "lit:A", "time": ends["time"], "maxTravelTime": "90"}
    minutes = []
    for more in ({}, {"requireBikeTransport": "true"}):
        _, body = await get(planning, "/api/v6/one-to-all", **reach, **more)
        minutes.append({each["place"]["stopId"]: each["duration"] for each in body["all"]}["lit:B"])
    assert minutes == [40, 50]


async def test_interchanges_have_the_time_wanted(planning: PlanningHouse) -> None:
    ends = ENDS | {"toPlace": "豊洲", "numItineraries": "8"}
    for asked, least_s in (
        ({"minTransferTime": "20"}, lambda own_s: max(own_s, 20 * 60)),
        ({"additionalTransferTime": "15"}, lambda own_s: own_s + 15 * 60),
        ({"transferTimeFactor": "4"}, lambda own_s: 4 * own_s),
    ):
        _, body = await get(planning, "/api/v6/plan", **ends, **asked)
        changes = [change for each in body["itineraries"] for change in pairwise(list_rides(each))]
        assert changes, asked
        for before, after, own_s in ((*change, walk_between(body, *change)) for change in changes):
            gap = datetime.fromisoformat(after["startTime"]) - datetime.fromisoformat(before["endTime"])
            assert after["interlineWithPreviousLeg"] or gap.total_seconds() >= least_s(own_s), asked
    status, body = await get(planning, "/api/v6/plan", **ends, transferTimeFactor="0.5")
    assert (status, body["code"]) == (422, "validation_failed")


def list_rides(itinerary: Any) -> list[Any]:
    return [leg for leg in itinerary["legs"] if "tripId" in leg]


def walk_between(body: Any, before: Any, after: Any) -> int:
    """The network's own walk between two rides, as it is told."""
    for each in body["itineraries"]:
        for first, walk, second in zip(each["legs"], each["legs"][1:], each["legs"][2:], strict=False):
            if (first, second) == (before, after):
                return int(walk["duration"])
    return 0


async def test_the_walks_are_as_short_as_wanted(planning: PlanningHouse) -> None:
    point = {**ENDS, "fromPlace": "35.6905,139.6990"}
    _, free = await get(planning, "/api/v6/plan", **point)
    walks = [each["legs"][0]["duration"] for each in free["itineraries"] if each["legs"][0]["mode"] == "WALK"]
    assert walks
    limit = max(walks) - 1
    _, near = await get(planning, "/api/v6/plan", **point, maxPreTransitTime=str(limit))
    assert all(each["legs"][0]["duration"] <= limit for each in near["itineraries"])
    _, none = await get(planning, "/api/v6/plan", **point, maxPreTransitTime="0")
    assert none["itineraries"] == []


async def test_answers_are_as_detailed_as_wanted(planning: PlanningHouse) -> None:
    _, whole = await get(planning, "/api/v6/plan", **ENDS)
    _, bare = await get(
        planning, "/api/v6/plan", **ENDS, detailedLegs="false", withFares="false", maxItineraries="1"
    )
    assert whole["itineraries"][0]["prices"]
    assert all(leg["legGeometry"]["length"] > 1 for leg in whole["itineraries"][0]["legs"])
    (only,) = bare["itineraries"]
    assert (only["id"], only["prices"]) == (whole["itineraries"][0]["id"], [])
    assert all(leg["legGeometry"] == {"points": "", "precision": 6, "length": 0} for leg in only["legs"])


async def test_the_walk_all_the_way_may_be_unwanted(planning: PlanningHouse) -> None:
    ends = {"fromPlace": "35.6900,139.6920", "toPlace": "35.6900,139.6940"}
    _, body = await get(planning, "/api/v6/plan", **ends)
    (walk,) = body["direct"]
    for unwanted in ({"directModes": ""}, {"maxDirectTime": str(walk["duration"] - 1)}):
        _, body = await get(planning, "/api/v6/plan", **ends, **unwanted)
        assert body["direct"] == [], unwanted
    status, body = await get(planning, "/api/v6/plan", **ends, directModes="BIKE")
    assert (status, "BIKE" in body["detail"]) == (422, True)


# Lookups ---------------------------------------------------------------------------------------------------


async def test_the_trip_of_a_leg_is_that_days(planning: PlanningHouse) -> None:
    """A leg's tripId leads to its trip on its day, which passes the leg's stops at the leg's times."""
    asked = {**ENDS, "time": "2026-05-22T20:00:00+09:00"}
    _, plan = await get(planning, "/api/v6/plan", **asked)
    leg = next(leg for leg in plan["itineraries"][0]["legs"] if "tripId" in leg)
    status, trip = await get(planning, "/api/v6/trip", tripId=leg["tripId"])
    assert status == 200, trip
    (whole,) = trip["legs"]
    assert whole["serviceDate"] == leg["serviceDate"] == "2026-05-22"
    calls = [whole["from"], *whole["intermediateStops"], whole["to"]]
    departs = {call["stopId"]: call.get("departure") for call in calls}
    arrives = {call["stopId"]: call.get("arrival") for call in calls}
    assert departs[leg["from"]["stopId"]] == leg["from"]["departure"]
    assert arrives[leg["to"]["stopId"]] == leg["to"]["arrival"]
    # Without a day it is the next one: today is a Wednesday.
    _, bare = await get(planning, "/api/v6/trip", tripId=leg["feedTripId"])
    assert bare["legs"][0]["serviceDate"] == "2026-05-20"


@pytest.mark.parametrize("text", ["20260520_nothing", "20261399_demo:Toei.Oedo.weekday.1.1943", "x"])
async def test_no_trip_is_told_for_what_is_none(planning: PlanningHouse, text: str) -> None:
    status, body = await get(planning, "/api/v6/trip", tripId=text)
    assert (status, body["code"]) == (404, "trip_not_found")


async def test_the_routes_of_a_stop_are_those_on_its_board(planning: PlanningHouse) -> None:
    _, board = await get(planning, "/api/v6/stoptimes", stopId="大門", n="200")
    status, stop = await get(planning, "/api/v6/stop", stopId="大門")
    assert status == 200
    on_board = {each["routeId"] for each in board["stopTimes"]}
    served = {route["routeId"]: route for route in stop["routes"]}
    assert on_board <= served.keys()
    assert served.keys() - on_board == set()
    modes = {each["routeId"]: each["mode"] for each in board["stopTimes"]}
    assert {key: served[key]["mode"] for key in modes} == modes


async def test_the_stops_of_a_map_section(planning: PlanningHouse) -> None:
    status, stops = await get(planning, "/api/v6/map/stops", **ALL)
    assert status == 200
    timetable = planning.planner.in_force.get().router.timetable
    assert len(stops) == len({stop["stopId"] for stop in stops}) == timetable.stop_count
    importance = [stop["importance"] for stop in stops]
    assert importance == sorted(importance, reverse=True)
    _, ships = await get(planning, "/api/v6/map/stops", **ALL, modes="FERRY")
    assert ships
    assert all("FERRY" in stop["modes"] for stop in ships)
    _, grouped = await get(planning, "/api/v6/map/stops", **ALL, grouped="true")
    assert len(grouped) < len(stops)
    one = stops[0]
    corner = f"{one['lat']},{one['lon']}"
    _, here = await get(planning, "/api/v6/map/stops", min=corner, max=corner)
    assert one["stopId"] in [stop["stopId"] for stop in here]


async def test_what_moves_on_a_map_is_what_the_trips_say(planning: PlanningHouse) -> None:
    """Each hop of a trip that is under way in those minutes is there, and no other of that trip."""
    start = EVENING
    end = start + timedelta(minutes=5)
    window = {"startTime": start.isoformat(), "endTime": end.isoformat(), "zoom": "14"}
    status, moving = await get(planning, "/api/v6/map/trips", **ALL, **window)
    assert status == 200, moving
    _, board = await get(planning, "/api/v6/stoptimes", stopId="都庁前", time=start.isoformat(), n="4")
    for row in board["stopTimes"]:
        _, trip = await get(planning, "/api/v6/trip", tripId=row["tripId"])
        (leg,) = trip["legs"]
        calls = [leg["from"], *leg["intermediateStops"], leg["to"]]
        hops = {
            (here["stopId"], there["stopId"])
            for here, there in pairwise(calls)
            if datetime.fromisoformat(here["departure"]) <= end
            and datetime.fromisoformat(there["arrival"]) >= start
        }
        told = {
            (each["from"]["stopId"], each["to"]["stopId"])
            for each in moving
            if each["trips"][0]["tripId"] == row["tripId"]
        }
        assert told == hops
    # Far out there are no buses; and a span may be too long.
    _, far = await get(planning, "/api/v6/map/trips", **ALL, **(window | {"zoom": "5"}))
    assert {each["mode"] for each in far} <= {MOTIS_MODES[Mode.RAIL], MOTIS_MODES[Mode.FERRY]}
    long = window | {"endTime": (start + timedelta(hours=3)).isoformat()}
    status, _ = await get(planning, "/api/v6/map/trips", **ALL, **long)
    assert status == 422


async def test_walks_to_many_places(planning: PlanningHouse) -> None:
    """0.001 degrees of latitude are 111 m; times 1.3 145 m, at 1.2 m/s two minutes. The other is far."""
    status, walks = await get(planning, "/api/v1/one-to-many", **WALKS, withDistance="true")
    assert status == 200
    assert walks == [{"duration": 121, "distance": 145}, {}]
    _, back = await get(planning, "/api/v1/one-to-many", **(WALKS | {"arriveBy": "true"}))
    assert back == [{"duration": 121}, {}]
    status, body = await get(planning, "/api/v1/one-to-many", **(WALKS | {"mode": "CAR"}))
    assert (status, body["code"]) == (422, "validation_failed")
    status, body = await get(planning, "/api/v1/one-to-many", **(WALKS | {"one": "95;139"}))
    assert (status, body["code"]) == (422, "validation_failed")


async def test_what_lies_near_a_point(planning: PlanningHouse) -> None:
    _, (takeshiba, *_) = await get(planning, "/api/v1/geocode", text="竹芝")
    point = f"{takeshiba['lat']},{takeshiba['lon']}"
    status, near = await get(planning, "/api/v1/reverse-geocode", place=point, numResults="3")
    assert (status, len(near)) == (200, 3)
    assert near[0]["id"] == takeshiba["id"]
    assert await get(planning, "/api/v1/reverse-geocode", place=point, type="ADDRESS") == (200, [])


async def test_geocoding_can_be_narrowed(planning: PlanningHouse) -> None:
    _, ships = await get(planning, "/api/v1/geocode", text="大島", mode="FERRY")
    assert ships
    assert all("FERRY" in match["modes"] for match in ships)
    box = {"min": "35.5,139.5", "max": "35.9,139.9"}
    _, inside = await get(planning, "/api/v1/geocode", text="大島", **box)
    assert inside
    assert all(35.5 <= match["lat"] <= 35.9 for match in inside)


async def test_health_in_the_words_of_motis(planning: PlanningHouse) -> None:
    assert await get(planning, "/api/v1/health") == (200, {"rt": True})
    planning.planner.in_force._network = None
    planning.paper.published = None
    assert await get(planning, "/api/v1/health") == (400, {"rt": False})


async def test_a_map_begins_in_the_middle(planning: PlanningHouse) -> None:
    status, start = await get(planning, "/api/v1/map/initial")
    assert status == 200
    assert 34 < start["lat"] < 36
    assert start["serverConfig"]["hasStreetRouting"] is False
