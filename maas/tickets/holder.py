"""What the holder's device does: it has a key, draws secrets, proves itself, and shows a code that moves.

Problem   The issuer must bind a ticket to one device and no other, and be sure that the device asked for it;
          the device must show its ticket without a network for as long as the ticket counts.
Idea      The device's key (Ed25519, or the P-256 of a secure enclave) signs three kinds of statement to the
          issuer: I am this traveller's device; bind this ticket's next edition to me, under this anchor. Each
          names what it is for, so none can be used for another. The secrets behind the anchors never leave
          the device.
Not here  Where a telephone keeps its secrets (its keystore), and any network.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from maas.tickets.base45 import encode_base45
from maas.tickets.layout import SIGNATURE_BYTES, decode_device_body, encode_moment
from maas.tickets.moving_code import (
    LINK_BYTES,
    MovingCode,
    anchor_of,
    count_links,
    link_at,
    slot_at,
)

_ED25519_BYTES = 32


class DeviceKeyUnreadable(ValueError):
    """The device's public key is neither Ed25519 (32 bytes) nor P-256 (33 or 65 bytes, SEC 1)."""


class SigningDevice(Protocol):
    """A private key that can sign; Ed25519PrivateKey is one."""

    def sign(self, data: bytes, /) -> bytes:
        """The signature of `data`."""


def registration_statement(*, traveller_id: str, public_key: bytes) -> bytes:
    """What a device signs to become a traveller's."""
    return f"tsunagu/device/{traveller_id}/{public_key.hex()}".encode()


def binding_statement(
    *,
    ticket_id: UUID,
    edition: int,
    valid_from: datetime,
    valid_until: datetime,
    period_s: int,
    anchor: bytes,
) -> bytes:
    """What a device signs to have a ticket's edition bound to it. It names the edition: no repeat counts."""
    window = f"{int(valid_from.timestamp())}-{int(valid_until.timestamp())}/{period_s}"
    return f"tsunagu/binding/{ticket_id}/{edition}/{window}/{anchor.hex()}".encode()


def has_device_signed(public_key: bytes, signature: bytes, statement: bytes) -> bool:
    """Whether the device with this public key made the statement. Raises DeviceKeyUnreadable."""
    try:
        if len(public_key) == _ED25519_BYTES:
            Ed25519PublicKey.from_public_bytes(public_key).verify(signature, statement)
        else:
            key = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), public_key)
            key.verify(signature, statement, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    except ValueError as error:
        raise DeviceKeyUnreadable(f"{DeviceKeyUnreadable.__doc__} ({error})") from None
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeSecret:
    """The secret of one edition on a device, with what its chain depends on."""

    ticket_ref: str
    valid_from: datetime
    valid_until: datetime
    period_s: int
    secret: bytes

    @classmethod
    def draw(
        cls, *, ticket_ref: str, valid_from: datetime, valid_until: datetime, period_s: int
    ) -> "CodeSecret":
        """A fresh one; never used for two editions."""
        return cls(
            ticket_ref=ticket_ref,
            valid_from=valid_from,
            valid_until=valid_until,
            period_s=period_s,
            secret=secrets.token_bytes(LINK_BYTES),
        )

    @property
    def link_count(self) -> int:
        """How many periods its chain has."""
        return count_links(self.valid_from, self.valid_until, self.period_s)

    @property
    def anchor(self) -> bytes:
        """What the issuer is told."""
        return anchor_of(self.secret, link_count=self.link_count, ticket_ref=self.ticket_ref)

    def moment(self, now: datetime) -> MovingCode:
        """The code of the moment by the device's clock."""
        slot = slot_at(now, valid_from=self.valid_from, link_count=self.link_count, period_s=self.period_s)
        link = link_at(self.secret, slot, link_count=self.link_count, ticket_ref=self.ticket_ref)
        return MovingCode(period_s=self.period_s, slot=slot, link=link)


def show(device_part: bytes, secret: CodeSecret, now: datetime) -> str:
    """The payload that the device shows now."""
    ticket = decode_device_body(device_part[:-SIGNATURE_BYTES])
    assert ticket.ticket_ref == secret.ticket_ref, "each ticket has a secret of its own"
    return encode_base45(encode_moment(device_part, secret.moment(now)))
