"""What a service is given when it is built."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from services.platform.clock import Clock
from services.platform.database import Database
from services.platform.outbox import Outbox
from services.platform.settings import Settings

P = TypeVar("P")


class Ports:
    """Where to find other services: a local object when it lives in this process, else an HTTP adapter."""

    def __init__(self, remote: Callable[[type], object] | None = None) -> None:
        self._local: dict[type, object] = {}
        self._remote = remote
        self._adapters: dict[type, object] = {}

    def offer(self, port: type, implementation: object) -> None:
        """Make an implementation known in this process."""
        assert port not in self._local, "a port has one implementation in a process"
        self._local[port] = implementation

    def get(self, port: type[P]) -> P:
        """The port's implementation. Call it when it is needed, not while services are being built."""
        if port in self._local:
            return cast("P", self._local[port])
        if port not in self._adapters:
            assert self._remote is not None, f"{port.__name__} lives in another process: set its address"
            self._adapters[port] = self._remote(port)
        return cast("P", self._adapters[port])


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceContext:
    """The surroundings of one service. `database` sees only its own schema."""

    settings: Settings
    clock: Clock
    database: Database
    outbox: Outbox
    ports: Ports
    data_dir: Path
    log: Any
