"""The two ends of a search: which stops one gets to from there, and the way between them on foot.

Rule      A name means stops, and footpaths lead from them; a point means a door, and walks lead from it.
"""

from datetime import timedelta

from maas.journeys import Journey, Mode, Place, PlanRequest
from routing.journey import Access
from routing.raptor import list_access, list_egress
from routing.streets.ways import BEYOND
from services.planner.limits import ANY, Limits
from services.planner.network import Network
from services.planner.places import End


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


def point_of(end: End) -> Place:
    """The end as a point: a bike goes to a door, whichever stops that stands for."""
    return Place(name=end.place.name, lat=end.place.lat, lon=end.place.lon)


def find_walk(
    network: Network, request: PlanRequest, origin: End, destination: End, limits: Limits
) -> Journey | None:
    """The walk all the way, if one is wanted and is short enough."""
    if limits.vias or Mode.WALK not in limits.direct_by or not limits.direct_s_max:
        return None
    if not all(is_matched(network, end, limits) for end in (origin, destination)):
        return None
    start, goal = origin.place, destination.place
    teller = network.teller.going(limits.manners)
    (seconds,) = teller.outside.walks_s(
        (start.lat, start.lon), [goal.lat], [goal.lon], limit_s=limits.direct_s_max
    ).tolist()
    if seconds == BEYOND or not is_wanted(seconds, limits):
        return None
    departs_at = request.at - timedelta(seconds=seconds) if request.arrive_by else request.at
    return teller.tell_walk(start, goal, departs_at.astimezone(network.router.timetable.zone))


def is_wanted(seconds: int, limits: Limits) -> bool:
    """Whether a way without a scheduled vehicle is, that takes so long."""
    if not limits.direct_s_max or seconds > limits.direct_s_max:
        return False
    return limits.duration_s_max is None or seconds <= limits.duration_s_max
