"""A search from places to journeys, on one network, in one thread.

Problem   Somebody names two places and an hour; the router knows stops. And one Pareto set answers "now",
          while a traveller also wants the next few departures.
Idea      Places become stops with walks, the router searches, the teller names what was found. For more, ask
          again from just after the earliest departure found (before the latest arrival, to arrive by).
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
    """The Pareto set at the hour asked; with a larger `count_min`, those of later hours too.

    Raises OutsideFeedDates.
    """
    direct = _find_walk(network, request, origin, destination)
    found: dict[str, Journey] = {}
    asked = request
    for _ in range(_SEARCHES_MAX):
        journeys = _pareto_set(network, asked, origin, destination)
        for journey in journeys:
            found.setdefault(journey.journey_id, journey)
        if len(found) >= count_min or not journeys:
            break
        asked = replace(asked, at=_next_hour(journeys, arrive_by=request.arrive_by))
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


def _pareto_set(network: Network, request: PlanRequest, origin: End, destination: End) -> list[Journey]:
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
        found = network.router.find_journeys(query)
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


def _next_hour(journeys: Sequence[Journey], *, arrive_by: bool) -> datetime:
    if arrive_by:
        return max(journey.arrives_at for journey in journeys) - timedelta(seconds=1)
    return min(journey.departs_at for journey in journeys) + timedelta(seconds=1)


def _order(journey: Journey, request: PlanRequest) -> tuple[float, int]:
    if request.arrive_by:
        return -journey.departs_at.timestamp(), journey.interchanges
    return journey.arrives_at.timestamp(), journey.interchanges
