"""Cut a journey into runs: stretches of legs that one fare pays for.

Problem   A fare does not end with every change of trains: two subway lines of one operator are one fare, a
          bus and the next bus are two, staying seated never is a new one.
Idea      Walk over the legs in order. A leg extends the run before it when the rider stayed seated in the
          same network, or when both are priced by distance in the same network and the change is at one
          station. A run that would come back to its own first station is not extended: a fare never pays for
          a way there and back (折返し乗車). Leaving through a gate ends a fare, but where links.csv gives the
          change outside the gates a time (改札外乗換): within it the fare goes on.
Not here  What a run costs (rules.py) and joint fares of two networks (engine.py).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from maas.errors import FareNotFound
from maas.fares.in_force import TariffInForce
from maas.fares.tables import NetworkRow
from maas.journeys import Leg, Mode

INTERCHANGED = ("distance", "zones")
"""Rules under which changing vehicles at one station does not end a fare."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Legs paid by one fare of one network. `day` is the service date whose tariff prices it."""

    tariff: TariffInForce
    network: NetworkRow
    day: date
    leg_indices: tuple[int, ...]
    first: Leg
    last: Leg
    origin: str
    destination: str

    def not_found(self, why: str) -> FareNotFound:
        """The error that names this run's legs."""
        legs = ", ".join(str(index + 1) for index in self.leg_indices)
        where = f"{self.first.origin.name} to {self.last.destination.name}, {self.network.name_en}"
        return FareNotFound(f"leg {legs} ({where}): {why}")


def without_feed(public_id: str | None) -> str:
    """The id inside its feed: `demo:Toei.Oedo` -> `Toei.Oedo`; "" for None."""
    return "" if public_id is None else public_id.split(":", 1)[-1]


def cut_into_runs(
    legs: Sequence[Leg],
    *,
    tariff_on: Callable[[date], TariffInForce],
    day_of: Callable[[Leg], date],
    entries: frozenset[int] = frozenset(),
) -> list[Run]:
    """The runs of these legs in order; walks belong to none. Raises FareNotFound naming the leg.

    `entries` are the indices of the legs that taps show to begin with an entry through a gate.
    """
    hops = [
        _start(index, leg, day_of(leg), tariff_on)
        for index, leg in enumerate(legs)
        if leg.mode is not Mode.WALK
    ]
    runs: list[Run] = []
    for run in _settle_shared_sections(hops, entries):
        (index,) = run.leg_indices
        if runs and _extends(runs[-1], run, is_entry=index in entries):
            runs[-1] = replace(
                runs[-1],
                leg_indices=(*runs[-1].leg_indices, index),
                last=run.last,
                destination=run.destination,
            )
        else:
            runs.append(run)
    return runs


def _settle_shared_sections(hops: list[Run], entries: frozenset[int]) -> list[Run]:
    """Give each ride within a section of two owners to the one that the traveller goes on with."""
    settled = list(hops)
    # Forward, then backward: a ride within the section may be the last of the journey or the first.
    for place in range(1, len(settled)):
        if settled[place].leg_indices[0] not in entries:
            settled[place] = _as_network_of(settled[place - 1], settled[place])
    for place in range(len(settled) - 2, -1, -1):
        if settled[place + 1].leg_indices[0] not in entries:
            settled[place] = _as_network_of(settled[place + 1], settled[place])
    return settled


def _as_network_of(neighbour: Run, run: Run) -> Run:
    """The run as one of its neighbour's network, where that network owns the run's section too."""
    other = neighbour.network.network_id
    if other not in run.tariff.list_other_owners(run.network.network_id, run.origin, run.destination):
        return run
    is_touching = {neighbour.origin, neighbour.destination} & {run.origin, run.destination}
    is_within_too = neighbour.tariff.list_other_owners(other, neighbour.origin, neighbour.destination)
    if not is_touching or run.network.network_id in is_within_too:
        return run
    return replace(run, network=run.tariff.network_by_id[other])


def _start(index: int, leg: Leg, day: date, tariff_on: Callable[[date], TariffInForce]) -> Run:
    tariff = tariff_on(day)
    network = tariff.find_network(leg.operator_id or "", without_feed(leg.route_id))
    where = f"leg {index + 1} ({leg.origin.name} to {leg.destination.name})"
    if network is None:
        raise FareNotFound(
            f"{where}: no tariff of operator {leg.operator_id} covers route {leg.route_id} on {day}"
        )
    origin = tariff.find_station(network, without_feed(leg.origin.stop_id))
    destination = tariff.find_station(network, without_feed(leg.destination.stop_id))
    if origin is None or destination is None:
        unknown = leg.origin if origin is None else leg.destination
        raise FareNotFound(f"{where}: the tariff of {network.name_en} does not know stop {unknown.stop_id}")
    return Run(
        tariff=tariff,
        network=network,
        day=day,
        leg_indices=(index,),
        first=leg,
        last=leg,
        origin=origin,
        destination=destination,
    )


def seconds_between(before: Run, run: Run) -> int:
    """From leaving the vehicle of one run to boarding the next."""
    return int((run.first.departs_at - before.last.arrives_at).total_seconds())


def _extends(before: Run, run: Run, *, is_entry: bool) -> bool:
    if before.network.network_id != run.network.network_id:
        return False
    if run.first.in_seat:
        return True
    if run.network.rule not in INTERCHANGED:
        return False
    network_id = run.network.network_id
    same = before.tariff.is_same_station
    if same(network_id, before.origin, run.destination):
        return False
    within_s = before.tariff.find_gate_window(network_id, before.destination, run.origin)
    if within_s is not None:
        return seconds_between(before, run) <= within_s
    return not is_entry and same(network_id, before.destination, run.origin)
