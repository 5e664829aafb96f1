"""A price that will be kept, for a while.

Problem   Searching is free and forgetful; paying needs one journey, one price and kept places.
Idea      An offer is a journey, a price per rider and the holds that back it, all with one expiry. It is made
          from what the planner and the partners said, and never changed: an order takes it whole.
Invariant total = sum of the prices = sum of their components = sum of all operators' shares.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID, uuid5

from maas.events import OfferQuoted
from maas.fares.pass_options import PassOption
from maas.journeys import Journey, Leg, Mode
from maas.prices import FareComponent, FareMedium, JourneyPrice, MediumTotal
from payments.money import Money, yen

VALID_FOR = timedelta(minutes=10)
RIDERS_MAX = 40
"""A school class: groups begin at fifteen."""


class HoldKind(StrEnum):
    """Who keeps the places."""

    BERTH = "berth"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldLeg:
    """A leg whose places are held, and the hold's id."""

    leg_index: int
    kind: HoldKind
    hold_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One journey at a firm price for all `prices`' riders, until `expires_at`.

    `other_media` and `pass_options` say what the same journey costs in the other price worlds; they are not
    part of the promise.
    """

    offer_id: UUID
    traveller_id: str
    journey: Journey
    prices: tuple[JourneyPrice, ...]
    medium: FareMedium
    fare_class: str | None
    total: Money
    held_legs: tuple[HeldLeg, ...]
    quoted_at: datetime
    expires_at: datetime
    other_media: tuple[MediumTotal, ...] = ()
    pass_options: tuple[PassOption, ...] = ()


def expiry(journey: Journey, now: datetime) -> datetime:
    """When an offer made now expires: ten minutes on, but never after the journey has begun."""
    return min(now + VALID_FOR, max(journey.departs_at, now))


def service_date_of(journey: Journey) -> date:
    """The service date on which a journey is begun: that of its first ride, else of its start."""
    dated = (leg.service_date for leg in journey.legs if leg.service_date is not None)
    return next(dated, journey.departs_at.date())


def legs_to_hold(journey: Journey, offer_id: UUID) -> tuple[HeldLeg, ...]:
    """The legs that need kept places. The holds' ids follow from the offer's, so a repeat finds them."""
    return tuple(
        HeldLeg(leg_index=index, kind=HoldKind.BERTH, hold_id=uuid5(offer_id, f"berth:{index}"))
        for index, leg in enumerate(journey.legs)
        if needs_berth(leg)
    )


def needs_berth(leg: Leg) -> bool:
    """Ships sell places; trains and buses do not."""
    return leg.mode is Mode.FERRY and leg.is_transit


def fare_class_of(offer: Offer, leg_index: int) -> str:
    """The class that the offer's price is for on that leg; `2nd` where the tariff knows no classes."""
    for _, component in iterate_components(offer.prices):
        if leg_index in component.leg_indices and component.fare_class is not None:
            return component.fare_class
    return "2nd"


def quote(
    *,
    offer_id: UUID,
    traveller_id: str,
    journey: Journey,
    prices: tuple[JourneyPrice, ...],
    fare_class: str | None,
    held_legs: tuple[HeldLeg, ...],
    now: datetime,
    expires_at: datetime,
    other_media: tuple[MediumTotal, ...] = (),
    pass_options: tuple[PassOption, ...] = (),
) -> tuple[Offer, OfferQuoted]:
    """The offer and its event. Requires at least one price, all in one medium and currency."""
    assert prices, "an offer is for at least one rider"
    assert len({price.medium for price in prices}) == 1, "all riders of an offer use one medium"
    total = sum((price.total for price in prices), yen(0))
    offer = Offer(
        offer_id=offer_id,
        traveller_id=traveller_id,
        journey=journey,
        prices=prices,
        medium=prices[0].medium,
        fare_class=fare_class,
        total=total,
        held_legs=held_legs,
        quoted_at=now,
        expires_at=expires_at,
        other_media=other_media,
        pass_options=pass_options,
    )
    return offer, OfferQuoted(offer_id=offer_id, total_minor=total.amount_minor, expires_at=expires_at)


def iterate_components(prices: tuple[JourneyPrice, ...]) -> Iterator[tuple[int, FareComponent]]:
    """Every fare component after its rider's index: riders in order, each rider's components in order.

    The place of a component in this sequence is its `component_index`, its name in every event.
    """
    for rider_index, price in enumerate(prices):
        for component in price.components:
            yield rider_index, component
