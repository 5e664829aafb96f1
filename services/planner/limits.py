"""What an answer must keep to."""

from dataclasses import dataclass

from maas.journeys import Mode
from routing.transfer_rules import AS_PLANNED, TransferRule
from services.planner.bikes.offers import ANY_RENTAL, RentalFilter
from services.planner.outside import USUAL, Manners

INTERCHANGES_MAX = 11
WALK_S_MAX = 1_800
DIRECT_S_MAX = 7_200
"""The longest walk all the way that may be asked for."""

ON_FOOT = frozenset({Mode.WALK})


@dataclass(frozen=True, slots=True, kw_only=True)
class ViaAsked:
    """A place on the way, as it was named, and how long one stays there at least."""

    place: str
    stay_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an answer must keep to besides.

    modes            ridden only; None: any. Empty: no rides at all
    duration_s_max   from the start of a journey to its end; None: any
    access_s_max     the walk to the first stop; None: as far as walks are looked at
    egress_s_max     likewise from the last stop
    direct_s_max     the way without a scheduled vehicle; 0: none is wanted
    direct_factor    a ride is kept while it takes less than so many times the direct walk
    rule             how long interchanges take
    takes_bikes      ridden is only what is said to take bikes along
    *_by             how ways to the first stop, from the last and all the way may be made
    manners          how somebody goes outside vehicles, at both ends and between rides
    matching_m_max   how far a point may be from the nearest street; None: as far as streets are looked for,
                     and beyond that ways are estimated
    *_rental         which shared bikes may be taken there
    bikes_between    shared bikes may be taken between two rides
    vias             the places that it leads over, in order; then nobody walks or cycles all the way
    fewest_steps     not the earliest first but who is least on foot, of those not much later
    """

    modes: frozenset[Mode] | None = None
    duration_s_max: int | None = None
    access_s_max: int | None = None
    egress_s_max: int | None = None
    direct_s_max: int = WALK_S_MAX
    direct_factor: float = 1.0
    rule: TransferRule = AS_PLANNED
    takes_bikes: bool = False
    access_by: frozenset[Mode] = ON_FOOT
    egress_by: frozenset[Mode] = ON_FOOT
    direct_by: frozenset[Mode] = ON_FOOT
    manners: Manners = USUAL
    matching_m_max: float | None = None
    access_rental: RentalFilter = ANY_RENTAL
    egress_rental: RentalFilter = ANY_RENTAL
    direct_rental: RentalFilter = ANY_RENTAL
    bikes_between: bool = False
    vias: tuple[ViaAsked, ...] = ()
    fewest_steps: bool = False


ANY = Limits()
