"""The rows of what customers owe.

Invariant `due_minor` is the sum of a customer's charges under the number of the bill being gathered: both are
          written in one transaction, with the customer locked.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from payments.ports import Charge, DenyListing
from services.platform.database import Database, load_queries

queries = load_queries(__file__)


@dataclass(frozen=True, slots=True)
class Owed:
    """A recorded charge: what its transfer is made of. `refusals`: how often the ledger refused it."""

    charge_id: UUID
    customer_id: str
    amount_minor: int
    currency: str
    reference: str
    refusals: int = 0


class CollectionStore:
    """The door to the tables of charges and the deny list."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def find_charges(self, charge_ids: Sequence[UUID]) -> dict[UUID, tuple[int, str]]:
        """Amount and currency of those that are recorded."""
        rows = await self.database.fetch(queries["list_known_charges"], charge_ids)
        return {row["charge_id"]: (row["amount_minor"], row["currency"]) for row in rows}

    async def insert_charges(
        self,
        tx: Any,
        charges: Sequence[Charge],
        payers: Sequence[str],
        batch_id: UUID,
        *,
        gather_at: datetime,
    ) -> list[Owed]:
        """Record charges (ids all different) upon their payers; those that were new, in order.

        A customer who was not gathering a bill begins one, to be closed at `gather_at`.
        """
        names = sorted(set(payers))
        await tx.execute(queries["insert_customers"], names)
        numbers = {
            row["customer_id"]: row["bill_number"] for row in await tx.fetch(queries["lock_customers"], names)
        }
        rows = await tx.fetch(
            queries["insert_charges"],
            [each.charge_id for each in charges],
            [each.customer_id for each in charges],
            payers,
            [numbers[payer] for payer in payers],
            [each.amount.amount_minor for each in charges],
            [each.amount.currency for each in charges],
            [each.reference for each in charges],
            [each.service_date for each in charges],
            batch_id,
        )
        new_ids = {row["charge_id"] for row in rows}
        fresh = [
            Owed(each.charge_id, payer, each.amount.amount_minor, each.amount.currency, each.reference)
            for each, payer in zip(charges, payers, strict=True)
            if each.charge_id in new_ids
        ]
        if fresh:
            more: defaultdict[str, int] = defaultdict(int)
            for owed in fresh:
                more[owed.customer_id] += owed.amount_minor
            await tx.execute(queries["add_due"], list(more), list(more.values()), gather_at)
            await tx.execute(queries["insert_batch"], batch_id)
        return fresh

    async def finish_batch(self, batch_id: UUID, refused: dict[UUID, str]) -> None:
        """The batch is in the ledger, but for those that it refused."""
        async with self.database.transaction() as tx:
            if refused:
                await tx.execute(queries["insert_refused"], list(refused), list(refused.values()))
            await tx.execute(queries["finish_batch"], batch_id)

    async def list_unposted_batches(self, *, at_once: bool) -> list[UUID]:
        """Batches whose caller died before they were in the ledger."""
        rows = await self.database.fetch(queries["list_unposted_batches"], at_once)
        return [row["batch_id"] for row in rows]

    async def list_charges_of_batch(self, batch_id: UUID) -> list[Owed]:
        """The charges of a batch."""
        rows = await self.database.fetch(queries["list_charges_of_batch"], batch_id)
        return [Owed(**dict(row)) for row in rows]

    async def claim_refused(self) -> list[Owed]:
        """Charges that the ledger refused and is to be asked for again."""
        rows = await self.database.fetch(queries["claim_refused"])
        return [Owed(*row) for row in rows]

    async def note_refused(self, again: Sequence[tuple[Owed, str]]) -> None:
        """The ledger refused these once more, with that status."""
        await self.database.execute(
            queries["note_refused"],
            [owed.charge_id for owed, _ in again],
            [owed.refusals for owed, _ in again],
            [status for _, status in again],
        )

    async def delete_refused(self, charge_ids: Sequence[UUID]) -> None:
        """These are in the ledger now."""
        await self.database.execute(queries["delete_refused"], charge_ids)

    async def set_denied(self, tx: Any, customer_id: str, *, is_denied: bool, at: datetime) -> int | None:
        """Put a customer on the deny list or take them off: the number of the change.

        None: it was so already, and nothing has changed.
        """
        await tx.execute(queries["lock_deny_list"])
        listing: int | None = await tx.fetchval(queries["set_denied"], customer_id, is_denied, at)
        return listing

    async def list_denied(self, *, after_sequence: int, limit: int) -> list[DenyListing]:
        """Changes of the deny list, in order."""
        rows = await self.database.fetch(queries["list_denied"], after_sequence, limit)
        return [DenyListing(**dict(row)) for row in rows]
