"""What a service is made of: endpoints, ports, subscriptions, workers.

Each services/<name>/service.py has `build(context) -> Service`. The same Service is mounted beside others in
one process, or runs alone.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from pydantic import BaseModel

from services.platform.auth import Principal
from services.platform.context import ServiceContext
from services.platform.outbox import Subscription

_COMMANDS = UUID("6f0d3a3e-6c0a-5d52-8f0e-54535547554e")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request as a handler sees it: authenticated, parsed and validated."""

    principal: Principal | None
    path: Mapping[str, Any]
    query: Any
    body: Any
    raw: bytes
    headers: Mapping[str, str]
    operation: str
    idempotency_key: str | None = None
    remote_address: str = ""

    @property
    def caller(self) -> Principal:
        """The principal of an operation that is not public."""
        assert self.principal is not None, "only public operations are called without a principal"
        return self.principal

    @property
    def command_id(self) -> UUID:
        """An id that a repeat of this command (same caller, operation and key) has again."""
        assert self.idempotency_key is not None, "only idempotent operations have a command id"
        return uuid5(_COMMANDS, f"{self.caller.subject}|{self.operation}|{self.idempotency_key}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A ready answer, for what is not JSON or has another status than the endpoint's usual one."""

    body: bytes
    status: int = 200
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Call], Awaitable[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """An endpoint, in HTTP's sense of route: a GTFS route is never meant in services/platform.

    `operation` names it in OpenAPI and in access.py. `response` is the type of what the handler returns; with
    None it returns a Reply, or nothing (204). `idempotent` asks for an Idempotency-Key and replays the reply.
    `problems` are the codes it may answer with beyond the general ones. `headers` are those that the handler
    itself reads, each with what it holds.
    """

    method: str
    path: str
    operation: str
    handler: Handler
    summary: str
    tag: str
    path_types: Mapping[str, Any] = field(default_factory=dict)
    query: type[BaseModel] | None = None
    body: Any = None
    response: Any = None
    status: int = 200
    idempotent: bool = False
    problems: tuple[str, ...] = ()
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


Step = Callable[[], Awaitable[None]]


@dataclass(slots=True, kw_only=True)
class Service:
    """One service, built. `readiness` raises when the service cannot do its work now."""

    name: str
    context: ServiceContext
    migrations: Path
    routes: list[Route] = field(default_factory=list)
    ports: Mapping[type, object] = field(default_factory=dict)
    subscriptions: list[Subscription] = field(default_factory=list)
    workers: list[Step] = field(default_factory=list)
    on_start: list[Step] = field(default_factory=list)
    on_stop: list[Step] = field(default_factory=list)
    readiness: Step | None = None
