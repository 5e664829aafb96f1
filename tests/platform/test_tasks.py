"""Background tasks end, also those in which a library swallows the cancellation."""

import asyncio

from services.platform.tasks import end_tasks


async def test_a_task_that_loses_its_cancellation_is_cancelled_again() -> None:
    lost = 0

    async def stubborn() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                lost += 1
                if lost == 2:
                    raise

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    await asyncio.wait_for(end_tasks([task]), 10)
    assert (task.cancelled(), lost) == (True, 2)


async def test_a_task_that_failed_before_is_no_trouble() -> None:
    async def failing() -> None:
        raise RuntimeError("broken")

    task = asyncio.create_task(failing())
    await asyncio.sleep(0)
    await end_tasks([task])
    await end_tasks([])
    assert task.done()
