"""Many writers, lost answers, killed processes: the books stay whole."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid4, uuid5

import asyncpg
import pytest

from payments.accounts import Account, Bound
from payments.literal import START
from payments.transfers import Transfer, TransferCode, TransferKind, TransferStatus
from services.ledger.handlers import LedgerHandlers
from services.ledger.store import LedgerStore
from services.platform.clock import FixedClock
from services.platform.database import Database
from tests.support.ledger_database import list_unsound, open_ledger_database

ROOT = Path(__file__).parents[3]
BATCHES = UUID("1c6fd9ad-31ab-5f8b-94d3-6b696c6c2d39")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = await open_ledger_database(database_url, connections_max=12)
    yield database
    await database.close()


def transfer(debit: str, credit: str, amount: int, **fields: object) -> Transfer:
    values = {
        "transfer_id": uuid4(),
        "code": TransferCode.PAYMENT,
        "reference": "test",
        "effective_at": START,
    }
    return Transfer(debit=debit, credit=credit, amount_minor=amount, **(values | fields))  # type: ignore[arg-type]


def guarded(name: str) -> Account:
    return Account(account_id=name, bound=Bound.DEBITS_MUST_NOT_EXCEED_CREDITS)


async def test_parallel_writers_never_break_a_bound(database: Database) -> None:
    names = [f"rider{number}" for number in range(4)]
    writers = [LedgerHandlers(LedgerStore(database), FixedClock(START)) for _ in range(6)]
    await writers[0].open_accounts(accounts=[Account(account_id="bank"), *map(guarded, names)])
    await writers[0].post(transfers=[transfer("bank", name, 500) for name in names])

    async def write(writer: LedgerHandlers, seed: int) -> list[TransferStatus]:
        dice, answers = random.Random(seed), list[TransferStatus]()
        for _ in range(12):
            batch, hold = [], None
            for _ in range(dice.randint(1, 6)):
                debit, credit = dice.sample(names, 2)
                hold = transfer(
                    debit, credit, dice.randint(1, 200), kind=TransferKind.PENDING, linked=dice.random() < 0.3
                )
                batch.append(hold)
                if dice.random() < 0.6:
                    batch.append(
                        transfer(
                            debit,
                            credit,
                            hold.amount_minor,
                            kind=dice.choice([TransferKind.POST_PENDING, TransferKind.VOID_PENDING]),
                            pending_id=hold.transfer_id,
                        )
                    )
            answers += await writer.post(transfers=batch)
        return answers

    answers = await asyncio.gather(*(write(writers[seed % 6], seed) for seed in range(12)))
    # The bounds bite, or this test would prove nothing.
    flat = [status for each in answers for status in each]
    assert TransferStatus.EXCEEDS_CREDITS in flat
    assert TransferStatus.CREATED in flat
    assert await list_unsound(database) == []


async def test_one_id_sent_by_many_is_recorded_once(database: Database) -> None:
    writers = [LedgerHandlers(LedgerStore(database), FixedClock(START)) for _ in range(6)]
    await writers[0].open_accounts(accounts=[Account(account_id=name) for name in "abcd"])
    same = transfer("a", "b", 5)
    elsewhere = transfer("c", "d", 5, transfer_id=same.transfer_id)
    missing = transfer("nobody", "d", 5, transfer_id=same.transfer_id)
    batches = [[same], [elsewhere], [missing]] * 4
    answers = await asyncio.gather(
        *(writers[index % 6].post(transfers=batch) for index, batch in enumerate(batches))
    )
    flat = [status for each in answers for status in each]
    # Whoever came first, the id has one fate: in the books once, or refused for ever.
    recorded = await database.fetchval("select count(*) from transfers where refusal is null")
    assert await database.fetchval("select count(*) from transfers") == 1
    assert flat.count(TransferStatus.CREATED) == recorded
    if recorded:
        assert set(flat) <= {
            TransferStatus.CREATED,
            TransferStatus.EXISTS,
            TransferStatus.EXISTS_WITH_DIFFERENT_DEBIT_ACCOUNT,
        }
    else:
        assert flat.count(TransferStatus.DEBIT_ACCOUNT_NOT_FOUND) == 1
    assert await list_unsound(database) == []


async def test_a_burst_is_gathered_and_each_caller_gets_his_own_answer(database: Database) -> None:
    ledger = LedgerHandlers(LedgerStore(database), FixedClock(START))
    await ledger.open_accounts(accounts=[Account(account_id="bank"), guarded("rider")])
    await ledger.post(transfers=[transfer("bank", "rider", 10)])
    before = await database.fetchval("select count(distinct xmin::text) from transfers")
    answers = await asyncio.gather(
        *(ledger.post(transfers=[transfer("rider", "bank", 1)]) for _ in range(15))
    )
    assert [each[0] for each in answers].count(TransferStatus.CREATED) == 10
    assert [each[0] for each in answers].count(TransferStatus.EXCEEDS_CREDITS) == 5
    transactions = await database.fetchval("select count(distinct xmin::text) from transfers") - before
    assert transactions <= 2  # the first caller alone, the rest together


async def test_a_caller_that_goes_away_does_not_take_the_others_along(database: Database) -> None:
    ledger = LedgerHandlers(LedgerStore(database), FixedClock(START))
    await ledger.open_accounts(accounts=[Account(account_id="a"), Account(account_id="b")])
    blocker = await asyncpg.connect(database.url)
    hold = blocker.transaction()
    await hold.start()
    await blocker.execute("lock table ledger.transfers in exclusive mode")
    calls = [asyncio.create_task(ledger.post(transfers=[transfer("a", "b", 1)])) for _ in range(4)]
    await _wait_for_blocked(database, 1)
    calls[0].cancel()  # it leads
    calls[2].cancel()  # it waits for its turn
    await asyncio.sleep(0)
    await hold.rollback()
    await blocker.close()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert answers[1] == answers[3] == [TransferStatus.CREATED]
    assert isinstance(answers[0], asyncio.CancelledError)
    assert isinstance(answers[2], asyncio.CancelledError)
    assert await list_unsound(database) == []


async def test_writers_that_share_a_lane_wait_and_nothing_is_lost(database: Database) -> None:
    stores = [LedgerStore(database) for _ in range(8)]
    for store in stores:
        store._free_lanes = [1]
    await stores[0].open_accounts([Account(account_id=name) for name in "abcd"], now=START)

    async def write(store: LedgerStore) -> None:
        for _ in range(15):
            await store.post([[transfer("a", credit, 3) for credit in "bcd"]], now=START)

    await asyncio.gather(*map(write, stores))
    assert (await stores[0].get_account("a", now=START)).debits_posted == 8 * 15 * 9
    assert await list_unsound(database) == []


async def test_batches_of_one_process_are_decided_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Decisions go on from one another while the first is still being written; each must be written as it was
    # decided, or all this would be paid twice.
    store, locked = LedgerStore(database), 0
    names = [f"rider{number}" for number in range(6)]
    await store.open_accounts([Account(account_id="bank"), *map(guarded, names)], now=START)
    await store.post([[transfer("bank", name, 100_000) for name in names]], now=START)
    post_locked = store._post_locked

    async def count(turn: object) -> object:
        nonlocal locked
        locked += 1
        return await post_locked(turn)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "_post_locked", count)
    dice = random.Random(7)
    batches = [
        [transfer(dice.choice(names), "bank", dice.randint(1, 9)) for _ in range(dice.randint(1, 3))]
        for _ in range(80)
    ]
    answers = await asyncio.gather(*(store.post([batch], now=START) for batch in batches))
    assert {status for [each] in answers for status in each} == {TransferStatus.CREATED}
    assert locked == 0
    assert await list_unsound(database) == []


async def test_what_another_process_did_is_found_when_writing(database: Database) -> None:
    here, elsewhere = LedgerStore(database), LedgerStore(database)
    await here.open_accounts([Account(account_id="bank"), guarded("rider")], now=START)
    await here.post([[transfer("bank", "rider", 100)]], now=START)
    created, refused = [[TransferStatus.CREATED]], [[TransferStatus.EXCEEDS_CREDITS]]
    # Each remembers another balance than there is: too much, too little, a hold that is gone.
    assert await elsewhere.post([[transfer("rider", "bank", 80)]], now=START) == created
    assert await here.post([[transfer("rider", "bank", 50)]], now=START) == refused
    assert await here.post([[transfer("bank", "rider", 80)]], now=START) == created
    assert await elsewhere.post([[transfer("rider", "bank", 90)]], now=START) == created
    hold = transfer("rider", "bank", 10, kind=TransferKind.PENDING)
    end = {"pending_id": hold.transfer_id}
    assert await here.post([[hold]], now=START) == created
    voiding = transfer("rider", "bank", 10, kind=TransferKind.VOID_PENDING, **end)
    assert await elsewhere.post([[voiding]], now=START) == created
    posting = transfer("rider", "bank", 10, kind=TransferKind.POST_PENDING, **end)
    assert await here.post([[posting]], now=START) == [[TransferStatus.PENDING_TRANSFER_ALREADY_VOIDED]]
    # 180 in, 170 out: the last 10 are there once, and not for a batch that gives 5 and takes 16.
    both = [transfer("bank", "rider", 5), transfer("rider", "bank", 16)]
    assert await here.post([both], now=START) == [[TransferStatus.CREATED, TransferStatus.EXCEEDS_CREDITS]]
    assert await list_unsound(database) == []


async def test_batches_that_spend_from_one_account_do_not_wait_for_one_another(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, locked = LedgerStore(database), 0
    await store.open_accounts([Account(account_id="bank"), guarded("rider")], now=START)
    await store.post([[transfer("bank", "rider", 100)]], now=START)

    async def refuse(_turn: object) -> None:
        nonlocal locked
        locked += 1

    monkeypatch.setattr(store, "_post_locked", refuse)
    blocker = await asyncpg.connect(database.url)
    hold = blocker.transaction()
    await hold.start()
    await blocker.execute("select from ledger.accounts where account_id = 'rider' for no key update")
    answers = [
        asyncio.create_task(store.post([[transfer("rider", "bank", 10)]], now=START)) for _ in range(3)
    ]
    assert len(await _wait_for_blocked(database, 3)) == 3
    await hold.rollback()
    await blocker.close()
    assert await asyncio.gather(*answers) == [[[TransferStatus.CREATED]]] * 3
    assert locked == 0
    assert await list_unsound(database) == []


async def _wait_for_blocked(database: Database, count: int) -> list[int]:
    """The server processes that wait for a lock, once there are so many."""
    for _ in range(500):
        rows = await database.fetch(
            "select pid from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
        )
        if len(rows) >= count:
            return [row["pid"] for row in rows]
        await asyncio.sleep(0.01)
    raise AssertionError("nobody waits for a lock")


async def test_a_connection_that_dies_in_the_middle_leaves_nothing(database: Database) -> None:
    store = LedgerStore(database)
    await store.open_accounts([Account(account_id="bank"), guarded("rider")], now=START)
    batch = [
        transfer("bank", "rider", 100),
        transfer("rider", "bank", 40, kind=TransferKind.PENDING),
        transfer("rider", "bank", 500),
    ]
    blocker = await asyncpg.connect(database.url)
    hold = blocker.transaction()
    await hold.start()
    # Reading holds is free, writing one waits: by then the transfers of the batch are already inserted.
    await blocker.execute("lock table ledger.open_holds in share mode")
    posting = asyncio.create_task(store.post([batch], now=START))
    [pid] = await _wait_for_blocked(database, 1)
    await database.execute("select pg_terminate_backend($1)", pid)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError)):
        await posting
    await hold.rollback()
    await blocker.close()
    assert await database.fetchval("select count(*) from transfers") == 0
    assert await list_unsound(database) == []
    created, refused = TransferStatus.CREATED, TransferStatus.EXCEEDS_CREDITS
    assert await store.post([batch], now=START) == [[created, created, refused]]
    # The answer may be lost as well: the same batch again finds what is there.
    exists, failed = TransferStatus.EXISTS, TransferStatus.ID_ALREADY_FAILED
    assert await store.post([batch], now=START) == [[exists, exists, failed]]


def numbered_batch(number: int) -> list[Transfer]:
    """Three linked transfers whose ids follow from the number, so that another process can ask for them."""
    ids = [uuid5(BATCHES, f"{number}/{place}") for place in range(3)]
    return [
        transfer("bank", "rider", 3, transfer_id=ids[0], linked=True),
        transfer("rider", "shop", 2, transfer_id=ids[1], linked=True),
        transfer("rider", "shop", 1, transfer_id=ids[2], kind=TransferKind.PENDING, timeout_s=3600),
    ]


async def _write_for_ever(url: str) -> None:
    database = await open_ledger_database(url)
    store = LedgerStore(database)
    await store.open_accounts(
        [Account(account_id="bank"), guarded("rider"), Account(account_id="shop")], now=START
    )
    for number in range(1_000_000):
        await store.post([numbered_batch(number)], now=START)
        print(number, flush=True)  # noqa: T201 - the parent reads what was acknowledged


async def test_a_killed_writer_leaves_whole_batches_and_no_lost_answer(
    database: Database, database_url: str
) -> None:
    acknowledged = -1
    for kill_after in (3, 20, 60):
        command = [sys.executable, str(Path(__file__)), database_url]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as child:  # noqa: ASYNC220
            assert child.stdout is not None
            for line in child.stdout:
                acknowledged = max(acknowledged, int(line))
                if int(line) >= kill_after:
                    break
            child.send_signal(signal.SIGKILL)
    store = LedgerStore(database)
    there = await database.fetchval("select count(*) from transfers")
    assert there % 3 == 0
    assert there >= 3 * (acknowledged + 1)
    for number in range(acknowledged + 1):
        statuses = (await store.post([numbered_batch(number)], now=START))[0]
        assert statuses == [TransferStatus.EXISTS] * 3
    assert await database.fetchval("select count(*) from transfers") == there
    assert await list_unsound(database) == []


if __name__ == "__main__":
    asyncio.run(_write_for_ever(sys.argv[1]))
