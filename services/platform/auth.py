"""Who is asking, and how we know.

Problem   Every service must know the caller, in one process or many, without asking the gateway each time.
Idea      The gateway issues short-lived tokens (JWT, EdDSA). Anyone verifies them with the public keys that
          `IdentityPort` lists. Services among themselves present the house's secret instead.
Not here  Accounts, passwords and key rotation (services/gateway); who may do what (access.py).
Source    RFC 7519, RFC 7517, RFC 8037 (EdDSA).
"""

import asyncio
import base64
import hmac
import time
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from services.platform.away import is_away
from services.platform.clock import Clock
from services.platform.problem import Problem

ISSUER = "tsunagu"
ALGORITHM = "EdDSA"
_REFRESH_PAUSE_S = 0.2
_REFRESH_AFTER_S = 60.0  # a revoked key is refused everywhere within a minute


class Role(StrEnum):
    """What a caller is. Exactly one each."""

    TRAVELLER = "traveller"
    CLERK = "clerk"
    ANALYST = "analyst"
    VALIDATOR = "validator"
    ADMIN = "admin"
    SERVICE = "service"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """The caller. `operator_id` is set for clerks and validators: the operator they act for."""

    subject: str
    role: Role
    operator_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationKey:
    """A public key: its id and its 32 raw bytes as base64url without padding (JWK's `x`)."""

    kid: str
    x: str


class IdentityPort(Protocol):
    """What the gateway tells the other services."""

    async def list_verification_keys(self) -> list[VerificationKey]:
        """All public keys whose tokens may still be valid."""


class Authenticator:
    """Turns a bearer token into a Principal. Keys are cached; an unknown key id asks again, not too often."""

    def __init__(self, *, identity: "LazyIdentity", clock: Clock, service_secret: str) -> None:
        self._identity = identity
        self._clock = clock
        self._service_secret = service_secret
        self._keys: dict[str, Ed25519PublicKey] = {}
        self._refreshed_at = -_REFRESH_PAUSE_S
        self._turn = asyncio.Lock()

    async def authenticate(self, token: str) -> Principal:
        """The caller. Raises Problem token_invalid."""
        if self._service_secret and hmac.compare_digest(token.encode(), self._service_secret.encode()):
            return Principal(subject="service", role=Role.SERVICE)
        try:
            kid = str(jwt.get_unverified_header(token).get("kid"))
            key = await self._find_key(kid)
            if key is None:
                raise Problem(
                    "token_invalid", detail="The token's key is not ours, or is too old. Sign in again."
                )
            claims = self._verify(token, key)
            return Principal(
                subject=str(claims["sub"]),
                role=Role(claims["role"]),
                operator_id=claims.get("operator_id"),
            )
        except (jwt.InvalidTokenError, ValueError, KeyError) as error:
            raise Problem("token_invalid", detail="The token cannot be read. Sign in again.") from error

    def _verify(self, token: str, key: Ed25519PublicKey) -> dict[str, Any]:
        # PyJWT would compare with the machine's time; the city's clock decides here.
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            issuer=ISSUER,
            options={"verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_aud": False},
        )
        if float(claims["exp"]) <= self._clock.now().timestamp():
            raise Problem("token_invalid", detail="The token has expired. Sign in again.")
        return claims

    async def _find_key(self, kid: str) -> Ed25519PublicKey | None:
        if kid not in self._keys:
            await self._refresh_since(time.monotonic())
        elif time.monotonic() - self._refreshed_at >= _REFRESH_AFTER_S:
            # A known key goes on serving while the gateway is away.
            try:
                await self._refresh()
            except Exception as error:
                if not is_away(error):
                    raise
        return self._keys.get(kid)

    async def _refresh_since(self, asked_at: float) -> None:
        """Have keys that were read after `asked_at`: all who ask meanwhile share one reading."""
        async with self._turn:
            if self._refreshed_at < asked_at:
                await asyncio.sleep(max(0.0, self._refreshed_at + _REFRESH_PAUSE_S - time.monotonic()))
                await self._refresh()

    async def _refresh(self) -> None:
        self._refreshed_at = time.monotonic()
        keys = await self._identity().list_verification_keys()
        self._keys = {
            key.kid: Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(key.x + "=="))
            for key in keys
        }


class LazyIdentity(Protocol):
    """Finds the identity port when it is first needed, after all services are built."""

    def __call__(self) -> IdentityPort:
        """The port."""


def sign_token(
    *,
    private_key: Any,
    kid: str,
    principal: Principal,
    issued_at: datetime,
    expires_at: datetime,
    token_id: str,
) -> str:
    """A token for `principal`, signed by an Ed25519 private key."""
    claims = {
        "iss": ISSUER,
        "sub": principal.subject,
        "role": principal.role.value,
        "iat": int(issued_at.timestamp()),
        "exp": int(expires_at.timestamp()),
        "jti": token_id,
    }
    if principal.operator_id is not None:
        claims["operator_id"] = principal.operator_id
    return jwt.encode(claims, private_key, algorithm=ALGORITHM, headers={"kid": kid})
