"""A code that changes with time, proves the holder's device, and is checked without a secret.

Problem   A picture of a ticket must be worthless a moment later. The device has to prove, in a few bytes
          beside the issuer's 64 of signature, that it holds a secret *now*; the gate is offline and must not
          hold anything with which tickets could be made.
Idea      A hash chain, one link for each period of the code's validity. The device draws a secret and hashes
          it down to an anchor, which the issuer signs into the ticket:

            link[last] = the secret;  link[k-1] = H(ref, link[k]);  anchor = H(ref, link[0])

          In period k it shows k and link[k]. The gate hashes k + 1 times; only if the end is the signed
          anchor does the issuer's signature verify. Who has seen link[k] can go down to earlier links, never
          up to later ones, and the gate compares k with its clock. The anchor itself is not in the code: it
          is what the hashing must come to.
          H is SHA-256 cut to 12 bytes, with the ticket's number as salt, so that no work done beforehand or
          for another ticket helps. Going up one link is a search of 2^96.
Bounds    At most 16,384 links, about 8 ms of hashing at the worst; `period_s` is 1 to 60. A chain of
          periods of 1 s reaches four and a half hours, of 16 s three days, of 60 s eleven.
Not here  How far the clock may be off (verify.py), the issuer's signature (keys.py).
Invariant climb(link_at(secret, k), k) = anchor for each k; nothing else of the device is ever sent.
Source    Lamport, Password Authentication with Insecure Communication, CACM 1981; reasons in
          docs/decisions (moving codes).
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

LINK_BYTES = 12
LINKS_MAX = 1 << 14
PERIOD_S_MAX = 60
DEFAULT_PERIOD_S = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class MovingCode:
    """What the device showed: `link` of the period `slot`, each `period_s` seconds long."""

    period_s: int
    slot: int
    link: bytes


def count_links(valid_from: datetime, valid_until: datetime, period_s: int) -> int:
    """How many periods a validity has; the last one may be cut short."""
    return -(-int((valid_until - valid_from).total_seconds()) // period_s)


def reach(period_s: int) -> timedelta:
    """The longest validity that one chain covers."""
    return timedelta(seconds=LINKS_MAX * period_s)


def slot_at(instant: datetime, *, valid_from: datetime, link_count: int, period_s: int) -> int:
    """The period that an instant falls in; before the first and after the last, that one."""
    slot = int((instant - valid_from).total_seconds() // period_s)
    return min(max(slot, 0), link_count - 1)


def link_at(secret: bytes, slot: int, *, link_count: int, ticket_ref: str) -> bytes:
    """What the device shows in a period. `secret` is 12 random bytes, drawn for this code alone."""
    assert len(secret) == LINK_BYTES, "a secret is as long as a link"
    assert 0 <= slot < link_count <= LINKS_MAX, "a period of the chain"
    return _hash_down(secret, link_count - 1 - slot, bytes.fromhex(ticket_ref))


def anchor_of(secret: bytes, *, link_count: int, ticket_ref: str) -> bytes:
    """What the issuer signs for the device: 12 bytes."""
    return climb(secret, link_count - 1, ticket_ref=ticket_ref)


def climb(link: bytes, slot: int, *, ticket_ref: str) -> bytes:
    """The anchor that a link of a period comes to."""
    return _hash_down(link, slot + 1, bytes.fromhex(ticket_ref))


def _hash_down(link: bytes, steps: int, salt: bytes) -> bytes:
    sha256 = hashlib.sha256
    for _ in range(steps):
        link = sha256(salt + link).digest()[:LINK_BYTES]
    return link
