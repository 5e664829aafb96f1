"""What the stand-in remembers: a SQLite file, one transaction for each request.

Problem   After kill -9 the stand-in must know every effect that it has answered for, and no other.
Idea      An object's JSON, the events about it, their deliveries and the reply stored under the idempotency
          key are written in one transaction, synced before the reply leaves.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

from services.payments.stand_in.errors import JsonObject, missing

_SCHEMA = """
create table if not exists object (
    seq     integer primary key autoincrement,
    id      text not null unique,
    kind    text not null,
    created integer not null,
    body    text not null
);
create index if not exists object_kind on object (kind, seq);
create index if not exists object_of_intent on object (kind, json_extract(body, '$.payment_intent'));
create index if not exists object_of_payment on object (kind, json_extract(body, '$.metadata.payment_id'));
create table if not exists reply (
    key      text primary key,
    request  text not null,
    status   integer not null,
    body     text not null,
    made_at  real not null
);
create table if not exists delivery (
    delivery_id integer primary key autoincrement,
    event_id    text not null,
    endpoint_id text not null,
    due_at      real not null,
    attempts    integer not null default 0,
    state       text not null default 'waiting'
);
create index if not exists delivery_due on delivery (state, due_at);
"""
_FIELD = frozenset(
    {
        "charge",
        "customer",
        "destination",
        "payment_intent",
        "payment_method",
        "payout",
        "source",
        "source_transaction",
        "status",
        "transfer",
        "transfer_group",
        "type",
    }
)


@dataclass(frozen=True, slots=True)
class StoredReply:
    """The reply that a repeat of a request gets. `request` is its method, path and parameters, hashed."""

    request: str
    status: int
    body: bytes
    made_at: float


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event on its way to a webhook endpoint."""

    delivery_id: int
    event_id: str
    endpoint_id: str
    attempts: int


class Book:
    """The stand-in's memory. Used by one event loop; nothing awaits inside a transaction.

    Not `durable`: for tests that only kill their own process, which does not lose what the system was given.
    """

    def __init__(self, path: Path, *, durable: bool = True) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("pragma journal_mode = wal")
        self._db.execute(f"pragma synchronous = {'full' if durable else 'off'}")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of the block, or nothing of it."""
        self._db.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._db.execute("rollback")
            raise
        self._db.execute("commit")

    def mark(self) -> None:
        """A point within the transaction to come back to."""
        self._db.execute("savepoint mark")

    def back_to_mark(self) -> None:
        """Undo what was written since the mark."""
        self._db.execute("rollback to mark")

    def put(self, item: JsonObject) -> JsonObject:
        """Keep an object, new or changed."""
        self._db.execute(
            "insert into object (id, kind, created, body) values (?, ?, ?, ?)"
            " on conflict (id) do update set body = excluded.body",
            (item["id"], item["object"], item["created"], orjson.dumps(item).decode()),
        )
        return item

    def find(self, object_id: str) -> JsonObject | None:
        """The object of that id, or None."""
        row = self._db.execute("select body from object where id = ?", (object_id,)).fetchone()
        return None if row is None else orjson.loads(row[0])

    def get(self, kind: str, object_id: str) -> JsonObject:
        """The object of that kind and id. Raises ApiError resource_missing."""
        item = self.find(object_id)
        if item is None or item["object"] != kind:
            raise missing(kind, object_id)
        return item

    def delete(self, object_id: str) -> None:
        """Forget an object."""
        self._db.execute("delete from object where id = ?", (object_id,))

    def list_all(self, kind: str, where: Mapping[str, str] | None = None) -> list[JsonObject]:
        """Objects of a kind, newest first, whose fields have these values."""
        query, args = "select body from object where kind = ?", [kind]
        for field, value in (where or {}).items():
            assert field in _FIELD or field.replace("metadata.", "").isidentifier(), (
                "fields are ours, not sent"
            )
            query += f" and json_extract(body, '$.{field}') = ?"
            args.append(value)
        rows = self._db.execute(query + " order by seq desc", args)
        return [orjson.loads(body) for (body,) in rows]

    def find_reply(self, key: str) -> StoredReply | None:
        """What was answered under an idempotency key."""
        row = self._db.execute(
            "select request, status, body, made_at from reply where key = ?", (key,)
        ).fetchone()
        return None if row is None else StoredReply(row[0], row[1], row[2].encode(), row[3])

    def put_reply(self, key: str, reply: StoredReply) -> None:
        """Remember a reply."""
        self._db.execute(
            "insert or replace into reply (key, request, status, body, made_at) values (?, ?, ?, ?, ?)",
            (key, reply.request, reply.status, reply.body.decode(), reply.made_at),
        )

    def forget_replies(self, made_before: float) -> None:
        """Idempotency keys are kept for a day."""
        self._db.execute("delete from reply where made_at < ?", (made_before,))

    def add_delivery(self, event_id: str, endpoint_id: str, due_at: float) -> None:
        """An event is to be sent to an endpoint."""
        self._db.execute(
            "insert into delivery (event_id, endpoint_id, due_at) values (?, ?, ?)",
            (event_id, endpoint_id, due_at),
        )

    def list_due(self, now: float, limit: int) -> list[Delivery]:
        """Deliveries whose time has come."""
        rows = self._db.execute(
            "select delivery_id, event_id, endpoint_id, attempts from delivery"
            " where state = 'waiting' and due_at <= ? order by due_at, delivery_id limit ?",
            (now, limit),
        )
        return [Delivery(*row) for row in rows]

    def next_due_at(self) -> float | None:
        """When the next delivery is due, or None."""
        row = self._db.execute("select min(due_at) from delivery where state = 'waiting'").fetchone()
        return None if row[0] is None else float(row[0])

    def note_delivery(self, delivery_id: int, *, state: str, due_at: float) -> None:
        """A try has ended: `state` is delivered, waiting (again at `due_at`) or given_up."""
        self._db.execute(
            "update delivery set state = ?, due_at = ?, attempts = attempts + 1 where delivery_id = ?",
            (state, due_at, delivery_id),
        )

    def count_deliveries(self) -> dict[str, int]:
        """How many deliveries are in each state."""
        return dict(self._db.execute("select state, count(*) from delivery group by state").fetchall())
