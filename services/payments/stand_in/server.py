"""The HTTP face: authentication, faults, idempotency, then the operation, in that order.

Invariant A reply leaves only after its effect and the reply itself are on disk, in one transaction.
"""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import assert_never

import orjson
from aiohttp import web

from services.payments.stand_in.book import Book, StoredReply
from services.payments.stand_in.desk import Desk, WebhookWishes, new_id
from services.payments.stand_in.errors import ApiError, JsonObject, server_fault
from services.payments.stand_in.faults import Fault, FaultKind, Faults
from services.payments.stand_in.forms import Params, parse_form
from services.payments.stand_in.operations import OPERATIONS, Operation
from services.payments.stand_in.webhooks import Deliverer
from services.platform.clock import Clock

KEY_LIFE_S = 86_400.0


@dataclass(slots=True, kw_only=True)
class StandIn:
    """The running stand-in. `api_key` None accepts every `sk_test_...`."""

    book: Book
    clock: Clock
    deliverer: Deliverer
    base_url: str = ""
    api_key: str | None = None
    faults: Faults = field(default_factory=Faults)
    wishes: WebhookWishes = field(default_factory=WebhookWishes)
    in_flight: set[str] = field(default_factory=set)
    late: list[tuple["ApiRequest", Operation]] = field(default_factory=list)

    def desk(self, *, key: str | None = None) -> Desk:
        """The surroundings of a request made now."""
        return Desk(
            book=self.book,
            now=self.clock.now().timestamp(),
            base_url=self.base_url,
            wishes=self.wishes,
            request_id=new_id("req"),
            idempotency_key=key,
        )


STAND_IN = web.AppKey("stand_in", StandIn)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRequest:
    """A request to the API, read."""

    method: str
    path: str
    fields: JsonObject
    key: str | None
    arguments: tuple[str, ...]

    @property
    def fingerprint(self) -> str:
        """What a repeat under the same idempotency key must be equal in."""
        text = orjson.dumps([self.method, self.path, self.fields], option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(text).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiReply:
    """A reply of the API."""

    status: int
    body: bytes
    replayed: bool = False

    @classmethod
    def of(cls, error: ApiError) -> "ApiReply":
        """The reply that tells an error."""
        return cls(status=error.status, body=orjson.dumps(error.body))


def api_handler(operation: Operation) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The aiohttp handler of an operation."""

    async def handle(request: web.Request) -> web.StreamResponse:
        stand_in = request.app[STAND_IN]
        try:
            _check_key(request, stand_in.api_key)
            api_request = await _read(request)
        except ApiError as error:
            return _response(ApiReply.of(error))
        fault = stand_in.faults.take(request.method, request.path)
        if fault is None:
            return _response(answer(stand_in, api_request, operation))
        return await _answer_with_fault(stand_in, request, api_request, operation, fault)

    return handle


def _check_key(request: web.Request, api_key: str | None) -> None:
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if api_key is None and given.startswith("sk_test_"):
        return
    if api_key is None or not hmac.compare_digest(given.encode(), api_key.encode()):
        raise ApiError(401, kind="invalid_request_error", message="Invalid API Key provided.", began=False)


async def _read(request: web.Request) -> ApiRequest:
    text = await request.text() if request.method == "POST" else request.query_string
    return ApiRequest(
        method=request.method,
        path=request.path,
        fields=parse_form(text),
        key=request.headers.get("Idempotency-Key") if request.method == "POST" else None,
        arguments=tuple(request.match_info.values()),
    )


def answer(
    stand_in: StandIn, request: ApiRequest, operation: Operation, *, stored_error: ApiError | None = None
) -> ApiReply:
    """Do the operation once for its key and give the reply; the same again for a repeat.

    `stored_error`: the effect happens, and this error is what is stored and answered.
    """
    if request.key is not None and request.key in stand_in.in_flight:
        return ApiReply.of(_in_use())
    desk = stand_in.desk(key=request.key)
    with stand_in.book.transaction():
        stored = _find_stored(stand_in, request, desk.now)
        if isinstance(stored, ApiReply):
            return stored
        reply = _execute(desk, request, operation, stored_error)
    stand_in.deliverer.wake()
    return reply


def _find_stored(stand_in: StandIn, request: ApiRequest, now: float) -> ApiReply | None:
    if request.key is None:
        return None
    stored = stand_in.book.find_reply(request.key)
    if stored is None or stored.made_at < now - KEY_LIFE_S:
        return None
    if stored.request != request.fingerprint:
        return ApiReply.of(_key_reused(request.key))
    return ApiReply(status=stored.status, body=stored.body, replayed=True)


def _execute(
    desk: Desk, request: ApiRequest, operation: Operation, stored_error: ApiError | None
) -> ApiReply:
    desk.book.mark()
    try:
        params = Params(request.fields)
        body = expand(desk.book, operation(desk, params, *request.arguments), params.get_list("expand"))
        reply = ApiReply(status=200, body=orjson.dumps(body))
    except ApiError as error:
        if not error.commits:
            desk.book.back_to_mark()
        if not error.began:
            return ApiReply.of(error)
        reply = ApiReply.of(error)
    if stored_error is not None:
        reply = ApiReply.of(stored_error)
    _store(desk, request, reply)
    return reply


def expand(book: Book, item: JsonObject, paths: list[str]) -> JsonObject:
    """The object with the objects in place of their ids, where the caller asks for them."""
    for path in paths:
        head, _, rest = path.partition(".")
        inner = item.get(head)
        if head == "data" and isinstance(inner, list):
            item = {**item, "data": [expand(book, each, [rest]) for each in inner]}
        elif isinstance(inner, str) and (found := book.find(inner)) is not None:
            item = {**item, head: expand(book, found, [rest] if rest else [])}
    return item


def _store(desk: Desk, request: ApiRequest, reply: ApiReply) -> None:
    if request.key is not None:
        stored = StoredReply(request.fingerprint, reply.status, reply.body, desk.now)
        desk.book.put_reply(request.key, stored)


def _in_use() -> ApiError:
    return ApiError(
        409,
        kind="idempotency_error",
        code="idempotency_key_in_use",
        message="There is currently another in-progress request using this Idempotent Key.",
    )


def _key_reused(key: str) -> ApiError:
    return ApiError(
        400,
        kind="idempotency_error",
        message=f"Keys for idempotent requests can only be used with the same parameters and endpoint: {key}",
    )


async def _answer_with_fault(
    stand_in: StandIn, request: web.Request, api_request: ApiRequest, operation: Operation, fault: Fault
) -> web.StreamResponse:
    if fault.kind is FaultKind.TIMEOUT_LATE:
        return _response(await _answer_late(stand_in, api_request, operation, fault.delay_s))
    reply = answer_faulty(stand_in, api_request, operation, fault.kind)
    if fault.kind in (FaultKind.TIMEOUT_BEFORE, FaultKind.TIMEOUT_AFTER):
        await asyncio.sleep(fault.delay_s)
    if fault.kind.value.startswith("drop") and request.transport is not None:
        request.transport.abort()
    return _response(reply)


def answer_faulty(
    stand_in: StandIn, request: ApiRequest, operation: Operation, kind: FaultKind | None
) -> ApiReply:
    """The reply, and as much of the effect as this fault lets happen. Sending it is the caller's."""
    match kind:
        case None | FaultKind.TIMEOUT_AFTER | FaultKind.DROP_AFTER:
            return answer(stand_in, request, operation)
        case FaultKind.RATE_LIMITED:
            return ApiReply.of(_too_many())
        case FaultKind.ERROR_BEFORE:
            return answer(stand_in, request, _fail_before)
        case FaultKind.ERROR_AFTER:
            return answer(stand_in, request, operation, stored_error=server_fault())
        case FaultKind.TIMEOUT_BEFORE | FaultKind.DROP_BEFORE:
            return ApiReply.of(server_fault())
        case FaultKind.TIMEOUT_LATE | FaultKind.DROP_LATE:
            return _keep_for_later(stand_in, request, operation)
        case _:
            assert_never(kind)


def _keep_for_later(stand_in: StandIn, request: ApiRequest, operation: Operation) -> ApiReply:
    if request.method == "POST" and request.key not in stand_in.in_flight:
        stand_in.in_flight.add(request.key or "")
        stand_in.late.append((request, operation))
    return ApiReply.of(_in_use())


def answer_late_ones(stand_in: StandIn) -> int:
    """Let the effects come of the calls whose connections were dropped; returns how many."""
    late, stand_in.late = stand_in.late, []
    for request, operation in late:
        stand_in.in_flight.discard(request.key or "")
        answer(stand_in, request, operation)
    return len(late)


def _too_many() -> ApiError:
    return ApiError(429, kind="invalid_request_error", code="rate_limit", message="Too many requests.")


def _fail_before(*_arguments: object) -> JsonObject:
    raise server_fault()


async def _answer_late(
    stand_in: StandIn, request: ApiRequest, operation: Operation, delay_s: float
) -> ApiReply:
    key = request.key
    if key is not None:
        if key in stand_in.in_flight:
            return ApiReply.of(_in_use())
        stand_in.in_flight.add(key)
    try:
        await asyncio.sleep(delay_s)
    finally:
        stand_in.in_flight.discard(key or "")
    return answer(stand_in, request, operation)


def _response(reply: ApiReply) -> web.Response:
    headers = {"Request-Id": new_id("req"), "X-Stand-In": "test double, not the provider"}
    if reply.replayed:
        headers["Idempotent-Replayed"] = "true"
    return web.Response(
        status=reply.status, body=reply.body, content_type="application/json", headers=headers
    )


async def not_there(request: web.Request) -> web.StreamResponse:
    """What the stand-in does not know is told in the provider's envelope."""
    message = f"Unrecognized request URL ({request.method}: {request.path}); the stand-in does not know it."
    return _response(ApiReply.of(ApiError(404, kind="invalid_request_error", message=message)))


async def _deliver(app: web.Application) -> AsyncIterator[None]:
    task = asyncio.create_task(app[STAND_IN].deliverer.run())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    app[STAND_IN].book.close()


def add_api(app: web.Application) -> None:
    """Mount the API's operations and the loop that delivers events."""
    for method, path, operation in OPERATIONS:
        app.router.add_route(method, path, api_handler(operation))
    app.router.add_route("*", "/v1/{rest:.*}", not_there)
    app.cleanup_ctx.append(_deliver)
