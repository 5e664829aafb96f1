"""A new tariff tried in the shadow on tapped rides: their chains priced by two fare books.

Idea      A fare that was charged names its rides; their gates, in order, are a chain that a `FareBook`
          prices. Both books are asked for the same chain, rider and medium, as of its service day.
Not here  Rides of orders (maas/fares/shadow.py, whose report is used); caps, passes and the promise: what is
          compared is fares.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from maas.account_travel.fare_book import Asked, Ends, FareBook
from maas.fares.riders import ALONE, Company
from maas.fares.shadow import PricedRide, ShadowReport
from maas.prices import FareMedium, RiderCategory

_PARTNERS = {
    RiderCategory.DISABLED: RiderCategory.HELPER,
    RiderCategory.HELPER: RiderCategory.DISABLED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PastTravel:
    """A fare of tapped rides: the gates of each in order, by whom, on what. No medium and no person."""

    day: date
    rider: RiderCategory
    medium: FareMedium
    chain: tuple[Ends, ...]


def compare_travel(
    travel: Iterable[PastTravel], *, before: FareBook, after: FareBook, report: ShadowReport
) -> None:
    """Add what changes for these fares to a report. The area is the station where the chain began."""
    for each in travel:
        # A disabled rider or helper who was charged as one rode with the other.
        partner = _PARTNERS.get(each.rider)
        asked = Asked(each.day, each.rider, each.medium, Company(partner=partner) if partner else ALONE)
        report.count(
            _price(before, asked, each.chain),
            _price(after, asked, each.chain),
            area=each.chain[0][0].stop_id,
            rider=each.rider,
        )


def _price(book: FareBook, asked: Asked, chain: tuple[Ends, ...]) -> PricedRide | None:
    fares = book.price(asked, chain)
    if fares is None:
        return None
    shares: dict[str, int] = {}
    for fare in fares:
        for operator_id, share in fare.charged.shares.items():
            shares[operator_id] = shares.get(operator_id, 0) + share
    return PricedRide(total_minor=sum(fare.charged.amount_minor for fare in fares), shares=shares)
