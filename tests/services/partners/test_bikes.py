"""Bike systems over real HTTP: the demonstration's own GBFS is served, read, shown, lost and found again."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer

from maas.ports import BikesPort
from maas.sharing.geofences import Geofences
from maas.sharing.nearby import distance_m, list_near
from maas.sharing.records import SharingStation
from services.demo.city.gbfs import Document, build_document
from services.partners.service import build
from services.platform.auth import Role
from services.platform.clock import FixedClock
from tests.support.house import TestHouse, running_house

NOON = datetime(2026, 5, 20, 3, 0, tzinfo=UTC)
TOCHO = "lat=35.68960&lon=139.69230"


@dataclass
class Provider:
    """A bike system's server: the demonstration's documents, or whatever a test puts in their place."""

    clock: FixedClock
    answers: dict[str, Any] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    server: TestServer = field(init=False)

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/{name}", self._answer)
        self.server = TestServer(app)
        await self.server.start_server()

    @property
    def url(self) -> str:
        return str(self.server.make_url("/gbfs.json"))

    async def _answer(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        self.requests.append(name)
        if name in self.answers:
            body = self.answers[name]
            return web.Response(body=body if isinstance(body, bytes) else orjson.dumps(body))
        base = str(self.server.make_url("")).rstrip("/")
        document = build_document(Document(name), base_url=base, now=self.clock.now())
        return web.Response(body=orjson.dumps(document))


@dataclass
class Town:
    house: TestHouse
    clock: FixedClock
    provider: Provider

    async def follow(self, system_id: str = "demo-cycle", url: str = "") -> Any:
        body = {"gbfs_url": url or self.provider.url, "operator_id": "DemoCycle"}
        path = f"/api/bike-systems/{system_id}"
        status, answer = await self.house.call("PUT", path, role=Role.ADMIN, body=body)
        assert status == 200, answer
        return answer

    async def system(self, system_id: str = "demo-cycle") -> Any:
        _, answer = await self.house.call("GET", "/api/bike-systems", role=Role.ADMIN)
        return next(each for each in answer["systems"] if each["system_id"] == system_id)

    async def until(self, field_name: str, system_id: str = "demo-cycle") -> Any:
        """The system, once that field of it says something."""
        async with asyncio.timeout(10):
            while not (found := await self.system(system_id))[field_name]:  # noqa: ASYNC110 - over HTTP
                await asyncio.sleep(0.02)
        return found

    async def near(self, query: str) -> list[Any]:
        status, answer = await self.house.call("GET", f"/api/bike-stations?{query}")
        assert status == 200, answer
        stations: list[Any] = answer["stations"]
        return stations

    async def rentals(self, query: str = "") -> Any:
        status, answer = await self.house.call("GET", f"/api/v1/rentals{query}")
        assert status == 200, answer
        return answer


@pytest.fixture
async def town(database_url: str, tmp_path: Path) -> AsyncIterator[Town]:
    clock = FixedClock(NOON)
    provider = Provider(clock)
    await provider.start()
    async with running_house(database_url, {"partners": build}, clock=clock, data_dir=tmp_path) as house:
        yield Town(house, clock, provider)
    await provider.server.close()


async def test_a_followed_system_is_read_and_shown(town: Town) -> None:
    await town.follow()
    system = await town.until("read_at")
    assert (system["name"], system["station_count"]) == ("実証シェアサイクル", 12)
    assert (system["notice_count"], system["fault"]) == (0, "")
    near = await town.near(f"{TOCHO}&radius_m=1000")
    assert [each["station_id"] for each in near] == ["B01", "B02", "B03"]
    assert [each["distance_m"] for each in near] == sorted(each["distance_m"] for each in near)
    first = near[0]
    assert (first["distance_m"], first["name"], first["operator_id"]) == (0, "都庁第一本庁舎前", "DemoCycle")
    assert first["bikes_available"] + first["docks_available"] == 20
    assert first["is_renting"]
    assert [each["name"] for each in await town.near(f"{TOCHO}&radius_m=10&language=en")] == [
        "Tocho No. 1 Building"
    ]
    assert await town.near("lat=0&lon=0&radius_m=10000") == []


async def test_old_counts_are_told_as_unknown(town: Town) -> None:
    await town.follow()
    await town.until("read_at")
    town.provider.answers["station_status.json"] = b"gone"
    town.clock.set(NOON + timedelta(minutes=11))
    (station,) = await town.near(f"{TOCHO}&radius_m=10")
    assert station["bikes_available"] is None
    assert station["as_of"] is None
    assert not station["is_renting"]
    shown = await town.rentals("?providers=demo-cycle")
    assert {each["numVehiclesAvailable"] for each in shown["stations"]} == {0}
    assert not any(each["isRenting"] for each in shown["stations"])


async def test_a_system_that_fails_says_why_and_disturbs_nobody(town: Town) -> None:
    await town.follow()
    await town.follow("broken", url=town.provider.url.replace("gbfs.json", "system_information.json"))
    await town.follow("nobody", url="http://127.0.0.1:9/gbfs.json")
    assert "system_information" in (await town.until("fault", "broken"))["fault"]
    assert "ClientConnectorError" in (await town.until("fault", "nobody"))["fault"]
    assert (await town.until("read_at"))["fault"] == ""
    assert len(await town.near(f"{TOCHO}&radius_m=1000")) == 3


@pytest.mark.parametrize("answer", [b"", b"not json", b'{"data": []}', {"data": {"feeds": 5}}])
async def test_nonsense_is_a_fault_and_not_a_crash(town: Town, answer: Any) -> None:
    town.provider.answers["gbfs.json"] = answer
    await town.follow()
    system = await town.until("fault")
    assert system["station_count"] == 0
    # When the system is well again, so are we.
    del town.provider.answers["gbfs.json"]
    assert (await town.until("read_at"))["station_count"] == 12


async def test_bad_rows_cost_only_themselves(town: Town) -> None:
    stations = [
        {"station_id": "good", "name": "都庁", "lat": 35.6896, "lon": 139.6923},
        {"station_id": "lost", "name": "海", "lat": 0, "lon": 0},
    ]
    town.provider.answers["station_information.json"] = {"version": "2.3", "data": {"stations": stations}}
    await town.follow()
    system = await town.until("read_at")
    assert system["station_count"] == 1
    assert system["notice_count"] == 1
    (station,) = await town.near(f"{TOCHO}&radius_m=10")
    assert station["bikes_available"] is None  # nobody told us about this one


async def test_stations_are_there_at_once_after_a_restart(database_url: str, tmp_path: Path) -> None:
    clock = FixedClock(NOON)
    provider = Provider(clock)
    await provider.start()
    async with running_house(database_url, {"partners": build}, clock=clock, data_dir=tmp_path) as house:
        town = Town(house, clock, provider)
        await town.follow()
        await town.until("read_at")
    await provider.server.close()
    async with running_house(database_url, {"partners": build}, clock=clock, data_dir=tmp_path) as house:
        town = Town(house, clock, provider)
        (station,) = await town.near(f"{TOCHO}&radius_m=10")
        assert (station["name"], station["bikes_available"]) == ("都庁第一本庁舎前", None)
        assert (await town.until("fault"))["station_count"] == 12


async def test_another_address_forgets_what_the_old_one_said(town: Town) -> None:
    await town.follow()
    await town.until("read_at")
    answer = await town.follow(url="http://127.0.0.1:9/gbfs.json")
    assert (answer["station_count"], answer["read_at"]) == (0, None)
    assert await town.near(f"{TOCHO}&radius_m=1000") == []


# --- MOTIS's words ----------------------------------------------------------------------------------------


async def test_without_a_filter_only_providers_are_listed(town: Town) -> None:
    await town.follow()
    await town.until("read_at")
    answer = await town.rentals()
    assert [each["id"] for each in answer["providers"]] == ["demo-cycle"]
    assert [each["providers"] for each in answer["providerGroups"]] == [["demo-cycle"]]
    assert answer["stations"] == answer["vehicles"] == answer["zones"] == []
    assert (await town.rentals("?withProviders=false"))["providers"] == []


@pytest.mark.parametrize(
    ("query", "stations"),
    [
        ("?point=35.68960,139.69230&radius=10", {"B01"}),
        ("?point=35.68960,139.69230,0&radius=1000", {"B01", "B02", "B03"}),
        ("?min=35.680,139.700&max=35.700,139.680", {"B01", "B02", "B03"}),  # lower right, upper left
        ("?min=33.0,140.0&max=33.2,139.7", {"B11", "B12"}),
        ("?min=33.0,140.0&max=33.2,139.7&point=33.1150,139.7858&radius=100", {"B12"}),
        ("?providers=demo-cycle", {f"B{number:02}" for number in range(1, 13)}),
        ("?providerGroups=demo-cycle,other", {f"B{number:02}" for number in range(1, 13)}),
        ("?providers=other", set()),
        ("?providers=demo-cycle&withStations=false", set()),
    ],
)
async def test_only_what_matches_all_filters_is_listed(town: Town, query: str, stations: set[str]) -> None:
    await town.follow()
    await town.until("read_at")
    answer = await town.rentals(query)
    assert {each["id"] for each in answer["stations"]} == stations


async def test_free_vehicles_are_listed_where_they_stand_or_at_their_station(town: Town) -> None:
    bike = {"is_reserved": False, "is_disabled": False, "vehicle_type_id": "electric-bicycle"}
    vehicles = [
        {"vehicle_id": "free", "lat": 35.69, "lon": 139.69, **bike},
        {"vehicle_id": "docked", "station_id": "B01", **bike},
        {"vehicle_id": "nowhere", "station_id": "unknown", **bike},
    ]
    base = town.provider.url.removesuffix("/gbfs.json")
    gbfs = build_document(Document.GBFS, base_url=base, now=NOON)
    gbfs["data"]["feeds"].append({"name": "vehicle_status", "url": f"{base}/vehicle_status.json"})
    town.provider.answers["gbfs.json"] = gbfs
    town.provider.answers["vehicle_status.json"] = {"version": "3.0", "data": {"vehicles": vehicles}}
    await town.follow()
    await town.until("read_at")
    answer = await town.rentals("?providers=demo-cycle")
    assert {each["id"]: (each["lat"], each["propulsionType"]) for each in answer["vehicles"]} == {
        "free": (35.69, "ELECTRIC_ASSIST"),
        "docked": (35.68960, "ELECTRIC_ASSIST"),
    }


ZONES = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "properties": {
                "name": "公園",
                "rules": [
                    {
                        "vehicle_type_ids": ["electric-bicycle"],
                        "ride_allowed": False,
                        "ride_through_allowed": False,
                    },
                    {"vehicle_type_ids": ["unknown"], "ride_allowed": True, "ride_through_allowed": True},
                ],
            },
            "geometry": {
                "type": "MultiPolygon",
                "coordinates": [
                    [[[139.68, 35.68], [139.70, 35.68], [139.70, 35.70], [139.68, 35.70], [139.68, 35.68]]]
                ],
            },
        },
        {
            "type": "Feature",
            "properties": {"rules": [{"ride_through_allowed": True, "station_parking": True}]},
            "geometry": {
                "type": "Polygon",
                "coordinates": [[[139.0, 35.0], [139.1, 35.0], [139, 35.1], [139, 35]]],
            },
        },
        {"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": [139.0, 35.0]}},
    ],
}


async def follow_zones(town: Town) -> None:
    base = town.provider.url.removesuffix("/gbfs.json")
    gbfs = build_document(Document.GBFS, base_url=base, now=NOON)
    gbfs["data"]["feeds"].append({"name": "geofencing_zones", "url": f"{base}/geofencing_zones.json"})
    town.provider.answers["gbfs.json"] = gbfs
    town.provider.answers["geofencing_zones.json"] = {
        "version": "3.0",
        "data": {
            "geofencing_zones": ZONES,
            "global_rules": [
                {"ride_start_allowed": True, "ride_end_allowed": False, "ride_through_allowed": True}
            ],
        },
    }
    await town.follow()
    await town.until("read_at")


async def test_geofences_are_shown_where_they_are(town: Town) -> None:
    await follow_zones(town)
    assert (await town.system())["notice_count"] == 1, "a point is no area, and its feature is left out"
    near = (await town.rentals("?point=35.6896,139.6923&radius=100"))["zones"]
    (zone,) = near
    assert (zone["name"], zone["z"], zone["bbox"]) == ("公園", 2, [139.68, 35.68, 139.70, 35.70])
    assert zone["rules"] == [
        {
            "vehicleTypeIdxs": [0],
            "rideStartAllowed": False,
            "rideEndAllowed": False,
            "rideThroughAllowed": False,
            "stationParking": False,
        }
    ]
    # Google's encoding of the first place, by hand: 35680000 and 139680000, doubled, five bits a letter.
    ((line,),) = zone["area"]
    assert line["points"].startswith(_letters(35_680_000) + _letters(139_680_000))
    assert (line["precision"], line["length"]) == (6, 5)
    everything = await town.rentals("?providers=demo-cycle")
    assert [each["z"] for each in everything["zones"]] == [2, 1]
    assert [each["rules"][0]["stationParking"] for each in everything["zones"]] == [False, True]
    assert [each["rideEndAllowed"] for each in everything["providers"][0]["globalGeofencingRules"]] == [False]
    assert (await town.rentals("?providers=demo-cycle&withZones=false"))["zones"] == []
    assert (await town.rentals("?min=34,140&max=34.5,141"))["zones"] == []


def _letters(number: int) -> str:
    left, letters = number * 2, ""
    while left:
        more = 0x20 if left >= 32 else 0
        letters += chr((left % 32 | more) + 63)
        left //= 32
    return letters


async def test_the_planner_hears_of_no_geofences_where_there_are_none(town: Town) -> None:
    port = town.house.services["partners"].ports[BikesPort]
    await town.follow()
    await town.until("read_at")
    assert [each.geofences for each in await port.list_systems()] == [""]
    assert await port.get_geofences(system_id="nobody") == Geofences()


async def test_geofences_of_another_name_are_others(town: Town) -> None:
    port = town.house.services["partners"].ports[BikesPort]
    await follow_zones(town)
    (system,) = await port.list_systems()
    told = await port.get_geofences(system_id="demo-cycle")
    assert system.geofences
    assert [len(zone.rules) for zone in told.zones] == [2, 1]
    assert [rule.may_end for rule in told.global_rules] == [False]


@pytest.mark.parametrize(
    "query",
    ["?min=1,2", "?point=tokyo", "?point=91,0", "?point=1", "?radius=0", "?min=nan,1&max=1,1", "?nonsense=1"],
)
async def test_bad_filters_are_refused(town: Town, query: str) -> None:
    status, answer = await town.house.call("GET", f"/api/v1/rentals{query}")
    assert (status, answer["code"]) == (422, "validation_failed")


@pytest.mark.real
async def test_the_answer_is_what_motis_promises(town: Town, real_data: Path) -> None:
    await town.follow()
    await town.until("read_at")
    answer = await town.rentals("?providers=demo-cycle")
    assert len(answer["stations"]) == 12
    api = yaml.safe_load((real_data / "motis" / "openapi.yaml").read_text(encoding="utf-8"))
    operation = api["paths"]["/api/v1/rentals"]["get"]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    whole = {**schema, "components": api["components"]}
    jsonschema.validate(answer, whole)
    # The schema itself can say no: a station without its name is not a station.
    del answer["stations"][0]["name"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(answer, whole)
    ours = {each.alias for each in _parameters()}
    assert ours == {each["name"] for each in operation["parameters"]}


def _parameters() -> list[Any]:
    from services.partners.rentals import RentalsQuery  # noqa: PLC0415 - only this test looks inside

    return list(RentalsQuery.model_fields.values())


# --- distances --------------------------------------------------------------------------------------------


def test_distances_are_those_of_the_globe() -> None:
    # A degree of latitude on a sphere of 6,371,008.8 m is 111,195 m; on the equator one of longitude too.
    assert distance_m(35, 139, 36, 139) == pytest.approx(111_195, abs=1)
    assert distance_m(0, 139, 0, 140) == pytest.approx(111_195, abs=1)
    assert distance_m(60, 139, 60, 140) == pytest.approx(111_195 / 2, rel=0.001)  # cos 60 = 1/2
    assert distance_m(0, 0, 0, 180) == pytest.approx(20_015_115, abs=10)  # half around
    assert distance_m(35.7, 139.7, 35.7, 139.7) == 0


def test_near_stations_come_nearest_first_and_equal_ones_by_id() -> None:
    def at(station_id: str, north_m: float) -> SharingStation:
        return SharingStation(station_id=station_id, names={}, lat=35 + north_m / 111_195, lon=139)

    stations = [at("far", 501), at("b", 200), at("a", -200), at("here", 0)]
    near = list_near(stations, lat=35, lon=139, radius_m=500)
    assert [(each.station.station_id, each.distance_m) for each in near] == [
        ("here", 0),
        ("a", 200),
        ("b", 200),
    ]


async def test_the_planner_hears_what_can_be_taken_and_left(town: Town) -> None:
    port = town.house.services["partners"].ports[BikesPort]
    assert await port.list_stations() == [], "a system that was never read has no stations"
    await town.follow()
    await town.until("read_at")
    shown = {each["station_id"]: each for each in await town.near(f"{TOCHO}&radius_m=10000&limit=100")}
    told = await port.list_stations()
    assert len(told) == 12
    assert shown.keys() <= {each.station_id for each in told}
    for each in (each for each in told if each.station_id in shown):
        assert (each.system_id, each.operator_id) == ("demo-cycle", "DemoCycle")
        assert each.bikes == shown[each.station_id]["bikes_available"]
        assert each.docks == shown[each.station_id]["docks_available"]
    town.clock.set(NOON + timedelta(minutes=11))
    assert {(each.bikes, each.docks) for each in await port.list_stations()} == {(None, None)}


async def test_the_planner_hears_of_vehicles_by_themselves_that_can_be_taken(town: Town) -> None:
    """Of those at a station the station's count tells, and nobody takes what is reserved or broken."""
    free = {"lat": 35.69, "lon": 139.69, "is_reserved": False, "is_disabled": False}
    rows = {
        "free": {**free, "vehicle_type_id": "electric-bicycle", "current_range_meters": 1431.2},
        "homing": {**free, "home_station_id": "B01", "rental_uris": {"web": "https://bikes.example/1"}},
        "docked": {**free, "station_id": "B01"},
        "reserved": {**free, "is_reserved": True},
        "broken": {**free, "is_disabled": True},
    }
    base = town.provider.url.removesuffix("/gbfs.json")
    gbfs = build_document(Document.GBFS, base_url=base, now=NOON)
    gbfs["data"]["feeds"].append({"name": "vehicle_status", "url": f"{base}/vehicle_status.json"})
    town.provider.answers["gbfs.json"] = gbfs
    vehicles = [{"vehicle_id": name, **row} for name, row in rows.items()]
    town.provider.answers["vehicle_status.json"] = {"version": "3.0", "data": {"vehicles": vehicles}}
    port = town.house.services["partners"].ports[BikesPort]
    await town.follow()
    await town.until("read_at")
    told = {each.vehicle_id: each for each in await port.list_vehicles()}
    assert told.keys() == {"free", "homing"}
    assert (told["free"].vehicle_type_id, told["free"].range_m) == ("electric-bicycle", 1431)
    assert told["homing"].home_station_id == "B01"
    assert told["homing"].rental_uris == {"web": "https://bikes.example/1"}
    (system,) = await port.list_systems()
    assert (system.system_id, system.operator_id) == ("demo-cycle", "DemoCycle")
    assert [each.return_constraint for each in system.vehicle_types] == ["any_station"]
    town.clock.set(NOON + timedelta(minutes=11))
    assert await port.list_vehicles() == []


async def test_a_valet_takes_bikes_in_where_no_dock_is_free(town: Town) -> None:
    place = {"lat": 35.6896, "lon": 139.6923}
    stations = [
        {"station_id": "full", "name": "満", **place},
        {"station_id": "valet", "name": "係員", "is_valet_station": True, **place},
    ]
    full = {
        "is_installed": True,
        "is_renting": True,
        "is_returning": True,
        "num_bikes_available": 1,
        "num_docks_available": 0,
        "vehicle_docks_available": [{"vehicle_type_ids": ["electric-bicycle"], "count": 0}],
    }
    rows = [{"station_id": each["station_id"], **full} for each in stations]
    town.provider.answers["station_information.json"] = {"version": "2.3", "data": {"stations": stations}}
    town.provider.answers["station_status.json"] = {"version": "2.3", "data": {"stations": rows}}
    await town.follow()
    await town.until("read_at")
    told = await town.house.services["partners"].ports[BikesPort].list_stations()
    assert {each.station_id: (each.docks, each.docks_by_type) for each in told} == {
        "full": (0, {"electric-bicycle": 0}),
        "valet": (None, {}),
    }
