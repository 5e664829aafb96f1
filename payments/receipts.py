"""A receipt with the particulars of a qualified invoice, as the law asks for since 2023-10.

Problem   A traveller on business needs a receipt that the tax office accepts, and tax is rounded once per
          rate per receipt, never line by line.
Idea      Lines carry their amount and rate; sums are made per rate; the tax of a rate is rounded down once,
          on the sum. Amounts may include the tax (fares do) or not (fees between businesses).
Rule      Public transport below 30,000 yen needs no invoice: such a receipt says so, and is valid without our
          number. A fee on it needs the number. Stored value is no supply: it is out of scope (rate None).
Not here  Layout and language.
Invariant total = sum of lines, plus tax where it is not included; net + tax = total per rate.
Source    Facts on payments, rule 25. Vector: 105 yen three times at 10 %, not included, is 31, not 30.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

EXEMPT_BELOW_MINOR = 30_000
_NUMBER = re.compile(r"T[0-9]{13}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptLine:
    """What was supplied on a day. `rate_percent` None: no supply; negative amounts give back."""

    description: str
    supplied_on: date
    amount_minor: int
    rate_percent: int | None = 10
    is_public_transport: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RateTotal:
    """All lines of one rate: net + tax = total."""

    rate_percent: int | None
    net_minor: int
    tax_minor: int
    total_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """Who supplies. `registration_number` is T and 13 digits, or None while there is none."""

    name: str
    registration_number: str | None

    def __post_init__(self) -> None:
        number = self.registration_number
        assert number is None or _NUMBER.fullmatch(number), "a registration number is T and 13 digits"


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceReceipt:
    """The receipt. `is_exempt`: as public transport it is valid without a number; else `is_qualified`."""

    issuer: Issuer
    recipient: str
    issued_on: date
    lines: tuple[ReceiptLine, ...]
    totals: tuple[RateTotal, ...]
    total_minor: int
    is_exempt: bool
    is_qualified: bool


def build_receipt(
    *,
    issuer: Issuer,
    recipient: str,
    issued_on: date,
    lines: Sequence[ReceiptLine],
    is_tax_included: bool = True,
) -> InvoiceReceipt:
    """The receipt of these lines."""
    rates = sorted({line.rate_percent for line in lines}, key=lambda rate: (rate is None, rate or 0))
    totals = tuple(_total(lines, rate, is_tax_included=is_tax_included) for rate in rates)
    total_minor = sum(each.total_minor for each in totals)
    supplies = [line for line in lines if line.rate_percent is not None]
    is_exempt = (
        bool(supplies)
        and all(line.is_public_transport for line in supplies)
        and sum(line.amount_minor for line in supplies) < EXEMPT_BELOW_MINOR
    )
    return InvoiceReceipt(
        issuer=issuer,
        recipient=recipient,
        issued_on=issued_on,
        lines=tuple(lines),
        totals=totals,
        total_minor=total_minor,
        is_exempt=is_exempt,
        is_qualified=bool(supplies) and issuer.registration_number is not None,
    )


def included_tax(total_minor: int, rate_percent: int) -> int:
    """The tax in a sum that includes it, rounded toward zero, once. What is given back mirrors it."""
    if total_minor < 0:
        return -included_tax(-total_minor, rate_percent)
    return total_minor * rate_percent // (100 + rate_percent)


def added_tax(net_minor: int, rate_percent: int) -> int:
    """The tax on a sum that does not include it, rounded toward zero, once. What is given back mirrors it."""
    if net_minor < 0:
        return -added_tax(-net_minor, rate_percent)
    return net_minor * rate_percent // 100


def _total(lines: Sequence[ReceiptLine], rate: int | None, *, is_tax_included: bool) -> RateTotal:
    amount_minor = sum(line.amount_minor for line in lines if line.rate_percent == rate)
    if rate is None:
        return RateTotal(rate_percent=None, net_minor=amount_minor, tax_minor=0, total_minor=amount_minor)
    if is_tax_included:
        tax_minor = included_tax(amount_minor, rate)
        net_minor = amount_minor - tax_minor
    else:
        tax_minor, net_minor = added_tax(amount_minor, rate), amount_minor
    return RateTotal(
        rate_percent=rate,
        net_minor=net_minor,
        tax_minor=tax_minor,
        total_minor=net_minor + tax_minor,
    )
