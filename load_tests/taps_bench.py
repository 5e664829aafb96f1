"""How many signed taps a second the house takes over HTTP, each durable before it is acknowledged.

Protocol, fixed before any number was read (workload taps-1):

1. A fresh house (`maas up`, all services in one process, embedded PostgreSQL with fsync on) in a temporary
   folder; the two-core machine as it is, and on it also the load (`taps_load.py`, a process of its own).
   It has no network, so nothing is rated meanwhile: rides are made after the taps are stored, by workers.
2. 400 devices send batches of 50, each signed; nine taps in ten are of a million media, one of 2,000 tickets;
   entries and exits at 200 stations. All are made and signed before the clock starts.
3. Steady: `--rate` taps a second for `--seconds`, open loop. What counts: taps acknowledged per second from
   the first batch due to the last answer, the time from due to answered, and the processor time of the house,
   of PostgreSQL and of the load for each acknowledged tap. Nothing may be refused or lost.
4. Flat out: batches for five seconds at the rate, all due at once: how fast they are worked off.
5. Bare: the rows of the steady run are written again to a table like `ticketing.tap` with the same indexes,
   by set-based inserts of 1,000 rows from one connection; processor time of PostgreSQL a row.
6. At the end every acknowledged (device, sequence) must be in the table exactly once.

The bound of the project: 6,000 a second sustained, nothing lost. The default takes about a minute. Results: a
line of JSON with commit, machine and seed, and a table.
"""

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import psutil
from rich.console import Console
from rich.table import Table

from load_tests.machine import ROOT, describe_machine
from load_tests.planner_house import end_process
from load_tests.taps_load import BATCH_TAPS, WORKLOAD
from services.platform.embedded.ports import pick_free_port
from services.platform.embedded.postgres import find_running_url

START_S_MAX = 120.0
GATHERED_ROWS = 1000
RATE_BOUND = 6000


@contextlib.contextmanager
def running_house(folder: Path) -> Iterator[tuple[str, psutil.Process]]:
    """A house in `folder`; its URL and its process. Ended in any case."""
    port = pick_free_port()
    output = folder.with_suffix(".out")
    environment = os.environ | {"MAAS_DATA": str(folder), "MAAS_PORT": str(port), "MAAS_RATE_PER_S": "0"}
    with output.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.cli.main", "up"],
            cwd=ROOT,
            env=environment,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + START_S_MAX
        while b"Serving on" not in output.read_bytes():
            assert process.poll() is None, output.read_text()
            assert time.monotonic() < deadline, output.read_text()
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}", psutil.Process(process.pid)
    finally:
        end_process(process)


class Meter:
    """Processor time of the house's own process and of its PostgreSQL, backends that have ended included."""

    def __init__(self, house: psutil.Process) -> None:
        self._house = house
        self._postmaster = next(each for each in house.children() if each.name() == "postgres")

    def read(self) -> tuple[float, float]:
        """Seconds so far: house, PostgreSQL."""
        own = self._house.cpu_times()
        total = 0.0
        for process in (self._postmaster, *self._postmaster.children()):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system
        ended = self._postmaster.cpu_times()
        return own.user + own.system, total + ended.children_user + ended.children_system


def run_load(
    url: str, folder: Path, *, rate: float, seconds: float, seed: int, run: str, meter: Meter
) -> dict[str, Any]:
    """One run of the load with what it cost."""
    out = folder.with_suffix(f".{run}.json")
    command = [sys.executable, "-m", "load_tests.taps_load", "--url", url, "--data", str(folder)]
    command += [
        "--rate",
        str(rate),
        "--seconds",
        str(seconds),
        "--seed",
        str(seed),
        "--run",
        run,
        "--out",
        str(out),
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:  # noqa: S603 - our own module
        assert process.stdout is not None
        assert process.stdout.readline().strip() == b"ready", "the load could not be prepared"
        house, postgres = meter.read()
        assert process.wait(seconds * 20 + 60) == 0
    outcome: dict[str, Any] = json.loads(out.read_text())
    ended_house, ended_postgres = meter.read()
    taps = max(1, outcome["taps"])
    outcome |= {
        "per_s": round(outcome["taps"] / outcome["took_s"]),
        "house_us": round((ended_house - house) / taps * 1e6, 1),
        "postgres_us": round((ended_postgres - postgres) / taps * 1e6, 1),
        "load_us": round(outcome["cpu_s"] / taps * 1e6, 1),
    }
    return outcome


async def count_missing(database_url: str, outcomes: list[dict[str, Any]]) -> int:
    """Acknowledged taps that are not there exactly once."""
    connection = await asyncpg.connect(database_url)
    try:
        acknowledged = [tuple(each) for outcome in outcomes for each in outcome["acknowledged"]]
        found = await connection.fetchval(
            "select coalesce(sum(abs($3 - (select count(*) from ticketing.tap t where t.device_id ="
            " a.device_id and t.sequence >= a.first and t.sequence < a.first + $3))), 0)"
            " from unnest($1::text[], $2::bigint[]) as a (device_id, first)",
            [device_id for device_id, _ in acknowledged],
            [first for _, first in acknowledged],
            BATCH_TAPS,
        )
        return int(found)
    finally:
        await connection.close()


async def write_bare(database_url: str, rows: int, meter: Meter) -> float:
    """Microseconds of PostgreSQL's processor time a row, for the same rows in a table of its own."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(
            "create schema bare; create table bare.tap (like ticketing.tap including all)"
        )
        source = await connection.fetch("select * from ticketing.tap order by received_at limit $1", rows)
        names = list(source[0].keys())
        types = await connection.fetch(
            "select format_type(atttypid, atttypmod) from pg_attribute where attrelid = 'bare.tap'::regclass"
            " and attnum > 0 and not attisdropped order by attnum"
        )
        marks = ", ".join(f"${place}::{kind[0]}[]" for place, kind in enumerate(types, 1))
        columns = ", ".join(names)
        query = f"insert into bare.tap ({columns}) select * from unnest({marks})"  # noqa: S608 - our own names
        _, before = meter.read()
        for start in range(0, len(source), GATHERED_ROWS):
            part = source[start : start + GATHERED_ROWS]
            await connection.execute(query, *([row[name] for row in part] for name in names))
        _, after = meter.read()
        return round((after - before) / len(source) * 1e6, 1)
    finally:
        await connection.close()


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """All of the protocol."""
    with tempfile.TemporaryDirectory(prefix="taps-bench-") as name:
        Path(name).chmod(0o711)
        folder = Path(name) / "house"
        with running_house(folder) as (url, house):
            meter = Meter(house)
            plan = {
                "steady": (args.rate, args.seconds),
                "flat_out": (args.rate * 1000, 0.005),
            }
            runs = {
                title: run_load(
                    url, folder, rate=rate, seconds=seconds, seed=args.seed, run=title, meter=meter
                )
                for title, (rate, seconds) in plan.items()
            }
            database_url = find_running_url(folder / "postgres")
            assert database_url is not None, "the house's PostgreSQL runs"
            missing = asyncio.run(count_missing(database_url, list(runs.values())))
            bare_us = asyncio.run(write_bare(database_url, min(60_000, runs["steady"]["taps"]), meter))
    for outcome in runs.values():
        del outcome["acknowledged"]
    return {
        "workload": WORKLOAD,
        "seed": args.seed,
        **describe_machine(),
        **runs,
        "bare_us": bare_us,
        "missing": missing,
    }


def main() -> None:
    """Run, print, and fail where the project's bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rate", type=float, default=RATE_BOUND)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    result = measure(args)
    print(json.dumps(result))
    table = Table(
        "", "taps/s", "median ms", "p99 ms", "house us", "PostgreSQL us", "load us", "refused", "lost"
    )
    for title in ("steady", "flat_out"):
        run = result[title]
        table.add_row(
            title,
            *(
                str(run[name])
                for name in (
                    "per_s",
                    "median_ms",
                    "p99_ms",
                    "house_us",
                    "postgres_us",
                    "load_us",
                    "refused",
                    "lost",
                )
            ),
        )
    console = Console()
    console.print(table)
    console.print(f"bare insert: {result['bare_us']} us of PostgreSQL a row; missing: {result['missing']}")
    steady = result["steady"]
    is_met = steady["per_s"] >= args.rate * 0.99 and not (
        steady["refused"] or steady["lost"] or result["missing"]
    )
    sys.exit(0 if is_met else 1)


if __name__ == "__main__":
    main()
