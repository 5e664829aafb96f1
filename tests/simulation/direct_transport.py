"""The SDK's HTTP client without a socket: the stand-in in this process answers the call itself.

Idea      Ten thousand stories need no TCP. The SDK builds its request and reads its reply as ever; between
          them stands the stand-in's own `answer`, with its idempotency and its faults. A dropped connection
          is the error that the SDK makes of one. What HTTP itself adds is covered by the tests over loopback.
"""

import re
from collections.abc import Mapping
from typing import Any

import stripe

from services.payments.stand_in.errors import ApiError
from services.payments.stand_in.faults import FaultKind
from services.payments.stand_in.forms import parse_form
from services.payments.stand_in.operations import OPERATIONS, Operation
from services.payments.stand_in.server import ApiRequest, StandIn, answer_faulty

BASE = "http://stand-in.test"
_ROUTES = [
    (method, re.compile(re.sub(r"\{\w+\}", "([^/]+)", path)), operation)
    for method, path, operation in OPERATIONS
]


class DirectTransport(stripe.HTTPClient):
    """Hands the SDK's requests to a stand-in."""

    name = "direct"

    def __init__(self, stand_in: StandIn) -> None:
        super().__init__()
        self._stand_in = stand_in

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        path, _, query = url.removeprefix(BASE).partition("?")
        verb = method.upper()
        operation, arguments = find_operation(verb, path)
        request = ApiRequest(
            method=verb,
            path=path,
            fields=parse_form((post_data or "") if verb == "POST" else query),
            key=headers.get("Idempotency-Key") if verb == "POST" else None,
            arguments=arguments,
        )
        fault = self._stand_in.faults.take(verb, path)
        reply = answer_faulty(self._stand_in, request, operation, None if fault is None else fault.kind)
        if fault is not None and fault.kind.value.startswith("drop"):
            raise stripe.APIConnectionError("The connection was dropped.", should_retry=False)
        assert fault is None or fault.kind is not FaultKind.TIMEOUT_LATE, (
            "a time-out is a drop that takes longer"
        )
        return reply.body, reply.status, {"Request-Id": "req_direct"}

    async def sleep_async(self, secs: float) -> None:
        """Patience costs nothing here."""

    async def close_async(self) -> None:
        """There is nothing to close."""


def find_operation(method: str, path: str) -> tuple[Operation, tuple[str, ...]]:
    for verb, pattern, operation in _ROUTES:
        match = pattern.fullmatch(path)
        if verb == method and match is not None:
            return operation, match.groups()
    return _unknown, ()


def _unknown(*_arguments: object) -> dict[str, Any]:
    raise ApiError(404, kind="invalid_request_error", message="Unrecognized request URL.")
