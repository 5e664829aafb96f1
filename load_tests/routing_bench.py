"""How long a search takes on a weekday of Greater Tokyo's rail, beside a plain connection scan.

Protocol, fixed before any number was read (workload routing-2):

1. The real data's `router/`: 49,093 trips, 637,952 stop times, 300 random stop-to-stop queries, of which
   the answers of three engines are known. Changes take no time, walks are those listed. One thread.
2. Compiled and warmed first; each query is then timed five times (ranges twice) in CPU time of the thread,
   and its least time counts, so that what else the machine does matters little. Laying out a service day's
   lines, once a day searched, is not among them: it is given on a line of its own. So are the bounds: how
   long they take to work out, and how large they are.
3. Timed, with bounds: the connection scan (earliest arrival only, load_tests/connection_scan.py); the kernel
   called for one departure (Pareto set of arrival and rides) and for all departures of two hours (Pareto set
   of departure, arrival and rides), found and written ride by ride; one to all, every stop within 180 minutes
   of the query's first stop (`find_reach`); `Router.find_journeys` (the set with latest departures, tidied,
   as journeys) and `Router.find_range`. The kernel once more without bounds. Medians and 95th percentiles
   over the queries, and the ratio of medians to the scan.
4. Every answer is checked while it is timed: the scan against the known arrival, the kernel against the set,
   the range against the set's best departure and arrival, one to all against the known arrival where that is
   within its limit.
5. Goals, as ratios to the scan, are what the best engines known reach on one machine: KIT's Trip-Based 2.9
   for the Pareto set, 18 for two hours, nigiri 12.5 for one to all.

Takes about a minute. Results: a table, and one line of JSON with commit and machine.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from gtfs.reader import read_feed
from load_tests.connection_scan import list_connections, scan
from load_tests.machine import describe_machine, find_real_data
from routing.assembly import BuildOptions
from routing.bounds import FOLDER, build_bounds, find_saved_bounds
from routing.build import build_network
from routing.footpaths import WalkOptions
from routing.kernels.arrays import ARRIVES, NOT_REACHED, RIDE_BEGIN, RIDE_END, Int32
from routing.kernels.raptor import search
from routing.raptor import Query, Router, ends_of, get_instant, list_access, list_egress
from routing.reach import find_reach
from routing.timetable import Timetable, open_timetable
from routing.windows import Window
from routing.workspaces import make_room

WORKLOAD = "routing-2"
ON = date(2026, 6, 3)
RIDES_MAX = 16
TIMES = 5
RANGE_TIMES = 2
REACH_S = 180 * 60
RANGE_S = 120 * 60
WALKS = WalkOptions(change_same_stop_s=0, change_same_station_s=None, beeline_m_max=0)
GOALS = {"Pareto set": 2.9, "two hours": 18.0, "one to all": 12.5}


def compile_weekday(data: Path, folder: Path) -> Timetable:
    """The weekday, compiled into `folder` and opened from there as the planner would."""
    feed = read_feed(data / "router" / "tokyo_rail_weekday.zip", feed_id="rail").feed
    assert feed is not None, "the benchmark's feed is sound"
    options = BuildOptions(walks=WALKS)
    build_network([feed], folder, version=WORKLOAD, now=datetime(2026, 6, 1, tzinfo=UTC), options=options)
    return open_timetable(folder)


def read_queries(data: Path) -> list[dict[str, Any]]:
    """The queries with their known answers."""
    lines = (data / "router" / "tokyo_rail_answers.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


class Subjects:
    """What is timed. Each function answers one query and checks its answer."""

    def __init__(self, router: Router) -> None:
        self.timetable = router.timetable
        self.router = router
        self.day = self.timetable.get_day(ON)
        self.window = Window(self.day, self.timetable.overhang_days, 1, is_mirrored=False)
        self.connections, self.run_count = list_connections(self.timetable, day=self.day, day_count=2)
        self.reached_s = np.empty(self.timetable.stop_count, dtype=np.int32)
        self.boarded = np.empty(self.run_count, dtype=np.bool_)
        self.found = make_room(2)

    def query(self, asked: dict[str, Any]) -> Query:
        """A known query as ours."""
        source, target = (self.timetable.find_stop(f"rail:{asked[end]}") for end in ("from", "to"))
        assert source is not None, "the benchmark's stops exist"
        assert target is not None, "the benchmark's stops exist"
        return Query(
            at=get_instant(self.timetable, ON, asked["depart_s"]),
            access=list_access(self.timetable, [source]),
            egress=list_egress(self.timetable, [target]),
            ride_count_max=RIDES_MAX,
        )

    def scan(self, query: Query, asked: dict[str, Any]) -> None:
        """Earliest arrival by the yardstick."""
        stops, walk_s = ends_of(query, is_mirrored=False)[0]
        arrives_s = scan(
            self.connections,
            self.run_count,
            self.timetable.walks,
            (stops, walk_s + np.int32(asked["depart_s"])),
            query.egress[0].stop,
            self.reached_s,
            self.boarded,
        )
        assert arrives_s == min(each["arrive_s"] for each in asked["pareto"]), "the scan is right"

    def pareto(self, query: Query, asked: dict[str, Any]) -> None:
        """The Pareto set of one departure."""
        count = self._search(query, np.array([asked["depart_s"]], dtype=np.int32))
        rows = self.found.journeys[:count].tolist()
        found = [(row[RIDE_END] - row[RIDE_BEGIN], row[ARRIVES]) for row in rows]
        assert found == sorted((each["trips"], each["arrive_s"]) for each in asked["pareto"]), (
            "the Pareto set is right"
        )

    def range(self, query: Query, asked: dict[str, Any]) -> None:
        """The Pareto set of all departures of two hours."""
        departs_s = self.router.list_departures(query, self.window, asked["depart_s"], RANGE_S)
        count = self._search(query, departs_s)
        earliest_s = min(each["arrive_s"] for each in asked["pareto"])
        if any(arrives_s == earliest_s for _, arrives_s, _ in asked["range_2h"]):
            assert self.found.journeys[:count, ARRIVES].min() == earliest_s, (
                "the range holds the best arrival"
            )

    def _search(self, query: Query, departs_s: Int32) -> int:
        side, instances = self.router.sides[0], self.router.get_instances(self.window)
        access, egress = ends_of(query, is_mirrored=False)
        with self.router.workspaces.take(
            instance_count=len(instances.rows), ride_count_max=RIDES_MAX
        ) as workspace:
            return search(
                side.times,
                instances,
                side.walks,
                side.bounds,
                0,
                access,
                egress,
                departs_s,
                int(NOT_REACHED) - 1,
                RIDES_MAX,
                workspace,
                self.found,
            )

    def reach(self, query: Query, asked: dict[str, Any]) -> None:
        """Every stop within REACH_S, among them the query's goal."""
        reach = find_reach(
            self.router, at=query.at, ends=query.access, limit_s=REACH_S, ride_count_max=RIDES_MAX
        )
        known_s = min(each["arrive_s"] for each in asked["pareto"]) - asked["depart_s"]
        goal = query.egress[0].stop
        i = int(np.searchsorted(reach.stops, goal))
        if known_s <= REACH_S:
            assert (int(reach.stops[i]), int(reach.seconds[i])) == (goal, known_s), "one to all is right"

    def journeys(self, query: Query, asked: dict[str, Any]) -> None:
        """Whole journeys, as the planner asks for them."""
        found = self.router.find_journeys(query)
        assert len(found) == len(asked["pareto"]), "as many journeys as other engines find"

    def range_journeys(self, query: Query, asked: dict[str, Any]) -> None:
        """Whole journeys of two hours."""
        found = self.router.find_range(query, RANGE_S)
        assert found or not asked["range_2h"], "where others find journeys, so do we"


Answer = Callable[[Query, dict[str, Any]], None]


def time_queries(
    answer: Answer, queries: Sequence[tuple[Query, dict[str, Any]]], *, times: int = TIMES
) -> tuple[float, float]:
    """Median and 95th percentile, in milliseconds of CPU, of each query's least time."""
    answer(*queries[0])  # compile and lay out
    least = []
    for query, asked in queries:
        taken = []
        for _ in range(times):
            started_s = time.thread_time()
            answer(query, asked)
            taken.append(time.thread_time() - started_s)
        least.append(min(taken) * 1000)
    return float(np.median(least)), float(np.percentile(least, 95))


def main() -> int:
    """Run and print."""
    data = find_real_data()
    if data is None:
        print("routing_bench: skipped, because there are no real feeds. Set MAAS_REAL_DATA to their folder.")
        return 0
    with tempfile.TemporaryDirectory(prefix="routing-bench-") as folder:
        network = Path(folder) / "network"
        timetable = compile_weekday(data, network)
        preparing = prepare(timetable, network)
        bounds = find_saved_bounds(network, timetable)
        subjects, plain = Subjects(Router(timetable, bounds=bounds)), Subjects(Router(timetable))
    queries = [(subjects.query(asked), asked) for asked in read_queries(data)]
    started_s = time.thread_time()
    Router(timetable).lay_out(ON)
    laid_out_ms = (time.thread_time() - started_s) * 1000
    print(f"Laying out the lines of a day, once a day searched: {laid_out_ms:.1f} ms")
    results = {
        "connection scan": time_queries(subjects.scan, queries),
        "Pareto set": time_queries(subjects.pareto, queries),
        "Pareto set, no bounds": time_queries(plain.pareto, queries),
        "two hours": time_queries(subjects.range, queries, times=RANGE_TIMES),
        "one to all": time_queries(subjects.reach, queries),
        "journeys": time_queries(subjects.journeys, queries, times=RANGE_TIMES),
        "journeys of two hours": time_queries(subjects.range_journeys, queries, times=RANGE_TIMES),
    }
    show(results, preparing)
    return 0


def prepare(timetable: Timetable, network: Path) -> dict[str, float]:
    """Work out the bounds and save them: CPU seconds, with the kernel's compiler warm, and megabytes."""
    build_bounds(timetable, group_count_max=8)
    started_s = time.process_time()
    build_bounds(timetable).save(network, version=WORKLOAD)
    took_s = time.process_time() - started_s
    size = sum(path.stat().st_size for path in (network / FOLDER).iterdir())
    return {"bounds_s": round(took_s, 2), "bounds_mb": round(size / 1e6, 1)}


def show(results: dict[str, tuple[float, float]], preparing: dict[str, float]) -> None:
    """Print the table and the line of JSON."""
    print(f"Bounds: {preparing['bounds_s']} s, {preparing['bounds_mb']} MB")
    yardstick = results["connection scan"][0]
    table = Table(title=f"{WORKLOAD}: 300 queries, one thread, milliseconds of CPU")
    for heading in ("", "median", "p95", "median / scan", "goal"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, (median, p95) in results.items():
        goal = f"{GOALS[name]:g}" if name in GOALS else ""
        table.add_row(name, f"{median:.3f}", f"{p95:.3f}", f"{median / yardstick:.1f}", goal)
    Console().print(table)
    rounded = {name: [round(value, 3) for value in values] for name, values in results.items()}
    print(json.dumps({"workload": WORKLOAD, "ms_median_p95": rounded} | preparing | describe_machine()))


if __name__ == "__main__":
    sys.exit(main())
