"""What is owed for a medium's week: passes, caps, the promise, and the difference to what was posted.

Problem   Late taps change a Tuesday when Thursday is charged and capped already; what was posted stays.
Idea      A week (from Monday, the longest period of a cap) is rated whole, from the set of its taps, whenever
          one of them is new. What comes out is what each customer owes for each service day and what each
          operator has earned of it. Posted is only the difference to what was posted before.
Rule      Caps and promises are counted by payer, place in the party and category: who takes over a card does
          not take over its caps. Passes cover the first of a party. After a day that is over, the best-fare
          promise gives back the difference to the cheapest products for that day, dated that day; after the
          week, that for the week, dated Sunday; operators bear it as maas/fares/promise.py says. Rides that
          nobody pays for are rated and kept, and nothing is owed.
Invariant For each customer and day: the operators' parts sum to what is owed. Of a whole week a customer owes
          no less than nothing, and no more than the cheapest combination plus its maximum fares.
          posted before + difference = owed now, for every customer, day and operator.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from maas.account_travel.endings import (
    Correction,
    EndedRide,
    Endings,
    Habits,
    index_corrections,
    infer_alightings,
)
from maas.account_travel.fare_book import FareBook
from maas.account_travel.fares import DayFares, RideFare, list_day_fares
from maas.account_travel.media import Medium
from maas.account_travel.rides import Ride, Stop, TapKey, list_rides, split_by_day, stop_of
from maas.fares.caps import CappedFare
from maas.fares.service_week import PeriodRefund, charge_fares
from maas.prices import RiderCategory
from maas.taps import Tap

DAYS_PER_WEEK = 7


@dataclass(frozen=True, slots=True)
class RatedFare:
    """A fare beside passes and caps, and who pays it (None: nobody)."""

    fare: RideFare
    capped: CappedFare
    payer: str | None


@dataclass(frozen=True, slots=True)
class PromiseRefund:
    """What the best-fare promise gives a payer back for one rider of a party."""

    back: PeriodRefund
    payer: str | None
    rider_index: int
    rider: RiderCategory

    @property
    def day(self) -> date:
        """The service date it is booked on: the day itself, the Sunday of a week."""
        is_day = self.back.period == "day"
        return self.back.starts_on if is_day else self.back.starts_on + timedelta(days=DAYS_PER_WEEK - 1)


@dataclass(frozen=True, slots=True)
class Owed:
    """What is owed for a service day, and the operators' parts of it; both may be negative, and agree."""

    amount_minor: int = 0
    shares: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert sum(self.shares.values()) == self.amount_minor, "the operators' parts sum to what is owed"

    def __neg__(self) -> "Owed":
        return Owed(-self.amount_minor, {each: -part for each, part in self.shares.items()})

    def __add__(self, other: "Owed") -> "Owed":
        mine, others = self.shares, other.shares
        parts = {
            each: part
            for each in sorted({*mine, *others})
            if (part := mine.get(each, 0) + others.get(each, 0))
        }
        return Owed(self.amount_minor + other.amount_minor, parts)

    def __sub__(self, other: "Owed") -> "Owed":
        return self + -other


OwedBy = dict[tuple[date, str], Owed]
"""What is owed, by service date and customer."""


@dataclass(frozen=True, slots=True)
class PassUsed:
    """What the week made of a pass: when it began, if it did now, and the single fares it stood for."""

    began: datetime | None
    used: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class WeekRating:
    """A medium's week, rated."""

    rides: tuple[EndedRide, ...]
    alightings: Mapping[TapKey, Stop]
    fares: tuple[RatedFare, ...]
    refunds: tuple[PromiseRefund, ...]
    unpriced: frozenset[TapKey]
    ride_days: Mapping[TapKey, date]
    pass_uses: Mapping[str, PassUsed]

    @property
    def has_unfinished(self) -> bool:
        """Whether a habit of the traveller's could still complete a ride."""
        return any(ride.is_unfinished and ride.origin is not None for ride in self.rides)

    def list_owed(self) -> OwedBy:
        """What each customer owes for each day."""
        amounts: dict[tuple[date, str], int] = defaultdict(int)
        shares: dict[tuple[date, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for each in self.fares:
            if each.payer is not None:
                key = each.fare.day, each.payer
                amounts[key] += each.capped.charge_minor
                for operator_id, share in each.capped.shares.items():
                    shares[key][operator_id] += share
        for given in self.refunds:
            if given.payer is not None:
                key = given.day, given.payer
                amounts[key] -= given.back.refund.amount_minor
                for operator_id, share in given.back.refund.borne.items():
                    shares[key][operator_id] -= share
        return {key: Owed(amount, dict(shares[key])) for key, amount in amounts.items()}

    def list_dearest(self) -> dict[tuple[date, str], int]:
        """What the dearest ride of each customer and day costs them."""
        dearest: dict[tuple[date, str], int] = {}
        for each in self.fares:
            if each.payer is not None:
                key = each.fare.day, each.payer
                dearest[key] = max(dearest.get(key, 0), each.capped.charge_minor)
        return dearest


def monday_of(day: date) -> date:
    """The first day of a service day's week."""
    return day - timedelta(days=day.weekday())


def rate_week(
    medium: Medium,
    monday: date,
    taps: Iterable[Tap],
    book: FareBook,
    *,
    closed_through: date,
    corrections: Iterable[Correction] = (),
    habits: Habits | None = None,
    companion_taps: Sequence[Tap] = (),
) -> WeekRating:
    """Rate a medium's week from the set of its taps.

    `taps` reach one ride's length beyond the week at both ends. `closed_through` is the last service day that
    is over. `companion_taps` are those of the media paired with this one.
    """
    policy = book.policy
    days = split_by_day(taps, policy)
    beside = split_by_day(companion_taps, policy) if companion_taps else {}
    endings = Endings(policy, index_corrections(corrections), habits or {})
    rated: list[DayFares] = []
    ride_days: dict[TapKey, date] = {}
    for day in sorted(day for day in days if monday <= day < monday + timedelta(days=DAYS_PER_WEEK)):
        is_over = day <= closed_through
        rides = [endings.end(ride, day_is_over=is_over) for ride in _list_rides(days[day], day, book)]
        companions = _list_rides(beside[day], day, book) if day in beside else []
        rated.append(list_day_fares(medium, day, rides, book, companions=companions))
        ride_days |= dict.fromkeys((ride.key for ride in rides), day)
    fares, refunds, uses = _charge(
        [fare for day in rated for fare in day.fares], medium, book, closed_through
    )
    rides = [ride for day in rated for ride in day.rides]
    alightings: dict[TapKey, Stop] = {}
    for each in rated:
        alightings |= infer_alightings(list(each.rides))
    return WeekRating(
        tuple(rides),
        alightings,
        tuple(fares),
        tuple(refunds),
        frozenset().union(*(day.unpriced for day in rated)),
        ride_days,
        uses,
    )


def _list_rides(day_taps: list[Tap], day: date, book: FareBook) -> list[Ride]:
    return list_rides(
        day_taps,
        book.policy,
        is_interchange=lambda here, there: book.is_interchange(day, stop_of(here), stop_of(there)),
    )


Group = tuple[str | None, int, RiderCategory]
"""Whose fares count together: who pays, the place in the party, the category."""


def _charge(
    fares: Sequence[RideFare], medium: Medium, book: FareBook, closed_through: date
) -> tuple[list[RatedFare], list[PromiseRefund], dict[str, PassUsed]]:
    """Apply passes, caps and the promise to each group's fares of the week."""
    groups: dict[Group, list[RideFare]] = defaultdict(list)
    for fare in fares:
        groups[medium.find_payer(fare.began_at), fare.rider_index, fare.rider].append(fare)
    rated: list[RatedFare] = []
    refunds: list[PromiseRefund] = []
    uses: dict[str, PassUsed] = {}
    for (payer, index, rider), mine in groups.items():
        by_id = {fare.charged.fare_id: fare for fare in mine}
        week = charge_fares(
            book.engine,
            [fare.charged for fare in mine],
            rider=rider,
            clock=book.policy.clock,
            passes=medium.passes if index == 0 else (),
            closed_through=closed_through,
        )
        rated += [RatedFare(by_id[each.fare.fare_id], each, payer) for each in week.fares]
        refunds += [PromiseRefund(back, payer, index, rider) for back in week.refunds]
        for pass_id in {*week.began, *week.used}:
            uses[pass_id] = PassUsed(week.began.get(pass_id), week.used.get(pass_id, {}))
    return rated, refunds, uses


def list_differences(owed: OwedBy, posted: OwedBy) -> OwedBy:
    """What must be posted so that all that was posted is what is owed; nothing where they agree."""
    differences = {}
    for key in sorted({*owed, *posted}):
        before = posted.get(key)
        # Without anything before it is the sum with nothing: operators in order, and none without a part.
        difference = Owed() + owed[key] if before is None else owed.get(key, Owed()) - before
        if difference.amount_minor or difference.shares:
            differences[key] = difference
    return differences
