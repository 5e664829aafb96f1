"""Who runs the server: PostgreSQL refuses root, so root must become somebody else.

Problem   as root the server has to run as another user, who must reach both the programs and the data; a
          checkout under /root (mode 0700) hides both from everybody.
Idea      three ways, probed, not guessed: as ourselves (ordinary users); as `nobody` (root, where nobody
          can reach the paths); in a user namespace where we are called nobody (root, where only root can
          reach them; users without a name). The owner of an existing cluster decides.
"""

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from services.platform.embedded.errors import EmbeddedServerError

NOBODY = 65534  # the same number on every Linux; the name may be missing in a small container


class Way(StrEnum):
    """How the server's process gets its user."""

    OURSELVES = "ourselves"
    NOBODY = "nobody"
    NAMESPACE = "namespace"


@dataclass(frozen=True, kw_only=True)
class ServerUser:
    """Turns a command into one that PostgreSQL accepts from us."""

    way: Way

    @property
    def owner_uid(self) -> int:
        """Who owns the cluster's files on disk."""
        return NOBODY if self.way is Way.NOBODY else os.getuid()

    def command(self, command: Sequence[object]) -> list[str]:
        """The command line, wrapped where a user namespace is needed."""
        words = [str(word) for word in command]
        if self.way is not Way.NAMESPACE:
            return words
        return ["unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}", "--", *words]

    @property
    def popen_options(self) -> dict[str, Any]:
        """Options for subprocess: the user, a folder that everybody may enter, a clean environment."""
        options: dict[str, Any] = {"cwd": "/", "env": _clean_environment()}
        if self.way is Way.NOBODY:
            options |= {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        return options


def _clean_environment() -> dict[str, str]:
    """Ours without PG* (a stray PGDATA or PGPORT would steer the server) and in a fixed language."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}
    return kept | {"LANG": "C", "LC_ALL": "C", "TZ": "UTC"}


def _works(user: ServerUser, command: Sequence[object]) -> bool:
    try:
        done = subprocess.run(  # noqa: S603 - our own programs, probed as the user who will run them
            user.command(command), capture_output=True, check=False, timeout=60, **user.popen_options
        )
    except OSError:  # exec itself was refused: the program is hidden from that user
        return False
    return done.returncode == 0


def choose_user(*, program: Path, folder: Path, owner_uid: int | None) -> ServerUser:
    """The way to run `program` over `folder`; `owner_uid` is the owner of a cluster that exists already.

    Raises EmbeddedServerError `data_folder_other_owner` or `cannot_run_as_root`.
    """
    uid = os.getuid()
    allowed_owners = {None, uid, NOBODY} if uid == 0 else {None, uid}
    if owner_uid not in allowed_owners:
        raise EmbeddedServerError(
            code="data_folder_other_owner",
            message=f"The database in {folder} belongs to user {owner_uid}, and this is user {uid}.",
            cure="Start as the user who made it, or choose another folder with MAAS_DATA.",
        )
    if uid != 0:
        return _choose_for_ourselves(program)
    return _choose_for_root(program=program, folder=folder, owner_uid=owner_uid)


def _choose_for_ourselves(program: Path) -> ServerUser:
    ourselves, namespace = ServerUser(way=Way.OURSELVES), ServerUser(way=Way.NAMESPACE)
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        # initdb wants its user to have a name, and a container may run us under a bare number.
        return namespace if _works(namespace, [program, "--version"]) else ourselves
    return ourselves


def _choose_for_root(*, program: Path, folder: Path, owner_uid: int | None) -> ServerUser:
    nobody, namespace = ServerUser(way=Way.NOBODY), ServerUser(way=Way.NAMESPACE)
    # PostgreSQL wants to own its files, so an existing cluster leaves one way only.
    reachable = _works(nobody, [program, "--version"]) and _works(nobody, ["test", "-x", folder])
    if owner_uid in (None, NOBODY) and reachable:
        return nobody
    if owner_uid in (None, 0) and shutil.which("unshare") and _works(namespace, [program, "--version"]):
        return namespace
    raise EmbeddedServerError(
        code="cannot_run_as_root",
        message=f"PostgreSQL refuses to run as root, and user nobody cannot reach {program} and {folder}.",
        cure="Start as an ordinary user, or put the checkout and the data folder where every user may "
        "enter (not under /root), or set DATABASE_URL to a server of yours.",
    )
