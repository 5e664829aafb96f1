"""What a movement of the provider's balance becomes in the books."""

from datetime import UTC, datetime

import pytest

from payments.accounts import BANK_CASH, CARD_CLEARING, DISPUTED, PROVIDER_FEES, SETTLEMENT_CLEARING
from payments.movements import Meaning, Movement, build_entry, build_fee, meaning_of

NOW = datetime(2026, 5, 20, 11, 0, tzinfo=UTC)


def movement(kind: str, amount: int, fee: int = 0, category: str = "") -> Movement:
    return Movement(
        movement_id="txn_1",
        kind=kind,
        category=category or kind,
        source_id="x_1",
        amount_minor=amount,
        fee_minor=fee,
        moved_at=NOW,
    )


@pytest.mark.parametrize(
    ("moved", "debit", "credit"),
    [
        (movement("payout", -900), BANK_CASH, CARD_CLEARING),
        (movement("payout_failure", 900), CARD_CLEARING, BANK_CASH),
        (movement("stripe_fee", -10), PROVIDER_FEES, CARD_CLEARING),
        (movement("adjustment", -500, category="dispute"), DISPUTED, CARD_CLEARING),
        (movement("adjustment", 500, category="dispute_reversal"), CARD_CLEARING, DISPUTED),
        (movement("transfer", -70), SETTLEMENT_CLEARING, CARD_CLEARING),
        (movement("transfer_refund", 70), CARD_CLEARING, SETTLEMENT_CLEARING),
    ],
)
def test_money_that_leaves_the_provider_credits_card_clearing(
    moved: Movement, debit: str, credit: str
) -> None:
    entry = build_entry(moved, at=NOW)
    assert (entry.debit, entry.credit, entry.amount_minor) == (debit, credit, abs(moved.amount_minor))
    assert entry == build_entry(moved, at=NOW), "a repeat is the same transfer"


def test_a_fee_is_a_second_transfer_and_may_come_back() -> None:
    kept, returned = movement("charge", 1000, 36), movement("adjustment", 1000, -36, "dispute_reversal")
    first, second = build_fee(kept, at=NOW), build_fee(returned, at=NOW)
    assert first is not None
    assert second is not None
    assert (first.debit, first.credit, first.amount_minor) == (PROVIDER_FEES, CARD_CLEARING, 36)
    assert (second.debit, second.credit, second.amount_minor) == (CARD_CLEARING, PROVIDER_FEES, 36)
    assert build_fee(movement("refund", -1000), at=NOW) is None
    assert first.transfer_id != build_entry(movement("payout", -1), at=NOW).transfer_id


def test_a_word_we_do_not_know_is_not_guessed() -> None:
    assert meaning_of(movement("adjustment", 5)) is Meaning.UNKNOWN
    assert meaning_of(movement("reserve_hold", -5)) is Meaning.UNKNOWN
    assert meaning_of(movement("charge", 5)) is Meaning.CAPTURE
