"""A mandate: who pays, for whom, for what, how much, until when.

Problem   A parent pays for a child and a helper is paid for by whom they help, but not for everything and not
          without end; and the one who is paid for must agree, because the payer sees what is paid.
Idea      A mandate is offered by the payer and accepted by the traveller; either may revoke it. Each use is
          checked when it is charged, against the sums of its day and month. What one mandate does not allow
          the next may; what none allows the traveller pays.
Not here  Where uses are kept and whose wallet is asked (services/payments/wallets).
Invariant No use is allowed outside the mandate's time, products, modes and limits.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class MandateProduct(StrEnum):
    """What is paid: TRAVEL is charged ride by ride, ORDERS are bought before."""

    TRAVEL = "travel"
    ORDERS = "orders"


class MandateVerdict(StrEnum):
    """The answer to a use, in order of precedence."""

    ALLOWED = "allowed"
    NOT_ACCEPTED = "not_accepted"
    REVOKED = "revoked"
    NOT_IN_FORCE = "not_in_force"
    PRODUCT_NOT_COVERED = "product_not_covered"
    MODE_NOT_COVERED = "mode_not_covered"
    EXCEEDS_RIDE = "exceeds_ride"
    EXCEEDS_DAY = "exceeds_day"
    EXCEEDS_MONTH = "exceeds_month"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mandate:
    """`payer_id` pays for `traveller_id`. No modes: all modes. A limit of None is none; in minor units."""

    mandate_id: UUID
    payer_id: str
    traveller_id: str
    products: frozenset[MandateProduct]
    modes: frozenset[str]
    ride_minor_max: int | None
    day_minor_max: int | None
    month_minor_max: int | None
    valid_from: datetime
    valid_until: datetime
    accepted_at: datetime | None = None
    revoked_at: datetime | None = None


def decide_use(
    mandate: Mandate,
    *,
    amount_minor: int,
    product: MandateProduct,
    modes: frozenset[str],
    day_minor: int,
    month_minor: int,
    now: datetime,
    ride_minor: int | None = None,
) -> MandateVerdict:
    """Whether the mandate pays `amount_minor` (> 0) now.

    `ride_minor` is the dearest ride of it, None when it is one.
    `day_minor` and `month_minor` are its earlier uses of the same day and month. A ride whose modes are not
    told is covered only by a mandate for all modes.
    """
    checks = (
        (MandateVerdict.NOT_ACCEPTED, mandate.accepted_at is None),
        (MandateVerdict.REVOKED, mandate.revoked_at is not None),
        (MandateVerdict.NOT_IN_FORCE, not mandate.valid_from <= now < mandate.valid_until),
        (MandateVerdict.PRODUCT_NOT_COVERED, product not in mandate.products),
        (MandateVerdict.MODE_NOT_COVERED, bool(mandate.modes) and not (modes and modes <= mandate.modes)),
        (
            MandateVerdict.EXCEEDS_RIDE,
            _exceeds(amount_minor if ride_minor is None else ride_minor, mandate.ride_minor_max),
        ),
        (MandateVerdict.EXCEEDS_DAY, _exceeds(day_minor + amount_minor, mandate.day_minor_max)),
        (MandateVerdict.EXCEEDS_MONTH, _exceeds(month_minor + amount_minor, mandate.month_minor_max)),
    )
    return next((verdict for verdict, applies in checks if applies), MandateVerdict.ALLOWED)


def _exceeds(amount_minor: int, limit_minor: int | None) -> bool:
    return limit_minor is not None and amount_minor > limit_minor
