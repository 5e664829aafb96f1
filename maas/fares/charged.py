"""Fares of rides already made, as caps and the best-fare promise see them.

Problem   A pass covers networks, not journeys: a joint fare of two networks may be half covered, and then the
          other half is a fare of its own, without the joint discount.
Idea      A `FareCharged` is one fare of a ride: what it cost and, for each network in it, what that network's
          legs alone would have cost. A service day begins at a fixed hour, so that the order of entries is
          the order of service days too.
Invariant A joint fare costs no more than its parts alone; a maximum fare has no parts: nothing covers it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from maas.fares.engine import FareEngine
from maas.fares.tables import CapRow, PassRow
from maas.journeys import Journey
from maas.prices import FareComponent, JourneyPrice, RiderCategory

DAY_STARTS_AT = time(4, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one network's legs of a fare cost when no other network is paid with them."""

    network_id: str
    alone_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FareCharged:
    """One fare of a ride. `entered_at` is aware; `is_maximum` marks an unfinished ride's maximum fare.

    `shares` says what each operator earns of it, to the yen.
    """

    fare_id: str
    entered_at: datetime
    amount_minor: int
    parts: tuple[Part, ...]
    shares: dict[str, int]
    text: str
    text_en: str
    is_maximum: bool = False

    def __post_init__(self) -> None:
        assert self.amount_minor >= 0, "a fare is never negative"
        assert self.entered_at.tzinfo is not None, "an instant has its zone"
        assert sum(self.shares.values()) == self.amount_minor, "shares of a fare sum to the fare"
        assert not (self.is_maximum and self.parts), "nothing covers a maximum fare"

    @property
    def networks(self) -> frozenset[str]:
        """The networks ridden for this fare."""
        return frozenset(part.network_id for part in self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceClock:
    """Tells the service day of an instant: it begins at `starts_at` of the city's zone."""

    zone: ZoneInfo
    starts_at: time = DAY_STARTS_AT

    def day_of(self, instant: datetime) -> date:
        """The service day that an instant belongs to."""
        local = instant.astimezone(self.zone)
        return local.date() - timedelta(days=int(local.time() < self.starts_at))

    def week_of(self, instant: datetime) -> date:
        """The Monday of the week that an instant's service day belongs to."""
        day = self.day_of(instant)
        return day - timedelta(days=day.weekday())


def in_order(fares: Iterable[FareCharged]) -> list[FareCharged]:
    """By entry, then by id: the same list whatever order the taps arrived in."""
    return sorted(fares, key=lambda fare: (fare.entered_at, fare.fare_id))


def product_price(row: PassRow | CapRow, rider: RiderCategory) -> int | None:
    """What the rider pays for a pass or until a cap; None where it is not for this rider.

    Who has a concession on single fares buys passes at the adult's price; an infant needs none.
    """
    if rider is RiderCategory.INFANT:
        return None
    return row.child_minor if rider is RiderCategory.CHILD else row.adult_minor


def list_fares_charged(
    engine: FareEngine, *, ride_id: str, journey: Journey, price: JourneyPrice
) -> list[FareCharged]:
    """The fares of a ridden journey at the price it was charged, each with its networks' fares alone."""
    return [
        _charged(engine, f"{ride_id}/{place}", journey, price, component)
        for place, component in enumerate(price.components)
    ]


def _charged(
    engine: FareEngine, fare_id: str, journey: Journey, price: JourneyPrice, component: FareComponent
) -> FareCharged:
    legs = [journey.legs[index] for index in component.leg_indices]
    runs: dict[str, list[int]] = {}
    for index in component.leg_indices:
        network = engine.find_network(journey.legs[index])
        assert network is not None, "a leg that was priced has its network"
        runs.setdefault(network.network_id, []).append(index)
    amount = component.amount.amount_minor
    if len(runs) == 1:
        parts: tuple[Part, ...] = (Part(network_id=next(iter(runs)), alone_minor=amount),)
    else:
        parts = tuple(
            _part_alone(engine, network_id, journey, price, own) for network_id, own in runs.items()
        )
    return FareCharged(
        fare_id=fare_id,
        entered_at=legs[0].departs_at,
        amount_minor=amount,
        parts=parts,
        shares=component.shares,
        text=f"{legs[0].origin.name}→{legs[-1].destination.name}",
        text_en=f"{legs[0].origin.name} to {legs[-1].destination.name}",
    )


def _part_alone(
    engine: FareEngine, network_id: str, journey: Journey, price: JourneyPrice, indices: Sequence[int]
) -> Part:
    own = replace(journey, legs=tuple(journey.legs[index] for index in indices))
    alone = engine.price(journey=own, rider=price.rider, medium=price.medium)
    return Part(network_id=network_id, alone_minor=alone.total.amount_minor)
