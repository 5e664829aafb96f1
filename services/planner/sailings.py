"""What operators say about sailings, kept beside the network.

Problem   A sailing is cancelled, or may not land (条件付), after the network was compiled; each replica must
          know within seconds, and an answer must say what it knew.
Idea      Events become rows in the planner's schema, counted by a version. Each replica asks for the version
          every second and reads all rows, of one moment, when it has moved. A `SailingNews` is never changed
          once read.
Invariant A cancellation is for good. Of other news the last said stands, in whatever order events arrive.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from maas.events import SailingCancelled, SailingStatusChanged
from routing.timetable import Timetable
from services.platform.bus import Envelope
from services.platform.database import Database, load_queries

queries = load_queries(__file__)

Sailing = tuple[str, date]
"""Public trip id and service date."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SailingNews:
    """Sailings that are not as planned, with what the operator said. `version` counts the changes so far."""

    version: int = 0
    cancelled: Mapping[Sailing, str] = field(default_factory=dict)
    conditional: Mapping[Sailing, str] = field(default_factory=dict)

    def find_cancelled(self, timetable: Timetable) -> list[tuple[int, date]]:
        """The cancelled sailings that this network has, by its indices."""
        found = ((timetable.find_trip(trip_id), on) for trip_id, on in self.cancelled)
        return [(trip, on) for trip, on in found if trip is not None]


class SailingStore:
    """Writes news as events bring them, and reads them all."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def on_cancelled(self, tx: Any, event: SailingCancelled, _envelope: Envelope) -> None:
        """A sailing will not take place."""
        await tx.fetchval(queries["lock_version"])
        key = event.trip_id, event.service_date
        if await tx.fetchval(queries["cancel_sailing"], *key, event.reason) is not None:
            await tx.execute(queries["count_version"])

    async def on_status_changed(self, tx: Any, event: SailingStatusChanged, _envelope: Envelope) -> None:
        """A sailing became conditional, or is as planned again."""
        await tx.fetchval(queries["lock_version"])
        row = (event.trip_id, event.service_date, event.status, event.reason, event.changed_at)
        if await tx.fetchval(queries["put_sailing"], *row) is not None:
            await tx.execute(queries["count_version"])

    async def get_version(self) -> int:
        """How many times anything has changed."""
        version: int = await self._database.fetchval(queries["get_version"])
        return version

    async def read(self) -> SailingNews:
        """All news of one moment."""
        rows = await self._database.fetch(queries["list_sailings"])
        told: dict[str, dict[Sailing, str]] = {"cancelled": {}, "conditional": {}}
        for row in rows:
            if row["trip_id"] is not None:
                told[row["status"]][row["trip_id"], row["service_date"]] = row["reason"]
        return SailingNews(version=rows[0]["version"], **told)
