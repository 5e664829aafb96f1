"""What a benchmark's numbers belong to: the machine, the commit, and where the real data are."""

import os
import platform
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]


def describe_machine() -> dict[str, str | int]:
    """The facts without which a number means nothing."""
    return {
        "commit": _commit(),
        "cpus": os.cpu_count() or 0,
        "machine": platform.machine(),
        "python": platform.python_version(),
    }


def find_real_data() -> Path | None:
    """The folder of the real feeds, or None."""
    folder = Path(os.environ.get("MAAS_REAL_DATA", ROOT.parent / "shared" / "data")).resolve()
    return folder if folder.is_dir() else None


def _commit() -> str:
    git = shutil.which("git")
    if git is None:
        return "unknown"
    command = [git, "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "unknown"  # noqa: S603 - a fixed command
