"""Hand a public request to the service that owns its endpoint, in another process.

Idea      the gateway knows every service's endpoints, so an unknown path or method is refused here. Bodies
          stream both ways. The owner authenticates and validates.
Invariant nothing is sent twice: a request that may have arrived is never repeated here.
Source    RFC 9110 section 7.6 (which headers end at a hop).
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence

import aiohttp
import structlog
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from services.platform.http import OPERATION, REQUEST_ID
from services.platform.problem import Problem
from services.platform.service import Route, Service

log = structlog.get_logger()

CONNECT_S_MAX = 3.0
SILENCE_S_MAX = 600.0  # loading a region's feeds answers only when it is done
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_OURS = frozenset({"host", "x-request-id", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"})


class Proxy:
    """Forwards to other processes; `add_to(app)` before the application starts."""

    def __init__(self, addresses: Mapping[str, str], *, silence_s_max: float = SILENCE_S_MAX) -> None:
        self._addresses = addresses
        self._silence_s_max = silence_s_max
        self._session: aiohttp.ClientSession | None = None

    def add_to(self, app: web.Application, services: Sequence[Service]) -> None:
        """Mount the endpoints of these services as forwards."""
        for service in services:
            for route in service.routes:
                app.router.add_route(route.method, route.path, self._forward(service.name, route))
        app.cleanup_ctx.append(self._open_session)

    async def _open_session(self, _app: web.Application) -> AsyncIterator[None]:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S_MAX, sock_read=self._silence_s_max)
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=30)
        async with aiohttp.ClientSession(
            timeout=timeout, connector=connector, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
        ) as session:
            self._session = session
            yield
        self._session = None

    def _forward(
        self, service_name: str, route: Route
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        address = self._addresses.get(service_name)

        async def forward(request: web.Request) -> web.StreamResponse:
            request[OPERATION] = route.operation
            if address is None:
                raise Problem(
                    "service_unavailable", detail=f"MAAS_SERVICE_URLS has no address of {service_name}."
                )
            try:
                return await self._exchange(request, address)
            except aiohttp.ClientConnectorError as error:
                raise Problem("service_unavailable", detail=f"{service_name} does not answer now.") from error
            except TimeoutError as error:
                raise Problem("gateway_timeout", detail=f"{service_name} took too long.") from error
            except aiohttp.ClientError as error:
                raise Problem("bad_gateway", detail=f"{service_name} broke off its answer.") from error

        return forward

    async def _exchange(self, request: web.Request, address: str) -> web.StreamResponse:
        assert self._session is not None, "the application has started"
        async with self._session.request(
            request.method,
            URL(address + request.rel_url.raw_path_qs, encoded=True),
            headers=_request_headers(request),
            data=request.content.iter_any() if request.can_read_body else None,
            allow_redirects=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        ) as answer:
            response = web.StreamResponse(status=answer.status, headers=_end_to_end(answer.headers))
            response.headers["X-Request-Id"] = request[REQUEST_ID]
            await response.prepare(request)
            await self._copy(request, answer, response)
            return response

    async def _copy(
        self, request: web.Request, answer: aiohttp.ClientResponse, response: web.StreamResponse
    ) -> None:
        try:
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
        except (aiohttp.ClientError, TimeoutError) as error:
            # The status is out already: only a broken connection can still tell that this is not all.
            log.warning("answer_cut", error=type(error).__name__)
            if request.transport is not None:
                request.transport.close()
            return
        await response.write_eof()


def _request_headers(request: web.Request) -> CIMultiDict[str]:
    headers = _end_to_end(request.headers, also=_OURS)
    headers["X-Request-Id"] = request[REQUEST_ID]
    headers["X-Forwarded-For"] = request.remote or ""
    headers["X-Forwarded-Proto"] = request.scheme
    headers["X-Forwarded-Host"] = request.host
    return headers


def _end_to_end(headers: CIMultiDictProxy[str], also: Iterable[str] = ()) -> CIMultiDict[str]:
    """The headers that are meant for the other end, without those that Connection names."""
    named = {name.strip().lower() for value in headers.getall("Connection", []) for name in value.split(",")}
    left_out = _HOP_BY_HOP | named | set(also)
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in left_out)
