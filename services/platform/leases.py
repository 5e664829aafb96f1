"""Keep a lease alive while its holder works, so that it can be short.

Problem   A lease must outlast the longest work, yet a dead holder's lease should run out at once.
Idea      Take it for a few seconds and renew it for as long as the block runs.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import structlog

from services.platform.tasks import end_tasks

log = structlog.get_logger()

LEASE_S = 8
"""How long a lease lasts that nobody renews. In SQL it stands as a literal with this number."""
_RENEW_EVERY_S = 2.5


@asynccontextmanager
async def kept_alive(renew: Callable[[], Awaitable[Any]]) -> AsyncIterator[None]:
    """Call `renew` every few seconds until the block ends. A failed renewal is logged and tried again."""
    task = asyncio.create_task(_renew_for_ever(renew))
    try:
        yield
    finally:
        await end_tasks([task])


async def _renew_for_ever(renew: Callable[[], Awaitable[Any]]) -> None:
    while True:
        await asyncio.sleep(_RENEW_EVERY_S)
        try:
            await renew()
        except Exception:
            log.exception("lease_not_renewed")
