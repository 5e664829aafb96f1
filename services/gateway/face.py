"""The front of the house: its document, its pages, its limits, its doors to other processes.

`open_to_public` turns the application that serves the gateway into the public one. compose.py calls it,
because only compose.py knows all services.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path

import orjson
from aiohttp import web

from services.gateway.proxy import Proxy
from services.gateway.rate_limits import Buckets, MemoryBuckets, RedisBuckets, rate_limit_middleware
from services.platform.openapi import build_openapi
from services.platform.service import Reply, Service

PAGES = Path(__file__).with_name("pages")
_PAGE_HEADERS = {
    # The pages bring all they need; nothing is fetched from elsewhere.
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


class Shown:
    """The services in the public document, which is made once, when it is first asked for."""

    def __init__(self) -> None:
        self._services: Sequence[Service] = ()
        self._document: bytes | None = None

    def show(self, services: Sequence[Service]) -> None:
        """These are the public services."""
        self._services, self._document = tuple(services), None

    def openapi(self) -> Reply:
        """The OpenAPI 3.1 document."""
        if self._document is None:
            self._document = orjson.dumps(build_openapi(self._services, version=version("tsunagu")))
        return Reply(body=self._document)


@dataclass(slots=True, kw_only=True)
class GatewayService(Service):
    """The gateway, and the services whose endpoints it shows (itself until it is told of others)."""

    shown: Shown = field(default_factory=Shown)


@cache
def page(name: str, media_type: str) -> Reply:
    """A file of the pages folder."""
    return Reply(body=(PAGES / name).read_bytes(), media_type=media_type, headers=_PAGE_HEADERS)


def open_to_public(
    app: web.Application, *, gateway: GatewayService, services: Sequence[Service], local: Sequence[Service]
) -> None:
    """Show all `services`, limit requests, and forward to those that are not `local` (in this process)."""
    gateway.shown.show(services)
    settings = gateway.context.settings
    if settings.rate_per_s > 0:
        app.middlewares.append(
            rate_limit_middleware(_buckets(app, settings.redis_url), rate_per_s=settings.rate_per_s)
        )
    here = {service.name for service in local}
    remote = [service for service in services if service.name not in here]
    if remote:
        Proxy(settings.service_urls).add_to(app, remote)


def _buckets(app: web.Application, redis_url: str) -> Buckets:
    if not redis_url:
        return MemoryBuckets()
    buckets = RedisBuckets(redis_url)

    async def close(_app: web.Application) -> AsyncIterator[None]:
        yield
        await buckets.close()

    app.cleanup_ctx.append(close)
    return buckets
