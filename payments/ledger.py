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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from payments.accounts import Account, AccountId, Balance, Bound
from payments.errors import AccountExistsWithDifferentFields, AccountNotFound
from payments.ports import TrialBalance
from payments.transfers import Entry, Transfer, TransferKind, TransferStatus

AMOUNT_MINOR_MAX = 10**12
"""More than any bank file can carry (facts on payments, rule 24: 12 digits); keeps every sum within int64."""

TIMEOUT_S_MAX = 366 * 24 * 3600

MOVING_KINDS = frozenset({TransferKind.POSTED, TransferKind.POST_PENDING})
RESOLVING_KINDS = frozenset({TransferKind.POST_PENDING, TransferKind.VOID_PENDING})

LASTING_REFUSALS = frozenset(TransferStatus) - {
    TransferStatus.CREATED,
    TransferStatus.EXISTS,
    TransferStatus.EXISTS_WITH_DIFFERENT_FIELDS,
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
    entries   what was recorded since this value was made, in order
    refusals  transfers that used their id up since this value was made
    """

    accounts: dict[AccountId, AccountTotals] = field(default_factory=dict)
    recorded: dict[UUID, Transfer] = field(default_factory=dict)
    refused: dict[UUID, TransferStatus] = field(default_factory=dict)
    holds: dict[UUID, Hold] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
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
        return [status for chain in _list_chains(transfers) for status in self._post_chain(chain, now)]

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
            entry
            for entry in self.entries
            if entry.sequence > after_sequence
            and entry.transfer.kind in MOVING_KINDS
            and entry.transfer.effective_at < until
            and account_id in (entry.transfer.debit, entry.transfer.credit)
        )
        return [entry for entry, _ in zip(wanted, range(limit), strict=False)]

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

    def _post_chain(self, chain: Sequence[Transfer], now: datetime) -> list[TransferStatus]:
        """All of the chain, or none of it and the reason at the place where it broke."""
        if chain[-1].linked:
            return [TransferStatus.LINKED_EVENT_FAILED] * (len(chain) - 1) + [
                TransferStatus.LINKED_CHAIN_OPEN
            ]
        statuses: list[TransferStatus] = []
        created: list[Transfer] = []
        for transfer in chain:
            status = self._status(transfer)
            statuses.append(status)
            if status is TransferStatus.CREATED:
                self._record(transfer, now)
                created.append(transfer)
            elif status is not TransferStatus.EXISTS:
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
            self.refused[chain[broken_at].transfer_id] = refusal
            self.refusals.append((chain[broken_at], refusal))
        before = [
            TransferStatus.EXISTS
            if transfer.transfer_id in self.recorded
            else TransferStatus.LINKED_EVENT_FAILED
            for transfer in chain[:broken_at]
        ]
        behind = [TransferStatus.LINKED_EVENT_FAILED] * (len(chain) - broken_at - 1)
        return [*before, refusal, *behind]

    def _status(self, transfer: Transfer) -> TransferStatus:
        """The one answer, by the fixed precedence. CREATED promises that recording cannot fail."""
        known = self.recorded.get(transfer.transfer_id)
        if known is not None:
            if is_same_movement(known, transfer):
                return TransferStatus.EXISTS
            return TransferStatus.EXISTS_WITH_DIFFERENT_FIELDS
        if transfer.transfer_id in self.refused:
            return TransferStatus.ID_ALREADY_FAILED
        return (
            self._find_account_refusal(transfer)
            or _find_kind_refusal(transfer)
            or self._find_hold_refusal(transfer)
            or self._find_bound_refusal(transfer)
            or TransferStatus.CREATED
        )

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

    def _find_hold_refusal(self, transfer: Transfer) -> TransferStatus | None:
        if transfer.pending_id is None:
            return None
        hold = self.holds.get(transfer.pending_id)
        if hold is None:
            return TransferStatus.PENDING_TRANSFER_NOT_FOUND
        if (hold.transfer.debit, hold.transfer.credit) != (transfer.debit, transfer.credit):
            return TransferStatus.PENDING_TRANSFER_HAS_DIFFERENT_ACCOUNTS
        if hold.state is not HoldState.OPEN:
            return RESOLVED_REFUSALS[hold.state]
        if transfer.amount_minor > hold.transfer.amount_minor:
            return TransferStatus.EXCEEDS_PENDING_AMOUNT
        return None

    def _find_bound_refusal(self, transfer: Transfer) -> TransferStatus | None:
        """A resolution moves at most what its hold already counted, so bounds ask about new amounts only."""
        if transfer.kind in RESOLVING_KINDS:
            return None
        if self.accounts[transfer.debit].refuses_debit(transfer.amount_minor):
            return TransferStatus.EXCEEDS_CREDITS
        if self.accounts[transfer.credit].refuses_credit(transfer.amount_minor):
            return TransferStatus.EXCEEDS_DEBITS
        return None

    def _record(self, transfer: Transfer, now: datetime) -> None:
        """Write the transfer into the books. Every check was made."""
        self.recorded[transfer.transfer_id] = transfer
        self.entries.append(Entry(sequence=len(self.entries) + 1, transfer=transfer, recorded_at=now))
        if transfer.kind in MOVING_KINDS:
            self._move(transfer, transfer.amount_minor)
        if transfer.kind is TransferKind.PENDING:
            self._hold(transfer, now)
        if transfer.kind in RESOLVING_KINDS:
            assert transfer.pending_id is not None, "a resolution names its hold: it was checked"
            posted = transfer.kind is TransferKind.POST_PENDING
            self._resolve(self.holds[transfer.pending_id], HoldState.POSTED if posted else HoldState.VOIDED)

    def _take_back(self, transfer: Transfer) -> None:
        """Undo `_record`. Called in the reverse order of recording, so the entry is the last one."""
        entry = self.entries.pop()
        assert entry.transfer is transfer, "a broken chain is taken back from its end"
        del self.recorded[transfer.transfer_id]
        if transfer.kind in MOVING_KINDS:
            self._move(transfer, -transfer.amount_minor)
        if transfer.kind is TransferKind.PENDING:
            hold = self.holds.pop(transfer.transfer_id)
            self._add_pending(hold.transfer, -hold.transfer.amount_minor)
        if transfer.kind in RESOLVING_KINDS:
            assert transfer.pending_id is not None, "a resolution names its hold: it was checked"
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


def is_same_movement(known: Transfer, asked: Transfer) -> bool:
    """Whether a second transfer of an id is a retry of the first."""
    return (
        known.debit == asked.debit
        and known.credit == asked.credit
        and known.amount_minor == asked.amount_minor
        and known.currency == asked.currency
        and known.kind == asked.kind
        and known.pending_id == asked.pending_id
        and known.timeout_s == asked.timeout_s
        and known.code == asked.code
        and known.reference == asked.reference
    )


def check_form(transfer: Transfer) -> None:
    """Assert what no caller may ever ask for, whatever the state of the books."""
    assert -AMOUNT_MINOR_MAX <= transfer.amount_minor <= AMOUNT_MINOR_MAX, "an amount fits a bank file"
    assert transfer.effective_at.tzinfo is not None, "an instant has a zone"
    assert transfer.timeout_s is None or 0 < transfer.timeout_s <= TIMEOUT_S_MAX, "a hold lasts a while"


def _find_kind_refusal(transfer: Transfer) -> TransferStatus | None:
    resolves = transfer.kind in RESOLVING_KINDS
    if resolves and transfer.pending_id is None:
        return TransferStatus.PENDING_ID_REQUIRED
    if not resolves and transfer.pending_id is not None:
        return TransferStatus.PENDING_ID_FORBIDDEN
    if transfer.timeout_s is not None and transfer.kind is not TransferKind.PENDING:
        return TransferStatus.TIMEOUT_FORBIDDEN
    return None


def _list_chains(transfers: Sequence[Transfer]) -> Iterator[Sequence[Transfer]]:
    """The batch cut behind every transfer that is not linked to its successor."""
    start = 0
    for index, transfer in enumerate(transfers):
        if not transfer.linked:
            yield transfers[start : index + 1]
            start = index + 1
    if start < len(transfers):
        yield transfers[start:]
