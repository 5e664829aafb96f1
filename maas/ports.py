"""What the parts of the house ask of one another. Each port has a local and an HTTP adapter.

Arguments and results are dataclasses, enums, UUIDs, dates, aware datetimes and plain values, so that one
generic adapter (services/platform/rpc.py) carries every port over HTTP.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from maas.eligibility import Claim
from maas.fares.pass_options import PassOption
from maas.fares.refunds import RefundDecision
from maas.journeys import Journey, PlanRequest, PlanResult
from maas.passes import PassHeld, PassProduct, PassUse
from maas.prices import FareComponent, FareMedium, JourneyPrice, MediumTotal, RiderCategory
from maas.sharing.geofences import Geofences
from maas.sharing.records import VehicleType
from payments.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceWorlds:
    """The price worlds of one journey, side by side."""

    media: tuple[MediumTotal, ...]
    passes: tuple[PassOption, ...]


class PlannerPort(Protocol):
    """Searches over the published network; it holds no truth of its own."""

    async def plan(self, *, request: PlanRequest) -> PlanResult:
        """Raises PlaceNotFound, OutsideFeedDates, NetworkUnavailable."""

    async def get_journey(self, *, journey_id: str) -> Journey:
        """The journey of that id, on today's network. Raises JourneyNotFound."""

    async def price(
        self,
        *,
        journey: Journey,
        riders: Sequence[RiderCategory],
        medium: FareMedium,
        fare_class: str | None,
        home: str | None,
        passes: Sequence[PassHeld],
    ) -> list[JourneyPrice]:
        """One price a rider, in the order given. Raises FareNotFound.

        `home` is the island that an islander's claim names. Each of `passes` covers the first rider of its
        category that has none yet.
        """

    async def price_worlds(
        self,
        *,
        journey: Journey,
        riders: Sequence[RiderCategory],
        fare_class: str | None,
        home: str | None,
    ) -> PriceWorlds:
        """What the same party pays on every medium, and the passes its first rider may buy for it."""

    async def decide_refund(
        self, *, component: FareComponent, price_paid: Money, now: datetime, departs_at: datetime
    ) -> RefundDecision:
        """What a customer who cancels gets back of one fare, by its operator's rule. Raises FareNotFound."""

    async def list_pass_products(self, *, on: date) -> list[PassProduct]:
        """The passes on sale on a service date; none where there are no tariffs."""


class EligibilityPort(Protocol):
    """Who may ride at a reduced fare, as far as it was proven."""

    async def list_claims(self, *, traveller_id: str, on: date) -> list[Claim]:
        """The traveller's verified claims that hold on a service date."""

    async def list_holders(self, *, traveller_ids: Sequence[str], since: date, until: date) -> list[str]:
        """Those of these travellers with a verified claim that holds on any day of the span, both ends in."""


class PassPort(Protocol):
    """Passes that travellers hold."""

    async def list_passes(self, *, traveller_id: str, service_date: date) -> list[PassHeld]:
        """The traveller's paid passes that may cover an entry of that service date, first to end first."""

    async def list_holders(self, *, traveller_ids: Sequence[str], since: date, until: date) -> list[str]:
        """Those of these travellers with a paid pass that may cover an entry of the span, both ends in."""

    async def note_uses(self, *, uses: Sequence[PassUse]) -> list[PassHeld | None]:
        """What rides made of passes; one answer each: the pass as it then is, None when it is not held.

        Safe to repeat, in any order. After the price was shared a use still counts for the traveller, and
        changes no operator's part.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class RideSeen:
    """A ride that a validator saw. `began_at` or `ended_at` is None where it was not tapped."""

    operator_id: str
    origin_name: str
    destination_name: str
    began_at: datetime | None
    ended_at: datetime | None


class RidesPort(Protocol):
    """What was ridden, for whoever must prove it."""

    async def list_order_rides(self, *, order_id: UUID) -> list[RideSeen]:
        """The rides seen of an order's, or a pass's, tickets, in their order."""


class HoldState(StrEnum):
    """Capacity asked of a partner or of dispatch. HELD -> CONFIRMED -> RELEASED; HELD expires by itself."""

    HELD = "held"
    CONFIRMED = "confirmed"
    RELEASED = "released"
    EXPIRED = "expired"
    SOLD_OUT = "sold_out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Places kept for an offer until `expires_at`."""

    hold_id: UUID
    state: HoldState
    expires_at: datetime
    detail: str = ""


class BerthPort(Protocol):
    """Places on ships, at the operator's reservation system."""

    async def hold(
        self,
        *,
        hold_id: UUID,
        trip_id: str,
        service_date: date,
        fare_class: str,
        place_count: int,
        expires_at: datetime,
    ) -> Hold:
        """Keep places, or say SOLD_OUT. Safe to repeat."""

    async def confirm(self, *, hold_id: UUID, passengers: Sequence[str]) -> Hold:
        """Turn a hold into a booking under these names (the manifest the law asks for)."""

    async def release(self, *, hold_id: UUID) -> Hold:
        """Give the places back."""

    async def list_cancelled(self, *, service_date: date) -> list[str]:
        """Trip ids of the sailings cancelled on that day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StationNow:
    """A bike system's station as it is now. Degrees WGS84; names by language.

    `bikes` are those that can be taken now, `docks` the places where one can be left: None where that is not
    known, or not limited. `is_renting`, `is_returning`: whether it does so at all, as far as is known; where
    it does not, it has none. `*_by_type`: the same by vehicle type; empty where types are not told apart.
    """

    system_id: str
    system_names: Mapping[str, str]
    operator_id: str
    station_id: str
    names: Mapping[str, str]
    lat: float
    lon: float
    bikes: int | None
    docks: int | None
    is_renting: bool = True
    is_returning: bool = True
    bikes_by_type: Mapping[str, int] = field(default_factory=dict)
    docks_by_type: Mapping[str, int] = field(default_factory=dict)
    rental_uris: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class VehicleNow:
    """A vehicle that stands at no station and can be taken now. `range_m` is None where that is not known."""

    system_id: str
    vehicle_id: str
    lat: float
    lon: float
    vehicle_type_id: str = ""
    home_station_id: str = ""
    range_m: int | None = None
    rental_uris: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BikeSystemNow:
    """Who shares, and what. `geofences` names its geofences as they are now; empty where it has none."""

    system_id: str
    names: Mapping[str, str]
    operator_id: str
    vehicle_types: tuple[VehicleType, ...] = ()
    geofences: str = ""


class BikesPort(Protocol):
    """Shared bikes, as their systems tell."""

    async def list_systems(self) -> list[BikeSystemNow]:
        """All systems that are followed and were read once, by id."""

    async def get_geofences(self, *, system_id: str) -> Geofences:
        """A system's geofences; none where it has none, or is not followed."""

    async def list_stations(self) -> list[StationNow]:
        """All stations of all systems that are followed, by system and id."""

    async def list_vehicles(self) -> list[VehicleNow]:
        """Vehicles that can be taken where they stand; none that stand at a station, which counts them."""


class OnDemandPort(Protocol):
    """Van rides in on-demand zones."""

    async def hold(
        self,
        *,
        hold_id: UUID,
        zone_id: str,
        pickup_lat: float,
        pickup_lon: float,
        dropoff_lat: float,
        dropoff_lon: float,
        pickup_at: datetime,
        rider_count: int,
        expires_at: datetime,
    ) -> Hold:
        """Insert the ride into a vehicle's schedule, or say SOLD_OUT. Safe to repeat."""

    async def confirm(self, *, hold_id: UUID) -> Hold:
        """Promise the ride."""

    async def release(self, *, hold_id: UUID) -> Hold:
        """Take the ride out of the schedule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedNetwork:
    """A compiled network. `path` is its folder: the timetable, and its tariffs in `tariffs/`."""

    version: str
    path: str
    published_at: datetime


class NetworkPort(Protocol):
    """Which network is in force."""

    async def get_in_force(self) -> PublishedNetwork | None:
        """The network in force; None before the first is published."""
