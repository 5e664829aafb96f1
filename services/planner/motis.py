"""The planning face: the MOTIS 2 API's shapes, and our additions.

Problem   Clients of the MOTIS API exist; they must work here unchanged.
Idea      The same names and required members. Members without a value are left out, as MOTIS does. Ours are
          added to an itinerary: `journeyId` (to ask for an offer), `networkVersion`, its walks together, and
          `prices` as in our own REST: money is `{"amount_minor", "currency"}`. A leg whose sailing may not
          land has `status` `conditional` and `statusReason`, what the operator said.
Source    MOTIS OpenAPI 2.x, `/api/v6/plan`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from maas.journeys import Leg, Mode, Place, ServiceAlert, SharedVehicle, list_step_points
from services.planner.modes import MOTIS_MODES
from services.planner.motis_prices import PassOptionMessage, PriceMessage, pass_option_message, price_message
from services.planner.pricing import PricedJourney
from services.planner.turns import Direction, list_turns
from services.platform.polyline import PRECISION, encode_polyline

Accessibility = Literal["ACCESSIBLE", "NOT_ACCESSIBLE"]


class MotisMessage(BaseModel):
    """Strict and frozen, with the names of the MOTIS API."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
    )


class AlertMessage(MotisMessage):
    """A message of an operator."""

    header_text: str
    description_text: str
    cause: str
    effect: str


class PlaceMessage(MotisMessage):
    """A place on the way."""

    name: str
    lat: float
    lon: float
    level: float = 0.0
    stop_id: str | None = None
    parent_id: str | None = None
    tz: str | None = None
    arrival: datetime | None = None
    departure: datetime | None = None
    scheduled_arrival: datetime | None = None
    scheduled_departure: datetime | None = None
    vertex_type: str = "NORMAL"
    cancelled: bool | None = None
    importance: float | None = None
    modes: list[str] | None = None
    alerts: list[AlertMessage] | None = None


class PolylineMessage(MotisMessage):
    """A line in Google's encoding."""

    points: str
    precision: int
    length: int


class StepMessage(MotisMessage):
    """A stretch along one street. `exit`, `stayOn` and `area` say nothing, in MOTIS either."""

    relative_direction: Direction
    distance: float
    from_level: float
    to_level: float
    osm_way: int | None = None
    polyline: PolylineMessage
    street_name: str
    exit: str = ""
    stay_on: bool = False
    area: bool = False


class RentalMessage(MotisMessage):
    """Whose bike is ridden, of what kind, and between which stations; an empty name: none."""

    provider_id: str
    provider_group_id: str
    system_id: str
    system_name: str | None = None
    from_station_name: str
    to_station_name: str
    rental_uri_android: str | None = None
    rental_uri_ios: str | None = Field(default=None, alias="rentalUriIOS")
    rental_uri_web: str | None = None
    form_factor: str
    propulsion_type: str
    return_constraint: str


class LegMessage(MotisMessage):
    """A ride or a walk."""

    mode: str
    from_: PlaceMessage = Field(alias="from")
    to: PlaceMessage
    duration: int
    start_time: datetime
    end_time: datetime
    scheduled_start_time: datetime
    scheduled_end_time: datetime
    real_time: bool = False
    scheduled: bool = True
    distance: float
    interline_with_previous_leg: bool = False
    headsign: str | None = None
    route_id: str | None = None
    route_color: str | None = None
    route_short_name: str | None = None
    route_long_name: str | None = None
    trip_short_name: str | None = None
    display_name: str | None = None
    agency_id: str | None = None
    agency_name: str | None = None
    trip_id: str | None = None
    feed_trip_id: str | None = None
    service_date: date | None = None
    is_estimate: bool | None = None
    cancelled: bool | None = None
    status: Literal["conditional"] | None = None
    status_reason: str | None = None
    alerts: list[AlertMessage] | None = None
    bikes_allowed: bool | None = None
    wheelchair_accessible: Accessibility | None = None
    intermediate_stops: list[PlaceMessage] | None = None
    rental: RentalMessage | None = None
    leg_geometry: PolylineMessage
    steps: list[StepMessage] | None = None


class ItineraryMessage(MotisMessage):
    """A journey. `is_cheapest` marks the least price among the journeys of one answer.

    `walking_seconds` and `walking_metres` are all its walks together; these are not of the MOTIS API.
    """

    id: str
    duration: int
    start_time: datetime
    end_time: datetime
    transfers: int
    legs: list[LegMessage]
    journey_id: str
    network_version: str
    walking_seconds: int
    walking_metres: int
    prices: list[PriceMessage]
    passes: list[PassOptionMessage]
    is_cheapest: bool | None = None


class RankingMessage(MotisMessage):
    """What the first journey is the best in, and whether that is proven of more than the journeys told.

    `reason` says what it is proven of, or why it is not. Not of the MOTIS API.
    """

    criterion: Literal["price", "walking"]
    is_proven: bool
    reason: str


class PlanMessage(MotisMessage):
    """The answer of /api/v6/plan. `ranking` is there if another than by arrival was asked for."""

    request_parameters: dict[str, str]
    debug_output: dict[str, int]
    from_: PlaceMessage = Field(alias="from")
    to: PlaceMessage
    direct: list[ItineraryMessage]
    itineraries: list[ItineraryMessage]
    previous_page_cursor: str
    next_page_cursor: str
    ranking: RankingMessage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """What of an itinerary is told: the geometry of its legs, of the walks between rides, and its fares."""

    legs: bool = True
    transfers: bool = True
    fares: bool = True


EVERYTHING = Detail()


def itinerary_message(
    priced: PricedJourney,
    *,
    zone_name: str,
    agency_names: dict[str, str],
    is_cheapest: bool = False,
    detail: Detail = EVERYTHING,
) -> ItineraryMessage:
    """A journey as an itinerary."""
    journey = priced.journey
    last = len(journey.legs) - 1
    has_geometry = [
        detail.transfers if leg.mode is Mode.WALK and 0 < i < last else detail.legs
        for i, leg in enumerate(journey.legs)
    ]
    return ItineraryMessage(
        id=journey.journey_id,
        duration=_seconds(journey.departs_at, journey.arrives_at),
        start_time=journey.departs_at,
        end_time=journey.arrives_at,
        transfers=journey.interchanges,
        legs=[
            leg_message(leg, zone_name=zone_name, agency_names=agency_names, has_geometry=has)
            for leg, has in zip(journey.legs, has_geometry, strict=True)
        ],
        journey_id=journey.journey_id,
        network_version=journey.network_version,
        walking_seconds=journey.walked_s,
        walking_metres=journey.walked_m,
        prices=[price_message(each) for each in priced.prices] if detail.fares else [],
        passes=[pass_option_message(each) for each in priced.passes] if detail.fares else [],
        is_cheapest=is_cheapest or None,
    )


def dated_trip_id(leg: Leg) -> str | None:
    """`YYYYMMDD_feed:trip_id`: a client of the MOTIS API hands it to /api/v6/trip, and means that day."""
    return None if leg.service_date is None else f"{leg.service_date:%Y%m%d}_{leg.trip_id}"


def leg_message(
    leg: Leg, *, zone_name: str, agency_names: dict[str, str], has_geometry: bool = True
) -> LegMessage:
    """A leg of an itinerary. Without its geometry the line is empty."""
    stops = [
        place_message(
            stop.place,
            zone_name=zone_name,
            arrival=stop.arrives_at,
            departure=stop.departs_at,
            planned_arrival=stop.planned_arrives_at,
            planned_departure=stop.planned_departs_at,
            cancelled=stop.is_skipped,
        )
        for stop in leg.passed_stops
    ]
    places = [leg.origin, *(stop.place for stop in leg.passed_stops), leg.destination]
    points = leg.points or tuple((place.lat, place.lon) for place in places)
    return LegMessage(
        mode=MOTIS_MODES[leg.mode],
        from_=place_message(
            leg.origin,
            zone_name=zone_name,
            departure=leg.departs_at,
            planned_departure=leg.planned_departs_at,
        ),
        to=place_message(
            leg.destination,
            zone_name=zone_name,
            arrival=leg.arrives_at,
            planned_arrival=leg.planned_arrives_at,
        ),
        duration=_seconds(leg.departs_at, leg.arrives_at),
        start_time=leg.departs_at,
        end_time=leg.arrives_at,
        scheduled_start_time=leg.planned_departs_at or leg.departs_at,
        scheduled_end_time=leg.planned_arrives_at or leg.arrives_at,
        real_time=leg.is_live,
        scheduled=leg.is_scheduled,
        distance=float(leg.distance_m),
        interline_with_previous_leg=leg.in_seat,
        headsign=leg.headsign,
        route_id=leg.route_id,
        route_color=leg.route_color,
        route_short_name=leg.route_name,
        route_long_name=leg.route_long_name,
        trip_short_name=leg.trip_name,
        display_name=leg.route_name,
        agency_id=leg.operator_id,
        agency_name=agency_names.get(leg.operator_id or ""),
        trip_id=dated_trip_id(leg),
        feed_trip_id=leg.trip_id,
        service_date=leg.service_date,
        is_estimate=leg.is_estimate or None,
        status=None if leg.condition is None else "conditional",
        status_reason=leg.condition,
        alerts=list_alert_messages(leg),
        bikes_allowed=leg.takes_bikes,
        wheelchair_accessible=accessibility(leg),
        intermediate_stops=stops if leg.is_transit else None,
        rental=_rental_message(leg.shared, leg.route_name) if leg.shared else None,
        leg_geometry=_line_message(points if has_geometry else ()),
        steps=_step_messages(leg) if has_geometry and leg.steps else None,
    )


def _line_message(points: Sequence[tuple[float, float]]) -> PolylineMessage:
    return PolylineMessage(points=encode_polyline(points), precision=PRECISION, length=len(points))


def _step_messages(leg: Leg) -> list[StepMessage]:
    drawn = list_step_points(leg)
    turns = list_turns([(step.kind, points) for step, points in zip(leg.steps, drawn, strict=True)])
    return [
        StepMessage(
            relative_direction=turn,
            distance=float(step.distance_m),
            from_level=step.level,
            to_level=after.level,
            osm_way=step.way_id or None,
            polyline=_line_message(points),
            street_name=step.name,
        )
        for turn, step, after, points in zip(
            turns, leg.steps, [*leg.steps[1:], leg.steps[-1]], drawn, strict=True
        )
    ]


_RETURNS = {"any_station": "ANY_STATION", "roundtrip_station": "ROUNDTRIP_STATION"}


def _rental_message(shared: SharedVehicle, system_name: str | None) -> RentalMessage:
    uris = dict(shared.rental_uris)
    return RentalMessage(
        provider_id=shared.system_id,
        provider_group_id=shared.system_id,
        system_id=shared.system_id,
        system_name=system_name,
        from_station_name=shared.from_station,
        to_station_name=shared.to_station,
        rental_uri_android=uris.get("android"),
        rental_uri_ios=uris.get("ios"),
        rental_uri_web=uris.get("web"),
        form_factor=shared.form_factor.upper(),
        propulsion_type=shared.propulsion_type.upper(),
        return_constraint=_RETURNS.get(shared.return_constraint, "NONE"),
    )


def place_message(
    place: Place,
    *,
    zone_name: str,
    arrival: datetime | None = None,
    departure: datetime | None = None,
    planned_arrival: datetime | None = None,
    planned_departure: datetime | None = None,
    cancelled: bool = False,
) -> PlaceMessage:
    """A place of a leg; what was planned is as it is now, unless it is told."""
    return PlaceMessage(
        name=place.name,
        lat=place.lat,
        lon=place.lon,
        # Clients ask boards for whatever has a stop's id.
        stop_id=None if place.is_bike_station else place.stop_id,
        parent_id=place.station_id,
        tz=zone_name,
        arrival=arrival,
        departure=departure,
        scheduled_arrival=planned_arrival or arrival,
        scheduled_departure=planned_departure or departure,
        vertex_type=_vertex_type(place),
        cancelled=cancelled or None,
    )


def _vertex_type(place: Place) -> str:
    if place.is_bike_station:
        return "BIKESHARE"
    return "TRANSIT" if place.stop_id else "NORMAL"


def accessibility(leg: Leg) -> Accessibility | None:
    """Whether somebody in a wheelchair can ride; None where the operator does not say."""
    if leg.takes_wheelchairs is None:
        return None
    return "ACCESSIBLE" if leg.takes_wheelchairs else "NOT_ACCESSIBLE"


def list_alert_messages(leg: Leg) -> list[AlertMessage] | None:
    """What operators say that concerns the ride; None where it is nothing."""
    return [_alert_message(each) for each in leg.alerts] or None


def _alert_message(alert: ServiceAlert) -> AlertMessage:
    return AlertMessage(
        header_text=alert.header,
        description_text=alert.description,
        cause=alert.cause,
        effect=alert.effect,
    )


def _seconds(start: datetime, end: datetime) -> int:
    return int((end - start).total_seconds())
