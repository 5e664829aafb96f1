"""The gateway before another process: a real server behind, a real socket between."""

import asyncio
import socket
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer, unused_port
from yarl import URL

from services.gateway.proxy import Proxy
from services.platform.http import build_app
from services.platform.service import Call, Route, Service


async def never(_call: Call) -> None:
    raise AssertionError("the endpoint is served elsewhere")


def route(method: str, path: str) -> Route:
    return Route(method=method, path=path, operation="op", handler=never, summary="", tag="")


ROUTES = [
    route("POST", "/api/echo/{name}"),
    route("GET", "/api/slow"),
    route("GET", "/api/cut"),
    route("GET", "/api/nonsense"),
    route("DELETE", "/api/empty"),
    route("GET", "/api/moved"),
]


async def echo(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(
        headers={
            "X-Path": request.raw_path,
            "Keep-Alive": "timeout=5",
            "X-Private": "1",
            "Connection": "X-Private",
        }
    )
    for name in request.headers:
        response.headers.add("X-Seen", name)
    response.headers["X-Seen-Request-Id"] = request.headers["X-Request-Id"]
    response.headers["X-Seen-For"] = request.headers["X-Forwarded-For"]
    await response.prepare(request)
    async for chunk in request.content.iter_any():
        await response.write(chunk)
    return response


async def slow(_request: web.Request) -> web.Response:
    await asyncio.sleep(2)
    return web.Response()


async def cut(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b"half")
    assert request.transport is not None
    request.transport.close()
    return response


async def nonsense(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.write(b"this is not HTTP\r\n\r\n")
    request.transport.close()
    return web.Response()


async def empty(_request: web.Request) -> web.Response:
    return web.Response(status=204)


async def moved(_request: web.Request) -> web.Response:
    return web.Response(status=307, headers={"Location": "http://elsewhere.invalid/"})


def front(addresses: dict[str, str]) -> web.Application:
    app = build_app([], None)  # type: ignore[arg-type]  # nothing local needs a caller
    service: Any = SimpleNamespace(name="behind", routes=ROUTES)
    services: list[Service] = [service]
    Proxy(addresses, silence_s_max=0.5).add_to(app, services)
    return app


@pytest.fixture
async def client() -> AsyncIterator[TestClient]:
    behind = web.Application(client_max_size=1 << 30)
    behind.router.add_post("/api/echo/{name}", echo)
    behind.router.add_get("/api/slow", slow)
    behind.router.add_get("/api/cut", cut)
    behind.router.add_get("/api/nonsense", nonsense)
    behind.router.add_delete("/api/empty", empty)
    behind.router.add_get("/api/moved", moved)
    async with TestServer(behind) as server:
        address = str(server.make_url("/")).rstrip("/")
        async with TestClient(TestServer(front({"behind": address}))) as client:
            yield client


async def test_a_request_arrives_as_it_was_sent_and_the_answer_too(client: TestClient) -> None:
    # Marked as encoded, or the client would tidy the address itself.
    address = URL(str(client.make_url("/")) + "api/echo/%E9%83%BD%E5%BA%81?a=1&b=%2F", encoded=True)
    answer = await client.session.post(
        address,
        data=b"\x00\xff body",
        headers={"Authorization": "Bearer t", "X-Request-Id": "abc", "Connection": "X-Hop", "X-Hop": "1"},
    )
    assert answer.status == 200
    assert await answer.read() == b"\x00\xff body"
    assert answer.headers["X-Path"] == "/api/echo/%E9%83%BD%E5%BA%81?a=1&b=%2F"
    assert answer.headers["X-Request-Id"] == answer.headers["X-Seen-Request-Id"] == "abc"
    assert answer.headers["X-Seen-For"] == "127.0.0.1"
    seen = {name.lower() for name in answer.headers.getall("X-Seen")}
    assert "authorization" in seen
    assert "x-hop" not in seen
    assert "X-Private" not in answer.headers


async def test_bodies_stream_without_being_kept(client: TestClient) -> None:
    """Ten megabytes in, ten out: beyond what a service of ours reads at once."""

    async def chunks() -> AsyncIterator[bytes]:
        for number in range(160):
            yield bytes([number]) * 65_536

    answer = await client.post("/api/echo/large", data=chunks())
    received = await answer.read()
    assert len(received) == 160 * 65_536
    assert received[-1] == 159


async def test_an_empty_answer_and_a_redirect_pass_as_they_are(client: TestClient) -> None:
    assert (await client.delete("/api/empty")).status == 204
    answer = await client.get("/api/moved", allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (307, "http://elsewhere.invalid/")


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [("/api/slow", 504, "gateway_timeout"), ("/api/nonsense", 502, "bad_gateway")],
)
async def test_trouble_behind_is_told_as_a_problem(
    client: TestClient, path: str, status: int, code: str
) -> None:
    answer = await client.get(path)
    problem = await answer.json(content_type="application/problem+json")
    assert (answer.status, problem["code"]) == (status, code)
    assert problem["request_id"] == answer.headers["X-Request-Id"]


async def test_an_answer_that_breaks_off_never_looks_whole(client: TestClient) -> None:
    answer = await client.get("/api/cut")
    with pytest.raises(aiohttp.ClientPayloadError):
        await answer.read()


async def test_a_service_that_is_down_is_a_503() -> None:
    # The port is ours, and nobody listens on it.
    with socket.socket() as held:
        held.bind(("127.0.0.1", unused_port()))
        address = f"http://127.0.0.1:{held.getsockname()[1]}"
        async with TestClient(TestServer(front({"behind": address}))) as client:
            answer = await client.get("/api/slow")
            problem = await answer.json(content_type="application/problem+json")
            assert (answer.status, problem["code"]) == (503, "service_unavailable")


async def test_a_service_without_an_address_is_a_503_that_names_the_setting() -> None:
    async with TestClient(TestServer(front({}))) as client:
        answer = await client.get("/api/slow")
        problem = await answer.json(content_type="application/problem+json")
        assert (answer.status, problem["code"]) == (503, "service_unavailable")
        assert "MAAS_SERVICE_URLS" in problem["detail"]


async def test_what_no_service_has_is_refused_at_the_door(client: TestClient) -> None:
    answer = await client.get("/api/unknown")
    assert (answer.status, (await answer.json(content_type=None))["code"]) == (404, "not_found")
    answer = await client.delete("/api/slow")
    assert (answer.status, (await answer.json(content_type=None))["code"]) == (405, "method_not_allowed")
