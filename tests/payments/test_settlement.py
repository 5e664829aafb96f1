"""Earnings, refunds, runs and statements, against the books themselves."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payments.accounts import (
    BANK_CASH,
    COMMISSION,
    CONSUMPTION_TAX,
    SETTLEMENT_CLEARING,
    UNEARNED_FARES,
    chart_account,
    operator_payable,
)
from payments.bank_files import AccountType, BankAccount
from payments.errors import RefundExceedsShare
from payments.ledger import Ledger
from payments.money import split_exactly
from payments.netting import net
from payments.settlement import (
    PLATFORM,
    Agreement,
    Earning,
    OddYen,
    Reversal,
    RunState,
    build_earning,
    build_outcome_transfer,
    build_reversal,
    calculate_commission,
    list_batch_transfers,
    list_earning_transfers,
    list_obligations,
    list_reversal_transfers,
    participant_of,
    select_for_batch,
)
from payments.statements import build_statement, calculate_tax
from payments.transfers import Entry, Transfer, TransferCode, TransferStatus

NOW = datetime(2026, 5, 20, 12, 0, tzinfo=UTC)
BANK = BankAccount(
    bank_code="0001",
    bank_name_kana="ミズホ",
    branch_code="001",
    branch_name_kana="ホンテン",
    account_type=AccountType.ORDINARY,
    account_number="1234567",
    holder_kana="ツナグ",
)


def agree(operator_id: str, commission_bp: int = 500, odd_yen: OddYen = OddYen.DOWN) -> Agreement:
    return Agreement(
        operator_id=operator_id,
        name=f"{operator_id} 局",
        commission_bp=commission_bp,
        odd_yen=odd_yen,
        registration_number="T1234567890123",
        bank_account=BANK,
        valid_from=NOW,
    )


def earn(share: int, *, operator_id: str = "A", order_id: UUID | None = None, bp: int = 500) -> Earning:
    return build_earning(
        order_id=order_id or uuid4(),
        component_index=0,
        operator_id=operator_id,
        share_minor=share,
        agreement=agree(operator_id, bp),
        earned_at=NOW,
    )


def take_back(earning: Earning, amount: int, before: list[Reversal]) -> Reversal:
    return build_reversal(
        earning, refund_id=uuid4(), share_minor=amount, reversed_before=before, reversed_at=NOW
    )


@pytest.mark.parametrize(
    ("odd_yen", "commission"),
    # 133 * 500 / 10000 = 6.65
    [(OddYen.DOWN, 6), (OddYen.UP, 7), (OddYen.HALF_UP, 7)],
)
def test_the_odd_yen_falls_as_agreed(odd_yen: OddYen, commission: int) -> None:
    assert calculate_commission(133, commission_bp=500, odd_yen=odd_yen) == commission
    # 330 * 500 / 10000 = 16.5: half up, and an exact amount is never rounded
    assert calculate_commission(330, commission_bp=500, odd_yen=OddYen.HALF_UP) == 17
    assert calculate_commission(200, commission_bp=500, odd_yen=odd_yen) == 10


@given(st.integers(0, 10**9), st.integers(0, 10_000), st.sampled_from(OddYen))
def test_a_commission_is_within_a_yen_of_the_rate(share: int, bp: int, odd_yen: OddYen) -> None:
    commission = calculate_commission(share, commission_bp=bp, odd_yen=odd_yen)
    assert 0 <= commission <= share
    assert abs(commission * 10_000 - share * bp) < 10_000


def test_without_an_agreement_nothing_is_kept_back() -> None:
    earning = build_earning(
        order_id=uuid4(),
        component_index=0,
        operator_id="A",
        share_minor=300,
        agreement=None,
        earned_at=NOW,
    )
    assert earning.commission_minor == 0


def test_a_refund_takes_its_part_of_the_commission_back() -> None:
    earning = earn(328)
    assert earning.commission_minor == 16
    first = take_back(earning, 200, [])
    # 16 * 200 / 328 = 9.75 -> 9; then the rest of both
    assert first.commission_minor == 9
    assert take_back(earning, 128, [first]).commission_minor == 7
    with pytest.raises(RefundExceedsShare):
        take_back(earning, 129, [first])


@given(st.integers(1, 100_000), st.integers(0, 10_000), st.lists(st.integers(1, 100), min_size=1, max_size=6))
def test_refunds_in_parts_end_at_the_whole(share: int, bp: int, weights: list[int]) -> None:
    earning = earn(share, bp=bp)
    parts = split_exactly(share, {str(index): weight for index, weight in enumerate(weights)})
    done: list[Reversal] = []
    for amount in parts.values():
        if amount:
            done.append(take_back(earning, amount, done))
            assert done[-1].commission_minor >= 0
    assert sum(each.commission_minor for each in done) == earning.commission_minor


@pytest.mark.parametrize(("taxable", "tax"), [(315, 31), (0, 0), (9, 0), (-315, -31), (10, 1)])
def test_tax_is_rounded_once_on_the_invoice(taxable: int, tax: int) -> None:
    # The facts' vector: 105 yen three times is 315, and 10 % of it 31; line by line it would be 30.
    assert calculate_tax(taxable) == tax


def test_states_follow_one_another() -> None:
    seen = [RunState.OPEN]
    while seen[-1] is not RunState.CONFIRMED:
        seen.append(seen[-1].successor)
    assert [str(state) for state in seen] == [
        "open", "cut_off", "calculated", "statement", "locked", "netted", "instructed", "confirmed",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("account_id", "participant"),
    [
        ("operator:Toei:payable", "Toei"),
        ("operator:a:b:payable", "a:b"),
        ("platform:commission", PLATFORM),
        ("traveller:x:wallet", PLATFORM),
        ("operator:Toei:deposit", PLATFORM),
    ],
)
def test_participant_of(account_id: str, participant: str) -> None:
    assert participant_of(account_id) == participant


class Books:
    """A ledger with unearned fares to spend."""

    def __init__(self, *operators: str) -> None:
        self.ledger = Ledger()
        for account_id in (
            UNEARNED_FARES,
            COMMISSION,
            CONSUMPTION_TAX,
            SETTLEMENT_CLEARING,
            BANK_CASH,
            *map(operator_payable, operators),
        ):
            self.ledger.open_account(chart_account(account_id))
        self.post(
            Transfer(
                transfer_id=uuid4(),
                debit=BANK_CASH,
                credit=UNEARNED_FARES,
                amount_minor=10**9,
                code=TransferCode.PAYMENT,
                reference="test",
                effective_at=NOW,
            )
        )

    def post(self, *transfers: Transfer) -> None:
        assert all(status.is_done for status in self.ledger.post(transfers, now=NOW))

    def payable(self, operator_id: str) -> int:
        return self.ledger.get_balance(operator_payable(operator_id), now=NOW).net_credit

    def entries(self, operator_id: str) -> list[Entry]:
        return self.ledger.list_entries(
            operator_payable(operator_id), after_sequence=0, until=NOW + timedelta(days=99), limit=10**6
        )


def run(
    books: Books, batch_id: UUID, cut_off: datetime, operators: frozenset[str], taken: frozenset[UUID]
) -> tuple[set[UUID], dict[str, int]]:
    """A whole run on the pure ledger: what it took and what each operator is paid."""
    entries = select_for_batch(
        [entry for name in sorted(operators) for entry in books.entries(name)],
        cut_off=cut_off,
        participants=operators | {PLATFORM},
        taken=taken,
    )
    statements = {
        name: build_statement(
            batch_id=batch_id,
            cut_off=cut_off,
            supplied_until=date(2026, 5, 31),
            agreement=agree(name),
            platform=agree(PLATFORM),
            entries=[
                each
                for each in entries
                if operator_payable(name) in (each.transfer.debit, each.transfer.credit)
            ],
        )
        for name in operators
    }
    tax = {name: statement.commission_tax_minor for name, statement in statements.items()}
    netting = net(list_obligations([each.transfer for each in entries], tax_minor=tax), hub=PLATFORM)
    positions = {each.participant: each.net_minor for each in netting.positions}
    for name, statement in statements.items():
        assert positions.get(name, 0) == statement.net_minor
        assert statement.net_minor == (
            statement.earned_minor
            - statement.given_back_minor
            - statement.commission_minor
            - statement.commission_tax_minor
            + statement.adjustments_minor
        )
    nets = {name: statement.net_minor for name, statement in statements.items()}
    books.post(
        *list_batch_transfers(batch_id, tax_minor=tax, net_minor=nets, effective_at=cut_off, attempt=0)
    )
    return {each.transfer.transfer_id for each in entries}, nets


def test_a_run_pays_the_worked_example_and_leaves_nothing() -> None:
    books = Books("A", "B")
    order_id = uuid4()
    earnings = [earn(328, operator_id="A", order_id=order_id), earn(133, operator_id="B", order_id=order_id)]
    books.post(*list_earning_transfers(earnings, attempt=0))
    books.post(*list_earning_transfers(earnings, attempt=0))
    _, paid = run(books, uuid4(), NOW + timedelta(hours=1), frozenset("AB"), frozenset())
    # A's commission is 16 and the tax on it 1 (of 1.6); B's are 6 and 0 (of 0.6).
    assert paid == {"A": 311, "B": 127}
    assert books.payable("A") == books.payable("B") == 0
    clearing = books.ledger.get_balance(SETTLEMENT_CLEARING, now=NOW)
    assert clearing.net_credit == 311 + 127


def test_a_refund_enters_the_next_run_and_may_leave_a_debt() -> None:
    books = Books("A")
    earning = earn(1000)  # 50 commission, 5 tax
    books.post(*list_earning_transfers([earning], attempt=0))
    taken, paid = run(books, uuid4(), NOW + timedelta(hours=1), frozenset("A"), frozenset())
    assert paid == {"A": 945}
    books.post(*list_reversal_transfers([take_back(earning, 1000, [])], attempt=0))
    _, paid = run(books, uuid4(), NOW + timedelta(hours=2), frozenset("A"), frozenset(taken))
    # 1000 goes back, 50 commission and its tax of 5 come back: A owes what it was paid
    assert paid == {"A": -945}
    assert books.payable("A") == 0
    assert books.ledger.get_balance(SETTLEMENT_CLEARING, now=NOW).net_credit == 0
    assert books.ledger.get_balance(COMMISSION, now=NOW).net_credit == 0
    assert books.ledger.get_balance(CONSUMPTION_TAX, now=NOW).net_credit == 0


def test_a_confirmed_payment_leaves_the_bank_and_a_failed_one_comes_back() -> None:
    books, batch_id = Books("A"), uuid4()
    books.post(*list_earning_transfers([earn(1000)], attempt=0))
    _, paid = run(books, batch_id, NOW + timedelta(hours=1), frozenset("A"), frozenset())
    cash_before = books.ledger.get_balance(BANK_CASH, now=NOW).net_credit
    failed = build_outcome_transfer(
        batch_id,
        operator_id="A",
        net_minor=paid["A"],
        outcome_account=operator_payable("A"),
        effective_at=NOW,
        attempt=0,
    )
    made = build_outcome_transfer(
        batch_id, operator_id="A", net_minor=paid["A"], outcome_account=BANK_CASH, effective_at=NOW, attempt=0
    )
    assert (failed.code, made.code) == (TransferCode.ADJUSTMENT, TransferCode.PAYOUT)
    other = Books("A")
    other.post(failed)
    assert other.payable("A") == 945
    books.post(made)
    assert books.ledger.get_balance(BANK_CASH, now=NOW).net_credit == cash_before + 945
    # A payment has one outcome.
    assert books.ledger.post([failed], now=NOW) == [TransferStatus.EXISTS_WITH_DIFFERENT_CREDIT_ACCOUNT]


def test_what_a_run_takes() -> None:
    books = Books("A", "B")
    late = earn(100)
    books.post(*list_earning_transfers([late], attempt=0))
    sold = Transfer(
        transfer_id=uuid4(),
        debit=operator_payable("B"),
        credit=operator_payable("A"),
        amount_minor=200,
        code=TransferCode.ADJUSTMENT,
        reference="adjustment:1",
        effective_at=NOW,
    )
    books.post(sold)
    entries = [*books.entries("A"), *books.entries("B")]

    def select(participants: str, cut_off: datetime, taken: frozenset[UUID] = frozenset()) -> list[UUID]:
        return [
            each.transfer.transfer_id
            for each in select_for_batch(
                entries,
                cut_off=cut_off,
                participants=frozenset(participants) | {PLATFORM},
                taken=taken,
            )
        ]

    ride_ids = [transfer.transfer_id for transfer in list_earning_transfers([late], attempt=0)]
    after = NOW + timedelta(seconds=1)
    assert select("AB", after) == [*ride_ids, sold.transfer_id]  # once, though an entry of both
    assert select("AB", NOW) == []  # the cut-off itself belongs to the next run
    assert select("A", after) == ride_ids  # B has no agreement: what it shares with A waits
    assert select("AB", after, frozenset(ride_ids)) == [sold.transfer_id]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("ABC"), st.integers(1, 5000), st.integers(0, 3), st.integers(0, 100)),
        min_size=1,
        max_size=25,
    )
)
def test_runs_take_every_entry_once_and_pay_all(rides: list[tuple[str, int, int, int]]) -> None:
    """Rides at several hours, some refunded later in part; a run each hour; in the end nobody is owed."""
    books, taken, total = Books("A", "B", "C"), frozenset[UUID](), 0
    operators = frozenset("ABC")
    for hour in range(5):
        for operator_id, share, ridden_hour, refund_percent in rides:
            if ridden_hour == hour:
                earning = earn(share, operator_id=operator_id)
                books.post(*list_earning_transfers([earning], attempt=0))
                back = share * refund_percent // 100
                if back:
                    books.post(*list_reversal_transfers([take_back(earning, back, [])], attempt=0))
        took, paid = run(books, uuid4(), NOW + timedelta(hours=hour + 1), operators, taken)
        assert not took & taken
        taken |= took
        total += sum(paid.values())
    assert all(books.payable(name) == 0 for name in operators)
    assert books.ledger.get_balance(SETTLEMENT_CLEARING, now=NOW).net_credit == total
    assert books.ledger.get_trial_balance(now=NOW).is_balanced
