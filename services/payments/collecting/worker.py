"""The worker behind collection: whatever a call, a crash or a day's end left to do is done here."""

import asyncio

import structlog

from services.payments.collecting.charging import Charging

log = structlog.get_logger()

_IDLE_S = 2.0


class CollectionWorker:
    """Takes up what is due, at the start everything."""

    def __init__(self, charging: Charging) -> None:
        self._charging = charging

    async def collect(self) -> None:
        """For ever: post charges that were left."""
        await self._charging.post_what_was_left(at_once=True)
        while True:
            await asyncio.sleep(_IDLE_S)
            await self._charging.post_what_was_left()
