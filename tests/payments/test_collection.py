"""The rules of bills and debts: each state, and a machine that plays them at random."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from payments.collection import (
    DEBTS,
    Bill,
    BillState,
    DebtPolicy,
    Gathering,
    after_decline,
    after_ledger,
    after_payment,
    close_bill,
    decide_gathering,
    give_up,
    next_gathering,
    split_collection,
)

NOW = datetime(2026, 5, 20, 20, 0, tzinfo=UTC)
POLICY = DebtPolicy()


def bill_of(due: int) -> Bill:
    return close_bill(bill_id=UUID(int=1), customer_id="hanako", number=1, due_minor=due, now=NOW)


@pytest.mark.parametrize(
    ("now", "at"),
    [
        ("2026-05-20T03:00+09:00", "2026-05-20T05:00+09:00"),  # still yesterday's service day
        ("2026-05-20T05:00+09:00", "2026-05-21T05:00+09:00"),
        ("2026-05-20T23:59+09:00", "2026-05-21T05:00+09:00"),
    ],
)
def test_a_day_is_gathered_when_its_service_day_is_over(now: str, at: str) -> None:
    assert next_gathering(datetime.fromisoformat(now)) == datetime.fromisoformat(at)


@pytest.mark.parametrize(
    ("due", "can_give_back", "gathering"),
    [
        (0, False, Gathering.CLOSE),
        (1, False, Gathering.CARRY_FORWARD),
        (49, True, Gathering.CARRY_FORWARD),
        (50, False, Gathering.CLOSE),
        (-1, True, Gathering.CLOSE),
        (-1, False, Gathering.CARRY_FORWARD),
    ],
)
def test_too_little_for_a_card_is_carried_forward(
    due: int, *, can_give_back: bool, gathering: Gathering
) -> None:
    assert decide_gathering(due, can_give_back=can_give_back) is gathering


@pytest.mark.parametrize(
    ("outstanding", "balance", "has_card", "from_wallet"),
    [
        (300, 500, True, 300),
        (300, 100, True, 100),  # 200 by card
        (300, 260, True, 250),  # 40 would be too little for the card: it pays 50
        (300, 260, False, 260),
        (60, 20, True, 10),
        (50, 20, True, 0),
        (300, 0, True, 0),
        (300, -5, True, 0),
    ],
)
def test_the_card_is_left_with_nothing_or_with_what_it_takes(
    outstanding: int, balance: int, *, has_card: bool, from_wallet: int
) -> None:
    assert split_collection(outstanding, balance_minor=balance, has_card=has_card) == from_wallet


def test_declines_lead_to_later_days_and_then_to_the_loss() -> None:
    """The default policy: the first decline, then 3, 10 and 28 days after it."""
    bill, days = bill_of(300), []
    while bill.state is not BillState.WRITING_OFF:
        assert bill.next_attempt_at is not None
        days.append((bill.next_attempt_at - NOW).days)
        bill = after_decline(bill, "no", now=bill.next_attempt_at, policy=POLICY)
    assert days == [0, 3, 10, 28]
    assert (bill.written_off_minor, after_ledger(bill).state) == (300, BillState.WRITTEN_OFF)


def test_an_attempt_made_late_still_leaves_a_day_between() -> None:
    owed = after_decline(bill_of(300), "no", now=NOW, policy=POLICY)
    late = NOW + timedelta(days=12)
    again = after_decline(owed, "no", now=late, policy=POLICY)
    assert again.next_attempt_at == late + timedelta(days=1)


def test_a_policy_has_its_attempts_on_different_days() -> None:
    for days in ((0,), (3, 3), (10, 3)):
        with pytest.raises(AssertionError, match="different days"):
            DebtPolicy(retry_after_days=days)


def test_a_debt_that_was_given_up_is_paid_in_full_or_not_at_all() -> None:
    lost = after_ledger(give_up(after_decline(bill_of(300), "no", now=NOW, policy=POLICY), now=NOW))
    with pytest.raises(AssertionError, match="in full"):
        after_payment(lost, 299)
    recovering = after_payment(lost, 300)
    assert (recovering.state, recovering.outstanding_minor) == (BillState.RECOVERING, 0)
    assert after_ledger(recovering).state is BillState.COLLECTED


class BillMachine(RuleBasedStateMachine):
    """One bill, paid in parts, declined, given up, paid after all; the money is counted beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.bill = bill_of(0)
        self.now = NOW
        self.taken = 0
        self.attempt_days: list[int] = []

    @precondition(lambda self: self.bill.state is BillState.COLLECTED)
    @rule(due=st.integers(1, 5000))
    def close(self, due: int) -> None:
        self.bill, self.now, self.taken, self.attempt_days = bill_of(due), NOW, 0, []

    def collectable(self) -> bool:
        return self.bill.state in (BillState.COLLECTING, BillState.OWED)

    @precondition(lambda self: self.collectable())
    @rule(part=st.floats(0, 1))
    def pay(self, part: float) -> None:
        amount = max(1, int(self.bill.outstanding_minor * part))
        self.taken += amount
        self.bill = after_payment(self.bill, amount)

    @precondition(lambda self: self.bill.state is BillState.WRITTEN_OFF)
    @rule()
    def pay_after_all(self) -> None:
        self.taken += self.bill.outstanding_minor
        self.bill = after_ledger(after_payment(self.bill, self.bill.outstanding_minor))

    @precondition(lambda self: self.collectable())
    @rule(hours_late=st.integers(0, 100))
    def decline(self, hours_late: int) -> None:
        assert self.bill.next_attempt_at is not None, "what is to be collected has its time"
        self.now = max(self.now, self.bill.next_attempt_at) + timedelta(hours=hours_late)
        self.attempt_days.append((self.now - NOW).days)
        self.bill = after_decline(self.bill, "no", now=self.now, policy=POLICY)

    @precondition(lambda self: self.bill.state is BillState.OWED)
    @rule()
    def give_up(self) -> None:
        self.bill = give_up(self.bill, now=self.now)

    @precondition(lambda self: self.bill.state is BillState.WRITING_OFF)
    @rule()
    def post(self) -> None:
        self.bill = after_ledger(self.bill)

    @invariant()
    def nothing_is_lost(self) -> None:
        assert self.taken + self.bill.outstanding_minor == self.bill.amount_minor
        assert (self.bill.outstanding_minor == 0) == (self.bill.state is BillState.COLLECTED)

    @invariant()
    def attempts_are_bounded_and_on_different_days(self) -> None:
        assert len(self.attempt_days) == len(set(self.attempt_days)) == self.bill.attempts
        assert self.bill.attempts <= 1 + len(POLICY.retry_after_days)

    @invariant()
    def a_debt_has_been_declined(self) -> None:
        if self.bill.state in DEBTS:
            assert self.bill.owed_since is not None
            assert self.bill.attempts


TestBillMachine = BillMachine.TestCase
