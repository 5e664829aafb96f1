"""Events leave with the transaction that caused them, and take effect once.

Problem   A commit and a publication are two things; a crash may fall between them. Sequence ids commit out of
          order, so a reader with a high-water mark skips rows.
Idea      `append` writes the event in the cause's transaction. The relay claims rows that are not published
          (FOR UPDATE SKIP LOCKED, no watermark), publishes, and marks them in the claiming transaction:
          killed before the mark, they are published again. A row waits until each subscriber has
          acknowledged; what waits too long is published again. `receive` records the event in the inbox in
          the transaction of its effect, so any number of deliveries has one effect.
Source    The transactional outbox; procrastinate for claiming with SKIP LOCKED.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any
from uuid import uuid4

import structlog
from pydantic import TypeAdapter

from maas.events import EVENT_TYPES
from services.platform.bus import Bus, Envelope
from services.platform.clock import Clock
from services.platform.database import Database, load_queries
from services.platform.subscribers import SUBSCRIBERS
from services.platform.telemetry import EVENTS_PUBLISHED, OUTBOX_AGE

log = structlog.get_logger()
queries = load_queries(__file__)

_BATCH = 200
_IDLE_S = 1.0
_PAUSE_AFTER_FAULT_S = 1.0


@cache
def event_adapter(event_type: str) -> TypeAdapter[Any]:
    """How an event of that type becomes JSON and back."""
    return TypeAdapter(EVENT_TYPES[event_type])


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a service does about an event: `handler(tx, event, envelope)`, inside the inbox's transaction."""

    event: type
    handler: Callable[[Any, Any, Envelope], Awaitable[None]]


class Outbox:
    """The way out of one service's schema."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._appended: set[int] = set()
        self._wake = asyncio.Event()
        database.on_commit(self._committed)

    async def append(self, tx: Any, *events: Any) -> None:
        """Put events (dataclasses of maas/events.py) in the outbox, in the caller's transaction."""
        now = self._clock.now()
        for event in events:
            event_type = type(event).__name__
            payload = event_adapter(event_type).dump_python(event, mode="json")
            await tx.execute(queries["append_event"], uuid4(), event_type, payload, now)
        self._appended.add(id(tx))

    def _committed(self, tx_id: int) -> None:
        if tx_id in self._appended:
            self._appended.discard(tx_id)
            self._wake.set()

    def wake(self) -> None:
        """Look at the outbox soon."""
        self._wake.set()

    async def wait(self, seconds: float) -> None:
        """Until something was appended here, or for `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()


class Relay:
    """Publishes one outbox. Several may run beside one another."""

    def __init__(
        self, outbox: Outbox, database: Database, bus: Bus, *, redeliver_after_s: float = 5.0
    ) -> None:
        self._outbox = outbox
        self._database = database
        self._bus = bus
        self._redeliver_after = timedelta(seconds=redeliver_after_s)
        bus.on_acknowledgement(source=database.schema, wake=outbox.wake)

    async def run(self) -> None:
        """For ever: publish, note acknowledgements, publish again what nobody acknowledged."""
        while True:
            try:
                busy = await self.step()
            except Exception:
                log.exception("relay_interrupted", schema=self._database.schema)
                await asyncio.sleep(_PAUSE_AFTER_FAULT_S)
                continue
            if not busy:
                await self._outbox.wait(_IDLE_S)

    async def step(self) -> bool:
        """One round; True when there may be more to do at once."""
        published = await self.publish_claimed(queries["claim_unpublished"], _BATCH)
        await self._note_acknowledgements()
        await self.publish_claimed(
            queries["claim_unacknowledged"], _BATCH, await self._now(), self._redeliver_after
        )
        return published == _BATCH

    async def report_age(self) -> None:
        """Show how old the oldest event is that someone still waits for."""
        age = await self._database.fetchval(queries["outbox_age"], await self._now())
        OUTBOX_AGE.labels(schema=self._database.schema).set(max(0.0, age))

    async def publish_claimed(self, claim: str, *args: Any) -> int:
        """Claim rows, publish them, mark them; all in one transaction. Returns how many."""
        async with self._database.transaction() as tx:
            rows = await tx.fetch(claim, *args)
            if not rows:
                return 0
            await self._bus.publish([self._envelope(row) for row in rows])
            await tx.execute(
                queries["mark_published"],
                [row["id"] for row in rows],
                [",".join(SUBSCRIBERS[row["event_type"]]) for row in rows],
                await self._now(),
            )
        EVENTS_PUBLISHED.labels(schema=self._database.schema).inc(len(rows))
        return len(rows)

    async def _note_acknowledgements(self) -> None:
        done = await self._bus.take_acknowledgements(source=self._database.schema)
        if done:
            await self._database.execute(
                queries["acknowledge"], [each.event_id for each in done], [each.group for each in done]
            )

    async def _now(self) -> Any:
        # Redelivery is measured on the database's clock: the city's clock may jump.
        return await self._database.fetchval("select clock_timestamp()")

    def _envelope(self, row: Any) -> Envelope:
        return Envelope(
            event_id=row["event_id"],
            event_type=row["event_type"],
            payload=row["payload"],
            occurred_at=row["occurred_at"],
            source=self._database.schema,
        )


async def receive(database: Database, subscriptions: dict[str, Subscription], envelope: Envelope) -> None:
    """Let an event take effect, unless it already has. The inbox row and the effect commit together."""
    subscription = subscriptions[envelope.event_type]
    async with database.transaction() as tx:
        fresh = await tx.fetchval(queries["enter_inbox"], envelope.event_id, envelope.event_type)
        if fresh is None:
            return
        event = event_adapter(envelope.event_type).validate_python(envelope.payload)
        await subscription.handler(tx, event, envelope)
