"""The only place that reads the time.

Problem   A trip on a Friday evening must be played on a Tuesday morning, and tests must not wait.
Idea      Everything asks a `Clock`. The simulated one runs at the real one's speed, some offset ahead; it
          only moves forward, and remembers its offset in a file, so that a restart never goes back in time.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from services.platform.embedded.folder import write_durably


class Clock(Protocol):
    """The city's time."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""


class SystemClock:
    """The machine's time."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        return datetime.now(UTC)


class SimulatedClock:
    """The machine's time plus an offset that only grows, kept in `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        seconds = float(path.read_text()) if path.exists() else 0.0
        self._offset = timedelta(seconds=seconds)

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        return datetime.now(UTC) + self._offset

    def advance_to(self, instant: datetime) -> datetime:
        """Move forward to `instant` (aware); one that is past already changes nothing. Returns now."""
        ahead = instant - self.now()
        if ahead > timedelta(0):
            self._offset += ahead
            self._keep()
        return self.now()

    def _keep(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(self._path, str(self._offset.total_seconds()))


class FixedClock:
    """A time that moves only when told: for tests."""

    def __init__(self, instant: datetime) -> None:
        self._instant = instant

    def now(self) -> datetime:
        """The instant it was set to."""
        return self._instant

    def set(self, instant: datetime) -> None:
        """Move to `instant`, also backwards."""
        self._instant = instant
