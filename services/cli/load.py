"""`maas load`: make the next network of feeds, and see what was found in them."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import aiohttp
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from services.cli.errors import CommandFailed
from services.cli.servers import house_url
from services.platform.settings import Settings

_TIMEOUT = aiohttp.ClientTimeout(total=1800, connect=5)
_ASK_EVERY_S = 0.3
_SHOWN_PER_CODE = 3
_STAGES = {
    "idle": "Sending",
    "waiting": "Waiting for another load",
    "starting": "Starting the compiler",
    "reading": "Reading",
    "streets": "Compiling the streets of",
    "compiling": "Compiling the timetable",
    "bounding": "Measuring least travel times",
    "publishing": "Publishing",
}
_COLOURS = {"error": "red", "warning": "yellow", "info": "cyan"}
_CREATED, _UNUSABLE = 201, 422


def load(
    paths: Annotated[list[Path], typer.Argument(help="GTFS zips or folders: together the next network.")],
    *,
    tariffs: Annotated[
        Path | None, typer.Option(help="Folder of fare tables; without it the tariffs in force stay.")
    ] = None,
    streets: Annotated[
        Path | None,
        typer.Option(help="OpenStreetMap extract (.osm.pbf, .osm); without it the streets in force stay."),
    ] = None,
    url: Annotated[str, typer.Option(help="The running house; default: the one of this data folder.")] = "",
) -> None:
    """Read and judge feeds, compile them, and put the new network in force without stopping anything.

    Examples:
      maas load ../feeds/*.zip
      maas load rail.zip ferries.zip --tariffs my_tariffs
      maas load ../feeds/*.zip --streets kanto.osm.pbf
    """
    settings = Settings.from_environment(os.environ)
    token = read_admin_token(settings.data_dir)
    address = house_url(url, settings)
    console = Console(highlight=False)
    report = asyncio.run(
        run_load(paths, tariffs=tariffs, streets=streets, url=address, token=token, console=console)
    )
    print_report(report, console)
    if not report["published"]:
        raise CommandFailed(f"{report['refused_because']} The old network stays in force.")


def read_admin_token(data_dir: Path) -> str:
    """The token that `maas up` writes for this command line. Raises CommandFailed."""
    try:
        return (data_dir / "admin.token").read_text(encoding="ascii").strip()
    except OSError as error:
        raise CommandFailed(
            f"{data_dir / 'admin.token'} cannot be read ({error.strerror}). Start the house with `maas up`, "
            "or set MAAS_DATA to its data folder."
        ) from error


async def run_load(
    paths: Sequence[Path],
    *,
    tariffs: Path | None,
    streets: Path | None = None,
    url: str,
    token: str,
    console: Console,
) -> dict[str, Any]:
    """Have the house at `url` load these feeds; the report, also of a load that was refused.

    Raises CommandFailed when there is no house, or it says no for another reason than the feeds.
    """
    body = _order(paths, tariffs, streets)
    headers = {"Authorization": f"Bearer {token}"}
    try:
        async with aiohttp.ClientSession(url, headers=headers, timeout=_TIMEOUT) as session:
            with _progress_bar(console) as progress:
                bar = progress.add_task(_STAGES["idle"], total=None)
                watching = asyncio.ensure_future(_watch(session, progress, bar, console))
                try:
                    async with session.post("/api/networks", json=body) as response:
                        answer: dict[str, Any] = await response.json(content_type=None)
                finally:
                    watching.cancel()
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise CommandFailed(
            f"No house answers on {url} ({error}). Start it with `maas up` and load again."
        ) from error
    if response.status == _CREATED:
        return answer
    if response.status == _UNUSABLE and "report" in answer:
        report: dict[str, Any] = answer["report"]
        return report
    raise CommandFailed(f"{answer.get('title', 'The load was refused')}: {answer.get('detail', '')}")


def _order(paths: Sequence[Path], tariffs: Path | None, streets: Path | None) -> dict[str, Any]:
    """What the house is asked: it may run in another folder, so paths are absolute."""
    return {
        "paths": [str(path.absolute()) for path in paths],
        "tariffs": None if tariffs is None else str(tariffs.absolute()),
        "streets": None if streets is None else str(streets.absolute()),
    }


def _progress_bar(console: Console) -> Progress:
    words = TextColumn("{task.description}")
    columns = (SpinnerColumn(), words, BarColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


async def _watch(session: aiohttp.ClientSession, progress: Progress, bar: TaskID, console: Console) -> None:
    """Show how far the house is, until cancelled: a bar, or a line a stage where there is no terminal."""
    said = ""
    while True:
        await asyncio.sleep(_ASK_EVERY_S)
        try:
            async with session.get("/api/networks/progress") as response:
                told = await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError):
            # The load's own request tells what is wrong; this one only decorates.
            continue
        if "stage" in told:
            words = f"{_STAGES.get(told['stage'], told['stage'])} {told['subject']}".strip()
            progress.update(bar, description=words, completed=told["done"], total=told["total"] or None)
            if not console.is_terminal and words != said and told["stage"] != "idle":
                console.print(f"{words} ...", markup=False)
                said = words


def print_report(report: dict[str, Any], console: Console) -> None:
    """Feeds with their dates and rows, then what was noticed, worst first."""
    table = Table(title=f"Network {report['version']}", title_justify="left")
    for name in ("feed", "from", "to", "trips", "stop times", "errors", "warnings", "infos"):
        table.add_column(name, justify="left" if name in {"feed", "from", "to"} else "right")
    for feed in report["feeds"]:
        table.add_row(*_feed_cells(feed))
    console.print(table)
    for feed in report["feeds"]:
        _print_notices(feed, console)
    if report["published"]:
        counts = report["counts"]
        console.print(
            f"[green]In force[/green] after {report['took_s']} s: {counts['trip_count']:,} trips, "
            f"{counts['stop_count']:,} stops, {counts['first_date']} to {counts['last_date']}."
        )
        if "streets" in counts:
            told = counts["streets"]
            console.print(
                f"On streets: {told['edge_count']:,} stretches between {told['node_count']:,} crossings."
            )


def _feed_cells(feed: dict[str, Any]) -> list[str]:
    rows = feed["summary"]["row_counts"] if feed["summary"] else {}
    severities = ("error", "warning", "info")
    totals = [
        sum(group["count"] for group in feed["notices"] if group["severity"] == severity)
        for severity in severities
    ]
    return [
        escape(feed["feed_id"]) if feed["usable"] else f"[red]{escape(feed['feed_id'])} (unusable)[/red]",
        feed["first_date"] or "-",
        feed["last_date"] or "-",
        f"{rows.get('trips', 0):,}",
        f"{rows.get('stop_times', 0):,}",
        *(f"{total:,}" for total in totals),
    ]


def _print_notices(feed: dict[str, Any], console: Console) -> None:
    for group in feed["notices"]:
        colour = _COLOURS[group["severity"]]
        console.print(
            f"[{colour}]{group['severity']}[/{colour}] {escape(feed['feed_id'])}: "
            f"{group['code']} ({group['count']:,})"
        )
        for sample in group["samples"][:_SHOWN_PER_CODE]:
            place = sample["file"] if sample["row"] is None else f"{sample['file']}:{sample['row']}"
            console.print(f"    {escape(place)} {escape(sample['field'])} {escape(sample['message'])}")
        hidden = group["count"] - min(group["count"], _SHOWN_PER_CODE)
        if hidden:
            console.print(f"    and {hidden:,} more")
