"""What both generations of GTFS fares need: money, ids inside the feed, and the answer they share.

Problem   A feed of another city brings its own fares; they are decimals of any currency, by ids of that
          feed.
Idea      A `StandardPrice` is a `JourneyPrice` without the city's riders and media: the feed's own ids say
          who rides with what. Amounts become whole minor units of their currency, or the feed is refused.
Not here  Which rules apply: standard_v1.py (fare_attributes) and standard_v2.py (Fares v2).
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from maas.errors import TariffUnreadable
from maas.fares.runs import without_feed
from maas.journeys import Journey, Leg, Mode
from maas.prices import Addend, FareComponent
from payments.money import Money, split_exactly

# ISO 4217: the currencies whose minor unit is not a hundredth.
_DECIMALS = dict.fromkeys(
    ("JPY", "KRW", "VND", "CLP", "ISK", "PYG", "UGX", "RWF", "XOF", "XAF", "XPF"), 0
) | (dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3))
_DECIMALS_USUAL = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class StandardPrice:
    """What a journey costs by a feed's own fares. Components as in `JourneyPrice`."""

    total: Money
    components: tuple[FareComponent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a fare: what, how much, and the operator that earns or loses it.

    `text_en` is empty where the feed's own words are all there is.
    """

    text: str
    amount_minor: int
    rule_id: str
    operator_id: str
    text_en: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a feed's prices come from: the first day they hold, and the feed's name."""

    valid_from: date
    source: str


def to_minor(amount: Decimal, currency: str) -> int:
    """An exact decimal as whole minor units. Raises TariffUnreadable where it is none."""
    scaled = amount.scaleb(_DECIMALS.get(currency, _DECIMALS_USUAL))
    if scaled != scaled.to_integral_value():
        raise TariffUnreadable(f"{amount} {currency} has more decimals than the currency; correct the feed")
    return int(scaled)


def list_rides(journey: Journey) -> list[tuple[int, Leg]]:
    """The legs that cost something, with their place in the journey."""
    return [(index, leg) for index, leg in enumerate(journey.legs) if leg.mode is not Mode.WALK]


def stop_of(public_id: str | None) -> str:
    """A stop's id inside its feed; "" for a point."""
    return without_feed(public_id)


def build_component(
    *, indices: tuple[int, ...], product_id: str, entries: list[Entry], currency: str, origin: Origin
) -> FareComponent:
    """The entries of one fare as a component; its shares sum to it and none is negative."""
    amount = sum(entry.amount_minor for entry in entries)
    shares: dict[str, int] = {}
    for entry in entries:
        shares[entry.operator_id] = shares.get(entry.operator_id, 0) + entry.amount_minor
    if min(shares.values()) < 0 <= amount:
        # A discount that is greater than its operator's part is borne by all, by what they earned.
        earned = dict.fromkeys(shares, 0)
        for entry in entries:
            earned[entry.operator_id] += max(0, entry.amount_minor)
        shares = split_exactly(amount, earned)
    return FareComponent(
        leg_indices=indices,
        product_id=product_id,
        amount=Money(amount, currency),
        addends=tuple(
            Addend(
                text=entry.text,
                text_en=entry.text_en or entry.text,
                amount_minor=entry.amount_minor,
                rule_id=entry.rule_id,
                valid_from=origin.valid_from,
                source=origin.source,
            )
            for entry in entries
        ),
        shares=shares,
    )
