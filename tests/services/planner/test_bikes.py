"""Shared bikes in searches: ways beside an oracle, journeys and ids, counts, and the HTTP face."""

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maas.errors import JourneyNotFound
from maas.journeys import Journey, Mode, PlanRequest
from maas.ports import StationNow
from services.demo.city.tables import list_bike_ports
from services.planner.bikes.following import KEPT_FOR
from services.planner.bikes.stations import BikeStations
from services.planner.bikes.ways import NEAR_MAX, WAY_S, WAY_S_MAX, list_rental_ways
from services.planner.limits import Limits
from services.planner.network import Network
from services.planner.search import search
from services.planner.sought import Answer
from services.platform.clock import FixedClock
from services.platform.errors import PortUnavailable
from tests.services.planner.conftest import EVENING, PlanningHouse

BIKE_M_S = 4.2
TOCHO = "35.6896,139.6923"
PIER, STATION = "35.6541,139.7610", "35.6556,139.7570"
"""Near the bike stations of 竹芝 and of 浜松町, half a kilometre apart."""
BY_BIKE = Limits(
    access_by=frozenset({Mode.WALK, Mode.BIKE}),
    egress_by=frozenset({Mode.WALK, Mode.BIKE}),
    direct_by=frozenset({Mode.WALK, Mode.BIKE}),
    direct_s_max=7_200,
    access_s_max=2_400,
    egress_s_max=2_400,
)


def demo_rows(*, bikes: int | None = 3, docks: int | None = 5) -> list[StationNow]:
    return [
        StationNow(
            system_id="demo-cycle",
            system_names={"ja": "実証シェアサイクル", "en": "Demonstration bike share"},
            operator_id="DemoCycle",
            station_id=port.station_id,
            names={"ja": port.names.ja, "en": port.names.en},
            lat=port.lat,
            lon=port.lon,
            bikes=bikes,
            docks=docks,
        )
        for port in list_bike_ports()
    ]


def stations(rows: Sequence[StationNow] | None = None) -> BikeStations:
    return BikeStations(tuple(demo_rows() if rows is None else rows), EVENING)


def find(city: Network, origin: str, destination: str, *, bikes: BikeStations, **asked: Any) -> Answer:
    limits = asked.pop("limits", BY_BIKE)
    request = replace(PlanRequest(origin=origin, destination=destination, at=EVENING, language=""), **asked)
    ends = [city.places.get_end(text) for text in (origin, destination)]
    return search(city, request, *ends, count_min=3, limits=limits, bikes=bikes)


def haversine_m(a: tuple[float, float], b: tuple[float, float]) -> float:
    phi, other = math.radians(a[0]), math.radians(b[0])
    chord = (
        math.sin((other - phi) / 2) ** 2
        + math.cos(phi) * math.cos(other) * math.sin(math.radians(b[1] - a[1]) / 2) ** 2
    )
    return 2 * 6_371_009 * math.asin(math.sqrt(chord))


def legs_of(journeys: Sequence[Journey]) -> list[Any]:
    return [leg for journey in journeys for leg in journey.legs if leg.mode is Mode.BIKE]


# Ways ------------------------------------------------------------------------------------------------------


def oracle(
    rows: Sequence[StationNow],
    stops: dict[int, tuple[float, float]],
    point: tuple[float, float],
    *,
    out: bool,
) -> dict[int, float]:
    """Every pair of stations, for every stop: the least seconds, unrounded."""

    def walk(a: tuple[float, float], b: tuple[float, float]) -> float:
        return haversine_m(a, b) * 1.3 / 1.2  # by the beeline's own figures

    near = sorted(
        (walk(point, (row.lat, row.lon)), i)
        for i, row in enumerate(rows)
        if (row.docks if out else row.bikes) != 0
    )
    near = [(seconds, i) for seconds, i in near if math.ceil(seconds) <= 600][:NEAR_MAX]
    best: dict[int, float] = {}
    for door_s, here in near:
        for there, row in enumerate(rows):
            if there == here or row.system_id != rows[here].system_id:
                continue
            if (row.bikes if out else row.docks) == 0:
                continue
            ride_s = haversine_m((rows[here].lat, rows[here].lon), (row.lat, row.lon)) * 1.3 / BIKE_M_S
            if math.ceil(ride_s) > 1_800:
                continue
            for stop, place in stops.items():
                stop_s = walk((row.lat, row.lon), place)
                total = math.ceil(door_s) + math.ceil(ride_s) + 120 + math.ceil(stop_s)
                if math.ceil(stop_s) <= 600 and total <= 2_400:
                    best[stop] = min(best.get(stop, math.inf), total)
    return best


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), out=st.sampled_from([False, True]))
def test_ways_by_bike_are_the_quickest_of_all_pairs(city: Network, *, seed: int, out: bool) -> None:
    dice = random.Random(seed)
    timetable = city.router.timetable
    lat, lon = timetable.stops.lat.tolist(), timetable.stops.lon.tolist()
    centre = dice.randrange(len(lat))
    rows = [
        replace(
            demo_rows()[0],
            system_id=dice.choice(("one", "two")),
            station_id=str(number),
            lat=lat[centre] + dice.uniform(-0.02, 0.02),
            lon=lon[centre] + dice.uniform(-0.02, 0.02),
            bikes=dice.choice((0, 1, None)),
            docks=dice.choice((0, 1, None)),
        )
        for number in range(dice.randrange(12))
    ]
    point = (lat[centre] + dice.uniform(-0.01, 0.01), lon[centre] + dice.uniform(-0.01, 0.01))
    bikes = stations(rows)
    found = list_rental_ways(bikes, timetable, point, EVENING, is_egress=out, limit_s=WAY_S_MAX)
    usual = list_rental_ways(bikes, timetable, point, EVENING, is_egress=out)
    assert usual == [way for way in found if way.walk_s <= WAY_S]
    expected = oracle(rows, dict(enumerate(zip(lat, lon, strict=True))), point, out=out)
    assert {way.stop: way.walk_s for way in found} == expected
    for way in found:
        assert way.rental is not None
        assert way.rental.seconds == way.walk_s


# Journeys --------------------------------------------------------------------------------------------------


def test_a_bike_is_taken_where_it_helps_and_the_legs_meet(city: Network) -> None:
    bikes = stations()
    with_bikes = find(
        city, TOCHO, "竹芝", bikes=bikes, limits=replace(BY_BIKE, access_by=frozenset({Mode.BIKE}))
    )
    assert with_bikes.journeys
    for journey in with_bikes.journeys:
        walk, ride, last = journey.legs[:3]
        assert [walk.mode, ride.mode, last.mode] == [Mode.WALK, Mode.BIKE, Mode.WALK]
        assert (ride.operator_id, ride.is_estimate, ride.is_transit) == ("DemoCycle", True, False)
        for before, after in zip(journey.legs[:-1], journey.legs[1:], strict=True):
            assert before.destination == after.origin or after.in_seat
            assert before.arrives_at <= after.departs_at
    assert not legs_of(find(city, TOCHO, "竹芝", bikes=BikeStations()).journeys)


def near_port(dice: random.Random) -> str:
    port = dice.choice(list_bike_ports()[:8])
    return f"{port.lat + dice.uniform(-0.004, 0.004):.5f},{port.lon + dice.uniform(-0.004, 0.004):.5f}"


def test_bikes_never_make_an_arrival_later(city: Network) -> None:
    dice = random.Random(5)
    helped = 0
    for _ in range(40):
        ends = [near_port(dice), f"{35.64 + dice.random() / 10:.5f},{139.68 + dice.random() / 10:.5f}"]
        without, having = (find(city, *ends, bikes=each) for each in (BikeStations(), stations()))
        for old in without.journeys:
            assert any(
                new.arrives_at <= old.arrives_at and new.interchanges <= old.interchanges
                for new in (*having.journeys, *having.list_direct())
            )
        helped += bool(legs_of(having.journeys))
    assert helped > 3


def test_ids_of_journeys_with_bikes_give_them_back(city: Network) -> None:
    dice = random.Random(8)
    bikes, found = stations(), 0
    names = ["都庁前", "竹芝", "浜松町", "大島 元町"]
    for i in range(60):
        ends = [
            dice.choice(names)
            if dice.random() < 0.4
            else f"{35.64 + dice.random() / 20:.5f},{139.68 + dice.random() / 10:.5f}"
            for _ in range(2)
        ]
        answer = find(city, *ends, bikes=bikes, arrive_by=bool(i % 2))
        for journey in (*answer.journeys, *answer.list_direct()):
            assert city.teller.get_journey(journey.journey_id, bikes) == journey
            found += bool(legs_of([journey]))
            if legs_of([journey]):
                with pytest.raises(JourneyNotFound, match="bike station"):
                    city.teller.get_journey(journey.journey_id, BikeStations())
    assert found > 10


def test_what_stands_there_counts_for_an_hour(city: Network) -> None:
    """Empty now, a station may be counted on tonight; one that rents or takes back nothing never is."""
    tonight = EVENING + timedelta(hours=2)
    rows = {
        "as it is": (demo_rows(), True, True),
        "empty": (demo_rows(bikes=0), False, True),
        "full": (demo_rows(docks=0), False, True),
        "unknown": (demo_rows(bikes=None, docks=None), True, True),
        "rents nothing": ([replace(row, bikes=0, is_renting=False) for row in demo_rows()], False, False),
        "takes nothing": ([replace(row, docks=0, is_returning=False) for row in demo_rows()], False, False),
    }
    for name, (told, is_soon, is_later) in rows.items():
        found = [
            legs_of(find(city, PIER, STATION, bikes=stations(told), at=at).list_direct())
            for at in (EVENING, tonight)
        ]
        assert [bool(legs) for legs in found] == [is_soon, is_later], name


def test_the_way_by_bike_keeps_to_what_is_asked_of_the_whole_way(city: Network) -> None:
    by_bike = find(city, PIER, STATION, bikes=stations()).by_bike
    assert by_bike is not None
    seconds = int((by_bike.arrives_at - by_bike.departs_at).total_seconds())
    for limits in (replace(BY_BIKE, direct_s_max=seconds - 1), replace(BY_BIKE, duration_s_max=seconds - 1)):
        assert find(city, PIER, STATION, bikes=stations(), limits=limits).by_bike is None
    for limits in (replace(BY_BIKE, direct_s_max=seconds), replace(BY_BIKE, duration_s_max=seconds)):
        assert find(city, PIER, STATION, bikes=stations(), limits=limits).by_bike == by_bike


# The house -------------------------------------------------------------------------------------------------


async def get(planning: PlanningHouse, **query: str) -> tuple[int, Any]:
    async with planning.house.client.get("/api/v6/plan", params=query) as response:
        return response.status, await response.json()


async def test_a_rental_in_the_words_of_motis_with_its_price(planning: PlanningHouse) -> None:
    planning.bikes.rows = demo_rows()
    await planning.planner.bikes.refresh()
    ends = {"fromPlace": TOCHO, "toPlace": "竹芝", "time": "2026-05-20T20:00:00+09:00"}
    _, plain = await get(planning, **ends)
    assert "RENTAL" not in {leg["mode"] for each in plain["itineraries"] for leg in each["legs"]}
    status, body = await get(
        planning, **ends, preTransitModes="RENTAL", directModes="RENTAL", maxDirectTime="7200"
    )
    assert (status, bool(body["itineraries"])) == (200, True), body
    for itinerary in body["itineraries"]:
        (ride,) = [leg for leg in itinerary["legs"] if leg["mode"] == "RENTAL"]
        assert ride["rental"]["systemId"] == "demo-cycle"
        assert ride["rental"]["fromStationName"] == ride["from"]["name"]
        assert {ride["from"]["vertexType"], ride["to"]["vertexType"]} == {"BIKESHARE"}
        assert "stopId" not in ride["from"]
        assert ride["rental"]["systemName"] == "実証シェアサイクル"
        assert itinerary["transfers"] == sum("tripId" in leg for leg in itinerary["legs"]) - 1
        adult = next(
            each for each in itinerary["prices"] if (each["rider"], each["medium"]) == ("adult", "ic")
        )
        bike = [
            each for each in adult["components"] if each["leg_indices"] == [itinerary["legs"].index(ride)]
        ]
        assert [each["amount"]["amount_minor"] for each in bike] == [165]
        status, again = await call(planning, itinerary["journeyId"])
        assert (status, again["legs"]) == (200, itinerary["legs"])


async def call(planning: PlanningHouse, journey_id: str) -> tuple[int, Any]:
    async with planning.house.client.get(f"/api/journeys/{journey_id}") as response:
        return response.status, await response.json()


@pytest.mark.parametrize("name", ["preTransitModes", "postTransitModes", "directModes"])
async def test_ways_that_nobody_offers_are_refused(planning: PlanningHouse, name: str) -> None:
    status, body = await get(planning, fromPlace=TOCHO, toPlace="竹芝", **{name: "WALK,CAR"})
    assert (status, body["code"]) == (422, "validation_failed")
    assert f"{name}: " in body["detail"]
    assert "not by CAR" in body["detail"]


async def test_what_was_told_last_holds_while_nobody_answers(planning: PlanningHouse) -> None:
    planning.bikes.rows = demo_rows()
    bikes = planning.planner.bikes
    await bikes.refresh()
    assert len(bikes.get().rows) == len(demo_rows())
    planning.bikes.fails = PortUnavailable("partners does not answer.")
    await bikes.refresh()
    assert len(bikes.get().rows) == len(demo_rows())
    cast("FixedClock", planning.clock).set(EVENING + KEPT_FOR + timedelta(seconds=1))
    assert bikes.get().rows == ()


async def test_where_stops_are_near_is_kept_while_stations_stay(planning: PlanningHouse) -> None:
    bikes = stations()
    timetable = planning.planner.in_force.get().router.timetable
    near = bikes.near_stops(timetable)
    assert bikes.renewed(demo_rows(bikes=0), EVENING).near_stops(timetable) is near
    moved = [replace(row, lat=row.lat + 0.001) for row in demo_rows()]
    assert bikes.renewed(moved, EVENING).near_stops(timetable) is not near
