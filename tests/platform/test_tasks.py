"""Background tasks end, also those in which a library swallows the cancellation."""

import asyncio

import pytest

from services.platform.tasks import end_tasks, run_stoppable


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


async def test_work_that_loses_its_cancellation_stops_and_what_surrounds_it_is_cleaned_up_in_peace() -> None:
    said = list[str]()

    async def stubborn() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            said.append("lost")
        await asyncio.Event().wait()

    async def house() -> None:
        try:
            await run_stoppable(stubborn())
        finally:
            await asyncio.sleep(1)
            said.append("cleaned up")

    task = asyncio.create_task(house())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 10)
    assert said == ["lost", "cleaned up"]


async def test_work_that_ends_or_fails_does_so_for_its_caller() -> None:
    async def fail() -> None:
        raise RuntimeError("broken")

    await run_stoppable(asyncio.sleep(0))
    with pytest.raises(RuntimeError, match="broken"):
        await run_stoppable(fail())
