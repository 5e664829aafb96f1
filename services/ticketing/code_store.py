"""Rows of codes, devices and what ended them. Methods with `tx` take part in the caller's transaction."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from maas.tickets.ticket import TicketForm
from services.platform.database import Database
from services.ticketing.store import queries


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """A device, and the chain that its secret hangs on."""

    device_id: UUID
    anchor: bytes
    period_s: int
    valid_from: datetime
    valid_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRow:
    """A code of a ticket, as it is kept. The last three are None on a static one."""

    ticket_ref: str
    edition: int
    form: TicketForm
    key_id: int
    payload: str
    valid_from: datetime
    valid_until: datetime
    issued_at: datetime
    reason: str
    device_id: UUID | None = None
    anchor: bytes | None = None
    period_s: int | None = None

    @property
    def binding(self) -> Binding | None:
        """The device and chain; None on a static code."""
        if self.device_id is None or self.anchor is None or self.period_s is None:
            return None
        return Binding(
            device_id=self.device_id,
            anchor=self.anchor,
            period_s=self.period_s,
            valid_from=self.valid_from,
            valid_until=self.valid_until,
        )


class CodeStore:
    """All SQL of codes and devices."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def insert_code(self, tx: Any, code: CodeRow) -> bool:
        """Keep a code; False when this edition is there already."""
        fresh = await tx.fetchval(
            queries["insert_code"],
            code.ticket_ref,
            code.edition,
            code.form.value,
            code.key_id,
            code.payload,
            code.device_id,
            code.anchor,
            code.period_s,
            code.valid_from,
            code.valid_until,
            code.issued_at,
            code.reason,
        )
        return fresh is not None

    async def replace_code(self, tx: Any, code: CodeRow) -> CodeRow:
        """Let this code count and the earlier ones no more; returned as kept. The caller locks the ticket."""
        is_new = await self.insert_code(tx, code)
        assert is_new, "editions are given under the ticket's lock"
        await tx.execute(queries["set_edition"], code.ticket_ref, code.edition)
        await tx.execute(queries["lock_revocations"])
        await tx.execute(
            queries["upsert_code_revocation"], code.ticket_ref, code.edition, code.issued_at, code.reason
        )
        return await self.get_code(tx, code.ticket_ref)

    async def lock_ticket(self, tx: Any, ticket_id: UUID, traveller_id: str) -> Any:
        """The traveller's own ticket, locked; else None."""
        return await tx.fetchrow(queries["lock_ticket"], ticket_id, traveller_id)

    async def get_code(self, tx: Any, ticket_ref: str) -> CodeRow:
        """The code of a ticket that counts."""
        row = await tx.fetchrow(queries["get_code"], ticket_ref)
        assert row is not None, "a ticket has a code from its issue on"
        return _code(row)

    async def list_codes(self, ticket_refs: Iterable[str]) -> dict[str, CodeRow]:
        """The codes that count, by ticket_ref."""
        rows = await self._database.fetch(queries["list_codes"], list(ticket_refs))
        return {row["ticket_ref"]: _code(row) for row in rows}

    async def revoke_key(self, tx: Any, key_id: int, *, reason: str, now: datetime) -> None:
        """Tell the devices that a key counts no more. Safe to repeat."""
        await tx.execute(queries["lock_revocations"])
        await tx.execute(queries["insert_key_revocation"], key_id, now, reason)

    async def list_code_revocations(self, since: int, limit: int) -> list[Any]:
        """Ended codes with a sequence above `since`, in order."""
        return await self._database.fetch(queries["list_code_revocations"], since, limit)

    async def list_key_revocations(self, since: int, limit: int) -> list[Any]:
        """Ended keys with a sequence above `since`, in order."""
        return await self._database.fetch(queries["list_key_revocations"], since, limit)

    async def insert_device(
        self, device_id: UUID, traveller_id: str, public_key: bytes, name: str, now: datetime
    ) -> None:
        """Keep a device. One registered before stays as it was."""
        await self._database.execute(
            queries["insert_holder_device"], device_id, traveller_id, public_key, name, now
        )

    async def find_device(self, device_id: UUID, traveller_id: str) -> Any:
        """The traveller's own device, else None."""
        return await self._database.fetchrow(queries["find_holder_device"], device_id, traveller_id)

    async def is_device_open(self, tx: Any, device_id: UUID, traveller_id: str) -> bool:
        """Whether the traveller's device may be bound to; it stays so until the transaction ends."""
        return bool(await tx.fetchval(queries["is_device_open"], device_id, traveller_id))

    async def list_devices(self, traveller_id: str) -> list[Any]:
        """The traveller's devices, oldest first."""
        return await self._database.fetch(queries["list_holder_devices"], traveller_id)

    async def close_device(self, tx: Any, device_id: UUID, now: datetime) -> None:
        """Nothing is bound to the device from now on."""
        await tx.execute(queries["close_holder_device"], device_id, now)

    async def forget_devices(self, tx: Any, traveller_id: str) -> None:
        """Remove a traveller's devices with their names and keys."""
        await tx.execute(queries["forget_holder_devices"], traveller_id)

    async def list_tickets_on_device(self, tx: Any, device_id: UUID, now: datetime) -> list[Any]:
        """The tickets, locked, that are not over and whose code is on a device."""
        rows: list[Any] = await tx.fetch(queries["list_tickets_on_device"], device_id, now)
        return rows

    async def claim_tickets_of_keys(
        self, tx: Any, key_ids: Collection[int], now: datetime, *, after: str, limit: int
    ) -> list[Any]:
        """Tickets beyond `after`, locked, that are not over and whose code one of these keys has signed."""
        rows: list[Any] = await tx.fetch(queries["claim_tickets_of_keys"], list(key_ids), now, after, limit)
        return rows

    async def list_uses(self, since: int, limit: int) -> list[Any]:
        """Uses noted after `since`, in order; more than `limit` where one transaction noted them."""
        return await self._database.fetch(queries["list_uses"], str(since), limit)

    async def find_by_phone_code(self, phone_code: str) -> Any:
        """The ticket that a code read by telephone names, else None."""
        return await self._database.fetchrow(queries["find_by_phone_code"], phone_code)

    async def count_misses(self, subject: str, since: datetime) -> int:
        """How often this caller has named a code that is none, since then."""
        return int(await self._database.fetchval(queries["count_misses"], subject, since))

    async def count_miss(self, subject: str, now: datetime, *, forget_before: datetime) -> None:
        """Note that a caller has named a code that is none."""
        await self._database.execute(queries["forget_misses"], forget_before)
        await self._database.execute(queries["count_miss"], subject, now)


def _code(row: Any) -> CodeRow:
    return CodeRow(**{**row, "form": TicketForm(row["form"])})
