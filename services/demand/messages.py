"""What demand hears and says over HTTP: questions by period and area, answers in the form of MDS Metrics."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from maas.demand.metrics import End

Day = Annotated[date, Field(ge=date(2000, 1, 1), le=date(2100, 12, 31))]
Dimension = Literal["mesh", "day_type", "hour", "category"]
DIMENSIONS: tuple[Dimension, ...] = ("mesh", "day_type", "hour", "category")
By = Annotated[
    str,
    StringConstraints(pattern=r"^(mesh|day_type|hour|category)(,(mesh|day_type|hour|category)){0,3}$"),
]
MeshPrefix = Annotated[str, StringConstraints(pattern=r"^([0-9]{4}|[0-9]{6}|[0-9]{8}|[0-9]{9})$")]
Word = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}$")]


class Message(BaseModel):
    """The house's strictness: unknown fields are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DemandQuery(Message):
    """Which counts. Days are local and inclusive; only what was released wholly within them is counted.

    `by` lists the dimensions of the rows. `mesh_level` 500m shows half meshes where they are large enough,
    and the rest of their third mesh under its 8 digits. `within` keeps the meshes that begin with these
    digits. `category` is the mode of rides, the main mode of orders, the reason of unmet searches.
    """

    since: Day
    until: Day
    by: By = "mesh,hour"
    end: End = End.ORIGIN
    mesh_level: Literal["1km", "500m"] = "1km"
    within: MeshPrefix | None = None
    category: Word | None = None

    @property
    def dimensions(self) -> tuple[Dimension, ...]:
        """The dimensions asked for, once each, in their usual order."""
        asked = set(self.by.split(","))
        return tuple(name for name in DIMENSIONS if name in asked)


class Column(Message):
    """A column of an answer."""

    name: str
    column_type: Literal["dimension", "measure"]
    data_type: Literal["string", "integer"]


class Filter(Message):
    """What rows were kept."""

    name: str
    values: list[str]


class AskedFor(Message):
    """The question, as MDS repeats it. Start and end are days; the interval is the whole period."""

    measures: list[str]
    interval: str
    start_date: date
    end_date: date
    timezone: str
    k_value: int
    dimensions: list[str]
    filters: list[Filter]


class DemandAnswer(Message):
    """Counts. -1 stands for fewer than `k_value`, 0 included; nothing more is known of such a cell."""

    id: UUID
    query: AskedFor
    columns: list[Column]
    rows: list[list[str | int]]


class ReleaseCommand(Message):
    """The day to release; it must be over in the city."""

    day: Day


class ReleaseRow(Message):
    """A release: how many events left, in how many groups of ten or more."""

    day: date
    released_at: datetime
    atoms: int
    events: int


class ReleaseList(Message):
    """Releases, newest day first."""

    releases: list[ReleaseRow]
