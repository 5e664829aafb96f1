"""`maas check ledger` finds every kind of falsified books: each check is shown one."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from payments.accounts import Account, Bound
from payments.literal import START, BatchStep, OpenStep, parse
from payments.transfers import TransferStatus
from services.cli.check_ledger import LEDGER_CHECKS
from services.ledger.store import LedgerStore
from services.platform.database import Database
from tests.support.ledger_database import list_unsound, open_ledger_database

BOOKS = """
account bank
account shop
account rider debits<=credits
account till credits<=debits
transfer fund bank -> rider 1000 = created
transfer takings till -> bank 50 = created
transfer ride rider -> shop 300 = created
transfer open rider -> shop 100 pending timeout 60 = created
transfer endless rider -> shop 5 pending = created
transfer kept rider -> shop 20 pending timeout 60 = created
transfer post rider -> shop 15 post kept = created
transfer gone rider -> shop 30 pending timeout 1 = created
transfer much rider -> shop 9000 = exceeds_credits
"""

FALSIFIED = {
    "posted debits and credits of all accounts differ": (
        "update accounts set debits_posted = debits_posted + 1 where account_id = 'bank' and lane = 0"
    ),
    "an account's balance is not the sum of its transfers": (
        "update transfers set amount_minor = 301 where amount_minor = 300"
    ),
    "a pending balance is not the sum of the open holds": (
        "update accounts set debits_pending = debits_pending + 1 where account_id = 'rider'"
    ),
    "an account is beyond its bound": (
        "update accounts set debits_posted = credits_posted + 1 where account_id = 'rider'"
    ),
    "a transfer is in another currency than its accounts": (
        "update transfers set currency = 'USD' where amount_minor = 300"
    ),
    "the lanes of an account have other terms than the account": (
        "update accounts set currency = 'USD' where account_id = 'bank' and lane = 1"
    ),
    "a resolution does not fit its hold": "update transfers set amount_minor = 21 where amount_minor = 15",
    "a hold is resolved twice": (
        "update transfers set kind = 'post_pending', pending_id = hold.transfer_id from transfers as hold "
        "where transfers.amount_minor = 300 and hold.amount_minor = 20"
    ),
    "an open hold is resolved, or is no hold in the books": (
        "insert into open_holds select transfer_id, debit, credit, amount_minor from transfers "
        "where amount_minor = 300"
    ),
    "a hold is not exactly one of open, resolved and expired": "delete from expirations",
    "an expiration is of no hold in the books": (
        "update expirations set transfer_id = transfers.transfer_id from transfers where amount_minor = 300"
    ),
    "a hold ended too early or too late": (
        "update transfers set recorded_at = recorded_at + interval '1 hour' where amount_minor = 15"
    ),
    # The ride before the money came: the sums at the end are the same.
    "an account was beyond its bound at some time": (
        "update transfers set sequence = sequence + 1000 where amount_minor = 1000"
    ),
}


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = await open_ledger_database(database_url)
    store = LedgerStore(database)
    for step in parse(BOOKS):
        if isinstance(step, OpenStep):
            await store.open_accounts([step.account], now=START)
        elif isinstance(step, BatchStep):
            assert await store.post([step.transfers], now=START) == [list(step.expected)]
    assert await store.expire_due_holds(now=START + timedelta(seconds=2)) == 1
    yield database
    await database.close()


async def test_sound_books_are_sound(database: Database) -> None:
    assert await list_unsound(database) == []


@pytest.mark.parametrize("sentence", LEDGER_CHECKS)
async def test_each_check_finds_its_case(sentence: str, database: Database) -> None:
    async with database.session() as session:
        await session.execute("set session_replication_role to replica")
        await session.execute("drop index transfers_resolution")
        await session.execute("alter table accounts drop constraint sums_within_bounds")
        await session.execute("alter table transfers alter sequence drop identity")
        await session.execute(FALSIFIED[sentence])
    wrong = await list_unsound(database)
    assert any(each.startswith(sentence) for each in wrong), wrong


async def test_the_other_bound_is_replayed_too(database: Database) -> None:
    store = LedgerStore(database)
    till = Account(account_id="drawer", bound=Bound.CREDITS_MUST_NOT_EXCEED_DEBITS)
    await store.open_accounts([till], now=START)
    [step] = parse("transfer a drawer -> bank 7 = created\ntransfer b bank -> drawer 7 = created")
    assert isinstance(step, BatchStep)
    assert await store.post([step.transfers], now=START) == [[TransferStatus.CREATED] * 2]
    assert await list_unsound(database) == []
    async with database.session() as session:
        await session.execute("set session_replication_role to replica")
        await session.execute("alter table transfers alter sequence drop identity")
        await session.execute(
            "update transfers set sequence = sequence + 1000 where amount_minor = 7 and debit = 'drawer'"
        )
    assert await list_unsound(database) == ["an account was beyond its bound at some time: drawer"]
