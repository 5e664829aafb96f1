"""Japanese names as Latin letters, so that a reading finds them however it is written.

Problem   Somebody types しんばし, シンバシ, Shinbashi or sinbasi; the feed knows 新橋 and Shimbashi.
Idea      Kana become Hepburn romaji. Two writings of one sound are then made one: the other system's letters
          (si, tya, hu), n before b, m and p, long vowels that are written out or not, doubled consonants.
Limit     ambiguous by nature: おおしま and おしま have one key. It serves finding, never comparing.
Source    Hepburn as the railways write it; Kunrei, ISO 3602.
"""

import re
from itertools import product

_ROWS = {
    "": "アイウエオ", "k": "カキクケコ", "s": "サシスセソ", "t": "タチツテト", "n": "ナニヌネノ",
    "h": "ハヒフヘホ", "m": "マミムメモ", "r": "ラリルレロ", "g": "ガギグゲゴ", "z": "ザジズゼゾ",
    "d": "ダヂヅデド", "b": "バビブベボ", "p": "パピプペポ",
}  # fmt: skip
_SINGLE = {
    **{kana: consonant + vowel
       for consonant, row in _ROWS.items() for kana, vowel in zip(row, "aiueo", strict=True)},
    "シ": "shi", "チ": "chi", "ツ": "tsu", "フ": "fu", "ジ": "ji", "ヂ": "ji", "ヅ": "zu",
    "ヤ": "ya", "ユ": "yu", "ヨ": "yo", "ワ": "wa", "ヲ": "o", "ン": "n", "ヴ": "vu",
    "ァ": "a", "ィ": "i", "ゥ": "u", "ェ": "e", "ォ": "o", "ャ": "ya", "ュ": "yu", "ョ": "yo", "ー": "",
}  # fmt: skip
_GLIDES = {"ャ": "a", "ュ": "u", "ョ": "o"}
_STEMS = {"シ": "sh", "チ": "ch", "ジ": "j", "ヂ": "j"}
_FOREIGN = {"ァ": "a", "ィ": "i", "ェ": "e", "ォ": "o"}
_FOREIGN_STEMS = {"フ": "f", "ヴ": "v", "テ": "t", "デ": "d", "シ": "sh", "チ": "ch", "ジ": "j", "ウ": "w"}
_PAIRS = {
    **{kana + glide: _SINGLE[kana][:-1] + "y" + vowel
       for kana, (glide, vowel) in product("キニヒミリギビピ", _GLIDES.items())},
    **{kana + glide: stem + vowel
       for (kana, stem), (glide, vowel) in product(_STEMS.items(), _GLIDES.items())},
    **{kana + small: stem + vowel
       for (kana, stem), (small, vowel) in product(_FOREIGN_STEMS.items(), _FOREIGN.items())},
}  # fmt: skip
_ONE_SOUND = (
    # Kunrei as Hepburn; the longer ones first.
    (re.compile(r"sy(?=[aueo])"), "sh"), (re.compile(r"(?:ty|cy)(?=[aueo])"), "ch"),
    (re.compile(r"(?:zy|jy|dy)(?=[aueo])"), "j"), (re.compile(r"si"), "shi"),
    (re.compile(r"ti"), "chi"), (re.compile(r"tu"), "tsu"),
    (re.compile(r"(?<![sc])hu"), "fu"), (re.compile(r"[zd]i"), "ji"),
    (re.compile(r"m(?=[bmp])"), "n"),
    (re.compile(r"tc(?=h)"), "c"),
    (re.compile(r"oh(?![aiueo])"), "o"), (re.compile(r"ou"), "o"),
    (re.compile(r"(.)\1+"), r"\1"),
)  # fmt: skip
_KANA = re.compile(r"^[ァ-ヴーa-z0-9]*[ァ-ヴ][ァ-ヴーa-z0-9]*$")


def is_reading(normalised: str) -> bool:
    """Whether a normalised name is written in kana, Latin letters and digits only."""
    return bool(_KANA.match(normalised)) or (normalised.isascii() and normalised.isalnum())


def sound_key(normalised: str) -> str:
    """What all writings of one sound have in common; "" for what is no reading."""
    if not is_reading(normalised):
        return ""
    key = to_romaji(normalised)
    for pattern, writing in _ONE_SOUND:
        key = pattern.sub(writing, key)
    return key


def to_romaji(katakana: str) -> str:
    """Katakana as Hepburn letters, long vowels as the kana spell them; all else as it is."""
    letters: list[str] = []
    i, is_doubled = 0, False
    while i < len(katakana):
        pair = _PAIRS.get(katakana[i : i + 2])
        if katakana[i] == "ッ":
            is_doubled, i = True, i + 1
            continue
        sound = pair or _SINGLE.get(katakana[i], katakana[i])
        letters.append(sound[:1] + sound if is_doubled else sound)
        is_doubled = False
        i += 2 if pair else 1
    return "".join(letters)
