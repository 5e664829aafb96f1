"""A batch decided by the pure ledger, and how it is written.

Problem   What was decided must be what is written, although others write too.
Idea      A decision says upon what it depends, and writing it checks that in the same statement. Where all
          that was taken from an account with a bound was granted, the account must still have room for it:
          others may have written meanwhile, in any order. Where something was refused, or where the account
          was given and taken from in one batch, its sums must be those that were decided upon. Where it was
          only given to, or has no bound, nothing is checked. What does not hold is not written.
          The accounts may come from the database, locked (`load_locked`: nothing to check), or from memory,
          ahead of it (ahead.py).
Not here  The rules (payments/ledger.py); when a decision is made and tried again (store.py).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from payments.accounts import AccountId, Bound, is_of_one_customer
from payments.ledger import (
    POST_PENDING,
    AccountTotals,
    Hold,
    HoldState,
    Ledger,
    is_resolving,
)
from payments.transfers import Transfer, TransferKind, TransferStatus
from services.ledger.rows import read_totals, read_transfer
from services.platform.database import load_queries

queries = load_queries(__file__)

Sums = tuple[int, int, int, int]
"""Debits and credits posted, debits and credits pending."""

_NOT_EXPECTED = (None, None, None, None)

_REFUSED_BY_A_BOUND = (TransferStatus.EXCEEDS_CREDITS, TransferStatus.EXCEEDS_DEBITS)


def sums_of(totals: AccountTotals) -> Sums:
    """The sums of an account."""
    return (totals.debits_posted, totals.credits_posted, totals.debits_pending, totals.credits_pending)


@dataclass(slots=True)
class Decision:
    """What a part of the books decided, and upon what.

    open_ids  the holds that were open
    is_ahead  whether it was made without locks, so that writing it must check what it depends on
    before    the sums of each account it may touch
    exact     the accounts that must still have these sums
    ended     the holds that it ends
    """

    ledger: Ledger
    now: datetime
    open_ids: frozenset[UUID] = frozenset()
    is_ahead: bool = True
    before: dict[AccountId, Sums] = field(init=False)
    exact: frozenset[AccountId] = frozenset()
    ended: frozenset[UUID] = frozenset()
    statuses: list[list[TransferStatus]] = field(default_factory=list)
    _changes: list[tuple[Any, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.before = {account_id: sums_of(totals) for account_id, totals in self.ledger.accounts.items()}

    def decide(self, batches: Sequence[Sequence[Transfer]]) -> None:
        """Let the ledger answer each caller's batch."""
        self.statuses = [self.ledger.post(batch, now=self.now) for batch in batches]
        self._note_changes()

    def expire(self) -> int:
        """Let the ledger free the holds that ran out. Returns how many."""
        freed = self.ledger.expire(now=self.now)
        self._note_changes()
        return len(freed)

    def undo(self) -> None:
        """Give the accounts and holds that were lent for this decision back as they were."""
        for account_id, before in self.before.items():
            totals = self.ledger.accounts[account_id]
            (
                totals.debits_posted,
                totals.credits_posted,
                totals.debits_pending,
                totals.credits_pending,
            ) = before
        for hold_id in self.open_ids:
            self.ledger.holds[hold_id].state = HoldState.OPEN

    @property
    def is_refused_by_a_bound(self) -> bool:
        """Whether some account had not enough, so that more of it might change the answer."""
        return any(status in _REFUSED_BY_A_BOUND for _, status in self.ledger.refusals)

    def must_follow(self, earlier: "Decision") -> bool:
        """Whether one of the two would not find what it depends on if the other were not written in order."""
        return (
            not self.exact.isdisjoint(earlier.before)
            or not earlier.exact.isdisjoint(self.before)
            or not self.ended.isdisjoint(earlier.ledger.holds)
            or not earlier.ended.isdisjoint(self.ledger.holds)
        )

    def list_arguments(self, *, lane: int) -> tuple[object, ...] | None:
        """What `post_batch` is told; None when nothing was consulted, recorded or ended."""
        expired = [each for each in self.open_ids if self.ledger.holds[each].state is HoldState.EXPIRED]
        if not (self.ledger.log or self.ledger.refusals or expired or self._changes):
            return None
        return (
            *self._list_transfer_columns(),
            self.now,
            *self._list_account_columns(lane),
            expired or None,
        )

    def find_single(self, *, lane: int) -> tuple[object, ...] | None:
        """What `post_one` is told, where all that was decided is one plain movement; else None."""
        if len(self.ledger.log) != 1 or self.ledger.refusals or self.open_ids or self.exact:
            return None
        ((transfer, _),) = self.ledger.log
        if transfer.kind is not TransferKind.POSTED or transfer.linked:
            return None
        accounts: list[object] = []
        for name, is_guarded, _, _, _, _, room, *_ in sorted(self._changes):
            accounts += (name, _lane_of(name, lane, is_guarded=is_guarded), room)
        return (
            transfer.transfer_id,
            transfer.debit,
            transfer.credit,
            transfer.amount_minor,
            transfer.currency,
            transfer.code,
            transfer.reference,
            transfer.effective_at,
            self.now,
            *accounts,
        )

    def _list_transfer_columns(self) -> tuple[Sequence[object] | None, ...]:
        written = [transfer for transfer, _ in self.ledger.log]
        refusals: list[object] | None = None
        if self.ledger.refusals:
            refusals = [None] * len(written) + [status.value for _, status in self.ledger.refusals]
            written += [transfer for transfer, _ in self.ledger.refusals]
        return (
            [each.transfer_id for each in written],
            [each.debit for each in written],
            [each.credit for each in written],
            [each.amount_minor for each in written],
            _once_if_alike([each.currency for each in written]),
            _once_if_alike([each.code for each in written]),
            _once_if_alike([each.reference for each in written]),
            _once_if_alike([each.kind for each in written]),
            _or_none([each.pending_id for each in written]),
            _or_none([each.linked for each in written]),
            _or_none([each.timeout_s for each in written]),
            _once_if_alike([each.effective_at for each in written]),
            refusals,
        )

    def _list_account_columns(self, lane: int) -> tuple[Sequence[object] | None, ...]:
        """The changes, in the order of their accounts: all writers visit them so, hence no deadlock."""
        if not self._changes:
            return (None,) * 11
        names, guarded, *columns = zip(*sorted(self._changes), strict=True)
        debits, credits_, *others = columns
        lanes = [
            _lane_of(name, lane, is_guarded=is_guarded)
            for name, is_guarded in zip(names, guarded, strict=True)
        ]
        return (names, lanes, debits, credits_, *map(_or_none, others[:2]), *map(_unless_void, others[2:]))

    def _note_changes(self) -> None:
        """What each account gains, and upon what that depends.

        It is noted at once: decisions that follow go on from the same accounts.
        """
        self.ended = frozenset(
            transfer.pending_id for transfer, _ in self.ledger.log if transfer.pending_id is not None
        )
        all_exact = self.is_ahead and self.is_refused_by_a_bound
        released = self._list_released() if self.ended else frozenset[AccountId]()
        changes: list[tuple[Any, ...]] = []
        exact: list[AccountId] = []
        accounts = self.ledger.accounts
        for account_id, before in self.before.items():
            totals = accounts[account_id]
            debits, credits_ = totals.debits_posted - before[0], totals.credits_posted - before[1]
            held_debits, held_credits = totals.debits_pending - before[2], totals.credits_pending - before[3]
            bound = totals.account.bound
            guarded = bound is not Bound.NONE
            room: int | None = None
            expected: tuple[int | None, ...] = _NOT_EXPECTED
            if guarded and self.is_ahead:
                if bound is Bound.DEBITS_MUST_NOT_EXCEED_CREDITS:
                    taken, given = debits + held_debits, credits_
                else:
                    taken, given = credits_ + held_credits, debits
                if all_exact or account_id in released or (taken > 0 and given > 0):
                    expected = before
                    exact.append(account_id)
                elif taken > 0:
                    room = taken
            if debits or credits_ or held_debits or held_credits or expected is before:
                changes.append(
                    (account_id, guarded, debits, credits_, held_debits, held_credits, room, *expected)
                )
        self._changes, self.exact = changes, frozenset(exact)

    def _list_released(self) -> frozenset[AccountId]:
        """The accounts of holds that end here which are moved otherwise as well: which came first matters."""
        released, moved = set[AccountId](), set[AccountId]()
        for transfer, _ in self.ledger.log:
            kind_of = released if is_resolving(transfer) else moved
            kind_of.update((transfer.debit, transfer.credit))
        return frozenset(released & moved)


def _lane_of(name: AccountId, lane: int, *, is_guarded: bool) -> int:
    """A customer's own account may have one lane only, as one with a bound has (store.py)."""
    return 0 if is_guarded or is_of_one_customer(name) else lane


def _or_none(column: Sequence[object]) -> Sequence[object] | None:
    """The column, or nothing when nothing stands in it: it is not carried, and read for nothing."""
    return column if any(column) else None


def _unless_void(column: Sequence[object]) -> Sequence[object] | None:
    """The column, or nothing when it is null throughout: here 0 says something."""
    return None if column.count(None) == len(column) else column


def _once_if_alike(column: Sequence[object]) -> Sequence[object]:
    """A column whose values are all alike as this one value."""
    return column[:1] if column and column.count(column[0]) == len(column) else column


async def write(connection: Any, decision: Decision, *, lane: int) -> None:
    """Write all of it or raise: SerializationError where what it depends on has changed."""
    single = decision.find_single(lane=lane)
    if single is not None:
        await connection.execute(queries["post_one"], *single)
        return
    arguments = decision.list_arguments(lane=lane)
    if arguments is not None:
        await connection.execute(queries["post_batch"], *arguments)


async def load_locked(
    tx: Any, asked: Sequence[Transfer], *, now: datetime, all_due: bool = False
) -> Decision:
    """The part of the books that these transfers touch, what decides locked until the transaction ends."""
    account_ids = {account_id for transfer in asked for account_id in (transfer.debit, transfer.credit)}
    accounts = {
        row["account_id"]: read_totals(row)
        for row in await tx.fetch(queries["lock_accounts"], list(account_ids), now, all_due)
    }
    pending_ids = {transfer.pending_id for transfer in asked if transfer.pending_id is not None}
    open_holds: dict[UUID, datetime | None] = {
        row["transfer_id"]: row["expires_at"]
        for row in await tx.fetch(queries["list_open_holds"], list(pending_ids), now, list(accounts))
    }
    ids = {transfer.transfer_id for transfer in asked} | pending_ids | open_holds.keys()
    rows = await tx.fetch(queries["list_known_transfers"], list(ids), list(pending_ids))
    recorded = {row["transfer_id"]: read_transfer(row) for row in rows if row["refusal"] is None}
    refused = {
        row["transfer_id"]: TransferStatus(row["refusal"]) for row in rows if row["refusal"] is not None
    }
    holds = _list_holds(recorded.values(), open_holds, accounts)
    ledger = Ledger(accounts=accounts, recorded=recorded, refused=refused, holds=holds)
    return Decision(ledger, now, frozenset(holds.keys() & open_holds.keys()), is_ahead=False)


def _list_holds(
    recorded: Iterable[Transfer],
    open_holds: dict[UUID, datetime | None],
    accounts: dict[AccountId, AccountTotals],
) -> dict[UUID, Hold]:
    """Each hold with its fate: resolved by a transfer, still open, or else expired."""
    recorded = list(recorded)
    resolutions = {each.pending_id: each.kind for each in recorded if each.pending_id is not None}
    holds = {}
    for transfer in recorded:
        if transfer.kind is not TransferKind.PENDING:
            continue
        hold_id = transfer.transfer_id
        if hold_id in resolutions:
            posted = resolutions[hold_id] is POST_PENDING
            state = HoldState.POSTED if posted else HoldState.VOIDED
        else:
            state = HoldState.OPEN if hold_id in open_holds else HoldState.EXPIRED
        # A hold between accounts that are not loaded can only be refused (different accounts), and must not
        # be freed here, so its end is hidden.
        loaded = transfer.debit in accounts and transfer.credit in accounts
        expires_at = open_holds.get(hold_id) if loaded else None
        holds[hold_id] = Hold(transfer=transfer, expires_at=expires_at, state=state)
    return holds
