"""The same name, written differently."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.planner.names import (
    cut_ending,
    list_bracketed,
    list_parts,
    list_words,
    normalise,
    without_brackets,
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("市ヶ谷", "市ケ谷"),
        ("霞ヶ関", "霞ケ関"),
        ("ｼﾝｼﾞｭｸ", "しんじゅく"),
        ("Tochōmae", "TOCHOMAE"),
        ("国際 展示場", "国際展示場"),
        ("Shin-Okubo", "shin okubo"),
        ("Ｎ１番", "n1番"),
    ],
)
def test_written_differently_the_same_name(one: str, other: str) -> None:
    assert normalise(one) == normalise(other)


@pytest.mark.parametrize(
    ("one", "other"), [("かき", "がき"), ("大島", "大鳥"), ("ハハ", "ババ"), ("はは", "ぱぱ")]
)
def test_other_names_stay_other(one: str, other: str) -> None:
    assert normalise(one) != normalise(other)


@given(st.text(max_size=30))
def test_what_is_normalised_is_stable(text: str) -> None:
    """Comparing twice-normalised forms with once-normalised ones must not lose a match."""
    once = normalise(text)
    assert normalise(once) == once


def test_brackets_parts_and_words() -> None:
    assert without_brackets("元町港（大島）") == "元町港"
    assert list_bracketed("元町港（大島）") == ["大島"]
    assert without_brackets("押上〈スカイツリー前〉") == "押上"
    assert list_parts("東京・竹芝") == ["東京", "竹芝"]
    assert list_parts("竹芝") == []
    assert list_words("大島　元町") == ["大島", "元町"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("大島駅", ("大島", "station")),
        ("Tochomae Station", ("tochomae", "station")),
        ("イケブクロえき", ("イケブクロ", "station")),
        ("元町港", ("元町", "port")),
        ("駅", ("駅", "")),
        ("大島", ("大島", "")),
    ],
)
def test_endings_say_what_kind_of_place(text: str, expected: tuple[str, str]) -> None:
    assert cut_ending(normalise(text)) == expected
