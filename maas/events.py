"""What has happened, told to whoever needs to know. Past tense; never a command.

The domain returns events and never publishes them: a handler puts them in the outbox of its own transaction.
Every event is a frozen dataclass of plain values, so that it survives JSON. `EVENT_TYPES` finds one by name.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from maas.journeys import Journey
from maas.prices import JourneyPrice, RiderCategory
from maas.tickets.ticket import PassArea


@dataclass(frozen=True, slots=True, kw_only=True)
class JourneysPlanned:
    """A search was answered. Coordinates are those asked for; no traveller is named."""

    origin_lat: float
    origin_lon: float
    destination_lat: float
    destination_lon: float
    asked_for: datetime
    journey_count: int
    modes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NothingFound:
    """A search had no answer: unmet demand. Coordinates are None where the place itself was unknown."""

    origin_lat: float | None
    origin_lon: float | None
    destination_lat: float | None
    destination_lon: float | None
    asked_for: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferQuoted:
    """A price was promised until it expires."""

    offer_id: UUID
    total_minor: int
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPlaced:
    """A traveller took an offer."""

    order_id: UUID
    offer_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderConfirmed:
    """Everything is booked and paid. Ticketing issues the ticket from this alone.

    `on_one_code`: the riders wish to share a ticket, as far as one code can carry them.
    """

    order_id: UUID
    traveller_id: str
    journey: Journey
    prices: tuple[JourneyPrice, ...]
    passengers: tuple[str, ...]
    on_one_code: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRolledBack:
    """The booking failed as a whole; nothing is held and nothing is owed."""

    order_id: UUID
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentCaptured:
    """Money was taken. `order_id` is an order's, or by `purpose` that of a top-up or a bill of travel."""

    payment_id: UUID
    order_id: UUID
    amount_minor: int
    purpose: str = "order"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentDisputed:
    """A card's owner took an order's money back through the bank; until it is decided nothing is refunded."""

    payment_id: UUID
    order_id: UUID
    dispute_id: str
    amount_minor: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentDisputeDecided:
    """The bank decided: won, the money is back; lost, it is the platform's loss."""

    payment_id: UUID
    order_id: UUID
    dispute_id: str
    amount_minor: int
    is_won: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingChanged:
    """A customer in debt is refused at gates from now on, or was recovered and is let in again.

    `listing` is the number of the change on the deny list; `owed_minor` what was owed when it was made.
    """

    customer_id: str
    is_denied: bool
    owed_minor: int
    listing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FaresChargedBack:
    """Fares of a lost dispute that nobody rode were revoked: that part of the loss is not owed to operators.

    At most what the bank took; it comes once for a dispute.
    """

    dispute_id: str
    order_id: UUID
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketIssued:
    """A ticket is ready to be shown."""

    ticket_id: UUID
    order_id: UUID
    traveller_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RideBegun:
    """A fare component is being ridden, and not earned yet: its traveller can no longer give it back.

    It may come more than once for the same component, and after its RideRated.
    """

    order_id: UUID
    component_index: int
    begun_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RideRated:
    """A fare component was ridden and its price is now earned.

    `component_index` counts over the order's prices and their components in order, so it names the fare
    once for ever. `shares` are the operators' parts in minor units and sum to `amount_minor`.

    `turn` is 0 the first time. A late tap or a corrected place may show that the fare was not ridden after
    all (RideUnrated, 1), and another that it was (2): even turns earn, odd ones take back, each comes once,
    the highest holds, and they may be told in any order.
    """

    ride_id: UUID
    order_id: UUID
    component_index: int
    leg_indices: tuple[int, ...]
    shares: dict[str, int]
    amount_minor: int
    mode: str
    operator_id: str
    origin_lat: float
    origin_lon: float
    destination_lat: float
    destination_lon: float
    ridden_at: datetime
    turn: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RideUnrated:
    """A fare that RideRated told of was not ridden after all; what it earned goes back. `turn` is odd.

    All else is as RideRated told it last, so that whoever counted it can take it off again.
    """

    ride_id: UUID
    order_id: UUID
    component_index: int
    amount_minor: int
    mode: str
    origin_lat: float
    origin_lon: float
    destination_lat: float
    destination_lon: float
    ridden_at: datetime
    turn: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PassSold:
    """A pass was paid. `product_id` is its name in the tariff.

    It is good from `valid_from` until `valid_until`, exclusive; one with `hours` begins with its first entry
    in that time, and lasts that long.
    """

    pass_id: UUID
    traveller_id: str
    product_id: str
    amount_minor: int
    rider: RiderCategory
    name: str
    areas: tuple[PassArea, ...]
    hours: int | None
    valid_from: datetime
    valid_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PassBegun:
    """A ticket of a pass of hours was let through for the first time; an earlier time may still be told."""

    pass_id: UUID
    began: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PassGivenBack:
    """A pass was given back before it began. Its tickets are void; the money follows."""

    pass_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class PassEarned:
    """A pass is over and its price is earned: once for ever, as if it were component 0 of order `pass_id`.

    `shares` are the operators' parts in minor units and sum to `amount_minor`.
    """

    pass_id: UUID
    amount_minor: int
    shares: dict[str, int]
    earned_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TravelEarned:
    """Fares of account-based travel of one service day were charged, or corrected: what operators earn of it.

    Sums over many rides, in minor units, all above zero: `earned` is new, `taken_back` was earned before and
    is not any more (a late tap, a correction, the best-fare promise). `ridden_at` is the beginning of the
    service day. Each (earning_id) comes once for ever.
    """

    earning_id: UUID
    service_date: date
    ridden_at: datetime
    earned_at: datetime
    earned: dict[str, int]
    taken_back: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class SailingCancelled:
    """An operator cancelled a sailing (a trip on a service date)."""

    trip_id: str
    service_date: date
    operator_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SailingStatusChanged:
    """An operator said that a sailing may not land (条件付), or is as planned again. Not: cancelled."""

    trip_id: str
    service_date: date
    operator_id: str
    status: Literal["scheduled", "conditional"]
    reason: str
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LegCancelled:
    """A leg of a confirmed order will not run. Tickets covering `component_indices` are void."""

    order_id: UUID
    case_id: UUID
    component_indices: tuple[int, ...]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundPaid:
    """Money went back to a traveller.

    `refund_id` is that of the first try, also when a later one succeeded after it had failed or come back.
    """

    refund_id: UUID
    order_id: UUID
    amount_minor: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundReturned:
    """A refund that was paid has come back from the traveller's bank. `refund_id` as RefundPaid."""

    refund_id: UUID
    order_id: UUID
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FareRefunded:
    """A fare component was given back to the traveller, in whole or in part, once for ever.

    `shares` are the operators' parts of what was given back and sum to `amount_minor`. `was_earned` says that
    the ride had been rated before: then the operators give their parts back; else they never had them, and
    earn `fee_shares`, what their rules keep of the price.
    """

    refund_id: UUID
    order_id: UUID
    component_index: int
    amount_minor: int
    shares: dict[str, int]
    was_earned: bool
    reason: str
    fee_shares: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPublished:
    """A new network is in force; planners open it."""

    version: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementBatchClosed:
    """A settlement batch was locked and netted."""

    batch_id: UUID
    cut_off: datetime
    total_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountClosed:
    """A person asked to be forgotten, or left. Who keeps names under this id may remove them now."""

    account_id: UUID


Event = (
    JourneysPlanned
    | NothingFound
    | OfferQuoted
    | OrderPlaced
    | OrderConfirmed
    | OrderRolledBack
    | PaymentCaptured
    | PaymentDisputed
    | PaymentDisputeDecided
    | StandingChanged
    | FaresChargedBack
    | TicketIssued
    | RideBegun
    | RideRated
    | RideUnrated
    | PassSold
    | PassBegun
    | PassGivenBack
    | PassEarned
    | TravelEarned
    | SailingCancelled
    | SailingStatusChanged
    | LegCancelled
    | RefundPaid
    | RefundReturned
    | FareRefunded
    | NetworkPublished
    | SettlementBatchClosed
    | AccountClosed
)

EVENT_TYPES: dict[str, type] = {kind.__name__: kind for kind in Event.__args__}
