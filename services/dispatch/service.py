"""Builds the dispatch service."""

import asyncio
from pathlib import Path

from maas.ports import OnDemandPort
from services.dispatch.handlers import Dispatch
from services.dispatch.routes import Endpoints, build_routes
from services.platform.context import ServiceContext
from services.platform.service import Service

_EXPIRY_PAUSE_S = 5.0


def build(context: ServiceContext) -> Service:
    """On-demand vehicles, their schedules and what was promised."""
    dispatch = Dispatch(context)

    async def expire_holds() -> None:
        while True:
            cleared = await dispatch.expire_holds()
            if cleared:
                context.log.info("holds_expired", schedules=cleared)
            await asyncio.sleep(_EXPIRY_PAUSE_S)

    return Service(
        name="dispatch",
        context=context,
        migrations=Path(__file__).with_name("migrations"),
        routes=build_routes(Endpoints(dispatch, context.clock)),
        ports={OnDemandPort: dispatch},
        workers=[expire_holds],
    )
