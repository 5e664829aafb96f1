"""Signing keys and the published key list.

Problem   Checking devices work offline for days; keys change, and one may leak.
Idea      A ticket names its key by number. The key list is public and says from when until when a key may
          sign; a rotation adds a key and lets the old one run out. A leaked key stays on the list, marked as
          revoked: nothing that it signed counts any more, and its tickets are issued again with another.
Not here  What else is revoked, and how a device hears of it (revocations.py).
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey


class KeyListUnreadable(ValueError):
    """A key or revocation file is not what the ticketing service publishes. Fetch it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketKey:
    """A public key and when tickets signed by it count. `public_key` is 32 bytes.

    `revoked_at` is None as long as the key is trusted.
    """

    key_id: int
    public_key: bytes
    valid_from: datetime
    valid_until: datetime
    revoked_at: datetime | None = None

    def has_signed(self, signature: bytes, signed: bytes) -> bool:
        """Whether this key made the signature."""
        try:
            _load_public(self.public_key).verify(signature, signed)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A private key with its public particulars. Never logged, never published."""

    private_key: Ed25519PrivateKey
    public: TicketKey

    @classmethod
    def generate(cls, *, key_id: int, valid_from: datetime, valid_until: datetime) -> "SigningKey":
        """A fresh key pair."""
        private_key = Ed25519PrivateKey.generate()
        return cls(
            private_key=private_key,
            public=TicketKey(
                key_id=key_id,
                public_key=private_key.public_key().public_bytes_raw(),
                valid_from=valid_from,
                valid_until=valid_until,
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyList:
    """The public keys by number."""

    keys: Mapping[int, TicketKey]

    @classmethod
    def of(cls, *keys: TicketKey) -> "KeyList":
        """A list of these keys."""
        return cls(keys={key.key_id: key for key in keys})

    def before_leaks(self) -> "KeyList":
        """As it was when no key had been revoked: what a device without news judges by."""
        return KeyList.of(*(replace(key, revoked_at=None) for key in self.keys.values()))

    @classmethod
    def from_json(cls, text: str | bytes) -> "KeyList":
        """Read what `GET /api/ticketing/keys` answers. Raises KeyListUnreadable."""
        try:
            return cls.of(*(_read_key(entry) for entry in json.loads(text)["keys"]))
        except (ValueError, KeyError, TypeError) as error:
            raise KeyListUnreadable(f"no key list: {error}") from None


def encode_key(raw: bytes) -> str:
    """A key as unpadded base64url, as JWKs write it."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode_key(text: str) -> bytes:
    """The bytes of `encode_key`."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _read_key(entry: Mapping[str, Any]) -> TicketKey:
    raw = decode_key(entry["public_key"])
    _load_public(raw)
    revoked_at = entry.get("revoked_at")
    return TicketKey(
        key_id=int(entry["key_id"]),
        public_key=raw,
        valid_from=read_instant(entry["valid_from"]),
        valid_until=read_instant(entry["valid_until"]),
        revoked_at=None if revoked_at is None else read_instant(revoked_at),
    )


def read_instant(text: str) -> datetime:
    """An aware instant in ISO 8601. Raises ValueError."""
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"an instant without an offset: {text}")
    return instant


@lru_cache(maxsize=256)
def _load_public(raw: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(raw)
