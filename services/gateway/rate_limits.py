"""How fast one caller may ask: token buckets.

Problem   one runaway client must not take the city's planner from everybody.
Idea      a bucket per bearer token and one per address; a bucket holds ten seconds' worth. In Redis when
          there is one, so that several gateways count together; else, and while Redis is away, in memory.
Invariant losing the buckets loses nothing but some patience.
"""

import hashlib
import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware
from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.platform.problem import Problem

log = structlog.get_logger()

BURST_S = 10.0
ADDRESS_FACTOR = 4.0  # an address may be a family, an office, or a whole carrier's customers
KEYS_MAX = 50_000
REDIS_PAUSE_S = 5.0
_EXEMPT = ("/health/", "/metrics")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """What is counted: a key and how many requests a second it may make."""

    key: str
    rate_per_s: float

    @property
    def capacity(self) -> float:
        """How many requests may come at once after a rest."""
        return max(1.0, self.rate_per_s * BURST_S)


class Buckets(Protocol):
    """Where buckets are kept."""

    async def take(self, buckets: Sequence[Bucket]) -> float:
        """Take one from each. 0 when all had one; else the seconds to wait, and nothing is taken."""


class MemoryBuckets:
    """Buckets of this process; the ones unused longest are forgotten (a forgotten one is a full one)."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    async def take(self, buckets: Sequence[Bucket]) -> float:
        """See Buckets."""
        now = self._now()
        levels = [self._level(bucket, now) for bucket in buckets]
        wait_s = max((1.0 - level) / bucket.rate_per_s for bucket, level in zip(buckets, levels, strict=True))
        if wait_s > 0:
            return wait_s
        for bucket, level in zip(buckets, levels, strict=True):
            self._levels[bucket.key] = (level - 1.0, now)
            self._levels.move_to_end(bucket.key)
        while len(self._levels) > KEYS_MAX:
            self._levels.popitem(last=False)
        return 0.0

    def _level(self, bucket: Bucket, now: float) -> float:
        level, at = self._levels.get(bucket.key, (bucket.capacity, now))
        return min(bucket.capacity, level + (now - at) * bucket.rate_per_s)


# Redis's own clock, so that gateways with different clocks agree. One round trip, atomic.
_TAKE = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local levels, wait = {}, 0
for i, key in ipairs(KEYS) do
    local rate, capacity = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
    local kept = redis.call('HMGET', key, 'level', 'at')
    local level = capacity
    if kept[1] then
        level = math.min(capacity, tonumber(kept[1]) + (now - tonumber(kept[2])) * rate)
    end
    levels[i] = level
    wait = math.max(wait, (1 - level) / rate)
end
if wait > 0 then return tostring(wait) end
for i, key in ipairs(KEYS) do
    redis.call('HSET', key, 'level', tostring(levels[i] - 1), 'at', string.format('%.6f', now))
    redis.call('EXPIRE', key, math.ceil(tonumber(ARGV[2 * i]) / tonumber(ARGV[2 * i - 1])) + 1)
end
return '0'
"""


class RedisBuckets:
    """Buckets that all gateways share; those of this process stand in while Redis is away."""

    def __init__(self, url: str) -> None:
        self._redis = Redis.from_url(url, socket_timeout=0.5, socket_connect_timeout=0.5)
        self._fallback = MemoryBuckets()
        self._away_until = 0.0

    async def take(self, buckets: Sequence[Bucket]) -> float:
        """See Buckets."""
        if time.monotonic() < self._away_until:
            return await self._fallback.take(buckets)
        keys = [f"maas:rate:{bucket.key}" for bucket in buckets]
        numbers = [number for bucket in buckets for number in (bucket.rate_per_s, bucket.capacity)]
        try:
            return float(await self._redis.eval(_TAKE, len(keys), *keys, *numbers))
        except (RedisError, OSError, TimeoutError) as error:
            # Limits are a courtesy: requests go on, counted here, and Redis is asked again soon.
            log.warning("rate_limits_in_memory", error=type(error).__name__)
            self._away_until = time.monotonic() + REDIS_PAUSE_S
            return await self._fallback.take(buckets)

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()


def list_buckets(*, authorization: str, address: str, rate_per_s: float) -> list[Bucket]:
    """The buckets of a request. A token counts by its hash: nobody can spend another's by naming them."""
    buckets = [Bucket(key=f"address:{address}", rate_per_s=rate_per_s * ADDRESS_FACTOR)]
    if authorization:
        key = hashlib.sha256(authorization.encode()).hexdigest()
        buckets.append(Bucket(key=f"token:{key}", rate_per_s=rate_per_s))
    return buckets


def rate_limit_middleware(buckets: Buckets, *, rate_per_s: float) -> Middleware:
    """Refuse with 429 and Retry-After what comes too fast."""

    @web.middleware
    async def limit(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if not request.path.startswith(_EXEMPT):
            asked = list_buckets(
                authorization=request.headers.get("Authorization", ""),
                address=request.remote or "",
                rate_per_s=rate_per_s,
            )
            wait_s = await buckets.take(asked)
            if wait_s > 0:
                seconds = math.ceil(wait_s)
                raise Problem(
                    "rate_limited", detail=f"Wait {seconds} s.", headers={"Retry-After": str(seconds)}
                )
        return await handler(request)

    return limit
