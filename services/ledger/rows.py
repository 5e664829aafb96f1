"""Rows of the ledger's tables as values of `payments`."""

from typing import Any

from payments.accounts import Account, Bound
from payments.ledger import AccountTotals
from payments.transfers import Entry, Transfer, TransferCode, TransferKind


def read_account(row: Any) -> Account:
    """The terms of an account."""
    return Account(account_id=row["account_id"], bound=Bound(row["bound"]), currency=row["currency"])


def read_totals(row: Any) -> AccountTotals:
    """An account with its sums."""
    return AccountTotals(
        account=read_account(row),
        debits_posted=row["debits_posted"],
        credits_posted=row["credits_posted"],
        debits_pending=row["debits_pending"],
        credits_pending=row["credits_pending"],
    )


def read_transfer(row: Any) -> Transfer:
    """A transfer as it was asked for."""
    return Transfer(
        transfer_id=row["transfer_id"],
        debit=row["debit"],
        credit=row["credit"],
        amount_minor=row["amount_minor"],
        code=TransferCode(row["code"]),
        reference=row["reference"],
        effective_at=row["effective_at"],
        kind=TransferKind(row["kind"]),
        pending_id=row["pending_id"],
        linked=row["linked"],
        timeout_s=row["timeout_s"],
        currency=row["currency"],
    )


def read_entry(row: Any) -> Entry:
    """A transfer with its place in the books."""
    return Entry(sequence=row["sequence"], transfer=read_transfer(row), recorded_at=row["recorded_at"])
