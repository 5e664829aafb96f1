"""The one door to PostgreSQL: a schema of its own, JSON as Python, hooks after commits, queries by name."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from services.platform.away import is_database_away
from services.platform.database import Database, load_queries
from services.platform.errors import QueriesInvalid

TERMINATE_SLEEPING = (
    "select pg_terminate_backend(pid) from pg_stat_activity"
    " where application_name = 'maas-mine' and wait_event = 'PgSleep'"
)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    found = Database(database_url, schema="mine", connections_max=3)
    await found.open()
    await found.execute("create schema mine")
    await found.execute("create table note (body jsonb)")
    yield found
    await found.close()


async def test_json_goes_in_and_comes_out_as_it_was(database: Database) -> None:
    body = {"名": ["a", 1, 2**53, 0.5, None, True], "nested": {"x": []}}
    await database.execute("insert into note values ($1)", body)
    assert await database.fetchval("select body from note") == body


async def test_tables_are_made_and_found_in_its_own_schema(database: Database) -> None:
    where = await database.fetchval(
        "select table_schema from information_schema.tables where table_name = 'note'"
    )
    assert where == "mine"
    with pytest.raises(asyncpg.UndefinedTableError):
        await database.fetch("select * from theirs.note")


async def test_a_session_ends_with_its_locks_and_settings(database: Database) -> None:
    for _ in range(4):  # more often than there are connections, so that each is used again
        async with database.session() as session:
            assert await session.fetchval("select pg_try_advisory_lock(7)")
            assert await session.fetchval("show statement_timeout") == "0"
            await session.execute("set statement_timeout = '9s'")
            assert await database.fetchval("select count(*) from pg_locks where locktype = 'advisory'") == 1
        assert await database.fetchval("select count(*) from pg_locks where locktype = 'advisory'") == 0


async def test_a_statement_is_one_question_to_the_server(database: Database, database_url: str) -> None:
    await database.execute("insert into note values ('1')")
    watcher = await asyncpg.connect(database_url)
    try:
        asked = await watcher.fetch("select query from pg_stat_activity where application_name = 'maas-mine'")
    finally:
        await watcher.close()
    assert "insert into note values ('1')" in [row["query"] for row in asked]


async def test_a_session_cut_off_is_the_database_away_and_a_wrong_argument_is_not(
    database: Database, database_url: str
) -> None:
    with pytest.raises(asyncpg.exceptions.DataError) as wrong:
        await database.fetchval("select $1::int", "seven")
    assert not is_database_away(wrong.value)
    watcher = await asyncpg.connect(database_url)
    try:
        sleeping = asyncio.create_task(database.fetchval("select pg_sleep(60)"))
        for _ in range(500):
            if await watcher.fetchval(TERMINATE_SLEEPING):
                break
            await asyncio.sleep(0.02)
        with pytest.raises(asyncpg.PostgresError) as cut_off:
            await sleeping
    finally:
        await watcher.close()
    assert is_database_away(cut_off.value)
    assert await database.fetchval("select 1") == 1


async def test_hooks_run_after_commits_and_never_after_rollbacks(database: Database) -> None:
    seen: list[int] = []
    database.on_commit(seen.append)
    async with database.transaction() as tx:
        await tx.execute("insert into note values ('1')")
        assert seen == []
    assert len(seen) == 1

    async def fail() -> None:
        async with database.transaction() as tx:
            await tx.execute("insert into note values ('2')")
            raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        await fail()
    assert len(seen) == 1
    assert await database.fetchval("select count(*) from note") == 1


async def test_more_transactions_than_connections_wait_for_one_another(database: Database) -> None:
    async def work(number: int) -> None:
        async with database.transaction() as tx:
            await tx.execute("insert into note values ($1)", number)
            await asyncio.sleep(0.005)

    await asyncio.gather(*(work(number) for number in range(20)))
    assert await database.fetchval("select count(*) from note") == 20


def test_queries_are_found_by_name(tmp_path: Path) -> None:
    (tmp_path / "queries.sql").write_text(
        "-- About this file.\n\n-- name: one\n-- Why.\nselect 1\n\n-- name: two\nselect 2\n"
    )
    queries = load_queries(str(tmp_path / "store.py"))
    assert queries["two"] == "select 2"
    assert set(queries) == {"one", "two"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("select 1\n-- name: one\nselect 1\n", "before the first"),
        ("-- name: one\nselect 1\n-- name: one\nselect 2\n", "stands twice"),
    ],
)
def test_a_queries_file_that_lacks_or_repeats_a_name_is_refused(
    tmp_path: Path, text: str, complaint: str
) -> None:
    (tmp_path / "queries.sql").write_text(text)
    with pytest.raises(QueriesInvalid, match=complaint):
        load_queries(str(tmp_path / "store.py"))
