"""The tariff of one service date: the rows in force, arranged for questions.

Idea      All dates on which any row begins or ends cut time into stretches. Within one stretch the tariff
          does not change, so one `TariffInForce` serves it and may keep what it computed.
Invariant A row is asked for only through the stretch its dates allow: an old fare cannot leak into a new day.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any, TypeVar, cast

from maas.fares.csv_tables import Dated
from maas.fares.kilometres import KmGraph
from maas.fares.tables import (
    BandRow,
    CapRow,
    ChildRow,
    ConcessionRow,
    DiscountRow,
    FlatRow,
    LineKmRow,
    LinkRow,
    MinimumRow,
    NetworkRow,
    PassRow,
    SectionRow,
    SharedSectionRow,
    ShipClassRow,
    ShipFareRow,
    SpecialRow,
    StopRow,
    SupplementRow,
    SurchargeRow,
    TimedRow,
    ZoneFareRow,
    ZoneRow,
)

RowType = TypeVar("RowType", bound=Dated)
Rows = Mapping[type[Dated], tuple[Dated, ...]]
DOTTED_PARTS = 3


def rows_of(rows: Rows, row_type: type[RowType]) -> tuple[RowType, ...]:
    """The rows of one table, typed."""
    return cast("tuple[RowType, ...]", rows.get(row_type, ()))


def pair(station: str, other: str) -> tuple[str, str]:
    """The two stations in an order that does not depend on the direction of travel."""
    return (station, other) if station <= other else (other, station)


class TariffInForce:
    """Questions to the rows valid on one day. Answers None where the tariff is silent."""

    def __init__(self, rows: Rows, day: date) -> None:
        def on(row_type: type[RowType]) -> tuple[RowType, ...]:
            return tuple(row for row in rows_of(rows, row_type) if row.is_valid_on(day))

        self.networks: dict[str, list[NetworkRow]] = defaultdict(list)
        for network in on(NetworkRow):
            self.networks[network.operator_id].append(network)
        self.network_by_id = {row.network_id: row for row in on(NetworkRow)}
        self.shared_sections = _shared_sections(on(SharedSectionRow))
        self.stops = {(row.stop_list, row.stop_id): row.station for row in on(StopRow)}
        self.graphs = _build_graphs(on(LineKmRow), on(LinkRow))
        self.junctions = _junctions(on(LinkRow))
        self.gate_windows = {
            (row.network_id, *pair(row.station, row.other_station)): row.within_s
            for row in on(LinkRow)
            if row.network_id == row.other_network_id and row.within_s is not None
        }
        self.bands = _group_by_network(on(BandRow))
        self.specials = {
            (row.network_id, *pair(row.station, row.other_station)): row for row in on(SpecialRow)
        }
        self.discounts = _discounts(on(DiscountRow))
        self.flats = {row.network_id: row for row in on(FlatRow)}
        self.sections = {
            (row.network_id, *pair(row.station, row.other_station)): row for row in on(SectionRow)
        }
        self.zones: dict[tuple[str, str], list[str]] = defaultdict(list)
        for zone in on(ZoneRow):
            self.zones[zone.network_id, zone.station].append(zone.zone)
        self.zone_fares = {(row.network_id, *pair(row.zone, row.other_zone)): row for row in on(ZoneFareRow)}
        self.minima = {row.network_id: row for row in on(MinimumRow)}
        self.supplements: dict[tuple[str, str], list[SupplementRow]] = defaultdict(list)
        for supplement in on(SupplementRow):
            self.supplements[supplement.network_id, supplement.fare_class].append(supplement)
        self.ship_fares = {
            (row.network_id, *pair(row.station, row.other_station), row.fare_class): row
            for row in on(ShipFareRow)
        }
        self.surcharges = {
            (row.network_id, *pair(row.station, row.other_station), row.fare_class): row
            for row in on(SurchargeRow)
        }
        self.classes = _group_by_network(on(ShipClassRow))
        self.timed = {row.network_id: row for row in on(TimedRow)}
        self.children = {row.network_id: row for row in on(ChildRow)}
        self.concessions: dict[tuple[str, str], list[ConcessionRow]] = defaultdict(list)
        for concession in on(ConcessionRow):
            self.concessions[concession.network_id, concession.rider].append(concession)
        self.passes = on(PassRow)
        self.caps = on(CapRow)
        self.run_fares: dict[tuple[object, ...], Any] = {}
        self.promised: dict[str, tuple[tuple[PassRow, frozenset[str], int], ...]] = {}
        self.cheapest_products: dict[str, int] = {}
        self.joint_paths: dict[tuple[str, ...], tuple[str, str] | None] = {}

    def find_network(self, operator_id: str, route_id: str) -> NetworkRow | None:
        """The first network of the operator whose routes match; `route_id` without its feed."""
        matching = (row for row in self.networks.get(operator_id, ()) if _matches(row.routes, route_id))
        return next(matching, None)

    def find_station(self, network: NetworkRow, stop_id: str) -> str | None:
        """The tariff's station for a stop id without its feed."""
        if network.stations == "any":
            return stop_id
        if network.stations != "dotted":
            whole, _, platform = stop_id.rpartition(".")
            known = self.stops.get((network.stations, stop_id))
            return (
                self.stops.get((network.stations, whole)) if known is None and platform.isdigit() else known
            )
        parts = stop_id.split(".")
        return parts[DOTTED_PARTS - 1] if len(parts) >= DOTTED_PARTS else None

    def is_same_station(self, network_id: str, station: str, other: str) -> bool:
        """Whether the tariff takes two names as one station, so that changing there does not end a fare."""
        if station == other:
            return True
        graph = self.graphs.get(network_id)
        return graph is not None and graph.distances(station).get(other) == 0

    def find_gate_window(self, network_id: str, station: str, other: str) -> int | None:
        """The seconds in which one may change between two stations outside the gates; None where not so."""
        return self.gate_windows.get((network_id, *pair(station, other)))

    def find_class(self, network_id: str, fare_class: str | None) -> ShipClassRow | None:
        """The class by its name or alias; the default class for None."""
        classes = self.classes.get(network_id, ())
        if fare_class is None:
            return next((row for row in classes if row.is_default), None)
        return next((row for row in classes if fare_class in (row.fare_class, row.alias)), None)

    def sells_class(self, network_id: str, fare_class: str) -> bool:
        """Whether a network sells that class, as a ship's or for a supplement."""
        return (
            self.find_class(network_id, fare_class) is not None
            or (network_id, fare_class) in self.supplements
        )

    def list_other_owners(self, network_id: str, station: str, other: str) -> frozenset[str]:
        """The networks that own the section between two stations together with this one."""
        shared = self.shared_sections.get
        return shared((network_id, station), frozenset()) & shared((network_id, other), frozenset())

    def get_child_rule(self, network_id: str) -> ChildRow:
        """The network's own rule, else the common one (check.py made sure there is one)."""
        return self.children.get(network_id) or self.children["*"]


class DatedTariff:
    """All versions of a tariff; `on(day)` is the one in force on a service date."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._cuts = _cuts(row for table in rows.values() for row in table)
        self._stretches: dict[int, TariffInForce] = {}

    def on(self, day: date) -> TariffInForce:
        """The tariff of a service date; built at its first use, then kept."""
        stretch = bisect_right(self._cuts, day)
        tariff = self._stretches.get(stretch)
        if tariff is None:
            tariff = self._stretches[stretch] = TariffInForce(self._rows, day)
        return tariff


def _cuts(rows: Iterable[Dated]) -> list[date]:
    cuts = set()
    for row in rows:
        cuts.add(row.valid_from)
        if row.valid_to is not None:
            cuts.add(row.valid_to + timedelta(days=1))
    return sorted(cuts)


def _matches(patterns: str, route_id: str) -> bool:
    return any(
        route_id.startswith(pattern[:-1]) if pattern.endswith("*") else route_id == pattern
        for pattern in patterns.split()
    )


GroupedType = TypeVar("GroupedType", BandRow, ShipClassRow)


def _group_by_network(rows: Iterable[GroupedType]) -> dict[str, list[GroupedType]]:
    grouped: dict[str, list[GroupedType]] = defaultdict(list)
    for row in rows:
        grouped[row.network_id].append(row)
    return dict(grouped)


def _build_graphs(kilometres: Iterable[LineKmRow], links: Iterable[LinkRow]) -> dict[str, KmGraph]:
    edges: dict[str, list[tuple[str, str, int]]] = defaultdict(list)
    before: dict[tuple[str, str], LineKmRow] = {}
    for row in kilometres:
        last = before.get((row.network_id, row.line))
        if last is not None:
            edges[row.network_id].append((last.station, row.station, row.km - last.km))
        before[row.network_id, row.line] = row
    for link in links:
        if link.network_id == link.other_network_id:
            edges[link.network_id].append((link.station, link.other_station, 0))
    return {network_id: KmGraph(found) for network_id, found in edges.items()}


def _junctions(links: Iterable[LinkRow]) -> dict[tuple[str, str], list[tuple[str, str]]]:
    junctions: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for row in links:
        if row.network_id != row.other_network_id:
            junctions[row.network_id, row.other_network_id].append((row.station, row.other_station))
            junctions[row.other_network_id, row.network_id].append((row.other_station, row.station))
    return dict(junctions)


def _shared_sections(rows: Iterable[SharedSectionRow]) -> dict[tuple[str, str], frozenset[str]]:
    """For a network and a station, the networks that own a section with that station too."""
    owners: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in rows:
        owners[row.network_id, row.station].add(row.other_network_id)
        owners[row.other_network_id, row.station].add(row.network_id)
    return {key: frozenset(found) for key, found in owners.items()}


def _discounts(rows: Iterable[DiscountRow]) -> dict[tuple[str, str, str], DiscountRow]:
    found: dict[tuple[str, str, str], DiscountRow] = {}
    for row in rows:
        found[row.kind, row.network_id, row.other_network_id] = row
        found[row.kind, row.other_network_id, row.network_id] = row
    return found
