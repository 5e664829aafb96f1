"""Whether the ledger's rate stays flat as its table grows.

Protocol, fixed before any number was read (workload ledger-growth-1):

1. One embedded PostgreSQL, fsync on, with the settings the house runs with. In it two ledgers, each a
   database with 100,000 funded riders and 10 operators (ledger_workload.py): `new`, which holds their
   funding and nothing else, and `grown`, to which `--rows` transfers were added. Rows, indexes, bounds and
   immutability are alike; indexes that are written at random are built as full as growing leaves them.
2. A checkpoint. Then both post the same load in alternating slices of `--slice` seconds, each of which ends
   when all it asked for is answered: 8 tasks, batches of 100, Spread (rider -> operator) and Hot (all to one
   operator).
3. Measured twice: right after the checkpoint, and settled. The first change of a page after a checkpoint
   writes the page's image to the log; `grown` has many more pages to touch, so it pays more of them.
   Between the two measurements `grown` alone works in windows of ten seconds until a transfer writes fewer
   than 0.1 images, or `--warm` seconds are over. Both are shown, for a day of work has both: the settings
   of the server decide how many transfers share the images of one checkpoint.
4. `flat` is the rate of `grown` by the rate of `new`, over the slices that count: all but the first of
   each. `cpu` is the time of processors a transfer, of client and server. `log` is the growth of the log a
   transfer.
5. At the end `maas check ledger` must find nothing in `new`, and with `--check` also in `grown`.

`--folder` keeps the data; another run goes on with the ledger that is grown there.
"""

import argparse
import asyncio
import json
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import uvloop
from rich.console import Console
from rich.table import Table

from load_tests.ledger_bench import MIGRATIONS, Measured, Processors, work_for
from load_tests.ledger_workload import Workload, fund, grow, ledger_post
from load_tests.machine import describe_machine
from payments.transfers import Transfer
from services.cli.check import Books, list_wrong
from services.ledger.handlers import LedgerHandlers
from services.ledger.store import LedgerStore
from services.platform.clock import SystemClock
from services.platform.database import Database
from services.platform.embedded.postgres import EmbeddedPostgres
from services.platform.migrations import migrate

WORKLOAD = "ledger-growth-1"
SIDES = ("new", "grown")
SETTLED_IMAGES = 0.1
WINDOW_S = 10.0


class Side:
    """One of the two ledgers, and what it did."""

    def __init__(self, database: Database, seed: int) -> None:
        self.database = database
        self.ledger = LedgerHandlers(LedgerStore(database), SystemClock())
        self.post = ledger_post(self.ledger)
        self.work = Workload(seed)

    async def read_log_bytes(self) -> int:
        """How long the server's log is."""
        length: int = await self.database.fetchval("select (pg_current_wal_insert_lsn() - '0/0')::bigint")
        return length


class GrowthBench:
    """Both ledgers on one server."""

    def __init__(
        self, sides: dict[str, Side], processors: Processors, *, slice_s: float, rounds: int
    ) -> None:
        self._sides = sides
        self._processors = processors
        self._slice_s = slice_s
        self._rounds = rounds
        self.results: dict[str, dict[str, Measured]] = {}
        self.log_bytes: dict[str, dict[str, int]] = {}
        self.windows: list[dict[str, float]] = []

    async def measure(self, suffix: str) -> None:
        """Both loads on both sides, in turns."""
        await self._measure(f"spread, {suffix}", lambda side: side.work.spread(100))
        await self._measure(f"hot, {suffix}", lambda side: side.work.hot(100))

    async def settle(self, seconds_max: float) -> None:
        """The grown ledger alone, until transfers write hardly any image of a page."""
        side = self._sides["grown"]
        ends = time.perf_counter() + seconds_max
        while time.perf_counter() < ends:
            images, log_bytes = await self._read_images(), await side.read_log_bytes()
            computed_s = self._processors.read_s()
            one = await work_for(side.post, lambda: side.work.spread(100), tasks=8, seconds=WINDOW_S)
            images = await self._read_images() - images
            window = {
                "per_s": round(one.per_s),
                "cpu_us": round((self._processors.read_s() - computed_s) / one.count * 1e6, 1),
                "images": round(images / one.count, 3),
                "log_bytes": round((await side.read_log_bytes() - log_bytes) / one.count),
            }
            self.windows.append(window)
            print(json.dumps(window), flush=True)
            if window["images"] < SETTLED_IMAGES:
                return

    async def _measure(self, name: str, make: Callable[[Side], list[Transfer]]) -> None:
        sums = {name: Measured() for name in SIDES}
        log_bytes = dict.fromkeys(SIDES, 0)
        for each_round in range(self._rounds + 1):
            for side_name, side in self._sides.items():
                computed_s, length = self._processors.read_s(), await side.read_log_bytes()
                one = await work_for(side.post, partial(make, side), tasks=8, seconds=self._slice_s)
                if each_round:
                    sums[side_name].add(one, cpu_s=self._processors.read_s() - computed_s)
                    log_bytes[side_name] += await side.read_log_bytes() - length
        self.results[name], self.log_bytes[name] = sums, log_bytes

    async def _read_images(self) -> int:
        """Images of pages written to the log. Sessions tell theirs at most once a second."""
        await asyncio.sleep(1.2)
        for side in self._sides.values():
            await asyncio.gather(*(side.database.fetchval("select 1") for _ in range(10)))
        await asyncio.sleep(0.2)
        images: int = await self._sides["new"].database.fetchval("select wal_fpi from pg_stat_wal")
        return images


async def open_side(url: str, name: str, *, seed: int, rows: int) -> Side:
    """A ledger with funded riders, grown to so many rows."""
    started = time.perf_counter()
    await migrate(url, schema="ledger", folder=MIGRATIONS)
    side = Side(Database(url, schema="ledger", connections_max=10), seed)
    await side.database.open()
    await fund(side.ledger)
    count = await side.database.fetchval("select count(*) from transfers")
    if rows > count:
        await grow(side.database, rows, seed=seed)
    print(f"{name}: {max(rows, count):,} rows after {time.perf_counter() - started:.0f} s", flush=True)
    return side


async def create_new(url: str) -> str:
    """An empty database beside the grown one; its address."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("drop database if exists new_ledger")
        await connection.execute("create database new_ledger template template0")
    finally:
        await connection.close()
    return f"{url.rsplit('/', 1)[0]}/new_ledger"


async def run(url: str, server_pid: int, asked: argparse.Namespace) -> None:
    """The protocol, in its order."""
    new_url = await create_new(url)
    # A seed of its own for each run: a ledger that is kept knows the ids of the last one.
    seed = asked.seed if asked.folder is None else secrets.randbits(32)
    sides = {
        "grown": await open_side(url, "grown", seed=seed, rows=asked.rows),
        "new": await open_side(new_url, "new", seed=seed + 1, rows=0),
    }
    try:
        bench = GrowthBench(
            {name: sides[name] for name in SIDES},
            Processors(server_pid),
            slice_s=asked.slice,
            rounds=asked.rounds,
        )
        await sides["new"].database.pool.execute("checkpoint", timeout=3600)
        await bench.measure("after a checkpoint")
        await bench.settle(asked.warm)
        await bench.measure("settled")
    finally:
        for side in sides.values():
            await side.database.close()
    show(bench, asked)
    for checked in (new_url, *([url] if asked.check else [])):
        assert await list_wrong(checked, [Books.LEDGER]) == {}, "a fast ledger is a right ledger"


def show(bench: GrowthBench, asked: argparse.Namespace) -> None:
    """A table for people and a line for machines."""
    table = Table(title=f"{WORKLOAD}, {asked.rows:,} rows", title_justify="left")
    table.add_column("load")
    for name in ("side", "a second", "flat", "cpu µs", "by it", "log bytes", "median ms", "p99 ms"):
        table.add_column(name, justify="right")
    results = {}
    for load, sides in bench.results.items():
        for name, each in sides.items():
            log_bytes = bench.log_bytes[load][name] / each.count
            table.add_row(
                load if name == SIDES[0] else "",
                name,
                f"{each.per_s:,.0f}",
                f"{each.per_s / sides['new'].per_s:.2f}",
                f"{each.cpu_us:.1f}",
                f"{each.cpu_us / sides['new'].cpu_us:.2f}",
                f"{log_bytes:,.0f}",
                f"{each.median_ms:.2f}",
                f"{each.p99_ms:.1f}",
            )
            results[f"{name}, {load}"] = {
                "per_s": round(each.per_s),
                "cpu_us": round(each.cpu_us, 1),
                "log_bytes": round(log_bytes),
                "p99_ms": round(each.p99_ms, 1),
            }
    Console(width=120).print(table)
    facts: dict[str, Any] = {
        "workload": WORKLOAD,
        **describe_machine(),
        "load": round(os.getloadavg()[0], 1),
        "seed": asked.seed,
        "slice_s": asked.slice,
        "rounds": asked.rounds,
        "rows": asked.rows,
        "windows": bench.windows,
        "results": results,
    }
    print(json.dumps(facts), flush=True)


def main() -> None:
    """Run the protocol."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000, help="how many the grown ledger holds")
    parser.add_argument("--slice", type=float, default=1.0, help="seconds that each side works in a round")
    parser.add_argument("--rounds", type=int, default=5, help="how many rounds count")
    parser.add_argument("--warm", type=float, default=60.0, help="seconds at most until it is settled")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="keep the grown ledger here, or go on with it")
    parser.add_argument("--check", action="store_true", help="check the grown ledger's books too")
    asked = parser.parse_args()
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="tsunagu-bench-"))
    folder.mkdir(exist_ok=True)
    folder.chmod(0o711)  # as root the server runs as nobody
    server = EmbeddedPostgres(folder / "postgres")
    try:
        url = server.start()
        uvloop.run(run(url, server.pid, asked))
    finally:
        server.stop()
        if asked.folder is None:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
