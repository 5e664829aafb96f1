"""The slow twin of maas/fares/standard_v1.py: every way to cut a journey into fares."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations, pairwise

from gtfs.fares import FlatFare


@dataclass(frozen=True, slots=True, kw_only=True)
class ZonedRide:
    """A ride as the oracle sees it: the zones in the order passed, the first boarded, the last alighted."""

    route_id: str
    operator_id: str
    zones: tuple[str, ...]
    departs: datetime


def cheapest_v1(fares: Sequence[FlatFare], rides: Sequence[ZonedRide]) -> int | None:
    """The least total in whole units; None where no way pays everything."""
    totals = []
    for size in range(len(rides)):
        for cuts in combinations(range(1, len(rides)), size):
            ends = [0, *cuts, len(rides)]
            prices = [_cheapest(fares, rides[a:b]) for a, b in pairwise(ends)]
            known = [price for price in prices if price is not None]
            if len(known) == len(prices):
                totals.append(sum(known))
    return min(totals, default=None)


def _cheapest(fares: Sequence[FlatFare], rides: Sequence[ZonedRide]) -> int | None:
    return min((int(fare.amount) for fare in fares if _pays(fare, rides)), default=None)


def _pays(fare: FlatFare, rides: Sequence[ZonedRide]) -> bool:
    if fare.agency_id and {ride.operator_id for ride in rides} != {fare.agency_id}:
        return False
    if fare.interchanges_max is not None and len(rides) - 1 > fare.interchanges_max:
        return False
    if (
        fare.duration_s is not None
        and (rides[-1].departs - rides[0].departs).total_seconds() > fare.duration_s
    ):
        return False
    if not fare.rules:
        return True
    passed = {zone for ride in rides for zone in ride.zones}
    for one in fare.rules:
        alike = [
            r for r in fare.rules if (r.origin_id, r.destination_id) == (one.origin_id, one.destination_id)
        ]
        routes = {r.route_id for r in alike}
        contains = {r.contains_id for r in alike if r.contains_id}
        if (
            one.origin_id in (None, rides[0].zones[0])
            and one.destination_id in (None, rides[-1].zones[-1])
            and (None in routes or all(ride.route_id in routes for ride in rides))
            and (not contains or contains == passed)
        ):
            return True
    return False
