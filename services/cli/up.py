"""`maas up`: start the house, or some of its services, and serve until told to stop."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop
from aiohttp import web
from rich.console import Console

from services.cli.errors import CommandFailed
from services.cli.folder import claim_folder, hold_folder
from services.demo.client import CallFailed
from services.platform.clock import Clock, SimulatedClock, SystemClock
from services.platform.embedded.errors import EmbeddedServerError
from services.platform.embedded.postgres import EmbeddedPostgres
from services.platform.errors import PlatformError
from services.platform.settings import Settings
from services.platform.telemetry import configure_logging

console = Console(highlight=False)

# Longer request lines never reach our own errors: the parser answers them in plain text.
LINE_BYTES_MAX = 64 * 1024


def up(
    services: Annotated[
        list[str] | None, typer.Argument(help="Only these services; all of them when none is named.")
    ] = None,
    *,
    demo: Annotated[
        bool, typer.Option("--demo", help="Load the demonstration city and play the trip first.")
    ] = False,
    once: Annotated[bool, typer.Option("--once", help="With --demo: stop after the trip.")] = False,
    city: Annotated[
        bool, typer.Option("--city", help="Load the demonstration city, without playing the trip.")
    ] = False,
) -> None:
    """Start the house on embedded defaults, or one service of it, and serve until Ctrl-C.

    Examples:
      maas up                 all services on http://127.0.0.1:8080
      maas up --demo          the same, with the demonstration city and its trip
      maas up planner         one service; needs DATABASE_URL, REDIS_URL and MAAS_SERVICE_URLS
    """
    try:
        settings = Settings.from_environment(os.environ)
        claim_folder(settings.data_dir)
        _check_port(settings)
        part = "+".join(services) if services else "house"
        with hold_folder(settings.data_dir, part=part), _log_file(settings):
            uvloop.run(_serve(settings, only=services or [], demo=demo, once=once, city=city or demo))
    except (PlatformError, EmbeddedServerError) as error:
        raise CommandFailed(str(error)) from error
    except CallFailed as error:
        log = Settings.from_environment(os.environ).data_dir / "maas.log"
        raise CommandFailed(f"The demonstration stopped: {error} The log is {log}.") from error


def _check_port(settings: Settings) -> None:
    with contextlib.closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise CommandFailed(
                f"Port {settings.port} on {settings.host} is taken ({error.strerror}). "
                "Stop what uses it, or choose another with MAAS_PORT."
            ) from error


@contextmanager
def _log_file(settings: Settings) -> Iterator[None]:
    """Logs go to a file beside the data, so that the terminal stays readable; in a container, as they are."""
    if settings.database_url and settings.redis_url:
        configure_logging(settings.log_level)
        yield
        return
    with (settings.data_dir / "maas.log").open("a", buffering=1, encoding="utf-8") as stream:
        configure_logging(settings.log_level, stream)
        yield


async def _serve(settings: Settings, *, only: list[str], demo: bool, once: bool, city: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    clock: Clock = SimulatedClock(settings.data_dir / "clock") if city else SystemClock()
    async with _database(settings) as with_database, _provider(with_database, only) as complete:
        from services.compose import build_house  # noqa: PLC0415 - heavy, and of no use to a failed start

        with console.status("Starting the services"):
            house = build_house(complete, clock, only=only, with_demo=city)
            try:
                await house.start()
                runner = web.AppRunner(
                    house.app,
                    access_log=None,
                    shutdown_timeout=5,
                    max_line_size=LINE_BYTES_MAX,
                    max_field_size=LINE_BYTES_MAX,
                )
                await runner.setup()
                await web.TCPSite(runner, complete.host, complete.port, reuse_address=True).start()
            except BaseException:
                await house.stop()
                raise
        url = f"http://{complete.host}:{complete.port}"
        try:
            await _use(url, complete, stop, demo=demo, once=once, city=city)
        finally:
            await runner.cleanup()
            await house.stop()


async def _use(
    url: str, settings: Settings, stop: asyncio.Event, *, demo: bool, once: bool, city: bool
) -> None:
    if city:
        from services.demo.seed import seed_city  # noqa: PLC0415 - the demonstration is an extra

        await _unless_stopped(seed_city(url, settings.data_dir, console), stop)
    if demo and not stop.is_set():
        from services.demo.trip import play_trip  # noqa: PLC0415 - the demonstration is an extra

        await _unless_stopped(play_trip(url, settings.data_dir, console), stop)
    if not once and not stop.is_set():
        console.print(f"\nServing on [bold]{url}[/bold] (API pages: {url}/api/docs). Ctrl-C stops.")
        await stop.wait()
        console.print("Stopping.")


async def _unless_stopped(work: Coroutine[Any, Any, None], stop: asyncio.Event) -> None:
    task = asyncio.ensure_future(work)
    waiting = asyncio.ensure_future(stop.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not task.done():
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[Settings]:
    if settings.database_url:
        yield settings
        return
    postgres = EmbeddedPostgres(settings.data_dir / "postgres")
    with console.status("Starting PostgreSQL"):
        url = await asyncio.to_thread(postgres.start)
    try:
        yield replace(settings, database_url=url)
    finally:
        await asyncio.to_thread(postgres.stop)


@asynccontextmanager
async def _provider(settings: Settings, only: list[str]) -> AsyncIterator[Settings]:
    if settings.stripe_api_key or (only and "payments" not in only):
        yield settings
        return
    from services.payments.stand_in.launcher import start  # noqa: PLC0415 - not needed with a real key

    webhook_url = f"http://127.0.0.1:{settings.port}/api/payments/webhooks/stripe"
    stand_in = await asyncio.to_thread(start, Path(settings.data_dir), webhook_url=webhook_url)
    try:
        yield replace(
            settings,
            stripe_api_key=stand_in.api_key,
            stripe_api_base=stand_in.url,
            stripe_webhook_secret=stand_in.webhook_secret,
        )
    finally:
        await asyncio.to_thread(stand_in.stop)
