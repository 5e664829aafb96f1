"""A command that is repeated with the same Idempotency-Key is done once and answered alike.

Problem   A client that lost the answer repeats the command; two copies may even run at once.
Idea      The key is taken in a row before the command runs; the reply is stored with it. Same key and same
          request: the stored reply. Same key, other request: an error. Still running: 409. A process that
          died holding a key frees it after seconds; the command that then runs again derives its ids from
          the key (Call.command_id), so what the first try did is found, not doubled.
Source    IETF draft "The Idempotency-Key HTTP Header Field"; facts on payments, rule 4.
"""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import replace

from services.platform.database import Database, load_queries
from services.platform.leases import kept_alive
from services.platform.problem import Problem
from services.platform.service import Reply

queries = load_queries(__file__)

KEY_LENGTH_MAX = 255


def check_key(key: str | None) -> str:
    """The key, or Problem when it is missing or not 1 to 255 printable ASCII characters."""
    if key is None:
        raise Problem(
            "idempotency_key_required",
            detail="Send an Idempotency-Key header: a value of your choice, new for each new command.",
        )
    if not 1 <= len(key) <= KEY_LENGTH_MAX or not key.isascii() or not key.isprintable():
        raise Problem(
            "idempotency_key_required", detail="An Idempotency-Key has 1 to 255 printable ASCII characters."
        )
    return key


def hash_request(path: str, raw: bytes) -> bytes:
    """What makes two requests the same: the address and the bytes of the body."""
    return hashlib.sha256(path.encode() + b"\0" + raw).digest()


async def run_once(
    database: Database,
    *,
    principal: str,
    operation: str,
    key: str,
    request_hash: bytes,
    command: Callable[[], Awaitable[Reply]],
) -> Reply:
    """Run `command` unless its reply is stored. A reply below 500 is stored; a failure frees the key."""
    name = (principal, operation, key)
    if await database.fetchval(queries["begin_idempotent"], *name, request_hash) is None:
        return await _stored_reply(database, name, request_hash)
    try:
        async with kept_alive(lambda: database.execute(queries["renew_idempotent"], *name)):
            reply = await command()
    except BaseException:
        await database.execute(queries["free_idempotent"], *name)
        raise
    await database.execute(queries["finish_idempotent"], *name, reply.status, reply.media_type, reply.body)
    return reply


async def _stored_reply(database: Database, name: tuple[str, str, str], request_hash: bytes) -> Reply:
    row = await database.fetchrow(queries["find_idempotent"], *name)
    if row is None:
        raise Problem("idempotency_in_progress", detail="The first try just failed. Send the request again.")
    if row["request_hash"] != request_hash:
        raise Problem("idempotency_key_reused", detail="Use a new key for a new command.")
    if row["status"] is None:
        raise Problem("idempotency_in_progress", detail="Send the request again in a second.")
    reply = Reply(body=row["body"], status=row["status"], media_type=row["media_type"])
    return replace(reply, headers={"Idempotent-Replayed": "true"})
