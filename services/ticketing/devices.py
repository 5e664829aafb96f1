"""Devices: who may send taps, and where each of them stands.

Problem   A tap is worth money. A forged one, one of a stolen device, or one counted at the wrong gate because
          two devices were swapped when they were mounted, must not charge or pay anybody wrongly.
Idea      A device is registered with its operator, its public key and its placement. A batch counts only
          under the signature of the device it names. A fixed device's placement says where its taps happened,
          whatever the device believes; a moving one (stop None) says so itself. Placements are dated and can
          be corrected later: all taps of that time are put where they belong, and what they earned is worked
          out anew. So it does not matter whether the taps or the correction came first.
Rule      denied (stolen, key leaked): nothing more is taken from it. retired: what it tapped before is still
          taken, for days; what it claims to have tapped later is refused.
Not here  Signatures (maas/tap_signatures.py); what a batch is answered (tapping.py).
"""

import base64
import binascii
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints

from services.platform.context import ServiceContext
from services.platform.problem import Problem
from services.platform.service import Call, Route
from services.ticketing.models import DeviceId, Identifier, Instant, Model
from services.ticketing.rating import Rating
from services.ticketing.tap_store import TapStore

PUBLIC_KEY_BYTES = 32
DeviceState = Literal["active", "denied", "retired"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device and its placements: instants, ascending, and the stop from each on (None: it moves)."""

    device_id: str
    operator_id: str
    public_key: bytes
    state: DeviceState
    state_since: datetime
    placed_from: tuple[datetime, ...]
    placed_at: tuple[str | None, ...]
    area_ids: tuple[str, ...] | None = None

    def place_at(self, instant: datetime) -> str | None:
        """Where it stood; None: ask the tap. Before its first placement it stood where that says."""
        if len(self.placed_at) < 2:  # noqa: PLR2004 - it never moved
            return self.placed_at[0] if self.placed_at else None
        return self.placed_at[max(0, bisect_right(self.placed_from, instant) - 1)]


def build_devices(rows: Iterable[Any]) -> dict[str, Device]:
    """Devices by id, from rows of `list_devices`."""
    return {
        row["device_id"]: Device(
            device_id=row["device_id"],
            operator_id=row["operator_id"],
            public_key=row["public_key"],
            state=row["state"],
            state_since=row["state_since"],
            placed_from=tuple(row["placed_from"]),
            placed_at=tuple(row["placed_at"]),
            area_ids=None if row["area_ids"] is None else tuple(row["area_ids"]),
        )
        for row in rows
    }


def _check_key(text: str) -> str:
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise ValueError("must be base64url") from None
    if len(raw) != PUBLIC_KEY_BYTES:
        raise ValueError(f"must be {PUBLIC_KEY_BYTES} bytes, an Ed25519 public key; here are {len(raw)}")
    return text


class DeviceBody(Model):
    """What is to hold for a device.

    `public_key`: 32 bytes as base64url. `stop_id`: where it stands, None when it moves; from `placed_from`
    on, or from now on where that is None and the place is another than before; what was said before about
    that time no longer holds. `area_ids`: the networks and fare zones it is in, which a pass must cover; None
    where that is not asked.
    """

    operator_id: Identifier
    public_key: Annotated[str, StringConstraints(max_length=64), AfterValidator(_check_key)]
    stop_id: Identifier | None = None
    placed_from: Instant | None = None
    state: DeviceState = "active"
    area_ids: list[Identifier] | None = Field(default=None, max_length=50)


class PlacementView(Model):
    """From when on a device stands where."""

    valid_from: datetime
    stop_id: str | None


class DeviceHealth(Model):
    """What its last thousand taps say of a device.

    `clock_ahead_s`: by how much a tap came before it happened, 0 when none did. `elsewhere_count`: taps of a
    fixed device that claimed another stop than its placement's. `missing_count`: sequences not received yet.
    """

    tap_count: int
    last_sequence: int | None
    last_received_at: datetime | None
    clock_ahead_s: float
    elsewhere_count: int
    missing_count: int


class DeviceView(Model):
    """A device as it is registered."""

    device_id: str
    operator_id: str
    public_key: str
    state: DeviceState
    state_since: datetime
    placements: list[PlacementView]
    area_ids: list[str] | None


class DeviceReport(DeviceView):
    """A device with its health."""

    health: DeviceHealth


class DeviceList(Model):
    """Devices by id; ask again with `after` the last one's id."""

    devices: list[DeviceView]


class DeviceQuery(Model):
    """Whose devices, after which id."""

    operator_id: Identifier | None = None
    after: str = ""
    limit: int = Field(default=100, ge=1, le=1000)


@dataclass(frozen=True, slots=True)
class DeviceDesk:
    """The use cases behind /api/ticketing/devices."""

    context: ServiceContext
    store: TapStore
    rating: Rating

    async def put_device(self, call: Call) -> DeviceReport:
        """Register a device, or change its key, place or state. Its operator never changes."""
        device_id, body, now = call.path["device_id"], call.body, self.context.clock.now()
        key = base64.urlsafe_b64decode(body.public_key + "=" * (-len(body.public_key) % 4))
        async with self.context.database.transaction() as tx:
            await self.store.lock_devices(tx, alone=True)
            before = build_devices(await self.store.list_devices(tx, [device_id])).get(device_id)
            if before is not None and before.operator_id != body.operator_id:
                detail = f"It taps for {before.operator_id}. Register another device for {body.operator_id}."
                raise Problem("conflict", detail=detail)
            await self.store.upsert_device(
                tx,
                device_id,
                operator_id=body.operator_id,
                public_key=key,
                state=body.state,
                area_ids=body.area_ids,
                now=now,
            )
            is_elsewhere = before is None or before.place_at(now) != body.stop_id
            if body.placed_from is not None or is_elsewhere:
                await self.store.place_device(tx, device_id, body.placed_from or now, body.stop_id)
                await self.store.replace_taps(tx, device_id, now)
        self.rating.wake()
        return await self._report(device_id)

    async def get_device(self, call: Call) -> DeviceReport:
        """One device with its health."""
        return await self._report(call.path["device_id"])

    async def list_devices(self, call: Call) -> DeviceList:
        """Devices, of one operator or all."""
        rows = await self.store.list_devices_page(call.query.operator_id, call.query.after, call.query.limit)
        devices = build_devices(rows).values()
        return DeviceList(devices=[DeviceView(**_view(device)) for device in devices])

    async def _report(self, device_id: str) -> DeviceReport:
        rows = await self.store.list_devices(self.context.database, [device_id])
        device = build_devices(rows).get(device_id)
        if device is None:
            raise Problem("device_not_found", detail="List the devices to find it, or register it by PUT.")
        health = await self.store.get_device_health(device_id)
        return DeviceReport(**_view(device), health=DeviceHealth(**health))


def _view(device: Device) -> dict[str, Any]:
    return {
        "device_id": device.device_id,
        "operator_id": device.operator_id,
        "public_key": base64.urlsafe_b64encode(device.public_key).rstrip(b"=").decode(),
        "state": device.state,
        "state_since": device.state_since,
        "area_ids": None if device.area_ids is None else list(device.area_ids),
        "placements": [
            PlacementView(valid_from=valid_from, stop_id=stop_id)
            for valid_from, stop_id in zip(device.placed_from, device.placed_at, strict=True)
        ],
    }


def build_device_routes(desk: DeviceDesk) -> list[Route]:
    """The endpoints of administrators."""
    return [
        Route(
            method="PUT",
            path="/api/ticketing/devices/{device_id}",
            operation="putDevice",
            handler=desk.put_device,
            summary="Register a device with its key and place, or change, deny or retire it",
            tag="ticketing",
            path_types={"device_id": DeviceId},
            body=DeviceBody,
            response=DeviceReport,
            problems=("conflict",),
        ),
        Route(
            method="GET",
            path="/api/ticketing/devices/{device_id}",
            operation="getDevice",
            handler=desk.get_device,
            summary="A device, its placements and its health",
            tag="ticketing",
            path_types={"device_id": DeviceId},
            response=DeviceReport,
            problems=("device_not_found",),
        ),
        Route(
            method="GET",
            path="/api/ticketing/devices",
            operation="listDevices",
            handler=desk.list_devices,
            summary="The devices that may send taps, of one operator or all",
            tag="ticketing",
            query=DeviceQuery,
            response=DeviceList,
        ),
    ]
