"""A gateway alone, on a real database, reached over HTTP."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from aiohttp.test_utils import TestClient, TestServer

from services.gateway.face import GatewayService, open_to_public
from services.gateway.service import build
from services.platform.auth import Authenticator, IdentityPort
from services.platform.bus import InProcessBus
from services.platform.clock import FixedClock
from services.platform.context import Ports, ServiceContext
from services.platform.database import Database
from services.platform.http import build_app
from services.platform.outbox import Outbox
from services.platform.runtime import Runtime
from services.platform.settings import Settings

START = datetime(2026, 5, 20, 11, 0, tzinfo=UTC)
HANA = {"email": "Hana@Example.jp", "password": "umi-no-mieru-heya", "name": "はな", "locale": "ja"}


@dataclass(kw_only=True)
class Gateway:
    client: TestClient
    clock: FixedClock
    service: GatewayService
    data_dir: Path
    database: Database

    async def ask(
        self, method: str, path: str, token: str = "", json: Any = None
    ) -> tuple[int, dict[str, Any], Any]:
        """Status, body and headers."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with self.client.request(method, path, json=json, headers=headers) as response:
            body = await response.json(content_type=None) if response.status != 204 else {}
            return response.status, body, response.headers

    async def sign_in(self, email: str, password: str) -> str:
        status, body, _ = await self.ask(
            "POST", "/api/identity/tokens", json={"email": email, "password": password}
        )
        assert status == 201, body
        token: str = body["access_token"]
        return token

    async def register_hana(self) -> str:
        status, body, _ = await self.ask("POST", "/api/identity/travellers", json=HANA)
        assert status == 201, body
        return await self.sign_in(HANA["email"], HANA["password"])

    def admin_token(self) -> str:
        return (self.data_dir / "admin.token").read_text(encoding="utf-8")

    def pass_time(self, delta: timedelta) -> None:
        self.clock.set(self.clock.now() + delta)


def make_context(database_url: str, data_dir: Path, clock: FixedClock, settings: Settings) -> ServiceContext:
    database = Database(database_url, schema="gateway")
    return ServiceContext(
        settings=settings,
        clock=clock,
        database=database,
        outbox=Outbox(database, clock),
        ports=Ports(),
        data_dir=data_dir,
        log=structlog.get_logger(),
    )


@pytest.fixture
async def gateway(database_url: str, tmp_path: Path) -> AsyncIterator[Gateway]:
    clock = FixedClock(START)
    settings = Settings(database_url=database_url, data_dir=tmp_path, rate_per_s=0)
    context = make_context(database_url, tmp_path, clock, settings)
    service = build(context)
    context.ports.offer(IdentityPort, service.ports[IdentityPort])
    authenticator = Authenticator(
        identity=lambda: context.ports.get(IdentityPort), clock=clock, service_secret=""
    )
    app = build_app([service], authenticator)
    open_to_public(app, gateway=service, services=[service], local=[service])
    runtime = Runtime([service], InProcessBus())
    await runtime.start()
    async with TestClient(TestServer(app)) as client:
        yield Gateway(
            client=client, clock=clock, service=service, data_dir=tmp_path, database=context.database
        )
    await runtime.stop()
