"""The folder of an embedded server: whose it is, what is remembered in it, and one user at a time.

Layout    settings.json   port and password, mode 0600; its presence marks the folder as ours
          lock            held (flock) by the process that runs the server
          cluster/        PostgreSQL's own files; cluster.new/ is a first start that did not finish
          server.log      what the server said; server.log.1 is the one before
"""

import fcntl
import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from services.platform.embedded.errors import EmbeddedServerError, disk_full_error

SETTINGS, LOCK = "settings.json", "lock"
OUR_NAMES = {SETTINGS, f"{SETTINGS}.new", LOCK, "cluster.new", "server.log", "server.log.1", "new-password"}
LOG_BYTES_MAX = 10_000_000


class ServerFolder:
    """One server's folder. `open()` makes it ours for the life of the process or until `close()`."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock_fd: int | None = None

    @property
    def log_path(self) -> Path:
        """Where the server's own words go."""
        return self.path / "server.log"

    def open(self, *, free_bytes_min: int) -> None:
        """Make or adopt the folder and lock it.

        Raises EmbeddedServerError `data_folder_not_writable`, `data_folder_foreign`,
        `data_folder_in_use` or `disk_full`.
        """
        try:
            # Others may pass through (the server may run as nobody), not look around.
            self.path.mkdir(mode=0o711, parents=True, exist_ok=True)
        except OSError as error:
            raise self._not_writable(error) from error
        self._check_ours()
        free_bytes = shutil.disk_usage(self.path).free
        if free_bytes < free_bytes_min:
            raise disk_full_error(
                folder=self.path, detail=f"{free_bytes} bytes free, {free_bytes_min} needed"
            )
        self._lock()

    def close(self) -> None:
        """Let another process have the folder."""
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None

    def _check_ours(self) -> None:
        names = {path.name for path in self.path.iterdir()}
        if SETTINGS in names or names <= OUR_NAMES:
            return
        raise EmbeddedServerError(
            code="data_folder_foreign",
            message=f"{self.path} holds files that we did not put there ({', '.join(sorted(names)[:3])}...).",
            cure="Choose an empty or new folder with MAAS_DATA; nothing was changed in this one.",
        )

    def _lock(self) -> None:
        try:
            lock_fd = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise self._not_writable(error) from error
        try:
            fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(lock_fd)
            raise EmbeddedServerError(
                code="data_folder_in_use",
                message=f"Another process runs the server in {self.path}.",
                cure="Stop it first, choose another folder with MAAS_DATA, or share its server by "
                "DATABASE_URL.",
            ) from error
        self._lock_fd = lock_fd

    def _not_writable(self, error: OSError) -> EmbeddedServerError:
        return EmbeddedServerError(
            code="data_folder_not_writable",
            message=f"Cannot write in {self.path}: {error.strerror}.",
            cure="Give this user the folder, or choose another with MAAS_DATA.",
        )

    def find_settings(self) -> dict[str, Any] | None:
        """What was remembered, or None before the first start."""
        try:
            text = (self.path / SETTINGS).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        settings: dict[str, Any] = json.loads(text)
        return settings

    def save_settings(self, settings: Mapping[str, Any]) -> None:
        """Remember, all or nothing, readable by us only."""
        write_durably(self.path / SETTINGS, json.dumps(dict(settings)))

    def open_log(self) -> int:
        """A descriptor to append the server's output to; a log grown too long is set aside once."""
        with suppress(FileNotFoundError):
            if self.log_path.stat().st_size > LOG_BYTES_MAX:
                self.log_path.replace(self.log_path.with_suffix(".log.1"))
        return os.open(self.log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def log_size(self) -> int:
        """Bytes in the log now: a mark to read from later."""
        return self.log_path.stat().st_size if self.log_path.exists() else 0

    def read_log(self, *, since: int = 0) -> str:
        """What the server said after `since` bytes, the last 4 kB of it at most."""
        said = self.log_path.read_bytes()[since:] if self.log_path.exists() else b""
        return said[-4096:].decode("utf-8", errors="replace")


def write_durably(path: Path, text: str) -> None:
    """Write a secret file: whole or not at all even through a power cut, mode 0600."""
    new = path.with_name(f"{path.name}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise disk_full_error(folder=path.parent, detail=str(error.strerror)) from error


def sync_folder(path: Path) -> None:
    """Make renames in the folder survive a power cut."""
    folder_fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder_fd)
    finally:
        os.close(folder_fd)
