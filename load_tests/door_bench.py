"""How long a search from door to door takes, with shared bikes at both ends, on Tokyo's feeds.

Protocol, fixed before any number was read (workload door-1):

1. All zips of the real data's `tokyo/` (1.25 M stop times: rail, buses, ships), compiled with bounds; the
   7,633 stations of the real data's `gbfs/` in Tokyo, a bike and a free place at each. One thread.
2. 100 pairs of points by the seed, each where a random stop of the mainland is, on Wednesday 2026-05-20 at
   minutes from 6:00 to 21:00; places by their coordinates, so walks and bikes are looked for at both ends.
3. Timed in CPU time of the thread, each query's least of three: the ways by bike from the first point alone;
   the best at that hour (`search`), told as journeys, on foot only and with bikes at both ends; five
   itineraries with bikes at both ends. Medians and 95th percentiles. Nothing is priced.
4. Checked while timed: with bikes nobody arrives later than on foot only.

There are no streets in it: walks and rides are beelines with detour factors.

With streets (workload door-streets-1): Porto Alegre's two feeds with bounds, footpaths and doors along the
streets of its map; 100 pairs of points by the seed, each up to 200 m north or south and east or west of a
random stop of the map, on Wednesday 2019-05-15 at minutes from 6:00 to 21:00, on foot. Timed likewise, on
streets and then by beelines at the doors: the best at that hour, and five itineraries, told with their lines.
No way found for one timing is kept for the next. Checked while timed: each journey is the one that its id
gives back.

Takes two minutes, most of them for the bounds of Porto Alegre. Results: tables, and lines of JSON with commit
and machine.
"""

import csv
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from gtfs.reader import read_feed
from load_tests.machine import describe_machine, find_real_data
from maas.journeys import Mode, PlanRequest
from maas.ports import PublishedNetwork, StationNow
from routing.bounds import build_bounds
from routing.build import build_network
from routing.journey import Access
from routing.streets.compiling import compile_streets
from routing.streets.graph import open_streets
from routing.streets.street_ways import StreetWays
from routing.streets.ways import BeelineWays, Ways
from routing.timetable import open_timetable
from services.planner.bikes.stations import NO_BIKES, BikeStations
from services.planner.bikes.ways import list_rental_ways
from services.planner.limits import Limits
from services.planner.network import Network, open_network
from services.planner.outside import Outside
from services.planner.search import search
from services.planner.sought import Answer

WORKLOAD, STREETS_WORKLOAD = "door-1", "door-streets-1"
QUERIES, TIMES, SEED = 100, 3, 1
MAINLAND_LAT_MIN = 35.3
AROUND = 0.002
"""Degrees that a door is from its stop at most."""
BY_BIKE = frozenset({Mode.WALK, Mode.BIKE})
LIMITS = Limits(access_by=BY_BIKE, egress_by=BY_BIKE)
DAY = datetime(2026, 5, 20, tzinfo=UTC)


def open_city(data: Path, folder: Path) -> Network:
    """The feeds, compiled and opened as a planner does."""
    found = [read_feed(path).feed for path in sorted((data / "tokyo").glob("*.zip"))]
    build_network([feed for feed in found if feed is not None], folder, version=WORKLOAD, now=DAY)
    build_bounds(open_timetable(folder)).save(folder, version=WORKLOAD)
    return open_network(PublishedNetwork(version=WORKLOAD, path=str(folder), published_at=DAY))


def read_stations(data: Path) -> BikeStations:
    """A bike and a free place at every station."""
    rows: list[StationNow] = []
    for path in sorted((data / "gbfs").glob("*_station.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            rows += (_station(path.stem, row) for row in csv.DictReader(file))
    return BikeStations(tuple(rows), DAY)


def _station(system_id: str, row: dict[str, str]) -> StationNow:
    return StationNow(
        system_id=system_id,
        system_names={"ja": system_id},
        operator_id=system_id,
        station_id=row["station_id"],
        names={"ja": row["name"]},
        lat=float(row["lat"]),
        lon=float(row["lon"]),
        bikes=1,
        docks=1,
    )


def draw_requests(network: Network) -> list[PlanRequest]:
    """The protocol's pairs of points."""
    dice = random.Random(SEED)
    stops = network.router.timetable.stops
    mainland = np.flatnonzero(stops.lat > MAINLAND_LAT_MIN).tolist()
    morning = datetime(2026, 5, 20, 6, tzinfo=network.router.timetable.zone)
    requests = []
    for _ in range(QUERIES):
        ends = [f"{stops.lat[stop]:.6f},{stops.lon[stop]:.6f}" for stop in dice.sample(mainland, 2)]
        at = morning + timedelta(minutes=dice.randrange(15 * 60))
        requests.append(PlanRequest(origin=ends[0], destination=ends[1], at=at, language=""))
    return requests


def measure(network: Network, bikes: BikeStations) -> dict[str, list[float]]:
    """Milliseconds of each query, by what was timed."""
    taken: dict[str, list[float]] = {}
    for request in draw_requests(network):
        measure_one(network, bikes, request, taken)
    return taken


def measure_one(
    network: Network, bikes: BikeStations, request: PlanRequest, taken: dict[str, list[float]]
) -> None:
    """The protocol's searches for one pair of points."""
    origin, destination = (network.places.get_end(text) for text in (request.origin, request.destination))
    point = (origin.place.lat, origin.place.lon)

    def find(count_min: int, having: BikeStations) -> Answer:
        return search(network, request, origin, destination, count_min=count_min, limits=LIMITS, bikes=having)

    def list_ways() -> list[Access]:
        return list_rental_ways(bikes, network.router.timetable, point, request.at, is_egress=False)

    _time(taken, "ways by bike alone", list_ways)
    on_foot = _time(taken, "best, on foot", lambda: find(1, NO_BIKES))
    by_bike = _time(taken, "best, bikes at both ends", lambda: find(1, bikes))
    _time(taken, "five, bikes at both ends", lambda: find(5, bikes))
    walks = [each.arrives_at for each in on_foot.journeys]
    rides = [each.arrives_at for each in (*by_bike.journeys, *by_bike.list_direct())]
    assert not walks or min(rides) <= min(walks), "a bike makes nobody later"


def open_porto_alegre(data: Path, folder: Path) -> Network:
    """Porto Alegre with its streets, as a load makes it."""
    source = data / "porto_alegre"
    compile_streets(source / "poa_osm.pbf", folder / "streets")
    ways = StreetWays(open_streets(folder / "streets"))
    found = [read_feed(path).feed for path in sorted(source.glob("*.zip"))]
    feeds = [feed for feed in found if feed is not None]
    build_network(feeds, folder, version=STREETS_WORKLOAD, now=DAY, ways=ways)
    build_bounds(open_timetable(folder)).save(folder, version=STREETS_WORKLOAD)
    return open_network(PublishedNetwork(version=STREETS_WORKLOAD, path=str(folder), published_at=DAY))


def draw_doors(network: Network, ways: StreetWays) -> list[PlanRequest]:
    """The protocol's pairs of points in Porto Alegre."""
    dice = random.Random(SEED)
    lat, lon = network.router.timetable.stops.lat, network.router.timetable.stops.lon
    south, west, north, east = ways.graph.bounds
    on_map = np.flatnonzero((lat > south) & (lat < north) & (lon > west) & (lon < east)).tolist()
    morning = datetime(2019, 5, 15, 6, tzinfo=network.router.timetable.zone)
    requests = []
    for _ in range(QUERIES):
        ends = [
            f"{lat[stop] + dice.uniform(-AROUND, AROUND):.6f},{lon[stop] + dice.uniform(-AROUND, AROUND):.6f}"
            for stop in dice.sample(on_map, 2)
        ]
        at = morning + timedelta(minutes=dice.randrange(15 * 60))
        requests.append(PlanRequest(origin=ends[0], destination=ends[1], at=at, language=""))
    return requests


def measure_doors(network: Network) -> dict[str, list[float]]:
    """Milliseconds of each query in Porto Alegre, by what was timed."""
    assert isinstance(network.ways, StreetWays), "it was compiled with its streets"
    taken: dict[str, list[float]] = {}
    for request in draw_doors(network, network.ways):
        sides: tuple[tuple[str, Ways], ...] = (("on streets", network.ways), ("by beelines", BeelineWays()))
        for words, ways in sides:
            for title, count_min in (("best", 1), ("five", 5)):
                _time(taken, f"{title}, {words}", partial(_find, network, ways, request, count_min))
        answer = _find(network, network.ways, request, 1)
        for journey in (*answer.journeys, *answer.list_direct()):
            assert network.teller.get_journey(journey.journey_id) == journey, "ids hold journeys"
    return taken


def _find(network: Network, ways: Ways, request: PlanRequest, count_min: int) -> Answer:
    """A search that finds no way kept from an earlier one."""
    teller = replace(network.teller, outside=Outside.keeping(ways))
    fresh = replace(network, ways=ways, teller=teller)
    ends = [network.places.get_end(text) for text in (request.origin, request.destination)]
    return search(fresh, request, *ends, count_min=count_min)


def _time(taken: dict[str, list[float]], title: str, work: Callable[[], Any]) -> Any:
    least_s, result = float("inf"), None
    for _ in range(TIMES):
        started_s = time.thread_time()
        result = work()
        least_s = min(least_s, time.thread_time() - started_s)
    taken.setdefault(title, []).append(least_s * 1000)
    return result


def main() -> int:
    """Run and print."""
    data = find_real_data()
    if data is None:
        print("door_bench: skipped, there are no real feeds. Set MAAS_REAL_DATA to their folder.")
        return 0
    with tempfile.TemporaryDirectory(prefix="door-bench-") as folder:
        network, bikes = open_city(data, Path(folder) / "network"), read_stations(data)
        _print(WORKLOAD, measure(network, bikes), stations=len(bikes.rows))
        _print(STREETS_WORKLOAD, measure_doors(open_porto_alegre(data, Path(folder) / "porto_alegre")))
    return 0


def _print(workload: str, taken: dict[str, list[float]], **more: int) -> None:
    figures = {
        title: [round(float(np.median(each)), 2), round(float(np.percentile(each, 95)), 2)]
        for title, each in taken.items()
    }
    print(json.dumps({"workload": workload, **describe_machine(), **more, "ms": figures}))
    told = "".join(f", {count} {what}" for what, count in more.items())
    table = Table(title=f"{workload}: {QUERIES} pairs of points{told}, milliseconds of CPU")
    for title in ("", "median", "p95"):
        table.add_column(title, justify="right" if title else "left")
    for title, (median, p95) in figures.items():
        table.add_row(title, str(median), str(p95))
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
