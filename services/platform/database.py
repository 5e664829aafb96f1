"""The one door to PostgreSQL.

Problem   Pools, schemas, JSON and transactions must be set up alike everywhere.
Idea      A `Database` is a pool whose connections see one schema. A transaction is a context manager; what
          must happen only after its commit (waking the outbox relay) hooks in here. SQL lives in queries.sql
          files, each query under its name. Statements and transactions leave nothing behind in their
          session, so it is used again as it is; what does (a lock of a session) borrows one by `session`.
Not here  Migrations (migrations.py) and any query.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import orjson

from services.platform.errors import QueriesInvalid

Connection = asyncpg.pool.PoolConnectionProxy | asyncpg.Connection
"""A connection inside a transaction: fetch, fetchrow, fetchval, execute, executemany."""

_NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)


class Database:
    """A pool of connections that see one schema."""

    def __init__(self, url: str, *, schema: str, connections_max: int = 8) -> None:
        self.url = url
        self.schema = schema
        self._connections_max = connections_max
        self._pool: asyncpg.Pool | None = None
        self._after_commit: list[Callable[[int], None]] = []

    async def open(self) -> None:
        """Open the pool. Connections are made when they are needed."""
        self._pool = await asyncpg.create_pool(
            self.url,
            min_size=0,
            max_size=self._connections_max,
            max_inactive_connection_lifetime=120,
            command_timeout=60,
            init=prepare_connection,
            reset=_leave_as_it_is,
            server_settings={"search_path": self.schema, "application_name": f"maas-{self.schema}"},
        )

    async def close(self) -> None:
        """Close the pool; running queries end first, for at most five seconds."""
        if self._pool is not None:
            pool, self._pool = self._pool, None
            try:
                async with asyncio.timeout(5):
                    await pool.close()
            except TimeoutError:
                pool.terminate()

    @property
    def pool(self) -> Any:
        """The open asyncpg pool, for what the shortcuts below do not cover."""
        assert self._pool is not None, "a database is opened before it is used"
        return self._pool

    def on_commit(self, hook: Callable[[int], None]) -> None:
        """Call `hook(id(tx))` after each commit made through `transaction`."""
        self._after_commit.append(hook)

    @asynccontextmanager
    async def transaction(self, *, isolation: str = "read_committed") -> AsyncIterator[Any]:
        """A connection in a transaction: committed when the block ends, rolled back when it raises."""
        async with self.pool.acquire() as connection:
            async with connection.transaction(isolation=isolation):
                yield connection
            for hook in self._after_commit:
                hook(id(connection))

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Any]:
        """A connection of one's own; settings and locks of the session end with the block."""
        async with self.pool.acquire() as connection:
            try:
                yield connection
            finally:
                if not connection.is_closed():
                    await connection.reset()

    async def fetch(self, query: str, *args: Any) -> list[Any]:
        """All rows."""
        rows: list[Any] = await self.pool.fetch(query, *args)
        return rows

    async def fetchrow(self, query: str, *args: Any) -> Any:
        """The first row, or None."""
        return await self.pool.fetchrow(query, *args)

    async def fetchval(self, query: str, *args: Any) -> Any:
        """The first value of the first row, or None."""
        return await self.pool.fetchval(query, *args)

    async def execute(self, query: str, *args: Any) -> str:
        """Run a statement in its own transaction; returns PostgreSQL's command tag."""
        tag: str = await self.pool.execute(query, *args)
        return tag


async def _leave_as_it_is(_connection: Any) -> None:
    """Asking the server to reset a session costs as much as a statement; open transactions end anyway."""


async def prepare_connection(connection: Any) -> None:
    """Teach a connection to speak JSON by orjson."""
    for name in ("json", "jsonb"):
        await connection.set_type_codec(
            name,
            encoder=lambda value: orjson.dumps(value).decode(),
            decoder=orjson.loads,
            schema="pg_catalog",
        )


def load_queries(module_file: str) -> dict[str, str]:
    """The queries of the `queries.sql` beside `module_file`, by name. Raises QueriesInvalid."""
    path = Path(module_file).with_name("queries.sql")
    head, *parts = _NAME.split(path.read_text(encoding="utf-8"))
    if re.sub(r"^--.*$", "", head, flags=re.MULTILINE).strip():
        raise QueriesInvalid(f"{path}: SQL stands before the first `-- name:` line. Give it a name.")
    names = parts[::2]
    for name in names:
        if names.count(name) > 1:
            raise QueriesInvalid(f"{path}: the name {name!r} stands twice. Rename one.")
    return dict(zip(names, (body.strip() for body in parts[1::2]), strict=True))
