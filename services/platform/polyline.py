"""Lines on a map in Google's encoding, as the MOTIS API writes them."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

PRECISION = 6
_STEPS_KEPT = 65_536
"""Steps from one stop to the next, as they are written in lines: the same ones again and again."""


def encode_polyline(points: Sequence[tuple[float, float]], precision: int = PRECISION) -> str:
    """Latitudes and longitudes in Google's polyline encoding, so many digits after the point."""
    scale = 10**precision
    rounded = [(0, 0), *((round(lat * scale), round(lon * scale)) for lat, lon in points)]
    return "".join(_encode_step(*before, *here) for before, here in pairwise(rounded))


def decode_polyline(text: str, precision: int = PRECISION) -> list[tuple[float, float]]:
    """The latitudes and longitudes of a line. Raises ValueError for what is none."""
    numbers: list[int] = []
    bits = shift = 0
    for letter in text:
        chunk = ord(letter) - 63
        if not 0 <= chunk < 0x40:  # noqa: PLR2004 - six bits a character
            raise ValueError(f"{letter!r} is in no polyline")
        bits |= (chunk & 0x1F) << shift
        shift += 5
        if chunk < 0x20:  # noqa: PLR2004 - the sixth bit says that more follow
            numbers.append(~(bits >> 1) if bits & 1 else bits >> 1)
            bits = shift = 0
    if shift or len(numbers) % 2:
        raise ValueError("the polyline ends in the middle of a point")
    scale = 10**precision
    points, lat, lon = [], 0, 0
    for step_lat, step_lon in zip(numbers[::2], numbers[1::2], strict=True):
        lat, lon = lat + step_lat, lon + step_lon
        points.append((lat / scale, lon / scale))
    return points


@lru_cache(maxsize=_STEPS_KEPT)
def _encode_step(lat: int, lon: int, next_lat: int, next_lon: int) -> str:
    return _encode_number(next_lat - lat) + _encode_number(next_lon - lon)


def _encode_number(number: int) -> str:
    left = ~(number << 1) if number < 0 else number << 1
    text = []
    while left >= 0x20:  # noqa: PLR2004 - five bits a character, the sixth says that more follow
        text.append(chr((0x20 | left & 0x1F) + 63))
        left >>= 5
    return "".join([*text, chr(left + 63)])
