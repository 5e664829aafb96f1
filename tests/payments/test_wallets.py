"""The rules of filling a wallet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.wallets import (
    BALANCE_MINOR_MAX,
    AutoTopUp,
    TopUpVerdict,
    WalletState,
    decide_auto_top_up,
    decide_top_up,
)

OPEN = WalletState.OPEN
THOUSANDS = AutoTopUp(threshold_minor=1000, amount_minor=3000, day_ceiling_minor=9000)


@pytest.mark.parametrize(
    ("state", "amount", "balance", "verdict"),
    [
        (OPEN, 100, 0, TopUpVerdict.ACCEPTED),
        (OPEN, 99, 0, TopUpVerdict.AMOUNT_TOO_SMALL),
        (OPEN, 1000, BALANCE_MINOR_MAX - 1000, TopUpVerdict.ACCEPTED),
        (OPEN, 1001, BALANCE_MINOR_MAX - 1000, TopUpVerdict.BALANCE_TOO_HIGH),
        (WalletState.CLOSING, 99, 0, TopUpVerdict.WALLET_NOT_OPEN),
        (WalletState.CLOSED, 1000, 0, TopUpVerdict.WALLET_NOT_OPEN),
    ],
)
def test_a_top_up_has_one_answer(
    state: WalletState, amount: int, balance: int, verdict: TopUpVerdict
) -> None:
    assert decide_top_up(state, amount_minor=amount, balance_minor=balance) is verdict


@pytest.mark.parametrize(
    ("balance", "needed", "today", "added"),
    [
        (1000, 0, 0, 0),  # at the threshold: nothing yet
        (999, 0, 0, 3000),  # below it: once
        (1500, 600, 0, 3000),  # would be below it: 1500 - 600 = 900
        (500, 7000, 0, 9000),  # 6500 are missing: three times 3000
        (500, 9501, 0, 0),  # 9001 are missing: four times would exceed the ceiling
        (0, 0, 6000, 3000),  # 6000 + 3000 is the ceiling
        (0, 0, 6001, 0),
    ],
)
def test_an_automatic_top_up_covers_what_is_needed_within_the_ceiling(
    balance: int, needed: int, today: int, added: int
) -> None:
    assert (
        decide_auto_top_up(
            THOUSANDS,
            balance_minor=balance,
            needed_minor=needed,
            today_minor=today,
            has_declined_today=False,
        )
        == added
    )


def test_a_card_that_declined_is_not_asked_again_that_day() -> None:
    assert (
        decide_auto_top_up(
            THOUSANDS, balance_minor=0, needed_minor=500, today_minor=0, has_declined_today=True
        )
        == 0
    )


@given(
    threshold=st.integers(0, 5000),
    amount=st.integers(100, 5000),
    more=st.integers(0, 20_000),
    payments=st.lists(st.integers(0, 8000), max_size=20),
)
def test_a_day_never_exceeds_its_ceiling_and_a_begun_top_up_covers_the_need(
    threshold: int, amount: int, more: int, payments: list[int]
) -> None:
    """A day of payments; one that the wallet cannot cover is not made from it."""
    settings = AutoTopUp(
        threshold_minor=threshold,
        amount_minor=amount,
        day_ceiling_minor=amount + more,
    )
    balance = today = 0
    for needed in payments:
        added = decide_auto_top_up(
            settings,
            balance_minor=balance,
            needed_minor=needed,
            today_minor=today,
            has_declined_today=False,
        )
        balance, today = balance + added, today + added
        assert today <= settings.day_ceiling_minor
        assert added % amount == 0
        if added:
            assert balance >= needed
        if balance >= needed:
            balance -= needed
            # Below the threshold only when another top-up would have exceeded the ceiling.
            assert balance >= threshold or added or today + amount > settings.day_ceiling_minor
