"""Signing keys, the published key list, and the list of revocations.

Problem   Checking devices work offline for days; keys change; a cancelled fare must stop being accepted.
Idea      A ticket names its key by number. The key list is public and says from when until when a key may
          sign; a rotation adds a key and lets the old one run out. Revocations are a growing list of (ticket,
          fare), fetched in differences.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey


class KeyListUnreadable(ValueError):
    """A key or revocation file is not what the ticketing service publishes. Fetch it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketKey:
    """A public key and when tickets signed by it count. `public_key` is 32 bytes."""

    key_id: int
    public_key: bytes
    valid_from: datetime
    valid_until: datetime

    def has_signed(self, signature: bytes, signed: bytes) -> bool:
        """Whether this key made the signature."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, signed)
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

    @classmethod
    def from_json(cls, text: str | bytes) -> "KeyList":
        """Read what `GET /api/ticketing/keys` answers. Raises KeyListUnreadable."""
        try:
            return cls.of(*(_read_key(entry) for entry in json.loads(text)["keys"]))
        except (ValueError, KeyError, TypeError) as error:
            raise KeyListUnreadable(f"no key list: {error}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocations:
    """Fares that count no more, as (ticket_ref, component_index)."""

    revoked: frozenset[tuple[str, int]] = frozenset()

    @classmethod
    def from_json(cls, text: str | bytes) -> "Revocations":
        """Read what `GET /api/ticketing/revocations` answers. Raises KeyListUnreadable."""
        try:
            entries = json.loads(text)["revocations"]
            return cls(revoked=frozenset((str(e["ticket_ref"]), int(e["component_index"])) for e in entries))
        except (ValueError, KeyError, TypeError) as error:
            raise KeyListUnreadable(f"no revocation list: {error}") from None

    def __contains__(self, fare: tuple[str, int]) -> bool:
        return fare in self.revoked


def encode_key(raw: bytes) -> str:
    """A key as unpadded base64url, as JWKs write it."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode_key(text: str) -> bytes:
    """The bytes of `encode_key`."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _read_key(entry: Mapping[str, Any]) -> TicketKey:
    raw = decode_key(entry["public_key"])
    Ed25519PublicKey.from_public_bytes(raw)
    valid_from, valid_until = (datetime.fromisoformat(entry[name]) for name in ("valid_from", "valid_until"))
    if valid_from.tzinfo is None or valid_until.tzinfo is None:
        raise ValueError("an instant without an offset")
    return TicketKey(
        key_id=int(entry["key_id"]), public_key=raw, valid_from=valid_from, valid_until=valid_until
    )
