"""Every endpoint says no in the same words, and does a repeated command once."""

import asyncio
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import jsonschema
import pytest
from pydantic import BaseModel, ConfigDict, Field

from services.platform import access
from services.platform.auth import Role
from services.platform.clock import FixedClock, SimulatedClock
from services.platform.context import ServiceContext
from services.platform.errors import SettingsInvalid
from services.platform.openapi import build_openapi
from services.platform.problem import Problem
from services.platform.service import Call, Route, Service
from services.platform.settings import Settings
from tests.support.house import TestHouse, running_house

NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
TERMINATE_WAITING = (
    "select pg_terminate_backend(pid) from pg_stat_activity"
    " where application_name = 'maas-till' and wait_event_type = 'Lock'"
)


class Deposit(BaseModel):
    model_config = ConfigDict(extra="forbid")
    amount: int = Field(gt=0, le=1000)
    note: str = Field(default="", max_length=20)


class Kept(BaseModel):
    total: int
    command: UUID


class Till:
    """A service with one of everything: a public endpoint, a private one, a command, a failure."""

    def __init__(self) -> None:
        self.total = 0
        self.wait = asyncio.Event()
        self.wait.set()
        self.fail = ""

    async def deposit(self, call: Call) -> Kept:
        await self.wait.wait()
        if self.fail == "crash":
            self.fail = ""
            raise RuntimeError("the disk is on fire")
        if self.fail:
            raise Problem(self.fail, detail="No.")
        self.total += call.body.amount
        return Kept(total=self.total, command=call.command_id)

    async def read(self, call: Call) -> Kept:
        return Kept(total=self.total, command=call.path["item_id"])


def build_till(till: Till) -> Any:
    def build(context: ServiceContext) -> Service:
        return Service(
            name="till",
            context=context,
            migrations=Path("/nonexistent"),
            routes=[
                Route(
                    method="POST",
                    path="/api/deposits",
                    operation="testDeposit",
                    handler=till.deposit,
                    summary="Deposit",
                    tag="till",
                    body=Deposit,
                    response=Kept,
                    status=201,
                    idempotent=True,
                    problems=("conflict",),
                ),
                Route(
                    method="GET",
                    path="/api/items/{item_id}",
                    operation="testRead",
                    handler=till.read,
                    summary="Read",
                    tag="till",
                    path_types={"item_id": UUID},
                    response=Kept,
                ),
            ],
        )

    return build


class Counter:
    def __init__(self, house: TestHouse, till: Till) -> None:
        self.house = house
        self.till = till

    async def deposit(self, body: Any = None, key: str | None = None, **who: Any) -> tuple[int, Any]:
        return await self.house.call("POST", "/api/deposits", body=body or {"amount": 5}, key=key, **who)


@pytest.fixture
async def counter(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Counter]:
    monkeypatch.setitem(access.ACCESS, "testDeposit", access.TRAVELLER)
    monkeypatch.setitem(access.ACCESS, "testRead", access.PUBLIC)
    till = Till()
    async with running_house(
        database_url, {"till": build_till(till)}, clock=FixedClock(NOW), data_dir=tmp_path
    ) as house:
        yield Counter(house, till)


async def test_a_repeated_command_is_done_once(counter: Counter) -> None:
    first = await counter.deposit(key="k1")
    again = await counter.deposit(key="k1")
    other = await counter.deposit(key="k2")
    assert first == again
    assert (first[0], first[1]["total"], other[1]["total"]) == (201, 5, 10)
    assert first[1]["command"] != other[1]["command"]


async def test_two_people_may_choose_the_same_key(counter: Counter) -> None:
    _, alice = await counter.deposit(key="k", subject="alice")
    _, bob = await counter.deposit(key="k", subject="bob")
    assert (alice["total"], bob["total"]) == (5, 10)


async def test_a_key_belongs_to_one_request(counter: Counter) -> None:
    await counter.deposit(key="k")
    status, problem = await counter.deposit({"amount": 6}, key="k")
    assert (status, problem["code"], counter.till.total) == (422, "idempotency_key_reused", 5)


async def test_a_second_try_while_the_first_runs_is_told_so(counter: Counter) -> None:
    counter.till.wait.clear()
    first = asyncio.create_task(counter.deposit(key="k"))
    await asyncio.sleep(0.3)
    status, problem = await counter.deposit(key="k")
    counter.till.wait.set()
    assert (status, problem["code"]) == (409, "idempotency_in_progress")
    assert (await first)[0] == 201
    assert counter.till.total == 5


async def test_a_refusal_is_an_answer_and_a_crash_is_not(counter: Counter) -> None:
    counter.till.fail = "conflict"
    refused = await counter.deposit(key="refused")
    counter.till.fail = ""
    assert await counter.deposit(key="refused") == refused
    counter.till.fail = "crash"
    status, problem = await counter.deposit(key="crashed")
    assert (status, problem["code"]) == (500, "internal_error")
    assert "disk" not in str(problem), "what broke is in the log, not in the answer"
    assert (await counter.deposit(key="crashed"))[0] == 201


async def test_a_database_that_went_away_is_told_as_such_and_the_command_is_done_once(
    counter: Counter, database_url: str
) -> None:
    await counter.deposit(key="before")
    other = await asyncpg.connect(database_url)
    try:
        async with other.transaction():
            await other.execute("lock table till.idempotency in access exclusive mode")
            cut_off = asyncio.create_task(counter.deposit(key="cut off"))
            for _ in range(500):
                if await other.fetchval(TERMINATE_WAITING):
                    break
                await asyncio.sleep(0.02)
            status, problem = await cut_off
    finally:
        await other.close()
    assert (status, problem["code"]) == (503, "service_unavailable")
    assert "Send the same request again" in problem["detail"]
    assert (await counter.deposit(key="cut off"))[0] == 201
    assert counter.till.total == 10


async def test_concurrent_repeats_deposit_once(counter: Counter) -> None:
    answers = await asyncio.gather(*(counter.deposit(key="k") for _ in range(20)))
    assert counter.till.total == 5
    assert {status for status, _ in answers} <= {201, 409}


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"json": {"amount": 0}}, 422, "validation_failed"),
        ({"json": {"amount": 5, "surprise": 1}}, 422, "validation_failed"),
        ({"json": {"amount": 5, "note": "a\x00b"}}, 422, "validation_failed"),
        ({"data": b"{", "headers": {"Content-Type": "application/json"}}, 400, "malformed_request"),
        (
            {"data": b'{"amount": NaN}', "headers": {"Content-Type": "application/json"}},
            400,
            "malformed_request",
        ),
        ({"data": b"amount=5", "headers": {"Content-Type": "text/plain"}}, 415, "unsupported_media_type"),
        (
            {"data": io.BytesIO(b" " * 2_000_000), "headers": {"Content-Type": "application/json"}},
            413,
            "body_too_large",
        ),
        ({"json": {"amount": 5}, "headers": {"Idempotency-Key": ""}}, 400, "idempotency_key_required"),
        ({"json": {"amount": 5}, "headers": {"Authorization": ""}}, 401, "token_missing"),
        ({"json": {"amount": 5}, "headers": {"Authorization": "Bearer x.y.z"}}, 401, "token_invalid"),
        ({"json": {"amount": 5}, "method": "DELETE"}, 405, "method_not_allowed"),
        ({"json": {"amount": 5}, "path": "/api/nowhere"}, 404, "not_found"),
        ({"method": "GET", "path": "/api/items/seven"}, 422, "validation_failed"),
        ({"method": "GET", "path": "/api/items/%00"}, 422, "validation_failed"),
    ],
)
async def test_every_no_has_its_code(
    counter: Counter, change: dict[str, Any], status: int, code: str
) -> None:
    token = counter.house.key.token("alice", Role.TRAVELLER)
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "k", **change.pop("headers", {})}
    method, path = change.pop("method", "POST"), change.pop("path", "/api/deposits")
    async with counter.house.client.request(method, path, headers=headers, **change) as response:
        problem = await response.json()
        assert (response.status, problem["code"]) == (status, code)
        assert response.content_type == "application/problem+json"
        assert response.headers["X-Request-Id"] == problem["request_id"]
        assert counter.till.total == 0


async def test_the_wrong_role_is_forbidden(counter: Counter) -> None:
    status, problem = await counter.deposit(role=Role.ANALYST)
    assert (status, problem["code"]) == (403, "forbidden")
    assert "traveller" in problem["detail"]


async def test_an_expired_token_is_refused(counter: Counter) -> None:
    token = counter.house.key.token("alice", Role.TRAVELLER)
    clock = counter.house.services["till"].context.clock
    assert isinstance(clock, FixedClock)
    clock.set(datetime(2028, 1, 1, tzinfo=UTC))
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "k"}
    async with counter.house.client.post("/api/deposits", json={"amount": 1}, headers=headers) as response:
        assert (response.status, (await response.json())["code"]) == (401, "token_invalid")


async def test_health_and_metrics(counter: Counter) -> None:
    client = counter.house.client
    assert (await (await client.get("/health/live")).json()) == {"status": "live"}
    ready = await (await client.get("/health/ready")).json()
    assert ready == {"status": "ready", "services": {"till": "ready"}}
    await counter.house.services["till"].context.database.close()
    async with client.get("/health/ready") as response:
        assert response.status == 503
    metrics = await (await client.get("/metrics")).text()
    assert 'maas_http_request_seconds_count{operation="none"' in metrics


async def test_the_document_says_what_the_endpoint_does(counter: Counter) -> None:
    document = build_openapi(list(counter.house.services.values()), version="1")
    operation = document["paths"]["/api/deposits"]["post"]
    assert set(operation["responses"]) >= {"201", "400", "401", "403", "409", "413", "415", "422"}
    assert operation["security"] == [{"bearer": []}]
    assert document["paths"]["/api/items/{item_id}"]["get"]["parameters"][0]["schema"]["format"] == "uuid"
    schema = document["components"]["schemas"]["Problem"]
    _, problem = await counter.deposit({"amount": -1})
    jsonschema.validate(problem, schema)


def test_the_simulated_clock_never_goes_back(tmp_path: Path) -> None:
    clock = SimulatedClock(tmp_path / "clock")
    ahead = datetime(2040, 1, 1, tzinfo=UTC)
    assert clock.advance_to(ahead) >= ahead
    assert clock.advance_to(NOW) >= ahead
    assert SimulatedClock(tmp_path / "clock").now() >= ahead


@pytest.mark.parametrize(
    "environ",
    [
        {"MAAS_PORT": "eighty"},
        {"MAAS_PORT": "70000"},
        {"MAAS_SERVICE_URLS": "ledger"},
        {"MAAS_SERVICE_URLS": "[]"},
    ],
)
def test_a_bad_setting_names_its_variable(environ: dict[str, str]) -> None:
    with pytest.raises(SettingsInvalid, match=next(iter(environ))):
        Settings.from_environment(environ)
