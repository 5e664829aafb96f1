"""GET /api/v6/plan: its parameters, and what they ask of a search."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import Field

from maas.journeys import Mode, PlanRequest
from maas.prices import FareMedium, RiderCategory
from services.planner.limits import DIRECT_S_MAX, WALK_S_MAX, Limits
from services.planner.modes import MotisMode
from services.planner.parameters import Cursor, Modes, PlaceText
from services.planner.rental_query import RentalQuery
from services.planner.ride_query import RideQuery
from services.planner.via_query import ViaQuery
from services.platform.problem import Problem

_PRICED_MIN = 20
"""How many journeys are looked for at least when the cheapest is asked for."""

_WAYS = {MotisMode.WALK: Mode.WALK, MotisMode.RENTAL: Mode.BIKE}

WalkSeconds = Annotated[int, Field(ge=0, le=DIRECT_S_MAX)]


class PlanQuery(RideQuery, RentalQuery, ViaQuery):
    """GET /api/v6/plan. A place is `lat,lon`, a stop or station id, or a name.

    `transferModes` WALK,RENTAL takes shared bikes between two rides too. `rank` price puts the journey that
    is cheapest for `rider` on `medium` first, exactly so over the journeys found; walking the one least on
    foot, exactly so of all that are not much later (`ranking` in the answer). These four do not belong to the
    MOTIS API.
    """

    from_place: PlaceText
    to_place: PlaceText
    time: datetime | None = None
    arrive_by: bool = False
    max_travel_time: int | None = Field(default=None, ge=0, le=20_160, description="Minutes.")
    num_itineraries: int = Field(default=5, ge=1, le=20)
    max_itineraries: int | None = Field(default=None, ge=1, le=1_000)
    timetable_view: bool = True
    search_window: int = Field(default=0, ge=0, le=86_400, description="Seconds.")
    page_cursor: Cursor | None = None
    pre_transit_modes: Modes = (MotisMode.WALK,)
    post_transit_modes: Modes = (MotisMode.WALK,)
    direct_modes: Modes = (MotisMode.WALK,)
    transfer_modes: Modes = (MotisMode.WALK,)
    max_pre_transit_time: WalkSeconds | None = None
    max_post_transit_time: WalkSeconds | None = None
    max_direct_time: WalkSeconds = WALK_S_MAX
    fastest_direct_factor: float = Field(default=1.0, ge=0, le=1_000, allow_inf_nan=False)
    detailed_legs: bool = True
    detailed_transfers: bool | None = None
    with_fares: bool = True
    rank: Literal["arrival", "price", "walking"] = "arrival"
    rider: RiderCategory = RiderCategory.ADULT
    medium: FareMedium = FareMedium.APP

    @property
    def count_min(self) -> int:
        """How many journeys are looked for at least."""
        if self.rank == "price":
            return _PRICED_MIN
        return self.num_itineraries if self.timetable_view else 1

    @property
    def needs_prices(self) -> bool:
        """Whether prices are told, or decide the order."""
        return self.with_fares or self.rank == "price"

    @property
    def has_detailed_transfers(self) -> bool:
        """Whether walks between rides have their geometry."""
        return self.detailed_legs if self.detailed_transfers is None else self.detailed_transfers

    @property
    def limits(self) -> Limits:
        """What an answer must keep to. Raises Problem for ways or a ranking that nobody offers."""
        if self.rank == "walking" and self.search_window:
            raise Problem(
                "validation_failed",
                detail="searchWindow: fewest steps are looked for at one hour after another, not in a "
                "window. Leave it out, and ask for more by numItineraries or pageCursor.",
            )
        if self.rank == "walking" and self.via:
            raise Problem(
                "validation_failed",
                detail="via: fewest steps are not looked for over places on the way. Leave out via, or rank.",
            )
        return Limits(
            modes=self.modes,
            duration_s_max=None if self.max_travel_time is None else self.max_travel_time * 60,
            access_s_max=self.max_pre_transit_time,
            egress_s_max=self.max_post_transit_time,
            direct_s_max=self.max_direct_time if self.direct_modes else 0,
            direct_factor=self.fastest_direct_factor,
            rule=self.transfer_rule,
            takes_bikes=self.require_bike_transport,
            manners=self.manners,
            matching_m_max=self.matching_m_max,
            access_by=_ways_meant("preTransitModes", self.pre_transit_modes),
            egress_by=_ways_meant("postTransitModes", self.post_transit_modes),
            direct_by=_ways_meant("directModes", self.direct_modes),
            access_rental=self.access_rental,
            egress_rental=self.egress_rental,
            direct_rental=self.direct_rental,
            bikes_between=self._takes_bikes_between(),
            vias=self.vias,
            fewest_steps=self.rank == "walking",
        )

    def _takes_bikes_between(self) -> bool:
        asked = _ways_meant("transferModes", self.transfer_modes)
        if Mode.WALK not in asked:
            raise Problem(
                "validation_failed",
                detail="transferModes: between two rides one walks as well. Send WALK, or WALK,RENTAL.",
            )
        return Mode.BIKE in asked

    def split_cursor(self) -> tuple[str, datetime | None]:
        """LATER or EARLIER, and from when; or nothing."""
        way, _, epoch_s = (self.page_cursor or "").partition("|")
        return way, datetime.fromtimestamp(int(epoch_s), tz=UTC) if epoch_s else None

    def to_request(self, at: datetime, language: str) -> PlanRequest:
        """The search asked for. A page goes on from where the one before ended, whatever was asked first."""
        way, since = self.split_cursor()
        return PlanRequest(
            origin=self.from_place,
            destination=self.to_place,
            at=since or at,
            arrive_by=self.arrive_by and not way,
            interchanges_max=self.max_transfers,
            language=language,
            window_s=self.search_window if self.timetable_view else 0,
        )


def _ways_meant(parameter: str, asked: Sequence[MotisMode]) -> frozenset[Mode]:
    """How a way may be made that needs no scheduled vehicle. Raises Problem for one that nobody offers."""
    others = sorted(set(asked) - set(_WAYS))
    if others:
        raise Problem(
            "validation_failed",
            detail=f"{parameter}: such ways are made on foot or by shared bike here, not by "
            f"{', '.join(others)}. Leave it out, or send WALK, RENTAL or both.",
        )
    return frozenset(_WAYS[mode] for mode in asked)
