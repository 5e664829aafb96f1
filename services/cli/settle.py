"""`maas settle`: pay the operators what they earned, and show statements, positions and bank transfers."""

import asyncio
import os
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import uuid4

import aiohttp
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from services.cli.errors import CommandFailed
from services.cli.load import read_admin_token
from services.cli.servers import house_url
from services.platform.settings import Settings

_TIMEOUT = aiohttp.ClientTimeout(total=300, connect=5)
_LINES_SHOWN_MAX = 15
_ERRORS_FROM = 400


@dataclass(frozen=True, slots=True)
class Settled:
    """A run as the API shows it, with its statements."""

    run: dict[str, Any]
    statements: list[dict[str, Any]]


def settle(
    *,
    cut_off: Annotated[
        str,
        typer.Option(help="Settle what was effective before this instant; default: everything until now."),
    ] = "",
    url: Annotated[str, typer.Option(help="The running house; default: the one of this data folder.")] = "",
) -> None:
    """Run a settlement: one batch with statements, net positions and the bank transfers to send.

    The same cut-off again shows the same batch; a run that was interrupted is finished first.

    Examples:
      maas settle
      maas settle --cut-off 2026-06-01T00:00+09:00
    """
    settings = Settings.from_environment(os.environ)
    token = read_admin_token(settings.data_dir)
    address = house_url(url, settings)
    settled = asyncio.run(run_settle(url=address, token=token, cut_off=_read_cut_off(cut_off)))
    print_settled(settled, Console(highlight=False))


def _read_cut_off(text: str) -> datetime | None:
    if not text:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandFailed(f"{text!r} is no time. Give one such as 2026-06-01T00:00+09:00.") from error
    if instant.tzinfo is None:
        raise CommandFailed(f"{text!r} has no offset from UTC. Give one such as {text}+09:00.")
    return instant


async def run_settle(*, url: str, token: str, cut_off: datetime | None) -> Settled:
    """Settle in the house at `url`. Raises CommandFailed."""
    body = {} if cut_off is None else {"cut_off": cut_off.isoformat()}
    headers = {"Authorization": f"Bearer {token}"}
    try:
        async with aiohttp.ClientSession(url, headers=headers, timeout=_TIMEOUT) as session:
            run = await _ask(session, "POST", "/api/settlement/runs", json=body)
            statements = [
                await _ask(
                    session,
                    "GET",
                    f"/api/settlement/runs/{run['batch_id']}/statements/{each['operator_id']}",
                )
                for each in run["statements"]
            ]
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise CommandFailed(f"No house answers on {url} ({error}). Start it with `maas up`.") from error
    return Settled(run, statements)


async def _ask(session: aiohttp.ClientSession, method: str, path: str, **options: Any) -> dict[str, Any]:
    headers = {"Idempotency-Key": uuid4().hex} if method == "POST" else {}
    async with session.request(method, path, headers=headers, **options) as response:
        answer: dict[str, Any] = await response.json(content_type=None)
    if response.status >= _ERRORS_FROM:
        raise CommandFailed(f"{answer.get('title', 'The house refused')}: {answer.get('detail', '')}")
    return answer


def print_settled(settled: Settled, console: Console) -> None:
    """Statements, then positions, then what the bank is told."""
    run = settled.run
    console.print(
        f"Settlement {run['batch_id']}: {run['state']}, {run['entry_count']} entries before {run['cut_off']}"
    )
    for statement in settled.statements:
        console.print(
            f"\nStatement for {escape(statement['operator_name'])} ({escape(statement['operator_id'])})"
        )
        console.print(_statement_table(statement))
    if run["positions"]:
        console.print(
            f"\nNet positions: gross {_yen(run['gross'])}, net {_yen(run['net'])}, "
            f"{run['efficiency_bp'] / 100:.2f} % need not be paid"
        )
        console.print(_position_table(run))
    if run["payments"]:
        files = f", files: {', '.join(run['bank_files'])}" if run["bank_files"] else ""
        console.print(f"\nBank transfers on {run['pay_on']}{files}")
        console.print(_payment_table(run))
    else:
        console.print("Nothing is left to pay.")


def _statement_table(statement: dict[str, Any]) -> Table:
    table = Table(show_header=False)
    table.add_column("what")
    table.add_column("yen", justify="right")
    for line in statement["lines"][:_LINES_SHOWN_MAX]:
        table.add_row(escape(f"{line['code']}  {line['reference']}"), f"{line['amount_minor']:,}")
    hidden = len(statement["lines"]) - _LINES_SHOWN_MAX
    if hidden > 0:
        table.add_row(f"... and {hidden:,} more", "")
    for note in statement["notes"]:
        text = f"refunded, not earned: order:{note['order_id']} {note['reason']} ({note['amount_minor']:,})"
        table.add_row(escape(text), "0")
    table.add_section()
    invoice = statement["invoice"]
    number = invoice["issuer_registration_number"] or "not registered"
    tax = f"tax {invoice['rate_percent']} % on {invoice['taxable_minor']:,} commission ({number})"
    table.add_row("earned", f"{statement['earned_minor']:,}")
    table.add_row("given back", f"{-statement['given_back_minor']:,}")
    table.add_row("adjustments", f"{statement['adjustments_minor']:,}")
    table.add_row("commission", f"{-statement['commission_minor']:,}")
    table.add_row(escape(tax), f"{-statement['commission_tax_minor']:,}")
    table.add_row("[bold]net[/bold]", f"[bold]{statement['net_minor']:,}[/bold]")
    return table


def _position_table(run: dict[str, Any]) -> Table:
    table = Table()
    table.add_column("participant")
    for name in ("gets", "owes", "net"):
        table.add_column(name, justify="right")
    for each in run["positions"]:
        table.add_row(escape(each["participant"]), _yen(each["gets"]), _yen(each["owes"]), _yen(each["net"]))
    total = sum(each["net"]["amount_minor"] for each in run["positions"])
    table.add_section()
    table.add_row("sum", "", "", f"¥{total:,}")
    return table


def _payment_table(run: dict[str, Any]) -> Table:
    table = Table()
    table.add_column("from")
    table.add_column("to")
    table.add_column("amount", justify="right")
    table.add_column("state")
    for each in run["payments"]:
        table.add_row(escape(each["payer"]), escape(each["payee"]), _yen(each["amount"]), each["outcome"])
    return table


def _yen(money: dict[str, Any]) -> str:
    return f"¥{money['amount_minor']:,}"
