"""How many transfers a second the ledger records, beside the least the same database could do.

Protocol, fixed before any number was read (workload ledger-4):

1. A fresh embedded PostgreSQL in a temporary folder, fsync on, nothing else in it; the two-core machine as it
   is. One process on uvloop, as the house runs, is client and ledger.
2. Accounts: `bank` without a bound; 100,000 riders that may not owe, each funded with 10^9; 10 operators.
3. Three sides write the same rows (ledger_workload.py): the ledger through its port, with bounds, idempotency
   and statuses in force (its table is its log and its outbox); `posting`, the bare set-based schema; and
   `insert`, the rows alone. The goal of 60 % speaks of `posting`: it was set beside a reference in which one
   statement posts a batch and updates each account once. `insert` is shown because it is harder.
4. Loads. Spread: 8 tasks post batches of 100, rider -> operator, all chosen by the seed. Hot: the same, but
   all to the same operator. Large: one task posts batches of 1,000 to the same operator. Single: 32 tasks
   post one at a time, which the port gathers.
5. Each load goes in rounds. In a round every side works for `--slice` seconds, then all it has asked for is
   answered (the drain counts); so the sides share whatever else the machine does. The first round does not
   count. A rate is everything acknowledged in the other rounds by the time they took; `cpu` is the time of
   processors that one transfer took, of client and server together, which other work disturbs least.
6. Lone: one task posts one at a time, the sides in turns call by call, after all of the above. The ledger's
   median counts, against that of one row by `insert`: one bare durable commit of the same client and server.
   Processor time is not read: reading it takes longer than a call.
7. At the end `maas check ledger` must find nothing.

The default takes about a minute. Results: one line of JSON with commit, machine and seed, and a table. If
rates stay as the table grows is asked by ledger_growth_bench.py.
"""

import argparse
import asyncio
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import uvloop
from rich.console import Console
from rich.table import Table

from load_tests.ledger_workload import Post, Workload, bare_post, ledger_post, prepare
from load_tests.machine import describe_machine
from payments.transfers import Transfer
from services.cli.check import Books, list_wrong
from services.ledger.handlers import LedgerHandlers
from services.ledger.store import LedgerStore
from services.platform.clock import SystemClock
from services.platform.database import Database
from services.platform.embedded.postgres import EmbeddedPostgres
from services.platform.migrations import migrate

WORKLOAD = "ledger-4"
SIDES = ("ledger", "posting", "insert")
MIGRATIONS = Path(__file__).parents[1] / "services" / "ledger" / "migrations"


@dataclass(slots=True)
class Measured:
    """Of one load and side: what was acknowledged in which time, and how long each call took."""

    count: int = 0
    seconds: float = 0.0
    cpu_s: float = 0.0
    times_s: list[float] = field(default_factory=list)

    def add(self, other: "Measured", *, cpu_s: float) -> None:
        """Count another slice in, for which so many seconds were computed."""
        self.cpu_s += cpu_s
        self.count += other.count
        self.seconds += other.seconds
        self.times_s += other.times_s

    @property
    def per_s(self) -> float:
        """Acknowledged transfers a second, the drain of each slice included."""
        return self.count / self.seconds

    @property
    def cpu_us(self) -> float:
        """Processor time of client and server a transfer."""
        return self.cpu_s / self.count * 1e6

    @property
    def p99_ms(self) -> float:
        """99 of 100 calls took no longer."""
        return statistics.quantiles(self.times_s, n=100)[98] * 1000

    @property
    def median_ms(self) -> float:
        """Half of the calls took no longer."""
        return statistics.median(self.times_s) * 1000


class Processors:
    """How long this process and the server's have computed."""

    def __init__(self, server_pid: int) -> None:
        self._server = psutil.Process(server_pid)

    def read_s(self) -> float:
        """Seconds until now. The server's sessions stay, so none is lost with its count."""
        total = time.process_time()
        for process in (self._server, *self._server.children()):
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system
        return total


async def work_for(post: Post, make: Callable[[], list[Transfer]], *, tasks: int, seconds: float) -> Measured:
    """One slice of one side."""
    measured = Measured()
    started = time.perf_counter()

    async def work() -> None:
        while time.perf_counter() < started + seconds:
            batch = make()
            asked = time.perf_counter()
            await post(batch)
            measured.times_s.append(time.perf_counter() - asked)
            measured.count += len(batch)

    await asyncio.gather(*(work() for _ in range(tasks)))
    measured.seconds = time.perf_counter() - started
    return measured


class Bench:
    """The three sides in one database."""

    def __init__(
        self, database: Database, processors: Processors, *, seed: int, slice_s: float, rounds: int
    ) -> None:
        self.database = database
        self._processors = processors
        self.ledger = LedgerHandlers(LedgerStore(database), SystemClock())
        self.work = Workload(seed)
        self.results: dict[str, dict[str, Measured]] = {}
        self._slice_s = slice_s
        self._rounds = rounds
        self._sides: dict[str, Post] = {
            "ledger": ledger_post(self.ledger),
            "posting": bare_post(database, with_balances=True),
            "insert": bare_post(database, with_balances=False),
        }

    async def measure_all(self) -> None:
        """The loads, in the protocol's order."""
        await self._measure("spread", lambda: self.work.spread(100), tasks=8)
        await self._measure("hot", lambda: self.work.hot(100), tasks=8)
        await self._measure("large", lambda: self.work.hot(1000), tasks=1)
        await self._measure("single", lambda: self.work.spread(1), tasks=32)
        await self._measure_lone()

    async def _measure_lone(self) -> None:
        """One at a time, the sides in turns call by call: each waits for the same disk and neighbours."""
        sums = {side: Measured() for side in SIDES}
        ends = time.perf_counter() + self._slice_s * (self._rounds + 1) * len(SIDES)
        while time.perf_counter() < ends:
            for side, post in self._sides.items():
                batch = self.work.spread(1)
                asked = time.perf_counter()
                await post(batch)
                took_s = time.perf_counter() - asked
                sums[side].add(Measured(count=1, seconds=took_s, times_s=[took_s]), cpu_s=0.0)
        self.results["lone"] = sums

    async def _measure(self, name: str, make: Callable[[], list[Transfer]], *, tasks: int) -> None:
        sums = {side: Measured() for side in SIDES}
        for each_round in range(self._rounds + 1):
            for side, post in self._sides.items():
                computed_s = self._processors.read_s()
                one = await work_for(post, make, tasks=tasks, seconds=self._slice_s)
                if each_round:
                    sums[side].add(one, cpu_s=self._processors.read_s() - computed_s)
        self.results[name] = sums


async def run(url: str, server_pid: int, asked: argparse.Namespace) -> None:
    """All measurements, in the protocol's order; their results, and then whether the books are right."""
    await migrate(url, schema="ledger", folder=MIGRATIONS)
    database = Database(url, schema="ledger", connections_max=10)
    await database.open()
    try:
        bench = Bench(
            database,
            Processors(server_pid),
            seed=asked.seed,
            slice_s=asked.slice,
            rounds=asked.rounds,
        )
        await prepare(database, bench.ledger)
        await bench.measure_all()
    finally:
        await database.close()
    show(bench.results, asked)
    assert await list_wrong(url, [Books.LEDGER]) == {}, "a fast ledger is a right ledger"


def _compare_cpu(each: Measured, ledger: Measured) -> tuple[str, str]:
    """Processor time, and the ledger's by it; nothing where it was not read."""
    return (f"{each.cpu_us:.1f}", f"{ledger.cpu_us / each.cpu_us:.2f}") if each.cpu_s else ("", "")


def show(results: dict[str, dict[str, Measured]], asked: argparse.Namespace) -> None:
    """A table for people and a line for machines."""
    table = Table(title=WORKLOAD, title_justify="left")
    table.add_column("load")
    for name in (
        "side",
        "a second",
        "ledger by it",
        "cpu µs",
        "ledger by it",
        "median ms",
        "ledger by it",
        "p99 ms",
    ):
        table.add_column(name, justify="right")
    for name, sides in results.items():
        for side, each in sides.items():
            table.add_row(
                name if side == SIDES[0] else "",
                side,
                f"{each.per_s:,.0f}",
                f"{sides['ledger'].per_s / each.per_s:.2f}",
                *_compare_cpu(each, sides["ledger"]),
                f"{each.median_ms:.2f}",
                f"{sides['ledger'].median_ms / each.median_ms:.2f}",
                f"{each.p99_ms:.1f}",
            )
    Console(width=120).print(table)
    facts: dict[str, Any] = {
        "workload": WORKLOAD,
        **describe_machine(),
        "load": round(os.getloadavg()[0], 1),
        "seed": asked.seed,
        "slice_s": asked.slice,
        "rounds": asked.rounds,
        "results": {
            f"{side}_{name}": {
                "per_s": round(each.per_s),
                "cpu_us": round(each.cpu_us, 1),
                "median_ms": round(each.median_ms, 3),
                "p99_ms": round(each.p99_ms, 1),
            }
            for name, sides in results.items()
            for side, each in sides.items()
        },
    }
    print(json.dumps(facts), flush=True)


def main() -> None:
    """Run the protocol."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slice", type=float, default=0.5, help="seconds that each side works in a round")
    parser.add_argument("--rounds", type=int, default=5, help="how many rounds count")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tsunagu-bench-"))
    folder.chmod(0o711)  # as root the server runs as nobody
    server = EmbeddedPostgres(folder / "postgres")
    try:
        url = server.start()
        uvloop.run(run(url, server.pid, asked))
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
