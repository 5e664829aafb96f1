"""From street to street: which way one turns, in the words of the MOTIS API.

Idea      A way's steps are stretches of one street each (routing/streets); the turn into a step is the angle
          between the last piece of the step before and its own first, each looked at over some metres, since
          streets are drawn with small corners. Stairs and lifts are told as such.
Not here  What a step is.
"""

import math
from collections.abc import Sequence
from typing import Literal

Direction = Literal[
    "DEPART",
    "HARD_LEFT",
    "LEFT",
    "SLIGHTLY_LEFT",
    "CONTINUE",
    "SLIGHTLY_RIGHT",
    "RIGHT",
    "HARD_RIGHT",
    "CIRCLE_CLOCKWISE",
    "CIRCLE_COUNTERCLOCKWISE",
    "STAIRS",
    "ELEVATOR",
    "UTURN_LEFT",
    "UTURN_RIGHT",
]

Point = tuple[float, float]

_BY_KIND: dict[str, Direction] = {"steps": "STAIRS", "escalator": "STAIRS", "elevator": "ELEVATOR"}
_LOOKED_M = 8.0
_DEGREE_M = 111_195.0
# Up to so many degrees from straight on: the word to the left and to the right.
_TURNS: tuple[tuple[float, Direction, Direction], ...] = (
    (20.0, "CONTINUE", "CONTINUE"),
    (45.0, "SLIGHTLY_LEFT", "SLIGHTLY_RIGHT"),
    (115.0, "LEFT", "RIGHT"),
    (160.0, "HARD_LEFT", "HARD_RIGHT"),
    (180.0, "UTURN_LEFT", "UTURN_RIGHT"),
)


def list_turns(steps: Sequence[tuple[str, Sequence[Point]]]) -> list[Direction]:
    """How each step, given as its kind and its points, is entered; the first is departed on."""
    turns: list[Direction] = []
    heading: float | None = None
    for i, (kind, points) in enumerate(steps):
        entered = _heading(points)
        if not i:
            turns.append("DEPART")
        elif kind in _BY_KIND:
            turns.append(_BY_KIND[kind])
        elif entered is None or heading is None:
            turns.append("CONTINUE")
        else:
            turns.append(_turn(entered - heading))
        left = _heading(points[::-1])
        # Who looks back from the end sees the way that was come.
        heading = heading if left is None else left + 180.0
    return turns


def _turn(degrees: float) -> Direction:
    to_right = (degrees + 180.0) % 360.0 - 180.0
    for most, left, right in _TURNS:
        if abs(to_right) <= most:
            return right if to_right > 0 else left
    raise AssertionError("no turn is more than half a circle")


def _heading(points: Sequence[Point]) -> float | None:
    """Degrees clockwise from north, from the first point to what lies some metres on; None of one point."""
    if not points:
        return None
    lat, lon = points[0]
    shrink = math.cos(math.radians(lat))
    heading = None
    for next_lat, next_lon in points[1:]:
        north, east = (next_lat - lat) * _DEGREE_M, (next_lon - lon) * shrink * _DEGREE_M
        if north or east:
            heading = math.degrees(math.atan2(east, north))
        if math.hypot(north, east) >= _LOOKED_M:
            break
    return heading
