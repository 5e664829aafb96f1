"""An order: all of a journey, or none of it.

Problem   Several operators' places and one card must be taken together or not at all, while any step may
          fail, be repeated, or be cut off.
Idea      The order is a value with a state; each function below is one allowed step and returns the new order
          with its events. Steps are driven from outside in the order authorise -> confirm places ->
          capture -> confirm; until capture everything can be undone, after it the order must be CONFIRMED.

  PENDING --confirm--> CONFIRMED
     |----roll_back--> ROLLED_BACK     a place or the payment failed for good
     `----expire-----> EXPIRED         nobody paid in time

Each fare component has a state of its own: UNRIDDEN -> BEGUN -> RIDDEN (BEGUN may be left out), or
-> REFUNDED from the first two (once for ever). What is begun its traveller cannot give back any more.
Invariant in the end, captured - refunded = sum of components ridden + fees kept.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid5

from maas.events import OrderConfirmed, OrderPlaced, OrderRolledBack
from maas.journeys import Journey
from maas.offers import HeldLeg, Offer, iterate_components, needs_berth
from maas.prices import JourneyPrice
from payments.money import Money


class OrderState(StrEnum):
    """Where an order is; see the module."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    ROLLED_BACK = "rolled_back"
    EXPIRED = "expired"


class ComponentState(StrEnum):
    """Where one fare of an order is."""

    UNRIDDEN = "unridden"
    BEGUN = "begun"
    RIDDEN = "ridden"
    REFUNDED = "refunded"


UNEARNED = frozenset({ComponentState.UNRIDDEN, ComponentState.BEGUN})


class PlaceStatus(StrEnum):
    """The answer to placing an order, in order of precedence."""

    PLACED = "placed"
    OFFER_EXPIRED = "offer_expired"
    PASSENGERS_REQUIRED = "passengers_required"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderedComponent:
    """A fare component as the order keeps it: what was paid, what was given back, and who shares it.

    `rating_turn` is the highest turn of RideRated and RideUnrated heard of, -1 when none was.
    """

    component_index: int
    rider_index: int
    leg_indices: tuple[int, ...]
    product_id: str
    amount: Money
    shares: dict[str, int]
    fare_class: str | None
    state: ComponentState
    refunded: Money
    rating_turn: int = -1

    @property
    def was_ridden(self) -> bool:
        """Whether taps show a ride, also of a fare that was given back since."""
        return self.rating_turn >= 0 and self.rating_turn % 2 == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What was bought. `passengers` are names, one per rider, where a ship's manifest needs them.

    `on_one_code`: the riders wish to share a ticket.
    """

    order_id: UUID
    offer_id: UUID
    traveller_id: str
    journey: Journey
    prices: tuple[JourneyPrice, ...]
    total: Money
    held_legs: tuple[HeldLeg, ...]
    passengers: tuple[str, ...]
    payment_id: UUID
    state: OrderState
    components: tuple[OrderedComponent, ...]
    placed_at: datetime
    expires_at: datetime
    on_one_code: bool = False

    @property
    def refunded(self) -> Money:
        """All that was given back."""
        return sum((each.refunded for each in self.components), Money(0, self.total.currency))


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """The answer to `place`: with PLACED come the order and its event."""

    status: PlaceStatus
    order: Order | None = None
    event: OrderPlaced | None = None


def place(
    offer: Offer, *, order_id: UUID, passengers: tuple[str, ...], now: datetime, on_one_code: bool = False
) -> Placement:
    """Take an offer whole. Refuses with OFFER_EXPIRED, PASSENGERS_REQUIRED."""
    if now >= offer.expires_at:
        return Placement(status=PlaceStatus.OFFER_EXPIRED)
    sails = any(needs_berth(leg) for leg in offer.journey.legs)
    if sails and len(passengers) != len(offer.prices):
        return Placement(status=PlaceStatus.PASSENGERS_REQUIRED)
    order = Order(
        order_id=order_id,
        offer_id=offer.offer_id,
        traveller_id=offer.traveller_id,
        journey=offer.journey,
        prices=offer.prices,
        total=offer.total,
        held_legs=offer.held_legs,
        passengers=passengers,
        payment_id=uuid5(order_id, "payment"),
        state=OrderState.PENDING,
        components=_components(offer.prices),
        placed_at=now,
        expires_at=offer.expires_at,
        on_one_code=on_one_code,
    )
    return Placement(
        status=PlaceStatus.PLACED,
        order=order,
        event=OrderPlaced(order_id=order_id, offer_id=offer.offer_id),
    )


def _components(prices: tuple[JourneyPrice, ...]) -> tuple[OrderedComponent, ...]:
    return tuple(
        OrderedComponent(
            component_index=index,
            rider_index=rider_index,
            leg_indices=component.leg_indices,
            product_id=component.product_id,
            amount=component.amount,
            shares=component.shares,
            fare_class=component.fare_class,
            state=ComponentState.UNRIDDEN,
            refunded=Money(0, component.amount.currency),
        )
        for index, (rider_index, component) in enumerate(iterate_components(prices))
    )


def confirm(order: Order) -> tuple[Order, OrderConfirmed]:
    """Everything is booked and the money is taken."""
    assert order.state is OrderState.PENDING, "only a pending order is confirmed"
    event = OrderConfirmed(
        order_id=order.order_id,
        traveller_id=order.traveller_id,
        journey=order.journey,
        prices=order.prices,
        passengers=order.passengers,
        on_one_code=order.on_one_code,
    )
    return replace(order, state=OrderState.CONFIRMED), event


def roll_back(order: Order, *, reason: str) -> tuple[Order, OrderRolledBack]:
    """It cannot be booked as a whole; the caller has released places and money."""
    assert order.state is OrderState.PENDING, "only a pending order is rolled back"
    return (
        replace(order, state=OrderState.ROLLED_BACK),
        OrderRolledBack(order_id=order.order_id, reason=reason),
    )


def expire(order: Order) -> tuple[Order, OrderRolledBack]:
    """Nobody paid in time; the caller has released places and money."""
    assert order.state is OrderState.PENDING, "only a pending order expires"
    return (
        replace(order, state=OrderState.EXPIRED),
        OrderRolledBack(order_id=order.order_id, reason="expired"),
    )


def with_component(order: Order, changed: OrderedComponent) -> Order:
    """The order with one component replaced."""
    components = tuple(
        changed if each.component_index == changed.component_index else each for each in order.components
    )
    return replace(order, components=components)


def mark_begun(order: Order, component_index: int) -> Order:
    """A component is being ridden; its traveller can no longer give it back."""
    component = order.components[component_index]
    if component.state is not ComponentState.UNRIDDEN:
        return order
    return with_component(order, replace(component, state=ComponentState.BEGUN))


def mark_ridden(order: Order, component_index: int, *, turn: int = 0) -> Order:
    """A component was ridden (even turn), or was not after all (odd). The highest turn heard of holds.

    One that was refunded stays refunded: its ticket was void.
    """
    component = order.components[component_index]
    if component.state is ComponentState.REFUNDED or turn <= component.rating_turn:
        return order
    state = ComponentState.UNRIDDEN if turn % 2 else ComponentState.RIDDEN
    return with_component(order, replace(component, state=state, rating_turn=turn))


def mark_refunded(order: Order, component_index: int, amount: Money) -> Order:
    """`amount` of a component (at most its price) is given back; the rest is a fee kept.

    One that was ridden is given back only where its ship turned back (disruptions.py).
    """
    component = order.components[component_index]
    assert component.state is not ComponentState.REFUNDED, "a component is refunded once"
    assert Money(0) <= amount <= component.amount, "a refund is at most the price paid"
    return with_component(order, replace(component, state=ComponentState.REFUNDED, refunded=amount))
