"""Take a pass's money, give it back, and earn it: each through any crash.

Idea      As with orders (../booking.py), one driver at a time holds the row's lease and walks the same steps:
          authorise, capture, confirm in one transaction with its event. Every step is asked for by ids that
          follow from the pass, so asking again finds what was done; a driver that died leaves its lease to
          run out, and the worker walks the steps from the start.
Invariant After the capture the only way is to confirm. A refund is decided once, in the transaction that
          closes the pass; an earned pass is earned once.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any
from uuid import UUID, uuid5

import structlog

from maas.events import (
    FareRefunded,
    PassEarned,
    PassGivenBack,
    PassSold,
    RefundPaid,
    RefundReturned,
)
from maas.passes import (
    PassOrder,
    PassState,
    confirm_pass,
    earn_pass,
    expire_pass,
    is_refundable,
    refund_pass,
)
from maas.ports import PlannerPort
from payments.errors import PaymentNotFound
from payments.money import split_exactly
from payments.ports import Payment, PaymentsPort, PaymentState, RefundState
from services.platform.context import ServiceContext
from services.platform.leases import kept_alive
from services.sales.passes.riding import is_ridden_on
from services.sales.passes.store import PassStore

log = structlog.get_logger()

GIVEN_BACK = "cancelled_by_traveller"


class SellingStatus(StrEnum):
    """How driving a payment ended."""

    CONFIRMED = "confirmed"
    DECLINED = "payment_declined"
    REQUIRES_ACTION = "requires_action"
    NOT_PAYABLE = "order_not_payable"


class PassSelling:
    """Drives passes from PENDING to their end."""

    def __init__(self, context: ServiceContext, store: PassStore) -> None:
        self._context = context
        self._store = store

    # Paying ------------------------------------------------------------------------------------------------

    async def drive(
        self, pass_id: UUID, payment_method: str | None
    ) -> tuple[SellingStatus, PassOrder, Payment | None]:
        """Walk the steps; with None the payment method that was kept is used. Requires an existing pass."""
        leased = await self._store.take_lease(pass_id, payment_method)
        if leased is None:
            order = await self._get(pass_id)
            done = order.state is not PassState.PENDING and order.state is not PassState.EXPIRED
            return (SellingStatus.CONFIRMED if done else SellingStatus.NOT_PAYABLE), order, None
        async with kept_alive(lambda: self._store.renew_lease(pass_id)):
            return await self._walk(*leased)

    async def _walk(self, order: PassOrder, method: str) -> tuple[SellingStatus, PassOrder, Payment | None]:
        payments = self._context.ports.get(PaymentsPort)
        await self._open_payment(order)
        payment = await payments.authorise(payment_id=order.payment_id, payment_method=method)
        if payment.state is PaymentState.REQUIRES_ACTION:
            await self._store.drop_lease(order.pass_id, forget_method=False)
            return SellingStatus.REQUIRES_ACTION, order, payment
        if payment.state is PaymentState.DECLINED:
            await self._store.drop_lease(order.pass_id, forget_method=True)
            return SellingStatus.DECLINED, order, payment
        payment = await payments.capture(payment_id=order.payment_id)
        if payment.state is not PaymentState.CAPTURED:
            # The provider's hold ran out, or was let go there, before we took it.
            return SellingStatus.NOT_PAYABLE, await self._expire_now(order.pass_id), payment
        return SellingStatus.CONFIRMED, await self._confirm(order.pass_id), payment

    async def _open_payment(self, order: PassOrder) -> None:
        await self._context.ports.get(PaymentsPort).open_payment(
            payment_id=order.payment_id,
            order_id=order.pass_id,
            traveller_id=order.traveller_id,
            amount=order.amount,
        )

    async def _confirm(self, pass_id: UUID) -> PassOrder:
        async with self._context.database.transaction() as tx:
            order = await self._store.lock(tx, pass_id)
            assert order is not None, "a leased pass exists"
            if order.state is not PassState.PENDING:
                return order
            confirmed = confirm_pass(order)
            await self._store.update(tx, confirmed)
            sold = PassSold(
                pass_id=pass_id,
                traveller_id=order.traveller_id,
                product_id=order.product_id,
                amount_minor=order.amount.amount_minor,
                rider=order.rider,
                name=order.name,
                areas=order.areas,
                hours=order.held.hours,
                valid_from=order.usable_from,
                valid_until=order.ends_at or order.begin_before + timedelta(hours=order.count),
            )
            await self._context.outbox.append(tx, sold)
        return confirmed

    async def _expire_now(self, pass_id: UUID) -> PassOrder:
        async with self._context.database.transaction() as tx:
            order = await self._store.lock(tx, pass_id)
            assert order is not None, "a pass is never deleted"
            if order.state is not PassState.PENDING:
                return order
            expired = expire_pass(order)
            await self._store.update(tx, expired)
        return expired

    # Giving back -------------------------------------------------------------------------------------------

    async def give_back(self, pass_id: UUID) -> PassOrder | None:
        """Give a pass back by its rule; None when it has begun, is over or is back. Raises FareNotFound."""
        now = self._context.clock.now()
        order = await self._get(pass_id)
        if not is_refundable(order, now=now):
            return None
        decision = await self._context.ports.get(PlannerPort).decide_refund(
            component=order.component,
            price_paid=order.amount,
            now=now,
            departs_at=order.begin_before if order.unit == "hour" else order.usable_from,
        )
        async with self._context.database.transaction() as tx:
            locked = await self._store.lock(tx, pass_id)
            assert locked is not None, "a pass is never deleted"
            if not is_refundable(locked, now=now) or await is_ridden_on(tx, self._store, locked):
                return None
            changed = refund_pass(locked, decision.amount)
            await self._store.update(tx, changed)
            await self._store.begin_refund(tx, pass_id, GIVEN_BACK)
            await self._context.outbox.append(tx, PassGivenBack(pass_id=pass_id))
        return changed

    async def on_refund_paid(self, tx: Any, event: RefundPaid) -> None:
        """A pass's refund that had failed, or had come back, has reached its holder after all."""
        if event.refund_id != _refund_id(event.order_id):
            return
        reopened = await self._store.reopen_refund(tx, event.order_id)
        if reopened is not None and not reopened[2]:
            order, reason, _ = reopened
            await self._context.outbox.append(tx, _refunded(order, event.refund_id, reason))

    async def on_refund_returned(self, tx: Any, event: RefundReturned) -> None:
        """The holder's bank sent a pass's refund back: a clerk sends it another way."""
        if event.refund_id == _refund_id(event.order_id):
            await self._store.return_refund(tx, event.order_id)

    async def _send(self, order: PassOrder, reason: str, _pass_id: UUID) -> bool:
        refund_id, state = _refund_id(order.pass_id), "paid"
        if order.refunded.amount_minor:
            refund = await self._context.ports.get(PaymentsPort).refund(
                refund_id=refund_id, payment_id=order.payment_id, amount=order.refunded, reason=reason
            )
            if refund.state is RefundState.PENDING:
                return False
            state = "paid" if refund.state is RefundState.SUCCEEDED else "failed"
        async with self._context.database.transaction() as tx:
            fresh = await self._store.close_refund(tx, order.pass_id, state)
            if fresh and state == "paid":
                await self._context.outbox.append(tx, _refunded(order, refund_id, reason))
        if state == "failed":
            log.error("pass_refund_failed", pass_id=str(order.pass_id))
        return True

    # The worker --------------------------------------------------------------------------------------------

    async def take_up(self) -> int:
        """Drive what was left, close what nobody pays, send refunds, earn what is over. Returns how many."""
        now = self._context.clock.now()
        done = 0
        for pass_id in await self._store.list_unfinished():
            done += await self._attempt(pass_id, self._take_up)
        for pass_id in await self._store.list_expired(now):
            done += await self._attempt(pass_id, self._expire)
        for pass_id in await self._store.list_to_earn(now):
            done += await self._attempt(pass_id, self._earn)
        for order, reason in await self._store.list_pending_refunds():
            done += await self._attempt(order.pass_id, partial(self._send, order, reason))
        return done

    async def _attempt(self, pass_id: UUID, step: Callable[[UUID], Awaitable[object]]) -> bool:
        # One pass that cannot go on must not keep the others from it; its row brings it back next time.
        try:
            await step(pass_id)
        except Exception:
            log.exception("pass_waits", pass_id=str(pass_id))
            return False
        return True

    async def _take_up(self, pass_id: UUID) -> None:
        order = await self._get(pass_id)
        if await self._waits_for_payer(order) and self._context.clock.now() < order.expires_at:
            return
        status, _, _ = await self.drive(pass_id, None)
        if status is SellingStatus.REQUIRES_ACTION:
            await self._expire(pass_id)

    async def _waits_for_payer(self, order: PassOrder) -> bool:
        try:
            payment = await self._context.ports.get(PaymentsPort).get_payment(payment_id=order.payment_id)
        except PaymentNotFound:
            return False  # the driver died before the payment was opened
        return payment.state is PaymentState.REQUIRES_ACTION

    async def _expire(self, pass_id: UUID) -> None:
        leased = await self._store.take_lease(pass_id, None)
        if leased is None or not self._has_expired(leased[0], self._context.clock.now()):
            return
        order = leased[0]
        await self._open_payment(order)
        payment = await self._context.ports.get(PaymentsPort).void(payment_id=order.payment_id)
        if payment.state is PaymentState.CAPTURED:
            # A capture had won the race: it is paid, so it is theirs.
            await self._confirm(pass_id)
        else:
            await self._expire_now(pass_id)

    @staticmethod
    def _has_expired(order: PassOrder, now: datetime) -> bool:
        return now >= order.expires_at

    async def _earn(self, pass_id: UUID) -> None:
        async with self._context.database.transaction() as tx:
            order = await self._store.lock(tx, pass_id)
            assert order is not None, "a pass is never deleted"
            if order.state is not PassState.CONFIRMED:
                return
            earned, shares = earn_pass(order, await self._store.list_uses(tx, pass_id))
            await self._store.update(tx, earned)
            event = PassEarned(
                pass_id=pass_id,
                amount_minor=sum(shares.values()),
                shares=shares,
                earned_at=self._context.clock.now(),
            )
            await self._context.outbox.append(tx, event)

    async def _get(self, pass_id: UUID) -> PassOrder:
        found = await self._store.find(pass_id)
        assert found is not None, "whoever asks has seen the pass"
        return found[0]


def _refund_id(pass_id: UUID) -> UUID:
    return uuid5(pass_id, "refund")


def _refunded(order: PassOrder, refund_id: UUID, reason: str) -> FareRefunded:
    """What settlement is told: the operators had earned nothing yet, and keep the fee in equal parts."""
    amount = order.refunded.amount_minor
    weights = dict.fromkeys(order.operators, 1)
    return FareRefunded(
        refund_id=refund_id,
        order_id=order.pass_id,
        component_index=0,
        amount_minor=amount,
        shares=split_exactly(amount, weights) if amount else {},
        was_earned=False,
        reason=reason,
        fee_shares={operator: share for operator, share in order.share({}).items() if share},
    )
