"""Ports over HTTP: one adapter for all of them.

Problem   A service asks another through a port; in many processes that question crosses HTTP. Writing both
          ends by hand for each port is the same code again and again.
Idea      A port is a Protocol of async methods with keyword arguments of plain types. Its methods are read
          once: the server end validates arguments and calls the implementation, the client end does the
          reverse. An exception with a stable code travels as its code and is raised again as its class. Only
          callers with the house's secret are served.
Invariant The local object and the adapter pass the same contract tests (tests/contracts).
"""

import inspect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar, cast, get_type_hints

import aiohttp
import orjson
from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from gtfs.errors import GtfsError
from maas.errors import MaasError
from payments.errors import PaymentsError
from routing.errors import RoutingError
from services.platform.auth import Authenticator, Role
from services.platform.errors import PlatformError, PortUnavailable, RemoteFault
from services.platform.problem import Problem, problem_of
from services.platform.service import Service

_TIMEOUT = aiohttp.ClientTimeout(total=30, connect=3)
_ROOTS: tuple[type[Exception], ...] = (GtfsError, MaasError, PaymentsError, RoutingError, PlatformError)
_FAULT_STATUS = 500

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Method:
    """One method of a port: how its arguments and its result become JSON and back.

    `optional` arguments have a default and need not be given.
    """

    name: str
    arguments: dict[str, TypeAdapter[Any]]
    optional: frozenset[str]
    result: TypeAdapter[Any]


@cache
def methods_of(port: type) -> dict[str, Method]:
    """The methods of a port, by name."""
    found = {}
    for name, function in inspect.getmembers(port, inspect.iscoroutinefunction):
        if name.startswith("_"):
            continue
        hints = get_type_hints(function)
        result = hints.pop("return")
        parameters = inspect.signature(function).parameters.values()
        optional = frozenset(each.name for each in parameters if each.default is not inspect.Parameter.empty)
        found[name] = Method(
            name, {key: TypeAdapter(hint) for key, hint in hints.items()}, optional, TypeAdapter(result)
        )
    assert found, f"{port.__name__} has no async methods"
    return found


def _path(port: type, method: str) -> str:
    return f"/internal/{port.__name__}/{method}"


def add_port_routes(app: web.Application, services: Sequence[Service], authenticator: Authenticator) -> None:
    """Serve every port of these services to callers that hold the house's secret."""
    for service in services:
        for port, implementation in service.ports.items():
            for method in methods_of(port).values():
                app.router.add_post(_path(port, method.name), _serve(implementation, method, authenticator))


def _serve(implementation: object, method: Method, authenticator: Authenticator) -> Any:
    async def serve(request: web.Request) -> web.Response:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
        if (await authenticator.authenticate(token)).role is not Role.SERVICE:
            raise Problem("forbidden", detail="Internal endpoints serve the house's own services only.")
        fields = _read_fields(await request.read())
        try:
            arguments = {
                name: kind.validate_json(orjson.dumps(fields[name]))
                for name, kind in method.arguments.items()
                if name in fields or name not in method.optional
            }
        except (ValidationError, KeyError) as error:
            raise Problem("validation_failed", detail=str(error)) from error
        try:
            result = await getattr(implementation, method.name)(**arguments)
        except Exception as error:
            if problem_of(error) is None and getattr(error, "code", None) in _error_classes():
                return _coded(error)
            raise
        return web.Response(body=method.result.dump_json(result), content_type="application/json")

    return serve


def _read_fields(raw: bytes) -> dict[str, Any]:
    try:
        fields = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Problem("malformed_request", detail=f"The body is not JSON: {error}.") from error
    if not isinstance(fields, dict):
        raise Problem("malformed_request", detail="The body is not an object of arguments.")
    return fields


def _coded(error: Exception) -> web.Response:
    # A coded error without a row in problem.py never reaches the public, but crosses between services.
    return web.json_response({"code": error.code, "detail": str(error)}, status=_FAULT_STATUS)  # type: ignore[attr-defined]


def _subclasses(root: type[Exception]) -> Iterable[type[Exception]]:
    yield root
    for child in root.__subclasses__():
        yield from _subclasses(child)


def _error_classes() -> dict[str, type[Exception]]:
    return {cast("Any", kind).code: kind for root in _ROOTS for kind in _subclasses(root)}


class PortClient:
    """The client end. It has the methods of its port; see `port_client`."""

    def __init__(self, port: type, base_url: str, session: aiohttp.ClientSession, secret: str) -> None:
        self._port = port
        self._base_url = base_url
        self._session = session
        self._headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}

    def __getattr__(self, name: str) -> Any:
        method = methods_of(self._port).get(name)
        if method is None:
            raise AttributeError(f"{self._port.__name__} has no method {name}")

        async def call(**arguments: Any) -> Any:
            return await self._call(method, arguments)

        return call

    async def _call(self, method: Method, arguments: dict[str, Any]) -> Any:
        body = b",".join(
            orjson.dumps(name) + b":" + kind.dump_json(arguments[name])
            for name, kind in method.arguments.items()
            if name in arguments or name not in method.optional
        )
        url = self._base_url + _path(self._port, method.name)
        try:
            async with self._session.post(
                url, data=b"{" + body + b"}", headers=self._headers, timeout=_TIMEOUT
            ) as response:
                raw = await response.read()
                if response.status == 200:  # noqa: PLR2004 - everything else is an error
                    return method.result.validate_json(raw)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise PortUnavailable(f"{self._port.__name__} at {self._base_url} does not answer.") from error
        raise _error_of(raw, f"{self._port.__name__}.{method.name}")


def _error_of(raw: bytes, what: str) -> Exception:
    try:
        problem = orjson.loads(raw)
        code, detail = str(problem["code"]), str(problem.get("detail", ""))
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return RemoteFault(f"{what} answered with something that is no problem+json.")
    kind = _error_classes().get(code)
    if kind is not None:
        return kind(detail)
    if code in ("internal_error", "token_invalid", "forbidden", "validation_failed"):
        return RemoteFault(f"{what} failed: {code} {detail}")
    return Problem(code, detail=detail)


def port_client(port: type[P], *, base_url: str, session: aiohttp.ClientSession, secret: str) -> P:
    """An object with the methods of `port` that asks the service at `base_url`."""
    return cast("P", PortClient(port, base_url, session, secret))
