"""GET /api/v1/rentals in the words of MOTIS 2: shared bikes for maps.

Problem   Clients made for MOTIS must find our bikes without a change.
Idea      MOTIS's names and shapes, built from the systems in memory. A system is a provider and a provider
          group of its own. Fields that MOTIS calls optional and we do not know are left out.
Not here  `point` as a stop id: only coordinates are understood.
Source    MOTIS 2 OpenAPI, `rentals`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from maas.sharing.geofences import Ring, ZoneRule
from maas.sharing.nearby import bounding_box, distance_m
from maas.sharing.records import FreeVehicle, SharingStation, VehicleType, name_in
from services.partners.bikes import SystemView
from services.platform.polyline import PRECISION, encode_polyline
from services.platform.problem import Problem

_RETURN = {
    "any_station": "ANY_STATION",
    "roundtrip_station": "ROUNDTRIP_STATION",
    "free_floating": "NONE",
    "hybrid": "NONE",
}
# GBFS: without vehicle_types, all vehicles are bicycles.
_BICYCLE = VehicleType(vehicle_type_id="bicycle", form_factor="bicycle", propulsion_type="human")
_RADIUS_M_DEFAULT = 500
_LANGUAGE = "ja"

Corner = Annotated[str, StringConstraints(max_length=80)]
Names = Annotated[str, StringConstraints(max_length=1000)]


class Words(BaseModel):
    """MOTIS's style: camelCase in JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True)


class RentalsQuery(Words):
    """What to list. Without any place or provider: the providers only."""

    min: Corner | None = None
    max: Corner | None = None
    point: Corner | None = None
    radius: Annotated[int, Field(ge=1, le=100_000)] | None = None
    provider_groups: Names | None = None
    providers: Names | None = None
    with_providers: bool = True
    with_stations: bool = True
    with_vehicles: bool = True
    with_zones: bool = True


class ProviderGroup(Words):
    """RentalProviderGroup."""

    id: str
    name: str
    providers: list[str]
    form_factors: list[str]


class ProviderVehicleType(Words):
    """RentalVehicleType."""

    id: str
    name: str
    form_factor: str
    propulsion_type: str
    return_constraint: str
    return_constraint_guessed: bool


class Restrictions(Words):
    """RentalZoneRestrictions: what holds in a zone, or where none says otherwise. Without types: for all."""

    vehicle_type_idxs: list[int] = []
    ride_start_allowed: bool = True
    ride_end_allowed: bool = True
    ride_through_allowed: bool = True
    station_parking: bool = False


class Line(Words):
    """EncodedPolyline."""

    points: str
    precision: int
    length: int


class Provider(Words):
    """RentalProvider."""

    id: str
    name: str
    group_id: str
    operator: str
    url: str
    bbox: tuple[float, float, float, float]
    vehicle_types: list[ProviderVehicleType]
    form_factors: list[str]
    default_restrictions: Restrictions = Restrictions()
    global_geofencing_rules: list[Restrictions] = []


class Station(Words):
    """RentalStation."""

    id: str
    provider_id: str
    provider_group_id: str
    name: str
    lat: float
    lon: float
    address: str
    is_renting: bool
    is_returning: bool
    num_vehicles_available: int
    form_factors: list[str]
    vehicle_types_available: dict[str, int]
    vehicle_docks_available: dict[str, int]
    bbox: tuple[float, float, float, float]
    rental_uri_android: str | None = None
    rental_uri_ios: str | None = Field(default=None, alias="rentalUriIOS")
    rental_uri_web: str | None = None


class Vehicle(Words):
    """RentalVehicle."""

    id: str
    provider_id: str
    provider_group_id: str
    type_id: str
    lat: float
    lon: float
    form_factor: str
    propulsion_type: str
    return_constraint: str
    is_reserved: bool
    is_disabled: bool
    station_id: str | None = None
    home_station_id: str | None = None
    rental_uri_android: str | None = None
    rental_uri_ios: str | None = Field(default=None, alias="rentalUriIOS")
    rental_uri_web: str | None = None


class Zone(Words):
    """RentalZone: of two that overlap the one with the higher z holds."""

    provider_id: str
    provider_group_id: str
    name: str
    z: int
    bbox: tuple[float, float, float, float]
    area: list[list[Line]]
    rules: list[Restrictions]


class Rentals(Words):
    """The answer."""

    provider_groups: list[ProviderGroup]
    providers: list[Provider]
    stations: list[Station]
    vehicles: list[Vehicle]
    zones: list[Zone]


@dataclass(frozen=True, slots=True)
class _Filter:
    """Whether a place was asked for. None in a part: that part asks for nothing."""

    box: tuple[float, float, float, float] | None
    circle: tuple[float, float, float] | None
    systems: frozenset[str] | None

    @property
    def asks_for_places(self) -> bool:
        return self.box is not None or self.circle is not None or self.systems is not None

    def takes_system(self, system_id: str) -> bool:
        return self.systems is None or system_id in self.systems

    def takes_area(self, area: tuple[float, float, float, float]) -> bool:
        """Whether a west, south, east, north box has a place that was asked for."""
        west, south, east, north = area
        if self.box is not None:
            low, left, high, right = self.box
            if high < south or low > north or right < west or left > east:
                return False
        if self.circle is not None:
            lat, lon, radius_m = self.circle
            nearest = (min(max(lat, south), north), min(max(lon, west), east))
            return distance_m(lat, lon, *nearest) <= radius_m
        return True

    def takes(self, lat: float, lon: float) -> bool:
        if self.box is not None:
            south, west, north, east = self.box
            if not (south <= lat <= north and west <= lon <= east):
                return False
        if self.circle is not None:
            centre_lat, centre_lon, radius_m = self.circle
            return distance_m(centre_lat, centre_lon, lat, lon) <= radius_m
        return True


def build_rentals(query: RentalsQuery, views: list[SystemView], now: datetime) -> Rentals:
    """The providers, stations and vehicles that match all filters. Raises Problem validation_failed."""
    wanted = _filter_of(query)
    chosen = [
        view for view in views if view.record.facts is not None and wanted.takes_system(view.record.system_id)
    ]
    places = wanted.asks_for_places
    return Rentals(
        provider_groups=[_group(view) for view in chosen],
        providers=[_provider(view) for view in chosen] if query.with_providers else [],
        stations=[each for view in chosen for each in _stations(view, wanted, now)]
        if places and query.with_stations
        else [],
        vehicles=[each for view in chosen for each in _vehicles(view, wanted)]
        if places and query.with_vehicles
        else [],
        zones=[each for view in chosen for each in _zones(view, wanted)]
        if places and query.with_zones
        else [],
    )


def _group(view: SystemView) -> ProviderGroup:
    system_id = view.record.system_id
    return ProviderGroup(
        id=system_id, name=_name(view), providers=[system_id], form_factors=_form_factors(view)
    )


def _provider(view: SystemView) -> Provider:
    facts = view.record.facts
    assert facts is not None, "only systems that were read are shown"
    system_id = view.record.system_id
    return Provider(
        id=system_id,
        name=_name(view),
        group_id=system_id,
        operator=name_in(facts.system.operator_names, _LANGUAGE) or view.record.operator_id,
        url=facts.system.url,
        bbox=bounding_box(view.stations),
        vehicle_types=[_vehicle_type(view, each) for each in _types(view).values()],
        form_factors=_form_factors(view),
        global_geofencing_rules=_restrictions(view, view.geofences.global_rules),
    )


def _stations(view: SystemView, wanted: _Filter, now: datetime) -> Iterator[Station]:
    form_factors = _form_factors(view)
    for station in view.stations:
        if wanted.takes(station.lat, station.lon):
            yield _station(view, station, form_factors, now)


def _station(view: SystemView, station: SharingStation, form_factors: list[str], now: datetime) -> Station:
    """A station whose counts are not known, or too old, rents nothing out and takes nothing back."""
    status = view.find_status(station.station_id, now)
    types = list(_types(view))
    vehicles = dict(status.vehicles_by_type) if status else {}
    docks = dict(status.docks_by_type) if status else {}
    if status and not vehicles and len(types) == 1:
        vehicles = {types[0]: status.vehicles_available}
    if status and not docks and len(types) == 1 and status.docks_available is not None:
        docks = {types[0]: status.docks_available}
    return Station(
        id=station.station_id,
        provider_id=view.record.system_id,
        provider_group_id=view.record.system_id,
        name=name_in(station.names, _LANGUAGE),
        lat=station.lat,
        lon=station.lon,
        address=station.address,
        is_renting=bool(status and status.is_installed and status.is_renting),
        is_returning=bool(status and status.is_installed and status.is_returning),
        num_vehicles_available=status.vehicles_to_rent if status else 0,
        form_factors=form_factors,
        vehicle_types_available=vehicles,
        vehicle_docks_available=docks,
        bbox=(station.lon, station.lat, station.lon, station.lat),
        rental_uri_android=station.rental_uris.get("android"),
        rental_uri_ios=station.rental_uris.get("ios"),
        rental_uri_web=station.rental_uris.get("web"),
    )


def _vehicles(view: SystemView, wanted: _Filter) -> Iterator[Vehicle]:
    places = {station.station_id: (station.lat, station.lon) for station in view.stations}
    for vehicle in view.vehicles:
        place = _place(vehicle, places)
        if place is not None and wanted.takes(*place):
            yield _vehicle(view, vehicle, place)


def _place(vehicle: FreeVehicle, places: dict[str, tuple[float, float]]) -> tuple[float, float] | None:
    if vehicle.lat is not None and vehicle.lon is not None:
        return (vehicle.lat, vehicle.lon)
    return places.get(vehicle.station_id)


def _vehicle(view: SystemView, vehicle: FreeVehicle, place: tuple[float, float]) -> Vehicle:
    kind = _vehicle_type(view, _types(view).get(vehicle.vehicle_type_id, _BICYCLE))
    return Vehicle(
        id=vehicle.vehicle_id,
        provider_id=view.record.system_id,
        provider_group_id=view.record.system_id,
        type_id=kind.id,
        lat=place[0],
        lon=place[1],
        form_factor=kind.form_factor,
        propulsion_type=kind.propulsion_type,
        return_constraint=kind.return_constraint,
        is_reserved=vehicle.is_reserved,
        is_disabled=vehicle.is_disabled,
        station_id=vehicle.station_id or None,
        home_station_id=vehicle.home_station_id or None,
        rental_uri_android=vehicle.rental_uris.get("android"),
        rental_uri_ios=vehicle.rental_uris.get("ios"),
        rental_uri_web=vehicle.rental_uris.get("web"),
    )


def _zones(view: SystemView, wanted: _Filter) -> Iterator[Zone]:
    """Those of which the box meets what is asked for; the first of the system's list is the highest."""
    zones = view.geofences.zones
    for i, zone in enumerate(zones):
        places = [place for polygon in zone.polygons for place in polygon[0]]
        lons, lats = [lon for lon, _ in places], [lat for _, lat in places]
        box = (min(lons), min(lats), max(lons), max(lats))
        if wanted.takes_area(box):
            yield Zone(
                provider_id=view.record.system_id,
                provider_group_id=view.record.system_id,
                name=name_in(zone.names, _LANGUAGE),
                z=len(zones) - i,
                bbox=box,
                area=[[_line(ring) for ring in polygon] for polygon in zone.polygons],
                rules=_restrictions(view, zone.rules),
            )


def _line(ring: Ring) -> Line:
    points = encode_polyline([(lat, lon) for lon, lat in ring])
    return Line(points=points, precision=PRECISION, length=len(ring))


def _restrictions(view: SystemView, rules: Sequence[ZoneRule]) -> list[Restrictions]:
    """The rules that are about any type of the system."""
    types = list(_types(view))
    told = []
    for rule in rules:
        numbers = [types.index(each) for each in rule.vehicle_type_ids if each in types]
        if numbers or not rule.vehicle_type_ids:
            told.append(
                Restrictions(
                    vehicle_type_idxs=numbers,
                    ride_start_allowed=rule.may_start,
                    ride_end_allowed=rule.may_end,
                    ride_through_allowed=rule.may_pass,
                    station_parking=rule.is_left_at_stations,
                )
            )
    return told


def _types(view: SystemView) -> dict[str, VehicleType]:
    types = view.record.facts.vehicle_types if view.record.facts else ()
    return {each.vehicle_type_id: each for each in types or (_BICYCLE,)}


def _vehicle_type(view: SystemView, kind: VehicleType) -> ProviderVehicleType:
    guess = "ANY_STATION" if view.stations else "NONE"
    return ProviderVehicleType(
        id=kind.vehicle_type_id,
        name=name_in(kind.names, _LANGUAGE),
        form_factor=kind.form_factor.upper(),
        propulsion_type=kind.propulsion_type.upper(),
        return_constraint=_RETURN.get(kind.return_constraint, guess),
        return_constraint_guessed=kind.return_constraint not in _RETURN,
    )


def _form_factors(view: SystemView) -> list[str]:
    return sorted({each.form_factor.upper() for each in _types(view).values()})


def _name(view: SystemView) -> str:
    facts = view.record.facts
    return name_in(facts.system.names, _LANGUAGE) if facts else view.record.system_id


def _filter_of(query: RentalsQuery) -> _Filter:
    systems = [name for text in (query.providers, query.provider_groups) if text for name in text.split(",")]
    return _Filter(
        box=_box(query),
        circle=_circle(query),
        systems=frozenset(systems) if systems else None,
    )


def _box(query: RentalsQuery) -> tuple[float, float, float, float] | None:
    """South, west, north, east of the two corners, whichever they are."""
    if query.min is None or query.max is None:
        if query.min or query.max:
            raise Problem("validation_failed", detail="`min` and `max` are the corners of a box: give both.")
        return None
    (lat, lon), (other_lat, other_lon) = _coordinates(query.min, "min"), _coordinates(query.max, "max")
    return (min(lat, other_lat), min(lon, other_lon), max(lat, other_lat), max(lon, other_lon))


def _circle(query: RentalsQuery) -> tuple[float, float, float] | None:
    if query.point is None:
        return None
    return (*_coordinates(query.point, "point"), float(query.radius or _RADIUS_M_DEFAULT))


def _coordinates(text: str, name: str) -> tuple[float, float]:
    cure = f"`{name}` must be `latitude,longitude` in degrees."
    try:
        lat, lon = (float(part) for part in text.split(",")[:2])
    except ValueError as error:
        raise Problem("validation_failed", detail=cure) from error
    if not (-90 <= lat <= 90 and -180 <= lon <= 180):  # noqa: PLR2004 - the degrees there are
        raise Problem("validation_failed", detail=cure)
    return lat, lon
