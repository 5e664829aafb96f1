"""A feed's own fares beside its network: GTFS Fares v2, else fare_attributes, as one rider of ours pays them.

Problem   Another city has no tariff tables of ours, but its feed says what a ride costs, for riders and media
          by ids of its own.
Idea      `FeedFares` is what of a feed its prices need, kept with the compiled network; `FeedPricer` answers
          with it. A rider is the feed's category of the same name, an adult its default one; a medium is any
          of the feed's fare media of that GTFS type, and the cheapest of them is paid.
Rule      Our own ticket (APP) is sold at the feed's app fare, else at that of cash or paper. A feed that
          knows no media sells every fare on any. fare_attributes know adults only, and no media: tickets.
          Whom or what a feed does not know is not priced: a child pays no adult's fare by guess.
Not here  The rules of both generations (standard_v2.py, standard_v1.py); our own tables (engine.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Self
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter

from gtfs.fares import FareTables
from gtfs.service_calendar import ServiceCalendar, ServiceRule
from gtfs.tables import Feed
from maas.errors import FareNotFound
from maas.fares.standard import Origin, StandardPrice
from maas.fares.standard_v1 import FaresV1
from maas.fares.standard_v2 import FaresV2
from maas.journeys import Journey
from maas.prices import FareMedium, RiderCategory

CASH, PAPER, TRANSIT_CARD, BANK_CARD, APP = 0, 1, 2, 3, 4
_TYPES: dict[FareMedium, tuple[tuple[int, ...], ...]] = {
    FareMedium.IC: ((TRANSIT_CARD,),),
    FareMedium.TICKET: ((CASH, PAPER),),
    FareMedium.CARD: ((BANK_CARD,),),
    FareMedium.APP: ((APP,), (CASH, PAPER)),
}
"""GTFS fare_media_type for each medium, the first that a feed has."""

_OTHER_NAMES = {RiderCategory.CHILD: ("youth",), RiderCategory.SENIOR: ("elderly",)}


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedFares:
    """What of a feed its prices need. `zone` is the agencies' time zone."""

    feed_id: str
    zone: str
    tables: FareTables
    services: Mapping[str, ServiceRule]
    valid_from: date

    @classmethod
    def find_in(cls, feed: Feed) -> Self | None:
        """The fares of a feed that the reader has judged; None when it has none."""
        if not feed["fare_leg_rules"].height and not feed["fare_attributes"].height:
            return None
        calendar = ServiceCalendar.from_feed(feed)
        return cls(
            feed_id=feed.feed_id,
            zone=feed["agency"]["agency_timezone"][0],
            tables=FareTables.from_feed(feed),
            services=calendar.rules,
            valid_from=calendar.first_date or date.min,
        )

    def to_json(self) -> bytes:
        """The fares as a document, for `from_json`."""
        return _DOCUMENT.dump_json(self)

    @staticmethod
    def from_json(document: bytes) -> "FeedFares":
        """The fares that `to_json` wrote."""
        return _DOCUMENT.validate_json(document)


_DOCUMENT: TypeAdapter[FeedFares] = TypeAdapter(FeedFares)


class FeedPricer:
    """Prices journeys of one feed for our riders and media. Immutable; threads may share it."""

    def __init__(self, fares: FeedFares) -> None:
        self._fares = fares
        tables = fares.tables
        self._v2 = self._v1 = None
        if tables.leg_rules:
            self._v2 = FaresV2(
                tables,
                services=ServiceCalendar(fares.services),
                zone=ZoneInfo(fares.zone),
                origin=Origin(valid_from=fares.valid_from, source=f"{fares.feed_id}: GTFS Fares v2"),
            )
        else:
            origin = Origin(valid_from=fares.valid_from, source=f"{fares.feed_id}: GTFS fare_attributes")
            self._v1 = FaresV1(tables, origin=origin)

    def price(self, journey: Journey, *, rider: RiderCategory, medium: FareMedium) -> StandardPrice:
        """The least price by the feed's rules. Raises FareNotFound."""
        if self._v1 is not None:
            return self._price_v1(self._v1, journey, rider, medium)
        assert self._v2 is not None, "a feed with fares has one of both generations"
        category = self._find_category(rider)
        found: list[StandardPrice] = []
        refusals: list[FareNotFound] = []
        for media_id in self._list_media(medium):
            try:
                found.append(
                    self._v2.price(journey=journey, rider_category_id=category, fare_media_id=media_id)
                )
            except FareNotFound as error:
                refusals.append(error)
        if not found:
            raise refusals[0]
        return min(found, key=lambda price: price.total.amount_minor)

    def _price_v1(
        self, fares: FaresV1, journey: Journey, rider: RiderCategory, medium: FareMedium
    ) -> StandardPrice:
        if rider is not RiderCategory.ADULT:
            raise FareNotFound(f"feed {self._fares.feed_id} has fares for adults only")
        if medium not in {FareMedium.TICKET, FareMedium.APP}:
            raise FareNotFound(f"feed {self._fares.feed_id} has fares for tickets only")
        return fares.price(journey=journey)

    def _find_category(self, rider: RiderCategory) -> str | None:
        tables = self._fares.tables
        if not tables.rider_names:
            return None
        ids = {category_id.casefold(): category_id for category_id in tables.rider_names}
        for name in (rider.value, *_OTHER_NAMES.get(rider, ())):
            if name in ids:
                return ids[name]
        if rider is RiderCategory.ADULT:
            return tables.default_rider_category_id
        raise FareNotFound(f"feed {self._fares.feed_id} has no fares for the rider category {rider}")

    def _list_media(self, medium: FareMedium) -> list[str | None]:
        types = self._fares.tables.media_types
        if not types:
            return [None]
        for wanted in _TYPES[medium]:
            media = sorted(media_id for media_id, kind in types.items() if kind in wanted)
            if media:
                return list(media)
        raise FareNotFound(f"feed {self._fares.feed_id} sells no fares on {medium}")
