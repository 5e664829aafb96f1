"""The data folder: ours, and used by one process at a time.

Problem   Someone points MAAS_DATA at a folder of another program, or starts twice.
Idea      A marker file says the folder is ours and of which layout; a lock file is held while we run.
"""

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
            if any(folder.iterdir()):
                raise CommandFailed(
                    f"{folder} holds files that are not Tsunagu's. Set MAAS_DATA to an empty or new folder."
                )
            marker.write_text(LAYOUT)
    except OSError as error:
        raise CommandFailed(
            f"The data folder {folder} cannot be written: {error.strerror}. "
            "Free some disk space or set MAAS_DATA to a folder you may write."
        ) from error
    if marker.read_text() != LAYOUT:
        raise CommandFailed(
            f"{folder} was made by another version ({marker.read_text().strip()!r}). "
            "Start that version, or set MAAS_DATA to a new folder."
        )


@contextmanager
def hold_folder(folder: Path, *, part: str = "house") -> Iterator[None]:
    """Keep a part of the folder (the whole house, or one service's) to ourselves while the block runs.

    Raises CommandFailed when another process has it.
    """
    handle = os.open(folder / f"lock.{part}", os.O_RDWR | os.O_CREAT, 0o600)
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
