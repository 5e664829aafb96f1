"""How long a service day's taps take to be rated, capped, charged and in the ledger.

Protocol, fixed before any number was read (workload travel-1):

1. A fresh embedded PostgreSQL in a temporary folder, fsync on; the machine as it is. The tariffs are those of
   the demonstration city, in a compiled network of two stops.
2. A quarter as many media as taps (`--taps`, default 40,000), each enrolled and linked to a customer of its
   own. Each medium enters and leaves gates twice: there and back between two Toei or Metro stations by the
   seed; one in ten boards a bus in between instead of riding back; one in fifty has lost its last tap. Taps
   lie in the table, with one marker a medium and half day, as the intake leaves them. Claims and passes are
   asked of the sales service, which has none.
3. `--workers` processes (default 2) rate sets of `--set` markers and post sets of charges, each with the
   services that it asks (ledger, payments, sales) in the same process, until nothing is due. The clock stands
   at 05:00 after the day, so that unfinished rides pay the maximum and the day's promise is kept. The time
   is from their common start to the commit of the last charging: all is durable, and in the ledger.
4. Bare: the same taps are read in medium order and as many rows as media written by COPY twice, by one
   process: the least that any rating does. The figure is also given as a ratio to it,
   and CPU time by tap of the workers (from the common start on) and of the server is, which other work on
   the machine changes least. Seconds of the two stages, rating and charging, are added up over the workers.
5. Afterwards the charges' sum must be the ledger's receivables and unearned fares, each medium must have a
   day, and a hundred media are rated again by the pure function and compared.

`--days n` lays n - 1 earlier days of the same week beside it, rated before the time begins: weekly caps make
each day's rating read the week. Results: one line of JSON with commit, machine, seed and load.
"""

import argparse
import asyncio
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from shutil import copytree
from typing import Any
from zoneinfo import ZoneInfo

import psutil
import structlog

from gtfs.literal import literal_feed
from load_tests.machine import ROOT, describe_machine
from maas.ports import NetworkPort, PublishedNetwork
from routing.build import build_network
from services.compose import builder_of
from services.demo.city.build import TARIFFS
from services.platform.clock import FixedClock
from services.platform.context import Ports, ServiceContext
from services.platform.database import Database
from services.platform.embedded.postgres import EmbeddedPostgres
from services.platform.migrations import migrate
from services.platform.outbox import Outbox
from services.platform.settings import Settings
from services.ticketing.travel.building import Travel, build_travel
from services.ticketing.travel.media import medium_id_of

WORKLOAD = "travel-1"
TOKYO = ZoneInfo("Asia/Tokyo")
DAY = date(2026, 5, 20)
MORNING_AFTER = datetime(2026, 5, 21, 5, tzinfo=TOKYO)
LONG_AGO = datetime(2026, 1, 1, tzinfo=TOKYO)
PATIENCE_S = 900.0
MEDIA_LAID_OUT = 250_000
ROWS_READ = 200_000
"""So many at once in memory, however many there are."""
SERVICES = ("ledger", "payments", "sales", "ticketing")
FEED = """
    calendar all 2026-01-01 2026-12-31
    route R1 rail
    stops Toei.Oedo.Tochomae Toei.Oedo.Daimon
    t1    08:00 08:20
"""
STATIONS = (
    *(
        f"Toei.Oedo.{name}"
        for name in ("Tochomae", "Daimon", "Roppongi", "Iidabashi", "Hikarigaoka", "Ryogoku")
    ),
    *(f"Toei.Mita.{name}" for name in ("Meguro", "Hibiya", "Jimbocho", "Sugamo", "NishiTakashimadaira")),
    *(f"Toei.Shinjuku.{name}" for name in ("Shinjuku", "Kudanshita", "Ojima", "Motoyawata")),
    *(f"TokyoMetro.Marunouchi.{name}" for name in ("Ogikubo", "Ginza", "Tokyo", "Ikebukuro", "Korakuen")),
    *(f"TokyoMetro.Ginza.{name}" for name in ("Shibuya", "Ueno", "Asakusa", "Nihombashi")),
)


def medium_of(number: int) -> str:
    """The token of a medium; their order is not that of the numbers."""
    return f"tok_{number * 2654435761 % 2**32:08x}_{number:09d}"


def taps_of(dice: random.Random, number: int, day: date) -> Iterator[tuple[Any, ...]]:
    """A medium's taps of a day, as rows of the table."""
    home, work = dice.sample(STATIONS, 2)
    morning = datetime(day.year, day.month, day.day, 6, tzinfo=TOKYO) + timedelta(minutes=dice.randrange(240))
    evening = morning + timedelta(hours=9, minutes=dice.randrange(120))
    plan = [("enter", home, morning), ("exit", work, morning + timedelta(minutes=dice.randrange(8, 60)))]
    if dice.random() < 0.1:  # noqa: PLR2004 - the protocol's tenth
        plan += [("scan", "ToeiBus.A", evening), ("scan", "ToeiBus.B", evening + timedelta(minutes=40))]
    else:
        plan += [("enter", work, evening), ("exit", home, evening + timedelta(minutes=dice.randrange(8, 60)))]
    if dice.random() < 0.02:  # noqa: PLR2004 - the protocol's fiftieth
        plan.pop()
    for place, (kind, stop, at) in enumerate(plan):
        operator_id, stop_id = stop.split(".", 1)[0], f"demo:{stop}"
        sequence = (day.toordinal() * 10**9 + number) * 4 + place
        yield (
            *(f"device-{number % 5000}", sequence, operator_id, stop_id, stop_id, kind, at, at),
            *(medium_of(number), False, "recorded", True, day),
        )


TAP_COLUMNS = (
    *(
        "device_id",
        "sequence",
        "operator_id",
        "stop_id",
        "reported_stop_id",
        "kind",
        "tapped_at",
        "received_at",
    ),
    *("medium_ref", "accepted_offline", "verdict", "is_counted", "service_date"),
)


class OneNetwork:
    """A NetworkPort with one published network."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def get_in_force(self) -> PublishedNetwork | None:
        """Always the same."""
        return PublishedNetwork(version="bench", path=str(self._folder), published_at=LONG_AGO)


async def open_services(url: str, folder: Path, *, set_size: int) -> tuple[Travel, list[Database]]:
    """The services of one process, built and joined; their workers do not run."""
    ports, clock = Ports(), FixedClock(MORNING_AFTER)
    ports.offer(NetworkPort, OneNetwork(folder / "network"))
    databases = []
    contexts = {}
    for name in SERVICES:
        database = Database(url, schema=name)
        await database.open()
        databases.append(database)
        contexts[name] = ServiceContext(
            settings=Settings(data_dir=folder),
            clock=clock,
            database=database,
            outbox=Outbox(database, clock),
            ports=ports,
            data_dir=folder,
            log=structlog.get_logger(),
        )
        if name != "ticketing":
            for port, implementation in builder_of(name)(contexts[name]).ports.items():
                ports.offer(port, implementation)
    travel = build_travel(contexts["ticketing"], zone=TOKYO, set_size=set_size)
    await travel.tariff.refresh()
    return travel, databases


async def work(url: str, folder: Path, *, set_size: int) -> None:
    """What one worker does: rate and post until nothing is due. Prints seconds by stage, and of CPU."""
    travel, databases = await open_services(url, folder, set_size=set_size)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    spent: dict[str, float] = defaultdict(float)
    rated = posted = 1
    while rated or posted:
        with spending(spent, "rating"):
            rated = await travel.rater.rate_some()
        with spending(spent, "charging"):
            posted = await travel.charger.charge_some()
    for database in databases:
        await database.close()
    print(json.dumps(spent), flush=True)


@contextmanager
def spending(spent: dict[str, float], stage: str) -> Iterator[None]:
    """Add what a stage takes, by the clock and of the process's CPU."""
    seconds, cpu_s = time.perf_counter(), time.process_time()
    yield
    spent[f"{stage}_s"] += time.perf_counter() - seconds
    spent[f"{stage}_cpu_s"] += time.process_time() - cpu_s


async def enrol(url: str, media: int) -> None:
    """Media, each linked to a customer of its own."""
    database = Database(url, schema="ticketing")
    await database.open()
    names = [medium_of(number) for number in range(media)]
    async with database.transaction() as tx:
        await tx.copy_records_to_table(
            "medium",
            records=((name, medium_id_of(name), "ic_card", LONG_AGO) for name in names),
            columns=["medium_ref", "medium_id", "kind", "enrolled_at"],
            timeout=PATIENCE_S,
        )
        await tx.copy_records_to_table(
            "medium_link",
            records=((name, LONG_AGO, f"customer-{n}", "card") for n, name in enumerate(names)),
            columns=["medium_ref", "since", "customer_id", "label"],
            timeout=PATIENCE_S,
        )
    for table in ("medium", "medium_link"):
        await database.pool.execute(f"analyze {table}", timeout=PATIENCE_S)
    await database.close()


async def lay_out(url: str, *, media: int, seed: int, day: date) -> int:
    """A day's taps and markers; how many taps."""
    database = Database(url, schema="ticketing")
    await database.open()
    dice = random.Random(seed)
    count = 0
    async with database.transaction() as tx:
        for first in range(0, media, MEDIA_LAID_OUT):
            numbers = range(first, min(media, first + MEDIA_LAID_OUT))
            rows = [row for number in numbers for row in taps_of(dice, number, day)]
            dice.shuffle(rows)
            await tx.copy_records_to_table("tap", records=rows, columns=TAP_COLUMNS, timeout=PATIENCE_S)
            count += len(rows)
        await tx.copy_records_to_table(
            "medium_due",
            records=((medium_of(number), day, LONG_AGO) for _ in range(2) for number in range(media)),
            columns=["medium_ref", "service_date", "due_at"],
            timeout=PATIENCE_S,
        )
    for table in ("tap", "medium_due"):
        await database.pool.execute(f"analyze {table}", timeout=PATIENCE_S)
    await database.close()
    return count


def run_workers(url: str, folder: Path, *, workers: int, set_size: int) -> tuple[float, dict[str, float]]:
    """Seconds from the common start to the last worker's end, and the workers' seconds by stage, added up."""
    command = [sys.executable, "-m", "load_tests.travel_bench", "--work", url, "--folder", str(folder)]
    processes = [
        subprocess.Popen(  # noqa: S603 - this very module
            [*command, "--set", str(set_size)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for _ in range(workers)
    ]
    for process in processes:
        assert process.stdout is not None, "it was piped"
        assert process.stdout.readline() == "ready\n", "a worker did not start"
    started = time.perf_counter()
    for process in processes:
        assert process.stdin is not None, "it was piped"
        process.stdin.write("\n")
        process.stdin.flush()
    outputs = [process.communicate()[0] for process in processes]
    took = time.perf_counter() - started
    spent = [json.loads(output) for output in outputs]
    return took, {name: sum(each[name] for each in spent) for name in spent[0]}


def server_cpu_s(folder: Path) -> float:
    """CPU seconds of the server and all its connections that have ended."""
    (pid_file,) = (folder / "postgres").rglob("postmaster.pid")
    times = psutil.Process(int(pid_file.read_text().split()[0])).cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)


async def measure_bare(url: str, media: int) -> float:
    """Seconds to read the day's taps in medium order, and to write a row a medium by COPY, twice."""
    database = Database(url, schema="ticketing")
    await database.open()
    await database.execute(
        "create table bare_day (like travel_day including all); "
        "create table bare_charge (like travel_charge including all)"
    )
    started = time.perf_counter()
    taps = await read_rows(
        database,
        "select medium_ref, device_id, sequence, tapped_at, kind, operator_id, stop_id from tap "
        "where service_date = $1 order by medium_ref, tapped_at",
    )
    assert taps >= media, "the day is there"
    columns = [
        row["column_name"]
        for row in await database.fetch(
            "select column_name from information_schema.columns where table_schema = 'ticketing' "
            "and table_name = 'travel_charge' order by ordinal_position"
        )
    ]
    for source, target, names in (
        ("travel_day", "bare_day", ["medium_ref", "service_date", "document"]),
        ("travel_charge", "bare_charge", columns),
    ):
        await read_rows(
            database,
            f"select {', '.join(names)} from {source} where service_date = $1",  # noqa: S608 - our names
            into=(target, names),
        )
    took = time.perf_counter() - started
    await database.close()
    return took


async def read_rows(database: Database, query: str, *, into: tuple[str, list[str]] | None = None) -> int:
    """Read a day's rows by a cursor, and write them to a table by COPY; how many."""
    count = 0
    async with database.transaction() as tx:
        cursor = await tx.cursor(query, DAY, timeout=PATIENCE_S)
        while rows := await cursor.fetch(ROWS_READ, timeout=PATIENCE_S):
            count += len(rows)
            if into is not None:
                await tx.copy_records_to_table(into[0], records=rows, columns=into[1], timeout=PATIENCE_S)
    return count


async def check(url: str, folder: Path, *, media: int, days: list[date]) -> int:
    """The protocol's last step; the sum charged. Raises AssertionError."""
    travel, databases = await open_services(url, folder, set_size=1)
    ticketing = databases[SERVICES.index("ticketing")]
    ledger = databases[SERVICES.index("ledger")]
    kept = await ticketing.fetchval("select count(*) from travel_day where service_date = $1", DAY)
    assert kept == media, f"{media - kept} media have no day"
    left = await ticketing.fetchval("select count(*) from travel_charge where status <> 'posted'")
    assert left == 0, f"{left} charges are not posted"
    charged = await ticketing.pool.fetchval("select sum(amount_minor) from travel_charge", timeout=PATIENCE_S)
    moved = await ledger.pool.fetchval(
        "select sum(amount_minor) from transfers where debit like 'traveller:%:receivable' "
        "and credit = 'platform:unearned_fares'",
        timeout=PATIENCE_S,
    )
    assert charged == moved, f"charged {charged}, in the ledger {moved}"
    # Rated again, nothing differs: the pure function agrees with what was posted.
    again = [medium_of(number) for number in range(0, media, max(1, media // 100))]
    await ticketing.execute(
        "insert into medium_due (medium_ref, service_date, due_at) select unnest($1::text[]), $2, $3",
        *(again, days[-1], LONG_AGO),
    )
    before = await ticketing.fetchval("select count(*) from travel_charge")
    while await travel.rater.rate_some():
        pass
    assert await ticketing.fetchval("select count(*) from travel_charge") == before, "rated again, it differs"
    for database in databases:
        await database.close()
    return int(charged)


async def prepare(url: str, folder: Path) -> None:
    """Schemas and a network."""
    for name in SERVICES:
        await migrate(url, schema=name, folder=ROOT / "services" / name / "migrations")
    feed = literal_feed(FEED, feed_id="demo")
    build_network([feed], folder / "network", version="bench", now=LONG_AGO)
    copytree(TARIFFS, folder / "network" / "tariffs")


def run(url: str, folder: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """The protocol."""
    asyncio.run(prepare(url, folder))
    media = asked.taps // 4
    earlier = [DAY - timedelta(days=back) for back in range(asked.days - 1, 0, -1)]
    asyncio.run(enrol(url, media))
    for place, day in enumerate(earlier):
        asyncio.run(lay_out(url, media=media, seed=asked.seed + place + 1, day=day))
        run_workers(url, folder, workers=asked.workers, set_size=asked.set)
    count = asyncio.run(lay_out(url, media=media, seed=asked.seed, day=DAY))
    server_before_s = server_cpu_s(folder)
    took, spent = run_workers(url, folder, workers=asked.workers, set_size=asked.set)
    print(f"{count} taps rated and charged in {took:.1f} s", file=sys.stderr, flush=True)
    server_s = server_cpu_s(folder) - server_before_s
    charged = asyncio.run(check(url, folder, media=media, days=[*earlier, DAY]))
    bare_s = asyncio.run(measure_bare(url, media))
    return {
        "taps": count,
        "media": media,
        "days_of_the_week": asked.days,
        "workers": asked.workers,
        "seconds": round(took, 1),
        "taps_per_s": round(count / took),
        "rating_s": round(spent["rating_s"], 1),
        "charging_s": round(spent["charging_s"], 1),
        "rating_cpu_us_per_tap": round(spent["rating_cpu_s"] / count * 1e6, 1),
        "charging_cpu_us_per_tap": round(spent["charging_cpu_s"] / count * 1e6, 1),
        "server_cpu_us_per_tap": round(server_s / count * 1e6, 1),
        "bare_seconds": round(bare_s, 1),
        "ratio_to_bare": round(took / bare_s, 1),
        "charged_yen": charged,
    }


def main() -> None:
    """Run it, or one of its workers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--taps", type=int, default=40_000)
    parser.add_argument(
        "--days", type=int, default=1, choices=range(1, 4), help="days of the week that have taps"
    )
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--set", type=int, default=4_000, help="markers and weeks rated at a time")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    if asked.work:
        asyncio.run(work(asked.work, asked.folder, set_size=asked.set))
        return
    folder = Path(tempfile.mkdtemp(prefix="maas-bench-"))
    folder.chmod(0o711)
    server = EmbeddedPostgres(folder / "postgres")
    try:
        results = run(server.start(), folder, asked)
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    facts = {
        "workload": WORKLOAD,
        **describe_machine(),
        "seed": asked.seed,
        "load": round(os.getloadavg()[0], 1),
    }
    print(json.dumps({**facts, **results}))


if __name__ == "__main__":
    main()
