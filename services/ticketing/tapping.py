"""Taps come in: kept first, then answered; rides and earnings follow.

Problem   A device must know at once, nothing may be lost, and everything may arrive twice, late or out of
          order; at the peak thousands a second.
Idea      Batches that arrive together are judged and stored in one transaction by a handful of statements,
          and answered after its commit (platform/gathering.py). (device, sequence) names a tap, so a repeated
          batch stores nothing and gets the same verdicts. Rating is another transaction, made by the workers:
          killed between the two, it is done after the restart, because `ticket.rate_at` and `medium_due` were
          written with the taps.
Rule      A tap of a genuine ticket in its validity counts, whatever its verdict: an offline acceptance of a
          copied or cancelled ticket is recorded, makes no second ride, and earns nothing that was revoked.
          Whether it counts depends on the tap alone, not on when or after what it arrived; the verdict, which
          is for the person at the gate, does.
Crash     before the commit: no answer, the device sends again. After it: answered or not, everything is
          there.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from maas.tap_signatures import BatchSignature
from maas.taps import Tap, TapKind, service_date_of
from maas.tickets.keys import KeyList
from maas.tickets.layout import read_claimed_ref
from maas.tickets.messages import message_for
from maas.tickets.passback import judge_use
from maas.tickets.revocations import Revocations
from maas.tickets.verify import Checkpoint, Verdict, VerdictStatus, verify
from services.platform.auth import Principal
from services.platform.away import is_database_away
from services.platform.context import ServiceContext
from services.platform.gathering import Gathering
from services.platform.problem import Problem
from services.ticketing.devices import Device, build_devices
from services.ticketing.keys import KeyStore
from services.ticketing.models import TapBatch, TapIn
from services.ticketing.rating import Rating
from services.ticketing.store import TicketingStore
from services.ticketing.tap_store import ArrivedTap, TapKey, TapStore

GATHERED_BATCHES_MAX = 20
"""A thousand taps in batches of fifty: larger transactions gain nothing more and keep the last waiting."""

ON_THEIR_WAY_MAX = 2
"""One is judged while another is flushed."""

COUNTED = frozenset({VerdictStatus.ACCEPTED, VerdictStatus.ALREADY_USED, VerdictStatus.WRONG_PLACE})
"""The verdicts upon which rides are made of a tap, were it judged by its own clock and no news."""

REFUSED_BY_NEWS = frozenset({VerdictStatus.REVOKED, VerdictStatus.SUPERSEDED, VerdictStatus.REVOKED_KEY})
"""What a device that was offline could not know: whoever it let through is on record as having ridden."""

# What a repeated tap must have in common with the stored one.
_SAME = (
    ("operator_id", "operator_id"),
    ("stop_id", "reported_stop_id"),
    ("kind", "kind"),
    ("tapped_at", "tapped_at"),
    ("payload", "payload"),
    ("medium", "medium_ref"),
    ("accepted_offline", "accepted_offline"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedBatch:
    """A batch as it was sent: by whom, the exact bytes, their signature and their content.

    `signature` None: this house's own desk wrote it for the principal (desk.py), no device did.
    """

    principal: Principal
    raw: bytes
    signature: BatchSignature | None
    batch: TapBatch


class Tapping:
    """The use case behind POST /api/taps."""

    def __init__(
        self,
        context: ServiceContext,
        store: TicketingStore,
        taps: TapStore,
        keys: KeyStore,
        rating: Rating,
        *,
        zone: ZoneInfo,
    ) -> None:
        self._context = context
        self._store = store
        self._taps = taps
        self._keys = keys
        self._rating = rating
        self._zone = zone
        self._gathering: Gathering[SignedBatch, bytes | Problem] = Gathering(
            self._record, gathered_max=GATHERED_BATCHES_MAX, on_their_way_max=ON_THEIR_WAY_MAX
        )

    async def record(self, signed: SignedBatch) -> bytes:
        """Judge and keep a batch; the answers as JSON, one a tap. Raises Problem: it is refused whole."""
        try:
            answer = await self._gathering.ask(signed)
        except Exception as error:
            if not is_database_away(error):
                raise
            detail = "The taps are stored, or not; nobody can say now. Send the same batch again."
            raise Problem("service_unavailable", detail=detail) from error
        if isinstance(answer, Problem):
            raise answer
        return answer

    async def _record(self, asked: Sequence[SignedBatch]) -> list[bytes | Problem]:
        now = self._context.clock.now()
        async with self._context.database.transaction() as tx:
            await self._taps.lock_devices(tx, alone=False)
            device_ids = {each.batch.device_id for each in asked}
            devices = build_devices(await self._taps.list_devices(tx, device_ids))
            problems = [_find_problem(each, devices.get(each.batch.device_id)) for each in asked]
            arrived = self._place(
                [each.batch for each, problem in zip(asked, problems, strict=True) if problem is None],
                devices,
            )
            stored, repeated = await self._store_all(tx, arrived, now)
        if any(each.ticket_ref for each in stored.values()):
            self._rating.wake()
        told: set[TapKey] = set()
        return [
            problem or _answer(each.batch, stored, repeated, told)
            for each, problem in zip(asked, problems, strict=True)
        ]

    def _place(self, batches: Iterable[TapBatch], devices: Mapping[str, Device]) -> dict[TapKey, ArrivedTap]:
        """Each tap once, where it counts, in the order of devices and sequences."""
        arrived: dict[TapKey, ArrivedTap] = {}
        for batch in batches:
            device = devices.get(batch.device_id)  # the desk has none
            for tap in batch.taps:
                each = ArrivedTap(
                    device_id=batch.device_id,
                    tap=tap,
                    stop_id=(device and device.place_at(tap.tapped_at)) or tap.stop_id,
                    service_date=service_date_of(tap.tapped_at, zone=self._zone),
                    area_ids=device.area_ids if device else None,
                )
                arrived.setdefault(each.key, each)
        return {key: arrived[key] for key in sorted(arrived)}

    async def _store_all(
        self, tx: Any, arrived: Mapping[TapKey, ArrivedTap], now: datetime
    ) -> tuple[dict[TapKey, ArrivedTap], dict[TapKey, Any]]:
        """Judge and keep what is new; returns it, and the rows of what was there before."""
        with_codes = {key: each for key, each in arrived.items() if each.tap.payload is not None}
        known = await self._taps.list_taps(tx, with_codes)
        fresh = {key: each for key, each in with_codes.items() if key not in known}
        tickets = await self._judge(tx, list(fresh.values()), now)
        keys = await self._taps.insert_taps(
            tx, [each for key, each in arrived.items() if key not in known], now
        )
        stored = {key: each for key, each in arrived.items() if key in keys}
        await self._store.ask_for_rating(tx, tickets)
        media = ((each.tap.medium, each.service_date) for each in stored.values())
        await self._taps.mark_media_due(tx, [(ref, day) for ref, day in media if ref is not None], now)
        # Media, and what another process stored since we looked.
        rest = [key for key in arrived if key not in keys and key not in known]
        return stored, {**known, **await self._taps.list_taps(tx, rest)}

    async def _judge(self, tx: Any, fresh: Sequence[ArrivedTap], now: datetime) -> set[str]:
        """Set the verdicts of taps with a ticket's code; returns the tickets they are of, locked."""
        claimed = (read_claimed_ref(each.tap.payload) for each in fresh if each.tap.payload is not None)
        refs = {ref for ref in claimed if ref is not None}
        if not fresh:
            return set()
        tickets = await self._store.lock_tickets(tx, refs)
        revoked = await self._store.list_revoked(tx, refs)
        counted = await self._taps.list_counted_taps(tx, refs)
        keys = self._keys.published
        for each in fresh:
            _judge_one(each, keys, revoked, counted, now)
        return tickets


def _find_problem(signed: SignedBatch, device: Device | None) -> Problem | None:
    """Why the batch is refused, in a fixed order; None when it is not."""
    if signed.signature is None:
        return _find_stranger(signed.batch, signed.principal.operator_id)
    return _find_device_problem(signed, signed.signature, device)


def _find_device_problem(
    signed: SignedBatch, signature: BatchSignature, device: Device | None
) -> Problem | None:
    batch, operator_id = signed.batch, signed.principal.operator_id
    if device is None or device.operator_id != operator_id:
        detail = f"{batch.device_id} is not registered for {operator_id}. An administrator registers it."
        return Problem("device_refused", detail=detail, reason="unknown")
    since = device.state_since.isoformat()
    if device.state == "denied":
        detail = f"{batch.device_id} is denied since {since}. Nothing is taken from it."
        return Problem("device_refused", detail=detail, reason="denied")
    if signature.device_id != batch.device_id:
        detail = f"The batch is of {batch.device_id}, its signature of {signature.device_id}."
        return Problem("tap_signature_invalid", detail=detail)
    if not signature.is_of(signed.raw, device.public_key):
        detail = f"The registered key of {batch.device_id} did not sign these bytes. Sign the body as sent."
        return Problem("tap_signature_invalid", detail=detail)
    if device.state == "retired" and any(tap.tapped_at >= device.state_since for tap in batch.taps):
        detail = f"{batch.device_id} is retired since {since}. Send only what it tapped before."
        return Problem("device_refused", detail=detail, reason="retired")
    return _find_stranger(batch, operator_id)


def _find_stranger(batch: TapBatch, operator_id: str | None) -> Problem | None:
    strangers = {tap.operator_id for tap in batch.taps} - {operator_id}
    if not strangers:
        return None
    detail = f"This device taps for {operator_id}, not for {', '.join(sorted(strangers))}."
    return Problem("forbidden", detail=detail)


def _judge_one(
    each: ArrivedTap, keys: KeyList, revoked: Revocations, counted: Mapping[str, list[Tap]], now: datetime
) -> None:
    # A device whose clock is ahead must not use tomorrow's ticket today.
    told = own = _verify(each, keys, revoked, min(each.tap.tapped_at, now))
    if each.tap.tapped_at > now or told.status in REFUSED_BY_NEWS:
        own = _verify(each, keys.before_leaks(), Revocations(), each.tap.tapped_at)
    each.verdict = told.status
    if told.ticket is None:
        each.is_counted = False
        return
    each.ticket_ref = told.ticket.ticket_ref
    # A gate that asked us was told, and let nobody through on an ended code.
    is_told = told.status in REFUSED_BY_NEWS and not each.tap.accepted_offline
    # A pass refused outside its area has not begun there.
    is_outside = own.entitlement is not None and own.entitlement.is_pass and not own.is_accepted
    each.is_counted = own.status in COUNTED and not is_told and not is_outside
    each.fare_index = told.entitlement.fare_index if told.entitlement else None
    if not each.is_counted:
        return
    before, mine = counted[each.ticket_ref], each.as_tap()
    fits = told.entitlement if told.is_accepted else None
    if fits is not None:
        rights = told.ticket.entitlements
        each.verdict = judge_use(mine, entitlement=fits, entitlements=rights, earlier=before)
        each.fare_index = fits.fare_index if each.verdict is VerdictStatus.ACCEPTED else None
    before.append(mine)


def _verify(each: ArrivedTap, keys: KeyList, revoked: Revocations, at: datetime) -> Verdict:
    tap = each.tap
    assert tap.payload is not None, "only codes are verified"
    place = Checkpoint(
        operator_id=tap.operator_id,
        stop_id=each.stop_id,
        is_exit=tap.kind is TapKind.EXIT,
        area_ids=each.area_ids,
    )
    return verify(tap.payload, keys=keys, now=at, at=place, revocations=revoked)


def _answer(
    batch: TapBatch, stored: Mapping[TapKey, ArrivedTap], repeated: Mapping[TapKey, Any], told: set[TapKey]
) -> bytes:
    answers = [_answer_one(batch.device_id, tap, stored, repeated, told) for tap in batch.taps]
    return orjson.dumps({"answers": answers})


def _answer_one(
    device_id: str,
    tap: TapIn,
    stored: Mapping[TapKey, ArrivedTap],
    repeated: Mapping[TapKey, Any],
    told: set[TapKey],
) -> dict[str, Any]:
    """What the device needs: the verdict, and a message where it must say no."""
    key = (device_id, tap.sequence)
    fresh = stored.get(key)
    answer: dict[str, Any] = {"sequence": tap.sequence}
    if fresh is None:
        row = repeated[key]
        is_same = all(row[column] == getattr(tap, name) for name, column in _SAME)
        answer |= {"status": row["verdict"], "storage": "repeated" if is_same else "conflicting"}
    elif key in told:
        # Twice in one gathering: the first was stored.
        answer |= {"status": fresh.verdict, "storage": "repeated" if fresh.tap == tap else "conflicting"}
    else:
        told.add(key)
        answer |= {"status": fresh.verdict, "storage": "new"}
        if fresh.fare_index is not None:
            answer["fare_index"] = fresh.fare_index
    if answer["status"] not in ("recorded", "accepted"):
        answer["messages"] = message_for(VerdictStatus(answer["status"]))
    return answer
