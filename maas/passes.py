"""A pass that was sold: from the order to the day it has ended and its price is earned.

Problem   A pass is paid today, may begin with an entry that nobody knows yet, covers rides of several
          operators for hours or months, and can be given back until then by the rule of its tariff.
Idea      A `PassOrder` is a value with a state; each function is one allowed step. What was bought is copied
          from the tariff at the moment of buying: price, networks, rule; a later tariff never changes it.

  PENDING --confirm--> CONFIRMED --refund--> REFUNDED      before it has begun
     |                     `-----earn------> EARNED        when it is over, shared by use
     `-----expire----> EXPIRED                             nobody paid in time

Rule      A pass of hours begins with the first entry it covers, and must begin within six months of its sale
          (a longer one would be a prepaid instrument that needs a deposit). A pass of days or months begins
          on the chosen service date. Its price is shared by what its rides would have cost alone, by
          operator; where nothing was ridden, in equal parts. Each to the yen.
Invariant The shares of a pass sum to what was paid and not given back.
Not here  What a pass covers of a fare (fares/pass_cover.py) and moving the money.
Source    facts B2.2 (24-hour semantics), payments rule 26 (prepaid value for six months or less).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Literal
from uuid import UUID, uuid5

from maas.fares.best_fare import last_day_of
from maas.fares.charged import ServiceClock, product_price
from maas.fares.pass_cover import IN_HAND, PassInHand
from maas.fares.tables import PassRow
from maas.prices import Addend, FareComponent, RiderCategory
from maas.tickets.ticket import PassArea
from payments.money import Money, split_exactly, yen

PAY_WITHIN = timedelta(minutes=10)
BEGIN_WITHIN = timedelta(days=180)
BOOK_AHEAD_DAYS_MAX = 31
TAPS_ARRIVE_WITHIN = timedelta(hours=72)
"""A pass is shared by use when the last tap of its last ride must have come."""


class PassState(StrEnum):
    """Where a pass is; see the module."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    REFUNDED = "refunded"
    EARNED = "earned"
    EXPIRED = "expired"


class PassPlaceStatus(StrEnum):
    """The answer to ordering a pass, in order of precedence."""

    PLACED = "placed"
    NOT_SOLD_TO_RIDER = "not_sold_to_rider"
    START_MISSING = "start_missing"
    START_NOT_ASKED = "start_not_asked"
    START_OUT_OF_RANGE = "start_out_of_range"


@dataclass(frozen=True, slots=True, kw_only=True)
class PassProduct:
    """A pass on sale. `operators` are those whose networks it covers, `areas` what its ticket says."""

    row: PassRow
    operators: tuple[str, ...]
    areas: tuple[PassArea, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PassHeld:
    """A pass that a traveller holds. Instants are aware, `ends_at` exclusive.

    A pass of hours has neither `starts_at` nor `ends_at` before its first entry, from `usable_from` on.
    """

    pass_id: UUID
    product_id: str
    rider: RiderCategory
    networks: tuple[str, ...]
    name: str
    name_en: str
    usable_from: datetime
    starts_at: datetime | None
    ends_at: datetime | None
    hours: int | None

    @property
    def in_hand(self) -> PassInHand:
        """The pass as pricing sees it."""
        return PassInHand(
            pass_id=str(self.pass_id),
            networks=frozenset(self.networks),
            name=self.name,
            name_en=self.name_en,
            usable_from=self.usable_from,
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            hours=self.hours,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PassUse:
    """What the rides of a service week made of a pass: when it began, and the single fares it stood for.

    `week` is a Monday. `used` is by operator; telling it again replaces what was told for that week and
    carrier. `carrier` is the ref of the ticket that was shown, "" for the traveller's card or phone.
    """

    pass_id: UUID
    week: date
    began: datetime | None
    used: dict[str, int]
    carrier: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PassOrder:
    """A pass as it was sold. `starts_on` is the first service date of one of days or months."""

    pass_id: UUID
    traveller_id: str
    product_id: str
    rider: RiderCategory
    unit: Literal["hour", "day", "month"]
    count: int
    networks: tuple[str, ...]
    operators: tuple[str, ...]
    amount: Money
    addends: tuple[Addend, ...]
    name: str
    name_en: str
    starts_on: date | None
    usable_from: datetime
    starts_at: datetime | None
    ends_at: datetime | None
    begin_before: datetime
    payment_id: UUID
    state: PassState
    refunded: Money
    placed_at: datetime
    expires_at: datetime
    areas: tuple[PassArea, ...] = ()

    @property
    def has_begun(self) -> bool:
        """An hour pass had an entry; its refund is over."""
        return self.unit == "hour" and self.starts_at is not None

    @property
    def held(self) -> PassHeld:
        """The pass as its holder and pricing see it."""
        return PassHeld(
            pass_id=self.pass_id,
            product_id=self.product_id,
            rider=self.rider,
            networks=self.networks,
            name=self.name,
            name_en=self.name_en,
            usable_from=self.usable_from,
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            hours=self.count if self.unit == "hour" else None,
        )

    @property
    def component(self) -> FareComponent:
        """The price as a fare component over no leg, for the refund rules."""
        return FareComponent(
            leg_indices=(),
            product_id=f"{self.product_id}:pass",
            amount=self.amount,
            addends=self.addends,
            shares=self.share({}),
        )

    def share(self, used: Mapping[str, int]) -> dict[str, int]:
        """What was paid and not given back, by operator: by use, else in equal parts."""
        weights = {operator: used.get(operator, 0) for operator in self.operators}
        left = (self.amount - self.refunded).amount_minor
        if not any(weights.values()):
            weights = dict.fromkeys(self.operators, 1)
        return split_exactly(left, weights) if left else dict.fromkeys(self.operators, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PassPlacement:
    """The answer to `place_pass`: with PLACED comes the order."""

    status: PassPlaceStatus
    order: PassOrder | None = None


def place_pass(
    product: PassProduct,
    *,
    pass_id: UUID,
    traveller_id: str,
    rider: RiderCategory,
    starts_on: date | None,
    now: datetime,
    clock: ServiceClock,
) -> PassPlacement:
    """Order a pass at today's tariff. Refuses with the statuses of PassPlaceStatus."""
    row = product.row
    price = product_price(row, rider) if rider in (RiderCategory.ADULT, RiderCategory.CHILD) else None
    today = clock.day_of(now)
    status = _judge(row, price, starts_on, today)
    if status is not PassPlaceStatus.PLACED:
        return PassPlacement(status=status)
    assert price is not None, "a pass that is sold has its price"
    usable_from = now if starts_on is None else clock.start_of(starts_on)
    ends_at = None
    if starts_on is not None:
        ends_at = clock.start_of(last_day_of(row, starts_on) + timedelta(days=1))
    order = PassOrder(
        pass_id=pass_id,
        traveller_id=traveller_id,
        product_id=row.pass_id,
        rider=rider,
        unit=row.unit,
        count=row.count,
        networks=tuple(row.networks.split()),
        operators=product.operators,
        amount=yen(price),
        addends=(_addend(row, rider, price),),
        name=row.name,
        name_en=row.name_en,
        starts_on=starts_on,
        usable_from=usable_from,
        starts_at=None if starts_on is None else usable_from,
        ends_at=ends_at,
        begin_before=now + BEGIN_WITHIN if ends_at is None else ends_at,
        payment_id=uuid5(pass_id, "payment"),
        state=PassState.PENDING,
        refunded=yen(0),
        placed_at=now,
        expires_at=now + PAY_WITHIN,
        areas=product.areas,
    )
    return PassPlacement(status=PassPlaceStatus.PLACED, order=order)


def _judge(row: PassRow, price: int | None, starts_on: date | None, today: date) -> PassPlaceStatus:
    if price is None:
        return PassPlaceStatus.NOT_SOLD_TO_RIDER
    if row.unit == "hour":
        return PassPlaceStatus.PLACED if starts_on is None else PassPlaceStatus.START_NOT_ASKED
    if starts_on is None:
        return PassPlaceStatus.START_MISSING
    if not 0 <= (starts_on - today).days <= BOOK_AHEAD_DAYS_MAX:
        return PassPlaceStatus.START_OUT_OF_RANGE
    return PassPlaceStatus.PLACED


def _addend(row: PassRow, rider: RiderCategory, price: int) -> Addend:
    who, who_en = ("小児", "child") if rider is RiderCategory.CHILD else ("大人", "adult")
    return Addend(
        text=f"{row.name}（{who}）",
        text_en=f"{row.name_en} ({who_en})",
        amount_minor=price,
        rule_id=f"passes/{row.pass_id}",
        valid_from=row.valid_from,
        source=row.source,
    )


def confirm_pass(order: PassOrder) -> PassOrder:
    """It is paid."""
    assert order.state is PassState.PENDING, "only a pending pass is confirmed"
    return replace(order, state=PassState.CONFIRMED)


def expire_pass(order: PassOrder) -> PassOrder:
    """Nobody paid in time, or the money was lost; the caller has let it go."""
    assert order.state is PassState.PENDING, "only a pending pass expires"
    return replace(order, state=PassState.EXPIRED)


def note_entry(order: PassOrder, entered_at: datetime) -> PassOrder:
    """An entry that the pass of hours covers: the earliest one begins it, in whatever order they are told."""
    if order.unit != "hour" or not order.usable_from <= entered_at < order.begin_before:
        return order
    if order.starts_at is not None and order.starts_at <= entered_at:
        return order
    return replace(order, starts_at=entered_at, ends_at=entered_at + timedelta(hours=order.count))


def covered_by(component: FareComponent) -> dict[UUID, int]:
    """What passes in hand took off a fare, by pass; where several did it together, by the first of them."""
    covered: dict[UUID, int] = {}
    for line in component.addends:
        rule, _, passes = line.rule_id.partition("/")
        if rule == IN_HAND:
            pass_id = UUID(passes.split("/")[0])
            covered[pass_id] = covered.get(pass_id, 0) - line.amount_minor
    return covered


def is_refundable(order: PassOrder, *, now: datetime) -> bool:
    """Whether the holder may give it back: it is paid and has not begun."""
    begins = order.begin_before if order.unit == "hour" else order.usable_from
    return order.state is PassState.CONFIRMED and not order.has_begun and now < begins


def refund_pass(order: PassOrder, amount: Money) -> PassOrder:
    """`amount` of the price goes back; the rest is the fee of its rule."""
    assert order.state is PassState.CONFIRMED, "a pass is given back once"
    assert Money(0) <= amount <= order.amount, "a refund is at most the price paid"
    return replace(order, state=PassState.REFUNDED, refunded=amount)


def earned_from(order: PassOrder) -> datetime:
    """When all taps of its rides must have come, so that its price can be shared."""
    return (order.ends_at or order.begin_before) + TAPS_ARRIVE_WITHIN


def earn_pass(order: PassOrder, uses: Iterable[Mapping[str, int]]) -> tuple[PassOrder, dict[str, int]]:
    """The pass is over: its state, and each operator's part of the price."""
    assert order.state is PassState.CONFIRMED, "a pass is earned once"
    used: dict[str, int] = {}
    for each in uses:
        for operator, amount in each.items():
            used[operator] = used.get(operator, 0) + amount
    return replace(order, state=PassState.EARNED), order.share(used)
