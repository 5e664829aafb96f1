"""What a customer owes for the rides of a service week: one pure function over all rules.

Problem   Taps arrive late, doubled and in any order; passes, caps and the promise look at each other's
          results. Whoever charges must get the same answer from the same rides, however they came.
Idea      Rate everything from the start, always: price the rides of each medium as one chain
          (engine.price_rides), take off the passes in hand (pass_cover.py), apply the caps (caps.py), then
          keep the best-fare promise for each day and for the week (promise.py). The caller posts the
          difference to what it posted before.
Rule      A chain is the rides on one medium with the same company: a discount needs the same card. Rides of
          one service week from Monday; a discount across the end of the week is not given. Passes bought
          are purchases of their own: their price is in no cap and in no promise. Passes, caps and the
          promise count over the rides that are given. For taps these are one payer's on one medium, each
          medium by itself; why, says maas/account_travel/media.py.
Invariant Any order of the same rides gives the same result. Charges less refunds never exceed the cheapest
          combination of products, for each day and for the week, maximum fares aside.
Not here  Which rides were made (taps), when the day is closed, and moving the money.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import combinations, groupby
from typing import Literal

from maas.fares.best_fare import last_day_of, left_of
from maas.fares.caps import CappedFare, apply_caps
from maas.fares.charged import FareCharged, ServiceClock, build_fare_charged, in_order, product_price
from maas.fares.engine import FareEngine
from maas.fares.pass_cover import Covered, PassInHand, cover
from maas.fares.promise import Refund, keep_promise
from maas.fares.riders import ALONE, Company
from maas.fares.tables import PassRow
from maas.journeys import Journey
from maas.prices import FareMedium, RiderCategory

_SIX_DAYS = timedelta(days=6)
HOURS_PER_DAY = 24
_NO_PRODUCT = 2**62
"""The price of what nobody sells: more than any fares come to."""
_COMBINED_MAX = 4
"""Of so many passes every combination is weighed before a search; of more the search itself is quicker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RideMade:
    """A finished ride from gate to gate (a flat bus: its one tap). `medium_ref` names the card or phone."""

    ride_id: str
    medium_ref: str
    medium: FareMedium
    journey: Journey
    company: Company = ALONE

    @property
    def entered_at(self) -> datetime:
        """When the ride began."""
        return self.journey.departs_at


@dataclass(frozen=True, slots=True, kw_only=True)
class RideUnfinished:
    """A ride without its end: the operator's maximum fare is due, whole, and counts toward nothing."""

    ride_id: str
    medium_ref: str
    entered_at: datetime
    operator_id: str
    maximum_minor: int
    origin: str


Ride = RideMade | RideUnfinished


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodRefund:
    """What the best-fare promise gives back for a day or for a week that begins on `starts_on`."""

    period: Literal["day", "week"]
    starts_on: date
    refund: Refund


@dataclass(frozen=True, slots=True, kw_only=True)
class WeekRated:
    """All fares in the order of entry with their charges, and the refunds above zero: days, then the week.

    `began` are the passes of hours that an entry has begun; `used` what each pass stood for, by operator.
    """

    fares: tuple[CappedFare, ...]
    refunds: tuple[PeriodRefund, ...]
    began: dict[str, datetime]
    used: dict[str, dict[str, int]]

    @property
    def charged_minor(self) -> int:
        """What the fares cost after passes and caps, before refunds."""
        return sum(each.charge_minor for each in self.fares)

    @property
    def refunded_minor(self) -> int:
        """What the promise gives back."""
        return sum(each.refund.amount_minor for each in self.refunds)


def rate_week(
    engine: FareEngine,
    rides: Iterable[Ride],
    *,
    rider: RiderCategory,
    clock: ServiceClock,
    passes: Sequence[PassInHand] = (),
) -> WeekRated:
    """Rate one customer's rides of one service week, or those known so far. Raises FareNotFound.

    `rider` is who the customer is by the claims held; `passes` are those in hand at any time of the week.
    Each ride has an id of its own.
    """
    ordered = sorted(rides, key=lambda ride: (ride.entered_at, ride.ride_id))
    assert len({clock.week_of(ride.entered_at) for ride in ordered}) <= 1, "one service week at a time"
    assert len({ride.ride_id for ride in ordered}) == len(ordered), "each ride is made once"
    return charge_fares(
        engine, list_fares(engine, ordered, rider=rider), rider=rider, clock=clock, passes=passes
    )


def charge_fares(
    engine: FareEngine,
    fares: Sequence[FareCharged],
    *,
    rider: RiderCategory,
    clock: ServiceClock,
    passes: Sequence[PassInHand] = (),
    closed_through: date | None = None,
) -> WeekRated:
    """Charge one rider's fares of one service week that are priced already.

    Only days up to `closed_through` are over, and have their promise kept; None: all of them.
    """
    if not passes and _are_below_all_products(engine, fares, rider, clock):
        # Of a million riders nine in ten: no cap is reached, and no pass is cheaper.
        charges = [_uncapped(fare) for fare in in_order(fares)]
        return WeekRated(fares=tuple(charges), refunds=(), began={}, used={})
    return charge_beside_products(
        engine, fares, rider=rider, clock=clock, passes=passes, closed_through=closed_through
    )


def charge_beside_products(
    engine: FareEngine,
    fares: Sequence[FareCharged],
    *,
    rider: RiderCategory,
    clock: ServiceClock,
    passes: Sequence[PassInHand] = (),
    closed_through: date | None = None,
) -> WeekRated:
    """As `charge_fares`, by asking every pass, cap and promise."""
    covered = cover(fares, passes) if passes else Covered(fares=tuple(fares), began={}, used={})
    charges = apply_caps(covered.fares, caps_on=engine.list_caps, rider=rider, clock=clock)
    return WeekRated(
        fares=tuple(charges),
        refunds=tuple(_list_refunds(engine, charges, rider, clock, closed_through or date.max)),
        began=covered.began,
        used=covered.used,
    )


def _uncapped(fare: FareCharged) -> CappedFare:
    return CappedFare(fare=fare, charge_minor=fare.amount_minor, applied=None, recorded=())


def _are_below_all_products(
    engine: FareEngine, fares: Sequence[FareCharged], rider: RiderCategory, clock: ServiceClock
) -> bool:
    """Whether all fares of a week together cost no more than the cheapest product of any of its days."""
    total = sum([fare.amount_minor for fare in fares])
    days = {clock.day_of(fare.entered_at) for fare in fares}
    # A week's caps and promise are those of its Monday.
    days |= {day - timedelta(days=day.weekday()) for day in days}
    return all(total <= _price_cheapest_product(engine, day, rider) for day in days)


def _price_cheapest_product(engine: FareEngine, day: date, rider: RiderCategory) -> int:
    """The least that a cap of a service date allows, or a promised pass costs."""
    remembered = engine.tariff_on(day).cheapest_products
    if rider not in remembered:
        limits = [product_price(cap, rider) for cap in engine.list_caps(day)]
        prices = [price for _, _, price in _list_promised(engine, day, rider)]
        known = [*prices, *(limit for limit in limits if limit is not None)]
        remembered[rider] = min(known, default=_NO_PRODUCT)
    return remembered[rider]


def list_fares(engine: FareEngine, rides: Sequence[Ride], *, rider: RiderCategory) -> list[FareCharged]:
    """The fares of rides in the order of entry, before passes and caps: medium by medium."""
    by_medium: dict[str, list[Ride]] = {}
    for ride in rides:
        by_medium.setdefault(ride.medium_ref, []).append(ride)
    return [
        fare
        for own in by_medium.values()
        for key, chain in groupby(own, key=_chain_key)
        for fare in (_rate_chain(engine, list(chain), rider) if key else map(_maximum, chain))
    ]


def _chain_key(ride: Ride) -> tuple[FareMedium, Company] | None:
    return (ride.medium, ride.company) if isinstance(ride, RideMade) else None


def _rate_chain(engine: FareEngine, chain: Sequence[Ride], rider: RiderCategory) -> list[FareCharged]:
    rides = [ride for ride in chain if isinstance(ride, RideMade)]
    medium, company = rides[0].medium, rides[0].company
    components = engine.price_rides(
        rides=[ride.journey for ride in rides], rider=rider, medium=medium, company=company
    )
    legs = [leg for ride in rides for leg in ride.journey.legs]
    owners = [ride.ride_id for ride in rides for _ in ride.journey.legs]
    fares = []
    seen: dict[str, int] = {}
    for component in components:
        ride_ids = tuple(dict.fromkeys(owners[index] for index in component.leg_indices))
        place = seen[ride_ids[0]] = seen.get(ride_ids[0], -1) + 1
        fares.append(
            build_fare_charged(
                engine,
                legs=legs,
                component=component,
                fare_id=f"{ride_ids[0]}/{place}",
                ride_ids=ride_ids,
                rider=rider,
                medium=medium,
                company=company,
            )
        )
    return fares


def _maximum(ride: Ride) -> FareCharged:
    assert isinstance(ride, RideUnfinished), "only an unfinished ride costs the maximum"
    return FareCharged(
        fare_id=f"{ride.ride_id}/0",
        entered_at=ride.entered_at,
        amount_minor=ride.maximum_minor,
        parts=(),
        shares={ride.operator_id: ride.maximum_minor},
        text=f"{ride.origin}→（出場の記録なし）",
        text_en=f"{ride.origin} to (no exit recorded)",
        is_maximum=True,
        ride_ids=(ride.ride_id,),
    )


def _list_refunds(
    engine: FareEngine,
    charges: Sequence[CappedFare],
    rider: RiderCategory,
    clock: ServiceClock,
    closed_through: date,
) -> list[PeriodRefund]:
    refunds: list[PeriodRefund] = []
    days: dict[date, list[CappedFare]] = {}
    for day, own in groupby(charges, key=lambda each: clock.day_of(each.fare.entered_at)):
        mine = days[day] = list(own)
        if day <= closed_through and _may_give_back(engine, {day: mine}, 0, rider):
            refund = keep_promise(mine, passes_on=engine.list_passes, rider=rider, clock=clock)
            if refund.amount_minor:
                refunds.append(PeriodRefund(period="day", starts_on=day, refund=refund))
    if not charges:
        return refunds
    monday = clock.week_of(charges[0].fare.entered_at)
    before = sum(each.refund.amount_minor for each in refunds)
    if closed_through - monday >= _SIX_DAYS and _may_give_back(engine, days, before, rider):
        refund = keep_promise(
            charges,
            passes_on=engine.list_passes,
            rider=rider,
            clock=clock,
            refunded_before_minor=before,
        )
        if refund.amount_minor:
            refunds.append(PeriodRefund(period="week", starts_on=monday, refund=refund))
    return refunds


def _may_give_back(
    engine: FareEngine, days: dict[date, list[CappedFare]], before: int, rider: RiderCategory
) -> bool:
    """Whether a search is worth it: whether the cheapest could be less than what was paid.

    A pass that costs no less than all fares that it touches together is never bought. With some passes one
    pays at least their prices, each once, and what they would leave if they held all the time. Where no
    combination is below what was paid even so, the search would find none either.
    """
    paid = sum([each.charge_minor for mine in days.values() for each in mine]) - before
    useful: list[tuple[int, frozenset[str]]] = []
    for day in days:
        for row, covers, price in _list_promised(engine, day, rider):
            if price >= paid:
                break  # and so are all that follow
            touched = 0
            for later in _list_touched(days, day, row):
                touched += sum(
                    [each.fare.amount_minor for each in later if not covers.isdisjoint(each.fare.networks)]
                )
            if price < touched:
                useful.append((price, covers))
    if not useful or len(useful) > _COMBINED_MAX:
        return bool(useful)
    fares = [each.fare for mine in days.values() for each in mine]
    for count in range(1, len(useful) + 1):
        for bought in combinations(useful, count):
            covered = frozenset[str]().union(*(covers for _, covers in bought))
            least = sum([price for price, _ in bought]) + sum([left_of(fare, covered) for fare in fares])
            if least < paid:
                return True
    return False


def _list_touched(days: dict[date, list[CappedFare]], day: date, row: PassRow) -> list[list[CappedFare]]:
    """The fares of each day on which a pass bought on `day` may still hold."""
    if len(days) == 1:
        return [days[day]]
    if row.unit == "hour":
        last = day + timedelta(days=-(-row.count // HOURS_PER_DAY))
    else:
        last = last_day_of(row, day)
    return [mine for each, mine in days.items() if day <= each <= last]


def _list_promised(
    engine: FareEngine, day: date, rider: RiderCategory
) -> tuple[tuple[PassRow, frozenset[str], int], ...]:
    """The passes that the promise may use on a service date, cheapest first: networks and rider's price."""
    remembered = engine.tariff_on(day).promised
    if rider not in remembered:
        promised = [
            (row, frozenset(row.networks.split()), price)
            for row in engine.list_passes(day)
            if row.in_promise and (price := product_price(row, rider)) is not None
        ]
        remembered[rider] = tuple(sorted(promised, key=lambda each: each[2]))
    return remembered[rider]
