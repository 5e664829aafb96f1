"""Read an authority's signed credential: who says what about whom until when.

Idea      A JWT signed with EdDSA by a registered authority. Its id makes it usable by one account only;
          `sub`, where the authority knows it, binds it to one from the start.
Not here  What is kept of it (claims/handlers.py): category, dates, island, and a hash of issuer and id.
Source    RFC 7519 (JWT), RFC 8037 (EdDSA).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from maas.prices import RiderCategory
from services.platform.problem import Problem

_DAY_LAST = datetime(9999, 1, 1, tzinfo=UTC).timestamp()


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """A registered authority. `public_key` is 32 bytes; `riders` are the categories it may speak of."""

    issuer_id: str
    name: str
    public_key: bytes
    riders: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """What a verified credential says. `holder` is the traveller id it is bound to, if it is to one."""

    rider: RiderCategory
    valid_from: date
    valid_to: date
    place: str | None
    holder: str | None
    digest: bytes


def find_issuer_id(token: str) -> str:
    """The authority that a credential names, before anything of it is believed. Raises Problem."""
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError as error:
        raise _invalid("It is no JWT. Send the credential exactly as the authority gave it.") from error
    return str(claims.get("iss", ""))


def read_credential(token: str, issuer: Issuer, *, now: datetime, zone: ZoneInfo) -> Credential:
    """What the credential says, verified. Raises Problem credential_invalid with the reason."""
    claims = _verify(token, issuer)
    if now.timestamp() >= claims["exp"]:
        raise _invalid("It has expired. Ask the authority for a new one.")
    rider = str(claims["rider"])
    if rider not in issuer.riders:
        raise _invalid(f"{issuer.name} does not speak for the category {rider!r}.")
    place, holder = claims.get("place"), claims.get("sub")
    return Credential(
        rider=RiderCategory(rider),
        valid_from=_day(claims.get("nbf", now.timestamp()), zone),
        valid_to=_day(claims["exp"] - 1, zone),
        place=None if place is None else str(place),
        holder=None if holder is None else str(holder),
        digest=hashlib.sha256(f"{issuer.issuer_id}\0{claims['jti']}".encode()).digest(),
    )


def _verify(token: str, issuer: Issuer) -> Mapping[str, Any]:
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            Ed25519PublicKey.from_public_bytes(issuer.public_key),
            algorithms=["EdDSA"],
            issuer=issuer.issuer_id,
            # PyJWT would compare with the machine's time; the city's clock decides in read_credential.
            options={
                "require": ["iss", "jti", "exp", "rider"],
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
                "verify_aud": False,
            },
        )
    except jwt.MissingRequiredClaimError as error:
        raise _invalid(f"It lacks {error.claim!r}. Ask the authority for a new one.") from error
    except jwt.InvalidTokenError as error:
        raise _invalid("Its signature is not the authority's, or it was changed.") from error
    for name in ("exp", "nbf"):
        instant = claims.get(name, 0)
        is_number = isinstance(instant, int | float) and not isinstance(instant, bool)
        if not is_number or not 0 <= instant <= _DAY_LAST:
            raise _invalid(f"Its {name!r} is no date. Ask the authority for a new one.")
    return claims


def _day(timestamp: float, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(timestamp, tz=zone).date()


def _invalid(detail: str) -> Problem:
    return Problem("credential_invalid", detail=detail)
