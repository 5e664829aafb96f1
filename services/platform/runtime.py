"""Start and stop the services of a process in the right order.

Order     migrate -> open databases -> on_start -> bus -> relays -> workers; stopping goes the other way. A
          worker that ends or raises is logged and started again: nothing here depends on it never failing.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import structlog

from services.platform.bus import Bus, Envelope
from services.platform.migrations import migrate
from services.platform.outbox import Relay, queries, receive
from services.platform.service import Service, Step
from services.platform.tasks import end_tasks
from services.platform.telemetry import EVENTS_RECEIVED

log = structlog.get_logger()

_RESTART_PAUSE_S = 1.0
_HOUSEKEEPING_S = 60.0
_KEEP = timedelta(days=14)


class Runtime:
    """The running part of a process."""

    def __init__(self, services: Sequence[Service], bus: Bus) -> None:
        self._services = services
        self._bus = bus
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Bring everything up; raises what the first failing step raises, after stopping the rest."""
        for service in self._services:
            database = service.context.database
            await migrate(database.url, schema=database.schema, folder=service.migrations)
            await database.open()
        for service in self._services:
            self._subscribe(service)
            for step in service.on_start:
                await step()
        await self._bus.start()
        for service in self._services:
            relay = Relay(service.context.outbox, service.context.database, self._bus)
            self._spawn(f"{service.name}-relay", relay.run)
            self._spawn(f"{service.name}-housekeeping", _housekeeping(service, relay))
            for worker in service.workers:
                self._spawn(f"{service.name}-{worker.__name__}", worker)

    async def stop(self) -> None:
        """Stop workers and relays, then the bus, then the services, then their databases."""
        await end_tasks(self._tasks)
        self._tasks = []
        await self._bus.stop()
        for service in reversed(self._services):
            for step in service.on_stop:
                await step()
        # Side by side: each may wait some seconds for what still runs, and there are a dozen of them.
        await asyncio.gather(*(service.context.database.close() for service in self._services))

    def _subscribe(self, service: Service) -> None:
        if not service.subscriptions:
            return
        by_type = {each.event.__name__: each for each in service.subscriptions}
        database = service.context.database

        async def deliver(envelope: Envelope) -> None:
            EVENTS_RECEIVED.labels(group=service.name, event_type=envelope.event_type).inc()
            await receive(database, by_type, envelope)

        self._bus.subscribe(group=service.name, event_types=tuple(by_type), deliver=deliver)

    def _spawn(self, name: str, worker: Step) -> None:
        self._tasks.append(asyncio.create_task(_keep_running(name, worker), name=name))


async def _keep_running(name: str, worker: Step) -> None:
    while True:
        try:
            await worker()
            log.warning("worker_ended", worker=name)
        except Exception:
            log.exception("worker_failed", worker=name)
        await asyncio.sleep(_RESTART_PAUSE_S)


def _housekeeping(service: Service, relay: Relay) -> Step:
    async def housekeeping() -> None:
        database = service.context.database
        while True:
            await asyncio.sleep(_HOUSEKEEPING_S)
            await relay.report_age()
            oldest = await database.fetchval("select clock_timestamp() - $1::interval", _KEEP)
            await database.execute(queries["forget_old"], oldest)

    return housekeeping
