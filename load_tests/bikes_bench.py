"""What shared bikes cost a planner: an update, memory, and a search, with vehicles that stand anywhere.

Protocol, fixed before any number was read (workload bikes-1):

1. The network and the 7,633 stations of door-1 (door_bench.py), told as systems with one kind of bike;
   besides 20,000 vehicles of a third system by the seed, each within a kilometre of a random station, which
   may be left anywhere; that system has the 272 geofences of GBFS's own example, moved to Shinjuku.
2. An update: all that the port answers, as JSON and back, as between processes; then laid out
   (`BikeStations.renewed`, `prepare`). Five times, each with other vehicles: the first, which cuts the
   geofences, and the median of the others, in CPU seconds of the process.
3. Memory: the growth of the process's resident set from before the first update to after the fifth, when
   one snapshot is kept.
4. The 100 pairs of points of door-1: the best at that hour with bikes at both ends, told one minute before
   each search, so that vehicles count; CPU milliseconds of the thread, each query's least of three.
5. Checked while timed: with vehicles nobody arrives later.

Takes a minute or two. Results: a table, and one line of JSON with commit and machine.
"""

import gc
import json
import random
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from pydantic import TypeAdapter
from rich.console import Console
from rich.table import Table

from gtfs.notices import Notices
from load_tests.door_bench import BY_BIKE, DAY, draw_requests, open_city, read_stations
from load_tests.machine import describe_machine, find_real_data
from maas.journeys import PlanRequest
from maas.ports import BikeSystemNow, StationNow, VehicleNow
from maas.sharing.gbfs import open_document
from maas.sharing.geofences import Geofences, Zone, read_geofences
from maas.sharing.records import VehicleType
from services.planner.bikes.stations import NO_BIKES, BikeStations
from services.planner.limits import Limits
from services.planner.network import Network
from services.planner.search import search

WORKLOAD = "bikes-1"
VEHICLES, UPDATES, TIMES, SEED = 20_000, 5, 3, 1
PARIS, SHINJUKU = (48.8566, 2.3522), (35.6909, 139.7003)
KIND = "ebicycle_paris"
LIMITS = Limits(access_by=BY_BIKE, egress_by=BY_BIKE)


def read_moved_geofences(data: Path) -> Geofences:
    """The example's zones, around another city."""
    document = json.loads((data / "gbfs/v3.0/geofencing_zones.json").read_text(encoding="utf-8"))
    envelope = open_document(document, file="geofencing_zones", notices=Notices())
    assert envelope is not None, "the example is a GBFS document"
    told = read_geofences(envelope)
    north, east = SHINJUKU[0] - PARIS[0], SHINJUKU[1] - PARIS[1]

    def moved(zone: Zone) -> Zone:
        return replace(
            zone,
            polygons=tuple(
                tuple(tuple((lon + east, lat + north) for lon, lat in ring) for ring in polygon)
                for polygon in zone.polygons
            ),
        )

    # Nothing would be allowed outside: here the rest of the city is open.
    return Geofences(zones=tuple(moved(zone) for zone in told.zones))


def draw_vehicles(rows: tuple[StationNow, ...], seed: int) -> list[VehicleNow]:
    """The protocol's vehicles."""
    dice = random.Random(seed)
    found = []
    for number in range(VEHICLES):
        row = dice.choice(rows)
        found.append(
            VehicleNow(
                system_id="free",
                vehicle_id=f"{seed}-{number:05}-0123456789abcdef",
                vehicle_type_id=KIND,
                lat=row.lat + dice.uniform(-0.009, 0.009),
                lon=row.lon + dice.uniform(-0.009, 0.009),
                range_m=dice.randrange(1_000, 40_000),
                rental_uris={"web": f"https://bikes.example/{number}"},
            )
        )
    return found


def list_systems(rows: tuple[StationNow, ...]) -> list[BikeSystemNow]:
    """Each system with its kind."""
    kind = VehicleType(
        vehicle_type_id=KIND,
        form_factor="bicycle",
        propulsion_type="electric_assist",
        return_constraint="free_floating",
    )
    docked = replace(kind, return_constraint="any_station")
    systems = [
        BikeSystemNow(system_id=name, names={"ja": name}, operator_id=name, vehicle_types=(docked,))
        for name in sorted({row.system_id for row in rows})
    ]
    free = BikeSystemNow(
        system_id="free", names={"ja": "free"}, operator_id="free", vehicle_types=(kind,), geofences="1"
    )
    return [*systems, free]


def update(before: BikeStations, told: tuple[Any, ...], geofences: Geofences, at: datetime) -> BikeStations:
    """As a planner in a process of its own takes it up."""
    rows, vehicles, systems = told
    heard = [_over_http(kind, each) for kind, each in ((StationNow, rows), (VehicleNow, vehicles))]
    fresh = before.renewed(heard[0], at, heard[1], systems)
    fresh.prepare(before, {} if before.is_fenced else {"free": geofences})
    return fresh


def _over_http(kind: type, rows: Any) -> Any:
    adapter = TypeAdapter(list[kind])  # type: ignore[valid-type]
    return adapter.validate_json(adapter.dump_json(list(rows)))


def measure_updates(data: Path) -> tuple[BikeStations, dict[str, float]]:
    """The last snapshot; seconds and megabytes."""
    rows, geofences = read_stations(data).rows, read_moved_geofences(data)
    rows = tuple(replace(row, bikes_by_type={KIND: 1}, docks_by_type={KIND: 1}) for row in rows)
    systems, bikes = list_systems(rows), NO_BIKES
    told = [(rows, draw_vehicles(rows, seed), systems) for seed in range(UPDATES)]
    gc.collect()
    before_bytes, seconds = psutil.Process().memory_info().rss, []
    for i in range(UPDATES):
        started_s = time.process_time()
        bikes = update(bikes, told[i], geofences, DAY)
        seconds.append(time.process_time() - started_s)
    gc.collect()
    grown = (psutil.Process().memory_info().rss - before_bytes) / 1e6
    return bikes, {
        "first update s": round(seconds[0], 2),
        "update s": round(float(np.median(seconds[1:])), 2),
        "memory MB": round(grown),
    }


def measure_searches(network: Network, bikes: BikeStations) -> dict[str, list[float]]:
    """Milliseconds of each query: at stations only, and with vehicles by themselves."""
    taken: dict[str, list[float]] = {"bikes at stations": [], "and vehicles by themselves": []}
    docked = BikeStations(bikes.rows, bikes.told_at, (), bikes.systems)
    for request in draw_requests(network):
        arrivals = [
            measure_one(network, having, request, taken[title])
            for title, having in zip(taken, (docked, bikes), strict=True)
        ]
        assert arrivals[1] <= arrivals[0], "a vehicle makes nobody later"
    return taken


def measure_one(network: Network, bikes: BikeStations, request: PlanRequest, taken: list[float]) -> datetime:
    """The earliest arrival; the latest instant there is where nothing is found."""
    ends = [network.places.get_end(text) for text in (request.origin, request.destination)]
    told = bikes.renewed(bikes.rows, request.at - timedelta(minutes=1), bikes.vehicles, bikes.systems)
    told.prepare(bikes, {})
    found, least_s = [datetime.max.replace(tzinfo=UTC)], float("inf")
    for _ in range(TIMES):
        started_s = time.thread_time()
        answer = search(network, request, *ends, limits=LIMITS, bikes=told)
        least_s = min(least_s, time.thread_time() - started_s)
        found += [each.arrives_at for each in (*answer.journeys, *answer.list_direct())]
    taken.append(least_s * 1000)
    return min(found)


def main() -> int:
    """Run and print."""
    data = find_real_data()
    if data is None:
        print("bikes_bench: skipped, there are no real feeds. Set MAAS_REAL_DATA to their folder.")
        return 0
    bikes, figures = measure_updates(data)
    with tempfile.TemporaryDirectory(prefix="bikes-bench-") as folder:
        taken = measure_searches(open_city(data, Path(folder) / "network"), bikes)
    ms = {
        title: [round(float(np.median(each)), 2), round(float(np.percentile(each, 95)), 2)]
        for title, each in taken.items()
    }
    counts = {"stations": len(bikes.rows), "vehicles": len(bikes.vehicles)}
    print(json.dumps({"workload": WORKLOAD, **describe_machine(), **counts, **figures, "ms": ms}))
    table = Table(title=f"{WORKLOAD}: {counts['stations']} stations, {counts['vehicles']} vehicles")
    for title in ("", "median", "p95"):
        table.add_column(title, justify="right" if title else "left")
    for title, figure in figures.items():
        table.add_row(title, str(figure), "")
    for title, (median, p95) in ms.items():
        table.add_row(f"search ms, {title}", str(median), str(p95))
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
