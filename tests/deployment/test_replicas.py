"""Several planner processes behind one port: one may be killed at any moment, and nobody is refused."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, suppress
from datetime import datetime
from pathlib import Path

import aiohttp
import psutil
import pytest

from load_tests.planner_house import PlannerHouse, running_planners
from services.demo.city.build import build_city
from services.demo.client import Client
from services.demo.seed import TOKYO
from services.demo.trip import DESTINATION, ORIGIN, evening_departure
from tests.conftest import ROOT

REPLICAS = 2
READY_S_MAX = 120

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def house(database_url: str, redis_url: str, tmp_path: Path) -> Iterator[PlannerHouse]:
    with running_planners(
        tmp_path, database_url=database_url, redis_url=redis_url, process_count=REPLICAS
    ) as started:
        yield started


def is_alive(process: psutil.Process) -> bool:
    """An ended process that nobody has asked after yet is not."""
    with suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


async def publish(house: PlannerHouse, session: aiohttp.ClientSession) -> None:
    """Until the first process has a network; the gateway and feeds are asked for it."""
    deadline = time.monotonic() + READY_S_MAX
    while not await is_ready(session, f"{house.front}/health/ready"):
        assert time.monotonic() < deadline, house.read_output("front")
        await asyncio.sleep(0.1)
    token = await asyncio.to_thread((house.folder / "front" / "admin.token").read_text)
    city = await asyncio.to_thread(build_city, house.folder / "city", around=datetime.now(TOKYO).date())
    admin = Client(session, house.front, token)
    body = {"paths": [str(path) for path in city.paths], "tariffs": str(city.tariffs)}
    assert (await admin.post("/api/networks", body))["published"]


async def is_ready(session: aiohttp.ClientSession, url: str) -> bool:
    with suppress(aiohttp.ClientError, TimeoutError):
        async with session.get(url) as answer:
            return answer.status == 200
    return False


async def plan(house: PlannerHouse) -> tuple[int, int]:
    """Status, and how many journeys; over a connection of its own, so that any replica may answer."""
    at = evening_departure(datetime.now(TOKYO).isoformat())
    asked = {"fromPlace": ORIGIN, "toPlace": DESTINATION, "time": at}
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{house.planner}/api/v6/plan", params=asked) as answer,
    ):
        return answer.status, len((await answer.json()).get("itineraries", ()))


async def until_all_answer(house: PlannerHouse) -> None:
    """Each replica opens the network by itself: so many good answers in a row that both were asked."""
    deadline = time.monotonic() + READY_S_MAX
    in_a_row = 0
    while in_a_row < 20:
        assert time.monotonic() < deadline, house.read_output("planner")
        status, count = await plan(house)
        in_a_row = in_a_row + 1 if status == 200 and count else 0
        await asyncio.sleep(0.05 if in_a_row else 0.5)


async def count_connections(house: PlannerHouse, opened: int) -> list[int]:
    """So many connections are opened and kept; how many of them each replica has."""
    port = int(house.planner.rpartition(":")[2])
    async with AsyncExitStack() as stack:
        for _ in range(opened):
            session = await stack.enter_async_context(aiohttp.ClientSession())
            async with session.get(f"{house.planner}/health/live") as answer:
                await answer.read()
        return [
            sum(
                each.laddr.port == port and each.status == "ESTABLISHED" for each in replica.net_connections()
            )
            for replica in house.list_replicas()
        ]


async def until(condition: Callable[[], bool], said: str) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, said
        await asyncio.sleep(0.1)


async def test_a_killed_replica_is_replaced_and_nobody_is_refused(house: PlannerHouse) -> None:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=120)) as session:
        await publish(house, session)
        await until_all_answer(house)
        before = {each.pid for each in house.list_replicas()}
        assert len(before) == REPLICAS

        assert await count_connections(house, 6) == [3, 3], "each replica has its share"

        killed = min(before)
        os.kill(killed, signal.SIGKILL)
        refused = []
        for _ in range(40):
            try:
                status, _ = await plan(house)
                # A fresh replica that has not opened the network yet says so.
                refused += [] if status in (200, 503) else [status]
            except aiohttp.ClientConnectorError as error:
                refused.append(error)
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                pass  # it was with the one that died
            await asyncio.sleep(0.05)
        assert refused == []
        await until(
            lambda: len({each.pid for each in house.list_replicas()} - {killed}) == REPLICAS, "replaced"
        )
        await until_all_answer(house)

    replicas = house.list_replicas()
    house.running["planner"].send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(house.running["planner"].wait, 40) == 0
    assert not any(is_alive(each) for each in replicas), "all have ended with the first process"


async def test_replicas_end_when_the_first_process_is_killed(house: PlannerHouse) -> None:
    await until(lambda: len(house.list_replicas()) == REPLICAS, "replicas start")
    replicas = house.list_replicas()
    house.running["planner"].kill()
    house.running["planner"].wait()
    await until(lambda: not any(is_alive(each) for each in replicas), "nobody is left on the port")


@pytest.mark.parametrize(
    ("count", "words", "cure"),
    [
        ("2", ["ledger"], "is for: planner"),
        ("2", [], "is for: planner"),
        ("0", ["planner"], "Give a number from 1 to 256"),
        ("many", ["planner"], "Give a number from 1 to 256"),
    ],
)
def test_what_cannot_run_in_several_processes_is_refused(
    tmp_path: Path, count: str, words: list[str], cure: str
) -> None:
    found = subprocess.run(
        [sys.executable, "-m", "services.cli.main", "up", *words],
        env=os.environ | {"MAAS_DATA": str(tmp_path / "data"), "MAAS_PROCESSES": count},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 1
    assert cure in found.stderr
