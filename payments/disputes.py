"""A dispute of a captured payment, as a machine without I/O.

Problem   The bank withdraws a customer's payment, asks for evidence, and decides weeks later; the news of
          each step come in any order.
Idea      The provider's report of where the dispute is now is followed, never an old message. A decided
          dispute stays decided. The movements of money have entries of their own (movements.py); a loss is
          booked once.
Not here  Calls, rows (services/payments/disputes).

  state          the provider says           what follows
  OPEN           needs_response              somebody answers until `due_by`
  UNDER_REVIEW   under_review                the bank decides
  WON            won, warning_closed         the money came back with a movement of its own
  LOST           lost                        disputed -> chargeback_losses, what was withdrawn;
                                             a top-up's wallet -> chargeback_losses, what is left there
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID, uuid5

from payments.accounts import CHARGEBACK_LOSSES, DISPUTED, UNEARNED_FARES, AccountId
from payments.ports import Payment
from payments.transfers import Transfer, TransferCode

_DISPUTES = UUID("6a1f3a52-0a7c-5c8e-8b6b-646973707574")
EVIDENCE_FIELDS = frozenset(
    {
        "access_activity_log",
        "cancellation_policy_disclosure",
        "cancellation_rebuttal",
        "customer_email_address",
        "customer_name",
        "customer_purchase_ip",
        "duplicate_charge_explanation",
        "product_description",
        "refund_policy_disclosure",
        "refund_refusal_explanation",
        "service_date",
        "uncategorized_text",
    }
)
"""What can be told in words. Files are handed in at the provider's own page."""


class DisputeState(StrEnum):
    """Where a dispute is."""

    OPEN = "open"
    UNDER_REVIEW = "under_review"
    WON = "won"
    LOST = "lost"

    @property
    def is_decided(self) -> bool:
        """The bank has decided."""
        return self in (DisputeState.WON, DisputeState.LOST)


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeReport:
    """What the provider says of a dispute, now."""

    dispute_id: str
    charge_id: str
    amount_minor: int
    currency: str
    reason: str
    state: DisputeState
    due_by: datetime | None
    opened_at: datetime


def follow_dispute(known: DisputeState, reported: DisputeState) -> DisputeState:
    """The state after the provider's word; what was decided stays decided."""
    return known if known.is_decided else reported


def build_loss(dispute_id: str, amount_minor: int, currency: str, *, at: datetime) -> Transfer:
    """The ledger entry of a lost dispute: what was withdrawn is the platform's loss."""
    return Transfer(
        transfer_id=uuid5(_DISPUTES, f"{dispute_id}/lost"),
        debit=CHARGEBACK_LOSSES,
        credit=DISPUTED,
        amount_minor=amount_minor,
        currency=currency,
        code=TransferCode.DISPUTE,
        reference=f"dispute:{dispute_id}",
        effective_at=at,
    )


def build_fares_kept(
    dispute_id: str, amount_minor: int, currency: str, *, attempt: int, at: datetime
) -> Transfer:
    """Paid fares of a lost dispute that nobody rides any more lessen the loss: no operator will earn them.

    `attempt` makes its id, since one that the ledger refused never succeeds.
    """
    return Transfer(
        transfer_id=uuid5(_DISPUTES, f"{dispute_id}/fares/{attempt}"),
        debit=UNEARNED_FARES,
        credit=CHARGEBACK_LOSSES,
        amount_minor=amount_minor,
        currency=currency,
        code=TransferCode.DISPUTE,
        reference=f"dispute:{dispute_id}",
        effective_at=at,
    )


def build_value_taken_back(
    dispute_id: str, wallet: AccountId, amount_minor: int, currency: str, *, attempt: int, at: datetime
) -> Transfer:
    """What is left in a wallet of a top-up that the bank gave back lessens the loss.

    `attempt` makes its id, as for `build_fares_kept`.
    """
    return Transfer(
        transfer_id=uuid5(_DISPUTES, f"{dispute_id}/value/{attempt}"),
        debit=wallet,
        credit=CHARGEBACK_LOSSES,
        amount_minor=amount_minor,
        currency=currency,
        code=TransferCode.DISPUTE,
        reference=f"dispute:{dispute_id}",
        effective_at=at,
    )


def draft_evidence(payment: Payment, *, paid_on: date) -> dict[str, str]:
    """What we know of a payment by ourselves; what was ridden is written by services/payments/disputes."""
    back = payment.refunded.amount_minor
    refunded = f", of which {back} yen were given back" if back else ""
    return {
        "product_description": f"Public transport in the city, order {payment.order_id}",
        "service_date": paid_on.isoformat(),
        "refund_policy_disclosure": (
            "Unused fares of a cancelled service are given back in full and without asking; the traveller's "
            "own cancellation follows the rule of each operator, which is shown before payment."
        ),
        "uncategorized_text": (
            f"Payment {payment.payment_id} of {payment.captured.amount_minor} yen was authorised and then "
            f"captured for order {payment.order_id} after all parts of the journey were booked{refunded}."
        ),
    }
