"""`maas shadow`: what a new tariff would have cost and earned on the rides of the past."""

import asyncio
import json
import os
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import asyncpg
import typer
from rich.console import Console
from rich.table import Table

from maas.account_travel.fare_book import FareBook
from maas.account_travel.policy import TapRules, TravelPolicy
from maas.account_travel.shadow import PastTravel, compare_travel
from maas.demand.meshes import UNKNOWN, find_third_mesh
from maas.errors import TariffUnreadable
from maas.fares.charged import ServiceClock
from maas.fares.engine import FareEngine
from maas.fares.shadow import Difference, PastRide, ShadowReport, compare_tariffs, merge_small
from maas.journeys import Place
from services.cli.database import database_url
from services.cli.errors import CommandFailed
from services.cli.past_rides import iterate_ridden, iterate_travel, read_rides
from services.platform.settings import Settings

_FIRST, _LAST = date(2000, 1, 1), date(2999, 12, 31)
_OLD_TARIFF = Path(__file__).parents[1] / "demo" / "city" / "tariffs"


def shadow(
    new: Annotated[Path, typer.Argument(help="The folder of the new tariff's tables.")],
    *,
    old: Annotated[
        Path, typer.Option(help="The folder it is compared with; default: the demonstration city's.")
    ] = _OLD_TARIFF,
    rides: Annotated[
        Path | None, typer.Option(help="A file of past rides, one JSON a line; default: the house's own.")
    ] = None,
    since: Annotated[str, typer.Option(help="The first service date; default: from the beginning.")] = "",
    until: Annotated[str, typer.Option(help="The last service date; default: to the end.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Try a tariff in the shadow: price the past rides by both, and show what changes and for whom.

    The house's own rides are what was ridden of its orders, and what was tapped by card and phone.
    Differences are told by operator, by area (mesh of 1 km where the ride began; of taps the station) and
    by rider category.
    Groups of fewer than ten rides are told together. Nothing is written, and nobody is charged.

    Examples:
      maas shadow tariffs-2027
      maas shadow tariffs-2027 --old tariffs-2026 --since 2026-10-01 --until 2026-10-31
      maas shadow tariffs-2027 --rides october.jsonl --json
    """
    before, after = _read_tariff(old), _read_tariff(new)
    first, last = _read_day(since, _FIRST), _read_day(until, _LAST)
    travel: list[PastTravel] = []
    if rides:
        found = _within(read_rides(rides), first, last)
    else:
        found, travel = _list_made(first, last)
    report = compare_tariffs(found, before=before, after=after, area_of=_area_of)
    if travel:
        compare_travel(travel, before=_open_book(before, old), after=_open_book(after, new), report=report)
    print_report(report, Console(highlight=False), as_json=as_json)


def _read_tariff(folder: Path) -> FareEngine:
    if not folder.is_dir():
        raise CommandFailed(f"{folder} is no folder. Give the folder that holds networks.csv and its tables.")
    try:
        return FareEngine.from_folder(folder)
    except TariffUnreadable as error:
        raise CommandFailed(f"{folder}: {error}") from error


def _read_day(text: str, default: date) -> date:
    try:
        return date.fromisoformat(text) if text else default
    except ValueError:
        raise CommandFailed(f"{text!r} is no date. Write it as 2026-10-01.") from None


def _within(rides: Iterable[PastRide], first: date, last: date) -> Iterable[PastRide]:
    for ride in rides:
        leg = ride.journey.legs[0]
        if first <= (leg.service_date or leg.departs_at.date()) <= last:
            yield ride


def _open_book(engine: FareEngine, folder: Path) -> FareBook:
    policy = TravelPolicy(clock=ServiceClock(zone=engine.zone))
    return FareBook(engine, TapRules.from_folder(folder), policy)


def _list_made(first: date, last: date) -> tuple[list[PastRide], list[PastTravel]]:
    with database_url(Settings.from_environment(os.environ)) as url:
        try:
            return asyncio.run(_ask_made(url, first, last))
        except asyncpg.UndefinedTableError as error:
            raise CommandFailed(
                "This database holds no rides yet. Start the house once with `maas up`, or give --rides."
            ) from error


async def _ask_made(url: str, first: date, last: date) -> tuple[list[PastRide], list[PastTravel]]:
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            rides = [ride async for ride in iterate_ridden(connection, since=first, until=last)]
            return rides, [each async for each in iterate_travel(connection, since=first, until=last)]
    finally:
        await connection.close()


def _area_of(place: Place) -> str:
    return find_third_mesh(place.lat, place.lon) or UNKNOWN


def print_report(report: ShadowReport, console: Console, *, as_json: bool) -> None:
    """Print the report as tables, or as one JSON document."""
    groups = {
        "operator": merge_small(report.by_operator),
        "area": merge_small(report.by_area),
        "rider": merge_small({rider.value: each for rider, each in report.by_rider.items()}),
    }
    counts = {
        "only the old tariff prices": report.only_before_count,
        "only the new tariff prices": report.only_after_count,
        "neither prices": report.unpriced_count,
    }
    if as_json:
        document: dict[str, Any] = {
            "whole": _as_dict(report.whole),
            **{
                f"by_{name}": {key: _as_dict(each) for key, each in found.items()}
                for name, found in groups.items()
            },
            "unpriced": {key.replace(" ", "_"): count for key, count in counts.items()},
        }
        print(json.dumps(document, ensure_ascii=False, indent=1))
        return
    console.print(_table("all rides", {"all": report.whole}))
    for name, found in groups.items():
        console.print(_table(f"by {name}", found))
    for sentence, count in counts.items():
        if count:
            console.print(f"[yellow]{count}[/yellow] rides that {sentence}")


def _as_dict(each: Difference) -> dict[str, int]:
    return {
        "rides": each.ride_count,
        "before_minor": each.before_minor,
        "after_minor": each.after_minor,
        "difference_minor": each.difference_minor,
        "dearer": each.dearer_count,
        "cheaper": each.cheaper_count,
    }


def _table(title: str, groups: Mapping[str, Difference]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for heading in ("rides", "before", "after", "difference", "dearer", "cheaper"):
        table.add_column(heading, justify="right")
    for name, each in groups.items():
        table.add_row(
            name,
            f"{each.ride_count:,}",
            f"¥{each.before_minor:,}",
            f"¥{each.after_minor:,}",
            f"{each.difference_minor:+,}",
            f"{each.dearer_count:,}",
            f"{each.cheaper_count:,}",
        )
    return table
