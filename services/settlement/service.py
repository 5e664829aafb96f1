"""The settlement service, built."""

import asyncio
from pathlib import Path

from maas.events import FareRefunded, PassEarned, RideRated, RideUnrated, TravelEarned
from payments.errors import PaymentsError
from services.platform.context import ServiceContext
from services.platform.errors import PlatformError
from services.platform.outbox import Subscription
from services.platform.service import Service
from services.settlement.agreements import Agreements
from services.settlement.earnings import Earnings
from services.settlement.routes import Endpoints, build_routes
from services.settlement.runs import Runs

_RESUME_EVERY_S = 60.0


def build(context: ServiceContext) -> Service:
    """Wire earnings, agreements, runs and their endpoints."""
    earnings, runs, agreements = Earnings(context), Runs(context), Agreements(context)

    async def resume_runs() -> None:
        # A run that a crash interrupted is finished without anyone asking again.
        while True:
            await runs.resume()
            try:
                await runs.pay_through_provider()
            except (PaymentsError, PlatformError) as error:
                context.log.warning("provider_payouts_wait", error=type(error).__name__)
            await asyncio.sleep(_RESUME_EVERY_S)

    async def check_ready() -> None:
        await context.database.fetchval("select 1 from batches limit 1")

    return Service(
        name="settlement",
        context=context,
        migrations=Path(__file__).with_name("migrations"),
        routes=build_routes(Endpoints(context, runs, agreements)),
        subscriptions=[
            Subscription(RideRated, earnings.on_ride_rated),
            Subscription(RideUnrated, earnings.on_ride_unrated),
            Subscription(PassEarned, earnings.on_pass_earned),
            Subscription(FareRefunded, earnings.on_fare_refunded),
            Subscription(TravelEarned, earnings.on_travel_earned),
        ],
        workers=[resume_runs],
        readiness=check_ready,
    )
