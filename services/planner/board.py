"""Departures and arrivals at a stop, in the shape of the MOTIS API.

Problem   A traveller at a stop asks what comes next; what is cancelled must be seen to be cancelled.
Idea      routing/board.py finds the calls, the teller names each trip. A page ends with an instant, so the
          next one begins with the second after it and nothing falls between.
Unknown   Networks do not keep agencies' addresses, nor in which direction a trip counts: the texts are
          empty. Where an operator does not say whether a trip takes wheelchairs or bikes, `NOT_ACCESSIBLE`
          and `bikesAllowed` false mean "not known to"; a leg of a journey leaves them out.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from pydantic import Field

from maas.errors import OutsideFeedDates
from maas.journeys import Leg
from routing.board import StopCall, list_calls
from routing.errors import OutsideDates
from services.planner.modes import MOTIS_MODES
from services.planner.motis import (
    Accessibility,
    MotisMessage,
    PlaceMessage,
    accessibility,
    dated_trip_id,
    list_alert_messages,
    place_message,
)
from services.planner.network import Network
from services.planner.parameters import Cursor, Languages, MotisQuery, PlaceText
from services.planner.places import End
from services.planner.stops import with_platforms

CALLS_MAX = 200


class BoardQuery(MotisQuery):
    """GET /api/v6/stoptimes. A stop is a stop or station id, or a name; its station's platforms count too."""

    stop_id: PlaceText
    time: datetime | None = None
    arrive_by: bool = False
    direction: Literal["EARLIER", "LATER"] | None = None
    n: int = Field(default=10, ge=1, le=CALLS_MAX)
    page_cursor: Cursor | None = None
    with_alerts: bool = True
    language: Languages = ()


class StopTimeMessage(MotisMessage):
    """A trip's call at the stop."""

    place: PlaceMessage
    mode: str
    real_time: bool = False
    headsign: str
    trip_from: PlaceMessage
    trip_to: PlaceMessage
    agency_id: str
    agency_name: str
    agency_url: str = ""
    trip_id: str
    feed_trip_id: str
    service_date: date
    route_id: str
    direction_id: str = ""
    route_color: str | None = None
    route_short_name: str
    route_long_name: str
    trip_short_name: str
    display_name: str
    pickup_dropoff_type: Literal["NORMAL", "NOT_ALLOWED"]
    cancelled: bool
    trip_cancelled: bool
    bikes_allowed: bool = False
    wheelchair_accessible: Accessibility = "NOT_ACCESSIBLE"
    reservation: Literal["NONE"] = "NONE"
    status: Literal["conditional"] | None = None
    status_reason: str | None = None
    source: str = ""


class BoardMessage(MotisMessage):
    """The answer of /api/v6/stoptimes."""

    stop_times: list[StopTimeMessage]
    place: PlaceMessage
    previous_page_cursor: str
    next_page_cursor: str
    network_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardRequest:
    """A query understood: where, when (aware), and whether the calls before that are asked for."""

    end: End
    at: datetime
    count_min: int
    arrivals: bool
    earlier: bool
    language: str
    has_alerts: bool = True


def tell_board(network: Network, request: BoardRequest, agency_names: dict[str, str]) -> BoardMessage:
    """Find and tell. Raises OutsideFeedDates."""
    try:
        calls = list_calls(
            network.router,
            stops=with_platforms(network.router.timetable, request.end.stops),
            at=request.at,
            count_min=request.count_min,
            arrivals=request.arrivals,
            earlier=request.earlier,
        )
    except OutsideDates as error:
        raise OutsideFeedDates(f"{error}. Ask for a day between them.") from error
    first, last = (calls[0].at, calls[-1].at) if calls else (request.at, request.at - timedelta(seconds=1))
    zone_name = network.router.timetable.zone_name
    return BoardMessage(
        stop_times=[_stop_time(network, request, call, agency_names) for call in calls],
        place=place_message(request.end.place, zone_name=zone_name),
        previous_page_cursor=f"EARLIER|{int(first.timestamp())}",
        next_page_cursor=f"LATER|{int(last.timestamp()) + 1}",
        network_version=network.snapshot_version,
    )


def _stop_time(
    network: Network, request: BoardRequest, call: StopCall, agency_names: dict[str, str]
) -> StopTimeMessage:
    zone_name = network.router.timetable.zone_name
    leg = network.teller.tell_ride(call.trip, request.language)
    calls = call.trip.calls
    here = calls[call.call]
    whole = network.live.find_planned(call.trip)
    planned = None if whole is None else whole.calls[call.call]
    is_first, is_last = call.call == 0, call.call == len(calls) - 1
    place = place_message(
        network.places.place_of_stop(here.stop, request.language),
        zone_name=zone_name,
        arrival=None if is_first else here.arrives_at,
        departure=None if is_last else here.departs_at,
        planned_arrival=None if is_first or planned is None else planned.arrives_at,
        planned_departure=None if is_last or planned is None else planned.departs_at,
        cancelled=call.is_cancelled,
    )
    if request.has_alerts:
        place = place.model_copy(update={"alerts": list_alert_messages(leg)})
    operator_id = leg.operator_id or ""
    return StopTimeMessage(
        place=place,
        mode=MOTIS_MODES[leg.mode],
        real_time=leg.is_live,
        headsign=leg.headsign or leg.destination.name,
        trip_from=place_message(leg.origin, zone_name=zone_name, departure=calls[0].departs_at),
        trip_to=place_message(leg.destination, zone_name=zone_name, arrival=calls[-1].arrives_at),
        agency_id=operator_id,
        agency_name=agency_names.get(operator_id, ""),
        trip_id=dated_trip_id(leg) or "",
        feed_trip_id=leg.trip_id or "",
        service_date=call.trip.service_date,
        route_id=leg.route_id or "",
        route_color=leg.route_color,
        route_short_name=leg.route_name or "",
        route_long_name=leg.route_long_name or "",
        trip_short_name=leg.trip_name or "",
        display_name=leg.route_name or "",
        pickup_dropoff_type="NOT_ALLOWED" if call.is_cancelled else "NORMAL",
        cancelled=call.is_cancelled,
        trip_cancelled=call.is_cancelled,
        bikes_allowed=bool(leg.takes_bikes),
        wheelchair_accessible=accessibility(leg) or "NOT_ACCESSIBLE",
        status=_status(leg),
        status_reason=leg.condition,
    )


def _status(leg: Leg) -> Literal["conditional"] | None:
    return None if leg.condition is None else "conditional"
