"""GTFS fares of the first generation: fare_attributes.txt with fare_rules.txt.

Problem   A fare may pay one ride or several, on some routes, between some zones, for some time.
Idea      A fare pays a stretch of consecutive rides when its agency, one group of its rules, its number of
          interchanges and its duration allow it; the price is the least sum over all ways to cut the
          journey into such stretches (dynamic programming over the places to cut).
Rule      Rules of a fare with one origin and destination form a group. A group holds when the stretch
          begins and ends in its zones (empty: any), every ride's route is among its routes (one rule
          without a route: any) and, where it has contains_id, the zones passed are exactly those. A fare
          without rules holds anywhere. `transfers` counts changes of vehicle; `transfer_duration` is from
          the first boarding to the last. A stop's zone is its own, else its station's.
Invariant Exact. Twin: tests/oracles/fares_v1.py (every way to cut).
Source    GTFS Schedule reference, fare_attributes.txt and fare_rules.txt.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date

from gtfs.fares import FareTables, FlatFare
from gtfs.service_calendar import ServiceCalendar
from gtfs.tables import Feed
from maas.errors import FareNotFound
from maas.fares.standard import Entry, Origin, StandardPrice, build_component, list_rides, stop_of, to_minor
from maas.journeys import Journey, Leg
from maas.prices import FareComponent
from payments.money import Money, split_exactly


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """The rules of a fare with one origin and one destination. `routes` None: any route."""

    origin_id: str | None
    destination_id: str | None
    routes: frozenset[str] | None
    contains: frozenset[str]


Ride = tuple[int, Leg]


class FaresV1:
    """Prices journeys of one feed by its fare attributes. Immutable; threads may share it."""

    def __init__(self, tables: FareTables, *, origin: Origin) -> None:
        self._tables = tables
        self._origin = origin
        self._groups = {fare.fare_id: _group_rules(fare) for fare in tables.flat_fares}

    @classmethod
    def from_feed(cls, feed: Feed) -> "FaresV1":
        """The fares of a feed that the reader has judged."""
        first = ServiceCalendar.from_feed(feed).first_date or date.min
        return cls(
            FareTables.from_feed(feed),
            origin=Origin(valid_from=first, source=f"{feed.feed_id}: GTFS fare_attributes"),
        )

    def price(self, *, journey: Journey) -> StandardPrice:
        """The least price by the feed's fares. Raises FareNotFound naming the leg where none goes on."""
        rides = list_rides(journey)
        best: list[tuple[int, int, FlatFare] | None] = [None] * (len(rides) + 1)
        paid: list[int | None] = [0, *[None] * len(rides)]
        for end in range(1, len(rides) + 1):
            for start in range(end):
                before = paid[start]
                fare = None if before is None else self.find_fare(rides[start:end])
                if fare is None or before is None:
                    continue
                cost = before + to_minor(fare.amount, fare.currency)
                known = paid[end]
                if known is None or cost < known:
                    paid[end], best[end] = cost, (start, cost, fare)
        if paid[-1] is None:
            raise _not_found(rides, paid)
        return self._tell(rides, best)

    def find_fare(self, rides: list[Ride]) -> FlatFare | None:
        """The cheapest fare that pays these rides together."""
        held = [fare for fare in self._tables.flat_fares if self.holds(fare, rides)]
        return min(held, key=lambda fare: (fare.amount, fare.fare_id), default=None)

    def holds(self, fare: FlatFare, rides: list[Ride]) -> bool:
        """Whether one purchase of a fare pays these rides together."""
        legs = [leg for _, leg in rides]
        if fare.agency_id is not None and any(leg.operator_id != fare.agency_id for leg in legs):
            return False
        changes = sum(1 for leg in legs[1:] if not leg.in_seat)
        if fare.interchanges_max is not None and changes > fare.interchanges_max:
            return False
        taken_s = (legs[-1].departs_at - legs[0].departs_at).total_seconds()
        if fare.duration_s is not None and taken_s > fare.duration_s:
            return False
        groups = self._groups[fare.fare_id]
        return not groups or any(self._is_in(group, legs) for group in groups)

    def _is_in(self, group: _Group, legs: list[Leg]) -> bool:
        if group.origin_id not in (None, self._zone_of(legs[0].origin.stop_id)):
            return False
        if group.destination_id not in (None, self._zone_of(legs[-1].destination.stop_id)):
            return False
        if group.routes is not None and any(stop_of(leg.route_id) not in group.routes for leg in legs):
            return False
        return not group.contains or group.contains == self._zones_passed(legs)

    def _zones_passed(self, legs: list[Leg]) -> frozenset[str]:
        places = [
            place
            for leg in legs
            for place in (leg.origin, *(stop.place for stop in leg.passed_stops), leg.destination)
        ]
        zones = (self._zone_of(place.stop_id) for place in places)
        return frozenset(zone for zone in zones if zone is not None)

    def _zone_of(self, public_id: str | None) -> str | None:
        stop_id, zones = stop_of(public_id), self._tables.zone_of_stop
        return zones.get(stop_id) or zones.get(self._tables.parent_of_stop.get(stop_id, ""))

    def _tell(self, rides: list[Ride], best: list[tuple[int, int, FlatFare] | None]) -> StandardPrice:
        components = []
        end = len(rides)
        currencies = set()
        while end > 0:
            found = best[end]
            assert found is not None, "a stretch that was paid has its fare"
            start, _, fare = found
            currencies.add(fare.currency)
            components.append(self._component(fare, rides[start:end]))
            end = start
        if len(currencies) > 1:
            raise FareNotFound(f"the journey is priced in {' and '.join(sorted(currencies))}")
        total = sum(component.amount.amount_minor for component in components)
        currency = next(iter(currencies), "JPY")
        return StandardPrice(total=Money(total, currency), components=tuple(reversed(components)))

    def _component(self, fare: FlatFare, rides: list[Ride]) -> FareComponent:
        amount = to_minor(fare.amount, fare.currency)
        ridden: dict[str, int] = defaultdict(int)
        for _, leg in rides:
            ridden[leg.operator_id or ""] += 1
        ends = f"{rides[0][1].origin.name} - {rides[-1][1].destination.name}"
        entries = [
            Entry(text=f"{fare.fare_id} ({ends})", amount_minor=share,
                  rule_id=f"fare_attributes/{fare.fare_id}", operator_id=operator_id)
            for operator_id, share in split_exactly(amount, ridden).items()
        ]  # fmt: skip
        return build_component(
            indices=tuple(index for index, _ in rides),
            product_id=fare.fare_id,
            entries=entries,
            currency=fare.currency,
            origin=self._origin,
        )


def _group_rules(fare: FlatFare) -> tuple[_Group, ...]:
    routes: dict[tuple[str | None, str | None], set[str | None]] = defaultdict(set)
    contains: dict[tuple[str | None, str | None], set[str]] = defaultdict(set)
    for rule in fare.rules:
        ends = (rule.origin_id, rule.destination_id)
        routes[ends].add(rule.route_id)
        if rule.contains_id is not None:
            contains[ends].add(rule.contains_id)
    return tuple(
        _Group(
            origin_id=ends[0],
            destination_id=ends[1],
            routes=None if None in named else frozenset(each for each in named if each is not None),
            contains=frozenset(contains[ends]),
        )
        for ends, named in routes.items()
    )


def _not_found(rides: list[Ride], paid: list[int | None]) -> FareNotFound:
    reached = max(place for place, cost in enumerate(paid) if cost is not None)
    index, leg = rides[reached]
    names = f"{leg.origin.name} to {leg.destination.name}"
    return FareNotFound(f"leg {index + 1} ({names}): no fare of the feed pays it")
