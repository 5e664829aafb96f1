"""Live messages, kept for every replica of the planner.

Problem   An operator's message reaches one process; all that plan must know it within a second or two, and
          one that came late by another way must not undo a newer one.
Idea      The newest message of each source is a row, as it came; a version counts the changes. Replicas ask
          for the version every second and read all messages, of one moment, when it has moved or one of
          them has become old: nobody knows whether what was said FRESH_FOR ago still holds.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from gtfs.realtime import LiveMessage, decode_message
from services.platform.database import Database, load_queries

queries = load_queries(__file__)

FRESH_FOR = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSource:
    """The newest message of a source of a feed (its trip updates, its alerts)."""

    feed_id: str
    source: str
    received_at: datetime
    message: LiveMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveNews:
    """All fresh messages of one moment. `version` counts the messages so far."""

    version: int = 0
    sources: tuple[LiveSource, ...] = ()

    @property
    def key(self) -> tuple[int, int]:
        """Other messages have another key."""
        return self.version, len(self.sources)


class LiveStore:
    """Writes messages and reads them all."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # By feed and source: what was read before need not be read again.
        self._known: dict[tuple[str, str], tuple[bytes, LiveMessage]] = {}

    async def put(
        self, *, feed_id: str, source: str, content: bytes, message: LiveMessage, now: datetime
    ) -> bool:
        """Keep a message, and what was read in it; False where a newer one of this source is here already."""
        async with self._database.transaction() as tx:
            await tx.fetchval(queries["lock_version"])
            kept = await tx.fetchval(queries["put_message"], feed_id, source, content, message.made_at, now)
            if kept is not None:
                await tx.execute(queries["count_version"])
        if kept is not None:
            self._known[feed_id, source] = content, message
        return kept is not None

    async def get_key(self, now: datetime) -> tuple[int, int]:
        """The key of what `read` would give now."""
        row = await self._database.fetchrow(queries["get_key"], now - FRESH_FOR)
        return row["version"], row["fresh_count"]

    async def read(self, now: datetime) -> LiveNews:
        """Everything that is fresh."""
        rows = await self._database.fetch(queries["list_messages"], now - FRESH_FOR)
        sources = []
        for row in rows:
            if row["feed_id"] is None:
                continue
            message = self._read_one((row["feed_id"], row["source"]), row["content"])
            sources.append(
                LiveSource(
                    feed_id=row["feed_id"],
                    source=row["source"],
                    received_at=row["received_at"],
                    message=message,
                )
            )
        return LiveNews(version=rows[0]["version"], sources=tuple(sources))

    def _read_one(self, key: tuple[str, str], content: bytes) -> LiveMessage:
        known = self._known.get(key)
        if known is None or known[0] != content:
            message = decode_message(content).message
            assert message is not None, "only what could be read is kept"
            known = self._known[key] = content, message
        return known[1]
