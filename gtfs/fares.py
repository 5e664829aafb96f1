"""Fares of a feed as records: Fares v2, and the older fare_attributes and fare_rules.

Problem   Fare rows are joined by seven kinds of id, and amounts are decimals of a currency.
Idea      Typed records with the joins done: networks by route, areas by stop, rules in order of priority.
Not here  Which fare a journey pays (maas/fares); money (payments). Amounts stay the exact decimals of the
          file.
Source    GTFS Schedule reference, Fares v2 and fare_attributes.txt.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Self, TypeVar

from gtfs.tables import Feed


@dataclass(frozen=True, slots=True, kw_only=True)
class FareProduct:
    """What can be bought. `rider_category_id` or `fare_media_id` None: for every rider, on every medium."""

    fare_product_id: str
    name: str | None
    rider_category_id: str | None
    fare_media_id: str | None
    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FareLegRule:
    """Which product a leg pays. None matches what no other rule names (or anything, with priorities)."""

    leg_group_id: str | None
    network_id: str | None
    from_area_id: str | None
    to_area_id: str | None
    from_timeframe_group_id: str | None
    to_timeframe_group_id: str | None
    fare_product_id: str
    priority: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FareLegJoinRule:
    """Two legs on these networks are one to the leg rules; `from_stop_id` None: wherever one changes."""

    from_network_id: str
    to_network_id: str
    from_stop_id: str | None
    to_stop_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FareTransferRule:
    """What an interchange between two legs costs. `count` -1: any number; `duration_s` None: no limit."""

    from_leg_group_id: str | None
    to_leg_group_id: str | None
    count: int | None
    duration_s: int | None
    duration_type: int | None
    fare_transfer_type: int
    fare_product_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeframe:
    """When a timeframe group holds: seconds of the local day, end exclusive, on dates of a service."""

    start_s: int
    end_s: int
    service_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatFare:
    """A row of fare_attributes.txt with its rules. `interchanges_max` None: any number."""

    fare_id: str
    amount: Decimal
    currency: str
    interchanges_max: int | None
    duration_s: int | None
    agency_id: str | None
    rules: tuple["FlatFareRule", ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatFareRule:
    """Where a flat fare holds; None: anywhere. Zones are `zone_id` of stops."""

    route_id: str | None
    origin_id: str | None
    destination_id: str | None
    contains_id: str | None


_DAY_S = 86_400
_JOIN_COLUMNS = ("from_network_id", "to_network_id", "from_stop_id", "to_stop_id")
K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class FareTables:
    """All fares of a feed, joined. `has_priorities`: some leg rule has one, so an empty field is any value.

    `parent_of_stop` and `zone_of_stop` hold the stops that have one.
    """

    products: tuple[FareProduct, ...]
    leg_rules: tuple[FareLegRule, ...]
    has_priorities: bool
    join_rules: tuple[FareLegJoinRule, ...]
    transfer_rules: tuple[FareTransferRule, ...]
    rider_names: Mapping[str, str]
    default_rider_category_id: str | None
    media_types: Mapping[str, int]
    timeframes: Mapping[str, tuple[Timeframe, ...]]
    areas_of_stop: Mapping[str, frozenset[str]]
    parent_of_stop: Mapping[str, str]
    zone_of_stop: Mapping[str, str]
    network_of_route: Mapping[str, str]
    flat_fares: tuple[FlatFare, ...]

    @classmethod
    def from_feed(cls, feed: Feed) -> Self:
        """The fares of a feed that the reader has judged."""
        riders = feed["rider_categories"].to_dicts()
        defaults = [row["rider_category_id"] for row in riders if row["is_default_fare_category"] == 1]
        return cls(
            products=_products(feed),
            leg_rules=_leg_rules(feed),
            has_priorities=feed["fare_leg_rules"]["rule_priority"].is_not_null().any(),
            join_rules=tuple(
                FareLegJoinRule(**row)
                for row in feed["fare_leg_join_rules"].select(_JOIN_COLUMNS).iter_rows(named=True)
            ),
            transfer_rules=_transfer_rules(feed),
            rider_names={row["rider_category_id"]: row["rider_category_name"] for row in riders},
            default_rider_category_id=defaults[0] if defaults else None,
            media_types={
                row["fare_media_id"]: row["fare_media_type"] for row in feed["fare_media"].to_dicts()
            },
            timeframes=_timeframes(feed),
            areas_of_stop=_areas(feed),
            parent_of_stop=dict(feed["stops"].select("stop_id", "parent_station").drop_nulls().rows()),
            zone_of_stop=dict(feed["stops"].select("stop_id", "zone_id").drop_nulls().rows()),
            network_of_route=_networks(feed),
            flat_fares=_flat_fares(feed),
        )

    def list_products(self, fare_product_id: str) -> list[FareProduct]:
        """The variants of a product by rider and medium."""
        return [product for product in self.products if product.fare_product_id == fare_product_id]


def _products(feed: Feed) -> tuple[FareProduct, ...]:
    return tuple(
        FareProduct(
            fare_product_id=row["fare_product_id"],
            name=row["fare_product_name"],
            rider_category_id=row["rider_category_id"],
            fare_media_id=row["fare_media_id"],
            amount=Decimal(row["amount"]),
            currency=row["currency"],
        )
        for row in feed["fare_products"].iter_rows(named=True)
    )


def _leg_rules(feed: Feed) -> tuple[FareLegRule, ...]:
    """Highest priority first; equal ones in the order of the file."""
    rules = [
        FareLegRule(
            leg_group_id=row["leg_group_id"],
            network_id=row["network_id"],
            from_area_id=row["from_area_id"],
            to_area_id=row["to_area_id"],
            from_timeframe_group_id=row["from_timeframe_group_id"],
            to_timeframe_group_id=row["to_timeframe_group_id"],
            fare_product_id=row["fare_product_id"],
            priority=row["rule_priority"] or 0,
        )
        for row in feed["fare_leg_rules"].iter_rows(named=True)
    ]
    return tuple(sorted(rules, key=lambda rule: -rule.priority))


def _transfer_rules(feed: Feed) -> tuple[FareTransferRule, ...]:
    return tuple(
        FareTransferRule(
            from_leg_group_id=row["from_leg_group_id"],
            to_leg_group_id=row["to_leg_group_id"],
            count=row["transfer_count"],
            duration_s=row["duration_limit"],
            duration_type=row["duration_limit_type"],
            fare_transfer_type=row["fare_transfer_type"],
            fare_product_id=row["fare_product_id"],
        )
        for row in feed["fare_transfer_rules"].iter_rows(named=True)
    )


def _timeframes(feed: Feed) -> dict[str, tuple[Timeframe, ...]]:
    pairs = (
        (
            row["timeframe_group_id"],
            Timeframe(
                start_s=row["start_time"] or 0,
                end_s=_DAY_S if row["end_time"] is None else row["end_time"],
                service_id=row["service_id"],
            ),
        )
        for row in feed["timeframes"].iter_rows(named=True)
    )
    return {group_id: tuple(frames) for group_id, frames in _group(pairs).items()}


def _areas(feed: Feed) -> dict[str, frozenset[str]]:
    pairs: list[tuple[str, str]] = feed["stop_areas"].select("stop_id", "area_id").rows()
    return {stop_id: frozenset(area_ids) for stop_id, area_ids in _group(pairs).items()}


def _networks(feed: Feed) -> dict[str, str]:
    """route_networks.txt, or the network_id of routes.txt where a feed uses that."""
    rows = feed["routes"].select("route_id", "network_id").drop_nulls().rows()
    return dict(rows) | dict(feed["route_networks"].select("route_id", "network_id").rows())


def _flat_fares(feed: Feed) -> tuple[FlatFare, ...]:
    rules = _group(
        (
            row["fare_id"],
            FlatFareRule(
                route_id=row["route_id"],
                origin_id=row["origin_id"],
                destination_id=row["destination_id"],
                contains_id=row["contains_id"],
            ),
        )
        for row in feed["fare_rules"].iter_rows(named=True)
    )
    return tuple(
        FlatFare(
            fare_id=row["fare_id"],
            amount=Decimal(row["price"]),
            currency=row["currency_type"],
            interchanges_max=row["transfers"],
            duration_s=row["transfer_duration"],
            agency_id=row["agency_id"],
            rules=tuple(rules.get(row["fare_id"], ())),
        )
        for row in feed["fare_attributes"].iter_rows(named=True)
    )


def _group(pairs: Iterable[tuple[K, V]]) -> dict[K, list[V]]:
    grouped: defaultdict[K, list[V]] = defaultdict(list)
    for key, value in pairs:
        grouped[key].append(value)
    return dict(grouped)
