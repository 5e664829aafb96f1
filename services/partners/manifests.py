"""Passengers' names, sealed.

Problem   The law asks a ship to know who is aboard; nobody else should, and not for longer than needed.
Idea      Names are sealed with AES-GCM under a key that lies in the data folder, not in the database: a dump
          of the database names nobody. The booking's id is bound into the seal, so names cannot be moved
          from one booking to another. Only a clerk of the ship's operator may open the list, and rows are
          deleted some days after the sailing.
Not here  Who may ask (routes.py), when rows go (handlers.py).
"""

import os
from collections.abc import Sequence
from pathlib import Path
from secrets import token_bytes, token_hex
from uuid import UUID

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.platform.errors import PlatformError

_KEY_BYTES = 32
_NONCE_BYTES = 12


class ManifestUnreadable(PlatformError):
    """Names were sealed with another key. Put back `keys/partners-manifest.key` of the data folder."""

    code = "manifest_unreadable"


class ManifestSeal:
    """Seals and opens lists of names."""

    def __init__(self, key_path: Path) -> None:
        self._key_path = key_path
        self._cipher: AESGCM | None = None

    def seal(self, hold_id: UUID, names: Sequence[str]) -> bytes:
        """The names as bytes that only `open` can read."""
        nonce = token_bytes(_NONCE_BYTES)
        return nonce + self._ready().encrypt(nonce, orjson.dumps(list(names)), hold_id.bytes)

    def open(self, hold_id: UUID, sealed: bytes) -> list[str]:
        """The names. Raises ManifestUnreadable."""
        try:
            text = self._ready().decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], hold_id.bytes)
        except InvalidTag as error:
            raise ManifestUnreadable(f"Booking {hold_id}: restore {self._key_path} as it was.") from error
        names: list[str] = orjson.loads(text)
        return names

    def _ready(self) -> AESGCM:
        if self._cipher is None:
            self._cipher = AESGCM(_read_or_make_key(self._key_path))
        return self._cipher


def _read_or_make_key(path: Path) -> bytes:
    """The key; made at first use. Two processes that make it at once end with the same one."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f"{path.name}.{token_hex(8)}")
        descriptor = os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(token_bytes(_KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass  # The other process was first; its key is the key.
        finally:
            fresh.unlink()
    key = path.read_bytes()
    if len(key) != _KEY_BYTES:
        raise ManifestUnreadable(f"{path} is not a key of {_KEY_BYTES} bytes. Restore it from a backup.")
    return key
