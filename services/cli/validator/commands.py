"""`maas validator`: make a validator in a folder, and let it speak with the house when there is a network."""

import asyncio
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import aiohttp
import typer
from rich.console import Console

from maas.tap_signatures import sign_batch
from maas.tickets.keys import KeyListUnreadable, encode_key
from services.cli.errors import CommandFailed
from services.cli.validator.store import ValidatorStore
from services.platform.clock import SystemClock

BATCH = 50
console = Console(highlight=False)
validator = typer.Typer(help="A validator on this machine.", no_args_is_help=True)


@validator.callback()
def _of_validator() -> None:
    """A validator on this machine: `maas validate --store FOLDER` checks with it, offline."""


@validator.command()
def init(
    store: Annotated[Path, typer.Argument(help="The folder that keeps its lists, memory and key.")],
    *,
    device: Annotated[str, typer.Option(help="Its device id at the house.")],
) -> None:
    """Make a validator with a key of its own, and print the public half for its registration.

    Examples:
      maas validator init gate-7 --device Toei-gate-7
    """
    made = ValidatorStore.create(store, device)
    public_key = made.private_key.public_key().public_bytes_raw()
    made.close()
    console.print(f"Validator {device}. An administrator registers it with this public key:")
    print(encode_key(public_key))


@validator.command()
def sync(
    store: Annotated[Path, typer.Argument(help="The validator's folder.")],
    *,
    url: Annotated[str, typer.Option(help="Where the house answers.")] = "http://127.0.0.1:8080",
    client_id: Annotated[str, typer.Option(help="The device's login; its secret is in MAAS_CLIENT_SECRET.")],
) -> None:
    """Send what was let through offline, then fetch keys, revocations and uses.

    What it let through and the house would not have, is told: such passages are on record, and settled there.

    Examples:
      maas validator sync gate-7 --client-id gate-7@toei    with MAAS_CLIENT_SECRET set
    """
    opened = ValidatorStore.open(store)
    try:
        done = asyncio.run(_synchronise(opened, url, client_id, os.environ.get("MAAS_CLIENT_SECRET", "")))
    finally:
        opened.close()
    console.print(f"{done.sent} taps sent; {done.revocations} revocations and {done.uses} uses fetched.")
    for status, count in sorted(done.contested.items()):
        console.print(f"  [yellow]{count} let through here were {status} to the house[/]")


@dataclass(slots=True, kw_only=True)
class Synchronised:
    """What went over the network. `contested` counts acceptances by what the house says of them."""

    sent: int
    revocations: int
    uses: int
    contested: dict[str, int]


async def _synchronise(store: ValidatorStore, url: str, client_id: str, secret: str) -> Synchronised:
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
            house = House(session, url.rstrip("/"))
            await house.sign_in(client_id, secret)
            return await synchronise(store, house)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise CommandFailed(f"Nothing answers at {url}: {error}. The validator goes on offline.") from error
    except KeyListUnreadable as error:
        raise CommandFailed(f"{url} answers, but not as a house does: {error}") from error


async def synchronise(store: ValidatorStore, house: "House") -> Synchronised:
    """Send and fetch. What was done before a failure stays done. Raises CommandFailed when refused."""
    done = Synchronised(sent=0, revocations=0, uses=0, contested={})
    await _send(house, store, done)
    await _fetch(house, store, done)
    return done


class House:
    """The house's HTTP face, as this device."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str = "") -> None:
        self._session = session
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def sign_in(self, client_id: str, secret: str) -> None:
        """Fetch a token for this device."""
        body = json.dumps({"client_id": client_id, "client_secret": secret}).encode()
        answer = await self.call("POST", "/api/identity/tokens", body)
        self._headers = {"Authorization": f"Bearer {json.loads(answer)['access_token']}"}

    async def call(self, method: str, path: str, body: bytes = b"", **headers: str) -> str:
        """The body of the answer. Raises CommandFailed when the house refuses."""
        sent = {**self._headers, **headers}
        if body:
            sent["Content-Type"] = "application/json"
        async with self._session.request(method, self._url + path, data=body or None, headers=sent) as answer:
            text = await answer.text()
            if not answer.ok:
                raise CommandFailed(f"The house refuses {method} {path}: {_reason(text)}")
            return text


async def _send(house: House, store: ValidatorStore, done: Synchronised) -> None:
    while taps := store.list_unsent(BATCH):
        body = json.dumps({"device_id": store.device_id, "taps": taps}).encode()
        signature = sign_batch(body, device_id=store.device_id, private_key=store.private_key)
        answers = json.loads(await house.call("POST", "/api/taps", body, **signature))["answers"]
        store.mark_sent(answers)
        done.sent += len(answers)
        for answer in answers:
            if answer["status"] != "accepted":
                status = str(answer["status"])
                done.contested[status] = done.contested.get(status, 0) + 1


async def _fetch(house: House, store: ValidatorStore, done: Synchronised) -> None:
    started = SystemClock().now()
    store.take_keys(await house.call("GET", "/api/ticketing/keys"))
    while count := store.take_revocations(
        await house.call("GET", f"/api/ticketing/revocations?since={store.revocation_sequence}")
    ):
        done.revocations += count
    while count := store.take_uses(
        await house.call("GET", f"/api/ticketing/uses?since={store.use_sequence}")
    ):
        done.uses += count
    store.are_fetched(started)


def _reason(text: str) -> str:
    try:
        problem: Any = json.loads(text)
        return f"{problem['title']}. {problem['detail']}"
    except (ValueError, KeyError, TypeError):
        return text[:200]
