"""A vehicle's schedule: where it stops, for whom, and when.

Problem   A vehicle serves many rides at once; each was promised a window and a longest ride, the vehicle has
          seats and a shift. Whether a sequence of stops can keep all promises decides every booking.
Idea      A schedule is a sequence of visits. For a fixed sequence the promises are difference constraints
          between the visits' times, so the earliest time of every visit at once is their least solution:
          walk forwards, then push each pickup as late as its rider's longest ride asks for, and repeat.
          As many rounds as there are rides are enough; if a further round still moves, no times exist.
          Vehicles leave for a stop just in time, so a visit is locked once its vehicle has to be under way.
Not here  Where to put a new ride (insertion.py); how long driving takes (places.py).
Invariant `check_schedule`: pickup before drop-off, load within seats, windows and ride limits kept, inside
          the shift. Every schedule that leaves this package passed it.
Source    Cordeau and Laporte 2003 for the constraints; difference constraints after Bellman.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID

from maas.on_demand.places import Point, TravelTime


class VisitKind(StrEnum):
    """Riders get on or off."""

    PICKUP = "pickup"
    DROPOFF = "dropoff"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vehicle:
    """A vehicle on one day. Times are seconds since 1970 UTC; it starts and ends its shift at the depot."""

    vehicle_id: str
    seats: int
    depot: Point
    shift_starts_s: int
    shift_ends_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One stop for one booking.

    `at_s` is when boarding or alighting starts, within `earliest_s` and `latest_s`: the promised window.
    It takes `service_s`. From the end of boarding to the start of alighting at most `ride_s_max` pass; both
    visits of a booking carry the same limit.
    """

    booking_id: UUID
    kind: VisitKind
    place: Point
    riders: int
    earliest_s: int
    latest_s: int
    service_s: int
    ride_s_max: int
    at_s: int

    @property
    def load_change(self) -> int:
        """Seats taken (positive) or given back (negative)."""
        return self.riders if self.kind is VisitKind.PICKUP else -self.riders


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A vehicle and its visits in the order driven."""

    vehicle: Vehicle
    visits: tuple[Visit, ...] = ()


def count_locked(schedule: Schedule, *, travel_time: TravelTime, now_s: int) -> int:
    """How many visits are past, or have the vehicle on its way: nothing may be put before them."""
    place = schedule.vehicle.depot
    locked = 0
    for index, visit in enumerate(schedule.visits):
        if visit.at_s - travel_time(place, visit.place) <= now_s:
            locked = index + 1
        place = visit.place
    return locked


def is_within_seats(vehicle: Vehicle, visits: Sequence[Visit]) -> bool:
    """Whether the load never exceeds the seats."""
    load = 0
    for visit in visits:
        load += visit.load_change
        if load > vehicle.seats:
            return False
    return True


def find_times(
    vehicle: Vehicle, visits: Sequence[Visit], *, travel_time: TravelTime, locked_count: int, now_s: int
) -> tuple[int, ...] | None:
    """The earliest times at which every visit can start, all at once; None if no times keep all promises.

    The first `locked_count` visits keep the times they have.
    """
    gaps = _measure_gaps(vehicle, visits, travel_time)
    times = [visit.at_s if i < locked_count else visit.earliest_s for i, visit in enumerate(visits)]
    if locked_count < len(visits):
        leaves_s = _departs_s(vehicle, visits, locked_count)
        drive_s = gaps[locked_count] - (visits[locked_count - 1].service_s if locked_count else 0)
        times[locked_count] = max(times[locked_count], max(leaves_s, now_s) + drive_s)
    rides = _list_rides(visits)
    for _ in range(len(rides) + 1):
        for i in range(max(1, locked_count), len(visits)):
            times[i] = max(times[i], times[i - 1] + gaps[i])
        if any(time_s > visit.latest_s for time_s, visit in zip(times, visits, strict=True)):
            return None
        if not _postpone_pickups(visits, times, rides):
            return tuple(times) if _is_home_in_time(vehicle, visits, times, travel_time) else None
        if any(times[i] > visits[i].at_s for i in range(locked_count)):
            return None
    return None


def _measure_gaps(vehicle: Vehicle, visits: Sequence[Visit], travel_time: TravelTime) -> list[int]:
    """Least seconds from the start of the visit before (or from leaving the depot) to each visit's start."""
    gaps = []
    place, service_s = vehicle.depot, 0
    for visit in visits:
        gaps.append(service_s + travel_time(place, visit.place))
        place, service_s = visit.place, visit.service_s
    return gaps


def _departs_s(vehicle: Vehicle, visits: Sequence[Visit], locked_count: int) -> int:
    if locked_count == 0:
        return vehicle.shift_starts_s
    last = visits[locked_count - 1]
    return last.at_s + last.service_s


def _list_rides(visits: Sequence[Visit]) -> list[tuple[int, int]]:
    """(pickup, drop-off) positions of the bookings of which both are in `visits`."""
    pickups = {visit.booking_id: i for i, visit in enumerate(visits) if visit.kind is VisitKind.PICKUP}
    return [
        (pickups[visit.booking_id], i)
        for i, visit in enumerate(visits)
        if visit.kind is VisitKind.DROPOFF and visit.booking_id in pickups
    ]


def _postpone_pickups(visits: Sequence[Visit], times: list[int], rides: list[tuple[int, int]]) -> bool:
    """Move pickups so late that nobody rides too long, in place; True if any moved."""
    moved = False
    for pickup, dropoff in rides:
        not_before_s = times[dropoff] - visits[pickup].ride_s_max - visits[pickup].service_s
        if times[pickup] < not_before_s:
            times[pickup] = not_before_s
            moved = True
    return moved


def _is_home_in_time(
    vehicle: Vehicle, visits: Sequence[Visit], times: Sequence[int], travel_time: TravelTime
) -> bool:
    if not visits:
        return True
    last = visits[-1]
    return times[-1] + last.service_s + travel_time(last.place, vehicle.depot) <= vehicle.shift_ends_s


def check_schedule(schedule: Schedule, *, travel_time: TravelTime) -> None:
    """Assert every promise of the schedule; a failure is a bug of ours, never the riders' input."""
    broken = find_broken_promise(schedule, travel_time=travel_time)
    assert broken is None, broken


def find_broken_promise(schedule: Schedule, *, travel_time: TravelTime) -> str | None:
    """The first promise that the schedule breaks, in words; None for a sound one."""
    vehicle, visits = schedule.vehicle, schedule.visits
    ready_s, place = vehicle.shift_starts_s, vehicle.depot
    for visit in visits:
        if visit.at_s < ready_s + travel_time(place, visit.place):
            return "driving takes its time"
        if not visit.earliest_s <= visit.at_s <= visit.latest_s:
            return "the promised window is kept"
        ready_s, place = visit.at_s + visit.service_s, visit.place
    if visits and ready_s + travel_time(place, vehicle.depot) > vehicle.shift_ends_s:
        return "the vehicle is home within its shift"
    if not is_within_seats(vehicle, visits):
        return "the load is within the seats"
    return _find_broken_ride(visits)


def _find_broken_ride(visits: Sequence[Visit]) -> str | None:
    boarded: dict[UUID, Visit] = {}
    done: set[UUID] = set()
    for visit in visits:
        pickup = boarded.get(visit.booking_id)
        if visit.kind is VisitKind.PICKUP:
            if pickup is not None:
                return "nobody is picked up twice"
            boarded[visit.booking_id] = visit
        elif pickup is None or visit.booking_id in done or pickup.riders != visit.riders:
            return "all who get off got on before, once"
        elif visit.at_s - pickup.at_s - pickup.service_s > visit.ride_s_max:
            return "nobody rides longer than promised"
        else:
            done.add(visit.booking_id)
    return None if done == boarded.keys() else "everybody gets off"


def remove_booking(schedule: Schedule, booking_id: UUID, *, travel_time: TravelTime) -> Schedule:
    """The schedule without a booking. The others keep the times they were told."""
    remaining = tuple(visit for visit in schedule.visits if visit.booking_id != booking_id)
    shorter = replace(schedule, visits=remaining)
    check_schedule(shorter, travel_time=travel_time)
    return shorter
