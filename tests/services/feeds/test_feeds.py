"""Loading, refusing, replacing and surviving: on a real PostgreSQL, through HTTP and the port."""

import asyncio
import signal
import subprocess
import sys
import zipfile
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gtfs.literal import literal_contents
from maas.ports import NetworkPort
from routing.bounds import find_saved_bounds
from routing.streets.graph import open_streets
from routing.timetable import open_timetable
from services.feeds.service import build
from services.platform.auth import Role
from services.platform.clock import FixedClock
from tests.support.house import TestHouse, running_house
from tests.support.streets import TOWN_POINTS, TOWN_WAYS, write_map

NOW = datetime(2026, 5, 20, 3, tzinfo=UTC)
TARIFFS = Path(__file__).parents[3] / "services" / "demo" / "city" / "tariffs"
CITY = """
    agency Toei name="東京都交通局"
    route Oedo subway agency=Toei
    stops Tochomae Nakai
    t1    08:00    08:10
"""
ISLANDS = """
    route Ship ferry
    stops Takeshiba Oshima
    s1    22:00     30:00
"""
# What the crash test runs: a house whose process dies in the middle of publishing.
DIES_BEFORE_PUBLISHING = """
import asyncio, os, signal, sys
from pathlib import Path
from services.feeds import handlers
from services.feeds.service import build
from services.platform.auth import Role
from tests.services.feeds.test_feeds import NOW, load
from services.platform.clock import FixedClock
from tests.support.house import running_house

async def die(self, report, folder):
    assert folder.is_dir(), "compiled and in its place"
    os.kill(os.getpid(), signal.SIGKILL)

async def main(url, data_dir, feed):
    handlers.Feeds._publish = die
    async with running_house(url, {"feeds": build}, clock=FixedClock(NOW), data_dir=Path(data_dir)) as house:
        await load(house, Path(feed))

asyncio.run(main(*sys.argv[1:]))
"""


def write_zip(folder: Path, name: str, text: str, **changed: bytes) -> Path:
    """A literal feed as a zip; `changed` replaces files, for example `trips=b""`."""
    contents = literal_contents(text) | {f"{table}.txt": content for table, content in changed.items()}
    path = folder / f"{name}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in contents.items():
            archive.writestr(member, content)
    return path


async def load(
    house: TestHouse, *paths: Path, tariffs: Path | None = None, streets: Path | None = None
) -> tuple[int, dict]:
    body = {
        "paths": [str(path) for path in paths],
        "tariffs": None if tariffs is None else str(tariffs),
        "streets": None if streets is None else str(streets),
    }
    return await house.call("POST", "/api/networks", role=Role.ADMIN, body=body)


def names_in(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def house_on(database_url: str, data_dir: Path) -> AbstractAsyncContextManager[TestHouse]:
    return running_house(database_url, {"feeds": build}, clock=FixedClock(NOW), data_dir=data_dir)


def port_of(house: TestHouse) -> NetworkPort:
    return house.services["feeds"].ports[NetworkPort]


async def test_a_load_publishes_a_network_that_opens(database_url: str, tmp_path: Path) -> None:
    city, islands = write_zip(tmp_path, "city", CITY), write_zip(tmp_path, "islands", ISLANDS)
    async with house_on(database_url, tmp_path / "data") as house:
        assert await port_of(house).get_in_force() is None
        status, report = await load(house, city, islands)
        assert status == 201, report
        assert report["published"]
        assert [feed["feed_id"] for feed in report["feeds"]] == ["city", "islands"]
        assert report["feeds"][0]["first_date"] == "2026-01-01"
        network = await port_of(house).get_in_force()
        assert network is not None
        assert network.version == report["version"]
        timetable = open_timetable(Path(network.path))
        assert timetable.version == network.version
        assert find_saved_bounds(Path(network.path), timetable) is not None, "searches have their bounds"
        events = await house.services["feeds"].context.database.fetch(
            "select event_type, payload from outbox"
        )
        assert [(event["event_type"], event["payload"]["version"]) for event in events] == [
            ("NetworkPublished", network.version)
        ]


async def test_feeds_are_shown_to_everybody_and_notices_to_staff(database_url: str, tmp_path: Path) -> None:
    # The literal language cannot say that route X belongs to nobody known; the table can.
    routes = b"route_id,agency_id,route_short_name,route_type\nOedo,Toei,O,1\nX,nobody,X,3\n"
    city = write_zip(tmp_path, "city", CITY, routes=routes)
    async with house_on(database_url, tmp_path / "data") as house:
        _, report = await load(house, city)
        async with house.client.get("/api/feeds") as response:
            answer = await response.json()
        assert answer["version"] == report["version"]
        assert [agency["name"] for agency in answer["feeds"][0]["agencies"]] == ["東京都交通局"]
        path = f"/api/networks/{report['version']}/notices"
        assert (await house.call("GET", path, role=Role.TRAVELLER))[0] == 403
        status, notices = await house.call("GET", path, role=Role.ANALYST)
        assert status == 200
        found = {(each["code"], each["file"], each["row"], each["field"]) for each in notices["notices"]}
        assert ("dangling_reference", "routes.txt", 3, "agency_id") in found
        assert (await house.call("GET", "/api/networks/none/notices", role=Role.ADMIN))[0] == 404


async def test_a_broken_feed_leaves_the_old_network_in_force(database_url: str, tmp_path: Path) -> None:
    good = write_zip(tmp_path, "good", CITY)
    broken = {
        "zero_bytes": tmp_path / "zero.zip",
        "no_zip": tmp_path / "no.zip",
        "no_trips": write_zip(tmp_path, "headless", CITY, trips=b""),
    }
    broken["zero_bytes"].write_bytes(b"")
    broken["no_zip"].write_bytes(b"PK\x03\x04 and then nothing")
    async with house_on(database_url, tmp_path / "data") as house:
        _, report = await load(house, good)
        before = await port_of(house).get_in_force()
        for path in broken.values():
            status, problem = await load(house, good, path)
            assert status == 422
            assert problem["code"] == "feed_unreadable"
            assert any(
                notice["severity"] == "error"
                for feed in problem["report"]["feeds"]
                for notice in feed["notices"]
                if not feed["usable"]
            )
        assert await port_of(house).get_in_force() == before
        assert names_in(tmp_path / "data" / "networks") == [report["version"]]
        assert names_in(tmp_path / "data" / "feeds") == [report["version"]]


async def test_refused_paths_are_named(database_url: str, tmp_path: Path) -> None:
    city = write_zip(tmp_path, "city", CITY)
    async with house_on(database_url, tmp_path / "data") as house:
        for paths in (
            [tmp_path / "absent.zip"],
            [city, city],
            [Path("relative.zip")],
            [Path("/" + "x" * 999)],
        ):
            status, problem = await load(house, *paths)
            assert (status, problem["code"]) == (422, "feed_unreadable"), problem
        status, problem = await load(house, city, tariffs=tmp_path / "absent")
        assert (status, problem["code"]) == (422, "feed_unreadable")


async def test_tariffs_come_along_and_stay_until_others_come(database_url: str, tmp_path: Path) -> None:
    city = write_zip(tmp_path, "city", CITY)
    expected = {table.name: table.read_bytes() for table in TARIFFS.glob("*.csv")}
    async with house_on(database_url, tmp_path / "data") as house:
        await load(house, city, tariffs=TARIFFS)
        status, _ = await load(house, city)
        assert status == 201
        network = await port_of(house).get_in_force()
        kept = {table.name: table.read_bytes() for table in (Path(network.path) / "tariffs").iterdir()}
        assert kept == expected
        # A tariff that cannot be read stops the load as a broken feed does.
        (tmp_path / "bad").mkdir()
        status, problem = await load(house, city, tariffs=tmp_path / "bad")
        assert status == 422
        assert "networks.csv" in problem["detail"]
        assert await port_of(house).get_in_force() == network


async def test_streets_come_along_and_stay_until_others_come(database_url: str, tmp_path: Path) -> None:
    city = write_zip(tmp_path, "city", CITY)
    town = write_map(tmp_path / "town.osm")
    longer = write_map(
        tmp_path / "longer.osm", {**TOWN_POINTS, "X": (35.2, 139.0)}, {**TOWN_WAYS, "North": "RX"}
    )
    async with house_on(database_url, tmp_path / "data") as house:
        status, report = await load(house, city, streets=town)
        assert status == 201, report
        assert report["counts"]["streets"]["edge_count"] == len(TOWN_WAYS)
        first = await port_of(house).get_in_force()
        streets = open_streets(Path(first.path) / "streets")
        assert streets.edge_count == len(TOWN_WAYS)
        # Without a map those in force stay, also after the network that they came with is forgotten.
        for _ in range(2):
            status, report = await load(house, city)
            assert (status, report["counts"]["streets"]["version"]) == (201, streets.version)
        assert Path(first.path).name not in names_in(tmp_path / "data" / "networks")
        network = await port_of(house).get_in_force()
        assert open_streets(Path(network.path) / "streets").version == streets.version
        status, report = await load(house, city, streets=longer)
        assert report["counts"]["streets"]["edge_count"] == len(TOWN_WAYS) + 1


async def test_a_map_that_cannot_be_used_leaves_the_old_network_in_force(
    database_url: str, tmp_path: Path
) -> None:
    city = write_zip(tmp_path, "city", CITY)
    (tmp_path / "broken.osm.pbf").write_bytes(b"no map")
    empty = write_map(tmp_path / "empty.osm", {}, {})
    async with house_on(database_url, tmp_path / "data") as house:
        await load(house, city, streets=write_map(tmp_path / "town.osm"))
        network = await port_of(house).get_in_force()
        for path in (tmp_path / "broken.osm.pbf", empty, tmp_path / "absent.osm", Path("relative.osm")):
            status, problem = await load(house, city, streets=path)
            assert (status, problem["code"]) == (422, "feed_unreadable"), problem
            assert path.name in problem["detail"]
        assert await port_of(house).get_in_force() == network
        assert names_in(tmp_path / "data" / "networks") == [network.version]
        assert names_in(tmp_path / "data" / "feeds") == [network.version]


async def test_two_loads_at_once_both_succeed_one_after_the_other(database_url: str, tmp_path: Path) -> None:
    city, islands = write_zip(tmp_path, "city", CITY), write_zip(tmp_path, "islands", ISLANDS)
    async with house_on(database_url, tmp_path / "data") as house:
        answers = await asyncio.gather(load(house, city), load(house, islands))
        assert [status for status, _ in answers] == [201, 201]
        _, listed = await house.call("GET", "/api/networks", role=Role.ADMIN)
        assert [network["in_force"] for network in listed["networks"]] == [True, False]
        network = await port_of(house).get_in_force()
        assert network.version == listed["networks"][0]["version"]


async def test_only_the_last_two_networks_are_kept(database_url: str, tmp_path: Path) -> None:
    city = write_zip(tmp_path, "city", CITY)
    async with house_on(database_url, tmp_path / "data") as house:
        versions = [(await load(house, city))[1]["version"] for _ in range(3)]
        assert names_in(tmp_path / "data" / "networks") == sorted(versions[1:])
        assert names_in(tmp_path / "data" / "feeds") == sorted(versions[1:])
        _, listed = await house.call("GET", "/api/networks", role=Role.ADMIN)
        assert [network["version"] for network in listed["networks"]] == [versions[2], versions[1]]


async def test_killed_between_compile_and_publish_the_old_network_stays(
    database_url: str, tmp_path: Path
) -> None:
    city, islands = write_zip(tmp_path, "city", CITY), write_zip(tmp_path, "islands", ISLANDS)
    data_dir = tmp_path / "data"
    async with house_on(database_url, data_dir) as house:
        _, report = await load(house, city)
    died = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", DIES_BEFORE_PUBLISHING, database_url, str(data_dir), str(islands)],
        check=False,
        capture_output=True,
        timeout=60,
    )
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    # The new network was whole on disk, and yet nobody may see it.
    assert len(names_in(data_dir / "networks")) == 2
    async with house_on(database_url, data_dir) as house:
        network = await port_of(house).get_in_force()
        assert network.version == report["version"]
        assert names_in(data_dir / "networks") == [report["version"]]
        assert names_in(data_dir / "feeds") == [report["version"]]
        assert (await load(house, islands))[0] == 201


async def test_a_worker_that_dies_is_told_and_changes_nothing(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    city = write_zip(tmp_path, "city", CITY)
    async with house_on(database_url, tmp_path / "data") as house:
        _, report = await load(house, city)
        monkeypatch.setattr(sys, "executable", "/bin/false")
        status, problem = await load(house, city)
        assert (status, problem["code"]) == (503, "compiler_broken")
        monkeypatch.undo()
        assert (await port_of(house).get_in_force()).version == report["version"]
        assert names_in(tmp_path / "data" / "networks") == [report["version"]]


async def test_progress_is_idle_when_nothing_loads(database_url: str, tmp_path: Path) -> None:
    async with house_on(database_url, tmp_path / "data") as house:
        status, progress = await house.call("GET", "/api/networks/progress", role=Role.ADMIN)
        assert (status, progress["stage"]) == (200, "idle")
