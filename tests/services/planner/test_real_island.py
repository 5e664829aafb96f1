"""The issue's own example on the real feeds: `maas plan 都庁前 大島 --at 2026-05-20T20:00`."""

from datetime import datetime
from pathlib import Path
from shutil import copytree

import pytest

from gtfs.reader import read_feed
from maas.journeys import Mode, PlanRequest
from maas.ports import PublishedNetwork
from maas.prices import FareMedium, RiderCategory
from routing.build import build_network
from services.planner.network import Network, open_network
from services.planner.search import search
from services.planner.sought import Answer
from tests.services.planner.conftest import EVENING

pytestmark = pytest.mark.real
TARIFFS = Path(__file__).parents[3] / "services" / "demo" / "city" / "tariffs"


@pytest.fixture(scope="module")
def tokyo(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Network:
    """Greater Tokyo's rail, the islands' ships and buses."""
    names = ("rail", "island_ferries", "oshima_bus", "miyake_bus")
    readings = [read_feed(real_data / "tokyo" / f"{name}.zip") for name in names]
    feeds = [reading.feed for reading in readings if reading.feed is not None]
    assert len(feeds) == len(names)
    folder = tmp_path_factory.mktemp("tokyo")
    build_network(feeds, folder / "network", version="tokyo", now=EVENING)
    copytree(TARIFFS, folder / "network" / "tariffs")
    published = PublishedNetwork(version="tokyo", path=str(folder / "network"), published_at=EVENING)
    return open_network(published)


def find(network: Network, origin: str, destination: str, at: str) -> Answer:
    request = PlanRequest(origin=origin, destination=destination, at=datetime.fromisoformat(at), language="")
    ends = [network.places.get_end(text) for text in (origin, destination)]
    return search(network, request, *ends)


def test_the_island_is_reached_by_ship(tokyo: Network) -> None:
    """No ship leaves for 大島 that night in the feed: the first jet next morning, with time to board."""
    (best, *_) = find(tokyo, "都庁前", "大島", "2026-05-20T20:00+09:00").journeys
    assert best.legs[-1].mode is Mode.FERRY
    assert best.legs[-1].destination.stop_id == "island_ferries:[12]大島"
    assert best.arrives_at.isoformat() == "2026-05-21T10:20:00+09:00"
    assert tokyo.teller.get_journey(best.journey_id) == best
    assert tokyo.fares is not None
    assert tokyo.fares.tables is not None
    for rider in (RiderCategory.ADULT, RiderCategory.CHILD):
        assert (
            tokyo.fares.tables.price(journey=best, rider=rider, medium=FareMedium.IC).total.amount_minor > 0
        )


def test_the_station_of_the_same_name_by_saying_so(tokyo: Network) -> None:
    (best, *_) = find(tokyo, "都庁前", "大島駅", "2026-05-20T20:00+09:00").journeys
    assert best.legs[-1].destination.stop_id == "rail:Toei.Shinjuku.Ojima"


def test_the_weekly_ship_is_found(tokyo: Network) -> None:
    """おがさわら丸 leaves 竹芝 at 11:00 and arrives the day after."""
    (best, *_) = find(tokyo, "35.6896,139.6917", "父島", "2026-05-20T20:00+09:00").journeys
    ship = best.legs[-1]
    assert ship.mode is Mode.FERRY
    assert (ship.departs_at - datetime.fromisoformat("2026-05-20T20:00+09:00")).days >= 2
    assert (ship.arrives_at.date() - ship.departs_at.date()).days == 1


def test_a_ship_that_lands_before_dawn_meets_the_islands_bus(tokyo: Network) -> None:
    """橘丸 calls at 三宅島 at 05:00; the bus waits for it (routes per port of its feed)."""
    (best, *_) = find(tokyo, "竹芝", "三宅島", "2026-05-20T20:00+09:00").journeys
    assert best.legs[-1].arrives_at.isoformat() == "2026-05-21T05:00:00+09:00"
