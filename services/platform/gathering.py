"""Callers that come while work is on its way wait together and become the next piece of work.

Problem   A durable write costs one flush of the log, however much it writes. A flush a request is far too
          many.
Idea      Whoever asks while writes are on their way waits; the next write takes all that wait, up to a bound.
          Under load the writes grow by themselves; a lone caller waits for nobody. There is no timer. A write
          that fails is tried again caller by caller, so that one caller's trouble stays its own.
Invariant A caller is answered only after the write that took its question has returned.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Question = TypeVar("Question")
Answer = TypeVar("Answer")


@dataclass(slots=True, eq=False)
class _Waiting(Generic[Question, Answer]):
    question: Question
    answer: "asyncio.Future[Answer]"


class Gathering(Generic[Question, Answer]):
    """Asks `work` for the answers to many questions at once.

    `gathered_max` bounds the questions of one piece of work, `on_their_way_max` the pieces at once.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Question]], Awaitable[Sequence[Answer]]],
        *,
        gathered_max: int,
        on_their_way_max: int,
    ) -> None:
        self._work = work
        self._gathered_max = gathered_max
        self._on_their_way_max = on_their_way_max
        self._waiting: list[_Waiting[Question, Answer]] = []
        self._on_their_way: set[asyncio.Task[None]] = set()

    async def ask(self, question: Question) -> Answer:
        """The answer to `question`, or what `work` raises for it alone."""
        mine: _Waiting[Question, Answer] = _Waiting(question, asyncio.get_running_loop().create_future())
        self._waiting.append(mine)
        self._start()
        try:
            return await mine.answer
        finally:
            # A caller that went away before its turn is left out.
            if mine in self._waiting:
                self._waiting.remove(mine)

    def _start(self) -> None:
        """Send work on its way if there is room. It belongs to no caller, so none can take it along."""
        if self._waiting and len(self._on_their_way) < self._on_their_way_max:
            task = asyncio.get_running_loop().create_task(self._work_on_gathered())
            self._on_their_way.add(task)
            task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._on_their_way.remove(task)
        self._start()

    async def _work_on_gathered(self) -> None:
        count = self._gathered_max
        gathered, self._waiting = self._waiting[:count], self._waiting[count:]
        if not gathered:
            return
        try:
            await self._answer(gathered)
        except Exception as error:  # noqa: BLE001 - each caller is told its own
            if len(gathered) == 1:
                _tell(gathered[0], error)
            else:
                await self._answer_one_by_one(gathered)
        except BaseException:
            for each in gathered:
                _tell(each, ConnectionError("The service stopped before it answered. Send the same again."))
            raise

    async def _answer(self, gathered: Sequence[_Waiting[Question, Answer]]) -> None:
        answers = await self._work([each.question for each in gathered])
        for each, answer in zip(gathered, answers, strict=True):
            if not each.answer.done():
                each.answer.set_result(answer)

    async def _answer_one_by_one(self, gathered: Sequence[_Waiting[Question, Answer]]) -> None:
        for each in gathered:
            try:
                await self._answer([each])
            except Exception as error:  # noqa: BLE001 - each caller is told its own
                _tell(each, error)


def _tell(waiting: _Waiting[Question, Answer], error: BaseException) -> None:
    if not waiting.answer.done():
        waiting.answer.set_exception(error)
