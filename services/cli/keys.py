"""`maas keys`: change the key that signs tokens."""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import aiohttp
import typer

from services.cli.errors import CommandFailed
from services.platform.settings import Settings

keys = typer.Typer(help="The keys that sign tokens.", no_args_is_help=True)


@keys.callback()
def _of_keys() -> None:
    """The keys that sign tokens."""


@keys.command()
def rotate(
    *,
    revoke_old: Annotated[
        bool, typer.Option("--revoke-old", help="End all tokens now: everybody signs in again.")
    ] = False,
) -> None:
    """Sign with a new key from now on, in the house that is running on this data folder.

    Examples:
      maas keys rotate                 tokens already given stay good until they expire
      maas keys rotate --revoke-old    a key may have leaked: all tokens end within a minute
    """
    settings = Settings.from_environment(os.environ)
    kid = asyncio.run(_rotate(settings, revoke_old=revoke_old))
    print(f"Tokens are signed with key {kid} from now on.")


async def _rotate(settings: Settings, *, revoke_old: bool) -> str:
    url = f"http://{settings.host}:{settings.port}/api/identity/keys/rotations"
    headers = {"Authorization": f"Bearer {_read_token(settings.data_dir / 'admin.token')}"}
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session,
            session.post(url, json={"revoke_old": revoke_old}, headers=headers) as answer,
        ):
            body = await answer.json(content_type=None)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise CommandFailed(
            f"Nothing answers at {url}. Start the house with `maas up`, or set MAAS_HOST and MAAS_PORT."
        ) from error
    if answer.status != 201:  # noqa: PLR2004 - created
        raise CommandFailed(f"The gateway refused: {body.get('title')}. {body.get('detail')}")
    return str(body["kid"])


def _read_token(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError as error:
        raise CommandFailed(
            f"{path} cannot be read ({error.strerror}). Run this on the gateway's machine, as its user, "
            "with the same MAAS_DATA."
        ) from error
