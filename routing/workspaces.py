"""Memory that searches write into, kept from one search to the next.

Problem   A search touches little of the megabyte it may write to; getting that memory fresh, and clearing it,
          would take longer than the search.
Idea      A search takes a workspace and gives it back as it was: the kernel clears what it wrote. As many are
          kept as searches have run at once.
Invariant No two searches hold the same workspace. One that fails in the middle does not give it back.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from routing.kernels.arrays import Found, Workspace, allocate_found, allocate_workspace

_RIDES_MIN = 12
_JOURNEYS = 256
_RIDES_A_JOURNEY = 6


class Workspaces:
    """Workspaces for searches of one timetable. Safe to use from several threads."""

    def __init__(self, stop_count: int) -> None:
        self._stop_count = stop_count
        self._kept: list[Workspace] = []
        self._lock = Lock()

    @contextmanager
    def take(self, *, instance_count: int, ride_count_max: int) -> Iterator[Workspace]:
        """A workspace of at least this size."""
        with self._lock:
            fitting = (
                workspace
                for workspace in self._kept
                if workspace.queued.shape[1] >= instance_count and workspace.goal.shape[1] > ride_count_max
            )
            workspace = next(fitting, None)
            if workspace is None:
                self._kept.clear()  # They are too small for what is asked now.
            else:
                self._kept = [each for each in self._kept if each is not workspace]
        if workspace is None:
            workspace = allocate_workspace(
                ride_count_max=max(_RIDES_MIN, ride_count_max),
                stop_count=self._stop_count,
                instance_count=instance_count + instance_count // 8,
            )
        yield workspace
        with self._lock:
            self._kept.append(workspace)


def make_room(times: int) -> Found:
    """Room for what a search finds, so many times the usual."""
    return allocate_found(journey_count=_JOURNEYS * times, ride_count=_JOURNEYS * _RIDES_A_JOURNEY * times)
