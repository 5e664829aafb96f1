"""What comes in and goes out of the claims' endpoints."""

import base64
import binascii
from datetime import date, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from maas.prices import RiderCategory


class Model(BaseModel):
    """A document of this service: unknown fields are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _check_key(text: str) -> str:
    try:
        key = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError) as error:
        raise ValueError("is no base64url; give the key's 32 bytes as JWK's `x`") from error
    if len(key) != 32:  # noqa: PLR2004 - an Ed25519 public key
        raise ValueError(f"has {len(key)} bytes; an Ed25519 public key has 32")
    return text


Text = Annotated[str, StringConstraints(min_length=1, max_length=80, strip_whitespace=True)]
PublicKey = Annotated[str, StringConstraints(max_length=60), AfterValidator(_check_key)]


class ClaimRequest(Model):
    """What a clerk has seen proven. The proof's number or picture is not asked for and not kept.

    `valid_from` is today when it is not given; `place` is an islander's island, as the tariff names it.
    """

    traveller_id: Text
    rider: RiderCategory
    valid_from: date | None = None
    valid_to: date
    place: Text | None = None


class CredentialRequest(Model):
    """A JWT signed by a registered authority (EdDSA): iss, jti, exp, `rider`; sub and `place` where due."""

    credential: Annotated[str, StringConstraints(min_length=20, max_length=4_000)]


class ClaimView(Model):
    """A claim as its traveller sees it. `proven_by` names the authority, or says `clerk`."""

    claim_id: str
    rider: RiderCategory
    valid_from: date
    valid_to: date
    place: str | None
    proven_by: str
    recorded_at: datetime


class ClaimList(Model):
    """Claims, the one that ends last first."""

    claims: list[ClaimView]


class IssuerSettings(Model):
    """An authority whose credentials count for these categories. `public_key` is JWK's `x` (Ed25519)."""

    name: Text
    public_key: PublicKey
    riders: list[RiderCategory] = Field(min_length=1, max_length=9)


class IssuerView(IssuerSettings):
    """An authority with its id, the `iss` of its credentials."""

    issuer_id: str


class IssuerList(Model):
    """All registered authorities."""

    issuers: list[IssuerView]
