"""What sales does about a disputed payment: tell the traveller, show the clerk, take back what is not used.

Idea      Nothing happens to the tickets while the bank is undecided: the house may be right, and a traveller
          at a gate cannot be asked. When it is lost, the order's unridden fares are revoked in the
          transaction that notes the decision, and payments is told by how much that lessens the loss.
          Places are given up, and settlement is told, by the refund worker, from a refund row of 0 yen: the
          bank has paid it.
Invariant What is taken back of an order is at most what the bank took. News may come twice and in any order.
"""

from datetime import datetime
from typing import Any
from uuid import uuid5

from maas.chargebacks import CHARGED_BACK, OrderDisputeState, list_charged_back
from maas.errors import OrderStillPending
from maas.events import (
    FareRefunded,
    FaresChargedBack,
    LegCancelled,
    PassGivenBack,
    PaymentDisputed,
    PaymentDisputeDecided,
)
from maas.notifications import compose_message
from maas.orders import Order, OrderState, mark_refunded
from maas.passes import is_refundable, refund_pass
from payments.money import Money, split_exactly
from services.platform.auth import Role
from services.platform.bus import Envelope
from services.platform.context import ServiceContext
from services.platform.problem import Problem
from services.platform.service import Call
from services.sales.aftersales import list_refunded_fares
from services.sales.disputes.store import DisputedStore
from services.sales.models import DisputedOrderList, DisputedOrderView, DisputeView
from services.sales.passes.riding import is_ridden_on
from services.sales.passes.store import PassStore
from services.sales.store import SalesStore


class DisputedOrders:
    """The room of disputed orders."""

    def __init__(
        self, context: ServiceContext, store: DisputedStore, orders: SalesStore, passes: PassStore
    ) -> None:
        self._context = context
        self._store = store
        self._orders = orders
        self._passes = passes

    async def on_payment_disputed(self, tx: Any, event: PaymentDisputed, _envelope: Envelope) -> None:
        """The bank took an order's or a pass's money back, for now."""
        await self._keep(tx, event)

    async def on_dispute_decided(self, tx: Any, event: PaymentDisputeDecided, _envelope: Envelope) -> None:
        """The bank decided. Raises OrderStillPending while the order is being booked: it comes again."""
        order = await self._keep(tx, event)
        state = OrderDisputeState.WON if event.is_won else OrderDisputeState.LOST
        now = self._context.clock.now()
        if not await self._store.decide(tx, event.dispute_id, state, now):
            return
        if order is None:
            taken_back = 0 if event.is_won else await self._take_back_pass(tx, event)
        elif event.is_won:
            taken_back = 0
            await self._orders.insert_notification(tx, order, compose_message("payment_dispute_won"), now)
        else:
            taken_back = await self._take_back_order(tx, order, event, now)
        if taken_back:
            await self._store.note_taken_back(tx, event.dispute_id, taken_back)
            charged_back = FaresChargedBack(
                dispute_id=event.dispute_id, order_id=event.order_id, amount_minor=taken_back
            )
            await self._context.outbox.append(tx, charged_back)

    async def _keep(self, tx: Any, event: PaymentDisputed | PaymentDisputeDecided) -> Order | None:
        """Keep the dispute of an order or a pass; of a top-up or a bill sales knows nothing."""
        now = self._context.clock.now()
        order = await self._orders.lock_order(tx, event.order_id)
        if order is not None:
            operators = sorted({operator_id for each in order.components for operator_id in each.shares})
            fresh = await self._store.insert(
                tx, event, traveller_id=order.traveller_id, is_pass=False, operators=operators, now=now
            )
            if fresh and isinstance(event, PaymentDisputed):
                message = compose_message("payment_disputed", amount=f"{event.amount_minor:,}")
                await self._orders.insert_notification(tx, order, message, now)
            return order
        held = await self._passes.lock(tx, event.order_id)
        if held is not None:
            await self._store.insert(
                tx,
                event,
                traveller_id=held.traveller_id,
                is_pass=True,
                operators=sorted(held.operators),
                now=now,
            )
        return None

    async def _take_back_order(
        self, tx: Any, order: Order, event: PaymentDisputeDecided, now: datetime
    ) -> int:
        if order.state is OrderState.PENDING:
            raise OrderStillPending(f"Order {order.order_id} is not booked or given up yet.")
        unpaid = await self._store.close_failed_refunds(
            tx, order.order_id, up_to_minor=event.amount_minor, now=now
        )
        for row in unpaid:
            if row["told_at"] is None:
                await self._context.outbox.append(tx, *list_refunded_fares(row))
        unpaid_minor: int = sum(row["amount_minor"] for row in unpaid)
        lines = (
            list_charged_back(order, Money(event.amount_minor - unpaid_minor, order.total.currency))
            if order.state is OrderState.CONFIRMED
            else ()
        )
        changed = order
        for line in lines:
            changed = mark_refunded(changed, line.component_index, line.amount)
        case_id = uuid5(order.order_id, f"dispute:{event.dispute_id}")
        if lines:
            await self._orders.update_order(tx, changed)
            await self._orders.insert_refund(
                tx,
                refund_id=uuid5(case_id, "refund"),
                order=order,
                case_id=None,
                amount=Money(0, order.total.currency),
                lines=lines,
                reason=CHARGED_BACK,
                now=now,
            )
            cancelled = LegCancelled(
                order_id=order.order_id,
                case_id=case_id,
                component_indices=tuple(line.component_index for line in lines),
                reason=CHARGED_BACK,
            )
            await self._context.outbox.append(tx, cancelled)
        revoked_minor = sum(line.amount.amount_minor for line in lines)
        code = "payment_dispute_lost" if lines else "payment_dispute_lost_ridden"
        message = compose_message(code, amount=f"{event.amount_minor:,}")
        await self._orders.insert_notification(tx, order, message, now)
        return unpaid_minor + revoked_minor

    async def _take_back_pass(self, tx: Any, event: PaymentDisputeDecided) -> int:
        """A pass that has not begun is void. One that was used stays, and its operators earn it."""
        held = await self._passes.lock(tx, event.order_id)
        now = self._context.clock.now()
        if held is None or not is_refundable(held, now=now) or event.amount_minor < held.amount.amount_minor:
            return 0
        if await is_ridden_on(tx, self._passes, held):
            return 0
        await self._passes.update(tx, refund_pass(held, held.amount))
        amount_minor = held.amount.amount_minor
        told = FareRefunded(
            refund_id=uuid5(held.pass_id, f"dispute:{event.dispute_id}"),
            order_id=held.pass_id,
            component_index=0,
            amount_minor=amount_minor,
            shares=split_exactly(amount_minor, dict.fromkeys(held.operators, 1)),
            was_earned=False,
            reason=CHARGED_BACK,
        )
        await self._context.outbox.append(tx, PassGivenBack(pass_id=held.pass_id), told)
        return amount_minor

    async def list_all(self, call: Call) -> DisputedOrderList:
        """Disputed orders: a clerk's own operator's, an administrator's all."""
        operator_id = call.caller.operator_id if call.caller.role is Role.CLERK else None
        if call.caller.role is Role.CLERK and operator_id is None:
            raise Problem("forbidden", detail="A clerk without an operator sees no disputed orders.")
        rows = await self._store.list_all(operator_id, limit=call.query.limit)
        return DisputedOrderList(disputed_orders=[DisputedOrderView(**_shown(row)) for row in rows])

    async def find_view(self, order: Order) -> DisputeView | None:
        """The newest dispute of an order's payment, as its traveller sees it."""
        row = await self._store.find_newest(order.order_id)
        if row is None:
            return None
        return DisputeView(
            state=row["state"],
            amount=Money(row["amount_minor"]),
            taken_back=Money(row["taken_back_minor"]),
            opened_at=row["opened_at"],
            decided_at=row["decided_at"],
        )


def _shown(row: Any) -> dict[str, Any]:
    shown = {key: value for key, value in dict(row).items() if not key.endswith("_minor")}
    return {
        **shown,
        "amount": Money(row["amount_minor"]),
        "taken_back": Money(row["taken_back_minor"]),
    }
