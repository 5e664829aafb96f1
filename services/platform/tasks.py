"""End background tasks for certain.

Problem   A cancellation may be lost: a library that meets it while its own time-out runs out raises something
          else instead, our loop goes on, and who awaits the task waits for ever.
Idea      Cancel again until every task has ended.
"""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

_ASK_AGAIN_S = 0.5


async def end_tasks(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel all of these and wait until they have ended, however they end."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        ended, left = await asyncio.wait(left, timeout=_ASK_AGAIN_S)
        for task in ended:
            if not task.cancelled():
                task.exception()  # looked at, so that nobody is warned of it later


async def run_stoppable(work: Coroutine[Any, Any, None]) -> None:
    """Do this work; whoever is cancelled meanwhile cancels it until it has ended. Raises what it raises."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task})
        await task
    finally:
        await end_tasks([task])
