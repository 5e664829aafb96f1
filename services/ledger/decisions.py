"""A batch decided by the pure ledger, and how it is written.

Problem   What was decided must be what is written, although others write too.
Idea      A decision remembers the sums it was made upon, and writing it compares them: where an account with
          a bound has moved meanwhile, nothing is written. Accounts without a bound decide nothing, so their
          sums are added to, in a lane of the writer's own, and never compared.
          The accounts may come from the database, locked (`load_locked`), or from memory, ahead of it
          (ahead.py): writing is the same.
Not here  The rules (payments/ledger.py); when a decision is made and tried again (store.py).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from payments.accounts import AccountId, Bound
from payments.ledger import AccountTotals, Hold, HoldState, Ledger
from payments.transfers import Transfer, TransferKind, TransferStatus
from services.ledger.rows import read_totals, read_transfer
from services.platform.database import load_queries

queries = load_queries(__file__)

Sums = tuple[int, int, int, int]

_PENDING_COLUMNS = (4, 5, 8, 9)
"""Of the ten columns of a change: more debits and credits pending, and the expected ones."""


def sums_of(totals: AccountTotals) -> Sums:
    """Debits and credits posted, debits and credits pending."""
    return (totals.debits_posted, totals.credits_posted, totals.debits_pending, totals.credits_pending)


@dataclass(slots=True)
class Decision:
    """What a part of the books decided, and upon which sums.

    open_ids  the holds that were open
    before    the sums of each account it may touch
    guarded   those of them that have a bound
    """

    ledger: Ledger
    open_ids: set[UUID]
    now: datetime
    before: dict[AccountId, Sums] = field(init=False)
    guarded: frozenset[AccountId] = field(init=False)
    statuses: list[list[TransferStatus]] = field(default_factory=list)
    _changes: list[tuple[object, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.before = {account_id: sums_of(totals) for account_id, totals in self.ledger.accounts.items()}
        self.guarded = frozenset(
            account_id
            for account_id, totals in self.ledger.accounts.items()
            if totals.account.bound is not Bound.NONE
        )

    def decide(self, batches: Sequence[Sequence[Transfer]]) -> None:
        """Let the ledger answer each caller's batch."""
        self.statuses = [self.ledger.post(batch, now=self.now) for batch in batches]
        self._note_changes()

    def expire(self) -> int:
        """Let the ledger free the holds that ran out. Returns how many."""
        freed = self.ledger.expire(now=self.now)
        self._note_changes()
        return len(freed)

    def list_arguments(self, *, lane: int) -> tuple[object, ...] | None:
        """What `post_batch` is told; None when nothing was consulted, recorded or ended."""
        ended = [each for each in self.open_ids if self.ledger.holds[each].state is not HoldState.OPEN]
        changes = [(*terms[:1], lane if terms[6] is None else 0, *terms[2:]) for terms in self._changes]
        if not (self.ledger.entries or self.ledger.refusals or ended or changes):
            return None
        return (*self._list_transfer_columns(), self.now, *_columns(changes, 10), *self._list_holds(), ended)

    def _list_transfer_columns(self) -> tuple[Sequence[object], ...]:
        entries, refusals = self.ledger.entries, self.ledger.refusals
        written = [entry.transfer for entry in entries]
        written += [transfer for transfer, _ in refusals]
        refusal_column: list[object] = [None] * len(entries)
        refusal_column += [status.value for _, status in refusals]
        return (
            [each.transfer_id for each in written],
            [each.debit for each in written],
            [each.credit for each in written],
            [each.amount_minor for each in written],
            [each.currency for each in written],
            [each.code for each in written],
            [each.reference for each in written],
            [each.kind for each in written],
            _or_empty([each.pending_id for each in written]),
            _or_empty([each.linked for each in written]),
            _or_empty([each.timeout_s for each in written]),
            [each.effective_at for each in written],
            _or_empty(refusal_column),
        )

    def _note_changes(self) -> None:
        """What each account gains, and the sums that it must have where the decision depends on them.

        It is noted at once: decisions that follow go on from the same accounts.
        """
        changes: list[tuple[object, ...]] = []
        for account_id, before in self.before.items():
            totals = self.ledger.accounts[account_id]
            debits, credits_ = totals.debits_posted - before[0], totals.credits_posted - before[1]
            held_debits = totals.debits_pending - before[2]
            held_credits = totals.credits_pending - before[3]
            if totals.account.bound is not Bound.NONE:
                changes.append((account_id, 0, debits, credits_, held_debits, held_credits, *before))
            elif debits or credits_ or held_debits or held_credits:
                changes.append(
                    (account_id, 0, debits, credits_, held_debits, held_credits, None, None, None, None)
                )
        self._changes = changes

    def _list_holds(self) -> tuple[list[object], ...]:
        made = [
            self.ledger.holds[entry.transfer.transfer_id]
            for entry in self.ledger.entries
            if entry.transfer.kind is TransferKind.PENDING
        ]
        made = [hold for hold in made if hold.state is HoldState.OPEN]
        return (
            [hold.transfer.transfer_id for hold in made],
            [hold.transfer.debit for hold in made],
            [hold.transfer.credit for hold in made],
            [hold.transfer.amount_minor for hold in made],
            [hold.expires_at for hold in made],
        )


def _columns(rows: Sequence[tuple[object, ...]], width: int) -> Sequence[Sequence[object]]:
    """The columns of the changes. Only those of pending sums may be empty: elsewhere 0 is not null."""
    if not rows:
        return [()] * width
    return [
        _or_empty(column) if place in _PENDING_COLUMNS else column
        for place, column in enumerate(zip(*rows, strict=True))
    ]


def _or_empty(column: Sequence[object]) -> Sequence[object]:
    """The column, or nothing when nothing stands in it: it is carried and read for nothing."""
    return column if any(column) else ()


async def write(connection: Any, decision: Decision, *, lane: int) -> None:
    """Write all of it or raise: SerializationError where what it depends on has changed."""
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
    open_ids = {hold_id for hold_id in holds if hold_id in open_holds}
    ledger = Ledger(accounts=accounts, recorded=recorded, refused=refused, holds=holds)
    return Decision(ledger, open_ids, now)


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
            posted = resolutions[hold_id] is TransferKind.POST_PENDING
            state = HoldState.POSTED if posted else HoldState.VOIDED
        else:
            state = HoldState.OPEN if hold_id in open_holds else HoldState.EXPIRED
        # A hold between accounts that are not loaded can only be refused (different accounts), and must not
        # be freed here, so its end is hidden.
        loaded = transfer.debit in accounts and transfer.credit in accounts
        expires_at = open_holds.get(hold_id) if loaded else None
        holds[hold_id] = Hold(transfer=transfer, expires_at=expires_at, state=state)
    return holds
