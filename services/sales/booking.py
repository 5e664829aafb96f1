"""Book an order: all or nothing, through any crash.

Problem   The card, the ship's places and our own row live in three systems. A process may die between
          any two.
Idea      One driver at a time holds the order's lease. It walks the same steps always:

  1 authorise the payment    declined: the order waits for another card; needs the payer: it waits for them
  2 confirm the places       one is lost: release all, void the payment, ROLLED_BACK
  3 capture the payment
  4 CONFIRMED, its event and the traveller's message in one transaction

          Every step is asked for by ids that follow from the order, so asking again finds what was done. A
          driver that died leaves its lease to run out; the worker then walks the steps from the start.
Invariant after step 3 the only way is step 4; before it everything can be undone.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid5

import structlog

from maas.errors import OrderNotFound
from maas.journeys import Mode
from maas.notifications import compose_message
from maas.orders import Order, OrderState, confirm, expire, roll_back
from maas.ports import BerthPort, HoldState
from payments.errors import PaymentNotFound
from payments.ports import Payment, PaymentsPort, PaymentState
from services.platform.context import ServiceContext
from services.platform.leases import kept_alive
from services.sales.aftersales import Aftersales
from services.sales.store import SalesStore

log = structlog.get_logger()

_LOST = (HoldState.RELEASED, HoldState.EXPIRED, HoldState.SOLD_OUT)


class BookingStatus(StrEnum):
    """How driving a booking ended."""

    CONFIRMED = "confirmed"
    DECLINED = "payment_declined"
    REQUIRES_ACTION = "requires_action"
    ROLLED_BACK = "sold_out"
    NOT_PAYABLE = "order_not_payable"


class Booking:
    """Drives orders from PENDING to their end."""

    def __init__(self, context: ServiceContext, store: SalesStore, aftersales: Aftersales) -> None:
        self._context = context
        self._store = store
        self._aftersales = aftersales

    async def drive(
        self, order_id: UUID, payment_method: str | None
    ) -> tuple[BookingStatus, Order, Payment | None]:
        """Walk the steps; with None the payment method that was kept is used. Raises OrderNotFound."""
        leased = await self._store.take_lease(order_id, payment_method)
        if leased is None:
            order = await self._get(order_id)
            done = order.state is OrderState.CONFIRMED
            return (BookingStatus.CONFIRMED if done else BookingStatus.NOT_PAYABLE), order, None
        async with kept_alive(lambda: self._store.renew_lease(order_id)):
            return await self._walk(*leased)

    async def _walk(self, order: Order, method: str) -> tuple[BookingStatus, Order, Payment | None]:
        payment = await self._authorise(order, method) if order.total.amount_minor else None
        if payment is not None and payment.state is PaymentState.REQUIRES_ACTION:
            await self._store.drop_lease(order.order_id, forget_method=False)
            return BookingStatus.REQUIRES_ACTION, order, payment
        if payment is not None and payment.state is PaymentState.DECLINED:
            await self._store.drop_lease(order.order_id, forget_method=True)
            return BookingStatus.DECLINED, order, payment
        if not await self._confirm_places(order):
            return BookingStatus.ROLLED_BACK, await self.undo(order, reason="sold_out"), payment
        if payment is not None:
            payment = await self._context.ports.get(PaymentsPort).capture(payment_id=order.payment_id)
            if payment.state is not PaymentState.CAPTURED:
                # The provider's hold ran out, or was let go there, before we took it.
                return BookingStatus.ROLLED_BACK, await self.undo(order, reason="payment_lost"), payment
        finished = await self._finish(order.order_id)
        done = finished.state is OrderState.CONFIRMED
        return (BookingStatus.CONFIRMED if done else BookingStatus.ROLLED_BACK), finished, payment

    async def _authorise(self, order: Order, method: str) -> Payment:
        await self._open_payment(order)
        payments = self._context.ports.get(PaymentsPort)
        return await payments.authorise(payment_id=order.payment_id, payment_method=method)

    async def _open_payment(self, order: Order) -> None:
        await self._context.ports.get(PaymentsPort).open_payment(
            payment_id=order.payment_id,
            order_id=order.order_id,
            traveller_id=order.traveller_id,
            amount=order.total,
            modes=modes_of(order),
        )

    async def _confirm_places(self, order: Order) -> bool:
        berths = self._context.ports.get(BerthPort)
        for held in order.held_legs:
            hold = await berths.confirm(hold_id=held.hold_id, passengers=list(order.passengers))
            if hold.state in _LOST:
                return False
        return True

    async def _finish(self, order_id: UUID) -> Order:
        now = self._context.clock.now()
        async with self._context.database.transaction() as tx:
            order = await self._store.lock_order(tx, order_id)
            assert order is not None, "a leased order exists"
            if order.state is not OrderState.PENDING:
                return order
            confirmed, event = confirm(order)
            await self._store.update_order(tx, confirmed)
            await self._context.outbox.append(tx, event)
            message = compose_message(
                "order_confirmed",
                origin=order.journey.legs[0].origin.name,
                destination=order.journey.legs[-1].destination.name,
                departs=_time(order.journey.departs_at),
                arrives=_time(order.journey.arrives_at),
                total=f"{order.total.amount_minor:,}",
            )
            await self._store.insert_notification(tx, confirmed, message, now)
            # A ship may have been cancelled while it was being paid for.
            return await self._aftersales.meet_cancelled_sailings(tx, confirmed)

    async def undo(self, order: Order, *, reason: str) -> Order:
        """Release places, void the payment, then close the order as rolled back or expired."""
        berths = self._context.ports.get(BerthPort)
        for held in order.held_legs:
            await berths.release(hold_id=held.hold_id)
        captured = order.total.amount_minor > 0 and await self._void(order)
        async with self._context.database.transaction() as tx:
            locked = await self._store.lock_order(tx, order.order_id)
            assert locked is not None, "an order is never deleted"
            if locked.state is not OrderState.PENDING:
                return locked
            closed, event = expire(locked) if reason == "expired" else roll_back(locked, reason=reason)
            await self._store.update_order(tx, closed)
            await self._context.outbox.append(tx, event)
            if captured:
                await self._store.insert_refund(
                    tx,
                    refund_id=uuid5(order.order_id, "roll back"),
                    order=order,
                    case_id=None,
                    amount=order.total,
                    lines=(),
                    reason=reason,
                    now=self._context.clock.now(),
                )
        return closed

    async def _void(self, order: Order) -> bool:
        """Let the money go; True when a capture had won the race, so that it must be given back."""
        await self._open_payment(order)
        payment = await self._context.ports.get(PaymentsPort).void(payment_id=order.payment_id)
        return payment.state is PaymentState.CAPTURED

    async def take_up_unfinished(self) -> int:
        """Drive bookings that were left, and close orders that nobody pays. Returns how many ended."""
        ended = 0
        for order_id in await self._store.list_unfinished():
            ended += await self._attempt(order_id, self._take_up)
        for order_id in await self._store.list_expired(self._context.clock.now()):
            ended += await self._attempt(order_id, self._expire)
        return ended

    async def _attempt(self, order_id: UUID, step: Callable[[UUID], Awaitable[None]]) -> bool:
        # One order that cannot go on must not keep the others from it; its row brings it back next time.
        try:
            await step(order_id)
        except Exception:
            log.exception("order_waits", order_id=str(order_id))
            return False
        return True

    async def _take_up(self, order_id: UUID) -> None:
        order = await self._get(order_id)
        if await self._waits_for_payer(order) and self._context.clock.now() < order.expires_at:
            return
        status, _, _ = await self.drive(order_id, None)
        if status is BookingStatus.REQUIRES_ACTION:
            await self._expire(order_id)

    async def _waits_for_payer(self, order: Order) -> bool:
        try:
            payment = await self._context.ports.get(PaymentsPort).get_payment(payment_id=order.payment_id)
        except PaymentNotFound:
            return False  # the driver died before the payment was opened
        return payment.state is PaymentState.REQUIRES_ACTION

    async def _expire(self, order_id: UUID) -> None:
        leased = await self._store.take_lease(order_id, None)
        if leased is not None and self._context.clock.now() >= leased[0].expires_at:
            await self.undo(leased[0], reason="expired")

    async def _get(self, order_id: UUID) -> Order:
        order = await self._store.find_order(order_id)
        if order is None:
            raise OrderNotFound("No order has this id. List your orders to find it.")
        return order


def modes_of(order: Order) -> tuple[str, ...]:
    """The modes that an order's journey uses; a walk costs nothing."""
    return tuple(sorted({leg.mode.value for leg in order.journey.legs if leg.mode is not Mode.WALK}))


def _time(instant: datetime) -> str:
    # A journey's times carry the offset of the city they are read in.
    return instant.strftime("%m/%d %H:%M")
