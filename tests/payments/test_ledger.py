"""The ledger, told in its own small language: one precedence, one answer."""

from datetime import timedelta
from itertools import accumulate

import pytest
from hypothesis import given, settings

from payments.accounts import Account, Bound
from payments.errors import AccountExistsWithDifferentFields, AccountNotFound
from payments.ledger import Ledger
from payments.literal import START, BatchStep, ScriptInvalid, name_id, parse, play
from payments.transfers import Transfer, TransferStatus
from tests.oracles.ledger import NaiveLedger
from tests.support.ledger_batches import ACCOUNTS, histories

OPEN = """
account bank
account rider debits<=credits
account operator
account till credits<=debits
account dollars USD
transfer fund bank -> rider 1000 = created
"""

SCRIPTS = {
    "a transfer moves money once": """
        transfer t1 rider -> operator 250 = created
        transfer t1 rider -> operator 250 = exists
        balance rider debits 250 0 credits 1000 0
        balance operator debits 0 0 credits 250 0
    """,
    "the same id with another field is refused by its name and the first one stays": """
        transfer t1 rider -> operator 250 = created
        transfer t1 rider -> operator 250 pending = exists_with_different_kind
        transfer t1 rider -> operator 250 hold fund = exists_with_different_pending_id
        transfer t1 rider -> operator 250 timeout 9 = exists_with_different_timeout
        transfer t1 bank -> operator 250 = exists_with_different_debit_account
        transfer t1 rider -> bank 250 = exists_with_different_credit_account
        transfer t1 rider -> operator 251 = exists_with_different_amount
        transfer t1 rider -> operator 250 currency USD = exists_with_different_currency
        transfer t1 rider -> operator 250 code refund = exists_with_different_code
        transfer t1 rider -> operator 250 reference other = exists_with_different_reference
        transfer t1 rider -> operator 250 = exists
        balance rider debits 250 0 credits 1000 0
    """,
    "where several fields differ, the earlier one is named": """
        transfer t1 rider -> operator 250 = created
        transfer t1 bank -> bank 1 post fund timeout 9 currency USD code tax = exists_with_different_kind
        transfer t1 bank -> bank 1 hold fund timeout 9 code tax = exists_with_different_pending_id
        transfer t1 bank -> bank 1 timeout 9 currency USD code tax = exists_with_different_timeout
        transfer t1 bank -> bank 1 currency USD code tax = exists_with_different_debit_account
        transfer t1 rider -> bank 1 currency USD code tax = exists_with_different_credit_account
        transfer t1 rider -> operator 1 currency USD code tax = exists_with_different_amount
        transfer t1 rider -> operator 250 currency USD code tax reference x = exists_with_different_currency
        transfer t1 rider -> operator 250 code tax reference x = exists_with_different_code
    """,
    "a bound counts what is posted and what is held": """
        transfer h1 rider -> operator 600 pending = created
        transfer t1 rider -> operator 401 = exceeds_credits
        transfer t2 rider -> operator 400 = created
        balance rider debits 400 600 credits 1000 0
    """,
    "a held credit cannot be spent": """
        transfer h1 bank -> rider 500 pending = created
        transfer t1 rider -> operator 1001 = exceeds_credits
    """,
    "the other bound": """
        transfer t1 bank -> till 1 = exceeds_debits
        transfer t2 till -> bank 100 = created
        transfer t3 bank -> till 60 pending = created
        transfer t4 bank -> till 41 = exceeds_debits
        transfer t5 bank -> till 40 = created
    """,
    "a refused id never succeeds, even when the reason is gone": """
        transfer t1 rider -> operator 1001 = exceeds_credits
        transfer more bank -> rider 1000 = created
        transfer t1 rider -> operator 1001 = id_already_failed
        transfer t1 rider -> operator 1 = id_already_failed
    """,
    "a hold is posted in full, once": """
        transfer h1 rider -> operator 300 pending = created
        balance rider debits 0 300 credits 1000 0
        transfer p1 rider -> operator 300 post h1 = created
        balance rider debits 300 0 credits 1000 0
        transfer p1 rider -> operator 300 post h1 = exists
        transfer p2 rider -> operator 300 post h1 = pending_transfer_already_posted
        transfer v1 rider -> operator 300 void h1 = pending_transfer_already_posted
    """,
    "a part may be posted and the rest is free again": """
        transfer h1 rider -> operator 1000 pending = created
        transfer p1 rider -> operator 700 post h1 = created
        balance rider debits 700 0 credits 1000 0
        transfer p2 rider -> operator 300 post h1 = pending_transfer_already_posted
        transfer t1 rider -> operator 300 = created
    """,
    "never more than was held": """
        transfer h1 rider -> operator 300 pending = created
        transfer p1 rider -> operator 301 post h1 = exceeds_pending_amount
        transfer v1 rider -> operator 301 void h1 = exceeds_pending_amount
        transfer v2 rider -> operator 299 void h1 = pending_transfer_has_different_amount
        balance rider debits 0 300 credits 1000 0
        transfer p2 rider -> operator 300 post h1 = created
    """,
    "a voided hold moves nothing": """
        transfer h1 rider -> operator 300 pending = created
        transfer v1 rider -> operator 300 void h1 = created
        balance rider debits 0 0 credits 1000 0
        transfer p1 rider -> operator 300 post h1 = pending_transfer_already_voided
    """,
    "a hold ends by itself on the second": """
        transfer h1 rider -> operator 1000 pending timeout 60 = created
        wait 59
        transfer t1 rider -> operator 1 = exceeds_credits
        wait 1
        balance rider debits 0 0 credits 1000 0
        transfer t2 rider -> operator 1 = created
        transfer p1 rider -> operator 1000 post h1 = pending_transfer_expired
        transfer v1 rider -> operator 1000 void h1 = pending_transfer_expired
    """,
    "a resolved hold does not end a second time": """
        transfer h1 rider -> operator 400 pending timeout 60 = created
        transfer p1 rider -> operator 400 post h1 = created
        wait 61
        balance rider debits 400 0 credits 1000 0
    """,
    "a chain happens as a whole": """
        transfer a rider -> operator 400 linked = created
        transfer b rider -> operator 600 = created
        transfer a rider -> operator 400 linked = exists
        transfer b rider -> operator 600 = exists
    """,
    "or not at all, and only the culprit's id is used up": """
        transfer a rider -> operator 400 linked = linked_event_failed
        transfer b rider -> operator 601 linked = exceeds_credits
        transfer c rider -> operator 1 = linked_event_failed
        transfer d rider -> operator 1000 = created
        balance rider debits 1000 0 credits 1000 0

        transfer more bank -> rider 1001 = created
        transfer a rider -> operator 400 linked = linked_event_failed
        transfer b rider -> operator 601 = id_already_failed
        transfer a rider -> operator 400 = created
    """,
    "a chain that breaks gives its holds back": """
        transfer h1 rider -> operator 500 pending = created
        transfer p1 rider -> operator 200 post h1 linked = linked_event_failed
        transfer h2 rider -> operator 800 pending linked = linked_event_failed
        transfer t1 rider -> operator 801 = exceeds_credits
        balance rider debits 0 500 credits 1000 0
        transfer p1 rider -> operator 200 post h1 = created
    """,
    "what is in the books stays there when a chain breaks behind it": """
        transfer a rider -> operator 400 = created
        transfer a rider -> operator 400 linked = exists
        transfer b rider -> operator 601 = exceeds_credits
        balance rider debits 400 0 credits 1000 0
    """,
    "a repeat inside a broken chain is not in the books": """
        transfer a rider -> operator 400 linked = linked_event_failed
        transfer a rider -> operator 400 linked = linked_event_failed
        transfer b rider -> operator 601 = exceeds_credits
    """,
    "an id that was refused before breaks a chain at its place": """
        transfer x rider -> rider 5 = accounts_must_be_different

        transfer x bank -> operator 5 linked = id_already_failed
        transfer y bank -> operator 5 currency USD = linked_event_failed

        transfer y bank -> operator 5 = created
    """,
    "an id that is in the books is told so in front of a break": """
        transfer x bank -> operator 5 = created

        transfer x bank -> operator 5 linked = exists
        transfer y bank -> bank 5 = accounts_must_be_different
    """,
    "a chain must be closed by its batch": """
        transfer a rider -> operator 1 linked = linked_event_failed
        transfer b rider -> operator 1 linked = linked_chain_open

        transfer a rider -> operator 1 = created
        transfer b rider -> operator 1 = created
    """,
    "each malformed transfer has its own answer": """
        transfer t1 rider -> operator 0 = amount_must_be_positive
        transfer t2 rider -> operator -5 = amount_must_be_positive
        transfer t3 rider -> rider 5 = accounts_must_be_different
        transfer t4 nobody -> operator 5 = debit_account_not_found
        transfer t5 rider -> nobody 5 = credit_account_not_found
        transfer t6 rider -> dollars 5 = currency_must_match
        transfer t7 rider -> operator 5 currency USD = currency_must_match
        transfer t8 rider -> operator 5 timeout 9 = timeout_forbidden
        transfer t9 rider -> operator 5 pending hold fund = pending_id_forbidden
        transfer t10 rider -> operator 5 post missing = pending_transfer_not_found
        transfer t11 rider -> operator 5 post fund = pending_transfer_not_found
    """,
    "a resolution names the accounts of its hold": """
        transfer h1 rider -> operator 300 pending = created
        transfer p1 operator -> rider 300 post h1 = pending_transfer_has_different_accounts
    """,
    "where several things are wrong, the earlier check answers": """
        transfer t1 nobody -> nobody 0 = amount_must_be_positive
        transfer t2 nobody -> nobody 1 = accounts_must_be_different
        transfer t3 nobody -> noone 1 currency USD = debit_account_not_found
        transfer t4 rider -> operator 5000 currency USD timeout 5 = currency_must_match
        transfer t5 rider -> operator 5000 timeout 5 = timeout_forbidden
        transfer t6 rider -> till 5000 = exceeds_credits
    """,
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_script(name: str) -> None:
    assert play(OPEN + SCRIPTS[name]) == []


def test_a_resolution_without_its_hold_is_refused() -> None:
    # The text language always names a hold, so this one status is asked for by hand.
    step = parse("transfer p a -> b 1 post x = created")[0]
    assert isinstance(step, BatchStep)
    bare = Transfer(**{**_fields(step.transfers[0]), "pending_id": None})
    ledger = Ledger()
    for account_id in ("a", "b"):
        ledger.open_account(Account(account_id=account_id))
    assert ledger.post([bare], now=START) == [TransferStatus.PENDING_ID_REQUIRED]


def _fields(transfer: Transfer) -> dict[str, object]:
    return {name: getattr(transfer, name) for name in transfer.__slots__}


def test_every_status_is_asked_for_somewhere() -> None:
    expected = {
        status
        for text in SCRIPTS.values()
        for step in parse(text)
        if isinstance(step, BatchStep)
        for status in step.expected
    }
    assert set(TransferStatus) - expected == {TransferStatus.PENDING_ID_REQUIRED}


def test_a_wrong_expectation_is_reported() -> None:
    assert play(OPEN + "transfer t1 rider -> operator 1 = exists") == [
        "rider -> operator 1: created instead of exists"
    ]
    assert len(play(OPEN + "balance rider debits 0 0 credits 999 0")) == 1


@pytest.mark.parametrize(
    "line",
    [
        "transfer t1 a -> b 1",
        "transfer t1 a b c 1 = created",
        "transfer t1 a -> b one = created",
        "transfer t1 a -> b 1 post = created",
        "transfer t1 a -> b 1 perhaps = created",
        "transfer t1 a -> b 1 = fine",
        "withdraw 5",
    ],
)
def test_an_unreadable_line_is_named(line: str) -> None:
    with pytest.raises(ScriptInvalid, match="line 2"):
        parse("\n" + line)


def test_an_account_is_opened_once() -> None:
    ledger = Ledger()
    rider = Account(account_id="rider")
    ledger.open_account(rider)
    ledger.open_account(rider)
    with pytest.raises(AccountExistsWithDifferentFields):
        ledger.open_account(Account(account_id="rider", bound=Bound.DEBITS_MUST_NOT_EXCEED_CREDITS))
    with pytest.raises(AccountNotFound):
        ledger.get_balance("nobody", now=START)


def test_a_hold_taken_back_does_not_expire_the_one_made_later_under_its_id() -> None:
    ledger = Ledger()
    for account in ACCOUNTS:
        ledger.open_account(account)
    first, second = (
        parse(text)[0]
        for text in (
            """transfer h1 bank -> operator 5 pending linked timeout 5 = linked_event_failed
            transfer t1 bank -> bank 5 = accounts_must_be_different""",
            "transfer h1 bank -> operator 5 pending = created",
        )
    )
    assert isinstance(first, BatchStep)
    assert isinstance(second, BatchStep)
    assert ledger.post(first.transfers, now=START) == list(first.expected)
    assert ledger.post(second.transfers, now=START) == list(second.expected)
    later = START + timedelta(seconds=60)
    assert ledger.get_balance("bank", now=later).debits_pending == 5, "the second hold has no end"


def test_entries_are_the_movements_in_order_below_the_date() -> None:
    ledger = Ledger()
    for account in ACCOUNTS:
        ledger.open_account(account)
    step = parse(
        """transfer t1 bank -> rider 10 = created
        transfer h1 bank -> rider 20 pending = created
        transfer p1 bank -> rider 15 post h1 = created
        transfer t2 bank -> operator 5 = created"""
    )[0]
    assert isinstance(step, BatchStep)
    assert ledger.post(step.transfers, now=START) == list(step.expected)
    after = START + timedelta(seconds=1)

    def amounts(**filters: object) -> list[int]:
        asked: dict[str, object] = {"after_sequence": 0, "until": after, "limit": 9} | filters
        return [entry.transfer.amount_minor for entry in ledger.list_entries("rider", **asked)]  # type: ignore[arg-type]

    assert amounts() == [10, 15]
    assert amounts(limit=1) == [10]
    assert amounts(after_sequence=1) == [15]
    assert amounts(until=START) == []


@settings(max_examples=150, deadline=None)
@given(histories())
def test_it_answers_as_its_naive_twin(history: list[tuple[int, list[Transfer]]]) -> None:
    fast, naive = Ledger(), NaiveLedger()
    for account in ACCOUNTS:
        fast.open_account(account)
        naive.accounts[account.account_id] = account
    moments = accumulate((wait for wait, _ in history), initial=0)
    next(moments)
    for seconds, (_, batch) in zip(moments, history, strict=True):
        now = START + timedelta(seconds=seconds)
        statuses = fast.post(batch, now=now)
        assert statuses == naive.post(batch, now)
        _check_invariants(fast, naive, now)
        for transfer, status in zip(batch, statuses, strict=True):
            assert not status.is_done or transfer.transfer_id in fast.recorded


def _check_invariants(fast: Ledger, naive: NaiveLedger, now: object) -> None:
    for totals in fast.accounts.values():
        balance = totals.balance
        sums = naive.sums(balance.account_id, now)  # type: ignore[arg-type]
        assert sums == (
            balance.debits_posted,
            balance.credits_posted,
            balance.debits_pending,
            balance.credits_pending,
        )
        bound = totals.account.bound
        if bound is Bound.DEBITS_MUST_NOT_EXCEED_CREDITS:
            assert balance.debits_posted + balance.debits_pending <= balance.credits_posted
        if bound is Bound.CREDITS_MUST_NOT_EXCEED_DEBITS:
            assert balance.credits_posted + balance.credits_pending <= balance.debits_posted
    trial = fast.get_trial_balance(now=now)  # type: ignore[arg-type]
    assert trial.is_balanced
    assert trial.transfer_count == len(naive.log)
    assert not (fast.recorded.keys() & fast.refused.keys())


def test_name_ids_are_stable() -> None:
    assert name_id("t1") == name_id("t1") != name_id("t2")
