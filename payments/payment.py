"""A customer's payment, from opened to captured, as a machine without I/O.

Problem   Commands are repeated, answers of the provider come late, twice or never, and a process may die
          between any two steps. The payment must still be captured once or not at all.
Idea      Two kinds of function. `decide_...` says what a command means in the payment's present state.
          `follow` takes what the provider says is so (never what an old message said) and gives the next
          payment and the one movement the ledger owes to it. It makes one step; called until nothing
          changes, it brings payment and ledger to where the provider is, from any point of any crash.
Not here  Calls to the provider, the ledger and the database (services/payments).
Invariant 0 <= refunded + being refunded <= captured <= amount; a final state is never left.
Source    Stripe's PaymentIntent life cycle with manual capture, reduced to what changes money.

  state        the provider says it is       next             the ledger
  unheld       waiting for the traveller     REQUIRES_ACTION
  unheld       declined                      DECLINED
  unheld       held                          AUTHORISED       hold
  unheld       cancelled, or never made      VOIDED
  AUTHORISED   taken                         CAPTURED         post the hold
  AUTHORISED   cancelled                     VOIDED           void the hold

Unheld are OPEN, REQUIRES_ACTION and DECLINED. From the latter two another card may be tried (`reopen`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID

from payments.money import Money
from payments.ports import Payment, PaymentPurpose, PaymentState, RefundState

FINAL = frozenset({PaymentState.CAPTURED, PaymentState.VOIDED})
_UNHELD = frozenset({PaymentState.OPEN, PaymentState.REQUIRES_ACTION, PaymentState.DECLINED})


class Wanted(StrEnum):
    """Where the owner of a payment wants it to go. The last wish counts, but a void is never taken back."""

    NOTHING = "nothing"
    AUTHORISED = "authorised"
    CAPTURED = "captured"
    VOIDED = "voided"


class Verdict(StrEnum):
    """What a command means now."""

    DO = "do"
    LOOK = "look"
    DONE_BEFORE = "done_before"
    WRONG_STATE = "wrong_state"
    EXCEEDS_CAPTURED = "exceeds_captured"


class ProviderState(StrEnum):
    """Where the provider has a payment. UNCONFIRMED holds nothing yet; UNKNOWN_THERE was never made."""

    UNKNOWN_THERE = "unknown_there"
    UNCONFIRMED = "unconfirmed"
    REQUIRES_ACTION = "requires_action"
    PROCESSING = "processing"
    DECLINED = "declined"
    HELD = "held"
    TAKEN = "taken"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderReport:
    """What the provider says is so, now. The ids are the provider's own."""

    state: ProviderState
    provider_id: str | None = None
    charge_id: str | None = None
    decline_code: str | None = None
    next_action_url: str | None = None


class LedgerStep(StrEnum):
    """The movement that the ledger owes to a step of a payment. It is posted before the step is recorded."""

    NONE = "none"
    HOLD = "hold"
    POST = "post"
    VOID = "void"


WALLET = "wallet"
"""The payment method that takes the payer's stored value."""
MANDATE_PREFIX = "mandate:"
"""With a mandate's id behind it: the payment method that takes the stored value of the mandate's payer."""


def open_payment(
    *,
    payment_id: UUID,
    order_id: UUID,
    traveller_id: str,
    amount: Money,
    purpose: PaymentPurpose = PaymentPurpose.ORDER,
    modes: Sequence[str] = (),
) -> Payment:
    """A payment of a positive amount; nothing has moved."""
    assert amount.amount_minor > 0, "a payment is of a positive amount; a free order needs none"
    nothing = Money(0, amount.currency)
    return Payment(
        payment_id=payment_id,
        order_id=order_id,
        traveller_id=traveller_id,
        amount=amount,
        captured=nothing,
        refunded=nothing,
        state=PaymentState.OPEN,
        purpose=purpose,
        modes=tuple(modes),
    )


def reopen(payment: Payment) -> Payment:
    """The payment with the last card's answer forgotten, because another card is tried."""
    assert payment.state in _UNHELD, "another card is tried only while nothing is held"
    return replace(payment, state=PaymentState.OPEN, decline_code=None, next_action_url=None)


def decide_authorise(state: PaymentState, wanted: Wanted, *, same_method: bool) -> Verdict:
    """DO, LOOK (ask the provider whether the traveller has acted), DONE_BEFORE or WRONG_STATE.

    `same_method`: this card was tried last. A declined card is not tried twice; another one is.
    """
    if state in (PaymentState.AUTHORISED, PaymentState.CAPTURED):
        return Verdict.DONE_BEFORE
    if state in FINAL or wanted is Wanted.VOIDED:
        return Verdict.WRONG_STATE
    if state is PaymentState.OPEN or not same_method:
        return Verdict.DO
    return Verdict.LOOK if state is PaymentState.REQUIRES_ACTION else Verdict.DONE_BEFORE


def decide_capture(state: PaymentState, wanted: Wanted) -> Verdict:
    """DO, DONE_BEFORE or WRONG_STATE."""
    if state is PaymentState.CAPTURED:
        return Verdict.DONE_BEFORE
    if state is not PaymentState.AUTHORISED or wanted is Wanted.VOIDED:
        return Verdict.WRONG_STATE
    return Verdict.DO


def decide_void(state: PaymentState) -> Verdict:
    """DO, DONE_BEFORE or WRONG_STATE (captured: refund it instead)."""
    if state is PaymentState.CAPTURED:
        return Verdict.WRONG_STATE
    return Verdict.DONE_BEFORE if state is PaymentState.VOIDED else Verdict.DO


def decide_refund(payment: Payment, *, amount: Money, being_refunded: Money) -> Verdict:
    """DO or EXCEEDS_CAPTURED. `being_refunded` is the sum of refunds begun and neither paid nor failed."""
    assert amount.amount_minor > 0, "a refund is of a positive amount"
    left = payment.captured - payment.refunded - being_refunded
    return Verdict.DO if amount.amount_minor <= left.amount_minor else Verdict.EXCEEDS_CAPTURED


def is_settled(state: PaymentState, wanted: Wanted) -> bool:
    """Nothing is left for us to do: the wish is met or cannot be met, or the traveller must act first."""
    match wanted:
        case Wanted.NOTHING:
            return True
        case Wanted.AUTHORISED:
            return state is not PaymentState.OPEN
        case _:
            return state in FINAL


def follow(payment: Payment, report: ProviderReport, *, hold_begun: bool) -> tuple[Payment, LedgerStep]:
    """The next payment on the way to where the provider is, and the ledger's movement for that step.

    `hold_begun` says that the ledger's hold may already be posted although the payment does not show it: the
    way then leads through AUTHORISED, so that whatever was held is also posted or voided.
    An unchanged payment means that there is nothing to do.
    """
    if payment.state in _UNHELD:
        return _follow_unheld(payment, report, hold_begun=hold_begun)
    if payment.state is PaymentState.AUTHORISED and report.state is ProviderState.TAKEN:
        return replace(payment, state=PaymentState.CAPTURED, captured=payment.amount), LedgerStep.POST
    if payment.state is PaymentState.AUTHORISED and report.state is ProviderState.CANCELLED:
        return replace(payment, state=PaymentState.VOIDED), LedgerStep.VOID
    return payment, LedgerStep.NONE


def _follow_unheld(
    payment: Payment, report: ProviderReport, *, hold_begun: bool
) -> tuple[Payment, LedgerStep]:
    plain = replace(payment, next_action_url=None, decline_code=None)
    held = report.state in (ProviderState.HELD, ProviderState.TAKEN)
    if held or (hold_begun and report.state is ProviderState.CANCELLED):
        return replace(plain, state=PaymentState.AUTHORISED), LedgerStep.HOLD
    match report.state:
        case ProviderState.REQUIRES_ACTION:
            url, state = report.next_action_url, PaymentState.REQUIRES_ACTION
            return replace(plain, state=state, next_action_url=url), LedgerStep.NONE
        case ProviderState.DECLINED:
            code, state = report.decline_code or "declined", PaymentState.DECLINED
            return replace(plain, state=state, decline_code=code), LedgerStep.NONE
        case ProviderState.CANCELLED | ProviderState.UNKNOWN_THERE:
            return replace(plain, state=PaymentState.VOIDED), LedgerStep.NONE
        case _:
            return payment, LedgerStep.NONE


class RefundOutcome(StrEnum):
    """What the provider made of a refund. It is written down before the ledger follows it."""

    UNDECIDED = "undecided"
    PAID = "paid"
    FAILED = "failed"
    RETURNED = "returned"


def follow_refund(outcome: RefundOutcome, reported: RefundState) -> RefundOutcome:
    """The outcome after the provider's word `reported`: a paid refund may still come back, once."""
    assert reported is not RefundState.REFUSED_EXCEEDS_CAPTURED, "we refuse that ourselves, before the call"
    match outcome, reported:
        case RefundOutcome.UNDECIDED, RefundState.SUCCEEDED:
            return RefundOutcome.PAID
        case RefundOutcome.UNDECIDED, RefundState.FAILED:
            return RefundOutcome.FAILED
        case RefundOutcome.PAID, RefundState.FAILED:
            return RefundOutcome.RETURNED
        case _:
            return outcome


def refund_paid(payment: Payment, amount: Money) -> Payment:
    """The payment once a refund has reached the traveller."""
    refunded = payment.refunded + amount
    assert refunded.amount_minor <= payment.captured.amount_minor, "refunds never exceed what was captured"
    return replace(payment, refunded=refunded)


def refund_returned(payment: Payment, amount: Money) -> Payment:
    """The payment once a paid refund has come back from the traveller's bank."""
    refunded = payment.refunded - amount
    assert refunded.amount_minor >= 0, "only what was refunded can come back"
    return replace(payment, refunded=refunded)
