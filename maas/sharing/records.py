"""Shared bikes and scooters as plain records, whatever version of GBFS they came in.

Problem   GBFS 2.3 and 3.0 name, type and nest the same facts differently; planners, maps and prices must
          not care.
Idea      One set of records with the names of GBFS 3.0. Names are by language; times are aware instants;
          money is whole minor units.
Not here  Reading documents (gbfs.py), prices of rides (prices.py), fetching (services/partners).
Invariant A station's counts are never negative; a row that would break that makes no record (gbfs.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

NO_LANGUAGE = ""
"""The language of a name that came without one (GBFS 2.3 has one language a document)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharingSystem:
    """Who shares: system_information."""

    system_id: str
    names: Mapping[str, str]
    operator_names: Mapping[str, str] = field(default_factory=dict)
    timezone: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VehicleType:
    """A kind of vehicle. `form_factor`, `propulsion_type` and `return_constraint` are GBFS 3.0 words.

    `return_constraint` is empty where the system does not say.
    """

    vehicle_type_id: str
    form_factor: str
    propulsion_type: str
    names: Mapping[str, str] = field(default_factory=dict)
    range_m_max: int | None = None
    return_constraint: str = ""
    pricing_plan_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharingStation:
    """A port where vehicles are taken and given back. `dock_count` is None if not limited or unknown.

    Where it `has_valet` somebody takes vehicles in also when no dock is free.
    """

    station_id: str
    names: Mapping[str, str]
    lat: float
    lon: float
    dock_count: int | None = None
    address: str = ""
    is_virtual: bool = False
    has_valet: bool = False
    rental_uris: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StationStatus:
    """What is at a station now. `docks_available` is None where docks are not limited or unknown.

    `vehicles_by_type` and `docks_by_type` are empty where the system does not tell types apart.
    """

    station_id: str
    is_installed: bool
    is_renting: bool
    is_returning: bool
    vehicles_available: int
    docks_available: int | None
    reported_at: datetime | None
    vehicles_by_type: Mapping[str, int] = field(default_factory=dict)
    docks_by_type: Mapping[str, int] = field(default_factory=dict)

    @property
    def vehicles_to_rent(self) -> int:
        """Vehicles that a traveller can really take now."""
        return self.vehicles_available if self.is_installed and self.is_renting else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeVehicle:
    """A vehicle that stands somewhere, or at a station (`station_id`).

    `home_station_id` is where it must be brought back to; empty where the system does not say.
    """

    vehicle_id: str
    lat: float | None
    lon: float | None
    is_reserved: bool
    is_disabled: bool
    vehicle_type_id: str = ""
    station_id: str = ""
    home_station_id: str = ""
    range_m: int | None = None
    pricing_plan_id: str = ""
    rental_uris: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RateStep:
    """From minute `start_min` to `end_min`: `rate_minor` for each `interval_min` begun; 0 is once."""

    start_min: int
    rate_minor: int
    interval_min: int
    end_min: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PricingPlan:
    """What a ride costs: a price to start, and steps by minute. Plans by kilometre are noted and left out."""

    plan_id: str
    names: Mapping[str, str]
    currency: str
    price_minor: int
    steps: tuple[RateStep, ...] = ()
    descriptions: Mapping[str, str] = field(default_factory=dict)


BICYCLE = VehicleType(vehicle_type_id="", form_factor="bicycle", propulsion_type="human")
"""What is shared where a system does not say what: GBFS takes it for a bicycle."""


def name_in(names: Mapping[str, str], language: str) -> str:
    """The name in this language, or a near one, or any; empty if there is none.

    `zh` finds `zh-Hans`; English comes before whatever else is there.
    """
    wanted = language.casefold()
    by_folded = {key.casefold(): name for key, name in names.items()}
    if wanted in by_folded:
        return by_folded[wanted]
    prefix = wanted.split("-")[0]
    near = [name for key, name in by_folded.items() if key.split("-")[0] == prefix]
    rest = [by_folded[key] for key in (NO_LANGUAGE, "en") if key in by_folded]
    return [*near, *rest, *by_folded.values(), ""][0]
