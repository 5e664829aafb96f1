"""A planner on a real database, with the demonstration city's network in force."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from shutil import copytree
from typing import cast

import pytest

from gtfs.literal import literal_feed
from gtfs.reader import read_feed
from maas.ports import (
    BikesPort,
    BikeSystemNow,
    NetworkPort,
    PlannerPort,
    PublishedNetwork,
    StationNow,
    VehicleNow,
)
from maas.sharing.geofences import Geofences
from routing.bounds import build_bounds
from routing.build import build_network
from routing.timetable import open_timetable
from services.demo.city.build import build_city
from services.planner.handlers import Planner
from services.planner.network import Network, open_network
from services.planner.service import build
from services.platform.clock import FixedClock
from tests.support.house import TestHouse, running_house

EVENING = datetime(2026, 5, 20, 11, 0, tzinfo=UTC)  # 20:00 in Tokyo, a Wednesday


@pytest.fixture(scope="session")
def city_network(tmp_path_factory: pytest.TempPathFactory) -> PublishedNetwork:
    """The demonstration city, compiled, with its tariffs."""
    folder = tmp_path_factory.mktemp("city")
    city = build_city(folder / "feeds", around=date(2026, 5, 20))
    feeds = [reading.feed for path in city.paths if (reading := read_feed(path)).feed is not None]
    network = folder / "network"
    build_network(feeds, network, version="city-1", now=EVENING)
    build_bounds(open_timetable(network)).save(network, version="city-1")
    copytree(city.tariffs, folder / "network" / "tariffs")
    return PublishedNetwork(version="city-1", path=str(folder / "network"), published_at=EVENING)


@pytest.fixture(scope="session")
def city(city_network: PublishedNetwork) -> Network:
    return open_network(city_network)


def publish_literal(folder: Path, version: str, text: str, *, feed_id: str = "lit") -> PublishedNetwork:
    """A network of one feed written as text, without tariffs."""
    feed = literal_feed(text, feed_id=feed_id)
    build_network([feed], folder / version, version=version, now=EVENING)
    return PublishedNetwork(version=version, path=str(folder / version), published_at=EVENING)


class NetworkOnPaper:
    """A NetworkPort whose network in force is what the test says."""

    def __init__(self, published: PublishedNetwork | None) -> None:
        self.published = published

    async def get_in_force(self) -> PublishedNetwork | None:
        return self.published


class BikesOnPaper:
    """A BikesPort whose stations are what the test says, or that fails."""

    def __init__(self) -> None:
        self.rows: list[StationNow] = []
        self.vehicles: list[VehicleNow] = []
        self.systems: list[BikeSystemNow] = []
        self.geofences: dict[str, Geofences] = {}
        self.fails: Exception | None = None

    async def list_stations(self) -> list[StationNow]:
        if self.fails is not None:
            raise self.fails
        return self.rows

    async def list_vehicles(self) -> list[VehicleNow]:
        return self.vehicles

    async def list_systems(self) -> list[BikeSystemNow]:
        return self.systems

    async def get_geofences(self, *, system_id: str) -> Geofences:
        return self.geofences[system_id]


@dataclass
class PlanningHouse:
    house: TestHouse
    paper: NetworkOnPaper
    bikes: BikesOnPaper
    clock: FixedClock

    @property
    def port(self) -> PlannerPort:
        return cast("PlannerPort", self.house.services["planner"].ports[PlannerPort])

    @property
    def planner(self) -> Planner:
        return cast("Planner", self.port)


@pytest.fixture
async def planning(
    database_url: str, city_network: PublishedNetwork, tmp_path: Path
) -> AsyncIterator[PlanningHouse]:
    paper, bikes, clock = NetworkOnPaper(city_network), BikesOnPaper(), FixedClock(EVENING)
    async with running_house(
        database_url,
        {"planner": build},
        clock=clock,
        data_dir=tmp_path,
        ports={NetworkPort: paper, BikesPort: bikes},
    ) as house:
        yield PlanningHouse(house, paper, bikes, clock)
