import os
import signal
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
import redis.asyncio

from services.platform.embedded.errors import EmbeddedServerError
from services.platform.embedded.redis import EmbeddedRedis


async def test_it_serves_streams_and_asks_for_the_password(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as server:
        client = redis.asyncio.from_url(server.url)
        entry = await client.xadd("bus", {"n": "1"})
        assert await client.xrange("bus") == [(entry, {b"n": b"1"})]
        await client.aclose()
        stranger = redis.asyncio.Redis(host="127.0.0.1", port=urlsplit(server.url).port)
        with pytest.raises(redis.AuthenticationError):
            await stranger.ping()
        await stranger.aclose()


async def test_a_killed_server_is_started_again_empty(tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path)
    client = redis.asyncio.from_url(server.start())
    await client.set("gone", 1)
    await client.aclose()
    os.kill(server.pid, signal.SIGKILL)
    server.stop()
    with EmbeddedRedis(tmp_path) as again:
        client = redis.asyncio.from_url(again.url)
        assert await client.get("gone") is None
        await client.aclose()


def test_the_password_shows_in_no_process_list(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as server:
        words = Path(f"/proc/{server.pid}/cmdline").read_text(encoding="utf-8")
        assert "redis-server" in words
        assert urlsplit(server.url).password not in words


def test_a_wanted_port_in_use_and_a_folder_in_use_are_refused(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path / "a") as server:
        with pytest.raises(EmbeddedServerError) as refused:
            EmbeddedRedis(tmp_path / "b", port=urlsplit(server.url).port).start()
        assert refused.value.code == "port_in_use"
        with pytest.raises(EmbeddedServerError) as refused:
            EmbeddedRedis(tmp_path / "a").start()
        assert refused.value.code == "data_folder_in_use"
