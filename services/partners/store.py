"""The rows of partners, one query a function; `tx` is a connection in a transaction, or the database."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from pydantic import TypeAdapter

from maas.ports import Hold, HoldState
from maas.sharing.records import PricingPlan, SharingStation, SharingSystem, VehicleType
from services.partners.messages import SailingStatus
from services.platform.database import load_queries

queries = load_queries(__file__)


class Berths(NamedTuple):
    """One class on one sailing: the key of its count."""

    trip_id: str
    service_date: date
    fare_class: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SoldClass:
    """A class as its operator sells it."""

    fare_class: str
    place_count: int
    operator_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SailingRecord:
    """What is known of a trip on a service date."""

    trip_id: str
    service_date: date
    operator_id: str
    status: SailingStatus
    reason: str
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldRecord:
    """A hold as it is kept."""

    hold_id: UUID
    berths: Berths
    place_count: int
    state: HoldState
    expires_at: datetime

    def as_hold(self, detail: str = "") -> Hold:
        """As the port tells it."""
        return Hold(hold_id=self.hold_id, state=self.state, expires_at=self.expires_at, detail=detail)


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedBooking:
    """A confirmed booking; `sealed` is None once its names were purged."""

    hold_id: UUID
    fare_class: str
    place_count: int
    sealed: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemFacts:
    """What changes seldom about a bike system."""

    system: SharingSystem
    vehicle_types: tuple[VehicleType, ...]
    plans: tuple[PricingPlan, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemRecord:
    """A bike system that we follow; `facts` is None until its GBFS was read once."""

    system_id: str
    gbfs_url: str
    operator_id: str
    facts: SystemFacts | None


_FACTS = TypeAdapter(SystemFacts)
_STATION = TypeAdapter(SharingStation)


async def put_class(tx: Any, trip_id: str, sold: SoldClass, aliases: Sequence[str], now: datetime) -> None:
    """Write what a class of a trip can sell."""
    await tx.execute(
        queries["put_berth_class"],
        trip_id,
        sold.fare_class,
        list(aliases),
        sold.place_count,
        sold.operator_id,
        now,
    )


async def keep_only_classes(tx: Any, trip_id: str, fare_classes: Sequence[str]) -> None:
    """Stop selling the trip's other classes, and carry the new sizes to sailings already on sale."""
    await tx.execute(queries["drop_other_classes"], trip_id, list(fare_classes))
    await tx.execute(queries["resize_counts"], trip_id)


async def share_class(tx: Any, trip_id: str, name: str) -> SoldClass | None:
    """The class of that name or alias, unchanging until the transaction ends."""
    row = await tx.fetchrow(queries["share_class"], trip_id, name)
    return None if row is None else SoldClass(**dict(row))


async def list_classes(tx: Any, trip_id: str) -> list[SoldClass]:
    """All classes a trip sells."""
    rows = await tx.fetch(queries["list_classes"], trip_id)
    return [
        SoldClass(
            fare_class=row["fare_class"], place_count=row["place_count"], operator_id=row["operator_id"]
        )
        for row in rows
    ]


async def find_operator(tx: Any, trip_id: str) -> str | None:
    """Who runs the trip, if it sells berths here."""
    operator_id: str | None = await tx.fetchval(queries["find_operator"], trip_id)
    return operator_id


async def open_sailing(
    tx: Any, trip_id: str, service_date: date, operator_id: str, now: datetime, *, alone: bool
) -> SailingRecord:
    """The sailing, made if need be, locked until the transaction ends: shared, or `alone`."""
    await tx.execute(queries["open_sailing"], trip_id, service_date, operator_id, now)
    row = await tx.fetchrow(queries["lock_sailing" if alone else "share_sailing"], trip_id, service_date)
    return _sailing(row)


async def find_sailing(tx: Any, trip_id: str, service_date: date) -> SailingRecord | None:
    """The sailing, if anybody asked for it or spoke about it."""
    row = await tx.fetchrow(queries["find_sailing"], trip_id, service_date)
    return None if row is None else _sailing(row)


async def set_sailing(tx: Any, sailing: SailingRecord) -> None:
    """Write a sailing's status."""
    await tx.execute(
        queries["set_sailing"],
        sailing.trip_id,
        sailing.service_date,
        sailing.status.value,
        sailing.reason,
        sailing.changed_at,
    )


async def list_sailings(tx: Any, service_date: date, operator_id: str | None) -> list[SailingRecord]:
    """The sailings of a day that have a row."""
    rows = await tx.fetch(queries["list_sailings"], service_date, operator_id)
    return [_sailing(row) for row in rows]


async def list_cancelled(tx: Any, service_date: date) -> list[str]:
    """Trips that do not sail that day."""
    return [row["trip_id"] for row in await tx.fetch(queries["list_cancelled"], service_date)]


async def lock_count(tx: Any, berths: Berths, place_count: int) -> None:
    """Have the count, made with `place_count` if need be, and lock it."""
    await tx.execute(queries["open_count"], *berths, place_count)
    await tx.fetchrow(queries["lock_count"], *berths)


async def lock_counts(tx: Any, trip_id: str, service_date: date) -> None:
    """Lock all counts of a sailing."""
    await tx.fetch(queries["lock_counts"], trip_id, service_date)


async def count_left(tx: Any, berths: Berths) -> int:
    """Places of a locked count that nobody has."""
    row = await tx.fetchrow(queries["lock_count"], *berths)
    left: int = row["place_count"] - row["taken"]
    return left


async def list_counts(tx: Any, trip_id: str, service_date: date) -> dict[str, tuple[int, int]]:
    """Places and places taken by class, of the classes somebody asked for."""
    rows = await tx.fetch(queries["list_counts"], trip_id, service_date)
    return {row["fare_class"]: (row["place_count"], row["taken"]) for row in rows}


async def add_taken(tx: Any, berths: Berths, places: int) -> None:
    """Take places of a locked count; negative gives back."""
    await tx.execute(queries["add_taken"], *berths, places)


async def expire_holds(tx: Any, berths: Berths, now: datetime) -> int:
    """End the due holds of a locked count; returns how many."""
    ended: int = await tx.fetchval(queries["expire_holds"], *berths, now)
    return ended


async def list_counts_with_expired_holds(tx: Any, now: datetime) -> list[Berths]:
    """Counts that still keep places for expired holds, at most two hundred."""
    rows = await tx.fetch(queries["list_counts_with_expired_holds"], now)
    return [Berths(*row) for row in rows]


async def insert_hold(tx: Any, record: HoldRecord, now: datetime) -> None:
    """Write a new hold."""
    await tx.execute(
        queries["insert_hold"], record.hold_id, *record.berths, record.place_count, record.expires_at, now
    )


async def find_hold(tx: Any, hold_id: UUID) -> HoldRecord | None:
    """The hold of that id."""
    row = await tx.fetchrow(queries["find_hold"], hold_id)
    return None if row is None else _hold(row)


async def lock_hold(tx: Any, hold_id: UUID) -> HoldRecord:
    """The hold of that id, which is there, locked."""
    return _hold(await tx.fetchrow(queries["lock_hold"], hold_id))


async def move_hold(tx: Any, hold_id: UUID, state: HoldState, now: datetime) -> None:
    """Write a hold's new state."""
    await tx.execute(queries["move_hold"], hold_id, state.value, now)


async def list_waiting_holds(tx: Any, trip_id: str, service_date: date) -> list[HoldRecord]:
    """The holds of a sailing that are not bookings yet, locked."""
    rows = await tx.fetch(queries["list_waiting_holds"], trip_id, service_date)
    return [_hold(row) for row in rows]


async def insert_manifest(tx: Any, hold_id: UUID, sealed: bytes, purge_after: date) -> None:
    """Keep a booking's names; names that are there already stay."""
    await tx.execute(queries["insert_manifest"], hold_id, sealed, purge_after)


async def drop_manifest(tx: Any, hold_id: UUID) -> None:
    """Forget a booking's names."""
    await tx.execute(queries["drop_manifest"], hold_id)


async def list_manifest(tx: Any, trip_id: str, service_date: date) -> list[SealedBooking]:
    """All bookings of a sailing."""
    rows = await tx.fetch(queries["list_manifest"], trip_id, service_date)
    return [SealedBooking(**dict(row)) for row in rows]


async def purge_manifests(tx: Any, today: date) -> int:
    """Forget the names whose time is over; returns how many bookings."""
    purged: int = await tx.fetchval(queries["purge_manifests"], today)
    return purged


async def put_system(tx: Any, system_id: str, gbfs_url: str, operator_id: str, now: datetime) -> None:
    """Follow a bike system. A new address forgets what the old one said."""
    await tx.execute(queries["put_bike_system"], system_id, gbfs_url, operator_id, now)


async def list_systems(tx: Any) -> list[SystemRecord]:
    """All bike systems we follow."""
    rows = await tx.fetch(queries["list_bike_systems"])
    return [
        SystemRecord(
            system_id=row["system_id"],
            gbfs_url=row["gbfs_url"],
            operator_id=row["operator_id"],
            facts=None if row["facts"] is None else _FACTS.validate_python(row["facts"]),
        )
        for row in rows
    ]


async def write_facts(
    tx: Any, record: SystemRecord, facts: SystemFacts, stations: Sequence[SharingStation]
) -> None:
    """Replace what is known of a system and its stations; nothing if its address changed meanwhile."""
    body = _FACTS.dump_python(facts, mode="json")
    tag = await tx.execute(queries["write_bike_facts"], record.system_id, body, record.gbfs_url)
    if tag == "UPDATE 0":
        return
    await tx.execute(queries["drop_bike_stations"], record.system_id)
    await tx.execute(
        queries["insert_bike_stations"],
        record.system_id,
        [station.station_id for station in stations],
        [_STATION.dump_python(station, mode="json") for station in stations],
    )


async def list_stations(tx: Any, system_id: str) -> tuple[SharingStation, ...]:
    """The stations of a system, as last read."""
    rows = await tx.fetch(queries["list_bike_stations"], system_id)
    return tuple(_STATION.validate_python(row["station"]) for row in rows)


def _sailing(row: Any) -> SailingRecord:
    values = dict(row)
    return SailingRecord(**{**values, "status": SailingStatus(values["status"])})


def _hold(row: Any) -> HoldRecord:
    return HoldRecord(
        hold_id=row["hold_id"],
        berths=Berths(row["trip_id"], row["service_date"], row["fare_class"]),
        place_count=row["place_count"],
        state=HoldState(row["state"]),
        expires_at=row["expires_at"],
    )
