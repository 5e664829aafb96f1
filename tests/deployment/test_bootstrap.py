"""What must hold before anything is installed."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

LOCKS = ROOT / "locks"


def read_lock(name: str) -> dict[str, list[str]]:
    """Hashes by `name==version ; marker`."""
    entries: dict[str, list[str]] = {}
    requirement = ""
    for line in (LOCKS / f"{name}.txt").read_text(encoding="ascii").splitlines():
        if line.startswith("    --hash="):
            entries[requirement].append(line.strip(" \\"))
        elif line and not line.startswith("#"):
            requirement = line.rstrip(" \\")
            entries[requirement] = []
    return entries


def names(requirements: list[str]) -> set[str]:
    found = (re.match(r"[A-Za-z0-9._-]+", each) for each in requirements)
    return {re.sub(r"[-_.]+", "-", match[0]).lower() for match in found if match}


def pyproject() -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project


@pytest.mark.parametrize("name", ["core", "test", "bootstrap"])
def test_every_locked_package_is_pinned_and_hashed_and_no_index_is_named(name: str) -> None:
    entries = read_lock(name)
    assert entries
    for requirement, hashes in entries.items():
        assert re.match(r"[a-z0-9-]+(\[[a-z0-9,-]+\])?==[0-9]", requirement), requirement
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", each) for each in hashes), requirement
        assert hashes, requirement
    assert "://" not in (LOCKS / f"{name}.txt").read_text(encoding="ascii")


def test_locks_hold_what_the_project_asks_for_and_tests_run_what_is_shipped() -> None:
    core, test = read_lock("core"), read_lock("test")
    assert names(pyproject()["dependencies"]) <= names(list(core))
    assert names(pyproject()["optional-dependencies"]["test"]) <= names(list(test))
    assert set(core) <= set(test), "the same versions of everything in core"


def test_each_dependency_has_its_reason() -> None:
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    told = {line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")}
    assert names(pyproject()["dependencies"]) <= told


def run_shell(*words: str, path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", ROOT / "bootstrap" / "environment.sh", *words],
        env={"PATH": str(path), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def make_program(folder: Path, name: str, script: str) -> None:
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)


@pytest.fixture
def bare_path(tmp_path: Path) -> Path:
    """A PATH with hardly more than a shell needs."""
    (tmp_path / "dirname").symlink_to("/usr/bin/dirname")
    return tmp_path


def test_a_machine_without_python_is_told_what_to_install(bare_path: Path) -> None:
    said = run_shell("core", path=bare_path)
    assert said.returncode == 1
    assert "apt-get install python3 python3-venv" in said.stderr


def test_an_old_python_is_passed_over(bare_path: Path) -> None:
    make_program(bare_path, "python3", "exit 1")
    said = run_shell("core", path=bare_path)
    assert said.returncode == 1
    assert "3.11" in said.stderr


def test_a_python_without_venv_is_told_what_to_install(bare_path: Path) -> None:
    make_program(bare_path, "python3", 'case "$2" in *ensurepip*) exit 1;; esac')
    said = run_shell("core", path=bare_path)
    assert said.returncode == 1
    assert said.stderr == "make: python3 has no venv module. Install it: apt-get install python3-venv\n"


def test_the_first_python_that_fits_is_taken(bare_path: Path) -> None:
    make_program(bare_path, "python3.11", "exit 1")
    make_program(bare_path, "python3.12", 'case "$1" in bootstrap/*) echo "took 3.12: $*";; esac')
    said = run_shell("test", path=bare_path)
    assert said.stdout == "took 3.12: bootstrap/environment.py test\n"


def test_the_shell_finds_this_python_and_its_words_are_checked() -> None:
    said = run_shell("everything", path=Path(os.environ["PATH"]), MAAS_PYTHON=sys.executable)
    assert said.returncode == 1
    assert said.stderr == "usage: environment.sh core|test|lock [upgrade]\n"


def test_make_alone_lists_the_targets_and_ci_calls_make_test() -> None:
    said = subprocess.run(["/usr/bin/env", "make", "-C", ROOT], capture_output=True, text=True, check=True)
    for target in ("run", "test", "tidy", "bench", "simulate", "lock", "clean"):
        assert re.search(rf"^  make {target} +\w", said.stdout, re.MULTILINE), target
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "set -euo pipefail" in script
    assert script.rstrip().endswith("exec make test")
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
