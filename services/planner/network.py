"""The network that searches run on, opened and swapped without stopping anybody.

Problem   A new network is published while searches run, perhaps by another process.
Idea      A `Network` is everything that answers need, never changed once opened. A search takes the one in
          force when it begins and keeps it to its end. `NetworkInForce` asks the feeds service which network
          that is: when told of a publication, and every few seconds besides, since only one replica is told.
          News of sailings (sailings.py) are asked for every second, and make another `Network` of the same
          arrays.
"""

import asyncio
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import structlog

from maas.errors import NetworkUnavailable
from maas.fares.network_fares import NetworkFares, open_network_fares
from maas.fares.refunds import RefundRules
from maas.ports import NetworkPort, PublishedNetwork
from routing.bounds import find_saved_bounds
from routing.raptor import Router
from routing.reach import warm_up_reach
from routing.timetable import open_timetable
from services.planner.journeys import Teller
from services.planner.mode_filter import ModeFilter
from services.planner.places import PlaceIndex
from services.planner.sailings import SailingNews, SailingStore
from services.platform.context import ServiceContext

log = structlog.get_logger()

ASK_EVERY_S = 3.0
ASK_NEWS_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Network:
    """One published network, open. Without a tariff folder it has its feeds' own fares, if any.

    Refund rules are in the tariff folder only.
    """

    version: str
    published_at: datetime
    router: Router
    places: PlaceIndex
    teller: Teller
    fares: NetworkFares | None
    refunds: RefundRules | None
    news: SailingNews = field(default_factory=SailingNews)
    mode_filter: ModeFilter = field(default_factory=ModeFilter, init=False)

    @property
    def snapshot_version(self) -> str:
        """What an answer was made of: the network, and how many news of sailings were known."""
        return _snapshot_version(self.version, self.news)

    def with_news(self, news: SailingNews) -> "Network":
        """The same network as these news leave it. Searches that run on this one are not touched."""
        timetable = self.router.timetable
        version = _snapshot_version(self.version, news)
        return replace(
            self,
            router=self.router.replace_cancelled(news.find_cancelled(timetable)),
            teller=replace(self.teller, news=news, version=version),
            news=news,
        )


def _snapshot_version(version: str, news: SailingNews) -> str:
    return f"{version}+{news.version}" if news.version else version


def open_network(published: PublishedNetwork) -> Network:
    """Open a network and run a first search on it, so that nobody waits for a compiler.

    Raises NetworkUnreadable, TariffUnreadable.
    """
    folder = Path(published.path)
    timetable = open_timetable(folder)
    places = PlaceIndex(timetable)
    tariffs = folder / "tariffs"
    router = Router(timetable, bounds=find_saved_bounds(folder, timetable))
    router.warm_up()
    warm_up_reach(router)
    return Network(
        version=published.version,
        published_at=published.published_at,
        router=router,
        places=places,
        teller=Teller(timetable, places, published.version),
        fares=open_network_fares(folder, tariffs),
        refunds=RefundRules.from_folder(tariffs) if tariffs.is_dir() else None,
    )


class NetworkInForce:
    """Holds the network in force, and follows it."""

    def __init__(self, context: ServiceContext, executor: Executor) -> None:
        self._context = context
        self._executor = executor
        self._sailings = SailingStore(context.database)
        self._network: Network | None = None
        self._turn = asyncio.Lock()
        self._told = asyncio.Event()

    def get(self) -> Network:
        """The network in force as far as this process knows. Raises NetworkUnavailable."""
        if self._network is None:
            raise NetworkUnavailable("No network is published yet. Load feeds with `maas load`.")
        return self._network

    @property
    def is_open(self) -> bool:
        """Whether there is one."""
        return self._network is not None

    def tell(self) -> None:
        """Something was published: look now."""
        self._told.set()

    async def refresh(self) -> None:
        """Open the network in force unless it is the one held. On any error the one held stays."""
        async with self._turn:
            published = await self._context.ports.get(NetworkPort).get_in_force()
            if published is None or (self._network and self._network.version == published.version):
                return
            news = await self._sailings.read()
            loop = asyncio.get_running_loop()
            self._network = await loop.run_in_executor(
                self._executor, lambda: open_network(published).with_news(news)
            )
            log.info("network_opened", version=self._network.snapshot_version)

    async def refresh_news(self) -> None:
        """Take up what operators said since. On any error what is held stays."""
        async with self._turn:
            network = self._network
            if network is None or await self._sailings.get_version() == network.news.version:
                return
            news = await self._sailings.read()
            loop = asyncio.get_running_loop()
            self._network = await loop.run_in_executor(self._executor, network.with_news, news)
            log.info("sailings_changed", version=self._network.snapshot_version)

    async def follow_news(self) -> None:
        """For ever: take up news of sailings, every second."""
        while True:
            await self.refresh_news()
            await asyncio.sleep(ASK_NEWS_EVERY_S)

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
