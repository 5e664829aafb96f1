"""How long a search takes on a weekday of Greater Tokyo's rail, beside a plain connection scan.

Protocol, fixed before any number was read (workload routing-1):

1. The real data's `router/`: 49,093 trips, 637,952 stop times, 300 random stop-to-stop queries, of which the
   answers of three engines are known. Changes take no time, walks are those listed. One thread.
2. Compiled and warmed first; each query is then timed five times and its least time counts, so that what
   else the machine does matters little. Laying out a service day's lines, once a day searched, is not among
   them: it is given on a line of its own.
3. Timed: the connection scan (earliest arrival only, load_tests/connection_scan.py); the RAPTOR kernel
   (Pareto set of arrival and rides); `Router.find_journeys` (the set with latest departures, tidied, as
   journeys). Medians and 95th percentiles over the queries, and the ratio of medians to the scan.
   Also one to all: every stop within 180 minutes of the query's first stop (`find_reach`).
4. Every answer is checked while it is timed: the scan against the known arrival, the kernel against the set,
   one to all against the known arrival where that is within its limit.

Takes about half a minute. Results: a table, and one line of JSON with commit and machine.
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
from routing.build import build_network
from routing.footpaths import WalkOptions
from routing.kernels.arrays import NOT_REACHED, allocate_labels
from routing.kernels.raptor import search
from routing.raptor import Query, Router, get_instant, list_access, list_egress
from routing.reach import find_reach
from routing.timetable import Timetable, open_timetable

WORKLOAD = "routing-1"
ON = date(2026, 6, 3)
RIDES_MAX = 16
TIMES = 5
REACH_S = 180 * 60
WALKS = WalkOptions(change_same_stop_s=0, change_same_station_s=None, beeline_m_max=0)


def open_weekday(data: Path, folder: Path) -> Timetable:
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

    def __init__(self, timetable: Timetable) -> None:
        self.timetable = timetable
        self.router = Router(timetable)
        self.day = timetable.get_day(ON)
        self.connections, self.run_count = list_connections(timetable, day=self.day, day_count=2)
        self.reached_s = np.empty(timetable.stop_count, dtype=np.int32)
        self.boarded = np.empty(self.run_count, dtype=np.bool_)

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
        target = next(end.stop for end in query.egress if end.walk_s == 0 and end.via == end.stop)
        arrives_s = scan(
            self.connections,
            self.run_count,
            self.timetable.walks,
            self._access(query, asked["depart_s"]),
            target,
            self.reached_s,
            self.boarded,
        )
        assert arrives_s == min(each["arrive_s"] for each in asked["pareto"]), "the scan is right"

    def kernel(self, query: Query, asked: dict[str, Any]) -> None:
        """The Pareto set by the kernel alone."""
        labels = allocate_labels(ride_count_max=RIDES_MAX, stop_count=self.timetable.stop_count)
        search(
            self.timetable.lines,
            self.router.lay_out(ON),
            self.timetable.walks,
            self._access(query, asked["depart_s"]),
            self.router.goal(query.egress),
            int(NOT_REACHED) - 1,
            labels,
        )
        found = [(int(k), int(labels.goal_s[k])) for k in np.flatnonzero(labels.goal_s != NOT_REACHED)]
        assert found == sorted((each["trips"], each["arrive_s"]) for each in asked["pareto"]), (
            "RAPTOR is right"
        )

    def journeys(self, query: Query, asked: dict[str, Any]) -> None:
        """Whole journeys, as the planner asks for them."""
        found = self.router.find_journeys(query)
        assert len(found) == len(asked["pareto"]), "as many journeys as other engines find"

    def reach(self, query: Query, asked: dict[str, Any]) -> None:
        """Every stop within REACH_S, among them the query's goal."""
        reach = find_reach(
            self.router, at=query.at, ends=query.access, limit_s=REACH_S, ride_count_max=RIDES_MAX
        )
        known_s = min(each["arrive_s"] for each in asked["pareto"]) - asked["depart_s"]
        goal = next(end.stop for end in query.egress if end.walk_s == 0 and end.via == end.stop)
        i = int(np.searchsorted(reach.stops, goal))
        if known_s <= REACH_S:
            assert (int(reach.stops[i]), int(reach.seconds[i])) == (goal, known_s), "one to all is right"

    @staticmethod
    def _access(query: Query, departs_s: int) -> tuple[Any, Any]:
        stops = np.array([access.stop for access in query.access], dtype=np.int32)
        ready_s = np.array([departs_s + access.walk_s for access in query.access], dtype=np.int32)
        return stops, ready_s


def time_queries(
    answer: Callable[[Query, dict[str, Any]], None], queries: Sequence[tuple[Query, dict[str, Any]]]
) -> tuple[float, float]:
    """Median and 95th percentile, in milliseconds, of each query's least time."""
    least = []
    for query, asked in queries:
        times = []
        for _ in range(TIMES):
            started_s = time.perf_counter()
            answer(query, asked)
            times.append(time.perf_counter() - started_s)
        least.append(min(times) * 1000)
    return float(np.median(least)), float(np.percentile(least, 95))


def main() -> int:
    """Run and print."""
    data = find_real_data()
    if data is None:
        print("routing_bench: skipped, because there are no real feeds. Set MAAS_REAL_DATA to their folder.")
        return 0
    with tempfile.TemporaryDirectory(prefix="routing-bench-") as folder:
        subjects = Subjects(open_weekday(data, Path(folder) / "network"))
    queries = [(subjects.query(asked), asked) for asked in read_queries(data)]
    for answer in (subjects.scan, subjects.kernel, subjects.journeys, subjects.reach):
        answer(*queries[0])  # compile and lay out
    started_s = time.perf_counter()
    Router(subjects.timetable).lay_out(ON)
    laid_out_ms = (time.perf_counter() - started_s) * 1000
    print(f"Laying out the lines of a day, once a day searched: {laid_out_ms:.1f} ms")
    results = {
        "connection scan": time_queries(subjects.scan, queries),
        "RAPTOR kernel": time_queries(subjects.kernel, queries),
        "journeys": time_queries(subjects.journeys, queries),
        "one to all": time_queries(subjects.reach, queries),
    }
    show(results)
    return 0


def show(results: dict[str, tuple[float, float]]) -> None:
    """Print the table and the line of JSON."""
    yardstick = results["connection scan"][0]
    table = Table(title=f"{WORKLOAD}: 300 queries, one thread, milliseconds")
    for heading in ("", "median", "p95", "median / scan"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, (median, p95) in results.items():
        table.add_row(name, f"{median:.3f}", f"{p95:.3f}", f"{median / yardstick:.1f}")
    Console().print(table)
    rounded = {name: [round(value, 3) for value in values] for name, values in results.items()}
    print(json.dumps({"workload": WORKLOAD, "ms_median_p95": rounded} | describe_machine()))


if __name__ == "__main__":
    sys.exit(main())
