"""The worker process of a load: reads, judges and compiles, and never touches what is in force.

Problem   Compiling a city takes hundreds of megabytes and all of a core for seconds; the planner must not
          notice.
Idea      A process of its own, told one job on its first line of input, telling its progress line by line.
          Its input stays open as a lifeline: when the server dies, so does the worker. It writes into
          folders that nobody reads yet; the server renames and publishes them.
"""

import hashlib
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from gtfs.errors import FeedUnreadable
from gtfs.notices import Notices, Severity
from gtfs.reader import Reading, read_feed
from gtfs.rules import feed_freshness
from gtfs.service_calendar import ServiceCalendar
from gtfs.service_time import get_zone
from gtfs.tables import Feed
from maas.errors import MaasError
from maas.fares.engine import FareEngine
from maas.fares.network_fares import write_feed_fares
from routing.bounds import build_bounds
from routing.build import build_network
from routing.errors import RoutingError
from routing.streets.street_ways import StreetWays
from routing.timetable import open_timetable
from services.feeds.compiler_job import TARIFFS, feed_id_of
from services.feeds.models import (
    AgencyRow,
    AttributionRow,
    CompileJob,
    CompileLine,
    FeedReport,
    FeedSummary,
    LoadProgress,
    LoadReport,
    NoticeGroup,
    NoticeSample,
)
from services.feeds.streets import bring_streets

_CHUNK_BYTES = 2**20
_NICENESS = 5
_FEED_FILES = (".txt", ".geojson")
_ANYTHING: TypeAdapter[Any] = TypeAdapter(Any)
Tell = Callable[[LoadProgress], None]


def main() -> None:
    """Do the job that stands on the first line of standard input."""
    job = CompileJob.model_validate_json(sys.stdin.readline())
    threading.Thread(target=_die_with_server, daemon=True).start()
    os.nice(_NICENESS)
    report = compile_job(job, lambda progress: _tell(CompileLine(progress=progress)))
    _tell(CompileLine(report=report))
    sys.stdout.flush()
    # The lifeline thread still reads standard input, and an ordinary exit would wait for it.
    os._exit(0)


def _tell(line: CompileLine) -> None:
    print(line.model_dump_json(), flush=True)  # noqa: T201 - the pipe to the server


def _die_with_server() -> None:
    sys.stdin.read()
    os._exit(2)


def compile_job(job: CompileJob, tell: Tell) -> LoadReport:
    """Read, judge and compile. What goes wrong with the input is told in the report."""
    started_s = time.perf_counter()
    counts: dict[str, Any] = {}
    reports, feeds = _read_feeds(job, tell)
    unusable = [report.feed_id for report in reports if not report.usable]
    refused = f"Feeds that cannot be used: {', '.join(unusable)}." if unusable else ""
    if not refused:
        try:
            if job.streets is not None:
                tell(LoadProgress(stage="streets", subject=job.streets.name))
            streets, told = bring_streets(job)
            tell(LoadProgress(stage="compiling", done=len(feeds), total=len(feeds)))
            ways = None if streets is None else StreetWays(streets)
            counts = asdict(build_network(feeds, job.target, version=job.version, now=job.now, ways=ways))
            counts |= {"streets": told} if told else {}
            _add_bounds(job, tell)
            _bring_tariffs(job)
            write_feed_fares(job.target, feeds)
            _sync(job.target)
        except (RoutingError, MaasError) as error:
            refused = f"{str(error) or type(error).__doc__}"
    return LoadReport(
        version=job.version,
        published=False,
        refused_because=refused.strip(),
        feeds=reports,
        counts=_ANYTHING.dump_python(counts, mode="json"),
        took_s=round(time.perf_counter() - started_s, 3),
    )


def _read_feeds(job: CompileJob, tell: Tell) -> tuple[list[FeedReport], list[Feed]]:
    reports: list[FeedReport] = []
    feeds: list[Feed] = []
    job.sources.mkdir(parents=True)
    for place, path in enumerate(job.paths):
        tell(LoadProgress(stage="reading", subject=path.name, done=place, total=len(job.paths)))
        report, feed = _read_one(path, job)
        reports.append(report)
        if feed is not None:
            feeds.append(feed)
    return reports, feeds


def _read_one(path: Path, job: CompileJob) -> tuple[FeedReport, Feed | None]:
    feed_id = feed_id_of(path)
    sha256, byte_count = "", 0
    try:
        copy = job.sources / path.name
        sha256, byte_count = _copy(path, copy)
        reading = read_feed(copy, feed_id=feed_id)
    except FeedUnreadable as error:
        notices = Notices()
        notices.add("feed_unreadable", Severity.ERROR, f"{error}. Check the path.", file=path.name)
        reading = Reading(None, notices, ())
    feed = reading.feed
    calendar = None if feed is None else ServiceCalendar.from_feed(feed)
    if feed is not None:
        zone = get_zone(feed["agency"]["agency_timezone"][0])
        feed_freshness.judge(feed, reading.notices, today=job.now.astimezone(zone).date())
    report = FeedReport(
        feed_id=feed_id,
        source=str(path),
        sha256=sha256,
        byte_count=byte_count,
        usable=feed is not None,
        first_date=calendar.first_date if calendar else None,
        last_date=calendar.last_date if calendar else None,
        summary=None if feed is None else _summary(feed),
        notices=_groups(reading.notices),
    )
    return report, feed


def _copy(path: Path, copy: Path) -> tuple[str, int]:
    """Keep what we read beside the network, so that it can be compiled again. Raises FeedUnreadable."""
    digest = hashlib.sha256()
    byte_count = 0
    try:
        if path.is_dir():
            copy.mkdir()
        for member in _list_members(path) if path.is_dir() else [path]:
            into = copy / member.name if path.is_dir() else copy
            byte_count += _copy_file(member, into, digest)
    except OSError as error:
        raise FeedUnreadable(f"{path}: {error.strerror}") from error
    return digest.hexdigest(), byte_count


def _list_members(folder: Path) -> list[Path]:
    """The feed's files: those in the folder, or in the only folder it has."""
    files = sorted(entry for entry in folder.iterdir() if entry.suffix in _FEED_FILES and entry.is_file())
    nested = [entry for entry in folder.iterdir() if entry.is_dir() and not entry.is_symlink()]
    return _list_members(nested[0]) if not files and len(nested) == 1 else files


def _copy_file(source: Path, into: Path, digest: "hashlib._Hash") -> int:
    byte_count = 0
    with source.open("rb") as reader, into.open("wb") as writer:
        while chunk := reader.read(_CHUNK_BYTES):
            digest.update(chunk)
            writer.write(chunk)
            byte_count += len(chunk)
    return byte_count


def _summary(feed: Feed) -> FeedSummary:
    infos = feed["feed_info"].head(1).to_dicts()
    info = infos[0] if infos else {}
    return FeedSummary(
        publisher=info.get("feed_publisher_name"),
        publisher_url=info.get("feed_publisher_url"),
        feed_version=info.get("feed_version"),
        agencies=[
            AgencyRow(
                agency_id=row["agency_id"],
                name=row["agency_name"],
                url=row["agency_url"],
                timezone=row["agency_timezone"],
            )
            for row in feed["agency"].iter_rows(named=True)
        ],
        attributions=[
            AttributionRow(
                organization=row["organization_name"],
                url=row["attribution_url"],
                roles=[role for role in ("producer", "operator", "authority") if row[f"is_{role}"] == 1],
            )
            for row in feed["attributions"].iter_rows(named=True)
        ],
        row_counts={name: table.height for name, table in feed.tables.items() if table.height},
    )


def _groups(notices: Notices) -> list[NoticeGroup]:
    return [
        NoticeGroup(
            code=found.code,
            severity=found.severity,
            count=found.count,
            samples=[
                NoticeSample(file=each.file, row=each.row, field=each.field, message=each.message)
                for each in found.samples
            ],
        )
        for found in notices.list_counts()
    ]


def _add_bounds(job: CompileJob, tell: Tell) -> None:
    """Work out how far stops are from one another at least; searches are several times faster for it."""

    def hear(done: int, total: int) -> None:
        tell(LoadProgress(stage="bounding", done=done, total=total))

    timetable = open_timetable(job.target)
    build_bounds(timetable, tell=hear).save(job.target, version=job.version)


def _bring_tariffs(job: CompileJob) -> None:
    """Copy the fare tables into the network, after checking that they can be read. Raises MaasError."""
    if job.tariffs is None:
        return
    FareEngine.from_folder(job.tariffs)
    target = job.target / TARIFFS
    target.mkdir()
    for table in sorted(job.tariffs.glob("*.csv")):
        shutil.copyfile(table, target / table.name)


def _sync(folder: Path) -> None:
    """Have everything on disk before the network is published."""
    for path in [*folder.rglob("*"), folder]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


if __name__ == "__main__":
    main()
