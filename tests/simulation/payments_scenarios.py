"""Payments under kills, faults and disorder: generated work whose outcome is known.

Problem   A payment crosses three systems, any of which may stop, repeat itself or be late at any line.
Idea      Commands run as tasks that stop before and after every call to the provider, the ledger and the
          database. A seeded scheduler lets one go on at a time, so that any interleaving is possible and the
          same seed gives it again; it may also kill the task there, as a process is killed. Each task has
          objects of its own, so that two tasks are two processes. The provider is the stand-in behind the
          real SDK, with dropped connections, late effects and stored 500s; its webhooks are delivered in any
          order, some twice. At the end all faults stop, recovery runs, and the three sides must agree.
Rooms     stage.py the scheduler, payments_world.py what survives, direct_transport.py the SDK without a
          socket; of cards payments_story.py tells what happens and payments_audit.py what must be so, of
          wallets, travel and debts wallets_story.py and wallets_audit.py.
Replay    python -m tests.simulation.payments_scenarios SEED [COUNT [cards|wallets]]
"""

import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import structlog
import uvloop

from services.platform.database import Database
from tests.simulation import payments_audit, payments_story, wallets_audit, wallets_story
from tests.simulation.payments_world import Drivers, World, build_world, empty, open_database
from tests.support.servers import PostgresForTests

STEPS = 110
CHUNK = 250
"""So many stories a process plays before it says how it went."""


@dataclass(frozen=True)
class Kind:
    """What happens in a story, how all works again at its end, and what must be so then."""

    play: Callable[[World, int], Awaitable[None]]
    recover: Callable[[World], Awaitable[None]]
    audit: Callable[[World], Awaitable[None]]


KINDS = {
    "cards": Kind(payments_story.play, payments_story.recover, payments_audit.audit),
    "wallets": Kind(wallets_story.play, wallets_story.recover, wallets_audit.audit),
}


async def run_scenario(
    seed: int,
    database: Database,
    *,
    kind: str = "cards",
    steps: int = STEPS,
    drivers: Drivers | None = None,
) -> str:
    """Play one seed and audit its end; returns what was done. Raises AssertionError telling the replay."""
    await empty(database)
    world = build_world(seed, database, drivers or Drivers())
    try:
        await KINDS[kind].play(world, steps)
        await KINDS[kind].recover(world)
        await KINDS[kind].audit(world)
    except (AssertionError, TimeoutError) as error:
        story = "\n".join(world.stage.log[-60:])
        raise AssertionError(
            f"{error}\nreplay: python -m tests.simulation.payments_scenarios {seed} 1 {kind}\n{story}"
        ) from error
    finally:
        world.stand_in.book.close()
    return "\n".join(world.stage.log)


async def run_many(first: int, count: int, database_url: str, kind: str) -> int:
    """Play seeds one after the other on one database; returns how many commands that were."""
    async with open_database(database_url) as database:
        stories = [await run_scenario(seed, database, kind=kind) for seed in range(first, first + count)]
    return sum(len(each.splitlines()) for each in stories)


def run_chunk(first: int, count: int, database_url: str, kind: str) -> int:
    """As run_many, in a process of its own."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    return uvloop.run(run_many(first, count, database_url, kind))


async def tell_one(seed: int, database_url: str, kind: str) -> str:
    """The story of a seed."""
    async with open_database(database_url) as database:
        return await run_scenario(seed, database, kind=kind)


def main(arguments: list[str]) -> int:
    """Play SEED and print its story, or play COUNT seeds from SEED on, on all processors; of both kinds."""
    first, count = int(arguments[0]), int(arguments[1]) if len(arguments) > 1 else 1
    kinds = arguments[2:] or list(KINDS)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    with tempfile.TemporaryDirectory(prefix="tsunagu-sim-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        server = PostgresForTests(folder / "postgres")
        server.start()
        try:
            for kind in kinds:
                if count == 1:
                    print(uvloop.run(tell_one(first, server.create_database(), kind)))  # noqa: T201
                else:
                    run_all(first, count, server, kind)
        finally:
            server.stop()
    return 0


def run_all(first: int, count: int, server: PostgresForTests, kind: str) -> None:
    """Play all seeds and say how it goes. A seed that fails ends it, telling its replay."""
    began, played, commands = time.perf_counter(), 0, 0
    chunks = [(start, min(CHUNK, first + count - start)) for start in range(first, first + count, CHUNK)]
    with ProcessPoolExecutor(os.cpu_count() or 1, mp_context=get_context("spawn")) as pool:
        runs: dict[Future[int], tuple[int, str]] = {}
        free = [server.create_database() for _ in range(os.cpu_count() or 1)]
        while chunks or runs:
            while chunks and free:
                (start, size), url = chunks.pop(0), free.pop()
                runs[pool.submit(run_chunk, start, size, url, kind)] = (size, url)
            for run in wait(runs, return_when=FIRST_COMPLETED).done:
                size, url = runs.pop(run)
                free.append(url)
                played, commands = played + size, commands + run.result()
                took_s = time.perf_counter() - began
                how = f"{played} of {count} stories of {kind} from seed {first}, {commands} commands"
                print(f"{how}, all agreed, {took_s:.0f} s", flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
