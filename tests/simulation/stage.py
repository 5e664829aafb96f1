"""Tasks that go on one at a time, as a seed says, and may die between any two steps.

Idea      A task stops at a *point* before and after each call to the world outside its process. The stage
          lets one go on at a time, so that any interleaving is possible and the same seed gives it again; or
          it kills the task there, as a process is killed.
"""

import asyncio
import random
from collections.abc import Coroutine
from typing import Any

from asyncpg.pool import PoolConnectionProxy

from payments.errors import PaymentsError


class Killed(BaseException):
    """The process was killed here. Nothing may catch it."""


class Stage:
    """Lets one task go on at a time, as the seed says."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._moved = asyncio.Event()
        self._waiting: dict[int, tuple[asyncio.Future[None], str]] = {}
        self._tasks: dict[int, asyncio.Task[object]] = {}
        self._numbers: dict[asyncio.Task[object] | None, int] = {}
        self._count = 0
        self.log: list[str] = []

    async def point(self, name: str) -> None:
        """The task stops here until it is its turn; it may be killed."""
        number = self._numbers[asyncio.current_task()]
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[number] = (turn, name)
        self._moved.set()
        await turn

    def start(self, name: str, work: Coroutine[Any, Any, object]) -> None:
        """Begin a task; it runs to its first point at the next step."""
        self._count += 1
        number = self._count
        task = asyncio.create_task(self._run(number, name, work))
        self._tasks[number] = task
        self._numbers[task] = number

    async def _run(self, number: int, name: str, work: Coroutine[Any, Any, object]) -> None:
        try:
            result = await work
            self.log.append(f"{number} {name} -> {_short(result)}")
        except Killed:
            self.log.append(f"{number} {name} killed")
        except PaymentsError as error:
            self.log.append(f"{number} {name} raised {type(error).__name__}")
        finally:
            del self._tasks[number]
            self._moved.set()

    @property
    def running_count(self) -> int:
        return len(self._tasks)

    async def step(self, *, kill_chance: float) -> None:
        """Let one task go on to its next point or its end, or kill it."""
        await self._until_all_wait()
        if not self._waiting:
            return
        number = self._rng.choice(sorted(self._waiting))
        turn, name = self._waiting.pop(number)
        if self._rng.random() < kill_chance:
            self.log.append(f"{number} dies {name}")
            turn.set_exception(Killed())
        else:
            turn.set_result(None)
        await self._until_all_wait()

    async def _until_all_wait(self) -> None:
        while any(number not in self._waiting for number in self._tasks):
            self._moved.clear()
            async with asyncio.timeout(30):
                await self._moved.wait()

    async def finish(self) -> None:
        """Let every task end, killing none."""
        while self._tasks:
            await self.step(kill_chance=0.0)


class Staged:
    """An object whose async methods stop at the stage before and after, except inside a transaction.

    A method that is handed a connection is within one: whoever waited for its locks could never go on.
    """

    def __init__(self, inner: object, stage: Stage) -> None:
        self._inner = inner
        self._stage = stage

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        if not asyncio.iscoroutinefunction(method):
            return method

        async def call(*args: Any, **kwargs: Any) -> Any:
            if any(isinstance(each, PoolConnectionProxy) for each in (*args, *kwargs.values())):
                return await method(*args, **kwargs)
            await self._stage.point(f"before {name}")
            result = await method(*args, **kwargs)
            await self._stage.point(f"after {name}")
            return result

        return call


def _short(result: object) -> str:
    state = getattr(result, "state", result)
    return str(getattr(state, "value", state))
