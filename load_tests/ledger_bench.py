"""How many transfers a second the ledger records, beside the least the same database could do.

Protocol, fixed before any number was read (workload ledger-1):

1. A fresh embedded PostgreSQL in a temporary folder, fsync on, nothing else in it; the two-core machine as it
   is. One asyncio process is client and ledger.
2. Accounts: `bank` without a bound; 1,000 riders that may not owe, each funded with 10^9; 10 operators.
3. Spread: 8 tasks at once, each posting batches of 100 transfers, rider -> operator, all chosen by the seed.
   Hot: 1 task posting batches of 1,000 transfers, all on one rider and one operator.
   Single: 32 tasks posting one transfer at a time through the port, which gathers bursts.
   Each runs for `--seconds` after one second that does not count; only acknowledged transfers count.
4. Bare: the same rows as in Spread and Hot (same columns, same indexes, no ledger), written by one set-based
   insert a batch, with the same number of tasks and batch size, in the same run. The ledger's figure is
   given as a ratio to it too, because absolute figures depend on what else the machine does.
5. At the end `maas check ledger` must find nothing.

The default takes about 20 seconds. Results: one line of JSON with commit, machine and seed, and a table.
"""

import argparse
import asyncio
import json
import os
import platform
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from rich.console import Console
from rich.table import Table

from payments.accounts import Account, Bound
from payments.transfers import Transfer, TransferCode
from services.cli.check import Books, list_wrong
from services.ledger.handlers import LedgerHandlers
from services.ledger.store import LedgerStore
from services.platform.clock import SystemClock
from services.platform.database import Database
from services.platform.embedded.postgres import EmbeddedPostgres
from services.platform.migrations import migrate

WORKLOAD = "ledger-1"
RIDERS, OPERATORS = 1000, 10
WARM_S = 1.0
MIGRATIONS = Path(__file__).parents[1] / "services" / "ledger" / "migrations"

Post = Callable[[list[Transfer]], Awaitable[None]]


class Workload:
    """Transfers by the seed."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        self._effective_at = datetime(2026, 5, 20, tzinfo=UTC)

    def spread(self, count: int) -> list[Transfer]:
        """Riders and operators at random."""
        return [
            self._transfer(self._dice.randrange(RIDERS), self._dice.randrange(OPERATORS))
            for _ in range(count)
        ]

    def hot(self, count: int) -> list[Transfer]:
        """One rider and one operator."""
        return [self._transfer(0, 0) for _ in range(count)]

    def _transfer(self, rider: int, operator: int) -> Transfer:
        return Transfer(
            transfer_id=UUID(int=self._dice.getrandbits(128)),
            debit=f"rider:{rider}",
            credit=f"operator:{operator}:payable",
            amount_minor=self._dice.randint(1, 500),
            code=TransferCode.RIDE,
            reference="order:bench",
            effective_at=self._effective_at,
        )


async def prepare(database: Database, ledger: LedgerHandlers) -> None:
    """Accounts, funds, and a bare table like the ledger's."""
    riders = [
        Account(account_id=f"rider:{each}", bound=Bound.DEBITS_MUST_NOT_EXCEED_CREDITS)
        for each in range(RIDERS)
    ]
    operators = [Account(account_id=f"operator:{each}:payable") for each in range(OPERATORS)]
    await ledger.open_accounts(accounts=[Account(account_id="bank"), *riders, *operators])
    funding = [
        Transfer(
            transfer_id=UUID(int=number + 1),
            debit="bank",
            credit=account.account_id,
            amount_minor=10**9,
            code=TransferCode.TOP_UP,
            reference="bench",
            effective_at=datetime(2026, 5, 20, tzinfo=UTC),
        )
        for number, account in enumerate(riders)
    ]
    assert all(status.is_done for status in await ledger.post(transfers=funding)), "riders have money"
    await database.execute("create schema bare; create table bare.transfers (like transfers including all)")


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


async def measure(post: Post, make: Callable[[], list[Transfer]], *, tasks: int, seconds: float) -> float:
    """Acknowledged transfers a second."""
    counts = [0] * tasks
    started = time.perf_counter() + WARM_S
    ends = started + seconds

    async def work(task: int) -> None:
        while time.perf_counter() < ends:
            batch = make()
            await post(batch)
            if started <= time.perf_counter() <= ends:
                counts[task] += len(batch)

    await asyncio.gather(*(work(task) for task in range(tasks)))
    return sum(counts) / seconds


async def run(url: str, *, seed: int, seconds: float) -> dict[str, float]:
    """All measurements, in the protocol's order."""
    await migrate(url, schema="ledger", folder=MIGRATIONS)
    database = Database(url, schema="ledger", connections_max=10)
    await database.open()
    try:
        ledger, work = LedgerHandlers(LedgerStore(database), SystemClock()), Workload(seed)
        await prepare(database, ledger)
        post, bare = ledger_post(ledger), bare_post(database)
        results = {
            "spread": await measure(post, lambda: work.spread(100), tasks=8, seconds=seconds),
            "bare_spread": await measure(bare, lambda: work.spread(100), tasks=8, seconds=seconds),
            "hot": await measure(post, lambda: work.hot(1000), tasks=1, seconds=seconds),
            "bare_hot": await measure(bare, lambda: work.hot(1000), tasks=1, seconds=seconds),
            "single": await measure(post, lambda: work.spread(1), tasks=32, seconds=seconds),
        }
    finally:
        await database.close()
    assert await list_wrong(url, [Books.LEDGER]) == {}, "a fast ledger is a right ledger"
    return results


def show(results: dict[str, float], *, seed: int, seconds: float) -> None:
    """A table for people and a line for machines."""
    table = Table(title=f"{WORKLOAD}: transfers a second", title_justify="left")
    for name in ("load", "ledger", "bare insert", "ratio"):
        table.add_column(name, justify="left" if name == "load" else "right")
    for name in ("spread", "hot"):
        ledger, bare = results[name], results[f"bare_{name}"]
        table.add_row(name, f"{ledger:,.0f}", f"{bare:,.0f}", f"{ledger / bare:.2f}")
    table.add_row("single", f"{results['single']:,.0f}", "", "")
    Console().print(table)
    facts: dict[str, Any] = {
        "workload": WORKLOAD,
        "commit": _commit(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        "seed": seed,
        "seconds": seconds,
        "transfers_per_s": {name: round(value) for name, value in results.items()},
    }
    print(json.dumps(facts))


def _commit() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - git itself
    return found.stdout.strip() or "unknown"


def main() -> None:
    """Run the protocol."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2.0, help="measured time of each load")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tsunagu-bench-"))
    folder.chmod(0o711)  # as root the server runs as nobody
    server = EmbeddedPostgres(folder / "postgres")
    try:
        results = asyncio.run(run(server.start(), seed=asked.seed, seconds=asked.seconds))
        show(results, seed=asked.seed, seconds=asked.seconds)
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
