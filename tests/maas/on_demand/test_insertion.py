"""Cheapest insertion against every position of every vehicle, and its small refusals."""

from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maas.on_demand.insertion import (
    Insertion,
    Rejection,
    RejectionReason,
    RideRequest,
    cheapest_insertion,
    insert_ride,
)
from maas.on_demand.places import BeelineTravel, Point, measure_beeline_m
from maas.on_demand.schedules import (
    Schedule,
    Vehicle,
    Visit,
    VisitKind,
    check_schedule,
    count_locked,
    find_times,
    remove_booking,
)
from tests.maas.on_demand import insertion_oracle as oracle


def travel(a: Point, b: Point) -> int:
    """Ten seconds a step on a chessboard: whole seconds, and the triangle inequality holds exactly."""
    return 10 * (abs(int(a.lat) - int(b.lat)) + abs(int(a.lon) - int(b.lon)))


def at(x: int, y: int = 0) -> Point:
    return Point(lat=x, lon=y)


def vehicle(name: str = "v1", *, seats: int = 4, starts: int = 0, ends: int = 10_000) -> Vehicle:
    return Vehicle(vehicle_id=name, seats=seats, depot=at(0), shift_starts_s=starts, shift_ends_s=ends)


def ask(number: int, a: Point, b: Point, **changes: int) -> RideRequest:
    plain = RideRequest(
        booking_id=UUID(int=number),
        pickup=a,
        dropoff=b,
        riders=1,
        earliest_pickup_s=100,
        latest_pickup_s=400,
        latest_dropoff_s=5_000,
        ride_s_max=600,
        service_s=0,
        promise_s=300,
    )
    return replace(plain, **changes)


def book(schedule: Schedule, request: RideRequest, now_s: int = 0) -> Schedule:
    found = cheapest_insertion([schedule], request, travel_time=travel, now_s=now_s)
    assert isinstance(found, Insertion)
    return insert_ride(schedule, request, found, travel_time=travel)


points = st.builds(at, st.integers(0, 12), st.integers(0, 12))


@st.composite
def requests(draw: st.DrawFn, number: int) -> RideRequest:
    a, b = draw(points), draw(points)
    earliest = draw(st.integers(0, 1500))
    wait = draw(st.integers(0, 400))
    return RideRequest(
        booking_id=UUID(int=number),
        pickup=a,
        dropoff=b,
        riders=draw(st.integers(1, 3)),
        earliest_pickup_s=earliest,
        latest_pickup_s=earliest + wait,
        latest_dropoff_s=earliest + wait + draw(st.integers(60, 900)),
        ride_s_max=travel(a, b) + draw(st.integers(0, 240)),
        service_s=draw(st.sampled_from([0, 15, 40])),
        promise_s=draw(st.sampled_from([0, 60, 300])),
    )


@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_cheapest_insertion_equals_every_position_of_every_vehicle(data: st.DataObject) -> None:
    schedules = [
        Schedule(vehicle=vehicle("v1", seats=data.draw(st.integers(1, 4)), ends=2400)),
        Schedule(vehicle=vehicle("v2", seats=3, starts=300, ends=2000)),
    ]
    now_s = 0
    for number in range(1, data.draw(st.integers(2, 8)) + 1):
        now_s += data.draw(st.sampled_from([0, 0, 0, 120]))
        request = data.draw(requests(number))
        found = cheapest_insertion(schedules, request, travel_time=travel, now_s=now_s)
        best = oracle.find_best(schedules, request, travel=travel, now_s=now_s)
        if best is None:
            assert isinstance(found, Rejection)
            continue
        assert isinstance(found, Insertion)
        assert (found.drive_s_added, found.pickup_s) == best
        index = next(i for i, s in enumerate(schedules) if s.vehicle.vehicle_id == found.vehicle_id)
        told_before = {(v.booking_id, v.kind): (v.earliest_s, v.latest_s) for v in schedules[index].visits}
        schedules[index] = insert_ride(schedules[index], request, found, travel_time=travel)
        told_after = {(v.booking_id, v.kind): (v.earliest_s, v.latest_s) for v in schedules[index].visits}
        assert told_before.items() <= told_after.items()  # nobody's promise changes by another's ride


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_removing_any_booking_keeps_every_promise_of_the_others(data: st.DataObject) -> None:
    schedule = Schedule(vehicle=vehicle(seats=4, ends=3000))
    for number in range(1, 7):
        request = data.draw(requests(number))
        found = cheapest_insertion([schedule], request, travel_time=travel, now_s=0)
        if isinstance(found, Insertion):
            schedule = insert_ride(schedule, request, found, travel_time=travel)
    for booking_id in {visit.booking_id for visit in schedule.visits}:
        shorter = remove_booking(schedule, booking_id, travel_time=travel)
        check_schedule(shorter, travel_time=travel)
        assert len(shorter.visits) == len(schedule.visits) - 2


def test_the_worked_example_of_the_module() -> None:
    # Minutes as steps of 10 s: booked 10 -> 20; 12 -> 18 lies on the way, so it adds no driving.
    schedule = book(Schedule(vehicle=vehicle()), ask(1, at(10), at(20)))
    between = cheapest_insertion(
        [schedule], ask(2, at(12), at(18), latest_pickup_s=1000), travel_time=travel, now_s=0
    )
    assert isinstance(between, Insertion)
    assert between.drive_s_added == 0
    # 20 -> 25 lengthens the way out by 5 steps and the way home by 5 steps: 100 s.
    beyond = cheapest_insertion(
        [schedule], ask(3, at(20), at(25), latest_pickup_s=1000), travel_time=travel, now_s=0
    )
    assert isinstance(beyond, Insertion)
    assert beyond.drive_s_added == 100


def test_a_pickup_is_postponed_when_the_ride_would_get_too_long() -> None:
    # One rider 0 -> 10 may ride 150 s at most; on the way another gets on at 5, not before 400, so 10 is
    # reached at 450 earliest: the first pickup may not start before 300, although the van is free at 100.
    def visit(number: int, kind: VisitKind, x: int, earliest: int, ride_s_max: int) -> Visit:
        return Visit(
            booking_id=UUID(int=number), kind=kind, place=at(x), riders=1, earliest_s=earliest,
            latest_s=9000, service_s=0, ride_s_max=ride_s_max, at_s=earliest,
        )  # fmt: skip

    visits = [
        visit(1, VisitKind.PICKUP, 0, 100, 150),
        visit(2, VisitKind.PICKUP, 5, 400, 900),
        visit(1, VisitKind.DROPOFF, 10, 100, 150),
        visit(2, VisitKind.DROPOFF, 11, 400, 900),
    ]
    times = find_times(vehicle(), visits, travel_time=travel, locked_count=0, now_s=0)
    assert times == (300, 400, 450, 460)
    tighter = [replace(v, latest_s=299) if i == 0 else v for i, v in enumerate(visits)]
    assert find_times(vehicle(), tighter, travel_time=travel, locked_count=0, now_s=0) is None


def test_nothing_is_put_before_a_visit_the_vehicle_is_under_way_to() -> None:
    schedule = book(Schedule(vehicle=vehicle()), ask(1, at(10), at(20)))
    # The pickup at 100 s is 100 s of driving away: bound from 0 s on, the drop-off from 100 s on.
    assert count_locked(schedule, travel_time=travel, now_s=-1) == 0
    assert count_locked(schedule, travel_time=travel, now_s=0) == 1
    assert count_locked(schedule, travel_time=travel, now_s=100) == 2
    found = cheapest_insertion(
        [schedule], ask(2, at(5), at(6), latest_pickup_s=2000), travel_time=travel, now_s=100
    )
    assert isinstance(found, Insertion)
    assert found.pickup_position == 2


@pytest.mark.parametrize(
    ("schedules", "request_", "reason"),
    [
        ([], ask(1, at(1), at(2)), RejectionReason.NO_VEHICLE),
        (
            [Schedule(vehicle=vehicle(seats=2))],
            ask(1, at(1), at(2), riders=3),
            RejectionReason.TOO_MANY_RIDERS,
        ),
        # 500 s of driving to the pickup, and the last pickup time is 400.
        ([Schedule(vehicle=vehicle())], ask(1, at(50), at(51)), RejectionReason.UNREACHABLE_IN_TIME),
        ([Schedule(vehicle=vehicle(ends=250))], ask(1, at(9), at(18)), RejectionReason.UNREACHABLE_IN_TIME),
        (
            [book(Schedule(vehicle=vehicle(seats=1)), ask(1, at(10), at(60), latest_pickup_s=110))],
            ask(2, at(11), at(59)),
            RejectionReason.FULLY_BOOKED,
        ),
    ],
)
def test_each_reason_for_a_rejection(
    schedules: list[Schedule], request_: RideRequest, reason: RejectionReason
) -> None:
    found = cheapest_insertion(schedules, request_, travel_time=travel, now_s=0)
    assert found == Rejection(reason=reason)


def test_an_insertion_is_refused_by_another_version_of_its_schedule() -> None:
    empty = Schedule(vehicle=vehicle())
    request = ask(2, at(3), at(4))
    found = cheapest_insertion([empty], request, travel_time=travel, now_s=0)
    assert isinstance(found, Insertion)
    with pytest.raises(AssertionError, match="version"):
        insert_ride(book(empty, ask(1, at(1), at(2))), request, found, travel_time=travel)


SOUND = book(Schedule(vehicle=vehicle()), ask(1, at(10), at(20)))
PICKUP, DROPOFF = SOUND.visits


@pytest.mark.parametrize(
    ("visits", "theorem"),
    [
        ((PICKUP, replace(DROPOFF, at_s=PICKUP.at_s + 99)), "driving takes its time"),
        ((replace(PICKUP, latest_s=PICKUP.at_s - 1), DROPOFF), "the promised window is kept"),
        ((PICKUP, replace(DROPOFF, at_s=9_900, latest_s=9_900)), "the vehicle is home within its shift"),
        ((replace(PICKUP, riders=5), replace(DROPOFF, riders=5)), "the load is within the seats"),
        ((PICKUP, PICKUP, DROPOFF), "nobody is picked up twice"),
        ((replace(DROPOFF, at_s=500),), "all who get off got on before, once"),
        ((PICKUP, DROPOFF, replace(DROPOFF, at_s=600)), "all who get off got on before, once"),
        ((PICKUP, replace(DROPOFF, at_s=701)), "nobody rides longer than promised"),
        ((PICKUP,), "everybody gets off"),
    ],
)
def test_each_broken_promise_is_named(visits: tuple[Visit, ...], theorem: str) -> None:
    far = tuple(replace(v, latest_s=max(v.latest_s, v.at_s)) if v.at_s > 500 else v for v in visits)
    with pytest.raises(AssertionError, match=theorem):
        check_schedule(Schedule(vehicle=vehicle(), visits=far), travel_time=travel)


def test_a_sound_schedule_breaks_no_promise() -> None:
    # The van leaves at 0 and is at 10 at 100 s, the first moment asked for; at 20 at 200 s.
    assert [visit.at_s for visit in SOUND.visits] == [100, 200]
    check_schedule(SOUND, travel_time=travel)


def test_beeline_times_are_those_of_the_sphere() -> None:
    # One degree of latitude is pi/180 of the mean radius: 111,195 m; by 1.4 at 30 km/h that is 18,681 s.
    a, b = Point(33.0, 139.8), Point(34.0, 139.8)
    assert measure_beeline_m(a, b) == pytest.approx(111_195, abs=1)
    assert BeelineTravel()(a, b) == 18_681
    assert BeelineTravel()(a, a) == 0
