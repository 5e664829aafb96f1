"""A search from places to journeys, on one network, in one thread.

Problem   Somebody names two places and an hour; the router knows stops. And one Pareto set answers "now",
          while a traveller also wants the next few departures.
Idea      Places become stops with walks, the router searches. For more, or for all of a window, it is asked
          for all journeys of some time from the earliest departure found (to arrive by an hour: up to the
          latest arrival), then again from there on. What is answered, and nothing else, the teller names.
Rule      Walking all the way is an answer too, up to half an hour; a ride that is no earlier is left out:
          it is worse in everything.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from maas.errors import OutsideFeedDates
from maas.journeys import Journey, Mode, Place, PlanRequest
from routing.errors import OutsideDates
from routing.journey import Access, FoundJourney, TripLeg, WalkLeg, resolve, service_day_start
from routing.raptor import Query, list_access, list_egress
from routing.streets.ways import BEYOND
from routing.transfer_rules import AS_PLANNED, TransferRule
from services.planner.bikes.between import find_bike_walks, tell_bikes
from services.planner.bikes.offers import ANY_RENTAL, RentalFilter
from services.planner.bikes.stations import NO_BIKES, BikeStations, BikeWalks
from services.planner.bikes.taking import find_rental_in_time, join, may_be_in_time, takes_in_time
from services.planner.bikes.ways import list_rental_ways
from services.planner.journeys import Teller
from services.planner.network import Network
from services.planner.outside import USUAL, Manners, Outside
from services.planner.places import End

INTERCHANGES_MAX = 11
WALK_S_MAX = 1_800
DIRECT_S_MAX = 7_200
"""The longest walk all the way that may be asked for."""
_FURTHER_S, _FURTHER_S_MIN, _FURTHER_S_MAX = 3_600, 900, 7_200
"""What is looked at together when more journeys are wanted: at first, and then as little as will do."""
_FURTHER_TIMES = 7
_BEFORE_S = (1_800, 7_200, 28_800, 86_400)
"""How far back is looked for those that leave earlier, until there are enough."""

ON_FOOT = frozenset({Mode.WALK})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an answer must keep to besides.

    modes            ridden only; None: any. Empty: no rides at all
    duration_s_max   from the start of a journey to its end; None: any
    access_s_max     the walk to the first stop; None: as far as walks are looked at
    egress_s_max     likewise from the last stop
    direct_s_max     the way without a scheduled vehicle; 0: none is wanted
    direct_factor    a ride is kept while it takes less than so many times the direct walk
    rule             how long interchanges take
    takes_bikes      ridden is only what is said to take bikes along
    *_by             how ways to the first stop, from the last and all the way may be made
    manners          how somebody goes outside vehicles, at both ends and between rides
    matching_m_max   how far a point may be from the nearest street; None: as far as streets are looked for,
                     and beyond that ways are estimated
    *_rental         which shared bikes may be taken there
    bikes_between    shared bikes may be taken between two rides
    """

    modes: frozenset[Mode] | None = None
    duration_s_max: int | None = None
    access_s_max: int | None = None
    egress_s_max: int | None = None
    direct_s_max: int = WALK_S_MAX
    direct_factor: float = 1.0
    rule: TransferRule = AS_PLANNED
    takes_bikes: bool = False
    access_by: frozenset[Mode] = ON_FOOT
    egress_by: frozenset[Mode] = ON_FOOT
    direct_by: frozenset[Mode] = ON_FOOT
    manners: Manners = USUAL
    matching_m_max: float | None = None
    access_rental: RentalFilter = ANY_RENTAL
    egress_rental: RentalFilter = ANY_RENTAL
    direct_rental: RentalFilter = ANY_RENTAL
    bikes_between: bool = False


ANY = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a search found: `journeys` best first; `direct` is the walk all the way, if it is short.

    `by_bike` is the way by shared bike all the way, if one was asked for and there is one.
    """

    origin: End
    destination: End
    journeys: tuple[Journey, ...]
    direct: Journey | None
    network: Network
    by_bike: Journey | None = None

    def list_direct(self) -> list[Journey]:
        """The ways without a scheduled vehicle."""
        return [each for each in (self.direct, self.by_bike) if each is not None]


def search(
    network: Network,
    request: PlanRequest,
    origin: End,
    destination: End,
    *,
    count_min: int = 1,
    limits: Limits = ANY,
    bikes: BikeStations = NO_BIKES,
) -> Answer:
    """The Pareto set at the hour asked; all journeys of `window_s`; later ones, until there are count_min.

    Raises OutsideFeedDates.
    """
    direct = _find_walk(network, request, origin, destination, limits)
    sought = _Sought(network, request, origin, destination, limits, bikes)
    now = sought.find(request.at)
    in_window = sought.find(request.at, range_s=request.window_s) if request.window_s else []
    found = {each.key: each for each in (*now, *in_window) if _is_short(each, limits)}
    if now and len(found) < count_min:
        for each in _list_further(sought, now, count_min - len(found)):
            if _is_short(each, limits):
                found.setdefault(each.key, each)
            if len(found) >= count_min:
                break
    kept = [each for each in found.values() if not _is_worse(each, direct, request, limits)]
    return sought.answer(kept, direct)


def search_before(
    network: Network,
    request: PlanRequest,
    origin: End,
    destination: End,
    *,
    leaves_before: datetime,
    count_min: int = 1,
    limits: Limits = ANY,
    bikes: BikeStations = NO_BIKES,
) -> Answer:
    """The last journeys that leave before an instant, count_min of them if a day has so many.

    Raises OutsideFeedDates.
    """
    direct = _find_walk(network, request, origin, destination, limits)
    sought = _Sought(network, replace(request, arrive_by=False), origin, destination, limits, bikes)
    sought.check_date(leaves_before)
    kept: list[_Candidate] = []
    for length_s in _BEFORE_S:
        begin = leaves_before - timedelta(seconds=length_s)
        try:
            found = sought.find(begin, range_s=length_s - 1)
        except OutsideFeedDates:
            break  # The timetable begins in between.
        kept = [each for each in found if _is_short(each, limits) and not _is_slower(each, direct, limits)]
        if len(kept) >= count_min:
            break
    kept.sort(key=lambda each: (each.departs, each.arrives), reverse=True)
    return sought.answer(kept[:count_min], direct)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A journey found and not yet told; its ends are POSIX seconds. `key` is the same in every search."""

    found: FoundJourney
    departs: float
    arrives: float
    key: tuple[Any, ...]


@dataclass(frozen=True)
class _Sought:
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

    def find(self, at: datetime, *, range_s: int | None = None) -> list[_Candidate]:
        """The Pareto set at that hour, or of all departures (arrivals) of so many seconds.

        Raises OutsideFeedDates.
        """
        is_asked = Mode.BIKE in self.limits.access_by | self.limits.egress_by
        if not is_asked or not may_be_in_time(self.bikes, at, arrive_by=self.request.arrive_by):
            return self._find_by(self._ends_of_stations, at, range_s)
        found = self._find_by(self._ends, at, range_s)
        in_time = [
            each for each in found if takes_in_time(self.bikes, each.found, each.departs, each.arrives)
        ]
        if len(in_time) == len(found):
            return found
        others = self._find_by(self._ends_of_stations, at, range_s)
        return join(in_time, others, arrive_by=self.request.arrive_by, is_range=range_s is not None)

    def _find_by(
        self, ends: tuple[list[Access], list[Access]], at: datetime, range_s: int | None
    ) -> list[_Candidate]:
        limits = self.limits
        access, egress = ends
        is_same = set(self.origin.stops) & set(self.destination.stops)
        if is_same or limits.modes == frozenset() or not access or not egress:
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
        )
        try:
            found = router.find_journeys(query) if range_s is None else router.find_range(query, range_s)
        except OutsideDates as error:
            raise _outside(error) from error
        return [self._candidate(journey) for journey in found]

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

    def _candidate(self, found: FoundJourney) -> _Candidate:
        start = service_day_start(self.network.router.timetable, found.day).timestamp()
        rides = tuple((ride.line, ride.run, ride.day, ride.board, ride.alight) for ride in found.rides)
        return _Candidate(
            found=found,
            departs=start + found.departs_s,
            arrives=start + found.arrives_s,
            key=(found.access, *rides, found.egress),
        )

    def answer(self, kept: Sequence[_Candidate], direct: Journey | None) -> Answer:
        """The journeys told, best first. Two runs of one trip are one journey."""
        told = [self._tell(each) for each in sorted(kept, key=self._order)]
        return Answer(
            origin=self.origin,
            destination=self.destination,
            journeys=tuple({journey.journey_id: journey for journey in told}.values()),
            direct=direct,
            network=self.network,
            by_bike=self._find_by_bike(),
        )

    def _find_by_bike(self) -> Journey | None:
        if Mode.BIKE not in self.limits.direct_by or not self._are_matched:
            return None
        start, goal, request = _point(self.origin), _point(self.destination), self.request
        rental = find_rental_in_time(
            self.bikes,
            (start.lat, start.lon),
            (goal.lat, goal.lon),
            request.at,
            outside=self._outside,
            arrive_by=request.arrive_by,
            rental=self.limits.direct_rental,
        )
        if rental is None or not _is_wanted(rental.seconds, self.limits):
            return None
        early = timedelta(seconds=rental.seconds if request.arrive_by else 0)
        departs_at = (request.at - early).astimezone(self.network.router.timetable.zone)
        return self._teller.tell_rental(
            start, goal, departs_at, rental=rental, bikes=self.bikes, language=request.language
        )

    def _order(self, each: _Candidate) -> tuple[float, int]:
        return (-each.departs if self.request.arrive_by else each.arrives), len(each.found.rides)

    def _tell(self, each: _Candidate) -> Journey:
        access, egress = each.found.access, each.found.egress
        return self._teller.tell(
            self._resolve(each.found),
            origin=self.origin.place if access.rental is None else _point(self.origin),
            destination=self.destination.place if egress.rental is None else _point(self.destination),
            language=self.request.language,
            bikes=self.bikes,
        )


def _list_further(sought: _Sought, now: Sequence[_Candidate], count: int) -> Iterator[_Candidate]:
    """Journeys from the first of `now` on, or back from the last to arrive by: the nearest first.

    About so many as wanted, if some hours of service have them.
    """
    arrive_by = sought.request.arrive_by
    at, length_s = _nearest(now, arrive_by=arrive_by), _FURTHER_S
    known = len(now)
    for _ in range(_FURTHER_TIMES):
        try:
            found = sought.find(at, range_s=length_s)
            if found:
                yield from sorted(found, key=lambda each: -each.arrives if arrive_by else each.departs)
                at += timedelta(seconds=-length_s - 1 if arrive_by else length_s + 1)
                # The first range holds those of `now` again.
                count, known = count - max(0, len(found) - known), 0
                length_s = round(1.3 * length_s * max(count, 1) / len(found))
                length_s = min(max(length_s, _FURTHER_S_MIN), _FURTHER_S_MAX)
                continue
            # Where nothing leaves for hours or days, this finds what leaves next.
            found = sought.find(at)
        except OutsideFeedDates:
            return
        if not found:
            return
        at = _nearest(found, arrive_by=arrive_by)


def _outside(error: OutsideDates) -> OutsideFeedDates:
    return OutsideFeedDates(f"{error}. Ask for a day between them.")


def _point(end: End) -> Place:
    """The end as a point: a bike goes to a door, whichever stops that stands for."""
    return Place(name=end.place.name, lat=end.place.lat, lon=end.place.lon)


def near_ways(ways: list[Access], limit_s: int | None) -> list[Access]:
    """The ways that take no longer; all of them, if there is no limit."""
    return ways if limit_s is None else [way for way in ways if way.walk_s <= limit_s]


def is_matched(network: Network, end: End, limits: Limits) -> bool:
    """Whether a point is as near to the streets as is asked; a stop always is."""
    if end.stops or limits.matching_m_max is None:
        return True
    outside = network.teller.outside.going(limits.manners)
    return all(outside.list_on_streets([(end.place.lat, end.place.lon)], limits.matching_m_max))


def list_ways(network: Network, end: End, limits: Limits = ANY, *, is_egress: bool) -> list[Access]:
    """The ways on foot from an end to stops (to it, if is_egress)."""
    if not end.stops:
        if not is_matched(network, end, limits):
            return []
        outside = network.teller.outside.going(limits.manners)
        point = (end.place.lat, end.place.lon)
        return outside.list_access(network.router.timetable, point, is_egress=is_egress)
    timetable = network.variants.get(network.router, manner=limits.manners.on_foot).timetable
    ways = list_egress(timetable, end.stops) if is_egress else list_access(timetable, end.stops)
    inside = network.teller.outside.inside
    return (
        ways
        if inside is None
        else inside.keep_entered(ways, limits.manners.on_foot.profile, is_egress=is_egress)
    )


def _find_walk(
    network: Network, request: PlanRequest, origin: End, destination: End, limits: Limits
) -> Journey | None:
    if Mode.WALK not in limits.direct_by or not limits.direct_s_max:
        return None
    if not all(is_matched(network, end, limits) for end in (origin, destination)):
        return None
    start, goal = origin.place, destination.place
    teller = network.teller.going(limits.manners)
    (seconds,) = teller.outside.walks_s(
        (start.lat, start.lon), [goal.lat], [goal.lon], limit_s=limits.direct_s_max
    ).tolist()
    if seconds == BEYOND or not _is_wanted(seconds, limits):
        return None
    departs_at = request.at - timedelta(seconds=seconds) if request.arrive_by else request.at
    return teller.tell_walk(start, goal, departs_at.astimezone(network.router.timetable.zone))


def _is_wanted(seconds: int, limits: Limits) -> bool:
    """Whether a way without a scheduled vehicle is, that takes so long."""
    if not limits.direct_s_max or seconds > limits.direct_s_max:
        return False
    return limits.duration_s_max is None or seconds <= limits.duration_s_max


def _is_short(each: _Candidate, limits: Limits) -> bool:
    return limits.duration_s_max is None or each.arrives - each.departs <= limits.duration_s_max


def _is_worse(each: _Candidate, direct: Journey | None, request: PlanRequest, limits: Limits) -> bool:
    """Whether one who walks at the hour asked is there as early (leaves as late, to arrive by)."""
    asked = request.at.timestamp()
    return _is_walked(asked - each.departs if request.arrive_by else each.arrives - asked, direct, limits)


def _is_slower(each: _Candidate, direct: Journey | None, limits: Limits) -> bool:
    """Whether one who walks takes no longer, whenever it is."""
    return _is_walked(each.arrives - each.departs, direct, limits)


def _is_walked(seconds: float, direct: Journey | None, limits: Limits) -> bool:
    if direct is None:
        return False
    return seconds >= limits.direct_factor * (direct.arrives_at - direct.departs_at).total_seconds()


def _nearest(found: Sequence[_Candidate], *, arrive_by: bool) -> datetime:
    nearest = max(each.arrives for each in found) if arrive_by else min(each.departs for each in found)
    return datetime.fromtimestamp(nearest, tz=UTC)
