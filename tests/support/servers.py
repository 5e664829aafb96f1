"""One embedded PostgreSQL and one Redis for a test process; a fresh database for each test.

Problem   tests want a real server and an empty database each, in milliseconds.
Idea      one server per test process (so per xdist worker), without fsync; databases copy a template.
          Every call runs its own short event loop in a thread, so that plain and async tests use it alike.
"""

import asyncio
import itertools
import os
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from services.platform.embedded.postgres import EmbeddedPostgres
from services.platform.embedded.redis import EmbeddedRedis


def run_in_thread(work: Coroutine[Any, Any, Any]) -> Any:
    """The coroutine's result, run in a loop of its own whether or not a loop runs here."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append(asyncio.run(work))
        except BaseException as error:  # noqa: BLE001 - handed to the caller, below
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]


class PostgresForTests:
    """A server whose databases cost little: `create_database()` gives a URL, `drop_database(url)` ends it."""

    def __init__(self, folder: Path) -> None:
        self._server = EmbeddedPostgres(folder, durable=False)
        self._numbers = itertools.count(1)
        self.url = ""

    def start(self) -> None:
        self.url = self._server.start()

    def stop(self) -> None:
        self._server.stop()

    def create_database(self, template: str = "template0") -> str:
        """The URL of a new database: empty, or a copy of `template` (a name that nobody is connected to)."""
        name = f"t_{os.getpid()}_{next(self._numbers)}"
        # Copying files beats logging pages where nothing is synced to disk.
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')
        return with_database(self.url, name)

    def drop_database(self, url: str) -> None:
        """End the database and every session that still uses it."""
        self.execute(f'DROP DATABASE IF EXISTS "{database_name(url)}" WITH (FORCE)')

    def execute(self, sql: str, url: str | None = None) -> None:
        """Run SQL on the server's own database, or on that of `url`."""
        run_in_thread(_execute(url or self.url, sql))


async def _execute(url: str, sql: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


def database_name(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")


def with_database(url: str, name: str) -> str:
    """The same server, another database (or, for Redis, another number)."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


class RedisForTests:
    """A Redis with many numbered databases; each `next_url()` is one that no test has touched."""

    DATABASE_COUNT = 4096

    def __init__(self, folder: Path) -> None:
        self._server = EmbeddedRedis(folder, database_count=self.DATABASE_COUNT)
        self._numbers = itertools.count(1)
        self.url = ""

    def start(self) -> None:
        self.url = self._server.start()

    def stop(self) -> None:
        self._server.stop()

    def next_url(self) -> str:
        number = next(self._numbers)
        assert number < self.DATABASE_COUNT, "every test has a database number of its own"
        return with_database(self.url, str(number))
