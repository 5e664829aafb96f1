"""Runs over both kinds of programs: the system's PostgreSQL and the wheel's."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from services.platform.embedded.binaries import PostgresBinaries, find_binaries, list_binaries
from services.platform.embedded.errors import EmbeddedServerError
from services.platform.embedded.folder import ServerFolder
from services.platform.embedded.postgres import EmbeddedPostgres, find_running_url
from services.platform.embedded.run_as import NOBODY
from tests.conftest import ROOT
from tests.support.servers import run_in_thread

START_AND_STOP = """
import pathlib, sys
from services.platform.embedded.errors import EmbeddedServerError
from services.platform.embedded.postgres import EmbeddedPostgres
try:
    with EmbeddedPostgres(pathlib.Path(sys.argv[1]), durable=False, free_bytes_min=0) as server:
        print("serves")
except EmbeddedServerError as error:
    print(error.code)
"""

as_root = pytest.mark.skipif(os.getuid() != 0, reason="needs root to become other users")


def kinds() -> list[PostgresBinaries]:
    found = list_binaries()
    firsts = {binaries.origin: binaries for binaries in reversed(found)}
    return sorted(firsts.values(), key=lambda binaries: binaries.origin)


@pytest.fixture(params=kinds(), ids=lambda binaries: f"{binaries.origin}{binaries.major}")
def binaries(request: pytest.FixtureRequest) -> PostgresBinaries:
    return request.param


@pytest.fixture
def folder() -> Iterator[Path]:
    """pytest's own temporary folders are closed to other users; a server of nobody's must pass through."""
    path = Path(tempfile.mkdtemp(prefix="tsunagu-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def query(url: str, sql: str) -> object:
    async def ask() -> object:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return run_in_thread(ask())


def run(command: list[object], **options: Any) -> subprocess.CompletedProcess[str]:
    words = [str(word) for word in command]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, **options)


def wait_gone(pid: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            # A child of ours stays a zombie until it is waited for.
            if Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2][0] == "Z":
                return
        except FileNotFoundError:
            return
        time.sleep(0.02)
    raise AssertionError(f"process {pid} still runs")


def test_rows_survive_a_stop_a_kill_and_an_orphaned_server(folder: Path, binaries: PostgresBinaries) -> None:
    data = folder / "postgres"
    with EmbeddedPostgres(data, binaries=binaries) as first:
        query(first.url, "CREATE TABLE kept (n int)")
        query(first.url, "INSERT INTO kept VALUES (1)")
        assert query(first.url, "SELECT current_setting('fsync')") == "on"
        assert query(first.url, "SELECT current_setting('server_version_num')::int / 10000") == binaries.major

    second = EmbeddedPostgres(data, binaries=binaries)
    assert second.start() == first.url, "port and password are kept"
    query(first.url, "INSERT INTO kept VALUES (2)")
    os.kill(second.pid, signal.SIGKILL)
    wait_gone(second.pid)
    second.stop()

    # Our own death: the lock goes with us, the server stays.
    third = EmbeddedPostgres(data, binaries=binaries)
    assert query(third.start(), "SELECT sum(n) FROM kept") == 3
    orphan = third.pid
    third._folder.close()
    with EmbeddedPostgres(data, binaries=binaries) as fourth:
        assert fourth.pid == orphan
        assert find_running_url(data) == fourth.url
        assert query(fourth.url, "SELECT sum(n) FROM kept") == 3
    wait_gone(orphan)
    third._process.wait()
    assert find_running_url(data) is None


def test_a_first_start_killed_half_way_is_done_again(folder: Path, binaries: PostgresBinaries) -> None:
    data = folder / "postgres"
    script = textwrap.dedent(f"""
        import os, pathlib
        from services.platform.embedded import postgres
        postgres.sync_folder = lambda path: None
        rename = pathlib.Path.rename
        def die(self, target):
            os.kill(os.getpid(), 9)
        pathlib.Path.rename = die
        postgres.EmbeddedPostgres(
            pathlib.Path({str(data)!r}),
            binaries=postgres.PostgresBinaries(
                folder=pathlib.Path({str(binaries.folder)!r}), major={binaries.major}, origin="test"
            ),
        ).start()
    """)
    died = run([sys.executable, "-c", script])
    assert died.returncode == -signal.SIGKILL
    assert (data / "cluster.new").exists()
    assert not (data / "cluster").exists()
    with EmbeddedPostgres(data, binaries=binaries) as server:
        assert query(server.url, "SELECT 1") == 1
    assert not (data / "cluster.new").exists()


def test_an_initdb_that_outlived_its_killed_start_is_ended(folder: Path, binaries: PostgresBinaries) -> None:
    data = folder / "postgres"
    start = [sys.executable, "-c", START_AND_STOP, str(data)]
    killed = subprocess.Popen(start, cwd=ROOT, env=os.environ | {"MAAS_POSTGRES": binaries.origin})
    while not (data / "cluster.new" / "postgresql.conf").exists():  # written in initdb's first half
        assert killed.poll() is None
        time.sleep(0.002)
    killed.kill()
    killed.wait()
    with EmbeddedPostgres(data, binaries=binaries) as server:
        assert query(server.url, "SELECT 1") == 1
    time.sleep(0.2)
    assert not (data / "cluster.new").exists(), "nobody writes there any more"


def test_the_password_is_asked_for_and_its_file_is_ours_only(folder: Path) -> None:
    with EmbeddedPostgres(folder / "postgres") as server:
        parts = urlsplit(server.url)
        wrong = parts._replace(netloc=f"maas:guess@127.0.0.1:{parts.port}").geturl()
        with pytest.raises(asyncpg.InvalidPasswordError):
            query(wrong, "SELECT 1")
        assert parts.password not in " ".join(
            Path(f"/proc/{server.pid}/cmdline").read_text(encoding="utf-8").split("\0")
        )
    settings = folder / "postgres" / "settings.json"
    assert settings.stat().st_mode & 0o777 == 0o600


def test_a_second_server_over_the_same_folder_is_refused(folder: Path) -> None:
    with EmbeddedPostgres(folder / "postgres", durable=False) as server:
        with pytest.raises(EmbeddedServerError, match="Another process") as refused:
            EmbeddedPostgres(folder / "postgres", durable=False).start()
        assert refused.value.code == "data_folder_in_use"
        assert query(server.url, "SELECT 1") == 1


def test_a_remembered_port_that_somebody_took_is_replaced_and_a_wanted_one_is_refused(folder: Path) -> None:
    data = folder / "postgres"
    with EmbeddedPostgres(data, durable=False) as first:
        port = urlsplit(first.url).port
    assert port is not None
    with socket.create_server(("127.0.0.1", port)):
        with EmbeddedPostgres(data, durable=False) as second:
            assert urlsplit(second.url).port != port
            assert query(second.url, "SELECT 1") == 1
        with pytest.raises(EmbeddedServerError) as refused:
            EmbeddedPostgres(data, port=port, durable=False).start()
        assert refused.value.code == "port_in_use"


def test_a_port_lost_between_the_look_and_the_bind_is_tried_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = folder / "postgres"
    with EmbeddedPostgres(data, durable=False) as first:
        port = urlsplit(first.url).port
    with socket.create_server(("127.0.0.1", port or 0)):
        answers = iter([True])
        monkeypatch.setattr("services.platform.embedded.postgres.is_free", lambda _: next(answers, False))
        with EmbeddedPostgres(data, durable=False) as second:
            assert urlsplit(second.url).port != port


def test_a_stale_note_whose_pid_another_program_has_is_cleared(folder: Path) -> None:
    data = folder / "postgres"
    server = EmbeddedPostgres(data, durable=False)
    server.start()
    note = (data / "cluster" / "postmaster.pid").read_text(encoding="utf-8")
    pid = server.pid
    server.stop()
    (data / "cluster" / "postmaster.pid").write_text(
        note.replace(str(pid), str(os.getpid()), 1), encoding="utf-8"
    )
    with EmbeddedPostgres(data, durable=False) as again:
        assert query(again.url, "SELECT 1") == 1


@pytest.mark.parametrize("name", ["PG_VERSION", "holiday.jpg"])
def test_a_folder_with_others_files_is_left_alone(folder: Path, name: str) -> None:
    (folder / name).write_text("15\n", encoding="ascii")
    with pytest.raises(EmbeddedServerError) as refused:
        EmbeddedPostgres(folder).start()
    assert refused.value.code == "data_folder_foreign"
    assert [path.name for path in folder.iterdir()] == [name]


def test_a_cluster_finds_its_own_version_or_is_refused_with_the_cure(folder: Path) -> None:
    majors = sorted({binaries.major for binaries in list_binaries()})
    if len(majors) == 1:
        pytest.skip("MAAS_POSTGRES leaves one version only")
    old, new = find_binaries(majors[0]), find_binaries(majors[-1])
    with EmbeddedPostgres(folder / "postgres", binaries=old, durable=False):
        pass
    with EmbeddedPostgres(folder / "postgres", durable=False) as server:
        assert query(server.url, "SELECT current_setting('server_version_num')::int / 10000") == old.major
    with pytest.raises(EmbeddedServerError) as refused:
        EmbeddedPostgres(folder / "postgres", binaries=new, durable=False).start()
    assert refused.value.code == "data_folder_other_version"
    assert str(old.major) in str(refused.value)


def test_no_room_on_the_disk_is_said_before_anything_is_written(folder: Path) -> None:
    with pytest.raises(EmbeddedServerError) as refused:
        EmbeddedPostgres(folder / "postgres", free_bytes_min=1 << 60).start()
    assert refused.value.code == "disk_full"
    assert list((folder / "postgres").iterdir()) == []


@as_root
def test_a_disk_that_fills_up_during_the_first_start_is_named(folder: Path) -> None:
    (folder / "small").mkdir()
    mount = 'mount -t tmpfs -o size=20m,mode=755 tmpfs "$1" && exec "$2" -c "$3" "$1/postgres"'
    said = run(
        ["unshare", "--mount", "sh", "-c", mount, "sh", folder / "small", sys.executable, START_AND_STOP]
    )
    if "permission denied" in said.stderr.lower() or "not permitted" in said.stderr.lower():
        pytest.skip("this machine lets nobody mount a small file system")
    assert said.stdout.strip() == "disk_full", said.stderr


@as_root
def test_under_a_folder_that_only_root_may_enter(folder: Path, binaries: PostgresBinaries) -> None:
    """A checkout under /root: the programs and the data are both out of nobody's reach."""
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    try:
        with EmbeddedPostgres(closed / "postgres", binaries=binaries, durable=False) as server:
            assert query(server.url, "SELECT 1") == 1
            pid = server.pid
        wait_gone(pid)
        with EmbeddedPostgres(closed / "postgres", binaries=binaries, durable=False) as server:
            assert query(server.url, "SELECT 1") == 1
    except EmbeddedServerError as error:
        if error.code != "cannot_run_as_root":
            raise
        pytest.skip("this machine has no user namespaces")


@as_root
@pytest.mark.parametrize("user", [pytest.param(65534, id="named"), pytest.param(61234, id="nameless")])
def test_as_an_ordinary_user_and_never_over_anothers_database(folder: Path, user: int) -> None:
    (folder / "home").mkdir()
    os.chown(folder / "home", user, user)

    def run_as_user(path: Path) -> str:
        said = run(
            [sys.executable, "-c", START_AND_STOP, path],
            env=os.environ | {"HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
            user=user,
            group=user,
            extra_groups=[],
        )
        assert said.returncode == 0, said.stderr
        return said.stdout.strip()

    # Through a shell: where even Python is closed to that user, exec itself fails.
    if run(["sh", "-c", 'test -r pyproject.toml && exec "$0" -c ""', sys.executable], user=user).returncode:
        pytest.skip("the checkout or its Python is closed to ordinary users")
    assert run_as_user(folder / "home" / "postgres") == "serves"
    assert (folder / "home" / "postgres" / "cluster").stat().st_uid == user
    assert run_as_user(folder / "postgres") == "data_folder_not_writable"
    if user != NOBODY:  # root runs nobody's database as nobody
        with pytest.raises(EmbeddedServerError) as refused:
            EmbeddedPostgres(folder / "home" / "postgres", durable=False).start()
        assert refused.value.code == "data_folder_other_owner"


def test_a_long_log_is_set_aside_once(folder: Path) -> None:
    server_folder = ServerFolder(folder)
    server_folder.log_path.write_bytes(b"x" * 10_000_001)
    os.close(server_folder.open_log())
    assert server_folder.log_path.stat().st_size == 0
    assert (folder / "server.log.1").stat().st_size == 10_000_001


def test_programs_of_an_unknown_kind_or_version_are_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EmbeddedServerError) as refused:
        find_binaries(major=9)
    assert refused.value.code == "server_binaries_missing"
    monkeypatch.setenv("MAAS_POSTGRES", "borrowed")
    with pytest.raises(EmbeddedServerError, match="system or wheel"):
        list_binaries()
    monkeypatch.setenv("MAAS_POSTGRES", "wheel")
    assert {binaries.origin for binaries in list_binaries()} == {"wheel"}
