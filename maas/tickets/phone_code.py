"""Eight characters to read over the telephone, of which the last checks the others.

Problem   Somebody without a screen or a printer must be able to name a ticket, by voice, in noise; a slip of
          the tongue must be noticed before anybody is sent away.
Idea      Seven characters of chance and a check, out of 32 that are not mistaken for one another: no I, L, O
          and U (Crockford's base 32; who says O or I is understood as 0 or 1). A character is an element of
          the field of 32; the check makes the sum of all, each times its own power of a generator, zero.
Bounds    2^35 codes: guessing is a matter for the look-up, which limits the tries (services/ticketing).
Invariant one character changed, or two exchanged, is never a valid code.
Source    Reed-Solomon with one check symbol; the field by x^5 + x^2 + 1. Crockford, Base 32.
"""

import secrets

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 8
_VALUES = {character: value for value, character in enumerate(ALPHABET)}
_HEARD_AS = str.maketrans({"O": "0", "I": "1", "L": "1", " ": None, "-": None})
_MODULUS = 0b100101


class PhoneCodeMistyped(ValueError):
    """Not eight characters of the alphabet, or the last does not check the others. Ask for it once more."""


def draw_phone_code() -> str:
    """A fresh code, at random."""
    return with_check("".join(secrets.choice(ALPHABET) for _ in range(LENGTH - 1)))


def with_check(seven: str) -> str:
    """Seven characters with the one that checks them."""
    # The check's own weight is 1, so that it is simply the sum of the others.
    return seven + ALPHABET[_weigh([_VALUES[character] for character in seven] + [0])]


def read_phone_code(heard: str) -> str:
    """The code as it is kept, from what was typed: any case, dashes and spaces. Raises PhoneCodeMistyped."""
    code = heard.upper().translate(_HEARD_AS)
    if len(code) != LENGTH or not set(code) <= set(ALPHABET):
        raise PhoneCodeMistyped(f"{heard!r}: a code is eight letters and digits.")
    if _weigh([_VALUES[character] for character in code]):
        raise PhoneCodeMistyped(f"{heard!r}: one character is wrong, or two are exchanged.")
    return code


def spell(code: str) -> str:
    """As it is read aloud and printed: XXXX-XXXX."""
    return f"{code[:4]}-{code[4:]}"


def _weigh(values: list[int]) -> int:
    """The sum of all values, the last times 1, the one before times x, then x^2 and so on (Horner)."""
    total = 0
    for value in values:
        total = _times_x(total) ^ value
    return total


def _times_x(value: int) -> int:
    doubled = value << 1
    return doubled ^ _MODULUS if doubled & len(ALPHABET) else doubled
