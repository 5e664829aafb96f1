"""The books in PostgreSQL.

Problem   Many callers post at once; each batch must be decided as the pure ledger decides it, and be in the
          books as a whole or not at all.
Idea      Each batch is written by one statement, which checks what the decision depends on. It is decided
          while others are being written (ahead.py), and waits only for earlier ones whose order matters to
          it (decisions.py). What turns out otherwise, or cannot be decided ahead, is decided again in one
          transaction that locks its accounts in sorted order.
Not here  The rules (payments/ledger.py), gathering of bursts (handlers.py), the past (questions.py).
Invariant The database repeats the promises that matter: bounds, debits = credits, immutability, one answer an
          id (migrations).
"""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime

import asyncpg

from payments.accounts import Account, AccountId, Bound, is_of_one_customer
from payments.errors import AccountExistsWithDifferentFields, AccountNotFound
from payments.ledger import AccountTotals, check_form
from payments.ports import TrialBalance
from payments.transfers import Entry, Transfer, TransferStatus
from services.ledger.ahead import AccountsAhead
from services.ledger.decisions import Decision, load_locked, write
from services.ledger.rows import read_account, read_entry, read_totals
from services.platform.database import Database, load_queries

queries = load_queries(__file__)

LANES = 4
"""How many writers add to an account without a bound at once without waiting for one another. A customer's
own account has one lane: hundreds of thousands are opened in a night, and each is written by few."""

LOCKED_LANE = 0
"""Used by decisions under locks only. These lock what is guarded first and lanes last, the others the other
way round: with lanes in common, the two could wait for each other."""

_TRIES = 5
_READ_AGAIN_S = 0.001

_OVERTAKEN = (
    asyncpg.SerializationError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.DeadlockDetectedError,
)
"""Another writer was first: with an account (the sums of the rest need not balance then), with an id, or
with both in the opposite order."""


@dataclass(slots=True, eq=False)
class _Turn:
    """A batch on its way. Until it is decided it meets every other batch; then those whose order matters."""

    batches: Sequence[Sequence[Transfer]]
    asked: Sequence[Transfer]
    now: datetime
    decision: Decision | None = None
    is_started: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def meets(self, other: "_Turn") -> bool:
        """Whether one of the two must wait for the other."""
        if self.decision is None or other.decision is None:
            return True
        return self.decision.must_follow(other.decision)


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
        self._ahead = AccountsAhead()
        self._turns: list[_Turn] = []
        # Where other processes start is not known; any lane but that of the locked way is right.
        self._free_lanes = random.sample(range(LOCKED_LANE + 1, LANES), LANES - 1)

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
            [_count_lanes(wanted[account_id]) for account_id in ids],
        )
        for row in await self._database.fetch(queries["list_account_terms"], ids):
            if read_account(row) != wanted[row["account_id"]]:
                raise AccountExistsWithDifferentFields(row["account_id"])

    async def post(
        self, batches: Sequence[Sequence[Transfer]], *, now: datetime
    ) -> list[list[TransferStatus]]:
        """Record the batches of several callers in one transaction; the statuses of each, in order."""
        asked = [transfer for batch in batches for transfer in batch]
        for transfer in asked:
            check_form(transfer)
        turn = _Turn(batches, asked, now)
        async with self._take_turn(turn):
            return await self._post_in_turn(turn)

    async def expire_due_holds(self, *, now: datetime) -> int:
        """Remove the holds that ran out from the working set and the balances. Returns how many."""
        if not await self._database.fetchval(queries["has_due_holds"], now):
            return 0
        async with self._take_turn(_Turn([], [], now)), self._database.transaction() as tx:
            decision = await load_locked(tx, [], now=now, all_due=True)
            self._ahead.drop(decision)
            freed_count = decision.expire()
            await write(tx, decision, lane=LOCKED_LANE)
        return freed_count

    async def get_account(self, account_id: AccountId, *, now: datetime) -> AccountTotals:
        """The account and its balance at `now`. Raises AccountNotFound."""
        row = await self._database.fetchrow(queries["find_account"], account_id, now)
        if row is None:
            raise AccountNotFound(f"No account is called {account_id!r}. Open it first, or correct the id.")
        return read_totals(row)

    async def list_entries(
        self, account_id: AccountId, *, after_sequence: int, limit: int, where: EntryFilter
    ) -> list[Entry]:
        """Movements in the order of recording, and no later one will ever stand before them."""
        horizon = await self.await_writers()
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
            horizon,
        )
        return [read_entry(row) for row in rows]

    async def get_trial_balance(self, *, now: datetime) -> TrialBalance:
        """All balances from one snapshot."""
        async with self._database.transaction(isolation="repeatable_read") as tx:
            rows = await tx.fetch(queries["list_balances"], now)
            transfer_count = await tx.fetchval(queries["count_transfers"])
        balances = tuple(read_totals(row).balance for row in rows)
        return TrialBalance(
            debits_posted=sum(balance.debits_posted for balance in balances),
            credits_posted=sum(balance.credits_posted for balance in balances),
            account_count=len(balances),
            transfer_count=transfer_count,
            balances=balances,
        )

    def _decide_waiting(self) -> None:
        """Decide what waits, in order, as far as the accounts are remembered and no decision is missing."""
        for turn in self._turns:
            if turn.decision is None:
                if turn.is_started or not turn.asked or self._ahead.list_unknown(turn.asked):
                    return
                turn.decision = self._ahead.find_decision(turn.batches, turn.asked, now=turn.now)
                if turn.decision is None:
                    return

    @asynccontextmanager
    async def _take_turn(self, turn: _Turn) -> AsyncIterator[None]:
        """Wait until every earlier batch that this one meets has ended."""
        self._turns.append(turn)
        self._decide_waiting()
        try:
            while (earlier := self._find_earlier(turn)) is not None:
                await earlier.ended.wait()
            turn.is_started = True
            yield
        except BaseException:
            # Also a caller that is cancelled while it waits: what it decided ahead will not be written.
            if turn.decision is not None:
                self._ahead.drop(turn.decision)
            raise
        finally:
            self._turns.remove(turn)
            turn.ended.set()

    def _find_earlier(self, turn: _Turn) -> _Turn | None:
        earlier = self._turns[: self._turns.index(turn)]
        return next((each for each in earlier if each.meets(turn)), None)

    async def _post_in_turn(self, turn: _Turn) -> list[list[TransferStatus]]:
        """Write the batch; no other of this process touches its accounts meanwhile."""
        if turn.decision is None:
            await self._learn(turn.asked)
            turn.decision = self._ahead.find_decision(turn.batches, turn.asked, now=turn.now)
            self._decide_waiting()
        if turn.decision is not None:
            decision = turn.decision
            try:
                with self._lend_lane() as lane:
                    await write(self._database.pool, decision, lane=lane)
            except _OVERTAKEN:
                self._ahead.drop(decision)
                turn.decision = None
            else:
                return decision.statuses
        for _ in range(_TRIES - 1):
            try:
                return await self._post_locked(turn)
            except _OVERTAKEN:
                # Another process has just used one of the ids, or a row that we did not lock. The next try
                # reads what it wrote and answers accordingly.
                continue
        return await self._post_locked(turn)

    @contextmanager
    def _lend_lane(self) -> Iterator[int]:
        """A lane that no other batch of this process is writing to, while there is one."""
        if not self._free_lanes:
            yield LANES - 1
            return
        lane = self._free_lanes.pop(0)
        try:
            yield lane
        finally:
            self._free_lanes.append(lane)

    async def _post_locked(self, turn: _Turn) -> list[list[TransferStatus]]:
        """Decide upon what the database says, and hold it until the decision is written."""
        async with self._database.transaction() as tx:
            decision = await load_locked(tx, turn.asked, now=turn.now)
            decision.decide(turn.batches)
            await write(tx, decision, lane=LOCKED_LANE)
        self._ahead.learn(decision.ledger.accounts.values(), decision.ledger.holds.values())
        return decision.statuses

    async def _learn(self, asked: Sequence[Transfer]) -> None:
        unknown = self._ahead.list_unknown(asked)
        if unknown:
            rows = await self._database.fetch(queries["list_accounts"], unknown)
            self._ahead.learn([read_totals(row) for row in rows])

    async def await_writers(self) -> int:
        """The sequence up to which all is decided: each transfer is visible now, or will never be.

        Sequences are drawn before they are committed, so the writers that are on their way are awaited;
        later ones are not, and nobody is stopped.
        """
        row = await self._database.fetchrow(queries["begin_reading"])
        horizon: int = row["horizon"]
        writers = row["writers"]
        while writers:
            await asyncio.sleep(_READ_AGAIN_S)
            writers = await self._database.fetchval(queries["list_writers_left"], writers)
        return horizon


def _count_lanes(account: Account) -> int:
    return 1 if account.bound is not Bound.NONE or is_of_one_customer(account.account_id) else LANES
