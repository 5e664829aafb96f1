"""What the ledger bench writes, and the two yardsticks that write the same rows without a ledger.

Problem   A rate says nothing by itself: it must stand beside what the same machine does at the same time.
Idea      `posting` is what the goal is measured against: a bare set-based schema, in which one statement
          writes a batch and updates each account once; nothing is decided, bounded or answered. `insert`
          writes the rows and no balances at all: the harsher yardstick, which no ledger can be.
          Both have the ledger's columns and indexes, in a schema of their own.
Not here  Measuring (ledger_bench.py).
"""

import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from payments.accounts import Account, Bound
from payments.transfers import Transfer, TransferCode
from services.ledger.handlers import LedgerHandlers
from services.platform.database import Database

RIDERS, OPERATORS = 100_000, 10
FUNDED_MINOR = 10**9
EFFECTIVE_AT = datetime(2026, 5, 20, tzinfo=UTC)
CHUNK_ROWS = 500_000

Post = Callable[[list[Transfer]], Awaitable[None]]


class Workload:
    """Transfers by the seed."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)

    def spread(self, count: int) -> list[Transfer]:
        """Riders and operators at random."""
        return [self._transfer(self._dice.randrange(OPERATORS)) for _ in range(count)]

    def hot(self, count: int) -> list[Transfer]:
        """All to one operator."""
        return [self._transfer(0) for _ in range(count)]

    def _transfer(self, operator: int) -> Transfer:
        return Transfer(
            transfer_id=UUID(int=self._dice.getrandbits(128)),
            debit=f"rider:{self._dice.randrange(RIDERS)}",
            credit=f"operator:{operator}:payable",
            amount_minor=self._dice.randint(1, 500),
            code=TransferCode.RIDE,
            reference="order:bench",
            effective_at=EFFECTIVE_AT,
        )


async def prepare(database: Database, ledger: LedgerHandlers) -> None:
    """Accounts and funds, and the bare schema with the same rows and indexes."""
    await fund(ledger)
    for statement in (
        "create schema bare",
        "create table bare.transfers (like transfers including all)",
        _BARE_ACCOUNTS,
        "insert into bare.transfers overriding system value select * from transfers",
        _FILL_ACCOUNTS,
        "select setval(pg_get_serial_sequence('bare.transfers', 'sequence'), max(sequence)) from transfers",
    ):
        await database.execute(statement)
    await settle_tables(database, "transfers", "accounts", "bare.transfers", "bare.accounts")


async def fund(ledger: LedgerHandlers) -> None:
    """Open the accounts, and give riders money to spend."""
    riders = [
        Account(account_id=f"rider:{each}", bound=Bound.DEBITS_MUST_NOT_EXCEED_CREDITS)
        for each in range(RIDERS)
    ]
    operators = [Account(account_id=f"operator:{each}:payable") for each in range(OPERATORS)]
    await ledger.open_accounts(accounts=[Account(account_id="bank"), *riders, *operators])
    for start in range(0, RIDERS, 5000):
        funding = [
            Transfer(
                transfer_id=UUID(int=start + number + 1),
                debit="bank",
                credit=account.account_id,
                amount_minor=FUNDED_MINOR,
                code=TransferCode.TOP_UP,
                reference="bench",
                effective_at=EFFECTIVE_AT,
            )
            for number, account in enumerate(riders[start : start + 5000])
        ]
        assert all(status.is_done for status in await ledger.post(transfers=funding)), "riders have money"


async def settle_tables(database: Database, *tables: str) -> None:
    """Let what follows start alike: statistics, and nothing left to write."""
    for table in tables:
        await database.pool.execute(f"vacuum analyze {table}", timeout=3600)
    await database.pool.execute("checkpoint", timeout=3600)


def ledger_post(ledger: LedgerHandlers) -> Post:
    """Post through the port; every transfer must be recorded."""

    async def post(transfers: list[Transfer]) -> None:
        statuses = await ledger.post(transfers=transfers)
        assert all(status.is_done for status in statuses), "the workload is never refused"

    return post


_BARE_ACCOUNTS = """
    create table bare.accounts (
        account_id text primary key, debits bigint not null default 0, credits bigint not null default 0
    ) with (fillfactor = 50)"""

_FILL_ACCOUNTS = """
    insert into bare.accounts select account_id, sum(debits_posted), sum(credits_posted)
    from accounts group by account_id"""

_INSERT = """
    insert into bare.transfers (transfer_id, debit, credit, amount_minor, currency, code, reference,
                                kind, linked, effective_at, recorded_at)
    select *, 'posted', false, $8::timestamptz, now()
    from unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[])"""

# The rows are locked in one order, or eight writers would end in deadlocks.
_POST = f"""
    with asked as materialized (
        select account_id, sum(debit)::bigint as debits, sum(credit)::bigint as credits
        from (select unnest($2::text[]) as account_id, unnest($4::bigint[]) as debit, 0 as credit
              union all
              select unnest($3::text[]), 0, unnest($4::bigint[])) as sides
        group by account_id
    ), locked as materialized (
        select account_id from bare.accounts where account_id = any (array(select account_id from asked))
        order by account_id for no key update
    ), moved as (
        update bare.accounts
        set debits = accounts.debits + asked.debits, credits = accounts.credits + asked.credits
        from asked join locked using (account_id) where accounts.account_id = asked.account_id
    )
    {_INSERT}"""  # noqa: S608 - ours


def bare_post(database: Database, *, with_balances: bool) -> Post:
    """Write the same rows, deciding nothing."""
    query = _POST if with_balances else _INSERT

    async def post(transfers: list[Transfer]) -> None:
        await database.execute(query, *_columns(transfers))

    return post


def _columns(transfers: list[Transfer]) -> tuple[Any, ...]:
    return (
        [each.transfer_id for each in transfers],
        [each.debit for each in transfers],
        [each.credit for each in transfers],
        [each.amount_minor for each in transfers],
        [each.currency for each in transfers],
        [each.code.value for each in transfers],
        [each.reference for each in transfers],
        transfers[0].effective_at,
    )


async def grow(database: Database, rows: int, *, seed: int) -> None:
    """Fill the ledger to so many rows of the spread workload, past the port but valid in every respect.

    Indexes are taken away meanwhile and built again; balances follow in one statement, under the triggers.
    """
    count, loaded_after = await database.fetchval("select count(*) from transfers"), await _last(database)
    indexes = await _drop_indexes(database)
    await database.execute("select setseed($1)", 1 / (seed + 1))
    while count < rows:
        chunk = min(CHUNK_ROWS, rows - count)
        await database.execute(_GROW, chunk, OPERATORS, RIDERS, EFFECTIVE_AT)
        count += chunk
    await database.pool.execute(_MOVE_BALANCES, loaded_after, timeout=3600)
    async with database.session() as session:
        await session.execute("set maintenance_work_mem = '512MB'")
        for statement in indexes:
            await session.execute(statement, timeout=3600)
    await settle_tables(database, "transfers", "accounts")


async def _last(database: Database) -> int:
    last: int = await database.fetchval("select max(sequence) from transfers")
    return last


_GROW = """
    insert into transfers (transfer_id, debit, credit, amount_minor, currency, code, reference, kind, linked,
                           effective_at, recorded_at)
    select gen_random_uuid(), 'rider:' || floor(random() * $3::int)::int,
           'operator:' || floor(random() * $2::int)::int || ':payable', 1 + floor(random() * 500)::int,
           'JPY', 'ride', 'order:bench', 'posted', false, $4::timestamptz, now()
    from generate_series(1, $1::int)"""

_MOVE_BALANCES = """
    update accounts set debits_posted = debits_posted + debits, credits_posted = credits_posted + credits
    from (select account_id, sum(debit)::bigint as debits, sum(credit)::bigint as credits
          from (select debit as account_id, amount_minor as debit, 0 as credit
                from transfers where sequence > $1
                union all
                select credit, 0, amount_minor from transfers where sequence > $1) as sides
          group by account_id) as sums
    where accounts.account_id = sums.account_id and lane = 0"""


async def _drop_indexes(database: Database) -> list[str]:
    """Take the indexes of transfers away. Returns the statements that build them again.

    Those written at random are built as full as they become by growing row by row: pages that split in
    halves are 70 % full in the middle of their lives.
    """
    rows = await database.fetch(
        "select indexrelid::regclass::text as name, pg_get_indexdef(indexrelid) as definition, indisprimary "
        "from pg_index where indrelid = 'transfers'::regclass order by indisprimary"
    )
    again = []
    for row in rows:
        if row["indisprimary"]:
            await database.execute(f"alter table transfers drop constraint {row['name']}")
            again.append(f"alter table transfers add primary key (transfer_id) {_AS_GROWN}")
        else:
            await database.execute(f"drop index {row['name']}")
            definition: str = row["definition"]
            at_random = "(debit, sequence)"
            again.append(definition.replace(at_random, f"{at_random} {_AS_GROWN}"))
    return again


_AS_GROWN = "with (fillfactor = 70)"
