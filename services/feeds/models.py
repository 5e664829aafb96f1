"""What the feeds service hears and says, and what its worker process is told and tells."""

from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from gtfs.notices import Severity

PathText = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00-\x1f]+$")]


class Message(BaseModel):
    """The house's strictness: unknown fields are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NetworkOrder(Message):
    """Which feeds shall make the next network. Paths are of the server's own file system.

    `tariffs` is a folder of fare tables, `streets` an OpenStreetMap extract (.osm.pbf or .osm); without them
    those in force stay.
    """

    paths: Annotated[list[PathText], Field(min_length=1, max_length=100)]
    tariffs: PathText | None = None
    streets: PathText | None = None


class NoticeSample(Message):
    """One finding. `row` is the line in the file; the header is line 1."""

    file: str
    row: int | None
    field: str
    message: str


class NoticeGroup(Message):
    """How often a code was found, with the first samples."""

    code: str
    severity: Severity
    count: int
    samples: list[NoticeSample]


class AgencyRow(Message):
    """An operator of a feed."""

    agency_id: str
    name: str
    url: str | None
    timezone: str


class AttributionRow(Message):
    """Whom the feed asks to name."""

    organization: str
    url: str | None
    roles: list[str]


class FeedSummary(Message):
    """Who made a feed and what is in it."""

    publisher: str | None
    publisher_url: str | None
    feed_version: str | None
    agencies: list[AgencyRow]
    attributions: list[AttributionRow]
    row_counts: dict[str, int]


class FeedReport(Message):
    """One feed of a load. `summary` and dates are None where the feed cannot be used."""

    feed_id: str
    source: str
    sha256: str
    byte_count: int
    usable: bool
    first_date: date | None
    last_date: date | None
    summary: FeedSummary | None
    notices: list[NoticeGroup]

    def count(self, severity: Severity) -> int:
        """Findings of that severity."""
        return sum(group.count for group in self.notices if group.severity is severity)


class LoadReport(Message):
    """What came of a load. `counts` is what the compiled network holds, its streets under `streets`."""

    version: str
    published: bool
    refused_because: str
    feeds: list[FeedReport]
    counts: dict[str, Any]
    took_s: float


class LoadProgress(Message):
    """Where the load that is running stands; `idle` when none is."""

    stage: Literal["idle", "waiting", "starting", "reading", "streets", "compiling", "bounding", "publishing"]
    subject: str = ""
    done: int = 0
    total: int = 0


class NetworkRow(Message):
    """A network that is kept on disk."""

    version: str
    published_at: datetime
    in_force: bool
    error_count: int
    warning_count: int
    info_count: int
    counts: dict[str, Any]


class NetworkList(Message):
    """Networks, newest first."""

    networks: list[NetworkRow]


class NoticeRow(Message):
    """A sample of what was noticed in a feed; `total` is how often its code was found there."""

    feed_id: str
    code: str
    severity: Severity
    file: str
    row: int | None
    field: str
    message: str
    total: int


class NoticeList(Message):
    """The notices of a network."""

    version: str
    notices: list[NoticeRow]


class FeedRow(Message):
    """A feed of the network in force."""

    feed_id: str
    first_date: date | None
    last_date: date | None
    publisher: str | None
    publisher_url: str | None
    feed_version: str | None
    agencies: list[AgencyRow]
    attributions: list[AttributionRow]


class FeedList(Message):
    """The feeds of the network in force; `version` is None before the first is published."""

    version: str | None
    feeds: list[FeedRow]


class CompileJob(Message):
    """What the worker process is told, on its first line of input.

    `streets` is a map to compile; without one the compiled `streets_in_force` are taken along, if any.
    """

    version: str
    now: datetime
    paths: list[Path]
    sources: Path
    target: Path
    tariffs: Path | None
    streets: Path | None = None
    streets_in_force: Path | None = None


class CompileLine(Message):
    """One line the worker process tells: how far it is, or at last the report."""

    progress: LoadProgress | None = None
    report: LoadReport | None = None
