"""What a run costs by its network's rule: distance, zones, flat, sections, ship, timed.

Problem   Each operator counts differently, and each price must explain itself.
Idea      A rule is a pure function from a run to addends. All share one way from the adult's fare in a price
          world (IC to the yen, ticket to ten yen) to the child's; an infant with a paying rider is free.
Invariant Every addend names its rule, the date of its version and its source.
Not here  Joint fares and discounts between runs (engine.py).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from maas.errors import FareNotFound
from maas.fares.csv_tables import Dated
from maas.fares.in_force import pair
from maas.fares.riders import ALONE, RIDER_NAMES, Company
from maas.fares.runs import Run
from maas.fares.tables import (
    BandRow,
    ChildRow,
    ConcessionRow,
    FlatRow,
    SectionRow,
    ShipClassRow,
    SpecialRow,
    SupplementRow,
    World,
    ZoneFareRow,
)
from maas.prices import Addend, FareMedium, RiderCategory

SHIP_STEP_MINOR = 10
RUN_FARES_KEPT_MAX = 200_000
WHOLE_PERCENT = 100
WITHOUT_CONCESSION = (RiderCategory.ADULT, RiderCategory.CHILD, RiderCategory.INFANT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """For whom and in which medium a price is asked; `fare_class` None means each ship's default."""

    rider: RiderCategory
    medium: FareMedium
    fare_class: str | None
    company: Company = ALONE


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFare:
    """What a run costs, line by line. `fare_class` is a ship's class, None elsewhere."""

    addends: tuple[Addend, ...]
    fare_class: str | None = None

    @property
    def amount_minor(self) -> int:
        """The sum of the addends."""
        return sum(addend.amount_minor for addend in self.addends)


def world_of(run: Run, medium: FareMedium) -> World:
    """The price world a medium buys in: a network that sells one world sells it to every medium."""
    wanted: World = "ic" if medium is FareMedium.IC else "ticket"
    if medium is FareMedium.APP:
        wanted = run.network.app_world
    if run.network.worlds in {"ic ticket", "ic ticket card"}:
        return wanted
    return "ic" if run.network.worlds == "ic" else "ticket"


def price_run(run: Run, asked: Asked) -> RunFare:
    """The fare of a run for one rider. Raises FareNotFound where the tables are silent.

    A fare that does not hang on the clock is kept with the tariff: the next such run costs a look-up.
    """
    if run.network.rule == "timed":
        return _price_timed(run, asked)
    known = run.tariff.run_fares
    key = (run.network.network_id, run.origin, run.destination, *_names(run), asked)
    fare = known.get(key)
    if fare is None:
        if len(known) >= RUN_FARES_KEPT_MAX:
            known.clear()
        fare = known[key] = _with_supplements(run, asked, RULES[run.network.rule](run, asked))
    return fare


def check_card_taken(run: Run) -> None:
    """Raises FareNotFound where a network takes no contactless bank cards."""
    if "card" not in run.network.worlds:
        raise run.not_found(f"takes no contactless bank cards on {run.day}")


def _names(run: Run) -> tuple[str, str]:
    return run.first.origin.name, run.last.destination.name


def rider_amount(
    run: Run, asked: Asked, adult_minor: int, *, child_minor: int | None = None, world: World | None = None
) -> int:
    """What the rider pays where an adult pays `adult_minor`; `child_minor` overrides the child rule."""
    if asked.rider is RiderCategory.INFANT:
        return 0
    if asked.rider is RiderCategory.ADULT or asked.medium is FareMedium.CARD:
        return adult_minor
    is_child = asked.rider is RiderCategory.CHILD
    if is_child and child_minor is not None:
        return child_minor
    rule = run.tariff.get_child_rule(run.network.network_id) if is_child else find_concession(run, asked)
    if rule is None:
        return adult_minor
    is_ic = (world or world_of(run, asked.medium)) == "ic"
    if is_ic and isinstance(rule, ChildRow) and rule.ic_flat_minor is not None:
        return rule.ic_flat_minor
    step = rule.ic_step_minor if is_ic else rule.ticket_step_minor
    rounding = rule.ic_rounding if is_ic else rule.ticket_rounding
    return round_to(adult_minor * rule.percent, 100 * step, rounding) * step


def find_concession(run: Run, asked: Asked) -> ConcessionRow | None:
    """The row that reduces this rider's fare on this run; None where the adult's fare is due."""
    if asked.medium is FareMedium.CARD:
        return None
    rows = run.tariff.concessions.get((run.network.network_id, asked.rider.value), ())
    return next((row for row in rows if _is_met(row, run, asked)), None)


def _is_met(row: ConcessionRow, run: Run, asked: Asked) -> bool:
    is_home = asked.company.home in (None, row.station) or asked.rider is not RiderCategory.ISLANDER
    return (
        is_home
        and row.station in (None, run.origin, run.destination)
        and row.fare_class in ("*", asked.fare_class)
        and row.rides_with in (None, asked.company.partner)
        and row.party_min <= asked.company.alike_count
    )


def concession_percent(run: Run, asked: Asked) -> int:
    """What part of the adult's fare the rider pays on this run, in percent; 100 without a concession."""
    row = None if asked.rider is RiderCategory.ADULT else find_concession(run, asked)
    return WHOLE_PERCENT if row is None else row.percent


def round_to(amount: int, unit: int, rounding: str) -> int:
    """How many whole units are in `amount`, rounded `up` or `down`."""
    return -(-amount // unit) if rounding == "up" else amount // unit


def adult_amount(
    run: Run, row: BandRow | SpecialRow | FlatRow | SectionRow | ZoneFareRow, world: World
) -> int:
    """The adult fare of a row in a price world, at least the network's minimum. Raises FareNotFound."""
    amount = row.ic_minor if world == "ic" else row.ticket_minor
    if amount is None:
        raise run.not_found(f"{row.table}.csv row {row.row} has no {world} fare")
    least = run.tariff.minima.get(run.network.network_id)
    if least is None:
        return amount
    return max(amount, least.ic_minor if world == "ic" else least.ticket_minor)


def find_distance_row(run: Run, origin: str, destination: str) -> tuple[BandRow | SpecialRow, int] | None:
    """The row that prices the shortest way between two stations, and its whole kilometres."""
    network_id = run.network.network_id
    graph = run.tariff.graphs.get(network_id)
    km = None if graph is None else graph.find_km(origin, destination)
    if km is None or km == 0:
        return None
    special = run.tariff.specials.get((network_id, *pair(origin, destination)))
    if special is not None:
        return special, km
    bands = run.tariff.bands.get(network_id, ())
    return next(((band, km) for band in bands if band.km_from <= km <= band.km_to), None)


def distance_addend(
    run: Run, asked: Asked, *, origin: str, destination: str, text: str, text_en: str
) -> Addend:
    """The fare between two stations of the run's network as one explained line."""
    found = find_distance_row(run, origin, destination)
    if found is None:
        raise run.not_found(f"no distance fare from {origin} to {destination} on {run.day}")
    row, km = found
    amount = rider_amount(run, asked, adult_amount(run, row, world_of(run, asked.medium)))
    kind = f"{row.km_from}-{row.km_to}km" if isinstance(row, BandRow) else f"{origin}-{destination}"
    label = f"{run.network.name} {text} {km}km"
    return _addend(run, asked, row, amount, kind, label, f"{run.network.name_en}, {text_en}, {km} km")


def _addend(  # noqa: PLR0917  # every place is of another meaning and all are given at each call
    run: Run, asked: Asked, row: Dated, amount_minor: int, kind: str, text: str, text_en: str
) -> Addend:
    rider, rider_en = RIDER_NAMES[asked.rider]
    source = row.source
    if asked.medium is FareMedium.CARD:
        if asked.rider not in {RiderCategory.ADULT, RiderCategory.INFANT}:
            rider, rider_en = f"{rider}, タッチ決済は大人運賃", f"{rider_en}, adult fare by contactless card"
        return _line(run, row, amount_minor, kind, f"{text}（{rider}）", f"{text_en} ({rider_en})")
    concession = None if asked.rider in WITHOUT_CONCESSION else find_concession(run, asked)
    if concession is not None:
        rider = f"{rider} {concession.percent}%, {concession.proof}"
        rider_en = f"{rider_en} {concession.percent} %, {concession.proof_en}"
        source = f"{row.source}; {concession.source}"
    elif asked.rider not in WITHOUT_CONCESSION:
        rider, rider_en = f"{rider}, 大人運賃", f"{rider_en}, adult fare"
    line = _line(run, row, amount_minor, kind, f"{text}（{rider}）", f"{text_en} ({rider_en})")
    return replace(line, source=source)


def _line(  # noqa: PLR0917  # as above
    run: Run, row: Dated, amount_minor: int, kind: str, text: str, text_en: str
) -> Addend:
    return Addend(
        text=text,
        text_en=text_en,
        amount_minor=amount_minor,
        rule_id=f"{run.network.network_id}/{row.table}/{kind}",
        valid_from=row.valid_from,
        source=row.source,
    )


def _ends(run: Run) -> tuple[str, str]:
    return (
        f"{run.first.origin.name}→{run.last.destination.name}",
        f"{run.origin} to {run.destination}",
    )


def _price_distance(run: Run, asked: Asked) -> RunFare:
    text, text_en = _ends(run)
    addend = distance_addend(
        run, asked, origin=run.origin, destination=run.destination, text=text, text_en=text_en
    )
    return RunFare(addends=(addend,))


def _price_flat(run: Run, asked: Asked) -> RunFare:
    row = run.tariff.flats.get(run.network.network_id)
    if row is None:
        raise run.not_found(f"no flat fare on {run.day}")
    world = world_of(run, asked.medium)
    child = row.child_ic_minor if world == "ic" else row.child_ticket_minor
    amount = rider_amount(run, asked, adult_amount(run, row, world), child_minor=child)
    text, text_en = f"{run.network.name} 均一運賃", f"{run.network.name_en}, flat fare"
    return RunFare(addends=(_addend(run, asked, row, amount, "flat", text, text_en),))


def _price_sections(run: Run, asked: Asked) -> RunFare:
    row = run.tariff.sections.get((run.network.network_id, *pair(run.origin, run.destination)))
    if row is None:
        raise run.not_found(f"no section fare from {run.origin} to {run.destination} on {run.day}")
    amount = rider_amount(run, asked, adult_amount(run, row, world_of(run, asked.medium)))
    text, text_en = _ends(run)
    label, label_en = f"{run.network.name} {text}", f"{run.network.name_en}, {text_en}"
    kind = f"{row.station}-{row.other_station}"
    return RunFare(addends=(_addend(run, asked, row, amount, kind, label, label_en),))


def _price_zones(run: Run, asked: Asked) -> RunFare:
    """The least fare between a zone of the one stop and a zone of the other: a border stop lies in two."""
    network_id, world = run.network.network_id, world_of(run, asked.medium)
    zones = run.tariff.zones
    fares = [
        (adult_amount(run, row, world), row.row, row)
        for zone in zones.get((network_id, run.origin), ())
        for other in zones.get((network_id, run.destination), ())
        if (row := run.tariff.zone_fares.get((network_id, *pair(zone, other)))) is not None
    ]
    if not fares:
        raise run.not_found(f"no zone fare from {run.origin} to {run.destination} on {run.day}")
    adult, _, row = min(fares, key=lambda found: found[:2])
    amount = rider_amount(run, asked, adult)
    text, text_en = _ends(run)
    label = f"{run.network.name} {text} {row.zone}–{row.other_zone}"
    label_en = f"{run.network.name_en}, {text_en}, zones {row.zone} and {row.other_zone}"
    return RunFare(
        addends=(_addend(run, asked, row, amount, f"{row.zone}-{row.other_zone}", label, label_en),)
    )


def list_supplements(run: Run, asked: Asked, fare_class: str | None) -> tuple[Addend, ...]:
    """What the class costs beside the fare on this run: for each rider, or once for the party."""
    rows = () if fare_class is None else run.tariff.supplements.get((run.network.network_id, fare_class), ())
    return tuple(
        _line(run, row, _supplement(row, asked), f"{fare_class}/{row.per}", row.name, row.name_en)
        for row in rows
        if row.per == "rider" or asked.company.leads
    )


def _with_supplements(run: Run, asked: Asked, fare: RunFare) -> RunFare:
    fare_class = fare.fare_class or asked.fare_class
    is_sold = (run.network.network_id, fare_class) in run.tariff.supplements
    lines = list_supplements(run, asked, fare_class)
    return RunFare(addends=(*fare.addends, *lines), fare_class=fare_class if is_sold else fare.fare_class)


def _supplement(row: SupplementRow, asked: Asked) -> int:
    """A room costs the same for whoever sleeps in it; an infant takes no seat of its own."""
    if row.per == "party":
        return row.adult_minor
    if asked.rider is RiderCategory.INFANT:
        return 0
    is_child = asked.rider is RiderCategory.CHILD and asked.medium is not FareMedium.CARD
    return row.child_minor if is_child else row.adult_minor


def _price_timed(run: Run, asked: Asked) -> RunFare:
    row = run.tariff.timed.get(run.network.network_id)
    if row is None:
        raise run.not_found(f"no fare by time on {run.day}")
    used_s = int((run.last.arrives_at - run.first.departs_at).total_seconds())
    steps = round_to(max(0, used_s - row.first_s), row.step_s, "up")
    # A bicycle has no child's fare: whoever rides one pays for it.
    amount = row.first_minor + steps * row.step_minor
    minutes = round_to(used_s, 60, "up")
    text, text_en = f"{run.network.name} {minutes}分", f"{run.network.name_en}, {minutes} min"
    return RunFare(addends=(_addend(run, asked, row, amount, "time", text, text_en),))


def _price_ship(run: Run, asked: Asked) -> RunFare:
    """Base fare and fuel surcharge, each rounded by itself; a ratio class adds its difference to its base."""
    network_id, ports = run.network.network_id, pair(run.origin, run.destination)
    sold = run.tariff.find_class(network_id, asked.fare_class) or run.tariff.find_class(network_id, None)
    if sold is None:
        raise run.not_found(f"no class is sold on {run.day}")
    row = run.tariff.ship_fares.get((network_id, *ports, sold.of_class or sold.fare_class))
    if row is None:
        raise run.not_found(
            f"no fare in {sold.fare_class} from {run.origin} to {run.destination} on {run.day}"
        )
    text, text_en = _ends(run)
    asked = replace(asked, fare_class=sold.fare_class)
    base = rider_amount(run, asked, row.base_minor, world="ticket")
    base_class = run.tariff.find_class(network_id, row.fare_class) or sold
    label, label_en = f"{run.network.name} {text} {base_class.name}", f"{run.network.name_en}, {text_en}"
    addends = [_addend(run, asked, row, base, f"{'-'.join(ports)}/{row.fare_class}", label, label_en)]
    if sold.ratio_percent is not None:
        addends.append(_class_addend(run, asked, sold, row.base_minor, base))
    surcharge = run.tariff.surcharges.get((network_id, *ports, sold.fare_class))
    if surcharge is not None:
        amount = rider_amount(run, asked, surcharge.amount_minor, world="ticket")
        kind = f"{'-'.join(ports)}/{sold.fare_class}"
        addends.append(_addend(run, asked, surcharge, amount, kind, "燃料油価格変動調整金", "fuel surcharge"))
    return RunFare(addends=tuple(addends), fare_class=sold.fare_class)


def _class_addend(run: Run, asked: Asked, sold: ShipClassRow, base_adult: int, base_rider: int) -> Addend:
    assert sold.ratio_percent is not None, "only a class with a ratio costs a difference"
    # Half of the last ten yen goes up: 5,750 at 150 % is 8,625, sold at 8,630.
    whole = (
        (base_adult * sold.ratio_percent + 50 * SHIP_STEP_MINOR) // (100 * SHIP_STEP_MINOR) * SHIP_STEP_MINOR
    )
    difference = rider_amount(run, asked, whole, world="ticket") - base_rider
    text = f"{sold.name} 等級差額（{sold.ratio_percent}%）"
    text_en = f"difference to {sold.name_en} ({sold.ratio_percent} %)"
    return _addend(run, asked, sold, difference, sold.fare_class, text, text_en)


RULES: dict[str, Callable[[Run, Asked], RunFare]] = {
    "distance": _price_distance,
    "zones": _price_zones,
    "flat": _price_flat,
    "sections": _price_sections,
    "ship": _price_ship,
    "timed": _price_timed,
}

__all__ = [
    "Asked",
    "FareNotFound",
    "RunFare",
    "adult_amount",
    "concession_percent",
    "distance_addend",
    "find_concession",
    "find_distance_row",
    "list_supplements",
    "price_run",
    "rider_amount",
    "world_of",
]
