"""Taps come in: kept first, then answered; rides and earnings follow.

Problem   A device must know at once, nothing may be lost, and everything may arrive twice, late or out of
          order.
Idea      A batch is judged and stored in one transaction, with the tickets locked, and answered after its
          commit. (device, sequence) names a tap, so a repeated batch stores nothing and gets the same
          verdicts. Rating is another transaction, made by the worker: killed between the two, it is done
          after the restart, because `rate_at` was set with the tap.
Rule      A tap of a genuine ticket in its validity counts, whatever its verdict: an offline acceptance of a
          copied or cancelled ticket is recorded, makes no second ride, and earns nothing that was revoked.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from maas.events import TapRecorded
from maas.taps import Tap, TapKind, pair_rides, service_date_of
from maas.tickets.messages import message_for
from maas.tickets.revocations import Revocations
from maas.tickets.verify import Checkpoint, Verdict, VerdictStatus, authenticate, verify
from services.platform.auth import Principal
from services.platform.context import ServiceContext
from services.platform.problem import Problem
from services.ticketing.keys import KeyStore
from services.ticketing.models import TapAnswer, TapAnswers, TapBatch, TapIn, TapStatus
from services.ticketing.rating import Rating
from services.ticketing.store import TicketingStore, tap_id_of

COUNTED: frozenset[TapStatus] = frozenset(
    {
        "recorded",
        VerdictStatus.ACCEPTED,
        VerdictStatus.ALREADY_USED,
        VerdictStatus.REVOKED,
        VerdictStatus.WRONG_PLACE,
    }
)
COLUMNS = {"medium": "medium_ref"}


@dataclass(frozen=True, slots=True)
class Tapping:
    """The use case behind POST /api/taps."""

    context: ServiceContext
    store: TicketingStore
    keys: KeyStore
    rating: Rating
    zone: ZoneInfo

    async def record(self, principal: Principal, batch: TapBatch) -> TapAnswers:
        """Judge and keep a batch. Taps of another operator than the device's are refused, all together."""
        strangers = {tap.operator_id for tap in batch.taps} - {principal.operator_id}
        if strangers:
            detail = f"This device taps for {principal.operator_id}, not for {', '.join(sorted(strangers))}."
            raise Problem("forbidden", detail=detail)
        now = self.context.clock.now()
        published = self.keys.published
        payloads = [tap.payload for tap in batch.taps if tap.payload is not None]
        genuine = [authenticate(payload, keys=published).ticket for payload in payloads]
        refs = {ticket.ticket_ref for ticket in genuine if ticket is not None}
        async with self.context.database.transaction() as tx:
            known = await self.store.lock_tickets(tx, refs)
            revoked = Revocations(revoked=await self.store.list_revoked(tx, refs))
            answers = await self._record_all(tx, batch, revoked, now)
            await self.store.ask_for_rating(tx, known)
            media = [
                (tap.medium, service_date_of(tap.tapped_at, zone=self.zone))
                for tap, answer in zip(batch.taps, answers, strict=True)
                if tap.medium is not None and answer.storage == "new"
            ]
            await self.store.mark_media_due(tx, media, now)
        self.rating.wake()
        return TapAnswers(answers=answers)

    async def _record_all(
        self, tx: Any, batch: TapBatch, revoked: Revocations, now: datetime
    ) -> list[TapAnswer]:
        # In the order of the device's own sequence: two copies of a batch then never wait for each other.
        answers: dict[int, TapAnswer] = {}
        for place, tap in sorted(enumerate(batch.taps), key=lambda placed: placed[1].sequence):
            answers[place] = await self._record_one(tx, batch.device_id, tap, revoked, now)
        return [answers[place] for place in range(len(batch.taps))]

    async def _record_one(
        self, tx: Any, device_id: str, tap: TapIn, revoked: Revocations, now: datetime
    ) -> TapAnswer:
        before = await self.store.find_tap(tx, device_id, tap.sequence)
        if before is None:
            verdict = await self._judge(tx, device_id, tap, revoked, now)
            status: TapStatus = verdict.status if verdict else "recorded"
            ticket_ref = verdict.ticket.ticket_ref if verdict and verdict.ticket else None
            if await self.store.insert_tap(
                tx,
                device_id,
                tap,
                verdict=status,
                ticket_ref=ticket_ref,
                is_counted=status in COUNTED,
                service_date=service_date_of(tap.tapped_at, zone=self.zone),
                now=now,
            ):
                await self.context.outbox.append(tx, _recorded(device_id, tap))
                return _answer(device_id, tap, status, storage="new", verdict=verdict)
            # Another connection of the same device was quicker.
            before = await self.store.find_tap(tx, device_id, tap.sequence)
        storage = "repeated" if _is_same(before, tap) else "conflicting"
        status = "recorded" if before["verdict"] == "recorded" else VerdictStatus(before["verdict"])
        return _answer(device_id, tap, status, storage=storage)

    async def _judge(
        self, tx: Any, device_id: str, tap: TapIn, revoked: Revocations, now: datetime
    ) -> Verdict | None:
        if tap.payload is None:
            return None
        at = Checkpoint(operator_id=tap.operator_id, stop_id=tap.stop_id, is_exit=tap.kind is TapKind.EXIT)
        # A device whose clock is ahead must not use tomorrow's ticket today.
        judged_at = min(tap.tapped_at, now)
        verdict = verify(tap.payload, keys=self.keys.published, now=judged_at, at=at, revocations=revoked)
        if not verdict.is_accepted or verdict.ticket is None:
            return verdict
        taps = await self.store.list_counted_taps(tx, verdict.ticket.ticket_ref)
        entitlements = verdict.ticket.entitlements
        if pair_rides([*taps, _as_tap(device_id, tap)], entitlements) == pair_rides(taps, entitlements):
            return Verdict(status=VerdictStatus.ALREADY_USED, ticket=verdict.ticket)
        return verdict


def _as_tap(device_id: str, tap: TapIn) -> Tap:
    return Tap(
        device_id=device_id,
        sequence=tap.sequence,
        tapped_at=tap.tapped_at,
        kind=tap.kind,
        operator_id=tap.operator_id,
        stop_id=tap.stop_id,
    )


def _recorded(device_id: str, tap: TapIn) -> TapRecorded:
    return TapRecorded(
        tap_id=tap_id_of(device_id, tap.sequence),
        device_id=device_id,
        operator_id=tap.operator_id,
        stop_id=tap.stop_id,
        tapped_at=tap.tapped_at,
    )


def _is_same(row: Any, tap: TapIn) -> bool:
    return all(row[COLUMNS.get(name, name)] == getattr(tap, name) for name in TapIn.model_fields)


def _answer(
    device_id: str, tap: TapIn, status: TapStatus, *, storage: Any, verdict: Verdict | None = None
) -> TapAnswer:
    entitlement = verdict.entitlement if verdict else None
    return TapAnswer(
        sequence=tap.sequence,
        tap_id=tap_id_of(device_id, tap.sequence),
        status=status,
        storage=storage,
        fare_index=entitlement.fare_index if entitlement else None,
        messages={} if status == "recorded" else message_for(status),
    )
