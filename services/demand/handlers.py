"""Demand's use cases: count events as they come, release days that are over, answer from what was released.

Invariant Answers read the table `atom` only. A release takes tallies out and puts atoms in, in one
          transaction; of two at once the second finds nothing left.
"""

from datetime import date, timedelta
from itertools import product
from math import prod
from typing import Any

from maas.demand.day_types import DayType
from maas.demand.meshes import HALF_DIGITS, THIRD_DIGITS
from maas.demand.metrics import CITY, Countable, End, Metric, find_count
from maas.demand.privacy import Atom, Cell, Tally, release
from maas.events import RideUnrated
from maas.journeys import Mode
from services.demand.messages import DemandQuery, ReleaseRow
from services.platform.context import ServiceContext
from services.platform.database import load_queries
from services.platform.problem import Problem

queries = load_queries(__file__)

DAYS_MAX = 731
ROWS_MAX = 20_000
SUPPRESSED = -1

Row = tuple[str | int, ...]


class Demand:
    """The city's demand in counts."""

    def __init__(self, context: ServiceContext) -> None:
        self._database = context.database
        self._clock = context.clock

    async def count(self, tx: Any, event: Countable) -> None:
        """Add an event to its cells, in the transaction of its inbox; take a ride that was none off again."""
        count = find_count(event, today=self.find_today())
        if count is None:
            return
        for end, mesh in count.meshes:
            await tx.execute(
                queries["count_down" if isinstance(event, RideUnrated) else "count_up"],
                count.metric.value,
                end.value,
                mesh,
                count.day,
                count.day_type.value,
                count.hour,
                count.category,
            )

    def find_today(self) -> date:
        """The day it is in the city."""
        return self._clock.now().astimezone(CITY).date()

    async def release(self, day: date) -> ReleaseRow:
        """Publish what may be published up to a day. Safe to repeat. Problem demand_day_not_over."""
        if day >= self.find_today():
            raise Problem(
                "demand_day_not_over", detail=f"{day} is over at the next midnight in Tokyo or later."
            )
        async with self._database.transaction() as tx:
            await tx.execute(queries["lock_releases"])
            rows = await tx.fetch(queries["take_tallies"], day)
            found = release([_tally(row) for row in rows], released=day)
            await tx.executemany(queries["insert_atom"], [_atom_row(atom) for atom in found.atoms])
            await tx.execute(queries["drop_tallies"], [rows[index]["id"] for index in found.published])
            events = sum(atom.count for atom in found.atoms)
            noted = await tx.fetchrow(
                queries["note_release"], day, self._clock.now(), len(found.atoms), events
            )
        return ReleaseRow(**dict(noted))

    async def release_yesterday(self) -> bool:
        """Release the last day that is over, unless it was. It takes all earlier days with it."""
        yesterday = self.find_today() - timedelta(days=1)
        if await self._database.fetchval(queries["is_released"], yesterday):
            return False
        await self.release(yesterday)
        return True

    async def list_releases(self) -> list[ReleaseRow]:
        """Releases, newest day first."""
        return [ReleaseRow(**dict(row)) for row in await self._database.fetch(queries["list_releases"])]

    async def ask(self, metric: Metric, query: DemandQuery) -> list[Row]:
        """The rows of an answer: dimensions, then the count.

        Problems demand_period_invalid, demand_answer_too_large.
        """
        days = (query.until - query.since).days
        if not 0 <= days < DAYS_MAX:
            detail = f"Ask for since <= until, at most {DAYS_MAX} days."
            raise Problem("demand_period_invalid", detail=detail)
        found = await self._sum(metric, query)
        return _fill(found, metric, query)

    async def _sum(self, metric: Metric, query: DemandQuery) -> dict[Row, int]:
        asked = query.dimensions
        rows = await self._database.fetch(
            queries["sum_atoms"],
            metric.value,
            query.end.value,
            query.since,
            query.until,
            THIRD_DIGITS if query.mesh_level == "1km" else HALF_DIGITS,
            query.within or "",
            query.category,
            "mesh" in asked,
            "day_type" in asked,
            "hour" in asked,
            "category" in asked,
            ROWS_MAX + 1,
        )
        if len(rows) > ROWS_MAX:
            raise _too_large()
        return {tuple(row[name] for name in asked): row["count"] for row in rows}


def _too_large() -> Problem:
    detail = f"More than {ROWS_MAX} rows. Ask for fewer dimensions, a shorter period or an area (`within`)."
    return Problem("demand_answer_too_large", detail=detail)


def _tally(row: Any) -> Tally:
    cell = Cell(
        metric=Metric(row["metric"]),
        end=End(row["mesh_end"]),
        mesh=row["mesh"],
        day_type=DayType(row["day_type"]),
        hour=row["hour"],
        category=row["category"],
    )
    return Tally(cell=cell, day=row["day"], count=row["count"])


def _atom_row(atom: Atom) -> tuple[Any, ...]:
    cell = atom.cell
    return (
        cell.metric.value,
        cell.end.value,
        cell.mesh,
        cell.day_type.value,
        cell.hour,
        cell.category,
        atom.since,
        atom.until,
        atom.count,
    )


def _fill(found: dict[Row, int], metric: Metric, query: DemandQuery) -> list[Row]:
    """All cells of the answer: those without a published count are suppressed, whether they hold 0 or 9.

    Hours, kinds of day and modes are listed whole, so that a missing one tells nothing; meshes and reasons
    are listed where the answer shows any.
    """
    if not found:
        return []
    domains = [
        _list_domain(name, metric, {key[position] for key in found})
        for position, name in enumerate(query.dimensions)
    ]
    if prod(len(domain) for domain in domains) > ROWS_MAX:
        raise _too_large()
    return [(*key, found.get(key, SUPPRESSED)) for key in product(*domains)]


def _list_domain(name: str, metric: Metric, seen: set[str | int]) -> list[str | int]:
    if name == "hour":
        return list(range(24))
    if name == "day_type":
        return [day_type.value for day_type in DayType]
    if name == "category" and metric in {Metric.RIDES, Metric.ORDERS}:
        return sorted(seen.union(mode.value for mode in Mode), key=str)
    return sorted(seen, key=str)
