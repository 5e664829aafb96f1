"""The issuer's keys: in one file that only its owner may read.

Problem   A ticket may be bought long before it is used, and checking devices learn of a new key late. A key
          that signs must therefore be published early and stay valid long.
Idea      Keys live in `data_dir/keys/ticketing.json`, written whole to a new file and renamed, mode 0600. The
          newest signs. A key counts for tickets whose validity begins within 400 days; when a ticket reaches
          beyond, or on command, a new key is added and the old one runs out by itself. A leaked key is
          marked, never signs again, and stays on the list so that devices know why they refuse.
Not here  Publishing (routes.py) and signatures (maas/tickets).
"""

import json
import os
import threading
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from maas.tickets.keys import KeyList, SigningKey, TicketKey, decode_key, encode_key

KEY_LIFE = timedelta(days=400)
# A ticket's validity begins with its service day, which may lie before the key.
BEFORE_MAKING = timedelta(days=2)
OWNER_ONLY = 0o600


class KeyStore:
    """The keys of one issuer. Its methods touch the disk: call them in a thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys: list[SigningKey] = []
        # Two threads that rotate at once would each write a file without the other's key.
        self._turn = threading.Lock()

    def open(self, now: datetime) -> None:
        """Read the keys; make the first one where there is none."""
        if self._path.exists():
            self._keys = [_read(entry) for entry in json.loads(self._path.read_text("utf-8"))["keys"]]
        if not self._keys:
            self.rotate(now)

    def rotate(self, now: datetime) -> TicketKey:
        """Add a key that signs from now on. Keys that have run out are dropped."""
        with self._turn:
            return self._rotate(now)

    def _rotate(self, now: datetime) -> TicketKey:
        kept = [key for key in self._keys if key.public.valid_until + KEY_LIFE > now]
        fresh = self._generate(valid_from=now - BEFORE_MAKING, valid_until=now + KEY_LIFE)
        self._keep([*kept, fresh])
        return fresh.public

    def _generate(self, *, valid_from: datetime, valid_until: datetime) -> SigningKey:
        number = max((key.public.key_id for key in self._keys), default=0) + 1
        return SigningKey.generate(key_id=number, valid_from=valid_from, valid_until=valid_until)

    def _keep(self, keys: list[SigningKey]) -> None:
        self._write(keys)
        self._keys = keys

    def revoke(self, key_id: int, now: datetime) -> TicketKey | None:
        """Mark a key as leaked and add one in its stead; None when there is no such key. Safe to repeat.

        The new key counts for every validity that the old one did: its tickets can all be signed anew.
        """
        with self._turn:
            found = next((key for key in self._keys if key.public.key_id == key_id), None)
            if found is None:
                return None
            if found.public.revoked_at is not None:
                return found.public
            leaked = replace(found, public=replace(found.public, revoked_at=now))
            fresh = self._generate(
                valid_from=min(leaked.public.valid_from, now - BEFORE_MAKING),
                valid_until=max(leaked.public.valid_until, now + KEY_LIFE),
            )
            self._keep([*(leaked if key is found else key for key in self._keys), fresh])
            return leaked.public

    def key_for(self, *, valid_from: datetime, now: datetime) -> SigningKey:
        """The newest key that counts for a ticket whose validity begins then."""
        with self._turn:
            for key in reversed(self._keys):
                is_in_force = key.public.valid_from <= valid_from < key.public.valid_until
                if is_in_force and key.public.revoked_at is None:
                    return key
            self._rotate(max(now, valid_from))
            return self._keys[-1]

    @property
    def newest_made_at(self) -> datetime:
        """When the newest key was made."""
        return self._keys[-1].public.valid_from + BEFORE_MAKING

    @property
    def published(self) -> KeyList:
        """All public keys."""
        return KeyList.of(*(key.public for key in self._keys))

    def _write(self, keys: list[SigningKey]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = self._path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        text = json.dumps({"keys": [_entry(key) for key in keys]}, indent=1)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)


def _entry(key: SigningKey) -> dict[str, Any]:
    return {
        "key_id": key.public.key_id,
        "private_key": encode_key(key.private_key.private_bytes_raw()),
        "valid_from": key.public.valid_from.isoformat(),
        "valid_until": key.public.valid_until.isoformat(),
        "revoked_at": key.public.revoked_at and key.public.revoked_at.isoformat(),
    }


def _read(entry: dict[str, Any]) -> SigningKey:
    revoked_at = entry.get("revoked_at")
    private_key = Ed25519PrivateKey.from_private_bytes(decode_key(entry["private_key"]))
    return SigningKey(
        private_key=private_key,
        public=TicketKey(
            key_id=entry["key_id"],
            public_key=private_key.public_key().public_bytes_raw(),
            valid_from=datetime.fromisoformat(entry["valid_from"]),
            valid_until=datetime.fromisoformat(entry["valid_until"]),
            revoked_at=None if revoked_at is None else datetime.fromisoformat(revoked_at),
        ),
    )
