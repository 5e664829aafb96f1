"""Where a new ride fits best into the vehicles' schedules.

Problem   A rider asks for a ride now; riders booked before must not notice.
Idea      Try every pair of positions in every schedule and take the one that adds the least driving; ties go
          to the earlier pickup, then to the first vehicle and position by name, so the answer is the same
          on every machine. Evaluating is pure; applying asserts every promise again.
          Worked example: depot 0, one rider booked 10 -> 20 on a line, one minute a step. A new ride 12 -> 18
          fits between the two at no added driving; a new ride 20 -> 25 adds 5 out and 5 back = 10 minutes.
Not here  Better-than-greedy optimisation, which may move booked rides between vehicles; zones and hours.
Invariant A schedule that an insertion was applied to passes `check_schedule`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID

from maas.on_demand.places import Point, TravelTime
from maas.on_demand.schedules import (
    Schedule,
    Visit,
    VisitKind,
    check_schedule,
    count_locked,
    find_times,
    is_within_seats,
    measure_drive_s,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RideRequest:
    """A ride that somebody asks for. Times are seconds since 1970 UTC.

    Pickup starts within `earliest_pickup_s` and `latest_pickup_s` (asked time plus the longest wait); the
    ride takes at most `ride_s_max` and ends by `latest_dropoff_s`. Once booked, the pickup may slip by at
    most `promise_s` from the time the rider is told, never be earlier.
    """

    booking_id: UUID
    pickup: Point
    dropoff: Point
    riders: int
    earliest_pickup_s: int
    latest_pickup_s: int
    latest_dropoff_s: int
    ride_s_max: int
    service_s: int
    promise_s: int


class RejectionReason(StrEnum):
    """Why no vehicle can take the ride, the first that holds."""

    NO_VEHICLE = "no_vehicle"
    TOO_MANY_RIDERS = "too_many_riders"
    UNREACHABLE_IN_TIME = "unreachable_in_time"
    FULLY_BOOKED = "fully_booked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """The ride cannot be had."""

    reason: RejectionReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Insertion:
    """Where the ride goes: positions count in the schedule before it, and both visits may share one.

    `times_s` are the new starts of all visits, the two new ones included.
    """

    vehicle_id: str
    pickup_position: int
    dropoff_position: int
    drive_s_added: int
    pickup_s: int
    dropoff_s: int
    times_s: tuple[int, ...]

    @property
    def rank(self) -> tuple[int, int, str, int, int]:
        """Less is better: added driving, then the rider's wait, then names."""
        return (
            self.drive_s_added,
            self.pickup_s,
            self.vehicle_id,
            self.pickup_position,
            self.dropoff_position,
        )


def cheapest_insertion(
    schedules: Sequence[Schedule], request: RideRequest, *, travel_time: TravelTime, now_s: int
) -> Insertion | Rejection:
    """The insertion that adds the least driving over all schedules, or why there is none."""
    best: Insertion | None = None
    for schedule in schedules:
        best = _improve(best, schedule, request, travel_time=travel_time, now_s=now_s)
    if best is not None:
        return best
    return Rejection(reason=_explain(schedules, request, travel_time=travel_time, now_s=now_s))


def _improve(
    best: Insertion | None, schedule: Schedule, request: RideRequest, *, travel_time: TravelTime, now_s: int
) -> Insertion | None:
    """The better of `best` and this schedule's best insertion."""
    if request.riders > schedule.vehicle.seats:
        return best
    locked_count = count_locked(schedule, travel_time=travel_time, now_s=now_s)
    before_s = measure_drive_s(schedule.vehicle, schedule.visits, travel_time=travel_time)
    for pickup_position, dropoff_position in _list_positions(locked_count, len(schedule.visits)):
        visits = _place(schedule, request, pickup_position, dropoff_position)
        added_s = measure_drive_s(schedule.vehicle, visits, travel_time=travel_time) - before_s
        if best is not None and added_s > best.drive_s_added:
            continue  # checking the times is the dear part, and this one cannot win any more
        if not is_within_seats(schedule.vehicle, visits):
            continue
        times_s = find_times(
            schedule.vehicle, visits, travel_time=travel_time, locked_count=locked_count, now_s=now_s
        )
        if times_s is None:
            continue
        found = Insertion(
            vehicle_id=schedule.vehicle.vehicle_id,
            pickup_position=pickup_position,
            dropoff_position=dropoff_position,
            drive_s_added=added_s,
            pickup_s=times_s[pickup_position],
            dropoff_s=times_s[dropoff_position + 1],
            times_s=times_s,
        )
        best = found if best is None or found.rank < best.rank else best
    return best


def _list_positions(locked_count: int, visit_count: int) -> Iterator[tuple[int, int]]:
    for pickup_position in range(locked_count, visit_count + 1):
        for dropoff_position in range(pickup_position, visit_count + 1):
            yield pickup_position, dropoff_position


def _place(
    schedule: Schedule, request: RideRequest, pickup_position: int, dropoff_position: int
) -> tuple[Visit, ...]:
    pickup, dropoff = _build_visits(request)
    visits = schedule.visits
    return (
        *visits[:pickup_position],
        pickup,
        *visits[pickup_position:dropoff_position],
        dropoff,
        *visits[dropoff_position:],
    )


def _build_visits(request: RideRequest) -> tuple[Visit, Visit]:
    pickup = Visit(
        booking_id=request.booking_id,
        kind=VisitKind.PICKUP,
        place=request.pickup,
        riders=request.riders,
        earliest_s=request.earliest_pickup_s,
        latest_s=request.latest_pickup_s,
        service_s=request.service_s,
        ride_s_max=request.ride_s_max,
        at_s=request.earliest_pickup_s,
    )
    dropoff = replace(
        pickup, kind=VisitKind.DROPOFF, place=request.dropoff, latest_s=request.latest_dropoff_s
    )
    return pickup, dropoff


def _explain(
    schedules: Sequence[Schedule], request: RideRequest, *, travel_time: TravelTime, now_s: int
) -> RejectionReason:
    """Tell a ride that no empty vehicle could do from one that is only too late to ask for."""
    if not schedules:
        return RejectionReason.NO_VEHICLE
    if all(request.riders > schedule.vehicle.seats for schedule in schedules):
        return RejectionReason.TOO_MANY_RIDERS
    if _is_possible_if_empty(schedules, request, travel_time=travel_time, now_s=now_s):
        return RejectionReason.FULLY_BOOKED
    return RejectionReason.UNREACHABLE_IN_TIME


def _is_possible_if_empty(
    schedules: Iterable[Schedule], request: RideRequest, *, travel_time: TravelTime, now_s: int
) -> bool:
    empty = (replace(schedule, visits=()) for schedule in schedules)
    return any(
        _improve(None, schedule, request, travel_time=travel_time, now_s=now_s) is not None
        for schedule in empty
    )


def insert_ride(
    schedule: Schedule, request: RideRequest, insertion: Insertion, *, travel_time: TravelTime
) -> Schedule:
    """The schedule with the ride in it, its window promised. The insertion must be of this very schedule."""
    assert insertion.vehicle_id == schedule.vehicle.vehicle_id, "an insertion belongs to its vehicle"
    visits = _place(schedule, request, insertion.pickup_position, insertion.dropoff_position)
    assert len(visits) == len(insertion.times_s), "an insertion belongs to its version of the schedule"
    timed = tuple(
        _promise(replace(visit, at_s=at_s), request)
        if visit.booking_id == request.booking_id
        else replace(visit, at_s=at_s)
        for visit, at_s in zip(visits, insertion.times_s, strict=True)
    )
    longer = replace(schedule, visits=timed)
    check_schedule(longer, travel_time=travel_time)
    return longer


def _promise(visit: Visit, request: RideRequest) -> Visit:
    """Narrow a new visit's window to what the rider is told."""
    latest_s = min(visit.latest_s, visit.at_s + request.promise_s)
    earliest_s = visit.at_s if visit.kind is VisitKind.PICKUP else visit.earliest_s
    return replace(visit, earliest_s=earliest_s, latest_s=latest_s)
