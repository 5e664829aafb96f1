"""Run a house from its first process to its last: started side by side, stopped whenever it is asked to.

Problem   Ctrl-C may come at any moment: while a database is made, in the middle of the trip, while serving.
Idea      One task does everything; the first signal cancels it. Whatever it has started is on a stack and is
          stopped on the way out. What a thread is still starting is awaited first: a half-started server
          cannot be told to end. Servers start while code is imported: both take seconds.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from aiohttp import web
from rich.console import Console

from services.cli.replicas import Inherited
from services.cli.steps import step
from services.compose import House, build_house, load_services
from services.payments.stand_in.launcher import StandInProcess
from services.payments.stand_in.launcher import start as start_stand_in
from services.platform.clock import Clock, SimulatedClock, SystemClock
from services.platform.embedded.postgres import EmbeddedPostgres
from services.platform.settings import Settings
from services.platform.tasks import run_stoppable

T = TypeVar("T")

_OPEN_REQUESTS_S_MAX = 3
_REQUEST_LINE_BYTES_MAX = 2**18
"""The longest query that the endpoints' own bounds allow fits: a thousand points, or sixty names of 200
characters that take twelve bytes each when they are escaped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to run: which services (all when empty), with the city, its trip, and serving afterwards."""

    only: Sequence[str]
    city: bool
    trip: bool
    serve: bool


async def run_house(
    settings: Settings, wish: Wish, console: Console, inherited: Inherited | None = None
) -> None:
    """Start, do what is wished, and stop at the end or at the first signal. All is stopped on return.

    `inherited` is of the process that listens for this one, if there is one.
    """
    work = asyncio.ensure_future(_run(settings, wish, console, inherited))
    loop = asyncio.get_running_loop()
    stopping = False

    def stop(number: int) -> None:
        nonlocal stopping
        if not stopping:
            stopping = True
            work.cancel()
            # Who closed the terminal reads nothing any more.
            if number != signal.SIGHUP:
                console.print("\nStopping.")

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup wants it to go on
        loop.add_signal_handler(signal.SIGHUP, stop, signal.SIGHUP)
    with suppress(asyncio.CancelledError):
        await work


async def _run(settings: Settings, wish: Wish, console: Console, inherited: Inherited | None) -> None:
    clock: Clock = SimulatedClock(settings.data_dir / "clock") if wish.city else SystemClock()
    async with AsyncExitStack() as stack:
        complete = await _start_parts(stack, settings, wish, console)
        with step(console, "Starting the services"):
            house = build_house(complete, clock, only=wish.only, with_demo=wish.city)
            runner = await stack.enter_async_context(_serving(house, listens=inherited is None))
        if inherited is not None:
            assert runner.server is not None, "what is served has a server"
            await run_stoppable(inherited.serve(runner.server))
            return
        await run_stoppable(_use(f"http://{complete.host}:{complete.port}", complete, wish, console))


async def _start_parts(stack: AsyncExitStack, settings: Settings, wish: Wish, console: Console) -> Settings:
    """Start the database and the provider where the settings name none; load the services' code meanwhile."""
    tasks: list[asyncio.Task[Any]] = [asyncio.create_task(asyncio.to_thread(load_services, wish.only))]
    postgres: asyncio.Task[str] | None = None
    stand_in: asyncio.Task[StandInProcess] | None = None
    if not settings.database_url:
        server = EmbeddedPostgres(settings.data_dir / "postgres")
        postgres = _start(stack, server.start, lambda _url: server.stop())
        tasks.append(postgres)
    if not settings.stripe_api_key and (not wish.only or "payments" in wish.only):
        hook = f"http://127.0.0.1:{settings.port}/api/payments/webhooks/stripe"
        start = partial(start_stand_in, settings.data_dir, webhook_url=hook)
        stand_in = _start(stack, start, lambda process: process.stop())
        tasks.append(stand_in)
    with step(console, "Starting PostgreSQL, loading the services" if postgres else "Loading the services"):
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    return _completed(settings, postgres, stand_in)


def _start(stack: AsyncExitStack, start: Callable[[], T], stop: Callable[[T], object]) -> asyncio.Task[T]:
    """Start in a thread; the stack stops what was started, once it was."""
    task = asyncio.create_task(asyncio.to_thread(start))

    async def end() -> None:
        await asyncio.wait({task})
        if task.exception() is None:
            await asyncio.to_thread(stop, task.result())

    stack.push_async_callback(end)
    return task


def _completed(
    settings: Settings, postgres: asyncio.Task[str] | None, stand_in: asyncio.Task[StandInProcess] | None
) -> Settings:
    """The settings with the addresses of what was started."""
    if postgres is not None:
        settings = replace(settings, database_url=postgres.result())
    if stand_in is not None:
        provider = stand_in.result()
        settings = replace(
            settings,
            stripe_api_key=provider.api_key,
            stripe_api_base=provider.url,
            stripe_webhook_secret=provider.webhook_secret,
        )
    return settings


@asynccontextmanager
async def _serving(house: House, *, listens: bool) -> AsyncIterator[web.AppRunner]:
    """The house started; on its own port, unless somebody else listens for it."""
    runner = web.AppRunner(
        house.app,
        access_log=None,
        shutdown_timeout=_OPEN_REQUESTS_S_MAX,
        max_line_size=_REQUEST_LINE_BYTES_MAX,
    )
    site_of = house.settings
    try:
        await house.start()
        await runner.setup()
        if listens:
            await web.TCPSite(runner, site_of.host, site_of.port, reuse_address=True).start()
        yield runner
    finally:
        await runner.cleanup()
        await house.stop()


async def _use(url: str, settings: Settings, wish: Wish, console: Console) -> None:
    if wish.city:
        from services.demo.seed import seed_city  # noqa: PLC0415 - the demonstration is an extra

        await seed_city(url, settings.data_dir, console)
    if wish.trip:
        from services.demo.trip import play_trip  # noqa: PLC0415 - the demonstration is an extra

        await play_trip(url, settings.data_dir, console)
    if wish.serve:
        pages = f" (API pages: {url}/api/docs)" if not wish.only or "gateway" in wish.only else ""
        console.print(f"\nServing on [bold]{url}[/bold]{pages}. Ctrl-C stops.", soft_wrap=True)
        await asyncio.Event().wait()
