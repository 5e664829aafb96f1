"""What a mandate allows: each refusal once, in its precedence, and its limits as a property."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.mandates import Mandate, MandateProduct, MandateVerdict, decide_use

NOW = datetime(2026, 5, 20, 3, 0, tzinfo=UTC)
FOR_TAKESHI = Mandate(
    mandate_id=UUID(int=1),
    payer_id="mother",
    traveller_id="takeshi",
    products=frozenset({MandateProduct.TRAVEL}),
    modes=frozenset({"subway", "bus"}),
    ride_minor_max=300,
    day_minor_max=500,
    month_minor_max=5000,
    valid_from=NOW - timedelta(days=1),
    valid_until=NOW + timedelta(days=30),
    accepted_at=NOW - timedelta(hours=1),
)
V = MandateVerdict


def decide(mandate: Mandate = FOR_TAKESHI, **use: Any) -> MandateVerdict:
    asked: dict[str, Any] = {
        "amount_minor": 200,
        "product": MandateProduct.TRAVEL,
        "modes": frozenset({"subway"}),
        "day_minor": 0,
        "month_minor": 0,
        "now": NOW,
    }
    return decide_use(mandate, **(asked | use))


@pytest.mark.parametrize(
    ("change", "use", "verdict"),
    [
        ({}, {}, V.ALLOWED),
        ({"accepted_at": None, "revoked_at": NOW}, {"amount_minor": 9999}, V.NOT_ACCEPTED),
        ({"revoked_at": NOW}, {"amount_minor": 9999}, V.REVOKED),
        ({"valid_until": NOW}, {}, V.NOT_IN_FORCE),
        ({"valid_from": NOW + timedelta(seconds=1)}, {}, V.NOT_IN_FORCE),
        ({}, {"product": MandateProduct.ORDERS, "modes": frozenset({"ferry"})}, V.PRODUCT_NOT_COVERED),
        ({}, {"modes": frozenset({"subway", "ferry"}), "amount_minor": 301}, V.MODE_NOT_COVERED),
        ({}, {"modes": frozenset()}, V.MODE_NOT_COVERED),
        ({"modes": frozenset()}, {"modes": frozenset()}, V.ALLOWED),
        ({}, {"amount_minor": 301, "day_minor": 500}, V.EXCEEDS_RIDE),
        ({}, {"amount_minor": 300, "day_minor": 200}, V.ALLOWED),
        ({}, {"day_minor": 301, "month_minor": 5000}, V.EXCEEDS_DAY),
        ({}, {"month_minor": 4801}, V.EXCEEDS_MONTH),
        (
            {"ride_minor_max": None, "day_minor_max": None, "month_minor_max": None},
            {"amount_minor": 10**6},
            V.ALLOWED,
        ),
    ],
)
def test_a_use_has_one_answer(change: dict[str, Any], use: dict[str, Any], verdict: MandateVerdict) -> None:
    assert decide(replace(FOR_TAKESHI, **change), **use) is verdict


@given(amounts=st.lists(st.integers(1, 400), max_size=60), per_day=st.integers(1, 8))
def test_limits_are_never_exceeded(amounts: list[int], per_day: int) -> None:
    """A month of rides, so many a day: what is allowed stays within ride, day and month."""
    month = 0
    for start in range(0, len(amounts), per_day):
        day = 0
        for amount in amounts[start : start + per_day]:
            if decide(amount_minor=amount, day_minor=day, month_minor=month) is V.ALLOWED:
                assert amount <= 300
                day, month = day + amount, month + amount
        assert day <= 500
    assert month <= 5000
