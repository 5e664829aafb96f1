"""Read a tariff folder: small CSV tables, one row type each, judged row by row.

Problem   A tariff is typed by people from a printed table. A wrong digit must be found at loading, with its
          file, row and field, and never as a wrong price.
Idea      A table is a frozen dataclass; the annotation of a field is its parser. Every row is dated
          (`valid_from` to `valid_to`, both inclusive, empty = open) and names its source. All problems of a
          folder are collected and raised together.
Not here  Rules between tables (check.py) and the choice of the rows in force (in_force.py).
"""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from datetime import date
from pathlib import Path
from typing import ClassVar, Literal, NewType, TypeVar, get_args, get_origin, get_type_hints

from maas.errors import TariffUnreadable

KmTenths = NewType("KmTenths", int)
World = Literal["ic", "ticket"]
AMOUNT_MINOR_MAX = 10_000_000
BYTES_MAX = 20_000_000
KM_DIGITS_MAX = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class TariffProblem:
    """One cell that cannot be used. `row` counts from 1 with the header as row 1; 0 means the whole file."""

    file: str
    row: int
    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.file} row {self.row} {self.field}: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dated:
    """What every row carries. A fare changes with the first train of `valid_from`'s service day."""

    table: ClassVar[str] = ""
    valid_from: date
    valid_to: date | None
    source: str
    row: int = field(default=0, compare=False)

    def is_valid_on(self, day: date) -> bool:
        """Whether the row is in force on a service date."""
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkRow(Dated):
    """A set of lines priced by one rule. The first row whose operator and routes match a leg prices it.

    `routes` are route ids without the feed, parted by spaces; a trailing * matches any ending.
    `stations` tells how a stop id becomes a station: `dotted` (Operator.Line.Station, a platform suffix such
    as .1 is dropped), `any` (the fare does not ask), or the name of a list in stops.csv (exact, else without
    suffix). `worlds` are the price worlds sold; `card` is a contactless bank card at the ticket's fare;
    `app_world` is the world our own ticket is sold in.
    """

    table: ClassVar[str] = "networks"
    network_id: str
    operator_id: str
    rule: Literal["distance", "flat", "sections", "ship", "timed"]
    stations: str
    routes: str
    worlds: Literal["ic ticket card", "ic ticket", "ticket", "ic"]
    app_world: World
    name: str
    name_en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRow(Dated):
    """A stop id of a feed (without the feed) and the station it means in the tariff."""

    table: ClassVar[str] = "stops"
    stop_list: str
    stop_id: str
    station: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LineKmRow(Dated):
    """A station on a line at its tariff kilometre. A loop names its first station twice."""

    table: ClassVar[str] = "line_km"
    network_id: str
    line: str
    station: str
    km: KmTenths


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRow(Dated):
    """Two station names that are one station for the tariff; between two networks, where one may change.

    Within a network, `within_s` says that the change passes out of the gates and in again (改札外乗換): a
    fare goes on when the next train is boarded so many seconds after alighting. The names may be one.
    """

    table: ClassVar[str] = "links"
    network_id: str
    station: str
    other_network_id: str
    other_station: str
    within_s: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BandRow(Dated):
    """The adult fare for `km_from` to `km_to` whole kilometres, both inclusive."""

    table: ClassVar[str] = "distance_bands"
    network_id: str
    km_from: int
    km_to: int
    ic_minor: int | None
    ticket_minor: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecialRow(Dated):
    """The adult fare between two stations that the bands do not give; both directions."""

    table: ClassVar[str] = "special_fares"
    network_id: str
    station: str
    other_station: str
    ic_minor: int | None
    ticket_minor: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscountRow(Dated):
    """Taken off: `joint` once for two networks ridden as one; `boarding` off a second boarding in time.

    The second network is boarded at most `within_s` seconds after `window_from`, boarding or alighting the
    first; a joint row without `within_s` has no limit. Media that have no discount have the amount 0.
    """

    table: ClassVar[str] = "discounts"
    discount_id: str
    kind: Literal["joint", "boarding"]
    network_id: str
    other_network_id: str
    within_s: int | None
    window_from: Literal["boarding", "alighting"]
    adult_ic_minor: int
    adult_ticket_minor: int
    child_ic_minor: int
    child_ticket_minor: int
    name: str
    name_en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatRow(Dated):
    """One fare for any ride. Child amounts only where the child rule does not give them."""

    table: ClassVar[str] = "flat_fares"
    network_id: str
    ic_minor: int | None
    ticket_minor: int | None
    child_ic_minor: int | None
    child_ticket_minor: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionRow(Dated):
    """The adult fare between two stops of a bus; both directions."""

    table: ClassVar[str] = "section_fares"
    network_id: str
    station: str
    other_station: str
    ic_minor: int | None
    ticket_minor: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipFareRow(Dated):
    """The adult base fare of a class between two ports; both directions. The surcharge is its own table."""

    table: ClassVar[str] = "ship_fares"
    network_id: str
    station: str
    other_station: str
    fare_class: str
    base_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SurchargeRow(Dated):
    """The fuel surcharge (燃料油価格変動調整金) of a class between two ports; both directions."""

    table: ClassVar[str] = "fuel_surcharges"
    network_id: str
    station: str
    other_station: str
    fare_class: str
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipClassRow(Dated):
    """A class a ship sells. With `ratio_percent`, it costs that much of class `of_class`, rounded to 10 yen.

    `alias` is accepted for `fare_class`; the class with `is_default` 1 is sold when none is asked for.
    `fare_class` is the id that offers, berths and tickets carry; `name` is what the operator calls it.
    """

    table: ClassVar[str] = "ship_classes"
    network_id: str
    fare_class: str
    alias: str
    name: str
    name_en: str
    of_class: str | None
    ratio_percent: int | None
    is_default: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedRow(Dated):
    """A fare by minutes used: `first_minor` for the first `first_s` seconds, `step_minor` per begun step."""

    table: ClassVar[str] = "timed_fares"
    network_id: str
    first_s: int
    first_minor: int
    step_s: int
    step_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildRow(Dated):
    """How a child's fare comes from the adult's. `network_id` * is for all that have no row of their own."""

    table: ClassVar[str] = "child_rules"
    network_id: str
    percent: int
    ic_step_minor: int
    ic_rounding: Literal["up", "down"]
    ticket_step_minor: int
    ticket_rounding: Literal["up", "down"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRow(Dated):
    """What a customer's cancellation costs. The first row that matches decides (see refunds.py).

    `product` is a network, a discount, an operator, or *; `fare_class` a class or *. At least
    `days_before_min` whole days are left before departure; empty = after departure too.
    """

    table: ClassVar[str] = "refund_rules"
    rule_id: str
    product: str
    fare_class: str
    days_before_min: int | None
    fee_percent: int
    fee_minor_min: int
    text: str
    text_en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConcessionRow(Dated):
    """What a rider pays, in percent of the adult's fare. The first row that matches decides; none: all of it.

    `station`: only rides from or to it; empty = any. `fare_class`: a ship's class, or * for any.
    `rides_with`: only when a rider of that category rides along, one for each. `party_min`: only when at
    least so many of the category ride together. `proof` is what the rider shows.
    """

    table: ClassVar[str] = "concessions"
    network_id: str
    rider: Literal["student", "senior", "disabled", "helper", "islander", "group"]
    station: str | None
    fare_class: str
    rides_with: str | None
    party_min: int
    percent: int
    ic_step_minor: int
    ic_rounding: Literal["up", "down"]
    ticket_step_minor: int
    ticket_rounding: Literal["up", "down"]
    proof: str
    proof_en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PassRow(Dated):
    """A product that covers any number of rides on its networks (ids parted by spaces).

    `count` hours from the first entry (an entry in time may leave later), `count` service days, or `count`
    calendar months. Children without an amount are not sold one. With `in_promise` 0 it is sold to some only
    (visitors, say), so the best-fare promise does not use it.
    """

    table: ClassVar[str] = "passes"
    pass_id: str
    unit: Literal["hour", "day", "month"]
    count: int
    networks: str
    adult_minor: int
    child_minor: int | None
    in_promise: int
    name: str
    name_en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CapRow(Dated):
    """The most that fares of these networks cost in a service day or a week from Monday."""

    table: ClassVar[str] = "caps"
    cap_id: str
    period: Literal["day", "week"]
    networks: str
    adult_minor: int
    child_minor: int
    name: str
    name_en: str


RowType = TypeVar("RowType", bound=Dated)
TABLES: tuple[type[Dated], ...] = (
    NetworkRow,
    StopRow,
    LineKmRow,
    LinkRow,
    BandRow,
    SpecialRow,
    DiscountRow,
    FlatRow,
    SectionRow,
    ShipFareRow,
    SurchargeRow,
    ShipClassRow,
    TimedRow,
    ChildRow,
    ConcessionRow,
    PassRow,
    CapRow,
)


class BadCell(ValueError):
    """A cell that its field's type refuses; the message is the cure."""


def _parse_text(text: str) -> str:
    if not text:
        raise BadCell("is empty; fill it in")
    return text


def _parse_whole(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) > AMOUNT_MINOR_MAX:
        raise BadCell(f"{text!r} is no whole number from 0 to {AMOUNT_MINOR_MAX}; write digits only")
    return int(text)


def _parse_km(text: str) -> KmTenths:
    whole, point, tenths = text.partition(".")
    if (
        not (whole.isascii() and whole.isdigit())
        or len(whole) > KM_DIGITS_MAX
        or (point and not _is_digit(tenths))
    ):
        raise BadCell(f"{text!r} is no distance in km with at most one decimal; write it as 12.3")
    return KmTenths(int(whole) * 10 + int(tenths or 0))


def _is_digit(text: str) -> bool:
    return len(text) == 1 and text.isascii() and text.isdigit()


def _parse_day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadCell(f"{text!r} is no date; write it as 2026-03-14") from None


def _parse_one_of(choices: tuple[str, ...], text: str) -> str:
    if text not in choices:
        raise BadCell(f"{text!r} is none of: {', '.join(choices)}")
    return text


PARSERS: dict[object, Callable[[str], object]] = {
    str: _parse_text,
    int: _parse_whole,
    KmTenths: _parse_km,
    date: _parse_day,
}


def _parse_cell(kind: object, text: str) -> object:
    if get_origin(kind) is Literal:
        return _parse_one_of(get_args(kind), text)
    if type(None) in get_args(kind):
        inner = next(part for part in get_args(kind) if part is not type(None))
        return PARSERS[inner](text) if text else None
    return PARSERS[kind](text)


def read_table(folder: Path, row_type: type[RowType], problems: list[TariffProblem]) -> tuple[RowType, ...]:
    """The rows of a table; an absent file is an empty table. Problems are added to `problems`."""
    path = folder / f"{row_type.table}.csv"
    if not path.exists():
        return ()
    kinds = {name: kind for name, kind in get_type_hints(row_type).items() if name not in ("table", "row")}
    found = []
    try:
        if path.stat().st_size > BYTES_MAX:
            problems.append(_whole_file(path, f"is over {BYTES_MAX} bytes; a tariff table is small"))
            return ()
        lines = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines(), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        problems.append(_whole_file(path, f"is no UTF-8 CSV ({error}); save it as UTF-8 CSV"))
        return ()
    names = [cell.strip() for cell in lines[0]] if lines else []
    missing, unknown = sorted(kinds.keys() - set(names)), sorted(set(names) - kinds.keys())
    if missing or unknown or len(names) != len(set(names)):
        wanted = ",".join(f.name for f in fields(row_type) if f.name != "row")
        problems.append(
            _whole_file(path, f"has missing {missing} or unknown {unknown} columns; needs {wanted}")
        )
        return ()
    for number, cells in enumerate(lines[1:], start=2):
        if any(cell.strip() for cell in cells):
            found += list(
                _read_row(path.name, number, dict(zip(names, cells, strict=False)), row_type, problems)
            )
    return tuple(found)


def _whole_file(path: Path, message: str) -> TariffProblem:
    return TariffProblem(file=path.name, row=0, field="", message=message)


def _read_row(
    file: str, number: int, cells: dict[str, str], row_type: type[RowType], problems: list[TariffProblem]
) -> Iterator[RowType]:
    values: dict[str, object] = {"row": number}
    before = len(problems)
    for name, kind in get_type_hints(row_type).items():
        if name in ("table", "row"):
            continue
        try:
            values[name] = _parse_cell(kind, cells.get(name, "").strip())
        except BadCell as error:
            problems.append(TariffProblem(file=file, row=number, field=name, message=str(error)))
    if len(problems) == before:
        yield row_type(**values)  # type: ignore[arg-type]  # each value was parsed by its field's type


def raise_if_any(problems: list[TariffProblem]) -> None:
    """Raises TariffUnreadable naming the first twenty problems and their true count."""
    if problems:
        shown = "\n".join(str(problem) for problem in problems[:20])
        raise TariffUnreadable(f"{len(problems)} problem(s) in the tariff tables:\n{shown}")
