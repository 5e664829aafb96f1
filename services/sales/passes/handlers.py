"""The use cases of passes; implements PassPort."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from maas.events import PassBegun
from maas.fares.charged import ServiceClock
from maas.passes import (
    BOOK_AHEAD_DAYS_MAX,
    PassHeld,
    PassOrder,
    PassPlaceStatus,
    PassProduct,
    PassState,
    PassUse,
    note_entry,
    place_pass,
)
from maas.ports import PlannerPort
from services.platform.auth import Role
from services.platform.bus import Envelope
from services.platform.context import ServiceContext
from services.platform.problem import Problem
from services.platform.service import Call
from services.sales.models import PaymentView
from services.sales.passes.models import (
    PassOrderList,
    PassOrderRequest,
    PassOrderView,
    PassProductList,
    PassProductView,
)
from services.sales.passes.selling import PassSelling, SellingStatus
from services.sales.passes.store import PassStore

CLOCK = ServiceClock(zone=ZoneInfo("Asia/Tokyo"))

_CURES = {
    PassPlaceStatus.NOT_SOLD_TO_RIDER: "This pass is not sold to that rider; ask for an adult's.",
    PassPlaceStatus.START_MISSING: "Give `starts_on`, the first day of the pass.",
    PassPlaceStatus.START_NOT_ASKED: "It begins with the first entry; leave `starts_on` out.",
    PassPlaceStatus.START_OUT_OF_RANGE: f"Give a day from today to {BOOK_AHEAD_DAYS_MAX} days from now.",
}


@dataclass(frozen=True, slots=True)
class Passes:
    """One method per endpoint, and the port."""

    context: ServiceContext
    store: PassStore
    selling: PassSelling

    # PassPort ----------------------------------------------------------------------------------------------

    async def list_passes(self, *, traveller_id: str, service_date: date) -> list[PassHeld]:
        """The traveller's paid passes that may cover an entry of that service date."""
        since, until = CLOCK.start_of(service_date), CLOCK.start_of(service_date + timedelta(days=1))
        return [each.held for each in await self.store.list_held(traveller_id, since=since, until=until)]

    async def list_holders(self, *, traveller_ids: Sequence[str], since: date, until: date) -> list[str]:
        """Those of these travellers with a paid pass that may cover an entry of the span."""
        return await self.store.list_holders(
            traveller_ids, since=CLOCK.start_of(since), until=CLOCK.start_of(until + timedelta(days=1))
        )

    async def note_uses(self, *, uses: Sequence[PassUse]) -> list[PassHeld | None]:
        """What rides made of passes; None for a pass that is not held (any more)."""
        return [await self._note(use) for use in uses]

    async def _note(self, use: PassUse) -> PassHeld | None:
        async with self.context.database.transaction() as tx:
            order = await self.store.lock(tx, use.pass_id)
            if order is None or order.state not in (PassState.CONFIRMED, PassState.EARNED):
                return None
            if order.state is PassState.EARNED:
                # Its price is shared already; so late a ride is still covered.
                return order.held
            changed = order if use.began is None else note_entry(order, use.began)
            if changed != order:
                await self.store.update(tx, changed)
            await self.store.put_use(tx, use)
        return changed.held

    async def on_pass_begun(self, tx: Any, event: PassBegun, _envelope: Envelope) -> None:
        """A gate let a ticket of a pass of hours through: it has begun."""
        order = await self.store.lock(tx, event.pass_id)
        if order is not None and order.state is PassState.CONFIRMED:
            await self.store.update(tx, note_entry(order, event.began))

    # Endpoints ---------------------------------------------------------------------------------------------

    async def list_products(self, call: Call) -> PassProductList:
        """The passes on sale on a day."""
        products = await self._products(call.query.on)
        return PassProductList(products=[PassProductView.of(each) for each in products])

    async def place(self, call: Call) -> PassOrderView:
        """Order a pass; it then waits for payment until it expires."""
        request: PassOrderRequest = call.body
        known = await self.store.find(call.command_id)
        if known is not None:
            return PassOrderView.of(known[0], refund_state=known[1])
        products = await self._products(request.starts_on)
        product = next((each for each in products if each.row.pass_id == request.product_id), None)
        if product is None:
            detail = "Ask /api/passes/products for the passes of that day."
            raise Problem("pass_product_not_found", detail=detail)
        placement = place_pass(
            product,
            pass_id=call.command_id,
            traveller_id=call.caller.subject,
            rider=request.rider,
            starts_on=request.starts_on,
            now=self.context.clock.now(),
            clock=CLOCK,
        )
        if placement.order is None:
            detail = _CURES[placement.status]
            raise Problem("pass_not_sellable", detail=detail, reason=placement.status.value)
        await self.store.insert(placement.order)
        return PassOrderView.of(placement.order)

    async def pay(self, call: Call) -> PassOrderView:
        """Pay a pass. When the payer must act first, the answer says where; then pay again."""
        order, _ = await self._own(call)
        if order.state is PassState.PENDING and self.context.clock.now() >= order.expires_at:
            raise Problem("order_not_payable", detail="The order has expired; order the pass again.")
        status, changed, payment = await self.selling.drive(order.pass_id, call.body.payment_method)
        if status is SellingStatus.DECLINED:
            code = payment.decline_code if payment else None
            raise Problem("payment_declined", detail="Try another card.", decline_code=code)
        if status is SellingStatus.NOT_PAYABLE and changed.state is PassState.PENDING:
            raise Problem(
                "idempotency_in_progress",
                detail="The pass is being paid. Send the request again in a second.",
            )
        if status is SellingStatus.NOT_PAYABLE:
            raise Problem("order_not_payable", detail="The order has expired; order the pass again.")
        view = PaymentView(state=payment.state, next_action_url=payment.next_action_url) if payment else None
        return PassOrderView.of(changed, payment=view)

    async def cancel(self, call: Call) -> PassOrderView:
        """Give back a pass that has not begun, by the rule of its tariff."""
        order, refund_state = await self._own(call)
        if order.state is PassState.REFUNDED:
            return PassOrderView.of(order, refund_state=refund_state)
        changed = await self.selling.give_back(order.pass_id)
        if changed is None:
            raise Problem(
                "order_not_cancellable",
                detail="The pass has begun, is over, is not paid, or an order of yours rides on it.",
            )
        return PassOrderView.of(changed, refund_state="pending")

    async def list_own(self, call: Call) -> PassOrderList:
        """The traveller's passes."""
        found = await self.store.list_of(call.caller.subject, limit=call.query.limit)
        return PassOrderList(passes=[PassOrderView.of(order, refund_state=state) for order, state in found])

    async def get(self, call: Call) -> PassOrderView:
        """One pass."""
        order, refund_state = await self._own(call)
        return PassOrderView.of(order, refund_state=refund_state)

    async def _products(self, on: date | None) -> list[PassProduct]:
        day = on or CLOCK.day_of(self.context.clock.now())
        return await self.context.ports.get(PlannerPort).list_pass_products(on=day)

    async def _own(self, call: Call) -> tuple[PassOrder, str | None]:
        found = await self.store.find(call.path["pass_id"])
        if found is None or (
            call.caller.role is not Role.ADMIN and found[0].traveller_id != call.caller.subject
        ):
            raise Problem("pass_order_not_found", detail="List your passes to find its id.")
        return found
