"""Build the sales service."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from maas.events import AccountClosed, RideRated, SailingCancelled
from payments.errors import ProviderUnavailable
from services.platform.context import ServiceContext
from services.platform.errors import PortUnavailable, RemoteFault
from services.platform.outbox import Subscription
from services.platform.service import Service
from services.sales.aftersales import Aftersales
from services.sales.booking import Booking
from services.sales.handlers import SalesHandlers
from services.sales.routes import build_routes
from services.sales.store import SalesStore

log = structlog.get_logger()

_PAUSE_S = 0.5


def build(context: ServiceContext) -> Service:
    """The service, not started."""
    store = SalesStore(context.database)
    aftersales = Aftersales(context, store)
    booking = Booking(context, store, aftersales)
    handlers = SalesHandlers(context, store, booking, aftersales)

    async def finish_orders() -> None:
        while True:
            await _unless_unreachable(booking.take_up_unfinished)
            await _unless_unreachable(aftersales.send_refunds)
            await asyncio.sleep(_PAUSE_S)

    return Service(
        name="sales",
        context=context,
        migrations=Path(__file__).with_name("migrations"),
        routes=build_routes(handlers),
        subscriptions=[
            Subscription(RideRated, aftersales.on_ride_rated),
            Subscription(SailingCancelled, aftersales.on_sailing_cancelled),
            Subscription(AccountClosed, aftersales.on_account_closed),
        ],
        workers=[finish_orders],
    )


async def _unless_unreachable(step: Callable[[], Awaitable[int]]) -> None:
    # Another service or the provider is away: the rows say what is left to do, and the next round does it.
    try:
        await step()
    except (PortUnavailable, RemoteFault, ProviderUnavailable) as error:
        log.warning("sales_waits", waits_for=error.code, detail=str(error))
