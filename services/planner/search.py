"""A search from places to journeys, on one network, in one thread.

Problem   Somebody names two places and an hour; the router knows stops. And one Pareto set answers "now",
          while a traveller also wants the next few departures.
Idea      Places become stops with walks, the router searches, the teller names what was found. For more, or
          for all of a window, it is asked for all journeys of some hours from the earliest departure found
          (to arrive by an hour: up to the latest arrival), then again from there on.
Rule      Walking all the way is an answer too, up to half an hour; a ride that is no earlier is left out:
          it is worse in everything.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from maas.errors import OutsideFeedDates
from maas.journeys import Journey, Mode, PlanRequest
from routing.errors import OutsideDates
from routing.journey import Access, FoundJourney, resolve
from routing.raptor import Query, list_access, list_egress
from routing.streets.beeline import estimate_walk, list_access_near
from services.planner.network import Network
from services.planner.places import End

INTERCHANGES_MAX = 11
WALK_S_MAX = 1_800
DIRECT_S_MAX = 7_200
"""The longest walk all the way that may be asked for."""
_SEARCHES_MAX = 6
_RANGE_S = 2 * 3600
"""The hours looked at together when more journeys are wanted."""
_MORE_MAX = 20
"""More than this are never asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an answer must keep to besides.

    modes            ridden only; None: any. Empty: no rides at all
    duration_s_max   from the start of a journey to its end; None: any
    access_s_max     the walk to the first stop; None: as far as walks are looked at
    egress_s_max     likewise from the last stop
    direct_s_max     the walk all the way; 0: none is wanted
    direct_factor    a ride is kept while it takes less than so many times the direct walk
    """

    modes: frozenset[Mode] | None = None
    duration_s_max: int | None = None
    access_s_max: int | None = None
    egress_s_max: int | None = None
    direct_s_max: int = WALK_S_MAX
    direct_factor: float = 1.0


ANY = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a search found: `journeys` best first; `direct` is the walk all the way, if it is short."""

    origin: End
    destination: End
    journeys: tuple[Journey, ...]
    direct: Journey | None
    network: Network


def search(
    network: Network,
    request: PlanRequest,
    origin: End,
    destination: End,
    *,
    count_min: int = 1,
    limits: Limits = ANY,
) -> Answer:
    """The Pareto set at the hour asked; all journeys of `window_s`; later ones, until there are count_min.

    Raises OutsideFeedDates.
    """
    direct = _find_walk(network, request, origin, destination, limits)
    sought = _Sought(network, origin, destination, limits)
    now = sought.find(request)
    in_window = sought.find(request, range_s=request.window_s) if request.window_s else []
    found = {each.journey_id: each for each in (*now, *in_window) if _is_short(each, limits)}
    more = _find_more(sought, request, now) if len(found) < count_min else []
    for journey in sorted(more, key=lambda journey: _distance_s(journey, request)):
        if len(found) >= count_min:
            break
        if _is_short(journey, limits):
            found.setdefault(journey.journey_id, journey)
    kept = [journey for journey in found.values() if not _is_worse(journey, direct, request, limits)]
    return Answer(
        origin=origin,
        destination=destination,
        journeys=tuple(sorted(kept, key=lambda journey: _order(journey, request))),
        direct=direct,
        network=network,
    )


def search_before(
    network: Network,
    request: PlanRequest,
    origin: End,
    destination: End,
    *,
    leaves_before: datetime,
    limits: Limits = ANY,
) -> Answer:
    """Journeys that leave before an instant: asked for an hour earlier and earlier, until there are some."""
    answer = search(network, request, origin, destination, limits=limits)
    for hours in (1, 3, 9, 24):
        earlier = replace(request, at=leaves_before - timedelta(hours=hours), arrive_by=False)
        try:
            answer = search(network, earlier, origin, destination, count_min=20, limits=limits)
        except OutsideFeedDates:
            break
        before = tuple(journey for journey in answer.journeys if journey.departs_at < leaves_before)
        answer = replace(answer, journeys=before)
        if before:
            break
    return answer


def _find_more(sought: "_Sought", request: PlanRequest, now: Sequence[Journey]) -> list[Journey]:
    """Journeys of the hours after those found `now`, or before them, to arrive by; a few hours of service."""
    more: list[Journey] = []
    journeys = now
    for _ in range(_SEARCHES_MAX):
        if not journeys or len(more) >= _MORE_MAX:
            break
        at = _nearest(journeys, arrive_by=request.arrive_by)
        away = timedelta(seconds=-_RANGE_S - 1 if request.arrive_by else _RANGE_S + 1)
        try:
            more += sought.find(replace(request, at=at), range_s=_RANGE_S)
            # Where nothing leaves for hours or days, this finds what leaves next.
            journeys = sought.find(replace(request, at=at + away))
        except OutsideFeedDates:
            break
        more += journeys
    return more


@dataclass(frozen=True, slots=True)
class _Sought:
    """What is looked for again and again, at one hour after another."""

    network: Network
    origin: End
    destination: End
    limits: Limits

    def find(self, request: PlanRequest, *, range_s: int | None = None) -> list[Journey]:
        """The Pareto set at the hour asked, or of all departures (arrivals) of so many seconds."""
        network, limits = self.network, self.limits
        access = near_ways(list_ways(network, self.origin, is_egress=False), limits.access_s_max)
        egress = near_ways(list_ways(network, self.destination, is_egress=True), limits.egress_s_max)
        is_same = set(self.origin.stops) & set(self.destination.stops)
        if not access or not egress or is_same or limits.modes == frozenset():
            return []
        query = Query(
            at=request.at,
            access=access,
            egress=egress,
            arrive_by=request.arrive_by,
            ride_count_max=min(request.interchanges_max, INTERCHANGES_MAX) + 1,
        )
        router = network.router
        if limits.modes is not None:
            router = network.mode_filter.get(router, limits.modes)
        try:
            found = router.find_journeys(query) if range_s is None else router.find_range(query, range_s)
        except OutsideDates as error:
            raise OutsideFeedDates(f"{error}. Ask for a day between them.") from error
        return [self._tell(journey, request) for journey in found]

    def _tell(self, journey: FoundJourney, request: PlanRequest) -> Journey:
        return self.network.teller.tell(
            resolve(self.network.router.timetable, journey),
            origin=self.origin.place,
            destination=self.destination.place,
            language=request.language,
        )


def near_ways(ways: list[Access], limit_s: int | None) -> list[Access]:
    """The ways that take no longer; all of them, if there is no limit."""
    return ways if limit_s is None else [way for way in ways if way.walk_s <= limit_s]


def list_ways(network: Network, end: End, *, is_egress: bool) -> list[Access]:
    """The ways from an end to stops (to it, if is_egress)."""
    timetable = network.router.timetable
    if not end.stops:
        return list_access_near(timetable, end.place.lat, end.place.lon)
    return list_egress(timetable, end.stops) if is_egress else list_access(timetable, end.stops)


def _find_walk(
    network: Network, request: PlanRequest, origin: End, destination: End, limits: Limits
) -> Journey | None:
    start, goal = origin.place, destination.place
    walk = estimate_walk(start.lat, start.lon, goal.lat, goal.lon)
    if not limits.direct_s_max or walk.seconds > limits.direct_s_max:
        return None
    if limits.duration_s_max is not None and walk.seconds > limits.duration_s_max:
        return None
    departs_at = request.at - timedelta(seconds=walk.seconds) if request.arrive_by else request.at
    zone = network.router.timetable.zone
    return network.teller.tell_walk(start, goal, departs_at.astimezone(zone))


def _is_short(journey: Journey, limits: Limits) -> bool:
    seconds = (journey.arrives_at - journey.departs_at).total_seconds()
    return limits.duration_s_max is None or seconds <= limits.duration_s_max


def _is_worse(journey: Journey, direct: Journey | None, request: PlanRequest, limits: Limits) -> bool:
    if direct is None:
        return False
    limit = limits.direct_factor * (direct.arrives_at - direct.departs_at)
    if request.arrive_by:
        return request.at - journey.departs_at >= limit
    return journey.arrives_at - request.at >= limit


def _nearest(journeys: Sequence[Journey], *, arrive_by: bool) -> datetime:
    if arrive_by:
        return max(journey.arrives_at for journey in journeys)
    return min(journey.departs_at for journey in journeys)


def _distance_s(journey: Journey, request: PlanRequest) -> float:
    """How far from the hour asked it leaves, or arrives."""
    if request.arrive_by:
        return (request.at - journey.arrives_at).total_seconds()
    return (journey.departs_at - request.at).total_seconds()


def _order(journey: Journey, request: PlanRequest) -> tuple[float, int]:
    if request.arrive_by:
        return -journey.departs_at.timestamp(), journey.interchanges
    return journey.arrives_at.timestamp(), journey.interchanges
