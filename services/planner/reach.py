"""One to all: every stop with the time it takes, in the shape of the MOTIS API.

Problem   A city's map of "how far in 45 minutes" asks for thousands of places at once.
Idea      One search without a goal (routing/reach.py), told in a thread: thousands of places take longer to
          name than to find.
Units     `maxTravelTime` and `duration` are minutes, as in MOTIS; a duration counts begun minutes, waiting
          included.
"""

from dataclasses import dataclass
from datetime import datetime

from pydantic import Field

from maas.errors import OutsideFeedDates
from routing.errors import OutsideDates
from routing.reach import LIMIT_S_MAX, find_reach
from services.planner.ends import list_ways, near_ways
from services.planner.limits import DIRECT_S_MAX, INTERCHANGES_MAX, Limits
from services.planner.motis import MotisMessage, PlaceMessage, place_message
from services.planner.network import Network
from services.planner.parameters import PlaceText
from services.planner.places import End
from services.planner.ride_query import RideQuery
from services.platform.problem import Problem

MINUTES_MAX = LIMIT_S_MAX // 60


class ReachQuery(RideQuery):
    """GET /api/v6/one-to-all. A place is `lat,lon`, a stop or station id, or a name."""

    one: PlaceText
    time: datetime | None = None
    max_travel_time: int = Field(ge=0, le=MINUTES_MAX)
    arrive_by: bool = False
    max_pre_transit_time: int | None = Field(default=None, ge=0, le=DIRECT_S_MAX)
    max_post_transit_time: int | None = Field(default=None, ge=0, le=DIRECT_S_MAX)

    @property
    def limits(self) -> Limits:
        """What rides and the walk at the place asked about keep to. Raises Problem for other walks."""
        near, far = self.max_pre_transit_time, self.max_post_transit_time
        if self.arrive_by:
            near, far = far, near
        if far is not None:
            raise Problem(
                "validation_failed",
                detail="The walk at the stops told cannot be limited: each is told as a place of its own. "
                "Leave out maxPostTransitTime (maxPreTransitTime, if arriveBy).",
            )
        return Limits(
            modes=self.modes,
            access_s_max=near,
            egress_s_max=near,
            rule=self.transfer_rule,
            takes_bikes=self.require_bike_transport,
            manners=self.manners,
            matching_m_max=self.matching_m_max,
        )


class ReachedMessage(MotisMessage):
    """A place and how far it is: begun minutes, and the fewest rides that take no longer."""

    place: PlaceMessage
    duration: int
    k: int


class ReachMessage(MotisMessage):
    """The answer of /api/v6/one-to-all."""

    one: PlaceMessage
    all: list[ReachedMessage]
    network_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReachRequest:
    """A query understood: where, when (aware), how long."""

    one: End
    at: datetime
    minutes: int
    arrive_by: bool
    interchanges_max: int
    language: str
    limits: Limits


def tell_reach(network: Network, request: ReachRequest) -> ReachMessage:
    """Find and tell. Raises OutsideFeedDates."""
    limits = request.limits
    ways = near_ways(
        list_ways(network, request.one, limits, is_egress=request.arrive_by), limits.access_s_max
    )
    router = network.variants.get(
        network.router,
        modes=limits.modes,
        takes_bikes=limits.takes_bikes,
        rule=limits.rule,
        manner=limits.manners.on_foot,
    )
    try:
        reach = find_reach(
            router,
            at=request.at,
            ends=ways,
            limit_s=request.minutes * 60,
            arrive_by=request.arrive_by,
            ride_count_max=min(request.interchanges_max, INTERCHANGES_MAX) + 1,
        )
    except OutsideDates as error:
        raise OutsideFeedDates(f"{error}. Ask for a day between them.") from error
    zone_name = network.router.timetable.zone_name
    rows = zip(reach.stops.tolist(), reach.seconds.tolist(), reach.rides.tolist(), strict=True)
    return ReachMessage(
        one=place_message(request.one.place, zone_name=zone_name),
        all=[
            ReachedMessage(
                place=place_message(
                    network.places.place_of_stop(stop, request.language), zone_name=zone_name
                ),
                duration=-(-seconds // 60),
                k=rides,
            )
            for stop, seconds, rides in rows
        ],
        network_version=network.snapshot_version,
    )
