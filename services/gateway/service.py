"""Put the gateway together."""

import asyncio
from pathlib import Path

from services.gateway.face import GatewayService
from services.gateway.first_admin import FirstAdmin
from services.gateway.handlers import Identity
from services.gateway.routes import build_routes
from services.platform.auth import IdentityPort
from services.platform.context import ServiceContext

_HOUSEKEEPING_S = 300.0


def build(context: ServiceContext) -> GatewayService:
    """The gateway: identity for the house, and the pages."""
    identity = Identity(context)
    first_admin = FirstAdmin(context, identity)

    async def forget_old_attempts() -> None:
        while True:
            await asyncio.sleep(_HOUSEKEEPING_S)
            await identity.forget_old_attempts()

    service = GatewayService(
        name="gateway",
        context=context,
        migrations=Path(__file__).with_name("migrations"),
        ports={IdentityPort: identity},
        on_start=[identity.ensure_key, first_admin.ensure],
        workers=[forget_old_attempts],
    )
    service.routes.extend(build_routes(identity, first_admin, service.shown))
    service.shown.show([service])
    return service
