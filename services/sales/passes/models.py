"""What comes in and goes out of the passes' endpoints."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from maas.passes import PassOrder, PassProduct, PassState
from maas.prices import Addend, RiderCategory
from payments.money import Money, yen
from services.sales.models import PaymentView

PassRider = Literal[RiderCategory.ADULT, RiderCategory.CHILD]


class Model(BaseModel):
    """A document of this service: unknown fields are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ProductQuery(Model):
    """Which day's passes. Today's when it is not given."""

    on: date | None = None


class PassProductView(Model):
    """A pass on sale. `child` is None where children are not sold one.

    `unit` hour: it begins with the first entry and needs no `starts_on`; day and month: it begins on one.
    """

    product_id: str
    name: str
    name_en: str
    unit: Literal["hour", "day", "month"]
    count: int
    networks: list[str]
    operators: list[str]
    adult: Money
    child: Money | None
    source: str

    @classmethod
    def of(cls, product: PassProduct) -> "PassProductView":
        """The view of a product."""
        row = product.row
        return cls(
            product_id=row.pass_id,
            name=row.name,
            name_en=row.name_en,
            unit=row.unit,
            count=row.count,
            networks=row.networks.split(),
            operators=list(product.operators),
            adult=yen(row.adult_minor),
            child=None if row.child_minor is None else yen(row.child_minor),
            source=row.source,
        )


class PassProductList(Model):
    """The passes on sale on a day."""

    products: list[PassProductView]


class PassOrderRequest(Model):
    """Buy a pass. `starts_on` is the first service date of a pass of days or months."""

    product_id: Annotated[str, StringConstraints(min_length=1, max_length=80)]
    rider: PassRider = RiderCategory.ADULT
    starts_on: date | None = None


class PassOrderView(Model):
    """A pass as its holder sees it. Times are aware; `ends_at` is exclusive.

    A pass of hours has no `starts_at` before its first entry, which must come before `begin_before`.
    """

    pass_id: UUID
    product_id: str
    name: str
    name_en: str
    rider: RiderCategory
    networks: list[str]
    operators: list[str]
    state: PassState
    amount: Money
    addends: list[Addend]
    usable_from: datetime
    starts_at: datetime | None
    ends_at: datetime | None
    begin_before: datetime
    payment_id: UUID
    payment: PaymentView | None = None
    refunded: Money
    refund_state: Literal["pending", "paid", "failed", "returned"] | None = None
    placed_at: datetime
    expires_at: datetime

    @classmethod
    def of(
        cls, order: PassOrder, *, refund_state: str | None = None, payment: PaymentView | None = None
    ) -> "PassOrderView":
        """The view of a pass."""
        return cls(
            pass_id=order.pass_id,
            product_id=order.product_id,
            name=order.name,
            name_en=order.name_en,
            rider=order.rider,
            networks=list(order.networks),
            operators=list(order.operators),
            state=order.state,
            amount=order.amount,
            addends=list(order.addends),
            usable_from=order.usable_from,
            starts_at=order.starts_at,
            ends_at=order.ends_at,
            begin_before=order.begin_before,
            payment_id=order.payment_id,
            payment=payment,
            refunded=order.refunded,
            refund_state=refund_state,
            placed_at=order.placed_at,
            expires_at=order.expires_at,
        )


class PassOrderList(Model):
    """Passes, newest first."""

    passes: list[PassOrderView] = Field(default_factory=list)
