"""What comes in and goes out of ticketing's endpoints."""

from datetime import UTC, datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from maas.prices import RiderCategory
from maas.tap_signatures import DEVICE_ID_PATTERN
from maas.taps import TapKind
from maas.tickets.ticket import TicketForm
from maas.tickets.verify import VerdictStatus
from payments.money import Money

SEQUENCE_MAX = 2**63 - 1
TAPS_MAX = 100
_EARLIEST, _LATEST = datetime(2020, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


class Model(BaseModel):
    """A document of this service: unknown fields are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Identifier = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Instant = Annotated[AwareDatetime, Field(ge=_EARLIEST, le=_LATEST)]


# Not all digits unless longer than any card number: a card's own number is never sent.
Medium = Annotated[
    str,
    StringConstraints(
        min_length=8, max_length=128, pattern=r"^([0-9]*[A-Za-z_.:-][0-9A-Za-z_.:-]*|[0-9]{20,})$"
    ),
]
TapStatus = VerdictStatus | Literal["recorded"]
"""The verdict on a ticket's code; `recorded` for a medium, which is priced after the ride."""


class TapIn(Model):
    """One tap as the device saw it: of a ticket's code (`payload`) or of a medium, exactly one.

    `medium` is the opaque token of a card or phone, never its number. `accepted_offline`: the device has let
    the rider through already.
    """

    sequence: int = Field(ge=0, le=SEQUENCE_MAX)
    tapped_at: Instant
    kind: TapKind
    operator_id: Identifier
    stop_id: Identifier
    payload: Annotated[str, StringConstraints(min_length=1, max_length=512)] | None = None
    medium: Medium | None = None
    accepted_offline: bool = False

    @model_validator(mode="after")
    def _check_shown(self) -> Self:
        if (self.payload is None) == (self.medium is None):
            raise ValueError("send either payload (a ticket's code) or medium (a card's or phone's token)")
        return self


DeviceId = Annotated[str, StringConstraints(pattern=DEVICE_ID_PATTERN)]


class TapBatch(Model):
    """Taps of one device, oldest first; signed by it (see maas/tap_signatures.py)."""

    device_id: DeviceId
    taps: list[TapIn] = Field(min_length=1, max_length=TAPS_MAX)


class TapAnswer(Model):
    """The verdict on a tap. `repeated`: it was stored before; `conflicting`: before with other content.

    `component_index` names the fare that lets the rider through. `messages`, by language, say why not.
    """

    sequence: int
    status: TapStatus
    storage: Literal["new", "repeated", "conflicting"]
    fare_index: int | None = None
    messages: dict[str, str] = Field(default_factory=dict)


class TapAnswers(Model):
    """One answer a tap, in the order sent."""

    answers: list[TapAnswer]


class FareView(Model):
    """A rider's fare on a ticket. `state`: unused, begun, used or revoked."""

    fare_index: int
    component_index: int
    rider: RiderCategory
    operator_ids: list[str]
    origin: str
    destination: str
    fare_class: str | None
    amount: Money
    state: Literal["unused", "begun", "used", "revoked"]


class CodeView(Model):
    """The code of a ticket that counts. `edition`: how many there were before it.

    `payload` of a static one is what its QR code holds. Of one on a device it is what the device completes:
    base45 of body and signature, into which, before the last 64 bytes, go the number of the period (2 bytes)
    and its link (12 bytes).
    """

    edition: int
    form: TicketForm
    payload: str
    device_id: UUID | None
    period_s: int | None
    valid_from: datetime
    valid_until: datetime
    issued_at: datetime
    reason: str


class TicketView(Model):
    """A ticket of yours. `phone_code` names it by voice: whoever knows it can use the ticket.

    `payload` is what the QR code holds; None while the ticket is on a device, which alone can show it.
    """

    ticket_id: UUID
    ticket_ref: str
    order_id: UUID
    rider: RiderCategory
    rider_index: int
    riders: dict[RiderCategory, int]
    part: int
    valid_from: datetime
    valid_until: datetime
    issued_at: datetime
    payload: str | None
    phone_code: str | None
    code: CodeView
    fares: list[FareView]


class TicketList(Model):
    """Tickets, newest order first."""

    tickets: list[TicketView]


class TicketQuery(Model):
    """Which tickets: of one order, or all."""

    order_id: UUID | None = None
    limit: int = Field(default=50, ge=1, le=200)


class KeyView(Model):
    """A public key: 32 bytes as unpadded base64url, and for which beginnings of validity it counts.

    `revoked_at`: since when nothing that it signed counts, None while it is trusted.
    """

    key_id: int
    public_key: str
    valid_from: datetime
    valid_until: datetime
    revoked_at: datetime | None


class KeyListView(Model):
    """All keys whose tickets may be shown."""

    keys: list[KeyView]


class RevocationQuery(Model):
    """Revocations after `since`, the `latest` of the answer before."""

    since: int = Field(default=0, ge=0, le=SEQUENCE_MAX)
    limit: int = Field(default=1000, ge=1, le=10_000)


class RevocationView(Model):
    """What counts no more.

    fare    `fare_index` of the ticket, on whichever code
    codes   codes of the ticket with an edition below `first_edition`
    key     whatever the key `key_id` signed
    """

    kind: Literal["fare", "codes", "key"]
    sequence: int
    ticket_ref: str | None = None
    fare_index: int | None = None
    first_edition: int | None = None
    key_id: int | None = None
    revoked_at: datetime
    reason: str


class RevocationList(Model):
    """Revocations in order. Ask again with `since=latest` until none comes."""

    revocations: list[RevocationView]
    latest: int


class RideView(Model):
    """A ride of yours. `rated_at` is None until its fare is earned."""

    ride_id: UUID
    ticket_id: UUID
    order_id: UUID
    component_index: int
    rider: RiderCategory
    operator_id: str
    state: Literal["begun", "ended", "complete"]
    origin: str
    destination: str
    began_at: datetime | None
    ended_at: datetime | None
    fare_class: str | None
    amount: Money
    rated_at: datetime | None


class RideList(Model):
    """Rides, latest first."""

    rides: list[RideView]


class RideQuery(Model):
    """How many rides."""

    limit: int = Field(default=50, ge=1, le=200)
