"""What a search for one place and one for all have in common: what may be ridden, and how one changes."""

from typing import Annotated, Literal

from pydantic import Field

from maas.journeys import Mode
from routing.streets.ways import Profile
from routing.transfer_rules import TransferRule
from services.planner.modes import MotisMode, modes_meant
from services.planner.outside import Manners, choose_manners
from services.planner.parameters import (
    MATCHED_M,
    CyclingSpeed,
    Languages,
    MatchingDistance,
    Modes,
    MotisQuery,
    TransferFactor,
    TransferMinutes,
    WalkingSpeed,
    limit_matching,
)
from services.platform.problem import Problem

PedestrianProfile = Annotated[
    Literal["FOOT", "WHEELCHAIR", "PRAM"],
    Field(description="PRAM, without stairs and escalators, does not belong to the MOTIS API."),
]
PROFILES = {"FOOT": Profile.WALK, "WHEELCHAIR": Profile.WHEELCHAIR, "PRAM": Profile.PRAM}


class RideQuery(MotisQuery):
    """A query about journeys on scheduled vehicles."""

    max_transfers: int = Field(default=7, ge=0, le=100)
    transit_modes: Modes = (MotisMode.TRANSIT,)
    min_transfer_time: TransferMinutes = 0
    additional_transfer_time: TransferMinutes = 0
    transfer_time_factor: TransferFactor = 1.0
    require_bike_transport: bool = False
    max_matching_distance: MatchingDistance = MATCHED_M
    use_routed_transfers: bool = False
    pedestrian_profile: PedestrianProfile = "FOOT"
    pedestrian_speed: WalkingSpeed | None = None
    cycling_speed: CyclingSpeed | None = None
    language: Languages = ()

    @property
    def modes(self) -> frozenset[Mode] | None:
        """What may be ridden; None: anything."""
        return None if MotisMode.TRANSIT in self.transit_modes else modes_meant(self.transit_modes)

    @property
    def manners(self) -> Manners:
        """How somebody goes outside vehicles."""
        return choose_manners(
            profile=PROFILES[self.pedestrian_profile],
            walking_m_s=self.pedestrian_speed,
            cycling_m_s=self.cycling_speed,
        )

    @property
    def matching_m_max(self) -> float | None:
        """How far a point may be from the streets, if not as far as they are looked for."""
        return limit_matching(self.max_matching_distance)

    def refuse_unless_routed(self, *, has_streets: bool) -> None:
        """Raises Problem where walks between stops along streets are asked for and there are no streets."""
        if self.use_routed_transfers and not has_streets:
            raise Problem(
                "validation_failed",
                detail="useRoutedTransfers is not offered: the network in force has no streets, and walks "
                "between stops are estimated from the beeline. Leave it out, send false, or load streets "
                "with `maas load --streets`.",
            )

    @property
    def transfer_rule(self) -> TransferRule:
        """How long interchanges take."""
        return TransferRule(
            factor=self.transfer_time_factor,
            additional_s=self.additional_transfer_time * 60,
            min_s=self.min_transfer_time * 60,
        )
