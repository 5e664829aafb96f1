"""Builds the partners service."""

import asyncio
from pathlib import Path

from maas.ports import BerthPort, BikesPort
from services.partners.berths import ShipBerths
from services.partners.bikes import BikeSystems
from services.partners.manifests import ManifestSeal
from services.partners.routes import Endpoints, build_routes
from services.platform.context import ServiceContext
from services.platform.service import Service

_EXPIRY_PAUSE_S = 5.0
_PURGE_PAUSE_S = 3600.0


def build(context: ServiceContext) -> Service:
    """Ship berths, sailings and shared bikes."""
    berths = ShipBerths(context, ManifestSeal(context.data_dir / "keys" / "partners-manifest.key"))
    bikes = BikeSystems(context)

    async def expire_holds() -> None:
        while True:
            ended = await berths.expire_holds()
            if ended:
                context.log.info("berth_holds_expired", holds=ended)
            await asyncio.sleep(_EXPIRY_PAUSE_S)

    async def purge_names() -> None:
        while True:
            purged = await berths.purge_names()
            if purged:
                context.log.info("passenger_names_purged", bookings=purged)
            await asyncio.sleep(_PURGE_PAUSE_S)

    return Service(
        name="partners",
        context=context,
        migrations=Path(__file__).with_name("migrations"),
        routes=build_routes(Endpoints(berths, bikes, context.clock)),
        ports={BerthPort: berths, BikesPort: bikes},
        workers=[expire_holds, purge_names, bikes.read_for_ever],
        on_start=[bikes.open],
        on_stop=[bikes.close],
    )
