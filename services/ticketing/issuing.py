"""Orders and passes become tickets, what is cancelled revocations; who leaves is forgotten. Each once."""

import asyncio
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from maas.events import (
    AccountClosed,
    LegCancelled,
    OrderConfirmed,
    PassGivenBack,
    PassSold,
    TicketIssued,
)
from maas.prices import RiderCategory
from maas.tickets.issue import IssuedTicket, issue_pass, issue_tickets
from services.platform.bus import Envelope
from services.platform.context import ServiceContext
from services.ticketing.code_store import CodeStore
from services.ticketing.codes import code_of
from services.ticketing.keys import KeyStore
from services.ticketing.store import TicketingStore


class Issuing:
    """What ticketing does about the events of sales."""

    def __init__(
        self,
        context: ServiceContext,
        store: TicketingStore,
        codes: CodeStore,
        keys: KeyStore,
        *,
        zone: ZoneInfo,
    ) -> None:
        self._context = context
        self._store = store
        self._codes = codes
        self._keys = keys
        self._zone = zone

    async def on_order_confirmed(self, tx: Any, event: OrderConfirmed, _envelope: Envelope) -> None:
        """Issue one ticket a party (more where one code cannot hold all fares), exactly once."""
        now = self._context.clock.now()
        key = await asyncio.to_thread(self._keys.key_for, valid_from=event.journey.departs_at, now=now)
        issued = issue_tickets(
            order_id=event.order_id,
            journey=event.journey,
            prices=event.prices,
            key=key,
            zone=self._zone,
            are_together=event.on_one_code,
        )
        for ticket in issued:
            rider = event.prices[ticket.rider_index].rider
            await self._keep(tx, ticket, event.order_id, event.traveller_id, rider)
        components = [(component, price.rider) for price in event.prices for component in price.components]
        for component_index, (component, rider) in enumerate(components):
            await self._store.insert_fare(tx, event, component_index, component, rider)
        await self._store.renew_revocations(tx, event.order_id)

    async def on_pass_sold(self, tx: Any, event: PassSold, _envelope: Envelope) -> None:
        """Issue the tickets of a pass, exactly once."""
        now = self._context.clock.now()
        key = await asyncio.to_thread(self._keys.key_for, valid_from=event.valid_from, now=now)
        issued = issue_pass(
            pass_id=event.pass_id,
            rider=event.rider,
            areas=event.areas,
            hours=event.hours or 0,
            valid_from=event.valid_from,
            valid_until=event.valid_until,
            key=key,
        )
        for ticket in issued:
            await self._keep(tx, ticket, event.pass_id, event.traveller_id, event.rider)
        await self._store.insert_pass_fare(tx, event)
        await self._store.renew_revocations(tx, event.pass_id)

    async def on_pass_given_back(self, tx: Any, event: PassGivenBack, _envelope: Envelope) -> None:
        """Revoke a pass on whichever code of its tickets."""
        await self._store.revoke(tx, event.pass_id, [0], reason="given_back", now=self._context.clock.now())

    async def _keep(
        self, tx: Any, issued: IssuedTicket, order_id: UUID, traveller_id: str, rider: RiderCategory
    ) -> None:
        now = self._context.clock.now()
        if await self._store.insert_ticket(
            tx, issued, order_id=order_id, traveller_id=traveller_id, rider=rider, now=now
        ):
            await self._codes.insert_code(tx, code_of(issued.ticket, issued.payload, now, reason="order"))
            told = TicketIssued(ticket_id=issued.ticket_id, order_id=order_id, traveller_id=traveller_id)
            await self._context.outbox.append(tx, told)

    async def on_leg_cancelled(self, tx: Any, event: LegCancelled, _envelope: Envelope) -> None:
        """Revoke the fares that will not be ridden."""
        await self._store.revoke(
            tx, event.order_id, event.component_indices, reason=event.reason, now=self._context.clock.now()
        )

    async def on_account_closed(self, tx: Any, event: AccountClosed, _envelope: Envelope) -> None:
        """Remove the keys and names of a traveller's devices. Codes on them end with their tickets."""
        await self._codes.forget_devices(tx, str(event.account_id))
