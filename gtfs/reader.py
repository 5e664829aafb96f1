"""A zip or a folder -> a Feed and everything we noticed.

Problem   Feeds are made by many hands; a reader that stops at the first fault is useless, and one that
          repairs in silence is dangerous.
Idea      Four steps, each noting what it meets: bytes (archive.py), text (csv_text.py), values (values.py,
          stop_order.py), sense (rules/). What is wrong is left out only where the rest stays true: a trip
          may be lost, but never made up. Where that cannot be promised, there is no feed.
Invariant Whatever the bytes are: no exception, and every table of the Feed keeps tables.py's promise.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from gtfs import geojson
from gtfs.archive import DEFAULT_LIMITS, ReadLimits, open_archive
from gtfs.csv_text import read_columns
from gtfs.notices import Notices, Severity
from gtfs.rules import judge
from gtfs.stop_order import fill_times, order_stop_times
from gtfs.tables import DTYPES, TABLES, Feed, TableSpec, Zone
from gtfs.values import convert_columns

__all__ = ["FileRead", "ReadLimits", "Reading", "read_contents", "read_feed"]

# A file of these that cannot be read whole makes the feed unusable: without it trips would run on wrong
# days or at wrong times. Any other file is left out as a whole.
_VITAL = frozenset(
    {"agency", "stops", "routes", "trips", "stop_times", "calendar", "calendar_dates", "frequencies"}
)
# A lost row here may hide that a trip does not run; the rows of every other table only add something.
_NO_ROW_MAY_BE_LOST = frozenset({"calendar_dates", "frequencies"})


@dataclass(frozen=True, slots=True)
class FileRead:
    """One file we read: its name, its rows, its bytes."""

    name: str
    row_count: int
    byte_count: int


@dataclass(frozen=True, slots=True)
class Reading:
    """What came of reading: `feed` is None if it cannot be used; the notices say why."""

    feed: Feed | None
    notices: Notices
    files: tuple[FileRead, ...]


class _Unusable(Exception):
    """The feed cannot be used; the notice is already written."""


def read_feed(path: Path, *, feed_id: str | None = None, limits: ReadLimits = DEFAULT_LIMITS) -> Reading:
    """Read and judge a zip or a folder. `feed_id` defaults to the file's name without its ending.

    Raises FeedUnreadable only if the path is no file or folder we may read.
    """
    notices = Notices()
    with open_archive(path, limits, notices) as archive:
        if archive is None:
            return Reading(None, notices, ())
        name = feed_id if feed_id is not None else path.stem.replace(":", "_")
        return _read(archive.names, archive.read, feed_id=name, notices=notices, limits=limits)


def read_contents(
    contents: dict[str, bytes], *, feed_id: str, limits: ReadLimits = DEFAULT_LIMITS
) -> Reading:
    """Read and judge files given by name, as `read_feed` does."""
    return _read(contents.keys(), contents.get, feed_id=feed_id, notices=Notices(), limits=limits)


def _read(
    names: Iterable[str],
    read: Callable[[str], bytes | None],
    *,
    feed_id: str,
    notices: Notices,
    limits: ReadLimits,
) -> Reading:
    files: list[FileRead] = []
    try:
        feed = _read_tables(frozenset(names), read, feed_id=feed_id, notices=notices, files=files)
        trip_count = feed["trips"].height
        feed = judge(feed, notices)
        _check_usable(feed, trip_count, limits, notices)
    except _Unusable:
        return Reading(None, notices, tuple(files))
    return Reading(feed, notices, tuple(files))


def _read_tables(
    names: frozenset[str],
    read: Callable[[str], bytes | None],
    *,
    feed_id: str,
    notices: Notices,
    files: list[FileRead],
) -> Feed:
    assert ":" not in feed_id, "public ids are `feed:id`, so a feed id has no colon"
    _check_files(names, notices)
    tables: dict[str, pl.DataFrame] = {}
    for spec in TABLES:
        content = read(spec.file) if spec.file in names else None
        if content is None and spec.file in names:
            raise _Unusable
        table = None if content is None else _read_table(content, spec, notices)
        if table is not None and content is not None:
            files.append(FileRead(spec.file, table.height, len(content)))
        tables[spec.name] = table if table is not None else _empty_table(spec)
    zones: tuple[Zone, ...] = ()
    if geojson.FILE in names and (content := read(geojson.FILE)) is not None:
        zones = geojson.read_zones(content, notices)
        files.append(FileRead(geojson.FILE, len(zones), len(content)))
    tables["stop_times"] = fill_times(order_stop_times(tables["stop_times"]), notices)
    return Feed(feed_id, tables, zones)


def _check_files(names: frozenset[str], notices: Notices) -> None:
    missing = [spec.file for spec in TABLES if spec.required and spec.file not in names]
    if not {"calendar.txt", "calendar_dates.txt"} & names:
        missing.append("calendar.txt")
    if not {"stops.txt", geojson.FILE} & names:
        missing.append("stops.txt")
    for file in missing:
        notices.add("missing_file", Severity.ERROR, f"`{file}` is not there; add it to the feed.", file=file)
    if missing:
        raise _Unusable


def _read_table(content: bytes, spec: TableSpec, notices: Notices) -> pl.DataFrame | None:
    """The table, or None if an optional file had to be left out whole."""
    wanted = [column.name for column in spec.columns]
    slipped = notices.count("row_too_long")
    texts = read_columns(content, file=spec.file, wanted=wanted, notices=notices)
    if texts is None or not _has_columns(texts, spec, notices):
        if spec.name in _VITAL:
            raise _Unusable
        return None
    table = convert_columns(texts, spec, notices)
    is_row_lost = table.height < texts.height or notices.count("row_too_long") > slipped
    if spec.name in _NO_ROW_MAY_BE_LOST and is_row_lost:
        message = "A row that cannot be read may hide that a trip does not run; mend it, then load again."
        notices.add("vital_row_lost", Severity.ERROR, message, file=spec.file)
        raise _Unusable
    return table


def _has_columns(texts: pl.DataFrame, spec: TableSpec, notices: Notices) -> bool:
    missing = [column.name for column in spec.columns if column.required and column.name not in texts.columns]
    effect = "The feed cannot be used." if spec.name in _VITAL else "The file was left out."
    for name in missing:
        message = f"Column `{name}` is not there; add it. {effect}"
        notices.add("missing_column", Severity.ERROR, message, file=spec.file, row=1, field=name)
    return not missing


def _empty_table(spec: TableSpec) -> pl.DataFrame:
    columns = {column.name: DTYPES[column.kind] for column in spec.columns}
    return pl.DataFrame(schema={"row": pl.UInt32, **columns})


def _check_usable(feed: Feed, trip_count: int, limits: ReadLimits, notices: Notices) -> None:
    kept = feed["trips"].height
    if kept == 0:
        message = "No trip is left that runs; see the notices above this one."
        notices.add("nothing_runs", Severity.ERROR, message, file="trips.txt")
        raise _Unusable
    if notices.has_errors and trip_count - kept > limits.lost_trips_share_max * trip_count:
        message = f"{trip_count - kept} of {trip_count} trips were lost to errors; mend the feed first."
        notices.add("too_many_trips_lost", Severity.ERROR, message, file="trips.txt")
        raise _Unusable
