"""An amount of money: an integer of minor units and its currency.

Problem   Floats lose yen, and a bare integer forgets whether it is yen or cents.
Idea      `Money` is the integer and the currency together. Adding two currencies is a bug, so it asserts.
Not here  Rounding rules of a tariff (they belong to the tariff) and exchange between currencies.
"""

from dataclasses import dataclass

JPY = "JPY"


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """`amount_minor` units of `currency` (ISO 4217). For JPY, which has no decimals, a unit is one yen."""

    amount_minor: int
    currency: str = JPY

    def __add__(self, other: "Money") -> "Money":
        assert self.currency == other.currency, "amounts of two currencies are never added"
        return Money(self.amount_minor + other.amount_minor, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return self + -other

    def __neg__(self) -> "Money":
        return Money(-self.amount_minor, self.currency)

    def __str__(self) -> str:
        return f"¥{self.amount_minor:,}" if self.currency == JPY else f"{self.amount_minor} {self.currency}"


def yen(amount: int) -> Money:
    """`amount` yen."""
    return Money(amount, JPY)


def split_exactly(amount_minor: int, weights: dict[str, int]) -> dict[str, int]:
    """Share `amount_minor` by `weights` so that the shares sum to it exactly.

    Largest remainder; ties go to the smaller key, so the order in which shares are named changes nothing.
    A negative amount is shared as its opposite. Requires weights >= 0, not all zero.
    Source: facts on clearing, rule 22.
    """
    total = sum(weights.values())
    assert total > 0, "something must be shared by at least one positive weight"
    assert all(weight >= 0 for weight in weights.values()), "a weight is never negative"
    if amount_minor < 0:
        return {key: -share for key, share in split_exactly(-amount_minor, weights).items()}
    shares = {key: amount_minor * weight // total for key, weight in weights.items()}
    left = amount_minor - sum(shares.values())
    by_remainder = sorted(weights, key=lambda key: (-(amount_minor * weights[key] % total), key))
    for key in by_remainder[:left]:
        shares[key] += 1
    return shares
