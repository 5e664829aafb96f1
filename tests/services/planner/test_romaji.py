"""Readings: one sound, however it is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.planner.names import normalise
from services.planner.romaji import sound_key, to_romaji

KANA = "".join(chr(code) for code in range(0x30A1, 0x30F5))


@pytest.mark.parametrize(
    ("kana", "romaji"),
    [
        # As the railways write them, long vowels as the kana spell them.
        ("シンジュク", "shinjuku"),
        ("トウキョウ", "toukyou"),
        ("ギョウトク", "gyoutoku"),
        ("ニッポリ", "nippori"),
        ("チョウシ", "choushi"),
        ("リョウゴク", "ryougoku"),
        ("ミツコシマエ", "mitsukoshimae"),
        ("ツヅキフレアイノオカ", "tsuzukifureainooka"),
        ("ディズニー", "dizuni"),
        ("フォーラム", "foramu"),
    ],
)
def test_kana_as_hepburn(kana: str, romaji: str) -> None:
    assert to_romaji(kana) == romaji


@pytest.mark.parametrize(
    "writings",
    [
        ("しんばし", "シンバシ", "Shimbashi", "Shinbashi", "sinbasi"),
        ("とうきょう", "Tokyo", "Tōkyō", "toukyou", "Tohkyoh"),
        ("おおしま", "Oshima", "Ōshima", "Ohshima", "oosima"),
        ("ふちゅう", "Fuchu", "Huchu", "hutyuu"),
        ("じゆうがおか", "Jiyugaoka", "jiyuugaoka", "Ziyuugaoka"),
        ("にっぽり", "Nippori", "nippori"),
        ("まっちゃ", "matcha", "maccha", "mattya"),
        ("しゅくがわ", "Shukugawa", "syukugawa"),
    ],
)
def test_one_sound_has_one_key(writings: tuple[str, ...]) -> None:
    assert len({sound_key(normalise(writing)) for writing in writings}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [("かがわ", "かなが"), ("しぶや", "ひびや"), ("shibuya", "hibiya"), ("おおた", "おおつ")],
)
def test_other_sounds_have_other_keys(one: str, other: str) -> None:
    assert sound_key(normalise(one)) != sound_key(normalise(other))


def test_what_is_no_reading_has_no_key() -> None:
    assert sound_key(normalise("新橋")) == sound_key(normalise("신바시")) == ""


@given(st.text(KANA, min_size=1, max_size=20))
def test_kana_and_their_romaji_have_one_key(text: str) -> None:
    """Whoever types what the kana say in letters finds what the kana find."""
    kana = normalise(text)
    letters = to_romaji(kana)
    if letters.isascii() and letters:
        assert sound_key(letters) == sound_key(kana)
