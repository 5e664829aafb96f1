"""The network that searches run on, opened and swapped without stopping anybody.

Problem   A new network is published while searches run, perhaps by another process.
Idea      A `Network` is everything that answers need, never changed once opened. A search takes the one in
          force when it begins and keeps it to its end. `NetworkInForce` asks the feeds service which network
          that is: when told of a publication, and every few seconds besides, since only one replica is told.
          News of sailings (sailings.py) and live messages (live/) are asked for every second, and make
          another `Network` of the same arrays.
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
from routing.frugal import warm_up_frugal
from routing.raptor import Router
from routing.reach import warm_up_reach
from routing.streets.graph import open_streets
from routing.streets.landmarks import LANDMARKS
from routing.streets.street_ways import StreetWays
from routing.streets.ways import BeelineWays, Ways
from routing.timetable import open_timetable
from services.planner.inside import Inside
from services.planner.journeys import Teller
from services.planner.landmarks import open_index
from services.planner.live.state import LiveState, build_router, build_state
from services.planner.live.store import LiveNews, LiveStore
from services.planner.outside import Outside, warm_up_ways
from services.planner.places import PlaceIndex
from services.planner.sailings import SailingNews, SailingStore
from services.planner.variants import Variants
from services.platform.context import ServiceContext

log = structlog.get_logger()

ASK_EVERY_S = 3.0
ASK_NEWS_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Network:
    """One published network, open. Without a tariff folder it has its feeds' own fares, if any.

    `planned` searches the timetable as it was published, `router` as it runs. Refund rules are in the tariff
    folder only. `ways` are along its streets, by beelines where it has none.
    """

    version: str
    published_at: datetime
    planned: Router
    router: Router
    places: PlaceIndex
    teller: Teller
    fares: NetworkFares | None
    refunds: RefundRules | None
    news: SailingNews = field(default_factory=SailingNews)
    live: LiveState = field(default_factory=LiveState)
    ways: Ways = field(default_factory=BeelineWays)
    variants: Variants = field(default_factory=Variants, init=False)

    @property
    def has_streets(self) -> bool:
        """Whether ways are along streets, where there are any."""
        return isinstance(self.ways, StreetWays)

    def __post_init__(self) -> None:
        """Variants of a network know its stations."""
        self.variants.inside = self.teller.outside.inside

    @property
    def snapshot_version(self) -> str:
        """What an answer was made of: the network, how many news of sailings, and which live messages."""
        return _snapshot_version(self.version, self.news, self.live)

    def with_news(self, news: SailingNews, live: LiveNews, now: datetime) -> "Network":
        """The same network as these news and messages leave it. Searches that run on this one go on."""
        planned = self.planned
        cancelled = news.find_cancelled(planned.timetable)
        state, router = LiveState(news=live), None
        if live.sources:
            try:
                state = build_state(planned, live, cancelled, now)
                router = build_router(self.router, planned, state, cancelled)
            except Exception:
                # What operators say of sailings must be taken up whatever else is said.
                log.exception("live_messages_not_laid_over", version=live.version)
                state = LiveState(news=live)
        if router is None:
            router = (planned if self.live.overlay else self.router).replace_cancelled(cancelled)
        teller = replace(
            self.teller,
            timetable=router.timetable,
            news=news,
            live=state,
            version=_snapshot_version(self.version, news, state),
        )
        return replace(self, router=router, teller=teller, news=news, live=state)


def _snapshot_version(version: str, news: SailingNews, live: LiveState) -> str:
    told = f"{version}+{news.version}" if news.version else version
    return f"{told}~{live.news.version}" if live.news.sources else told


def open_network(published: PublishedNetwork) -> Network:
    """Open a network and run a first search on it, so that nobody waits for a compiler.

    Raises NetworkUnreadable, TariffUnreadable, StreetsUnreadable.
    """
    folder = Path(published.path)
    timetable = open_timetable(folder)
    landmarks = folder / "streets" / LANDMARKS
    places = PlaceIndex(timetable, open_index(landmarks) if landmarks.is_dir() else None)
    tariffs = folder / "tariffs"
    router = Router(timetable, bounds=find_saved_bounds(folder, timetable))
    router.warm_up()
    warm_up_reach(router)
    warm_up_frugal(router)
    ways = _open_ways(folder)
    # The first call compiles, or loads what was compiled.
    warm_up_ways(ways, float(timetable.stops.lat[0]), float(timetable.stops.lon[0]))
    return Network(
        version=published.version,
        published_at=published.published_at,
        planned=router,
        router=router,
        places=places,
        teller=Teller(timetable, places, published.version, outside=Outside.keeping(ways, Inside(timetable))),
        fares=open_network_fares(folder, tariffs),
        refunds=RefundRules.from_folder(tariffs) if tariffs.is_dir() else None,
        ways=ways,
    )


def _open_ways(folder: Path) -> Ways:
    """Along the network's streets, which all processes map; by beelines where it has none."""
    streets = folder / "streets"
    return StreetWays(open_streets(streets)) if streets.is_dir() else BeelineWays()


class NetworkInForce:
    """Holds the network in force, and follows it."""

    def __init__(self, context: ServiceContext, executor: Executor) -> None:
        self._context = context
        self._executor = executor
        self._sailings = SailingStore(context.database)
        self.live = LiveStore(context.database)
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
            news, live, now = await self._read_news()
            loop = asyncio.get_running_loop()
            self._network = await loop.run_in_executor(
                self._executor, lambda: open_network(published).with_news(news, live, now)
            )
            log.info("network_opened", version=self._network.snapshot_version)

    async def refresh_news(self) -> None:
        """Take up what operators said since. On any error what is held stays."""
        async with self._turn:
            network, now = self._network, self._context.clock.now()
            if network is None or (
                await self._sailings.get_version() == network.news.version
                and await self.live.get_key(now) == network.live.news.key
                and (network.live.old_at is None or now <= network.live.old_at)
            ):
                return
            news, live, now = await self._read_news()
            loop = asyncio.get_running_loop()
            self._network = await loop.run_in_executor(
                self._executor, lambda: network.with_news(news, live, now)
            )
            log.info("news_taken_up", version=self._network.snapshot_version)

    async def _read_news(self) -> tuple[SailingNews, LiveNews, datetime]:
        now = self._context.clock.now()
        return await self._sailings.read(), await self.live.read(now), now

    async def follow_news(self) -> None:
        """For ever: take up news of sailings and live messages, every second."""
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
