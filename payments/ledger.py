"""The ledger as a pure value machine: transfers in, one status each, balances that always agree.

Problem   Retries, races, shortages and half-done groups must each have exactly one outcome, and the
          outcome must be the same whether it is decided in memory or in the database.
Idea      One set of rules lives here. The store (services/ledger) loads the accounts, transfers and holds
          that a batch touches into a `Ledger`, lets it decide, and writes down what it recorded. Alone,
          a `Ledger` is the whole books in memory: the oracle of the store and the ledger of small tests.
          Checks run in the order of `TransferStatus`; after the last check a transfer must succeed.
          A chain is tried transfer by transfer and taken back as a whole when one of them is refused.
Not here  SQL, locks, clocks (the caller gives `now`), and what a transfer means to the business.
Invariant sum of debits = sum of credits, posted and pending; no bound is ever broken; a refused id never
          succeeds; a hold is resolved at most once; a status says done exactly when the transfer is in
          the books, except behind the break of a chain, where nothing is looked at.
Source    TigerBeetle's state machine, for the habits; its limits and flags are not followed one by one.
          A retry is recognised by what moves, between whom and why; `effective_at` and `linked` say when
          and with whom it was asked for, and a retry after a crash may ask anew.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice
from uuid import UUID

from payments.accounts import Account, AccountId, Balance, Bound
from payments.errors import AccountExistsWithDifferentFields, AccountNotFound
from payments.ports import TrialBalance
from payments.transfers import Entry, Transfer, TransferKind, TransferStatus

AMOUNT_MINOR_MAX = 10**12
"""More than any bank file can carry (facts on payments, rule 24: 12 digits); keeps every sum within int64."""

TIMEOUT_S_MAX = 366 * 24 * 3600

# Looking a member up in its enum, and hashing it, cost more than the rest of a check: here they have names.
POSTED, PENDING = TransferKind.POSTED, TransferKind.PENDING
POST_PENDING, VOID_PENDING = TransferKind.POST_PENDING, TransferKind.VOID_PENDING
CREATED, EXISTS = TransferStatus.CREATED, TransferStatus.EXISTS

LASTING_REFUSALS = frozenset(status for status in TransferStatus if not status.is_other_under_this_id) - {
    CREATED,
    EXISTS,
    TransferStatus.ID_ALREADY_FAILED,
    TransferStatus.LINKED_EVENT_FAILED,
    TransferStatus.LINKED_CHAIN_OPEN,
}
"""The refusals that use their id up. The others say nothing against the transfer itself."""


class HoldState(StrEnum):
    """What became of a PENDING transfer. OPEN turns into one of the others, once."""

    OPEN = "open"
    POSTED = "posted"
    VOIDED = "voided"
    EXPIRED = "expired"


RESOLVED_REFUSALS = {
    HoldState.POSTED: TransferStatus.PENDING_TRANSFER_ALREADY_POSTED,
    HoldState.VOIDED: TransferStatus.PENDING_TRANSFER_ALREADY_VOIDED,
    HoldState.EXPIRED: TransferStatus.PENDING_TRANSFER_EXPIRED,
}


@dataclass(slots=True, kw_only=True)
class Hold:
    """A PENDING transfer and its fate. `expires_at` is None where it never expires by itself."""

    transfer: Transfer
    expires_at: datetime | None
    state: HoldState = HoldState.OPEN


@dataclass(slots=True, kw_only=True)
class AccountTotals:
    """An open account with its four running sums in minor units."""

    account: Account
    debits_posted: int = 0
    credits_posted: int = 0
    debits_pending: int = 0
    credits_pending: int = 0

    @property
    def balance(self) -> Balance:
        """The sums as the port shows them."""
        return Balance(
            account_id=self.account.account_id,
            debits_posted=self.debits_posted,
            credits_posted=self.credits_posted,
            debits_pending=self.debits_pending,
            credits_pending=self.credits_pending,
        )

    def refuses_debit(self, amount_minor: int) -> bool:
        """Whether debiting so much would take the account beyond its bound."""
        return (
            self.account.bound is Bound.DEBITS_MUST_NOT_EXCEED_CREDITS
            and self.debits_posted + self.debits_pending + amount_minor > self.credits_posted
        )

    def refuses_credit(self, amount_minor: int) -> bool:
        """Whether crediting so much would take the account beyond its bound."""
        return (
            self.account.bound is Bound.CREDITS_MUST_NOT_EXCEED_DEBITS
            and self.credits_posted + self.credits_pending + amount_minor > self.debits_posted
        )


@dataclass(slots=True, kw_only=True)
class Ledger:
    """The books, whole or as far as a batch needs them.

    accounts  by id
    recorded  every transfer in the books, by id
    refused   every id that was used up by a refusal, with the refusal
    holds     every PENDING transfer, by its id
    log       what was recorded since this value was made, in order, with the instant
    refusals  transfers that used their id up since this value was made
    """

    accounts: dict[AccountId, AccountTotals] = field(default_factory=dict)
    recorded: dict[UUID, Transfer] = field(default_factory=dict)
    refused: dict[UUID, TransferStatus] = field(default_factory=dict)
    holds: dict[UUID, Hold] = field(default_factory=dict)
    log: list[tuple[Transfer, datetime]] = field(default_factory=list)
    refusals: list[tuple[Transfer, TransferStatus]] = field(default_factory=list)
    _expiries: list[tuple[datetime, UUID]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for hold_id, hold in self.holds.items():
            if hold.state is HoldState.OPEN and hold.expires_at is not None:
                heapq.heappush(self._expiries, (hold.expires_at, hold_id))

    def open_account(self, account: Account) -> None:
        """Open the account if it is not. Raises AccountExistsWithDifferentFields."""
        known = self.accounts.setdefault(account.account_id, AccountTotals(account=account))
        if known.account != account:
            raise AccountExistsWithDifferentFields(account.account_id)

    def post(self, transfers: Sequence[Transfer], *, now: datetime) -> list[TransferStatus]:
        """Record a batch in order; one status each. Holds that ran out by `now` are freed first."""
        for transfer in transfers:
            check_form(transfer)
        self.expire(now=now)
        statuses: list[TransferStatus] = []
        chain_start = 0
        for index, transfer in enumerate(transfers):
            if transfer.linked:
                continue
            if index == chain_start:
                statuses.append(self._post_alone(transfer, now))
            else:
                statuses += self._post_chain(transfers[chain_start : index + 1], now)
            chain_start = index + 1
        left_open = len(transfers) - chain_start
        if left_open:
            statuses += [TransferStatus.LINKED_EVENT_FAILED] * (left_open - 1)
            statuses.append(TransferStatus.LINKED_CHAIN_OPEN)
        return statuses

    def expire(self, *, now: datetime) -> list[UUID]:
        """Free the holds whose time is over. Returns their ids."""
        freed = []
        while self._expiries and self._expiries[0][0] <= now:
            expires_at, hold_id = heapq.heappop(self._expiries)
            hold = self.holds.get(hold_id)
            # A hold that was taken back leaves its expiry here; its id may hold again, until another time.
            if hold is not None and hold.state is HoldState.OPEN and hold.expires_at == expires_at:
                self._resolve(hold, HoldState.EXPIRED)
                freed.append(hold_id)
        return freed

    def get_balance(self, account_id: AccountId, *, now: datetime) -> Balance:
        """The balance at `now`. Raises AccountNotFound."""
        self.expire(now=now)
        if account_id not in self.accounts:
            raise AccountNotFound(account_id)
        return self.accounts[account_id].balance

    def list_entries(
        self, account_id: AccountId, *, after_sequence: int, until: datetime, limit: int
    ) -> list[Entry]:
        """Posted movements of an account with sequence above `after_sequence`, effective before `until`."""
        wanted = (
            Entry(sequence=sequence, transfer=transfer, recorded_at=recorded_at)
            for sequence, (transfer, recorded_at) in enumerate(self.log, start=1)
            if sequence > after_sequence
            and is_moving(transfer)
            and transfer.effective_at < until
            and account_id in (transfer.debit, transfer.credit)
        )
        return list(islice(wanted, limit))

    def get_trial_balance(self, *, now: datetime) -> TrialBalance:
        """Sums over all accounts at `now`."""
        self.expire(now=now)
        balances = tuple(self.accounts[account_id].balance for account_id in sorted(self.accounts))
        return TrialBalance(
            debits_posted=sum(balance.debits_posted for balance in balances),
            credits_posted=sum(balance.credits_posted for balance in balances),
            account_count=len(balances),
            transfer_count=len(self.recorded),
            balances=balances,
        )

    def _post_alone(self, transfer: Transfer, now: datetime) -> TransferStatus:
        status = self._status(transfer)
        if status is CREATED:
            self._record(transfer, now)
        elif status in LASTING_REFUSALS:
            self._use_up(transfer, status)
        return status

    def _post_chain(self, chain: Sequence[Transfer], now: datetime) -> list[TransferStatus]:
        """All of the chain, or none of it and the reason at the place where it broke."""
        statuses: list[TransferStatus] = []
        created: list[Transfer] = []
        for transfer in chain:
            status = self._status(transfer)
            statuses.append(status)
            if status is CREATED:
                self._record(transfer, now)
                created.append(transfer)
            elif status is not EXISTS:
                break
        if statuses[-1].is_done:
            return statuses
        return self._break_chain(chain, statuses, created)

    def _break_chain(
        self, chain: Sequence[Transfer], statuses: list[TransferStatus], created: list[Transfer]
    ) -> list[TransferStatus]:
        for transfer in reversed(created):
            self._take_back(transfer)
        broken_at = len(statuses) - 1
        refusal = statuses[-1]
        if refusal in LASTING_REFUSALS:
            self._use_up(chain[broken_at], refusal)
        before = [
            EXISTS if transfer.transfer_id in self.recorded else TransferStatus.LINKED_EVENT_FAILED
            for transfer in chain[:broken_at]
        ]
        behind = [TransferStatus.LINKED_EVENT_FAILED] * (len(chain) - broken_at - 1)
        return [*before, refusal, *behind]

    def _use_up(self, transfer: Transfer, refusal: TransferStatus) -> None:
        self.refused[transfer.transfer_id] = refusal
        self.refusals.append((transfer, refusal))

    def _status(self, transfer: Transfer) -> TransferStatus:
        """The one answer, by the fixed precedence. CREATED promises that recording cannot fail."""
        known = self.recorded.get(transfer.transfer_id)
        if known is not None:
            return compare_movements(known, transfer)
        if self.refused and transfer.transfer_id in self.refused:
            return TransferStatus.ID_ALREADY_FAILED
        refusal = self._find_account_refusal(transfer) or _find_kind_refusal(transfer)
        if refusal is not None:
            return refusal
        if transfer.pending_id is not None:
            return self._find_hold_refusal(transfer, transfer.pending_id) or CREATED
        return self._find_bound_refusal(transfer) or CREATED

    def _find_account_refusal(self, transfer: Transfer) -> TransferStatus | None:
        if transfer.amount_minor <= 0:
            return TransferStatus.AMOUNT_MUST_BE_POSITIVE
        if transfer.debit == transfer.credit:
            return TransferStatus.ACCOUNTS_MUST_BE_DIFFERENT
        debit, credit = self.accounts.get(transfer.debit), self.accounts.get(transfer.credit)
        if debit is None:
            return TransferStatus.DEBIT_ACCOUNT_NOT_FOUND
        if credit is None:
            return TransferStatus.CREDIT_ACCOUNT_NOT_FOUND
        if not transfer.currency == debit.account.currency == credit.account.currency:
            return TransferStatus.CURRENCY_MUST_MATCH
        return None

    def _find_hold_refusal(self, transfer: Transfer, hold_id: UUID) -> TransferStatus | None:
        """A resolution moves at most what its hold already counted, so it is asked about no bound."""
        hold = self.holds.get(hold_id)
        if hold is None:
            return TransferStatus.PENDING_TRANSFER_NOT_FOUND
        if (hold.transfer.debit, hold.transfer.credit) != (transfer.debit, transfer.credit):
            return TransferStatus.PENDING_TRANSFER_HAS_DIFFERENT_ACCOUNTS
        if hold.state is not HoldState.OPEN:
            return RESOLVED_REFUSALS[hold.state]
        if transfer.amount_minor > hold.transfer.amount_minor:
            return TransferStatus.EXCEEDS_PENDING_AMOUNT
        if transfer.kind is VOID_PENDING and transfer.amount_minor != hold.transfer.amount_minor:
            return TransferStatus.PENDING_TRANSFER_HAS_DIFFERENT_AMOUNT
        return None

    def _find_bound_refusal(self, transfer: Transfer) -> TransferStatus | None:
        if self.accounts[transfer.debit].refuses_debit(transfer.amount_minor):
            return TransferStatus.EXCEEDS_CREDITS
        if self.accounts[transfer.credit].refuses_credit(transfer.amount_minor):
            return TransferStatus.EXCEEDS_DEBITS
        return None

    def _record(self, transfer: Transfer, now: datetime) -> None:
        """Write the transfer into the books. Every check was made."""
        self.recorded[transfer.transfer_id] = transfer
        self.log.append((transfer, now))
        kind = transfer.kind
        if kind is POSTED or kind is POST_PENDING:
            self._move(transfer, transfer.amount_minor)
        if kind is PENDING:
            self._hold(transfer, now)
        elif transfer.pending_id is not None:
            self._resolve(
                self.holds[transfer.pending_id],
                HoldState.POSTED if kind is POST_PENDING else HoldState.VOIDED,
            )

    def _take_back(self, transfer: Transfer) -> None:
        """Undo `_record`. Called in the reverse order of recording, so the entry is the last one."""
        last, _ = self.log.pop()
        assert last is transfer, "a broken chain is taken back from its end"
        del self.recorded[transfer.transfer_id]
        if is_moving(transfer):
            self._move(transfer, -transfer.amount_minor)
        if transfer.kind is PENDING:
            hold = self.holds.pop(transfer.transfer_id)
            self._add_pending(hold.transfer, -hold.transfer.amount_minor)
        elif transfer.pending_id is not None:
            hold = self.holds[transfer.pending_id]
            hold.state = HoldState.OPEN
            self._add_pending(hold.transfer, hold.transfer.amount_minor)

    def _move(self, transfer: Transfer, amount_minor: int) -> None:
        self.accounts[transfer.debit].debits_posted += amount_minor
        self.accounts[transfer.credit].credits_posted += amount_minor

    def _add_pending(self, transfer: Transfer, amount_minor: int) -> None:
        self.accounts[transfer.debit].debits_pending += amount_minor
        self.accounts[transfer.credit].credits_pending += amount_minor

    def _hold(self, transfer: Transfer, now: datetime) -> None:
        expires_at = None if transfer.timeout_s is None else now + timedelta(seconds=transfer.timeout_s)
        self.holds[transfer.transfer_id] = Hold(transfer=transfer, expires_at=expires_at)
        self._add_pending(transfer, transfer.amount_minor)
        if expires_at is not None:
            heapq.heappush(self._expiries, (expires_at, transfer.transfer_id))

    def _resolve(self, hold: Hold, state: HoldState) -> None:
        assert hold.state is HoldState.OPEN, "a hold is resolved once"
        hold.state = state
        self._add_pending(hold.transfer, -hold.transfer.amount_minor)


def is_moving(transfer: Transfer) -> bool:
    """Whether it moves money, rather than holding it or letting it go."""
    return transfer.kind is POSTED or transfer.kind is POST_PENDING


def is_resolving(transfer: Transfer) -> bool:
    """Whether it ends a hold."""
    return transfer.kind is POST_PENDING or transfer.kind is VOID_PENDING


def compare_movements(known: Transfer, asked: Transfer) -> TransferStatus:
    """Whether a second transfer of an id is a retry of the first, or the first field by which it is not."""
    for differs, status in (
        (known.kind is not asked.kind, TransferStatus.EXISTS_WITH_DIFFERENT_KIND),
        (known.pending_id != asked.pending_id, TransferStatus.EXISTS_WITH_DIFFERENT_PENDING_ID),
        (known.timeout_s != asked.timeout_s, TransferStatus.EXISTS_WITH_DIFFERENT_TIMEOUT),
        (known.debit != asked.debit, TransferStatus.EXISTS_WITH_DIFFERENT_DEBIT_ACCOUNT),
        (known.credit != asked.credit, TransferStatus.EXISTS_WITH_DIFFERENT_CREDIT_ACCOUNT),
        (known.amount_minor != asked.amount_minor, TransferStatus.EXISTS_WITH_DIFFERENT_AMOUNT),
        (known.currency != asked.currency, TransferStatus.EXISTS_WITH_DIFFERENT_CURRENCY),
        (known.code is not asked.code, TransferStatus.EXISTS_WITH_DIFFERENT_CODE),
        (known.reference != asked.reference, TransferStatus.EXISTS_WITH_DIFFERENT_REFERENCE),
    ):
        if differs:
            return status
    return EXISTS


def check_form(transfer: Transfer) -> None:
    """Assert what no caller may ever ask for, whatever the state of the books."""
    assert -AMOUNT_MINOR_MAX <= transfer.amount_minor <= AMOUNT_MINOR_MAX, "an amount fits a bank file"
    assert transfer.effective_at.tzinfo is not None, "an instant has a zone"
    assert transfer.timeout_s is None or 0 < transfer.timeout_s <= TIMEOUT_S_MAX, "a hold lasts a while"


def _find_kind_refusal(transfer: Transfer) -> TransferStatus | None:
    kind = transfer.kind
    resolves = kind is POST_PENDING or kind is VOID_PENDING
    if resolves and transfer.pending_id is None:
        return TransferStatus.PENDING_ID_REQUIRED
    if not resolves and transfer.pending_id is not None:
        return TransferStatus.PENDING_ID_FORBIDDEN
    if transfer.timeout_s is not None and kind is not PENDING:
        return TransferStatus.TIMEOUT_FORBIDDEN
    return None
