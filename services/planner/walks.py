"""One to many: how long walks take, in the shape of the MOTIS API.

Idea      Walks are estimated from the beeline, the same both ways; `arriveBy` therefore changes nothing but
          which end is meant. A point farther than `max` has an empty object, as in MOTIS.
Not here  Bikes and cars: there are no streets to ride on.
"""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from routing.streets.beeline import estimate_walk
from services.planner.motis import MotisMessage
from services.planner.parameters import MatchingDistance, MotisQuery, Point, parse_point, split_list

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


def list_walks(query: OneToManyQuery) -> list[DurationMessage]:
    """A walk for each of the many, in their order. Raises Problem for what is no point on Earth."""
    here = parse_point(query.one)
    found = []
    for text in query.many:
        walk = estimate_walk(*here, *parse_point(text))
        is_near = walk.seconds <= query.max
        found.append(
            DurationMessage(
                duration=walk.seconds if is_near else None,
                distance=walk.metres if is_near and query.with_distance else None,
            )
        )
    return found
