"""A slow, obviously right twin of the bounds: every ride between every two stops, until nothing changes.

A ride here leaves whenever it is wanted and is, stop by stop, as fast as the fastest run that calls at the
same stops by the same rules.
"""

from dataclasses import dataclass
from itertools import pairwise

INFINITE = float("inf")


@dataclass(frozen=True)
class PlainWay:
    """A stop sequence with its rules: (may board, may alight) a stop, seconds to be there before, after."""

    stops: tuple[int, ...]
    rules: tuple[tuple[bool, bool], ...]
    board_early_s: int
    alight_late_s: int


PlainRun = tuple[tuple[int, int], ...]
"""(arrival, departure) at each stop."""


def list_rides(ways: dict[PlainWay, list[PlainRun]]) -> dict[tuple[int, int], int]:
    """The least seconds from being ready at one stop to being off at another by one ride."""
    rides: dict[tuple[int, int], int] = {}
    for way, runs in ways.items():
        between = [min(b[0] - a[1] for a, b in hop) for hop in zip(*map(pairwise, runs), strict=True)]
        standing = [min(call[1] - call[0] for call in calls) for calls in zip(*runs, strict=True)]
        for board in range(len(way.stops)):
            for alight in range(board + 1, len(way.stops)):
                if not (way.rules[board][0] and way.rules[alight][1]):
                    continue
                seconds = sum(between[board:alight]) + sum(standing[board + 1 : alight])
                seconds += way.board_early_s + way.alight_late_s
                pair = way.stops[board], way.stops[alight]
                rides[pair] = min(seconds, rides.get(pair, seconds))
    return rides


def bounds_to(
    goal: int,
    *,
    stop_count: int,
    rides: dict[tuple[int, int], int],
    walks: dict[tuple[int, int], int],
    changes: dict[int, int],
) -> tuple[list[float], list[float]]:
    """The least seconds, and the fewest rides, from alighting at each stop to alighting at the goal."""
    ways_on = walks | {(stop, stop): seconds for stop, seconds in changes.items()}
    left = [INFINITE] * stop_count
    fewest = [INFINITE] * stop_count
    left[goal], fewest[goal] = 0, 0
    for _ in range(stop_count + 1):
        for (source, ready), walk_s in ways_on.items():
            for (board, alight), ride_s in rides.items():
                if board == ready:
                    left[source] = min(left[source], walk_s + ride_s + left[alight])
                    fewest[source] = min(fewest[source], 1 + fewest[alight])
    return left, fewest
