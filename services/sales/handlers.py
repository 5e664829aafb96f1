"""The use cases of sales: offer, order, pay, cancel, read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID, uuid5

from maas.eligibility import GROUP_MIN, Claim, find_home, list_unproven
from maas.errors import OfferNotFound, OrderNotFound
from maas.offers import HeldLeg, Offer, expiry, fare_class_of, legs_to_hold, quote, service_date_of
from maas.orders import ComponentState, Order, OrderState, PlaceStatus, place
from maas.passes import PassHeld
from maas.ports import BerthPort, HoldState, PlannerPort
from maas.prices import RiderCategory
from payments.collection import CITY
from payments.money import Money
from payments.receipts import InvoiceReceipt, Issuer, build_receipt
from payments.receipts import ReceiptLine as InvoiceLine
from services.platform.auth import Principal, Role
from services.platform.context import ServiceContext
from services.platform.problem import Problem
from services.platform.service import Call
from services.sales.aftersales import Aftersales
from services.sales.booking import Booking, BookingStatus
from services.sales.claims.handlers import Claims
from services.sales.disputes.handlers import DisputedOrders
from services.sales.models import (
    CaseList,
    CaseView,
    NotificationList,
    NotificationView,
    OfferRequest,
    OfferView,
    OrderList,
    OrderRequest,
    OrderView,
    PaymentView,
    Receipt,
    ReceiptLine,
    RefundView,
)
from services.sales.passes.handlers import Passes
from services.sales.passes.riding import check_held
from services.sales.store import SalesStore

_SHOW_PROOF = "Show the proof to a clerk, or upload an authority's credential; it must reach to that day."
_UNPROVEN = {
    RiderCategory.HELPER: "A helper rides at the reduced fare beside a disabled rider of the same order.",
    RiderCategory.GROUP: f"A group has {GROUP_MIN} riders or more; ask for adults.",
}


@dataclass(frozen=True, slots=True)
class SalesHandlers:
    """One method per endpoint."""

    context: ServiceContext
    store: SalesStore
    booking: Booking
    aftersales: Aftersales
    claims: Claims
    passes: Passes
    disputed: DisputedOrders

    async def create_offer(self, call: Call) -> OfferView:
        """Price the journey for each rider, hold the ships' places, promise both until the offer expires."""
        request: OfferRequest = call.body
        planner = self.context.ports.get(PlannerPort)
        journey = await planner.get_journey(journey_id=request.journey_id)
        now = self.context.clock.now()
        if journey.departs_at <= now:
            raise Problem("offer_expired", detail="This journey has already begun. Search again.")
        travelled_on = service_date_of(journey)
        claims = await self.claims.list_claims(traveller_id=call.caller.subject, on=travelled_on)
        _check_eligible(request.riders, claims, travelled_on)
        home = find_home(claims, on=travelled_on)
        prices = await planner.price(
            journey=journey,
            riders=request.riders,
            medium=request.medium,
            fare_class=request.fare_class,
            home=home,
            passes=await self._own_passes(request.pass_ids, call.caller, travelled_on),
        )
        worlds = await planner.price_worlds(
            journey=journey, riders=request.riders, fare_class=request.fare_class, home=home
        )
        offer_id = call.command_id
        expires_at = expiry(journey, now)
        held = legs_to_hold(journey, offer_id)
        offer, event = quote(
            offer_id=offer_id,
            traveller_id=call.caller.subject,
            journey=journey,
            prices=tuple(prices),
            fare_class=request.fare_class,
            held_legs=held,
            now=now,
            expires_at=expires_at,
            other_media=tuple(each for each in worlds.media if each.medium is not request.medium),
            pass_options=worlds.passes,
        )
        await self._hold(offer, held)
        async with self.context.database.transaction() as tx:
            await self.store.insert_offer(tx, offer)
            await self.context.outbox.append(tx, event)
        return OfferView.of(offer)

    async def _own_passes(
        self, pass_ids: Sequence[UUID], caller: Principal, travelled_on: date
    ) -> list[PassHeld]:
        if not pass_ids:
            return []
        held = await self.passes.list_passes(traveller_id=caller.subject, service_date=travelled_on)
        found = {each.pass_id: each for each in held}
        unknown = [str(pass_id) for pass_id in pass_ids if pass_id not in found]
        if unknown:
            detail = f"{', '.join(unknown)}: not a pass of yours that holds on {travelled_on}."
            raise Problem("pass_order_not_found", detail=detail)
        return [found[pass_id] for pass_id in dict.fromkeys(pass_ids)]

    async def _hold(self, offer: Offer, held: Sequence[HeldLeg]) -> None:
        berths = self.context.ports.get(BerthPort)
        for each in held:
            leg = offer.journey.legs[each.leg_index]
            assert leg.trip_id is not None, "only scheduled legs are held"
            assert leg.service_date is not None, "a scheduled leg has its service date"
            hold = await berths.hold(
                hold_id=each.hold_id,
                trip_id=leg.trip_id,
                service_date=leg.service_date,
                fare_class=fare_class_of(offer, each.leg_index),
                place_count=len(offer.prices),
                expires_at=offer.expires_at,
            )
            if hold.state not in (HoldState.HELD, HoldState.CONFIRMED):
                for other in held:
                    await berths.release(hold_id=other.hold_id)
                raise Problem("sold_out", detail=hold.detail or "The ship has not enough places left.")

    async def get_offer(self, call: Call) -> OfferView:
        """The traveller's own offer."""
        return OfferView.of(await self._own_offer(call.path["offer_id"], call.caller))

    async def place_order(self, call: Call) -> OrderView:
        """Take an offer; the order then waits for payment until it expires."""
        request: OrderRequest = call.body
        offer = await self._own_offer(request.offer_id, call.caller)
        order_id = call.command_id
        placement = place(
            offer,
            order_id=order_id,
            passengers=tuple(request.passengers),
            now=self.context.clock.now(),
            on_one_code=request.on_one_code,
        )
        known = await self.store.find_order(order_id)
        if known is not None:
            return OrderView.of(known)
        if placement.status is not PlaceStatus.PLACED:
            raise Problem(placement.status.value, detail=_cure_of(placement.status))
        assert placement.order is not None, "a placed order is there"
        async with self.context.database.transaction() as tx:
            await check_held(tx, self.passes.store, placement.order.prices)
            if not await self.store.insert_order(tx, placement.order):
                raise Problem("offer_taken", detail="List your orders to find the one that took this offer.")
            await self.context.outbox.append(tx, placement.event)
        return OrderView.of(placement.order)

    async def pay_order(self, call: Call) -> OrderView:
        """Pay and book. When the payer must act first, the answer says where; then pay again."""
        order = await self._own_order(call.path["order_id"], call.caller)
        has_expired = order.state is OrderState.PENDING and self.context.clock.now() >= order.expires_at
        if has_expired and not await self.store.is_being_booked(order.order_id):
            raise Problem("order_not_payable", detail="The order has expired; ask for a new offer.")
        status, changed, payment = await self.booking.drive(order.order_id, call.body.payment_method)
        if status is BookingStatus.DECLINED:
            code = payment.decline_code if payment else None
            raise Problem("payment_declined", detail="Try another card.", decline_code=code)
        if status is BookingStatus.ROLLED_BACK:
            raise Problem(
                "sold_out",
                detail="A place or the payment was lost meanwhile. Nothing is charged; search again.",
            )
        if status is BookingStatus.NOT_PAYABLE and changed.state is OrderState.PENDING:
            # No answer to keep: whoever takes it for a refusal buys the same trip twice.
            raise Problem(
                "idempotency_in_progress",
                detail="The order is being paid. Send the request again in a second.",
            )
        if status is BookingStatus.NOT_PAYABLE:
            raise Problem(
                "order_not_payable", detail=f"The order is {changed.state}; for a new one ask for an offer."
            )
        view = PaymentView(state=payment.state, next_action_url=payment.next_action_url) if payment else None
        return OrderView.of(changed, payment=view)

    async def cancel_order(self, call: Call) -> OrderView:
        """Give back all that is not ridden yet, by each operator's rule."""
        order = await self._own_order(call.path["order_id"], call.caller)
        refund_id = uuid5(order.order_id, f"cancel:{call.command_id}")
        result = await self.aftersales.cancel(order, refund_id)
        refunds = await self._refunds(order.order_id)
        if result is not None:
            return OrderView.of(result[0], refunds=refunds)
        if any(each.refund_id == refund_id for each in refunds):
            # A first try of this command did it, and its answer was lost.
            return OrderView.of(await self._own_order(order.order_id, call.caller), refunds=refunds)
        raise Problem("order_not_cancellable", detail="The order is not confirmed, or all of it is used.")

    async def list_orders(self, call: Call) -> OrderList:
        """The traveller's orders."""
        orders = await self.store.list_orders(call.caller.subject, limit=call.query.limit)
        return OrderList(orders=[OrderView.of(order) for order in orders])

    async def get_order(self, call: Call) -> OrderView:
        """One order with its refunds, and the dispute of its payment."""
        order = await self._own_order(call.path["order_id"], call.caller)
        refunds = await self._refunds(order.order_id)
        return OrderView.of(order, refunds=refunds, dispute=await self.disputed.find_view(order))

    async def get_receipt(self, call: Call) -> Receipt:
        """The receipt of an order that was paid."""
        order = await self._own_order(call.path["order_id"], call.caller)
        if order.state is not OrderState.CONFIRMED:
            raise Problem("order_not_found", detail="Only a confirmed order has a receipt.")
        return Receipt(
            order_id=order.order_id,
            issued_at=self.context.clock.now(),
            lines=_receipt_lines(order),
            total=order.total,
            refunded=order.refunded,
            paid=order.total - order.refunded,
            invoice=self._invoice(order),
        )

    def _invoice(self, order: Order) -> InvoiceReceipt:
        """Tax is rounded once over all.

        A fare kept after it was given up is a fee, and no ride; but a ride to another port is one.
        """
        settings = self.context.settings
        return build_receipt(
            issuer=Issuer(
                name=settings.issuer_name, registration_number=settings.issuer_registration_number or None
            ),
            recipient=order.traveller_id,
            issued_on=order.placed_at.astimezone(CITY).date(),
            lines=[
                InvoiceLine(
                    description=line.description,
                    supplied_on=order.journey.legs[component.leg_indices[0]].departs_at.date(),
                    amount_minor=(component.amount - component.refunded).amount_minor,
                    is_public_transport=component.state is not ComponentState.REFUNDED
                    or component.was_ridden,
                )
                for component, line in zip(order.components, _receipt_lines(order), strict=True)
                if component.amount != component.refunded
            ],
        )

    async def list_notifications(self, call: Call) -> NotificationList:
        """What the traveller was told."""
        rows = await self.store.list_notifications(call.caller.subject, limit=call.query.limit)
        return NotificationList(notifications=[NotificationView(**dict(row)) for row in rows])

    async def list_cases(self, call: Call) -> CaseList:
        """Disruption cases: a clerk's own operator's, an administrator's all."""
        operator_id = call.caller.operator_id if call.caller.role is Role.CLERK else None
        if call.caller.role is Role.CLERK and operator_id is None:
            raise Problem("forbidden", detail="A clerk without an operator sees no cases.")
        rows = await self.store.list_cases(operator_id, limit=call.query.limit)
        return CaseList(
            cases=[
                CaseView(
                    **{key: value for key, value in dict(row).items() if key != "amount_minor"},
                    amount=Money(row["amount_minor"]),
                )
                for row in rows
            ]
        )

    async def _own_offer(self, offer_id: UUID, caller: Principal) -> Offer:
        offer = await self.store.find_offer(offer_id, caller.subject)
        if offer is None:
            raise OfferNotFound("No offer of yours has this id. Ask for a new offer.")
        return offer

    async def _own_order(self, order_id: UUID, caller: Principal) -> Order:
        order = await self.store.find_order(order_id)
        if order is None or (caller.role is not Role.ADMIN and order.traveller_id != caller.subject):
            raise OrderNotFound("No order of yours has this id. List your orders to find it.")
        return order

    async def _refunds(self, order_id: UUID) -> list[RefundView]:
        return [
            RefundView(
                refund_id=row["refund_id"],
                amount=Money(row["amount_minor"]),
                reason=row["reason"],
                state=row["state"],
                requested_at=row["requested_at"],
                paid_at=row["paid_at"],
            )
            for row in await self.store.list_refunds(order_id)
        ]


def _check_eligible(riders: Sequence[RiderCategory], claims: Sequence[Claim], day: date) -> None:
    """Reductions are sold to whom they were proven, for a day that the proof reaches to."""
    unproven = list_unproven(riders, claims, on=day)
    if unproven:
        raise Problem(
            "eligibility_unproven",
            detail=" ".join(dict.fromkeys(_UNPROVEN.get(rider, _SHOW_PROOF) for rider in unproven)),
            riders=[rider.value for rider in unproven],
            travelled_on=day.isoformat(),
        )


def _cure_of(status: PlaceStatus) -> str:
    if status is PlaceStatus.PASSENGERS_REQUIRED:
        return "Give one name per rider in `passengers`, in the riders' order."
    return "Ask for a new offer."


def _receipt_lines(order: Order) -> list[ReceiptLine]:
    return [
        ReceiptLine(
            description=" ・ ".join(
                f"{order.journey.legs[index].origin.name}→{order.journey.legs[index].destination.name}"
                for index in component.leg_indices
            ),
            operators=sorted(component.shares),
            amount=component.amount,
            refunded=component.refunded,
        )
        for component in order.components
    ]
