"""A stand-in in this process, and the provider's own SDK to talk to it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import stripe
from aiohttp import web

from services.payments.stand_in.book import Book
from services.payments.stand_in.control import build_app
from services.payments.stand_in.server import STAND_IN, StandIn
from services.platform.clock import SystemClock

API_KEY = "sk_test_for_tests"


@dataclass
class RunningStandIn:
    """A stand-in on a loopback port of this process."""

    url: str
    inner: StandIn
    client: stripe.StripeClient
    session: aiohttp.ClientSession
    runner: web.AppRunner = field(repr=False)

    async def control(self, path: str, /, **body: Any) -> Any:
        async with self.session.post(f"{self.url}/_control/{path}", json=body) as response:
            assert response.status == 200, await response.text()
            return await response.json()


async def start_stand_in(path: Path) -> RunningStandIn:
    app = build_app(book=Book(path, durable=False), clock=SystemClock(), base_url="", api_key=API_KEY)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    app[STAND_IN].base_url = url
    session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5))
    client = stripe.StripeClient(
        API_KEY,
        base_addresses={"api": url},
        http_client=stripe.AIOHTTPClient(session=session, timeout=aiohttp.ClientTimeout(total=1)),
    )
    return RunningStandIn(url=url, inner=app[STAND_IN], client=client, session=session, runner=runner)


async def stop_stand_in(running: RunningStandIn) -> None:
    await running.session.close()
    await running.runner.cleanup()
