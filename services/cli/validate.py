"""`maas validate`: judge a ticket's payload offline, as an inspector's device does."""

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from maas.taps import TapKind
from maas.tickets.keys import KeyList, KeyListUnreadable
from maas.tickets.messages import message_for
from maas.tickets.revocations import Revocations
from maas.tickets.ticket import CLASSES, Entitlement, Ticket
from maas.tickets.verify import Checkpoint, Verdict, verify
from services.cli.errors import CommandFailed
from services.cli.validator.store import ValidatorStore
from services.platform.clock import SystemClock

console = Console(highlight=False)


def validate(
    payload: Annotated[str, typer.Argument(help="What the QR code holds; - reads it from standard input.")],
    *,
    operator: Annotated[str, typer.Option(help="The operator that checks, its GTFS agency_id.")],
    keys: Annotated[Path | None, typer.Option(help="A saved answer of GET /api/ticketing/keys.")] = None,
    store: Annotated[
        Path | None, typer.Option(help="A validator's folder: its lists, and what it has let through.")
    ] = None,
    stop: Annotated[
        str | None, typer.Option(help="The stop where it is checked; left out: anywhere.")
    ] = None,
    area: Annotated[
        list[str] | None, typer.Option(help="A network or zone the place is in, for passes; repeatable.")
    ] = None,
    leaving: Annotated[bool, typer.Option("--leaving", help="At the exit, not the entry.")] = False,
    entering: Annotated[bool, typer.Option("--entering", help="At a gate that is left by an exit.")] = False,
    fare_class: Annotated[str | None, typer.Option("--class", help="The class that is checked.")] = None,
    moving_only: Annotated[
        bool, typer.Option("--moving-only", help="Refuse paper and pictures: codes must move.")
    ] = False,
    revocations: Annotated[
        Path | None, typer.Option(help="A saved answer of GET /api/ticketing/revocations.")
    ] = None,
    at: Annotated[
        str | None, typer.Option(help="Judge as of this moment (ISO 8601); local time without an offset.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One object for a program to read.")] = False,
) -> None:
    """Judge a ticket without any network: exits with 0 when it is accepted, with 1 when it is not.

    With --keys it is judged by files alone. With --store it is judged as a gate does: what was let through is
    remembered, on the disk before the answer, and not let through again.

    Examples:
      curl -s localhost:8080/api/ticketing/keys > keys.json
      maas validate "$PAYLOAD" --keys keys.json --operator Toei --stop Toei.Oedo.Tochomae
      maas validate - --keys keys.json --operator 3010401020097 --at 2026-05-20T21:40 < payload.txt
      maas validate "$PAYLOAD" --store gate-7 --operator Toei --stop Toei.Oedo.Tochomae --entering
    """
    text = typer.get_text_stream("stdin").read().strip("\r\n") if payload == "-" else payload
    moment = SystemClock().now() if at is None else _parse_instant(at)
    checkpoint = Checkpoint(
        operator_id=operator,
        stop_id=stop,
        fare_class=fare_class,
        is_exit=leaving,
        area_ids=area,
        accepts_static=not moving_only,
    )
    is_overdue = False
    if store is not None:
        if stop is None:
            raise CommandFailed("A validator accounts for each passage: give --stop, where it stands.")
        kind = TapKind.EXIT if leaving else TapKind.ENTER if entering else TapKind.SCAN
        verdict, is_overdue = _check_with(store, text, checkpoint, kind, moment)
    elif keys is not None:
        verdict = judge(text, keys=keys, revocations=revocations, checkpoint=checkpoint, at=moment)
    else:
        raise CommandFailed("Give --keys FILE, or --store FOLDER (maas validator init makes one).")
    if as_json:
        _print_json(verdict, is_overdue=is_overdue)
    else:
        _print(verdict, is_overdue=is_overdue)
    if not verdict.is_accepted:
        raise typer.Exit(1)


def judge(
    payload: str, *, keys: Path, revocations: Path | None, checkpoint: Checkpoint, at: datetime
) -> Verdict:
    """The verdict on a payload from files only. Raises CommandFailed for a file that cannot be used."""
    try:
        key_list = KeyList.from_json(keys.read_bytes())
        revoked = Revocations() if revocations is None else Revocations.from_json(revocations.read_bytes())
    except (OSError, KeyListUnreadable) as error:
        raise CommandFailed(f"{error}. Save it again from /api/ticketing/.") from error
    return verify(payload, keys=key_list, now=at, at=checkpoint, revocations=revoked)


def _check_with(
    folder: Path, payload: str, at: Checkpoint, kind: TapKind, now: datetime
) -> tuple[Verdict, bool]:
    store = ValidatorStore.open(folder)
    try:
        decision = store.check(payload, at=at, kind=kind, now=now)
    finally:
        store.close()
    return decision.verdict, decision.are_lists_overdue


def _parse_instant(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise CommandFailed(f"{text!r} is no moment. Write it as 2026-05-20T21:40+09:00.") from None


def _print(verdict: Verdict, *, is_overdue: bool) -> None:
    colour = "green" if verdict.is_accepted else "red"
    console.print(f"[bold {colour}]{verdict.status.value}[/]")
    for language, message in message_for(verdict.status).items():
        console.print(f"  {language:8} {message}", markup=False)
    if verdict.ticket is not None:
        console.print(_table(verdict.ticket))
    if is_overdue:
        console.print("[yellow]The lists are older than 72 hours: maas validator sync[/]")


def _print_json(verdict: Verdict, *, is_overdue: bool) -> None:
    ticket = verdict.ticket
    document = {
        "status": verdict.status.value,
        "ticket_ref": ticket and ticket.ticket_ref,
        "fare_index": verdict.entitlement and verdict.entitlement.fare_index,
        "riders": {} if ticket is None else {kind: n for kind, n in ticket.riders.items() if n},
        "messages": message_for(verdict.status),
        "are_lists_overdue": is_overdue,
    }
    print(json.dumps(document, ensure_ascii=False))


def _table(ticket: Ticket) -> Table:
    riders = ", ".join(f"{count} {rider.value}" for rider, count in ticket.riders.items() if count)
    until = (
        f"{ticket.valid_from.astimezone():%Y-%m-%d %H:%M} to {ticket.valid_until.astimezone():%Y-%m-%d %H:%M}"
    )
    table = Table(
        title=f"Ticket {ticket.ticket_ref}, {riders}, valid {until}, {ticket.form}, key {ticket.key_id}"
    )
    for column in ("fare", "operator code", "class", "from", "to"):
        table.add_column(column)
    for each in ticket.entitlements:
        table.add_row(
            str(each.fare_index),
            f"{each.operator_code:04x}",
            CLASSES[each.class_code] if each.class_code < len(CLASSES) else "other",
            *_places(each),
        )
    return table


def _places(each: Entitlement) -> tuple[str, str]:
    if each.is_pass:
        area = f"area {each.area_code:02x}" if each.area_code else "everywhere"
        return f"pass, {area}", f"{each.hours} h from first use" if each.hours else "all its validity"
    return (
        f"{each.origin_code:02x}" if each.origin_code else "any",
        f"{each.destination_code:02x}" if each.destination_code else "any",
    )
