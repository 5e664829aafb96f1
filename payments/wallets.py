"""A traveller's stored value: how it is filled, and when it fills itself.

Problem   A wallet must not run dry at a gate, and must not empty a bank account overnight either.
Idea      An automatic top-up has a threshold, an amount and a ceiling a day. It happens when the balance,
          less what is about to be paid, falls below the threshold: as many times the amount as what is to be
          paid needs, and at least once. What cannot be covered within the ceiling is not begun.
Not here  The balance (the ledger's), and how a top-up is paid (payment.py).
Invariant A day's automatic top-ups never exceed the ceiling; each is a multiple of the amount.
Source    Facts on payments, rules 19 and 26.
"""

from dataclasses import dataclass
from enum import StrEnum

CARD_MINOR_MIN = 50
"""The smallest charge of a card in yen."""

TOP_UP_MINOR_MIN = 100
BALANCE_MINOR_MAX = 100_000
"""What a wallet may hold after a top-up. A refund may lift it higher: what is owed is always paid."""


class WalletState(StrEnum):
    """OPEN -> CLOSING (nothing comes in, the rest is being paid out) -> CLOSED. Opening again is allowed."""

    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"


class TopUpState(StrEnum):
    """OPEN -> PAID, or DECLINED (by the card, or given up because the traveller did not act)."""

    OPEN = "open"
    PAID = "paid"
    DECLINED = "declined"


class TopUpVerdict(StrEnum):
    """The answer to a wish to top up, in order of precedence."""

    ACCEPTED = "accepted"
    WALLET_NOT_OPEN = "wallet_not_open"
    AMOUNT_TOO_SMALL = "amount_too_small"
    BALANCE_TOO_HIGH = "balance_too_high"


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoTopUp:
    """When, how much, and how much a day at most, in minor units. The default card is charged."""

    threshold_minor: int
    amount_minor: int
    day_ceiling_minor: int

    def __post_init__(self) -> None:
        assert self.threshold_minor >= 0, "a balance is never below 0"
        assert self.amount_minor >= TOP_UP_MINOR_MIN, "a top-up has its smallest amount"
        assert self.day_ceiling_minor >= self.amount_minor, "the ceiling leaves room for one top-up"


def decide_top_up(state: WalletState, *, amount_minor: int, balance_minor: int) -> TopUpVerdict:
    """Whether a traveller may add this amount now."""
    if state is not WalletState.OPEN:
        return TopUpVerdict.WALLET_NOT_OPEN
    if amount_minor < TOP_UP_MINOR_MIN:
        return TopUpVerdict.AMOUNT_TOO_SMALL
    if balance_minor + amount_minor > BALANCE_MINOR_MAX:
        return TopUpVerdict.BALANCE_TOO_HIGH
    return TopUpVerdict.ACCEPTED


def decide_auto_top_up(
    settings: AutoTopUp, *, balance_minor: int, needed_minor: int, today_minor: int, has_declined_today: bool
) -> int:
    """How much to add before `needed_minor` (0: nothing) is paid; 0 when nothing is to be added.

    `today_minor` are the day's automatic top-ups, paid or on their way. A card that declined one is not asked
    again that day.
    """
    if has_declined_today or balance_minor - needed_minor >= settings.threshold_minor:
        return 0
    missing_minor = max(0, needed_minor - balance_minor)
    count = max(1, -(-missing_minor // settings.amount_minor))
    added_minor = count * settings.amount_minor
    exceeds_ceiling = today_minor + added_minor > settings.day_ceiling_minor
    exceeds_balance = balance_minor + added_minor - needed_minor > BALANCE_MINOR_MAX
    return 0 if exceeds_ceiling or exceeds_balance else added_minor
