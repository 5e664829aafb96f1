"""What identity's endpoints read and write."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from services.platform.auth import Role

# One pattern decides, in the document and in the code alike; whether post arrives there is not asked.
Email = Annotated[str, StringConstraints(max_length=254, pattern=r"^[!-?A-~]{1,64}@[0-9A-Za-z.-]{1,189}$")]
Password = Annotated[str, StringConstraints(min_length=10, max_length=200)]
DisplayName = Annotated[str, StringConstraints(min_length=1, max_length=100)]
OperatorId = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z._-]{1,64}$")]
Locale = Literal["ja", "ja-easy", "en", "zh-Hans", "ko"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TravellerRegistration(_Model):
    """A person who wants to travel."""

    email: Email
    password: Password
    name: DisplayName
    locale: Locale = "ja"


class PasswordCredentials(_Model):
    """How a person signs in."""

    email: Email
    password: Annotated[str, StringConstraints(min_length=1, max_length=200)]


class ClientCredentials(_Model):
    """How a device signs in."""

    client_id: UUID
    client_secret: Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Token(_Model):
    """A bearer token: send it as `Authorization: Bearer <access_token>`."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - RFC 6750's word, no secret
    expires_at: datetime
    role: Role
    account_id: UUID


class Account(_Model):
    """An account as its owner, or an administrator, sees it. Devices have no e-mail address."""

    account_id: UUID
    role: Role
    operator_id: str | None
    email: str | None
    name: str
    locale: str | None
    created_at: datetime


class StaffPerson(_Model):
    """A person who works for an operator (clerk) or for the city (analyst, admin)."""

    role: Literal["clerk", "analyst", "admin"]
    email: Email
    password: Password
    name: DisplayName
    operator_id: OperatorId | None = Field(default=None, description="Of a clerk, and only of a clerk.")
    locale: Locale = "ja"

    @model_validator(mode="after")
    def _operator_of_clerks_only(self) -> Self:
        if (self.operator_id is not None) != (self.role == "clerk"):
            raise ValueError("a clerk has an operator_id; an analyst or admin has none")
        return self


class Device(_Model):
    """A gate, pier scanner or bus validator of an operator."""

    role: Literal["validator"]
    name: DisplayName
    operator_id: OperatorId


class StaffCreated(_Model):
    """The new account. `client_secret` is shown this once, for devices only."""

    account: Account
    client_id: UUID | None = None
    client_secret: str | None = None


class StaffList(_Model):
    """All staff and devices."""

    accounts: list[Account]


class JsonWebKey(_Model):
    """A public Ed25519 key (RFC 8037)."""

    kty: Literal["OKP"] = "OKP"
    crv: Literal["Ed25519"] = "Ed25519"
    use: Literal["sig"] = "sig"
    alg: Literal["EdDSA"] = "EdDSA"
    kid: str
    x: str


class JsonWebKeySet(_Model):
    """RFC 7517: the keys that verify our tokens."""

    keys: list[JsonWebKey]


class KeyRotation(_Model):
    """Start signing with a new key."""

    revoke_old: bool = Field(
        default=False, description="Refuse tokens of the old keys at once: everybody signs in again."
    )


class KeyRotated(_Model):
    """The key that signs from now on."""

    kid: str
