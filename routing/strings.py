"""Text that many processes share.

Problem   Python lists of a hundred thousand ids take long to load and are copied into every process.
Idea      All strings of a column stand in one blob of UTF-8 bytes; `offsets` says where each begins. Both are
          plain arrays, so they are memory-mapped like the rest of the timetable, and a string is decoded
          only when somebody reads it. `order` sorts the strings by their bytes, so that finding one is a
          binary search.
Invariant string i owns blob[offsets[i] : offsets[i + 1]]; offsets has length n + 1 and never falls.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Strings(NamedTuple):
    """A column of strings: see the module."""

    blob: npt.NDArray[np.uint8]
    offsets: npt.NDArray[np.int64]
    order: npt.NDArray[np.int32]


def build_strings(values: Sequence[str]) -> Strings:
    """Pack the values in the order given."""
    encoded = [value.encode() for value in values]
    lengths = np.fromiter((len(value) for value in encoded), dtype=np.int64, count=len(encoded))
    offsets = np.zeros(len(encoded) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    blob = np.frombuffer(b"".join(encoded), dtype=np.uint8).copy()
    order = np.array(sorted(range(len(encoded)), key=encoded.__getitem__), dtype=np.int32)
    return Strings(blob, offsets, order)


def append_strings(strings: Strings, values: Sequence[str]) -> Strings:
    """The same column with these behind the others."""
    added = build_strings(values)
    at = [_find_place(strings, value.encode()) for value in values]
    at_sorted = np.array([at[i] for i in added.order.tolist()], dtype=np.int64)
    return Strings(
        blob=np.concatenate([strings.blob, added.blob]),
        offsets=np.concatenate([strings.offsets, added.offsets[1:] + strings.offsets[-1]]),
        order=np.insert(strings.order, at_sorted, added.order + np.int32(len(strings.order))),
    )


def get_string(strings: Strings, index: int) -> str:
    """The string at `index`."""
    return _bytes_at(strings, index).decode()


def list_strings(strings: Strings) -> list[str]:
    """All strings, in order."""
    return list(iterate_strings(strings))


def iterate_strings(strings: Strings) -> Iterator[str]:
    """All strings, one by one."""
    whole = strings.blob.tobytes()
    offsets = strings.offsets.tolist()
    for begin, end in pairwise(offsets):
        yield whole[begin:end].decode()


def find_string(strings: Strings, value: str) -> int | None:
    """The index of the first string in byte order that equals `value`, or None."""
    wanted = value.encode("utf-8", "surrogatepass")
    low = _find_place(strings, wanted)
    if low == len(strings.order):
        return None
    index = int(strings.order[low])
    return index if _bytes_at(strings, index) == wanted else None


def check_strings(strings: Strings) -> None:
    """Assert the module's invariant."""
    assert len(strings.offsets) == len(strings.order) + 1, "offsets have length n + 1"
    assert (np.diff(strings.offsets) >= 0).all(), "offsets never fall"
    assert int(strings.offsets[0]) == 0, "the first string begins the blob"
    assert int(strings.offsets[-1]) == len(strings.blob), "the last string ends the blob"


def _find_place(strings: Strings, wanted: bytes) -> int:
    """How many strings come before this one in byte order."""
    low, high = 0, len(strings.order)
    while low < high:
        middle = (low + high) // 2
        if _bytes_at(strings, int(strings.order[middle])) < wanted:
            low = middle + 1
        else:
            high = middle
    return low


def _bytes_at(strings: Strings, index: int) -> bytes:
    return strings.blob[int(strings.offsets[index]) : int(strings.offsets[index + 1])].tobytes()
