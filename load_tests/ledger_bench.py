"""How many transfers a second the ledger records, beside the least the same database could do.

Protocol, fixed before any number was read (workload ledger-2):

1. A fresh embedded PostgreSQL in a temporary folder, fsync on, nothing else in it; the two-core machine as it
   is. One asyncio process is client and ledger.
2. Accounts: `bank` without a bound; 100,000 riders that may not owe, each funded with 10^9; 10 operators.
3. Spread: 8 tasks at once, each posting batches of 100 transfers, rider -> operator, all chosen by the seed.
   Hot: the same, but every transfer goes to the same operator.
   Single: 32 tasks posting one transfer at a time through the port, which gathers bursts.
   Lone: one task posting one transfer at a time; its median time is what counts.
   Each runs for `--seconds` after half a second that does not count; only acknowledged transfers count.
4. Bare: the same rows (same columns, same indexes, no ledger), written by one set-based insert a batch, with
   the same tasks and batch sizes, right after each load. The ledger's figure is given as a ratio to it too,
   because absolute figures depend on what else the machine does.
5. With `--rows`, both tables then grow to so many rows, and Spread and Hot are measured again.
6. At the end `maas check ledger` must find nothing.

The default takes about 30 seconds. Results: one line of JSON with commit, machine and seed, and a table.
"""

import argparse
import asyncio
import json
import os
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from rich.console import Console
from rich.table import Table

from load_tests.machine import describe_machine
from payments.accounts import Account, Bound
from payments.transfers import Transfer, TransferCode
from services.cli.check import Books, list_wrong
from services.ledger.handlers import LedgerHandlers
from services.ledger.store import LedgerStore
from services.platform.clock import SystemClock
from services.platform.database import Database
from services.platform.embedded.postgres import EmbeddedPostgres
from services.platform.migrations import migrate

WORKLOAD = "ledger-2"
RIDERS, OPERATORS = 100_000, 10
WARM_S = 0.5
MIGRATIONS = Path(__file__).parents[1] / "services" / "ledger" / "migrations"

Post = Callable[[list[Transfer]], Awaitable[None]]


class Workload:
    """Transfers by the seed."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        self._effective_at = datetime(2026, 5, 20, tzinfo=UTC)

    def spread(self, count: int) -> list[Transfer]:
        """Riders and operators at random."""
        return [self._transfer(self._dice.randrange(OPERATORS)) for _ in range(count)]

    def hot(self, count: int) -> list[Transfer]:
        """All to one operator."""
        return [self._transfer(0) for _ in range(count)]

    def _transfer(self, operator: int) -> Transfer:
        return Transfer(
            transfer_id=UUID(int=self._dice.getrandbits(128)),
            debit=f"rider:{self._dice.randrange(RIDERS)}",
            credit=f"operator:{operator}:payable",
            amount_minor=self._dice.randint(1, 500),
            code=TransferCode.RIDE,
            reference="order:bench",
            effective_at=self._effective_at,
        )


@dataclass(slots=True)
class Measured:
    """Of one load: acknowledged transfers a second, and how long each call took."""

    per_s: float
    times_s: list[float] = field(default_factory=list)

    @property
    def p99_ms(self) -> float:
        """99 of 100 calls took no longer."""
        return statistics.quantiles(self.times_s, n=100)[98] * 1000

    @property
    def median_ms(self) -> float:
        """Half of the calls took no longer."""
        return statistics.median(self.times_s) * 1000


async def prepare(database: Database, ledger: LedgerHandlers) -> None:
    """Accounts, funds, and a bare table like the ledger's."""
    riders = [
        Account(account_id=f"rider:{each}", bound=Bound.DEBITS_MUST_NOT_EXCEED_CREDITS)
        for each in range(RIDERS)
    ]
    operators = [Account(account_id=f"operator:{each}:payable") for each in range(OPERATORS)]
    await ledger.open_accounts(accounts=[Account(account_id="bank"), *riders, *operators])
    for start in range(0, RIDERS, 5000):
        funding = [
            Transfer(
                transfer_id=UUID(int=start + number + 1),
                debit="bank",
                credit=account.account_id,
                amount_minor=10**9,
                code=TransferCode.TOP_UP,
                reference="bench",
                effective_at=datetime(2026, 5, 20, tzinfo=UTC),
            )
            for number, account in enumerate(riders[start : start + 5000])
        ]
        assert all(status.is_done for status in await ledger.post(transfers=funding)), "riders have money"
    # The bare table starts with the same rows, so that both write into indexes of the same size.
    await database.execute("create schema bare; create table bare.transfers (like transfers including all)")
    await database.execute("insert into bare.transfers overriding system value select * from transfers")
    await database.execute(
        "select setval(pg_get_serial_sequence('bare.transfers', 'sequence'), max(sequence)) from transfers"
    )
    await database.execute("vacuum analyze bare.transfers")
    await database.execute("vacuum analyze transfers")


def ledger_post(ledger: LedgerHandlers) -> Post:
    """Post through the port; every transfer must be recorded."""

    async def post(transfers: list[Transfer]) -> None:
        statuses = await ledger.post(transfers=transfers)
        assert all(status.is_done for status in statuses), "the workload is never refused"

    return post


def bare_post(database: Database) -> Post:
    """Insert the same rows, deciding nothing."""
    query = (
        "insert into bare.transfers (transfer_id, debit, credit, amount_minor, currency, code, reference, "
        "kind, linked, effective_at, recorded_at) select *, 'posted', false, $8, now() from "
        "unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[])"
    )

    async def post(transfers: list[Transfer]) -> None:
        await database.execute(
            query,
            [each.transfer_id for each in transfers],
            [each.debit for each in transfers],
            [each.credit for each in transfers],
            [each.amount_minor for each in transfers],
            [each.currency for each in transfers],
            [each.code.value for each in transfers],
            [each.reference for each in transfers],
            transfers[0].effective_at,
        )

    return post


async def measure(post: Post, make: Callable[[], list[Transfer]], *, tasks: int, seconds: float) -> Measured:
    """Run the load."""
    count, times_s = 0, list[float]()
    started = time.perf_counter() + WARM_S
    ends = started + seconds

    async def work() -> None:
        nonlocal count
        while time.perf_counter() < ends:
            batch = make()
            asked = time.perf_counter()
            await post(batch)
            done = time.perf_counter()
            if started <= done <= ends:
                count += len(batch)
                times_s.append(done - asked)

    await asyncio.gather(*(work() for _ in range(tasks)))
    return Measured(count / seconds, times_s)


class Bench:
    """The ledger and the bare table in one database."""

    def __init__(self, database: Database, *, seed: int, seconds: float) -> None:
        self.database = database
        self.ledger = LedgerHandlers(LedgerStore(database), SystemClock())
        self.work = Workload(seed)
        self.seconds = seconds
        self.results: dict[str, Measured] = {}

    async def measure_all(self) -> None:
        """The loads, in the protocol's order, each beside its bare twin."""
        await self.measure_bulk("")
        await self._measure_pair("single", lambda: self.work.spread(1), tasks=32)
        await self._measure_pair("lone", lambda: self.work.spread(1), tasks=1)

    async def measure_bulk(self, suffix: str) -> None:
        """The loads that fill the table."""
        await self._measure_pair(f"spread{suffix}", lambda: self.work.spread(100), tasks=8)
        await self._measure_pair(f"hot{suffix}", lambda: self.work.hot(100), tasks=8)

    async def grow(self, rows: int) -> None:
        """Fill both tables to so many rows."""
        for name, post in self._posts().items():
            table = "bare.transfers" if name == "bare" else "ledger.transfers"
            missing = rows - await self.database.fetchval(f"select count(*) from {table}")  # noqa: S608 - ours
            while missing > 0:
                await asyncio.gather(*(post(self.work.spread(2000)) for _ in range(2)))
                missing -= 4000

    def _posts(self) -> dict[str, Post]:
        return {"ledger": ledger_post(self.ledger), "bare": bare_post(self.database)}

    async def _measure_pair(self, name: str, make: Callable[[], list[Transfer]], *, tasks: int) -> None:
        for side, post in self._posts().items():
            self.results[f"{side}_{name}"] = await measure(post, make, tasks=tasks, seconds=self.seconds)


async def run(url: str, *, seed: int, seconds: float, rows: int) -> dict[str, Measured]:
    """All measurements, in the protocol's order."""
    await migrate(url, schema="ledger", folder=MIGRATIONS)
    database = Database(url, schema="ledger", connections_max=10)
    await database.open()
    try:
        bench = Bench(database, seed=seed, seconds=seconds)
        await prepare(database, bench.ledger)
        await bench.measure_all()
        if rows:
            await bench.grow(rows)
            await bench.measure_bulk("_grown")
    finally:
        await database.close()
    assert await list_wrong(url, [Books.LEDGER]) == {}, "a fast ledger is a right ledger"
    return bench.results


def show(results: dict[str, Measured], *, seed: int, seconds: float, rows: int) -> None:
    """A table for people and a line for machines."""
    table = Table(title=f"{WORKLOAD}", title_justify="left")
    for name in ("load", "ledger /s", "bare /s", "ratio", "p99 ms", "median ms", "bare median", "ratio"):
        table.add_column(name, justify="left" if name == "load" else "right")
    for name in [each.removeprefix("ledger_") for each in results if each.startswith("ledger_")]:
        ledger, bare = results[f"ledger_{name}"], results[f"bare_{name}"]
        table.add_row(
            name,
            f"{ledger.per_s:,.0f}",
            f"{bare.per_s:,.0f}",
            f"{ledger.per_s / bare.per_s:.2f}",
            f"{ledger.p99_ms:.1f}",
            f"{ledger.median_ms:.2f}",
            f"{bare.median_ms:.2f}",
            f"{ledger.median_ms / bare.median_ms:.2f}",
        )
    Console(width=110).print(table)
    facts: dict[str, Any] = {
        "workload": WORKLOAD,
        **describe_machine(),
        "load": round(os.getloadavg()[0], 1),
        "seed": seed,
        "seconds": seconds,
        "rows": rows,
        "results": {
            name: {
                "per_s": round(each.per_s),
                "median_ms": round(each.median_ms, 3),
                "p99_ms": round(each.p99_ms, 1),
            }
            for name, each in results.items()
        },
    }
    print(json.dumps(facts))


def main() -> None:
    """Run the protocol."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2.0, help="measured time of each load")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rows", type=int, default=0, help="grow the tables to so many rows, measure again")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tsunagu-bench-"))
    folder.chmod(0o711)  # as root the server runs as nobody
    server = EmbeddedPostgres(folder / "postgres")
    try:
        results = asyncio.run(run(server.start(), seed=asked.seed, seconds=asked.seconds, rows=asked.rows))
        show(results, seed=asked.seed, seconds=asked.seconds, rows=asked.rows)
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
