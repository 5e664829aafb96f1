"""One to many: how long walks take, in the shape of the MOTIS API.

Idea      One measurement of all of them, along the network's streets or by the beeline where it has none;
          `arriveBy` measures the ways to the one point. A point farther than `max` has an empty object, as in
          MOTIS.
Not here  Bikes and cars.
"""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from routing.streets.ways import BEYOND, Ways
from services.planner.motis import MotisMessage
from services.planner.outside import Outside
from services.planner.parameters import (
    MatchingDistance,
    MotisQuery,
    Point,
    limit_matching,
    parse_point,
    split_list,
)

MANY_MAX = 1_000
WALK_S_MAX = 86_400


class OneToManyQuery(MotisQuery):
    """GET /api/v1/one-to-many. Points are `latitude;longitude`."""

    one: Point
    many: Annotated[tuple[Point, ...], BeforeValidator(split_list), Field(max_length=MANY_MAX)]
    mode: Literal["WALK"]
    max: float = Field(ge=0, le=WALK_S_MAX, description="Seconds.")
    max_matching_distance: MatchingDistance
    arrive_by: bool
    with_distance: bool = False


class DurationMessage(MotisMessage):
    """Seconds and metres on foot; empty where it is too far."""

    duration: int | None = None
    distance: int | None = None


def list_walks(ways: Ways, query: OneToManyQuery) -> list[DurationMessage]:
    """A walk for each of the many, in their order. Raises Problem for what is no point on Earth."""
    here, many = parse_point(query.one), [parse_point(text) for text in query.many]
    within_m = limit_matching(query.max_matching_distance)
    on = (
        [True] * (1 + len(many))
        if within_m is None
        else Outside(ways).list_on_streets([here, *many], within_m)
    )
    reached = ways.measure(
        *here,
        [lat for lat, _ in many],
        [lon for _, lon in many],
        limit_s=int(query.max),
        is_backwards=query.arrive_by,
    )
    rows = zip(reached.seconds.tolist(), reached.metres.tolist(), on[1:], strict=True)
    return [
        DurationMessage(duration=seconds, distance=metres if query.with_distance else None)
        if seconds != BEYOND and on[0] and is_on
        else DurationMessage()
        for seconds, metres, is_on in rows
    ]
