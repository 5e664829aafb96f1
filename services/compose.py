"""The only place that knows all services: it builds those that a process runs and wires their ports.

Problem   The same services run in one process on a laptop and in many on a cluster.
Idea      `House` builds the chosen services over one clock and one bus. A port of a service that lives here
          is the object itself; of one that lives elsewhere, the HTTP adapter at its address.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import aiohttp
import structlog
from aiohttp import web

from maas.ports import BerthPort, NetworkPort, OnDemandPort, PlannerPort
from payments.ports import LedgerPort, PaymentsPort
from services.demand.service import build as build_demand
from services.demo.service import build as build_demo
from services.dispatch.service import build as build_dispatch
from services.feeds.service import build as build_feeds
from services.gateway.face import GatewayService, open_to_public
from services.gateway.service import build as build_gateway
from services.ledger.service import build as build_ledger
from services.partners.service import build as build_partners
from services.payments.service import build as build_payments
from services.planner.service import build as build_planner
from services.platform.auth import Authenticator, IdentityPort
from services.platform.bus import Bus, InProcessBus
from services.platform.clock import Clock
from services.platform.context import Ports, ServiceContext
from services.platform.database import Database
from services.platform.errors import SettingsInvalid
from services.platform.http import build_app
from services.platform.outbox import Outbox
from services.platform.redis_bus import RedisBus
from services.platform.rpc import add_port_routes, port_client
from services.platform.runtime import Runtime
from services.platform.service import Service
from services.platform.settings import Settings
from services.sales.service import build as build_sales
from services.settlement.service import build as build_settlement
from services.ticketing.service import build as build_ticketing

log = structlog.get_logger()

Build = Callable[[ServiceContext], Service]

BUILDERS: Mapping[str, Build] = {
    "gateway": build_gateway,
    "ledger": build_ledger,
    "feeds": build_feeds,
    "planner": build_planner,
    "payments": build_payments,
    "partners": build_partners,
    "dispatch": build_dispatch,
    "sales": build_sales,
    "ticketing": build_ticketing,
    "settlement": build_settlement,
    "demand": build_demand,
}
"""All services, in the order in which they start: who is asked at start comes before who asks."""

OWNERS: Mapping[type, str] = {
    IdentityPort: "gateway",
    LedgerPort: "ledger",
    NetworkPort: "feeds",
    PlannerPort: "planner",
    PaymentsPort: "payments",
    BerthPort: "partners",
    OnDemandPort: "dispatch",
}
"""Which service implements a port."""


@dataclass(slots=True)
class House:
    """The services of one process, built and wired, with their application."""

    settings: Settings
    services: list[Service]
    app: web.Application
    runtime: Runtime
    session: aiohttp.ClientSession

    async def start(self) -> None:
        """Start all services; the application may be served afterwards."""
        await self.runtime.start()

    async def stop(self) -> None:
        """Stop all services."""
        await self.runtime.stop()
        await self.session.close()


def build_house(
    settings: Settings, clock: Clock, *, only: Sequence[str] = (), with_demo: bool = False
) -> House:
    """The services named in `only`, or all; `with_demo` adds the demonstration's own endpoints.

    Call inside a running event loop. Raises SettingsInvalid.
    """
    names = _chosen(only)
    session = aiohttp.ClientSession()
    ports = Ports(remote=_remote(settings, session))
    bus: Bus = RedisBus(settings.redis_url) if settings.redis_url else InProcessBus()
    services = [BUILDERS[name](_context(name, settings, clock, ports)) for name in names]
    if with_demo:
        services.append(build_demo(_context("demo", settings, clock, ports)))
    for service in services:
        for port, implementation in service.ports.items():
            ports.offer(port, implementation)
    authenticator = Authenticator(
        identity=lambda: ports.get(IdentityPort), clock=clock, service_secret=settings.service_secret
    )
    app = build_app(services, authenticator)
    for gateway in services:
        if isinstance(gateway, GatewayService):
            elsewhere = [BUILDERS[name](_context(name, settings, clock, ports)) for name in _elsewhere(names)]
            open_to_public(app, gateway=gateway, services=[*services, *elsewhere], local=services)
    if settings.service_secret:
        add_port_routes(app, services, authenticator)
    return House(settings, services, app, Runtime(services, bus), session)


def _elsewhere(names: Sequence[str]) -> list[str]:
    """Services of other processes: built here, never started, so that the gateway knows their endpoints."""
    return [name for name in BUILDERS if name not in names]


def _chosen(only: Sequence[str]) -> list[str]:
    unknown = sorted(set(only) - set(BUILDERS))
    if unknown:
        raise SettingsInvalid(
            f"There is no service called {', '.join(unknown)}. The services are: {', '.join(BUILDERS)}."
        )
    return [name for name in BUILDERS if not only or name in only]


def _context(name: str, settings: Settings, clock: Clock, ports: Ports) -> ServiceContext:
    database = Database(settings.database_url, schema=name)
    return ServiceContext(
        settings=settings,
        clock=clock,
        database=database,
        outbox=Outbox(database, clock),
        ports=ports,
        data_dir=settings.data_dir,
        log=log.bind(service=name),
    )


def _remote(settings: Settings, session: aiohttp.ClientSession) -> Callable[[type], object]:
    def remote(port: type) -> object:
        owner = OWNERS[port]
        if owner not in settings.service_urls:
            raise SettingsInvalid(
                f"The {owner} service lives in another process, and MAAS_SERVICE_URLS has no address for it. "
                f'Add {{"{owner}": "http://host:port"}}.'
            )
        return port_client(
            port,
            base_url=settings.service_urls[owner],
            session=session,
            secret=settings.service_secret,
        )

    return remote
