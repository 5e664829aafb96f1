"""`maas plan`: journeys from one place to another, with their prices, in the terminal."""

import asyncio
import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import aiohttp
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from services.cli.errors import CommandFailed
from services.cli.plan_map import draw_map, draw_page, frame_of, list_shown
from services.cli.servers import house_url
from services.platform.settings import Settings

_TIMEOUT = aiohttp.ClientTimeout(total=60, connect=5)
_WITHOUT_CENTS = frozenset({"KRW", "VND", "CLP"})
_OK = 200
_MOVING = timedelta(minutes=10)
"""What moves within so many minutes shows where the lines run."""
_ZOOM = "10"
"""Without buses, which would fill the map."""
_SIGNS = {
    "WALK": "徒歩 walk",
    "SUBWAY": "地下鉄 subway",
    "REGIONAL_RAIL": "鉄道 rail",
    "SUBURBAN": "モノレール monorail",
    "TRAM": "路面電車 tram",
    "BUS": "バス bus",
    "FERRY": "船 ship",
    "RENTAL": "シェアサイクル shared bike",
}
_MEDIA = {"ic": "IC", "ticket": "きっぷ ticket", "card": "タッチ決済 card", "app": "アプリ app"}


def plan(
    origin: Annotated[str, typer.Argument(help="A name, a stop id, or latitude,longitude.")],
    destination: Annotated[str, typer.Argument(help="Likewise.")],
    *,
    at: Annotated[str, typer.Option(help="Local time, such as 2026-05-20T20:00; default: now.")] = "",
    arrive_by: Annotated[bool, typer.Option("--arrive-by", help="Be there by --at.")] = False,
    cheapest: Annotated[bool, typer.Option("--cheapest", help="The cheapest journey first.")] = False,
    fewest_steps: Annotated[
        bool, typer.Option("--fewest-steps", help="The journey that is least on foot first.")
    ] = False,
    bike: Annotated[bool, typer.Option("--bike", help="Shared bikes too, where walks are.")] = False,
    bike_between: Annotated[
        bool, typer.Option("--bike-between", help="Shared bikes between two rides too.")
    ] = False,
    via: Annotated[list[str], typer.Option(help="A place on the way; up to two, in order.")] = [],  # noqa: B006
    stay: Annotated[list[int], typer.Option(help="Minutes to stay there, for each --via.", min=0)] = [],  # noqa: B006
    language: Annotated[str, typer.Option(help="Names in ja, en, ko, zh-Hans where known.")] = "",
    count: Annotated[int, typer.Option(help="Journeys at least, if there are so many.", min=1, max=20)] = 3,
    map_file: Annotated[
        Path | None, typer.Option("--map", help="Draw the journeys: a file ending in .svg or .html.")
    ] = None,
    url: Annotated[str, typer.Option(help="The running house; default: the one of this data folder.")] = "",
) -> None:
    """Show journeys with times, interchanges and prices.

    Examples:
      maas plan 都庁前 大島 --at 2026-05-20T20:00
      maas plan Tochomae Takeshiba --language en
      maas plan 都庁前 竹芝 --cheapest
      maas plan 都庁前 竹芝 --fewest-steps
      maas plan 都庁前 竹芝 --via 大門 --stay 30
      maas plan 35.6896,139.6923 竹芝 --bike --bike-between
      maas plan 都庁前 大島 --map journeys.svg
      maas plan 35.6896,139.6917 demo:Toei.Oedo.Daimon --at 2026-05-20T09:00 --arrive-by
    """
    if map_file is not None and map_file.suffix not in {".svg", ".html"}:
        raise CommandFailed(f"--map {map_file}: end the file's name in .svg or .html.")
    settings = Settings.from_environment(os.environ)
    address = house_url(url, settings)
    if cheapest and fewest_steps:
        raise CommandFailed("--cheapest and --fewest-steps: one of them decides the order. Leave one out.")
    rank = "price" if cheapest else "walking" if fewest_steps else ""
    ways = "WALK,RENTAL" if bike else ""
    asked = {
        "fromPlace": origin,
        "toPlace": destination,
        "arriveBy": "true" if arrive_by else "false",
        "numItineraries": str(count),
        "rank": rank,
        **dict.fromkeys(("preTransitModes", "postTransitModes", "directModes"), ways),
        "transferModes": "WALK,RENTAL" if bike_between else "",
        "via": ",".join(via),
        "viaMinimumStay": ",".join(map(str, stay)),
        "time": _checked_time(at) if at else "",
        "language": language,
    }
    query = {name: value for name, value in asked.items() if value}
    answer = asyncio.run(ask_plan(address, query))
    print_plan(answer, Console(highlight=False))
    if map_file is not None and list_shown(answer):
        map_file.write_text(asyncio.run(ask_map(address, answer, as_page=map_file.suffix == ".html")))
        typer.echo(f"Drawn in {map_file}.")


def _checked_time(text: str) -> str:
    try:
        return datetime.fromisoformat(text).isoformat()
    except ValueError as error:
        raise CommandFailed(f"--at {text!r} is no time. Write it like 2026-05-20T20:00.") from error


async def ask_plan(url: str, query: dict[str, str]) -> dict[str, Any]:
    """What the house at `url` answers to /api/v6/plan. Raises CommandFailed with the cure."""
    status, answer = await _ask(url, "/api/v6/plan", query)
    if status != _OK:
        raise CommandFailed(f"{answer.get('title', 'No answer')}. {answer.get('detail', '')}")
    plan_answer: dict[str, Any] = answer
    return plan_answer


async def ask_map(url: str, answer: dict[str, Any], *, as_page: bool) -> str:
    """The journeys of an answer drawn on the network around them; a page, or the bare SVG."""
    shown = list_shown(answer)
    frame = frame_of(shown)
    box = {"min": f"{frame.south:.6f},{frame.west:.6f}", "max": f"{frame.north:.6f},{frame.east:.6f}"}
    start = _time(min(itinerary["startTime"] for itinerary in shown))
    minutes = {"startTime": start.isoformat(), "endTime": (start + _MOVING).isoformat()}
    stops_status, stops = await _ask(url, "/api/v6/map/stops", box | {"grouped": "true"})
    hops_status, hops = await _ask(url, "/api/v6/map/trips", {**box, **minutes, "zoom": _ZOOM})
    # Where there is too much to tell, the journeys are drawn all the same.
    svg = draw_map(answer, stops if stops_status == _OK else [], hops if hops_status == _OK else [])
    return draw_page(svg, f"{answer['from']['name']} → {answer['to']['name']}") if as_page else svg


async def _ask(url: str, path: str, query: dict[str, str]) -> tuple[int, Any]:
    try:
        async with (
            aiohttp.ClientSession(url, timeout=_TIMEOUT) as session,
            session.get(path, params=query) as response,
        ):
            return response.status, await response.json(content_type=None)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise CommandFailed(
            f"No house answers on {url} ({error}). Start it with `maas up` and ask again."
        ) from error


def print_plan(answer: dict[str, Any], console: Console) -> None:
    """Print each journey as a table, best first."""
    console.print(f"[bold]{escape(answer['from']['name'])} → {escape(answer['to']['name'])}[/bold]")
    for itinerary in [*answer["direct"], *answer["itineraries"]]:
        console.print(_table(itinerary))
    if ranking := answer.get("ranking"):
        console.print(
            f"{'Proven' if ranking['isProven'] else 'Not proven'}: {ranking['reason']}", soft_wrap=True
        )
    if not answer["direct"] and not answer["itineraries"]:
        console.print("No journey in the two weeks around that time. Try other places or another day.")


def _table(itinerary: dict[str, Any]) -> Table:
    starts, ends = _time(itinerary["startTime"]), _time(itinerary["endTime"])
    changes = itinerary["transfers"]
    title = (
        f"{starts:%m-%d %H:%M} → {_clock(ends, starts)}   {_duration(itinerary['duration'])}   "
        f"乗換 {changes} interchange{'' if changes == 1 else 's'}   "
        f"徒歩 {_duration(itinerary['walkingSeconds'])} on foot"
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
        line = _distance(leg)
    elif leg["mode"] == "RENTAL":
        line = f"{line} {_distance(leg)}"
    style = "dim" if leg["mode"] == "WALK" else ""
    places = f"{leg['from']['name']} → {leg['to']['name']}"
    return tuple(Text(text, style=style) for text in (times, sign, places, line))


def _distance(leg: dict[str, Any]) -> str:
    return f"{round(leg['distance'])} m" + (" (推定 estimate)" if leg.get("isEstimate") else "")


def _money(amount: dict[str, Any]) -> str:
    """Yen with their sign, another currency with its code; with two digits where it has them."""
    minor, currency = amount["amount_minor"], amount["currency"]
    if currency == "JPY":
        return f"¥{minor:,}"
    return f"{currency} {minor:,}" if currency in _WITHOUT_CENTS else f"{currency} {minor / 100:,.2f}"


def _price_line(itinerary: dict[str, Any]) -> Text:
    """Adult and child a medium; media with the same prices together; or why no price is known.

    A medium that some leg does not take, as buses do not take bank cards, is left out.
    """
    by_medium: dict[str, list[str]] = {}
    for price in itinerary["prices"]:
        if (total := price.get("total")) is not None:
            by_medium.setdefault(price["medium"], []).append(_money(total))
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
