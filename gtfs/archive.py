"""A feed's files, out of a zip or a folder, without trusting either.

Problem   A zip may be a bomb, may be cut short, may name files outside itself; people also zip a folder.
Idea      Nothing is ever extracted: each wanted member is read into memory under limits checked twice, once
          on what the zip declares and once on the bytes that really come out.
Not here  What is in the files (csv_text.py, reader.py).
"""

import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from gtfs.errors import FeedUnreadable
from gtfs.notices import Notices, Severity

_ZIP_TROUBLES = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    RuntimeError,
    OSError,
    ValueError,
    OverflowError,
    MemoryError,
)
_ENCRYPTED_BIT = 0x1
_SUFFIXES = (".txt", ".geojson")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadLimits:
    """How much a feed may be. Beyond any of these it is refused, not read."""

    members_max: int = 500
    file_bytes_max: int = 2 * 2**30
    total_bytes_max: int = 4 * 2**30
    ratio_max: int = 300
    """Declared size over compressed size; timetables reach 60. Only asked of members above 1 MiB."""
    lost_trips_share_max: float = 0.5
    """A feed that lost more than this share of its trips to errors is refused."""


DEFAULT_LIMITS = ReadLimits()
RATIO_BYTES_MIN = 2**20


@dataclass(frozen=True, slots=True)
class Archive:
    """The text files of a feed by plain name. `read` may be called once the caller wants the bytes."""

    names: frozenset[str]
    read: Callable[[str], bytes | None]


@contextmanager
def open_archive(path: Path, limits: ReadLimits, notices: Notices) -> Iterator[Archive | None]:
    """The files of a zip or a folder; None, with a notice, if it cannot be used.

    Raises FeedUnreadable if there is no such file or folder, or we may not read it.
    """
    try:
        if path.is_dir():
            yield _open_folder(path, limits, notices)
            return
        handle = path.open("rb")
    except OSError as error:
        raise FeedUnreadable(f"{path}: {error.strerror}") from error
    with handle:
        if path.stat().st_size == 0:
            notices.add("empty_file", Severity.ERROR, "The file has 0 bytes; fetch it again.", file=path.name)
            yield None
            return
        try:
            opened = zipfile.ZipFile(handle)
        except _ZIP_TROUBLES as error:
            _refuse_zip(notices, path.name, error)
            yield None
            return
        with opened:
            yield _open_zip(opened, path.name, limits, notices)


def _refuse_zip(notices: Notices, name: str, error: BaseException) -> None:
    reason = str(error) or type(error).__name__
    message = f"This is no whole zip ({reason}); fetch it again, or give a folder of .txt files."
    notices.add("zip_unreadable", Severity.ERROR, message, file=name)


def _open_zip(opened: zipfile.ZipFile, name: str, limits: ReadLimits, notices: Notices) -> Archive | None:
    infos = [info for info in opened.infolist() if not info.is_dir()]
    if not _is_safe(infos, name, limits, notices):
        return None
    members = _plain_names([info.filename for info in infos])
    by_name = {info.filename: info for info in infos}

    def read(plain: str) -> bytes | None:
        return _read_member(opened, by_name[members[plain]], limits, notices)

    return Archive(frozenset(members), read)


def _is_safe(infos: list[zipfile.ZipInfo], name: str, limits: ReadLimits, notices: Notices) -> bool:
    if len(infos) > limits.members_max:
        message = f"{len(infos)} files; a feed has at most {limits.members_max}. Zip the feed's files only."
        notices.add("too_many_files", Severity.ERROR, message, file=name)
        return False
    if sum(info.file_size for info in infos) > limits.total_bytes_max:
        message = f"Unpacked it would pass {limits.total_bytes_max} bytes; split the feed."
        notices.add("too_large", Severity.ERROR, message, file=name)
        return False
    return all([_is_member_safe(info, limits, notices) for info in infos])  # noqa: C419 - note each one


def _is_member_safe(info: zipfile.ZipInfo, limits: ReadLimits, notices: Notices) -> bool:
    shown = ascii(info.filename)[1:-1][:80]
    parts = PurePosixPath(info.filename.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or ":" in info.filename:
        message = f"`{shown}` points outside the zip; zip the files by their plain names."
        notices.add("unsafe_file_name", Severity.ERROR, message, file=shown)
    elif info.flag_bits & _ENCRYPTED_BIT:
        notices.add("zip_encrypted", Severity.ERROR, "The zip has a password; zip it without.", file=shown)
    elif info.file_size > limits.file_bytes_max:
        message = f"{info.file_size} bytes, over the limit of {limits.file_bytes_max}; split the feed."
        notices.add("too_large", Severity.ERROR, message, file=shown)
    elif info.file_size > RATIO_BYTES_MIN and info.file_size > limits.ratio_max * max(1, info.compress_size):
        message = f"Unpacks to over {limits.ratio_max} times its size, as zip bombs do; zip it anew."
        notices.add("zip_bomb", Severity.ERROR, message, file=shown)
    else:
        return True
    return False


def _plain_names(filenames: list[str]) -> dict[str, str]:
    """Plain name -> name in the archive, for files at the top or all in one nested folder."""
    paths = [PurePosixPath(filename.replace("\\", "/")) for filename in filenames]
    kept = [
        (path, filename)
        for path, filename in zip(paths, filenames, strict=True)
        if path.suffix.lower() in _SUFFIXES and not path.name.startswith(".") and "__MACOSX" not in path.parts
    ]
    folders = {path.parent for path, _ in kept}
    depth_min = min((len(folder.parts) for folder in folders), default=0)
    shallow = [folder for folder in folders if len(folder.parts) == depth_min]
    if len(shallow) != 1:
        return {}
    return {path.name: filename for path, filename in kept if path.parent == shallow[0]}


def _read_member(
    opened: zipfile.ZipFile, info: zipfile.ZipInfo, limits: ReadLimits, notices: Notices
) -> bytes | None:
    """The member's bytes; None, with a notice, where the zip lied about it or is damaged."""
    bytes_max = min(limits.file_bytes_max, info.file_size)
    try:
        with opened.open(info) as stream:
            content = stream.read(bytes_max + 1)
    except _ZIP_TROUBLES as error:
        _refuse_zip(notices, info.filename, error)
        return None
    if len(content) > bytes_max:
        message = "Unpacks to more than it declares, as zip bombs do; zip it anew."
        notices.add("zip_bomb", Severity.ERROR, message, file=info.filename)
        return None
    return content


def _open_folder(path: Path, limits: ReadLimits, notices: Notices) -> Archive:
    def list_names(folder: Path) -> list[str]:
        return [entry.name for entry in folder.iterdir() if entry.suffix in _SUFFIXES and entry.is_file()]

    folder, names = path, list_names(path)
    if not names:
        nested = sorted(entry for entry in path.iterdir() if entry.is_dir() and not entry.is_symlink())
        if len(nested) == 1:
            folder, names = nested[0], list_names(nested[0])

    def read(name: str) -> bytes | None:
        size = (folder / name).stat().st_size
        if size > limits.file_bytes_max:
            message = f"{size} bytes, over the limit of {limits.file_bytes_max}; split the feed."
            notices.add("too_large", Severity.ERROR, message, file=name)
            return None
        try:
            return (folder / name).read_bytes()
        except OSError as error:
            raise FeedUnreadable(f"{folder / name}: {error.strerror}") from error

    return Archive(frozenset(names), read)
