"""What a search for one place and one for all have in common: what may be ridden, and how one changes."""

from pydantic import Field

from maas.journeys import Mode
from routing.transfer_rules import TransferRule
from services.planner.modes import MotisMode, modes_meant
from services.planner.outside import Manners, choose_manners
from services.planner.parameters import (
    CyclingSpeed,
    Languages,
    MatchingDistance,
    Modes,
    MotisQuery,
    TransferFactor,
    TransferMinutes,
    WalkingSpeed,
)


class RideQuery(MotisQuery):
    """A query about journeys on scheduled vehicles."""

    max_transfers: int = Field(default=7, ge=0, le=100)
    transit_modes: Modes = (MotisMode.TRANSIT,)
    min_transfer_time: TransferMinutes = 0
    additional_transfer_time: TransferMinutes = 0
    transfer_time_factor: TransferFactor = 1.0
    require_bike_transport: bool = False
    max_matching_distance: MatchingDistance = 250
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
        return choose_manners(walking_m_s=self.pedestrian_speed, cycling_m_s=self.cycling_speed)

    @property
    def transfer_rule(self) -> TransferRule:
        """How long interchanges take."""
        return TransferRule(
            factor=self.transfer_time_factor,
            additional_s=self.additional_transfer_time * 60,
            min_s=self.min_transfer_time * 60,
        )
