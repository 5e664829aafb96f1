"""Every service's schema: from empty, from the version before, by two processes at once, never rewritten."""

import asyncio
import shutil
import sys
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from services.platform.errors import MigrationConflict
from services.platform.migrations import PLATFORM_FOLDER, list_migrations, migrate

ROOT = Path(__file__).parents[2]
SERVICES = {
    folder.parent.name: folder
    for folder in sorted((ROOT / "services").glob("*/migrations"))
    if folder != PLATFORM_FOLDER
}

COLUMNS = (
    "select table_name, column_name, data_type, is_nullable, column_default "
    "from information_schema.columns where table_schema = $1 order by table_name, column_name"
)
INDEXES = "select tablename, indexname, indexdef from pg_indexes where schemaname = $1 order by 1, 2"
CONSTRAINTS = (
    "select conrelid::regclass::text, conname, pg_get_constraintdef(c.oid) from pg_constraint c "
    "join pg_namespace n on n.oid = c.connamespace where n.nspname = $1 order by 1, 2"
)
TRIGGERS = (
    "select event_object_table, trigger_name, action_statement from information_schema.triggers "
    "where trigger_schema = $1 order by 1, 2"
)


async def describe(url: str, schema: str) -> list[list[tuple[Any, ...]]]:
    connection = await asyncpg.connect(url)
    try:
        return [
            [tuple(row) for row in await connection.fetch(query, schema)]
            for query in (COLUMNS, INDEXES, CONSTRAINTS, TRIGGERS)
        ]
    finally:
        await connection.close()


async def execute(url: str, sql: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


def test_services_with_migrations_are_found() -> None:
    assert {"dispatch", "demand", "ledger", "sales"} <= set(SERVICES)


@pytest.mark.parametrize("service", SERVICES)
async def test_from_empty_and_from_the_version_before_give_the_same_schema(
    database_url: str, tmp_path: Path, service: str
) -> None:
    folder = SERVICES[service]
    files = sorted(folder.glob("*.sql"))
    applied = await migrate(database_url, schema=service, folder=folder)
    assert len(applied) == len(list_migrations(service, folder))
    assert await migrate(database_url, schema=service, folder=folder) == []
    from_empty = await describe(database_url, service)
    assert any("outbox" in row for row in from_empty[0])
    await execute(database_url, f'drop schema "{service}" cascade')

    before = tmp_path / "before"
    before.mkdir()
    for file in files[:-1]:
        shutil.copy(file, before)
    await migrate(database_url, schema=service, folder=before)
    newest = [f"{service}/{files[-1].stem}"] if files else []
    assert await migrate(database_url, schema=service, folder=folder) == newest
    assert await describe(database_url, service) == from_empty


@pytest.mark.parametrize("service", SERVICES)
def test_files_are_numbered_without_gaps_and_titled(service: str) -> None:
    names = sorted(path.name for path in SERVICES[service].glob("*.sql"))
    assert [name[:5] for name in names] == [f"{number:04d}_" for number in range(1, len(names) + 1)]
    assert all(name.endswith(".sql") and name[5:-4].replace("_", "").isalnum() for name in names)


CHILD = """
import asyncio, sys
from pathlib import Path
from services.platform.migrations import migrate

url, *pairs = sys.argv[1:]


async def main():
    done = 0
    for pair in pairs:
        schema, folder = pair.split("=", 1)
        done += len(await migrate(url, schema=schema, folder=Path(folder)))
    print(done)


asyncio.run(main())
"""


async def test_two_processes_that_migrate_at_once_apply_each_file_once(database_url: str) -> None:
    pairs = [f"{name}={folder}" for name, folder in SERVICES.items()]
    children = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", CHILD, database_url, *pairs, cwd=ROOT, stdout=asyncio.subprocess.PIPE
        )
        for _ in range(2)
    ]
    outputs = [(await child.communicate())[0] for child in children]
    assert [child.returncode for child in children] == [0, 0]
    expected = sum(len(list_migrations(name, folder)) for name, folder in SERVICES.items())
    assert sum(int(output) for output in outputs) == expected


async def test_six_tasks_that_migrate_one_schema_at_once_apply_it_once(database_url: str) -> None:
    folder = SERVICES["dispatch"]
    done = await asyncio.gather(*(migrate(database_url, schema="dispatch", folder=folder) for _ in range(6)))
    assert sorted(len(each) for each in done) == [0, 0, 0, 0, 0, 2]


@pytest.fixture
def own_files(tmp_path: Path) -> Path:
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "0001_first.sql").write_text("create table a (x integer);")
    return folder


async def test_a_changed_or_missing_applied_file_stops_the_start(database_url: str, own_files: Path) -> None:
    await migrate(database_url, schema="s", folder=own_files)
    first = own_files / "0001_first.sql"
    first.write_text("create table a (x bigint);")
    with pytest.raises(MigrationConflict, match="s/0001 was changed"):
        await migrate(database_url, schema="s", folder=own_files)
    first.unlink()
    with pytest.raises(MigrationConflict, match="s/0001 is missing"):
        await migrate(database_url, schema="s", folder=own_files)
    first.write_text("create table a (x integer);")
    assert await migrate(database_url, schema="s", folder=own_files) == []


async def test_a_migration_that_fails_leaves_nothing_and_can_be_tried_again(
    database_url: str, own_files: Path
) -> None:
    second = own_files / "0002_second.sql"
    second.write_text("create table b (x integer); select 1 / 0;")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(database_url, schema="s", folder=own_files)
    tables = {row[0] for row in (await describe(database_url, "s"))[0]}
    assert "a" in tables
    assert "b" not in tables
    second.write_text("create table b (x integer);")
    assert await migrate(database_url, schema="s", folder=own_files) == ["s/0002_second"]


async def test_schemas_do_not_see_one_another(database_url: str, own_files: Path) -> None:
    for schema in ("one", "two"):
        await migrate(database_url, schema=schema, folder=own_files)
    await execute(database_url, "insert into one.a values (1)")
    connection = await asyncpg.connect(database_url)
    try:
        assert await connection.fetchval("select count(*) from two.a") == 0
    finally:
        await connection.close()
