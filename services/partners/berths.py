"""Berths on ships: holds that never oversell, bookings with names, sailings that are cancelled.

Problem   Many want the last berth at once; holds run out; an operator cancels while somebody is paying.
Idea      Each class of a sailing has one count, and its row lock is the right to change it. A hold takes the
          sailing's lock shared, so that it falls wholly before a cancellation or wholly after. Everything is
          safe to repeat by the hold's id.
Invariant taken = the sum of places of holds that are held or confirmed, and never above the places there
          are (also a check constraint). After a cancellation no hold of the sailing becomes a booking.
Not here  Money and refunds (services/sales); which days a trip runs (services/planner).
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from maas.errors import BookingNotFound
from maas.events import SailingCancelled, SailingStatusChanged
from maas.ports import Hold, HoldState
from services.partners import store
from services.partners.manifests import ManifestSeal
from services.partners.messages import (
    BerthClasses,
    BerthsOfClass,
    BerthView,
    Manifest,
    ManifestBooking,
    SailingStatus,
)
from services.partners.store import Berths, HoldRecord, SailingRecord, SoldClass
from services.platform.context import ServiceContext
from services.platform.problem import Problem

KEEP_NAMES = timedelta(days=30)
_TAKING = (HoldState.HELD, HoldState.CONFIRMED)
_CANCELLED_DETAIL = "The sailing is cancelled."


class ShipBerths:
    """The berths of all ships. Implements BerthPort."""

    def __init__(self, context: ServiceContext, seal: ManifestSeal) -> None:
        self._context = context
        self._database = context.database
        self._clock = context.clock
        self._seal = seal

    async def hold(
        self,
        *,
        hold_id: UUID,
        trip_id: str,
        service_date: date,
        fare_class: str,
        place_count: int,
        expires_at: datetime,
    ) -> Hold:
        """Keep places, or say SOLD_OUT and why. A hold that is known already is answered as it is now."""
        assert place_count > 0, "a hold is for somebody"
        refused = Hold(hold_id=hold_id, state=HoldState.SOLD_OUT, expires_at=expires_at)
        now = self._clock.now()
        async with self._database.transaction() as tx:
            sold = await store.share_class(tx, trip_id, fare_class)
            if sold is None:
                return replace(refused, detail=f"This sailing sells no class {fare_class!r} here.")
            sailing = await store.open_sailing(tx, trip_id, service_date, sold.operator_id, now, alone=False)
            berths = Berths(trip_id, service_date, sold.fare_class)
            await store.lock_count(tx, berths, sold.place_count)
            await store.expire_holds(tx, berths, now)
            known = await store.find_hold(tx, hold_id)
            if known is not None:
                return known.as_hold()
            if sailing.status is SailingStatus.CANCELLED:
                return replace(refused, detail=_CANCELLED_DETAIL)
            left = await store.count_left(tx, berths)
            if left < place_count:
                return replace(refused, detail=f"{left} places are left in class {sold.fare_class}.")
            record = HoldRecord(
                hold_id=hold_id,
                berths=berths,
                place_count=place_count,
                state=HoldState.HELD,
                expires_at=expires_at,
            )
            await store.insert_hold(tx, record, now)
            await store.add_taken(tx, berths, place_count)
        return record.as_hold()

    async def confirm(self, *, hold_id: UUID, passengers: Sequence[str]) -> Hold:
        """Book under these names. EXPIRED or RELEASED says that the places are gone.

        Raises BookingNotFound.
        """
        now = self._clock.now()
        async with self._database.transaction() as tx:
            record, sailing = await self._lock(tx, hold_id, now)
            if record.state is not HoldState.HELD:
                return record.as_hold()
            if sailing.status is SailingStatus.CANCELLED:
                return (await self._give_back(tx, record, now)).as_hold(_CANCELLED_DETAIL)
            sealed = self._seal.seal(hold_id, passengers)
            await store.insert_manifest(tx, hold_id, sealed, record.berths.service_date + KEEP_NAMES)
            await store.move_hold(tx, hold_id, HoldState.CONFIRMED, now)
        return replace(record, state=HoldState.CONFIRMED).as_hold()

    async def release(self, *, hold_id: UUID) -> Hold:
        """Give the places back. A hold that never came here has nothing to give back."""
        now = self._clock.now()
        async with self._database.transaction() as tx:
            if await store.find_hold(tx, hold_id) is None:
                return Hold(hold_id=hold_id, state=HoldState.RELEASED, expires_at=now)
            record, _sailing = await self._lock(tx, hold_id, now)
            if record.state in _TAKING:
                record = await self._give_back(tx, record, now)
        return record.as_hold()

    async def list_cancelled(self, *, service_date: date) -> list[str]:
        """Trip ids of the sailings cancelled on that day."""
        return await store.list_cancelled(self._database, service_date)

    async def put_classes(self, trip_id: str, settings: BerthClasses) -> BerthClasses:
        """Set what each sailing of a trip sells. Sailings on sale follow, but never below what is taken."""
        now = self._clock.now()
        async with self._database.transaction() as tx:
            for each in sorted(settings.classes, key=lambda each: each.fare_class):
                sold = SoldClass(
                    fare_class=each.fare_class,
                    place_count=each.place_count,
                    operator_id=settings.operator_id,
                )
                await store.put_class(tx, trip_id, sold, each.aliases, now)
            await store.keep_only_classes(tx, trip_id, [each.fare_class for each in settings.classes])
        return settings

    async def get_berths(self, trip_id: str, service_date: date) -> BerthView:
        """What is left on a sailing. Raises Problem sailing_not_found."""
        sold = await store.list_classes(self._database, trip_id)
        if not sold:
            raise _unknown(trip_id)
        counts = await store.list_counts(self._database, trip_id, service_date)
        sailing = await store.find_sailing(self._database, trip_id, service_date)
        status = sailing.status if sailing else SailingStatus.SCHEDULED
        classes = []
        for each in sold:
            place_count, taken = counts.get(each.fare_class, (each.place_count, 0))
            left = 0 if status is SailingStatus.CANCELLED else place_count - taken
            classes.append(
                BerthsOfClass(fare_class=each.fare_class, place_count=place_count, places_left=left)
            )
        return BerthView(
            trip_id=trip_id,
            service_date=service_date,
            operator_id=sold[0].operator_id,
            status=status,
            classes=classes,
        )

    async def list_sailings(self, service_date: date, operator_id: str | None) -> list[SailingRecord]:
        """The sailings of a day that were asked for or spoken about."""
        return await store.list_sailings(self._database, service_date, operator_id)

    async def set_status(
        self, trip_id: str, service_date: date, status: SailingStatus, reason: str, *, operator_id: str | None
    ) -> SailingRecord:
        """Say how a sailing stands. Cancelling is for good, gives held places back and is told to all, once.

        `operator_id` is the caller's; another operator's sailing is not found. Raises Problem
        sailing_not_found, conflict (the sailing is cancelled already and cannot sail again).
        """
        now = self._clock.now()
        async with self._database.transaction() as tx:
            owner = await self._get_operator(tx, trip_id, operator_id)
            before = await store.open_sailing(tx, trip_id, service_date, owner, now, alone=True)
            if before.status is SailingStatus.CANCELLED:
                if status is not SailingStatus.CANCELLED:
                    raise Problem("conflict", detail="The sailing is cancelled and its tickets are void.")
                return before
            after = replace(before, status=status, reason=reason, changed_at=now)
            await store.set_sailing(tx, after)
            if status is SailingStatus.CANCELLED:
                await self._cancel(tx, after, now)
            else:
                await self._context.outbox.append(
                    tx,
                    SailingStatusChanged(
                        trip_id=trip_id,
                        service_date=service_date,
                        operator_id=owner,
                        status="scheduled" if status is SailingStatus.SCHEDULED else "conditional",
                        reason=reason,
                        changed_at=now,
                    ),
                )
        return after

    async def get_manifest(self, trip_id: str, service_date: date, *, operator_id: str | None) -> Manifest:
        """Who sails. `operator_id` as above. Raises Problem sailing_not_found, ManifestUnreadable."""
        owner = await self._get_operator(self._database, trip_id, operator_id)
        rows = await store.list_manifest(self._database, trip_id, service_date)
        return Manifest(
            trip_id=trip_id,
            service_date=service_date,
            operator_id=owner,
            place_count=sum(row.place_count for row in rows),
            bookings=[
                ManifestBooking(
                    hold_id=row.hold_id,
                    fare_class=row.fare_class,
                    place_count=row.place_count,
                    passengers=None if row.sealed is None else self._seal.open(row.hold_id, row.sealed),
                )
                for row in rows
            ],
        )

    async def expire_holds(self) -> int:
        """End the holds whose time is over, wherever they are; returns how many."""
        now = self._clock.now()
        ended = 0
        for berths in await store.list_counts_with_expired_holds(self._database, now):
            async with self._database.transaction() as tx:
                await store.lock_count(tx, berths, 0)
                ended += await store.expire_holds(tx, berths, now)
        return ended

    async def purge_names(self) -> int:
        """Delete names whose sailing is long over; returns of how many bookings."""
        return await store.purge_manifests(self._database, self._clock.now().date())

    async def _cancel(self, tx: Any, sailing: SailingRecord, now: datetime) -> None:
        await store.lock_counts(tx, sailing.trip_id, sailing.service_date)
        for record in await store.list_waiting_holds(tx, sailing.trip_id, sailing.service_date):
            await self._give_back(tx, record, now)
        await self._context.outbox.append(
            tx,
            SailingCancelled(
                trip_id=sailing.trip_id,
                service_date=sailing.service_date,
                operator_id=sailing.operator_id,
                reason=sailing.reason,
            ),
        )

    async def _lock(self, tx: Any, hold_id: UUID, now: datetime) -> tuple[HoldRecord, SailingRecord]:
        """A hold and its sailing, locked in the order of queries.sql; due holds have expired."""
        seen = await store.find_hold(tx, hold_id)
        if seen is None:
            raise BookingNotFound(f"No berths are held under {hold_id}. Take the id from the order.")
        trip_id, service_date, _fare_class = seen.berths
        sailing = await store.open_sailing(tx, trip_id, service_date, "", now, alone=False)
        await store.lock_count(tx, seen.berths, 0)
        await store.expire_holds(tx, seen.berths, now)
        return await store.lock_hold(tx, hold_id), sailing

    async def _give_back(self, tx: Any, record: HoldRecord, now: datetime) -> HoldRecord:
        """Release a hold whose count is locked, and forget its names."""
        assert record.state in _TAKING, "only places that are taken can be given back"
        await store.move_hold(tx, record.hold_id, HoldState.RELEASED, now)
        await store.add_taken(tx, record.berths, -record.place_count)
        await store.drop_manifest(tx, record.hold_id)
        return replace(record, state=HoldState.RELEASED)

    async def _get_operator(self, tx: Any, trip_id: str, operator_id: str | None) -> str:
        """Who runs the trip; None asks as an administrator, for any operator."""
        owner = await store.find_operator(tx, trip_id)
        if owner is None or operator_id not in (None, owner):
            raise _unknown(trip_id)
        return owner


def _unknown(trip_id: str) -> Problem:
    return Problem("sailing_not_found", detail=f"No operator of yours sells berths on {trip_id!r}.")
