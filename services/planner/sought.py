"""What is looked for again and again in one search, at one hour after another; and telling what was found.

Idea      Ways at both ends, the router that keeps to the limits, and bikes between rides are worked out once.
          A journey that was found is a candidate until it is told: most are not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from maas.errors import OutsideFeedDates
from maas.journeys import Journey, Mode, PlanRequest
from routing.errors import OutsideDates
from routing.frugal import find_frugal, get_walked_s
from routing.journey import Access, FoundJourney, TripLeg, WalkLeg, resolve, service_day_start
from routing.raptor import Query, Router
from routing.via import Via
from services.planner.bikes.between import find_bike_walks, tell_bikes
from services.planner.bikes.offers import RentalFilter
from services.planner.bikes.stations import BikeStations, BikeWalks
from services.planner.bikes.taking import find_rental_in_time, join, may_be_in_time, takes_in_time
from services.planner.bikes.ways import list_rental_ways
from services.planner.ends import is_matched, is_wanted, list_ways, near_ways, point_of
from services.planner.journeys import Teller
from services.planner.limits import INTERCHANGES_MAX, Limits
from services.planner.network import Network
from services.planner.outside import Outside
from services.planner.places import End


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a search found: `journeys` best first; `direct` is the walk all the way, if it is short.

    `by_bike` is the way by shared bike all the way, if one was asked for and there is one. `is_proven`: no
    journey within the slack of routing/frugal.py, leaving at the hour asked, is less on foot than the first.
    """

    origin: End
    destination: End
    journeys: tuple[Journey, ...]
    direct: Journey | None
    network: Network
    by_bike: Journey | None = None
    is_proven: bool = False

    def list_direct(self) -> list[Journey]:
        """The ways without a scheduled vehicle."""
        return [each for each in (self.direct, self.by_bike) if each is not None]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A journey found and not yet told; its ends are POSIX seconds. `key` is the same in every search.

    `walked_s` are its seconds on foot, as this search times interchanges; 0 unless fewest steps are sought.
    """

    found: FoundJourney
    departs: float
    arrives: float
    key: tuple[Any, ...]
    walked_s: int = 0


@dataclass(frozen=True)
class Sought:
    """What is looked for again and again, at one hour after another."""

    network: Network
    request: PlanRequest
    origin: End
    destination: End
    limits: Limits
    bikes: BikeStations

    @cached_property
    def _are_matched(self) -> bool:
        ends = (self.origin, self.destination)
        return all(is_matched(self.network, end, self.limits) for end in ends)

    @cached_property
    def _teller(self) -> Teller:
        return self.network.teller.going(self.limits.manners)

    @cached_property
    def _outside(self) -> Outside:
        return self._teller.outside

    @cached_property
    def _ends(self) -> tuple[list[Access], list[Access]]:
        """The ways to the first stop and from the last, by vehicles that stand by themselves too."""
        return self._list_ends(by_itself=True)

    @cached_property
    def _ends_of_stations(self) -> tuple[list[Access], list[Access]]:
        """Likewise, by bikes at stations only."""
        return self._list_ends(by_itself=False)

    def _list_ends(self, *, by_itself: bool) -> tuple[list[Access], list[Access]]:
        limits = self.limits
        access = self._list_ways(
            self.origin, limits.access_by, limits.access_s_max, limits.access_rental, by_itself=by_itself
        )
        egress = self._list_ways(
            self.destination,
            limits.egress_by,
            limits.egress_s_max,
            limits.egress_rental,
            is_egress=True,
            by_itself=by_itself,
        )
        return access, egress

    def _list_ways(
        self,
        end: End,
        modes: frozenset[Mode],
        limit_s: int | None,
        rental: RentalFilter,
        *,
        is_egress: bool = False,
        by_itself: bool,
    ) -> list[Access]:
        """On foot and by shared bike, as far as each is wanted."""
        ways: list[Access] = []
        if Mode.WALK in modes:
            ways += near_ways(list_ways(self.network, end, self.limits, is_egress=is_egress), limit_s)
        if Mode.BIKE in modes and is_matched(self.network, end, self.limits):
            ways += list_rental_ways(
                self.bikes,
                self.network.router.timetable,
                (end.place.lat, end.place.lon),
                self.request.at,
                is_egress=is_egress,
                limit_s=limit_s,
                outside=self._outside,
                rental=rental,
                by_itself=by_itself,
            )
        return ways

    def find(self, at: datetime, *, range_s: int | None = None, is_frugal: bool = False) -> list[Candidate]:
        """The Pareto set at that hour (is_frugal: with seconds on foot), or of so many seconds' departures.

        Raises OutsideFeedDates.
        """
        is_asked = Mode.BIKE in self.limits.access_by | self.limits.egress_by
        if not is_asked or not may_be_in_time(self.bikes, at, arrive_by=self.request.arrive_by):
            return self._find_by(self._ends_of_stations, at, range_s, is_frugal=is_frugal)
        found = self._find_by(self._ends, at, range_s, is_frugal=is_frugal)
        in_time = [
            each for each in found if takes_in_time(self.bikes, each.found, each.departs, each.arrives)
        ]
        if len(in_time) == len(found):
            return found
        others = self._find_by(self._ends_of_stations, at, range_s, is_frugal=is_frugal)
        return join(in_time, others, arrive_by=self.request.arrive_by, is_range=range_s is not None)

    def _find_by(
        self, ends: tuple[list[Access], list[Access]], at: datetime, range_s: int | None, *, is_frugal: bool
    ) -> list[Candidate]:
        limits = self.limits
        access, egress = ends
        is_there = not limits.vias and set(self.origin.stops) & set(self.destination.stops)
        if is_there or limits.modes == frozenset() or not access or not egress:
            return []
        query = Query(
            at=at,
            access=access,
            egress=egress,
            arrive_by=self.request.arrive_by,
            ride_count_max=min(self.request.interchanges_max, INTERCHANGES_MAX) + 1,
        )
        router = self.network.variants.get(
            self.network.router,
            modes=limits.modes,
            takes_bikes=limits.takes_bikes,
            rule=limits.rule,
            manner=limits.manners.on_foot,
            bike_walks=self._bike_walks,
            vias=self._vias,
        )
        try:
            if is_frugal:
                found = find_frugal(router, query)
            else:
                found = router.find_journeys(query) if range_s is None else router.find_range(query, range_s)
        except OutsideDates as error:
            raise _outside(error) from error
        return [self._candidate(router, journey) for journey in found]

    @cached_property
    def _vias(self) -> tuple[Via, ...]:
        """Raises PlaceNotFound."""
        return tuple(
            Via(stops=frozenset(self.network.places.get_stops(asked.place).stops), stay_s=asked.stay_s)
            for asked in self.limits.vias
        )

    @cached_property
    def _bike_walks(self) -> BikeWalks | None:
        if not self.limits.bikes_between or not self.bikes.rows:
            return None
        walked = self.network.variants.get(self.network.router, manner=self.limits.manners.on_foot)
        return find_bike_walks(self.bikes, walked.timetable, self.request.at, outside=self._outside)

    def _resolve(self, found: FoundJourney) -> tuple[TripLeg | WalkLeg, ...]:
        walks, network = self._bike_walks, self.network
        manner = self.limits.manners.on_foot
        timetable = network.variants.get(network.router, manner=manner, bike_walks=walks).timetable
        legs = resolve(timetable, found)
        return legs if walks is None else tell_bikes(legs, walks, self.bikes)

    def check_date(self, at: datetime) -> None:
        """Raises OutsideFeedDates where the timetable does not reach."""
        try:
            self.network.router.get_day_second(at)
        except OutsideDates as error:
            raise _outside(error) from error

    def _candidate(self, router: Router, found: FoundJourney) -> Candidate:
        start = service_day_start(self.network.router.timetable, found.day).timestamp()
        rides = tuple((ride.line, ride.run, ride.day, ride.board, ride.alight) for ride in found.rides)
        return Candidate(
            found=found,
            departs=start + found.departs_s,
            arrives=start + found.arrives_s,
            key=(found.access, *rides, found.egress),
            walked_s=get_walked_s(router.timetable, found) if self.limits.fewest_steps else 0,
        )

    def answer(
        self, kept: Sequence[Candidate], direct: Journey | None, *, is_proven: bool | None = None
    ) -> Answer:
        """The journeys told, best first; as given, if is_proven is. Two runs of one trip are one journey."""
        told = [self._tell(each) for each in (sorted(kept, key=self.order) if is_proven is None else kept)]
        return Answer(
            origin=self.origin,
            destination=self.destination,
            journeys=tuple({journey.journey_id: journey for journey in told}.values()),
            direct=direct,
            network=self.network,
            by_bike=self._find_by_bike(),
            is_proven=bool(is_proven),
        )

    def _find_by_bike(self) -> Journey | None:
        if self.limits.vias or Mode.BIKE not in self.limits.direct_by or not self._are_matched:
            return None
        start, goal, request = point_of(self.origin), point_of(self.destination), self.request
        rental = find_rental_in_time(
            self.bikes,
            (start.lat, start.lon),
            (goal.lat, goal.lon),
            request.at,
            outside=self._outside,
            arrive_by=request.arrive_by,
            rental=self.limits.direct_rental,
        )
        if rental is None or not is_wanted(rental.seconds, self.limits):
            return None
        early = timedelta(seconds=rental.seconds if request.arrive_by else 0)
        departs_at = (request.at - early).astimezone(self.network.router.timetable.zone)
        return self._teller.tell_rental(
            start, goal, departs_at, rental=rental, bikes=self.bikes, language=request.language
        )

    def order(self, each: Candidate) -> tuple[int, float, int]:
        """Fewest steps first, if those are sought; then the earliest (latest to leave); then fewest rides."""
        at = -each.departs if self.request.arrive_by else each.arrives
        return each.walked_s, at, len(each.found.rides)

    def _tell(self, each: Candidate) -> Journey:
        access, egress = each.found.access, each.found.egress
        return self._teller.tell(
            self._resolve(each.found),
            origin=self.origin.place if access.rental is None else point_of(self.origin),
            destination=self.destination.place if egress.rental is None else point_of(self.destination),
            language=self.request.language,
            bikes=self.bikes,
        )


def _outside(error: OutsideDates) -> OutsideFeedDates:
    return OutsideFeedDates(f"{error}. Ask for a day between them.")
