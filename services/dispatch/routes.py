"""Dispatch's endpoints: zones for all, quotes and bookings for travellers, lists and steps for operators."""

from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from maas.on_demand.bookings import TOMP_LEG_STATUS, TOMP_PACKAGE_STATUS, BookingState
from maas.on_demand.schedules import Visit
from services.dispatch.handlers import BookingView, Dispatch, Unavailable
from services.dispatch.messages import (
    Amount,
    Booking,
    BookingMove,
    Identifier,
    Quote,
    RideWish,
    ScheduleQuery,
    VehicleSchedule,
    VehicleSettings,
    VisitRow,
    ZoneCollection,
    ZoneFeature,
    ZoneProperties,
    ZoneSettings,
)
from services.platform.auth import Principal, Role
from services.platform.clock import Clock
from services.platform.problem import Problem
from services.platform.service import Call, Route

_TAG = "on-demand rides"
_BOOKING_ID = {"booking_id": UUID}


class Endpoints:
    """HTTP's view of Dispatch."""

    def __init__(self, dispatch: Dispatch, clock: Clock) -> None:
        self._dispatch = dispatch
        self._clock = clock

    async def list_zones(self, _call: Call) -> ZoneCollection:
        """GET /api/on-demand/zones."""
        zones = await self._dispatch.list_zones()
        return ZoneCollection(features=[_feature(zone_id, settings) for zone_id, settings in zones])

    async def put_zone(self, call: Call) -> ZoneSettings:
        """PUT /api/on-demand/zones/{zone_id}."""
        return await self._dispatch.put_zone(call.path["zone_id"], call.body)

    async def put_vehicle(self, call: Call) -> VehicleSettings:
        """PUT /api/on-demand/vehicles/{vehicle_id}."""
        return await self._dispatch.put_vehicle(call.path["vehicle_id"], call.body)

    async def quote(self, call: Call) -> Quote:
        """POST /api/on-demand/quotes."""
        wish: RideWish = call.body
        found = await self._dispatch.quote(wish)
        if isinstance(found, Unavailable):
            return Quote(available=False, reason=found.reason)
        fares = found.settings.fares
        return Quote(
            available=True,
            zone_id=found.zone_id,
            operator_id=found.settings.operator_id,
            price=Amount(
                amount_minor=wish.adults * fares.adult_minor + wish.children * fares.child_minor,
                currency=fares.currency,
            ),
            **_times(found.visits),
        )

    async def book(self, call: Call) -> Booking:
        """POST /api/on-demand/bookings."""
        view = await self._dispatch.book(
            call.body, booking_id=call.command_id, traveller_id=call.caller.subject
        )
        return _booking(view)

    async def get_booking(self, call: Call) -> Booking:
        """GET /api/on-demand/bookings/{booking_id}."""
        return _booking(await self._get_own(call))

    async def cancel(self, call: Call) -> Booking:
        """DELETE /api/on-demand/bookings/{booking_id}."""
        view = await self._get_own(call)
        return _booking(
            await self._dispatch.move_booking(view.record.booking_id, BookingState.CANCELLED_BY_RIDER)
        )

    async def move(self, call: Call) -> Booking:
        """PUT /api/on-demand/bookings/{booking_id}/state."""
        view = await self._get_own(call)
        wanted = BookingState(call.body.state)
        return _booking(await self._dispatch.move_booking(view.record.booking_id, wanted))

    async def get_schedule(self, call: Call) -> VehicleSchedule:
        """GET /api/on-demand/vehicles/{vehicle_id}/schedule."""
        vehicle_id = call.path["vehicle_id"]
        today = self._clock.now().astimezone(ZoneInfo("Asia/Tokyo")).date()
        service_date = call.query.service_date or today
        schedule, settings, states = await self._dispatch.get_schedule(vehicle_id, service_date)
        if not _acts_for(call.caller, settings.operator_id):
            raise Problem("vehicle_not_found", detail="This vehicle is not your operator's.")
        return VehicleSchedule(
            vehicle_id=vehicle_id,
            service_date=service_date,
            seats=settings.seats,
            visits=[_visit_row(visit, states[visit.booking_id]) for visit in schedule.visits],
        )

    async def _get_own(self, call: Call) -> BookingView:
        """The booking, if the caller booked it or acts for its operator; else it is not found."""
        view = await self._dispatch.get_booking(call.path["booking_id"])
        record, caller = view.record, call.caller
        is_rider = caller.role is Role.TRAVELLER and record.traveller_id == caller.subject
        if not is_rider and not _acts_for(caller, record.operator_id):
            raise Problem("booking_not_found", detail="No booking of yours has this id.")
        return view


def _acts_for(caller: Principal, operator_id: str) -> bool:
    is_clerk = caller.role is Role.CLERK and caller.operator_id == operator_id
    return is_clerk or caller.role is Role.ADMIN


def _feature(zone_id: str, settings: ZoneSettings) -> ZoneFeature:
    return ZoneFeature(
        id=zone_id,
        geometry=settings.geometry,
        properties=ZoneProperties(
            name=settings.name,
            operator_id=settings.operator_id,
            timezone=settings.timezone,
            opens_s=settings.opens_s,
            closes_s=settings.closes_s,
            booking_rule=settings.booking_rule,
            limits=settings.limits,
            fares=settings.fares,
        ),
    )


def _times(visits: tuple[Visit, Visit]) -> dict[str, datetime]:
    pickup, dropoff = visits
    return {
        "pickup_at": _instant(pickup.at_s),
        "pickup_latest_at": _instant(pickup.latest_s),
        "dropoff_at": _instant(dropoff.at_s),
        "dropoff_latest_at": _instant(dropoff.latest_s),
    }


def _booking(view: BookingView) -> Booking:
    record = view.record
    is_priced = record.price_minor is not None and record.currency is not None
    return Booking(
        booking_id=record.booking_id,
        state=record.state,
        tomp_package_status=TOMP_PACKAGE_STATUS[record.state],
        tomp_leg_status=TOMP_LEG_STATUS[record.state],
        zone_id=record.zone_id,
        operator_id=record.operator_id,
        vehicle_id=record.vehicle_id,
        service_date=record.service_date,
        adults=record.adults,
        children=record.children,
        pickup=record.pickup,
        dropoff=record.dropoff,
        price=Amount(amount_minor=record.price_minor or 0, currency=record.currency or "")
        if is_priced
        else None,
        expires_at=record.expires_at if record.state is BookingState.HELD else None,
        **(_times(view.visits) if view.visits is not None else {}),
    )


def _visit_row(visit: Visit, state: BookingState) -> VisitRow:
    return VisitRow(
        booking_id=visit.booking_id,
        state=state,
        kind=visit.kind.value,
        at=_instant(visit.at_s),
        latest_at=_instant(visit.latest_s),
        riders=visit.riders,
        lat=visit.place.lat,
        lon=visit.place.lon,
    )


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def build_routes(endpoints: Endpoints) -> list[Route]:
    """All endpoints of dispatch."""
    return [*_zone_routes(endpoints), *_ride_routes(endpoints), *_operator_routes(endpoints)]


def _zone_routes(endpoints: Endpoints) -> list[Route]:
    return [
        Route(
            method="GET",
            path="/api/on-demand/zones",
            operation="listOnDemandZones",
            handler=endpoints.list_zones,
            summary="Where, when and how on-demand rides can be booked, as GeoJSON",
            tag=_TAG,
            response=ZoneCollection,
            media_type="application/geo+json",
        ),
        Route(
            method="PUT",
            path="/api/on-demand/zones/{zone_id}",
            operation="putOnDemandZone",
            handler=endpoints.put_zone,
            summary="Make or change a zone",
            tag=_TAG,
            path_types={"zone_id": Identifier},
            body=ZoneSettings,
            response=ZoneSettings,
        ),
        Route(
            method="PUT",
            path="/api/on-demand/vehicles/{vehicle_id}",
            operation="putOnDemandVehicle",
            handler=endpoints.put_vehicle,
            summary="Make or change a vehicle; refused where rides promised would break",
            tag=_TAG,
            path_types={"vehicle_id": Identifier},
            body=VehicleSettings,
            response=VehicleSettings,
            problems=("promises_broken",),
        ),
    ]


def _ride_routes(endpoints: Endpoints) -> list[Route]:
    return [
        Route(
            method="POST",
            path="/api/on-demand/quotes",
            operation="quoteOnDemandRide",
            handler=endpoints.quote,
            summary="Can this ride be had, when, and for how much? Nothing is kept",
            tag=_TAG,
            body=RideWish,
            response=Quote,
            problems=("zone_not_found",),
        ),
        Route(
            method="POST",
            path="/api/on-demand/bookings",
            operation="bookOnDemandRide",
            handler=endpoints.book,
            summary="Book a ride, to be paid on board",
            tag=_TAG,
            body=RideWish,
            response=Booking,
            status=201,
            idempotent=True,
            problems=("zone_not_found", "ride_not_available"),
        ),
        Route(
            method="GET",
            path="/api/on-demand/bookings/{booking_id}",
            operation="getOnDemandBooking",
            handler=endpoints.get_booking,
            summary="A booking and its promised times",
            tag=_TAG,
            path_types=_BOOKING_ID,
            response=Booking,
            problems=("booking_not_found",),
        ),
        Route(
            method="DELETE",
            path="/api/on-demand/bookings/{booking_id}",
            operation="cancelOnDemandBooking",
            handler=endpoints.cancel,
            summary="Cancel a ride that has not begun",
            tag=_TAG,
            path_types=_BOOKING_ID,
            response=Booking,
            problems=("booking_not_found", "booking_not_movable"),
        ),
    ]


def _operator_routes(endpoints: Endpoints) -> list[Route]:
    return [
        Route(
            method="PUT",
            path="/api/on-demand/bookings/{booking_id}/state",
            operation="moveOnDemandBooking",
            handler=endpoints.move,
            summary="Report what the vehicle does for a booking",
            tag=_TAG,
            path_types=_BOOKING_ID,
            body=BookingMove,
            response=Booking,
            problems=("booking_not_found", "booking_not_movable"),
        ),
        Route(
            method="GET",
            path="/api/on-demand/vehicles/{vehicle_id}/schedule",
            operation="getVehicleSchedule",
            handler=endpoints.get_schedule,
            summary="The driver's list of a day",
            tag=_TAG,
            path_types={"vehicle_id": Identifier},
            query=ScheduleQuery,
            response=VehicleSchedule,
            problems=("vehicle_not_found",),
        ),
    ]
