"""How long a live message takes from its arrival until searches know it, and what searches cost then.

Protocol, fixed before any number was read (workload live-1):

1. The real data's `router/` weekday of Greater Tokyo's rail (49,093 trips), compiled, with its bounds, as for
   routing_bench. One thread.
2. A GTFS-Realtime message that changes at least `--calls` (10,000) stop times: trips of the day drawn by the
   seed, each late by 0, 1, 2 or 5 minutes from a stop of its own on, told stop by stop by delays, as bytes.
3. Timed seven times, and the median told: reading the bytes; matching them with the timetable; laying them
   over it; the router with the windows of the day laid out. `in_force` is all of that, from bytes to a router
   that answers. The goal of the project is 200 ms.
4. The 300 known queries of routing_bench, each in full (`Router.find_journeys`), the least of three times:
   as planned, and with the message in force. Medians and 95th percentiles.

Takes half a minute. Results: one line of JSON with commit and machine, and a table.
"""

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from google.transit import gtfs_realtime_pb2 as pb
from rich.console import Console
from rich.table import Table

from gtfs.realtime import decode_message
from load_tests.machine import describe_machine, find_real_data
from load_tests.routing_bench import ON, Subjects, compile_weekday, read_queries
from routing.bounds import build_bounds
from routing.live.changes import planned_calls
from routing.live.overlay import lay_over
from routing.raptor import Query, Router, get_instant
from routing.strings import get_string
from routing.timetable import Timetable
from services.planner.live.matching import Matched, match

WORKLOAD = "live-1"
FEED = "rail"
TIMES = 7
SEARCH_TIMES = 3

T = TypeVar("T")


def make_message(timetable: Timetable, *, call_count: int, seed: int) -> tuple[bytes, int, int]:
    """The message; how many trips and how many calls it changes."""
    rng, day = random.Random(seed), timetable.get_day(ON)
    made = pb.FeedMessage()
    made.header.gtfs_realtime_version = "2.0"
    made.header.timestamp = int(get_instant(timetable, ON, 9 * 3600).timestamp())
    chosen, told = set[int](), 0
    while told < call_count:
        trip = rng.randrange(len(timetable.trips.routes))
        calls = None if trip in chosen else planned_calls(timetable, trip, day)
        if calls is None:
            continue
        chosen.add(trip)
        update = made.entity.add(id=str(trip)).trip_update
        update.trip.trip_id = get_string(timetable.trip_ids, trip).removeprefix(f"{FEED}:")
        update.trip.start_date = f"{ON:%Y%m%d}"
        for stop in calls.stops[rng.randrange(len(calls.stops) - 1) :].tolist():
            delay_s = rng.choice([0, 60, 120, 300])
            stop_id = get_string(timetable.stop_ids, stop).removeprefix(f"{FEED}:")
            call = update.stop_time_update.add(stop_id=stop_id)
            call.arrival.delay = call.departure.delay = delay_s
            told += 1
    return made.SerializeToString(), len(chosen), told


class Clock:
    """Times of named steps."""

    def __init__(self) -> None:
        self.ms: dict[str, list[float]] = {}

    def time(self, name: str, work: Callable[[], T]) -> T:
        """Do it, and keep how long it took."""
        started = time.perf_counter()
        done = work()
        self.ms.setdefault(name, []).append((time.perf_counter() - started) * 1000)
        return done


def take_up(planned: Router, content: bytes, now: datetime, clock: Clock) -> tuple[Router, Matched]:
    """From bytes to a router, step by step."""
    message = clock.time("reading", lambda: decode_message(content).message)
    assert message is not None, "the message is ours"
    matched = Matched()
    clock.time("matching", lambda: match(planned.timetable, FEED, message, now=now, into=matched))
    overlay = clock.time("laying over", lambda: lay_over(planned.timetable, matched.changes))
    return clock.time("router", lambda: planned.lay_over(overlay, ())), matched


def time_searches(router: Router, queries: Sequence[Query]) -> dict[str, float]:
    """Median and 95th percentile, milliseconds."""
    least = []
    for query in queries:
        times = []
        for _ in range(SEARCH_TIMES):
            started = time.perf_counter()
            router.find_journeys(query)
            times.append((time.perf_counter() - started) * 1000)
        least.append(min(times))
    return {
        "median_ms": round(float(np.median(least)), 2),
        "p95_ms": round(float(np.percentile(least, 95)), 2),
    }


def run(data: Path, *, call_count: int, seed: int) -> dict[str, Any]:
    """The protocol."""
    with tempfile.TemporaryDirectory(prefix="tsunagu-bench-") as name:
        timetable = compile_weekday(data, Path(name) / "network")
        planned = Router(timetable, bounds=build_bounds(timetable))
        planned.warm_up()
        subjects = Subjects(planned)
        queries = [subjects.query(asked) for asked in read_queries(data)]
        as_planned = time_searches(planned, queries)
        content, trip_count, told = make_message(timetable, call_count=call_count, seed=seed)
        now, clock = datetime(2026, 6, 3, tzinfo=UTC), Clock()
        live, matched = [take_up(planned, content, now, clock) for _ in range(TIMES)][-1]
        assert matched.matched_count == trip_count, "every update is matched"
        steps = {name: round(statistics.median(each), 1) for name, each in clock.ms.items()}
        in_force = statistics.median(map(sum, zip(*clock.ms.values(), strict=True)))
        return {
            "trips": trip_count,
            "calls": told,
            "bytes": len(content),
            "changed_trips": len(matched.changes),
            "steps_ms": steps,
            "in_force_ms": round(in_force, 1),
            "gain_s": live.gain_s,
            "as_planned": as_planned,
            "live": time_searches(live, queries),
        }


def main() -> None:
    """Run the protocol; without the real data there is nothing to run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    data = find_real_data()
    if data is None:
        sys.exit("live_bench needs the real data: set MAAS_REAL_DATA.")
    results = run(data, call_count=asked.calls, seed=asked.seed)
    print(json.dumps({"workload": WORKLOAD, **describe_machine(), "seed": asked.seed, **results}))
    table = Table(
        title=f"{WORKLOAD}, {results['calls']:,} calls of {results['trips']:,} trips", title_justify="left"
    )
    table.add_column("step")
    table.add_column("ms", justify="right")
    for name, value in [*results["steps_ms"].items(), ("in force", results["in_force_ms"])]:
        table.add_row(name, f"{value:.1f}")
    for name in ("as_planned", "live"):
        table.add_row(f"search {name}", "{median_ms} / {p95_ms}".format(**results[name]))
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
