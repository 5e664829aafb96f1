"""The slow twin of maas/fares/standard_v2.py: every choice of leg rules, products and transfer rules.

It reads the rules by the words of the GTFS reference, with plain loops, and sums each choice as a whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product

from gtfs.fares import FareTables, FareTransferRule

Stretch = list["RiddenLeg"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RiddenLeg:
    """A leg as the oracle sees it: ids inside the feed, local times."""

    route_id: str
    from_stop: str
    to_stop: str
    departs: datetime
    arrives: datetime


def cheapest_v2(
    tables: FareTables, legs: Sequence[RiddenLeg], rider: str | None, medium: str | None
) -> int | None:
    """The least total in whole units; None where some leg has no price."""
    stretches = _join(tables, legs)
    choices = [_choices(tables, stretch, rider, medium) for stretch in stretches]
    gaps = [[None, *range(len(tables.transfer_rules))] for _ in stretches[1:]]
    totals = []
    for groups in product(*choices):
        for rules in product(*gaps):
            total = _sum(tables, stretches, groups, rules, rider, medium)
            if total is not None:
                totals.append(total)
    return min(totals, default=None)


def _join(tables: FareTables, legs: Sequence[RiddenLeg]) -> list[Stretch]:
    stretches: list[Stretch] = []
    for leg in legs:
        for rule in tables.join_rules if stretches else ():
            before = stretches[-1][-1]
            if tables.network_of_route.get(before.route_id) != rule.from_network_id:
                continue
            if tables.network_of_route.get(leg.route_id) != rule.to_network_id:
                continue
            if rule.from_stop_id not in (None, before.to_stop, tables.parent_of_stop.get(before.to_stop)):
                continue
            if rule.to_stop_id not in (None, leg.from_stop, tables.parent_of_stop.get(leg.from_stop)):
                continue
            stretches[-1].append(leg)
            break
        else:
            stretches.append([leg])
    return stretches


def _choices(
    tables: FareTables, stretch: Stretch, rider: str | None, medium: str | None
) -> list[tuple[str | None, int]]:
    first, last = stretch[0], stretch[-1]
    network = tables.network_of_route.get(first.route_id)
    sides = {"from": _areas(tables, first.from_stop), "to": _areas(tables, last.to_stop)}
    found = []
    for rule in tables.leg_rules:
        if rule.network_id is None:
            other_networks = {each.network_id for each in tables.leg_rules} - {None}
            fits = tables.has_priorities or network not in other_networks
        else:
            fits = rule.network_id == network
        for side, areas in sides.items():
            wanted = rule.from_area_id if side == "from" else rule.to_area_id
            every = {each.from_area_id if side == "from" else each.to_area_id for each in tables.leg_rules}
            if wanted is None:
                fits = fits and (tables.has_priorities or not (areas & (every - {None})))
            else:
                fits = fits and wanted in areas
        fits = fits and _in_frames(tables, rule.from_timeframe_group_id, first.departs)
        fits = fits and _in_frames(tables, rule.to_timeframe_group_id, last.arrives)
        if fits:
            found.append(rule)
    if tables.has_priorities:
        found = [rule for rule in found if all(rule.priority >= other.priority for other in found)]
    return [
        (rule.leg_group_id, amount)
        for rule in found
        for amount in _amounts(tables, rule.fare_product_id, rider, medium)
    ]


def _areas(tables: FareTables, stop_id: str) -> frozenset[str]:
    own = tables.areas_of_stop.get(stop_id, frozenset())
    return own or tables.areas_of_stop.get(tables.parent_of_stop.get(stop_id, ""), frozenset())


def _in_frames(tables: FareTables, group_id: str | None, at: datetime) -> bool:
    """All services of the oracle's feeds run every day."""
    if group_id is None:
        return True
    second = (at - at.replace(hour=0, minute=0, second=0)).seconds
    return any(frame.start_s <= second < frame.end_s for frame in tables.timeframes.get(group_id, ()))


def _amounts(tables: FareTables, product_id: str, rider: str | None, medium: str | None) -> list[int]:
    return [
        int(each.amount)
        for each in tables.products
        if each.fare_product_id == product_id
        and (each.rider_category_id is None or each.rider_category_id == rider)
        and (medium is None or each.fare_media_id is None or each.fare_media_id == medium)
    ]


def _sum(  # noqa: PLR0917  # the whole of one choice
    tables: FareTables,
    stretches: list[Stretch],
    chosen: Sequence[tuple[str | None, int]],
    rules: Sequence[int | None],
    rider: str | None,
    medium: str | None,
) -> int | None:
    """The total of one whole choice; None where a rule of it does not hold."""
    added = [chosen[0][1]]
    for place, rule_index in enumerate(rules, start=1):
        price = chosen[place][1]
        if rule_index is None:
            added.append(price)
            continue
        rule = tables.transfer_rules[rule_index]
        first = place - 1
        same_before = 0
        # The chain: the gaps before this one with the same rule, while the group stays the same.
        while first > 0 and rules[first - 1] == rule_index and chosen[first][0] == chosen[place][0]:
            first -= 1
            same_before += 1
        if not _fits(tables, rule, chosen[place - 1][0], chosen[place][0]):
            return None
        if rule.count not in (None, -1) and same_before + 1 > (rule.count or 0):
            return None
        if not _timely(rule, stretches[first], stretches[place]):
            return None
        costs = [0] if rule.fare_product_id is None else _amounts(tables, rule.fare_product_id, rider, medium)
        if not costs:
            return None
        if rule.fare_transfer_type == 2:
            added[place - 1] = 0
        added.append(min(costs) + (price if rule.fare_transfer_type == 1 else 0))
    return sum(added)


def _fits(tables: FareTables, rule: FareTransferRule, group: str | None, following: str | None) -> bool:
    if group is None or following is None:
        return False
    named_from = {each.from_leg_group_id for each in tables.transfer_rules} - {None}
    named_to = {each.to_leg_group_id for each in tables.transfer_rules} - {None}
    ok_from = group == rule.from_leg_group_id or (rule.from_leg_group_id is None and group not in named_from)
    ok_to = following == rule.to_leg_group_id or (rule.to_leg_group_id is None and following not in named_to)
    return ok_from and ok_to


def _timely(rule: FareTransferRule, before: Stretch, following: Stretch) -> bool:
    if rule.duration_s is None:
        return True
    kind = rule.duration_type or 0 if rule.duration_type is not None else 1
    begins = {0: before[0].departs, 1: before[0].departs, 2: before[-1].arrives, 3: before[-1].arrives}[kind]
    ends = {
        0: following[-1].arrives,
        1: following[0].departs,
        2: following[0].departs,
        3: following[-1].arrives,
    }[kind]
    return (ends - begins).total_seconds() <= rule.duration_s
