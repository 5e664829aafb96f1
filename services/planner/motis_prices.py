"""Prices in the planning face: the shapes of our own REST inside itineraries."""

from datetime import date

from pydantic import BaseModel, ConfigDict

from maas.fares.pass_options import PassOption
from maas.prices import FareComponent, FareMedium, RiderCategory
from services.planner.pricing import Priced


class Message(BaseModel):
    """Strict and frozen, in our own REST's style."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class MoneyMessage(Message):
    """An amount of money."""

    amount_minor: int
    currency: str


class AddendMessage(Message):
    """A line of a fare's explanation."""

    text: str
    text_en: str
    amount_minor: int
    rule_id: str
    valid_from: date
    source: str


class ComponentMessage(Message):
    """One fare of a price, over the legs with these indices."""

    leg_indices: list[int]
    product_id: str
    amount: MoneyMessage
    fare_class: str | None = None
    addends: list[AddendMessage]


class PriceMessage(Message):
    """The price for one rider in one medium; an unknown one has no `total`, and `reason` says why."""

    rider: RiderCategory
    medium: FareMedium
    total: MoneyMessage | None = None
    reason: str | None = None
    components: list[ComponentMessage]


class PassOptionMessage(Message):
    """A pass that covers the legs with these indices: its price, and what an adult pays beside it."""

    product_id: str
    name: str
    name_en: str
    price: MoneyMessage
    left: MoneyMessage
    leg_indices: list[int]
    source: str


def price_message(priced: Priced) -> PriceMessage:
    """A price with its explanation."""
    price = priced.price
    return PriceMessage(
        rider=priced.rider,
        medium=priced.medium,
        total=_money(price.total.amount_minor, price.total.currency) if price else None,
        reason=priced.reason,
        components=[_component_message(component) for component in price.components] if price else [],
    )


def pass_option_message(option: PassOption) -> PassOptionMessage:
    """A pass for a journey."""
    return PassOptionMessage(
        product_id=option.row.pass_id,
        name=option.row.name,
        name_en=option.row.name_en,
        price=_money(option.price_minor, "JPY"),
        left=_money(option.left_minor, "JPY"),
        leg_indices=list(option.legs),
        source=option.row.source,
    )


def _component_message(component: FareComponent) -> ComponentMessage:
    return ComponentMessage(
        leg_indices=list(component.leg_indices),
        product_id=component.product_id,
        amount=_money(component.amount.amount_minor, component.amount.currency),
        fare_class=component.fare_class,
        addends=[
            AddendMessage(
                text=addend.text,
                text_en=addend.text_en,
                amount_minor=addend.amount_minor,
                rule_id=addend.rule_id,
                valid_from=addend.valid_from,
                source=addend.source,
            )
            for addend in component.addends
        ],
    )


def _money(amount_minor: int, currency: str) -> MoneyMessage:
    return MoneyMessage(amount_minor=amount_minor, currency=str(currency))
