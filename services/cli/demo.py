"""`maas demo`: play the trip against the house that is running."""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import aiohttp
import typer
from rich.console import Console

from services.cli.errors import CommandFailed
from services.cli.load import read_admin_token
from services.cli.servers import house_url
from services.demo.client import CallFailed, Client
from services.demo.seed import keyring_of
from services.demo.trip import play_trip
from services.platform.settings import Settings


def demo(
    *,
    url: Annotated[str, typer.Option(help="The running house; default: the one of this data folder.")] = "",
) -> None:
    """Play the trip: plan, pay, ride and settle, then a ship that is cancelled. By the public API only.

    The house must run with its demonstration city: maas up --city, in another terminal.

    Examples:
      maas demo
      maas demo --url http://127.0.0.1:8080
    """
    settings = Settings.from_environment(os.environ)
    address = house_url(url, settings)
    try:
        asyncio.run(_play(address, settings.data_dir, Console(highlight=False)))
    except CallFailed as error:
        raise CommandFailed(
            f"The trip stopped: {error} The log is {settings.data_dir / 'maas.log'}."
        ) from error
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise CommandFailed(
            f"No house answers on {address} ({error}). Start it with `maas up --city` and play again."
        ) from error


async def _play(url: str, data_dir: Path, console: Console) -> None:
    async with aiohttp.ClientSession() as session:
        try:
            await Client(session, url).get("/api/demo/clock")
        except CallFailed as error:
            if error.code != "not_found":
                raise
            raise CommandFailed(
                f"The house on {url} runs without the demonstration city. "
                "Stop it, start it with `maas up --city`, and play again."
            ) from error
    read_admin_token(data_dir)
    if not keyring_of(data_dir).path.exists():
        raise CommandFailed(
            f"{data_dir} has no credentials of the demonstration. Set MAAS_DATA to the data folder of the "
            f"house on {url}, or wait until it has loaded its city."
        )
    await play_trip(url, data_dir, console)
