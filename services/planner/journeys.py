"""Found journeys as everybody else sees them, and the same again from their ids.

Problem   An offer names a journey that was found minutes ago by another process; nobody keeps it.
Idea      The id holds the journey (journey_ids.py). All else (times, walks, names) is in the network, and
          bike stations in what their systems tell, so the same id gives the same journey in any process,
          while the network has its trips, none is cancelled, and the stations are there.
Invariant A journey rebuilt from its id equals the one that was found.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from maas.errors import JourneyNotFound
from maas.journeys import Journey, Leg, Mode, PassedStop, Place, SharedVehicle
from routing.journey import Rental, TripLeg, WalkLeg, check_in_s, find_ride, walk_leg
from routing.pacing import find_paced_walk_s
from routing.streets.ways import Profile, Way
from routing.strings import get_string
from routing.timetable import NO, UNKNOWN, YES, Timetable
from services.planner.bikes.offers import NOWHERE
from services.planner.bikes.stations import NO_BIKES, BikeStations
from services.planner.bikes.ways import find_bike_ride, rebuild_rental
from services.planner.journey_ids import EPOCH, JourneyCode, RentalCode, code_of, decode, encode, end_code
from services.planner.live.alerts import find_condition, list_alerts, tell_alerts
from services.planner.live.state import LiveState, list_skipped, may_ride
from services.planner.modes import mode_of
from services.planner.outside import Manners, Outside, Point, estimate_walk, points_of, steps_of
from services.planner.places import PlaceIndex
from services.planner.sailings import SailingNews

_SAID = {UNKNOWN: None, YES: True, NO: False}


@dataclass(frozen=True, slots=True)
class Teller:
    """Turns what routing found on one network into journeys; walks and ways by bike as `outside` has them."""

    timetable: Timetable
    places: PlaceIndex
    version: str
    news: SailingNews = field(default_factory=SailingNews)
    live: LiveState = field(default_factory=LiveState)
    outside: Outside = field(default_factory=Outside)

    def going(self, manners: Manners) -> "Teller":
        """One who tells of somebody who goes in this manner."""
        outside = self.outside.going(manners)
        return self if outside is self.outside else replace(self, outside=outside)

    def tell(
        self,
        legs: Sequence[TripLeg | WalkLeg],
        *,
        origin: Place,
        destination: Place,
        language: str,
        bikes: BikeStations = NO_BIKES,
    ) -> Journey:
        """The journey of these legs; origin and destination stand where a leg begins or ends at a point."""
        told: list[Leg] = []
        for leg in legs:
            if isinstance(leg, TripLeg):
                told.append(self.tell_ride(leg, language))
                continue
            start = origin if leg.origin is None else self.places.place_of_stop(leg.origin, language)
            goal = (
                destination
                if leg.destination is None
                else self.places.place_of_stop(leg.destination, language)
            )
            ways = tell_way(leg, (start, goal), bikes=bikes, language=language, outside=self.outside)
            inside = self.outside.inside
            known = None if inside is None else inside.is_accessible(leg.origin, leg.destination)
            told += ways if known is None else [replace(way, takes_wheelchairs=known) for way in ways]
        return self._journey(tuple(told), legs)

    def tell_walk(self, origin: Place, destination: Place, departs_at: datetime) -> Journey:
        """A journey on foot all the way. Raises JourneyNotFound where nobody can walk."""
        seconds = _get_walk(self.outside, origin, destination).seconds
        # Whole seconds, so that the id can name the instant.
        leg = walk_leg(None, None, departs_at.replace(microsecond=0), seconds)
        return self.tell([leg], origin=origin, destination=destination, language="")

    def tell_rental(
        self,
        origin: Place,
        destination: Place,
        departs_at: datetime,
        *,
        rental: Rental,
        bikes: BikeStations,
        language: str,
    ) -> Journey:
        """A journey by bike all the way."""
        leg = walk_leg(None, None, departs_at.replace(microsecond=0), rental.seconds, rental)
        return self.tell([leg], origin=origin, destination=destination, language=language, bikes=bikes)

    def tell_ride(self, leg: TripLeg, language: str) -> Leg:
        """One ride as a leg."""
        timetable = self.timetable
        route = int(timetable.trips.routes[leg.trip])
        agency = int(timetable.routes.agencies[route])
        calls = leg.calls
        color = get_string(timetable.route_colors, route)
        trip_id = get_string(timetable.trip_ids, leg.trip)
        planned = self.live.find_planned(leg)
        alerts = list(list_alerts(self.live.alerts, timetable, leg))
        return Leg(
            mode=mode_of(int(timetable.routes.types[route])),
            origin=self.places.place_of_stop(calls[0].stop, language),
            destination=self.places.place_of_stop(calls[-1].stop, language),
            departs_at=leg.departs_at,
            arrives_at=leg.arrives_at,
            distance_m=self._ridden_m([call.stop for call in calls]),
            operator_id=get_string(timetable.agency_ids, agency),
            route_id=get_string(timetable.route_ids, route),
            route_name=get_string(timetable.route_names, route),
            route_long_name=get_string(timetable.route_long_names, route) or None,
            trip_name=get_string(timetable.trip_names, int(timetable.trips.names[leg.trip])) or None,
            route_color=color or None,
            headsign=get_string(timetable.headsigns, int(timetable.trips.headsigns[leg.trip])) or None,
            trip_id=trip_id,
            service_date=leg.service_date,
            passed_stops=self._passed_stops(leg, planned, language),
            in_seat=leg.in_seat,
            condition=self.news.conditional.get((trip_id, leg.service_date))
            or find_condition(alerts, language),
            is_live=self.live.is_live(timetable, leg),
            is_scheduled=self.live.is_scheduled(leg),
            planned_departs_at=None if planned is None else planned.departs_at,
            planned_arrives_at=None if planned is None else planned.arrives_at,
            alerts=tell_alerts(alerts, language),
            takes_bikes=_SAID[int(timetable.trips.bikes[leg.trip])],
            takes_wheelchairs=_SAID[int(timetable.trips.wheelchairs[leg.trip])],
        )

    def _passed_stops(self, leg: TripLeg, planned: TripLeg | None, language: str) -> tuple[PassedStop, ...]:
        calls = leg.calls[1:-1]
        if planned is None:
            return tuple(
                PassedStop(
                    place=self.places.place_of_stop(call.stop, language),
                    arrives_at=call.arrives_at,
                    departs_at=call.departs_at,
                )
                for call in calls
            )
        is_skipped = list_skipped(self.timetable, leg)
        return tuple(
            PassedStop(
                place=self.places.place_of_stop(call.stop, language),
                arrives_at=call.arrives_at,
                departs_at=call.departs_at,
                planned_arrives_at=then.arrives_at,
                planned_departs_at=then.departs_at,
                is_skipped=skipped,
            )
            for call, then, skipped in zip(calls, planned.calls[1:-1], is_skipped, strict=True)
        )

    def get_journey(self, journey_id: str, bikes: BikeStations = NO_BIKES) -> Journey:
        """The journey of that id. Raises JourneyNotFound."""
        code = decode(journey_id)
        return self.going(code.manners).rebuild(journey_id, code, bikes)

    def rebuild(self, journey_id: str, code: JourneyCode, bikes: BikeStations) -> Journey:
        """The journey that the id says; `code` is what was read from it. Raises JourneyNotFound."""
        start, goal = self._end(code.origin), self._end(code.destination)
        if code.rides:
            legs = self._with_walks([self._find(ride) for ride in code.rides], code, (start, goal), bikes)
        else:
            departs_at = datetime.fromtimestamp(code.departs_s, tz=self.timetable.zone)
            rental = _rebuild(bikes, code.rentals[0], start, goal, self.outside)
            if rental is None:
                return self.tell_walk(start, goal, departs_at)
            legs = [walk_leg(None, None, departs_at, rental.seconds, rental)]
        journey = self.tell(legs, origin=start, destination=goal, language="", bikes=bikes)
        if journey.journey_id != journey_id:
            raise JourneyNotFound("The journey id is not one of ours. Search again.")
        return journey

    # Legs --------------------------------------------------------------------------------------------------

    def _ridden_m(self, stops: Sequence[int]) -> int:
        return round(sum(self.places.beeline_m(stop, following) for stop, following in pairwise(stops)))

    def _journey(self, legs: tuple[Leg, ...], found: Sequence[TripLeg | WalkLeg]) -> Journey:
        nameless = Journey(journey_id="", legs=legs, network_version=self.version)
        rides = [
            [
                get_string(self.timetable.trip_ids, leg.trip),
                (leg.service_date - EPOCH).days,
                leg.board_call,
                leg.alight_call,
                int(leg.in_seat),
            ]
            for leg in found
            if isinstance(leg, TripLeg)
        ]
        first, last = (leg.rental if isinstance(leg, WalkLeg) else None for leg in (found[0], found[-1]))
        code = JourneyCode(
            origin=end_code(legs[0].origin),
            destination=end_code(legs[-1].destination),
            rides=rides,
            departs_s=0 if rides else int(legs[0].departs_at.timestamp()),
            rentals=(code_of(first), code_of(last if rides else None)),
            between=_between(found),
            manners=self.outside.manners,
        )
        return replace(nameless, journey_id=encode(code))

    # From an id --------------------------------------------------------------------------------------------

    def _end(self, code: list[Any]) -> Place:
        if len(code) == 1:
            stop = self.timetable.find_stop(code[0])
            if stop is None:
                raise JourneyNotFound(f"The network has no stop {code[0]!r} any more. Search again.")
            return self.places.place_of_stop(stop)
        name, lat, lon = code
        return Place(name=name, lat=lat, lon=lon)

    def _find(self, ride: list[Any]) -> TripLeg:
        trip_id, days, board_call, alight_call, in_seat = ride
        on = EPOCH + timedelta(days=days)
        if (trip_id, on) in self.news.cancelled:
            raise JourneyNotFound(f"{trip_id!r} is cancelled on {on}. Search again.")
        trip = self.timetable.find_trip(trip_id)
        leg = trip is not None and find_ride(
            self.timetable,
            trip=trip,
            service_date=on,
            board_call=board_call,
            alight_call=alight_call,
        )
        if not leg:
            raise JourneyNotFound(f"The network has no trip {trip_id!r} on that day. Search again.")
        if not may_ride(self.timetable, leg):
            raise JourneyNotFound(f"{trip_id!r} leaves out a stop of this journey on {on}. Search again.")
        if not self._may_enter(leg):
            raise JourneyNotFound(f"{trip_id!r} cannot be ridden in a wheelchair. Search again.")
        return replace(leg, in_seat=bool(in_seat))

    def _may_enter(self, leg: TripLeg) -> bool:
        """Whether nobody says that who goes in this manner can get on, ride or get off."""
        if self.outside.manners.on_foot.profile is not Profile.WHEELCHAIR:
            return True
        said = [self.timetable.stops.wheelchairs[leg.calls[i].stop] for i in (0, -1)]
        return NO not in (*said, self.timetable.trips.wheelchairs[leg.trip])

    def _with_walks(
        self, rides: list[TripLeg], code: JourneyCode, ends: tuple[Place, Place], bikes: BikeStations
    ) -> list[TripLeg | WalkLeg]:
        legs: list[TripLeg | WalkLeg] = []
        first, last = rides[0], rides[-1]
        boarded, alighted = first.calls[0].stop, last.calls[-1].stop
        rental = _rebuild(bikes, code.rentals[0], ends[0], self.places.place_of_stop(boarded), self.outside)
        walk_s = self._end_walk_s(code.origin, ends[0], boarded, rental, is_egress=False)
        start = self.timetable.find_stop(code.origin[0]) if len(code.origin) == 1 else None
        if start != boarded:
            early_s = walk_s + check_in_s(self.timetable, first)
            departs_at = first.departs_at - timedelta(seconds=early_s)
            legs.append(walk_leg(start, boarded, departs_at, walk_s, rental))
        for i, ride in enumerate(rides):
            if i and not ride.in_seat:
                before = rides[i - 1]
                stop, target = before.calls[-1].stop, ride.calls[0].stop
                ends_of = self.places.place_of_stop(stop), self.places.place_of_stop(target)
                rental = _rebuild(bikes, code.between.get(i), *ends_of, self.outside)
                walk_s = self._walk_s(stop, target) if rental is None else rental.seconds
                if before.arrives_at + timedelta(seconds=walk_s) > ride.departs_at:
                    raise JourneyNotFound("This journey misses an interchange by now. Search again.")
                if stop != target:
                    legs.append(walk_leg(stop, target, before.arrives_at, walk_s, rental))
            legs.append(ride)
        rental = _rebuild(bikes, code.rentals[1], self.places.place_of_stop(alighted), ends[1], self.outside)
        walk_s = self._end_walk_s(code.destination, ends[1], alighted, rental, is_egress=True)
        goal = self.timetable.find_stop(code.destination[0]) if len(code.destination) == 1 else None
        if goal != alighted:
            legs.append(walk_leg(alighted, goal, last.arrives_at, walk_s, rental))
        return legs

    def _end_walk_s(
        self, code: list[Any], end: Place, stop: int, rental: Rental | None, *, is_egress: bool
    ) -> int:
        if rental is not None:
            return rental.seconds
        if len(code) == 1:
            other = self.timetable.find_stop(code[0])
            assert other is not None, "the end was found before"
            return self._walk_s(stop, other) if is_egress else self._walk_s(other, stop)
        place = self.places.place_of_stop(stop)
        walk_s = self.outside.find_access_s(_point(end), stop, _point(place), is_egress=is_egress)
        if walk_s is None:
            raise JourneyNotFound("The network has no such walk any more. Search again.")
        return walk_s

    def _walk_s(self, source: int, target: int) -> int:
        manner, inside = self.outside.manners.on_foot, self.outside.inside
        find = find_paced_walk_s if inside is None else inside.find_walk_s
        walk_s = find(self.timetable, source, target, manner)
        if walk_s is None:
            raise JourneyNotFound("The network has no such walk any more. Search again.")
        return walk_s


def tell_way(
    leg: WalkLeg, ends: tuple[Place, Place], *, bikes: BikeStations, language: str, outside: Outside
) -> list[Leg]:
    """A walk as a leg; a way by bike as a walk, the ride, and a walk unless it is left where the way ends."""
    start, goal = ends
    rental = leg.rental
    if rental is None:
        return [_foot(start, goal, leg.departs_at, leg.arrives_at, outside)]
    offer = bikes.find_offer(rental.pickup, rental.kind, is_vehicle=rental.is_vehicle)
    dropoff = bikes.find(rental.dropoff) if rental.dropoff else NOWHERE
    assert offer is not None, "a way by bike is told of what it was found with"
    assert dropoff is not None, "a way by bike is told of what it was found with"
    way = find_bike_ride(bikes, offer, dropoff, _point(goal), outside)
    assert way is not None, "a way by bike is told as it was found"
    taken = bikes.offer_place(offer, language)
    left = goal if dropoff == NOWHERE else bikes.place(dropoff, language)
    rides_at = leg.departs_at + timedelta(seconds=rental.walk_to_s)
    leaves_at = rides_at + timedelta(seconds=rental.ride_s)
    ride = Leg(
        mode=Mode.BIKE,
        origin=taken,
        destination=left,
        departs_at=rides_at,
        arrives_at=leaves_at,
        distance_m=way.metres,
        operator_id=bikes.operator_id(offer),
        route_name=bikes.system_name(offer, language),
        is_estimate=way.is_estimate,
        points=points_of(way),
        steps=steps_of(way),
        shared=_tell_shared(bikes, offer, "" if dropoff == NOWHERE else left.name, language),
    )
    walk = _foot(start, taken, leg.departs_at, rides_at, outside)
    if dropoff == NOWHERE:
        return [walk, ride]
    return [walk, ride, _foot(left, goal, leaves_at, leg.arrives_at, outside)]


def _tell_shared(bikes: BikeStations, offer: int, to_station: str, language: str) -> SharedVehicle:
    kind = bikes.kind(offer)
    station = int(bikes.offers.stations[offer])
    return SharedVehicle(
        system_id=kind.system_id,
        form_factor=kind.type.form_factor,
        propulsion_type=kind.type.propulsion_type,
        return_constraint=kind.constraint,
        from_station="" if station == NOWHERE else bikes.place(station, language).name,
        to_station=to_station,
        rental_uris=bikes.rental_uris(offer),
    )


def _between(found: Sequence[TripLeg | WalkLeg]) -> dict[int, RentalCode]:
    """The ways by bike between rides, by the number of the ride that each comes before."""
    ways: dict[int, RentalCode] = {}
    rides = 0
    for leg in found[:-1]:
        if isinstance(leg, TripLeg):
            rides += 1
        elif rides and (code := code_of(leg.rental)) is not None:
            ways[rides] = code
    return ways


def _foot(start: Place, goal: Place, departs_at: datetime, arrives_at: datetime, outside: Outside) -> Leg:
    way = outside.find_walk(_point(start), _point(goal)) or estimate_walk(_point(start), _point(goal))
    return Leg(
        mode=Mode.WALK,
        origin=start,
        destination=goal,
        departs_at=departs_at,
        arrives_at=arrives_at,
        distance_m=way.metres,
        is_estimate=way.is_estimate,
        points=points_of(way),
        steps=steps_of(way),
    )


def _point(place: Place) -> Point:
    return place.lat, place.lon


def _get_walk(outside: Outside, start: Place, goal: Place) -> Way:
    way = outside.find_walk(_point(start), _point(goal))
    if way is None:
        raise JourneyNotFound("The network has no such walk any more. Search again.")
    return way


def _rebuild(
    bikes: BikeStations, code: RentalCode | None, start: Place, goal: Place, outside: Outside
) -> Rental | None:
    if code is None:
        return None
    found = rebuild_rental(bikes, code, (_point(start), _point(goal)), outside=outside)
    if found is None:
        raise JourneyNotFound(
            "A bike station or vehicle of this journey is not known any more. Search again."
        )
    return found
