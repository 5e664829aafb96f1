"""GBFS documents, versions 2.x and 3.x, read into records.

Problem   Every bike system speaks one of several GBFS versions, each with rows that break it.
Idea      One function a document: parsed JSON in, records out, and a notice for each row or field that cannot
          be used. What 3.0 renamed is looked for under both names, whatever version is claimed: systems mix
          them. Nothing raises.
Not here  HTTP, ttl and polling (services/partners); geofencing zones (geofences.py).
Invariant Whatever JSON comes in: no exception, and only records that keep records.py's promises.
Source    GBFS 3.0 (2024-04-11) and 2.3.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gtfs.notices import Notices, Severity
from maas.sharing.fields import Fields
from maas.sharing.records import (
    FreeVehicle,
    SharingStation,
    SharingSystem,
    StationStatus,
    VehicleType,
)

FORM_FACTORS = frozenset(
    {"bicycle", "cargo_bicycle", "car", "moped", "scooter_standing", "scooter_seated", "other"}
)
PROPULSION_TYPES = frozenset(
    {
        "human",
        "electric_assist",
        "electric",
        "combustion",
        "combustion_diesel",
        "hybrid",
        "plug_in_hybrid",
        "hydrogen_fuel_cell",
    }
)
RETURN_CONSTRAINTS = frozenset({"free_floating", "roundtrip_station", "any_station", "hybrid"})
_LAT_MAX, _LON_MAX = 90, 180
_TTL_S_DEFAULT = 60


@dataclass(frozen=True, slots=True)
class Envelope:
    """What every document says about itself, and its data."""

    version: str
    last_updated: datetime | None
    ttl_s: int
    data: Fields


def open_document(document: Any, *, file: str, notices: Notices) -> Envelope | None:
    """The envelope of a parsed document; None (noted) if it is no GBFS document."""
    is_object = isinstance(document, dict)
    if not is_object or not isinstance(document.get("data"), dict):
        notices.add(
            "gbfs_no_document",
            Severity.ERROR,
            "This is no GBFS document: it has no `data`. Check the address.",
            file=file,
        )
        return None
    head = Fields(document, notices, file=file, row=None)
    ttl_s = head.count("ttl")
    return Envelope(
        version=head.text("version"),
        last_updated=head.instant("last_updated"),
        ttl_s=_TTL_S_DEFAULT if ttl_s is None else ttl_s,
        data=head.within("data"),
    )


def read_discovery(envelope: Envelope) -> dict[str, str]:
    """Addresses of the system's documents, by name. 2.x lists them by language: the first is taken."""
    data = envelope.data
    if "feeds" not in data:
        languages = [key for key in ("ja", "en") if key in data] or data.list_objects()
        if languages:
            data = data.within(languages[0])
    found = {}
    for row in data.rows("feeds", required=True):
        name, url = row.text("name", required=True), row.text("url", required=True)
        if row.is_usable:
            found[name] = url
    return found


def read_system(envelope: Envelope) -> SharingSystem | None:
    """system_information; None (noted) without an id and a name."""
    data = envelope.data
    system = SharingSystem(
        system_id=data.text("system_id", required=True),
        names=data.names("name", required=True),
        operator_names=data.names("operator"),
        timezone=data.text("timezone"),
        url=data.text("url"),
    )
    return system if data.is_usable else None


def read_vehicle_types(envelope: Envelope) -> tuple[VehicleType, ...]:
    """vehicle_types. 2.3's `scooter` is a standing one."""
    return tuple(_vehicle_types(envelope))


def _vehicle_types(envelope: Envelope) -> Iterator[VehicleType]:
    for row in envelope.data.rows("vehicle_types", required=True):
        form_factor = row.text("form_factor", required=True)
        form_factor = "scooter_standing" if form_factor == "scooter" else form_factor
        propulsion = row.text("propulsion_type", required=True)
        if form_factor and form_factor not in FORM_FACTORS:
            row.doubt("form_factor", f"`{form_factor}` is no form factor of GBFS, taken as `other`")
            form_factor = "other"
        if propulsion and propulsion not in PROPULSION_TYPES:
            row.refuse("propulsion_type", f"`{propulsion}` is no propulsion type of GBFS")
        constraint = row.text("return_constraint")
        if constraint and constraint not in RETURN_CONSTRAINTS:
            row.doubt("return_constraint", f"`{constraint}` is no return constraint of GBFS")
            constraint = ""
        found = VehicleType(
            vehicle_type_id=row.text("vehicle_type_id", required=True),
            form_factor=form_factor,
            propulsion_type=propulsion,
            names=row.names("name"),
            range_m_max=row.metres("max_range_meters"),
            return_constraint=constraint,
            pricing_plan_id=row.text("default_pricing_plan_id"),
        )
        if row.is_usable:
            yield found


def read_stations(envelope: Envelope) -> tuple[SharingStation, ...]:
    """station_information. A station id that comes twice is noted, and its first row kept."""
    found: dict[str, SharingStation] = {}
    for row in envelope.data.rows("stations", required=True):
        station_id = row.text("station_id", required=True)
        names = row.names("name", required=True)
        lat, lon = _place(row, required=True)
        dock_count = row.count("capacity")
        if station_id in found:
            row.refuse("station_id", f"`{station_id}` stood before")
        if not row.is_usable or lat is None or lon is None:
            continue
        found[station_id] = SharingStation(
            station_id=station_id,
            names=names,
            lat=lat,
            lon=lon,
            dock_count=dock_count,
            address=row.text("address"),
            is_virtual=row.flag("is_virtual_station", default=False),
            has_valet=row.flag("is_valet_station", default=False),
            rental_uris=row.uris("rental_uris"),
        )
    return tuple(found.values())


def read_station_statuses(envelope: Envelope) -> tuple[StationStatus, ...]:
    """station_status, with vehicles and docks by type where the system counts them."""
    found: dict[str, StationStatus] = {}
    for row in envelope.data.rows("stations", required=True):
        station_id = row.text("station_id", required=True)
        is_installed = row.flag("is_installed", default=True)
        is_renting, is_returning = row.flag("is_renting"), row.flag("is_returning")
        count = row.count(_either(row, "num_vehicles_available", "num_bikes_available"), required=True)
        if station_id in found:
            row.refuse("station_id", f"`{station_id}` stood before")
        if not row.is_usable or count is None:
            continue
        found[station_id] = StationStatus(
            station_id=station_id,
            is_installed=is_installed,
            is_renting=is_renting,
            is_returning=is_returning,
            vehicles_available=count,
            docks_available=row.count("num_docks_available"),
            reported_at=row.instant("last_reported"),
            vehicles_by_type=_counts(row, "vehicle_types_available", "vehicle_type_id"),
            docks_by_type=_counts(row, "vehicle_docks_available", "vehicle_type_ids"),
        )
    return tuple(found.values())


def read_vehicles(envelope: Envelope) -> tuple[FreeVehicle, ...]:
    """vehicle_status (3.0) or free_bike_status (2.x). One without a place must be at a station."""
    return tuple(_vehicles(envelope))


def _vehicles(envelope: Envelope) -> Iterator[FreeVehicle]:
    for row in envelope.data.rows(_either(envelope.data, "vehicles", "bikes"), required=True):
        vehicle_id = row.text(_either(row, "vehicle_id", "bike_id"), required=True)
        station_id = row.text("station_id")
        lat, lon = _place(row, required=not station_id)
        is_reserved, is_disabled = row.flag("is_reserved"), row.flag("is_disabled")
        if row.is_usable:
            yield FreeVehicle(
                vehicle_id=vehicle_id,
                lat=lat,
                lon=lon,
                is_reserved=is_reserved,
                is_disabled=is_disabled,
                vehicle_type_id=row.text("vehicle_type_id"),
                station_id=station_id,
                home_station_id=row.text("home_station_id"),
                range_m=row.metres("current_range_meters"),
                pricing_plan_id=row.text("pricing_plan_id"),
                rental_uris=row.uris("rental_uris"),
            )


def _place(row: Fields, *, required: bool) -> tuple[float | None, float | None]:
    lat = row.degrees("lat", _LAT_MAX, required=required)
    lon = row.degrees("lon", _LON_MAX, required=required)
    if lat == 0 and lon == 0:
        # Feeds that lost a place say 0,0: no bike stands in the Gulf of Guinea.
        row.refuse("lat", "a place at 0,0 was lost on the way")
    return lat, lon


def _counts(row: Fields, name: str, key: str) -> dict[str, int]:
    """Counts by vehicle type; a count for several types at once is given to each of them."""
    found: dict[str, int] = {}
    if name not in row:
        return found
    for each in row.rows(name):
        count = each.count("count")
        types = each.raw(key)
        for vehicle_type in types if isinstance(types, list) else [types]:
            if isinstance(vehicle_type, str) and count is not None and "\x00" not in vehicle_type:
                found[vehicle_type] = found.get(vehicle_type, 0) + count
    return found


def _either(row: Fields, name: str, older: str) -> str:
    """The field's name in 3.0, or in 2.x if only that is there."""
    return older if older in row and name not in row else name
