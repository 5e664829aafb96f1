"""Who asks while work is on its way is part of the next piece; each caller's trouble stays its own."""

import asyncio
from collections.abc import Sequence

import pytest

from services.platform.gathering import Gathering


class Work:
    """Doubles numbers, slowly, and remembers with whom it was asked."""

    def __init__(self, *poison: int) -> None:
        self.asked: list[list[int]] = []
        self.poison = set(poison)
        self.gate = asyncio.Event()

    async def __call__(self, numbers: Sequence[int]) -> list[int]:
        self.asked.append(list(numbers))
        await self.gate.wait()
        if self.poison & set(numbers):
            raise ValueError(f"{numbers}")
        return [2 * number for number in numbers]


async def ask_all(gathering: Gathering[int, int], work: Work, count: int) -> list[int | BaseException]:
    tasks = [asyncio.create_task(gathering.ask(number)) for number in range(count)]
    await asyncio.sleep(0)
    work.gate.set()
    return await asyncio.gather(*tasks, return_exceptions=True)


async def test_those_who_wait_are_answered_together_in_order() -> None:
    work = Work()
    gathering: Gathering[int, int] = Gathering(work, gathered_max=4, on_their_way_max=1)
    assert await ask_all(gathering, work, 10) == [2 * number for number in range(10)]
    # The tasks of the first round all wait before the work begins; then each piece takes four at most.
    assert work.asked == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


async def test_a_failure_is_told_to_its_own_caller_only() -> None:
    work = Work(5)
    gathering: Gathering[int, int] = Gathering(work, gathered_max=4, on_their_way_max=2)
    answers = await ask_all(gathering, work, 8)
    assert isinstance(answers[5], ValueError)
    assert [answer for number, answer in enumerate(answers) if number != 5] == [0, 2, 4, 6, 8, 12, 14]


async def test_a_caller_that_went_away_is_left_out_and_harms_nobody() -> None:
    work = Work()
    gathering: Gathering[int, int] = Gathering(work, gathered_max=1, on_their_way_max=1)
    first, second, third = (asyncio.create_task(gathering.ask(number)) for number in (1, 2, 3))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.sleep(0)
    work.gate.set()
    assert await asyncio.gather(first, third) == [2, 6]
    with pytest.raises(asyncio.CancelledError):
        await second
    assert work.asked == [[1], [3]]
