"""One to all: every stop with the time it takes, in the shape of the MOTIS API.

Problem   A city's map of "how far in 45 minutes" asks for thousands of places at once.
Idea      One search without a goal (routing/reach.py), told in a thread: thousands of places take longer to
          name than to find.
Units     `maxTravelTime` and `duration` are minutes, as in MOTIS; a duration counts begun minutes, waiting
          included.
"""

from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from maas.errors import OutsideFeedDates
from routing.errors import OutsideDates
from routing.reach import LIMIT_S_MAX, find_reach
from services.planner.motis import Languages, MotisMessage, PlaceMessage, PlaceText, place_message
from services.planner.network import Network
from services.planner.places import End
from services.planner.search import INTERCHANGES_MAX, list_ways

MINUTES_MAX = LIMIT_S_MAX // 60


class ReachQuery(BaseModel):
    """GET /api/v6/one-to-all. A place is `lat,lon`, a stop or station id, or a name."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)

    one: PlaceText
    time: datetime | None = None
    max_travel_time: int = Field(ge=0, le=MINUTES_MAX)
    arrive_by: bool = False
    max_transfers: int = Field(default=7, ge=0, le=100)
    language: Languages = ""


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


def tell_reach(network: Network, request: ReachRequest) -> ReachMessage:
    """Find and tell. Raises OutsideFeedDates."""
    try:
        reach = find_reach(
            network.router,
            at=request.at,
            ends=list_ways(network, request.one, is_egress=request.arrive_by),
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
