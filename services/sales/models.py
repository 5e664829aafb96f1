"""What comes in and goes out of sales' endpoints."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from maas.chargebacks import OrderDisputeState
from maas.fares.pass_options import PassOption
from maas.journeys import Journey
from maas.offers import RIDERS_MAX, Offer
from maas.orders import Order, OrderedComponent, OrderState
from maas.prices import FareMedium, JourneyPrice, MediumTotal, RiderCategory
from payments.money import Money
from payments.ports import PaymentState
from payments.receipts import InvoiceReceipt

METHOD = r"^(wallet|mandate:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|pm_[A-Za-z0-9_]{1,100})$"
Name = Annotated[str, StringConstraints(min_length=1, max_length=80, strip_whitespace=True)]


class Model(BaseModel):
    """A document of this service: unknown fields are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class OfferRequest(Model):
    """Ask for a firm price. `journey_id` comes from a search; `fare_class` is a ship's class.

    What is sold is our own ticket, at the price of the medium `app`; the other media are paid at the gate.
    `pass_ids` are passes of the traveller's; each covers one rider of its category.
    """

    journey_id: Annotated[str, StringConstraints(min_length=1, max_length=8000)]
    riders: list[RiderCategory] = Field(min_length=1, max_length=RIDERS_MAX)
    medium: Literal[FareMedium.APP] = FareMedium.APP
    fare_class: Annotated[str, StringConstraints(min_length=1, max_length=40)] | None = None
    pass_ids: list[UUID] = Field(default_factory=list, max_length=RIDERS_MAX)


class OfferView(Model):
    """An offer as its traveller sees it."""

    offer_id: UUID
    journey: Journey
    prices: list[JourneyPrice]
    total: Money
    other_media: list[MediumTotal]
    pass_options: list[PassOption]
    quoted_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, offer: Offer) -> "OfferView":
        """The view of an offer."""
        return cls(
            offer_id=offer.offer_id,
            journey=offer.journey,
            prices=list(offer.prices),
            total=offer.total,
            other_media=list(offer.other_media),
            pass_options=list(offer.pass_options),
            quoted_at=offer.quoted_at,
            expires_at=offer.expires_at,
        )


class OrderRequest(Model):
    """Take an offer. `passengers` are the riders' names, in the riders' order; ships need them.

    `on_one_code`: all riders on one ticket where that can be, as a family with one telephone wishes it.
    """

    offer_id: UUID
    passengers: list[Name] = Field(default_factory=list, max_length=RIDERS_MAX)
    on_one_code: bool = False


class PaymentRequest(Model):
    """Pay an order. `payment_method` is the card provider's id, `pm_...`, `wallet`, or `mandate:{id}`."""

    payment_method: Annotated[str, StringConstraints(pattern=METHOD)]


class PaymentView(Model):
    """How paying went on; `next_action_url` is where the payer must go when it `requires_action`."""

    state: PaymentState
    next_action_url: str | None


class RefundView(Model):
    """Money on its way back. What failed, or was returned by the traveller's bank, is sent another way.

    Of `charged_back` nothing is owed: the traveller has it from their bank, by a dispute.
    """

    refund_id: UUID
    amount: Money
    reason: str
    state: Literal["pending", "paid", "failed", "returned", "charged_back"]
    requested_at: datetime
    paid_at: datetime | None


class DisputeView(Model):
    """The bank was asked to take back an order's payment. `taken_back`: the price of what is void since."""

    state: OrderDisputeState
    amount: Money
    taken_back: Money
    opened_at: datetime
    decided_at: datetime | None


class DisputedOrderView(DisputeView):
    """As the clerk sees it. `order_id` is a pass's when `is_pass`; `reason` is the bank's word."""

    dispute_id: str
    order_id: UUID
    payment_id: UUID
    traveller_id: str
    is_pass: bool
    operators: list[str]
    reason: str


class DisputedOrderList(Model):
    """Disputed orders, newest first."""

    disputed_orders: list[DisputedOrderView]


class LandingReport(Model):
    """Where the passengers of a ship went ashore instead: a stop id, also that of the pier it sailed from."""

    leg_index: int = Field(ge=0, le=99)
    stop_id: Annotated[str, StringConstraints(min_length=1, max_length=200)]


class LandingView(Model):
    """What goes back to the traveller because of a landing."""

    order_id: UUID
    refund_id: UUID
    amount: Money


class OrderView(Model):
    """An order as its traveller sees it."""

    order_id: UUID
    offer_id: UUID
    state: OrderState
    journey: Journey
    prices: list[JourneyPrice]
    components: list[OrderedComponent]
    total: Money
    refunded: Money
    payment_id: UUID
    payment: PaymentView | None = None
    refunds: list[RefundView] = Field(default_factory=list)
    dispute: DisputeView | None = None
    placed_at: datetime
    expires_at: datetime

    @classmethod
    def of(
        cls,
        order: Order,
        *,
        payment: PaymentView | None = None,
        refunds: list[RefundView] | None = None,
        dispute: DisputeView | None = None,
    ) -> "OrderView":
        """The view of an order."""
        return cls(
            order_id=order.order_id,
            offer_id=order.offer_id,
            state=order.state,
            journey=order.journey,
            prices=list(order.prices),
            components=list(order.components),
            total=order.total,
            refunded=order.refunded,
            payment_id=order.payment_id,
            payment=payment,
            refunds=refunds or [],
            dispute=dispute,
            placed_at=order.placed_at,
            expires_at=order.expires_at,
        )


class OrderList(Model):
    """Orders, newest first."""

    orders: list[OrderView]


class ReceiptLine(Model):
    """One fare on the receipt."""

    description: str
    operators: list[str]
    amount: Money
    refunded: Money


class Receipt(Model):
    """One receipt for the whole way, whatever operators are on it. Amounts include consumption tax.

    `invoice` has the particulars of a qualified invoice over what was paid in the end: fares, and fees kept.
    """

    order_id: UUID
    issued_at: datetime
    lines: list[ReceiptLine]
    total: Money
    refunded: Money
    paid: Money
    invoice: InvoiceReceipt


class NotificationView(Model):
    """What a traveller was told, by language: ja, ja-easy, en, zh-Hans, ko. News may belong to no order."""

    notification_id: UUID
    order_id: UUID | None
    code: str
    texts: dict[str, str]
    created_at: datetime


class NotificationList(Model):
    """Notifications, newest first."""

    notifications: list[NotificationView]


class CaseView(Model):
    """A disruption case."""

    case_id: UUID
    order_id: UUID
    trip_id: str
    service_date: date
    operator_id: str
    reason: str
    amount: Money
    opened_at: datetime


class CaseList(Model):
    """Disruption cases, newest first."""

    cases: list[CaseView]


class Page(Model):
    """How many at most."""

    limit: int = Field(default=50, ge=1, le=200)
