"""The data folder: ours, and used by one process at a time.

Problem   Someone points MAAS_DATA at a folder of another program, or starts twice.
Idea      A marker file says the folder is ours and of which layout; a lock file is held while we run.
"""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.cli.errors import CommandFailed

LAYOUT = "tsunagu data folder, layout 1\n"
_MARKER = "TSUNAGU"


def claim_folder(folder: Path) -> None:
    """Make the folder ours, or check that it is. Raises CommandFailed."""
    marker = folder / _MARKER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not marker.exists():
            if any(entry.name != f"{_MARKER}.new" for entry in folder.iterdir()):
                raise CommandFailed(
                    f"{folder} holds files that are not Tsunagu's. Set MAAS_DATA to an empty or new folder."
                )
            _write_marker(marker)
        layout = marker.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise _unusable(folder, error) from error
    if layout != LAYOUT:
        raise CommandFailed(
            f"{folder} was made by another version ({layout.strip()[:80]!r}). "
            "Start that version, or set MAAS_DATA to a new folder."
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise _unusable(folder, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def _write_marker(marker: Path) -> None:
    """Write it whole or not at all: a start may be killed here."""
    fresh = marker.with_name(f"{_MARKER}.new")
    fresh.write_text(LAYOUT, encoding="utf-8")
    fresh.replace(marker)


def _unusable(folder: Path, error: OSError) -> CommandFailed:
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            cure = "Free some space on that disk, or set MAAS_DATA to a folder elsewhere."
        case errno.EEXIST | errno.ENOTDIR:
            cure = "A file stands where the folder should be. Set MAAS_DATA to another path."
        case _:
            cure = "Start as the user who owns it, or set MAAS_DATA to a folder you may write."
    return CommandFailed(f"The data folder {folder} cannot be used: {error.strerror}. {cure}")


@contextmanager
def hold_folder(folder: Path, *, part: str = "house") -> Iterator[None]:
    """Keep a part of the folder (the whole house, or one service's) to ourselves while the block runs.

    Raises CommandFailed when another process has it.
    """
    try:
        handle = os.open(folder / f"lock.{part}", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise _unusable(folder, error) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CommandFailed(
                f"Tsunagu is already running on {folder}. Stop it with Ctrl-C there, "
                "or set MAAS_DATA to another folder."
            ) from error
        yield
    finally:
        os.close(handle)
