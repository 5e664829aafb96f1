"""Builds the planner service."""

from pathlib import Path

import structlog

from maas.events import NetworkPublished, SailingCancelled, SailingStatusChanged
from maas.ports import PlannerPort
from services.planner.handlers import Planner
from services.planner.live.routes import LiveEndpoints, build_live_routes
from services.planner.lookups import Lookups, build_lookup_routes
from services.planner.routes import Endpoints, build_routes
from services.planner.sailings import SailingStore
from services.platform.context import ServiceContext
from services.platform.errors import PortUnavailable
from services.platform.outbox import Subscription
from services.platform.service import Service

log = structlog.get_logger()


def build(context: ServiceContext) -> Service:
    """Journeys and prices on the network in force."""
    planner = Planner(context)
    sailings = SailingStore(context.database)

    async def open_first() -> None:
        try:
            await planner.in_force.refresh()
        except PortUnavailable as error:
            # The feeds service may start after us; `follow` asks again and again.
            log.info("network_not_known_yet", reason=str(error))

    return Service(
        name="planner",
        context=context,
        migrations=Path(__file__).with_name("migrations"),
        routes=[
            *build_routes(Endpoints(planner, context.clock)),
            *build_lookup_routes(Lookups(planner, context.clock)),
            *build_live_routes(LiveEndpoints(planner, context.clock)),
        ],
        ports={PlannerPort: planner},
        subscriptions=[
            Subscription(NetworkPublished, planner.on_published),
            Subscription(SailingCancelled, sailings.on_cancelled),
            Subscription(SailingStatusChanged, sailings.on_status_changed),
        ],
        workers=[
            planner.in_force.follow,
            planner.in_force.follow_news,
            planner.bikes.follow,
            planner.searches.run,
        ],
        on_start=[open_first],
        on_stop=[planner.stop],
        readiness=planner.readiness,
    )
