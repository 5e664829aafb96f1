"""Builds the demand service."""

import asyncio
from pathlib import Path
from typing import Any

from maas.events import JourneysPlanned, NothingFound, OrderConfirmed, RideRated, RideUnrated
from services.demand.handlers import Demand
from services.demand.routes import Endpoints, build_routes
from services.platform.bus import Envelope
from services.platform.context import ServiceContext
from services.platform.outbox import Subscription
from services.platform.service import Service

_PAUSE_S = 20.0


def build(context: ServiceContext) -> Service:
    """Counts of events for the city."""
    demand = Demand(context)

    async def count(tx: Any, event: Any, _envelope: Envelope) -> None:
        await demand.count(tx, event)

    async def release_days() -> None:
        while True:
            if await demand.release_yesterday():
                context.log.info("demand_released")
            await asyncio.sleep(_PAUSE_S)

    return Service(
        name="demand",
        context=context,
        migrations=Path(__file__).with_name("migrations"),
        routes=build_routes(Endpoints(demand)),
        subscriptions=[
            Subscription(event, count)
            for event in (JourneysPlanned, NothingFound, RideRated, RideUnrated, OrderConfirmed)
        ],
        workers=[release_days],
    )
