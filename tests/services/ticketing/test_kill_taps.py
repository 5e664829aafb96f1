"""kill -9 of whatever is running while gates send: every tap that was acknowledged is there, exactly once."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import aiohttp
import asyncpg
import psutil
import pytest

from load_tests.taps_load import BATCH_TAPS, Batch, House, Workload, open_session
from services.platform.embedded.postgres import find_pid_file, find_running_url
from tests.conftest import ROOT
from tests.support.city import free_port

BATCHES = 160
GATES_AT_ONCE = 6
KILLED_AFTER = (25, 70, 115)
START_S_MAX = 90

pytestmark = [pytest.mark.timeout(400), pytest.mark.slow]


class KillableHouse:
    """`maas up` over one folder and port, started again as often as it is killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.process = self._launch()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _launch(self) -> "subprocess.Popen[bytes]":
        environment = {"MAAS_DATA": str(self.folder), "MAAS_PORT": str(self.port), "MAAS_RATE_PER_S": "0"}
        with self.folder.with_suffix(".out").open("ab") as stream:
            return subprocess.Popen(
                [sys.executable, "-m", "services.cli.main", "up"],
                cwd=ROOT,
                env=os.environ | environment,
                stdout=stream,
                stderr=subprocess.STDOUT,
            )

    async def wait(self) -> None:
        """Until it answers."""
        deadline = time.monotonic() + START_S_MAX
        async with aiohttp.ClientSession() as session:
            while True:
                with suppress(aiohttp.ClientError, OSError):
                    async with session.get(f"{self.url}/health/ready") as answer:
                        if (await answer.json())["services"].get("ticketing") == "ready":
                            return
                assert time.monotonic() < deadline, self.folder.with_suffix(".out").read_text()
                await asyncio.sleep(0.05)

    def find_postgres(self) -> psutil.Process:
        """The server's own process. A house that was killed leaves it to the next: it is nobody's child."""
        found = find_pid_file(self.folder / "postgres" / "cluster")
        assert found is not None, "the server runs"
        return psutil.Process(found.pid)

    def find_database_url(self) -> str:
        url = find_running_url(self.folder / "postgres")
        assert url is not None, "the server runs"
        return url

    async def kill_a_backend(self) -> None:
        """One that stores taps, in the middle of it: PostgreSQL throws all its sessions out and recovers."""
        connection = await asyncpg.connect(self.find_database_url())
        try:
            found = await connection.fetchval(
                "select pid from pg_stat_activity where application_name = 'maas-ticketing'"
                " order by state = 'idle', query_start desc limit 1"
            )
        finally:
            await connection.close()
        os.kill(found, signal.SIGKILL)

    async def kill_itself(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process = self._launch()
        await self.wait()

    async def kill_all(self) -> None:
        """The database's own process, then the house that lost it."""
        self.find_postgres().kill()
        await asyncio.sleep(0.3)
        await self.kill_itself()

    def end(self) -> None:
        for each in psutil.Process(self.process.pid).children():
            each.kill()
        self.process.kill()
        self.process.wait()
        with suppress(psutil.NoSuchProcess, AssertionError):
            self.find_postgres().kill()


@pytest.fixture
async def house(server_folder: Path) -> AsyncIterator[KillableHouse]:
    folder = server_folder / "taps"
    folder.mkdir(mode=0o711)
    opened = KillableHouse(folder / "house")
    try:
        await opened.wait()
        yield opened
    finally:
        opened.end()


async def send_until_acknowledged(
    house: House, session: aiohttp.ClientSession, batch: Batch, said: list[tuple[str, int]]
) -> None:
    """As a gate does: again and again, the same bytes, until somebody has them."""
    while True:
        with suppress(aiohttp.ClientError, TimeoutError, OSError):
            status = await house.send(session, batch)
            if status == 200:
                said.append((batch.device_id, batch.first))
                return
            # The house knows what has happened to it, and says what to do.
            assert status == 503, f"a genuine batch was answered {status}"
        await asyncio.sleep(0.05)


async def test_no_acknowledged_tap_is_lost_whatever_is_killed(house: KillableHouse) -> None:
    chance = random.Random(int(os.environ.get("MAAS_SEED", "1")))
    gate = House(house.url, house.folder)
    workload = Workload(1, gate.read_ticket_key(), run="kill")
    said: list[tuple[str, int]] = []
    moments = [asyncio.Event() for _ in KILLED_AFTER]
    async with open_session() as session:
        await gate.register(session, workload)
        batches = list(workload.batches(BATCHES))
        waiting: Iterator[Batch] = iter(batches)

        async def run_gate() -> None:
            for batch in waiting:
                await send_until_acknowledged(gate, session, batch, said)
                if len(said) in KILLED_AFTER:
                    moments[KILLED_AFTER.index(len(said))].set()
                if chance.random() < 0.1:  # the answer was lost on the way: it is sent again
                    await send_until_acknowledged(gate, session, batch, [])

        async def kill_in_turn() -> None:
            kills = (house.kill_a_backend, house.kill_itself, house.kill_all)
            for kill, moment in zip(kills, moments, strict=True):
                await moment.wait()
                await kill()

        await asyncio.gather(kill_in_turn(), *(run_gate() for _ in range(GATES_AT_ONCE)))
    assert sorted(said) == sorted((batch.device_id, batch.first) for batch in batches)
    connection = await asyncpg.connect(house.find_database_url())
    try:
        rows = await connection.fetch("select device_id, sequence from ticketing.tap")
    finally:
        await connection.close()
    expected = sorted((device_id, first + place) for device_id, first in said for place in range(BATCH_TAPS))
    # As many rows as taps: none is lost, none is there twice, none that nobody sent.
    assert sorted((row["device_id"], row["sequence"]) for row in rows) == expected
