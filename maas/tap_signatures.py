"""A batch of taps is signed by the device that saw them.

Problem   Taps earn money. Whoever holds an operator's token, a relay in a depot or a copied account, must not
          be able to add, change or move taps of a device.
Idea      One signature a batch, made with the device's Ed25519 key over its id and the exact bytes of the
          body, which hold the device, the sequences and all else. It travels as HTTP Message Signature in its
          simplest profile: the digest of the body is the only component, the key id is the device's id.

            Content-Digest: sha-256=:<base64 of the SHA-256 of the body>:
            Signature-Input: tap=("content-digest");keyid="<device id>";alg="ed25519"
            Signature: tap=:<base64 of 64 bytes>:

          No time and no nonce are signed: a repeated batch changes nothing, and a batch may be 72 hours old.
Not here  Which key a device has, and whether it may tap (services/ticketing/devices.py).
Source    RFC 9421 (signature base 2.5, Ed25519 3.3.6), RFC 9530 (Content-Digest).
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

DEVICE_ID_PATTERN = r"^[A-Za-z0-9_.:@/-]{1,128}$"
DIGEST, INPUT, SIGNATURE = "Content-Digest", "Signature-Input", "Signature"
_DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/]{43}=):")
_INPUT = re.compile(
    r'([a-z][a-z0-9_-]*)=(\("content-digest"\);keyid="([A-Za-z0-9_.:@/-]{1,128})";alg="ed25519")'
)
_SIGNATURE = re.compile(r"([a-z][a-z0-9_-]*)=:([A-Za-z0-9+/]{86}==):")


class SignatureUnreadable(ValueError):
    """The headers are no signature of this profile. The message says which, and what it should be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSignature:
    """What the headers say. Nothing of it is believed before `is_of`."""

    device_id: str
    digest: bytes
    parameters: str
    signature: bytes

    def is_of(self, body: bytes, public_key: bytes) -> bool:
        """Whether the owner of this key (32 bytes) signed this body."""
        if hashlib.sha256(body).digest() != self.digest:
            return False
        base = build_signature_base([("content-digest", _digest_field(self.digest))], self.parameters)
        try:
            Ed25519PublicKey.from_public_bytes(public_key).verify(self.signature, base)
        except InvalidSignature:
            return False
        return True


def sign_batch(body: bytes, *, device_id: str, private_key: Ed25519PrivateKey) -> dict[str, str]:
    """The three headers that go with a body."""
    assert re.match(DEVICE_ID_PATTERN, device_id), "a device id stands in a header as it is"
    digest = _digest_field(hashlib.sha256(body).digest())
    parameters = f'("content-digest");keyid="{device_id}";alg="ed25519"'
    signature = private_key.sign(build_signature_base([("content-digest", digest)], parameters))
    return {
        DIGEST: digest,
        INPUT: f"tap={parameters}",
        SIGNATURE: f"tap=:{base64.b64encode(signature).decode()}:",
    }


def read_signature(headers: Mapping[str, str]) -> BatchSignature | None:
    """The signature of a request, None where there is none. Raises SignatureUnreadable."""
    if SIGNATURE not in headers and INPUT not in headers:
        return None
    digest = _match(_DIGEST, headers, DIGEST, "sha-256=:<base64>:")
    given = _match(_INPUT, headers, INPUT, 'tap=("content-digest");keyid="<device id>";alg="ed25519"')
    signature = _match(_SIGNATURE, headers, SIGNATURE, "tap=:<base64 of 64 bytes>:")
    if given[1] != signature[1]:
        raise SignatureUnreadable(f"{INPUT} is labelled {given[1]}, {SIGNATURE} is labelled {signature[1]}.")
    try:
        return BatchSignature(
            device_id=given[3],
            digest=base64.b64decode(digest[1], validate=True),
            parameters=given[2],
            signature=base64.b64decode(signature[2], validate=True),
        )
    except binascii.Error as error:
        raise SignatureUnreadable(f"{DIGEST} or {SIGNATURE} is not base64: {error}.") from None


def build_signature_base(components: Iterable[tuple[str, str]], parameters: str) -> bytes:
    """The bytes that are signed: each component with its value, then the parameters (RFC 9421, 2.5)."""
    lines = [f'"{name}": {value}' for name, value in components]
    return "\n".join([*lines, f'"@signature-params": {parameters}']).encode()


def _digest_field(digest: bytes) -> str:
    return f"sha-256=:{base64.b64encode(digest).decode()}:"


def _match(pattern: re.Pattern[str], headers: Mapping[str, str], name: str, wanted: str) -> re.Match[str]:
    found = pattern.fullmatch(headers.get(name, "").strip())
    if found is None:
        raise SignatureUnreadable(f"{name} must be {wanted}")
    return found
