"""The rows of the provider's balance: movements, payouts, how far we have fetched.

Invariant A movement is matched once and for good; no ledger entry serves two movements (unique constraints).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from payments.movements import Movement
from services.payments.balance.provider import PayoutReport
from services.payments.store import pause_s
from services.platform.database import Database, load_queries

queries = load_queries(__file__)

_MOVEMENTS = "movements"


@dataclass(frozen=True, slots=True, kw_only=True)
class MovementRow:
    """A movement that is not matched yet."""

    movement: Movement
    payout_id: str | None
    attempts: int


class BalanceStore:
    """The door to the tables of the balance."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find_cursor(self) -> datetime | None:
        """Up to when movements were fetched, or None."""
        until: datetime | None = await self._database.fetchval(queries["find_cursor"], _MOVEMENTS)
        return until

    async def insert_movements(self, movements: list[Movement], *, payout_id: str | None = None) -> None:
        """Make movements known, with the payout that took them when it is told; a repeat changes nothing."""
        async with self._database.transaction() as tx:
            await tx.executemany(
                queries["insert_movement"],
                [
                    (
                        each.movement_id,
                        each.kind,
                        each.category,
                        each.source_id,
                        each.amount_minor,
                        each.fee_minor,
                        each.currency,
                        each.moved_at,
                        payout_id,
                    )
                    for each in movements
                ],
            )
            if movements and payout_id is None:
                await tx.execute(queries["move_cursor"], _MOVEMENTS, max(each.moved_at for each in movements))

    async def claim_movements(self, *, at_once: bool, limit: int) -> list[MovementRow]:
        """Unmatched movements whose time has come, or all of them `at_once`, oldest first."""
        rows = await self._database.fetch(queries["claim_movements"], at_once, limit)
        return sorted(map(_movement_row, rows), key=lambda each: each.movement.moved_at)

    async def match(self, movement_id: str, *, entry_id: UUID, fee_id: UUID | None) -> None:
        """Map a movement to its entry, for good. Raises UniqueViolationError: the entry is another's."""
        await self._database.execute(queries["match_movement"], movement_id, entry_id, fee_id)

    async def note(self, row: MovementRow, why: str) -> None:
        """Not yet; look again later, and later each time."""
        await self._database.execute(
            queries["note_movement"], row.movement.movement_id, why[:500], pause_s(row.attempts)
        )

    async def wake(self, source_id: str) -> None:
        """What waited for this source is due now."""
        await self._database.execute(queries["wake_movements_of"], source_id)

    async def find_capture(self, charge_id: str) -> Any:
        """payment_id, state and captured_minor of the payment with this charge, or None."""
        return await self._database.fetchrow(queries["find_capture"], charge_id)

    async def find_refund(self, provider_id: str) -> Any:
        """refund_id, outcome and amount_minor of the refund with this provider's id, or None."""
        return await self._database.fetchrow(queries["find_refund"], provider_id)

    async def wake_refund(self, refund_id: UUID) -> None:
        """The recovery worker asks the provider about this paid refund now."""
        await self._database.execute(queries["wake_refund"], refund_id)

    async def save_payout(self, report: PayoutReport) -> bool:
        """Keep where a payout is; returns whether it was reconciled before."""
        is_reconciled: bool = await self._database.fetchval(
            queries["save_payout"],
            report.payout_id,
            report.amount_minor,
            report.state.value,
            report.is_automatic,
            report.is_itemised,
            report.arrives_at,
            report.created_at,
        )
        return is_reconciled

    async def find_payout(self, payout_id: str) -> Any:
        """The row of a payout, or None."""
        return await self._database.fetchrow(queries["find_payout"], payout_id)

    async def reconcile_payout(self, payout_id: str, item_count: int | None) -> None:
        """The payout's items were listed and sum to it; None: it has none to list."""
        await self._database.execute(queries["reconcile_payout"], payout_id, item_count)
        await self.wake(payout_id)

    async def note_payout(self, payout_id: str, why: str) -> None:
        """The payout cannot be reconciled yet."""
        await self._database.execute(queries["note_payout"], payout_id, why[:500])

    async def list_unreconciled(self) -> list[str]:
        """Payouts that may still be reconciled."""
        rows = await self._database.fetch(queries["list_unreconciled_payouts"])
        return [row["payout_id"] for row in rows]

    async def list_payouts(self, limit: int) -> list[Any]:
        """The newest payouts."""
        return await self._database.fetch(queries["list_payouts"], limit)

    async def list_unmatched(self) -> list[Any]:
        """Movements without an entry and entries of ours without a movement, oldest first."""
        return await self._database.fetch(queries["list_unmatched"])

    async def sum_movements(self) -> Any:
        """balance_minor, booked_minor, fees_minor, movement_count, matched_count."""
        return await self._database.fetchrow(queries["sum_movements"])


def _movement_row(row: Any) -> MovementRow:
    movement = Movement(
        movement_id=row["movement_id"],
        kind=row["kind"],
        category=row["category"],
        source_id=row["source_id"],
        amount_minor=row["amount_minor"],
        fee_minor=row["fee_minor"],
        currency=row["currency"],
        moved_at=row["moved_at"],
    )
    return MovementRow(movement=movement, payout_id=row["payout_id"], attempts=row["attempts"])
