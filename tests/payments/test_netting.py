"""Positions sum to zero, n - 1 payments are enough, and everybody gets what he was owed."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from payments.netting import NetPayment, Obligation, net

_names = st.sampled_from(["A", "B", "C", "D", "E", "platform"])
_obligations = st.lists(
    st.builds(
        Obligation, debtor=_names, creditor=_names, amount_minor=st.integers(-10_000, 1_000_000)
    ).filter(lambda each: each.debtor != each.creditor),
    max_size=30,
)


def owe(debtor: str, creditor: str, amount: int) -> Obligation:
    return Obligation(debtor=debtor, creditor=creditor, amount_minor=amount)


def test_worked_example() -> None:
    # The platform owes A 328 and B 133; they owe it 17 and 6; B sold a ticket of 200 for A.
    netting = net(
        [
            owe("platform", "A", 328),
            owe("platform", "B", 133),
            owe("A", "platform", 17),
            owe("B", "platform", 6),
            owe("B", "A", 200),
        ],
        hub="platform",
    )
    # A gets 328 + 200 and owes 17; B gets 133 and owes 6 + 200; the platform gets 17 + 6 and owes 328 + 133.
    assert {each.participant: each.net_minor for each in netting.positions} == {
        "A": 511,
        "B": -73,
        "platform": -438,
    }
    assert netting.payments == (
        NetPayment(payer="platform", payee="A", amount_minor=511),
        NetPayment(payer="B", payee="platform", amount_minor=73),
    )
    # gross 328 + 133 + 17 + 6 + 200 = 684; only A gets something, 511: 173 of 684 need no payment, 25.29 %
    assert (netting.gross_minor, netting.net_minor, netting.efficiency_bp) == (684, 511, 2529)


def test_no_debts_no_payments() -> None:
    netting = net([], hub="platform")
    assert netting.payments == ()
    assert netting.efficiency_bp == 0


def test_debts_that_cancel_leave_nothing_to_pay() -> None:
    netting = net([owe("A", "platform", 5), owe("platform", "A", 5)], hub="platform")
    assert netting.payments == ()
    assert netting.efficiency_bp == 10_000


@given(_obligations)
def test_everybody_gets_what_he_was_owed(obligations: list[Obligation]) -> None:
    netting = net(obligations, hub="platform")
    owed: Counter[str] = Counter()
    for each in obligations:
        owed[each.creditor] += each.amount_minor
        owed[each.debtor] -= each.amount_minor
    paid: Counter[str] = Counter()
    for payment in netting.payments:
        assert payment.amount_minor > 0
        paid[payment.payee] += payment.amount_minor
        paid[payment.payer] -= payment.amount_minor
    participants = {position.participant for position in netting.positions}
    assert {name: owed[name] for name in participants} == {name: paid[name] for name in participants}
    assert {each.participant: each.net_minor for each in netting.positions} == {
        name: owed[name] for name in participants
    }
    assert sum(each.net_minor for each in netting.positions) == 0
    assert len(netting.payments) <= len(participants) - 1
    assert (
        0 <= netting.net_minor <= netting.gross_minor == sum(abs(each.amount_minor) for each in obligations)
    )


@given(_obligations, st.randoms(use_true_random=False))
def test_the_order_of_debts_changes_nothing(obligations: list[Obligation], random: object) -> None:
    shuffled = list(obligations)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert net(shuffled, hub="platform") == net(obligations, hub="platform")
