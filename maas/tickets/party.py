"""Who shares a code.

Problem   Each rider should carry their own ticket; yet some fares hold only for people who pass together.
Idea      A disabled rider and the helper share one code, since neither fare counts without the other. A group
          is one code, since nobody shows fifteen codes at a gate. Whoever asks to be together (a family with
          one telephone) shares as far as a code reaches: fifteen riders, 255 of a group. Everybody else has a
          code each.
Invariant every rider is in exactly one party; the riders of a party pay for the same legs in the same order.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from maas.prices import JourneyPrice, RiderCategory
from maas.tickets.layout import GROUP_MAX, RIDERS_MAX

_COUNTED_APART = (RiderCategory.CHILD, RiderCategory.INFANT, RiderCategory.HELPER)
_WITHOUT_CONCESSION = frozenset({RiderCategory.ADULT, *_COUNTED_APART})


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """Riders on one code, by their place in the order; the first leads. Counts as the code carries them.

    Who is no child, infant or helper is counted as an adult; `concession` is what these can show.
    """

    rider_indices: tuple[int, ...]
    adults: int
    children: int
    infants: int
    helpers: int
    concession: RiderCategory | None


def list_parties(prices: Sequence[JourneyPrice], *, are_together: bool = False) -> list[Party]:
    """The parties of an order, by their first rider."""
    chosen = [list(range(len(prices)))] if are_together else _choose(prices)
    return [
        _party(prices, bunch)
        for indices in sorted(chosen)
        for alike in _alike(prices, indices)
        for bunch in _bunches(prices, alike)
    ]


def _choose(prices: Sequence[JourneyPrice]) -> list[list[int]]:
    group = [index for index, price in enumerate(prices) if price.rider is RiderCategory.GROUP]
    helpers = [index for index, price in enumerate(prices) if price.rider is RiderCategory.HELPER]
    chosen = [group] if group else []
    for index, price in enumerate(prices):
        if price.rider is RiderCategory.DISABLED:
            chosen.append([index, *helpers[:1]])
            helpers = helpers[1:]
        elif price.rider not in {RiderCategory.GROUP, RiderCategory.HELPER}:
            chosen.append([index])
    return [*chosen, *([index] for index in helpers)]


def _alike(prices: Sequence[JourneyPrice], indices: list[int]) -> list[list[int]]:
    """Only who can show the same concession, and pays for the same legs and class, shares an entitlement."""
    riders = {prices[index].rider for index in indices}
    alike: dict[object, list[int]] = defaultdict(list)
    for index in indices:
        fares = tuple((each.leg_indices, each.fare_class) for each in prices[index].components)
        alike[_concession(prices[index].rider, riders), fares].append(index)
    return list(alike.values())


def _concession(rider: RiderCategory, company: Collection[RiderCategory]) -> RiderCategory | None:
    if rider is RiderCategory.HELPER and RiderCategory.DISABLED in company:
        return RiderCategory.DISABLED
    return None if rider in _WITHOUT_CONCESSION else rider


def _bunches(prices: Sequence[JourneyPrice], indices: list[int]) -> Iterator[list[int]]:
    """No more than a code counts."""
    limit = GROUP_MAX if prices[indices[0]].rider is RiderCategory.GROUP else RIDERS_MAX
    for start in range(0, len(indices), limit):
        yield indices[start : start + limit]


def _party(prices: Sequence[JourneyPrice], indices: list[int]) -> Party:
    riders = [prices[index].rider for index in indices]
    children, infants, helpers = (riders.count(kind) for kind in _COUNTED_APART)
    concessions = {_concession(rider, riders) for rider in riders}
    assert len(concessions) == 1, "riders with different concessions have codes of their own"
    return Party(
        rider_indices=tuple(indices),
        adults=len(riders) - children - infants - helpers,
        children=children,
        infants=infants,
        helpers=helpers,
        concession=concessions.pop(),
    )
