"""Codes of tickets after their issue: bound to a device, moved to another, printed, signed anew.

Problem   A ticket is one right, shown in many ways over its life; only the last may count, and everything
          that was ever shown must end with the ticket.
Idea      Each way is an edition. A new one is written under the ticket's lock, becomes the one that counts,
          and is told to the gates as "editions below it count no more", all in one transaction.
            bind     the device signs, with the key it registered, for one edition, window and anchor
            print    a static code, for paper or a wallet's pass
            close    a lost device: what was on it becomes a static code, for its owner alone
            reissue  a leaked key: every ticket that counts by it gets an edition signed by another key, with
                     the same anchor, so that the device goes on after it has fetched the new signature
Crash     Killed at any line, the transaction is there or not. Reissuing claims tickets by the key of their
          code, so it goes on after a restart with those that are left.
Not here  First codes (issuing.py), what a code is (maas/tickets).
"""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import structlog

from maas.tickets.base45 import encode_base45
from maas.tickets.holder import (
    DeviceKeyUnreadable,
    binding_statement,
    has_device_signed,
    registration_statement,
)
from maas.tickets.issue import sign, sign_for_device
from maas.tickets.keys import SigningKey
from maas.tickets.layout import EDITIONS_MAX, MINUTES_MAX, can_be_written, decode_payload
from maas.tickets.moving_code import LINKS_MAX, count_links
from maas.tickets.ticket import Ticket, TicketForm
from services.platform.context import ServiceContext
from services.platform.problem import Problem
from services.ticketing.code_models import BindingIn, HolderDeviceIn
from services.ticketing.code_store import Binding, CodeRow, CodeStore
from services.ticketing.keys import KeyStore

log = structlog.get_logger()

REISSUE_BATCH = 100
# A revocation wakes the worker; this is for tickets that were locked, or signed in the same moment.
IDLE_S = 300.0
DEVICES_MAX = 10
# Some editions are kept for a leak of keys; who moves a ticket more often is not moving house.
EDITIONS_BY_HOLDER_MAX = EDITIONS_MAX - 56
# Beyond, a validity is written in whole hours; a chain of the longest period hardly reaches further.
VALIDITY_MAX = timedelta(minutes=MINUTES_MAX)
_DEVICES = UUID("0d5a5a0f-5d3e-5d41-9c52-646576696365")


@dataclass(frozen=True, slots=True)
class Codes:
    """The use cases on codes and devices."""

    context: ServiceContext
    store: CodeStore
    keys: KeyStore
    leaked: asyncio.Event

    async def register_device(self, traveller_id: str, wanted: HolderDeviceIn) -> Any:
        """Keep a device's key, once it has shown that it holds it. Safe to repeat."""
        statement = registration_statement(traveller_id=traveller_id, public_key=wanted.public_key_bytes)
        _check_proof(wanted.public_key_bytes, wanted.signature_bytes, statement)
        devices = await self.store.list_devices(traveller_id)
        open_count = sum(each["closed_at"] is None for each in devices)
        device_id = uuid5(_DEVICES, f"{traveller_id}/{wanted.public_key_bytes.hex()}")
        if open_count >= DEVICES_MAX and device_id not in {each["device_id"] for each in devices}:
            raise Problem("conflict", detail=f"You have {DEVICES_MAX} devices. Report a lost one first.")
        now = self.context.clock.now()
        await self.store.insert_device(device_id, traveller_id, wanted.public_key_bytes, wanted.name, now)
        return await self.store.find_device(device_id, traveller_id)

    async def close_device(self, traveller_id: str, device_id: UUID) -> Any:
        """A lost device: no code on it counts any more, and none will be bound to it. Safe to repeat."""
        if await self.store.find_device(device_id, traveller_id) is None:
            raise Problem("ticket_device_not_found", detail="List your devices to see their ids.")
        now = self.context.clock.now()
        async with self.context.database.transaction() as tx:
            await self.store.close_device(tx, device_id, now)
            for row in await self.store.list_tickets_on_device(tx, device_id, now):
                if _has_edition_left(row):
                    await self._make_static(tx, row, now=now, reason="device_closed")
        return await self.store.find_device(device_id, traveller_id)

    async def bind(self, traveller_id: str, ticket_id: UUID, wanted: BindingIn) -> CodeRow:
        """Bind a ticket's next edition to a device; a repeat of the last binding answers the same."""
        device = await self.store.find_device(wanted.device_id, traveller_id)
        if device is None:
            raise Problem("ticket_device_not_found", detail="Register the device first, or use another.")
        statement = binding_statement(
            ticket_id=ticket_id,
            edition=wanted.edition,
            valid_from=wanted.valid_from,
            valid_until=wanted.valid_until,
            period_s=wanted.period_s,
            anchor=wanted.anchor_bytes,
        )
        _check_proof(device["public_key"], wanted.signature_bytes, statement)
        now = self.context.clock.now()
        async with self.context.database.transaction() as tx:
            if not await self.store.is_device_open(tx, wanted.device_id, traveller_id):
                raise Problem("ticket_device_not_found", detail="It was reported lost. Use another device.")
            row = await self._lock(tx, ticket_id, traveller_id, now)
            current = await self.store.get_code(tx, row["ticket_ref"])
            if current.edition == wanted.edition and current.anchor == wanted.anchor_bytes:
                return current
            _check_window(row, wanted, now)
            if wanted.edition != current.edition + 1:
                raise Problem(
                    "conflict", detail=f"Sign for edition {current.edition + 1}: the ticket has had others."
                )
            return await self._make_moving(
                tx, row, wanted.binding, edition=wanted.edition, now=now, reason="bound"
            )

    async def print(self, traveller_id: str, ticket_id: UUID) -> CodeRow:
        """A static code. One that counts already is answered as it is; a moving one is ended."""
        now = self.context.clock.now()
        async with self.context.database.transaction() as tx:
            row = await self._lock(tx, ticket_id, traveller_id, now)
            current = await self.store.get_code(tx, row["ticket_ref"])
            if current.form is TicketForm.STATIC:
                return current
            return await self._make_static(tx, row, now=now, reason="printed")

    async def revoke_key(self, key_id: int, reason: str) -> None:
        """A key has leaked: tell the gates, and sign its tickets anew. Safe to repeat."""
        now = self.context.clock.now()
        if await asyncio.to_thread(self.keys.revoke, key_id, now) is None:
            raise Problem("ticket_key_not_found", detail="GET /api/ticketing/keys lists the keys.")
        async with self.context.database.transaction() as tx:
            await self.store.revoke_key(tx, key_id, reason=reason, now=now)
        self.leaked.set()

    async def run_reissue(self) -> None:
        """For ever: sign anew what a leaked key has signed."""
        await self._tell_of_leaks()
        while True:
            self.leaked.clear()
            after: str | None = ""
            while after is not None:
                after = await self.reissue_some(after=after)
            try:
                async with asyncio.timeout(IDLE_S):
                    await self.leaked.wait()
            except TimeoutError:
                continue

    async def reissue_some(self, *, after: str = "") -> str | None:
        """Sign a batch anew, of tickets beyond `after`; returns the last of them, None if there was none."""
        leaked = self._leaked_ids()
        if not leaked:
            return None
        now = self.context.clock.now()
        async with self.context.database.transaction() as tx:
            rows = await self.store.claim_tickets_of_keys(tx, leaked, now, after=after, limit=REISSUE_BATCH)
            for row in rows:
                if _has_edition_left(row):
                    await self._sign_anew(tx, row, now)
        return rows[-1]["ticket_ref"] if rows else None

    async def _tell_of_leaks(self) -> None:
        """Killed after the key was marked and before the gates were told: told now."""
        now = self.context.clock.now()
        for key_id in self._leaked_ids():
            async with self.context.database.transaction() as tx:
                await self.store.revoke_key(tx, key_id, reason="leaked", now=now)

    def _leaked_ids(self) -> set[int]:
        return {key.key_id for key in self.keys.published.keys.values() if key.revoked_at is not None}

    async def _lock(self, tx: Any, ticket_id: UUID, traveller_id: str, now: datetime) -> Any:
        row = await self.store.lock_ticket(tx, ticket_id, traveller_id)
        if row is None:
            raise Problem("ticket_not_found", detail="Confirm the order, or ask with your own ticket's id.")
        if row["valid_until"] <= now:
            raise Problem("conflict", detail="The ticket has run out; it needs no other code.")
        if row["edition"] + 1 >= EDITIONS_BY_HOLDER_MAX:
            raise Problem("conflict", detail="The ticket was moved too often. Show the code that it has.")
        if not can_be_written(_first_ticket(row)):
            raise Problem("conflict", detail="The ticket is of an older layout. Show the code that it has.")
        return row

    async def _make_moving(
        self, tx: Any, row: Any, binding: Binding, *, edition: int, now: datetime, reason: str
    ) -> CodeRow:
        key = await self._key_for(binding.valid_from, now)
        ticket = replace(
            _first_ticket(row),
            key_id=key.public.key_id,
            edition=edition,
            form=TicketForm.DEVICE,
            valid_from=binding.valid_from,
            valid_until=binding.valid_until,
        )
        part = sign_for_device(ticket, key, anchor=binding.anchor, period_s=binding.period_s)
        code = replace(
            code_of(ticket, encode_base45(part), now, reason=reason),
            device_id=binding.device_id,
            anchor=binding.anchor,
            period_s=binding.period_s,
        )
        return await self.store.replace_code(tx, code)

    async def _make_static(self, tx: Any, row: Any, *, now: datetime, reason: str) -> CodeRow:
        key = await self._key_for(row["valid_from"], now)
        ticket = replace(_first_ticket(row), key_id=key.public.key_id, edition=row["edition"] + 1)
        code = code_of(ticket, sign(ticket, key), now, reason=reason)
        return await self.store.replace_code(tx, code)

    async def _sign_anew(self, tx: Any, row: Any, now: datetime) -> None:
        current = await self.store.get_code(tx, row["ticket_ref"])
        binding = current.binding
        if binding is None:
            await self._make_static(tx, row, now=now, reason="key_revoked")
            return
        edition = current.edition + 1
        await self._make_moving(tx, row, binding, edition=edition, now=now, reason="key_revoked")

    async def _key_for(self, valid_from: datetime, now: datetime) -> SigningKey:
        return await asyncio.to_thread(self.keys.key_for, valid_from=valid_from, now=now)


def code_of(ticket: Ticket, payload: str, now: datetime, *, reason: str) -> CodeRow:
    """A code as it is kept; of one on a device the binding is still to be added."""
    return CodeRow(
        ticket_ref=ticket.ticket_ref,
        edition=ticket.edition,
        form=ticket.form,
        key_id=ticket.key_id,
        payload=payload,
        valid_from=ticket.valid_from,
        valid_until=ticket.valid_until,
        issued_at=now,
        reason=reason,
    )


def _first_ticket(row: Any) -> Ticket:
    return decode_payload(row["payload"]).ticket


def _has_edition_left(row: Any) -> bool:
    """A ticket of an old layout, or one issued 256 times, stays as it is until it runs out."""
    if can_be_written(_first_ticket(row)) and row["edition"] + 1 < EDITIONS_MAX:
        return True
    log.warning("ticket_has_no_edition_left", ticket_ref=row["ticket_ref"], edition=row["edition"])
    return False


def _check_proof(public_key: bytes, signature: bytes, statement: bytes) -> None:
    """Raises Problem device_proof_invalid."""
    try:
        is_theirs = has_device_signed(public_key, signature, statement)
    except DeviceKeyUnreadable as error:
        raise Problem("device_proof_invalid", detail=str(error)) from None
    if not is_theirs:
        raise Problem("device_proof_invalid", detail=f"Sign exactly these bytes: {statement.decode()}")


def _check_window(row: Any, wanted: BindingIn, now: datetime) -> None:
    """Raises Problem binding_invalid unless the code's validity lies in the ticket's and has a chain."""
    starts, ends = wanted.valid_from, wanted.valid_until
    if not row["valid_from"] <= starts < ends <= row["valid_until"] or ends <= now:
        detail = f"Stay within {row['valid_from']:%Y-%m-%dT%H:%MZ} to {row['valid_until']:%Y-%m-%dT%H:%MZ}."
        raise Problem("binding_invalid", detail=detail)
    if any(instant.second or instant.microsecond for instant in (starts, ends)):
        raise Problem("binding_invalid", detail="Begin and end on whole minutes.")
    if count_links(starts, ends, wanted.period_s) > LINKS_MAX or ends - starts > VALIDITY_MAX:
        detail = f"A chain has at most {LINKS_MAX} periods: shorten the validity, or lengthen the period."
        raise Problem("binding_invalid", detail=detail)
