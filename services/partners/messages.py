"""What partners hears and says over HTTP about ships and bikes (MOTIS's words for bikes: rentals.py)."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_:.\-]{1,64}$")]
TripId = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,200}$")]
Word = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x20\x7f]{1,40}$")]
Reason = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,300}$")]
ServiceDate = Annotated[date, Field(ge=date(2000, 1, 2), le=date(2099, 12, 30))]
Latitude = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
Longitude = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
Address = Annotated[str, StringConstraints(pattern=r"^https?://[!-~]{1,500}$")]


class Message(BaseModel):
    """The house's strictness: unknown fields are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SailingStatus(StrEnum):
    """What the operator says. CONDITIONAL (条件付) sails, but may not land. CANCELLED (欠航) is for good."""

    SCHEDULED = "scheduled"
    CONDITIONAL = "conditional"
    CANCELLED = "cancelled"


class BerthClass(Message):
    """A class and its places on each sailing; `aliases` are other names that buyers use for it."""

    fare_class: Word
    aliases: Annotated[list[Word], Field(max_length=10)] = []
    place_count: Annotated[int, Field(ge=0, le=5000)]


class BerthClasses(Message):
    """All that the sailings of a trip can sell."""

    operator_id: Identifier
    classes: Annotated[list[BerthClass], Field(min_length=1, max_length=20)]

    @model_validator(mode="after")
    def _check_names(self) -> "BerthClasses":
        names = [name for each in self.classes for name in (each.fare_class, *each.aliases)]
        if len(names) != len(set(names)):
            raise ValueError("a class name or alias stands twice")
        return self


class SailingQuery(Message):
    """Which sailings."""

    service_date: ServiceDate
    operator_id: Identifier | None = None


class Sailing(Message):
    """A sailing and what its operator says about it."""

    trip_id: str
    service_date: date
    operator_id: str
    status: SailingStatus
    reason: str
    changed_at: datetime


class SailingList(Message):
    """Sailings that have been asked for or spoken about; all others sail as in the timetable."""

    sailings: list[Sailing]


class SailingCancellation(Message):
    """A sailing that will not take place. It cannot be taken back: tickets are void from now on."""

    trip_id: TripId
    service_date: ServiceDate
    reason: Reason


class SailingNews(Message):
    """A sailing that takes place as planned, or with a condition (条件付: it may not land)."""

    trip_id: TripId
    service_date: ServiceDate
    status: Literal[SailingStatus.SCHEDULED, SailingStatus.CONDITIONAL]
    reason: Reason


class BerthQuery(Message):
    """Which sailing."""

    trip_id: TripId
    service_date: ServiceDate


class BerthsOfClass(Message):
    """What is left of a class."""

    fare_class: str
    place_count: int
    places_left: int


class BerthView(Message):
    """What is left on a sailing; nothing is when it is cancelled."""

    trip_id: str
    service_date: date
    operator_id: str
    status: SailingStatus
    classes: list[BerthsOfClass]


class ManifestBooking(Message):
    """One booking; `passengers` is null once the names were deleted."""

    hold_id: UUID
    fare_class: str
    place_count: int
    passengers: list[str] | None


class Manifest(Message):
    """Who sails."""

    trip_id: str
    service_date: date
    operator_id: str
    place_count: int
    bookings: list[ManifestBooking]


class BikeSystemSettings(Message):
    """A bike system to follow: where its gbfs.json is, and whose it is."""

    gbfs_url: Address
    operator_id: Identifier


class BikeSystem(Message):
    """A bike system that we follow, and how that goes."""

    system_id: str
    gbfs_url: str
    operator_id: str
    name: str
    station_count: int
    read_at: datetime | None
    notice_count: int
    fault: str


class BikeSystemList(Message):
    """All bike systems."""

    systems: list[BikeSystem]


class BikeStationQuery(Message):
    """Stations around a point, in metres as the crow flies."""

    lat: Latitude
    lon: Longitude
    radius_m: Annotated[int, Field(ge=1, le=10_000)] = 500
    language: Annotated[str, StringConstraints(pattern=r"^[A-Za-z\-]{2,12}$")] = "ja"
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class BikeStation(Message):
    """A station and what is there now; counts are null when nothing fresh is known."""

    system_id: str
    station_id: str
    operator_id: str
    name: str
    lat: float
    lon: float
    distance_m: int
    is_renting: bool
    is_returning: bool
    bikes_available: int | None
    docks_available: int | None
    as_of: datetime | None


class BikeStationList(Message):
    """Nearest first."""

    stations: list[BikeStation]
