# ruff: noqa: T201, INP001, S603 - prints for a person; a script, no package; runs our own commands only
"""Make `.venv` hold exactly what a lock file says, and do nothing when it does already.

Problem   a newcomer has Python and nothing else; all must get the same bytes; a second `make` is instant.
Idea      locks carry a hash for every file. uv installs them in seconds; it is itself installed by pip from
          `locks/bootstrap.txt`, into a folder that is thrown away. Where uv cannot work (a mirror that only
          pip is told of), pip does the same from the same lock. A stamp in `.venv` names what it holds.
Not here  Finding a Python (environment.sh). This runs before any dependency exists: standard library only.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
LOCKS = ROOT / "locks"
PYTHON = VENV / "bin" / "python"
QUIET = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
COMPILE = ("--universal", "--python-version=3.11", "--generate-hashes", "--no-header", "--no-annotate")


def main() -> None:
    """`core` or `test` makes the environment; `lock` (with `upgrade`) writes the locks anew."""
    words = sys.argv[1:]
    if words[:1] not in (["core"], ["test"], ["lock"]):
        sys.exit("usage: environment.sh core|test|lock [upgrade]")
    if not os.access(ROOT, os.W_OK):
        sys.exit(f"make: {ROOT} belongs to somebody else. Work in a checkout of your own.")
    try:
        with alone():
            if words[0] == "lock":
                lock(upgrade="upgrade" in words)
            else:
                install(words[0])
    except PermissionError as error:
        sys.exit(f"make: cannot write {error.filename}. Work in a checkout that belongs to you.")
    except OSError as error:
        sys.exit(f"make: {error}. If the disk is full, free a gigabyte and run it again.")


@contextmanager
def alone() -> Iterator[None]:
    """Two makes at once take turns."""
    folder = os.open(ROOT / "bootstrap", os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


# -- installing


def install(kind: str) -> None:
    """Bring `.venv` to the lock of that kind. `test` holds all of `core`."""
    if is_stamped(kind) or (kind == "core" and is_stamped("test")):
        return
    started = time.monotonic()
    ensure_venv()
    for stamp in VENV.glob(".tsunagu-*"):
        stamp.unlink()
    with uv() as tool:
        for arguments in (
            ["--require-hashes", "-r", str(LOCKS / f"{kind}.txt")],
            ["--no-deps", "--no-build-isolation", "-e", str(ROOT)],
        ):
            install_with(tool, arguments)
    (VENV / f".tsunagu-{kind}").write_text(fingerprint(kind), encoding="ascii")
    print(f"Environment ({kind}) ready in {time.monotonic() - started:.0f} s.", flush=True)


def fingerprint(kind: str) -> str:
    """Changes whenever an installation would."""
    digest = hashlib.sha256(str(ROOT).encode())
    for path in (LOCKS / f"{kind}.txt", ROOT / "pyproject.toml"):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def is_stamped(kind: str) -> bool:
    """Whether `.venv` works and holds the lock of that kind."""
    stamp = VENV / f".tsunagu-{kind}"
    return stamp.exists() and stamp.read_text(encoding="ascii") == fingerprint(kind) and venv_works()


def venv_works() -> bool:
    """Whether the environment's Python starts: the system's may have been replaced beneath it."""
    try:
        said = subprocess.run([PYTHON, "-c", "pass"], capture_output=True, check=False)
    except OSError:
        return False
    return said.returncode == 0


def ensure_venv() -> None:
    """Make the environment, also over one that is broken."""
    if venv_works():
        return
    print(f"Making {VENV} with Python {sys.version.split()[0]}.", flush=True)
    shutil.rmtree(VENV, ignore_errors=True)
    made = subprocess.run([sys.executable, "-m", "venv", VENV], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        shutil.rmtree(VENV, ignore_errors=True)
        sys.exit(f"make: no environment could be made.\n{made.stdout}{made.stderr}")


@contextmanager
def uv() -> Iterator[Path | None]:
    """The pinned uv, for as long as the block runs; None where pip cannot get it."""
    with tempfile.TemporaryDirectory(prefix="tsunagu-uv-") as folder:
        arguments = ["--quiet", "--require-hashes", "-r", str(LOCKS / "bootstrap.txt"), "--target", folder]
        got = subprocess.run(
            [PYTHON, "-m", "pip", "install", *arguments], env=os.environ | QUIET, check=False
        )
        yield Path(folder) / "bin" / "uv" if got.returncode == 0 else None


def install_with(tool: Path | None, arguments: list[str]) -> None:
    """Install by uv, else by pip; both read the same lock."""
    if tool is not None:
        done = subprocess.run([tool, "pip", "install", "--python", PYTHON, *arguments], check=False)
        if done.returncode == 0:
            return
        print("uv could not install; pip tries the same.", flush=True)
    done = subprocess.run([PYTHON, "-m", "pip", "install", *arguments], env=os.environ | QUIET, check=False)
    if done.returncode != 0:
        sys.exit(
            "make: the packages could not be installed (see above). Check the network or the proxy; "
            "pip's own settings are used. Then run it again: it goes on where it stopped."
        )


# -- locking


def lock(*, upgrade: bool) -> None:
    """Write the locks anew; versions stay where they can, unless upgraded."""
    ensure_venv()
    with uv() as tool:
        if tool is None:
            sys.exit("make: uv could not be installed, and only uv writes the locks.")
        compile_lock(tool, "bootstrap", [str(LOCKS / "bootstrap.in")], upgrade=False)
        core = ["pyproject.toml", str(LOCKS / "core.in")]
        compile_lock(tool, "core", core, upgrade=upgrade)
        # The test lock takes the core lock's versions, so that tests run what is shipped.
        same = ["--constraint", str(LOCKS / "core.txt")]
        compile_lock(tool, "test", [*core, "--extra", "test", *same], upgrade=upgrade)


def compile_lock(tool: Path, name: str, sources: list[str], *, upgrade: bool) -> None:
    """Resolve `sources` into locks/<name>.txt with hashes, for every platform, naming no index."""
    command = [tool, "pip", "compile", "--quiet", *COMPILE, "--no-emit-index-url", *sources]
    command += ["--output-file", str(LOCKS / f"{name}.txt"), *(["--upgrade"] if upgrade else [])]
    if subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False).returncode != 0:
        sys.exit(f"make: locks/{name}.txt could not be resolved (see above).")
    print(f"locks/{name}.txt written.", flush=True)


if __name__ == "__main__":
    main()
