"""Every endpoint of every service, called as everybody: the table in access.py is what happens."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from services.compose import build_house
from services.platform.access import ACCESS
from services.platform.auth import Authenticator, Role
from services.platform.clock import FixedClock, SimulatedClock
from services.platform.http import build_app
from services.platform.service import Call, Reply, Route
from services.platform.settings import Settings
from tests.services.gateway.conftest import START
from tests.support.house import KeyOfTheTest

# Commands that need no token: who asks has none yet, or proves itself by a signature in the body.
OPEN_COMMANDS = {"registerTraveller", "createToken", "receivePaymentWebhook"}
READING = {"GET", "HEAD"}


@pytest.fixture
async def routes(tmp_path: Path) -> list[Route]:
    """The endpoints of a whole house with its demonstration, built and never started."""
    settings = Settings(database_url="postgresql://nowhere", data_dir=tmp_path)
    house = build_house(settings, SimulatedClock(tmp_path / "clock"), with_demo=True)
    await house.doors.close()
    return [route for service in house.services for route in service.routes]


async def answer(_call: Call) -> Reply:
    return Reply(body=b"{}")


@dataclass
class Door:
    """The same endpoints behind the same door, each answering at once: only who may enter is asked."""

    client: TestClient
    key: KeyOfTheTest

    async def ask(self, route: Route, token: str) -> tuple[int, str]:
        path = "/".join("x" if part.startswith("{") else part for part in route.path.split("/"))
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with self.client.request(route.method, path, headers=headers) as response:
            body = await response.json(content_type=None)
            return response.status, body.get("code", "entered")


@pytest.fixture
async def door(routes: list[Route]) -> AsyncIterator[Door]:
    async def enter(_call: Call) -> Reply:
        return Reply(body=b"{}")

    clock = FixedClock(START)
    open_routes = [
        replace(each, handler=enter, body=None, query=None, path_types={}, response=None, idempotent=False)
        for each in routes
    ]
    service: Any = SimpleNamespace(name="all", routes=open_routes)
    key = KeyOfTheTest(clock)
    authenticator = Authenticator(identity=lambda: key, clock=clock, service_secret="")
    async with TestClient(TestServer(build_app([service], authenticator))) as client:
        yield Door(client, key)


async def test_each_endpoint_lets_in_whom_the_table_names_and_nobody_else(
    routes: list[Route], door: Door
) -> None:
    tokens = {role: door.key.token("somebody", role, "Toei") for role in Role}
    for route in routes:
        allowed = ACCESS[route.operation]
        expected = (200, "entered") if not allowed else (401, "token_missing")
        assert await door.ask(route, "") == expected, route.operation
        if not allowed:
            continue
        assert await door.ask(route, "nonsense") == (401, "token_invalid"), route.operation
        for role in Role:
            expected = (200, "entered") if role in allowed else (403, "forbidden")
            assert await door.ask(route, tokens[role]) == expected, (route.operation, role)


def test_the_table_has_a_row_for_each_operation_and_no_other(routes: list[Route]) -> None:
    operations = [route.operation for route in routes]
    assert len(operations) == len(set(operations)), "an operation is one endpoint"
    assert set(operations) == set(ACCESS)


def test_without_a_token_one_may_read_what_is_public_and_come_in_no_more(routes: list[Route]) -> None:
    commands = {
        route.operation for route in routes if not ACCESS[route.operation] and route.method not in READING
    }
    assert commands <= OPEN_COMMANDS, "a new command without a token needs its reason here"


def test_what_moves_money_or_capacity_asks_for_an_idempotency_key(routes: list[Route]) -> None:
    money = {"placeOrder", "payOrder", "cancelOrder", "bookOnDemandRide"}
    by_operation = {route.operation: route for route in routes}
    assert {name for name in money if not by_operation[name].idempotent} == set()


def test_two_services_never_serve_one_address(routes: list[Route]) -> None:
    addresses = [(route.method, route.path) for route in routes]
    assert len(addresses) == len(set(addresses))
