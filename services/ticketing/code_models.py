"""What comes in and goes out about codes, devices, and what counts no more."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from maas.prices import RiderCategory
from maas.tickets.keys import decode_key
from maas.tickets.moving_code import DEFAULT_PERIOD_S, LINK_BYTES, PERIOD_S_MAX
from maas.tickets.printed import Language
from maas.tickets.ticket import TicketForm
from services.ticketing.code_store import Binding
from services.ticketing.models import SEQUENCE_MAX, FareView, Identifier, Instant, Model

_SIGNATURE_BYTES_MAX = 80


def _check_base64(text: str) -> str:
    try:
        raw = decode_key(text)
    except ValueError:
        raise ValueError("must be base64url without padding") from None
    if not 0 < len(raw) <= _SIGNATURE_BYTES_MAX:
        raise ValueError("has a length that no key, signature or anchor has")
    return text


def _check_anchor(text: str) -> str:
    if len(decode_key(text)) != LINK_BYTES:
        raise ValueError(f"must be {LINK_BYTES} bytes")
    return text


Base64 = Annotated[
    str, StringConstraints(pattern=r"^[0-9A-Za-z_-]+$", max_length=120), AfterValidator(_check_base64)
]


class HolderDeviceIn(Model):
    """A device's public key: Ed25519 (32 bytes), or P-256 as a SEC 1 point (33 or 65), in base64url.

    `signature` is the device's over `tsunagu/device/{your traveller id}/{public key in hex}`.
    """

    public_key: Base64
    name: Annotated[str, StringConstraints(min_length=1, max_length=60, pattern=r"^[^\x00]*$")]
    signature: Base64

    @property
    def public_key_bytes(self) -> bytes:
        """The key itself."""
        return decode_key(self.public_key)

    @property
    def signature_bytes(self) -> bytes:
        """The signature itself."""
        return decode_key(self.signature)


class HolderDeviceView(Model):
    """A device of yours; `closed_at` is when it was reported lost, None while it counts."""

    device_id: UUID
    public_key: str
    name: str
    registered_at: datetime
    closed_at: datetime | None


class HolderDeviceList(Model):
    """Your devices, oldest first."""

    devices: list[HolderDeviceView]


class BindingIn(Model):
    """Bind a ticket to a device: the end of a chain of codes, one for each period of the validity.

    `edition` is one more than the ticket's. `anchor` are 12 bytes in base64url. `signature` is the device's
    over `tsunagu/binding/{ticket id}/{edition}/{from}-{until}/{period_s}/{anchor in hex}`, with the validity
    in whole seconds since 1970.
    """

    device_id: UUID
    edition: int = Field(ge=1, le=255)
    valid_from: Instant
    valid_until: Instant
    period_s: int = Field(default=DEFAULT_PERIOD_S, ge=1, le=PERIOD_S_MAX)
    anchor: Annotated[Base64, AfterValidator(_check_anchor)]
    signature: Base64

    @property
    def anchor_bytes(self) -> bytes:
        """The anchor itself."""
        return decode_key(self.anchor)

    @property
    def signature_bytes(self) -> bytes:
        """The signature itself."""
        return decode_key(self.signature)

    @property
    def binding(self) -> Binding:
        """As it is kept."""
        return Binding(
            device_id=self.device_id,
            anchor=self.anchor_bytes,
            period_s=self.period_s,
            valid_from=self.valid_from,
            valid_until=self.valid_until,
        )


class KeyRevocationIn(Model):
    """Why a key counts no more."""

    reason: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]


class UseQuery(Model):
    """Uses after `since`, the `latest` of the answer before."""

    since: int = Field(default=0, ge=0, le=SEQUENCE_MAX)
    limit: int = Field(default=1000, ge=1, le=10_000)


class UseView(Model):
    """A fare of a static ticket was used, or a pass began."""

    ticket_ref: str
    fare_index: int
    first_used_at: datetime


class UseList(Model):
    """Uses, in the order they became known. Ask again with `since=latest` until none comes."""

    uses: list[UseView]
    latest: int


class PhoneCodeIn(Model):
    """A code as it was heard: any case, with or without the dash."""

    code: Annotated[str, StringConstraints(min_length=1, max_length=20)]


class PhoneUseIn(PhoneCodeIn):
    """Let the riders of a code pass: where, and entering, leaving or boarding."""

    stop_id: Identifier
    kind: Literal["enter", "exit", "scan"]


class PhoneCodeView(Model):
    """The ticket that a code names: whom it lets pass, when, and its fares at your operator."""

    ticket_ref: str
    riders: dict[RiderCategory, int]
    form: TicketForm
    edition: int
    valid_from: datetime
    valid_until: datetime
    fares: list[FareView]


class PrintQuery(Model):
    """In which language a ticket is written."""

    language: Language = "ja"


class ApplePassView(Model):
    """Apple's pass. `package` is a .pkpass in base64, None where it is not signed; `note` says why not."""

    is_signed: bool
    note: str
    document: dict[str, Any]
    package: str | None


class GooglePassView(Model):
    """Google's pass. `save_url` holds the signed claims, None where they are not; `note` says why not."""

    is_signed: bool
    note: str
    claims: dict[str, Any]
    save_url: str | None


class WalletView(Model):
    """A static ticket for the wallets of telephones."""

    apple: ApplePassView
    google: GooglePassView
