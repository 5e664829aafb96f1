"""The stand-in as a process: it survives kill -9, and its launcher leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psutil
import pytest

from services.payments.stand_in.launcher import StandInProcess, start


def call(process: StandInProcess, path: str, key: str | None = None, **fields: Any) -> Any:
    headers = {"Authorization": f"Bearer {process.api_key}"} | ({"Idempotency-Key": key} if key else {})
    body = urlencode(fields).encode() if fields else None
    request = urllib.request.Request(process.url + path, data=body, headers=headers)
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.loads(response.read())


def is_running(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def wait_until_gone(pid: int) -> None:
    give_up_at = time.monotonic() + 10
    while is_running(pid):
        assert time.monotonic() < give_up_at, "the process should have ended"
        time.sleep(0.05)


def test_memory_address_and_keys_survive_kill_9(tmp_path: Path) -> None:
    first = start(tmp_path)
    made = call(first, "/v1/payment_intents", key="k", amount=700, currency="jpy")
    os.kill(first.pid, signal.SIGKILL)
    second = start(tmp_path)
    try:
        assert (second.url, second.api_key) == (first.url, first.api_key)
        assert call(second, f"/v1/payment_intents/{made['id']}") == made
        assert call(second, "/v1/payment_intents", key="k", amount=700, currency="jpy") == made
        assert (tmp_path / "payment_stand_in" / "keys.json").stat().st_mode & 0o077 == 0
    finally:
        second.stop()
    assert not is_running(second.pid)
    first.stop()


def test_a_start_ends_what_an_earlier_start_left(tmp_path: Path) -> None:
    left = start(tmp_path)
    now = start(tmp_path)
    try:
        wait_until_gone(left.pid)
        assert call(now, "/v1/payment_intents")["data"] == []
    finally:
        now.stop()
        left.stop()


def test_it_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path\n"
        "from services.payments.stand_in.launcher import start\n"
        "print(start(Path(sys.argv[1])).pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert is_running(pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    wait_until_gone(pid)


def test_a_strangers_pid_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "payment_stand_in"
    folder.mkdir()
    (folder / "pid").write_text(str(os.getpid()))
    running = start(tmp_path)
    running.stop()
    with pytest.raises(urllib.error.URLError):
        call(running, "/")
