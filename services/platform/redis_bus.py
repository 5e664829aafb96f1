"""The bus over Redis Streams: one stream per event type, one consumer group per service.

Problem   Services in several processes hear of one another's events; Redis may be lost at any moment.
Idea      XADD to publish, XREADGROUP to receive, XACK after the subscriber's commit. An acknowledgement also
          goes onto a list for the producer's relay. Entries of a dead consumer are claimed by a living one.
          A stream or group that vanished (Redis was emptied) is made anew; what it held is published again by
          the relay, because nobody acknowledged it.
"""

import asyncio
import os
import socket
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from services.platform.bus import Acknowledgement, Deliver, Envelope, deliver_or_log
from services.platform.tasks import end_tasks

log = structlog.get_logger()

_STREAM_LENGTH_MAX = 100_000  # the outbox is the truth; a stream only has to cover what is on its way
_CLAIM_IDLE_MS = 30_000
_BLOCK_MS = 1_000
_READ_COUNT = 100
_PAUSE_AFTER_FAULT_S = 0.5


def _stream(event_type: str) -> str:
    return f"maas:events:{event_type}"


def _acknowledgements(source: str) -> str:
    return f"maas:acknowledged:{source}"


def encode(envelope: Envelope) -> bytes:
    """An envelope as JSON."""
    return orjson.dumps(
        {
            "event_id": str(envelope.event_id),
            "event_type": envelope.event_type,
            "payload": envelope.payload,
            "occurred_at": envelope.occurred_at.isoformat(),
            "source": envelope.source,
        }
    )


def decode(raw: bytes) -> Envelope:
    """The envelope that `encode` wrote."""
    fields = orjson.loads(raw)
    return Envelope(
        event_id=UUID(fields["event_id"]),
        event_type=fields["event_type"],
        payload=fields["payload"],
        occurred_at=datetime.fromisoformat(fields["occurred_at"]),
        source=fields["source"],
    )


class RedisBus:
    """See the module; the promises are those of `Bus`."""

    def __init__(self, url: str) -> None:
        self._redis = Redis.from_url(url, socket_timeout=10, health_check_interval=15)
        self._groups: dict[str, tuple[tuple[str, ...], Deliver]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._consumer = f"{socket.gethostname()}-{os.getpid()}"

    def subscribe(self, *, group: str, event_types: Sequence[str], deliver: Deliver) -> None:
        """See Bus."""
        assert group not in self._groups, "a group subscribes once, with all its types"
        self._groups[group] = (tuple(event_types), deliver)

    def on_acknowledgement(self, *, source: str, wake: Callable[[], None]) -> None:
        """Acknowledgements are polled here: the relay's own rhythm is enough."""

    async def start(self) -> None:
        """See Bus."""
        self._tasks = [asyncio.create_task(self._work(group), name=f"bus-{group}") for group in self._groups]

    async def stop(self) -> None:
        """See Bus."""
        await end_tasks(self._tasks)
        self._tasks = []
        await self._redis.aclose()

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        """See Bus."""
        if not envelopes:
            return
        pipe = self._redis.pipeline(transaction=False)
        for envelope in envelopes:
            pipe.xadd(
                _stream(envelope.event_type),
                {"envelope": encode(envelope)},
                maxlen=_STREAM_LENGTH_MAX,
                approximate=True,
            )
        await pipe.execute()

    async def take_acknowledgements(self, *, source: str) -> list[Acknowledgement]:
        """See Bus."""
        raw: Any = await self._redis.lpop(_acknowledgements(source), 1000)
        pairs = [item.decode().split(" ", 1) for item in raw or []]
        return [Acknowledgement(UUID(event_id), group) for event_id, group in pairs]

    async def _work(self, group: str) -> None:
        while True:
            try:
                await self._make_groups(group)
                await self._receive(group)
            except (RedisError, OSError) as error:
                log.warning("bus_interrupted", group=group, error=str(error))
                await asyncio.sleep(_PAUSE_AFTER_FAULT_S)

    async def _make_groups(self, group: str) -> None:
        for event_type in self._groups[group][0]:
            try:
                await self._redis.xgroup_create(_stream(event_type), group, id="0", mkstream=True)
            except ResponseError as error:
                if "BUSYGROUP" not in str(error):
                    raise

    async def _receive(self, group: str) -> None:
        event_types, _ = self._groups[group]
        if not event_types:
            await asyncio.Event().wait()
        streams: dict[Any, Any] = {_stream(event_type): ">" for event_type in event_types}
        while True:
            await self._claim_abandoned(group)
            answer: Any = await self._redis.xreadgroup(
                group, self._consumer, streams, count=_READ_COUNT, block=_BLOCK_MS
            )
            entries = answer.items() if isinstance(answer, dict) else answer or []
            for stream, batch in entries:
                await self._handle(group, stream, batch)

    async def _claim_abandoned(self, group: str) -> None:
        for event_type in self._groups[group][0]:
            answer: Any = await self._redis.xautoclaim(
                _stream(event_type), group, self._consumer, min_idle_time=_CLAIM_IDLE_MS, count=_READ_COUNT
            )
            await self._handle(group, _stream(event_type), answer[1])

    async def _handle(self, group: str, stream: Any, batch: Any) -> None:
        _, deliver = self._groups[group]
        flat = batch[0] if batch and isinstance(batch[0], list) else batch
        for entry_id, fields in flat:
            if not fields:
                continue  # trimmed away while it was pending; the outbox still has it
            try:
                envelope = decode(fields[b"envelope"])
            except (KeyError, ValueError, TypeError):
                # No entry of ours: the outbox publishes again whatever was meant. It must not stop the group.
                log.exception("bus_entry_unreadable", group=group, stream=str(stream), entry=str(entry_id))
                await self._redis.xack(stream, group, entry_id)
                continue
            if await deliver_or_log(deliver, group, envelope):
                pipe = self._redis.pipeline(transaction=False)
                pipe.xack(stream, group, entry_id)
                pipe.rpush(_acknowledgements(envelope.source), f"{envelope.event_id} {group}")
                await pipe.execute()
