"""Dispatch's rows. The lock on a vehicle's schedule of a day is always taken before those on its bookings."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from maas.on_demand.bookings import BookingState
from maas.on_demand.schedules import Schedule, Visit
from maas.on_demand.zones import build_vehicle
from services.dispatch.messages import Place, VehicleSettings, ZoneSettings
from services.platform.database import load_queries

queries = load_queries(__file__)

_VISITS: TypeAdapter[tuple[Visit, ...]] = TypeAdapter(tuple[Visit, ...])


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingRecord:
    """A row of `booking`. `expires_at` is set for holds, the price for rides booked without an order."""

    booking_id: UUID
    zone_id: str
    operator_id: str
    vehicle_id: str
    service_date: date
    traveller_id: str | None
    state: BookingState
    adults: int
    children: int
    pickup: Place
    dropoff: Place
    price_minor: int | None
    currency: str | None
    expires_at: datetime | None


def _booking(row: Any) -> BookingRecord:
    fields = {name: row[name] for name in BookingRecord.__slots__}
    fields["state"] = BookingState(row["state"])
    fields["pickup"] = Place.model_validate(row["pickup"])
    fields["dropoff"] = Place.model_validate(row["dropoff"])
    return BookingRecord(**fields)


async def put_zone(tx: Any, zone_id: str, settings: ZoneSettings, now: datetime) -> None:
    """Write a zone, new or changed."""
    await tx.execute(
        queries["put_zone"], zone_id, settings.operator_id, settings.model_dump(mode="json"), now
    )


async def list_zones(tx: Any) -> list[tuple[str, ZoneSettings]]:
    """All zones by id."""
    rows = await tx.fetch(queries["list_zones"])
    return [(row["zone_id"], ZoneSettings.model_validate(row["settings"])) for row in rows]


async def find_zone(tx: Any, zone_id: str) -> ZoneSettings | None:
    """The zone of that id."""
    settings = await tx.fetchval(queries["find_zone"], zone_id)
    return None if settings is None else ZoneSettings.model_validate(settings)


async def put_vehicle(tx: Any, vehicle_id: str, settings: VehicleSettings, now: datetime) -> None:
    """Write a vehicle, new or changed."""
    await tx.execute(
        queries["put_vehicle"],
        vehicle_id,
        settings.operator_id,
        list(settings.zone_ids),
        settings.model_dump(mode="json"),
        now,
    )


async def find_vehicle(tx: Any, vehicle_id: str) -> VehicleSettings | None:
    """The vehicle of that id."""
    settings = await tx.fetchval(queries["find_vehicle"], vehicle_id)
    return None if settings is None else VehicleSettings.model_validate(settings)


async def list_vehicles(tx: Any, zone_id: str, *, unchanging: bool = False) -> dict[str, VehicleSettings]:
    """The vehicles that serve a zone, by id; `unchanging` until the transaction ends, if so asked."""
    query = "share_vehicles_of_zone" if unchanging else "list_vehicles_of_zone"
    rows = await tx.fetch(queries[query], zone_id)
    return {row["vehicle_id"]: VehicleSettings.model_validate(row["settings"]) for row in rows}


def build_schedule(
    vehicle_id: str, settings: VehicleSettings, service_date: date, visits: Any = ()
) -> Schedule:
    """A schedule from its row."""
    vehicle = build_vehicle(
        vehicle_id=vehicle_id,
        seats=settings.seats,
        depot=settings.depot.to_point(),
        timezone=settings.timezone,
        shift_starts_s=settings.shift_starts_s,
        shift_ends_s=settings.shift_ends_s,
        service_date=service_date,
    )
    return Schedule(vehicle=vehicle, visits=_VISITS.validate_python(visits))


async def lock_schedules(
    tx: Any, vehicles: dict[str, VehicleSettings], service_date: date
) -> dict[str, Schedule]:
    """The vehicles' schedules of a day, made where missing, locked until the transaction ends."""
    await tx.execute(queries["make_schedules"], list(vehicles), service_date)
    rows = await tx.fetch(queries["lock_schedules"], list(vehicles), service_date)
    return {
        row["vehicle_id"]: build_schedule(
            row["vehicle_id"], vehicles[row["vehicle_id"]], service_date, row["visits"]
        )
        for row in rows
    }


async def read_schedules(
    tx: Any, vehicles: dict[str, VehicleSettings], service_date: date
) -> dict[str, Schedule]:
    """The vehicles' schedules of a day as they are now, empty where there is no row."""
    rows = await tx.fetch(queries["read_schedules"], list(vehicles), service_date)
    visits = {row["vehicle_id"]: row["visits"] for row in rows}
    return {
        vehicle_id: build_schedule(vehicle_id, settings, service_date, visits.get(vehicle_id, ()))
        for vehicle_id, settings in vehicles.items()
    }


async def lock_later_schedules(
    tx: Any, vehicle_id: str, settings: VehicleSettings, since: date
) -> list[Schedule]:
    """What a vehicle has promised from a day on, seen with `settings`, locked."""
    rows = await tx.fetch(queries["lock_later_schedules"], vehicle_id, since)
    return [build_schedule(vehicle_id, settings, row["service_date"], row["visits"]) for row in rows]


async def write_visits(tx: Any, schedule: Schedule, service_date: date) -> None:
    """Keep a schedule's visits. Its row must be locked."""
    visits = _VISITS.dump_python(schedule.visits, mode="json")
    await tx.execute(queries["write_visits"], schedule.vehicle.vehicle_id, service_date, visits)


async def expire_holds(
    tx: Any, vehicle_ids: Sequence[str], service_date: date, now: datetime
) -> list[tuple[UUID, str]]:
    """End the holds of locked schedules whose time is over: (booking, vehicle)."""
    rows = await tx.fetch(queries["expire_holds"], list(vehicle_ids), service_date, now)
    return [(row["booking_id"], row["vehicle_id"]) for row in rows]


async def list_schedules_with_expired_holds(tx: Any, now: datetime) -> list[tuple[str, date]]:
    """(vehicle, service date) of the schedules that still seat expired holds, at most a hundred."""
    rows = await tx.fetch(queries["list_schedules_with_expired_holds"], now)
    return [(row["vehicle_id"], row["service_date"]) for row in rows]


async def insert_booking(tx: Any, booking: BookingRecord, now: datetime) -> None:
    """Write a new booking."""
    await tx.execute(
        queries["insert_booking"],
        booking.booking_id,
        booking.zone_id,
        booking.operator_id,
        booking.vehicle_id,
        booking.service_date,
        booking.traveller_id,
        booking.state.value,
        booking.adults,
        booking.children,
        booking.pickup.model_dump(),
        booking.dropoff.model_dump(),
        booking.price_minor,
        booking.currency,
        booking.expires_at,
        now,
    )


async def find_booking(tx: Any, booking_id: UUID) -> BookingRecord | None:
    """The booking of that id."""
    row = await tx.fetchrow(queries["find_booking"], booking_id)
    return None if row is None else _booking(row)


async def lock_booking(tx: Any, booking_id: UUID) -> BookingRecord:
    """The booking of that id, which is there, locked until the transaction ends."""
    return _booking(await tx.fetchrow(queries["lock_booking"], booking_id))


async def move_booking(tx: Any, booking_id: UUID, state: BookingState, now: datetime) -> None:
    """Write a booking's new state."""
    await tx.execute(queries["move_booking"], booking_id, state.value, now)


async def list_states(tx: Any, vehicle_id: str, service_date: date) -> dict[UUID, BookingState]:
    """The states of a schedule's bookings."""
    rows = await tx.fetch(queries["list_states"], vehicle_id, service_date)
    return {row["booking_id"]: BookingState(row["state"]) for row in rows}
