"""What a journey costs with each pass on sale: the world of passes, beside the single fares.

Idea      For every pass that covers a ride of the journey: its price, the legs it covers, and what is left to
          pay beside it. A pass of a day is worth it when price + left is less than the single fares; one of a
          month is shown with the same two figures and left to the traveller.
Not here  Passes that the traveller holds (pass_cover.py), and the promise after the day (promise.py).
"""

from dataclasses import dataclass
from datetime import date, timedelta

from maas.fares.best_fare import last_day_of
from maas.fares.charged import FareCharged, ServiceClock, list_fares_charged, product_price
from maas.fares.engine import FareEngine
from maas.fares.pass_cover import PassInHand, cover
from maas.fares.tables import PassRow
from maas.journeys import Journey
from maas.prices import JourneyPrice


@dataclass(frozen=True, slots=True, kw_only=True)
class PassOption:
    """A pass for a journey. `left_minor` is what is paid beside `price_minor`; `legs` are those covered."""

    row: PassRow
    price_minor: int
    left_minor: int
    legs: tuple[int, ...]

    @property
    def total_minor(self) -> int:
        """What the journey costs when the pass is bought for it."""
        return self.price_minor + self.left_minor


def list_pass_options(
    engine: FareEngine, *, journey: Journey, price: JourneyPrice, day: date
) -> list[PassOption]:
    """The passes on sale on `day` that cover a ride of the journey, the cheapest in all first.

    `price` is that of the journey by single fares, for the rider and medium asked for.
    """
    fares = list_fares_charged(engine, ride_id="", journey=journey, price=price)
    clock = ServiceClock(zone=engine.zone)
    ridden = frozenset().union(*(fare.networks for fare in fares))
    options = []
    for row in engine.list_passes(day):
        amount, networks = product_price(row, price.rider), frozenset(row.networks.split())
        if amount is not None and networks & ridden:
            left = sum(fare.amount_minor for fare in cover(fares, [_in_hand(row, fares, clock)]).fares)
            legs = tuple(
                index
                for component in price.components
                for index, network in zip(component.leg_indices, component.networks, strict=True)
                if network in networks
            )
            options.append(PassOption(row=row, price_minor=amount, left_minor=left, legs=legs))
    return sorted(options, key=lambda option: (option.total_minor, option.row.pass_id))


def _in_hand(row: PassRow, fares: list[FareCharged], clock: ServiceClock) -> PassInHand:
    """The pass as if it were bought for this journey, from the first entry that it covers."""
    networks = frozenset(row.networks.split())
    first = min(fare.entered_at for fare in fares if fare.networks & networks)
    starts_at, ends_at = None, None
    if row.unit != "hour":
        day = clock.day_of(first)
        starts_at, ends_at = clock.start_of(day), clock.start_of(last_day_of(row, day) + timedelta(days=1))
    return PassInHand(
        pass_id=row.pass_id,
        networks=networks,
        name=row.name,
        name_en=row.name_en,
        usable_from=first,
        starts_at=starts_at,
        ends_at=ends_at,
        hours=row.count if row.unit == "hour" else None,
    )
