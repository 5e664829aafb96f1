"""A new tariff tried in the shadow: past rides priced by it, and what would have changed for whom.

Problem   A council asks: what does the new table cost the elderly of that ward, and what does it bring
          each operator? It must be known before anybody pays.
Idea      Price each past ride by both tariffs as of its own service date, and sum what changes by operator,
          by area and by rider category. A ride that one of them does not price is counted, never guessed.
Invariant Differences by operator, by area and by rider each sum to the whole difference.
Not here  Which rides happened (services); people's names: a ride has a category and no person.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from maas.errors import FareNotFound
from maas.fares.engine import FareEngine
from maas.fares.riders import ALONE, Company
from maas.journeys import Journey, Place
from maas.prices import FareMedium, JourneyPrice, RiderCategory

RIDES_SHOWN_MIN = 10
OTHERS = "others"


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRide:
    """A ride as it was charged: the legs ridden, by whom, on what."""

    journey: Journey
    rider: RiderCategory
    medium: FareMedium
    fare_class: str | None = None
    company: Company = ALONE


@dataclass(slots=True, kw_only=True)
class Difference:
    """Rides that both tariffs price, and what they cost; how many got dearer or cheaper."""

    ride_count: int = 0
    before_minor: int = 0
    after_minor: int = 0
    dearer_count: int = 0
    cheaper_count: int = 0

    @property
    def difference_minor(self) -> int:
        """What the new tariff takes more; negative where it takes less."""
        return self.after_minor - self.before_minor

    def add(self, before: int, after: int) -> None:
        """Count one ride."""
        self.ride_count += 1
        self.before_minor += before
        self.after_minor += after
        self.dearer_count += after > before
        self.cheaper_count += after < before


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedRide:
    """What one tariff says of a ride: its price, and the operators' shares, which sum to it."""

    total_minor: int
    shares: Mapping[str, int]


@dataclass(slots=True, kw_only=True)
class ShadowReport:
    """What would have changed. The counts of rides that only one tariff prices are beside the sums."""

    whole: Difference = field(default_factory=Difference)
    by_operator: dict[str, Difference] = field(default_factory=lambda: defaultdict(Difference))
    by_area: dict[str, Difference] = field(default_factory=lambda: defaultdict(Difference))
    by_rider: dict[RiderCategory, Difference] = field(default_factory=lambda: defaultdict(Difference))
    only_before_count: int = 0
    only_after_count: int = 0
    unpriced_count: int = 0

    def count(
        self, before: PricedRide | None, after: PricedRide | None, *, area: str, rider: RiderCategory
    ) -> None:
        """Count one ride by what both tariffs say of it; None where one does not price it."""
        if before is None or after is None:
            self.unpriced_count += before is None and after is None
            self.only_before_count += before is not None
            self.only_after_count += after is not None
            return
        amounts = (before.total_minor, after.total_minor)
        self.whole.add(*amounts)
        self.by_area[area].add(*amounts)
        self.by_rider[rider].add(*amounts)
        for operator_id in sorted(before.shares.keys() | after.shares.keys()):
            shares = (before.shares.get(operator_id, 0), after.shares.get(operator_id, 0))
            self.by_operator[operator_id].add(*shares)


def compare_tariffs(
    rides: Iterable[PastRide], *, before: FareEngine, after: FareEngine, area_of: Callable[[Place], str]
) -> ShadowReport:
    """Price every ride by both tariffs. `area_of` names the area of the place where a ride began."""
    report = ShadowReport()
    for ride in rides:
        report.count(
            _find_price(before, ride),
            _find_price(after, ride),
            area=area_of(ride.journey.legs[0].origin),
            rider=ride.rider,
        )
    return report


def merge_small(
    groups: Mapping[str, Difference], *, rides_min: int = RIDES_SHOWN_MIN
) -> dict[str, Difference]:
    """The groups that are large enough to be shown, and all others as one: nobody is found among few.

    A rest that is too small by itself takes the smallest group with it.
    """
    ordered = sorted(groups.items(), key=lambda item: (item[1].ride_count, item[0]))
    rest: list[Difference] = []
    while ordered and (ordered[0][1].ride_count < rides_min or 0 < _count(rest) < rides_min):
        rest.append(ordered.pop(0)[1])
    shown = dict(sorted(ordered))
    if rest:
        shown[OTHERS] = Difference(
            ride_count=_count(rest),
            before_minor=sum(each.before_minor for each in rest),
            after_minor=sum(each.after_minor for each in rest),
            dearer_count=sum(each.dearer_count for each in rest),
            cheaper_count=sum(each.cheaper_count for each in rest),
        )
    return shown


def _count(groups: Iterable[Difference]) -> int:
    return sum(each.ride_count for each in groups)


def _find_price(engine: FareEngine, ride: PastRide) -> PricedRide | None:
    try:
        price = engine.price(
            journey=ride.journey,
            rider=ride.rider,
            medium=ride.medium,
            fare_class=ride.fare_class,
            company=ride.company,
        )
    except FareNotFound:
        return None
    return PricedRide(total_minor=price.total.amount_minor, shares=_shares_of(price))


def _shares_of(price: JourneyPrice) -> dict[str, int]:
    shares: dict[str, int] = defaultdict(int)
    for component in price.components:
        for operator_id, share in component.shares.items():
            shares[operator_id] += share
    return dict(shares)
