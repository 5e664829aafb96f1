"""A metropolis taps: devices of one operator send signed batches to a house on this machine, at a rate.

Problem   The house and the load share two cores. A generator that makes and signs taps while it sends
          measures itself; one that waits for each answer before it sends the next measures politeness.
Idea      All batches are made and signed before the clock starts, as real devices do on their own processors.
          They are sent when they are due (open loop); what is late counts from when it was due. A batch that
          is refused or lost is counted, never hidden. Everything that was acknowledged is written down, for
          who wants to compare it with the database.
Bounds    127.0.0.1 only; a fixed number of batches; no answer is waited for longer than ten seconds.
"""

import argparse
import asyncio
import json
import os
import random
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import aiohttp
import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from maas.tap_signatures import sign_batch
from maas.tickets.issue import sign
from maas.tickets.keys import SigningKey, TicketKey, decode_key, encode_key
from maas.tickets.ticket import Entitlement, Ticket, operator_code, place_code
from services.platform.clock import SystemClock

WORKLOAD = "taps-1"
OPERATOR = "metro"
BATCH_TAPS = 50
DEVICES = 400
STATIONS = 200
MEDIA = 1_000_000
TICKET_SHARE = 0.1
ANSWER_S_MAX = 10.0
CONNECTIONS = 16


@dataclass(frozen=True, slots=True)
class Batch:
    """Ready to be sent."""

    device_id: str
    first: int
    body: bytes
    headers: dict[str, str]


@dataclass(slots=True)
class Outcome:
    """What became of the batches. `acknowledged` are (device, first sequence) of those answered 200."""

    acknowledged: list[tuple[str, int]] = field(default_factory=list)
    refused: int = 0
    lost: int = 0
    times_s: list[float] = field(default_factory=list)
    took_s: float = 0.0
    cpu_s: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        ranked = sorted(self.times_s)
        return {
            "acknowledged": self.acknowledged,
            "taps": len(self.acknowledged) * BATCH_TAPS,
            "refused": self.refused,
            "lost": self.lost,
            "took_s": round(self.took_s, 3),
            "cpu_s": round(self.cpu_s, 3),
            "median_ms": round(statistics.median(ranked) * 1000, 1) if ranked else None,
            "p99_ms": round(ranked[int(len(ranked) * 0.99)] * 1000, 1) if ranked else None,
        }


class Workload:
    """Taps by the seed: a million media, a tenth of the taps with a ticket's code, entries and exits."""

    def __init__(self, seed: int, key: SigningKey, *, run: str) -> None:
        self._dice = random.Random(seed)
        self._key = key
        self._now = SystemClock().now()
        self._stations = [f"metro:M.{number % 10}.S{number}" for number in range(STATIONS)]
        self.devices = {f"{run}-{number}": Ed25519PrivateKey.generate() for number in range(DEVICES)}
        self._tickets = [self._ticket() for _ in range(2_000)]

    def batches(self, count: int, *, from_sequence: int = 0) -> Iterator[Batch]:
        """`count` batches, device after device."""
        names = list(self.devices)
        for number in range(count):
            device_id = names[number % DEVICES]
            first = from_sequence + number // DEVICES * BATCH_TAPS
            taps = [self._tap(first + place) for place in range(BATCH_TAPS)]
            body = orjson.dumps({"device_id": device_id, "taps": taps})
            headers = sign_batch(body, device_id=device_id, private_key=self.devices[device_id])
            yield Batch(device_id, first, body, {**headers, "Content-Type": "application/json"})

    def _tap(self, sequence: int) -> dict[str, Any]:
        is_ticket = self._dice.random() < TICKET_SHARE
        shown = (
            {"payload": self._dice.choice(self._tickets)}
            if is_ticket
            else {"medium": f"m_{self._dice.randrange(MEDIA):032x}"}
        )
        return {
            "sequence": sequence,
            "tapped_at": self._now - timedelta(seconds=self._dice.randrange(600)),
            "kind": self._dice.choice(("enter", "exit")),
            "operator_id": OPERATOR,
            "stop_id": self._dice.choice(self._stations),
            **shown,
        }

    def _ticket(self) -> str:
        """A genuine ticket for two rides. The house has its key, not its order: it is judged and kept."""
        origin, destination = self._dice.sample(self._stations, 2)
        rides = tuple(
            Entitlement(
                operator_code=operator_code(OPERATOR),
                fare_index=index,
                class_code=0,
                origin_code=place_code(OPERATOR, begin),
                destination_code=place_code(OPERATOR, end),
            )
            for index, (begin, end) in enumerate(((origin, destination), (destination, origin)))
        )
        today = self._now.replace(hour=0, minute=0, second=0, microsecond=0)
        ticket_ref = UUID(int=self._dice.getrandbits(128)).bytes[:8].hex()
        ticket = Ticket(
            key_id=self._key.public.key_id,
            ticket_ref=ticket_ref,
            valid_from=today - timedelta(days=1),
            valid_until=today + timedelta(days=2),
            adults=1,
            children=0,
            infants=0,
            entitlements=rides,
        )
        return sign(ticket, self._key)


class House:
    """The public API of a house on this machine, as an administrator and as a device."""

    def __init__(self, url: str, data_dir: Path) -> None:
        assert urlsplit(url).hostname == "127.0.0.1", "load is made for this machine only"
        self._url = url
        self._data_dir = data_dir
        self._token = ""

    def read_ticket_key(self) -> SigningKey:
        """The key that the house signs tickets with, from its own file."""
        entry = json.loads((self._data_dir / "keys" / "ticketing.json").read_text())["keys"][-1]
        private_key = Ed25519PrivateKey.from_private_bytes(decode_key(entry["private_key"]))
        public = TicketKey(
            key_id=entry["key_id"],
            public_key=private_key.public_key().public_bytes_raw(),
            valid_from=datetime.fromisoformat(entry["valid_from"]),
            valid_until=datetime.fromisoformat(entry["valid_until"]),
        )
        return SigningKey(private_key=private_key, public=public)

    async def register(self, session: aiohttp.ClientSession, workload: Workload) -> None:
        """An account for the operator's devices, and each device's key."""
        admin = (self._data_dir / "admin.token").read_text().strip()
        staff = {"role": "validator", "name": "gates", "operator_id": OPERATOR}
        made = await self._call(session, "POST", "/api/identity/staff", admin, staff)
        credentials = {"client_id": made["client_id"], "client_secret": made["client_secret"]}
        self._token = (await self._call(session, "POST", "/api/identity/tokens", "", credentials))[
            "access_token"
        ]
        for device_id, private_key in workload.devices.items():
            public_key = encode_key(private_key.public_key().public_bytes_raw())
            body = {"operator_id": OPERATOR, "public_key": public_key}
            await self._call(session, "PUT", f"/api/ticketing/devices/{device_id}", admin, body)

    async def send(self, session: aiohttp.ClientSession, batch: Batch) -> int:
        """The status of the answer."""
        headers = {**batch.headers, "Authorization": f"Bearer {self._token}"}
        async with session.post(f"{self._url}/api/taps", data=batch.body, headers=headers) as answer:
            await answer.read()
            return answer.status

    async def _call(
        self, session: aiohttp.ClientSession, method: str, path: str, token: str, body: Any
    ) -> Any:
        headers = {"Idempotency-Key": uuid4().hex, **({"Authorization": f"Bearer {token}"} if token else {})}
        async with session.request(method, self._url + path, json=body, headers=headers) as answer:
            text = await answer.text()
            assert answer.ok, f"{method} {path}: {answer.status} {text}"
            return json.loads(text)


def open_session() -> aiohttp.ClientSession:
    """A client with few connections, as the operators' concentrators have."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=CONNECTIONS),
        timeout=aiohttp.ClientTimeout(total=ANSWER_S_MAX),
    )


async def run(
    house: House, session: aiohttp.ClientSession, batches: Sequence[Batch], *, taps_per_s: float
) -> Outcome:
    """Send each when it is due."""
    outcome, pause = Outcome(), BATCH_TAPS / taps_per_s
    cpu, started = time.process_time(), time.perf_counter()

    async def send(batch: Batch, due: float) -> None:
        try:
            status = await house.send(session, batch)
        except (aiohttp.ClientError, TimeoutError, OSError):
            outcome.lost += 1
            return
        outcome.times_s.append(time.perf_counter() - due)
        if status == 200:  # noqa: PLR2004 - HTTP's word for it
            outcome.acknowledged.append((batch.device_id, batch.first))
        else:
            outcome.refused += 1

    async with asyncio.TaskGroup() as tasks:
        for number, batch in enumerate(batches):
            due = started + number * pause
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            tasks.create_task(send(batch, due))
    outcome.took_s, outcome.cpu_s = time.perf_counter() - started, time.process_time() - cpu
    return outcome


async def load(args: argparse.Namespace) -> Outcome:
    """Register, make the batches, send them."""
    house = House(args.url, args.data)
    workload = Workload(args.seed, house.read_ticket_key(), run=args.run)
    async with open_session() as session:
        await house.register(session, workload)
        count = int(args.rate * args.seconds / BATCH_TAPS)
        batches = list(workload.batches(count))
        print("ready", flush=True)
        return await run(house, session, batches, taps_per_s=args.rate)


def main() -> None:
    """Run against a house that is up; write the outcome as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--url", required=True, help="http://127.0.0.1:PORT")
    parser.add_argument("--data", type=Path, required=True, help="the house's data folder")
    parser.add_argument("--rate", type=float, default=6000.0, help="taps a second")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--run", default=f"load{os.getpid()}", help="the name that device ids begin with")
    parser.add_argument("--out", type=Path, required=True, help="where the outcome is written")
    args = parser.parse_args()
    outcome = asyncio.run(load(args))
    args.out.write_text(json.dumps(outcome.as_json()))


if __name__ == "__main__":
    main()
