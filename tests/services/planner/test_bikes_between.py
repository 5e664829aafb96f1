"""Shared bikes between rides: the kernel beside its twin, journeys beside the oracle, ids, the HTTP face."""

import math
import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maas.errors import JourneyNotFound
from maas.journeys import Journey, Mode
from routing.kernels.arrays import Walks
from routing.kernels.rentals import Pairs, find_rental_walks
from services.planner.bikes.between import COUNT_MAX, WAY_S_MAX, find_bike_walks
from services.planner.bikes.stations import BikeStations
from services.planner.limits import Limits
from services.planner.network import Network
from tests.oracles.rental_walks import list_rental_walks
from tests.services.planner.conftest import EVENING, PlanningHouse
from tests.services.planner.test_bikes import demo_rows, find, get, haversine_m, legs_of, stations

Seconds = dict[tuple[int, int], int]
BETWEEN = Limits(bikes_between=True)


# The kernel ------------------------------------------------------------------------------------------------


def pairs_of(seconds: Seconds, count: int) -> Pairs:
    rows = sorted((a, b, s) for (a, b), s in seconds.items())
    return Pairs(
        np.array([sum(a < place for a, _, _ in rows) for place in range(count + 1)], dtype=np.int32),
        np.array([b for _, b, _ in rows], dtype=np.int32),
        np.array([s for _, _, s in rows], dtype=np.int32),
    )


def draw_seconds(dice: random.Random, here: int, there: int, chance: float) -> Seconds:
    return {
        (a, b): dice.randrange(1, 400) for a in range(here) for b in range(there) if dice.random() < chance
    }


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_kernel_finds_what_its_twin_does(seed: int) -> None:
    dice = random.Random(seed)
    stop_count, vehicle_count, place_count = (dice.randrange(1, 7) for _ in range(3))
    footpaths = {
        pair: s for pair, s in draw_seconds(dice, stop_count, stop_count, 0.3).items() if pair[0] != pair[1]
    }
    out_of = draw_seconds(dice, stop_count, vehicle_count, 0.5)
    rides = draw_seconds(dice, vehicle_count, place_count, 0.5)
    into = draw_seconds(dice, place_count, stop_count, 0.5)
    limit_s, count_max = dice.randrange(100, 1_200), dice.randrange(1, 5)
    walks = Walks(*pairs_of(footpaths, stop_count), np.zeros(stop_count, dtype=np.int32))
    found = np.empty((stop_count * count_max, 5), dtype=np.int32)
    count = find_rental_walks(
        walks,
        pairs_of(out_of, stop_count),
        pairs_of(rides, vehicle_count),
        pairs_of(into, place_count),
        limit_s,
        count_max,
        found,
    )
    told = [tuple(row) for row in found[:count].tolist()]
    assert told == list_rental_walks(footpaths, out_of, rides, into, limit_s=limit_s, count_max=count_max)


# Ways between stops ----------------------------------------------------------------------------------------


def test_ways_between_stops_are_the_quickest_of_all(city: Network) -> None:
    """Every pair of stations for every pair of stops, by the haversine alone."""
    timetable, rows = city.router.timetable, demo_rows()
    walks = find_bike_walks(stations(rows), timetable, EVENING)
    places = list(zip(timetable.stops.lat.tolist(), timetable.stops.lon.tolist(), strict=True))
    ports = [(row.lat, row.lon) for row in rows]

    def on_foot(a: tuple[float, float], b: tuple[float, float]) -> int:
        return math.ceil(haversine_m(a, b) * 1.3 / 1.2)

    near = {
        stop: [
            (port, on_foot(place, ports[port]))
            for port in range(len(ports))
            if on_foot(place, ports[port]) <= 600
        ]
        for stop, place in enumerate(places)
    }
    base = timetable.walks
    expected: dict[tuple[int, int], int] = {}
    for stop, out in near.items():
        footpaths = {
            int(base.targets[i]): int(base.walk_s[i])
            for i in range(int(base.offsets[stop]), int(base.offsets[stop + 1]))
        }
        best: dict[int, int] = {}
        for other, into in near.items():
            for taken, to_s in out:
                for left, from_s in into:
                    ride_s = math.ceil(haversine_m(ports[taken], ports[left]) * 1.3 / 4.2) + 120
                    total = to_s + ride_s + from_s
                    is_quick = total <= WAY_S_MAX and total < footpaths.get(other, WAY_S_MAX + 1)
                    if taken != left and other != stop and is_quick:
                        best[other] = min(best.get(other, total), total)
        for total, other in sorted((total, other) for other, total in best.items())[:COUNT_MAX]:
            expected[stop, other] = total
    told = zip(walks.sources.tolist(), walks.targets.tolist(), walks.seconds.tolist(), strict=True)
    assert {(stop, other): s for stop, other, s in told} == expected
    assert len(expected) > 20


def test_they_are_worked_out_once_while_the_same_kinds_stand_at_the_same_stations(city: Network) -> None:
    timetable, bikes = city.router.timetable, stations()
    walks = find_bike_walks(bikes, timetable, EVENING)
    assert find_bike_walks(bikes.renewed(demo_rows(bikes=1), EVENING), timetable, EVENING) is walks
    moved = [replace(row, lat=row.lat + 0.001) for row in demo_rows()]
    assert find_bike_walks(bikes.renewed(moved, EVENING), timetable, EVENING) is not walks


# Journeys --------------------------------------------------------------------------------------------------


def between(journey: Journey) -> list[Any]:
    """The bikes that come after a ride and before another."""
    rides = [i for i, leg in enumerate(journey.legs) if leg.is_transit]
    return [
        leg
        for i, leg in enumerate(journey.legs)
        if leg.mode is Mode.BIKE and rides and rides[0] < i < rides[-1]
    ]


def draw_stops(city: Network, dice: random.Random) -> list[str]:
    timetable = city.router.timetable
    return [
        f"{timetable.stops.lat[stop]:.5f},{timetable.stops.lon[stop]:.5f}"
        for stop in dice.sample(range(timetable.stop_count), 2)
    ]


@pytest.mark.parametrize("arrive_by", [False, True])
def test_bikes_between_rides_never_make_it_worse_and_ids_give_them_back(
    city: Network, *, arrive_by: bool
) -> None:
    dice, bikes, used = random.Random(2), stations(), 0
    for _ in range(150):
        ends = draw_stops(city, dice)
        asked = {"bikes": bikes, "arrive_by": arrive_by}
        plain = find(city, *ends, limits=Limits(), **asked)
        having = find(city, *ends, limits=BETWEEN, **asked)
        for old in plain.journeys:
            assert any(
                (new.departs_at >= old.departs_at if arrive_by else new.arrives_at <= old.arrives_at)
                and new.interchanges <= old.interchanges
                for new in having.journeys
            )
        for journey in having.journeys:
            for before, after in zip(journey.legs[:-1], journey.legs[1:], strict=True):
                assert before.destination == after.origin or after.in_seat
                assert before.arrives_at <= after.departs_at
            assert legs_of([journey]) == between(journey)
            used += len(between(journey))
            assert city.teller.get_journey(journey.journey_id, bikes) == journey
            if between(journey):
                with pytest.raises(JourneyNotFound, match="bike station"):
                    city.teller.get_journey(journey.journey_id, BikeStations())
    assert used > 5


# The house -------------------------------------------------------------------------------------------------


async def test_a_bike_between_rides_is_asked_for_in_our_own_words(planning: PlanningHouse) -> None:
    planning.bikes.rows = demo_rows()
    await planning.planner.bikes.refresh()
    city, bikes = planning.planner.in_force.get(), planning.planner.bikes.get()
    dice = random.Random(2)
    for _ in range(300):
        ends = draw_stops(city, dice)
        if any(between(journey) for journey in find(city, *ends, limits=BETWEEN, bikes=bikes).journeys):
            break
    else:
        pytest.fail("no pair of stops has a journey with a bike between rides")
    asked = {"fromPlace": ends[0], "toPlace": ends[1], "time": EVENING.isoformat()}
    _, plain = await get(planning, **asked)
    assert "RENTAL" not in {leg["mode"] for each in plain["itineraries"] for leg in each["legs"]}
    status, body = await get(planning, **asked, transferModes="WALK,RENTAL")
    assert status == 200, body
    (itinerary, *_) = [
        each for each in body["itineraries"] if any(leg["mode"] == "RENTAL" for leg in each["legs"])
    ]
    modes = [leg["mode"] for leg in itinerary["legs"]]
    at = modes.index("RENTAL")
    assert (modes[at - 1], modes[at + 1]) == ("WALK", "WALK")
    assert {"tripId" in itinerary["legs"][i] for i in (at - 2, at + 2)} == {True}
    assert itinerary["legs"][at]["rental"]["systemId"] == "demo-cycle"
    adult = next(each for each in itinerary["prices"] if (each["rider"], each["medium"]) == ("adult", "ic"))
    assert [
        each["amount"]["amount_minor"] for each in adult["components"] if each["leg_indices"] == [at]
    ] == [165]
    async with planning.house.client.get(f"/api/journeys/{itinerary['journeyId']}") as response:
        assert (response.status, (await response.json())["legs"]) == (200, itinerary["legs"])
    for value, why in (("RENTAL", "one walks as well"), ("WALK,CAR", "not by CAR")):
        status, body = await get(planning, **asked, transferModes=value)
        assert (status, why in body["detail"]) == (422, True), body
