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
from maas.journeys import Journey, PlanRequest
from routing.errors import OutsideDates
from routing.journey import Access, resolve
from routing.raptor import Query, list_access, list_egress
from routing.streets import estimate_walk, list_access_near
from services.planner.network import Network
from services.planner.places import End

INTERCHANGES_MAX = 11
WALK_S_MAX = 1_800
_SEARCHES_MAX = 6
_RANGE_S = 2 * 3600
"""The hours looked at together when more journeys are wanted."""
_MORE_MAX = 20
"""More than this are never asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a search found: `journeys` best first; `direct` is the walk all the way, if it is short."""

    origin: End
    destination: End
    journeys: tuple[Journey, ...]
    direct: Journey | None
    network: Network


def search(
    network: Network, request: PlanRequest, origin: End, destination: End, *, count_min: int = 1
) -> Answer:
    """The Pareto set at the hour asked; all journeys of `window_s`; later ones, until there are count_min.

    Raises OutsideFeedDates.
    """
    direct = _find_walk(network, request, origin, destination)
    now = _find(network, request, origin, destination)
    found = {journey.journey_id: journey for journey in now}
    if request.window_s:
        in_window = _find(network, request, origin, destination, range_s=request.window_s)
        found |= {journey.journey_id: journey for journey in in_window}
    more = _find_more(network, request, origin, destination, now) if len(found) < count_min else []
    for journey in sorted(more, key=lambda journey: _distance_s(journey, request)):
        if len(found) >= count_min:
            break
        found.setdefault(journey.journey_id, journey)
    kept = [journey for journey in found.values() if not _is_worse(journey, direct, request)]
    return Answer(
        origin=origin,
        destination=destination,
        journeys=tuple(sorted(kept, key=lambda journey: _order(journey, request))),
        direct=direct,
        network=network,
    )


def search_before(
    network: Network, request: PlanRequest, origin: End, destination: End, *, leaves_before: datetime
) -> Answer:
    """Journeys that leave before an instant: asked for an hour earlier and earlier, until there are some."""
    answer = search(network, request, origin, destination)
    for hours in (1, 3, 9, 24):
        earlier = replace(request, at=leaves_before - timedelta(hours=hours), arrive_by=False)
        try:
            answer = search(network, earlier, origin, destination, count_min=20)
        except OutsideFeedDates:
            break
        before = tuple(journey for journey in answer.journeys if journey.departs_at < leaves_before)
        answer = replace(answer, journeys=before)
        if before:
            break
    return answer


def _find_more(
    network: Network, request: PlanRequest, origin: End, destination: End, now: Sequence[Journey]
) -> list[Journey]:
    """Journeys of the hours after those found `now`, or before them, to arrive by; a few hours of service."""
    more: list[Journey] = []
    journeys = now
    for _ in range(_SEARCHES_MAX):
        if not journeys or len(more) >= _MORE_MAX:
            break
        at = _nearest(journeys, arrive_by=request.arrive_by)
        away = timedelta(seconds=-_RANGE_S - 1 if request.arrive_by else _RANGE_S + 1)
        try:
            more += _find(network, replace(request, at=at), origin, destination, range_s=_RANGE_S)
            # Where nothing leaves for hours or days, this finds what leaves next.
            journeys = _find(network, replace(request, at=at + away), origin, destination)
        except OutsideFeedDates:
            break
        more += journeys
    return more


def _find(
    network: Network, request: PlanRequest, origin: End, destination: End, *, range_s: int | None = None
) -> list[Journey]:
    """The Pareto set at the hour asked, or of all departures (arrivals) of so many seconds."""
    timetable = network.router.timetable
    access = list_ways(network, origin, is_egress=False)
    egress = list_ways(network, destination, is_egress=True)
    if not access or not egress or set(origin.stops) & set(destination.stops):
        return []
    query = Query(
        at=request.at,
        access=access,
        egress=egress,
        arrive_by=request.arrive_by,
        ride_count_max=min(request.interchanges_max, INTERCHANGES_MAX) + 1,
    )
    try:
        router = network.router
        found = router.find_journeys(query) if range_s is None else router.find_range(query, range_s)
    except OutsideDates as error:
        raise OutsideFeedDates(f"{error}. Ask for a day between them.") from error
    return [
        network.teller.tell(
            resolve(timetable, journey),
            origin=origin.place,
            destination=destination.place,
            language=request.language,
        )
        for journey in found
    ]


def list_ways(network: Network, end: End, *, is_egress: bool) -> list[Access]:
    """The ways from an end to stops (to it, if is_egress)."""
    timetable = network.router.timetable
    if not end.stops:
        return list_access_near(timetable, end.place.lat, end.place.lon)
    return list_egress(timetable, end.stops) if is_egress else list_access(timetable, end.stops)


def _find_walk(network: Network, request: PlanRequest, origin: End, destination: End) -> Journey | None:
    start, goal = origin.place, destination.place
    walk = estimate_walk(start.lat, start.lon, goal.lat, goal.lon)
    if walk.seconds > WALK_S_MAX:
        return None
    departs_at = request.at - timedelta(seconds=walk.seconds) if request.arrive_by else request.at
    zone = network.router.timetable.zone
    return network.teller.tell_walk(start, goal, departs_at.astimezone(zone))


def _is_worse(journey: Journey, direct: Journey | None, request: PlanRequest) -> bool:
    if direct is None:
        return False
    if request.arrive_by:
        return journey.departs_at <= direct.departs_at
    return journey.arrives_at - request.at >= direct.arrives_at - direct.departs_at


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
