"""How much of all travel is paid without cash.

Idea      ratio = paid without cash / (paid without cash + paid in cash), in basis points, rounded down.
          Stored value counts as cashless when it is ridden, wherever it was filled: a top-up in cash is no
          travel yet. Where nothing was paid there is no ratio.
Source    METI's cashless vision (payments by card, e-money and code over all private consumption).
"""


def ratio_bp(*, cashless_minor: int, cash_minor: int) -> int | None:
    """0 to 10,000; None where nothing was paid."""
    total = cashless_minor + cash_minor
    return cashless_minor * 10_000 // total if total > 0 else None
