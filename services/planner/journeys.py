"""Found journeys as everybody else sees them, and journey ids.

Problem   An offer names a journey that was found minutes ago by another process; nobody keeps it.
Idea      The id holds the journey: both ends, and for each trip ridden its id, its day and the calls boarded
          and alighted at; packed and URL-safe. All else (times, walks, names) is in the network, so the same
          id gives the same journey in any process, while the network has its trips and none is cancelled.
Invariant encode(decode(id)) = id, and a journey rebuilt from its id equals the one that was found.
"""

import base64
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import orjson

from maas.errors import JourneyNotFound
from maas.journeys import Journey, Leg, Mode, PassedStop, Place
from routing.journey import TripLeg, WalkLeg, check_in_s, find_ride, find_walk_s
from routing.streets.beeline import OPTIONS, estimate_walk
from routing.strings import get_string
from routing.timetable import Timetable
from services.planner.live.alerts import find_condition, list_alerts, tell_alerts
from services.planner.live.state import LiveState, list_skipped, may_ride
from services.planner.modes import mode_of
from services.planner.places import PlaceIndex
from services.planner.sailings import SailingNews

ID_LENGTH_MAX = 2_000
_PLAIN_BYTES_MAX = 20_000
_LEGS_MAX = 60
_FORMAT = 1
_EPOCH = date(2020, 1, 1)


@dataclass(frozen=True, slots=True)
class Teller:
    """Turns what routing found on one network into journeys."""

    timetable: Timetable
    places: PlaceIndex
    version: str
    news: SailingNews = field(default_factory=SailingNews)
    live: LiveState = field(default_factory=LiveState)

    def tell(
        self, legs: Sequence[TripLeg | WalkLeg], *, origin: Place, destination: Place, language: str
    ) -> Journey:
        """The journey of these legs; origin and destination stand where a leg begins or ends at a point."""
        told = tuple(
            self.tell_ride(leg, language)
            if isinstance(leg, TripLeg)
            else self._walk(leg, origin=origin, destination=destination, language=language)
            for leg in legs
        )
        return self._journey(told, [leg for leg in legs if isinstance(leg, TripLeg)])

    def tell_walk(self, origin: Place, destination: Place, departs_at: datetime) -> Journey:
        """A journey on foot all the way."""
        walk = estimate_walk(origin.lat, origin.lon, destination.lat, destination.lon)
        # Whole seconds, so that the id can name the instant.
        starts = departs_at.replace(microsecond=0)
        leg = Leg(
            mode=Mode.WALK,
            origin=origin,
            destination=destination,
            departs_at=starts,
            arrives_at=starts + timedelta(seconds=walk.seconds),
            distance_m=walk.metres,
            is_estimate=True,
        )
        return self._journey((leg,), [])

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

    def get_journey(self, journey_id: str) -> Journey:
        """The journey of that id. Raises JourneyNotFound."""
        origin, destination, rides, departs_s = _decode(journey_id)
        start, goal = self._end(origin), self._end(destination)
        if not rides:
            return self.tell_walk(start, goal, datetime.fromtimestamp(departs_s, tz=self.timetable.zone))
        trip_legs = [self._find(ride) for ride in rides]
        legs = self._with_walks(trip_legs, origin, destination, (start, goal))
        journey = self.tell(legs, origin=start, destination=goal, language="")
        if journey.journey_id != journey_id:
            raise JourneyNotFound("The journey id is not one of ours. Search again.")
        return journey

    # Legs --------------------------------------------------------------------------------------------------

    def _walk(self, leg: WalkLeg, *, origin: Place, destination: Place, language: str) -> Leg:
        start = origin if leg.origin is None else self.places.place_of_stop(leg.origin, language)
        goal = (
            destination if leg.destination is None else self.places.place_of_stop(leg.destination, language)
        )
        return Leg(
            mode=Mode.WALK,
            origin=start,
            destination=goal,
            departs_at=leg.departs_at,
            arrives_at=leg.arrives_at,
            distance_m=estimate_walk(start.lat, start.lon, goal.lat, goal.lon).metres,
            is_estimate=True,
        )

    def _ridden_m(self, stops: Sequence[int]) -> int:
        return round(sum(self.places.beeline_m(stop, following) for stop, following in pairwise(stops)))

    def _journey(self, legs: tuple[Leg, ...], trip_legs: Sequence[TripLeg]) -> Journey:
        nameless = Journey(journey_id="", legs=legs, network_version=self.version)
        ends = (_end_code(legs[0].origin), _end_code(legs[-1].destination))
        rides = [
            [
                get_string(self.timetable.trip_ids, leg.trip),
                (leg.service_date - _EPOCH).days,
                leg.board_call,
                leg.alight_call,
                int(leg.in_seat),
            ]
            for leg in trip_legs
        ]
        departs_s = 0 if rides else int(legs[0].departs_at.timestamp())
        return replace(nameless, journey_id=_encode(*ends, rides, departs_s))

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
        on = _EPOCH + timedelta(days=days)
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
        return replace(leg, in_seat=bool(in_seat))

    def _with_walks(
        self,
        rides: list[TripLeg],
        origin: list[Any],
        destination: list[Any],
        ends: tuple[Place, Place],
    ) -> list[TripLeg | WalkLeg]:
        legs: list[TripLeg | WalkLeg] = []
        first, last = rides[0], rides[-1]
        boarded, alighted = first.calls[0].stop, last.calls[-1].stop
        walk_s = self._end_walk_s(origin, ends[0], boarded, is_egress=False)
        start = self.timetable.find_stop(origin[0]) if len(origin) == 1 else None
        if start != boarded:
            early_s = walk_s + check_in_s(self.timetable, first)
            legs.append(_walk_leg(start, boarded, first.departs_at - timedelta(seconds=early_s), walk_s))
        for i, ride in enumerate(rides):
            if i and not ride.in_seat:
                before = rides[i - 1]
                stop, target = before.calls[-1].stop, ride.calls[0].stop
                walk_s = self._walk_s(stop, target)
                if before.arrives_at + timedelta(seconds=walk_s) > ride.departs_at:
                    raise JourneyNotFound("This journey misses an interchange by now. Search again.")
                if stop != target:
                    legs.append(_walk_leg(stop, target, before.arrives_at, walk_s))
            legs.append(ride)
        walk_s = self._end_walk_s(destination, ends[1], alighted, is_egress=True)
        goal = self.timetable.find_stop(destination[0]) if len(destination) == 1 else None
        if goal != alighted:
            legs.append(_walk_leg(alighted, goal, last.arrives_at, walk_s))
        return legs

    def _end_walk_s(self, code: list[Any], end: Place, stop: int, *, is_egress: bool) -> int:
        if len(code) == 1:
            other = self.timetable.find_stop(code[0])
            assert other is not None, "the end was found before"
            return self._walk_s(stop, other) if is_egress else self._walk_s(other, stop)
        place = self.places.place_of_stop(stop)
        return estimate_walk(end.lat, end.lon, place.lat, place.lon).seconds

    def _walk_s(self, source: int, target: int) -> int:
        walk_s = find_walk_s(self.timetable, source, target)
        if walk_s is None:
            raise JourneyNotFound("The network has no such walk any more. Search again.")
        return walk_s


def walk_speed_m_s() -> float:
    """Metres of beeline a second that an estimated walk makes good."""
    return OPTIONS.speed_m_s / OPTIONS.detour_factor


def _walk_leg(origin: int | None, destination: int | None, departs_at: datetime, walk_s: int) -> WalkLeg:
    return WalkLeg(
        origin=origin,  # type: ignore[arg-type]  # an index is an index
        destination=destination,  # type: ignore[arg-type]
        departs_at=departs_at,
        arrives_at=departs_at + timedelta(seconds=walk_s),
    )


def _end_code(place: Place) -> list[Any]:
    return [place.stop_id] if place.stop_id else [place.name, place.lat, place.lon]


def _encode(origin: list[Any], destination: list[Any], rides: list[list[Any]], departs_s: int) -> str:
    plain = orjson.dumps([_FORMAT, origin, destination, rides, departs_s])
    return base64.urlsafe_b64encode(zlib.compress(plain, 9, wbits=-15)).decode().rstrip("=")


def _decode(journey_id: str) -> tuple[list[Any], list[Any], list[list[Any]], int]:
    """The parts of an id. Raises JourneyNotFound for anything that `_encode` cannot have made."""
    try:
        packed = base64.b64decode(journey_id + "=" * (-len(journey_id) % 4), altchars=b"-_", validate=True)
        unpacker = zlib.decompressobj(wbits=-15)
        plain = unpacker.decompress(packed, _PLAIN_BYTES_MAX)
        format_, origin, destination, rides, departs_s = orjson.loads(plain)
        is_ours = (
            len(journey_id) <= ID_LENGTH_MAX
            and format_ == _FORMAT
            and _is_end(origin)
            and _is_end(destination)
            and isinstance(rides, list)
            and len(rides) <= _LEGS_MAX
            and all(_is_ride(ride) for ride in rides)
            and isinstance(departs_s, int)
            and 0 <= departs_s < datetime(2100, 1, 1, tzinfo=UTC).timestamp()
        )
    except (ValueError, TypeError, zlib.error) as error:
        raise JourneyNotFound("The journey id is not one of ours. Search again.") from error
    if not is_ours:
        raise JourneyNotFound("The journey id is not one of ours. Search again.")
    return origin, destination, rides, departs_s


def _is_end(code: Any) -> bool:
    if not isinstance(code, list) or not code or not isinstance(code[0], str):
        return False
    if len(code) == 1:
        return True
    is_point = len(code) == 3 and all(isinstance(each, int | float) for each in code[1:])  # noqa: PLR2004
    return is_point and abs(code[1]) <= 90 and abs(code[2]) <= 180  # noqa: PLR2004 - degrees


def _is_ride(ride: Any) -> bool:
    if not isinstance(ride, list) or len(ride) != 5 or not isinstance(ride[0], str):  # noqa: PLR2004
        return False
    return all(type(each) is int and 0 <= each < 100_000 for each in ride[1:])  # noqa: PLR2004
