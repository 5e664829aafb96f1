"""What becomes of an order whose payment the bank gave back to the card's owner.

Problem   A dispute is decided against the house: the money is gone, and some fares of the order are not used.
Idea      Fares that nobody has ridden are taken back, as far as the money that is gone reaches: whoever has
          their money back has no ticket. What was ridden, or is being ridden, stays as it is: its operators
          have carried somebody, and earn it. While the bank is undecided the tickets hold.
Not here  A debt of the traveller: there is none (docs/decisions/0014-a-lost-dispute-is-no-debt.md).
"""

from enum import StrEnum

from maas.disruptions import RefundLine, refund_line
from maas.orders import ComponentState, Order
from payments.money import Money

CHARGED_BACK = "charged_back"


class OrderDisputeState(StrEnum):
    """Where the dispute of an order's payment is."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"


def list_charged_back(order: Order, gone: Money) -> tuple[RefundLine, ...]:
    """A line for each unridden fare that `gone` still covers whole, the last of the journey first."""
    lines = []
    for component in reversed(order.components):
        if component.state is ComponentState.UNRIDDEN and component.amount <= gone:
            gone -= component.amount
            lines.append(refund_line(component, amount=component.amount, reason=CHARGED_BACK))
    return tuple(reversed(lines))
