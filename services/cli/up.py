"""`maas up`: start the house, or some of its services, and serve until told to stop."""

import errno
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import aiohttp
import asyncpg
import typer
import uvloop
from rich.console import Console

from maas.errors import MaasError
from payments.errors import PaymentsError
from services.cli.errors import CommandFailed
from services.cli.folder import claim_folder, hold_folder
from services.cli.replicas import Inherited, check_replicable, run_replicas
from services.cli.running import Wish, run_house
from services.cli.servers import check_servers
from services.compose import load_services
from services.demo.client import CallFailed
from services.platform.embedded.errors import EmbeddedServerError
from services.platform.embedded.ports import pick_free_port
from services.platform.errors import PlatformError
from services.platform.settings import Settings
from services.platform.telemetry import configure_logging

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FREE_BYTES_MIN = 16_000_000
"""With less than this any failure is taken for a full disk: a database writes in pieces of 16 MB."""


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
      MAAS_PROCESSES=4 maas up planner     four processes of it on one port, which share a network's memory
    """
    only = services or []
    with failures_told():
        _check_words(only, demo=demo, once=once, city=city)
        settings = Settings.from_environment(os.environ)
        check_replicable(settings, only)
        settings = settings if settings.port else replace(settings, port=pick_free_port())
        claim_folder(settings.data_dir)
        part = "+".join(only) if only else "house"
        with hold_folder(settings.data_dir, part=part):
            check_port(settings)
            check_servers(settings)
            wish = Wish(only=only, city=city or demo, trip=demo, serve=not once)

            def run(inherited: Inherited | None = None) -> None:
                with _log_file(settings), failures_told(settings.data_dir):
                    uvloop.run(run_house(settings, wish, Console(highlight=False), inherited))

            if settings.process_count > 1:
                run_replicas(settings, only, run)
            else:
                run()


def _check_words(only: list[str], *, demo: bool, once: bool, city: bool) -> None:
    if only and (demo or city):
        raise CommandFailed(
            "The demonstration needs the whole house: name no services with --demo or --city."
        )
    if once and not demo:
        raise CommandFailed("--once stops after the trip, which --demo plays: maas up --demo --once")
    if only:
        load_services(only)


@contextmanager
def failures_told(data_dir: Path | None = None) -> Iterator[None]:
    """Turn what can break outside of us into CommandFailed: the cause and the cure. A bug passes through."""
    try:
        yield
    except (
        PlatformError, EmbeddedServerError, PaymentsError, MaasError, CallFailed, CommandFailed,
        asyncpg.PostgresError, asyncpg.InterfaceError, aiohttp.ClientError, OSError,
    ) as error:  # fmt: skip
        raise CommandFailed(_tell(error, data_dir)) from error


def _tell(error: Exception, data_dir: Path | None) -> str:
    """The cause and the cure in words."""
    if data_dir is not None and _is_full(error, data_dir):
        return f"No room on the disk that holds {data_dir}. Free some space there, then start again."
    log = "" if data_dir is None else f" The log is {data_dir / 'maas.log'}."
    match error:
        case CallFailed():
            return f"The demonstration stopped: {error}{log}"
        case asyncpg.PostgresError() | asyncpg.InterfaceError():
            return f"The database refused: {error}.{log}"
        case aiohttp.ClientError():
            return f"The house stopped answering: {error}.{log}"
        case OSError():
            place = f" ({error.filename})" if error.filename else ""
            return f"{error.strerror or error}{place}.{log}"
    return str(error)


def _is_full(error: Exception, data_dir: Path) -> bool:
    if isinstance(error, OSError) and error.errno in _FULL:
        return True
    return isinstance(error, asyncpg.DiskFullError) or shutil.disk_usage(data_dir).free < _FREE_BYTES_MIN


def check_port(settings: Settings) -> None:
    """Nobody listens where we want to. Raises CommandFailed."""
    cure = "Correct MAAS_HOST: 127.0.0.1 for this machine only, 0.0.0.0 for everybody."
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise CommandFailed(
            f"MAAS_HOST={settings.host!r} is no address of this machine ({error}). {cure}"
        ) from error
    family, kind, protocol, _, address = found[0]
    with closing(socket.socket(family, kind, protocol)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            raise CommandFailed(_port_refused(settings, error, cure)) from error


def _port_refused(settings: Settings, error: OSError, cure: str) -> str:
    place = f"{settings.port} on {settings.host}"
    match error.errno:
        case errno.EADDRINUSE:
            return f"Port {place} is taken. Stop what uses it, or choose another: MAAS_PORT=8081"
        case errno.EACCES:
            return f"Port {place} is for root only. Choose one from 1024 up: MAAS_PORT=8080"
        case _:
            return f"Port {place} cannot be used ({error.strerror}). {cure}"


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
