"""Fares of rides already made, as caps, passes and the best-fare promise see them.

Problem   A pass covers networks, not journeys: a joint fare of two networks may be half covered, and then the
          other half is a fare of its own, without the joint discount.
Idea      A `FareCharged` is one fare of a ride: what it cost and, for each network in it, what that network's
          legs alone would have cost. A service day begins at a fixed hour, so that the order of entries is
          the order of service days too.
Invariant A joint fare costs no more than its parts alone; a maximum fare has no parts: nothing covers it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from maas.fares.engine import FareEngine
from maas.fares.riders import ALONE, Company
from maas.fares.tables import CapRow, PassRow
from maas.journeys import Journey, Leg
from maas.prices import Addend, FareComponent, FareMedium, JourneyPrice, RiderCategory

DAY_STARTS_AT = time(4, 0)
DAYS_REMEMBERED_MAX = 1_000
_ONE_DAY = timedelta(days=1)
_NEVER = (datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC), date.min)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one network's legs of a fare cost when no other network is paid with them."""

    network_id: str
    alone_minor: int
    operator_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FareCharged:
    """One fare of a ride. `entered_at` is aware; `is_maximum` marks an unfinished ride's maximum fare.

    `shares` says what each operator earns of it, to the yen. `ride_ids` are the rides it pays: two where a
    joint fare or a change outside the gates binds them. `addends` explain `amount_minor`; `networks`
    are those ridden for this fare.
    """

    fare_id: str
    entered_at: datetime
    amount_minor: int
    parts: tuple[Part, ...]
    shares: dict[str, int]
    text: str
    text_en: str
    is_maximum: bool = False
    ride_ids: tuple[str, ...] = ()
    addends: tuple[Addend, ...] = ()
    networks: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "networks", frozenset([part.network_id for part in self.parts]))
        assert self.amount_minor >= 0, "a fare is never negative"
        assert self.entered_at.tzinfo is not None, "an instant has its zone"
        assert sum(self.shares.values()) == self.amount_minor, "shares of a fare sum to the fare"
        assert not (self.is_maximum and self.parts), "nothing covers a maximum fare"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceClock:
    """Tells the service day of an instant: it begins at `starts_at` of the city's zone.

    A million instants in a row are mostly of one day: its ends are remembered, to be compared with.
    """

    zone: ZoneInfo
    starts_at: time = DAY_STARTS_AT
    _last: list[tuple[datetime, datetime, date]] = field(
        default_factory=lambda: [_NEVER], init=False, repr=False, compare=False
    )
    _days: dict[date, tuple[datetime, datetime, date]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def day_of(self, instant: datetime) -> date:
        """The service day that an instant belongs to."""
        begins, ends, day = self._last[0]
        if begins <= instant < ends:
            return day
        local = instant.astimezone(self.zone)
        day = local.date()
        if local.time() < self.starts_at:
            day -= _ONE_DAY
        if day not in self._days:
            self._remember(day)
        self._last[0] = self._days[day]
        return day

    def _remember(self, day: date) -> None:
        begins, ends = self.start_of(day).astimezone(UTC), self.start_of(day + _ONE_DAY).astimezone(UTC)
        if len(self._days) >= DAYS_REMEMBERED_MAX:
            self._days.clear()
        # Where clocks are changed across a beginning, its wall time comes twice or never: asked every time.
        # From UTC and back, since a wall time that never comes has the offset of before.
        is_plain = begins.astimezone(self.zone).utcoffset() == ends.astimezone(self.zone).utcoffset()
        self._days[day] = (begins, ends, day) if is_plain else _NEVER

    def week_of(self, instant: datetime) -> date:
        """The Monday of the week that an instant's service day belongs to."""
        day = self.day_of(instant)
        return day - timedelta(days=day.weekday())

    def start_of(self, day: date) -> datetime:
        """The instant at which a service day begins."""
        return datetime.combine(day, self.starts_at, tzinfo=self.zone)


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
        build_fare_charged(
            engine,
            legs=journey.legs,
            component=component,
            fare_id=f"{ride_id}/{place}",
            ride_ids=(ride_id,),
            rider=price.rider,
            medium=price.medium,
        )
        for place, component in enumerate(price.components)
    ]


def build_fare_charged(
    engine: FareEngine,
    *,
    legs: Sequence[Leg],
    component: FareComponent,
    fare_id: str,
    ride_ids: tuple[str, ...],
    rider: RiderCategory,
    medium: FareMedium,
    company: Company = ALONE,
) -> FareCharged:
    """A component as a fare charged; its leg indices are those of `legs`."""
    first, last = legs[component.leg_indices[0]], legs[component.leg_indices[-1]]
    runs: dict[str, list[Leg]] = {}
    for index, network_id in zip(component.leg_indices, component.networks, strict=True):
        runs.setdefault(network_id, []).append(legs[index])
    amount = component.amount.amount_minor
    alone = dict.fromkeys(runs, amount)
    if len(runs) > 1:
        for network_id, own in runs.items():
            price = engine.price(
                journey=Journey(journey_id="", legs=tuple(own), network_version=""),
                rider=rider,
                medium=medium,
                company=company,
            )
            alone[network_id] = price.total.amount_minor
    return FareCharged(
        fare_id=fare_id,
        entered_at=first.departs_at,
        amount_minor=amount,
        parts=tuple(
            Part(
                network_id=network_id,
                alone_minor=alone[network_id],
                operator_id=engine.get_network(network_id, engine.day_of(own[0])).operator_id,
            )
            for network_id, own in runs.items()
        ),
        shares=component.shares,
        text=f"{first.origin.name}→{last.destination.name}",
        text_en=f"{first.origin.name} to {last.destination.name}",
        ride_ids=ride_ids,
        addends=component.addends,
    )
