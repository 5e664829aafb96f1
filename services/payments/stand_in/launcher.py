"""Start the stand-in beside the house, and leave nothing behind.

Problem   The house may be killed at any moment; its next start must find the same provider with the same
          memory, keys and address, and no orphan that holds the port.
Idea      One folder keeps the port, the secrets, the memory and the process id. The stand-in ends by itself
          when its parent is gone; a start also ends what an earlier start left. Only a process whose command
          line names our folder is ever ended.
"""

import json
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from os import environ, getpid
from pathlib import Path

import psutil

from payments.errors import ProviderUnavailable
from services.payments.stand_in.__main__ import API_KEY_VARIABLE, WEBHOOK_SECRET_VARIABLE

START_S_MAX = 20.0
STOP_S_MAX = 5.0
PORT_S_MAX = 1.0
WEBHOOK_URL = "http://127.0.0.1:8080/api/payments/webhooks/stripe"


@dataclass(frozen=True, slots=True, kw_only=True)
class StandInProcess:
    """A running stand-in. `stop()` ends it; its memory stays."""

    url: str
    api_key: str
    webhook_secret: str
    pid: int
    stop: Callable[[], None]


def start(data_dir: Path, *, webhook_url: str = WEBHOOK_URL) -> StandInProcess:
    """Start the stand-in with its folder in `data_dir`. Raises ProviderUnavailable with the log's place."""
    folder = data_dir / "payment_stand_in"
    folder.mkdir(parents=True, exist_ok=True)
    end_earlier(folder)
    port, keys = _choose_port(folder), _keys(folder)
    process = _spawn(folder, port, keys, webhook_url)
    url = f"http://127.0.0.1:{port}"
    _write(folder / "pid", str(process.pid))
    _wait_until_up(process, url, folder)

    def stop() -> None:
        _end(psutil.Process(process.pid) if process.poll() is None else None)
        process.wait(timeout=STOP_S_MAX)
        (folder / "pid").unlink(missing_ok=True)

    return StandInProcess(
        url=url,
        api_key=keys["api_key"],
        webhook_secret=keys["webhook_secret"],
        pid=process.pid,
        stop=stop,
    )


def end_earlier(folder: Path) -> None:
    """End the stand-in that an earlier start left on this folder, if there is one."""
    try:
        process = psutil.Process(int((folder / "pid").read_text()))
        if str(folder / "book.sqlite3") in process.cmdline():
            _end(process)
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
        return


def _end(process: psutil.Process | None) -> None:
    if process is None:
        return
    try:
        process.terminate()
        process.wait(timeout=STOP_S_MAX)
    except psutil.TimeoutExpired:
        process.kill()
    except psutil.NoSuchProcess:
        return


def _choose_port(folder: Path) -> int:
    """The port of the last start, if it is or soon becomes free, else a free one; remembered."""
    place = folder / "port"
    remembered = place.read_text().strip() if place.exists() else ""
    if remembered.isdecimal():
        # A process that was killed a moment ago may hold its port a moment longer.
        give_up_at = time.monotonic() + PORT_S_MAX
        while time.monotonic() < give_up_at:
            if _find_free(int(remembered)) is not None:
                return int(remembered)
            time.sleep(0.05)
    port = _find_free(0)
    if port is None:
        raise ProviderUnavailable("No free TCP port on 127.0.0.1 for the payment provider's stand-in.")
    _write(place, str(port))
    return port


def _find_free(port: int) -> int | None:
    """The port if nobody listens on it (0: any free one), else None."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return None
        found: int = probe.getsockname()[1]
        return found


def _keys(folder: Path) -> dict[str, str]:
    place = folder / "keys.json"
    if not place.exists():
        fresh = {
            "api_key": "sk_test_" + secrets.token_hex(16),
            "webhook_secret": "whsec_" + secrets.token_hex(16),
        }
        _write(place, json.dumps(fresh), mode=0o600)
    keys: dict[str, str] = json.loads(place.read_text())
    return keys


def _write(place: Path, text: str, *, mode: int = 0o644) -> None:
    fresh = place.with_suffix(".new")
    fresh.touch(mode=mode)
    fresh.write_text(text)
    fresh.replace(place)


def _spawn(folder: Path, port: int, keys: dict[str, str], webhook_url: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "services.payments.stand_in", "--port", str(port)]
    command += ["--data", str(folder / "book.sqlite3"), "--parent-pid", str(getpid())]
    command += ["--webhook-url", webhook_url]
    secret = {API_KEY_VARIABLE: keys["api_key"], WEBHOOK_SECRET_VARIABLE: keys["webhook_secret"]}
    root = Path(__file__).parents[3]
    path = f"{root}:{environ['PYTHONPATH']}" if environ.get("PYTHONPATH") else str(root)
    with (folder / "log").open("ab") as log:
        # A session of its own: Ctrl-C in the terminal ends the house first, which then ends this.
        return subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**environ, **secret, "PYTHONPATH": path},
            start_new_session=True,
        )


def _wait_until_up(process: subprocess.Popen[bytes], url: str, folder: Path) -> None:
    give_up_at = time.monotonic() + START_S_MAX
    while time.monotonic() < give_up_at and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/", timeout=1.0):  # noqa: S310 - loopback, http
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise ProviderUnavailable(f"The payment provider's stand-in did not start; {folder / 'log'} tells why.")
