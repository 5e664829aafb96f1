"""What a pass in hand covers of fares: the third price world, in which a ride costs nothing.

Problem   A pass covers networks. A joint fare of two networks may be covered by half; a pass of hours begins
          with the first entry it covers, which nobody knows when it is sold.
Idea      Go over the fares in the order of entry. A pass that has not begun begins with the first fare it
          helps. A fare whose networks are all covered is free; of another one the uncovered networks are paid
          alone, or the whole fare where that is less.
Rule      An entry in time is covered whenever the ride ends, also after the pass has run out and across the
          last train. Nothing covers a maximum fare.
Invariant A pass never makes a fare dearer; the shares of what is left sum to it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from maas.fares.charged import FareCharged, Part, in_order, list_fares_charged
from maas.fares.engine import FareEngine
from maas.journeys import Journey
from maas.prices import Addend, JourneyPrice
from payments.money import split_exactly, yen

IN_HAND = "pass_in_hand"
"""The rule of a line that a pass takes off a fare; the passes' ids follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PassInHand:
    """A pass as pricing sees it. Instants are aware; `ends_at` is exclusive.

    A pass of hours that has not begun has neither instant but `hours`; it may begin from `usable_from` on.
    """

    pass_id: str
    networks: frozenset[str]
    name: str
    name_en: str
    usable_from: datetime
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    hours: int | None = None

    def __post_init__(self) -> None:
        assert (self.starts_at is None) == (self.ends_at is None), "a pass has begun or it has not"
        assert self.starts_at is not None or self.hours is not None, "only a pass of hours waits for an entry"

    def begin(self, entered_at: datetime) -> "PassInHand":
        """The pass with its hours running from this entry."""
        assert self.hours is not None, "only a pass of hours begins with an entry"
        return replace(self, starts_at=entered_at, ends_at=entered_at + timedelta(hours=self.hours))

    def covers(self, entered_at: datetime) -> bool:
        """Whether an entry at this instant is covered, by a pass that has begun."""
        return (
            self.starts_at is not None
            and self.ends_at is not None
            and self.starts_at <= entered_at < self.ends_at
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """What is left to pay, in the order of entry; the passes that began, and when; what each pass covered.

    `used` gives, by pass and operator, the single fares that the pass stood for: what its price is shared by.
    """

    fares: tuple[FareCharged, ...]
    began: dict[str, datetime]
    used: dict[str, dict[str, int]]


def cover(fares: Iterable[FareCharged], passes: Sequence[PassInHand]) -> Covered:
    """The fares with what passes in hand take off them."""
    hand = {each.pass_id: each for each in passes}
    left: list[FareCharged] = []
    began: dict[str, datetime] = {}
    used: dict[str, dict[str, int]] = {each.pass_id: {} for each in passes}
    for fare in in_order(fares):
        for each in _list_to_begin(fare, list(hand.values())):
            hand[each.pass_id] = each.begin(fare.entered_at)
            began[each.pass_id] = fare.entered_at
        helping = [
            each for each in hand.values() if each.covers(fare.entered_at) and each.networks & fare.networks
        ]
        left.append(_left_of(fare, helping))
        _note_use(fare, helping, used)
    return Covered(fares=tuple(left), began=began, used={key: value for key, value in used.items() if value})


def cover_price(
    engine: FareEngine, *, journey: Journey, price: JourneyPrice, passes: Sequence[PassInHand]
) -> JourneyPrice:
    """A planned journey's price with passes in hand; what they cover costs nothing and says why."""
    fares = list_fares_charged(engine, ride_id="", journey=journey, price=price)
    left = {fare.fare_id: fare for fare in cover(fares, passes).fares}
    components = tuple(
        replace(
            component,
            amount=yen(left[fare.fare_id].amount_minor),
            addends=left[fare.fare_id].addends,
            shares=left[fare.fare_id].shares,
        )
        for component, fare in zip(price.components, fares, strict=True)
    )
    total = sum(component.amount.amount_minor for component in components)
    return replace(price, total=yen(total), components=components)


def _list_to_begin(fare: FareCharged, hand: list[PassInHand]) -> list[PassInHand]:
    """The waiting passes that this entry begins: those with a network that no running pass covers."""
    running: set[str] = set()
    for each in hand:
        if each.covers(fare.entered_at):
            running |= each.networks
    beginning = []
    for each in hand:
        may_begin = each.starts_at is None and each.usable_from <= fare.entered_at
        if may_begin and (fare.networks - running) & each.networks:
            beginning.append(each)
            running |= each.networks
    return beginning


def _left_of(fare: FareCharged, helping: list[PassInHand]) -> FareCharged:
    covered = frozenset().union(*(each.networks for each in helping)) & fare.networks
    if not covered:
        return fare
    open_parts = [part for part in fare.parts if part.network_id not in covered]
    amount = min(fare.amount_minor, sum(part.alone_minor for part in open_parts))
    lines = list(fare.addends)
    if fare.addends and amount != fare.amount_minor:
        lines.append(_pass_line(helping, amount - fare.amount_minor, fare.addends[0]))
    return replace(
        fare,
        amount_minor=amount,
        parts=tuple(open_parts),
        shares=_shares(amount, open_parts) if open_parts else dict.fromkeys(fare.shares, 0),
        addends=tuple(lines),
    )


def _shares(amount: int, parts: list[Part]) -> dict[str, int]:
    weights: dict[str, int] = {}
    for part in parts:
        weights[part.operator_id] = weights.get(part.operator_id, 0) + part.alone_minor
    return split_exactly(amount, weights) if any(weights.values()) else dict.fromkeys(weights, 0)


def _pass_line(helping: list[PassInHand], amount: int, like: Addend) -> Addend:
    names, names_en = "・".join(each.name for each in helping), ", ".join(each.name_en for each in helping)
    return Addend(
        text=f"{names} 適用",
        text_en=f"covered by {names_en}",
        amount_minor=amount,
        rule_id="/".join([IN_HAND, *(each.pass_id for each in helping)]),
        valid_from=like.valid_from,
        source=like.source,
    )


def _note_use(fare: FareCharged, helping: list[PassInHand], used: dict[str, dict[str, int]]) -> None:
    """Each network is noted for the first pass that covers it."""
    noted: set[str] = set()
    for each in helping:
        for part in fare.parts:
            if part.network_id in each.networks and part.network_id not in noted:
                noted.add(part.network_id)
                by_operator = used[each.pass_id]
                by_operator[part.operator_id] = by_operator.get(part.operator_id, 0) + part.alone_minor
