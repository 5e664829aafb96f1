"""Bring a service's schema to its newest version.

Problem   Several processes start at once on an empty or an older database.
Idea      Numbered SQL files per service, applied in order, each in a transaction of its own, under one
          advisory lock. What was applied is recorded with its hash; a changed or missing applied file stops
          the start. The platform's own tables come first, in every schema.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from services.platform.errors import MigrationConflict

_LOCK = 0x4D414153  # "MAAS": one migration at a time in a database
PLATFORM_FOLDER = Path(__file__).with_name("migrations")


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: `NNNN_title.sql` of a set (`platform` or the service)."""

    set_name: str
    number: int
    title: str
    sql: str

    @property
    def sha256(self) -> str:
        """The hash that an applied file must keep."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def list_migrations(schema: str, folder: Path) -> list[Migration]:
    """All migrations of a service in the order in which they are applied."""
    return [
        Migration(set_name, int(path.name[:4]), path.stem[5:], path.read_text(encoding="utf-8"))
        for set_name, place in (("platform", PLATFORM_FOLDER), (schema, folder))
        for path in sorted(place.glob("[0-9][0-9][0-9][0-9]_*.sql"))
    ]


async def migrate(url: str, *, schema: str, folder: Path) -> list[str]:
    """Apply what is missing in `schema`; returns the titles applied. Raises MigrationConflict."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("select pg_advisory_lock($1)", _LOCK)
        return await _migrate_locked(connection, schema, list_migrations(schema, folder))
    finally:
        await connection.close()


async def _migrate_locked(connection: Any, schema: str, migrations: list[Migration]) -> list[str]:
    await connection.execute(f'create schema if not exists "{schema}"')
    await connection.execute(f'set search_path to "{schema}"')
    await connection.execute(
        "create table if not exists migration (set_name text, number integer, title text not null, "
        "sha256 text not null, applied_at timestamptz not null default now(), primary key (set_name, number))"
    )
    applied = {
        (row["set_name"], row["number"]): row["sha256"]
        for row in await connection.fetch("select set_name, number, sha256 from migration")
    }
    check_unchanged(schema, migrations, applied)
    done = []
    for migration in migrations:
        if (migration.set_name, migration.number) not in applied:
            await _apply(connection, migration)
            done.append(f"{migration.set_name}/{migration.number:04d}_{migration.title}")
    return done


def check_unchanged(schema: str, migrations: list[Migration], applied: dict[tuple[str, int], str]) -> None:
    """Every applied migration is still there, byte for byte, else MigrationConflict."""
    known = {(each.set_name, each.number): each.sha256 for each in migrations}
    for key, sha256 in applied.items():
        if known.get(key) != sha256:
            problem = "is missing" if key not in known else "was changed"
            raise MigrationConflict(
                f"schema {schema}: migration {key[0]}/{key[1]:04d} {problem} after it was applied. "
                "Restore the file, or start with the version of the program that wrote this database."
            )


async def _apply(connection: Any, migration: Migration) -> None:
    async with connection.transaction():
        await connection.execute(migration.sql)
        await connection.execute(
            "insert into migration (set_name, number, title, sha256) values ($1, $2, $3, $4)",
            migration.set_name,
            migration.number,
            migration.title,
            migration.sha256,
        )
