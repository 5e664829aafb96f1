"""Questions about the past: balances as of a date and as known at a time, statements, searches.

Problem   An auditor asks what was true then, and what was known then; the answers must be complete, come in
          pages, and stay quick while the books grow.
Idea      Movements go by their effective time, then by their sequence; a `Place` between two of them cuts the
          books. The balance at a place is the sum of what stands before it. An account without a bound may
          have millions of movements, so its sum is worked out from the present balance back, in one snapshot.
          Before any answer, the writers that might still add to it are awaited.
Not here  Which questions have no answer at all, and the paper around the answers (routes).
Invariant A page is complete as far as sequences had been drawn. A batch that still waited for its turn in a
          ledger process may be recorded with an instant a few milliseconds before the question.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from payments.accounts import Account, AccountId, Balance, Bound
from payments.errors import AccountNotFound
from payments.transfers import Entry
from services.ledger.rows import read_account, read_entry
from services.ledger.store import LedgerStore
from services.platform.database import Database, load_queries

queries = load_queries(__file__)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Just before the movement with this effective time and sequence, whether or not there is one."""

    effective_at: datetime
    sequence: int = 0

    @classmethod
    def behind(cls, entry: Entry) -> "Place":
        """Just behind a movement."""
        return cls(entry.transfer.effective_at, entry.sequence + 1)

    def __str__(self) -> str:
        return f"{(self.effective_at - _EPOCH) // timedelta(microseconds=1)}-{self.sequence}"

    @classmethod
    def parse(cls, text: str) -> "Place":
        """What `str` gave. Raises ValueError."""
        microseconds, _, sequence = text.partition("-")
        return cls(_EPOCH + timedelta(microseconds=int(microseconds)), int(sequence))


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Which movements are asked for; None does not filter. Two accounts: between them."""

    start: Place
    until: datetime
    known_at: datetime
    account_id: AccountId | None = None
    counterparty: AccountId | None = None
    amount_minor_min: int | None = None
    amount_minor_max: int | None = None


@dataclass(frozen=True, slots=True)
class OpenedAccount:
    """An account and when it was opened: before that nothing is known of it."""

    account: Account
    opened_at: datetime


class LedgerQuestions:
    """The door to the past."""

    def __init__(self, database: Database, store: LedgerStore) -> None:
        self._database = database
        self._store = store

    async def get_opened(self, account_id: AccountId) -> OpenedAccount:
        """Raises AccountNotFound."""
        row = await self._database.fetchrow(queries["find_opened_account"], account_id)
        if row is None:
            raise AccountNotFound(f"No account is called {account_id!r}. Open it first, or correct the id.")
        return OpenedAccount(read_account(row), row["opened_at"])

    async def find_beginning(self) -> datetime | None:
        """When the books were opened; None where they are not."""
        beginning: datetime | None = await self._database.fetchval(queries["find_beginning"])
        return beginning

    async def get_balance_at(self, account: Account, place: Place, *, known_at: datetime) -> Balance:
        """What stood before that place, as far as recorded by `known_at`; holds that were open then."""
        await self._store.await_writers()
        query = "find_balance_from_start" if account.bound is not Bound.NONE else "find_balance_from_now"
        arguments = (account.account_id, place.effective_at, place.sequence, known_at)
        async with self._database.transaction(isolation="repeatable_read") as tx:
            posted = await tx.fetchrow(queries[query], *arguments)
            held = await tx.fetchrow(queries["find_holds_at"], *arguments)
        return Balance(account_id=account.account_id, **dict(posted), **dict(held))

    async def search(self, wanted: Search, *, limit: int) -> list[Entry]:
        """Movements by their effective time."""
        horizon = await self._store.await_writers()
        rows: list[Any] = await self._database.fetch(
            queries["search_transfers"],
            wanted.start.effective_at,
            wanted.start.sequence,
            wanted.until,
            wanted.known_at,
            wanted.account_id,
            wanted.counterparty,
            wanted.amount_minor_min,
            wanted.amount_minor_max,
            horizon,
            limit,
        )
        return [read_entry(row) for row in rows]

    async def get_unused_prepaid_minor(self, *, before: datetime, known_at: datetime) -> int:
        """What all wallets together held of movements effective before that instant, in yen."""
        await self._store.await_writers()
        unused: int = await self._database.fetchval(queries["get_unused_prepaid_value"], before, known_at)
        return unused
