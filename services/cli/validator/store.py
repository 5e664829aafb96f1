"""A validator's lists and memory in one SQLite file.

Problem   A gate loses its power in the middle of a tap, and its network for days; it must neither let the
          same code pass again after the restart, nor lose a passage it has to account for, nor be slow with
          a long list.
Idea      Lists are kept by ticket, so that a scan reads a handful of rows however long they are. An
          acceptance is on the disk before the gate opens, under the next sequence; what the service answered
          to it is noted beside it. One writer at a time: the decision is made and kept in one transaction.
Invariant A sequence is given once for ever, and names the same tap at the service.
"""

import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from maas.taps import Tap, TapKind
from maas.tickets.keys import KeyList, decode_key, encode_key
from maas.tickets.layout import read_claimed_ref
from maas.tickets.revocations import Revocations, Uses
from maas.tickets.validator import Decision, Lists, Remembered, Scan, SeenCode, decide
from maas.tickets.verify import Checkpoint
from services.cli.errors import CommandFailed
from services.platform.database import load_queries

queries = load_queries(__file__)

FILE = "validator.sqlite"
OWNER_ONLY = 0o700


class ValidatorStore:
    """The validator of a folder. Not for two threads."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    def open(cls, folder: Path) -> "ValidatorStore":
        """Open the folder's validator. Raises CommandFailed where there is none, or it cannot be read."""
        path = folder / FILE
        if not path.exists():
            raise CommandFailed(f"{folder} holds no validator. Make one: maas validator init {folder}")
        return cls._connect(path)

    @classmethod
    def create(cls, folder: Path, device_id: str) -> "ValidatorStore":
        """Make a validator with a key of its own. Raises CommandFailed where there is one already."""
        path = folder / FILE
        if path.exists():
            raise CommandFailed(f"{folder} holds a validator already; its key would be lost.")
        folder.mkdir(parents=True, exist_ok=True, mode=OWNER_ONLY)
        os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))
        store = cls._connect(path)
        key = Ed25519PrivateKey.generate()
        store.become(device_id, key)
        return store

    @classmethod
    def _connect(cls, path: Path) -> "ValidatorStore":
        try:
            connection = sqlite3.connect(path, isolation_level=None, timeout=10)
            connection.row_factory = sqlite3.Row
            connection.execute("pragma journal_mode = wal")
            # On the disk before the gate opens, not a moment later.
            connection.execute("pragma synchronous = full")
            connection.executescript(queries["create_schema"])
        except sqlite3.Error as error:
            raise CommandFailed(f"{path} cannot be used as a validator's file: {error}.") from error
        return cls(connection)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A transaction: nobody else writes meanwhile."""
        self._connection.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._connection.execute("rollback")
            raise
        self._connection.execute("commit")

    # -- what it is

    def become(self, device_id: str, private_key: Ed25519PrivateKey) -> None:
        """Take a name and a key; taps sent under an earlier name stay that device's."""
        with self.writing():
            self._put("device_id", device_id)
            self._put("private_key", encode_key(private_key.private_bytes_raw()))

    @property
    def device_id(self) -> str:
        """Its name at the service."""
        return self._get("device_id")

    @property
    def private_key(self) -> Ed25519PrivateKey:
        """The key that signs its taps."""
        return Ed25519PrivateKey.from_private_bytes(decode_key(self._get("private_key")))

    # -- lists

    @property
    def revocation_sequence(self) -> int:
        """How far the list of revocations goes."""
        return int(self._get("revocation_sequence", "0"))

    @property
    def use_sequence(self) -> int:
        """How far the list of uses goes."""
        return int(self._get("use_sequence", "0"))

    def take_keys(self, text: str) -> None:
        """Keep a key list. Raises KeyListUnreadable."""
        KeyList.from_json(text)
        with self.writing():
            self._put("keys", text)

    def take_revocations(self, text: str) -> int:
        """Take in a difference; how many entries it had. Raises KeyListUnreadable."""
        news = Revocations.from_json(text)
        with self.writing():
            self._connection.executemany(queries["revoke_fare"], news.revoked)
            self._connection.executemany(queries["revoke_editions"], news.first_editions.items())
            self._connection.executemany(queries["revoke_key"], [(key_id,) for key_id in news.keys])
            self._put("revocation_sequence", str(max(news.sequence, self.revocation_sequence)))
        return len(json.loads(text)["revocations"])

    def take_uses(self, text: str) -> int:
        """Take in a difference; how many entries it had. Raises KeyListUnreadable."""
        news = Uses().with_difference(text)
        rows = [(*fare, instant.isoformat()) for fare, instant in news.first_used_at.items()]
        with self.writing():
            self._connection.executemany(queries["note_use"], rows)
            self._put("use_sequence", str(max(news.sequence, self.use_sequence)))
        return len(rows)

    def are_fetched(self, now: datetime) -> None:
        """Note that all lists are as new as can be."""
        with self.writing():
            self._put("fetched_at", now.isoformat())

    def lists_for(self, ticket_ref: str) -> Lists:
        """What the lists say of a ticket, and of all keys."""
        fetched_at = self._get("fetched_at", "")
        uses = self._rows("list_uses", ticket_ref)
        return Lists(
            keys=KeyList.from_json(self._get("keys", '{"keys": []}')),
            revocations=Revocations(
                revoked=frozenset(
                    (row["ticket_ref"], row["fare_index"])
                    for row in self._rows("list_revoked_fares", ticket_ref)
                ),
                first_editions={
                    row["ticket_ref"]: row["edition"] for row in self._rows("list_first_editions", ticket_ref)
                },
                keys=frozenset(row["key_id"] for row in self._rows("list_revoked_keys")),
            ),
            uses=Uses(
                first_used_at={
                    (row["ticket_ref"], row["fare_index"]): datetime.fromisoformat(row["first_used_at"])
                    for row in uses
                }
            ),
            fetched_at=datetime.fromisoformat(fetched_at) if fetched_at else None,
        )

    # -- memory

    def check(self, payload: str, *, at: Checkpoint, kind: TapKind, now: datetime) -> Decision:
        """Decide, and remember an acceptance before it is answered. Calls nobody."""
        with self.writing():
            (last,) = self._connection.execute(queries["get_last_sequence"]).fetchone()
            scan = Scan(
                payload=payload,
                device_id=self.device_id,
                sequence=last + 1,
                tapped_at=now,
                kind=kind,
                at=at,
            )
            lists = self.lists_for(read_claimed_ref(payload) or "")
            decision = decide(scan, lists=lists, recall=self.recall)
            if decision.is_accepted:
                self._keep(scan, decision)
        return decision

    def recall(self, ticket_ref: str) -> Remembered:
        """What was let through of a ticket."""
        taps, edition, code = [], 0, None
        for row in self._rows("list_acceptances", ticket_ref):
            tap = self._tap(row)
            taps.append(tap)
            edition = max(edition, row["edition"])
            if row["slot"] is not None:
                code = SeenCode(edition=row["edition"], slot=row["slot"], tap=tap)
        return Remembered(taps=tuple(taps), edition=edition, code=code)

    def list_unsent(self, limit: int) -> list[dict[str, Any]]:
        """The oldest acceptances that the service has not answered, as it takes them."""
        return [
            {
                "sequence": row["sequence"],
                "tapped_at": row["tapped_at"],
                "kind": row["kind"],
                "operator_id": row["operator_id"],
                "stop_id": row["stop_id"],
                "payload": row["payload"],
                "accepted_offline": True,
            }
            for row in self._rows("list_unsent", limit)
        ]

    def mark_sent(self, answers: Sequence[dict[str, Any]]) -> None:
        """Keep what the service answered."""
        with self.writing():
            rows = [(each["status"], each["sequence"]) for each in answers]
            self._connection.executemany(queries["mark_sent"], rows)

    def _keep(self, scan: Scan, decision: Decision) -> None:
        ticket, moment = decision.verdict.ticket, decision.verdict.moment
        assert ticket is not None, "an accepted ticket is known"
        row = (
            scan.sequence,
            ticket.ticket_ref,
            ticket.edition,
            None if moment is None else moment.slot,
            scan.tapped_at.isoformat(),
            scan.kind.value,
            scan.at.operator_id,
            scan.at.stop_id or "",
            scan.payload,
        )
        self._connection.execute(queries["insert_acceptance"], row)

    def _tap(self, row: sqlite3.Row) -> Tap:
        return Tap(
            device_id=self.device_id,
            sequence=row["sequence"],
            tapped_at=datetime.fromisoformat(row["tapped_at"]),
            kind=TapKind(row["kind"]),
            operator_id=row["operator_id"],
            stop_id=row["stop_id"],
        )

    def _rows(self, name: str, *arguments: Any) -> list[sqlite3.Row]:
        return self._connection.execute(queries[name], arguments).fetchall()

    def _get(self, name: str, default: str | None = None) -> str:
        row = self._connection.execute(queries["get_setting"], (name,)).fetchone()
        if row is None:
            assert default is not None, "a validator is made with its name and key"
            return default
        return str(row["value"])

    def _put(self, name: str, value: str) -> None:
        self._connection.execute(queries["put_setting"], (name, value))
