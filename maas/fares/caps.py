"""Caps: the most that a day's or a week's fares cost.

Problem   Worked example: a cap of 900 a day. Rides of 430, 430 and 178 cost 430, 430 and 40; the next is
          free.
Idea      Take the fares in the order of entry. Each cap that has all networks of a fare leaves some room;
          the fare is charged what the least room allows. The cap with the greatest reduction applies; what
          the others would have reduced is recorded, and is never added to it.
Rule      A maximum fare is charged whole and counts toward no cap. A fare counts toward a cap with what was
          charged, so that a free ride uses up no room. A cap is the one in force at the fare's service day;
          a week's cap is that of its Monday, if it was in force then.
Invariant Within its period, no cap is exceeded by what was charged on its networks, maximum fares aside.
          Any order of the same fares gives the same charges.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from maas.fares.charged import FareCharged, ServiceClock, in_order, product_price
from maas.fares.tables import CapRow
from maas.prices import RiderCategory
from payments.money import split_exactly

CapsOn = Callable[[date], tuple[CapRow, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CapReached:
    """A cap that would reduce a fare, and by how much."""

    cap: CapRow
    reduction_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CappedFare:
    """What is charged for a fare: `nominal - reduction`. `applied` is the best cap, `recorded` the others."""

    fare: FareCharged
    charge_minor: int
    applied: CapReached | None
    recorded: tuple[CapReached, ...]

    @property
    def shares(self) -> dict[str, int]:
        """The operators' parts of what is charged: a cap takes from each in proportion to its share."""
        if self.charge_minor == self.fare.amount_minor:
            return self.fare.shares
        if self.charge_minor == 0:
            return dict.fromkeys(self.fare.shares, 0)
        return split_exactly(self.charge_minor, self.fare.shares)

    @property
    def text(self) -> str:
        """Why it costs this much, in Japanese."""
        if self.applied is None:
            return f"{self.fare.text} {self.fare.amount_minor}円"
        reached = f"{self.applied.cap.name} {self.applied.reduction_minor}円引き"
        return f"{self.fare.text} {self.fare.amount_minor}円, {reached} → {self.charge_minor}円"

    @property
    def text_en(self) -> str:
        """Why it costs this much, in English."""
        if self.applied is None:
            return f"{self.fare.text_en} {self.fare.amount_minor} yen"
        reached = f"{self.applied.cap.name_en} takes off {self.applied.reduction_minor} yen"
        return f"{self.fare.text_en} {self.fare.amount_minor} yen, {reached}: {self.charge_minor} yen"


def apply_caps(
    fares: Iterable[FareCharged], *, caps_on: CapsOn, rider: RiderCategory, clock: ServiceClock
) -> list[CappedFare]:
    """Each fare with what is charged for it, in the order of entry. One rider's fares of whole weeks."""
    used: dict[tuple[str, date], int] = defaultdict(int)
    capped = []
    for fare in in_order(fares):
        rooms = [
            (cap, (cap.cap_id, period), product_price(cap, rider))
            for cap, period in _list_caps_for(fare, caps_on, clock)
        ]
        reached = [
            CapReached(cap=cap, reduction_minor=fare.amount_minor - max(0, limit - used[key]))
            for cap, key, limit in rooms
            if limit is not None and limit - used[key] < fare.amount_minor
        ]
        reached.sort(key=lambda each: (-each.reduction_minor, each.cap.cap_id))
        charge = fare.amount_minor - (reached[0].reduction_minor if reached else 0)
        for _, key, limit in rooms:
            used[key] += charge
            assert limit is None or used[key] <= limit, "charges never exceed a cap"
        applied = reached[0] if reached else None
        capped.append(
            CappedFare(fare=fare, charge_minor=charge, applied=applied, recorded=tuple(reached[1:]))
        )
    return capped


def _list_caps_for(fare: FareCharged, caps_on: CapsOn, clock: ServiceClock) -> list[tuple[CapRow, date]]:
    """The caps that have all networks of a fare, each with the first day of its period."""
    if fare.is_maximum or not fare.parts:
        return []
    day = clock.day_of(fare.entered_at)
    week = day - timedelta(days=day.weekday())
    networks = fare.networks
    found = []
    for period, start in (("day", day), ("week", week)):
        for cap in caps_on(start):
            if cap.period == period and networks <= _split(cap.networks):
                found.append((cap, start))  # noqa: PERF401 - a million times, and a comprehension is slower
    return found


@lru_cache(maxsize=1_000)
def _split(networks: str) -> frozenset[str]:
    return frozenset(networks.split())
