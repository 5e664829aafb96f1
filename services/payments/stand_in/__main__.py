"""`python -m services.payments.stand_in --port 8091 --data book.sqlite3`: run the stand-in."""

import argparse
import asyncio
import os
import signal
from pathlib import Path

from aiohttp import web

from services.payments.stand_in.book import Book
from services.payments.stand_in.catalog import new_endpoint
from services.payments.stand_in.control import build_app
from services.payments.stand_in.server import STAND_IN, StandIn
from services.platform.clock import SystemClock

API_KEY_VARIABLE = "STAND_IN_API_KEY"
WEBHOOK_SECRET_VARIABLE = "STAND_IN_WEBHOOK_SECRET"  # noqa: S105 - a variable's name
_PARENT_LOOK_S = 0.5


def main() -> None:
    """Read the arguments and serve until a signal, or until the parent is gone."""
    parser = argparse.ArgumentParser(
        prog="python -m services.payments.stand_in",
        description="A test double of the payment provider. No card is charged and no money moves.",
    )
    parser.add_argument("--port", type=int, required=True, help="TCP port on 127.0.0.1")
    parser.add_argument("--data", type=Path, required=True, help="the SQLite file that holds its memory")
    parser.add_argument("--webhook-url", default="", help="where events are sent; none when empty")
    parser.add_argument("--parent-pid", type=int, default=0, help="end when this process has ended")
    asyncio.run(serve(parser.parse_args()))


async def serve(arguments: argparse.Namespace) -> None:
    """Serve until told to end."""
    book, clock = Book(arguments.data), SystemClock()
    base_url = f"http://127.0.0.1:{arguments.port}"
    api_key = os.environ.get(API_KEY_VARIABLE) or None
    app = build_app(book=book, clock=clock, base_url=base_url, api_key=api_key)
    register_endpoint(app[STAND_IN], arguments.webhook_url, os.environ.get(WEBHOOK_SECRET_VARIABLE, ""))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", arguments.port).start()
    try:
        await until_told_to_end(arguments.parent_pid)
    finally:
        await runner.cleanup()


def register_endpoint(stand_in: StandIn, url: str, secret: str) -> None:
    """Send all events to `url`; the endpoint registered by an earlier start is replaced."""
    with stand_in.book.transaction():
        for endpoint in stand_in.book.list_all("webhook_endpoint"):
            if endpoint["metadata"].get("made_by") != "start":
                continue
            if (endpoint["url"], endpoint["secret"]) == (url, secret):
                return
            stand_in.book.delete(endpoint["id"])
        if url:
            new_endpoint(
                stand_in.desk(), url=url, enabled_events=["*"], secret=secret, metadata={"made_by": "start"}
            )


async def until_told_to_end(parent_pid: int) -> None:
    """Wait for SIGTERM or SIGINT, or for the parent's end: a killed parent tells nobody."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    while not told.is_set():
        if parent_pid and os.getppid() != parent_pid:
            return
        try:
            async with asyncio.timeout(_PARENT_LOOK_S):
                await told.wait()
        except TimeoutError:
            continue


if __name__ == "__main__":
    main()
