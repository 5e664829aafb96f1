"""From zips to a compiled timetable: how long, how much memory; and how long opening it takes.

Protocol, fixed before any number was read (workload load-network-1):

1. All zips of the real data's `tokyo/` (1.25 M stop times, rail, ships and buses), read, judged, compiled and
   saved by a fresh process, as `maas load` does it; its peak memory is that of the whole process, interpreter
   included. Three times; the least time counts.
2. Opened by a fresh process with its page cache warm: `open_timetable` alone; and with that the first search
   of a planner, kernels loaded from their cache. Three times; the least time counts.
3. Bounds, from the project's issue: 20 s, 1.5 GB, 1 s to open.

Takes about half a minute. Results: a table, and one line of JSON with commit and machine.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from load_tests.machine import ROOT, describe_machine, find_real_data

WORKLOAD = "load-network-1"
TIMES = 3
BOUNDS = {"load_s": 20.0, "peak_mb": 1500.0, "open_s": 1.0}


def load(target: Path, data: Path) -> dict[str, float]:
    """Read and compile; run in a process of its own."""
    started_s = time.perf_counter()
    from gtfs.reader import read_feed  # noqa: PLC0415 - importing is part of what is timed
    from routing.build import build_network  # noqa: PLC0415

    feeds = [
        reading.feed
        for path in sorted((data / "tokyo").glob("*.zip"))
        if (reading := read_feed(path)).feed is not None
    ]
    read_s = time.perf_counter() - started_s
    report = build_network(feeds, target, version=WORKLOAD, now=datetime(2026, 5, 20, tzinfo=UTC))
    return {
        "load_s": time.perf_counter() - started_s,
        "read_s": read_s,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "stop_times": report.call_count,
    }


def open_it(folder: Path) -> dict[str, float]:
    """Open and search once; run in a process of its own."""
    from routing.raptor import Query, Router, get_instant, list_access  # noqa: PLC0415 - not timed
    from routing.timetable import open_timetable  # noqa: PLC0415

    started_s = time.perf_counter()
    timetable = open_timetable(folder)
    opened_s = time.perf_counter() - started_s
    at = get_instant(timetable, datetime(2026, 5, 20, tzinfo=UTC).date(), 8 * 3600)
    ends = list_access(timetable, [0])
    Router(timetable).find_journeys(Query(at=at, access=ends, egress=list_access(timetable, [1])))
    return {"open_s": opened_s, "first_search_s": time.perf_counter() - started_s}


def main() -> int:
    """Run and print."""
    data = find_real_data()
    if data is None:
        print("load_network_bench: skipped, there are no real feeds. Set MAAS_REAL_DATA to their folder.")
        return 0
    results: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="load-bench-") as folder:
        for attempt in range(TIMES):
            network = Path(folder) / str(attempt)
            _keep_least(results, _apart("load", network, data))
            _keep_least(results, _apart("open_it", network))
    show(results)
    return 0 if all(results[name] <= bound for name, bound in BOUNDS.items()) else 1


def _apart(function: str, *paths: Path) -> dict[str, float]:
    """The function's result, from a fresh process."""
    arguments = ", ".join(f"Path({str(path)!r})" for path in paths)
    code = (
        "import json; from pathlib import Path; from load_tests import load_network_bench as bench; "
        f"print(json.dumps(bench.{function}({arguments})))"
    )
    command = [sys.executable, "-c", code]
    output = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout  # noqa: S603 - ourselves
    told: dict[str, float] = json.loads(output.splitlines()[-1])
    return told


def _keep_least(results: dict[str, float], measured: dict[str, float]) -> None:
    for name, value in measured.items():
        results[name] = min(value, results.get(name, value))


def show(results: dict[str, float]) -> None:
    """Print the table and the line of JSON."""
    table = Table(title=f"{WORKLOAD}: {results['stop_times']:,.0f} stop times")
    for heading in ("", "measured", "bound"):
        table.add_column(heading, justify="right" if heading else "left")
    names = {
        "read_s": "reading and judging, s",
        "load_s": "from zips to compiled, s",
        "peak_mb": "peak memory, MB",
        "open_s": "opening, s",
        "first_search_s": "opening and a first search, s",
    }
    for name, label in names.items():
        bound = f"{BOUNDS[name]:g}" if name in BOUNDS else ""
        table.add_row(label, f"{results[name]:.3f}", bound)
    Console().print(table)
    rounded = {name: round(value, 3) for name, value in results.items()}
    print(json.dumps({"workload": WORKLOAD} | rounded | describe_machine()))


if __name__ == "__main__":
    sys.exit(main())
