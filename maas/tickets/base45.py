"""Bytes as the 45 letters that a QR code stores most densely after digits.

Source    RFC 9285. Two bytes become three letters, a last single byte becomes two.
"""

import struct

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
VALUES = {letter: value for value, letter in enumerate(ALPHABET)}
PAIR_LETTERS = 3
SINGLE_LETTERS = 2


class NotBase45(ValueError):
    """The text holds another letter, a cut-off group, or a group above its range."""


def encode_base45(raw: bytes) -> str:
    """The text of `raw`."""
    letters = []
    for start in range(0, len(raw), 2):
        group = raw[start : start + 2]
        number = int.from_bytes(group, "big")
        for _ in range(PAIR_LETTERS if len(group) > 1 else SINGLE_LETTERS):
            number, value = divmod(number, 45)
            letters.append(ALPHABET[value])
    return "".join(letters)


def decode_base45(text: str) -> bytes:
    """The bytes of `text`. Raises NotBase45."""
    try:
        values = [VALUES[letter] for letter in text]
    except KeyError as error:
        raise NotBase45(f"letter {error} at {text.index(error.args[0])}") from None
    whole = len(values) - len(values) % PAIR_LETTERS
    places = (values[place:whole:PAIR_LETTERS] for place in range(PAIR_LETTERS))
    numbers = [first + 45 * second + 2025 * third for first, second, third in zip(*places, strict=True)]
    try:
        pairs = struct.pack(f">{len(numbers)}H", *numbers)
        return pairs + _decode_single(values[whole:])
    except (struct.error, ValueError):
        raise NotBase45(f"a group of {text!r} is cut off or above its range") from None


def _decode_single(values: list[int]) -> bytes:
    """The last byte of an odd number of them, from two letters."""
    if not values:
        return b""
    first, second = values
    return bytes([first + 45 * second])
