"""What the tables of a tariff must say together, judged when a folder is loaded.

Idea      Each rule looks at whole tables and names the row that breaks it: a table that names no known
          network, two rows for the same thing on the same day, bands with a gap, kilometres that fall, a link
          to nowhere.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from maas.fares.csv_tables import Dated, TariffProblem
from maas.fares.in_force import Rows, pair, rows_of
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
from maas.prices import RiderCategory

PERCENT_MAX = 100
PASS_COUNT_MAX = 400

KEYS: dict[type[Dated], Callable[..., object]] = {
    NetworkRow: lambda row: row.network_id,
    StopRow: lambda row: (row.stop_list, row.stop_id),
    BandRow: lambda row: (row.network_id, row.km_from),
    SpecialRow: lambda row: (row.network_id, *pair(row.station, row.other_station)),
    DiscountRow: lambda row: (row.kind, *pair(row.network_id, row.other_network_id)),
    FlatRow: lambda row: row.network_id,
    SectionRow: lambda row: (row.network_id, *pair(row.station, row.other_station)),
    ZoneRow: lambda row: (row.network_id, row.station, row.zone),
    ZoneFareRow: lambda row: (row.network_id, *pair(row.zone, row.other_zone)),
    MinimumRow: lambda row: row.network_id,
    SharedSectionRow: lambda row: (*pair(row.network_id, row.other_network_id), row.station),
    SupplementRow: lambda row: (row.network_id, row.fare_class, row.name),
    ShipFareRow: lambda row: (row.network_id, *pair(row.station, row.other_station), row.fare_class),
    SurchargeRow: lambda row: (row.network_id, *pair(row.station, row.other_station), row.fare_class),
    ShipClassRow: lambda row: (row.network_id, row.fare_class),
    TimedRow: lambda row: row.network_id,
    ChildRow: lambda row: row.network_id,
    ConcessionRow: lambda row: (
        row.network_id,
        row.rider,
        row.station,
        row.fare_class,
        row.rides_with,
        row.party_min,
    ),
    PassRow: lambda row: row.pass_id,
    CapRow: lambda row: row.cap_id,
}


def check_tables(rows: Rows) -> list[TariffProblem]:
    """All that the tables contradict each other in; empty when they agree."""
    return [
        *_check_periods(rows),
        *_check_networks_known(rows),
        *_check_one_row_a_day(rows),
        *_check_bands(rows_of(rows, BandRow)),
        *_check_kilometres(rows_of(rows, LineKmRow)),
        *_check_stations_known(rows),
        *_check_zones(rows),
        *_check_classes(rows_of(rows, ShipClassRow)),
        *_check_child_rule(rows_of(rows, ChildRow)),
        *_check_concessions(rows_of(rows, ConcessionRow)),
        *_check_products(rows),
    ]


def _problem(row: Dated, field: str, message: str) -> TariffProblem:
    return TariffProblem(file=f"{row.table}.csv", row=row.row, field=field, message=message)


def _check_periods(rows: Rows) -> Iterator[TariffProblem]:
    for row in (row for table in rows.values() for row in table):
        if row.valid_to is not None and row.valid_to < row.valid_from:
            yield _problem(row, "valid_to", "is before valid_from; swap or correct them")


def _check_networks_known(rows: Rows) -> Iterator[TariffProblem]:
    known = {network.network_id for network in rows_of(rows, NetworkRow)} | {"*"}
    for row in (row for table in rows.values() for row in table):
        for field in ("network_id", "other_network_id"):
            named = getattr(row, field, "*")
            if named not in known:
                yield _problem(row, field, f"{named!r} is not in networks.csv; add it there or correct it")


def _check_one_row_a_day(rows: Rows) -> Iterator[TariffProblem]:
    for row_type, key in KEYS.items():
        same: dict[object, list[Dated]] = defaultdict(list)
        for row in rows.get(row_type, ()):
            for other in same[key(row)]:
                if other.is_valid_on(row.valid_from) or row.is_valid_on(other.valid_from):
                    yield _problem(
                        row, "valid_from", f"overlaps row {other.row}; end the older row with valid_to"
                    )
            same[key(row)].append(row)


def _check_bands(bands: Iterable[BandRow]) -> Iterator[TariffProblem]:
    """Bands of one version of one network follow each other without gap or overlap."""
    before: dict[object, BandRow] = {}
    for row in bands:
        last = before.get((row.network_id, row.valid_from))
        expected = 1 if last is None else last.km_to + 1
        if row.km_from != expected:
            yield _problem(
                row, "km_from", f"is {row.km_from}, but the band before ends so that it must be {expected}"
            )
        if row.km_to < row.km_from:
            yield _problem(row, "km_to", "is below km_from; correct one of them")
        before[row.network_id, row.valid_from] = row


def _check_kilometres(kilometres: Iterable[LineKmRow]) -> Iterator[TariffProblem]:
    before: dict[object, LineKmRow] = {}
    for row in kilometres:
        last = before.get((row.network_id, row.line))
        if last is not None and row.km <= last.km:
            yield _problem(
                row, "km", "does not rise along the line; list stations in order with cumulative km"
            )
        before[row.network_id, row.line] = row


def _check_stations_known(rows: Rows) -> Iterator[TariffProblem]:
    stations = {(row.network_id, row.station) for row in rows_of(rows, LineKmRow)}
    links = [(row, row.network_id, row.station) for row in rows_of(rows, LinkRow)]
    others = [(row, row.other_network_id, row.other_station) for row in rows_of(rows, LinkRow)]
    specials = [(row, row.network_id, name) for row in rows_of(rows, SpecialRow) for name in _ends(row)]
    shared = [
        (row, network_id, row.station)
        for row in rows_of(rows, SharedSectionRow)
        for network_id in (row.network_id, row.other_network_id)
    ]
    for row, network_id, station in [*links, *others, *specials, *shared]:
        if (network_id, station) not in stations:
            yield _problem(
                row, "station", f"{station!r} of {network_id} is not in line_km.csv; correct the name"
            )


def _ends(row: SpecialRow) -> tuple[str, str]:
    return row.station, row.other_station


def _check_zones(rows: Rows) -> Iterator[TariffProblem]:
    known = {(row.network_id, row.zone) for row in rows_of(rows, ZoneRow)}
    for row in rows_of(rows, ZoneFareRow):
        for field in ("zone", "other_zone"):
            if (row.network_id, getattr(row, field)) not in known:
                yield _problem(row, field, "is no zone of a stop in zones.csv; correct the name")


def _check_classes(classes: tuple[ShipClassRow, ...]) -> Iterator[TariffProblem]:
    for row in classes:
        if (row.of_class is None) != (row.ratio_percent is None):
            yield _problem(row, "ratio_percent", "and of_class belong together; fill in both or neither")
        base = [
            other
            for other in classes
            if (other.network_id, other.fare_class) == (row.network_id, row.of_class)
        ]
        if row.of_class is not None and not any(other.of_class is None for other in base):
            yield _problem(row, "of_class", f"{row.of_class!r} is no class with a fare of its own; name one")


def _check_child_rule(rules: tuple[ChildRow, ...]) -> Iterator[TariffProblem]:
    common = [row for row in rules if row.network_id == "*"]
    if not common or any(row.valid_to is not None for row in common[-1:]):
        yield TariffProblem(
            file="child_rules.csv",
            row=0,
            field="network_id",
            message="needs an open-ended row for *; add one",
        )
    for row in rules:
        for field in ("ic_step_minor", "ticket_step_minor"):
            if getattr(row, field) == 0:
                yield _problem(row, field, "is 0; fares are rounded to 1 yen at least")


def _check_concessions(concessions: tuple[ConcessionRow, ...]) -> Iterator[TariffProblem]:
    riders = {rider.value for rider in RiderCategory}
    for row in concessions:
        if row.percent > PERCENT_MAX:
            yield _problem(row, "percent", f"is {row.percent}; a concession costs 100 percent at most")
        if row.rides_with is not None and row.rides_with not in riders:
            yield _problem(row, "rides_with", f"{row.rides_with!r} is none of: {', '.join(sorted(riders))}")
        for field in ("ic_step_minor", "ticket_step_minor", "party_min"):
            if getattr(row, field) == 0:
                yield _problem(row, field, "is 0; write 1 or more")


def _check_products(rows: Rows) -> Iterator[TariffProblem]:
    known = {network.network_id for network in rows_of(rows, NetworkRow)}
    products: list[PassRow | CapRow] = [*rows_of(rows, PassRow), *rows_of(rows, CapRow)]
    for row in products:
        for named in row.networks.split():
            if named not in known:
                yield _problem(row, "networks", f"{named!r} is not in networks.csv; correct it")
    for sold in rows_of(rows, PassRow):
        if not 1 <= sold.count <= PASS_COUNT_MAX:
            yield _problem(sold, "count", f"is {sold.count}; write 1 to {PASS_COUNT_MAX}")
        if sold.in_promise not in (0, 1):
            yield _problem(sold, "in_promise", f"is {sold.in_promise}; write 0 or 1")
