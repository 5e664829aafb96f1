"""What the command says before anything is started: help, and each wrong word with its cure."""

import fcntl
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from unittest import mock

import asyncpg
import pytest
import typer
from typer.testing import CliRunner

from services.cli.errors import CommandFailed
from services.cli.folder import LAYOUT, claim_folder, hold_folder
from services.cli.verbs import app
from tests.conftest import ROOT
from tests.support.city import free_port
from tests.support.servers import run_in_thread

VERBS = (
    "up",
    "demo",
    "load",
    "live",
    "plan",
    "settle",
    "check",
    "shadow",
    "validate",
    "keys",
    "tides",
    "validator",
)
COMMAND: Any = typer.main.get_command(app)


def list_commands() -> dict[str, Any]:
    """Every command with its words, those of groups too."""
    found: dict[str, Any] = {}
    for name, command in COMMAND.commands.items():
        inner = getattr(command, "commands", {"": command})
        found |= {f"{name} {word}".strip(): each for word, each in inner.items()}
    return found


def list_examples(command: Any) -> list[str]:
    """The lines below `Examples:` without what explains them."""
    lines = (command.help or "").partition("Examples:")[2].splitlines()
    return [re.split(r"\s{2,}", line.strip())[0] for line in lines if line.strip().startswith("maas ")]


def maas(*words: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a person does, in a process of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MAAS_")}
    return subprocess.run(
        [sys.executable, "-m", "services.cli.main", *words],
        cwd=cwd,
        env=kept | {"PYTHONPATH": str(ROOT), "COLUMNS": "80"} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def refused(*words: str, **environment: str) -> str:
    """What a command that fails as it should tells: one line with a cure. In this process, for speed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MAAS_")}
    with (
        mock.patch.dict(os.environ, kept | environment, clear=True),
        pytest.raises(CommandFailed) as told,
    ):
        app(list(words))
    said = str(told.value)
    assert "\n" not in said
    return said


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "house"


# -- help


def test_alone_it_lists_every_verb() -> None:
    said = CliRunner().invoke(app, []).output
    listed = re.findall(r"^[│ ]*([a-z]+)  ", said, flags=re.MULTILINE)
    assert set(VERBS) <= set(listed)
    assert set(COMMAND.commands) == set(VERBS)


@pytest.mark.parametrize("words", sorted(list_commands()))
def test_every_verb_has_help_with_examples_that_its_own_parser_takes(words: str) -> None:
    command = list_commands()[words]
    assert CliRunner().invoke(app, [*words.split(), "--help"]).exit_code == 0
    examples = list_examples(command)
    assert examples, f"maas {words} --help shows no example"
    for example in examples:
        told = shlex.split(example.replace('"$PAYLOAD"', "payload").partition(" < ")[0])
        assert told[: 1 + len(words.split())] == ["maas", *words.split()], example
        # Parses and checks types, and runs nothing.
        with command.make_context(words, told[1 + len(words.split()) :]):
            pass


@pytest.mark.parametrize(
    ("words", "cure"),
    [
        (["upp"], "up"),
        (["plan", "都庁前"], "destination"),
        (["up", "--demmo"], "--demo"),
        (["plan", "a", "b", "--count", "many"], "--count"),
    ],
)
def test_a_wrong_word_is_answered_with_the_right_one(words: list[str], cure: str) -> None:
    said = CliRunner().invoke(app, words)
    assert said.exit_code == 2
    assert cure in said.output
    assert "--help" in said.output


# -- words and settings of `maas up`


def test_an_unknown_service_is_named_with_those_that_exist(folder: Path) -> None:
    said = refused("up", "leger", MAAS_DATA=str(folder))
    assert "leger" in said
    assert "ledger" in said
    assert not folder.exists()


@pytest.mark.parametrize(
    "words", [["up", "--once"], ["up", "planner", "--demo"], ["up", "planner", "--city"]]
)
def test_options_that_do_not_go_together_are_refused(words: list[str], folder: Path) -> None:
    assert "--demo" in refused(*words, MAAS_DATA=str(folder))
    assert not folder.exists()


@pytest.mark.parametrize("port", ["http", "-1", "70000", "80 80"])
def test_a_port_that_is_none_is_refused(port: str, folder: Path) -> None:
    assert "MAAS_PORT" in refused("up", MAAS_PORT=port, MAAS_DATA=str(folder))


def test_a_port_in_use_is_told_with_another(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = refused("up", MAAS_PORT=port, MAAS_DATA=str(folder))
    assert port in said
    assert "MAAS_PORT=" in said


def test_a_host_that_is_none_is_refused(folder: Path) -> None:
    said = refused("up", MAAS_HOST="no such host", MAAS_PORT=str(free_port()), MAAS_DATA=str(folder))
    assert "MAAS_HOST" in said


@pytest.mark.parametrize(
    "url",
    [
        "mysql://root@127.0.0.1/maas",
        "postgresql://maas:secret@127.0.0.1:1/maas",
        "postgresql://maas:secret@no-such-host.invalid/maas",
        "postgresql://[::1/maas",
        "not an address",
    ],
)
def test_a_database_that_is_not_there_is_told_without_its_password(url: str, folder: Path) -> None:
    said = refused("up", DATABASE_URL=url, MAAS_DATA=str(folder), MAAS_PORT=str(free_port()))
    assert "DATABASE_URL" in said
    assert "secret" not in said


def test_a_wrong_password_and_a_missing_database_are_told(database_url: str, folder: Path) -> None:
    port = str(free_port())
    absent = database_url.rpartition("/")[0] + "/nowhere"
    said = refused("up", DATABASE_URL=absent, MAAS_DATA=str(folder), MAAS_PORT=port)
    assert "nowhere" in said
    assert "DATABASE_URL" in said


@pytest.mark.parametrize(
    "url", ["redis://127.0.0.1:1/0", "http://127.0.0.1/", "redis://no-such-host.invalid/0"]
)
def test_a_redis_that_is_not_there_is_told(url: str, folder: Path) -> None:
    said = refused("up", REDIS_URL=url, MAAS_DATA=str(folder), MAAS_PORT=str(free_port()))
    assert "REDIS_URL" in said


# -- the data folder


def test_a_foreign_folder_is_left_alone(folder: Path) -> None:
    folder.mkdir()
    (folder / "holiday.jpg").write_bytes(b"x")
    assert "MAAS_DATA" in refused("up", MAAS_DATA=str(folder))
    assert [path.name for path in folder.iterdir()] == ["holiday.jpg"]


@pytest.mark.parametrize("layout", [b"tsunagu data folder, layout 2\n", b"", b"\xff\xfe\x00"])
def test_a_folder_of_another_layout_is_refused(layout: bytes, folder: Path) -> None:
    folder.mkdir()
    (folder / "TSUNAGU").write_bytes(layout)
    with pytest.raises(CommandFailed, match="another version"):
        claim_folder(folder)
    assert (folder / "TSUNAGU").read_bytes() == layout


def test_a_claim_that_was_cut_off_is_done_again(folder: Path) -> None:
    folder.mkdir()
    (folder / "TSUNAGU.new").write_text("tsuna")
    claim_folder(folder)
    assert (folder / "TSUNAGU").read_text() == LAYOUT
    claim_folder(folder)


def test_a_file_in_the_folders_place_is_told(folder: Path) -> None:
    folder.write_text("")
    assert "A file stands" in refused("up", MAAS_DATA=str(folder))
    assert "A file stands" in refused("up", MAAS_DATA=str(folder / "inner"))


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to become another user")
def test_a_folder_of_somebody_else_is_told(tmp_path: Path) -> None:
    def claim_as_nobody(path: Path) -> None:
        child = os.fork()
        if child == 0:
            os.setuid(65534)
            try:
                claim_folder(path)
                with hold_folder(path):
                    os._exit(0)
            except CommandFailed as error:
                os._exit(3 if "Start as the user who owns it" in str(error) else 4)
            except BaseException:  # noqa: BLE001 - the child may not come back into pytest
                os._exit(5)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3

    for place in (tmp_path, *list(tmp_path.parents)[:-2]):
        place.chmod(0o755)
    claim_as_nobody(tmp_path / "new")
    claim_folder(tmp_path / "ours")
    claim_as_nobody(tmp_path / "ours")


def test_a_second_start_on_the_same_folder_is_refused(folder: Path) -> None:
    claim_folder(folder)
    with hold_folder(folder):
        assert "already running" in refused("up", MAAS_DATA=str(folder), MAAS_PORT=str(free_port()))


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to mount a small file system")
@pytest.mark.parametrize("size", ["8k", "400m"])
def test_a_full_disk_is_named_wherever_it_fills_up(size: str, tmp_path: Path) -> None:
    """No room even for the marker; and too little for a database."""
    small = tmp_path / "small"
    small.mkdir()
    fill = "head -c 290M /dev/zero > small/filler; " if size == "400m" else ""
    script = (
        f"mount -t tmpfs -o size={size},mode=755 tmpfs small && {fill}"
        'MAAS_DATA="$PWD/small/house" exec "$0" -m services.cli.main up'
    )
    said = subprocess.run(
        ["/usr/bin/unshare", "--mount", "sh", "-c", script, sys.executable],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "MAAS_PORT": str(free_port())},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if "not permitted" in said.stderr or "permission denied" in said.stderr:
        pytest.skip("this machine lets nobody mount a small file system")
    assert said.returncode == 1, said
    assert "Traceback" not in said.stderr
    assert re.search(r"No room|No space", said.stderr), said.stderr
    assert "MAAS_DATA" in said.stderr or "Free some space" in said.stderr


# -- Ctrl-C before the house is started


def test_ctrl_c_while_the_command_is_loading_leaves_no_traceback(folder: Path) -> None:
    process = subprocess.Popen(
        # A test run in the background would hand its deafness for Ctrl-C on.
        ["/usr/bin/env", "--default-signal=INT", sys.executable, "-m", "services.cli.main", "up", "leger"],
        cwd=ROOT,
        env=os.environ | {"MAAS_DATA": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    # Half of the imports are done when this library is mapped.
    while "pydantic_core" not in Path(f"/proc/{process.pid}/maps").read_text(encoding="utf-8"):
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=20)
    assert (said, process.returncode) == ("", 130)


def test_a_failure_is_one_line_on_the_error_output(folder: Path) -> None:
    said = maas("up", "leger", MAAS_DATA=str(folder))
    assert (said.returncode, said.stdout, said.stderr.count("\n")) == (1, "", 1)
    assert said.stderr.startswith("maas: There is no service called leger.")


def test_a_folder_is_free_again_when_its_holder_is_gone(folder: Path) -> None:
    claim_folder(folder)
    with hold_folder(folder):
        pass
    handle = os.open(folder / "lock.house", os.O_RDWR)
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(handle)


# -- verbs that need a house


@pytest.mark.parametrize(
    "words",
    [
        ["plan", "都庁前", "大島"],
        ["demo"],
        ["load", "feed.zip"],
        ["settle"],
        ["keys", "rotate"],
    ],
)
def test_without_a_house_every_verb_says_how_to_start_one(words: list[str], folder: Path) -> None:
    folder.mkdir()
    (folder / "admin.token").write_text("token")
    said = refused(*words, MAAS_DATA=str(folder), MAAS_PORT=str(free_port()))
    assert "maas up" in said


def test_without_a_database_there_are_no_books_to_check(folder: Path) -> None:
    assert "MAAS_DATA" in refused("check", MAAS_DATA=str(folder))
    assert not folder.exists()
    said = refused("check", DATABASE_URL="postgresql://maas@127.0.0.1:1/maas", MAAS_DATA=str(folder))
    assert "DATABASE_URL" in said


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://127.0.0.1"])
def test_an_address_that_is_none_is_refused(url: str, folder: Path) -> None:
    folder.mkdir()
    (folder / "admin.token").write_text("token")
    for words in (["plan", "a", "b"], ["demo"], ["settle"], ["load", "x.zip"]):
        assert url in refused(*words, "--url", url, MAAS_DATA=str(folder))


async def _execute(url: str, sql: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


def test_books_that_are_not_there_or_of_another_version_are_told(database_url: str, folder: Path) -> None:
    told = {"DATABASE_URL": database_url, "MAAS_DATA": str(folder)}
    assert "no ledger yet" in refused("check", **told)
    run_in_thread(_execute(database_url, "create schema ledger; create table ledger.accounts (age integer)"))
    assert "another version" in refused("check", **told)
