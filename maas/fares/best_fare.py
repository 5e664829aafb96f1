"""The cheapest passes and single fares that would have covered the rides made: exact.

Problem   Worked example: subway rides of 220, 272, 178 and 325 yen and a bus of 210 in one day, 1,205 in
          all. The day ticket of Metro and Toei costs 900, and 900 + 210 is 1,110; if no ride was on the
          Metro, the pass of Toei costs 700 and covers the bus too. Nobody can know this in the morning.
Idea      Dynamic programming over the fares in the order of entry. A state says, for each pass, until when
          the one in hand holds; its value is the least paid so far. At each fare every set of useful
          purchases is tried; a state that another beats in cost and in every pass is dropped.
Rule      A pass is bought at the entry of a fare that it covers, at the price of that service day. Buying
          what a fare does not need is never better than buying it later, but for a pass whose price ends
          within the period: such a pass is tried at every fare that it covers. A pass that costs no less than
          all fares it touches together is never bought: without it they cost that much at most. A fare
          whose networks are all covered is free; else it costs the least of the whole fare and its uncovered
          networks alone.
          Hours count from the first entry, and an entry in time is covered whenever the ride ends. Nothing
          covers a maximum fare.
Invariant Exact. Twin: tests/oracles/best_fare.py (all sets of purchases).
Not here  What is given back (promise.py); caps (caps.py).
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from maas.fares.charged import FareCharged, ServiceClock, in_order, product_price
from maas.fares.tables import PassRow
from maas.prices import RiderCategory

PassesOn = Callable[[date], tuple[PassRow, ...]]
MONTHS_PER_YEAR = 12
NOT_HELD = 0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """A pass that would have been bought at an entry, and the fares it would have covered, if in part."""

    row: PassRow
    price_minor: int
    starts_at: datetime
    fare_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BestFare:
    """The cheapest way to have paid: passes, and what each fare would have cost beside them."""

    total_minor: int
    purchases: tuple[Purchase, ...]
    left_minor: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Offer:
    """A pass on sale at a fare. `place` is its place in a state; `ends_early`: its price will end soon."""

    row: PassRow
    price: int
    covers: frozenset[str]
    place: int
    expires: int
    ends_early: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sale:
    """A pass on sale at a fare, and the instant at which an entry is no longer covered."""

    row: PassRow
    price: int
    covers: frozenset[str]
    expires: int

    @property
    def kind(self) -> tuple[str, tuple[str, ...]]:
        """What makes it one pass to the search: its id and its networks."""
        return self.row.pass_id, tuple(sorted(self.covers))


@dataclass(frozen=True, slots=True)
class _Entry:
    """A fare as the search sees it: its instant in microseconds, what covers it, what is left to pay."""

    fare: FareCharged
    at: int
    offers: tuple[_Offer, ...]
    left_by_covered: dict[frozenset[str], int]


@dataclass(frozen=True, slots=True)
class _Bought:
    """The last purchase on the way to a state, and those before it."""

    offer: _Offer
    entry_index: int
    before: "_Bought | None"


State = tuple[int, ...]
States = dict[State, tuple[int, _Bought | None]]


def find_cheapest(
    fares: Iterable[FareCharged], *, passes_on: PassesOn, rider: RiderCategory, clock: ServiceClock
) -> BestFare:
    """The cheapest combination for the fares of one rider; single fares alone when no pass helps."""
    ordered = in_order(fares)
    assert len({fare.fare_id for fare in ordered}) == len(ordered), "each fare is made once"
    entries, covers = _list_entries(ordered, passes_on, rider, clock)
    singles_left = sum(fare.amount_minor for fare in ordered)
    states: States = {(NOT_HELD,) * len(covers): (0, None)}
    for index, entry in enumerate(entries):
        singles_left -= entry.fare.amount_minor
        states = _prune(_advance(states, index, entry, covers), singles_left)
    total, chain = min(states.values(), key=lambda reached: reached[0])
    best = _tell(entries, chain)
    assert best.total_minor == total, "what is told adds up to what was found"
    return best


def last_day_of(row: PassRow, day: date) -> date:
    """The last service day of a pass that begins on `day`. Requires a pass of days or months."""
    assert row.unit != "hour", "a pass of hours ends at an instant"
    if row.unit == "day":
        return day + timedelta(days=row.count - 1)
    months = day.month - 1 + row.count
    first_of_month = date(day.year + months // MONTHS_PER_YEAR, months % MONTHS_PER_YEAR + 1, 1)
    # A month begun on the 31st ends with the last day of a shorter month.
    next_month = (first_of_month + timedelta(days=31)).replace(day=1)
    same_day = first_of_month + timedelta(days=day.day - 1)
    return min(same_day, next_month) - timedelta(days=1)


def _list_entries(
    fares: list[FareCharged], passes_on: PassesOn, rider: RiderCategory, clock: ServiceClock
) -> tuple[list[_Entry], list[frozenset[str]]]:
    """The fares with the passes worth buying at them, and the networks of each place of a state."""
    days = [clock.day_of(fare.entered_at) for fare in fares]
    sales = _list_sales(fares, days, passes_on, rider, clock)
    # A version of a pass with other networks is a pass of its own to the search.
    kinds = sorted({sale.kind for offers in sales for sale in offers})
    places = {kind: place for place, kind in enumerate(kinds)}
    entries = [
        _Entry(
            fare=fare,
            at=_microseconds(fare.entered_at),
            offers=tuple(
                _Offer(
                    row=sale.row,
                    price=sale.price,
                    covers=sale.covers,
                    place=places[sale.kind],
                    expires=sale.expires,
                    ends_early=sale.row.valid_to is not None and sale.row.valid_to < days[-1],
                )
                for sale in offers
            ),
            left_by_covered={},
        )
        for fare, offers in zip(fares, sales, strict=True)
    ]
    return entries, [frozenset(networks) for _, networks in kinds]


def _list_sales(
    fares: list[FareCharged],
    days: list[date],
    passes_on: PassesOn,
    rider: RiderCategory,
    clock: ServiceClock,
) -> list[list[_Sale]]:
    """For each fare the passes that cover it and cost less than all that they would cover from there on."""
    networks = [fare.networks for fare in fares]
    instants = [_microseconds(fare.entered_at) for fare in fares]
    on_sale = {day: _list_on_sale(day, passes_on, rider) for day in dict.fromkeys(days)}
    sales: list[list[_Sale]] = []
    for place, (fare, day) in enumerate(zip(fares, days, strict=True)):
        sales.append([])
        for row, price, covers in on_sale[day]:
            if not covers & networks[place]:
                continue
            expires = _expires(row, fare.entered_at, clock)
            touched = 0
            for later in range(place, len(fares)):
                if instants[later] >= expires:
                    break
                if covers & networks[later]:
                    touched += fares[later].amount_minor
            if price < touched:
                sales[-1].append(_Sale(row=row, price=price, covers=covers, expires=expires))
    return sales


def _list_on_sale(
    day: date, passes_on: PassesOn, rider: RiderCategory
) -> list[tuple[PassRow, int, frozenset[str]]]:
    return [
        (row, price, frozenset(row.networks.split()))
        for row in passes_on(day)
        if row.in_promise and (price := product_price(row, rider)) is not None
    ]


def _microseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // _MICROSECOND


def _expires(row: PassRow, starts_at: datetime, clock: ServiceClock) -> int:
    """The first instant at which an entry is no longer covered."""
    if row.unit == "hour":
        return _microseconds(starts_at) + timedelta(hours=row.count) // _MICROSECOND
    after = last_day_of(row, clock.day_of(starts_at)) + timedelta(days=1)
    return _microseconds(datetime.combine(after, clock.starts_at, tzinfo=clock.zone))


def _advance(states: States, index: int, entry: _Entry, covers: list[frozenset[str]]) -> States:
    """All states after a fare: every useful set of purchases, then the fare's rest is paid."""
    reached: States = {}
    for state, (cost, chain) in states.items():
        held = tuple(until if until > entry.at else NOT_HELD for until in state)
        covered: frozenset[str] = frozenset().union(
            *(covers[place] for place, until in enumerate(held) if until)
        )
        for bought in _list_purchases(entry, held, covered):
            after, price, reason = list(held), 0, chain
            covered_after = covered
            for offer in bought:
                after[offer.place] = max(after[offer.place], offer.expires)
                covered_after |= offer.covers
                price += offer.price
                reason = _Bought(offer, index, reason)
            paid = cost + price + _left_of(entry, covered_after)
            key = tuple(after)
            if key not in reached or paid < reached[key][0]:
                reached[key] = (paid, reason)
    return reached


def _list_purchases(entry: _Entry, held: State, covered: frozenset[str]) -> Iterator[tuple[_Offer, ...]]:
    """Every set of passes worth trying at a fare: each covers something that the others before it do not."""
    early = [offer for offer in entry.offers if offer.ends_early]

    def choose(needed: list[str], covered: frozenset[str]) -> Iterator[tuple[_Offer, ...]]:
        if not needed:
            yield ()
            return
        network, rest = needed[0], needed[1:]
        yield from choose(rest, covered)
        if network in covered:
            return
        for offer in entry.offers:
            if network in offer.covers and not held[offer.place]:
                for others in choose(rest, covered | offer.covers):
                    yield (offer, *others)

    useful = list(choose([part.network_id for part in entry.fare.parts], covered))
    yield from useful
    for chosen in _subsets(early):
        if chosen:
            yield from ((*chosen, *(offer for offer in each if offer not in chosen)) for each in useful)


def _subsets(offers: list[_Offer]) -> Iterator[tuple[_Offer, ...]]:
    if not offers:
        yield ()
        return
    for others in _subsets(offers[1:]):
        yield others
        yield (offers[0], *others)


def _left_of(entry: _Entry, covered: frozenset[str]) -> int:
    """What a fare costs beside the passes in hand; remembered by what they cover of it."""
    mine = covered & entry.fare.networks
    if mine not in entry.left_by_covered:
        entry.left_by_covered[mine] = left_of(entry.fare, mine)
    return entry.left_by_covered[mine]


def left_of(fare: FareCharged, covered: frozenset[str]) -> int:
    """What a fare costs where passes cover these networks."""
    if covered.isdisjoint(fare.networks):
        return fare.amount_minor
    alone = [part.alone_minor for part in fare.parts if part.network_id not in covered]
    return min(fare.amount_minor, sum(alone))


def _prune(states: States, singles_left: int) -> States:
    """The states that can still win: none is beaten by another in cost and in every pass."""
    enough = min(cost for cost, _ in states.values()) + singles_left
    kept: list[tuple[State, int]] = []
    for state, (cost, _) in sorted(states.items(), key=lambda item: (item[1][0], [-u for u in item[0]])):
        if cost > enough:
            break
        if not any(all(a >= b for a, b in zip(other, state, strict=True)) for other, _ in kept):
            kept.append((state, cost))
    return {state: states[state] for state, _ in kept}


def _tell(entries: list[_Entry], chain: _Bought | None) -> BestFare:
    bought: list[_Bought] = []
    while chain is not None:
        bought.append(chain)
        chain = chain.before
    bought.reverse()
    left: dict[str, int] = {}
    covered_by: dict[int, list[str]] = {place: [] for place in range(len(bought))}
    for index, entry in enumerate(entries):
        covered: frozenset[str] = frozenset()
        for place, one in enumerate(bought):
            if one.entry_index <= index and entry.at < one.offer.expires:
                covered |= one.offer.covers
                if one.offer.covers & entry.fare.networks:
                    covered_by[place].append(entry.fare.fare_id)
        left[entry.fare.fare_id] = _left_of(entry, covered)
    purchases = tuple(
        Purchase(
            row=one.offer.row,
            price_minor=one.offer.price,
            starts_at=entries[one.entry_index].fare.entered_at,
            fare_ids=tuple(covered_by[place]),
        )
        for place, one in enumerate(bought)
    )
    total = sum(each.price_minor for each in purchases) + sum(left.values())
    return BestFare(total_minor=total, purchases=purchases, left_minor=left)
