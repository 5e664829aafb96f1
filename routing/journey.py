"""What a search answers: rides and walks by index, and the same with instants and trips.

Problem   The search speaks of lines, runs and positions; a traveller of trips, stops and hours.
Idea      A `FoundJourney` is the bare answer. `resolve` turns it into legs: a run of several trips end to end
          becomes one leg a trip, the later ones `in_seat`; walks come between legs at different stops.
Not here  Names, modes, operators: whoever shows a leg looks them up in the timetable by these indices.
Invariant Legs follow one another in time; each begins where the one before ended, except that an in-seat leg
          begins at the platform its own trip names, where the vehicle stands as the trip before.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import NewType

from routing.kernels.arrays import NOT_REACHED
from routing.timetable import Timetable

StopIdx = NewType("StopIdx", int)
TripIdx = NewType("TripIdx", int)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rental:
    """A way by a rented vehicle between two places: on foot to it, the ride, on foot from where it is left.

    `pickup` and `dropoff` are public ids, `system:station`. Taking and leaving the vehicle is in `ride_s`.
    One that stands at no station is taken by its own id (`is_vehicle`, `system:vehicle`); one that is left
    where the way ends has no `dropoff`. `kind` is its type in its system's words; empty: any the system has.
    """

    pickup: str
    dropoff: str
    walk_to_s: int
    ride_s: int
    walk_from_s: int
    kind: str = ""
    is_vehicle: bool = False

    @property
    def seconds(self) -> int:
        """All of the way."""
        return self.walk_to_s + self.ride_s + self.walk_from_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """A way between an end of the journey and a stop: walk_s seconds, from or to the stop `via`.

    `via` is None where the end is a point and not a stop; `via == stop` where it is the stop itself. A way by
    a rented vehicle (`rental`) takes as many seconds as that does, and is between a point and a stop.
    """

    stop: int
    walk_s: int
    via: int | None = None
    rental: Rental | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ride:
    """A ride on a run, from one of its line's positions to a later one; `day` is the service day's index.

    Times are seconds after the start of the day searched.
    """

    line: int
    run: int
    day: int
    board: int
    alight: int
    departs_s: int
    arrives_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundJourney:
    """A journey as found. `day` is the day searched; at least one ride.

    `check_in_s` is how long before the first ride's departure one must be there.
    """

    day: int
    access: Access
    rides: tuple[Ride, ...]
    egress: Access
    check_in_s: int = 0

    @property
    def departs_s(self) -> int:
        """When to leave, seconds after the start of the day searched."""
        return self.rides[0].departs_s - self.check_in_s - self.access.walk_s

    @property
    def arrives_s(self) -> int:
        """When one is there, likewise."""
        return self.rides[-1].arrives_s + self.egress.walk_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A vehicle at a stop."""

    stop: StopIdx
    arrives_at: datetime
    departs_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TripLeg:
    """A ride on one trip: its calls from boarding to alighting, both included.

    `board_call` and `alight_call` count the trip's calls from 0.
    """

    trip: TripIdx
    service_date: date
    board_call: int
    alight_call: int
    calls: tuple[Call, ...]
    in_seat: bool

    @property
    def departs_at(self) -> datetime:
        """Departure from the stop boarded at."""
        return self.calls[0].departs_at

    @property
    def arrives_at(self) -> datetime:
        """Arrival at the stop alighted at."""
        return self.calls[-1].arrives_at


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkLeg:
    """A walk, or a way by a rented vehicle. A stop is None where it begins or ends at a point."""

    origin: StopIdx | None
    destination: StopIdx | None
    departs_at: datetime
    arrives_at: datetime
    rental: Rental | None = None


def service_day_start(timetable: Timetable, day: int) -> datetime:
    """Noon less twelve hours of that day: what GTFS times count from. Midnight but when clocks change."""
    on = timetable.first_date + timedelta(days=day)
    noon = datetime.combine(on, time(12), tzinfo=timetable.zone)
    # Aware arithmetic goes by the wall clock; instants must go by elapsed time.
    return datetime.fromtimestamp(noon.timestamp() - 12 * 3600, tz=timetable.zone)


def instant(timetable: Timetable, day: int, seconds: int) -> datetime:
    """So many seconds after that service day's start."""
    start = service_day_start(timetable, day).timestamp()
    return datetime.fromtimestamp(start + seconds, tz=timetable.zone)


def find_walk(timetable: Timetable, source: int, target: int) -> int | None:
    """Which of the footpaths leads from the one stop to the other; None where none does."""
    begin, end = timetable.walks.offsets[source], timetable.walks.offsets[source + 1]
    for i in range(int(begin), int(end)):
        if timetable.walks.targets[i] == target:
            return i
    return None


def find_walk_s(timetable: Timetable, source: int, target: int) -> int | None:
    """The footpath's seconds, 0 for the stop itself, None where there is none."""
    if source == target:
        return 0
    at = find_walk(timetable, source, target)
    return None if at is None else int(timetable.walks.walk_s[at])


def resolve(timetable: Timetable, path: FoundJourney) -> tuple[TripLeg | WalkLeg, ...]:
    """The path's legs, in order."""
    legs: list[TripLeg | WalkLeg] = []
    rides = [list(trip_legs(timetable, ride)) for ride in path.rides]
    first, last = rides[0][0], rides[-1][-1]
    origin, destination = path.access.via, path.egress.via
    if origin != path.access.stop:
        departs_at = first.departs_at - timedelta(seconds=path.access.walk_s + check_in_s(timetable, first))
        legs.append(walk_leg(origin, path.access.stop, departs_at, path.access.walk_s, path.access.rental))
    for i, trips in enumerate(rides):
        if i:
            legs += _interchange(timetable, legs[-1], trips[0])
        legs += trips
    if destination != path.egress.stop:
        legs.append(
            walk_leg(path.egress.stop, destination, last.arrives_at, path.egress.walk_s, path.egress.rental)
        )
    return tuple(legs)


def check_in_s(timetable: Timetable, leg: TripLeg) -> int:
    """How long before this leg's departure one must be there."""
    line = int(timetable.trips.run_lines[timetable.trips.run_offsets[leg.trip]])
    return int(timetable.lines.board_early_s[line])


def trip_legs(timetable: Timetable, ride: Ride) -> Iterator[TripLeg]:
    """The ride, a leg for each trip of the run that it touches."""
    parts = timetable.parts
    begin, end = int(parts.offsets[ride.line]), int(parts.offsets[ride.line + 1])
    starts = [int(start) for start in parts.starts[begin:end]]
    ends = [*starts[1:], 1 << 30]
    first_trip = int(parts.trip_offsets[ride.line]) + ride.run * (end - begin)
    is_first = True
    for part, (start, stop) in enumerate(zip(starts, ends, strict=True)):
        board, alight = max(ride.board, start), min(ride.alight, stop - 1)
        if board >= alight:
            continue
        yield TripLeg(
            trip=TripIdx(int(parts.trips[first_trip + part])),
            service_date=timetable.first_date + timedelta(days=ride.day),
            board_call=board - start,
            alight_call=alight - start,
            calls=tuple(_calls(timetable, ride, board, alight)),
            in_seat=not is_first,
        )
        is_first = False


def find_ride(
    timetable: Timetable, *, trip: int, service_date: date, board_call: int, alight_call: int
) -> TripLeg | None:
    """That trip's leg on that day, or None if it has none then, or has no such calls to ride between.

    By the compiled timetable: whether the trip is cancelled is asked of Cancellations.
    """
    day = (service_date - timetable.first_date).days
    if not 0 <= day < timetable.day_count or not 0 <= board_call < alight_call:
        return None
    lines, parts, trips = timetable.lines, timetable.parts, timetable.trips
    for i in range(int(trips.run_offsets[trip]), int(trips.run_offsets[trip + 1])):
        line, run, part = int(trips.run_lines[i]), int(trips.runs[i]), int(trips.run_parts[i])
        if not timetable.days.active[lines.patterns[line], day]:
            continue
        at = int(parts.offsets[line]) + part
        start = int(parts.starts[at])
        is_last = at + 1 == int(parts.offsets[line + 1])
        position_count = int(lines.stop_offsets[line + 1] - lines.stop_offsets[line])
        end = position_count if is_last else int(parts.starts[at + 1])
        if start + alight_call >= end:
            return None
        ride = Ride(
            line=line,
            run=run,
            day=day,
            board=start + board_call,
            alight=start + alight_call,
            departs_s=0,
            arrives_s=0,
        )
        return next(trip_legs(timetable, ride))
    return None


def _calls(timetable: Timetable, ride: Ride, board: int, alight: int) -> Iterator[Call]:
    lines = timetable.lines
    stops = int(lines.stop_offsets[ride.line])
    count = int(lines.stop_offsets[ride.line + 1]) - stops
    times = int(lines.time_offsets[ride.line]) + ride.run * count
    start = service_day_start(timetable, ride.day).timestamp()
    for position in range(board, alight + 1):
        arrives_s, departs_s = lines.arrivals[times + position], lines.departures[times + position]
        yield Call(
            stop=StopIdx(int(lines.stops[stops + position])),
            arrives_at=datetime.fromtimestamp(start + int(arrives_s), tz=timetable.zone),
            departs_at=datetime.fromtimestamp(start + int(departs_s), tz=timetable.zone),
        )


def _interchange(timetable: Timetable, before: TripLeg | WalkLeg, after: TripLeg) -> Iterator[WalkLeg]:
    assert isinstance(before, TripLeg), "two walks never follow one another"
    source, target = before.calls[-1].stop, after.calls[0].stop
    if source == target:
        return
    walk_s = find_walk_s(timetable, source, target)
    assert walk_s is not None, "an interchange is a footpath"
    assert walk_s < NOT_REACHED, "a footpath can be walked"
    yield walk_leg(source, target, before.arrives_at, walk_s)


def walk_leg(
    origin: int | None,
    destination: int | None,
    departs_at: datetime,
    walk_s: int,
    rental: Rental | None = None,
) -> WalkLeg:
    """A walk of so many seconds, or a way by a rented vehicle that takes as long."""
    return WalkLeg(
        origin=None if origin is None else StopIdx(origin),
        destination=None if destination is None else StopIdx(destination),
        departs_at=departs_at,
        arrives_at=departs_at + timedelta(seconds=walk_s),
        rental=rental,
    )
