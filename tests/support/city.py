"""The whole house with the demonstration city as its users have it: a process, spoken to over HTTP."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

ROOT = Path(__file__).parents[2]
START_S_MAX = 240


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class City:
    """A running `maas up --city`."""

    url: str
    folder: Path
    process: subprocess.Popen[bytes]

    def call(
        self, method: str, path: str, *, token: str = "", body: Any = None, key: str | None = None
    ) -> tuple[int, Any]:
        """Status and parsed body of a request."""
        request = urllib.request.Request(self.url + path, method=method)
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        if method != "GET":
            request.add_header("Idempotency-Key", key or uuid4().hex)
        data = None
        if body is not None:
            request.add_header("Content-Type", "application/json")
            data = json.dumps(body).encode()
        try:
            with urllib.request.urlopen(request, data=data, timeout=60) as response:
                return response.status, _parsed(response.read())
        except urllib.error.HTTPError as error:
            return error.code, _parsed(error.read())

    @property
    def admin_token(self) -> str:
        return (self.folder / "admin.token").read_text().strip()

    def new_traveller(self) -> str:
        """The token of a traveller who has just registered."""
        email, password = f"{uuid4().hex}@example.org", "correct horse battery"
        body = {"email": email, "password": password, "name": "花子", "locale": "ja"}
        status, answer = self.call("POST", "/api/identity/travellers", body=body)
        assert status == 201, answer
        _, token = self.call("POST", "/api/identity/tokens", body={"email": email, "password": password})
        return str(token["access_token"])

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return raw


def start_city(folder: Path, *options: str, **environment: str) -> City:
    """Start `maas up --city` on a free port and wait until it has its city."""
    port = free_port()
    environ = {
        **os.environ,
        "MAAS_DATA": str(folder),
        "MAAS_PORT": str(port),
        "MAAS_RATE_PER_S": "0",
        **environment,
    }
    output = folder.parent / f"{folder.name}.out"
    with output.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.cli.main", "up", "--city", *options],
            cwd=ROOT,
            env=environ,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    city = City(f"http://127.0.0.1:{port}", folder, process)
    deadline = time.monotonic() + START_S_MAX
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        if b"Serving on" in output.read_bytes():
            return city
        time.sleep(0.2)
    city.stop()
    raise AssertionError(f"the city did not start:\n{output.read_text()[-4000:]}")
