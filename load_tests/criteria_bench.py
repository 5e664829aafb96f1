"""How long a search by arrival, rides and seconds on foot takes, beside the plain Pareto search.

Protocol, fixed before any number was read (workload criteria-1):

1. The weekday and the 300 queries of `routing_bench.py`, compiled in the same way, with bounds; the most
   rides are those of the planner, 12. One thread, CPU time, each query's least time of two.
2. Timed: `Router.find_journeys`, the plain Pareto set as journeys, which is the yardstick; a plain connection
   scan (load_tests/connection_scan.py); the kernel's search by three criteria alone, within the limits that
   the plain set gives; `find_frugal` whole: plain set, three criteria, each journey's latest departure.
   Medians, means, 95th percentiles, ratios of medians to the yardstick, and of means to the scan's median.
3. Every answer is checked while it is timed: the earliest arrival is the known one, and every plain journey's
   arrival and rides are among the answer's.
4. Told besides: how many journeys, and in how many queries one is less on foot than all plain journeys.
5. The goal for the kernel is a mean of 21 scans: bounded McRAPTOR in C++, another third criterion, has 3.6 ms
   where a scan has .168.

Takes about half a minute. Results: a table, and one line of JSON with commit and machine.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from load_tests.machine import describe_machine, find_real_data
from load_tests.routing_bench import Subjects, compile_weekday, prepare, read_queries
from routing.bounds import find_saved_bounds
from routing.frugal import SLACK, find_frugal, get_walked_s, limit, run
from routing.journey import FoundJourney
from routing.raptor import Query, Router
from routing.windows import Window

WORKLOAD = "criteria-1"
RIDES_MAX = 12
TIMES = 2
Search = Callable[[Query], list[FoundJourney]]


def time_search(search: Search, queries: list[Query]) -> list[float]:
    """Each query's least time, in milliseconds of CPU."""
    search(queries[0])  # compile and lay out
    least = []
    for query in queries:
        taken = []
        for _ in range(TIMES):
            started_s = time.thread_time()
            search(query)
            taken.append(time.thread_time() - started_s)
        least.append(min(taken) * 1000)
    return least


def main() -> int:
    """Run and print."""
    data = find_real_data()
    if data is None:
        print("criteria_bench: skipped, because there are no real feeds. Set MAAS_REAL_DATA to their folder.")
        return 0
    with tempfile.TemporaryDirectory(prefix="criteria-bench-") as folder:
        network = Path(folder) / "network"
        timetable = compile_weekday(data, network)
        prepare(timetable, network)
        router = Router(timetable, bounds=find_saved_bounds(network, timetable))
    asked = read_queries(data)
    subjects = Subjects(router)
    queries = [
        Query(at=query.at, access=query.access, egress=query.egress, ride_count_max=RIDES_MAX)
        for query in map(subjects.query, asked)
    ]
    plain = {id(query): router.find_journeys(query) for query in queries}
    fewer_steps = journeys = 0
    for query, known in zip(queries, asked, strict=True):
        found, known_s = find_frugal(router, query), min(each["arrive_s"] for each in known["pareto"])
        assert found[0].arrives_s == known_s, "the earliest arrival is the known one"
        told = {(path.arrives_s, len(path.rides)) for path in found}
        assert told >= {(path.arrives_s, len(path.rides)) for path in plain[id(query)]}, "with all plain ones"
        walked = [min(get_walked_s(timetable, path) for path in paths) for paths in (found, plain[id(query)])]
        fewer_steps += walked[0] < walked[1]
        journeys += len(found)

    def three_criteria(query: Query) -> list[FoundJourney]:
        day, time_s = router.get_day_second(query.at)
        window = Window(day, timetable.overhang_days, 1, is_mirrored=False)
        limits = limit(plain[id(query)], SLACK, ride_count_max=RIDES_MAX, is_mirrored=False)
        return run(router, query, window, time_s, limits)

    pairs = {id(query): known for query, known in zip(queries, asked, strict=True)}

    def scan(query: Query) -> list[FoundJourney]:
        subjects.scan(query, pairs[id(query)])
        return []

    results = {
        "connection scan": time_search(scan, queries),
        "plain journeys": time_search(router.find_journeys, queries),
        "three criteria, kernel": time_search(three_criteria, queries),
        "fewest steps, journeys": time_search(lambda query: find_frugal(router, query), queries),
    }
    plain_count = sum(map(len, plain.values()))
    counts = {"journeys": journeys, "plain_journeys": plain_count, "queries_with_fewer_steps": fewer_steps}
    show(results, counts)
    return 0


def show(results: dict[str, list[float]], counts: dict[str, int]) -> None:
    """Print the table and the line of JSON."""
    yardstick, scan = (float(np.median(results[name])) for name in ("plain journeys", "connection scan"))
    table = Table(title=f"{WORKLOAD}: 300 queries, one thread, milliseconds of CPU")
    for heading in ("", "median", "mean", "p95", "median / plain", "mean / scan"):
        table.add_column(heading, justify="right" if heading else "left")
    rounded = {}
    for name, times in results.items():
        figures = [float(np.median(times)), float(np.mean(times)), float(np.percentile(times, 95))]
        rounded[name] = [round(each, 3) for each in figures]
        table.add_row(
            name,
            *(f"{each:.2f}" for each in figures),
            f"{figures[0] / yardstick:.1f}",
            f"{figures[1] / scan:.1f}",
        )
    Console().print(table)
    print(json.dumps({"workload": WORKLOAD, "ms_median_mean_p95": rounded} | counts | describe_machine()))


if __name__ == "__main__":
    sys.exit(main())
