"""The tariff in force as account-based travel asks it: opened once, followed when a network is published.

Problem   A new tariff is published while taps are being rated.
Idea      A `FareBook` is made of one published folder and never changed. A set of weeks is rated with the one
          in hand when it begins. Which is in force is asked every few seconds.
Not here  Prices (maas/fares): their rows are dated, so a book prices last week by last week's tariff.
"""

import asyncio
from pathlib import Path

import structlog

from maas.account_travel.fare_book import FareBook
from maas.account_travel.policy import TapRules, TravelPolicy
from maas.account_travel.rides import Stop
from maas.fares.engine import FareEngine
from maas.fares.runs import without_feed
from maas.ports import NetworkPort, PublishedNetwork
from routing.strings import iterate_strings
from routing.timetable import open_timetable
from services.platform.context import ServiceContext

log = structlog.get_logger()

ASK_EVERY_S = 5.0


class TariffInForce:
    """Holds the fare book of the network in force; None before a network with tariffs is published."""

    def __init__(self, context: ServiceContext, policy: TravelPolicy) -> None:
        self._context = context
        self._policy = policy
        self._version: str | None = None
        self._book: FareBook | None = None

    def find_book(self) -> FareBook | None:
        """The book of the network in force, as far as this process knows."""
        return self._book

    async def refresh(self) -> None:
        """Open the network in force unless it is the one held. On any error the one held stays."""
        published = await self._context.ports.get(NetworkPort).get_in_force()
        if published is None or published.version == self._version:
            return
        book = await asyncio.to_thread(open_book, published, self._policy)
        self._version, self._book = published.version, book

    async def follow(self) -> None:
        """For ever: refresh every few seconds."""
        while True:
            try:
                await self.refresh()
            except Exception:
                log.exception("tariff_not_opened")
            await asyncio.sleep(ASK_EVERY_S)


def open_book(published: PublishedNetwork, policy: TravelPolicy) -> FareBook | None:
    """The fares of a published network; None where it has no tariffs. Raises TariffUnreadable."""
    folder = Path(published.path) / "tariffs"
    if not folder.is_dir():
        return None
    timetable = open_timetable(Path(published.path))
    names = dict(
        zip(
            map(without_feed, iterate_strings(timetable.stop_ids)),
            iterate_strings(timetable.stop_names),
            strict=True,
        )
    )

    def name_of(stop: Stop) -> str:
        return names.get(without_feed(stop.stop_id), stop.stop_id)

    return FareBook(FareEngine.from_folder(folder), TapRules.from_folder(folder), policy, name_of=name_of)
