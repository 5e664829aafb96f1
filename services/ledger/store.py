"""The books in PostgreSQL.

Problem   Many callers post at once; each batch must be decided as the pure ledger decides it, and be in the
          books as a whole or not at all.
Idea      One transaction a batch and a fixed number of statements: lock its accounts in sorted order, read
          the transfers and holds it touches, let payments/ledger.py decide, write what it recorded. Deciding
          holds no row that is not locked, so what was decided is what is written.
Not here  The rules (payments/ledger.py), gathering of bursts (handlers.py).
Invariant The database repeats the promises that matter: bounds, debits = credits, immutability, one answer an
          id (migrations/0001).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from payments.accounts import Account, AccountId, Bound
from payments.errors import AccountExistsWithDifferentFields, AccountNotFound
from payments.ledger import AccountTotals, Hold, HoldState, Ledger, check_form
from payments.ports import TrialBalance
from payments.transfers import Entry, Transfer, TransferCode, TransferKind, TransferStatus
from services.platform.database import Database, load_queries

queries = load_queries(__file__)

_TRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryFilter:
    """Which movements are asked for. `until` is exclusive; None does not filter."""

    until: datetime
    effective_from: datetime | None = None
    amount_minor_min: int | None = None
    amount_minor_max: int | None = None
    counterparty: AccountId | None = None
    known_at: datetime | None = None


class LedgerStore:
    """The door to the ledger's tables."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open_accounts(self, accounts: Sequence[Account], *, now: datetime) -> None:
        """Open what is not open. Raises AccountExistsWithDifferentFields."""
        wanted = {account.account_id: account for account in accounts}
        for account in accounts:
            if wanted[account.account_id] != account:
                raise AccountExistsWithDifferentFields(account.account_id)
        ids = sorted(wanted)
        await self._database.execute(
            queries["open_accounts"],
            ids,
            [wanted[account_id].bound.value for account_id in ids],
            [wanted[account_id].currency for account_id in ids],
            now,
        )
        for row in await self._database.fetch(queries["list_account_terms"], ids):
            if _account(row) != wanted[row["account_id"]]:
                raise AccountExistsWithDifferentFields(row["account_id"])

    async def post(
        self, batches: Sequence[Sequence[Transfer]], *, now: datetime
    ) -> list[list[TransferStatus]]:
        """Record the batches of several callers in one transaction; the statuses of each, in order."""
        for batch in batches:
            for transfer in batch:
                check_form(transfer)
        for _ in range(_TRIES - 1):
            try:
                return await self._post_once(batches, now=now)
            except asyncpg.UniqueViolationError:
                # Another caller has just used one of the ids, with accounts that we did not lock. The next
                # try reads his row and answers accordingly.
                continue
        return await self._post_once(batches, now=now)

    async def expire_due_holds(self, *, now: datetime) -> int:
        """Remove the holds that ran out from the working set and the balances. Returns how many."""
        async with self._database.transaction() as tx:
            ledger, open_ids = await _load(tx, [], now=now, all_due=True)
            freed = ledger.expire(now=now)
            await _save(tx, ledger, open_ids, now=now)
        return len(freed)

    async def get_account(self, account_id: AccountId, *, now: datetime) -> AccountTotals:
        """The account and its balance at `now`. Raises AccountNotFound."""
        row = await self._database.fetchrow(queries["find_account"], account_id, now)
        if row is None:
            raise AccountNotFound(f"No account is called {account_id!r}. Open it first, or correct the id.")
        return _totals(row)

    async def get_posted_as_of(
        self, account_id: AccountId, *, as_of: datetime, known_at: datetime
    ) -> tuple[int, int]:
        """Debits and credits effective before `as_of`, as far as recorded by `known_at`."""
        row = await self._database.fetchrow(queries["find_balance_as_of"], account_id, as_of, known_at)
        return row["debits_posted"], row["credits_posted"]

    async def list_entries(
        self, account_id: AccountId, *, after_sequence: int, limit: int, where: EntryFilter
    ) -> list[Entry]:
        """Movements in the order of recording."""
        rows = await self._database.fetch(
            queries["list_entries"],
            account_id,
            after_sequence,
            where.until,
            where.effective_from,
            where.amount_minor_min,
            where.amount_minor_max,
            where.counterparty,
            where.known_at,
            limit,
        )
        return [
            Entry(sequence=row["sequence"], transfer=_transfer(row), recorded_at=row["recorded_at"])
            for row in rows
        ]

    async def get_trial_balance(self, *, now: datetime) -> TrialBalance:
        """All balances from one snapshot."""
        async with self._database.transaction(isolation="repeatable_read") as tx:
            rows = await tx.fetch(queries["list_balances"], now)
            transfer_count = await tx.fetchval(queries["count_transfers"])
        balances = tuple(_totals(row).balance for row in rows)
        return TrialBalance(
            debits_posted=sum(balance.debits_posted for balance in balances),
            credits_posted=sum(balance.credits_posted for balance in balances),
            account_count=len(balances),
            transfer_count=transfer_count,
            balances=balances,
        )

    async def _post_once(
        self, batches: Sequence[Sequence[Transfer]], *, now: datetime
    ) -> list[list[TransferStatus]]:
        async with self._database.transaction() as tx:
            asked = [transfer for batch in batches for transfer in batch]
            ledger, open_ids = await _load(tx, asked, now=now)
            statuses = [ledger.post(batch, now=now) for batch in batches]
            await _save(tx, ledger, open_ids, now=now)
        return statuses


async def _load(
    tx: Any, asked: Sequence[Transfer], *, now: datetime, all_due: bool = False
) -> tuple[Ledger, set[UUID]]:
    """The part of the books that these transfers touch, its accounts locked; and which holds are open."""
    account_ids = {account_id for transfer in asked for account_id in (transfer.debit, transfer.credit)}
    accounts = {
        row["account_id"]: _totals(row)
        for row in await tx.fetch(queries["lock_accounts"], list(account_ids), now, all_due)
    }
    pending_ids = {transfer.pending_id for transfer in asked if transfer.pending_id is not None}
    open_holds: dict[UUID, datetime | None] = {
        row["transfer_id"]: row["expires_at"]
        for row in await tx.fetch(queries["list_open_holds"], list(pending_ids), now, list(accounts))
    }
    ids = {transfer.transfer_id for transfer in asked} | pending_ids | open_holds.keys()
    rows = await tx.fetch(queries["list_known_transfers"], list(ids), list(pending_ids))
    recorded = {row["transfer_id"]: _transfer(row) for row in rows if row["refusal"] is None}
    refused = {
        row["transfer_id"]: TransferStatus(row["refusal"]) for row in rows if row["refusal"] is not None
    }
    holds = _list_holds(recorded.values(), open_holds, accounts)
    open_ids = {hold_id for hold_id in holds if hold_id in open_holds}
    return Ledger(accounts=accounts, recorded=recorded, refused=refused, holds=holds), open_ids


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
        # A hold between accounts that are not locked can only be refused (different accounts), and must not
        # be freed here, so its end is hidden.
        locked = transfer.debit in accounts and transfer.credit in accounts
        expires_at = open_holds.get(hold_id) if locked else None
        holds[hold_id] = Hold(transfer=transfer, expires_at=expires_at, state=state)
    return holds


async def _save(tx: Any, ledger: Ledger, open_ids: set[UUID], *, now: datetime) -> None:
    """Write down what the ledger recorded since it was loaded."""
    if ledger.entries or ledger.refusals:
        recorded = [entry.transfer for entry in ledger.entries]
        refused = [transfer for transfer, _ in ledger.refusals]
        refusals = [None] * len(recorded) + [status.value for _, status in ledger.refusals]
        await tx.execute(
            queries["insert_transfers"], *_transfer_columns([*recorded, *refused]), now, refusals
        )
    made = [
        ledger.holds[entry.transfer.transfer_id]
        for entry in ledger.entries
        if entry.transfer.kind is TransferKind.PENDING
        and ledger.holds[entry.transfer.transfer_id].state is HoldState.OPEN
    ]
    if made:
        await tx.execute(
            queries["insert_holds"],
            [hold.transfer.transfer_id for hold in made],
            [hold.transfer.debit for hold in made],
            [hold.transfer.credit for hold in made],
            [hold.transfer.amount_minor for hold in made],
            [hold.expires_at for hold in made],
        )
    ended = [hold_id for hold_id in open_ids if ledger.holds[hold_id].state is not HoldState.OPEN]
    if ended:
        await tx.execute(queries["delete_holds"], ended)
    if ledger.entries or ended:
        await _save_balances(tx, ledger)


def _transfer_columns(transfers: Sequence[Transfer]) -> tuple[object, ...]:
    return (
        [each.transfer_id for each in transfers],
        [each.debit for each in transfers],
        [each.credit for each in transfers],
        [each.amount_minor for each in transfers],
        [each.currency for each in transfers],
        [each.code.value for each in transfers],
        [each.reference for each in transfers],
        [each.kind.value for each in transfers],
        [each.pending_id for each in transfers],
        [each.linked for each in transfers],
        [each.timeout_s for each in transfers],
        [each.effective_at for each in transfers],
    )


async def _save_balances(tx: Any, ledger: Ledger) -> None:
    totals = [ledger.accounts[account_id] for account_id in sorted(ledger.accounts)]
    tag = await tx.execute(
        queries["update_balances"],
        [each.account.account_id for each in totals],
        [each.debits_posted for each in totals],
        [each.credits_posted for each in totals],
        [each.debits_pending for each in totals],
        [each.credits_pending for each in totals],
    )
    assert tag == f"UPDATE {len(totals)}", "every account that was locked is still there"


def _account(row: Any) -> Account:
    return Account(account_id=row["account_id"], bound=Bound(row["bound"]), currency=row["currency"])


def _totals(row: Any) -> AccountTotals:
    return AccountTotals(
        account=_account(row),
        debits_posted=row["debits_posted"],
        credits_posted=row["credits_posted"],
        debits_pending=row["debits_pending"],
        credits_pending=row["credits_pending"],
    )


def _transfer(row: Any) -> Transfer:
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
