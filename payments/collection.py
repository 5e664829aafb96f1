"""How what is owed for travel is collected, from the gathered charges to the debt that is given up.

Problem   Rides cost a few hundred yen each; a card takes at least 50 and costs a fee each time. Cards
          decline, and whoever owes must not travel on for ever.
Idea      A customer's charges are gathered into a bill. When its service day is over it is closed: its
          amount is taken from the wallet, then from the card. What a card declines is a debt: the customer
          is on the deny list, and the card is asked again on a few later days. When these are over the debt
          is written off, as the loss of its named owner; it may still be paid, and only then is the customer
          off the list.
Not here  Asking wallets, cards and the ledger (services/payments/collecting).
Invariant 0 <= outstanding <= amount of a bill to be collected; no two attempts on one day; a customer is
          denied exactly while a bill is a debt.
Source    Facts on payments, rules 12 and 19; TfL: up to three more attempts on different days within 30 days.

  state         event                     next
  COLLECTING    paid in full              COLLECTED
  COLLECTING    declined                  OWED
  OWED          paid in full              COLLECTED (recovered: off the list)
  OWED          declined, attempts left   OWED, on a later day
  OWED          declined, none left       WRITING_OFF
  OWED          a clerk gives it up       WRITING_OFF
  WRITING_OFF   the ledger has it         WRITTEN_OFF
  WRITTEN_OFF   paid in full              RECOVERING
  RECOVERING    the ledger has it         COLLECTED
  GIVING_BACK   the money is on its way   GIVEN_BACK
"""

from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from enum import StrEnum
from itertools import pairwise
from uuid import UUID
from zoneinfo import ZoneInfo

from payments.wallets import CARD_MINOR_MIN

CITY = ZoneInfo("Asia/Tokyo")
GATHERED_AT = time(5)

RISK_OWNER = "platform"
"""Who bears the ride of a medium that is not on the deny list yet, and every debt given up (BAD_DEBTS)."""


class BillState(StrEnum):
    """Where a closed bill is; see the module."""

    COLLECTING = "collecting"
    COLLECTED = "collected"
    OWED = "owed"
    WRITING_OFF = "writing_off"
    WRITTEN_OFF = "written_off"
    RECOVERING = "recovering"
    GIVING_BACK = "giving_back"
    GIVEN_BACK = "given_back"


DEBTS = frozenset({BillState.OWED, BillState.WRITING_OFF, BillState.WRITTEN_OFF})


@dataclass(frozen=True, slots=True, kw_only=True)
class DebtPolicy:
    """On which days after the first decline a card is asked again."""

    retry_after_days: tuple[int, ...] = (3, 10, 28)

    def __post_init__(self) -> None:
        days = (0, *self.retry_after_days)
        assert all(earlier < later for earlier, later in pairwise(days)), "attempts are on different days"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """A closed bill. `amount_minor` below 0 is to be given back; `attempts` counts declined ones.

    `written_off_minor` is what was given up, also after it was paid in the end.
    """

    bill_id: UUID
    customer_id: str
    number: int
    amount_minor: int
    outstanding_minor: int
    state: BillState
    closed_at: datetime
    attempts: int = 0
    decline_code: str | None = None
    owed_since: datetime | None = None
    next_attempt_at: datetime | None = None
    written_off_minor: int = 0


class Gathering(StrEnum):
    """What becomes of gathered charges when their day is over."""

    CLOSE = "close"
    CARRY_FORWARD = "carry_forward"


def next_gathering(now: datetime) -> datetime:
    """When what is charged now is closed: once the service day, which ends at four, is over."""
    local = now.astimezone(CITY)
    at = datetime.combine(local.date(), GATHERED_AT, CITY)
    return at if local < at else datetime.combine(local.date() + timedelta(days=1), GATHERED_AT, CITY)


def decide_gathering(due_minor: int, *, can_give_back: bool) -> Gathering:
    """Close the bill, or carry forward what is too little for a card, or what cannot be sent back."""
    if 0 < due_minor < CARD_MINOR_MIN or (due_minor < 0 and not can_give_back):
        return Gathering.CARRY_FORWARD
    return Gathering.CLOSE


def split_collection(outstanding_minor: int, *, balance_minor: int, has_card: bool) -> int:
    """How much the wallet pays, so that the card is left with nothing or with an amount that it takes."""
    from_wallet = max(0, min(outstanding_minor, balance_minor))
    left = outstanding_minor - from_wallet
    if has_card and 0 < left < CARD_MINOR_MIN:
        return max(0, outstanding_minor - CARD_MINOR_MIN)
    return from_wallet


def close_bill(*, bill_id: UUID, customer_id: str, number: int, due_minor: int, now: datetime) -> Bill:
    """The bill of what is due. Nothing due (the wallet has paid it all): COLLECTED at once."""
    state = BillState.COLLECTED
    if due_minor:
        state = BillState.COLLECTING if due_minor > 0 else BillState.GIVING_BACK
    return Bill(
        bill_id=bill_id,
        customer_id=customer_id,
        number=number,
        amount_minor=due_minor,
        outstanding_minor=max(0, due_minor),
        state=state,
        closed_at=now,
        next_attempt_at=now if due_minor else None,
    )


def after_payment(bill: Bill, amount_minor: int) -> Bill:
    """The bill once so much of it was taken. A debt that was given up is paid in full or not at all."""
    assert 0 < amount_minor <= bill.outstanding_minor, "never more is taken than is outstanding"
    left = bill.outstanding_minor - amount_minor
    paid = replace(bill, outstanding_minor=left)
    if bill.state is BillState.WRITTEN_OFF:
        assert not left, "a debt that was given up is paid in full"
        return replace(paid, state=BillState.RECOVERING)
    assert bill.state in (BillState.COLLECTING, BillState.OWED), "nothing else is collected"
    if left:
        return paid
    return replace(paid, state=BillState.COLLECTED, next_attempt_at=None)


def after_decline(bill: Bill, code: str, *, now: datetime, policy: DebtPolicy) -> Bill:
    """The bill once an attempt was declined: a debt, tried again on a later day, or given up."""
    assert bill.state in (BillState.COLLECTING, BillState.OWED), "nothing else is collected"
    since = bill.owed_since or now
    declined = replace(bill, attempts=bill.attempts + 1, decline_code=code, owed_since=since)
    if bill.attempts >= len(policy.retry_after_days):
        return give_up(declined, now=now)
    again_at = since + timedelta(days=policy.retry_after_days[bill.attempts])
    return replace(declined, state=BillState.OWED, next_attempt_at=max(again_at, now + timedelta(days=1)))


def give_up(bill: Bill, *, now: datetime) -> Bill:
    """The debt is about to be written off."""
    return replace(
        bill,
        state=BillState.WRITING_OFF,
        written_off_minor=bill.outstanding_minor,
        owed_since=bill.owed_since or now,
        next_attempt_at=now,
    )


def after_ledger(bill: Bill) -> Bill:
    """The bill once the ledger has what its state moves."""
    after = {
        BillState.WRITING_OFF: BillState.WRITTEN_OFF,
        BillState.RECOVERING: BillState.COLLECTED,
        BillState.GIVING_BACK: BillState.GIVEN_BACK,
    }
    return replace(bill, state=after[bill.state], next_attempt_at=None)
