"""The rows of disputed orders."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from maas.chargebacks import OrderDisputeState
from maas.events import PaymentDisputed, PaymentDisputeDecided
from services.platform.database import Database, load_queries

queries = load_queries(__file__)


class DisputedStore:
    """All SQL of disputed orders. Methods with `tx` take part in the caller's transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def insert(
        self,
        tx: Any,
        event: PaymentDisputed | PaymentDisputeDecided,
        *,
        traveller_id: str,
        is_pass: bool,
        operators: Sequence[str],
        now: datetime,
    ) -> bool:
        """Keep a dispute as open; False when it is known."""
        fresh = await tx.fetchval(
            queries["insert_disputed_order"],
            event.dispute_id,
            event.order_id,
            event.payment_id,
            traveller_id,
            is_pass,
            list(operators),
            event.amount_minor,
            event.reason if isinstance(event, PaymentDisputed) else "",
            now,
        )
        return fresh is not None

    async def decide(self, tx: Any, dispute_id: str, state: OrderDisputeState, now: datetime) -> bool:
        """The bank decided; False when that is known."""
        fresh = await tx.fetchval(queries["decide_disputed_order"], dispute_id, state.value, now)
        return fresh is not None

    async def note_taken_back(self, tx: Any, dispute_id: str, amount_minor: int) -> None:
        """What was revoked because of it."""
        await tx.execute(queries["note_taken_back"], dispute_id, amount_minor)

    async def close_failed_refunds(
        self, tx: Any, order_id: UUID, *, up_to_minor: int, now: datetime
    ) -> list[Any]:
        """Refunds of the order that had not arrived are not owed any more. `told_at`: as it was before."""
        rows: list[Any] = await tx.fetch(queries["close_failed_refunds"], order_id, up_to_minor, now)
        return rows

    async def find_newest(self, order_id: UUID) -> Any:
        """The newest dispute of an order, or None."""
        return await self._database.fetchrow(queries["find_newest_of_order"], order_id)

    async def list_all(self, operator_id: str | None, *, limit: int) -> list[Any]:
        """Disputed orders, newest first; of one operator, or of all with None."""
        return await self._database.fetch(queries["list_disputed_orders"], operator_id, limit)
