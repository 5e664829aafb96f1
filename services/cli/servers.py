"""Are the servers that the settings name there, and fit for us? Asked before anything else is done."""

import asyncio
from urllib.parse import urlsplit

import asyncpg
from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.cli.errors import CommandFailed
from services.platform.embedded.binaries import MAJOR_MIN
from services.platform.settings import Settings

_ANSWER_S_MAX = 10


def house_url(wanted: str, settings: Settings) -> str:
    """Where the running house is: as `--url` says, else as the settings say. Raises CommandFailed."""
    if not wanted:
        return f"http://{settings.host}:{settings.port}"
    if not wanted.startswith(("http://", "https://")):
        raise CommandFailed(f"--url {wanted!r} is no address. Write it like http://127.0.0.1:8080")
    return wanted.rstrip("/")


def check_servers(settings: Settings) -> None:
    """DATABASE_URL and REDIS_URL, where given, lead to servers we can use. Raises CommandFailed."""
    if settings.database_url or settings.redis_url:
        asyncio.run(_check(settings))


async def _check(settings: Settings) -> None:
    if settings.database_url:
        await _check_postgres(settings.database_url)
    if settings.redis_url:
        await _check_redis(settings.redis_url)


async def _check_postgres(url: str) -> None:
    cure = (
        "Write DATABASE_URL as postgresql://user:password@host:5432/database and see that the server runs; "
        "without it, maas starts a database of its own."
    )
    try:
        connection = await asyncpg.connect(url, timeout=_ANSWER_S_MAX)
        try:
            major = connection.get_server_version().major
            may_create = await connection.fetchval(
                "select has_database_privilege(current_database(), 'create')"
            )
        finally:
            await connection.close(timeout=_ANSWER_S_MAX)
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise CommandFailed(f"The database at {_place(url)} is no use: {_words(error)}. {cure}") from error
    if major < MAJOR_MIN:
        raise CommandFailed(
            f"The database at {_place(url)} is PostgreSQL {major}. Version {MAJOR_MIN} or newer is needed."
        )
    if not may_create:
        raise CommandFailed(
            f"The user of DATABASE_URL may not make schemas in {_place(url)}. "
            "Let it: GRANT CREATE ON DATABASE ... TO ...;"
        )


async def _check_redis(url: str) -> None:
    cure = (
        "Write REDIS_URL as redis://host:6379/0 and see that the server runs; "
        "without it, the services of one process need no Redis."
    )
    try:
        redis = Redis.from_url(url, socket_connect_timeout=_ANSWER_S_MAX, socket_timeout=_ANSWER_S_MAX)
        try:
            await redis.info(
                "server"
            )  # needs the same rights as our work, and is answered by a real server only
        finally:
            await redis.aclose()
    except (OSError, TimeoutError, ValueError, RedisError) as error:
        raise CommandFailed(f"The Redis at {_place(url)} is no use: {_words(error)}. {cure}") from error


def _place(url: str) -> str:
    """The address without the password."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2] or "an address that cannot be read"
    except ValueError:
        return "an address that cannot be read"


def _words(error: Exception) -> str:
    return str(error).strip().rstrip(".") or (
        "no answer" if isinstance(error, TimeoutError) else type(error).__name__
    )
