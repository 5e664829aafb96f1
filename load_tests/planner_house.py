"""Planner processes on one port, and beside them what they ask: a house of many processes, of their part.

Idea      The database and the Redis are given: a benchmark's are durable ones of its own, a test's are not.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from load_tests.machine import ROOT
from services.platform.embedded.ports import pick_free_port

_STOP_S_MAX = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannerHouse:
    """Gateway and feeds at `front`, the planners at `planner`. Each part's output is in `folder`/part.out."""

    folder: Path
    front: str
    planner: str
    running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def list_replicas(self) -> list[psutil.Process]:
        """The planner processes."""
        return psutil.Process(self.running["planner"].pid).children()

    def read_output(self, part: str) -> str:
        """What a part (`front` or `planner`) has said."""
        return (self.folder / f"{part}.out").read_text(encoding="utf-8", errors="replace")


@contextlib.contextmanager
def running_planners(
    folder: Path, *, database_url: str, redis_url: str, process_count: int
) -> Iterator[PlannerHouse]:
    """Started, not yet ready; all ended on return."""
    front, planner = (f"http://127.0.0.1:{pick_free_port()}" for _ in range(2))
    house = PlannerHouse(folder=folder, front=front, planner=planner)
    shared = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "MAAS_SERVICE_SECRET": "of-this-house-only",
        "MAAS_SERVICE_URLS": json.dumps(
            {"gateway": front, "feeds": front, "partners": front, "planner": planner}
        ),
        "MAAS_RATE_PER_S": "0",
        "MAAS_LOG_LEVEL": "warning",
    }
    with contextlib.ExitStack() as stack:
        for part, words, count in (
            ("front", ("gateway", "feeds", "partners"), 1),
            ("planner", ("planner",), process_count),
        ):
            own = {
                "MAAS_DATA": str(folder / part),
                "MAAS_PORT": getattr(house, part).rpartition(":")[2],
                "MAAS_PROCESSES": str(count),
            }
            output = stack.enter_context((folder / f"{part}.out").open("wb"))
            process = subprocess.Popen(  # noqa: S603 - our own command
                [sys.executable, "-m", "services.cli.main", "up", *words],
                cwd=ROOT,
                env=os.environ | shared | own,
                stdout=output,
                stderr=output,
            )
            stack.callback(end_process, process)
            house.running[part] = process
        yield house


def end_process(process: "subprocess.Popen[bytes]") -> None:
    """Ask it to stop, and do not wait for ever."""
    process.terminate()
    try:
        process.wait(_STOP_S_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
