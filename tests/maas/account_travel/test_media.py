"""Tokens that are no card numbers, and who rides and pays when."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maas.account_travel.media import (
    Medium,
    PaidBy,
    Party,
    TokenFault,
    find_token_fault,
    holds_card_number,
    passes_luhn,
)
from maas.prices import RiderCategory
from tests.support.travel import MONDAY, at

# The card brands' published test numbers.
TEST_NUMBERS = [
    "4242424242424242",
    "378282246310005",
    "6011111111111117",
    "3530111333300000",
    "4000056655665556",
]


def with_check_digit(digits: str) -> str:
    """The check digit, found by trying: every number has exactly one."""
    (found,) = [digits + check for check in "0123456789" if passes_luhn(digits + check)]
    return found


@pytest.mark.parametrize("number", TEST_NUMBERS)
@pytest.mark.parametrize("shape", ["{}", "card:{}", "tok_{}_x1", "pan{}"])
def test_a_card_number_is_refused_in_any_dress(number: str, shape: str) -> None:
    assert find_token_fault(shape.format(number)) is TokenFault.CARD_NUMBER


def test_a_card_number_in_groups_is_refused() -> None:
    assert find_token_fault("4242-4242-4242-4242") is TokenFault.CARD_NUMBER
    assert find_token_fault("4242 4242 4242 4242") is TokenFault.CARD_NUMBER


def test_one_wrong_digit_is_no_card_number() -> None:
    # The checksum finds every single wrong digit.
    assert not holds_card_number("4242424242424243")


def test_tokens_of_providers_and_digests_are_taken() -> None:
    assert find_token_fault("pm_1NVChw2eZvKYlo2CHxiM5E2E") is None
    assert find_token_fault("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08") is None
    # A digest may hold a card number by chance: 4242424242424242 inside 32 hexadecimal digits.
    assert find_token_fault("ab4242424242424242cdef0123456789") is None


def test_short_and_odd_tokens_are_refused() -> None:
    assert find_token_fault("abc") is TokenFault.LENGTH
    assert find_token_fault("x" * 129) is TokenFault.LENGTH
    assert find_token_fault("with a space inside") is TokenFault.CHARACTERS


@given(st.text("0123456789", min_size=11, max_size=18))
def test_every_number_with_its_check_digit_is_found(digits: str) -> None:
    assert holds_card_number(with_check_digit(digits))


def test_a_ride_is_paid_by_whoever_the_medium_was_linked_to_when_it_began() -> None:
    medium = Medium(
        medium_ref="m",
        payers=(
            PaidBy(since=at("08:00"), until=at("12:00"), customer_id="a"),
            PaidBy(since=at("13:00"), customer_id="b"),
        ),
    )
    found = [medium.find_payer(at(clock)) for clock in ("07:59", "08:00", "11:59", "12:00", "13:00")]
    assert found == [None, "a", "a", None, "b"]


def test_a_party_rides_in_its_time_only() -> None:
    family = (RiderCategory.ADULT, RiderCategory.CHILD)
    medium = Medium(
        medium_ref="m",
        categories={MONDAY: RiderCategory.STUDENT},
        parties=(Party(since=at("10:00"), until=at("12:00"), riders=family),),
    )
    assert medium.riders_at(at("09:59"), MONDAY) == (RiderCategory.STUDENT,)
    assert medium.riders_at(at("10:00"), MONDAY) == family
    assert medium.riders_at(at("12:00"), MONDAY) == (RiderCategory.STUDENT,)
