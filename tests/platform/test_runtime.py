"""A process starts its services in order, keeps their workers alive, and stops the other way round."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from services.platform import runtime
from services.platform.bus import InProcessBus
from services.platform.clock import SystemClock
from services.platform.context import Ports, ServiceContext
from services.platform.database import Database
from services.platform.outbox import Outbox, Subscription
from services.platform.runtime import Runtime
from services.platform.service import Service
from services.platform.settings import Settings
from tests.support.event_streams import eventually, search


def build(name: str, database_url: str, folder: Path, diary: list[str]) -> Service:
    database = Database(database_url, schema=name)
    context = ServiceContext(
        settings=Settings(),
        clock=SystemClock(),
        database=database,
        outbox=Outbox(database, SystemClock()),
        ports=Ports(),
        data_dir=folder,
        log=None,
    )

    async def start() -> None:
        assert await database.fetchval("select count(*) from outbox") == 0  # migrated and open
        diary.append(f"start {name}")

    async def stop() -> None:
        assert await database.fetchval("select 1") == 1  # still open
        diary.append(f"stop {name}")

    return Service(name=name, context=context, migrations=folder, on_start=[start], on_stop=[stop])


async def test_services_start_in_order_and_stop_in_the_other(database_url: str, tmp_path: Path) -> None:
    diary: list[str] = []
    services = [build(name, database_url, tmp_path, diary) for name in ("one", "two")]
    house = Runtime(services, InProcessBus())
    await house.start()
    await house.stop()
    assert diary == ["start one", "start two", "stop two", "stop one"]


async def test_a_worker_that_fails_or_ends_is_started_again(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "_RESTART_PAUSE_S", 0.01)
    service = build("one", database_url, tmp_path, [])
    runs = 0

    async def worker() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise RuntimeError("once")
        if runs > 2:
            await asyncio.Event().wait()

    service.workers = [worker]
    house = Runtime([service], InProcessBus())
    await house.start()

    async def ran_thrice() -> bool:
        return runs == 3

    await eventually(ran_thrice)
    await house.stop()


async def test_an_event_of_one_service_takes_effect_in_another(database_url: str, tmp_path: Path) -> None:
    one, two = (build(name, database_url, tmp_path, []) for name in ("one", "demand"))
    heard: list[Any] = []

    async def hear(_tx: Any, event: Any, _envelope: Any) -> None:
        heard.append(event)

    two.subscriptions = [Subscription(type(search(1)), hear)]
    house = Runtime([one, two], InProcessBus())
    await house.start()
    async with one.context.database.transaction() as tx:
        await one.context.outbox.append(tx, search(1), search(2))

    async def is_done() -> bool:
        waiting = "select count(*) from outbox where published_at is null or waiting_for <> '{}'"
        return len(heard) >= 2 and await one.context.database.fetchval(waiting) == 0

    await eventually(is_done)
    await house.stop()
    assert heard == [search(1), search(2)]
