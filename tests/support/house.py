"""A small house for tests: some services on a real database, with tokens signed by a key of the test's."""

import base64
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import structlog
from aiohttp.test_utils import TestClient, TestServer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.platform.auth import Authenticator, IdentityPort, Principal, Role, VerificationKey, sign_token
from services.platform.bus import InProcessBus
from services.platform.clock import Clock
from services.platform.context import Ports, ServiceContext
from services.platform.database import Database
from services.platform.http import build_app
from services.platform.outbox import Outbox
from services.platform.runtime import Runtime
from services.platform.service import Service
from services.platform.settings import Settings


class KeyOfTheTest:
    """An IdentityPort with one key, and the tokens it signs."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._private = Ed25519PrivateKey.generate()

    async def list_verification_keys(self) -> list[VerificationKey]:
        x = base64.urlsafe_b64encode(self._private.public_key().public_bytes_raw()).rstrip(b"=").decode()
        return [VerificationKey(kid="test", x=x)]

    def token(self, subject: str, role: Role, operator_id: str | None = None) -> str:
        now = self._clock.now()
        return sign_token(
            private_key=self._private,
            kid="test",
            principal=Principal(subject=subject, role=role, operator_id=operator_id),
            issued_at=now,
            expires_at=now + timedelta(days=365),
            token_id=str(uuid4()),
        )


class TestHouse:
    """What `running_house` gives: an HTTP client, tokens, and the services."""

    __test__ = False

    def __init__(self, client: TestClient, key: KeyOfTheTest, services: Mapping[str, Service]) -> None:
        self.client = client
        self.key = key
        self.services = services

    async def call(
        self,
        method: str,
        path: str,
        *,
        subject: str = "alice",
        role: Role = Role.TRAVELLER,
        operator_id: str | None = None,
        body: Any = None,
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        key: str | None = None,
    ) -> tuple[int, Any]:
        """Status and JSON body (or bytes) of a request. `raw` is JSON already."""
        headers = {"Authorization": f"Bearer {self.key.token(subject, role, operator_id)}", **(headers or {})}
        if raw is not None:
            headers["Content-Type"] = "application/json"
        if method == "POST":
            headers["Idempotency-Key"] = key or uuid4().hex
        async with self.client.request(method, path, json=body, data=raw, headers=headers) as response:
            is_json = "json" in response.content_type
            return response.status, await response.json() if is_json else await response.read()


@asynccontextmanager
async def running_house(
    database_url: str,
    builds: Mapping[str, Any],
    *,
    clock: Clock,
    data_dir: Path,
    ports: Mapping[type, object] | None = None,
    settings: Settings | None = None,
) -> AsyncIterator[TestHouse]:
    """Run the services that `builds` (name -> build function) makes; `ports` are doubles of others."""
    registry = Ports()
    key = KeyOfTheTest(clock)
    registry.offer(IdentityPort, key)
    for port, double in (ports or {}).items():
        registry.offer(port, double)
    services: Sequence[Service] = [
        build(
            ServiceContext(
                settings=settings or Settings(data_dir=data_dir),
                clock=clock,
                database=(database := Database(database_url, schema=name)),
                outbox=Outbox(database, clock),
                ports=registry,
                data_dir=data_dir,
                log=structlog.get_logger(),
            )
        )
        for name, build in builds.items()
    ]
    for service in services:
        for port, implementation in service.ports.items():
            registry.offer(port, implementation)
    authenticator = Authenticator(identity=lambda: key, clock=clock, service_secret="")
    runtime = Runtime(services, InProcessBus())
    await runtime.start()
    client = TestClient(TestServer(build_app(services, authenticator)))
    await client.start_server()
    try:
        yield TestHouse(client, key, dict(zip(builds, services, strict=True)))
    finally:
        await client.close()
        await runtime.stop()
