"""What sales hears from other services, where more than one of its rooms acts on it.

Idea      Orders, passes and claims are rooms of one service, and each event is handled once, in one
          transaction, by all of them.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

from maas.events import (
    AccountClosed,
    RefundPaid,
    RefundReturned,
    RideRated,
    RideUnrated,
    StandingChanged,
)
from maas.notifications import compose_message
from services.platform.bus import Envelope
from services.sales.aftersales import Aftersales
from services.sales.claims.store import ClaimStore
from services.sales.passes.riding import forget_ridden, note_ridden
from services.sales.passes.selling import PassSelling
from services.sales.passes.store import PassStore
from services.sales.store import SalesStore

_STANDING = UUID("5b0f2a54-7d0e-5f62-9a0e-7374616e6469")


@dataclass(frozen=True, slots=True)
class Hearing:
    """One method per event."""

    orders: SalesStore
    aftersales: Aftersales
    selling: PassSelling
    passes: PassStore
    claims: ClaimStore

    async def on_ride_rated(self, tx: Any, event: RideRated, envelope: Envelope) -> None:
        """A fare was ridden; the passes that cover it are used."""
        await self.aftersales.on_ride_rated(tx, event, envelope)
        order = await self.orders.lock_order(tx, event.order_id)
        if order is not None:
            await note_ridden(tx, self.passes, order, event.component_index, event.ridden_at)

    async def on_ride_unrated(self, tx: Any, event: RideUnrated, envelope: Envelope) -> None:
        """A fare was not ridden after all."""
        await self.aftersales.on_ride_rated(tx, event, envelope)
        await forget_ridden(tx, self.passes, event.order_id, event.component_index)

    async def on_refund_paid(self, tx: Any, event: RefundPaid, envelope: Envelope) -> None:
        """A refund of an order or of a pass reached its traveller after all."""
        await self.aftersales.on_refund_paid(tx, event, envelope)
        await self.selling.on_refund_paid(tx, event)

    async def on_refund_returned(self, tx: Any, event: RefundReturned, envelope: Envelope) -> None:
        """A refund of an order or of a pass came back."""
        await self.aftersales.on_refund_returned(tx, event, envelope)
        await self.selling.on_refund_returned(tx, event)

    async def on_standing_changed(self, tx: Any, event: StandingChanged, envelope: Envelope) -> None:
        """Tell a customer who is refused at gates why, and what ends it; and that it has ended."""
        message = compose_message(
            "travel_refused" if event.is_denied else "travel_allowed", amount=f"{event.owed_minor:,}"
        )
        await self.orders.insert_news(
            tx,
            event.customer_id,
            message,
            news_id=uuid5(_STANDING, str(event.listing)),
            now=envelope.occurred_at,
        )

    async def on_account_closed(self, tx: Any, event: AccountClosed, envelope: Envelope) -> None:
        """Forget what was proven, and the passengers' names."""
        await self.claims.delete_of(tx, str(event.account_id))
        await self.aftersales.on_account_closed(tx, event, envelope)
