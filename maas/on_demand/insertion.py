"""Where a new ride fits best into the vehicles' schedules.

Problem   A rider asks for a ride now; riders booked before must not notice.
Idea      Try the pairs of positions of every schedule, least added driving first; the first that keeps all
          promises is the cheapest. Ties go to the earlier pickup, then to the first vehicle and position by
          name, so the answer is the same on every machine. Evaluating is pure; applying asserts every promise
          again.
          Worked example: depot 0, one rider booked 10 -> 20 on a line, one minute a step. A new ride 12 -> 18
          fits between the two at no added driving; a new ride 20 -> 25 adds 5 out and 5 back = 10 minutes.
Not here  Better-than-greedy optimisation, which may move booked rides between vehicles; zones and hours.
Invariant A schedule that an insertion was applied to passes `check_schedule`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple
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
    positions = _list_positions(
        schedule, request, locked_count=locked_count, travel_time=travel_time, now_s=now_s
    )
    for added_s, pickup_position, dropoff_position in positions:
        if best is not None and added_s > best.drive_s_added:
            break  # what follows adds even more driving; checking the times is the dear part
        visits = _place(schedule, request, pickup_position, dropoff_position)
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


class _Frame(NamedTuple):
    """A schedule as a new stop meets it: position p lies between places[p] and places[p + 1].

    `gaps_s` is the driving between those two, `leaves_s` the earliest leaving of the first, `latest_s` when
    the second must be reached at the latest.
    """

    places: list[Point]
    gaps_s: list[int]
    leaves_s: list[int]
    latest_s: list[int]


class _Stop(NamedTuple):
    """A new stop seen from each position: driving it adds alone, and when it is reached at the earliest."""

    added_s: list[int]
    earliest_s: list[int]
    is_possible: list[bool]


def _measure(schedule: Schedule, *, locked_count: int, travel_time: TravelTime, now_s: int) -> _Frame:
    vehicle, visits = schedule.vehicle, schedule.visits
    times = find_times(vehicle, visits, travel_time=travel_time, locked_count=locked_count, now_s=now_s)
    assert times is not None, "a sound schedule has times until its visits are locked"
    places = [vehicle.depot, *(visit.place for visit in visits), vehicle.depot]
    leaves_s = [vehicle.shift_starts_s]
    leaves_s += [time_s + visit.service_s for time_s, visit in zip(times, visits, strict=True)]
    leaves_s[locked_count] = max(leaves_s[locked_count], now_s)
    return _Frame(
        places=places,
        gaps_s=[travel_time(a, b) for a, b in pairwise(places)],
        leaves_s=leaves_s,
        latest_s=[*(visit.latest_s for visit in visits), vehicle.shift_ends_s],
    )


def _look(
    frame: _Frame, place: Point, *, window_s: tuple[int, int], service_s: int, travel_time: TravelTime
) -> _Stop:
    into_s = [travel_time(other, place) for other in frame.places[:-1]]
    out_s = [travel_time(place, other) for other in frame.places[1:]]
    positions = range(len(frame.gaps_s))
    earliest_s = [max(window_s[0], frame.leaves_s[p] + into_s[p]) for p in positions]
    return _Stop(
        added_s=[into_s[p] + out_s[p] - frame.gaps_s[p] for p in positions],
        earliest_s=earliest_s,
        is_possible=[
            earliest_s[p] <= window_s[1] and earliest_s[p] + service_s + out_s[p] <= frame.latest_s[p]
            for p in positions
        ],
    )


def _list_positions(
    schedule: Schedule, request: RideRequest, *, locked_count: int, travel_time: TravelTime, now_s: int
) -> list[tuple[int, int, int]]:
    """(added driving, pickup position, drop-off position) of the candidates, the least driving first.

    Left out are those that cannot be in time: where even the schedule's earliest times bring the vehicle to
    the new stop after its window, or from there to the next visit after that one's. A new stop only ever
    makes the others later, so nothing feasible is lost.
    """
    frame = _measure(schedule, locked_count=locked_count, travel_time=travel_time, now_s=now_s)
    direct_s = travel_time(request.pickup, request.dropoff)
    boards_s = (request.earliest_pickup_s, request.latest_pickup_s)
    alights_s = (boards_s[0] + request.service_s + direct_s, request.latest_dropoff_s)
    service_s = request.service_s
    pickup = _look(frame, request.pickup, window_s=boards_s, service_s=service_s, travel_time=travel_time)
    dropoff = _look(frame, request.dropoff, window_s=alights_s, service_s=service_s, travel_time=travel_time)
    found = []
    for p in range(locked_count, len(frame.gaps_s)):
        if pickup.earliest_s[p] <= request.latest_pickup_s and dropoff.is_possible[p]:
            detour_s = direct_s - frame.gaps_s[p]
            detour_s += travel_time(frame.places[p], request.pickup)
            detour_s += travel_time(request.dropoff, frame.places[p + 1])
            found.append((detour_s, p, p))
        if pickup.is_possible[p]:
            found += [
                (pickup.added_s[p] + dropoff.added_s[d], p, d)
                for d in range(p + 1, len(frame.gaps_s))
                if dropoff.is_possible[d]
            ]
    return sorted(found)


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
