"""What was searched, told as events without making anybody wait.

Problem   Each search is an event for the demand statistics; a transaction for each would slow planning.
Idea      Events are gathered and put into the outbox together, every quarter of a second. A crash may lose
          the last quarter second of searches: they are statistics, never money. While the database is away,
          the newest are kept, up to a bound.
"""

import asyncio
from collections import deque

from maas.events import JourneysPlanned, NothingFound
from services.platform.context import ServiceContext

FLUSH_EVERY_S = 0.25
KEPT_MAX = 10_000


class SearchLog:
    """Gathers search events and flushes them into the outbox."""

    def __init__(self, context: ServiceContext) -> None:
        self._context = context
        self._waiting: deque[JourneysPlanned | NothingFound] = deque(maxlen=KEPT_MAX)

    def note(self, event: JourneysPlanned | NothingFound) -> None:
        """Keep an event for the next flush."""
        self._waiting.append(event)

    async def flush(self) -> None:
        """Put all waiting events into the outbox, in one transaction."""
        batch = list(self._waiting)
        if not batch:
            return
        async with self._context.database.transaction() as tx:
            await self._context.outbox.append(tx, *batch)
        # Only what was written leaves; what came meanwhile stands behind it.
        for _ in range(min(len(batch), len(self._waiting))):
            self._waiting.popleft()

    async def run(self) -> None:
        """For ever: flush."""
        while True:
            await asyncio.sleep(FLUSH_EVERY_S)
            await self.flush()
