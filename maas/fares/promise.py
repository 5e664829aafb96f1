"""The best-fare promise kept: what is given back after a day and after a week, and why.

Problem   The traveller paid ride by ride, caps applied; the cheapest products for the same rides cost less.
Idea      Refund = charged - given back before - cheapest (best_fare.py), never below 0. The explanation
          names each pass with the rides it would have covered and what the rest would have cost.
Rule      Each operator bears the refund in proportion to what it earned of the fares that a pass covers;
          the odd yen by largest remainder (payments.money.split_exactly).
Invariant After a period: charged - all refunds <= the cheapest. The operators' parts sum to the refund.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from maas.fares.best_fare import BestFare, PassesOn, find_cheapest
from maas.fares.caps import CappedFare
from maas.fares.charged import ServiceClock
from maas.prices import RiderCategory
from payments.money import split_exactly


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """What is given back after a period, why, and by whom it is borne."""

    amount_minor: int
    charged_minor: int
    refunded_before_minor: int
    best: BestFare
    borne: dict[str, int]
    lines: tuple[str, ...]
    lines_en: tuple[str, ...]


def keep_promise(
    charges: Sequence[CappedFare],
    *,
    passes_on: PassesOn,
    rider: RiderCategory,
    clock: ServiceClock,
    refunded_before_minor: int = 0,
) -> Refund:
    """The refund of a period's charges. `refunded_before_minor` is what its days were given back already."""
    fares = [each.fare for each in charges]
    best = find_cheapest(fares, passes_on=passes_on, rider=rider, clock=clock)
    charged = sum(each.charge_minor for each in charges)
    amount = max(0, charged - refunded_before_minor - best.total_minor)
    lines, lines_en = _explain(charges, best, charged, refunded_before_minor, amount)
    return Refund(
        amount_minor=amount,
        charged_minor=charged,
        refunded_before_minor=refunded_before_minor,
        best=best,
        borne=_split(charges, best, amount),
        lines=lines,
        lines_en=lines_en,
    )


def _split(charges: Sequence[CappedFare], best: BestFare, amount: int) -> dict[str, int]:
    if amount == 0:
        return {}
    covered = {fare_id for purchase in best.purchases for fare_id in purchase.fare_ids}
    earned: dict[str, int] = defaultdict(int)
    for each in charges:
        if each.fare.fare_id in covered and each.fare.amount_minor > 0:
            for operator_id, share in split_exactly(each.charge_minor, each.fare.shares).items():
                earned[operator_id] += share
    # Fares beside the passes cost at least what was charged, so the covered ones earned the refund and more.
    assert sum(earned.values()) >= amount, "a refund comes out of the fares that a pass covers"
    return split_exactly(amount, dict(earned))


def _explain(
    charges: Sequence[CappedFare], best: BestFare, charged: int, before: int, amount: int
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    names = {each.fare.fare_id: (each.fare.text, each.fare.text_en) for each in charges}
    lines, lines_en = [f"お支払い {charged}円"], [f"paid {charged} yen"]
    if before:
        lines.append(f"返金済み {before}円")
        lines_en.append(f"given back before {before} yen")
    for purchase in best.purchases:
        row = purchase.row
        lines.append(
            f"{row.name} {purchase.price_minor}円: " + "、".join(names[each][0] for each in purchase.fare_ids)
        )
        lines_en.append(
            f"{row.name_en} {purchase.price_minor} yen: "
            + "; ".join(names[each][1] for each in purchase.fare_ids)
        )
    for fare_id, left in best.left_minor.items():
        if left:
            lines.append(f"{names[fare_id][0]} {left}円")
            lines_en.append(f"{names[fare_id][1]} {left} yen")
    lines.append(f"最も安い組み合わせ {best.total_minor}円, 返金 {amount}円")
    lines_en.append(f"cheapest combination {best.total_minor} yen, refund {amount} yen")
    return tuple(lines), tuple(lines_en)
