import os
import signal
from pathlib import Path

import aiohttp
import pytest
import redis.asyncio
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import given
from hypothesis import strategies as st

from services.gateway import rate_limits
from services.gateway.rate_limits import (
    Bucket,
    MemoryBuckets,
    RedisBuckets,
    list_buckets,
    rate_limit_middleware,
)
from services.platform.embedded.redis import EmbeddedRedis
from services.platform.http import build_app


def bucket(key: str = "token:a", rate_per_s: float = 2.0) -> Bucket:
    return Bucket(key=key, rate_per_s=rate_per_s)


async def test_a_bucket_holds_ten_seconds_and_fills_at_its_rate() -> None:
    now = [100.0]
    buckets = MemoryBuckets(lambda: now[0])
    assert [await buckets.take([bucket()]) for _ in range(20)] == [0.0] * 20
    assert await buckets.take([bucket()]) == 0.5  # one of two a second
    now[0] += 0.5
    assert await buckets.take([bucket()]) == 0.0
    assert await buckets.take([bucket()]) == 0.5


@given(steps=st.lists(st.floats(0, 3), max_size=80), rate=st.floats(0.5, 5))
async def test_no_window_lets_through_more_than_burst_and_rate(steps: list[float], rate: float) -> None:
    now = [0.0]
    buckets, taken = MemoryBuckets(lambda: now[0]), []
    for step in steps:
        now[0] += step
        if await buckets.take([bucket(rate_per_s=rate)]) == 0.0:
            taken.append(now[0])
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            allowed = bucket(rate_per_s=rate).capacity + (taken[last] - taken[first]) * rate
            assert last - first + 1 <= allowed + 1e-6


async def test_nothing_is_taken_when_one_bucket_is_empty() -> None:
    now = [0.0]
    buckets = MemoryBuckets(lambda: now[0])
    small, large = bucket("small", 0.1), bucket("large", 10.0)
    assert await buckets.take([small, large]) == 0.0
    assert await buckets.take([small, large]) > 0.0
    taken = [await buckets.take([large]) for _ in range(99)]
    assert taken == [0.0] * 99, "99 of 100 are left"
    assert await buckets.take([large]) > 0.0


async def test_the_longest_unused_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limits, "KEYS_MAX", 3)
    buckets = MemoryBuckets()
    for key in "abcd":
        await buckets.take([bucket(key)])
    assert list(buckets._levels) == ["b", "c", "d"]


async def test_redis_counts_alike_for_two_gateways(redis_url: str) -> None:
    one, other = RedisBuckets(redis_url), RedisBuckets(redis_url)
    slow = bucket(rate_per_s=0.2)  # two at once, then one every five seconds
    assert [await each.take([slow]) for each in (one, other)] == [0.0, 0.0]
    assert 3.0 < await one.take([slow]) <= 5.0
    assert 3.0 < await other.take([slow]) <= 5.0
    client = redis.asyncio.from_url(redis_url)
    keys = await client.keys("maas:rate:*")
    assert [await client.ttl(key) for key in keys] == [11], "an idle bucket is full after ten seconds"
    for each in (one, other, client):
        await (each.close() if isinstance(each, RedisBuckets) else each.aclose())


async def test_without_redis_each_gateway_counts_for_itself(tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path)
    buckets = RedisBuckets(server.start())
    slow = bucket(rate_per_s=0.2)
    assert await buckets.take([slow]) == 0.0
    os.kill(server.pid, signal.SIGKILL)
    server.stop()
    assert [await buckets.take([slow]) > 0 for _ in range(3)] == [False, False, True]
    await buckets.close()


def test_a_request_fills_the_buckets_of_its_address_and_its_token() -> None:
    anonymous = list_buckets(authorization="", address="192.0.2.7", rate_per_s=5)
    assert [(each.key, each.rate_per_s) for each in anonymous] == [("address:192.0.2.7", 20)]
    signed_in = list_buckets(authorization="Bearer secret", address="192.0.2.7", rate_per_s=5)
    assert len(signed_in) == 2
    assert "secret" not in signed_in[1].key


async def test_too_fast_is_answered_with_429_and_health_is_not_counted() -> None:
    app = build_app([], None)  # type: ignore[arg-type]  # no endpoint of it needs a caller
    app.middlewares.append(rate_limit_middleware(MemoryBuckets(), rate_per_s=0.05))

    async def hello(_request: web.Request) -> web.Response:
        return web.Response(text="hello")

    app.router.add_get("/hello", hello)
    async with TestClient(TestServer(app)) as client:
        # An address has four times the rate: 0.2 a second, two at once.
        answers = [await client.get("/hello") for _ in range(3)]
        assert [answer.status for answer in answers] == [200, 200, 429]
        problem = await answers[2].json(content_type="application/problem+json")
        assert problem["code"] == "rate_limited"
        assert answers[2].headers["Retry-After"] == "5"
        assert isinstance(answers[2], aiohttp.ClientResponse)
        assert [(await client.get("/health/live")).status for _ in range(9)] == [200] * 9
