"""One house, stopped and killed at awkward moments: it always comes back, with all data."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.conftest import ROOT
from tests.support.city import City, free_port, start_city

SEED = int(os.environ.get("MAAS_SEED", "1"))
STOP_S_MAX = 15  # ten and a busy machine's hesitation

pytestmark = [pytest.mark.timeout(240), pytest.mark.slow]


@pytest.fixture(scope="module")
def folder(server_folder: Path) -> Iterator[Path]:
    """Where the house of this module lives, from test to test."""
    place = server_folder / "cli" / "house"
    place.parent.mkdir(mode=0o711)
    yield place
    for each in list_left(place):
        with suppress(psutil.NoSuchProcess):
            psutil.Process(each).kill()


def list_left(folder: Path) -> list[int]:
    """Processes that work on that folder."""
    return [
        process.info["pid"]
        for process in psutil.process_iter(["pid", "cmdline"])
        if any(word.startswith(f"{folder}/") for word in process.info["cmdline"] or [])
    ]


def wait_none_left(folder: Path) -> None:
    deadline = time.monotonic() + 5
    while list_left(folder) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert list_left(folder) == []


def launch(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    with folder.with_suffix(".out").open("wb") as stream:
        return subprocess.Popen(
            # A test run under nohup, or in the background, would hand its deafness for signals on.
            [
                "/usr/bin/env",
                "--default-signal=HUP,INT",
                sys.executable,
                "-m",
                "services.cli.main",
                "up",
                *words,
            ],
            cwd=ROOT,
            env=os.environ
            | {"MAAS_DATA": str(folder), "MAAS_PORT": str(free_port()), "MAAS_RATE_PER_S": "0"},
            stdout=stream,
            stderr=subprocess.STDOUT,
        )


def output_of(folder: Path) -> str:
    return folder.with_suffix(".out").read_text(encoding="utf-8")


def wait_said(folder: Path, process: subprocess.Popen[bytes], words: str) -> None:
    deadline = time.monotonic() + 120
    while words not in output_of(folder):
        assert process.poll() is None, output_of(folder)
        assert time.monotonic() < deadline, output_of(folder)
        time.sleep(0.02)


def balances(city: City) -> dict[str, int]:
    status, trial = city.call("GET", "/api/ledger/trial-balance", token=city.admin_token)
    assert status == 200
    assert trial["debits_posted"] == trial["credits_posted"]
    return {each["account_id"]: each["credits_posted"] - each["debits_posted"] for each in trial["balances"]}


def maas(city: City, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "services.cli.main", *words],
        cwd=ROOT,
        env=os.environ
        | {"MAAS_DATA": str(city.folder), "MAAS_PORT": city.url.rpartition(":")[2], "COLUMNS": "80"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_first_start_that_is_killed_again_and_again_is_finished_by_the_next(folder: Path) -> None:
    chance = random.Random(SEED)
    for _ in range(2):
        process = launch(folder, "--city")
        with suppress(subprocess.TimeoutExpired):
            process.wait(chance.uniform(0.5, 6))
        process.kill()
        process.wait()
    city = start_city(folder)
    try:
        assert maas(city, "demo").returncode == 0
    finally:
        city.stop()
    wait_none_left(folder)


@pytest.mark.parametrize(
    ("words", "moment", "number"),
    [
        (["--demo"], "Starting PostgreSQL", signal.SIGINT),
        (["--demo"], "Starting the services", signal.SIGTERM),
        (["--demo"], "Ordered and paid", signal.SIGINT),
        (["--demo"], "cancelled", signal.SIGHUP),
        ([], "Serving on", signal.SIGINT),
        ([], "Serving on", signal.SIGTERM),
    ],
)
def test_a_signal_at_any_moment_stops_everything_soon(
    words: list[str], moment: str, number: signal.Signals, folder: Path
) -> None:
    process = launch(folder, *words)
    wait_said(folder, process, moment)
    process.send_signal(number)
    started = time.monotonic()
    assert process.wait(STOP_S_MAX * 2) == 0, output_of(folder)
    assert time.monotonic() - started < STOP_S_MAX
    assert "Traceback" not in output_of(folder)
    # Who closed the terminal is told nothing.
    assert output_of(folder).rstrip().endswith("Stopping.") is (number != signal.SIGHUP)
    wait_none_left(folder)


def test_killed_while_it_serves_it_comes_back_with_all_it_had(folder: Path) -> None:
    city = start_city(folder)
    token = city.new_traveller()
    before = balances(city)
    assert before
    keys = json.loads((folder / "payment_stand_in" / "keys.json").read_text())
    city.process.kill()
    city.process.wait()
    again = start_city(folder)
    try:
        assert balances(again) == before
        assert json.loads((folder / "payment_stand_in" / "keys.json").read_text()) == keys
        assert again.call("GET", "/api/identity/me", token=token)[0] == 200
        played = maas(again, "demo")
        assert played.returncode == 0, played.stderr
        assert max(len(line) for line in played.stdout.splitlines() if "█" not in line) <= 80 + 60  # one path
        assert played.stdout.count("Ledger: debits") == 2
        assert maas(again, "check").returncode == 0
        planned = maas(again, "plan", "都庁前", "大島 元町")
        assert "→" in planned.stdout, planned.stderr
    finally:
        again.stop()
    wait_none_left(folder)


def test_a_house_without_its_city_says_how_to_get_one(folder: Path) -> None:
    process = launch(folder)
    try:
        wait_said(folder, process, "Serving on")
        url = output_of(folder).split("Serving on ")[1].split()[0]
        said = maas(City(url, folder, process), "demo")
        assert (said.returncode, "maas up --city" in said.stderr) == (1, True)
    finally:
        process.terminate()
        process.wait(STOP_S_MAX)
