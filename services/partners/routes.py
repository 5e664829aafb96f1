"""Partners' endpoints: ships for everybody and their clerks, bikes for everybody."""

from datetime import date

from maas.sharing.nearby import list_near
from maas.sharing.records import name_in
from services.partners.berths import ShipBerths
from services.partners.bikes import BikeSystems, SystemView
from services.partners.messages import (
    BerthClasses,
    BerthQuery,
    BerthView,
    BikeStation,
    BikeStationList,
    BikeStationQuery,
    BikeSystem,
    BikeSystemList,
    BikeSystemSettings,
    Identifier,
    Manifest,
    Sailing,
    SailingCancellation,
    SailingList,
    SailingNews,
    SailingQuery,
    SailingStatus,
    ServiceDate,
    TripId,
)
from services.partners.rentals import Rentals, RentalsQuery, build_rentals
from services.partners.store import SailingRecord
from services.platform.auth import Principal, Role
from services.platform.clock import Clock
from services.platform.service import Call, Reply, Route

_SHIPS, _BIKES = "ships", "shared bikes"


class Endpoints:
    """HTTP's view of partners."""

    def __init__(self, berths: ShipBerths, bikes: BikeSystems, clock: Clock) -> None:
        self._berths = berths
        self._bikes = bikes
        self._clock = clock

    async def put_berth_classes(self, call: Call) -> BerthClasses:
        """PUT /api/sailings/{trip_id}/berths."""
        return await self._berths.put_classes(call.path["trip_id"], call.body)

    async def get_berths(self, call: Call) -> BerthView:
        """GET /api/sailings/berths."""
        return await self._berths.get_berths(call.query.trip_id, call.query.service_date)

    async def list_sailings(self, call: Call) -> SailingList:
        """GET /api/sailings."""
        rows = await self._berths.list_sailings(call.query.service_date, call.query.operator_id)
        return SailingList(sailings=[_sailing(row) for row in rows])

    async def cancel_sailing(self, call: Call) -> Sailing:
        """POST /api/sailings/cancellations."""
        body: SailingCancellation = call.body
        return await self._set(call, body.trip_id, body.service_date, SailingStatus.CANCELLED)

    async def set_sailing_status(self, call: Call) -> Sailing:
        """POST /api/sailings/statuses."""
        body: SailingNews = call.body
        return await self._set(call, body.trip_id, body.service_date, body.status)

    async def get_manifest(self, call: Call) -> Manifest:
        """GET /api/sailings/{trip_id}/{service_date}/manifest."""
        return await self._berths.get_manifest(
            call.path["trip_id"], call.path["service_date"], operator_id=_operator_of(call.caller)
        )

    async def list_rentals(self, call: Call) -> Reply:
        """GET /api/v1/rentals. Members without a value are left out, as MOTIS does."""
        told = build_rentals(call.query, list(self._bikes.list_views()), self._clock.now())
        return Reply(body=told.model_dump_json(by_alias=True, exclude_none=True).encode())

    async def list_bike_stations(self, call: Call) -> BikeStationList:
        """GET /api/bike-stations."""
        query: BikeStationQuery = call.query
        found = [
            self._bike_station(view, near.station.station_id, near.distance_m, query.language)
            for view in self._bikes.list_views()
            for near in list_near(view.stations, lat=query.lat, lon=query.lon, radius_m=query.radius_m)
        ]
        found.sort(key=lambda each: (each.distance_m, each.system_id, each.station_id))
        return BikeStationList(stations=found[: query.limit])

    async def put_bike_system(self, call: Call) -> BikeSystem:
        """PUT /api/bike-systems/{system_id}."""
        settings: BikeSystemSettings = call.body
        return _bike_system(await self._bikes.put(call.path["system_id"], settings))

    async def list_bike_systems(self, _call: Call) -> BikeSystemList:
        """GET /api/bike-systems."""
        return BikeSystemList(systems=[_bike_system(view) for view in self._bikes.list_views()])

    async def _set(self, call: Call, trip_id: str, service_date: date, status: SailingStatus) -> Sailing:
        record = await self._berths.set_status(
            trip_id, service_date, status, call.body.reason, operator_id=_operator_of(call.caller)
        )
        return _sailing(record)

    def _bike_station(self, view: SystemView, station_id: str, distance_m: int, language: str) -> BikeStation:
        station = next(each for each in view.stations if each.station_id == station_id)
        status = view.find_status(station_id, self._clock.now())
        return BikeStation(
            system_id=view.record.system_id,
            station_id=station_id,
            operator_id=view.record.operator_id,
            name=name_in(station.names, language),
            lat=station.lat,
            lon=station.lon,
            distance_m=distance_m,
            is_renting=bool(status and status.is_installed and status.is_renting),
            is_returning=bool(status and status.is_installed and status.is_returning),
            bikes_available=status.vehicles_to_rent if status else None,
            docks_available=status.docks_available if status else None,
            as_of=(status.reported_at or view.read_at) if status else None,
        )


def _operator_of(caller: Principal) -> str | None:
    """The operator a clerk acts for; None for an administrator, who may act for any."""
    if caller.role is Role.ADMIN:
        return None
    return caller.operator_id or ""


def _sailing(record: SailingRecord) -> Sailing:
    return Sailing(
        trip_id=record.trip_id,
        service_date=record.service_date,
        operator_id=record.operator_id,
        status=record.status,
        reason=record.reason,
        changed_at=record.changed_at,
    )


def _bike_system(view: SystemView) -> BikeSystem:
    facts = view.record.facts
    return BikeSystem(
        system_id=view.record.system_id,
        gbfs_url=view.record.gbfs_url,
        operator_id=view.record.operator_id,
        name=name_in(facts.system.names, "ja") if facts else "",
        station_count=len(view.stations),
        read_at=view.read_at,
        notice_count=view.notice_count,
        fault=view.fault,
    )


def build_routes(endpoints: Endpoints) -> list[Route]:
    """All endpoints of partners."""
    return [*_ship_routes(endpoints), *_clerk_routes(endpoints), *_bike_routes(endpoints)]


def _ship_routes(endpoints: Endpoints) -> list[Route]:
    return [
        Route(
            method="GET",
            path="/api/sailings",
            operation="listSailings",
            handler=endpoints.list_sailings,
            summary="What operators say about the sailings of a day; others sail as in the timetable",
            tag=_SHIPS,
            query=SailingQuery,
            response=SailingList,
        ),
        Route(
            method="GET",
            path="/api/sailings/berths",
            operation="getBerths",
            handler=endpoints.get_berths,
            summary="What is left on a sailing, by class",
            tag=_SHIPS,
            query=BerthQuery,
            response=BerthView,
            problems=("sailing_not_found",),
        ),
        Route(
            method="PUT",
            path="/api/sailings/{trip_id}/berths",
            operation="putBerthClasses",
            handler=endpoints.put_berth_classes,
            summary="Set what each sailing of a trip sells",
            tag=_SHIPS,
            path_types={"trip_id": TripId},
            body=BerthClasses,
            response=BerthClasses,
        ),
    ]


def _clerk_routes(endpoints: Endpoints) -> list[Route]:
    return [
        Route(
            method="POST",
            path="/api/sailings/cancellations",
            operation="cancelSailing",
            handler=endpoints.cancel_sailing,
            summary="Cancel a sailing of one's own operator, for good; its travellers are told and refunded",
            tag=_SHIPS,
            body=SailingCancellation,
            response=Sailing,
            status=201,
            idempotent=True,
            problems=("sailing_not_found",),
        ),
        Route(
            method="POST",
            path="/api/sailings/statuses",
            operation="setSailingStatus",
            handler=endpoints.set_sailing_status,
            summary="Say that a sailing is conditional (条件付: it may not land), or as planned again",
            tag=_SHIPS,
            body=SailingNews,
            response=Sailing,
            status=201,
            idempotent=True,
            problems=("sailing_not_found", "conflict"),
        ),
        Route(
            method="GET",
            path="/api/sailings/{trip_id}/{service_date}/manifest",
            operation="getManifest",
            handler=endpoints.get_manifest,
            summary="Who sails: names are for the operator's own clerk, and deleted after a month",
            tag=_SHIPS,
            path_types={"trip_id": TripId, "service_date": ServiceDate},
            response=Manifest,
            problems=("sailing_not_found", "manifest_unreadable"),
        ),
    ]


def _bike_routes(endpoints: Endpoints) -> list[Route]:
    return [
        Route(
            method="GET",
            path="/api/v1/rentals",
            operation="listRentals",
            handler=endpoints.list_rentals,
            summary="Shared bikes in the words of MOTIS 2",
            tag=_BIKES,
            query=RentalsQuery,
            response=Rentals,
        ),
        Route(
            method="GET",
            path="/api/bike-stations",
            operation="listBikeStations",
            handler=endpoints.list_bike_stations,
            summary="Bike stations around a point, nearest first, with what is there now",
            tag=_BIKES,
            query=BikeStationQuery,
            response=BikeStationList,
        ),
        Route(
            method="PUT",
            path="/api/bike-systems/{system_id}",
            operation="putBikeSystem",
            handler=endpoints.put_bike_system,
            summary="Follow a bike system by its GBFS",
            tag=_BIKES,
            path_types={"system_id": Identifier},
            body=BikeSystemSettings,
            response=BikeSystem,
        ),
        Route(
            method="GET",
            path="/api/bike-systems",
            operation="listBikeSystems",
            handler=endpoints.list_bike_systems,
            summary="The bike systems followed, and how that goes",
            tag=_BIKES,
            response=BikeSystemList,
        ),
    ]
