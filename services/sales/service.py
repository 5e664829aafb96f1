"""Build the sales service."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from maas.events import (
    AccountClosed,
    PassBegun,
    PaymentDisputed,
    PaymentDisputeDecided,
    RefundPaid,
    RefundReturned,
    RideBegun,
    RideRated,
    RideUnrated,
    SailingCancelled,
    StandingChanged,
)
from maas.ports import EligibilityPort, PassPort
from payments.errors import ProviderUnavailable
from services.platform.context import ServiceContext
from services.platform.errors import PortUnavailable, RemoteFault
from services.platform.outbox import Subscription
from services.platform.service import Service
from services.sales.aftersales import Aftersales
from services.sales.booking import Booking
from services.sales.claims.handlers import Claims
from services.sales.claims.routes import build_routes as build_claim_routes
from services.sales.claims.store import ClaimStore
from services.sales.disputes.handlers import DisputedOrders
from services.sales.disputes.routes import build_routes as build_dispute_routes
from services.sales.disputes.store import DisputedStore
from services.sales.handlers import SalesHandlers
from services.sales.hearing import Hearing
from services.sales.landings.handlers import Landings
from services.sales.landings.routes import build_routes as build_landing_routes
from services.sales.passes.handlers import Passes
from services.sales.passes.routes import build_routes as build_pass_routes
from services.sales.passes.selling import PassSelling
from services.sales.passes.store import PassStore
from services.sales.routes import build_routes
from services.sales.store import SalesStore

log = structlog.get_logger()

_PAUSE_S = 0.5
_FORGET_EVERY_S = 3_600.0


def build(context: ServiceContext) -> Service:
    """The service, not started."""
    store = SalesStore(context.database)
    aftersales = Aftersales(context, store)
    booking = Booking(context, store, aftersales)
    claims = Claims(context, ClaimStore(context.database))
    pass_store = PassStore(context.database)
    selling = PassSelling(context, pass_store)
    passes = Passes(context, pass_store, selling)
    disputed = DisputedOrders(context, DisputedStore(context.database), store, pass_store)
    handlers = SalesHandlers(context, store, booking, aftersales, claims, passes, disputed)

    async def finish_orders() -> None:
        while True:
            await _unless_unreachable(booking.take_up_unfinished)
            await _unless_unreachable(aftersales.send_refunds)
            await _unless_unreachable(selling.take_up)
            await asyncio.sleep(_PAUSE_S)

    async def forget_claims() -> None:
        while True:
            await claims.forget_ended()
            await asyncio.sleep(_FORGET_EVERY_S)

    hearing = Hearing(store, aftersales, selling, pass_store, claims.store)
    return Service(
        name="sales",
        context=context,
        migrations=Path(__file__).with_name("migrations"),
        routes=[
            *build_routes(handlers),
            *build_claim_routes(claims),
            *build_pass_routes(passes),
            *build_dispute_routes(disputed),
            *build_landing_routes(Landings(context, store, aftersales, claims)),
        ],
        ports={EligibilityPort: claims, PassPort: passes},
        subscriptions=[
            Subscription(RideBegun, aftersales.on_ride_begun),
            Subscription(RideRated, hearing.on_ride_rated),
            Subscription(RefundPaid, hearing.on_refund_paid),
            Subscription(RefundReturned, hearing.on_refund_returned),
            Subscription(PaymentDisputed, disputed.on_payment_disputed),
            Subscription(PaymentDisputeDecided, disputed.on_dispute_decided),
            Subscription(PassBegun, passes.on_pass_begun),
            Subscription(RideUnrated, hearing.on_ride_unrated),
            Subscription(SailingCancelled, aftersales.on_sailing_cancelled),
            Subscription(StandingChanged, hearing.on_standing_changed),
            Subscription(AccountClosed, hearing.on_account_closed),
        ],
        workers=[finish_orders, forget_claims],
    )


async def _unless_unreachable(step: Callable[[], Awaitable[int]]) -> None:
    # Another service or the provider is away: the rows say what is left to do, and the next round does it.
    try:
        await step()
    except (PortUnavailable, RemoteFault, ProviderUnavailable) as error:
        log.warning("sales_waits", waits_for=error.code, detail=str(error))
