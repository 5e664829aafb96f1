"""What a ride on a shared vehicle costs, by the system's own pricing plans.

Problem   GBFS gives prices as decimal numbers of the currency; money here is whole minor units.
Idea      Amounts are read as decimals and must be whole in minor units; a plan that is not, or that charges
          by kilometre, is noted and left out: no price is better than a wrong one.
Not here  The tariffs that our own orders are priced by (maas/fares): this is what the system itself says.
Source    GBFS 3.0, system_pricing_plans: a step charges at its start and again after each interval.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from maas.sharing.fields import Fields
from maas.sharing.gbfs import Envelope
from maas.sharing.records import PricingPlan, RateStep
from payments.money import Money

_NO_MINOR_UNIT = frozenset({"JPY", "KRW", "VND", "CLP", "ISK", "UGX", "XAF", "XOF", "XPF", "PYG", "RWF"})
_CURRENCY_LETTERS = 3
_AMOUNT_MAX = 10**12


def read_pricing_plans(envelope: Envelope) -> tuple[PricingPlan, ...]:
    """system_pricing_plans, those that we can price by."""
    return tuple(_plans(envelope))


def _plans(envelope: Envelope) -> Iterator[PricingPlan]:
    for row in envelope.data.rows("plans", required=True):
        currency = row.text("currency", required=True)
        if len(currency) != _CURRENCY_LETTERS or not currency.isascii() or not currency.isalpha():
            row.refuse("currency", f"`{currency}` is no ISO 4217 currency")
        if row.raw("per_km_pricing"):
            row.refuse("per_km_pricing", "plans by kilometre cannot be priced before the ride")
        price_minor = _minor(row, "price", currency)
        steps = tuple(_steps(row, currency))
        names = row.names("name", required=True)
        plan_id = row.text("plan_id", required=True)
        if row.is_usable and price_minor is not None:
            yield PricingPlan(
                plan_id=plan_id,
                names=names,
                currency=currency.upper(),
                price_minor=price_minor,
                steps=steps,
                descriptions=row.names("description"),
            )


def _steps(plan: Fields, currency: str) -> Iterator[RateStep]:
    if "per_min_pricing" not in plan:
        return
    for row in plan.rows("per_min_pricing", required=True):
        start, interval = row.count("start", required=True), row.count("interval", required=True)
        rate_minor = _minor(row, "rate", currency)
        if start is None or interval is None or rate_minor is None:
            plan.refuse("per_min_pricing", "one of its steps cannot be read")
            continue
        yield RateStep(
            start_min=start, rate_minor=rate_minor, interval_min=interval, end_min=row.count("end")
        )


def _minor(row: Fields, name: str, currency: str) -> int | None:
    """An amount in minor units; refused unless it is whole, not negative and of sane size."""
    value: Any = row.raw(name)
    if isinstance(value, str) and value.replace(".", "", 1).isdecimal():
        amount = Decimal(value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        amount = Decimal(str(value))
    else:
        row.refuse(name, f"`{name}` must be an amount of the currency")
        return None
    minor = amount * (1 if currency.upper() in _NO_MINOR_UNIT else 100)
    if not minor.is_finite() or not 0 <= minor <= _AMOUNT_MAX or minor != int(minor):
        row.refuse(name, f"`{name}` is not a whole number of the currency's minor units")
        return None
    return int(minor)


def price_ride(plan: PricingPlan, *, ride_s: int) -> Money:
    """What a ride of that many seconds costs. A step charges when the ride goes on past its minute."""
    assert ride_s >= 0, "a ride does not end before it begins"
    charged = sum(step.rate_minor * _times_charged(step, ride_s) for step in plan.steps)
    return Money(plan.price_minor + charged, plan.currency)


def _times_charged(step: RateStep, ride_s: int) -> int:
    charged_s = ride_s - step.start_min * 60
    if step.end_min is not None:
        charged_s = min(charged_s, (step.end_min - step.start_min) * 60)
    if charged_s <= 0:
        return 0
    if step.interval_min == 0:
        return 1
    return -(-charged_s // (step.interval_min * 60))
