"""Vehicles that stand by themselves are taken soon after they were told of, or not at all.

Problem   When a vehicle is reached depends on the journey found: a later train, and it is long gone. A search
          does not know that while it searches.
Idea      Search with them. Whatever takes one too late is dropped; if anything was, search without them too,
          and keep of both what nothing else is better than.
Invariant No vehicle by itself is taken after `BikeStations.find_deadline`; and whatever is found without them
          is found, or something as good.
Costs     Of a journey that is dropped, a worse one in time that it ruled out may be missed.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from routing.journey import FoundJourney, Rental
from services.planner.bikes.offers import ANY_RENTAL, RentalFilter
from services.planner.bikes.stations import USUALLY, BikeStations
from services.planner.bikes.ways import find_rental
from services.planner.outside import Outside, Point

_RIDE_MAX = timedelta(hours=3)
"""Who is to arrive longer than this after the deadline takes no vehicle in time."""


class Candidate(Protocol):
    """A journey found; its ends are POSIX seconds. `key` is the same in every search."""

    @property
    def found(self) -> FoundJourney:
        """The journey."""
        ...

    @property
    def departs(self) -> float:
        """When it begins."""
        ...

    @property
    def arrives(self) -> float:
        """When it ends."""
        ...

    @property
    def key(self) -> tuple[Any, ...]:
        """Tells it from others."""
        ...


C = TypeVar("C", bound=Candidate)


def may_be_in_time(bikes: BikeStations, at: datetime, *, arrive_by: bool) -> bool:
    """Whether who sets out (arrives) then may take a vehicle by itself in time."""
    deadline = bikes.find_deadline()
    return deadline is not None and at <= deadline + (_RIDE_MAX if arrive_by else timedelta())


def takes_in_time(bikes: BikeStations, found: FoundJourney, departs: float, arrives: float) -> bool:
    """Whether every vehicle by itself is taken before the deadline."""
    deadline = bikes.find_deadline()
    latest = float("-inf") if deadline is None else deadline.timestamp()
    first, last = found.access.rental, found.egress.rental
    is_first = first is None or not first.is_vehicle or departs + first.walk_to_s <= latest
    begins = arrives - found.egress.walk_s
    return is_first and (last is None or not last.is_vehicle or begins + last.walk_to_s <= latest)


def join(one: Sequence[C], other: Sequence[C], *, arrive_by: bool, is_range: bool) -> list[C]:
    """What is best of two answers to the same question, best first; in order of departure, if is_range."""

    def cost(each: C) -> tuple[float, ...]:
        rides = len(each.found.rides)
        if is_range:
            return (-each.departs, each.arrives, rides)
        # At one hour the end that is asked for counts, then the other.
        return (-each.departs, rides) if arrive_by else (each.arrives, rides)

    def is_beaten(each: C) -> bool:
        mine = cost(each)
        return any(
            cost(better) != mine and all(a <= b for a, b in zip(cost(better), mine, strict=True))
            for better in known.values()
        )

    # Of two alike the first stands: the answer that may use more.
    known: dict[tuple[float, ...], C] = {}
    for each in (*one, *other):
        known.setdefault(cost(each), each)
    kept = [each for each in known.values() if not is_beaten(each)]
    if is_range:
        return sorted(kept, key=lambda each: (each.departs, each.arrives))
    return sorted(kept, key=cost)


def find_rental_in_time(
    bikes: BikeStations,
    origin: Point,
    destination: Point,
    at: datetime,
    *,
    arrive_by: bool,
    rental: RentalFilter = ANY_RENTAL,
    outside: Outside = USUALLY,
) -> Rental | None:
    """The quickest way by bike from door to door, leaving (arriving) then; None where there is none."""
    if may_be_in_time(bikes, at, arrive_by=arrive_by):
        found = find_rental(bikes, origin, destination, at, rental=rental, outside=outside)
        if found is None or not found.is_vehicle:
            return found
        departs_at = at - timedelta(seconds=found.seconds if arrive_by else 0)
        deadline = bikes.find_deadline()
        if deadline is not None and departs_at + timedelta(seconds=found.walk_to_s) <= deadline:
            return found
    return find_rental(bikes, origin, destination, at, rental=rental, by_itself=False, outside=outside)
