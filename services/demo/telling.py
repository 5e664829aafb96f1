"""How the trip is told in the terminal: times, choices, prices, the ticket, statements."""

from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from maas.tickets.drawing import draw_as_svg, draw_for_terminal
from maas.tickets.moving_code import DEFAULT_PERIOD_S
from maas.tickets.phone_code import spell

_TOKYO = ZoneInfo("Asia/Tokyo")
_NAMES = {
    "Toei": "都営地下鉄",
    "ToeiBus": "都営バス",
    "TokyoMetro": "東京メトロ",
    "JR-East": "JR東日本",
    "Yurikamome": "ゆりかもめ",
    "3010401020097": "東海汽船",
    "1010001131230": "大島バス",
    "OgasawaraKaiun": "小笠原海運",
    "platform": "つなぐ",
}


def local(instant: str) -> str:
    """An instant as a Tokyo reader writes it: 11/20 (Fri) 20:30."""
    return datetime.fromisoformat(instant).astimezone(_TOKYO).strftime("%m/%d (%a) %H:%M")


def clock_time(instant: str) -> str:
    """The hour and minute in Tokyo."""
    return datetime.fromisoformat(instant).astimezone(_TOKYO).strftime("%H:%M")


def operator_name(operator_id: str) -> str:
    """An operator as people call it."""
    return _NAMES.get(operator_id, operator_id)


def yen_text(money: Any) -> str:
    """An amount with its sign and separators."""
    return f"¥{money['amount_minor']:,}"


def tell_itineraries(console: Console, itineraries: list[Any]) -> None:
    """The Pareto choices: times, interchanges, prices for an adult and a child; below each, its legs."""
    for number, itinerary in enumerate(itineraries, 1):
        starts, ends = local(itinerary["startTime"]), local(itinerary["endTime"])
        if starts.split()[0] == ends.split()[0]:
            ends = clock_time(itinerary["endTime"])
        adult, child = (_price(itinerary["prices"], rider) for rider in ("adult", "child"))
        changes = itinerary["transfers"]
        console.print(
            f"{number}  [bold]{starts} → {ends}[/bold]  {changes} interchange{'' if changes == 1 else 's'}"
            f"  {adult}, child {child}"
        )
        way = " → ".join(_leg_text(leg) for leg in itinerary["legs"])
        console.print(Padding(Text(way, style="dim"), (0, 0, 0, 3)))


def _price(prices: Any, rider: str) -> str:
    totals = [each.get("total") for each in prices if (each["rider"], each["medium"]) == (rider, "ticket")]
    return yen_text(totals[0]) if totals and totals[0] else "unknown"


def _leg_text(leg: Any) -> str:
    if leg["mode"] == "WALK":
        return f"walk {round(leg['duration'] / 60)} min"
    # What riders call it: a ship by its own name, a line in full.
    ship = leg.get("tripShortName") if leg["mode"] == "FERRY" else None
    name = ship or leg.get("routeLongName") or leg.get("displayName") or leg["mode"]
    told = f"{leg['from']['name']} {clock_time(leg['startTime'])} {name}"
    if leg.get("status") == "conditional":
        told += f" (conditional: {leg['statusReason']})" if leg["statusReason"] else " (conditional)"
    return told


def tell_offer(console: Console, offer: Any) -> None:
    """The firm price with its explanation."""
    console.print(f"Firm until {clock_time(offer['expires_at'])}: [bold]{yen_text(offer['total'])}[/bold]")
    for component in offer["prices"][0]["components"]:
        shared = " + ".join(operator_name(operator) for operator in component["shares"])
        fare_class = f" ({component['fare_class']})" if component["fare_class"] else ""
        console.print(f"  {yen_text(component['amount']):>8}  {shared}{fare_class}")
        for addend in component["addends"]:
            console.print(
                f"            [dim]{addend['amount_minor']:>6,}  {addend['text']} / {addend['text_en']} "
                f"(from {addend['valid_from']})[/dim]"
            )


def tell_order(console: Console, order: Any, payment: Any) -> None:
    """The order and its payment."""
    console.print(f"Order {order['order_id']}: [bold green]{order['state']}[/bold green]")
    console.print(f"Card: {payment['state']}, {yen_text(payment['captured'])} captured, once")


def tell_ticket(console: Console, ticket: Any, screen: str, folder: Path) -> None:
    """The code that the telephone shows now, drawn; and as SVG beside the data."""
    console.print(draw_for_terminal(screen), style="black on white", no_wrap=True)
    path = folder / "tickets" / f"{ticket['ticket_id']}.svg"
    path.parent.mkdir(exist_ok=True)
    path.write_text(draw_as_svg(screen), "utf-8")
    console.print(f"On her telephone it changes every {DEFAULT_PERIOD_S} seconds. This one is in")
    # A path is as long as the folder's name: it has a line of its own, whole, to be copied.
    console.print(str(path), soft_wrap=True)
    console.print(f"To be read by voice instead: [bold]{spell(ticket['phone_code'])}[/bold]")


def tell_settlement(console: Console, run: Any) -> None:
    """Statements, net positions and the transfers the bank would be sent."""
    table = Table("operator", "lines", "earned", "given back", "commission", "tax", "to be paid", box=None)
    for each in run["statements"]:
        table.add_row(
            each["operator_name"],
            str(each["line_count"]),
            *(
                yen_text(each[name])
                for name in ("earned", "given_back", "commission", "commission_tax", "net")
            ),
        )
    console.print(table)
    console.print(
        "Net positions: "
        + ", ".join(
            f"{operator_name(each['participant'])} {each['net']['amount_minor']:+,}"
            for each in run["positions"]
        )
        + f"; sum {sum(each['net']['amount_minor'] for each in run['positions'])}"
    )
    for payment in run["payments"]:
        console.print(
            f"Bank transfer: {operator_name(payment['payer'])} → {operator_name(payment['payee'])} "
            f"{yen_text(payment['amount'])} ({payment['outcome']})"
        )
    if run["bank_files"]:
        console.print(f"Files for the bank: {', '.join(run['bank_files'])}; state: {run['state']}")
    if not run["payments"]:
        console.print("Nothing is left to pay.")


def tell_ledger(console: Console, trial: Any) -> None:
    """The books are level."""
    debits, credits_ = trial["debits_posted"], trial["credits_posted"]
    level = "=" if debits == credits_ else "≠"
    console.print(f"[bold]Ledger: debits ¥{debits:,} {level} credits ¥{credits_:,}[/bold]")
    for balance in trial["balances"]:
        net = balance["credits_posted"] - balance["debits_posted"]
        if balance["credits_posted"] or balance["debits_posted"]:
            side = "credit" if net >= 0 else "debit"
            console.print(f"  [dim]{balance['account_id']:<42} {abs(net):>10,} {side if net else ''}[/dim]")
