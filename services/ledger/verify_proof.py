"""Verify that a transfer stands in the ledger, trusting nothing but a published seal hash.

    python verify_proof.py proof.json SEAL_HASH

proof.json is the answer of GET /api/ledger/transfers/{id}/proof; SEAL_HASH is the hash of its seal as it was
published (GET /api/ledger/seals), in hexadecimal. Needs only the standard library of Python 3.9 or newer.
Exits with 0 and says `proven`, or with 1 and says why not.
"""

import hashlib
import json
import sys
from typing import Any

FIELDS = """sequence transfer_id debit credit amount_minor currency code reference kind pending_id
    linked timeout_s effective_at recorded_at refusal""".split()  # noqa: SIM905 - to be read, not counted
SEAL_FIELDS = """number after_sequence until_sequence leaf_count merkle_root
    previous_hash sealed_at_us""".split()  # noqa: SIM905 - to be read, not counted
ARGUMENTS = 2


class NotProven(Exception):
    """The proof does not lead to the published hash."""


def field(value: object) -> bytes:
    """`LENGTH:VALUE,` in bytes of UTF-8, or `-,` for nothing."""
    if value is None:
        return b"-,"
    encoded = str(value).encode()
    return str(len(encoded)).encode() + b":" + encoded + b","


def sha256(content: bytes) -> bytes:
    """The digest."""
    return hashlib.sha256(content).digest()


def climb(leaf: bytes, index: int, count: int, path: list[bytes]) -> bytes:
    """The root of a tree of `count` leaves in which `leaf` has this index (RFC 6962)."""
    if not 0 <= index < count:
        raise NotProven("the leaf's index is outside the tree")
    left, here = list(path), leaf
    while count > 1:
        if index % 2 or index + 1 < count:
            if not left:
                raise NotProven("the path is too short")
            neighbour = left.pop(0)
            here = sha256(b"\x01" + (neighbour + here if index % 2 else here + neighbour))
        index, count = index // 2, (count + 1) // 2
    if left:
        raise NotProven("the path is too long")
    return here


def verify(proof: dict[str, Any], seal_hash: str) -> None:
    """Raise NotProven unless the transfer of this proof is under this seal."""
    transfer, seal = proof["transfer"], proof["seal"]
    if set(transfer) != set(FIELDS):
        raise NotProven("the transfer has other fields than are sealed")
    if not int(seal["after_sequence"]) < int(transfer["sequence"]) <= int(seal["until_sequence"]):
        raise NotProven("the transfer's sequence is outside the seal")
    leaf = sha256(b"\x00" + b"".join(field(transfer[name]) for name in FIELDS))
    path = [bytes.fromhex(each) for each in proof["path"]]
    root = climb(leaf, int(proof["leaf_index"]), int(seal["leaf_count"]), path)
    if root.hex() != seal["merkle_root"]:
        raise NotProven("the path does not lead to the seal's root")
    own_hash = sha256(b"\x02" + b"".join(field(seal[name]) for name in SEAL_FIELDS))
    if not own_hash.hex() == seal_hash.lower() == seal["seal_hash"]:
        raise NotProven("the seal is not the published one")


def main(arguments: list[str]) -> int:
    """Read the file, verify, say so."""
    if len(arguments) != ARGUMENTS:
        print(__doc__)  # noqa: T201 - this script speaks to a person
        return 2
    with open(arguments[0], encoding="utf-8") as file:  # noqa: PTH123 - nothing but the plainest Python
        proof = json.load(file)
    try:
        verify(proof, arguments[1])
    except (NotProven, KeyError, TypeError, ValueError) as error:
        print(f"NOT proven: {error}")  # noqa: T201 - this script speaks to a person
        return 1
    print(f"proven: transfer {proof['transfer']['transfer_id']}")  # noqa: T201 - this script speaks to a person
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
