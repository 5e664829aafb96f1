"""Several processes of one service behind one address: `MAAS_PROCESSES=4 maas up planner`.

Problem   One interpreter uses one core; a planner's answers take milliseconds of it each.
Idea      The first process loads the code and forks replicas. It takes each connection and hands it on to the
          replica whose turn it is, and does nothing else; clients keep connections, so were they taken by
          whoever is quickest, one replica might have them all. Code is in memory once, and so is the
          timetable, since all map one network's files. A replica that ends is forked again; the others go on
          meanwhile, and no connection is refused. All are asked to stop when the first is, and stop by
          themselves when it is killed.
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
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import Any

from aiohttp import web

from routing.kernels.rounds import warm_up_jit
from services.cli.errors import CommandFailed
from services.compose import load_services
from services.platform.settings import Settings

REPLICABLE = frozenset({"planner"})
"""Services that keep nothing in memory that another process of theirs would have to know."""

_BACKLOG = 512
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_READY, _CONNECTION = b"r", b"c"
"""What is said through a door: by a replica that it answers, to it that a connection comes along."""
_AT_ONCE_MAX = 16
"""Connections read from the door at once."""
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


@dataclass(slots=True)
class Inherited:
    """What a replica has of the process that forked it: the door through which connections come."""

    door: socket.socket

    async def serve(self, server: web.Server) -> None:
        """Say that we are ready, and answer on what comes through the door until nobody is behind it."""
        loop = asyncio.get_running_loop()
        is_alone = asyncio.Event()
        answering: set[asyncio.Task[Any]] = set()

        def take() -> None:
            try:
                said, numbers, _, _ = socket.recv_fds(self.door, _AT_ONCE_MAX, _AT_ONCE_MAX)
            except BlockingIOError:
                return
            except ConnectionError:  # It ended before it read what we said.
                said, numbers = b"", []
            if not said:
                loop.remove_reader(self.door)
                is_alone.set()
            for number in numbers:
                connection = socket.socket(fileno=number)
                connection.settimeout(0)
                task = loop.create_task(loop.connect_accepted_socket(server, connection))
                answering.add(task)
                task.add_done_callback(answering.discard)

        self.door.settimeout(0)
        loop.add_reader(self.door, take)
        try:
            with suppress(ConnectionError):  # It has ended already; the door says so, too.
                self.door.send(_READY)
            await is_alone.wait()
        finally:
            loop.remove_reader(self.door)


@dataclass(slots=True)
class _Replica:
    """A process of ours: our side of its door, and whether it answers yet."""

    pid: int
    door: socket.socket
    since: float
    is_ready: bool = False

    def look(self) -> None:
        """See whether it says that it is ready."""
        if not self.is_ready:
            with suppress(BlockingIOError, ConnectionError):
                self.is_ready = self.door.recv(1) == _READY

    def give(self, connection: socket.socket) -> bool:
        """Hand a connection on; False if it takes none now."""
        try:
            socket.send_fds(self.door, [_CONNECTION], [connection.fileno()])
        except (BlockingIOError, ConnectionError):
            return False
        return True


def run_replicas(settings: Settings, only: Sequence[str], run: Callable[[Inherited], None]) -> None:
    """Keep so many processes running that each do `run`, until told to stop; all have ended on return.

    Raises CommandFailed when one of them cannot start.
    """
    with socket.create_server((settings.host, settings.port), backlog=_BACKLOG) as listening:
        listening.settimeout(_LOOK_EVERY_S)
        _load(only)
        replicas: deque[_Replica] = deque()
        with _stopping() as told:
            try:
                while not told:
                    while len(replicas) < settings.process_count:
                        replicas.append(_fork(run, listening, replicas))
                    _hand_on(listening, replicas)
                    _bury(replicas)
            finally:
                _stop(replicas)


def _hand_on(listening: socket.socket, replicas: "deque[_Replica]") -> None:
    """Give the next connection to the replica whose turn it is; wait for one, for a moment."""
    for replica in replicas:
        replica.look()
    if not any(replica.is_ready for replica in replicas):
        time.sleep(_LOOK_EVERY_S / 4)
        return  # Who connects now waits in the queue.
    try:
        connection, _ = listening.accept()
    except TimeoutError:
        return
    with connection:
        for _ in range(len(replicas)):
            replicas.rotate(-1)
            if replicas[-1].is_ready and replicas[-1].give(connection):
                break


def _load(only: Sequence[str]) -> None:
    """Load all that each process needs, so that it is in memory once; leave it where it lies."""
    load_services(only)
    warm_up_jit()
    gc.collect()
    gc.freeze()


def _fork(run: Callable[[Inherited], None], listening: socket.socket, others: Iterable[_Replica]) -> _Replica:
    """Another process that does `run` and ends. We have one thread, so nothing is cut in two."""
    sys.stdout.flush()
    sys.stderr.flush()
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid:
        theirs.close()
        ours.settimeout(0)
        return _Replica(pid, ours, time.monotonic())
    status = 1
    try:
        # Whoever keeps a door of another keeps that one from seeing that we are gone.
        for each in (listening, ours, *(other.door for other in others)):
            each.close()
        # Ctrl-C reaches the first process, which asks each once.
        os.setsid()
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)
        run(Inherited(theirs))
        status = 0
    except CommandFailed as error:
        print(f"maas: {error}", file=sys.stderr)
    except BaseException:  # noqa: BLE001 - it must end here whatever happens, and not go on as its parent
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _bury(replicas: "deque[_Replica]") -> None:
    """Forget those that ended. Raises CommandFailed when one could not even start."""
    for replica in list(replicas):
        ended, status = os.waitpid(replica.pid, os.WNOHANG)
        if not ended:
            continue
        replicas.remove(replica)
        replica.door.close()
        if os.waitstatus_to_exitcode(status) > 0 and time.monotonic() - replica.since < _START_S_MIN:
            raise CommandFailed(
                "A process of the service could not start. It said above why: mend that and start again."
            )


def _stop(replicas: Iterable[_Replica]) -> None:
    left = {replica.pid for replica in replicas}
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
