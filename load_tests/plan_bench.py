"""How many journeys a second planners answer over HTTP on two cores, and what an extra process costs.

Protocol, fixed before any number was read (workload plan-1):

1. A fresh house in a temporary folder, embedded PostgreSQL and Redis: gateway, feeds and partners in one
   process, two planner processes on one port (`MAAS_PROCESSES=2 maas up planner`), as a house of many
   processes is run. The load (`plan_load.py`) is a process of its own on the same two cores and asks the
   planners directly.
2. `rail`: the real data's `router/` weekday (49,093 trips), 3,000 queries from stop to stop, all stops alike,
   on its Wednesday from 6:00 to 23:00. `city`: all feeds of `tokyo/` (1.25 M stop times) with the
   demonstration's tariffs, from point to point: places of the network, walks of up to half an hour at both
   ends. Both with the defaults of the API: five itineraries with all stops, lines and prices.
3. Each workload: warmed by 400 queries (each process opens the network for itself and lays out the days);
   flat out with four asking at once; then for 20 s, open loop, `rail` at 150 a second, `city` at 40.
4. Memory: of each planner process what is its own alone (USS) and its share of what is shared (PSS), at the
   end, and how much of the network's files it has mapped.
5. Bounds of the project, for `rail`: 150 a second with a 95th percentile under 60 ms, nothing refused or
   lost; under 150 MB of its own per extra process.

Takes about two minutes. Results: a table, and one line of JSON with commit and machine.
"""

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console
from rich.table import Table

from load_tests.machine import ROOT, describe_machine, find_real_data
from load_tests.planner_house import PlannerHouse, running_planners
from routing.strings import list_strings
from routing.timetable import open_timetable
from services.platform.embedded.postgres import EmbeddedPostgres
from services.platform.embedded.redis import EmbeddedRedis

WORKLOAD = "plan-1"
PROCESSES = 2
START_S_MAX = 120.0
WARM_QUERIES, FLAT_QUERIES = 400, 3_000
SECONDS = 20
RATE_MIN = 150.0
P95_MS_MAX = 60.0
OWN_MB_MAX = 150.0


@dataclass(frozen=True, slots=True, kw_only=True)
class City:
    """What is loaded, and asked on which day."""

    title: str
    paths: tuple[Path, ...]
    tariffs: Path | None
    on: str
    by_point: bool
    rate: float


def list_cities(data: Path) -> list[City]:
    """The protocol's two workloads."""
    return [
        City(
            title="rail",
            paths=(data / "router" / "tokyo_rail_weekday.zip",),
            tariffs=None,
            on="2026-06-03",
            by_point=False,
            rate=RATE_MIN,
        ),
        City(
            title="city",
            paths=tuple(sorted((data / "tokyo").glob("*.zip"))),
            tariffs=ROOT / "services" / "demo" / "city" / "tariffs",
            on="2026-05-20",
            by_point=True,
            rate=40.0,
        ),
    ]


@contextlib.contextmanager
def running_house(folder: Path) -> Iterator[PlannerHouse]:
    """The planners and what they ask, over a database and a Redis of their own; all ended on return."""
    with (
        EmbeddedPostgres(folder / "postgres") as postgres,
        EmbeddedRedis(folder / "redis") as redis,
        running_planners(
            folder, database_url=postgres.url, redis_url=redis.url, process_count=PROCESSES
        ) as house,
    ):
        yield house


async def load_city(house: PlannerHouse, city: City) -> str:
    """Publish the network; returns its version. Returns when all planners have it in force."""
    deadline = time.monotonic() + START_S_MAX
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=START_S_MAX)) as session:
        while not await _is_up(session, f"{house.front}/health/ready"):
            assert time.monotonic() < deadline, house.read_output("front")
            await asyncio.sleep(0.1)
        token = await asyncio.to_thread((house.folder / "front" / "admin.token").read_text)
        headers = {"Authorization": f"Bearer {token.strip()}", "Idempotency-Key": city.title}
        body: dict[str, Any] = {"paths": [str(path) for path in city.paths]}
        if city.tariffs is not None:
            body["tariffs"] = str(city.tariffs)
        async with session.post(f"{house.front}/api/networks", json=body, headers=headers) as answer:
            report = await answer.json()
            assert answer.status in (200, 201), report
        version: str = report["version"]
    return version


async def _is_up(session: aiohttp.ClientSession, url: str) -> bool:
    with contextlib.suppress(aiohttp.ClientError, TimeoutError):
        async with session.get(url) as answer:
            return answer.status == 200  # noqa: PLR2004 - ready
    return False


def write_places(house: PlannerHouse, city: City, version: str) -> Path:
    """All stops, or where they are, a line each."""
    timetable = open_timetable(house.folder / "front" / "networks" / version)
    if city.by_point:
        stops = timetable.stops
        places = [
            f"{lat:.6f},{lon:.6f}" for lat, lon in zip(stops.lat.tolist(), stops.lon.tolist(), strict=True)
        ]
    else:
        places = list_strings(timetable.stop_ids)
    path = house.folder / f"{city.title}.places"
    path.write_text("\n".join(places), encoding="utf-8")
    return path


def run_load(house: PlannerHouse, city: City, places: Path, count: int, *more: str) -> dict[str, Any]:
    """One run of the load, with what an answer cost the planners."""
    command = [sys.executable, "-m", "load_tests.plan_load", "--url", house.planner, "--on", city.on]
    command += ["--places", str(places), "--count", str(count), *more]
    before_s = _cpu_s(house)
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)  # noqa: S603 - our own module
    outcome: dict[str, Any] = json.loads(done.stdout)
    outcome["planner_ms"] = round((_cpu_s(house) - before_s) / max(1, outcome["answered"]) * 1000, 1)
    return outcome


def _cpu_s(house: PlannerHouse) -> float:
    times = [replica.cpu_times() for replica in house.list_replicas()]
    return sum(each.user + each.system for each in times)


def read_memory(house: PlannerHouse) -> list[dict[str, float]]:
    """Megabytes of each planner process."""
    found = [replica.memory_full_info() for replica in house.list_replicas()]
    return [{"own_mb": round(each.uss / 1e6, 1), "share_mb": round(each.pss / 1e6, 1)} for each in found]


def measure(args: argparse.Namespace, data: Path) -> dict[str, Any]:
    """All of the protocol."""
    results: dict[str, Any] = {}
    for city in (each for each in list_cities(data) if args.only in {"", each.title}):
        with tempfile.TemporaryDirectory(prefix="plan-bench-") as name:
            Path(name).chmod(0o711)
            with running_house(Path(name)) as house:
                version = asyncio.run(load_city(house, city))
                places = write_places(house, city, version)
                # The planners look for a new network every three seconds, and open it for some.
                time.sleep(15)
                warm = run_load(house, city, places, WARM_QUERIES, "--seed", "7")
                results[city.title] = {
                    "warm": warm,
                    "flat_out": run_load(house, city, places, args.queries),
                    "steady": run_load(
                        house,
                        city,
                        places,
                        round(city.rate * SECONDS),
                        "--rate",
                        str(city.rate),
                        "--seed",
                        "2",
                    ),
                    "memory": read_memory(house),
                }
    return results


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--queries", type=int, default=FLAT_QUERIES, help="of the run flat out")
    parser.add_argument("--only", default="", help="one workload, `rail` or `city`")
    args = parser.parse_args()
    data = find_real_data()
    if data is None:
        print("plan_bench: skipped, there are no real feeds. Set MAAS_REAL_DATA to their folder.")
        return 0
    results = measure(args, data)
    print(json.dumps({"workload": WORKLOAD, **describe_machine(), **results}))
    table = Table(title=f"{WORKLOAD}: GET /api/v6/plan, {PROCESSES} planner processes")
    for title in ("", "per s", "median ms", "p95 ms", "p99 ms", "CPU ms", "kB", "empty", "refused, lost"):
        table.add_column(title, justify="right" if title else "left")
    for city, runs in results.items():
        for title in ("flat_out", "steady"):
            run = runs[title]
            table.add_row(
                f"{city}, {title.replace('_', ' ')}",
                str(run["per_s"]),
                *(str(run[name]) for name in ("median_ms", "p95_ms", "p99_ms", "planner_ms", "kb", "empty")),
                f"{run['refused']}, {run['lost']}",
            )
    console = Console()
    console.print(table)
    for city, runs in results.items():
        console.print(
            f"{city}: own memory of a planner process {[each['own_mb'] for each in runs['memory']]} MB"
        )
    return _judge(results["rail"]) if "rail" in results else 0


def _judge(rail: dict[str, Any]) -> int:
    steady = rail["steady"]
    is_met = (
        steady["per_s"] >= RATE_MIN * 0.99
        and steady["p95_ms"] < P95_MS_MAX
        and not steady["refused"] + steady["lost"]
        and all(each["own_mb"] < OWN_MB_MAX for each in rail["memory"])
    )
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
