"""The rows of networks, their feeds and their notices."""

from datetime import datetime
from typing import Any

from gtfs.notices import Severity
from services.feeds.models import FeedReport, FeedRow, FeedSummary, LoadReport, NetworkRow, NoticeRow
from services.platform.database import load_queries

queries = load_queries(__file__)

LOADS_LOCK = 0x46454544  # "FEED": one load at a time in a database
NOTICES_MAX = 10_000


async def insert_network(tx: Any, report: LoadReport, published_at: datetime) -> None:
    """Write a network with its feeds and notices, and put it in force in place of the old one."""
    await tx.execute(queries["insert_network"], report.version, published_at, report.counts)
    for feed in report.feeds:
        assert feed.summary is not None, "a published network is made of usable feeds"
        await tx.execute(
            queries["insert_feed"],
            report.version,
            feed.feed_id,
            feed.source,
            feed.sha256,
            feed.byte_count,
            feed.first_date,
            feed.last_date,
            feed.summary.model_dump(mode="json"),
            *(feed.count(severity) for severity in (Severity.ERROR, Severity.WARNING, Severity.INFO)),
        )
        await tx.executemany(queries["insert_notice"], _notice_rows(report.version, feed))
    await tx.execute(queries["end_force"])
    await tx.execute(queries["begin_force"], report.version)


def _notice_rows(version: str, feed: FeedReport) -> list[tuple[Any, ...]]:
    samples = [(group, sample) for group in feed.notices for sample in group.samples]
    return [
        (
            version,
            feed.feed_id,
            position,
            group.code,
            group.severity.value,
            sample.file,
            sample.row,
            sample.field,
            sample.message,
            group.count,
        )
        for position, (group, sample) in enumerate(samples)
    ]


async def delete_old_networks(tx: Any, *, kept: int) -> list[str]:
    """Forget all but the newest networks; returns their versions."""
    return [row["version"] for row in await tx.fetch(queries["delete_old_networks"], kept)]


async def list_versions(tx: Any) -> set[str]:
    """The versions of all networks that we know."""
    return {row["version"] for row in await tx.fetch(queries["list_versions"])}


async def list_networks(tx: Any) -> list[NetworkRow]:
    """All networks, newest first."""
    return [NetworkRow.model_validate(dict(row)) for row in await tx.fetch(queries["list_networks"])]


async def find_notices(tx: Any, version: str) -> list[NoticeRow] | None:
    """The samples of a network's notices, at most NOTICES_MAX; None if there is no such network."""
    if not await tx.fetchval(queries["has_network"], version):
        return None
    rows = await tx.fetch(queries["list_notices"], version, NOTICES_MAX)
    return [
        NoticeRow(
            feed_id=row["feed_id"],
            code=row["code"],
            severity=Severity(row["severity"]),
            file=row["file"],
            row=row["row_number"],
            field=row["field"],
            message=row["message"],
            total=row["total"],
        )
        for row in rows
    ]


async def list_feeds_in_force(tx: Any) -> list[FeedRow]:
    """The feeds of the network in force."""
    rows = await tx.fetch(queries["list_feeds_in_force"])
    return [_feed_row(row, FeedSummary.model_validate(row["summary"])) for row in rows]


def _feed_row(row: Any, summary: FeedSummary) -> FeedRow:
    return FeedRow(
        feed_id=row["feed_id"],
        first_date=row["first_date"],
        last_date=row["last_date"],
        publisher=summary.publisher,
        publisher_url=summary.publisher_url,
        feed_version=summary.feed_version,
        agencies=summary.agencies,
        attributions=summary.attributions,
    )
