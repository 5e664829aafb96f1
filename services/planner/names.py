"""How names are compared: written differently, the same name.

市ヶ谷 and 市ケ谷, ｼﾝｼﾞｭｸ and しんじゅく, "Tochōmae" and "tochomae", 押上〈スカイツリー前〉 and 押上.
"""

import re
import unicodedata

_BRACKETS = re.compile(r"[（(〈<\[【「]([^）)〉>\]】」]*)[）)〉>\]】」]")
_PARTS = re.compile(r"[・／/]")
_NOISE = re.compile(r"[\s\-‐‑–—'’.,、。]+")
_SMALL_KE = str.maketrans({"ヶ": "ケ", "ヵ": "カ", "ゖ": "ケ", "ゕ": "カ"})
_HIRAGANA = range(0x3041, 0x3097)
_TO_KATAKANA = 0x60
_STATION_ENDINGS = ("駅", "エキ", "station", "sta", "역", "站")
_PORT_ENDINGS = ("港", "port", "항")


def normalise(name: str) -> str:
    """The form in which names are compared: NFKC, no accents, katakana, no blanks or marks, case folded."""
    # What is left of one mark may join with the letter before it, so go on until nothing changes.
    before, form = "", _fold(name)
    while form != before:
        before, form = form, _fold(form)
    return form


def _fold(name: str) -> str:
    folded = unicodedata.normalize("NFKC", name).casefold()
    # Accents go from Latin letters only: in kana the same marks make another sound.
    plain = "".join(_without_accent(character) for character in folded)
    katakana = "".join(chr(ord(c) + _TO_KATAKANA) if ord(c) in _HIRAGANA else c for c in plain)
    return _NOISE.sub("", katakana.translate(_SMALL_KE))


def _without_accent(character: str) -> str:
    decomposed = unicodedata.normalize("NFD", character)
    return decomposed[0] if decomposed[0].isascii() else character


def list_words(text: str) -> list[str]:
    """The text's words, normalised: what stands between blanks."""
    return [word for part in text.split() if (word := normalise(part))]


def without_brackets(name: str) -> str:
    """The name without what stands in brackets."""
    return _BRACKETS.sub("", name)


def list_bracketed(name: str) -> list[str]:
    """What stands in brackets: an area, or another name."""
    return [inner for inner in _BRACKETS.findall(name) if inner]


def list_parts(name: str) -> list[str]:
    """The parts of a name made of several: 東京・竹芝."""
    parts = [part for part in _PARTS.split(without_brackets(name)) if part]
    return parts if len(parts) > 1 else []


def cut_ending(normalised: str) -> tuple[str, str]:
    """(the name without its ending, "station", "port" or "")."""
    for kind, endings in (("station", _STATION_ENDINGS), ("port", _PORT_ENDINGS)):
        for ending in endings:
            if normalised.endswith(ending) and len(normalised) > len(ending):
                return normalised.removesuffix(ending), kind
    return normalised, ""
