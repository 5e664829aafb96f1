"""Ways by a rented vehicle from stop to stop: a walk to it, the ride, a walk from where it is left.

Problem   Between thousands of stations near thousands of stops there are tens of millions of such ways; a
          search wants the few quickest from each stop, and none that walking beats.
Idea      From each stop every way is tried, and for each other stop the quickest kept; then the quickest of
          those. What is reached is listed, so that only that is looked at and cleared.
Twin      tests/oracles/rental_walks.py
"""
# ruff: noqa: PLR0917 - compiled functions are called by position

from typing import NamedTuple

import numba
import numpy as np

from routing.kernels.arrays import NOT_REACHED, Int32, Walks


class Pairs(NamedTuple):
    """Seconds from each of some places to others: place p owns [offsets[p], offsets[p+1]). All int32."""

    offsets: Int32
    targets: Int32
    seconds: Int32


@numba.njit(nogil=True, cache=True)
def find_rental_walks(
    walks: Walks, out_of: Pairs, rides: Pairs, into: Pairs, limit_s: int, count_max: int, found: Int32
) -> int:
    """The quickest ways from each stop that are quicker than its footpaths.

    walks     see arrays.py
    out_of    from stops to vehicles, on foot
    rides     from vehicles to where they may be left
    into      from where they may be left to stops, on foot
    limit_s   the longest way; count_max  so many stops at most are told of each stop, the quickest
    found     int32[S * count_max, 5]  written: stop, stop, seconds, vehicle, where it is left; by stop, then
              by the other stop. Of ways as quick that of the lowest vehicle, then place.
    Returns   how many rows were written.
    """
    stop_count = len(walks.change_s)
    best_s = np.full(stop_count, NOT_REACHED, dtype=np.int32)
    by = np.zeros((stop_count, 2), dtype=np.int32)
    listed = np.empty(stop_count, dtype=np.int32)
    row = 0
    for stop in range(stop_count):
        count = _try_all(stop, out_of, rides, into, limit_s, best_s, by, listed)
        for w in range(walks.offsets[stop], walks.offsets[stop + 1]):
            target = walks.targets[w]
            if best_s[target] != NOT_REACHED and walks.walk_s[w] <= best_s[target]:
                by[target, 0] = -1
        row = _write(stop, listed[:count], best_s, by, count_max, found, row)
        for i in range(count):
            best_s[listed[i]] = NOT_REACHED
    return row


@numba.njit(nogil=True, cache=True)
def _try_all(
    stop: int, out_of: Pairs, rides: Pairs, into: Pairs, limit_s: int, best_s: Int32, by: Int32, listed: Int32
) -> int:
    """Every way from a stop; how many stops are listed."""
    count = 0
    for o in range(out_of.offsets[stop], out_of.offsets[stop + 1]):
        vehicle = out_of.targets[o]
        for r in range(rides.offsets[vehicle], rides.offsets[vehicle + 1]):
            place = rides.targets[r]
            ridden_s = out_of.seconds[o] + rides.seconds[r]
            for i in range(into.offsets[place], into.offsets[place + 1]):
                there_s = ridden_s + into.seconds[i]
                target = into.targets[i]
                if there_s > limit_s or there_s > best_s[target] or target == stop:
                    continue
                if there_s == best_s[target] and (vehicle, place) >= (by[target, 0], by[target, 1]):
                    continue
                if best_s[target] == NOT_REACHED:
                    listed[count] = target
                    count += 1
                best_s[target] = there_s
                by[target, 0] = vehicle
                by[target, 1] = place
    return count


@numba.njit(nogil=True, cache=True)
def _write(stop: int, listed: Int32, best_s: Int32, by: Int32, count_max: int, found: Int32, row: int) -> int:
    """The quickest of those listed, less those that a footpath beats (by -1), in the order of stops."""
    keys = np.empty(len(listed), dtype=np.int64)
    count = 0
    for target in listed:
        if by[target, 0] >= 0:
            keys[count] = np.int64(best_s[target]) * len(best_s) + target
            count += 1
    chosen = np.sort(np.sort(keys[:count])[:count_max] % len(best_s))
    for target in chosen:
        found[row, 0] = stop
        found[row, 1] = target
        found[row, 2] = best_s[target]
        found[row, 3] = by[target, 0]
        found[row, 4] = by[target, 1]
        row += 1
    return row
