"""Price a journey: the fare engine for planned and ridden journeys alike.

Problem   Worked example: 新宿 (Metro) to 押上 (Toei). Whatever path is ridden, the fare is that of the
          cheapest joint path: Metro 新宿-四ツ谷-飯田橋 5.0 km = 178, Toei 飯田橋-蔵前-押上 7.1 km = 220,
          joint discount 70: 328 yen IC.
Idea      Cut the journey into runs (runs.py), price each by its network's rule (rules.py), then apply what
          binds two runs: a joint fare over the cheapest junction, a discount on a second boarding in time.
Rule      Each operator bears half of a joint discount; the odd yen of a child's 35 is borne by the operator
          whose id comes first (payments.money.split_exactly), so Toei 18 and Tokyo Metro 17.
          Of three runs Metro-Toei-Metro the first two are joint and the third is a fare of its own.
          A journey is priced by the tariff of its service date: the last train after midnight pays the old
          fare. Our own ticket (APP) is sold in the world that networks.csv names, ticket fares unless it says
          otherwise.
Invariant amount = sum of addends = sum of shares, asserted for each component.
Not here  Caps (caps.py), passes and the best-fare promise (best_fare.py); who is entitled to be what.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

from maas.errors import FareNotFound
from maas.fares.check import check_tables
from maas.fares.csv_tables import Dated, TariffProblem, raise_if_any, read_table
from maas.fares.in_force import DatedTariff, Rows, TariffInForce
from maas.fares.riders import ALONE, Company, list_companies
from maas.fares.rules import (
    WHOLE_PERCENT,
    Asked,
    RunFare,
    adult_amount,
    check_card_taken,
    concession_percent,
    distance_addend,
    find_distance_row,
    list_supplements,
    price_run,
    world_of,
)
from maas.fares.runs import Run, cut_into_runs, seconds_between
from maas.fares.tables import TABLES, CapRow, DiscountRow, NetworkRow, PassRow, World
from maas.journeys import Journey, Leg
from maas.prices import Addend, FareComponent, FareMedium, JourneyPrice, RiderCategory
from maas.tickets.ticket import PassArea
from payments.money import split_exactly, yen


class FareEngine:
    """Prices journeys with one tariff folder. Immutable but for its memory; threads may share it."""

    def __init__(self, rows: Rows, *, zone: str = "Asia/Tokyo") -> None:
        self._tariff = DatedTariff(rows)
        self.zone = ZoneInfo(zone)
        self._last_cut: tuple[Sequence[Leg], frozenset[int], list[Run]] | None = None

    @classmethod
    def from_folder(cls, folder: Path) -> "FareEngine":
        """Read and check a tariff folder. Raises TariffUnreadable naming every bad row."""
        problems: list[TariffProblem] = []
        if not (folder / "networks.csv").is_file():
            problems.append(TariffProblem(file="networks.csv", row=0, field="", message="is missing; add it"))
        rows: dict[type[Dated], tuple[Dated, ...]] = {
            row_type: read_table(folder, row_type, problems) for row_type in TABLES
        }
        raise_if_any(problems or check_tables(rows))
        return cls(rows)

    def price(
        self,
        *,
        journey: Journey,
        rider: RiderCategory,
        medium: FareMedium,
        fare_class: str | None = None,
        company: Company = ALONE,
    ) -> JourneyPrice:
        """The price of a journey for one rider. Raises FareNotFound naming the leg that no tariff prices.

        `fare_class` is asked of every ship that sells it; other ships sell their default class. When no ship
        of the journey sells it, it is refused; without a ship it means nothing. `company` says who rides
        along: a helper without a disabled rider, or the other way round, pays the adult's fare.
        """
        asked = Asked(rider=rider, medium=medium, fare_class=fare_class, company=company)
        components = self._price_legs(journey.legs, asked, entries=frozenset())
        total = sum(component.amount.amount_minor for component in components)
        return JourneyPrice(rider=rider, medium=medium, total=yen(total), components=tuple(components))

    def price_rides(
        self,
        *,
        rides: Sequence[Journey],
        rider: RiderCategory,
        medium: FareMedium,
        company: Company = ALONE,
    ) -> list[FareComponent]:
        """The fares of rides made one after the other on one card, phone or ticket: from gate to gate each.

        The same rules as for a planned journey that passes through gates: a change outside the gates in time
        goes on with a fare, a joint or boarding discount binds two rides in time. Leg indices count over the
        legs of all rides. Raises FareNotFound.
        """
        legs: list[Leg] = []
        entries = set()
        for ride in rides:
            entries.add(len(legs))
            legs += ride.legs
        asked = Asked(rider=rider, medium=medium, fare_class=None, company=company)
        return self._price_legs(legs, asked, entries=frozenset(entries))

    def _price_legs(
        self, legs: Sequence[Leg], asked: Asked, *, entries: frozenset[int]
    ) -> list[FareComponent]:
        runs = self._cut(legs, entries)
        _refuse_unsold_class(runs, asked.fare_class)
        if asked.medium is FareMedium.CARD:
            for run in runs:
                check_card_taken(run)
        return _price_runs(runs, asked)

    def _cut(self, legs: Sequence[Leg], entries: frozenset[int]) -> list[Run]:
        """The runs of these legs: a journey is priced for one rider and medium after another."""
        if (last := self._last_cut) is not None and last[0] is legs and last[1] == entries:
            return last[2]
        runs = cut_into_runs(legs, tariff_on=self._tariff.on, day_of=self.day_of, entries=entries)
        if isinstance(legs, tuple):  # it stays as it is
            self._last_cut = (legs, entries, runs)
        return runs

    def price_party(
        self,
        *,
        journey: Journey,
        riders: Sequence[RiderCategory],
        medium: FareMedium,
        fare_class: str | None = None,
        home: str | None = None,
    ) -> list[JourneyPrice]:
        """One price a rider of a party that rides together, in the order given. Raises FareNotFound.

        Two infants ride free with each paying rider; any further infant pays the child's fare.
        """
        prices = []
        for rider, pays_as, company in list_companies(riders, home=home):
            price = self.price(
                journey=journey, rider=pays_as, medium=medium, fare_class=fare_class, company=company
            )
            prices.append(price if rider is pays_as else replace(price, rider=rider))
        return prices

    def tariff_on(self, day: date) -> TariffInForce:
        """The tariff of a service date, for whoever asks more than prices of it."""
        return self._tariff.on(day)

    def list_passes(self, day: date) -> tuple[PassRow, ...]:
        """The passes on sale on a service date."""
        return self._tariff.on(day).passes

    def list_operators(self, networks: Sequence[str], day: date) -> tuple[str, ...]:
        """The operators of these networks on a service date, each once, by id."""
        found = (row for rows in self._tariff.on(day).networks.values() for row in rows)
        return tuple(sorted({row.operator_id for row in found if row.network_id in networks}))

    def list_areas(self, networks: Sequence[str], day: date) -> tuple[PassArea, ...]:
        """What a pass of these networks says at a gate: all of an operator's where it covers them all."""
        owned: dict[str, set[str]] = {}
        for rows in self._tariff.on(day).networks.values():
            for row in rows:
                owned.setdefault(row.operator_id, set()).add(row.network_id)
        areas = []
        for operator_id in self.list_operators(networks, day):
            covered = sorted(owned[operator_id] & set(networks))
            # Of an operator's only network the name is kept: the tariff may know a part of its lines.
            is_whole = len(covered) > 1 and len(covered) == len(owned[operator_id])
            chosen = [None] if is_whole else covered
            areas += [PassArea(operator_id=operator_id, network_id=network_id) for network_id in chosen]
        return tuple(areas)

    def get_network(self, network_id: str, day: date) -> NetworkRow:
        """A network of the tariff of a service date. Raises KeyError for an unknown id."""
        return self._tariff.on(day).network_by_id[network_id]

    def list_caps(self, day: date) -> tuple[CapRow, ...]:
        """The caps in force on a service date."""
        return self._tariff.on(day).caps

    def day_of(self, leg: Leg) -> date:
        """The service date of a leg; a bicycle or van without one follows the clock on the wall."""
        return leg.service_date or leg.departs_at.astimezone(self.zone).date()


def _refuse_unsold_class(runs: list[Run], fare_class: str | None) -> None:
    ships = [run for run in runs if run.network.rule == "ship"]
    if fare_class is None or not ships:
        return
    if not any(run.tariff.sells_class(run.network.network_id, fare_class) for run in runs):
        raise ships[0].not_found(f"class {fare_class} is not sold")


def _price_runs(runs: list[Run], asked: Asked) -> list[FareComponent]:
    components: list[FareComponent] = []
    was_discounted = False
    index = 0
    while index < len(runs):
        run = runs[index]
        following = runs[index + 1] if index + 1 < len(runs) else None
        joint = None if following is None else _find_joint_discount(run, following, asked)
        if joint is not None and following is not None:
            components.append(_price_joint(run, following, joint, asked))
            was_discounted = False
            index += 2
            continue
        fare = price_run(run, asked)
        # A discounted second boarding does not begin a new window: of three buses the third pays in full.
        is_second = index > 0 and not was_discounted
        again = _boarding_discount(runs[index - 1], run, asked, fare.amount_minor) if is_second else None
        if again is not None:
            fare = RunFare(addends=(*fare.addends, again), fare_class=fare.fare_class)
        was_discounted = again is not None
        components.append(_component(run, fare))
        index += 1
    return components


def _component(run: Run, fare: RunFare) -> FareComponent:
    assert fare.amount_minor >= 0, "a fare is never negative"
    kind = fare.fare_class or run.network.rule
    return FareComponent(
        leg_indices=run.leg_indices,
        product_id=f"{run.network.network_id}:{kind}",
        amount=yen(fare.amount_minor),
        addends=fare.addends,
        shares={run.network.operator_id: fare.amount_minor},
        fare_class=fare.fare_class,
        networks=(run.network.network_id,) * len(run.leg_indices),
    )


def _find_joint_discount(run: Run, following: Run, asked: Asked) -> DiscountRow | None:
    """The joint discount of two runs, when the change between them is at a junction of the two networks.

    Whoever rides one of them free (a Silver Pass) buys no joint ticket: the other is a fare of its own.
    """
    names = (run.network.network_id, following.network.network_id)
    if (run.destination, following.origin) not in run.tariff.junctions.get(names, ()):
        return None
    if 0 in (concession_percent(run, asked), concession_percent(following, asked)):
        return None
    row = run.tariff.discounts.get(("joint", *names))
    return row if row is None or _is_in_time(row, run, following) else None


def _price_joint(run: Run, following: Run, discount: DiscountRow, asked: Asked) -> FareComponent:
    junction = _find_cheapest_junction(run, following, world_of(run, asked.medium))
    if junction is None:
        raise run.not_found(f"no joint path to {following.last.destination.name} is priced")
    here, there = junction
    first = distance_addend(
        run, asked, origin=run.origin, destination=here,
        text=f"{run.first.origin.name}→{here}", text_en=f"{run.origin} to {here}",
    )  # fmt: skip
    second = distance_addend(
        following, asked, origin=there, destination=following.destination,
        text=f"{there}→{following.last.destination.name}", text_en=f"{there} to {following.destination}",
    )  # fmt: skip
    percent = min(concession_percent(run, asked), concession_percent(following, asked))
    reduction = _discount_minor(discount, asked, world_of(run, asked.medium), percent)
    operators = (run.network.operator_id, following.network.operator_id)
    borne = split_exactly(reduction, dict.fromkeys(operators, 1))
    extras = [list_supplements(each, asked, asked.fare_class) for each in (run, following)]
    shares = {
        operator: addend.amount_minor - borne[operator] + sum(line.amount_minor for line in extra)
        for operator, addend, extra in zip(operators, (first, second), extras, strict=True)
    }
    taken_off = () if reduction == 0 else (_discount_addend(discount, reduction),)
    addends = (first, second, *taken_off, *extras[0], *extras[1])
    amount = sum(addend.amount_minor for addend in addends)
    assert amount == sum(shares.values()), "shares of a fare sum to the fare"
    assert min(shares.values()) >= 0, "no operator pays for being ridden"
    return FareComponent(
        leg_indices=(*run.leg_indices, *following.leg_indices),
        product_id=f"{discount.discount_id}:joint",
        amount=yen(amount),
        addends=addends,
        shares=shares,
        fare_class=asked.fare_class
        if any(_has_supplement(each, asked) for each in (run, following))
        else None,
        networks=tuple(each.network.network_id for each in (run, following) for _ in each.leg_indices),
    )


def _has_supplement(run: Run, asked: Asked) -> bool:
    return (run.network.network_id, asked.fare_class) in run.tariff.supplements


def _find_cheapest_junction(run: Run, following: Run, world: World) -> tuple[str, str] | None:
    """Where the joint path with the least adult fare changes; then the shortest, then the first by name."""
    names = (run.network.network_id, following.network.network_id)
    key = (*names, run.origin, following.destination, world)
    remembered = run.tariff.joint_paths
    if key not in remembered:
        candidates = [
            (fare, km, here, there)
            for here, there in run.tariff.junctions[names]
            if (priced := _joint_fare(run, following, here, there, world)) is not None
            for fare, km in [priced]
        ]
        remembered[key] = min(candidates)[2:] if candidates else None
    return remembered[key]


def _joint_fare(run: Run, following: Run, here: str, there: str, world: World) -> tuple[int, int] | None:
    first = find_distance_row(run, run.origin, here)
    second = find_distance_row(following, there, following.destination)
    if first is None or second is None:
        return None
    fare = adult_amount(run, first[0], world) + adult_amount(following, second[0], world)
    return fare, first[1] + second[1]


def _boarding_discount(before: Run, run: Run, asked: Asked, fare_minor: int) -> Addend | None:
    """What a second boarding in time is reduced by, at most to nothing; None when nothing is taken off."""
    row = run.tariff.discounts.get(("boarding", before.network.network_id, run.network.network_id))
    if row is None:
        return None
    percent = concession_percent(run, asked)
    reduction = min(fare_minor, _discount_minor(row, asked, world_of(run, asked.medium), percent))
    if reduction == 0 or not _is_in_time(row, before, run):
        return None
    return _discount_addend(row, reduction)


def _is_in_time(row: DiscountRow, before: Run, run: Run) -> bool:
    if row.within_s is None:
        return True
    if row.window_from == "alighting":
        return seconds_between(before, run) <= row.within_s
    return (run.first.departs_at - before.first.departs_at).total_seconds() <= row.within_s


def _discount_minor(row: DiscountRow, asked: Asked, world: World, percent: int) -> int:
    """The reduction; who pays half the fare gets half of it, to the whole yen below."""
    if asked.rider is RiderCategory.INFANT:
        return 0
    if asked.rider is RiderCategory.CHILD and asked.medium is not FareMedium.CARD:
        return row.child_ic_minor if world == "ic" else row.child_ticket_minor
    adult = row.adult_ic_minor if world == "ic" else row.adult_ticket_minor
    return adult * percent // WHOLE_PERCENT


def _discount_addend(row: DiscountRow, reduction: int) -> Addend:
    return Addend(
        text=row.name,
        text_en=row.name_en,
        amount_minor=-reduction,
        rule_id=f"{row.discount_id}/{row.kind}",
        valid_from=row.valid_from,
        source=row.source,
    )


__all__ = ["FareEngine", "FareNotFound"]
