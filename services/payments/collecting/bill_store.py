"""The rows of bills and of the tries to collect them.

Invariant A bill has at most one open try. A draw's amount is off what is due from the moment it is written,
          and due again when the ledger refuses it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from maas.events import StandingChanged
from payments.collection import DEBTS, Bill, BillState
from payments.errors import BillNotFound
from services.payments.collecting.store import CollectionStore, queries
from services.platform.outbox import Outbox


@dataclass(frozen=True, slots=True, kw_only=True)
class WalletTry:
    """A wallet is asked for so much; its transfer has the try's id."""

    try_id: UUID
    customer_id: str
    bill_number: int
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CardTry:
    """A card is asked for so much, by a payment with the try's id: a kept card, or one that was given.

    `is_stale`: its payer had an hour to act.
    """

    try_id: UUID
    customer_id: str
    bill_number: int
    amount_minor: int
    method_id: UUID | None
    payment_method: str | None
    is_stale: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BillRow:
    """A bill and the version it was read at."""

    bill: Bill
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Gatherable:
    """A locked customer whose day may be over."""

    customer_id: str
    due_minor: int
    bill_number: int
    has_open_try: bool
    can_give_back: bool


class BillStore:
    """The door to the tables of bills."""

    def __init__(self, store: CollectionStore, outbox: Outbox) -> None:
        self._store = store
        self._outbox = outbox
        self.database = store.database

    async def claim_draws(self, *, limit: int) -> list[str]:
        """Customers whose wallet may pay something of what is due."""
        return [row["customer_id"] for row in await self.database.fetch(queries["claim_draws"], limit)]

    async def begin_draws(
        self, customer_ids: Sequence[str], *, at_most: int | None = None
    ) -> list[WalletTry]:
        """Write down that these wallets are asked for all that is due, or for a part of it."""
        async with self.database.transaction() as tx:
            rows = await tx.fetch(queries["begin_draws"], list(customer_ids), at_most)
        return [WalletTry(**dict(row)) for row in rows]

    async def rest_draw(self, customer_id: str) -> None:
        """There was nothing to draw."""
        await self.database.execute(queries["rest_draw"], customer_id)

    async def list_open_draws(self, *, at_once: bool) -> list[WalletTry]:
        """Wallet tries whose worker died."""
        rows = await self.database.fetch(queries["list_open_draws"], at_once)
        return [WalletTry(**dict(row)) for row in rows]

    async def end_draws(self, tries: Sequence[WalletTry], *, refused: set[UUID]) -> None:
        """These were paid, but for the refused ones, whose amounts are due again."""
        async with self.database.transaction() as tx:
            rows = await tx.fetch(
                queries["end_tries"],
                [each.try_id for each in tries],
                ["declined" if each.try_id in refused else "paid" for each in tries],
                ["insufficient_funds" if each.try_id in refused else None for each in tries],
            )
            back = [row for row in rows if row["state"] == "declined"]
            if back:
                await tx.execute(
                    queries["put_back_due"],
                    [row["customer_id"] for row in back],
                    [row["bill_number"] for row in back],
                    [row["amount_minor"] for row in back],
                )

    async def list_to_gather(self, now: datetime, *, limit: int) -> list[str]:
        """Customers whose day is over."""
        return [
            row["customer_id"] for row in await self.database.fetch(queries["list_to_gather"], now, limit)
        ]

    async def lock_gatherable(self, tx: Any, customer_id: str, now: datetime) -> Gatherable | None:
        """The customer, locked; None when another worker has it or it was gathered meanwhile."""
        row = await tx.fetchrow(queries["lock_customer"], customer_id)
        if row is None or row["gather_at"] is None or row["gather_at"] > now:
            return None
        return Gatherable(
            customer_id=customer_id,
            due_minor=row["due_minor"],
            bill_number=row["bill_number"],
            has_open_try=await tx.fetchval(queries["has_open_try"], customer_id, row["bill_number"]),
            can_give_back=row["has_wallet"] or row["refundable_minor"] >= -row["due_minor"],
        )

    async def carry_forward(self, tx: Any, customer_id: str) -> None:
        """What is due waits for the next charge."""
        await tx.execute(queries["carry_forward"], customer_id)

    async def insert_bill(self, tx: Any, bill: Bill) -> None:
        """Close the bill; the customer gathers the next one."""
        await tx.execute(queries["begin_next_bill"], bill.customer_id)
        await tx.execute(
            queries["insert_bill"],
            bill.bill_id,
            bill.customer_id,
            bill.number,
            bill.amount_minor,
            bill.outstanding_minor,
            bill.state.value,
            bill.closed_at,
            bill.next_attempt_at,
        )

    async def claim_bills(self, now: datetime, *, at_once: bool, limit: int) -> list[UUID]:
        """Bills whose time has come, or whose try was left open."""
        rows = await self.database.fetch(queries["claim_bills"], now, limit, at_once)
        return [row["bill_id"] for row in rows]

    async def get_bill(self, bill_id: UUID) -> BillRow:
        """Raises BillNotFound."""
        row = await self.database.fetchrow(queries["find_bill"], bill_id)
        if row is None:
            raise BillNotFound("No bill has this id. List the bills to find it.")
        return BillRow(bill=bill_of(row), version=row["version"])

    async def save_bill(
        self,
        row: BillRow,
        changed: Bill,
        *,
        now: datetime,
        ended: tuple[UUID, str, str | None] | None = None,
        reason: str | None = None,
    ) -> bool:
        """Save the bill with the end of a try (id, state, decline code), and the deny list as it is then.

        False: somebody else has written the bill since, or begun a try upon it; nothing is saved.
        """
        async with self.database.transaction() as tx:
            if await tx.fetchval(queries["lock_bill"], changed.bill_id, row.version) is None:
                return False
            if ended is None and await tx.fetchval(
                queries["has_open_try"], changed.customer_id, changed.number
            ):
                return False
            version = await tx.fetchval(
                queries["save_bill"],
                changed.bill_id,
                row.version,
                changed.outstanding_minor,
                changed.state.value,
                changed.attempts,
                changed.decline_code,
                changed.owed_since,
                changed.next_attempt_at,
                changed.written_off_minor,
                reason,
            )
            if version is None:
                return False
            if ended is not None:
                try_id, state, code = ended
                await tx.fetch(queries["end_tries"], [try_id], [state], [code])
            if (row.bill.state in DEBTS) != (changed.state in DEBTS):
                await self._settle_standing(tx, changed.customer_id, now)
        return True

    async def _settle_standing(self, tx: Any, customer_id: str, now: datetime) -> None:
        is_denied = await tx.fetchval(queries["lock_standing"], customer_id)
        has_debt = await tx.fetchval(queries["has_debt"], customer_id)
        if is_denied != has_debt:
            listing = await self._store.set_denied(tx, customer_id, is_denied=has_debt, at=now)
            assert listing is not None, "the customer is locked, and was not so before"
            owed_minor = await tx.fetchval(queries["sum_debts"], customer_id)
            change = StandingChanged(
                customer_id=customer_id, is_denied=has_debt, owed_minor=owed_minor, listing=listing
            )
            await self._outbox.append(tx, change)

    async def note_failure(self, bill_id: UUID, error: str, pause_s: float) -> None:
        """Look at it again later."""
        await self.database.execute(queries["note_bill_failure"], bill_id, error[:500], pause_s)

    async def begin_try(
        self,
        row: BillRow,
        *,
        source: str,
        amount_minor: int,
        method_id: UUID | None = None,
        payment_method: str | None = None,
    ) -> None:
        """Write a try down, unless another one is open or somebody has written the bill since."""
        bill = row.bill
        count = await self.database.fetchval(queries["count_tries"], bill.customer_id, bill.number)
        await self.database.fetchval(
            queries["begin_try"],
            uuid5(bill.bill_id, f"try:{count + 1}"),
            bill.bill_id,
            source,
            amount_minor,
            method_id,
            payment_method,
            row.version,
        )

    async def find_open_try(self, bill: Bill) -> WalletTry | CardTry | None:
        """The bill's open try, or None."""
        row = await self.database.fetchrow(queries["find_open_try"], bill.customer_id, bill.number)
        if row is None:
            return None
        what: dict[str, Any] = {
            name: row[name] for name in ("try_id", "customer_id", "bill_number", "amount_minor")
        }
        if row["source"] == "wallet":
            return WalletTry(**what)
        return CardTry(
            **what,
            method_id=row["method_id"],
            payment_method=row["payment_method"],
            is_stale=row["is_stale"],
        )

    async def wait_for_payer(self, try_id: UUID, url: str | None) -> None:
        """The payer must act at `url`."""
        await self.database.execute(queries["wait_for_payer"], try_id, url)

    async def list_bills(self, customer_id: str, *, limit: int) -> list[Bill]:
        """A customer's bills, the newest first."""
        rows = await self.database.fetch(queries["list_bills"], customer_id, limit)
        return [bill_of(row) for row in rows]

    async def list_debts(self, customer_id: str | None, *, limit: int) -> list[Bill]:
        """Debts of one customer, or of all; the oldest first."""
        rows = await self.database.fetch(queries["list_debts"], customer_id, limit)
        return [bill_of(row) for row in rows]

    async def list_charges(self, bill: Bill) -> list[Any]:
        """The charges that a bill gathered."""
        return await self.database.fetch(queries["list_bill_charges"], bill.customer_id, bill.number)

    async def list_tries(self, bill: Bill) -> list[Any]:
        """Draws and tries, in order."""
        return await self.database.fetch(queries["list_bill_tries"], bill.customer_id, bill.number)

    async def sum_given_back(self, bill: Bill) -> int:
        """What of a bill below 0 is on its way back to cards, or has arrived."""
        total: int = await self.database.fetchval(queries["sum_given_back"], give_back_reason(bill))
        return total

    async def list_refundable(self, customer_id: str) -> list[tuple[UUID, int]]:
        """Card payments of bills that can be given back, and how much of each; the newest first."""
        rows = await self.database.fetch(queries["list_refundable"], customer_id)
        return [(row["payment_id"], row["left_minor"]) for row in rows]


def give_back_reason(bill: Bill) -> str:
    """The reason on refunds that give a bill back: they are found by it."""
    return f"bill:{bill.bill_id}"


def bill_of(row: Any) -> Bill:
    """The bill that a row tells."""
    return Bill(
        bill_id=row["bill_id"],
        customer_id=row["customer_id"],
        number=row["number"],
        amount_minor=row["amount_minor"],
        outstanding_minor=row["outstanding_minor"],
        state=BillState(row["state"]),
        closed_at=row["closed_at"],
        attempts=row["attempts"],
        decline_code=row["decline_code"],
        owed_since=row["owed_since"],
        next_attempt_at=row["next_attempt_at"],
        written_off_minor=row["written_off_minor"],
    )
