"""Dispatch's use cases.

Problem   Many ask for the last seat at once, holds expire, and neither may break a promise or lose a seat.
Idea      What a vehicle promised on a day is one row, and its lock the right to change it: a hold locks the
          schedules of all vehicles that could serve it (in order of id), drops what has expired, finds the
          cheapest insertion and writes schedule and booking together. Everything is safe to repeat by id.
Invariant A booking's seat is in its vehicle's schedule exactly while its state is in `SEATED`; every schedule
          written passes `check_schedule`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from maas.errors import BookingNotFound, VehicleNotFound, ZoneNotFound
from maas.on_demand.bookings import SEATED, BookingState, MoveStatus, judge_move
from maas.on_demand.insertion import (
    Insertion,
    Rejection,
    RideRequest,
    cheapest_insertion,
    insert_ride,
)
from maas.on_demand.places import BeelineTravel, TravelTime
from maas.on_demand.schedules import Schedule, Visit, VisitKind, find_broken_promise, remove_booking
from maas.on_demand.zones import (
    ServiceWindow,
    Zone,
    build_request,
    contains_point,
    find_refusal,
    find_window,
)
from maas.ports import Hold, HoldState
from services.dispatch import store
from services.dispatch.messages import Place, RideWish, VehicleSettings, ZoneSettings
from services.dispatch.store import BookingRecord
from services.platform.context import ServiceContext
from services.platform.problem import Problem

_HOLD_STATE: dict[BookingState, HoldState] = {
    BookingState.HELD: HoldState.HELD,
    BookingState.PENDING: HoldState.HELD,
    BookingState.EXPIRED: HoldState.EXPIRED,
    BookingState.REJECTED: HoldState.SOLD_OUT,
    BookingState.ROLLED_BACK: HoldState.RELEASED,
    BookingState.CANCELLED_BY_RIDER: HoldState.RELEASED,
    BookingState.CANCELLED_BY_OPERATOR: HoldState.RELEASED,
    BookingState.CANCELLED_BY_UPSTREAM: HoldState.RELEASED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Offering:
    """A ride that could be had: in this zone, on this day, at these promised times."""

    zone_id: str
    settings: ZoneSettings
    service_date: date
    request: RideRequest
    schedule: Schedule

    @property
    def visits(self) -> tuple[Visit, Visit]:
        """The pickup and the drop-off with the windows that the rider is told."""
        return _visits_of(self.schedule, self.request.booking_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unavailable:
    """The ride cannot be had; `reason` is a ZoneRefusal or a RejectionReason."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingView:
    """A booking with its visits, None once its seat is given back."""

    record: BookingRecord
    visits: tuple[Visit, Visit] | None


class Dispatch:
    """On-demand rides. Implements OnDemandPort."""

    def __init__(self, context: ServiceContext, *, travel_time: TravelTime | None = None) -> None:
        self._database = context.database
        self._clock = context.clock
        self._travel_time: TravelTime = travel_time or BeelineTravel()

    # What an administrator does.

    async def put_zone(self, zone_id: str, settings: ZoneSettings) -> ZoneSettings:
        """Write a zone. Rides promised already keep their promises."""
        await store.put_zone(self._database, zone_id, settings, self._clock.now())
        return settings

    async def put_vehicle(self, vehicle_id: str, settings: VehicleSettings) -> VehicleSettings:
        """Write a vehicle; Problem promises_broken if rides promised already would not fit any more."""
        now = self._clock.now()
        async with self._database.transaction() as tx:
            # Written first: the row's lock keeps new holds out while the old promises are looked at.
            await store.put_vehicle(tx, vehicle_id, settings, now)
            for schedule in await store.lock_later_schedules(tx, vehicle_id, settings, _eve_of(now)):
                broken = find_broken_promise(schedule, travel_time=self._travel_time)
                if broken is not None:
                    detail = f"Broken would be: {broken}. Move the rides first."
                    raise Problem("promises_broken", detail=detail)
        return settings

    async def list_zones(self) -> list[tuple[str, ZoneSettings]]:
        """All zones by id."""
        return await store.list_zones(self._database)

    # What a traveller does.

    async def quote(self, wish: RideWish) -> Offering | Unavailable:
        """Whether the ride could be had just now. Nothing is kept."""
        zone = await self._choose_zone(wish)
        if zone is None:
            return Unavailable(reason="pickup_outside_zone")
        zone_id, settings = zone
        now = self._clock.now()
        async with self._database.transaction() as tx:
            window = _admit(settings.to_zone(zone_id), wish, now)
            if isinstance(window, Unavailable):
                return window
            vehicles = await store.list_vehicles(tx, zone_id)
            schedules = await store.read_schedules(tx, vehicles, window.service_date)
        return self._fit(wish, booking_id=UUID(int=0), zone=zone, window=window, schedules=schedules, now=now)

    async def book(self, wish: RideWish, *, booking_id: UUID, traveller_id: str) -> BookingView:
        """Book a ride to be paid on board, confirmed at once. Safe to repeat. Problem ride_not_available."""
        zone = await self._choose_zone(wish)
        if zone is None:
            raise _not_available("pickup_outside_zone")
        record = await self._take(
            wish, zone, booking_id=booking_id, state=BookingState.CONFIRMED, traveller_id=traveller_id
        )
        if isinstance(record, Unavailable):
            raise _not_available(record.reason)
        return await self.get_booking(record.booking_id)

    async def get_booking(self, booking_id: UUID) -> BookingView:
        """The booking and its times. Raises BookingNotFound."""
        record = await store.find_booking(self._database, booking_id)
        if record is None:
            raise BookingNotFound(
                f"No booking has the id {booking_id}. Take the id from the reply that booked."
            )
        if record.state not in SEATED:
            return BookingView(record=record, visits=None)
        vehicles = await self._settings_of(record.vehicle_id)
        schedules = await store.read_schedules(self._database, vehicles, record.service_date)
        return BookingView(record=record, visits=_find_visits(schedules[record.vehicle_id], booking_id))

    async def move_booking(self, booking_id: UUID, wanted: BookingState) -> BookingView:
        """Bring a booking to a state; give its seat back if that has none. Problem booking_not_movable."""
        async with self._database.transaction() as tx:
            record, schedule = await self._lock(tx, booking_id)
            status = judge_move(record.state, wanted)
            if status is MoveStatus.REFUSED:
                detail = f"A booking that is {record.state} cannot become {wanted}."
                raise Problem("booking_not_movable", detail=detail)
            if status is MoveStatus.MOVED:
                await self._move(tx, record, schedule, wanted)
        return await self.get_booking(booking_id)

    # What sales does: OnDemandPort.

    async def hold(
        self,
        *,
        hold_id: UUID,
        zone_id: str,
        pickup_lat: float,
        pickup_lon: float,
        dropoff_lat: float,
        dropoff_lon: float,
        pickup_at: datetime,
        rider_count: int,
        expires_at: datetime,
    ) -> Hold:
        """Insert the ride into a vehicle's schedule, or say SOLD_OUT. Safe to repeat."""
        settings = await store.find_zone(self._database, zone_id)
        if settings is None:
            raise ZoneNotFound(f"No on-demand zone is called {zone_id!r}. List the zones.")
        wish = RideWish(
            pickup=Place(lat=pickup_lat, lon=pickup_lon),
            dropoff=Place(lat=dropoff_lat, lon=dropoff_lon),
            pickup_at=pickup_at,
            adults=rider_count,
            zone_id=zone_id,
        )
        record = await self._take(
            wish, (zone_id, settings), booking_id=hold_id, state=BookingState.HELD, expires_at=expires_at
        )
        if isinstance(record, Unavailable):
            return Hold(
                hold_id=hold_id, state=HoldState.SOLD_OUT, expires_at=expires_at, detail=record.reason
            )
        return await self._as_hold(record)

    async def confirm(self, *, hold_id: UUID) -> Hold:
        """Promise the ride. A hold whose time is over answers EXPIRED."""
        now = self._clock.now()
        async with self._database.transaction() as tx:
            record, schedule = await self._lock(tx, hold_id)
            is_held = record.state in (BookingState.HELD, BookingState.PENDING)
            if is_held and record.expires_at is not None and record.expires_at <= now:
                record = await self._move(tx, record, schedule, BookingState.EXPIRED)
            elif is_held:
                record = await self._move(tx, record, schedule, BookingState.CONFIRMED)
        return await self._as_hold(record)

    async def release(self, *, hold_id: UUID) -> Hold:
        """Take the ride out of the schedule. One that is under way stays; one never held is released."""
        now = self._clock.now()
        if await store.find_booking(self._database, hold_id) is None:
            return Hold(hold_id=hold_id, state=HoldState.RELEASED, expires_at=now, detail="never held")
        async with self._database.transaction() as tx:
            record, schedule = await self._lock(tx, hold_id)
            for exit_state in (BookingState.ROLLED_BACK, BookingState.CANCELLED_BY_UPSTREAM):
                if judge_move(record.state, exit_state) is MoveStatus.MOVED:
                    record = await self._move(tx, record, schedule, exit_state)
                    break
        return await self._as_hold(record)

    # What the driver and the clock do.

    async def get_schedule(
        self, vehicle_id: str, service_date: date
    ) -> tuple[Schedule, VehicleSettings, Mapping[UUID, BookingState]]:
        """A vehicle's day, and the states of its bookings. Raises VehicleNotFound."""
        vehicles = await self._settings_of(vehicle_id)
        schedules = await store.read_schedules(self._database, vehicles, service_date)
        states = await store.list_states(self._database, vehicle_id, service_date)
        return schedules[vehicle_id], vehicles[vehicle_id], states

    async def expire_holds(self) -> int:
        """Give back the seats of holds whose time is over. Returns how many schedules were cleared."""
        now = self._clock.now()
        crowded = await store.list_schedules_with_expired_holds(self._database, now)
        for vehicle_id, service_date in crowded:
            vehicles = await self._settings_of(vehicle_id)
            async with self._database.transaction() as tx:
                await self._lock_fresh(tx, vehicles, service_date, now)
        return len(crowded)

    # How.

    async def _choose_zone(self, wish: RideWish) -> tuple[str, ZoneSettings] | None:
        """The zone named, else the first that contains the pickup. Raises ZoneNotFound."""
        if wish.zone_id is not None:
            settings = await store.find_zone(self._database, wish.zone_id)
            if settings is None:
                raise ZoneNotFound(f"No on-demand zone is called {wish.zone_id!r}. List the zones.")
            return wish.zone_id, settings
        for zone_id, settings in await self.list_zones():
            if contains_point(settings.to_zone(zone_id), wish.pickup.to_point()):
                return zone_id, settings
        return None

    async def _take(
        self,
        wish: RideWish,
        zone: tuple[str, ZoneSettings],
        *,
        booking_id: UUID,
        state: BookingState,
        traveller_id: str | None = None,
        expires_at: datetime | None = None,
    ) -> BookingRecord | Unavailable:
        """Seat the ride and write its booking, or find the booking that an earlier try has written."""
        zone_id, settings = zone
        now = self._clock.now()
        async with self._database.transaction() as tx:
            earlier = await store.find_booking(tx, booking_id)
            if earlier is not None:
                return earlier
            window = _admit(settings.to_zone(zone_id), wish, now)
            if isinstance(window, Unavailable):
                return window
            vehicles = await store.list_vehicles(tx, zone_id, unchanging=True)
            schedules = await self._lock_fresh(tx, vehicles, window.service_date, now)
            # Asked again under the lock: a copy of this command may have been first.
            earlier = await store.find_booking(tx, booking_id)
            if earlier is not None:
                return earlier
            offering = self._fit(
                wish, booking_id=booking_id, zone=zone, window=window, schedules=schedules, now=now
            )
            if isinstance(offering, Unavailable):
                return offering
            price = _price(settings, wish) if state is BookingState.CONFIRMED else None
            record = BookingRecord(
                booking_id=booking_id,
                zone_id=zone_id,
                operator_id=settings.operator_id,
                vehicle_id=offering.schedule.vehicle.vehicle_id,
                service_date=window.service_date,
                traveller_id=traveller_id,
                state=state,
                adults=wish.adults,
                children=wish.children,
                pickup=wish.pickup,
                dropoff=wish.dropoff,
                price_minor=price,
                currency=settings.fares.currency if price is not None else None,
                expires_at=expires_at,
            )
            await store.write_visits(tx, offering.schedule, window.service_date)
            await store.insert_booking(tx, record, now)
        return record

    async def _lock_fresh(
        self, tx: Any, vehicles: dict[str, VehicleSettings], service_date: date, now: datetime
    ) -> dict[str, Schedule]:
        """Lock schedules and take out of them what has expired."""
        schedules = await store.lock_schedules(tx, vehicles, service_date)
        expired = await store.expire_holds(tx, list(vehicles), service_date, now)
        for booking_id, vehicle_id in expired:
            schedules[vehicle_id] = remove_booking(
                schedules[vehicle_id], booking_id, travel_time=self._travel_time
            )
        for vehicle_id in {vehicle_id for _, vehicle_id in expired}:
            await store.write_visits(tx, schedules[vehicle_id], service_date)
        return schedules

    def _fit(
        self,
        wish: RideWish,
        *,
        booking_id: UUID,
        zone: tuple[str, ZoneSettings],
        window: ServiceWindow,
        schedules: Mapping[str, Schedule],
        now: datetime,
    ) -> Offering | Unavailable:
        zone_id, settings = zone
        request = build_request(
            settings.to_zone(zone_id),
            booking_id=booking_id,
            pickup=wish.pickup.to_point(),
            dropoff=wish.dropoff.to_point(),
            pickup_at=wish.pickup_at,
            riders=wish.rider_count,
            travel_time=self._travel_time,
        )
        found: Insertion | Rejection = cheapest_insertion(
            list(schedules.values()), request, travel_time=self._travel_time, now_s=int(now.timestamp())
        )
        if isinstance(found, Rejection):
            return Unavailable(reason=found.reason.value)
        schedule = insert_ride(schedules[found.vehicle_id], request, found, travel_time=self._travel_time)
        return Offering(
            zone_id=zone_id,
            settings=settings,
            service_date=window.service_date,
            request=request,
            schedule=schedule,
        )

    async def _lock(self, tx: Any, booking_id: UUID) -> tuple[BookingRecord, Schedule]:
        """A booking and its schedule, both locked, the schedule first. Raises BookingNotFound."""
        seen = await store.find_booking(tx, booking_id)
        if seen is None:
            raise BookingNotFound(f"No booking has the id {booking_id}. Take the id from the order.")
        vehicles = await self._settings_of(seen.vehicle_id, tx)
        schedules = await store.lock_schedules(tx, vehicles, seen.service_date)
        return await store.lock_booking(tx, booking_id), schedules[seen.vehicle_id]

    async def _move(
        self, tx: Any, record: BookingRecord, schedule: Schedule, wanted: BookingState
    ) -> BookingRecord:
        """Write a move that was judged; take the seat out of the schedule where the new state has none."""
        if record.state in SEATED and wanted not in SEATED:
            shorter = remove_booking(schedule, record.booking_id, travel_time=self._travel_time)
            await store.write_visits(tx, shorter, record.service_date)
        await store.move_booking(tx, record.booking_id, wanted, self._clock.now())
        return replace(record, state=wanted)

    async def _as_hold(self, record: BookingRecord) -> Hold:
        state = _HOLD_STATE.get(record.state, HoldState.CONFIRMED)
        detail = record.state.value
        if record.state in SEATED:
            view = await self.get_booking(record.booking_id)
            if view.visits is not None:
                pickup_at = datetime.fromtimestamp(view.visits[0].at_s, UTC)
                detail = f"pickup {pickup_at.isoformat()} by {record.vehicle_id}"
        expires_at = record.expires_at or self._clock.now()
        return Hold(hold_id=record.booking_id, state=state, expires_at=expires_at, detail=detail)

    async def _settings_of(self, vehicle_id: str, tx: Any = None) -> dict[str, VehicleSettings]:
        # Inside a transaction its own connection is used: a second one from the pool may never come free.
        settings = await store.find_vehicle(tx or self._database, vehicle_id)
        if settings is None:
            raise VehicleNotFound(f"No on-demand vehicle is called {vehicle_id!r}.")
        return {vehicle_id: settings}


def _admit(zone: Zone, wish: RideWish, now: datetime) -> ServiceWindow | Unavailable:
    """The service window that the wish falls into, unless a rule of the zone forbids it."""
    refusal = find_refusal(
        zone,
        pickup=wish.pickup.to_point(),
        dropoff=wish.dropoff.to_point(),
        pickup_at=wish.pickup_at,
        now=now,
    )
    if refusal is not None:
        return Unavailable(reason=refusal.value)
    window = find_window(zone, wish.pickup_at)
    assert window is not None, "a wish that is not refused is within the hours"
    return window


def _price(settings: ZoneSettings, wish: RideWish) -> int:
    return wish.adults * settings.fares.adult_minor + wish.children * settings.fares.child_minor


def _not_available(reason: str) -> Problem:
    return Problem(
        "ride_not_available",
        detail=f"{reason.replace('_', ' ')}. Ask for another time or place.",
        reason=reason,
    )


def _find_visits(schedule: Schedule, booking_id: UUID) -> tuple[Visit, Visit] | None:
    """The pickup and the drop-off of a booking; None if its seat was given back just now."""
    mine = {visit.kind: visit for visit in schedule.visits if visit.booking_id == booking_id}
    return (mine[VisitKind.PICKUP], mine[VisitKind.DROPOFF]) if mine else None


def _visits_of(schedule: Schedule, booking_id: UUID) -> tuple[Visit, Visit]:
    visits = _find_visits(schedule, booking_id)
    assert visits is not None, "the ride was just inserted here"
    return visits


def _eve_of(now: datetime) -> date:
    """A day on which no vehicle that drives now can have started later: yesterday, in UTC."""
    return date.fromordinal(now.astimezone(UTC).date().toordinal() - 1)
