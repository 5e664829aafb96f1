"""The demonstration's bike share, as GBFS 3.0 documents that it serves itself.

Problem   A planner must read bike share as it will in the real city: over HTTP, from a system's own GBFS.
Idea      The ports are a table; their live counts follow from the time of day alone, so that a restart shows
          the same bikes. Each document is a pure function of the time.
Not here  Reading GBFS (maas/sharing, services/partners). Unlocking: nobody can, the ports are made up.
Source    GBFS 3.0 reference, 2024-04-11.
"""

import csv
import zlib
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from services.demo.city.tables import FOLDER, BikePort, Names, list_bike_ports
from services.platform.context import ServiceContext
from services.platform.service import Call, Route

SYSTEM_ID = "demo-cycle"
OPERATOR_ID = "DemoCycle"
GBFS_PATH = "/api/demo/gbfs"
LIVE_S, STATIC_S = 60, 86_400
_VEHICLE_TYPE_ID = "electric-bicycle"
_PRICING_PLAN_ID = "single-ride"
_NETWORK_ID = "demo_cycle"
_TOKYO = ZoneInfo("Asia/Tokyo")
_DAY_MIN = 24 * 60

Json = dict[str, Any]


class Document(StrEnum):
    """The documents of the system, by file name."""

    GBFS = "gbfs.json"
    VERSIONS = "gbfs_versions.json"
    SYSTEM = "system_information.json"
    VEHICLE_TYPES = "vehicle_types.json"
    STATIONS = "station_information.json"
    STATUS = "station_status.json"
    PRICES = "system_pricing_plans.json"


def gbfs_routes(context: ServiceContext) -> list[Route]:
    """The endpoint that serves the documents."""

    async def get_document(call: Call) -> Json:
        host = call.headers.get("Host", f"{context.settings.host}:{context.settings.port}")
        return build_document(
            call.path["document"], base_url=f"http://{host}{GBFS_PATH}", now=context.clock.now()
        )

    return [
        Route(
            method="GET",
            path=GBFS_PATH + "/{document}",
            operation="getDemoGbfs",
            handler=get_document,
            summary="The demonstration's bike share as GBFS 3.0; start at gbfs.json",
            tag="demo",
            path_types={"document": Document},
            response=Json,
        )
    ]


def build_document(document: Document, *, base_url: str, now: datetime) -> Json:
    """One GBFS document as of `now`. `base_url` is the folder that gbfs.json points into."""
    builders: dict[Document, Callable[[], Json]] = {
        Document.GBFS: lambda: _discovery(base_url),
        Document.VERSIONS: lambda: {"versions": [{"version": "3.0", "url": f"{base_url}/{Document.GBFS}"}]},
        Document.SYSTEM: _system,
        Document.VEHICLE_TYPES: _vehicle_types,
        Document.STATIONS: lambda: {"stations": [_station(port) for port in list_bike_ports()]},
        Document.STATUS: lambda: {"stations": [_status(port, now) for port in list_bike_ports()]},
        Document.PRICES: _prices,
    }
    return {
        "last_updated": _rfc3339(now),
        "ttl": LIVE_S if document is Document.STATUS else STATIC_S,
        "version": "3.0",
        "data": builders[document](),
    }


def bikes_at(port: BikePort, now: datetime) -> int:
    """How many bikes stand at a port: an even swing over the day, each port at its own hour."""
    local = now.astimezone(_TOKYO)
    phase = zlib.crc32(port.station_id.encode()) % _DAY_MIN
    minute = (local.hour * 60 + local.minute + phase) % _DAY_MIN
    rising = min(minute, _DAY_MIN - minute)  # 0 to 720 and back
    return port.dock_count * (130 + rising) // (_DAY_MIN // 2 + 260)


def _discovery(base_url: str) -> Json:
    return {
        "feeds": [
            {"name": document.value.removesuffix(".json"), "url": f"{base_url}/{document}"}
            for document in Document
            if document is not Document.GBFS
        ]
    }


def _system() -> Json:
    return {
        "system_id": SYSTEM_ID,
        "languages": ["ja", "en"],
        "name": _localized(Names(ja="実証シェアサイクル", en="Demonstration bike share")),
        "operator": _localized(Names(ja="実証シェアサイクル", en="Demonstration bike share")),
        "opening_hours": "24/7",
        "feed_contact_email": "demo@tsunagu.example",
        "timezone": "Asia/Tokyo",
    }


def _vehicle_types() -> Json:
    return {
        "vehicle_types": [
            {
                "vehicle_type_id": _VEHICLE_TYPE_ID,
                "form_factor": "bicycle",
                "propulsion_type": "electric_assist",
                "max_range_meters": 60_000,
                "name": _localized(Names(ja="電動アシスト自転車", en="Electric bicycle")),
                "return_constraint": "any_station",
                "default_pricing_plan_id": _PRICING_PLAN_ID,
                "pricing_plan_ids": [_PRICING_PLAN_ID],
            }
        ]
    }


def _station(port: BikePort) -> Json:
    return {
        "station_id": port.station_id,
        "name": _localized(port.names),
        "lat": port.lat,
        "lon": port.lon,
        "capacity": port.dock_count,
        "is_virtual_station": False,
    }


def _status(port: BikePort, now: datetime) -> Json:
    bikes = bikes_at(port, now)
    docks = port.dock_count - bikes
    return {
        "station_id": port.station_id,
        "is_installed": True,
        "is_renting": True,
        "is_returning": True,
        "last_reported": _rfc3339(now),
        "num_vehicles_available": bikes,
        "num_docks_available": docks,
        "vehicle_types_available": [{"vehicle_type_id": _VEHICLE_TYPE_ID, "count": bikes}],
        "vehicle_docks_available": [{"vehicle_type_ids": [_VEHICLE_TYPE_ID], "count": docks}],
    }


def _prices() -> Json:
    """The plan that the tariff table prices by: GBFS counts minutes, the table seconds."""
    with (FOLDER / "tariffs" / "timed_fares.csv").open(encoding="utf-8", newline="") as file:
        row = next(row for row in csv.DictReader(file) if row["network_id"] == _NETWORK_ID)
    first_min, step_min = int(row["first_s"]) // 60, int(row["step_s"]) // 60
    text_ja = f"最初の{first_min}分{row['first_minor']}円、以後{step_min}分ごとに{row['step_minor']}円"
    text_en = f"{row['first_minor']} yen for {first_min} min, then {row['step_minor']} yen per {step_min} min"
    return {
        "plans": [
            {
                "plan_id": _PRICING_PLAN_ID,
                "name": _localized(Names(ja="1回利用", en="Single ride")),
                "currency": "JPY",
                "price": int(row["first_minor"]),
                "is_taxable": False,
                "description": _localized(Names(ja=text_ja, en=text_en)),
                "per_min_pricing": [
                    {"start": first_min, "rate": int(row["step_minor"]), "interval": step_min}
                ],
            }
        ]
    }


def _localized(names: Names) -> list[Json]:
    return [{"text": names.ja, "language": "ja"}, {"text": names.en, "language": "en"}]


def _rfc3339(instant: datetime) -> str:
    return instant.astimezone(_TOKYO).isoformat(timespec="seconds")
