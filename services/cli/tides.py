"""`maas tides`: taps out as TIDES fare transactions, and an operator's own in."""

import asyncio
import json
import os
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import aiohttp
import typer
from rich.console import Console

from gtfs.notices import Notice, Severity
from maas.tides import FareTransaction, read_csv, read_json, write_csv
from services.cli.errors import CommandFailed
from services.cli.load import read_admin_token
from services.cli.servers import house_url
from services.platform.settings import Settings

tides = typer.Typer(help="Exchange fare transactions with operators and cities.", no_args_is_help=True)

_TIMEOUT = aiohttp.ClientTimeout(total=300, connect=5)
_PATH = "/api/ticketing/tides/fare-transactions"
_PAGE, _SENT = 5_000, 500
_NOTICES_SHOWN_MAX = 20
_ERRORS_FROM = 400


@tides.command("export")
def export_transactions(
    file: Annotated[Path, typer.Argument(help="Where they go; .json writes JSON, else CSV.")],
    *,
    operator: Annotated[str, typer.Option(help="Whose taps.")],
    day: Annotated[str, typer.Option("--date", help="Of which service date, such as 2026-05-20.")],
    url: Annotated[str, typer.Option(help="The running house; default: the one of this data folder.")] = "",
) -> None:
    """Write an operator's taps of a service date as TIDES fare transactions. Media are hashed, by the day.

    Examples:
      maas tides export taps.csv --operator Toei --date 2026-05-20
    """
    try:
        service_date = date.fromisoformat(day)
    except ValueError as error:
        raise CommandFailed(f"{day!r} is no date. Give one such as 2026-05-20.") from error
    count = asyncio.run(run_export(file, operator, service_date, *_house(url)))
    Console(highlight=False).print(f"{count:,} fare transactions in {file}")


@tides.command("import")
def import_transactions(
    file: Annotated[Path, typer.Argument(help="fare_transactions as CSV, or as a JSON array (.json).")],
    *,
    operator: Annotated[str, typer.Option(help="Whose transactions they are.")],
    url: Annotated[str, typer.Option(help="The running house; default: the one of this data folder.")] = "",
) -> None:
    """Keep an operator's own fare transactions as taps. Nothing is sent unless every row is valid.

    The same file again stores nothing.

    Examples:
      maas tides import fare_transactions.csv --operator Toei
    """
    found, notices = read_file(file)
    transactions = [each for _, each in found]
    console = Console(highlight=False, soft_wrap=True)
    for notice in notices[:_NOTICES_SHOWN_MAX]:
        console.print(str(notice), markup=False)
    if notices:
        raise CommandFailed(f"{file.name} has {len(notices):,} errors. Nothing was sent. Correct the rows.")
    report = asyncio.run(run_import(transactions, operator, *_house(url)))
    left_out = Counter(each["reason"] for each in report["left_out"])
    console.print(f"{report['stored']:,} stored, {report['repeated']:,} known before")
    for reason, count in sorted(left_out.items()):
        first = next(each for each in report["left_out"] if each["reason"] == reason)
        row = found[first["index"]][0]
        console.print(
            f"{count:,} left out, {reason}: row {row}, {first['field']}: {first['message']}", markup=False
        )
    if report["conflicting"]:
        some = ", ".join(report["conflicting"][:3])
        raise CommandFailed(
            f"{len(report['conflicting']):,} ids are known with other content, and were not changed: {some}"
        )


def read_file(file: Path) -> tuple[list[tuple[int, FareTransaction]], list[Notice]]:
    """The transactions with their rows, and all that is wrong with the file. Raises CommandFailed."""
    found: list[tuple[int, FareTransaction]] = []
    notices: list[Notice] = []
    rows: dict[str, int] = {}
    for row, each in _read(file):
        if not isinstance(each, FareTransaction):
            notices += each
            continue
        found.append((row, each))
        before = rows.setdefault(each.transaction_id, row)
        if before != row:
            message = f"{each.transaction_id!r} stands in row {before} already."
            notices.append(Notice("id_twice", Severity.ERROR, file.name, row, "transaction_id", message))
    return found, notices


def _read(file: Path) -> Iterator[tuple[int, FareTransaction | list[Notice]]]:
    try:
        if file.suffix == ".json":
            yield from read_json(file.read_bytes(), file=file.name)
            return
        with file.open(newline="", encoding="utf-8-sig") as lines:
            yield from read_csv(lines, file=file.name)
    except (OSError, UnicodeDecodeError) as error:
        raise CommandFailed(f"{file} cannot be read: {error}. Give a UTF-8 CSV or JSON file.") from error


def _house(url: str) -> tuple[str, str]:
    settings = Settings.from_environment(os.environ)
    return house_url(url, settings), read_admin_token(settings.data_dir)


async def run_export(file: Path, operator: str, service_date: date, url: str, token: str) -> int:
    """Write the file whole or not at all; returns how many transactions. Raises CommandFailed."""
    count = 0
    as_json = file.suffix == ".json"
    fresh = file.with_suffix(file.suffix + ".part")
    with fresh.open("w", encoding="utf-8", newline="") as stream:
        stream.write("[" if as_json else write_csv(()))
        async for page in _list_pages(operator, service_date, url, token):
            for each in page:
                if as_json:
                    stream.write(("," if count else "") + "\n" + json.dumps(each, ensure_ascii=False))
                else:
                    stream.write(write_csv([FareTransaction.model_validate(each)], with_header=False))
                count += 1
        stream.write("\n]\n" if as_json else "")
    fresh.replace(file)
    return count


async def _list_pages(
    operator: str, service_date: date, url: str, token: str
) -> AsyncIterator[list[dict[str, Any]]]:
    query = {"operator_id": operator, "service_date": service_date.isoformat(), "limit": str(_PAGE)}
    async with _session(url, token) as session:
        while True:
            page = await _ask(session, "GET", params=query)
            yield page["transactions"]
            if page["next"] is None:
                return
            query |= {name: str(value) for name, value in page["next"].items()}


async def run_import(
    transactions: list[FareTransaction], operator: str, url: str, token: str
) -> dict[str, Any]:
    """What became of them; `index` of those left out counts from 0. Raises CommandFailed."""
    report: dict[str, Any] = {"stored": 0, "repeated": 0, "conflicting": [], "left_out": []}
    async with _session(url, token) as session:
        for start in range(0, len(transactions), _SENT):
            rows = [each.model_dump(mode="json") for each in transactions[start : start + _SENT]]
            answer = await _ask(session, "POST", json={"operator_id": operator, "transactions": rows})
            for each in answer["left_out"]:
                each["index"] += start
            for name in report:
                report[name] += answer[name]
    return report


def _session(url: str, token: str) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(url, headers={"Authorization": f"Bearer {token}"}, timeout=_TIMEOUT)


async def _ask(session: aiohttp.ClientSession, method: str, **options: Any) -> Any:
    try:
        async with session.request(method, _PATH, **options) as answer:
            body = await answer.json(content_type=None)
            if answer.status >= _ERRORS_FROM:
                raise CommandFailed(f"The house refused: {body['code']}. {body['detail']}")
            return body
    except aiohttp.ClientError as error:
        raise CommandFailed(f"The house does not answer ({error}). Start it with `maas up`.") from error
