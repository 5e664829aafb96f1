"""Seals: what stands in the books of a period can be proven later, and cannot be changed unseen.

Problem   Whoever can write to the database could also rewrite history and its sums with it.
Idea      Rows are written down as bytes in one way only and hashed into a Merkle tree a period (RFC 6962:
          leaf 0x00, node 0x01). A seal names the period, its tree and the seal before; its hash is what is
          published. A proof is the path from one row to a published hash.
Not here  Tables and the worker that seals (services/ledger/sealing.py); the stand-alone verifier
          (services/ledger/verify_proof.py), which shares no code with this on purpose.
Invariant seals cover all sequences from the first on, without gap or overlap.
Source    RFC 6962, section 2.1; facts on payments, rule 7.

A field is `LENGTH:VALUE,` with the length in bytes of UTF-8, or `-,` for nothing; times are microseconds
since 1970 in UTC. A row is its fields in the order of `FIELDS`.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

FIELDS = (
    "sequence",
    "transfer_id",
    "debit",
    "credit",
    "amount_minor",
    "currency",
    "code",
    "reference",
    "kind",
    "pending_id",
    "linked",
    "timeout_s",
    "effective_at",
    "recorded_at",
    "refusal",
)

NO_SEAL = bytes(32)
"""Stands for the seal before the first."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """Rows with a sequence above `after_sequence` up to `until_sequence`, sealed; `previous_hash` chains."""

    number: int
    after_sequence: int
    until_sequence: int
    leaf_count: int
    merkle_root: bytes
    previous_hash: bytes
    sealed_at: datetime

    @property
    def seal_hash(self) -> bytes:
        """What is published: it stands for all rows up to here."""
        values = (
            self.number,
            self.after_sequence,
            self.until_sequence,
            self.leaf_count,
            self.merkle_root.hex(),
            self.previous_hash.hex(),
            self.sealed_at,
        )
        return hashlib.sha256(b"\x02" + b"".join(map(_field, map(text_of, values)))).digest()


def text_of(value: object) -> str | None:
    """A field's value as it is hashed."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return str((value - _EPOCH) // timedelta(microseconds=1))
    return str(value)


def hash_leaf(row: Mapping[str, object]) -> bytes:
    """The hash of a row with all `FIELDS`."""
    return hashlib.sha256(b"\x00" + b"".join(_field(text_of(row[name])) for name in FIELDS)).digest()


def hash_tree(leaves: Sequence[bytes]) -> bytes:
    """The Merkle root of at least one leaf."""
    assert leaves, "a tree has a leaf"
    level = list(leaves)
    while len(level) > 1:
        level = _hash_level(level)
    return level[0]


def list_path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The neighbours on the way from a leaf to the root, lowest first."""
    assert 0 <= index < len(leaves), "the leaf is in the tree"
    path, level = list[bytes](), list(leaves)
    while len(level) > 1:
        neighbour = index ^ 1
        if neighbour < len(level):
            path.append(level[neighbour])
        level, index = _hash_level(level), index // 2
    return path


def _hash_level(level: Sequence[bytes]) -> list[bytes]:
    """The level above. A node without a neighbour goes up as it is, which gives RFC 6962's tree."""
    above = [
        hashlib.sha256(b"\x01" + level[at] + level[at + 1]).digest() for at in range(0, len(level) - 1, 2)
    ]
    return [*above, level[-1]] if len(level) % 2 else above


def _field(text: str | None) -> bytes:
    if text is None:
        return b"-,"
    encoded = text.encode()
    return b"%d:%s," % (len(encoded), encoded)
