"""HTTP for every service: one way to authenticate, parse, validate, answer and fail.

Problem   Twelve services must not each find their own way to read a body or to say no.
Idea      A service lists `Route`s; `build_app` mounts them behind the same steps: request id, bearer token,
          access table, path, query and body by pydantic, idempotency, handler, response by its declared type.
          Whatever goes wrong is a problem+json with a code of problem.py.
Not here  What the endpoints do (services/*), who may call them (access.py).
"""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cache
from typing import Any
from uuid import uuid4

import orjson
import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import TypeAdapter, ValidationError

from services.platform.access import ACCESS
from services.platform.auth import Authenticator, Principal
from services.platform.away import is_database_away
from services.platform.idempotency import check_key, hash_request, run_once
from services.platform.problem import Problem, problem_json, problem_of
from services.platform.service import Call, Reply, Route, Service
from services.platform.telemetry import REQUESTS

log = structlog.get_logger()

BODY_BYTES_MAX = 1024 * 1024
REQUEST_ID = web.RequestKey("request_id", str)
OPERATION = web.RequestKey("operation", str)
_DATABASE_AWAY = (
    "The database does not answer now. Send the same request again: it is done once, if it changes anything."
)
_PROBLEM_OF_STATUS = {
    400: "malformed_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "unsupported_media_type",
}


def build_app(services: Sequence[Service], authenticator: Authenticator) -> web.Application:
    """An application with the routes of these services, and their health and metrics."""
    app = web.Application(middlewares=[_outermost], client_max_size=BODY_BYTES_MAX)
    for service in services:
        for route in service.routes:
            assert route.operation in ACCESS, f"{route.operation} has no row in access.py"
            app.router.add_route(route.method, route.path, _endpoint(service, route, authenticator))
    _add_health(app, services)
    return app


@web.middleware
async def _outermost(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Give the request an id, turn whatever is raised into a problem, count and log the answer."""
    request_id = request.headers.get("X-Request-Id", "")
    if not request_id.isascii() or not request_id.isprintable() or not 1 <= len(request_id) <= 100:  # noqa: PLR2004 - a sane length
        request_id = uuid4().hex
    request[REQUEST_ID] = request_id
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=request_id)
    started = time.perf_counter()
    try:
        response = await handler(request)
    except web.HTTPException as error:
        response = _http_exception_response(error, request_id)
    except Exception as error:  # noqa: BLE001 - the last place that can answer
        response = _problem_response(_problem_or_internal(error), request_id)
    seconds = time.perf_counter() - started
    operation = request.get(OPERATION, "none")
    REQUESTS.labels(operation=operation, status=response.status).observe(seconds)
    log.info("http_request", operation=operation, status=response.status, ms=round(seconds * 1000, 1))
    if not response.prepared:
        response.headers["X-Request-Id"] = request_id
    return response


def _problem_or_internal(error: Exception) -> Problem:
    known = problem_of(error)
    if known is not None:
        return known
    if is_database_away(error):
        log.warning("database_away", error=repr(error))
        return Problem("service_unavailable", detail=_DATABASE_AWAY)
    log.error("request_failed", exc_info=error)
    return Problem("internal_error", detail="Tell us the request id.")


def _http_exception_response(error: web.HTTPException, request_id: str) -> web.Response:
    code = _PROBLEM_OF_STATUS.get(error.status)
    if code is None:
        log.warning("unexpected_http_exception", status=error.status)
        code = "malformed_request"
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
    return _problem_response(Problem(code, headers=headers), request_id)


def _problem_response(problem: Problem, request_id: str) -> web.Response:
    headers = dict(problem.headers)
    if problem.status == 401:  # noqa: PLR2004 - RFC 9110 asks for the challenge with this status
        headers["WWW-Authenticate"] = "Bearer"
    return web.Response(
        body=problem_json(problem, request_id=request_id),
        status=problem.status,
        content_type="application/problem+json",
        headers=headers,
    )


def _endpoint(
    service: Service, route: Route, authenticator: Authenticator
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def endpoint(request: web.Request) -> web.Response:
        request[OPERATION] = route.operation
        principal = await _authorise(request, route.operation, authenticator)
        call = await _parse(request, route, principal)
        if not route.idempotent:
            return _response(await _answer(route, call))
        assert call.idempotency_key is not None, "parsing has checked the key"
        reply = await run_once(
            service.context.database,
            principal=call.caller.subject,
            operation=route.operation,
            key=call.idempotency_key,
            request_hash=hash_request(request.path_qs, call.raw),
            command=lambda: _answer_or_problem(route, call, request[REQUEST_ID]),
        )
        return _response(reply)

    return endpoint


async def _authorise(request: web.Request, operation: str, authenticator: Authenticator) -> Principal | None:
    allowed = ACCESS[operation]
    header = request.headers.get("Authorization", "")
    if not allowed:
        return None
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Problem("token_missing", detail="Send Authorization: Bearer <token>; sign in to get one.")
    principal = await authenticator.authenticate(token.strip())
    if principal.role not in allowed:
        roles = ", ".join(sorted(allowed))
        raise Problem("forbidden", detail=f"You are a {principal.role}; this is for: {roles}.")
    structlog.contextvars.bind_contextvars(role=principal.role.value)
    return principal


async def _parse(request: web.Request, route: Route, principal: Principal | None) -> Call:
    _refuse_nul(request.path_qs.encode(), b"%00", "address")
    path = _parse_path(request.match_info, route)
    query = _validate(route.query, _query_values(request), "query") if route.query else None
    key = check_key(request.headers.get("Idempotency-Key")) if route.idempotent else None
    raw = await request.read()
    return Call(
        principal=principal,
        path=path,
        query=query,
        body=_parse_body(request, route, raw) if route.body is not None else None,
        raw=raw,
        headers=request.headers,
        operation=route.operation,
        idempotency_key=key,
        remote_address=request.remote or "",
    )


def _parse_path(match_info: Mapping[str, str], route: Route) -> dict[str, Any]:
    return {
        name: _validate(route.path_types.get(name, str), value, "path", name)
        for name, value in match_info.items()
    }


def _query_values(request: web.Request) -> dict[str, Any]:
    query = request.query
    return {
        name: values[0] if len(values := query.getall(name)) == 1 else values for name in dict.fromkeys(query)
    }


def _parse_body(request: web.Request, route: Route, raw: bytes) -> Any:
    if request.content_type != "application/json":
        raise Problem("unsupported_media_type", detail="Send Content-Type: application/json.")
    _refuse_nul(raw, b"\\u0000", "body")
    try:
        orjson.loads(raw)  # stricter than pydantic's own parser: no NaN, no lone surrogates
    except orjson.JSONDecodeError as error:
        raise Problem("malformed_request", detail=f"The body is not JSON: {error}.") from error
    return _validate(route.body, raw, "body", as_json=True)


def _refuse_nul(text: bytes, nul: bytes, place: str) -> None:
    # PostgreSQL cannot store U+0000, and no field of ours means anything with it.
    if nul in text:
        raise Problem("validation_failed", detail=f"The {place} has a NUL character. Leave it out.")


@cache
def adapter(kind: Any) -> TypeAdapter[Any]:
    """The pydantic adapter of a type, made once."""
    return TypeAdapter(kind)


def _validate(kind: Any, value: Any, place: str, name: str = "", *, as_json: bool = False) -> Any:
    try:
        if as_json:
            return adapter(kind).validate_json(value)
        return adapter(kind).validate_python(value)
    except ValidationError as error:
        errors = [
            {
                "field": ".".join([place, *([name] if name else []), *(str(part) for part in each["loc"])]),
                "message": each["msg"],
            }
            for each in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        detail = "; ".join(f"{each['field']}: {each['message']}" for each in errors[:3])
        raise Problem("validation_failed", detail=detail, errors=errors) from error


async def _answer(route: Route, call: Call) -> Reply:
    result = await route.handler(call)
    if isinstance(result, Reply):
        return result
    if result is None and route.response is None:
        return Reply(body=b"", status=204)
    body = adapter(route.response).dump_json(result, by_alias=True)
    return Reply(body=body, status=route.status, media_type=route.media_type)


async def _answer_or_problem(route: Route, call: Call, request_id: str) -> Reply:
    """The reply to store: a refusal is an answer too; a fault of ours is raised and frees the key."""
    try:
        return await _answer(route, call)
    except Exception as error:
        problem = problem_of(error)
        if problem is None or problem.status >= 500:  # noqa: PLR2004 - faults of ours are not answers
            raise
        if problem.code == "idempotency_in_progress":
            raise  # the handler waits for another try of this command: the answer is still to come
        body = problem_json(problem, request_id=request_id)
        return Reply(
            body=body, status=problem.status, media_type="application/problem+json", headers=problem.headers
        )


def _response(reply: Reply) -> web.Response:
    if reply.status == 204:  # noqa: PLR2004 - no content has no type
        return web.Response(status=204, headers=reply.headers)
    return web.Response(
        body=reply.body,
        status=reply.status,
        headers={**reply.headers, "Content-Type": _with_charset(reply.media_type)},
    )


def _with_charset(media_type: str) -> str:
    return f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type


def _add_health(app: web.Application, services: Sequence[Service]) -> None:
    async def live(_request: web.Request) -> web.Response:
        return web.json_response({"status": "live"})

    async def ready(_request: web.Request) -> web.Response:
        states = {service.name: await _readiness(service) for service in services}
        is_ready = all(state == "ready" for state in states.values())
        return web.json_response(
            {"status": "ready" if is_ready else "not ready", "services": states},
            status=200 if is_ready else 503,
        )

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app.router.add_get("/health/live", live)
    app.router.add_get("/health/ready", ready)
    app.router.add_get("/metrics", metrics)


async def _readiness(service: Service) -> str:
    try:
        await service.context.database.fetchval("select 1")
        if service.readiness is not None:
            await service.readiness()
    except Exception as error:  # noqa: BLE001 - whatever is wrong, the answer is "not ready, because"
        log.warning("not_ready", service=service.name, error=str(error))
        return f"not ready: {getattr(error, 'code', type(error).__name__)}"
    return "ready"
