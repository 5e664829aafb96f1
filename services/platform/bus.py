"""Carry published events to their subscribers, at least once.

Problem   Events must reach other services, in this process or another, while carriers lose things.
Idea      The truth is each producer's outbox. A bus only carries: it delivers an envelope to every group that
          subscribes and reports which groups have acknowledged it. What is not acknowledged in time is
          published again by the relay, so a bus may forget anything at any moment. Inboxes make it once.
Not here  Redis Streams (redis_bus.py), the relay (outbox.py).
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import structlog

from services.platform.tasks import end_tasks

log = structlog.get_logger()

DELIVERY_S_MAX = 45.0
"""Longer than a question to another service may take; a subscriber's work is a few statements."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """An event on its way. `source` is the schema whose outbox holds it; `payload` is JSON-ready."""

    event_id: UUID
    event_type: str
    payload: dict[str, Any]
    occurred_at: datetime
    source: str


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """A group has made an event's effect durable."""

    event_id: UUID
    group: str


Deliver = Callable[[Envelope], Awaitable[None]]


class Bus(Protocol):
    """What carries envelopes. One contract test suite runs over every implementation."""

    async def start(self) -> None:
        """Begin to deliver."""

    async def stop(self) -> None:
        """Stop delivering; what was not acknowledged will come again."""

    def subscribe(self, *, group: str, event_types: Sequence[str], deliver: Deliver) -> None:
        """Before start: `deliver` is awaited once for each envelope of these types, in order of arrival."""

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        """Hand over to the carrier. Raises when it cannot; the caller keeps the envelopes."""

    async def take_acknowledgements(self, *, source: str) -> list[Acknowledgement]:
        """What was acknowledged since the last call, for the outbox of `source`. May forget some."""

    def on_acknowledgement(self, *, source: str, wake: Callable[[], None]) -> None:
        """Call `wake` soon after an acknowledgement for `source` arrives."""


class InProcessBus:
    """The bus of a house in one process: a queue and a worker for each group."""

    def __init__(self) -> None:
        self._groups: dict[str, tuple[frozenset[str], Deliver]] = {}
        self._queues: dict[str, asyncio.Queue[Envelope]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._acknowledged: dict[str, list[Acknowledgement]] = {}
        self._wakers: dict[str, Callable[[], None]] = {}

    def subscribe(self, *, group: str, event_types: Sequence[str], deliver: Deliver) -> None:
        """See Bus."""
        assert group not in self._groups, "a group subscribes once, with all its types"
        self._groups[group] = (frozenset(event_types), deliver)
        self._queues[group] = asyncio.Queue()

    def on_acknowledgement(self, *, source: str, wake: Callable[[], None]) -> None:
        """See Bus."""
        self._wakers[source] = wake

    async def start(self) -> None:
        """See Bus."""
        self._tasks = [asyncio.create_task(self._work(group), name=f"bus-{group}") for group in self._groups]

    async def stop(self) -> None:
        """See Bus."""
        await end_tasks(self._tasks)
        self._tasks = []

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        """See Bus."""
        for envelope in envelopes:
            for group, (event_types, _) in self._groups.items():
                if envelope.event_type in event_types:
                    self._queues[group].put_nowait(envelope)

    async def take_acknowledgements(self, *, source: str) -> list[Acknowledgement]:
        """See Bus."""
        return self._acknowledged.pop(source, [])

    async def _work(self, group: str) -> None:
        _, deliver = self._groups[group]
        queue = self._queues[group]
        while True:
            envelope = await queue.get()
            if await deliver_or_log(deliver, group, envelope):
                self._acknowledged.setdefault(envelope.source, []).append(
                    Acknowledgement(envelope.event_id, group)
                )
                if envelope.source in self._wakers:
                    self._wakers[envelope.source]()


async def deliver_or_log(deliver: Deliver, group: str, envelope: Envelope) -> bool:
    """Deliver; False when the subscriber failed. The failure is not lost: the relay will publish again.

    One that never ends, or that something else cuts off, fails too: the group's other events wait behind it.
    """
    about = {"group": group, "event_type": envelope.event_type, "event_id": str(envelope.event_id)}
    try:
        async with asyncio.timeout(DELIVERY_S_MAX):
            await deliver(envelope)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise  # The bus stops.
        log.exception("event_delivery_cut_off", **about)
        return False
    except Exception:
        log.exception("event_delivery_failed", **about)
        return False
    return True
