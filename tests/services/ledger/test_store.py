"""The store answers as the pure ledger does, and PostgreSQL keeps the promises by itself."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import accumulate, count
from uuid import UUID, uuid4, uuid5

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings

from payments.accounts import Account, Bound
from payments.errors import AccountExistsWithDifferentFields, AccountNotFound
from payments.ledger import Ledger
from payments.literal import (
    START,
    BalanceStep,
    BatchStep,
    OpenStep,
    WaitStep,
    compare_balance,
    compare_statuses,
    parse,
)
from payments.transfers import Transfer, TransferCode, TransferKind, TransferStatus
from services.ledger.store import EntryFilter, LedgerStore
from services.platform.database import Database
from tests.payments.test_ledger import OPEN, SCRIPTS
from tests.support.ledger_batches import ACCOUNTS, histories
from tests.support.ledger_database import MIGRATIONS, list_unsound, open_ledger_database
from tests.support.servers import PostgresForTests, database_name, run_in_thread

AFTER = START + timedelta(days=1)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = await open_ledger_database(database_url)
    yield database
    await database.close()


@pytest.fixture
def store(database: Database) -> LedgerStore:
    return LedgerStore(database)


def transfer(debit: str, credit: str, amount: int, **fields: object) -> Transfer:
    values = {
        "transfer_id": uuid4(),
        "code": TransferCode.PAYMENT,
        "reference": "test",
        "effective_at": START,
    }
    return Transfer(debit=debit, credit=credit, amount_minor=amount, **(values | fields))  # type: ignore[arg-type]


async def open_all(store: LedgerStore) -> None:
    await store.open_accounts(ACCOUNTS, now=START)
    assert await store.post([[transfer("bank", "rider", 1000)]], now=START) == [[TransferStatus.CREATED]]


async def play_on(store: LedgerStore, text: str) -> list[str]:
    now, wrong = START, list[str]()
    for step in parse(text):
        match step:
            case OpenStep():
                await store.open_accounts([step.account], now=now)
            case WaitStep():
                now += timedelta(seconds=step.seconds)
            case BatchStep():
                wrong += compare_statuses(step, (await store.post([step.transfers], now=now))[0])
            case BalanceStep():
                totals = await store.get_account(step.expected.account_id, now=now)
                wrong += compare_balance(step, totals.balance)
    return wrong


@pytest.mark.parametrize("name", SCRIPTS)
async def test_the_scripts_of_the_pure_ledger_hold_here(
    name: str, store: LedgerStore, database: Database
) -> None:
    assert await play_on(store, OPEN + SCRIPTS[name]) == []
    await store.expire_due_holds(now=AFTER)
    assert await list_unsound(database) == []


class Runner:
    """One event loop and one store for many hypothesis examples; each example has names of its own."""

    def __init__(self, url: str) -> None:
        self._runner = asyncio.Runner()
        self._numbers = count()
        self.database = self._runner.run(open_ledger_database(url))
        self.store = LedgerStore(self.database)

    def run(self, history: list[tuple[int, list[Transfer]]]) -> None:
        self._runner.run(self._compare(history, f"x{next(self._numbers)}-"))

    def check(self) -> list[str]:
        self._runner.run(self.store.expire_due_holds(now=AFTER))
        return self._runner.run(list_unsound(self.database))

    def close(self) -> None:
        self._runner.run(self.database.close())
        self._runner.close()

    async def _compare(self, history: list[tuple[int, list[Transfer]]], prefix: str) -> None:
        pure, accounts = Ledger(), [replace(each, account_id=prefix + each.account_id) for each in ACCOUNTS]
        for account in accounts:
            pure.open_account(account)
        await self.store.open_accounts(accounts, now=START)
        moments = accumulate((wait for wait, _ in history), initial=0)
        next(moments)
        for seconds, (_, batch) in zip(moments, history, strict=True):
            now = START + timedelta(seconds=seconds)
            named = [_renamed(each, prefix) for each in batch]
            assert await self.store.post([named], now=now) == [pure.post(named, now=now)]
            for account in accounts:
                got = await self.store.get_account(account.account_id, now=now)
                assert got.balance == pure.get_balance(account.account_id, now=now)
        for account in accounts:
            rows = await self.store.list_entries(
                account.account_id, after_sequence=0, limit=1000, where=EntryFilter(until=AFTER)
            )
            twins = pure.list_entries(account.account_id, after_sequence=0, until=AFTER, limit=1000)
            assert [row.transfer for row in rows] == [twin.transfer for twin in twins]


def _renamed(each: Transfer, prefix: str) -> Transfer:
    def rename(transfer_id: UUID | None) -> UUID | None:
        return None if transfer_id is None else uuid5(transfer_id, prefix)

    return replace(
        each,
        transfer_id=rename(each.transfer_id),
        pending_id=rename(each.pending_id),
        debit=prefix + each.debit,
        credit=prefix + each.credit,
    )


@pytest.fixture
def runner(database_url: str) -> Iterator[Runner]:
    runner = Runner(database_url)
    yield runner
    assert runner.check() == []
    runner.close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories(batches_max=6))
def test_the_store_answers_as_the_pure_ledger(
    runner: Runner, history: list[tuple[int, list[Transfer]]]
) -> None:
    runner.run(history)


async def test_batches_of_several_callers_stay_their_own(store: LedgerStore) -> None:
    await open_all(store)
    statuses = await store.post(
        [
            [transfer("rider", "operator", 400, linked=True)],
            [transfer("rider", "operator", 600)],
            [transfer("rider", "operator", 401)],
        ],
        now=START,
    )
    # The first caller left its chain open; that must not swallow the second one's transfer.
    assert statuses == [
        [TransferStatus.LINKED_CHAIN_OPEN],
        [TransferStatus.CREATED],
        [TransferStatus.EXCEEDS_CREDITS],
    ]


async def test_a_transfer_by_itself_is_recorded_as_one_in_company(
    store: LedgerStore, database: Database
) -> None:
    await open_all(store)
    alike = [transfer("rider", "operator", 50) for _ in range(3)]
    await store.post([alike[:1]], now=START)
    await store.post([alike[1:]], now=START)
    rows = await database.fetch("select * from transfers where debit = 'rider' order by sequence")
    alone, *others = [{**row, "transfer_id": None, "sequence": None} for row in rows]
    assert others == [alone, alone]
    assert [row["transfer_id"] for row in rows] == [each.transfer_id for each in alike]
    assert (await store.get_account("operator", now=START)).balance.credits_posted == 150
    assert await list_unsound(database) == []


async def test_an_account_is_opened_once(store: LedgerStore) -> None:
    await store.open_accounts(ACCOUNTS, now=START)
    await store.open_accounts(ACCOUNTS, now=START)
    other = Account(account_id="bank", bound=Bound.DEBITS_MUST_NOT_EXCEED_CREDITS)
    with pytest.raises(AccountExistsWithDifferentFields):
        await store.open_accounts([other], now=START)
    with pytest.raises(AccountExistsWithDifferentFields):
        await store.open_accounts([Account(account_id="new"), replace(other, account_id="new")], now=START)
    with pytest.raises(AccountNotFound):
        await store.get_account("nobody", now=START)


async def test_a_hold_that_ran_out_is_removed_in_time(store: LedgerStore, database: Database) -> None:
    await open_all(store)
    hold = transfer("rider", "operator", 100, kind=TransferKind.PENDING, timeout_s=10)
    await store.post([[hold]], now=START)
    assert await store.expire_due_holds(now=START + timedelta(seconds=9)) == 0
    assert await store.expire_due_holds(now=START + timedelta(seconds=10)) == 1
    assert await database.fetchval("select count(*) from open_holds") == 0
    assert await list_unsound(database) == []


async def test_searches_by_date_amount_and_counterparty(store: LedgerStore) -> None:
    await open_all(store)
    later = START + timedelta(hours=1)
    sent = [
        transfer("rider", "operator", 10),
        transfer("rider", "operator", 20, effective_at=later),
        transfer("rider", "fares", 10),
    ]
    await store.post([sent], now=later)

    async def amounts(**where: object) -> list[int]:
        filters = EntryFilter(**({"until": AFTER} | where))  # type: ignore[arg-type]
        entries = await store.list_entries("rider", after_sequence=0, limit=9, where=filters)
        return [entry.transfer.amount_minor for entry in entries]

    assert await amounts() == [1000, 10, 20, 10]
    assert await amounts(counterparty="operator") == [10, 20]
    assert await amounts(effective_from=later) == [20]
    assert await amounts(until=later) == [1000, 10, 10]
    assert await amounts(amount_minor_min=11, amount_minor_max=999) == [20]
    assert await amounts(known_at=START) == [1000]


@pytest.mark.parametrize(
    "statement",
    [
        "update transfers set amount_minor = amount_minor + 1",
        "delete from transfers",
        "truncate transfers",
        "delete from accounts",
        "update accounts set debits_posted = debits_posted + 1 where account_id = 'bank'",
        "update accounts set debits_pending = debits_pending + 1 where account_id = 'bank'",
        "update accounts set bound = 'none' where account_id = 'rider'",
        (
            "insert into accounts (account_id, bound, currency, credits_posted, opened_at) "
            "values ('cheat', 'none', 'JPY', 5, now())"
        ),
        # both sides move, but the rider is beyond his credits
        (
            "update accounts set debits_posted = debits_posted + 1001 * (account_id = 'rider')::int, "
            "credits_posted = credits_posted + 1001 * (account_id = 'operator')::int"
        ),
    ],
)
async def test_not_even_sql_can_break_the_books(
    statement: str, store: LedgerStore, database: Database
) -> None:
    await open_all(store)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await database.execute(statement)
    assert await list_unsound(database) == []


def test_an_ordinary_owner_has_no_right_to_change_transfers(postgres_server: PostgresForTests) -> None:
    # The tests' own user is a superuser, whom no grant binds; so this database belongs to an ordinary role.
    url = postgres_server.create_database()
    name = database_name(url)
    postgres_server.execute(f"create role owner_{name} login; alter database {name} owner to owner_{name}")
    postgres_server.execute(f"alter schema public owner to owner_{name}", url)

    async def check() -> None:
        # The role owns the database, so it makes and owns the schema; `set role` stands in for its login.
        connection = await asyncpg.connect(url)
        await connection.execute(f"set role owner_{name}; create schema ledger; set search_path to ledger")
        migration = next(MIGRATIONS.glob("0001_*.sql")).read_text()
        await connection.execute(migration)
        for statement in (
            "update transfers set amount_minor = 1",
            "delete from transfers",
            "truncate transfers",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
        await connection.execute(
            "insert into accounts (account_id, bound, currency, opened_at) values ('a', 'none', 'JPY', now())"
        )
        await connection.close()

    try:
        run_in_thread(check())
    finally:
        postgres_server.drop_database(url)
        postgres_server.execute(f"drop role owner_{name}")
