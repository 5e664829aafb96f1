"""The worker behind collection: whatever a call, a crash or a day's end left to do is done here."""

import asyncio
from collections.abc import Mapping
from typing import Protocol

import structlog

log = structlog.get_logger()

_IDLE_S = 2.0
_BUSY, _BUSY_S = 50, 0.02
"""A part that did so much has more to do: the morning's bills are not made to wait between rounds."""


class Part(Protocol):
    """A part of the work; returns how much it did."""

    async def __call__(self, *, at_once: bool = False) -> int:
        """Do what is due, or everything unfinished `at_once`."""


class CollectionWorker:
    """Takes up what is due, part after part, at the start everything."""

    def __init__(self, parts: Mapping[str, Part]) -> None:
        self._parts = parts

    async def collect(self) -> None:
        """For ever."""
        await self.step(at_once=True)
        while True:
            done = await self.step()
            await asyncio.sleep(_IDLE_S if done < _BUSY else _BUSY_S)

    async def step(self, *, at_once: bool = False) -> int:
        """One round; returns the most that a part did. One that fails is logged, and tried again later."""
        most = 0
        for name, part in self._parts.items():
            try:
                most = max(most, await part(at_once=at_once))
            except Exception as error:  # noqa: BLE001 - one part that cannot go on must not stop the others
                log.warning("collection_waits", part=name, error=f"{type(error).__name__}: {error}")
        return most
