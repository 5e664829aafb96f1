"""Put a traveller right when a leg will not run.

Problem   A ship is cancelled in the afternoon. The subway to the pier and the bus on the island were bought
          with it, each from another operator with rules of its own.
Idea      The fare that holds the cancelled leg is given back in full, as the operator's rule for its
          own cancellation says. Fares of the same order that are not ridden yet have lost their purpose
          through no fault of the traveller: they are given back in full too, because nobody has carried
          anyone for them and the platform still holds the money. What was ridden stays paid. Each fare is
          one line with its reason.
          A ship that sailed on condition and came back (引返欠航) is cancelled with its passengers on board:
          its fare is given back although they have boarded, for they were carried nowhere.
          Who went ashore at another island owes the one-way fare to there, and no more of the ship's fare is
          kept; where that fare is as high as what was paid, nothing comes back.
Not here  A traveller's own cancellation: then each operator's fee applies (fares/refunds.py). What the fare
          to another island is (fares/engine.py).
Source    facts B3.4 (operator cancellation), B3.5; payments rule 22 (refunds use the original shares).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from maas.orders import UNEARNED, ComponentState, Order, OrderedComponent
from payments.money import Money, split_exactly


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundLine:
    """What is given back of one component, why, and by whom; `fee_shares` is what the operators keep."""

    component_index: int
    amount: Money
    shares: dict[str, int]
    fee_shares: dict[str, int]
    was_earned: bool
    reason: str


def find_cancelled_legs(order: Order, *, trip_id: str, service_date: date) -> tuple[int, ...]:
    """The indices of the order's legs on that sailing."""
    return tuple(
        index
        for index, leg in enumerate(order.journey.legs)
        if leg.trip_id == trip_id and leg.service_date == service_date
    )


def refund_lines_for_cancelled_legs(order: Order, cancelled_legs: tuple[int, ...]) -> tuple[RefundLine, ...]:
    """A line for each component that is given back because these legs will not run; empty when none is."""
    return tuple(
        refund_line(
            component,
            amount=component.amount,
            reason="cancelled_by_operator"
            if set(component.leg_indices) & set(cancelled_legs)
            else "journey_broken_by_cancellation",
        )
        for component in order.components
        if component.state in UNEARNED
        or (component.state is ComponentState.RIDDEN and set(component.leg_indices) & set(cancelled_legs))
    )


def refund_lines_for_landing(
    order: Order, leg_index: int, fares_due: Mapping[int, Money]
) -> tuple[RefundLine, ...]:
    """A line for each component given back because the ship of a leg put its passengers ashore elsewhere.

    `fares_due` names the ship's own components with the fare to where they went ashore. Later legs that are
    not ridden have lost their purpose and are given back in full.
    """
    lines = []
    for component in order.components:
        due = fares_due.get(component.component_index)
        if due is not None and component.state is not ComponentState.REFUNDED:
            if due < component.amount:
                lines.append(refund_line(component, amount=component.amount - due, reason="landed_elsewhere"))
        elif component.state in UNEARNED and min(component.leg_indices) > leg_index:
            lines.append(refund_line(component, amount=component.amount, reason="journey_broken_by_landing"))
    return tuple(lines)


def refund_line(component: OrderedComponent, *, amount: Money, reason: str) -> RefundLine:
    """`amount` of a component, shared between the operators as its price was; the rest is their fee."""
    shares = _split(amount.amount_minor, component.shares)
    return RefundLine(
        component_index=component.component_index,
        amount=amount,
        shares=shares,
        fee_shares={
            operator_id: share - shares.get(operator_id, 0)
            for operator_id, share in component.shares.items()
            if share != shares.get(operator_id, 0)
        },
        was_earned=component.state is ComponentState.RIDDEN,
        reason=reason,
    )


def _split(amount_minor: int, weights: dict[str, int]) -> dict[str, int]:
    return split_exactly(amount_minor, weights) if amount_minor and any(weights.values()) else {}
