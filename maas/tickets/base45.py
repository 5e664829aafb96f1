"""Bytes as the 45 letters that a QR code stores most densely after digits.

Source    RFC 9285. Two bytes become three letters, a last single byte becomes two.
"""

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
    raw = bytearray()
    for start in range(0, len(text), PAIR_LETTERS):
        group = text[start : start + PAIR_LETTERS]
        if len(group) == 1 or any(letter not in VALUES for letter in group):
            raise NotBase45(f"group {group!r} at {start}")
        number = sum(VALUES[letter] * 45**power for power, letter in enumerate(group))
        size = 2 if len(group) == PAIR_LETTERS else 1
        if number >= 256**size:
            raise NotBase45(f"group {group!r} at {start}")
        raw += number.to_bytes(size, "big")
    return bytes(raw)
