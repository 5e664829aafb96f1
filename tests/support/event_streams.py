"""A producer and a consumer on a real database, for tests of the outbox, the bus and the inbox.

The consumer's effect is a row without any uniqueness, so that an event that took effect twice shows.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from maas.events import JourneysPlanned, NetworkPublished
from services.platform.bus import Bus, Envelope
from services.platform.clock import SystemClock
from services.platform.database import Database
from services.platform.migrations import migrate
from services.platform.outbox import Outbox, Relay, Subscription, event_adapter, receive
from services.platform.tasks import end_tasks

NOW = datetime(2026, 5, 20, 10, 0, tzinfo=UTC)
GROUP = "demand"  # who subscribes to JourneysPlanned, by services/platform/subscribers.py


def search(number: int) -> JourneysPlanned:
    """An event that can be told from others by its `journey_count`."""
    return JourneysPlanned(
        origin_lat=35.0, origin_lon=139.0, destination_lat=35.1, destination_lon=139.1, asked_for=NOW,
        journey_count=number, modes=(),
    )  # fmt: skip


def publication(number: int) -> NetworkPublished:
    """An event of another type, for another group."""
    return NetworkPublished(version=str(number), path="/networks")


def envelope_of(event: Any, *, source: str = "producer", event_id: UUID | None = None) -> Envelope:
    name = type(event).__name__
    payload = event_adapter(name).dump_python(event, mode="json")
    return Envelope(
        event_id=event_id or uuid4(), event_type=name, payload=payload, occurred_at=NOW, source=source
    )


async def eventually(truth: Callable[[], Awaitable[bool]], *, seconds: float = 20.0) -> None:
    """Wait until `truth()` holds; fail after `seconds`."""
    async with asyncio.timeout(seconds):
        while not await truth():  # noqa: ASYNC110 - rows of a database raise no event here
            await asyncio.sleep(0.02)


@dataclass
class Streams:
    """The two schemas. `effects()` lists the events that took effect, in order."""

    producer: Database
    consumer: Database
    outbox: Outbox

    async def append(self, *events: Any) -> None:
        async with self.producer.transaction() as tx:
            await self.outbox.append(tx, *events)

    def relay(self, bus: Bus, *, redeliver_after_s: float = 0.2) -> Relay:
        return Relay(self.outbox, self.producer, bus, redeliver_after_s=redeliver_after_s)

    async def take_effect(self, envelope: Envelope) -> None:
        """What the runtime does with an envelope that the bus delivers."""
        await receive(self.consumer, {"JourneysPlanned": Subscription(JourneysPlanned, _effect)}, envelope)

    async def effects(self) -> list[int]:
        rows = await self.consumer.fetch("select number from effect order by id")
        return [row["number"] for row in rows]

    async def are_acknowledged(self) -> bool:
        waiting = "select count(*) from outbox where published_at is null or waiting_for <> '{}'"
        return await self.producer.fetchval(waiting) == 0


async def _effect(tx: Any, event: JourneysPlanned, _envelope: Envelope) -> None:
    await tx.execute("insert into effect (number) values ($1)", event.journey_count)


@asynccontextmanager
async def open_streams(database_url: str, empty_folder: Path) -> AsyncIterator[Streams]:
    for schema in ("producer", "consumer"):
        await migrate(database_url, schema=schema, folder=empty_folder)
    producer = Database(database_url, schema="producer")
    consumer = Database(database_url, schema="consumer")
    for database in (producer, consumer):
        await database.open()
    await consumer.execute("create table effect (id bigint generated always as identity, number integer)")
    try:
        yield Streams(producer, consumer, Outbox(producer, SystemClock()))
    finally:
        for database in (producer, consumer):
            await database.close()


@asynccontextmanager
async def running(*workers: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Run endless workers beside the block."""
    tasks = [asyncio.ensure_future(worker()) for worker in workers]
    try:
        yield
    finally:
        await end_tasks(tasks)
