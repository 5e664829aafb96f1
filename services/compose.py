"""The only place that knows all services: it builds those that a process runs and wires their ports.

Problem   The same services run in one process on a laptop and in many on a cluster.
Idea      `House` builds the chosen services over one clock and one bus. A port of a service that lives here
          is the object itself; of one that lives elsewhere, the HTTP adapter at its address.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module

import aiohttp
import structlog
from aiohttp import web

from maas.ports import (
    BerthPort,
    BikesPort,
    EligibilityPort,
    NetworkPort,
    OnDemandPort,
    PassPort,
    PlannerPort,
    RidesPort,
)
from payments.ports import CollectionPort, LedgerPort, OperatorPayoutsPort, PaymentsPort, SavedMethodsPort
from services.gateway.face import GatewayService, open_to_public
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

log = structlog.get_logger()

Build = Callable[[ServiceContext], Service]

SERVICES: tuple[str, ...] = (
    "gateway",
    "ledger",
    "feeds",
    "planner",
    "payments",
    "partners",
    "dispatch",
    "sales",
    "ticketing",
    "settlement",
    "demand",
)
"""All services, in the order in which they start: who is asked at start comes before who asks."""

OWNERS: Mapping[type, str] = {
    IdentityPort: "gateway",
    LedgerPort: "ledger",
    NetworkPort: "feeds",
    PlannerPort: "planner",
    PaymentsPort: "payments",
    CollectionPort: "payments",
    SavedMethodsPort: "payments",
    OperatorPayoutsPort: "payments",
    BerthPort: "partners",
    BikesPort: "partners",
    EligibilityPort: "sales",
    PassPort: "sales",
    OnDemandPort: "dispatch",
    RidesPort: "ticketing",
}
"""Which service implements a port."""


def builder_of(name: str) -> Build:
    """The build function of a service. It is imported when it is needed: a process pays for what it runs."""
    build: Build = import_module(f"services.{name}.service").build
    return build


def load_services(only: Sequence[str] = ()) -> None:
    """Import what `build_house` will need: seconds, best spent in a thread while a database starts.

    Raises SettingsInvalid for a name that no service has.
    """
    names = _chosen(only)
    for name in SERVICES if "gateway" in names else names:
        builder_of(name)


@dataclass(slots=True)
class House:
    """The services of one process, built and wired, with their application."""

    settings: Settings
    services: list[Service]
    app: web.Application
    runtime: Runtime
    doors: "Doors"

    async def start(self) -> None:
        """Start all services; the application may be served afterwards."""
        await self.runtime.start()

    async def stop(self) -> None:
        """Stop all services."""
        await self.runtime.stop()
        await self.doors.close()


def build_house(
    settings: Settings, clock: Clock, *, only: Sequence[str] = (), with_demo: bool = False
) -> House:
    """The services named in `only`, or all; `with_demo` adds the demonstration's own endpoints.

    Call inside a running event loop. Raises SettingsInvalid.
    """
    names = _chosen(only)
    doors = Doors(settings)
    ports = Ports(remote=doors.open)
    bus: Bus = RedisBus(settings.redis_url) if settings.redis_url else InProcessBus()
    services = [builder_of(name)(_context(name, settings, clock, ports)) for name in names]
    if with_demo:
        services.append(builder_of("demo")(_context("demo", settings, clock, ports)))
    for service in services:
        for port, implementation in service.ports.items():
            ports.offer(port, implementation)
    authenticator = Authenticator(
        identity=lambda: ports.get(IdentityPort), clock=clock, service_secret=settings.service_secret
    )
    app = build_app(services, authenticator)
    for gateway in services:
        if isinstance(gateway, GatewayService):
            elsewhere = [
                builder_of(name)(_context(name, settings, clock, ports)) for name in _elsewhere(names)
            ]
            open_to_public(app, gateway=gateway, services=[*services, *elsewhere], local=services)
    if settings.service_secret:
        add_port_routes(app, services, authenticator)
    return House(settings, services, app, Runtime(services, bus), doors)


def _elsewhere(names: Sequence[str]) -> list[str]:
    """Services of other processes: built here, never started, so that the gateway knows their endpoints."""
    return [name for name in SERVICES if name not in names]


def _chosen(only: Sequence[str]) -> list[str]:
    unknown = sorted(set(only) - set(SERVICES))
    if unknown:
        raise SettingsInvalid(
            f"There is no service called {', '.join(unknown)}. The services are: {', '.join(SERVICES)}."
        )
    return [name for name in SERVICES if not only or name in only]


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


class Doors:
    """The HTTP adapters to services of other processes, over one session that is opened when needed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None

    def open(self, port: type) -> object:
        """The adapter of a port whose owner lives elsewhere. Raises SettingsInvalid."""
        owner = OWNERS[port]
        if owner not in self._settings.service_urls:
            raise SettingsInvalid(
                f"The {owner} service lives in another process, and MAAS_SERVICE_URLS has no address for it. "
                f'Add {{"{owner}": "http://host:port"}}.'
            )
        if self._session is None:
            self._session = aiohttp.ClientSession()
        return port_client(
            port,
            base_url=self._settings.service_urls[owner],
            session=self._session,
            secret=self._settings.service_secret,
        )

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
