import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maas.tickets.phone_code import (
    ALPHABET,
    PhoneCodeMistyped,
    draw_phone_code,
    read_phone_code,
    spell,
    with_check,
)

CODES = st.text(alphabet=ALPHABET, min_size=7, max_size=7).map(with_check)


def test_a_drawn_code_is_read_back_however_it_is_typed() -> None:
    codes = {draw_phone_code() for _ in range(200)}
    assert len(codes) == 200
    for code in codes:
        assert read_phone_code(code) == code
        assert read_phone_code(spell(code).lower()) == code
        assert not set(code) & set("ILOU")


def test_letters_that_sound_or_look_like_digits_are_understood() -> None:
    code = with_check("0101010")
    assert read_phone_code("OiOlO1o" + code[-1]) == code


@given(code=CODES)
def test_every_single_slip_is_noticed(code: str) -> None:
    for place, other in itertools.product(range(8), ALPHABET):
        if code[place] != other:
            with pytest.raises(PhoneCodeMistyped):
                read_phone_code(code[:place] + other + code[place + 1 :])


@given(code=CODES)
def test_every_exchange_of_two_is_noticed(code: str) -> None:
    for one, other in itertools.combinations(range(8), 2):
        if code[one] != code[other]:
            typed = list(code)
            typed[one], typed[other] = typed[other], typed[one]
            with pytest.raises(PhoneCodeMistyped):
                read_phone_code("".join(typed))


@pytest.mark.parametrize("typed", ["", "1234567", "123456789", "1234567U", "あいうえおかきく"])
def test_what_is_no_code(typed: str) -> None:
    with pytest.raises(PhoneCodeMistyped):
        read_phone_code(typed)
