"""A real ledger schema for tests, and the question whether its books are sound."""

from pathlib import Path
from typing import Any

from services.cli.check_ledger import LEDGER_CHECKS
from services.platform.database import Database
from services.platform.migrations import migrate

MIGRATIONS = Path(__file__).parents[2] / "services" / "ledger" / "migrations"


async def open_ledger_database(url: str, *, connections_max: int = 8) -> Database:
    await migrate(url, schema="ledger", folder=MIGRATIONS)
    database = Database(url, schema="ledger", connections_max=connections_max)
    await database.open()
    return database


async def list_unsound(database: Database) -> list[str]:
    """What is wrong with the books, worked out from their rows."""
    wrong = []
    for sentence, query in LEDGER_CHECKS.items():
        rows: list[Any] = await database.fetch(query)
        wrong += [f"{sentence}: {row[0]}" for row in rows]
    return wrong
