"""The network that searches run on, opened and swapped without stopping anybody.

Problem   A new network is published while searches run, perhaps by another process.
Idea      A `Network` is everything that answers need, never changed once opened. A search takes the one in
          force when it begins and keeps it to its end. `NetworkInForce` asks the feeds service which network
          that is: when told of a publication, and every few seconds besides, since only one replica is told.
"""

import asyncio
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog

from maas.errors import NetworkUnavailable
from maas.fares.engine import FareEngine
from maas.fares.refunds import RefundRules
from maas.ports import NetworkPort, PublishedNetwork
from routing.raptor import Router
from routing.timetable import open_timetable
from services.planner.journeys import Teller
from services.planner.places import PlaceIndex
from services.platform.context import ServiceContext

log = structlog.get_logger()

ASK_EVERY_S = 3.0


@dataclass(frozen=True, slots=True)
class Network:
    """One published network, open. Without a tariff folder it has no fares and no refund rules."""

    version: str
    published_at: datetime
    router: Router
    places: PlaceIndex
    teller: Teller
    fares: FareEngine | None
    refunds: RefundRules | None


def open_network(published: PublishedNetwork) -> Network:
    """Open a network and run a first search on it, so that nobody waits for a compiler.

    Raises NetworkUnreadable, TariffUnreadable.
    """
    folder = Path(published.path)
    timetable = open_timetable(folder)
    places = PlaceIndex(timetable)
    tariffs = folder / "tariffs"
    router = Router(timetable)
    router.warm_up()
    return Network(
        version=published.version,
        published_at=published.published_at,
        router=router,
        places=places,
        teller=Teller(timetable, places),
        fares=FareEngine.from_folder(tariffs) if tariffs.is_dir() else None,
        refunds=RefundRules.from_folder(tariffs) if tariffs.is_dir() else None,
    )


class NetworkInForce:
    """Holds the network in force, and follows it."""

    def __init__(self, context: ServiceContext, executor: Executor) -> None:
        self._context = context
        self._executor = executor
        self._network: Network | None = None
        self._turn = asyncio.Lock()
        self._told = asyncio.Event()

    def get(self) -> Network:
        """The network in force as far as this process knows. Raises NetworkUnavailable."""
        if self._network is None:
            raise NetworkUnavailable("No network is published yet. Load feeds with `maas load`.")
        return self._network

    def tell(self) -> None:
        """Something was published: look now."""
        self._told.set()

    async def refresh(self) -> None:
        """Open the network in force unless it is the one held. On any error the one held stays."""
        async with self._turn:
            published = await self._context.ports.get(NetworkPort).get_in_force()
            if published is None or (self._network and self._network.version == published.version):
                return
            loop = asyncio.get_running_loop()
            self._network = await loop.run_in_executor(self._executor, open_network, published)
            log.info("network_opened", version=published.version)

    async def follow(self) -> None:
        """For ever: refresh when told, and every few seconds."""
        while True:
            await self.refresh()
            try:
                async with asyncio.timeout(ASK_EVERY_S):
                    await self._told.wait()
            except TimeoutError:
                continue
            self._told.clear()
