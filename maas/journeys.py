"""A journey as the traveller, the fare engine, the order and the ticket all see it.

Problem   The router speaks of indices, the fare engine of operators and kilometres, the ticket of places.
Idea      One plain value, contiguous in time and place, that names everything by its public id. It survives
          JSON both ways. `journey_id` encodes the legs, so a journey can be asked for again without state.
Not here  How it was found (routing) and what it costs (fares).
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum


class Mode(StrEnum):
    """How a leg moves; GTFS route types folded to what a traveller distinguishes."""

    WALK = "walk"
    TRAM = "tram"
    SUBWAY = "subway"
    RAIL = "rail"
    MONORAIL = "monorail"
    BUS = "bus"
    FERRY = "ferry"
    BIKE = "bike"
    ON_DEMAND = "on_demand"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A stop, a bike station or a point; degrees WGS84.

    `stop_id` is `feed:stop_id`, `system:station_id` of a bike station, None for a point.
    """

    name: str
    lat: float
    lon: float
    stop_id: str | None = None
    station_id: str | None = None
    is_bike_station: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAlert:
    """A message of an operator in the language asked for. `cause` and `effect` are GTFS-Realtime's."""

    header: str
    description: str
    cause: str
    effect: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PassedStop:
    """A stop that a leg's vehicle calls at between boarding and alighting.

    `planned_*` are what the timetable says where it runs otherwise, else None. One that `is_skipped` is
    passed without a stop.
    """

    place: Place
    arrives_at: datetime
    departs_at: datetime
    planned_arrives_at: datetime | None = None
    planned_departs_at: datetime | None = None
    is_skipped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LegStep:
    """A stretch of a walk or a ride by bike along one street.

    `name` is "" where the map has none; `kind` is a word of routing/streets (street, footway, steps, elevator
    ...); `point_count` of the leg's points are its own, its first being the last of the step before;
    `way_id` is OpenStreetMap's, 0 off the streets; `level` is the floor.
    """

    name: str
    distance_m: int
    kind: str
    point_count: int
    way_id: int
    level: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedVehicle:
    """What is rented for a leg, in the words of GBFS.

    A station's name is empty where the vehicle stands, or is left, at none. `rental_uris` are pairs of a
    platform (`web`, `ios`, `android`) and an address.
    """

    system_id: str
    form_factor: str
    propulsion_type: str
    return_constraint: str
    from_station: str = ""
    to_station: str = ""
    rental_uris: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One ride or one walk. Times are aware instants. Transit fields are None on a walk.

    `operator_id` is the GTFS agency_id; `trip_id` and `route_id` carry the feed, `feed:trip_id`.
    `in_seat` says that the rider stays in the vehicle of the leg before.
    `distance_m` is along the walk, or between the stops passed as the crow flies when the feed has no better.
    `is_estimate` marks a walk computed from a beeline, not from streets. `points` are the way along streets,
    (latitude, longitude) from one end to the other, and `steps` its stretches; none where it is not known.
    `route_name` is the short name where there is one; `trip_name` the vehicle run's own (さるびあ丸, 501A).
    `condition` is what the operator said where the ride is not certain (条件付), None where it is.
    `is_live` says that the operator told how the trip runs now; `planned_*` are what the timetable says where
    it runs otherwise, else None. A trip that is not `is_scheduled` runs beside the timetable.
    `alerts` are messages of operators that concern the ride.
    `takes_bikes` and `takes_wheelchairs` are what the operator says of the trip, or of the way inside a
    station; None where it says nothing.
    `shared` says what is rented on a leg by shared bike.
    """

    mode: Mode
    origin: Place
    destination: Place
    departs_at: datetime
    arrives_at: datetime
    distance_m: int = 0
    operator_id: str | None = None
    route_id: str | None = None
    route_name: str | None = None
    route_long_name: str | None = None
    trip_name: str | None = None
    route_color: str | None = None
    headsign: str | None = None
    trip_id: str | None = None
    service_date: date | None = None
    passed_stops: tuple[PassedStop, ...] = ()
    in_seat: bool = False
    is_estimate: bool = False
    condition: str | None = None
    is_live: bool = False
    is_scheduled: bool = True
    planned_departs_at: datetime | None = None
    planned_arrives_at: datetime | None = None
    alerts: tuple[ServiceAlert, ...] = ()
    takes_bikes: bool | None = None
    takes_wheelchairs: bool | None = None
    points: tuple[tuple[float, float], ...] = ()
    steps: tuple[LegStep, ...] = ()
    shared: SharedVehicle | None = None

    @property
    def is_transit(self) -> bool:
        """A ride on a scheduled vehicle."""
        return self.trip_id is not None


def list_step_points(leg: Leg) -> list[tuple[tuple[float, float], ...]]:
    """The points of each of the leg's steps, the ends shared with the steps before and after."""
    drawn, begin = [], 0
    for step in leg.steps:
        drawn.append(leg.points[begin : begin + step.point_count])
        begin += step.point_count - 1
    return drawn


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """Legs in order, contiguous in time and place. `network_version` is the snapshot that answered."""

    journey_id: str
    legs: tuple[Leg, ...]
    network_version: str

    @property
    def departs_at(self) -> datetime:
        """When the first leg starts."""
        return self.legs[0].departs_at

    @property
    def arrives_at(self) -> datetime:
        """When the last leg ends."""
        return self.legs[-1].arrives_at

    @property
    def interchanges(self) -> int:
        """Scheduled vehicles boarded less one; staying seated is no interchange, nor is taking a bike."""
        rides = sum(1 for leg in self.legs if leg.mode not in (Mode.WALK, Mode.BIKE) and not leg.in_seat)
        return max(0, rides - 1)

    @property
    def walked_s(self) -> int:
        """Seconds on foot, or in a wheelchair: of all walks of the journey."""
        return sum(int((leg.arrives_at - leg.departs_at).total_seconds()) for leg in self._walks)

    @property
    def walked_m(self) -> int:
        """Metres likewise."""
        return sum(leg.distance_m for leg in self._walks)

    @property
    def _walks(self) -> list[Leg]:
        return [leg for leg in self.legs if leg.mode is Mode.WALK]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest:
    """A search. Places are `lat,lon`, `feed:stop_id`, or a name; `at` is aware.

    `window_s`: besides the best at that hour, all journeys that leave (to arrive by: arrive) within it.
    """

    origin: str
    destination: str
    at: datetime
    arrive_by: bool = False
    interchanges_max: int = 7
    language: str = "ja"
    window_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanResult:
    """The Pareto set over arrival and interchanges, best arrival first; may be empty."""

    origin: Place
    destination: Place
    journeys: tuple[Journey, ...]
    network_version: str
