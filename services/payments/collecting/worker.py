"""The worker behind collection: whatever a call, a crash or a day's end left to do is done here."""

import asyncio

import structlog

from services.payments.collecting.charging import Charging
from services.payments.wallets.top_ups import TopUps

log = structlog.get_logger()

_IDLE_S = 2.0


class CollectionWorker:
    """Takes up what is due, at the start everything. A part that fails is logged and tried again."""

    def __init__(self, charging: Charging, top_ups: TopUps) -> None:
        self._charging = charging
        self._top_ups = top_ups

    async def collect(self) -> None:
        """For ever: post charges that were left, drive top-ups that were left."""
        await self.step(at_once=True)
        while True:
            await asyncio.sleep(_IDLE_S)
            await self.step()

    async def step(self, *, at_once: bool = False) -> None:
        """Do what is due, or everything unfinished `at_once`."""
        for part in (self._charging.post_what_was_left, self._top_ups.take_up_unfinished):
            try:
                await part(at_once=at_once)
            except Exception as error:  # noqa: BLE001 - one part that cannot go on must not stop the others
                log.warning("collection_waits", part=part.__name__, error=type(error).__name__)
