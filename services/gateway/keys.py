"""Signing keys: one signs, the others still verify until their last token has expired.

Words     current: the one key without `retires_at`. retired: verifies no more. Rotation: a new current key.
Invariant every token that has not expired verifies, unless its key was revoked on purpose.
"""

import base64
import secrets
from dataclasses import dataclass
from datetime import timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.platform.auth import Role, VerificationKey

TOKEN_LIFE: dict[Role, timedelta] = {
    Role.TRAVELLER: timedelta(hours=1),
    Role.CLERK: timedelta(hours=1),
    Role.ANALYST: timedelta(hours=1),
    Role.ADMIN: timedelta(hours=1),
    # A gate works through a shift on an island whose line is down.
    Role.VALIDATOR: timedelta(hours=12),
}
TOKEN_LIFE_MAX = max(TOKEN_LIFE.values())
# The token beside the data folder: whoever can read it can read the database too. Written anew at each start
# and rotation, so it does not keep an old key alive.
ADMIN_TOKEN_LIFE = timedelta(days=400)


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A private key by its id."""

    kid: str
    private_key: bytes

    @property
    def signer(self) -> Ed25519PrivateKey:
        """The key that signs."""
        return Ed25519PrivateKey.from_private_bytes(self.private_key)

    @property
    def public(self) -> VerificationKey:
        """What the world may know."""
        raw = self.signer.public_key().public_bytes_raw()
        return VerificationKey(kid=self.kid, x=base64.urlsafe_b64encode(raw).rstrip(b"=").decode())


def generate_key() -> SigningKey:
    """A new key under a new id."""
    private_key = Ed25519PrivateKey.generate().private_bytes_raw()
    return SigningKey(kid=secrets.token_hex(8), private_key=private_key)
