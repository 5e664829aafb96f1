"""The accounts as they will be once everything on its way is written: decisions ahead of the database.

Problem   Asking the database before each decision, and holding locks meanwhile, costs more than writing.
Idea      This process remembers the accounts it wrote last and decides upon them at once, also while the
          batch before is still being written. Writing compares (decisions.py): if another process moved an
          account, if an id was used before, or if the batch before failed, nothing is written; then all of
          this is forgotten and the batch is decided again upon what the database says, under locks.
          Only what needs no more than accounts is decided here. Resolutions need their holds, and an
          account with a bound whose holds might have run out needs these: both are left to the locked way.
Invariant Nothing here is ever the reason for an answer that was not compared with the database first.
"""

from collections.abc import Sequence
from datetime import datetime

from payments.accounts import AccountId, Bound
from payments.ledger import LASTING_REFUSALS, RESOLVING_KINDS, AccountTotals, Ledger
from payments.transfers import Transfer, TransferStatus
from services.ledger.decisions import Decision

_COMPARED = LASTING_REFUSALS | {TransferStatus.CREATED}
"""The answers that use their id up: writing them finds out whether it was used before."""

ACCOUNTS_MAX = 300_000
"""Above it everything is forgotten: about 100 MB of memory."""


class AccountsAhead:
    """Accounts by id, with what was decided but is perhaps not written yet."""

    def __init__(self) -> None:
        self._accounts: dict[AccountId, AccountTotals] = {}

    def list_unknown(self, asked: Sequence[Transfer]) -> list[AccountId]:
        """The accounts of these transfers that are not remembered."""
        names = {account_id for each in asked for account_id in (each.debit, each.credit)}
        return [account_id for account_id in names if account_id not in self._accounts]

    def learn(self, accounts: Sequence[AccountTotals]) -> None:
        """Remember what the database said."""
        if len(self._accounts) + len(accounts) > ACCOUNTS_MAX:
            self._accounts.clear()
        self._accounts.update((each.account.account_id, each) for each in accounts)

    def forget(self) -> None:
        """Something was not written as decided: nothing remembered can be trusted."""
        self._accounts.clear()

    def find_decision(
        self, batches: Sequence[Sequence[Transfer]], asked: Sequence[Transfer], *, now: datetime
    ) -> Decision | None:
        """The answers, if accounts alone decide them. Accounts that are not remembered count as not open."""
        touched: dict[AccountId, AccountTotals] = {}
        for each in asked:
            if each.kind in RESOLVING_KINDS:
                return None
            for account_id in (each.debit, each.credit):
                totals = self._accounts.get(account_id)
                if totals is not None:
                    touched[account_id] = totals
        if any(_may_free_holds(totals) for totals in touched.values()):
            return None
        decision = Decision(Ledger(accounts=touched), set(), now)
        decision.decide(batches)
        if not all(status in _COMPARED for answers in decision.statuses for status in answers):
            # An answer that writes nothing is compared with nothing: an id in it may be known since long ago.
            self.forget()
            return None
        return decision


def _may_free_holds(totals: AccountTotals) -> bool:
    """Whether holds count against the bound; some may have run out, and only the database knows which."""
    bound = totals.account.bound
    return (bound is Bound.DEBITS_MUST_NOT_EXCEED_CREDITS and totals.debits_pending != 0) or (
        bound is Bound.CREDITS_MUST_NOT_EXCEED_DEBITS and totals.credits_pending != 0
    )
