"""The rows of passes. A pass is stored as the JSON document of its dataclass."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from maas.orders import Order
from maas.passes import PassOrder, PassUse, earned_from
from services.platform.database import Database, load_queries
from services.sales.store import ORDERS

queries = load_queries(__file__)

PASSES: TypeAdapter[PassOrder] = TypeAdapter(PassOrder)


class PassStore:
    """All SQL of passes. Methods with `tx` take part in the caller's transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def insert(self, order: PassOrder) -> None:
        """Keep a new pass; one that is there stays as it is."""
        document = PASSES.dump_python(order, mode="json")
        await self._database.execute(
            queries["insert_pass"],
            order.pass_id,
            order.traveller_id,
            order.state.value,
            document,
            *_instants(order),
            order.placed_at,
            order.expires_at,
        )

    async def find(self, pass_id: UUID) -> tuple[PassOrder, str | None] | None:
        """A pass, whoever's it is, and how far its refund is."""
        row = await self._database.fetchrow(queries["find_pass"], pass_id)
        return None if row is None else _read(row)

    async def lock(self, tx: Any, pass_id: UUID) -> PassOrder | None:
        """The pass, locked until the transaction ends."""
        row = await tx.fetchrow(queries["lock_pass"], pass_id)
        return None if row is None else _read(row)[0]

    async def update(self, tx: Any, order: PassOrder) -> None:
        """Keep a changed pass."""
        document = PASSES.dump_python(order, mode="json")
        await tx.execute(
            queries["update_pass"], order.pass_id, order.state.value, document, *_instants(order)
        )

    async def list_of(self, traveller_id: str, *, limit: int) -> list[tuple[PassOrder, str | None]]:
        """A traveller's passes, newest first."""
        return [_read(row) for row in await self._database.fetch(queries["list_passes"], traveller_id, limit)]

    async def list_held(self, traveller_id: str, *, since: datetime, until: datetime) -> list[PassOrder]:
        """Paid passes that may cover an entry between two instants."""
        rows = await self._database.fetch(queries["list_held"], traveller_id, since, until)
        return [PASSES.validate_python(row["document"]) for row in rows]

    async def list_holders(
        self, traveller_ids: Sequence[str], *, since: datetime, until: datetime
    ) -> list[str]:
        """Those with a paid pass that may cover an entry between two instants."""
        rows = await self._database.fetch(queries["list_pass_holders"], traveller_ids, since, until)
        return [row["traveller_id"] for row in rows]

    async def take_lease(self, pass_id: UUID, payment_method: str | None) -> tuple[PassOrder, str] | None:
        """The right to drive a pending pass's payment, and with what it is paid; None when it is taken."""
        row = await self._database.fetchrow(queries["take_lease"], pass_id, payment_method)
        return None if row is None else (PASSES.validate_python(row["document"]), row["payment_method"] or "")

    async def renew_lease(self, pass_id: UUID) -> None:
        """The driver still lives."""
        await self._database.execute(queries["renew_lease"], pass_id)

    async def drop_lease(self, pass_id: UUID, *, forget_method: bool) -> None:
        """Let others drive. With `forget_method` the payment is not taken up again by itself."""
        await self._database.execute(queries["drop_lease"], pass_id, forget_method)

    async def list_unfinished(self) -> list[UUID]:
        """Passes whose payment was begun and left."""
        return [row["pass_id"] for row in await self._database.fetch(queries["list_unfinished"])]

    async def list_expired(self, now: datetime) -> list[UUID]:
        """Pending passes that nobody pays any more."""
        return [row["pass_id"] for row in await self._database.fetch(queries["list_expired"], now)]

    async def list_to_earn(self, now: datetime) -> list[UUID]:
        """Passes that are over."""
        return [row["pass_id"] for row in await self._database.fetch(queries["list_to_earn"], now)]

    async def begin_refund(self, tx: Any, pass_id: UUID, reason: str) -> None:
        """Note that money has to go back; the worker sends it."""
        await tx.execute(queries["begin_refund"], pass_id, reason)

    async def list_pending_refunds(self) -> list[tuple[PassOrder, str]]:
        """Passes whose money is not with the traveller yet, and why it goes back."""
        rows = await self._database.fetch(queries["list_pending_refunds"])
        return [(PASSES.validate_python(row["document"]), row["refund_reason"]) for row in rows]

    async def close_refund(self, tx: Any, pass_id: UUID, state: str) -> bool:
        """A refund was paid or has failed; False when that was known."""
        return await tx.fetchval(queries["close_refund"], pass_id, state) is not None

    async def reopen_refund(self, tx: Any, pass_id: UUID) -> tuple[PassOrder, str, bool] | None:
        """A refund that failed or came back is paid: the pass, why, whether settlement knew; or None."""
        row = await tx.fetchrow(queries["reopen_refund"], pass_id)
        if row is None:
            return None
        return PASSES.validate_python(row["document"]), row["refund_reason"], row["refund_told"]

    async def return_refund(self, tx: Any, pass_id: UUID) -> None:
        """A paid refund has come back."""
        await tx.execute(queries["return_refund"], pass_id)

    async def list_orders_riding(self, tx: Any, order: PassOrder) -> list[Order]:
        """The holder's orders, pending or confirmed, with a fare that the pass covers."""
        rows = await tx.fetch(queries["list_orders_riding"], order.traveller_id, str(order.pass_id))
        return [ORDERS.validate_python(row["document"]) for row in rows]

    async def put_fare(self, tx: Any, pass_id: UUID, fare: tuple[UUID, int], used: dict[str, int]) -> None:
        """What a ridden fare (order, component) made of a pass; told again it stays as it is."""
        await tx.execute(queries["put_pass_fare"], *fare, pass_id, used)

    async def delete_fare(self, tx: Any, order_id: UUID, component_index: int) -> None:
        """A fare was not ridden after all: it made nothing of a pass."""
        await tx.execute(queries["delete_pass_fare"], order_id, component_index)

    async def put_use(self, tx: Any, use: PassUse) -> None:
        """What the rides of a week and carrier made of a pass, instead of what was told of them before."""
        await tx.execute(queries["put_use"], use.pass_id, use.week, use.carrier, use.used)

    async def list_uses(self, tx: Any, pass_id: UUID) -> list[dict[str, int]]:
        """What all weeks made of a pass."""
        return [row["used"] for row in await tx.fetch(queries["list_uses"], pass_id)]


def _instants(order: PassOrder) -> tuple[datetime, datetime, datetime]:
    return order.starts_at or order.usable_from, order.ends_at or order.begin_before, earned_from(order)


def _read(row: Any) -> tuple[PassOrder, str | None]:
    return PASSES.validate_python(row["document"]), row["refund_state"]
