"""The accounts as they will be once everything on its way is written: decisions ahead of the database.

Problem   Asking the database before each decision, and holding locks meanwhile, costs more than writing.
Idea      This process remembers the accounts that it wrote last and the holds that it made, and decides upon
          them at once, also while earlier batches are still being written. What it remembers is a guess:
          writing checks what the decision depends on (decisions.py). Where the guess was wrong (another
          process moved the account, ended the hold or used the id; an earlier batch failed) nothing is
          written, the guess is dropped, and the batch is decided again upon what the database says, locked.
          An answer that writes nothing, such as EXISTS, would be checked by nothing, and a shortage may end
          with a hold that ran out meanwhile: both are left to the locked way.
Invariant Nothing here is ever the reason for an answer that was not checked by the database first.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from payments.accounts import AccountId, Bound
from payments.ledger import (
    CREATED,
    LASTING_REFUSALS,
    PENDING,
    AccountTotals,
    Hold,
    HoldState,
    Ledger,
    is_resolving,
)
from payments.transfers import Transfer
from services.ledger.decisions import Decision

ACCOUNTS_MAX = 300_000
"""Above it all accounts are forgotten: about 100 MB of memory."""

HOLDS_MAX = 100_000
"""Above it all holds are forgotten, and theirs go the locked way."""


class AccountsAhead:
    """Accounts and open holds by id, with what was decided but is perhaps not written yet."""

    def __init__(self) -> None:
        self._accounts: dict[AccountId, AccountTotals] = {}
        self._holds: dict[UUID, Hold] = {}

    def list_unknown(self, asked: Sequence[Transfer]) -> list[AccountId]:
        """The accounts of these transfers that are not remembered."""
        names = {each.debit for each in asked}
        names.update([each.credit for each in asked])
        return [account_id for account_id in names if account_id not in self._accounts]

    def learn(self, accounts: Iterable[AccountTotals], holds: Iterable[Hold] = ()) -> None:
        """Remember what the database said."""
        if len(self._accounts) > ACCOUNTS_MAX:
            self._accounts.clear()
        if len(self._holds) > HOLDS_MAX:
            self._holds.clear()
        self._accounts.update((each.account.account_id, each) for each in accounts)
        for hold in holds:
            if hold.state is HoldState.OPEN:
                self._holds[hold.transfer.transfer_id] = hold
            else:
                self._holds.pop(hold.transfer.transfer_id, None)

    def drop(self, decision: Decision) -> None:
        """This was not written as decided: what it went through cannot be trusted."""
        for account_id in decision.before:
            self._accounts.pop(account_id, None)
        for hold_id in decision.ledger.holds:
            self._holds.pop(hold_id, None)

    def find_decision(
        self, batches: Sequence[Sequence[Transfer]], asked: Sequence[Transfer], *, now: datetime
    ) -> Decision | None:
        """The answers, if what is remembered decides them. Accounts that are not count as not open."""
        holds = self._find_holds(asked, now)
        if holds is None:
            return None
        touched: dict[AccountId, AccountTotals] = {}
        for each in asked:
            for account_id in (each.debit, each.credit):
                totals = self._accounts.get(account_id)
                if totals is not None:
                    touched[account_id] = totals
        decision = Decision(Ledger(accounts=touched, holds=holds), now, frozenset(holds))
        decision.decide(batches)
        if not _is_checked_when_written(decision):
            decision.undo()
            return None
        if decision.ledger.holds:
            self.learn((), decision.ledger.holds.values())
        return decision

    def _find_holds(self, asked: Sequence[Transfer], now: datetime) -> dict[UUID, Hold] | None:
        """The holds that are to be resolved, or None where one is not known to be open."""
        holds: dict[UUID, Hold] = {}
        made = {each.transfer_id for each in asked if each.kind is PENDING}
        for each in asked:
            if each.pending_id is None or not is_resolving(each) or each.pending_id in made:
                continue
            hold = self._holds.get(each.pending_id)
            if hold is None or (hold.expires_at is not None and hold.expires_at <= now):
                return None
            holds[each.pending_id] = hold
        return holds


def _is_checked_when_written(decision: Decision) -> bool:
    for answers in decision.statuses:
        for status in answers:
            if status is not CREATED and status not in LASTING_REFUSALS:
                return False
    if any(is_resolving(transfer) for transfer, _ in decision.ledger.refusals):
        return False  # why, only the hold in the database knows
    return not (
        decision.is_refused_by_a_bound
        and any(_may_free_holds(totals) for totals in decision.ledger.accounts.values())
    )


def _may_free_holds(totals: AccountTotals) -> bool:
    """Whether holds count against the bound; some may have run out, and only the database knows which."""
    bound = totals.account.bound
    return (bound is Bound.DEBITS_MUST_NOT_EXCEED_CREDITS and totals.debits_pending != 0) or (
        bound is Bound.CREDITS_MUST_NOT_EXCEED_DEBITS and totals.credits_pending != 0
    )
