"""One method per endpoint of ticketing."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from maas.prices import RiderCategory
from maas.tap_signatures import SignatureUnreadable, read_signature
from maas.tickets.drawing import check_code, draw_as_svg
from maas.tickets.keys import TicketKey, encode_key
from maas.tickets.layout import decode_payload
from payments.money import yen
from services.platform.context import ServiceContext
from services.platform.problem import Problem
from services.platform.service import Call, Reply
from services.ticketing.keys import KeyStore
from services.ticketing.models import (
    FareView,
    KeyListView,
    KeyView,
    RevocationList,
    RevocationView,
    RideList,
    RideView,
    TicketList,
    TicketView,
)
from services.ticketing.store import TicketingStore
from services.ticketing.tapping import SignedBatch, Tapping

# Every key is on every device's list for more than a year, so keys are not made by the dozen.
ROTATION_PAUSE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class TicketingHandlers:
    """The endpoints' use cases; taps are in tapping.py."""

    context: ServiceContext
    store: TicketingStore
    keys: KeyStore
    tapping: Tapping

    async def list_tickets(self, call: Call) -> TicketList:
        """The caller's tickets."""
        rows = await self.store.list_tickets(call.caller.subject, call.query.order_id, call.query.limit)
        return TicketList(tickets=await self._views(rows))

    async def get_ticket(self, call: Call) -> TicketView:
        """One ticket of the caller's."""
        return (await self._views([await self._get_own(call)]))[0]

    async def get_qr(self, call: Call) -> Reply:
        """The ticket's QR code as a picture."""
        row = await self._get_own(call)
        # A ticket is as good as money to whoever shows it first: no cache on the way may keep it.
        return Reply(
            body=draw_as_svg(row["payload"]).encode(),
            media_type="image/svg+xml",
            headers={"Cache-Control": "private, no-store"},
        )

    async def list_keys(self, _call: Call) -> KeyListView:
        """The public keys, for everyone who checks tickets."""
        return KeyListView(keys=[_key_view(key) for key in self.keys.published.keys.values()])

    async def rotate_keys(self, _call: Call) -> KeyListView:
        """Sign with a new key from now on; tickets of the old ones stay good."""
        now = self.context.clock.now()
        if now < self.keys.newest_made_at + ROTATION_PAUSE:
            detail = "The newest key is younger than a minute. Wait, or use it."
            raise Problem("conflict", detail=detail)
        await asyncio.to_thread(self.keys.rotate, now)
        return KeyListView(keys=[_key_view(key) for key in self.keys.published.keys.values()])

    async def list_revocations(self, call: Call) -> RevocationList:
        """What a checking device has to refuse since it last asked."""
        rows = await self.store.list_revocations(call.query.since, call.query.limit)
        revocations = [RevocationView(**row) for row in rows]
        return RevocationList(
            revocations=revocations,
            latest=max((row.sequence for row in revocations), default=call.query.since),
        )

    async def record_taps(self, call: Call) -> Reply:
        """Keep a batch of taps and judge each."""
        try:
            signature = read_signature(call.headers)
        except SignatureUnreadable as error:
            raise Problem("tap_signature_missing", detail=str(error)) from None
        if signature is None:
            detail = "Sign the body with the device's key: Content-Digest, Signature-Input and Signature."
            raise Problem("tap_signature_missing", detail=detail)
        signed = SignedBatch(principal=call.caller, raw=call.raw, signature=signature, batch=call.body)
        return Reply(body=await self.tapping.record(signed))

    async def list_rides(self, call: Call) -> RideList:
        """The caller's rides."""
        rows = await self.store.list_rides(call.caller.subject, call.query.limit)
        return RideList(rides=[_ride_view(row) for row in rows])

    async def _get_own(self, call: Call) -> Any:
        row = await self.store.find_ticket(call.path["ticket_id"], call.caller.subject)
        if row is None:
            raise Problem("ticket_not_found", detail="Confirm the order, or ask with your own ticket's id.")
        return row

    async def _views(self, rows: Sequence[Any]) -> list[TicketView]:
        fares: dict[str, list[Any]] = defaultdict(list)
        for fare in await self.store.list_fares(row["ticket_ref"] for row in rows):
            fares[fare["ticket_ref"]].append(fare)
        return [_ticket_view(row, fares[row["ticket_ref"]]) for row in rows]


def _ticket_view(row: Any, fares: Sequence[Any]) -> TicketView:
    ticket = decode_payload(row["payload"]).ticket
    return TicketView(
        ticket_id=row["ticket_id"],
        ticket_ref=row["ticket_ref"],
        order_id=row["order_id"],
        rider=RiderCategory(row["rider"]),
        rider_index=row["rider_index"],
        riders={rider: count for rider, count in ticket.riders.items() if count},
        part=row["part"],
        valid_from=row["valid_from"],
        valid_until=row["valid_until"],
        issued_at=row["issued_at"],
        payload=row["payload"],
        check_code=check_code(row["payload"]),
        fares=[_fare_view(fare) for fare in fares],
    )


def _fare_view(fare: Any) -> FareView:
    return FareView(
        fare_index=fare["fare_index"],
        component_index=fare["component_index"],
        rider=RiderCategory(fare["rider"]),
        operator_ids=fare["operator_ids"],
        origin=fare["origin_name"],
        destination=fare["destination_name"],
        fare_class=fare["fare_class"],
        amount=yen(fare["amount_minor"]),
        state=_state(fare),
    )


def _state(fare: Any) -> Literal["unused", "begun", "used", "revoked"]:
    if fare["rated_at"] is not None:
        return "used"
    if fare["revoked_at"] is not None:
        return "revoked"
    return "unused" if fare["ride_state"] is None else "begun"


def _ride_view(row: Any) -> RideView:
    return RideView(
        ride_id=row["ride_id"],
        ticket_id=row["ticket_id"],
        order_id=row["order_id"],
        component_index=row["component_index"],
        rider=RiderCategory(row["rider"]),
        operator_id=row["operator_id"],
        state=row["state"],
        origin=row["origin_name"],
        destination=row["destination_name"],
        began_at=row["began_at"],
        ended_at=row["ended_at"],
        fare_class=row["fare_class"],
        amount=yen(row["amount_minor"]),
        rated_at=row["rated_at"],
    )


def _key_view(key: TicketKey) -> KeyView:
    return KeyView(
        key_id=key.key_id,
        public_key=encode_key(key.public_key),
        valid_from=key.valid_from,
        valid_until=key.valid_until,
    )
