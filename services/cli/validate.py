"""`maas validate`: judge a ticket's payload offline, as an inspector's device does."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from maas.tickets.keys import KeyList, KeyListUnreadable
from maas.tickets.messages import message_for
from maas.tickets.revocations import Revocations
from maas.tickets.ticket import CLASSES, Ticket
from maas.tickets.verify import Checkpoint, Verdict, verify
from services.cli.errors import CommandFailed
from services.platform.clock import SystemClock

console = Console(highlight=False)


def validate(
    payload: Annotated[str, typer.Argument(help="What the QR code holds; - reads it from standard input.")],
    *,
    keys: Annotated[Path, typer.Option(help="A saved answer of GET /api/ticketing/keys.")],
    operator: Annotated[str, typer.Option(help="The operator that checks, its GTFS agency_id.")],
    stop: Annotated[
        str | None, typer.Option(help="The stop where it is checked; left out: anywhere.")
    ] = None,
    leaving: Annotated[bool, typer.Option("--leaving", help="At the exit, not the entry.")] = False,
    fare_class: Annotated[str | None, typer.Option("--class", help="The class that is checked.")] = None,
    revocations: Annotated[
        Path | None, typer.Option(help="A saved answer of GET /api/ticketing/revocations.")
    ] = None,
    at: Annotated[
        str | None, typer.Option(help="Judge as of this moment (ISO 8601); local time without an offset.")
    ] = None,
) -> None:
    """Judge a ticket without any network: exits with 0 when it is accepted, with 1 when it is not.

    Examples:
      curl -s localhost:8080/api/ticketing/keys > keys.json
      maas validate "$PAYLOAD" --keys keys.json --operator Toei --stop Toei.Oedo.Tochomae
      maas validate - --keys keys.json --operator 3010401020097 --at 2026-05-20T21:40 < payload.txt
    """
    verdict = judge(
        typer.get_text_stream("stdin").read().strip("\r\n") if payload == "-" else payload,
        keys=keys,
        revocations=revocations,
        checkpoint=Checkpoint(operator_id=operator, stop_id=stop, fare_class=fare_class, is_exit=leaving),
        at=None if at is None else _parse_instant(at),
    )
    _print(verdict)
    if not verdict.is_accepted:
        raise typer.Exit(1)


def judge(
    payload: str, *, keys: Path, revocations: Path | None, checkpoint: Checkpoint, at: datetime | None
) -> Verdict:
    """The verdict on a payload from files only. Raises CommandFailed for a file that cannot be used."""
    try:
        key_list = KeyList.from_json(keys.read_bytes())
        revoked = Revocations() if revocations is None else Revocations.from_json(revocations.read_bytes())
    except (OSError, KeyListUnreadable) as error:
        raise CommandFailed(f"{error}. Save it again from /api/ticketing/.") from error
    now = SystemClock().now() if at is None else at
    return verify(payload, keys=key_list, now=now, at=checkpoint, revocations=revoked)


def _parse_instant(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise CommandFailed(f"{text!r} is no moment. Write it as 2026-05-20T21:40+09:00.") from None


def _print(verdict: Verdict) -> None:
    colour = "green" if verdict.is_accepted else "red"
    console.print(f"[bold {colour}]{verdict.status.value}[/]")
    for language, message in message_for(verdict.status).items():
        console.print(f"  {language:8} {message}", markup=False)
    if verdict.ticket is not None:
        console.print(_table(verdict.ticket))


def _table(ticket: Ticket) -> Table:
    riders = ", ".join(f"{count} {rider.value}" for rider, count in ticket.riders.items() if count)
    until = (
        f"{ticket.valid_from.astimezone():%Y-%m-%d %H:%M} to {ticket.valid_until.astimezone():%Y-%m-%d %H:%M}"
    )
    table = Table(title=f"Ticket {ticket.ticket_ref}, {riders}, valid {until}, key {ticket.key_id}")
    for column in ("fare", "operator code", "class", "from", "to"):
        table.add_column(column)
    for each in ticket.entitlements:
        table.add_row(
            str(each.fare_index),
            f"{each.operator_code:04x}",
            CLASSES[each.class_code] if each.class_code < len(CLASSES) else "other",
            f"{each.origin_code:02x}" if each.origin_code else "any",
            f"{each.destination_code:02x}" if each.destination_code else "any",
        )
    return table
