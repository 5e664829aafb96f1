"""Several processes of one service behind one address: `MAAS_PROCESSES=4 maas up planner`.

Problem   One interpreter uses one core; a planner's answers take milliseconds of it each.
Idea      The first process listens and answers nothing: it loads the code and forks replicas, which answer
          on its socket; the system gives every connection to one that waits for it. Code is in memory once,
          and so is the timetable, since all map one network's files. A replica that ends is forked again; the
          others go on meanwhile, and no connection is refused. All are asked to stop when the first is, and
          stop by themselves when it is killed.
Not here  What a replica does (running.py).
"""

import asyncio
import gc
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from routing.kernels.rounds import warm_up_jit
from services.cli.errors import CommandFailed
from services.compose import load_services
from services.platform.settings import Settings

REPLICABLE = frozenset({"planner"})
"""Services that keep nothing in memory that another process of theirs would have to know."""

_BACKLOG = 512
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PAUSE_S = 1.0
_START_S_MIN = 3.0
"""Who ends sooner than this, and not because somebody killed it, would end again."""
_LOOK_EVERY_S = 0.2
_STOP_S_MAX = 30.0


def check_replicable(settings: Settings, only: Sequence[str]) -> None:
    """Raises CommandFailed where several processes are asked for of what may run in one only."""
    if settings.process_count > 1 and not (only and set(only) <= REPLICABLE):
        names = ", ".join(sorted(REPLICABLE))
        raise CommandFailed(
            f"MAAS_PROCESSES={settings.process_count} is for: {names}. "
            f"Start that service alone: MAAS_PROCESSES={settings.process_count} maas up {names}"
        )


@dataclass(frozen=True, slots=True)
class Inherited:
    """What a replica has of the process that started it: the socket to answer on, and its id."""

    socket: socket.socket
    parent: int

    async def until_orphaned(self) -> None:
        """Until that process is gone."""
        while os.getppid() == self.parent:  # noqa: ASYNC110 - the system tells nobody
            await asyncio.sleep(_PAUSE_S)


def run_replicas(settings: Settings, only: Sequence[str], run: Callable[[Inherited], None]) -> None:
    """Keep so many processes running that each do `run`, until told to stop; all have ended on return.

    Raises CommandFailed when none of them can start.
    """
    with socket.create_server((settings.host, settings.port), backlog=_BACKLOG) as listening:
        inherited = Inherited(listening, os.getpid())
        _load(only)
        replicas: dict[int, float] = {}  # process id -> when it was started
        with _stopping() as told:
            try:
                while not told:
                    while len(replicas) < settings.process_count:
                        replicas[_fork(run, inherited)] = time.monotonic()
                    time.sleep(_LOOK_EVERY_S)
                    _bury(replicas)
            finally:
                _stop(replicas)


def _load(only: Sequence[str]) -> None:
    """Load all that each process needs, so that it is in memory once; leave it where it lies."""
    load_services(only)
    warm_up_jit()
    gc.collect()
    gc.freeze()


def _fork(run: Callable[[Inherited], None], inherited: Inherited) -> int:
    """Another process that does `run` and ends; its id. We have one thread, so nothing is cut in two."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        # Ctrl-C reaches the first process, which asks each once.
        os.setsid()
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)
        run(inherited)
        status = 0
    except CommandFailed as error:
        print(f"maas: {error}", file=sys.stderr)
    except BaseException:  # noqa: BLE001 - it must end here whatever happens, and not go on as its parent
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _bury(replicas: dict[int, float]) -> None:
    """Forget those that ended. Raises CommandFailed when one could not even start."""
    for pid, since in list(replicas.items()):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if not ended:
            continue
        del replicas[pid]
        if os.waitstatus_to_exitcode(status) > 0 and time.monotonic() - since < _START_S_MIN:
            raise CommandFailed("A process of the service could not start; it said why above.")


def _stop(replicas: Iterable[int]) -> None:
    left = set(replicas)
    for pid in left:
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_S_MAX
    while left:
        left = {pid for pid in left if not os.waitpid(pid, os.WNOHANG)[0]}
        if left and time.monotonic() > deadline:
            for pid in left:
                os.kill(pid, signal.SIGKILL)
        time.sleep(_LOOK_EVERY_S / 4)


@contextmanager
def _stopping() -> Iterator[list[int]]:
    """A list that a signal to stop fills while the block runs."""
    told: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        told.append(number)

    # nohup wants it to go on after the terminal.
    numbers = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, note) for number in numbers}
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
