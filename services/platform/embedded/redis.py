"""A real Redis of our own on the loopback address, for tests and runs of many processes.

Idea      the program reads its settings from standard input, so the password shows in no process list.
Invariant nothing of worth lives here: it keeps no file, and losing it loses no money, ticket or event.
"""

import secrets
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from services.platform.embedded.binaries import find_redis_server
from services.platform.embedded.errors import EmbeddedServerError
from services.platform.embedded.folder import ServerFolder
from services.platform.embedded.ports import LOOPBACK, is_free, pick_free_port, port_in_use_error

START_S_MAX = 30.0
STOP_S_MAX = 10.0
ATTEMPT_COUNT_MAX = 5


class EmbeddedRedis:
    """A Redis server over `data_folder`; `start()` returns its URL, `stop()` ends it."""

    def __init__(self, data_folder: Path, *, port: int | None = None, database_count: int = 16) -> None:
        self._folder = ServerFolder(data_folder)
        self._port_wanted = port
        self._database_count = database_count
        self._password = secrets.token_urlsafe(24)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start; `url` is `start()`'s answer."""
        self.url = self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    @property
    def pid(self) -> int:
        """The server's process, once started."""
        assert self._process is not None, "the server was started"
        return self._process.pid

    def start(self) -> str:
        """The server's URL once it answers. Raises EmbeddedServerError."""
        assert self._process is None, "a server is started once"
        self._folder.open(free_bytes_min=1_000_000)
        try:
            self._folder.save_settings({"kind": "redis"})
            port = self._start_on_free_port()
        except BaseException:
            self._folder.close()
            raise
        return f"redis://:{self._password}@{LOOPBACK}:{port}/0"

    def stop(self) -> None:
        """End the server; what it held is gone."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_S_MAX)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        self._folder.close()

    def _start_on_free_port(self) -> int:
        for _ in range(ATTEMPT_COUNT_MAX):
            port = self._port_wanted or pick_free_port()
            if not is_free(port):
                raise port_in_use_error(port)
            if self._launch(port):
                return port
        raise EmbeddedServerError(
            code="server_start_failed",
            message=f"redis-server did not start: {self._folder.read_log()[-600:]}",
            cure=f"Read {self._folder.log_path}.",
        )

    def _settings(self, port: int) -> str:
        lines = (
            f"bind {LOOPBACK}",
            f"port {port}",
            f"requirepass {self._password}",
            f"databases {self._database_count}",
            f"dir {self._folder.path}",
            'save ""',
            "appendonly no",
            "daemonize no",
        )
        return "\n".join(lines) + "\n"

    def _launch(self, port: int) -> bool:
        """Whether the server came up and answers with our password."""
        log_fd = self._folder.open_log()
        with open(log_fd, "ab") as log:  # noqa: PTH123 - a descriptor, not a path
            process = subprocess.Popen(  # noqa: S603 - the program found on this machine, settings are ours
                [find_redis_server(), "-"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        assert process.stdin is not None, "a pipe was asked for"
        with process.stdin as settings:
            settings.write(self._settings(port).encode())
        deadline = time.monotonic() + START_S_MAX
        while time.monotonic() < deadline and process.poll() is None:
            if self._answers(port):
                self._process = process
                return True
            time.sleep(0.02)
        process.kill()
        process.wait()
        return False

    def _answers(self, port: int) -> bool:
        try:
            with socket.create_connection((LOOPBACK, port), timeout=1.0) as connection:
                connection.sendall(f"AUTH {self._password}\r\nPING\r\n".encode())
                reply = b""
                while b"PONG" not in reply and (received := connection.recv(256)):
                    reply += received
                return reply.startswith(b"+OK") and b"+PONG" in reply
        except OSError:
            return False
