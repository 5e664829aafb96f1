"""Kinds of vehicles, and vehicles that stand by themselves: ways beside an oracle, time, ids, HTTP."""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maas.errors import JourneyNotFound
from maas.ports import BikeSystemNow, StationNow, VehicleNow
from maas.sharing.records import VehicleType
from services.demo.city.tables import list_bike_ports
from services.planner.bikes.offers import ANY_RENTAL, RentalFilter
from services.planner.bikes.stations import VEHICLE_FOR, BikeStations
from services.planner.bikes.ways import NEAR_MAX, WAY_S_MAX, find_rental, list_rental_ways
from services.planner.limits import Limits
from services.planner.network import Network
from tests.services.planner.conftest import EVENING, PlanningHouse
from tests.services.planner.test_bikes import (
    BY_BIKE,
    PIER,
    STATION,
    demo_rows,
    find,
    get,
    haversine_m,
    legs_of,
)

WALK_M_S, BIKE_M_S, DETOUR = 1.2, 4.2, 1.3
Point = tuple[float, float]
ALL_TYPES = (
    VehicleType(
        vehicle_type_id="b", form_factor="bicycle", propulsion_type="human", return_constraint="any_station"
    ),
    VehicleType(
        vehicle_type_id="s",
        form_factor="scooter_standing",
        propulsion_type="electric",
        range_m_max=2_500,
        return_constraint="free_floating",
    ),
    VehicleType(
        vehicle_type_id="h",
        form_factor="bicycle",
        propulsion_type="electric_assist",
        return_constraint="hybrid",
    ),
    VehicleType(
        vehicle_type_id="r",
        form_factor="cargo_bicycle",
        propulsion_type="human",
        return_constraint="roundtrip_station",
    ),
    VehicleType(vehicle_type_id="q", form_factor="bicycle", propulsion_type="human"),
)
FILTERS = (
    ANY_RENTAL,
    RentalFilter(form_factors=frozenset({"bicycle"})),
    RentalFilter(propulsion_types=frozenset({"electric", "electric_assist"})),
    RentalFilter(systems=(frozenset({"one"}), frozenset({"one", "two"}))),
    RentalFilter(ignores_return=True),
)


def draw_city(dice: random.Random, centre: Point) -> BikeStations:
    """Two systems with some types each; stations, some of which tell types apart; vehicles."""

    def near() -> dict[str, float]:
        return {"lat": centre[0] + dice.uniform(-0.02, 0.02), "lon": centre[1] + dice.uniform(-0.02, 0.02)}

    def counts(types: Sequence[VehicleType]) -> dict[str, int]:
        if dice.random() < 0.4:
            return {}
        return {each.vehicle_type_id: dice.choice((0, 1)) for each in types if dice.random() < 0.8}

    systems = [
        BikeSystemNow(
            system_id=name,
            names={"ja": name},
            operator_id=name,
            vehicle_types=tuple(dice.sample(ALL_TYPES, dice.randrange(4))),
        )
        for name in ("one", "two")
    ]
    rows, vehicles = [], []
    for number in range(dice.randrange(9)):
        system = dice.choice(systems)
        rows.append(
            StationNow(
                system_id=system.system_id,
                system_names=system.names,
                operator_id=system.operator_id,
                station_id=str(number),
                names={"ja": str(number)},
                bikes=dice.choice((0, 1, None)),
                docks=dice.choice((0, 1, None)),
                bikes_by_type=counts(system.vehicle_types),
                docks_by_type=counts(system.vehicle_types),
                **near(),
            )
        )
    for number in range(dice.randrange(9)):
        system = dice.choice(systems)
        types = [each.vehicle_type_id for each in system.vehicle_types] or [""]
        homes = [row.station_id for row in rows if row.system_id == system.system_id]
        vehicles.append(
            VehicleNow(
                system_id=system.system_id,
                vehicle_id=f"v{number}",
                vehicle_type_id=dice.choice(types),
                home_station_id=dice.choice(homes) if homes and dice.random() < 0.3 else "",
                range_m=dice.choice((None, 1_500, 9_000)),
                **near(),
            )
        )
    return BikeStations(tuple(rows), EVENING, tuple(vehicles), tuple(systems))


# The oracle: what can be taken, and where it can be left, one by one ------------------------------------


def types_of(bikes: BikeStations, system_id: str) -> list[VehicleType]:
    system = next(each for each in bikes.systems if each.system_id == system_id)
    bicycle = VehicleType(vehicle_type_id="", form_factor="bicycle", propulsion_type="human")
    return list(system.vehicle_types) or [bicycle]


def pickups(bikes: BikeStations) -> Iterator[tuple[Point, str, VehicleType, float, int | None, str]]:
    """Place, system, type, range, station or None, home."""
    for number, row in enumerate(bikes.rows):
        if row.bikes == 0:
            continue
        types = types_of(bikes, row.system_id)
        told = [each for each in types if each.vehicle_type_id in row.bikes_by_type]
        for each in told or types[:1]:
            if told and not row.bikes_by_type[each.vehicle_type_id] and row.bikes is not None:
                continue
            yield (row.lat, row.lon), row.system_id, each, each.range_m_max or math.inf, number, ""
    for vehicle in bikes.vehicles:
        for each in types_of(bikes, vehicle.system_id):
            if each.vehicle_type_id == vehicle.vehicle_type_id:
                range_m = each.range_m_max or math.inf if vehicle.range_m is None else vehicle.range_m
                yield (
                    (vehicle.lat, vehicle.lon),
                    vehicle.system_id,
                    each,
                    range_m,
                    None,
                    vehicle.home_station_id,
                )


def is_wanted(kind: VehicleType, system_id: str, rental: RentalFilter) -> bool:
    return (
        (not rental.form_factors or kind.form_factor in rental.form_factors)
        and (not rental.propulsion_types or kind.propulsion_type in rental.propulsion_types)
        and all(system_id in each for each in rental.systems)
    )


def has_place(row: StationNow, type_id: str) -> bool:
    if row.docks == 0:
        return False
    return not row.docks_by_type or not type_id or row.docks_by_type.get(type_id, 0) > 0


def may_leave_at(bikes: BikeStations, pickup: Any, station: int, rental: RentalFilter) -> bool:
    _, system_id, kind, _, taken_at, home = pickup
    row = bikes.rows[station]
    if row.system_id != system_id or station == taken_at or not has_place(row, kind.vehicle_type_id):
        return False
    if rental.ignores_return:
        return True
    if home:
        return row.station_id == home
    return kind.return_constraint != "roundtrip_station"


def may_leave_anywhere(bikes: BikeStations, pickup: Any, rental: RentalFilter) -> bool:
    _, system_id, kind, _, _, home = pickup
    if rental.ignores_return:
        return True
    has_stations = any(row.system_id == system_id for row in bikes.rows)
    constraint = kind.return_constraint or ("any_station" if has_stations else "free_floating")
    return not home and constraint in ("free_floating", "hybrid")


def seconds(a: Point, b: Point, speed: float) -> int:
    return math.ceil(haversine_m(a, b) * DETOUR / speed)


def nearest(rows: list[tuple[int, int, Any]]) -> list[tuple[int, Any]]:
    """By the walk, then as they came."""
    return [(walk_s, each) for walk_s, _, each in sorted(rows, key=lambda row: row[:2]) if walk_s <= 600][
        :NEAR_MAX
    ]


class Oracle:
    """The least seconds to each stop (from it, if out), by whatever can be taken and left."""

    def __init__(
        self, bikes: BikeStations, stops: dict[int, Point], door: Point, rental: RentalFilter, *, out: bool
    ) -> None:
        self.bikes, self.stops, self.door, self.rental = bikes, stops, door, rental
        self.taken = [each for each in pickups(bikes) if is_wanted(each[2], each[1], rental)]
        self.best: dict[int, int] = {}
        (self.search_out if out else self.search_in)()

    def note(self, stop: int, pickup: Any, end: Point, walks_s: int) -> None:
        ride_m = haversine_m(pickup[0], end) * DETOUR
        ride_s = math.ceil(ride_m / BIKE_M_S)
        total = walks_s + ride_s + 120
        if ride_s <= 1_800 and round(ride_m) <= pickup[3] and total <= WAY_S_MAX:
            self.best[stop] = min(self.best.get(stop, total), total)

    def search_in(self) -> None:
        for at_station in (True, False):
            rows = [
                (seconds(self.door, each[0], WALK_M_S), i, each)
                for i, each in enumerate(self.taken)
                if (each[4] is not None) == at_station
            ]
            for door_s, pickup in nearest(rows):
                for stop, place in self.stops.items():
                    self.ride_in(pickup, door_s, stop, place)

    def ride_in(self, pickup: Any, door_s: int, stop: int, place: Point) -> None:
        if may_leave_anywhere(self.bikes, pickup, self.rental):
            self.note(stop, pickup, place, door_s)
        for station, row in enumerate(self.bikes.rows):
            stop_s = seconds((row.lat, row.lon), place, WALK_M_S)
            if stop_s <= 600 and may_leave_at(self.bikes, pickup, station, self.rental):
                self.note(stop, pickup, (row.lat, row.lon), door_s + stop_s)

    def search_out(self) -> None:
        rows = [
            (seconds(self.door, (row.lat, row.lon), WALK_M_S), i, i)
            for i, row in enumerate(self.bikes.rows)
            if any(
                has_place(row, kind.vehicle_type_id) and is_wanted(kind, row.system_id, self.rental)
                for kind in types_of(self.bikes, row.system_id)
            )
        ]
        for stop, place in self.stops.items():
            for pickup in self.taken:
                stop_s = seconds(place, pickup[0], WALK_M_S)
                if stop_s <= 600:
                    self.ride_out(pickup, stop_s, stop, nearest(rows))

    def ride_out(self, pickup: Any, stop_s: int, stop: int, near: list[tuple[int, Any]]) -> None:
        if may_leave_anywhere(self.bikes, pickup, self.rental):
            self.note(stop, pickup, self.door, stop_s)
        for door_s, station in near:
            row = self.bikes.rows[station]
            if may_leave_at(self.bikes, pickup, station, self.rental):
                self.note(stop, pickup, (row.lat, row.lon), stop_s + door_s)


@settings(max_examples=120, deadline=None)
@given(seed=st.integers(0, 10**6), out=st.booleans(), rental=st.sampled_from(FILTERS))
def test_ways_are_the_quickest_of_all_that_can_be_taken_and_left(
    city: Network, *, seed: int, out: bool, rental: RentalFilter
) -> None:
    dice = random.Random(seed)
    timetable = city.router.timetable
    places = list(zip(timetable.stops.lat.tolist(), timetable.stops.lon.tolist(), strict=True))
    centre = dice.choice(places)
    bikes = draw_city(dice, centre)
    door = (centre[0] + dice.uniform(-0.01, 0.01), centre[1] + dice.uniform(-0.01, 0.01))
    ways = list_rental_ways(bikes, timetable, door, EVENING, is_egress=out, limit_s=WAY_S_MAX, rental=rental)
    expected = Oracle(bikes, dict(enumerate(places)), door, rental, out=out).best
    assert {way.stop: way.walk_s for way in ways} == expected
    for way in ways:
        assert way.rental is not None
        assert way.rental.seconds == way.walk_s
    alone = list_rental_ways(
        bikes, timetable, door, EVENING, is_egress=out, limit_s=WAY_S_MAX, by_itself=False
    )
    docked = replace(bikes, vehicles=())
    assert alone == list_rental_ways(docked, timetable, door, EVENING, is_egress=out, limit_s=WAY_S_MAX)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), rental=st.sampled_from(FILTERS))
def test_all_the_way_is_the_quickest_of_all_pairs(*, seed: int, rental: RentalFilter) -> None:
    """The goal is a stop of its own for the oracle, less the walk of ten minutes that it allows at a stop."""
    dice = random.Random(seed)
    start, goal = (35.69, 139.70), (35.69 + dice.uniform(-0.01, 0.01), 139.70 + dice.uniform(-0.01, 0.01))
    bikes = draw_city(dice, start)
    found = find_rental(bikes, start, goal, EVENING, rental=rental)
    expected = Oracle(bikes, {0: goal}, start, rental, out=False).best
    assert (None if found is None else found.seconds) == expected.get(0)


# Time ------------------------------------------------------------------------------------------------------

FREE = BikeSystemNow(
    system_id="demo-cycle", names={"ja": "実証"}, operator_id="DemoCycle", vehicle_types=(ALL_TYPES[2],)
)


def free_bikes(dice: random.Random, count: int = 60) -> BikeStations:
    """Vehicles by themselves around the demonstration's ports, and none at its stations."""
    vehicles = []
    for number in range(count):
        port = dice.choice(list_bike_ports()[:8])
        vehicles.append(
            VehicleNow(
                system_id="demo-cycle",
                vehicle_id=f"v{number}",
                vehicle_type_id="h",
                lat=port.lat + dice.uniform(-0.01, 0.01),
                lon=port.lon + dice.uniform(-0.01, 0.01),
                rental_uris={"web": f"https://bikes.example/v{number}"},
            )
        )
    return BikeStations(tuple(demo_rows(bikes=0)), EVENING, tuple(vehicles), (FREE,))


def draw_ends(dice: random.Random) -> list[str]:
    port = dice.choice(list_bike_ports()[:8])
    return [
        f"{port.lat + dice.uniform(-0.004, 0.004):.5f},{port.lon + dice.uniform(-0.004, 0.004):.5f}",
        f"{35.64 + dice.random() / 10:.5f},{139.68 + dice.random() / 10:.5f}",
    ]


@pytest.mark.parametrize("arrive_by", [False, True])
def test_none_is_taken_later_than_it_may_be_counted_on(city: Network, *, arrive_by: bool) -> None:
    dice = random.Random(4)
    bikes = free_bikes(dice)
    deadline = EVENING + VEHICLE_FOR
    used = 0
    for i in range(40):
        ends = draw_ends(dice)
        ends = ends if i % 4 else ends[::-1]
        at = EVENING + timedelta(minutes=dice.choice((0, 5, 14, 16, 30)))
        asked = {"at": at, "arrive_by": arrive_by}
        without, having = (find(city, *ends, bikes=each, **asked) for each in (BikeStations(), bikes))
        for ride in legs_of((*having.journeys, *having.list_direct())):
            assert ride.shared.from_station == ""
            assert ride.departs_at <= deadline
            used += 1
        for old in without.journeys:
            assert any(
                (new.departs_at >= old.departs_at if arrive_by else new.arrives_at <= old.arrives_at)
                and new.interchanges <= old.interchanges
                for new in (*having.journeys, *having.list_direct())
            )
    assert used > 5


def test_ids_of_journeys_with_vehicles_give_them_back_until_they_are_gone(city: Network) -> None:
    dice = random.Random(6)
    bikes = free_bikes(dice)
    gone = replace(bikes, vehicles=())
    found = 0
    for i in range(40):
        answer = find(city, *draw_ends(dice)[:: -1 if i % 3 == 0 else 1], bikes=bikes)
        for journey in (*answer.journeys, *answer.list_direct()):
            assert city.teller.get_journey(journey.journey_id, bikes) == journey
            for before, after in zip(journey.legs[:-1], journey.legs[1:], strict=True):
                assert before.destination == after.origin or after.in_seat
                assert before.arrives_at <= after.departs_at
            if legs_of([journey]):
                found += 1
                with pytest.raises(JourneyNotFound, match="vehicle"):
                    city.teller.get_journey(journey.journey_id, gone)
    assert found > 10


def test_ids_that_were_given_before_kinds_were_known_are_still_read(city: Network) -> None:
    """An id of format 2, as it was made of a system that tells no types."""
    plain = BikeStations(tuple(demo_rows()), EVENING)
    told = BikeStations(tuple(demo_rows()), EVENING, (), (FREE,))
    by_bike = find(city, PIER, STATION, bikes=plain).by_bike
    assert by_bike is not None
    again = city.teller.get_journey(by_bike.journey_id, told)
    assert again.journey_id == by_bike.journey_id
    assert [leg.arrives_at for leg in again.legs] == [leg.arrives_at for leg in by_bike.legs]
    fresh = find(city, PIER, STATION, bikes=told).by_bike
    assert fresh is not None
    assert fresh.journey_id != by_bike.journey_id
    assert city.teller.get_journey(fresh.journey_id, told) == fresh


def test_a_flat_battery_ends_what_was_found(city: Network) -> None:
    bikes = free_bikes(random.Random(6), 5)
    only = Limits(direct_by=BY_BIKE.direct_by, direct_s_max=7_200)
    port = list_bike_ports()[0]
    ends = [f"{bikes.vehicles[0].lat},{bikes.vehicles[0].lon}", f"{port.lat + 0.02},{port.lon}"]
    by_bike = find(city, *ends, bikes=bikes, limits=only).by_bike
    assert by_bike is not None
    (ride,) = legs_of([by_bike])
    for range_m, is_known in ((ride.distance_m, True), (ride.distance_m - 1, False)):
        now = replace(bikes, vehicles=tuple(replace(each, range_m=range_m) for each in bikes.vehicles))
        if is_known:
            assert city.teller.get_journey(by_bike.journey_id, now) == by_bike
            continue
        with pytest.raises(JourneyNotFound):
            city.teller.get_journey(by_bike.journey_id, now)


# The house -------------------------------------------------------------------------------------------------


async def test_a_vehicle_by_itself_in_the_words_of_motis(planning: PlanningHouse) -> None:
    bikes = free_bikes(random.Random(1))
    planning.bikes.rows, planning.bikes.systems = list(bikes.rows), [FREE]
    planning.bikes.vehicles = list(bikes.vehicles)
    await planning.planner.bikes.refresh()
    ends = {
        "fromPlace": PIER,
        "toPlace": STATION,
        "time": "2026-05-20T20:00:00+09:00",
        "directModes": "RENTAL",
    }
    status, body = await get(planning, **ends)
    assert status == 200, body
    (itinerary,) = body["direct"]
    (ride,) = [leg for leg in itinerary["legs"] if leg["mode"] == "RENTAL"]
    vehicle = next(
        each for each in bikes.vehicles if (each.lat, each.lon) == (ride["from"]["lat"], ride["from"]["lon"])
    )
    assert ride["rental"] == {
        "providerId": "demo-cycle",
        "providerGroupId": "demo-cycle",
        "systemId": "demo-cycle",
        "systemName": "実証",
        "fromStationName": "",
        "toStationName": ride["to"]["name"] if ride["to"]["vertexType"] == "BIKESHARE" else "",
        "formFactor": "BICYCLE",
        "propulsionType": "ELECTRIC_ASSIST",
        "returnConstraint": "NONE",
        "rentalUriWeb": vehicle.rental_uris["web"],
    }
    for name, value, is_offered in (
        ("directRentalFormFactors", "BICYCLE,CAR", True),
        ("directRentalFormFactors", "SCOOTER_STANDING", False),
        ("directRentalPropulsionTypes", "ELECTRIC_ASSIST", True),
        ("directRentalPropulsionTypes", "HUMAN", False),
        ("directRentalProviders", "demo-cycle", True),
        ("directRentalProviders", "another", False),
        ("directRentalProviderGroups", "another,demo-cycle", True),
        ("directRentalProviderGroups", "another", False),
        ("preTransitRentalProviders", "another", True),  # of other ways
        ("ignoreDirectRentalReturnConstraints", "true", True),
    ):
        status, body = await get(planning, **ends, **{name: value})
        assert (status, bool(body.get("direct"))) == (200, is_offered), (name, value, body)


async def test_words_that_no_vehicle_has_are_refused(planning: PlanningHouse) -> None:
    ends = {"fromPlace": PIER, "toPlace": STATION, "time": "2026-05-20T20:00:00+09:00"}
    for name in ("directRentalFormFactors", "postTransitRentalPropulsionTypes"):
        status, body = await get(planning, **ends, **{name: "UNICYCLE"})
        assert (status, name in str(body)) == (422, True), body
