"""The containers' commands as processes of this machine, over a real PostgreSQL and a real Redis."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import aiohttp
import orjson
import pytest

from services.demo.city.build import build_city
from services.demo.client import Client
from services.demo.seed import TOKYO, put_operators
from services.demo.trip import DESTINATION, ORIGIN, evening_departure
from services.platform.embedded.ports import pick_free_port
from tests.conftest import ROOT
from tests.support.compose_file import list_our_services

# Eleven interpreters start at once on two cores.
READY_S_MAX = 150
STOP_S_MAX = 40
EVENT_S_MAX = 30


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


async def buy_a_trip(hana: Client, admin: Client) -> None:
    """Plan, offer, order, pay, ticket: six services ask one another over HTTP and tell over Redis."""
    at = evening_departure(datetime.now(TOKYO).isoformat())
    plan = await hana.get("/api/v6/plan", fromPlace=ORIGIN, toPlace=DESTINATION, time=at)
    itinerary = plan["itineraries"][0]
    assert any(leg["mode"] == "FERRY" for leg in itinerary["legs"])
    offer = await hana.post("/api/offers", {"journey_id": itinerary["journeyId"], "riders": ["adult"]})
    assert offer["total"] == next(
        each["total"]
        for each in itinerary["prices"]
        if (each["rider"], each["medium"]) == ("adult", "ticket")
    )
    order = await hana.post("/api/orders", {"offer_id": offer["offer_id"], "passengers": ["Hana"]})
    paid = await hana.post(f"/api/orders/{order['order_id']}/payments", {"payment_method": "pm_card_visa"})
    assert (paid["state"], paid["total"]) == ("confirmed", offer["total"])

    deadline = time.monotonic() + EVENT_S_MAX
    while not (tickets := (await hana.get("/api/tickets", order_id=order["order_id"]))["tickets"]):
        assert time.monotonic() < deadline, "the ticket is issued when the order's news has arrived"
        await asyncio.sleep(0.1)
    assert tickets[0]["payload"]

    trial = await admin.get("/api/ledger/trial-balance")
    assert trial["debits_posted"] == trial["credits_posted"]
    unearned = next(each for each in trial["balances"] if each["account_id"] == "platform:unearned_fares")
    assert unearned["credits_posted"] == offer["total"]["amount_minor"]


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_eleven_processes_are_one_house(processes: Processes) -> None:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=120)) as session:
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

        # An administrator loads a city; feeds tells planner over Redis, planner maps the file it wrote.
        admin_token = await asyncio.to_thread((processes.folder / "gateway" / "admin.token").read_text)
        admin = Client(session, front, admin_token)
        city = await asyncio.to_thread(
            build_city, processes.folder / "city", around=datetime.now(TOKYO).date()
        )
        report = await admin.post(
            "/api/networks", {"paths": [str(path) for path in city.paths], "tariffs": str(city.tariffs)}
        )
        assert report["published"]
        await wait_ready(processes, session, with_network=True)
        await put_operators(admin)
        await buy_a_trip(Client(session, front, token), admin)

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
