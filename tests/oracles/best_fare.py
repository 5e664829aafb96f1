"""The slow twin of maas/fares/best_fare.py: every set of purchases, judged by the words of the rule."""

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from itertools import combinations

from maas.fares.charged import FareCharged
from maas.fares.tables import PassRow


def cheapest_by_brute_force(
    fares: Sequence[FareCharged],
    passes: Sequence[PassRow],
    price_of: Callable[[PassRow], int | None],
    day_of: Callable[[datetime], date],
) -> int:
    """The least total over all subsets of (pass version, entry at which it is bought)."""
    instances = [
        (row, price, fare.entered_at)
        for row in passes
        for fare in fares
        if (price := price_of(row)) is not None and row.in_promise
        if set(row.networks.split()) & fare.networks  # a pass begins with an entry that it covers
        if row.valid_from <= day_of(fare.entered_at) <= (row.valid_to or date.max)
    ]
    instances = list(dict.fromkeys(instances))
    best = None
    for size in range(len(instances) + 1):
        for chosen in combinations(instances, size):
            total = sum(price for _, price, _ in chosen)
            total += sum(_cost(fare, chosen, day_of) for fare in fares)
            best = total if best is None else min(best, total)
    assert best is not None
    return best


def _cost(
    fare: FareCharged,
    chosen: Sequence[tuple[PassRow, int, datetime]],
    day_of: Callable[[datetime], date],
) -> int:
    covered: set[str] = set()
    for row, _, start in chosen:
        if _is_in_time(row, start, fare.entered_at, day_of):
            covered |= set(row.networks.split())
    open_parts = [part for part in fare.parts if part.network_id not in covered]
    if fare.parts and not open_parts:
        return 0
    return (
        min(fare.amount_minor, sum(part.alone_minor for part in open_parts))
        if open_parts
        else fare.amount_minor
    )


def _is_in_time(row: PassRow, start: datetime, entered: datetime, day_of: Callable[[datetime], date]) -> bool:
    if entered < start:
        return False
    if row.unit == "hour":
        return entered - start < timedelta(hours=row.count)
    first, day = day_of(start), day_of(entered)
    if row.unit == "day":
        return (day - first).days < row.count
    # Month: count the calendar months begun, the day of the month telling whether one is over.
    months = (day.year - first.year) * 12 + day.month - first.month
    return months < row.count or (months == row.count and day.day < first.day)
