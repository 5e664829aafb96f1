"""The tables of a tariff: what each row means.

Idea      A table is a frozen dataclass; csv_tables.py reads it by the annotations of its fields. Every row is
          dated and names its source.
Not here  Rules between tables (check.py) and the choice of the rows in force (in_force.py).
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from maas.fares.csv_tables import Dated, KmTenths

World = Literal["ic", "ticket"]


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
    rule: Literal["distance", "zones", "flat", "sections", "ship", "timed"]
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
class ZoneRow(Dated):
    """The zone that a stop lies in. A stop on a border lies in one zone for each row it has."""

    table: ClassVar[str] = "zones"
    network_id: str
    station: str
    zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneFareRow(Dated):
    """The adult fare between two zones, or within one; both directions."""

    table: ClassVar[str] = "zone_fares"
    network_id: str
    zone: str
    other_zone: str
    ic_minor: int | None
    ticket_minor: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MinimumRow(Dated):
    """The least adult fare of a network, whatever its other tables say."""

    table: ClassVar[str] = "minimum_fares"
    network_id: str
    ic_minor: int
    ticket_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedSectionRow(Dated):
    """A station of a section that two networks own together, such as 目黒-白金高輪 of Metro and Toei.

    A ride between two of its stations is the other network's when it goes on with that network without
    leaving the gates, whichever trains were taken.
    """

    table: ClassVar[str] = "shared_sections"
    network_id: str
    other_network_id: str
    station: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplementRow(Dated):
    """What a class costs beside the fare: a seat, a berth, a room. `per` party: once for all who ride."""

    table: ClassVar[str] = "supplements"
    network_id: str
    fare_class: str
    per: Literal["rider", "party"]
    adult_minor: int
    child_minor: int
    name: str
    name_en: str


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
    """How a child's fare comes from the adult's. `network_id` * is for all that have no row of their own.

    With `ic_flat_minor` a child pays that by IC, whatever the distance.
    """

    table: ClassVar[str] = "child_rules"
    network_id: str
    percent: int
    ic_step_minor: int
    ic_rounding: Literal["up", "down"]
    ticket_step_minor: int
    ticket_rounding: Literal["up", "down"]
    ic_flat_minor: int | None


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
    ZoneRow,
    ZoneFareRow,
    MinimumRow,
    SharedSectionRow,
    SupplementRow,
    ShipFareRow,
    SurchargeRow,
    ShipClassRow,
    TimedRow,
    ChildRow,
    ConcessionRow,
    PassRow,
    CapRow,
)
