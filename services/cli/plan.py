"""`maas plan`: journeys from one place to another, with their prices, in the terminal."""

import asyncio
import os
from datetime import datetime
from typing import Annotated, Any

import aiohttp
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from services.cli.errors import CommandFailed
from services.cli.servers import house_url
from services.platform.settings import Settings

_TIMEOUT = aiohttp.ClientTimeout(total=60, connect=5)
_OK = 200
_SIGNS = {
    "WALK": "徒歩 walk",
    "SUBWAY": "地下鉄 subway",
    "REGIONAL_RAIL": "鉄道 rail",
    "SUBURBAN": "モノレール monorail",
    "TRAM": "路面電車 tram",
    "BUS": "バス bus",
    "FERRY": "船 ship",
}
_MEDIA = {"ic": "IC", "ticket": "きっぷ ticket", "card": "タッチ決済 card", "app": "アプリ app"}


def plan(
    origin: Annotated[str, typer.Argument(help="A name, a stop id, or latitude,longitude.")],
    destination: Annotated[str, typer.Argument(help="Likewise.")],
    *,
    at: Annotated[str, typer.Option(help="Local time, such as 2026-05-20T20:00; default: now.")] = "",
    arrive_by: Annotated[bool, typer.Option("--arrive-by", help="Be there by --at.")] = False,
    cheapest: Annotated[bool, typer.Option("--cheapest", help="The cheapest journey first.")] = False,
    language: Annotated[str, typer.Option(help="Names in ja, en, ko, zh-Hans where known.")] = "",
    count: Annotated[int, typer.Option(help="Journeys at least, if there are so many.", min=1, max=20)] = 3,
    url: Annotated[str, typer.Option(help="The running house; default: the one of this data folder.")] = "",
) -> None:
    """Show journeys with times, interchanges and prices.

    Examples:
      maas plan 都庁前 大島 --at 2026-05-20T20:00
      maas plan Tochomae Takeshiba --language en
      maas plan 都庁前 竹芝 --cheapest
      maas plan 35.6896,139.6917 demo:Toei.Oedo.Daimon --at 2026-05-20T09:00 --arrive-by
    """
    settings = Settings.from_environment(os.environ)
    address = house_url(url, settings)
    query = {
        "fromPlace": origin,
        "toPlace": destination,
        "arriveBy": "true" if arrive_by else "false",
        "numItineraries": str(count),
    }
    if cheapest:
        query["rank"] = "price"
    if at:
        query["time"] = _checked_time(at)
    if language:
        query["language"] = language
    answer = asyncio.run(ask_plan(address, query))
    print_plan(answer, Console(highlight=False))


def _checked_time(text: str) -> str:
    try:
        return datetime.fromisoformat(text).isoformat()
    except ValueError as error:
        raise CommandFailed(f"--at {text!r} is no time. Write it like 2026-05-20T20:00.") from error


async def ask_plan(url: str, query: dict[str, str]) -> dict[str, Any]:
    """What the house at `url` answers to /api/v6/plan. Raises CommandFailed with the cure."""
    try:
        async with (
            aiohttp.ClientSession(url, timeout=_TIMEOUT) as session,
            session.get("/api/v6/plan", params=query) as response,
        ):
            answer: dict[str, Any] = await response.json(content_type=None)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise CommandFailed(
            f"No house answers on {url} ({error}). Start it with `maas up` and ask again."
        ) from error
    if response.status != _OK:
        raise CommandFailed(f"{answer.get('title', 'No answer')}. {answer.get('detail', '')}")
    return answer


def print_plan(answer: dict[str, Any], console: Console) -> None:
    """Print each journey as a table, best first."""
    console.print(f"[bold]{escape(answer['from']['name'])} → {escape(answer['to']['name'])}[/bold]")
    for itinerary in [*answer["direct"], *answer["itineraries"]]:
        console.print(_table(itinerary))
    if not answer["direct"] and not answer["itineraries"]:
        console.print("No journey in the two weeks around that time. Try other places or another day.")


def _table(itinerary: dict[str, Any]) -> Table:
    starts, ends = _time(itinerary["startTime"]), _time(itinerary["endTime"])
    changes = itinerary["transfers"]
    title = (
        f"{starts:%m-%d %H:%M} → {_clock(ends, starts)}   {_duration(itinerary['duration'])}   "
        f"乗換 {changes} interchange{'' if changes == 1 else 's'}"
    )
    table = Table(title=title, title_justify="left", caption=_price_line(itinerary), caption_justify="left")
    for heading in ("", "", "", ""):
        table.add_column(heading, overflow="fold")
    table.show_header = False
    for leg in itinerary["legs"]:
        table.add_row(*_row(leg, starts))
    return table


def _row(leg: dict[str, Any], journey_starts: datetime) -> tuple[Text, ...]:
    starts, ends = _time(leg["startTime"]), _time(leg["endTime"])
    times = f"{_clock(starts, journey_starts)}-{_clock(ends, journey_starts)}"
    line = " ".join(part for part in (leg.get("displayName"), leg.get("headsign")) if part)
    sign = _SIGNS.get(leg["mode"], leg["mode"])
    if leg.get("interlineWithPreviousLeg"):
        sign = f"{sign} (そのまま stay seated)"
    if leg["mode"] == "WALK":
        line = f"{round(leg['distance'])} m" + (" (推定 estimate)" if leg.get("isEstimate") else "")
    style = "dim" if leg["mode"] == "WALK" else ""
    places = f"{leg['from']['name']} → {leg['to']['name']}"
    return tuple(Text(text, style=style) for text in (times, sign, places, line))


def _price_line(itinerary: dict[str, Any]) -> Text:
    """Adult and child a medium; media with the same prices together; or why no price is known.

    A medium that some leg does not take, as buses do not take bank cards, is left out.
    """
    by_medium: dict[str, list[str]] = {}
    for price in itinerary["prices"]:
        if (total := price.get("total")) is not None:
            by_medium.setdefault(price["medium"], []).append(f"¥{total['amount_minor']:,}")
    if not by_medium:
        reason = next((price.get("reason", "") for price in itinerary["prices"]), "")
        return Text(f"運賃不明 price unknown: {reason}", style="yellow")
    by_amounts: dict[tuple[str, ...], list[str]] = {}
    for medium, amounts in by_medium.items():
        by_amounts.setdefault(tuple(amounts), []).append(_MEDIA.get(medium, medium))
    parts = [
        f"{', '.join(media)}: 大人 adult {amounts[0]}, 小児 child {amounts[-1]}"
        for amounts, media in by_amounts.items()
    ]
    return Text("   ".join(parts) + _pass_line(itinerary), style="green")


def _pass_line(itinerary: dict[str, Any]) -> str:
    """The cheapest pass with what is left to pay beside it, where that is less than the adult's fares."""
    app = (each["total"]["amount_minor"] for each in itinerary["prices"]
           if (each["rider"], each["medium"]) == ("adult", "app") and each.get("total"))  # fmt: skip
    fares = next(app, None)
    for each in itinerary.get("passes", [])[:1]:
        total = each["price"]["amount_minor"] + each["left"]["amount_minor"]
        if fares is not None and total < fares:
            return f"   {each['name']} {each['name_en']}: ¥{total:,}"
    return ""


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _clock(instant: datetime, since: datetime) -> str:
    days = (instant.date() - since.date()).days
    return f"{instant:%H:%M}" + (f" +{days}" if days else "")


def _duration(seconds: int) -> str:
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"
