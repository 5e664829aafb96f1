"""After the sale: rides noted, cancelled sailings put right, cancellations by the traveller, money sent back.

Idea      What has to go back is decided and written in the transaction that marks the components refunded, so
          it is decided once. A worker sends it through PaymentsPort under an id of its own until the provider
          has it, then tells settlement what each operator's part was.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

import structlog

from maas.disruptions import (
    RefundLine,
    find_cancelled_legs,
    refund_line,
    refund_lines_for_cancelled_legs,
)
from maas.errors import OrderStillPending
from maas.events import (
    AccountClosed,
    FareRefunded,
    LegCancelled,
    RefundPaid,
    RefundReturned,
    RideBegun,
    RideRated,
    RideUnrated,
    SailingCancelled,
)
from maas.journeys import Mode
from maas.notifications import compose_message
from maas.offers import iterate_components
from maas.orders import (
    ComponentState,
    Order,
    OrderedComponent,
    OrderState,
    mark_begun,
    mark_refunded,
    mark_ridden,
)
from maas.ports import BerthPort, PlannerPort
from payments.money import Money
from payments.ports import PaymentsPort, RefundState
from services.platform.bus import Envelope
from services.platform.context import ServiceContext
from services.platform.errors import PortUnavailable
from services.sales.store import LINES, REFUNDS_PAGE, SalesStore

log = structlog.get_logger()


class Aftersales:
    """What happens to orders once they are confirmed."""

    def __init__(self, context: ServiceContext, store: SalesStore) -> None:
        self._context = context
        self._store = store
        self._sent_up_to: tuple[datetime, UUID] | None = None

    async def on_ride_rated(self, tx: Any, event: RideRated | RideUnrated, _envelope: Envelope) -> None:
        """Note that a component was ridden, so that it is not given back later; or was not after all."""
        order = await self._store.lock_order(tx, event.order_id)
        if order is not None:
            await self._store.update_order(tx, mark_ridden(order, event.component_index, turn=event.turn))

    async def on_ride_begun(self, tx: Any, event: RideBegun, _envelope: Envelope) -> None:
        """Note that a component is being ridden: whoever is past the gate cannot cancel any more."""
        order = await self._store.lock_order(tx, event.order_id)
        if order is not None:
            await self._store.update_order(tx, mark_begun(order, event.component_index))

    async def on_refund_paid(self, tx: Any, event: RefundPaid, _envelope: Envelope) -> None:
        """A refund that had failed, or had come back, has reached the traveller after all."""
        row = await self._store.reopen_refund(tx, event.refund_id, self._context.clock.now())
        if row is None:
            return
        if row["told_at"] is None:
            await self._context.outbox.append(tx, *list_refunded_fares(row))
            await self._store.note_told(tx, event.refund_id, self._context.clock.now())
        await self._tell_of_refund(tx, row, "refund_paid_after_all")

    async def on_refund_returned(self, tx: Any, event: RefundReturned, _envelope: Envelope) -> None:
        """The traveller's bank sent a refund back: it is owed again, and a clerk sends it another way."""
        row = await self._store.return_refund(tx, event.refund_id)
        if row is not None:
            await self._tell_of_refund(tx, row, "refund_returned")

    async def _tell_of_refund(self, tx: Any, row: Any, code: str) -> None:
        order = await self._store.lock_order(tx, row["order_id"])
        assert order is not None, "an order is never deleted"
        message = compose_message(code, amount=f"{row['amount_minor']:,}")
        await self._store.insert_notification(tx, order, message, self._context.clock.now())

    async def on_sailing_cancelled(self, tx: Any, event: SailingCancelled, _envelope: Envelope) -> None:
        """Open a case for each order on the sailing: refund, revoke, tell."""
        await self._store.lock_sailing(tx, event.trip_id, event.service_date)
        await self._store.insert_cancelled_sailing(tx, event)
        for order_id in await self._store.list_orders_on_trip(tx, event.trip_id, event.service_date):
            order = await self._store.lock_order(tx, order_id)
            assert order is not None, "an order is never deleted"
            await self._open_case(tx, order, event)

    async def meet_cancelled_sailings(self, tx: Any, order: Order) -> Order:
        """Open cases for an order that is just confirmed, where its sailing was cancelled meanwhile.

        Both this and `on_sailing_cancelled` hold the sailing's lock, so one of them sees the other.
        """
        for leg in order.journey.legs:
            if leg.trip_id is None or leg.service_date is None or leg.mode is not Mode.FERRY:
                continue
            await self._store.lock_sailing(tx, leg.trip_id, leg.service_date)
            event = await self._store.find_cancelled_sailing(tx, leg.trip_id, leg.service_date)
            if event is not None:
                return await self._open_case(tx, order, event)
        return order

    async def on_account_closed(self, tx: Any, event: AccountClosed, _envelope: Envelope) -> None:
        """Forget the passengers' names on the orders of an account that is gone; the money stays.

        A ship's manifest needs the names of an order that is being booked: the event comes again later.
        """
        for order_id in await self._store.list_order_ids_of(tx, str(event.account_id)):
            order = await self._store.lock_order(tx, order_id)
            assert order is not None, "an order is never deleted"
            if order.state is OrderState.PENDING:
                raise OrderStillPending(f"Order {order_id} is not paid or expired yet.")
            await self._store.update_order(tx, replace(order, passengers=()))

    async def _open_case(self, tx: Any, order: Order, event: SailingCancelled) -> Order:
        now = self._context.clock.now()
        legs = find_cancelled_legs(order, trip_id=event.trip_id, service_date=event.service_date)
        lines = refund_lines_for_cancelled_legs(order, legs)
        case_id = uuid5(order.order_id, f"case:{event.trip_id}:{event.service_date}")
        amount = sum(line.amount.amount_minor for line in lines)
        is_new = await self._store.insert_case(
            tx,
            case_id=case_id,
            order_id=order.order_id,
            trip_id=event.trip_id,
            service_date=event.service_date,
            operator_id=event.operator_id,
            reason=event.reason,
            amount_minor=amount,
            now=now,
        )
        if not is_new or not lines:
            return order
        changed = await self.give_back(tx, order, lines, reason="sailing_cancelled", case_id=case_id, now=now)
        leg = order.journey.legs[legs[0]]
        message = compose_message(
            "sailing_cancelled",
            date=event.service_date.isoformat(),
            line=leg.route_name or leg.destination.name,
            amount=f"{amount:,}",
        )
        await self._store.insert_notification(tx, order, message, now)
        return changed

    async def cancel(self, order: Order, refund_id: UUID) -> tuple[Order, list[RefundLine]] | None:
        """The traveller cancels what is not ridden, by each operator's rule; None when nothing is left."""
        decided = [
            (component, await self._decide(order, component.component_index))
            for component in order.components
            if component.state is ComponentState.UNRIDDEN
        ]
        now = self._context.clock.now()
        async with self._context.database.transaction() as tx:
            locked = await self._store.lock_order(tx, order.order_id)
            assert locked is not None, "an order is never deleted"
            lines = [
                refund_line(component, amount=amount, reason="cancelled_by_traveller")
                for component, amount in decided
                if locked.components[component.component_index].state is ComponentState.UNRIDDEN
            ]
            if locked.state is not OrderState.CONFIRMED or not lines:
                return None
            changed = await self.give_back(
                tx,
                locked,
                tuple(lines),
                reason="cancelled_by_traveller",
                case_id=None,
                now=now,
                refund_id=refund_id,
            )
            back = sum(line.amount.amount_minor for line in lines)
            paid = sum(locked.components[line.component_index].amount.amount_minor for line in lines)
            message = compose_message("order_cancelled", amount=f"{back:,}", fee=f"{paid - back:,}")
            await self._store.insert_notification(tx, locked, message, now)
        return changed, lines

    async def _decide(self, order: Order, component_index: int) -> Money:
        component = order.components[component_index]
        _, fare = list(iterate_components(order.prices))[component_index]
        first_leg = order.journey.legs[component.leg_indices[0]]
        decision = await self._context.ports.get(PlannerPort).decide_refund(
            component=fare,
            price_paid=component.amount,
            now=self._context.clock.now(),
            departs_at=first_leg.departs_at,
        )
        return decision.amount

    async def give_back(
        self,
        tx: Any,
        order: Order,
        lines: tuple[RefundLine, ...],
        *,
        reason: str,
        case_id: UUID | None,
        now: datetime,
        refund_id: UUID | None = None,
    ) -> Order:
        """Mark what goes back of a locked order, note the refund for the worker, and have tickets revoked."""
        changed = order
        for line in lines:
            changed = mark_refunded(changed, line.component_index, line.amount)
        await self._store.update_order(tx, changed)
        await self._store.insert_refund(
            tx,
            refund_id=refund_id or uuid5(case_id or order.order_id, "refund"),
            order=order,
            case_id=case_id,
            amount=sum((line.amount for line in lines), Money(0, order.total.currency)),
            lines=lines,
            reason=reason,
            now=now,
        )
        cancelled = LegCancelled(
            order_id=order.order_id,
            case_id=case_id or uuid5(order.order_id, "cancellation"),
            component_indices=tuple(line.component_index for line in lines),
            reason=reason,
        )
        await self._context.outbox.append(tx, cancelled)
        return changed

    async def send_refunds(self) -> int:
        """Send the next page of what has to go back; what does not end now is asked for again later."""
        rows = await self._store.list_pending_refunds(self._sent_up_to)
        last = rows[-1] if len(rows) == REFUNDS_PAGE else None
        self._sent_up_to = last and (last["requested_at"], last["refund_id"])
        sent = 0
        for row in rows:
            # One refund that cannot go must not keep the others from it; its row brings it back.
            try:
                sent += await self._send(row)
            except PortUnavailable:
                raise
            except Exception:
                log.exception("refund_waits", refund_id=str(row["refund_id"]))
        return sent

    async def _send(self, row: Any) -> bool:
        state = "paid"
        if row["amount_minor"] > 0:
            refund = await self._context.ports.get(PaymentsPort).refund(
                refund_id=row["refund_id"],
                payment_id=row["payment_id"],
                amount=Money(row["amount_minor"]),
                reason=row["reason"],
            )
            if refund.state is RefundState.PENDING:
                return False
            state = "paid" if refund.state is RefundState.SUCCEEDED else "failed"
        await self._close(row, state)
        return True

    async def _close(self, row: Any, state: str) -> None:
        await self._release_places(row["order_id"])
        async with self._context.database.transaction() as tx:
            fresh = await self._store.close_refund(tx, row["refund_id"], state, self._context.clock.now())
            if fresh and state == "paid":
                await self._context.outbox.append(tx, *list_refunded_fares(row))
        if state == "failed":
            log.error("refund_failed", refund_id=str(row["refund_id"]), order_id=str(row["order_id"]))

    async def _release_places(self, order_id: UUID) -> None:
        order = await self._store.find_order(order_id)
        assert order is not None, "an order is never deleted"
        given_back = _legs_of(each for each in order.components if each.state is ComponentState.REFUNDED)
        # A hold is for all riders: when one of them is on board it stays, and with it the manifest; also on a
        # ship that turns back.
        on_board = _legs_of(each for each in order.components if each.was_ridden)
        for held in order.held_legs:
            if held.leg_index in given_back - on_board:
                await self._context.ports.get(BerthPort).release(hold_id=held.hold_id)


def _legs_of(components: Iterable[OrderedComponent]) -> set[int]:
    return {index for each in components for index in each.leg_indices}


def list_refunded_fares(row: Any) -> list[FareRefunded]:
    """What settlement is told of a refund's row."""
    return [
        FareRefunded(
            refund_id=row["refund_id"],
            order_id=row["order_id"],
            component_index=line.component_index,
            amount_minor=line.amount.amount_minor,
            shares=line.shares,
            was_earned=line.was_earned,
            reason=line.reason,
            fee_shares=line.fee_shares,
        )
        for line in LINES.validate_python(row["lines"])
    ]
