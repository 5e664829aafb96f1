"""How many charges of travel a second are recorded and posted, beside the ledger's own transfers.

Protocol, fixed before any number was read (workload charging-1):

1. A fresh embedded PostgreSQL in a temporary folder, fsync on; the machine as it is. One asyncio process is
   caller, payments and ledger, joined by their ports as in one house.
2. `--customers` customers (default 50,000), unknown at first; `--charges` charges (default 100,000), two a
   customer, of 100 to 400 yen by the seed, in batches of `--batch` (default 5,000), two calls at once. First
   travel opens accounts: it is measured as it is.
3. Charge: all of them, once. Again: a tenth of them a second time; every answer must be `exists`.
4. Ledger: the same transfers once more under other ids, through LedgerPort in the same batches: the least
   that posting costs. Charge is also given as a ratio to it.
5. At the end `maas check ledger` must find nothing, and the customers' sums must be the charges'.

Results: one line of JSON with commit, machine and seed.
"""

import argparse
import asyncio
import json
import os
import random
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import structlog

from load_tests.machine import describe_machine
from payments.accounts import UNEARNED_FARES, traveller_receivable
from payments.money import yen
from payments.ports import Charge, ChargeStatus, LedgerPort
from payments.transfers import Transfer, TransferCode
from services.cli.check import Books, list_wrong
from services.ledger.handlers import LedgerHandlers
from services.ledger.store import LedgerStore
from services.payments.collecting.charging import Charging
from services.payments.collecting.store import CollectionStore
from services.payments.mandates.room import build_mandates
from services.platform.clock import SystemClock
from services.platform.context import Ports, ServiceContext
from services.platform.database import Database
from services.platform.embedded.postgres import EmbeddedPostgres
from services.platform.migrations import migrate
from services.platform.outbox import Outbox
from services.platform.settings import Settings

WORKLOAD = "charging-1"
AT_ONCE = 2
T = TypeVar("T")
SERVICES = Path(__file__).parents[1] / "services"


def make_charges(count: int, *, customers: int, seed: int) -> list[Charge]:
    """Charges by the seed, each customer's first before anyone's second."""
    dice = random.Random(seed)
    return [
        Charge(
            charge_id=UUID(int=dice.getrandbits(128)),
            customer_id=f"c{number % customers}",
            amount=yen(dice.randint(100, 400)),
            reference=f"travel:{number}",
            service_date=date(2026, 5, 20),
        )
        for number in range(count)
    ]


async def run_batches(items: Sequence[T], size: int, act: Callable[[Sequence[T]], Awaitable[None]]) -> float:
    """Seconds for all of it, some batches at once."""
    batches = [items[start : start + size] for start in range(0, len(items), size)]

    async def work() -> None:
        while batches:
            await act(batches.pop())

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return time.perf_counter() - started


async def run(url: str, charges: list[Charge], *, batch: int) -> dict[str, float]:
    """The protocol; charges and transfers a second."""
    for name in ("ledger", "payments"):
        await migrate(url, schema=name, folder=SERVICES / name / "migrations")
    databases = {name: Database(url, schema=name) for name in ("ledger", "payments")}
    for database in databases.values():
        await database.open()
    try:
        clock, ports = SystemClock(), Ports()
        ledger = LedgerHandlers(LedgerStore(databases["ledger"]), clock)
        ports.offer(LedgerPort, ledger)
        context = ServiceContext(
            settings=Settings(),
            clock=clock,
            database=databases["payments"],
            outbox=Outbox(databases["payments"], clock),
            ports=ports,
            data_dir=Path(),
            log=structlog.get_logger(),
        )
        charging = Charging(context, CollectionStore(databases["payments"]), build_mandates(context))

        async def charge(part: Sequence[Charge]) -> None:
            assert set(await charging.charge(charges=part)) == {ChargeStatus.RECORDED}, "each is new"

        async def repeat(part: Sequence[Charge]) -> None:
            assert set(await charging.charge(charges=part)) == {ChargeStatus.EXISTS}, "each is known"

        async def post(part: Sequence[Transfer]) -> None:
            assert all(each.is_done for each in await ledger.post(transfers=part)), "none is refused"

        again = charges[: len(charges) // 10]
        seconds = {
            "charge": await run_batches(charges, batch, charge) / len(charges),
            "again": await run_batches(again, batch, repeat) / len(again),
            "ledger": await run_batches(_transfers(charges, clock), batch, post) / len(charges),
        }
        due = await databases["payments"].fetchval("select sum(due_minor)::bigint from customer")
        assert due == sum(each.amount.amount_minor for each in charges), "every charge is due, once"
    finally:
        for database in databases.values():
            await database.close()
    assert await list_wrong(url, [Books.LEDGER]) == {}, "fast books are right books"
    return {name: 1 / each for name, each in seconds.items()}


def _transfers(charges: Sequence[Charge], clock: SystemClock) -> list[Transfer]:
    pattern = Transfer(
        transfer_id=UUID(int=0),
        debit="",
        credit=UNEARNED_FARES,
        amount_minor=1,
        code=TransferCode.CHARGE,
        reference="",
        effective_at=clock.now(),
    )
    return [
        replace(
            pattern,
            transfer_id=UUID(int=each.charge_id.int ^ 1),
            debit=traveller_receivable(each.customer_id),
            amount_minor=each.amount.amount_minor,
            reference=each.reference,
        )
        for each in charges
    ]


def main() -> None:
    """Run the protocol."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--charges", type=int, default=100_000)
    parser.add_argument("--customers", type=int, default=50_000)
    parser.add_argument("--batch", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tsunagu-bench-"))
    folder.chmod(0o711)  # as root the server runs as nobody
    server = EmbeddedPostgres(folder / "postgres")
    try:
        charges = make_charges(asked.charges, customers=asked.customers, seed=asked.seed)
        per_s = asyncio.run(run(server.start(), charges, batch=asked.batch))
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    facts = {
        "workload": WORKLOAD,
        **describe_machine(),
        "load": round(os.getloadavg()[0], 1),
        **vars(asked),
        "per_s": {name: round(each) for name, each in per_s.items()},
        "charge_to_ledger": round(per_s["charge"] / per_s["ledger"], 2),
    }
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
