"""Orders confirmed become tickets, legs cancelled revocations; who leaves is forgotten. Each event once."""

import asyncio
from typing import Any
from zoneinfo import ZoneInfo

from maas.events import AccountClosed, LegCancelled, OrderConfirmed, TicketIssued
from maas.tickets.issue import issue_tickets
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
            order_id=event.order_id, journey=event.journey, prices=event.prices, key=key, zone=self._zone
        )
        for ticket in issued:
            if await self._store.insert_ticket(tx, ticket, event, now):
                first = code_of(ticket.ticket, ticket.payload, now, reason="order")
                await self._codes.insert_code(tx, first)
                told = TicketIssued(
                    ticket_id=ticket.ticket_id, order_id=event.order_id, traveller_id=event.traveller_id
                )
                await self._context.outbox.append(tx, told)
        components = [(component, price.rider) for price in event.prices for component in price.components]
        for component_index, (component, rider) in enumerate(components):
            await self._store.insert_fare(tx, event, component_index, component, rider)
        await self._store.renew_revocations(tx, event.order_id)

    async def on_leg_cancelled(self, tx: Any, event: LegCancelled, _envelope: Envelope) -> None:
        """Revoke the fares that will not be ridden."""
        await self._store.revoke(
            tx, event.order_id, event.component_indices, reason=event.reason, now=self._context.clock.now()
        )

    async def on_account_closed(self, tx: Any, event: AccountClosed, _envelope: Envelope) -> None:
        """Remove the keys and names of a traveller's devices. Codes on them end with their tickets."""
        await self._codes.forget_devices(tx, str(event.account_id))
