"""Places on the way: `via` and `viaMinimumStay` of the MOTIS API.

Rule      A stay for each place, or none at all. A stay of 0 is none: one may ride through. Stays beyond the
          places must be 0: MOTIS's own default is `0,0`.
"""

from typing import Annotated

from pydantic import BeforeValidator, Field

from routing.via import STAY_S_MAX, VIAS_MAX
from services.planner.limits import ViaAsked
from services.planner.parameters import MotisQuery, PlaceText, split_list
from services.platform.problem import Problem

StayMinutes = Annotated[int, Field(ge=0, le=STAY_S_MAX // 60)]


class ViaQuery(MotisQuery):
    """A query that may lead over places, up to two, in order. A stop's or station's id, or a name."""

    via: Annotated[tuple[PlaceText, ...], BeforeValidator(split_list), Field(max_length=VIAS_MAX)] = ()
    via_minimum_stay: Annotated[
        tuple[StayMinutes, ...],
        BeforeValidator(split_list),
        Field(max_length=VIAS_MAX, description="Minutes, one for each `via`; 0: one may stay on board."),
    ] = ()

    @property
    def vias(self) -> tuple[ViaAsked, ...]:
        """The places. Raises Problem for a number of stays that is not theirs."""
        stays, count = self.via_minimum_stay, len(self.via)
        if (stays and len(stays) < count) or any(stays[count:]):
            raise Problem(
                "validation_failed",
                detail=f"viaMinimumStay: {len(stays)} stays for {count} places in via. Send the minutes of "
                "each, such as viaMinimumStay=0,15, or leave it out.",
            )
        padded = (*stays, *(0,) * count)[:count]
        return tuple(
            ViaAsked(place=place, stay_s=stay * 60) for place, stay in zip(self.via, padded, strict=True)
        )
