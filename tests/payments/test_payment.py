"""The payment machine against a provider that does what providers do, in any order."""

from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from payments.money import Money, yen
from payments.payment import (
    FINAL,
    LedgerStep,
    ProviderReport,
    ProviderState,
    RefundOutcome,
    Verdict,
    Wanted,
    decide_authorise,
    decide_capture,
    decide_refund,
    decide_void,
    follow,
    follow_refund,
    is_settled,
    open_payment,
    refund_paid,
    refund_returned,
    reopen,
)
from payments.ports import Payment, PaymentState, RefundState

PAYMENT_ID = UUID(int=1)
S, P = PaymentState, ProviderState


def a_payment(
    state: PaymentState = S.OPEN, amount: int = 1000, captured: int = 0, refunded: int = 0
) -> Payment:
    fresh = open_payment(payment_id=PAYMENT_ID, order_id=UUID(int=2), traveller_id="t", amount=yen(amount))
    return replace(fresh, state=state, captured=yen(captured), refunded=yen(refunded))


def test_an_opened_payment_has_moved_nothing() -> None:
    payment = a_payment()
    assert (payment.state, payment.captured, payment.refunded) == (S.OPEN, yen(0), yen(0))


@pytest.mark.parametrize(
    ("state", "reported", "hold_begun", "next_state", "step"),
    [
        (S.OPEN, P.UNCONFIRMED, False, S.OPEN, LedgerStep.NONE),
        (S.OPEN, P.PROCESSING, False, S.OPEN, LedgerStep.NONE),
        (S.OPEN, P.REQUIRES_ACTION, False, S.REQUIRES_ACTION, LedgerStep.NONE),
        (S.OPEN, P.DECLINED, False, S.DECLINED, LedgerStep.NONE),
        (S.OPEN, P.HELD, False, S.AUTHORISED, LedgerStep.HOLD),
        (S.OPEN, P.TAKEN, False, S.AUTHORISED, LedgerStep.HOLD),
        (S.OPEN, P.CANCELLED, False, S.VOIDED, LedgerStep.NONE),
        (S.OPEN, P.UNKNOWN_THERE, False, S.VOIDED, LedgerStep.NONE),
        (S.REQUIRES_ACTION, P.HELD, False, S.AUTHORISED, LedgerStep.HOLD),
        (S.REQUIRES_ACTION, P.DECLINED, False, S.DECLINED, LedgerStep.NONE),
        (S.REQUIRES_ACTION, P.CANCELLED, False, S.VOIDED, LedgerStep.NONE),
        # The ledger may hold what the row does not show: the way leads through the hold.
        (S.OPEN, P.CANCELLED, True, S.AUTHORISED, LedgerStep.HOLD),
        (S.AUTHORISED, P.HELD, True, S.AUTHORISED, LedgerStep.NONE),
        (S.AUTHORISED, P.TAKEN, True, S.CAPTURED, LedgerStep.POST),
        (S.AUTHORISED, P.CANCELLED, True, S.VOIDED, LedgerStep.VOID),
        (S.CAPTURED, P.CANCELLED, True, S.CAPTURED, LedgerStep.NONE),
        (S.VOIDED, P.TAKEN, True, S.VOIDED, LedgerStep.NONE),
        (S.DECLINED, P.UNCONFIRMED, False, S.DECLINED, LedgerStep.NONE),
        (S.DECLINED, P.CANCELLED, False, S.VOIDED, LedgerStep.NONE),
        # A hold that was thought declined is never forgotten.
        (S.DECLINED, P.HELD, False, S.AUTHORISED, LedgerStep.HOLD),
    ],
)
def test_each_step(
    state: PaymentState,
    reported: ProviderState,
    hold_begun: bool,  # noqa: FBT001 - a column of the table
    next_state: PaymentState,
    step: LedgerStep,
) -> None:
    after, ledger_step = follow(a_payment(state), ProviderReport(state=reported), hold_begun=hold_begun)
    assert (after.state, ledger_step) == (next_state, step)


def test_a_decline_tells_its_code_and_an_action_its_address() -> None:
    declined, _ = follow(
        a_payment(), ProviderReport(state=P.DECLINED, decline_code="insufficient_funds"), hold_begun=False
    )
    assert declined.decline_code == "insufficient_funds"
    waiting, _ = follow(
        a_payment(), ProviderReport(state=P.REQUIRES_ACTION, next_action_url="http://bank"), hold_begun=False
    )
    assert waiting.next_action_url == "http://bank"
    held, _ = follow(waiting, ProviderReport(state=P.HELD), hold_begun=False)
    assert held.next_action_url is None
    assert reopen(declined) == reopen(waiting) == a_payment()


@pytest.mark.parametrize(
    ("state", "wanted", "same_card", "other_card", "capture", "void"),
    [
        (S.OPEN, Wanted.NOTHING, Verdict.DO, Verdict.DO, Verdict.WRONG_STATE, Verdict.DO),
        (S.OPEN, Wanted.VOIDED, Verdict.WRONG_STATE, Verdict.WRONG_STATE, Verdict.WRONG_STATE, Verdict.DO),
        (S.REQUIRES_ACTION, Wanted.AUTHORISED, Verdict.LOOK, Verdict.DO, Verdict.WRONG_STATE, Verdict.DO),
        (S.DECLINED, Wanted.AUTHORISED, Verdict.DONE_BEFORE, Verdict.DO, Verdict.WRONG_STATE, Verdict.DO),
        (S.AUTHORISED, Wanted.AUTHORISED, Verdict.DONE_BEFORE, Verdict.DONE_BEFORE, Verdict.DO, Verdict.DO),
        (
            S.AUTHORISED,
            Wanted.VOIDED,
            Verdict.DONE_BEFORE,
            Verdict.DONE_BEFORE,
            Verdict.WRONG_STATE,
            Verdict.DO,
        ),
        (
            S.CAPTURED,
            Wanted.CAPTURED,
            Verdict.DONE_BEFORE,
            Verdict.DONE_BEFORE,
            Verdict.DONE_BEFORE,
            Verdict.WRONG_STATE,
        ),
        (
            S.VOIDED,
            Wanted.VOIDED,
            Verdict.WRONG_STATE,
            Verdict.WRONG_STATE,
            Verdict.WRONG_STATE,
            Verdict.DONE_BEFORE,
        ),
    ],
)
def test_what_a_command_means(
    *,
    state: PaymentState,
    wanted: Wanted,
    same_card: Verdict,
    other_card: Verdict,
    capture: Verdict,
    void: Verdict,
) -> None:
    assert decide_authorise(state, wanted, same_method=True) is same_card
    assert decide_authorise(state, wanted, same_method=False) is other_card
    assert decide_capture(state, wanted) is capture
    assert decide_void(state) is void


def test_a_refund_is_at_most_what_is_left_of_the_captured() -> None:
    payment = a_payment(S.CAPTURED, captured=1000, refunded=300)
    # 1000 captured - 300 refunded - 200 on their way = 500 left.
    assert decide_refund(payment, amount=yen(500), being_refunded=yen(200)) is Verdict.DO
    assert decide_refund(payment, amount=yen(501), being_refunded=yen(200)) is Verdict.EXCEEDS_CAPTURED


def test_nothing_can_be_refunded_of_what_was_not_captured() -> None:
    payment = a_payment(S.AUTHORISED)
    assert decide_refund(payment, amount=yen(1), being_refunded=yen(0)) is Verdict.EXCEEDS_CAPTURED


def test_a_refund_is_decided_once_and_may_come_back_once() -> None:
    undecided, paid = RefundOutcome.UNDECIDED, RefundOutcome.PAID
    assert follow_refund(undecided, RefundState.PENDING) is undecided
    assert follow_refund(undecided, RefundState.SUCCEEDED) is paid
    assert follow_refund(undecided, RefundState.FAILED) is RefundOutcome.FAILED
    assert follow_refund(paid, RefundState.FAILED) is RefundOutcome.RETURNED
    assert follow_refund(RefundOutcome.FAILED, RefundState.SUCCEEDED) is RefundOutcome.FAILED
    assert follow_refund(RefundOutcome.RETURNED, RefundState.SUCCEEDED) is RefundOutcome.RETURNED


class PaymentsLife(RuleBasedStateMachine):
    """A provider moves on its own; the payment looks now and then, and forgets its last step now and then."""

    @initialize(amount=st.integers(1, 10**9))
    def open(self, amount: int) -> None:
        self.payment = a_payment(amount=amount)
        self.there = P.UNCONFIRMED
        self.hold = "none"
        self.hold_begun = False
        self.refunds: dict[UUID, tuple[Money, RefundOutcome]] = {}

    @rule(to=st.sampled_from(list(P)))
    def provider_moves(self, to: ProviderState) -> None:
        ways = {
            P.UNCONFIRMED: {P.REQUIRES_ACTION, P.PROCESSING, P.DECLINED, P.HELD, P.CANCELLED},
            P.REQUIRES_ACTION: {P.DECLINED, P.HELD, P.CANCELLED},
            P.PROCESSING: {P.DECLINED, P.HELD},
            P.DECLINED: {P.REQUIRES_ACTION, P.PROCESSING, P.HELD, P.CANCELLED},
            P.HELD: {P.TAKEN, P.CANCELLED},
        }
        if to in ways.get(self.there, set()):
            self.there = to

    @rule(dies=st.booleans())
    def look(self, dies: bool) -> None:  # noqa: FBT001 - drawn
        after, step = follow(self.payment, ProviderReport(state=self.there), hold_begun=self.hold_begun)
        self._apply_to_ledger(step)
        if not dies:  # a process that dies here has moved the ledger but not recorded the step
            self.payment = after

    def _apply_to_ledger(self, step: LedgerStep) -> None:
        after = {LedgerStep.HOLD: "held", LedgerStep.POST: "posted", LedgerStep.VOID: "voided"}.get(step)
        if after == "held":
            self.hold_begun = True
            self.hold = "held" if self.hold == "none" else self.hold
        elif after is not None:
            assert self.hold in ("held", after), "a hold is resolved one way only, and only once it exists"
            self.hold = after

    @precondition(lambda self: self.payment.state is S.CAPTURED)
    @rule(share=st.integers(1, 10**9))
    def refund(self, share: int) -> None:
        begun = [amount for amount, outcome in self.refunds.values() if outcome is RefundOutcome.UNDECIDED]
        verdict = decide_refund(self.payment, amount=yen(share), being_refunded=sum(begun, start=yen(0)))
        if verdict is Verdict.DO:
            self.refunds[uuid4()] = (yen(share), RefundOutcome.UNDECIDED)

    @precondition(lambda self: self.refunds)
    @rule(
        said=st.sampled_from([RefundState.PENDING, RefundState.SUCCEEDED, RefundState.FAILED]),
        at=st.integers(0),
    )
    def provider_speaks_of_a_refund(self, said: RefundState, at: int) -> None:
        refund_id = list(self.refunds)[at % len(self.refunds)]
        amount, before = self.refunds[refund_id]
        after = follow_refund(before, said)
        if after is not before and after is RefundOutcome.PAID:
            self.payment = refund_paid(self.payment, amount)
        if after is not before and after is RefundOutcome.RETURNED:
            self.payment = refund_returned(self.payment, amount)
        self.refunds[refund_id] = (amount, after)

    @invariant()
    def money_is_bounded(self) -> None:
        assert 0 <= self.payment.refunded.amount_minor <= self.payment.captured.amount_minor
        assert self.payment.captured in (yen(0), self.payment.amount)
        assert (self.payment.state is S.CAPTURED) == (self.payment.captured.amount_minor > 0)

    @invariant()
    def looking_until_nothing_changes_ends_where_the_provider_is(self) -> None:
        payment, hold = self.payment, self.hold
        for _ in range(4):
            payment, step = follow(payment, ProviderReport(state=self.there), hold_begun=self.hold_begun)
            hold = {LedgerStep.HOLD: "held" if hold == "none" else hold, LedgerStep.POST: "posted"}.get(
                step, "voided" if step is LedgerStep.VOID else hold
            )
        if self.there is P.TAKEN:
            assert (payment.state, hold) == (S.CAPTURED, "posted")
        if self.there is P.CANCELLED:
            assert payment.state is S.VOIDED
            assert hold in ("none", "voided")
        if self.there is P.HELD:
            assert (payment.state, hold) == (S.AUTHORISED, "held")
        if self.there is P.DECLINED:
            assert (payment.state, hold) == (S.DECLINED, "none")
        if self.there in (P.TAKEN, P.CANCELLED):
            assert payment.state in FINAL
            assert is_settled(payment.state, Wanted.CAPTURED)


PaymentsLife.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestPaymentsLife = PaymentsLife.TestCase
