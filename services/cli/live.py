"""`maas live`: bring an operator's live messages into the house, for as long as it runs.

Idea      The address is asked again and again; what it answers goes to the house as it came, which reads and
          judges it. What fails is told once and tried again: an operator's server may be away for hours.
"""

import asyncio
import os
from dataclasses import dataclass
from typing import Annotated, Any

import aiohttp
import typer
from rich.console import Console

from services.cli.load import read_admin_token
from services.cli.servers import house_url
from services.platform.settings import Settings

_TIMEOUT = aiohttp.ClientTimeout(total=20, connect=5)
_MESSAGE_BYTES_MAX = 1024 * 1024
_OK = 200


def live(
    feed_id: Annotated[str, typer.Argument(help="The feed in force that the messages speak of.")],
    address: Annotated[str, typer.Argument(help="Where its GTFS-Realtime messages are: http://...")],
    *,
    source: Annotated[
        str, typer.Option(help="What to call these messages; a feed may have several sources.")
    ] = "trip-updates",
    every: Annotated[float, typer.Option(help="Seconds between two questions.", min=1, max=300)] = 20,
    once: Annotated[bool, typer.Option("--once", help="Ask once and stop.")] = False,
    url: Annotated[str, typer.Option(help="The running house; default: the one of this data folder.")] = "",
) -> None:
    """Follow an operator's live messages: delays, cancellations, alerts. Stops at Ctrl-C.

    Examples:
      maas live ferries https://example.jp/ferries/trip-updates.pb
      maas live ferries https://example.jp/ferries/alerts.pb --source alerts --every 60
    """
    settings = Settings.from_environment(os.environ)
    bridge = Bridge(
        address=address,
        target=f"{house_url(url, settings)}/api/live/{feed_id}/{source}",
        token=read_admin_token(settings.data_dir),
        console=Console(highlight=False),
    )
    asyncio.run(bridge.follow(every_s=every, once=once))


@dataclass(slots=True)
class Bridge:
    """Between an operator's address and the house."""

    address: str
    target: str
    token: str
    console: Console
    _said: str = ""

    async def follow(self, *, every_s: float, once: bool = False) -> None:
        """Bring one message after another; a failure is told when it is new."""
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
            while True:
                self._say(await self._bring_one(session))
                if once:
                    return
                await asyncio.sleep(every_s)

    async def _bring_one(self, session: aiohttp.ClientSession) -> str:
        try:
            content = await self._fetch(session)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return f"{self.address} gives no message: {str(error) or type(error).__name__}. Trying on."
        try:
            headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/x-protobuf"}
            async with session.put(self.target, data=content, headers=headers) as answer:
                body: dict[str, Any] = await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return f"The house does not take it: {str(error) or type(error).__name__}. Trying on."
        if answer.status != _OK:
            return f"The house refuses it: {body.get('detail') or body.get('title')}"
        return f"In force: {body['trip_updates']} trip updates, {body['alerts']} alerts."

    async def _fetch(self, session: aiohttp.ClientSession) -> bytes:
        async with session.get(self.address) as answer:
            answer.raise_for_status()
            content = await answer.content.read(_MESSAGE_BYTES_MAX + 1)
            while len(content) <= _MESSAGE_BYTES_MAX and (
                more := await answer.content.read(_MESSAGE_BYTES_MAX)
            ):
                content += more
        if len(content) > _MESSAGE_BYTES_MAX:
            raise ValueError("it is longer than a megabyte")
        return content

    def _say(self, words: str) -> None:
        if words != self._said:
            self.console.print(words, markup=False)
            self._said = words
