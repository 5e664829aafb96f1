"""One method per endpoint of codes, devices, and what counts no more."""

from dataclasses import dataclass
from typing import Any

from maas.tickets.keys import encode_key
from services.platform.service import Call, Reply
from services.ticketing.code_models import (
    HolderDeviceList,
    HolderDeviceView,
    PhoneCodeView,
    UseList,
    UseView,
)
from services.ticketing.code_store import CodeStore
from services.ticketing.codes import Codes
from services.ticketing.desk import Desk
from services.ticketing.models import (
    CodeView,
    RevocationList,
    RevocationView,
    TapAnswer,
)
from services.ticketing.store import TicketingStore
from services.ticketing.views import code_view


@dataclass(frozen=True, slots=True)
class CodeHandlers:
    """The endpoints' use cases are in codes.py and desk.py."""

    store: TicketingStore
    code_store: CodeStore
    codes: Codes
    desk: Desk

    async def register_device(self, call: Call) -> HolderDeviceView:
        """A device of the caller's."""
        return _device_view(await self.codes.register_device(call.caller.subject, call.body))

    async def list_devices(self, call: Call) -> HolderDeviceList:
        """The caller's devices."""
        rows = await self.code_store.list_devices(call.caller.subject)
        return HolderDeviceList(devices=[_device_view(row) for row in rows])

    async def close_device(self, call: Call) -> HolderDeviceView:
        """A device is lost: nothing on it counts any more."""
        return _device_view(await self.codes.close_device(call.caller.subject, call.path["device_id"]))

    async def bind_ticket(self, call: Call) -> CodeView:
        """A ticket's next code, on a device."""
        return code_view(await self.codes.bind(call.caller.subject, call.path["ticket_id"], call.body))

    async def print_ticket(self, call: Call) -> CodeView:
        """A ticket's static code."""
        return code_view(await self.codes.print(call.caller.subject, call.path["ticket_id"]))

    async def revoke_key(self, call: Call) -> Reply:
        """A key has leaked."""
        await self.codes.revoke_key(call.path["key_id"], call.body.reason)
        return Reply(body=b"", status=204)

    async def list_revocations(self, call: Call) -> RevocationList:
        """What a checking device has to refuse since it last asked."""
        since, limit = call.query.since, call.query.limit
        found = [
            *(_fare_ended(row) for row in await self.store.list_revocations(since, limit)),
            *(_codes_ended(row) for row in await self.code_store.list_code_revocations(since, limit)),
            *(_key_ended(row) for row in await self.code_store.list_key_revocations(since, limit)),
        ]
        # Each list is cut at the limit, so what lies beyond the first cut is not known whole.
        found.sort(key=lambda each: each.sequence)
        chosen = found[:limit]
        return RevocationList(
            revocations=chosen, latest=max((each.sequence for each in chosen), default=since)
        )

    async def list_uses(self, call: Call) -> UseList:
        """Which static tickets' fares were used, and which passes began."""
        rows = await self.code_store.list_uses(call.query.since, call.query.limit)
        return UseList(
            uses=[
                UseView(
                    ticket_ref=row["ticket_ref"],
                    fare_index=row["fare_index"],
                    first_used_at=row["first_used_at"],
                )
                for row in rows
            ],
            latest=max((row["noted"] for row in rows), default=call.query.since),
        )

    async def look_up_phone_code(self, call: Call) -> PhoneCodeView:
        """The ticket that a code names."""
        return await self.desk.look_up(call.caller, call.body.code)

    async def use_phone_code(self, call: Call) -> TapAnswer:
        """The riders of a code pass."""
        return await self.desk.let_pass(call.caller, call.body, call.command_id)


def _device_view(row: Any) -> HolderDeviceView:
    return HolderDeviceView(
        device_id=row["device_id"],
        public_key=encode_key(row["public_key"]),
        name=row["name"],
        registered_at=row["registered_at"],
        closed_at=row["closed_at"],
    )


def _fare_ended(row: Any) -> RevocationView:
    return RevocationView(kind="fare", **row)


def _codes_ended(row: Any) -> RevocationView:
    return RevocationView(kind="codes", **row)


def _key_ended(row: Any) -> RevocationView:
    return RevocationView(kind="key", **row)
