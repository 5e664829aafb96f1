"""What comes in and goes out of the endpoints of account-based travel."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from maas.account_travel.endings import CorrectionKind
from maas.account_travel.media import MediumKind
from maas.account_travel.rides import RideState
from maas.prices import RiderCategory
from payments.money import Money
from services.ticketing.models import SEQUENCE_MAX, Identifier, Instant, Model

# Text without control characters: no database takes a NUL.
_PLAIN = r"^[^\x00-\x1f\x7f]+$"
Label = Annotated[str, StringConstraints(min_length=1, max_length=60, strip_whitespace=True, pattern=_PLAIN)]
Reason = Annotated[
    str, StringConstraints(min_length=3, max_length=500, strip_whitespace=True, pattern=_PLAIN)
]
Token = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_PLAIN)]
PlainId = Annotated[Identifier, StringConstraints(pattern=_PLAIN)]
Day = Annotated[date, Field(ge=date(2020, 1, 1), le=date(2200, 1, 1))]
# A device id and a tap's sequence.
RideId = Annotated[str, StringConstraints(pattern=r"^.{1,128}/[0-9]{1,18}$")]


class MediumEnrolment(Model):
    """`medium` is the token that devices see. `rider`: a child's card says so; the rest are claims."""

    medium: Token
    kind: MediumKind
    label: Label
    rider: Literal[RiderCategory.ADULT, RiderCategory.CHILD] = RiderCategory.ADULT


class MediumView(Model):
    """A card or phone of yours. `is_denied`: devices refuse it, because it is lost or a debt is open."""

    medium_id: UUID
    kind: MediumKind
    label: str
    rider: RiderCategory
    linked_at: datetime
    is_lost: bool
    is_denied: bool


class MediumList(Model):
    """Media, first linked first."""

    media: list[MediumView]


class MediumLoss(Model):
    """Lost, or found again."""

    is_lost: bool


class PartyRequest(Model):
    """Who rides on one medium, the holder among them; from now, or `since`, for at most 24 hours."""

    riders: Annotated[tuple[RiderCategory, ...], Field(min_length=1, max_length=100)]
    since: Instant | None = None
    until: Instant | None = None


class MediumPairing(Model):
    """A disabled rider's medium and a helper's: half fares when both are tapped together."""

    medium_id: UUID
    helper_medium_id: UUID
    until: Instant | None = None


class DenialQuery(Model):
    """Changes after `since`, the `latest` of the answer before."""

    since: int = Field(default=0, ge=0, le=SEQUENCE_MAX)
    limit: int = Field(default=1000, ge=1, le=10_000)


class DeniedMediumView(Model):
    """A medium to refuse, or (`is_denied` false) not to refuse any more. `reason`: lost or debt."""

    sequence: int
    medium_ref: str
    is_denied: bool
    reason: Literal["lost", "debt"] | None
    since: datetime


class DeniedMediumList(Model):
    """Changes in order. Ask again with `since=latest` until none comes."""

    media: list[DeniedMediumView]
    latest: int


class StopView(Model):
    """Where a ride begins or ends."""

    operator_id: str
    stop_id: str
    name: str


class RideView(Model):
    """A ride. `alighting` is inferred from where the traveller boarded next; no fare depends on it."""

    ride_id: str
    state: RideState
    origin: StopView | None
    destination: StopView | None
    began_at: datetime | None
    ended_at: datetime | None
    is_boarding_only: bool
    is_waived: bool
    alighting: StopView | None
    is_priced: bool


class FareView(Model):
    """What one rider is charged for some rides, line by line. `cap` is the one that applied."""

    fare_id: str
    ride_ids: list[str]
    rider: RiderCategory
    rider_index: int
    nominal: Money
    charge: Money
    is_maximum: bool
    cap: str | None
    caps_recorded: list[str]
    lines: list[str]
    lines_en: list[str]


class PromiseRefundView(Model):
    """What the best-fare promise gives back after a day or a week, and why."""

    period: Literal["day", "week"]
    rider: RiderCategory
    amount: Money
    lines: list[str]
    lines_en: list[str]


class TravelDayView(Model):
    """A medium's service day. `owed` is charges less refunds, so far."""

    medium_id: UUID
    service_date: date
    rides: list[RideView]
    fares: list[FareView]
    refunds: list[PromiseRefundView]
    owed: Money


class TravelDayList(Model):
    """Days, latest first."""

    days: list[TravelDayView]


class TravelQuery(Model):
    """Which days: of one medium or all of yours, both dates inclusive, by default the last 28."""

    medium_id: UUID | None = None
    since: Day | None = None
    until: Day | None = None
    limit: int = Field(default=100, ge=1, le=500)


class SelfCorrection(Model):
    """Where an unfinished ride of yours really began or ended."""

    medium_id: UUID
    service_date: Day
    ride_id: RideId
    operator_id: PlainId
    stop_id: PlainId
    reason: Reason = "forgot to tap"


class ClerkCorrection(Model):
    """What a clerk found: the missing end, another exit, or that nothing is to be charged (no stop then)."""

    medium_id: UUID
    service_date: Day
    ride_id: RideId
    kind: CorrectionKind
    operator_id: PlainId | None = None
    stop_id: PlainId | None = None
    reason: Reason


class CorrectionView(Model):
    """A correction that was recorded; the fare follows within seconds."""

    correction_id: UUID
    ride_id: str
    kind: CorrectionKind
    said_as: Literal["traveller", "clerk", "admin"]
    stop: StopView | None
    reason: str
    recorded_at: datetime


class ClerkDayQuery(Model):
    """A medium's day, by its id or by the token that a device reads."""

    service_date: Day
    medium_id: UUID | None = None
    medium: Token | None = None


class TapSeenView(Model):
    """A tap as it was stored."""

    ride_id: str
    kind: str
    stop: StopView
    tapped_at: datetime
    received_at: datetime
    accepted_offline: bool


class ChargeView(Model):
    """What was charged or given back, and when."""

    customer_id: str
    amount: Money
    recorded_at: datetime
    status: Literal["decided", "posted", "refused"]


class ClerkDayView(Model):
    """All that is known of a medium's day."""

    day: TravelDayView
    taps: list[TapSeenView]
    corrections: list[CorrectionView]
    charges: list[ChargeView]
