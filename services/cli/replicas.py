"""Several processes of one service behind one address: `MAAS_PROCESSES=4 maas up planner`.

Problem   One interpreter uses one core; a planner's answers take milliseconds of it each.
Idea      The first process listens and answers nothing: it hands its socket to replicas, each the same
          command over again, and the system gives every connection to one that waits for it. All map one
          network's files, so the timetable is in memory once. A replica that ends is started again; the
          others go on meanwhile, and no connection is refused. All are asked to stop when the first is, and
          stop by themselves when it is killed.
Not here  What a replica does (running.py).
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from services.cli.errors import CommandFailed
from services.platform.settings import Settings

REPLICABLE = frozenset({"planner"})
"""Services that keep nothing in memory that another process of theirs would have to know."""

SOCKET_VARIABLE = "MAAS_SOCKET"
"""For a replica: the number of the open socket that it inherits, and who opened it, as `7,4711`."""

_BACKLOG = 512
_PAUSE_S = 1.0
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


def find_inherited() -> Inherited | None:
    """What this replica has of its parent; None in a process that is nobody's replica."""
    told = os.environ.get(SOCKET_VARIABLE)
    if told is None:
        return None
    number, _, parent = told.partition(",")
    return Inherited(socket.socket(fileno=int(number)), int(parent))


def run_replicas(settings: Settings, only: Sequence[str]) -> None:
    """Keep so many replicas running until told to stop; all have ended on return."""
    with socket.create_server((settings.host, settings.port), backlog=_BACKLOG) as listening:
        listening.set_inheritable(True)
        replicas: list[subprocess.Popen[bytes]] = []
        with _stopping() as told:
            try:
                replicas += (_start(listening, settings, only) for _ in range(settings.process_count))
                while not told:
                    _replace_ended(replicas, listening, settings, only)
                    time.sleep(_LOOK_EVERY_S)
            finally:
                _stop(replicas)


def _start(listening: socket.socket, settings: Settings, only: Sequence[str]) -> "subprocess.Popen[bytes]":
    number = listening.fileno()
    return subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "services.cli.main", "up", *only],
        env=os.environ | {SOCKET_VARIABLE: f"{number},{os.getpid()}", "MAAS_PORT": str(settings.port)},
        pass_fds=(number,),
        # Ctrl-C reaches the first process, which asks each once.
        start_new_session=True,
    )


def _replace_ended(
    replicas: "list[subprocess.Popen[bytes]]",
    listening: socket.socket,
    settings: Settings,
    only: Sequence[str],
) -> None:
    ended = [i for i, replica in enumerate(replicas) if replica.poll() is not None]
    if len(ended) == len(replicas) and all(replicas[i].returncode > 0 for i in ended):
        raise CommandFailed("No process of the service could start; each said why above.")
    if ended:
        time.sleep(_PAUSE_S)  # What ends at once shall not be started without a breath.
    for i in ended:
        replicas[i] = _start(listening, settings, only)


def _stop(replicas: "Sequence[subprocess.Popen[bytes]]") -> None:
    for replica in replicas:
        replica.terminate()
    deadline = time.monotonic() + _STOP_S_MAX
    for replica in replicas:
        try:
            replica.wait(timeout=max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            replica.kill()
            replica.wait()


@contextmanager
def _stopping() -> Iterator[list[int]]:
    """A list that a signal to stop fills while the block runs."""
    told: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        told.append(number)

    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup wants it to go on
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, note) for number in numbers}
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
