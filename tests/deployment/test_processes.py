"""The containers' commands as processes of this machine, over a real PostgreSQL and a real Redis."""

import asyncio
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import orjson
import pytest

from gtfs.literal import literal_contents
from services.platform.embedded.ports import pick_free_port
from tests.conftest import ROOT
from tests.support.compose_file import list_our_services

# Eleven interpreters start at once on two cores.
READY_S_MAX = 150
CITY = """
    agency Toei name="東京都交通局"
    route Oedo subway agency=Toei
    stops Tochomae Nakai
    t1    08:00    08:10
"""
STOP_S_MAX = 40


@dataclass(kw_only=True)
class Processes:
    urls: dict[str, str]
    running: dict[str, subprocess.Popen[bytes]]
    folder: Path

    def log_of(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")[-4000:]


@pytest.fixture
def processes(database_url: str, redis_url: str, tmp_path: Path) -> Iterator[Processes]:
    services = list_our_services()
    urls = {name: f"http://127.0.0.1:{pick_free_port()}" for name in services}
    started = Processes(urls=urls, running={}, folder=tmp_path)
    for name, service in services.items():
        program, *arguments = service["command"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MAAS_")}
        environment |= {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "MAAS_DATA": str(tmp_path / name),
            "MAAS_HOST": "127.0.0.1",
            "MAAS_PORT": urls[name].rpartition(":")[2],
            "MAAS_SERVICE_SECRET": "the-secret-of-this-house",
            "MAAS_SERVICE_URLS": orjson.dumps(urls).decode(),
        }
        with (tmp_path / f"{name}.log").open("wb") as log:
            started.running[name] = subprocess.Popen(
                [Path(sys.executable).with_name(program), *arguments],
                env=environment,
                cwd=ROOT,
                stdout=log,
                stderr=log,
            )
    yield started
    for process in started.running.values():
        process.kill()
        process.wait()


def write_feed(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in literal_contents(CITY).items():
            archive.writestr(name, content)


async def wait_ready(processes: Processes, session: aiohttp.ClientSession, *, with_network: bool) -> None:
    deadline = time.monotonic() + READY_S_MAX
    waiting = dict(processes.urls)
    while waiting:
        for name, url in list(waiting.items()):
            assert processes.running[name].poll() is None, f"{name} ended:\n{processes.log_of(name)}"
            with suppress(aiohttp.ClientError, TimeoutError):
                async with session.get(f"{url}/health/ready") as answer:
                    if answer.status == 200 or (name == "planner" and not with_network):
                        del waiting[name]
        assert time.monotonic() < deadline, {name: processes.log_of(name) for name in waiting}
        await asyncio.sleep(0.3)


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_eleven_processes_are_one_house(processes: Processes) -> None:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        await wait_ready(processes, session, with_network=False)
        front = processes.urls["gateway"]

        # Every service's endpoints are reached at the gateway's address.
        async with session.get(f"{front}/api/openapi.json") as answer:
            paths = (await answer.json())["paths"]
        hana = {"email": "hana@example.jp", "password": "umi-no-mieru-heya"}
        async with session.post(f"{front}/api/identity/travellers", json=hana | {"name": "Hana"}) as answer:
            assert answer.status == 201, await answer.text()
        async with session.post(f"{front}/api/identity/tokens", json=hana) as answer:
            token = (await answer.json())["access_token"]
        headers = {"Authorization": f"Bearer {token}"}

        # Sales runs elsewhere: it verifies the token with keys it asks of the gateway, over HTTP.
        assert "/api/orders" in paths
        async with session.get(f"{front}/api/orders", headers=headers) as answer:
            assert answer.status == 200, await answer.text()
        async with session.get(f"{front}/api/orders") as answer:
            assert answer.status == 401

        # An administrator loads a feed; feeds tells planner over Redis, planner maps the file it wrote.
        feed = processes.folder / "city.zip"
        await asyncio.to_thread(write_feed, feed)
        admin = await asyncio.to_thread((processes.folder / "gateway" / "admin.token").read_text)
        async with session.post(
            f"{front}/api/networks",
            json={"paths": [str(feed)]},
            headers={"Authorization": f"Bearer {admin}"},
        ) as answer:
            assert answer.status == 201, await answer.text()
        await wait_ready(processes, session, with_network=True)
        async with session.get(
            f"{front}/api/v6/plan",
            params={
                "fromPlace": "city:Tochomae",
                "toPlace": "city:Nakai",
                "time": "2026-05-20T07:30:00+09:00",
            },
        ) as answer:
            assert answer.status == 200, await answer.text()
            itineraries = (await answer.json())["itineraries"]
        assert itineraries[0]["startTime"] == "2026-05-20T08:00:00+09:00"

        # The house's own questions are not for the outside.
        async with session.post(
            f"{processes.urls['ledger']}/internal/LedgerPort/get_trial_balance", headers=headers, data=b"{}"
        ) as answer:
            assert answer.status == 403

        # One service dies: what it does is away, and the rest goes on.
        processes.running["sales"].kill()
        processes.running["sales"].wait()
        async with session.get(f"{front}/api/orders", headers=headers) as answer:
            assert (answer.status, (await answer.json(content_type=None))["code"]) == (
                503,
                "service_unavailable",
            )
        async with session.get(f"{front}/api/identity/me", headers=headers) as answer:
            assert answer.status == 200

    alive = {name: process for name, process in processes.running.items() if name != "sales"}
    for process in alive.values():
        process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + STOP_S_MAX
    for name, process in alive.items():
        code = await asyncio.to_thread(process.wait, max(0.1, deadline - time.monotonic()))
        assert code == 0, f"{name}:\n{processes.log_of(name)}"
