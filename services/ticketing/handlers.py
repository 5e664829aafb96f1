"""One method per endpoint of ticketing."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from maas.tap_signatures import SignatureUnreadable, read_signature
from maas.tickets.drawing import draw_as_svg
from maas.tickets.keys import TicketKey, encode_key
from maas.tickets.printed import PrintedTicket, draw_sheet, write_text
from services.platform.context import ServiceContext
from services.platform.problem import Problem
from services.platform.service import Call, Reply
from services.ticketing.code_models import WalletView
from services.ticketing.code_store import CodeStore
from services.ticketing.keys import KeyStore
from services.ticketing.models import (
    KeyListView,
    KeyView,
    RideList,
    TicketList,
    TicketView,
)
from services.ticketing.store import TicketingStore
from services.ticketing.tapping import SignedBatch, Tapping
from services.ticketing.views import printed_ticket, ride_view, ticket_view
from services.ticketing.wallets import Wallets

# Every key is on every device's list for more than a year, so keys are not made by the dozen.
# A ticket is as good as money to whoever shows it first: no cache on the way may keep it.
_UNKEPT = {"Cache-Control": "private, no-store"}
ROTATION_PAUSE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class TicketingHandlers:
    """The endpoints' use cases; taps are in tapping.py."""

    context: ServiceContext
    store: TicketingStore
    code_store: CodeStore
    keys: KeyStore
    tapping: Tapping
    wallets: Wallets

    async def list_tickets(self, call: Call) -> TicketList:
        """The caller's tickets."""
        rows = await self.store.list_tickets(call.caller.subject, call.query.order_id, call.query.limit)
        return TicketList(tickets=await self._views(rows))

    async def get_ticket(self, call: Call) -> TicketView:
        """One ticket of the caller's."""
        return (await self._views([await self._get_own(call)]))[0]

    async def get_qr(self, call: Call) -> Reply:
        """The ticket's QR code as a picture."""
        ticket = await self._get_static(call)
        assert ticket.payload is not None, "a static ticket has a code"
        return Reply(body=draw_as_svg(ticket.payload).encode(), media_type="image/svg+xml", headers=_UNKEPT)

    async def get_text(self, call: Call) -> Reply:
        """The ticket in plain words, whatever it is shown on."""
        (ticket,) = await self._views([await self._get_own(call)])
        text = write_text(printed_ticket(ticket), language=call.query.language, zone=self.wallets.zone)
        return Reply(body=text.encode(), media_type="text/plain", headers=_UNKEPT)

    async def get_sheet(self, call: Call) -> Reply:
        """The ticket on paper: its code and its words."""
        sheet = draw_sheet(await self._get_static(call), language=call.query.language, zone=self.wallets.zone)
        return Reply(body=sheet.encode(), media_type="image/svg+xml", headers=_UNKEPT)

    async def get_wallet(self, call: Call) -> WalletView:
        """The ticket for the wallets of telephones."""
        ticket = await self._get_static(call)
        return await asyncio.to_thread(self.wallets.make, ticket)

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
        return RideList(rides=[ride_view(row) for row in rows])

    async def _get_static(self, call: Call) -> PrintedTicket:
        """The caller's ticket with a code that can be printed. Raises Problem while it is on a device."""
        (ticket,) = await self._views([await self._get_own(call)])
        if ticket.payload is None:
            raise Problem("ticket_on_device", detail="Show it there, or print it: POST .../static-code.")
        return printed_ticket(ticket)

    async def _get_own(self, call: Call) -> Any:
        row = await self.store.find_ticket(call.path["ticket_id"], call.caller.subject)
        if row is None:
            raise Problem("ticket_not_found", detail="Confirm the order, or ask with your own ticket's id.")
        return row

    async def _views(self, rows: Sequence[Any]) -> list[TicketView]:
        fares: dict[str, list[Any]] = defaultdict(list)
        for fare in await self.store.list_fares(row["ticket_ref"] for row in rows):
            fares[fare["ticket_ref"]].append(fare)
        codes = await self.code_store.list_codes(row["ticket_ref"] for row in rows)
        return [ticket_view(row, codes[row["ticket_ref"]], fares[row["ticket_ref"]]) for row in rows]


def _key_view(key: TicketKey) -> KeyView:
    return KeyView(
        key_id=key.key_id,
        public_key=encode_key(key.public_key),
        valid_from=key.valid_from,
        valid_until=key.valid_until,
        revoked_at=key.revoked_at,
    )
