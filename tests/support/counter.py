"""The ticketing service of a test: orders are confirmed to it, devices tap at it."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from maas.events import OrderConfirmed
from maas.journeys import Journey
from maas.prices import RiderCategory
from maas.tap_signatures import sign_batch
from maas.tickets.keys import encode_key
from services.platform.auth import Role
from services.platform.bus import Envelope
from services.platform.clock import FixedClock
from services.platform.outbox import event_adapter, receive
from services.ticketing.service import build
from tests.support.fares import ADULT, APP
from tests.support.house import TestHouse, running_house
from tests.support.tickets import BUS, ENGINE, OEDO, SHIP, TOKAI, U, night_trip, tokyo_time

BOUGHT_AT = tokyo_time(20, "19:00")
ISLAND_BUS = "1010001131230"
PRICES = {OEDO: 280, U: 190, SHIP: 5750, BUS: 370}

EVENING = [
    ("enter", "Toei", "Toei.Oedo.Tochomae", "20:31"),
    ("exit", "Toei", "Toei.Oedo.Shiodome", "20:57"),
    ("enter", "Yurikamome", "Yurikamome.Yurikamome.Shiodome", "21:00"),
    ("exit", "Yurikamome", "Yurikamome.Yurikamome.Takeshiba", "21:05"),
    ("scan", TOKAI, "[05]東京・竹芝", "21:40"),
    ("scan", ISLAND_BUS, "116_01", "30:20"),
]


@dataclass
class Counter:
    """The ticketing service of a test, with its clock and its doings."""

    house: TestHouse
    clock: FixedClock
    devices: dict[str, Ed25519PrivateKey] = field(default_factory=dict)

    @property
    def context(self) -> Any:
        return self.house.services["ticketing"].context

    async def confirm(
        self,
        *riders: RiderCategory,
        trip: Journey | None = None,
        order_id: UUID | None = None,
        traveller: str = "alice",
    ) -> OrderConfirmed:
        trip = trip or night_trip()
        riders = riders or (ADULT,)
        event = OrderConfirmed(
            order_id=order_id or uuid4(),
            traveller_id=traveller,
            journey=trip,
            prices=tuple(ENGINE.price(journey=trip, rider=rider, medium=APP) for rider in riders),
            passengers=(),
        )
        await self.deliver(event)
        return event

    async def deliver(self, event: Any, event_id: UUID | None = None) -> None:
        """Hand an event to the service as the bus does."""
        name = type(event).__name__
        service = self.house.services["ticketing"]
        envelope = Envelope(
            event_id=event_id or uuid4(),
            event_type=name,
            payload=event_adapter(name).dump_python(event, mode="json"),
            occurred_at=self.clock.now(),
            source="sales",
        )
        by_type = {each.event.__name__: each for each in service.subscriptions}
        await receive(service.context.database, by_type, envelope)

    async def tickets(self, event: OrderConfirmed, subject: str = "alice") -> list[Any]:
        status, body = await self.house.call(
            "GET", f"/api/tickets?order_id={event.order_id}", subject=subject
        )
        assert status == 200, body
        return list(body["tickets"])

    async def tap(
        self,
        payload: str,
        *taps: tuple[str, str, str, str],
        device: str = "gate",
        first: int = 0,
        **more: Any,
    ) -> tuple[int, Any]:
        """Taps of one operator; the sequence follows the clock, so the same tap has the same name again."""
        self.clock.set(max(self.clock.now(), *(tokyo_time(20, tap[3]) for tap in taps)))
        bodies = [tap_body(payload, *tap, first=first, **more) for tap in taps]
        return await self.send(bodies, operator=taps[0][1], device=device)

    async def send(
        self, taps: Sequence[dict[str, Any]], *, operator: str, device: str = "gate"
    ) -> tuple[int, Any]:
        """A batch of a device of that operator, which is registered first if it must be."""
        device_id = f"{operator}/{device}"
        if device_id not in self.devices:
            status, answer = await self.put_device(device_id, operator_id=operator)
            assert status == 200, answer
        return await self.send_raw(
            orjson.dumps({"device_id": device_id, "taps": taps}), device_id, operator=operator
        )

    async def send_raw(self, raw: bytes, device_id: str, *, operator: str, **headers: str) -> tuple[int, Any]:
        """Exactly these bytes, signed by that device."""
        signed = sign_batch(raw, device_id=device_id, private_key=self.devices[device_id])
        return await self.house.call(
            "POST",
            "/api/taps",
            subject=device_id,
            role=Role.VALIDATOR,
            operator_id=operator,
            raw=raw,
            headers={**signed, **headers},
        )

    async def put_device(self, device_id: str, **body: Any) -> tuple[int, Any]:
        """Register or change a device, as an administrator; its key is made when it is new."""
        private_key = self.devices.setdefault(device_id, Ed25519PrivateKey.generate())
        public_key = encode_key(private_key.public_key().public_bytes_raw())
        path = f"/api/ticketing/devices/{quote(device_id, safe='')}"
        return await self.house.call("PUT", path, role=Role.ADMIN, body={"public_key": public_key, **body})

    async def statuses(self, payload: str, *taps: tuple[str, str, str, str], **more: Any) -> list[str]:
        status, body = await self.tap(payload, *taps, **more)
        assert status == 200, body
        return [answer["status"] for answer in body["answers"]]

    async def settle(self) -> None:
        """Until no ticket waits for its rating."""
        for _ in range(200):
            waiting = await self.context.database.fetchval(
                "select count(*) from ticket where rate_at <= $1", self.clock.now()
            )
            if not waiting:
                return
            await asyncio.sleep(0.02)
        raise AssertionError("a ticket was never rated")

    async def rated(self, event: OrderConfirmed) -> dict[int, Any]:
        await self.settle()
        rows = await self.context.database.fetch(
            "select payload from outbox where event_type = 'RideRated' order by id"
        )
        found = [row["payload"] for row in rows if row["payload"]["order_id"] == str(event.order_id)]
        assert len({each["component_index"] for each in found}) == len(found), "a fare is earned once"
        return {each["component_index"]: each for each in found}

    async def count_events(self, event_type: str) -> int:
        count = await self.context.database.fetchval(
            "select count(*) from outbox where event_type = $1", event_type
        )
        return int(count)

    async def rides(self) -> list[Any]:
        await self.settle()
        _, body = await self.house.call("GET", "/api/rides")
        return sorted(body["rides"], key=lambda ride: (ride["order_id"], ride["component_index"]))


def tap_body(
    payload: str, kind: str, operator: str, stop: str, clock: str, *, first: int = 0, **more: Any
) -> dict[str, Any]:
    hours, minutes = clock.split(":")
    return {
        "sequence": first + int(hours) * 60 + int(minutes),
        "tapped_at": tokyo_time(20, clock).isoformat(),
        "kind": kind,
        "operator_id": operator,
        "stop_id": f"demo:{stop}",
        "payload": payload,
        **more,
    }


@asynccontextmanager
async def open_counter(
    url: str, folder: Path, clock: FixedClock | None = None, *, ports: Mapping[type, object] | None = None
) -> AsyncIterator[Counter]:
    clock = clock or FixedClock(BOUGHT_AT)
    async with running_house(url, {"ticketing": build}, clock=clock, data_dir=folder, ports=ports) as house:
        yield Counter(house, clock)
