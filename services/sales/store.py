"""Sales' rows. Offers and orders are stored as JSON documents of their dataclasses."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid5

from pydantic import TypeAdapter

from maas.disruptions import RefundLine
from maas.events import SailingCancelled
from maas.notifications import Message
from maas.offers import Offer
from maas.orders import Order
from payments.money import Money
from services.platform.database import Database, load_queries

queries = load_queries(__file__)

OFFERS: TypeAdapter[Offer] = TypeAdapter(Offer)
ORDERS: TypeAdapter[Order] = TypeAdapter(Order)
LINES: TypeAdapter[list[RefundLine]] = TypeAdapter(list[RefundLine])

REFUNDS_PAGE = 50
"""How many refunds one round of the worker asks about."""


class SalesStore:
    """All SQL of this service. Methods with `tx` take part in the caller's transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def insert_offer(self, tx: Any, offer: Offer) -> None:
        """Keep an offer; one that is there already stays as it is."""
        document = OFFERS.dump_python(offer, mode="json")
        await tx.execute(
            queries["insert_offer"], offer.offer_id, offer.traveller_id, document, offer.expires_at
        )

    async def find_offer(self, offer_id: UUID, traveller_id: str) -> Offer | None:
        """The traveller's own offer."""
        document = await self._database.fetchval(queries["find_offer"], offer_id, traveller_id)
        return None if document is None else OFFERS.validate_python(document)

    async def find_order_of_offer(self, offer_id: UUID) -> UUID | None:
        """The order that took the offer."""
        order_id: UUID | None = await self._database.fetchval(queries["find_order_of_offer"], offer_id)
        return order_id

    async def insert_order(self, tx: Any, order: Order) -> bool:
        """Keep a new order and its legs; False when it, or another for its offer, exists."""
        document = ORDERS.dump_python(order, mode="json")
        fresh = await tx.fetchval(
            queries["insert_order"],
            order.order_id,
            order.offer_id,
            order.traveller_id,
            order.state.value,
            document,
            order.placed_at,
            order.expires_at,
        )
        if fresh is None:
            return False
        legs = [(i, leg) for i, leg in enumerate(order.journey.legs) if leg.trip_id and leg.service_date]
        await tx.execute(
            queries["insert_order_legs"],
            order.order_id,
            [index for index, _ in legs],
            [leg.trip_id for _, leg in legs],
            [leg.service_date for _, leg in legs],
        )
        return True

    async def find_order(self, order_id: UUID) -> Order | None:
        """The order, whoever's it is."""
        row = await self._database.fetchrow(queries["find_order"], order_id)
        return None if row is None else ORDERS.validate_python(row["document"])

    async def lock_order(self, tx: Any, order_id: UUID) -> Order | None:
        """The order, locked until the transaction ends."""
        row = await tx.fetchrow(queries["lock_order"], order_id)
        return None if row is None else ORDERS.validate_python(row["document"])

    async def update_order(self, tx: Any, order: Order) -> None:
        """Keep a changed order."""
        document = ORDERS.dump_python(order, mode="json")
        await tx.execute(queries["update_order"], order.order_id, order.state.value, document)

    async def list_orders(self, traveller_id: str, *, limit: int) -> list[Order]:
        """The traveller's orders, newest first."""
        rows = await self._database.fetch(queries["list_orders"], traveller_id, limit)
        return [ORDERS.validate_python(row["document"]) for row in rows]

    async def take_lease(self, order_id: UUID, payment_method: str | None) -> tuple[Order, str] | None:
        """The right to drive a pending order's booking, and with what it is paid; None when it is taken."""
        row = await self._database.fetchrow(queries["take_lease"], order_id, payment_method)
        return None if row is None else (ORDERS.validate_python(row["document"]), row["payment_method"] or "")

    async def renew_lease(self, order_id: UUID) -> None:
        """The driver still lives."""
        await self._database.execute(queries["renew_lease"], order_id)

    async def drop_lease(self, order_id: UUID, *, forget_method: bool) -> None:
        """Let others drive. With `forget_method` the booking is not taken up again by itself."""
        await self._database.execute(queries["drop_lease"], order_id, forget_method)

    async def is_being_booked(self, order_id: UUID) -> bool:
        """A booking was begun, and has not ended: somebody drives it, or the worker will."""
        return bool(await self._database.fetchval(queries["is_being_booked"], order_id))

    async def list_unfinished(self) -> list[UUID]:
        """Orders whose booking was begun and left."""
        return [row["order_id"] for row in await self._database.fetch(queries["list_unfinished"])]

    async def list_expired(self, now: datetime) -> list[UUID]:
        """Pending orders that nobody pays any more."""
        return [row["order_id"] for row in await self._database.fetch(queries["list_expired"], now)]

    async def lock_sailing(self, tx: Any, trip_id: str, service_date: date) -> None:
        """Let nobody else confirm or cancel on this sailing until the transaction ends."""
        await tx.execute(queries["lock_sailing"], f"{trip_id}|{service_date}")

    async def insert_cancelled_sailing(self, tx: Any, event: SailingCancelled) -> None:
        """Remember that a sailing will not take place."""
        await tx.execute(
            queries["insert_cancelled_sailing"],
            event.trip_id,
            event.service_date,
            event.operator_id,
            event.reason,
        )

    async def find_cancelled_sailing(
        self, tx: Any, trip_id: str, service_date: date
    ) -> SailingCancelled | None:
        """The cancellation of a sailing, if it was cancelled."""
        row = await tx.fetchrow(queries["find_cancelled_sailing"], trip_id, service_date)
        return None if row is None else SailingCancelled(**dict(row))

    async def list_order_ids_of(self, tx: Any, traveller_id: str) -> list[UUID]:
        """All orders of a traveller."""
        return [row["order_id"] for row in await tx.fetch(queries["list_order_ids_of"], traveller_id)]

    async def list_orders_on_trip(self, tx: Any, trip_id: str, service_date: date) -> list[UUID]:
        """Confirmed orders that ride on a trip."""
        return [
            row["order_id"] for row in await tx.fetch(queries["list_orders_on_trip"], trip_id, service_date)
        ]

    async def insert_case(
        self,
        tx: Any,
        *,
        case_id: UUID,
        order_id: UUID,
        trip_id: str,
        service_date: date,
        operator_id: str,
        reason: str,
        amount_minor: int,
        now: datetime,
    ) -> bool:
        """Open a disruption case; False when this order has one for this sailing."""
        fresh = await tx.fetchval(
            queries["insert_case"],
            case_id,
            order_id,
            trip_id,
            service_date,
            operator_id,
            reason,
            amount_minor,
            now,
        )
        return fresh is not None

    async def list_cases(self, operator_id: str | None, *, limit: int) -> list[Any]:
        """Disruption cases, newest first; of one operator, or of all with None."""
        return await self._database.fetch(queries["list_cases"], operator_id, limit)

    async def insert_refund(
        self,
        tx: Any,
        *,
        refund_id: UUID,
        order: Order,
        case_id: UUID | None,
        amount: Money,
        lines: Sequence[RefundLine],
        reason: str,
        now: datetime,
    ) -> None:
        """Note that money has to go back; the refund worker sends it."""
        await tx.execute(
            queries["insert_refund"],
            refund_id,
            order.order_id,
            order.payment_id,
            case_id,
            amount.amount_minor,
            reason,
            LINES.dump_python(list(lines), mode="json"),
            now,
        )

    async def list_pending_refunds(self, after: tuple[datetime, UUID] | None) -> list[Any]:
        """A page of the refunds that are not with the traveller yet, behind `after` (requested_at, id)."""
        requested_at, refund_id = after or (None, None)
        return await self._database.fetch(
            queries["list_pending_refunds"], requested_at, refund_id, REFUNDS_PAGE
        )

    async def close_refund(self, tx: Any, refund_id: UUID, state: str, now: datetime) -> bool:
        """A refund was paid or has failed; False when that was known."""
        return await tx.fetchval(queries["close_refund"], refund_id, state, now) is not None

    async def reopen_refund(self, tx: Any, refund_id: UUID, now: datetime) -> Any:
        """A refund that had failed or come back is paid; None when it was not known as such."""
        return await tx.fetchrow(queries["reopen_refund"], refund_id, now)

    async def return_refund(self, tx: Any, refund_id: UUID) -> Any:
        """A paid refund has come back; None when it was not known as paid."""
        return await tx.fetchrow(queries["return_refund"], refund_id)

    async def note_told(self, tx: Any, refund_id: UUID, now: datetime) -> None:
        """Settlement has been told of the refund's fares, once for ever."""
        await tx.execute(queries["note_told"], refund_id, now)

    async def list_refunds(self, order_id: UUID) -> list[Any]:
        """An order's refunds, oldest first."""
        return await self._database.fetch(queries["list_refunds"], order_id)

    async def insert_notification(self, tx: Any, order: Order, message: Message, now: datetime) -> None:
        """Tell the traveller; the same message about the same order is told once."""
        await tx.execute(
            queries["insert_notification"],
            uuid5(order.order_id, message.code),
            order.traveller_id,
            order.order_id,
            message.code,
            message.texts,
            now,
        )

    async def insert_news(
        self, tx: Any, traveller_id: str, message: Message, *, news_id: UUID, now: datetime
    ) -> None:
        """Tell a traveller what belongs to no order; the same news is told once."""
        await tx.execute(
            queries["insert_notification"], news_id, traveller_id, None, message.code, message.texts, now
        )

    async def list_notifications(self, traveller_id: str, *, limit: int) -> list[Any]:
        """What the traveller was told, newest first."""
        return await self._database.fetch(queries["list_notifications"], traveller_id, limit)
