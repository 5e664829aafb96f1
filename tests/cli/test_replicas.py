"""A replica's door: connections come through it, and it tells when nobody is behind it any more."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest
import uvloop
from aiohttp import web

from services.cli.replicas import Inherited

DONE_S_MAX = 5


def serve(behind: Callable[[socket.socket], Awaitable[None]]) -> None:
    """Serve what comes through a door, as `maas up` does, until `behind` has gone away from it."""

    async def answer(_request: web.BaseRequest) -> web.Response:
        return web.Response(text="here")

    async def run() -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            serving = asyncio.create_task(Inherited(theirs).serve(web.Server(answer)))
            with ours:
                await behind(ours)
            async with asyncio.timeout(DONE_S_MAX):
                await serving

    uvloop.run(run())


async def read_ready(ours: socket.socket) -> None:
    assert await asyncio.to_thread(ours.recv, 1) == b"r"


def test_a_connection_that_comes_through_the_door_is_answered() -> None:
    async def hand_on(ours: socket.socket) -> None:
        await read_ready(ours)
        with socket.create_server(("127.0.0.1", 0)) as listening:
            reader, writer = await asyncio.open_connection(*listening.getsockname())
            with listening.accept()[0] as connection:
                socket.send_fds(ours, [b"c"], [connection.fileno()])
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).endswith(b"here")
        writer.close()

    serve(hand_on)


@pytest.mark.parametrize("has_read", [True, False])
def test_who_is_alone_stops_also_if_nobody_read_that_it_was_ready(has_read: object) -> None:
    async def go_away(ours: socket.socket) -> None:
        if has_read:
            await read_ready(ours)
        else:
            await asyncio.sleep(0.2)  # It has said so by then.

    serve(go_away)


def test_who_is_alone_from_the_beginning_stops() -> None:
    async def never_be_there(_ours: socket.socket) -> None:
        return

    serve(never_be_there)
