"""A real PostgreSQL of our own in a folder: nothing to install, nothing shared, nothing lost.

Problem   a newcomer has no database server, maybe root, maybe not; processes get killed at any moment.
Idea      run `initdb` once and `postgres` directly. TCP on 127.0.0.1 with a generated password and no
          Unix socket (whose path has a length limit and needs a folder both users reach). The server's own
          `postmaster.pid` says when it is ready. A first start works in `cluster.new` and renames at the
          end, so a cluster that exists is whole.
Invariant a committed row survives kill -9 of the server, of us, or of both; one process at a time owns the
          folder; a server orphaned by our death is adopted by the next start.
Not here  who runs it (run_as.py), which programs (binaries.py), the folder's rules (folder.py).
"""

import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from services.platform.embedded.binaries import PostgresBinaries, find_binaries
from services.platform.embedded.errors import EmbeddedServerError, disk_full_error
from services.platform.embedded.folder import ServerFolder, sync_folder
from services.platform.embedded.ports import LOOPBACK, is_free, pick_free_port, port_in_use_error
from services.platform.embedded.run_as import ServerUser, choose_user

SUPERUSER = "maas"
DATABASE = "maas"
FREE_BYTES_MIN = 300_000_000  # a new cluster is 40 MB, its first write-ahead log 64 MB and more soon
START_S_MAX = 120.0  # recovery after kill -9 takes seconds; a loaded machine is given time
STOP_S_MAX = 60.0
ATTEMPT_COUNT_MAX = 40  # a quarter of a second each: what an orphaned backend needs to notice and go

SERVER_OPTIONS: Mapping[str, str] = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",
    # After a checkpoint the first change of each page writes the whole page. Where indexes of a large table
    # are written at random, a checkpoint every gigabyte would make that the rule and not the exception: a
    # ledger of twenty million rows has a gigabyte of images, which the transfers of one cycle share.
    "max_wal_size": "8GB",
    "checkpoint_timeout": "15min",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Statements and details carry people's data; the log keeps the message only.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
    "jit": "off",
}


@dataclass(frozen=True, kw_only=True)
class PidFile:
    """What `postmaster.pid` says: the process, its port, and whether it is `ready`."""

    pid: int
    port: int
    status: str


def find_pid_file(cluster: Path) -> PidFile | None:
    """The server's own note, or None if there is none or it is still being written."""
    try:
        lines = (cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        return PidFile(pid=int(lines[0]), port=int(lines[3]), status=lines[7].strip())
    except (FileNotFoundError, IndexError, ValueError):
        return None


def is_postmaster_of(pid: int, cluster: Path) -> bool:
    """Whether that process is a PostgreSQL over this cluster: pids are reused, a pid alone says little."""
    try:
        process = psutil.Process(pid)
        alive = process.status() != psutil.STATUS_ZOMBIE
        return alive and process.name() == "postgres" and Path(process.cwd()).samefile(cluster)
    except (psutil.Error, FileNotFoundError):
        # Not there, or another user's: ours would run as us or, for root, be visible.
        return False


def end_processes_on(cluster: Path) -> None:
    """Kill PostgreSQL's programs that were started over this folder; whatever they write is thrown away."""
    found = [
        process
        for process in psutil.process_iter(["name", "cmdline"])
        if process.info["name"] in ("initdb", "postgres") and str(cluster) in (process.info["cmdline"] or [])
    ]
    for process in found:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(found, timeout=STOP_S_MAX)


def find_running_url(data_folder: Path) -> str | None:
    """The address of the server that another process of ours runs in this folder; None if none does."""
    folder = ServerFolder(data_folder)
    settings, found = folder.find_settings(), find_pid_file(folder.path / "cluster")
    if settings is None or found is None or found.status != "ready":
        return None
    if not is_postmaster_of(found.pid, folder.path / "cluster"):
        return None
    return _url(password=settings["password"], port=found.port)


def _url(*, password: str, port: int) -> str:
    return f"postgresql://{SUPERUSER}:{password}@{LOOPBACK}:{port}/{DATABASE}"


def _shared_buffers_mb() -> int:
    """A quarter of the memory, as PostgreSQL advises, up to 4 GB; what is not used is not taken."""
    return max(128, min(4096, psutil.virtual_memory().total // 2**20 // 4))


class EmbeddedPostgres:
    """A PostgreSQL server over `data_folder`; `start()` returns its URL, `stop()` ends it cleanly.

    `port=None` takes a free one and keeps it between starts. `durable=False` (tests only) trades the
    promise of surviving a power cut, and the password, for speed.
    """

    def __init__(
        self,
        data_folder: Path,
        *,
        binaries: PostgresBinaries | None = None,
        port: int | None = None,
        durable: bool = True,
        free_bytes_min: int = FREE_BYTES_MIN,
    ) -> None:
        self._folder = ServerFolder(data_folder)
        self._cluster = self._folder.path / "cluster"
        self._binaries = binaries
        self._port_wanted = port
        self._durable = durable
        self._free_bytes_min = free_bytes_min
        self._pid: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The server's process, once started."""
        assert self._pid is not None, "the server was started"
        return self._pid

    def __enter__(self) -> Self:
        """Start; `url` is `start()`'s answer for those who need it."""
        self.url = self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    def start(self) -> str:
        """The server's URL once it answers. Raises EmbeddedServerError, each code with its cure."""
        assert self._pid is None, "a server is started once"
        self._folder.open(free_bytes_min=self._free_bytes_min)
        try:
            settings = self._open_settings()
            port = self._find_orphan() or self._start_new(settings)
            if port != settings["port"]:
                self._folder.save_settings(settings | {"port": port})
        except BaseException:
            self.stop()
            raise
        return _url(password=settings["password"], port=port)

    def stop(self) -> None:
        """End the server cleanly; sessions are cut and what they had not committed is rolled back."""
        if self._pid is not None:
            self._end(self._pid)
            self._pid = self._process = None
        self._folder.close()

    # -- the folder

    def _open_settings(self) -> dict[str, Any]:
        settings = self._folder.find_settings()
        if settings is None:
            settings = {"port": self._port_wanted or pick_free_port(), "password": secrets.token_urlsafe(24)}
            # Before the cluster, so that a cluster never exists whose password nobody knows.
            self._folder.save_settings(settings)
        if not self._cluster.exists():
            self._initialise(settings["password"])
        return settings

    def _matching_binaries(self) -> PostgresBinaries:
        """Programs of the cluster's own major version: PostgreSQL never opens another's files."""
        try:
            major = int((self._cluster / "PG_VERSION").read_text(encoding="ascii"))
        except FileNotFoundError:
            return self._binaries or find_binaries()
        if self._binaries is not None and self._binaries.major == major:
            return self._binaries
        try:
            if self._binaries is None:
                return find_binaries(major)
        except EmbeddedServerError as error:
            raise self._other_version(major) from error
        raise self._other_version(major)

    def _other_version(self, major: int) -> EmbeddedServerError:
        return EmbeddedServerError(
            code="data_folder_other_version",
            message=f"The database in {self._folder.path} was made by PostgreSQL {major}, which is not here.",
            cure=f"Install PostgreSQL {major} (or unset MAAS_POSTGRES), or choose another folder with "
            "MAAS_DATA; nothing was changed.",
        )

    def _user(self, binaries: PostgresBinaries) -> ServerUser:
        owner_uid = self._cluster.stat().st_uid if self._cluster.exists() else None
        return choose_user(program=binaries.postgres, folder=self._folder.path, owner_uid=owner_uid)

    # -- first start

    def _initialise(self, password: str) -> None:
        binaries = self._matching_binaries()
        user = self._user(binaries)
        new, password_file = self._folder.path / "cluster.new", self._folder.path / "new-password"
        end_processes_on(new)  # of a first start that was killed: its initdb goes on without it
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        password_file.touch(mode=0o600)
        password_file.write_text(password, encoding="ascii")
        for path in (new, password_file):
            os.chown(path, user.owner_uid, -1)
        try:
            self._run(user, self._initdb_command(binaries, new, password_file))
        finally:
            password_file.unlink()
        # Single-user mode: no port is open before the password is asked for.
        single = [binaries.postgres, "--single", "-D", new, *self._options(), "template1"]
        self._run(user, single, stdin=f"CREATE DATABASE {DATABASE} TEMPLATE template0;\n")
        new.rename(self._cluster)
        sync_folder(self._folder.path)

    def _initdb_command(self, binaries: PostgresBinaries, new: Path, password_file: Path) -> list[object]:
        # The C locale sorts by bytes, alike in every build; people's languages are sorted in Python.
        command: list[object] = [binaries.initdb, "-D", new, "-U", SUPERUSER, "--encoding=UTF8", "--locale=C"]
        command += [f"--auth={'scram-sha-256' if self._durable else 'trust'}", f"--pwfile={password_file}"]
        return command if self._durable else [*command, "--no-sync"]

    def _run(self, user: ServerUser, command: list[object], stdin: str = "") -> None:
        done = subprocess.run(  # noqa: S603 - PostgreSQL's own programs with our own paths
            user.command(command),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            **user.popen_options,
        )
        if done.returncode != 0:
            raise self._failure(done.stderr)

    # -- every start

    def _options(self) -> list[str]:
        options = dict(SERVER_OPTIONS)
        if self._durable:
            options["shared_buffers"] = f"{_shared_buffers_mb()}MB"
        else:
            options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        return [word for name, value in options.items() for word in ("-c", f"{name}={value}")]

    def _find_orphan(self) -> int | None:
        """Adopt the server that outlived its owner, and return its port; clear away a dead one's note."""
        pid_file = self._cluster / "postmaster.pid"
        if not pid_file.exists():
            return None
        found = find_pid_file(self._cluster)
        if found is None or not is_postmaster_of(found.pid, self._cluster):
            # PostgreSQL would refuse if an unrelated process had got the dead server's pid.
            pid_file.unlink(missing_ok=True)
            return None
        self._pid = found.pid
        self._await_ready(found.pid, log_mark=self._folder.log_size())
        return found.port

    def _start_new(self, settings: Mapping[str, Any]) -> int:
        binaries = self._matching_binaries()
        user = self._user(binaries)
        log_mark = self._folder.log_size()
        for _ in range(ATTEMPT_COUNT_MAX):
            port = self._choose_port(int(settings["port"]))
            self._launch(binaries, user, port)
            try:
                self._await_ready(self.pid, log_mark=log_mark)
            except EmbeddedServerError as error:
                self._pid = self._process = None
                if error.code not in ("port_in_use", "server_still_ending"):
                    raise
                time.sleep(0.25)
            else:
                return port
        raise self._failure(self._folder.read_log(since=log_mark))

    def _choose_port(self, remembered: int) -> int:
        if self._port_wanted is not None:
            if not is_free(self._port_wanted):
                raise port_in_use_error(self._port_wanted)
            return self._port_wanted
        return remembered if is_free(remembered) else pick_free_port()

    def _launch(self, binaries: PostgresBinaries, user: ServerUser, port: int) -> None:
        command = [binaries.postgres, "-D", self._cluster, "-p", port, *self._options()]
        log_fd = self._folder.open_log()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - PostgreSQL's own program with our own paths
                user.command(command),
                stdin=subprocess.DEVNULL,
                stdout=log_fd,
                stderr=log_fd,
                # Ctrl-C in the terminal is for us; the server goes when we have finished with it.
                start_new_session=True,
                **user.popen_options,
            )
        finally:
            os.close(log_fd)
        self._pid = self._process.pid

    def _await_ready(self, pid: int, *, log_mark: int) -> None:
        deadline = time.monotonic() + START_S_MAX
        while time.monotonic() < deadline:
            found = find_pid_file(self._cluster)
            if found is not None and found.pid == pid and found.status == "ready":
                return
            if self._has_ended(pid):
                raise self._failure(self._folder.read_log(since=log_mark))
            time.sleep(0.02)
        self._end(pid)
        raise self._failure(f"not ready after {START_S_MAX:.0f} s: {self._folder.read_log(since=log_mark)}")

    def _has_ended(self, pid: int) -> bool:
        if self._process is not None:
            return self._process.poll() is not None
        return not is_postmaster_of(pid, self._cluster)

    def _end(self, pid: int) -> None:
        """Fast shutdown; a server that does not follow is stopped at once and recovers at its next start."""
        for signal_number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.kill(pid, signal_number)
            deadline = time.monotonic() + STOP_S_MAX
            while time.monotonic() < deadline:
                if self._has_ended(pid):
                    return
                time.sleep(0.02)
        raise EmbeddedServerError(
            code="server_stop_failed",
            message=f"PostgreSQL (process {pid}) does not end.",
            cure="The disk may be stuck: look at the kernel's log.",
        )

    def _failure(self, said: str) -> EmbeddedServerError:
        """Name what the server said in terms of a cure."""
        if "No space left on device" in said or "Disk quota exceeded" in said:
            return disk_full_error(folder=self._folder.path, detail="the server could not write")
        if "could not bind" in said:
            return port_in_use_error("chosen for PostgreSQL")
        code = "server_start_failed"
        if "is still in use" in said:  # an orphaned backend of a killed server holds the shared memory
            code = "server_still_ending"
        return EmbeddedServerError(
            code=code,
            message=f"PostgreSQL did not start: {said.strip()[-600:]}",
            cure=f"Read {self._folder.log_path}.",
        )
