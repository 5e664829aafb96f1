"""All fares of a published network: our tariff tables first, then what the feeds say themselves.

Problem   One journey may lead over a line with tables of ours and on by a bus whose fares are in its feed.
Idea      Ask the tables for the whole journey. Where they are silent, part it: legs that the tables price by
          themselves stay with them, every other leg is its feed's; each part is priced by its owner, and
          the components are put together in the order of the legs. The feeds' documents are in the
          network's folder, one for each feed that has fares.
Invariant A journey that the tables price whole is priced by them alone. Every leg is priced once. All parts
          are in one currency.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from gtfs.tables import Feed
from maas.errors import FareNotFound
from maas.fares.engine import FareEngine
from maas.fares.feed_fares import FeedFares, FeedPricer
from maas.fares.riders import Company, list_companies
from maas.journeys import Journey, Leg, Mode
from maas.prices import FareComponent, FareMedium, JourneyPrice, RiderCategory
from payments.money import Money

NO_TARIFF = "The network has no tariffs, and its feeds have no fares. Load it with --tariffs."
_TABLES = ""


@dataclass(frozen=True, slots=True)
class _Part:
    """Legs of one owner: their places in the journey, and the journey they make."""

    owner: str
    places: tuple[int, ...]
    journey: Journey


@dataclass(frozen=True, slots=True)
class _Payer:
    """A rider of the party, what they pay as, with whom, on what."""

    rider: RiderCategory
    pays_as: RiderCategory
    company: Company
    medium: FareMedium


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkFares:
    """`tables` is None where the network has no tariff folder; `feeds` holds the feeds with fares."""

    tables: FareEngine | None
    feeds: Mapping[str, FeedPricer]

    def price_party(
        self,
        *,
        journey: Journey,
        riders: Sequence[RiderCategory],
        medium: FareMedium,
        fare_class: str | None = None,
        home: str | None = None,
    ) -> list[JourneyPrice]:
        """One price a rider of a party that rides together, in the order given. Raises FareNotFound."""
        silent = FareNotFound(NO_TARIFF)
        if self.tables is not None:
            try:
                return self.tables.price_party(
                    journey=journey, riders=riders, medium=medium, fare_class=fare_class, home=home
                )
            except FareNotFound as error:
                silent = error
        owners = [self._owner_of(leg, medium) for leg in journey.legs]
        if not set(owners) - {_TABLES}:
            raise silent
        parts = _list_parts(journey, owners)
        return [
            self._price_parts(parts, _Payer(rider, pays_as, company, medium), silent)
            for rider, pays_as, company in list_companies(riders, home=home)
        ]

    def _owner_of(self, leg: Leg, medium: FareMedium) -> str:
        feed_id = (leg.route_id or "").partition(":")[0]
        if leg.mode is Mode.WALK or feed_id not in self.feeds:
            return _TABLES
        if self.tables is None:
            return feed_id
        try:
            self.tables.price(journey=_of([leg]), rider=RiderCategory.ADULT, medium=medium)
        except FareNotFound:
            return feed_id
        return _TABLES

    def _price_parts(self, parts: Sequence[_Part], payer: _Payer, silent: FareNotFound) -> JourneyPrice:
        components = [
            replace(component, leg_indices=tuple(part.places[index] for index in component.leg_indices))
            for part in parts
            for component in self._price_part(part, payer, silent)
        ]
        currencies = {component.amount.currency for component in components}
        if len(currencies) > 1:
            raise FareNotFound(f"the journey is priced in {' and '.join(sorted(currencies))}")
        total = sum(component.amount.amount_minor for component in components)
        return JourneyPrice(
            rider=payer.rider,
            medium=payer.medium,
            total=Money(total, currencies.pop()),
            components=tuple(components),
        )

    def _price_part(self, part: _Part, payer: _Payer, silent: FareNotFound) -> Iterable[FareComponent]:
        if part.owner == _TABLES:
            if self.tables is None:
                raise silent
            return self.tables.price(
                journey=part.journey, rider=payer.pays_as, medium=payer.medium, company=payer.company
            ).components
        try:
            pricer = self.feeds[part.owner]
            return pricer.price(part.journey, rider=payer.pays_as, medium=payer.medium).components
        except FareNotFound as error:
            # What our tables lack is the cure that an operator can bring; the feed's reason goes along.
            raise FareNotFound(f"{silent}; nor does the feed: {error}") from error


def _list_parts(journey: Journey, owners: Sequence[str]) -> list[_Part]:
    """Neighbouring rides of one owner, in order; walks part nothing."""
    rides = [place for place, leg in enumerate(journey.legs) if leg.mode is not Mode.WALK]
    parts = []
    for owner, group in groupby(rides, key=lambda place: owners[place]):
        places = tuple(group)
        parts.append(_Part(owner, places, _of(journey.legs[place] for place in places)))
    return parts


FEED_FARES = "feed_fares"
"""The folder of the feeds' own fares inside a network's folder."""


def write_feed_fares(folder: Path, feeds: Iterable[Feed]) -> None:
    """Keep the fares of the feeds that have some beside a compiled network in `folder`."""
    found = [fares for fares in map(FeedFares.find_in, feeds) if fares is not None]
    if found:
        (folder / FEED_FARES).mkdir()
    for number, fares in enumerate(found):
        (folder / FEED_FARES / f"{number:03}.json").write_bytes(fares.to_json())


def open_network_fares(folder: Path, tariffs: Path) -> NetworkFares | None:
    """The fares of the network in `folder`; None where it has none at all. Raises TariffUnreadable."""
    documents = sorted((folder / FEED_FARES).glob("*.json"))
    feeds = [FeedFares.from_json(path.read_bytes()) for path in documents]
    tables = FareEngine.from_folder(tariffs) if tariffs.is_dir() else None
    if tables is None and not feeds:
        return None
    return NetworkFares(tables=tables, feeds={fares.feed_id: FeedPricer(fares) for fares in feeds})


def _of(legs: Iterable[Leg]) -> Journey:
    return Journey(journey_id="", legs=tuple(legs), network_version="")
