"""What dispatch hears and says over HTTP.

Coordinates are degrees WGS84, times ISO 8601 with an offset, hours seconds after local midnight (they may
pass 86400), money whole minor units.
"""

from datetime import UTC, date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from maas.on_demand.bookings import BookingState
from maas.on_demand.places import Point
from maas.on_demand.zones import BookingRule, BookingType, Polygon, RideLimits, Zone

Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_:.\-]{1,64}$")]
Text = Annotated[str, StringConstraints(max_length=200)]
Latitude = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
Longitude = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
Instant = Annotated[
    AwareDatetime, Field(ge=datetime(2000, 1, 1, tzinfo=UTC), le=datetime(2100, 1, 1, tzinfo=UTC))
]
ServiceDate = Annotated[date, Field(ge=date(2000, 1, 2), le=date(2099, 12, 30))]
DaySeconds = Annotated[int, Field(ge=0, le=108_000)]
Position = Annotated[tuple[Longitude, Latitude], Field(description="longitude, latitude")]
LinearRing = Annotated[list[Position], Field(min_length=4, max_length=2000)]
Rings = Annotated[list[LinearRing], Field(min_length=1, max_length=20)]
Timezone = Literal["Asia/Tokyo"]


class Message(BaseModel):
    """The house's strictness: unknown fields are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PolygonGeometry(Message):
    """GeoJSON."""

    type: Literal["Polygon"]
    coordinates: Rings


class MultiPolygonGeometry(Message):
    """GeoJSON."""

    type: Literal["MultiPolygon"]
    coordinates: Annotated[list[Rings], Field(min_length=1, max_length=20)]


Geometry = Annotated[PolygonGeometry | MultiPolygonGeometry, Field(discriminator="type")]


class BookingRuleSettings(Message):
    """A GTFS-Flex booking rule: type 0 at once, 1 minutes before, 2 until a time of a day before."""

    booking_type: Annotated[int, Field(ge=0, le=2)] = 0
    notice_min_minutes: Annotated[int, Field(ge=0, le=10_080)] = 0
    notice_max_minutes: Annotated[int, Field(ge=1, le=525_600)] | None = None
    notice_last_day: Annotated[int, Field(ge=0, le=60)] = 0
    notice_last_time_s: DaySeconds = 0
    phone_number: Text = ""
    message: Text = ""


class LimitSettings(Message):
    """What every rider is promised; see maas.on_demand.zones.RideLimits."""

    wait_s_max: Annotated[int, Field(ge=0, le=7200)] = 1200
    detour_percent_max: Annotated[int, Field(ge=100, le=500)] = 180
    ride_s_floor: Annotated[int, Field(ge=0, le=7200)] = 900
    promise_s: Annotated[int, Field(ge=0, le=3600)] = 600
    boarding_s: Annotated[int, Field(ge=0, le=600)] = 60


class FareSettings(Message):
    """The flat fares of a zone, paid to the operator where the ride is booked without an order."""

    adult_minor: Annotated[int, Field(ge=0, le=1_000_000)]
    child_minor: Annotated[int, Field(ge=0, le=1_000_000)]
    currency: Literal["JPY"] = "JPY"


class ZoneSettings(Message):
    """A zone as its administrator puts it."""

    operator_id: Identifier
    name: Text
    geometry: Geometry
    timezone: Timezone = "Asia/Tokyo"
    opens_s: DaySeconds
    closes_s: DaySeconds
    booking_rule: BookingRuleSettings = BookingRuleSettings()
    limits: LimitSettings = LimitSettings()
    fares: FareSettings

    @model_validator(mode="after")
    def _check_hours(self) -> "ZoneSettings":
        if not self.opens_s < self.closes_s <= self.opens_s + 86_400:
            raise ValueError("closes_s must be after opens_s, at most a day later")
        return self

    def to_zone(self, zone_id: str) -> Zone:
        """The zone as the domain knows it."""
        areas = (
            [self.geometry.coordinates]
            if isinstance(self.geometry, PolygonGeometry)
            else self.geometry.coordinates
        )
        polygons: tuple[Polygon, ...] = tuple(tuple(tuple(ring) for ring in rings) for rings in areas)
        rule = self.booking_rule.model_dump()
        return Zone(
            zone_id=zone_id,
            operator_id=self.operator_id,
            name=self.name,
            polygons=polygons,
            timezone=self.timezone,
            opens_s=self.opens_s,
            closes_s=self.closes_s,
            booking_rule=BookingRule(**{**rule, "booking_type": BookingType(rule["booking_type"])}),
            limits=RideLimits(**self.limits.model_dump()),
        )


class VehicleSettings(Message):
    """A vehicle as its administrator puts it."""

    operator_id: Identifier
    zone_ids: Annotated[list[Identifier], Field(min_length=1, max_length=20)]
    seats: Annotated[int, Field(ge=1, le=60)]
    depot: "Place"
    timezone: Timezone = "Asia/Tokyo"
    shift_starts_s: DaySeconds
    shift_ends_s: DaySeconds

    @model_validator(mode="after")
    def _check_shift(self) -> "VehicleSettings":
        if not self.shift_starts_s < self.shift_ends_s <= self.shift_starts_s + 86_400:
            raise ValueError("shift_ends_s must be after shift_starts_s, at most a day later")
        return self


class Place(Message):
    """A point, with a name where there is one."""

    lat: Latitude
    lon: Longitude
    name: Text = ""

    def to_point(self) -> Point:
        """The point as the domain knows it."""
        return Point(lat=self.lat, lon=self.lon)


class RideWish(Message):
    """A ride that somebody would like. Without `zone_id`, the zone is found by its places."""

    pickup: Place
    dropoff: Place
    pickup_at: Instant
    adults: Annotated[int, Field(ge=0, le=60)] = 1
    children: Annotated[int, Field(ge=0, le=60)] = 0
    zone_id: Identifier | None = None

    @model_validator(mode="after")
    def _check_riders(self) -> "RideWish":
        if self.adults + self.children < 1:
            raise ValueError("somebody must ride: adults + children is 0")
        return self

    @property
    def rider_count(self) -> int:
        """Seats asked for."""
        return self.adults + self.children


class Amount(Message):
    """Money."""

    amount_minor: int
    currency: str


class Quote(Message):
    """Whether the ride could be had just now; nothing is kept. Times are null where it could not.

    Driving times are estimates from beelines: `is_estimate`.
    """

    available: bool
    reason: str | None = None
    zone_id: str | None = None
    operator_id: str | None = None
    pickup_at: datetime | None = None
    pickup_latest_at: datetime | None = None
    dropoff_at: datetime | None = None
    dropoff_latest_at: datetime | None = None
    price: Amount | None = None
    is_estimate: bool = True


class Booking(Message):
    """A booking as its owner and its operator see it. Planned times are null once its seat is given back."""

    booking_id: UUID
    state: BookingState
    tomp_package_status: str
    tomp_leg_status: str
    zone_id: str
    operator_id: str
    vehicle_id: str
    service_date: date
    adults: int
    children: int
    pickup: Place
    dropoff: Place
    pickup_at: datetime | None = None
    pickup_latest_at: datetime | None = None
    dropoff_at: datetime | None = None
    dropoff_latest_at: datetime | None = None
    price: Amount | None = None
    expires_at: datetime | None = None


Step = Literal[
    "assigned", "en_route", "arrived", "onboard", "completed", "no_show", "abended", "cancelled_by_operator"
]


class BookingMove(Message):
    """The state that the driver or the operator reports."""

    state: Step


class ScheduleQuery(Message):
    """Which day; today in the city where it is left out."""

    service_date: ServiceDate | None = None


class VisitRow(Message):
    """A line of the driver's list."""

    booking_id: UUID
    state: BookingState
    kind: Literal["pickup", "dropoff"]
    at: datetime
    latest_at: datetime
    riders: int
    lat: float
    lon: float


class VehicleSchedule(Message):
    """The driver's list of a day, in the order driven."""

    vehicle_id: str
    service_date: date
    seats: int
    visits: list[VisitRow]


class ZoneProperties(Message):
    """What a rider must know about a zone."""

    name: str
    operator_id: str
    timezone: str
    opens_s: int
    closes_s: int
    booking_rule: BookingRuleSettings
    limits: LimitSettings
    fares: FareSettings


class ZoneFeature(Message):
    """A zone as a GeoJSON feature."""

    type: Literal["Feature"] = "Feature"
    id: str
    geometry: Geometry
    properties: ZoneProperties


class ZoneCollection(Message):
    """All zones as a GeoJSON feature collection."""

    type: Literal["FeatureCollection"] = "FeatureCollection"
    features: list[ZoneFeature]


VehicleSettings.model_rebuild()
