"""What journeys cost in every price world, and which of them is the cheapest.

Idea      The whole set that a search found is priced while it is being answered, so that "the cheapest" is
          exact over that set. An unknown price is unknown, with its reason; it is never part of a sum, and
          a journey without one is never the cheapest.
Not here  The rules (maas/fares), and cheaper ways that a search by arrival and interchanges does not find.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from maas.errors import FareNotFound
from maas.fares.network_fares import NO_TARIFF, NetworkFares
from maas.fares.pass_options import PassOption, list_pass_options
from maas.journeys import Journey
from maas.offers import service_date_of
from maas.ports import PriceWorlds
from maas.prices import FareMedium, JourneyPrice, MediumTotal, RiderCategory

RIDERS = (RiderCategory.ADULT, RiderCategory.CHILD)


@dataclass(frozen=True, slots=True)
class Priced:
    """A price asked for, and the reason where there is none."""

    rider: RiderCategory
    medium: FareMedium
    price: JourneyPrice | None
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedJourney:
    """A journey in all worlds: a price for each rider and medium, and the passes that an adult may buy."""

    journey: Journey
    prices: tuple[Priced, ...]
    passes: tuple[PassOption, ...]

    def find_total(self, rider: RiderCategory, medium: FareMedium) -> int | None:
        """What the rider pays by single fares on the medium; None where it is not known."""
        wanted = (each for each in self.prices if (each.rider, each.medium) == (rider, medium))
        found = next(wanted, None)
        return None if found is None or found.price is None else found.price.total.amount_minor


def price_journey(
    fares: NetworkFares | None, journey: Journey, *, riders: Sequence[RiderCategory] = RIDERS
) -> PricedJourney:
    """The journey in every medium for each rider, and with passes."""
    prices = tuple(
        _price_or_reason(fares, journey, rider, medium) for medium in FareMedium for rider in riders
    )
    return PricedJourney(journey=journey, prices=prices, passes=_passes(fares, journey, prices))


def price_all(
    fares: NetworkFares | None, journeys: Sequence[Journey], rider: RiderCategory = RiderCategory.ADULT
) -> list[PricedJourney]:
    """Each journey in every price world: for an adult and a child, and for `rider` if it is another."""
    riders = tuple(dict.fromkeys((*RIDERS, rider)))
    return [price_journey(fares, journey, riders=riders) for journey in journeys]


def unpriced(journeys: Sequence[Journey]) -> list[PricedJourney]:
    """Journeys of which nobody asked the price."""
    return [PricedJourney(journey=journey, prices=(), passes=()) for journey in journeys]


def price_worlds(
    fares: NetworkFares | None,
    journey: Journey,
    *,
    riders: Sequence[RiderCategory],
    fare_class: str | None,
    home: str | None,
) -> PriceWorlds:
    """What a party pays on every medium, and the passes that its first rider may buy for the journey."""
    if fares is None:
        unknown = (MediumTotal(medium=medium, total=None, reason=NO_TARIFF) for medium in FareMedium)
        return PriceWorlds(media=tuple(unknown), passes=())
    media = []
    own: JourneyPrice | None = None
    for medium in FareMedium:
        try:
            prices = fares.price_party(
                journey=journey, riders=riders, medium=medium, fare_class=fare_class, home=home
            )
        except FareNotFound as error:
            media.append(MediumTotal(medium=medium, total=None, reason=str(error)))
            continue
        total = sum((price.total for price in prices[1:]), prices[0].total)
        media.append(MediumTotal(medium=medium, total=total))
        own = prices[0] if medium is FareMedium.APP else own
    passes = () if own is None else _options(fares, journey, own)
    return PriceWorlds(media=tuple(media), passes=passes)


def find_cheapest(
    found: Sequence[PricedJourney], *, rider: RiderCategory, medium: FareMedium
) -> PricedJourney | None:
    """The journey with the least price; of equals the first of the set. None where no price is known."""
    totals = [(total, place) for place, each in enumerate(found)
              if (total := each.find_total(rider, medium)) is not None]  # fmt: skip
    return found[min(totals)[1]] if totals else None


def rank_by_price(
    found: Sequence[PricedJourney], *, rider: RiderCategory, medium: FareMedium
) -> list[PricedJourney]:
    """The cheapest first, those of one price in the order of the set, those without a price last."""

    def key(each: PricedJourney) -> tuple[bool, int]:
        total = each.find_total(rider, medium)
        return total is None, total or 0

    return sorted(found, key=key)


def _price_or_reason(
    fares: NetworkFares | None, journey: Journey, rider: RiderCategory, medium: FareMedium
) -> Priced:
    if fares is None:
        return Priced(rider, medium, None, NO_TARIFF)
    try:
        price = fares.price_party(journey=journey, riders=[rider], medium=medium)[0]
    except FareNotFound as error:
        return Priced(rider, medium, None, str(error))
    return Priced(rider, medium, price, None)


def _passes(fares: NetworkFares | None, journey: Journey, prices: Sequence[Priced]) -> tuple[PassOption, ...]:
    """Beside our own ticket's price, which is what the passes sold here stand against."""
    own = next((each.price for each in prices if each.medium is FareMedium.APP and each.price), None)
    return () if own is None else _options(fares, journey, own)


def _options(fares: NetworkFares | None, journey: Journey, own: JourneyPrice) -> tuple[PassOption, ...]:
    is_ours = all(component.networks for component in own.components)
    if fares is None or fares.tables is None or not own.components or not is_ours:
        return ()
    return tuple(list_pass_options(fares.tables, journey=journey, price=own, day=service_date_of(journey)))
