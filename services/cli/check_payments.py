"""Do orders, ledger and provider agree, to the yen? Worked out from tables and the provider's listing.

Idea      Three sides are read side by side: what the orders say was paid and given back, what the ledger
          posted on card clearing, what moved the provider's balance. Each capture and each refund must be the
          same amount on all three, and each movement of the provider one entry of the ledger. What only one
          side knows is waiting for a day, and wrong after that.
Listing   The stand-in's own memory when it is beside the database, else the movements as they were last
          collected from the provider. Nobody is called.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import orjson
from rich.console import Console
from rich.table import Table

from payments.accounts import CARD_CLEARING
from payments.movements import Meaning, Movement, build_fee, meaning_of

console = Console(highlight=False)

PATIENCE = timedelta(days=1)
_ENTRIES = """
    select transfer_id, debit, amount_minor, recorded_at from ledger.transfers
    where refusal is null and kind in ('posted', 'post_pending') and $1 in (debit, credit)"""
_PAYMENTS = """
    select payment_id, purpose, captured_minor, refunded_minor, charge_id, payment_method, updated_at
    from payments.payment where captured_minor > 0"""
_REFUNDS = """
    select refund_id, amount_minor, provider_id, outcome, updated_at from payments.refund
    where provider_id is not null and provider_id not like 'oar\\_%'"""
_ORDERS = """
    select order_id, state, (document -> 'total' ->> 'amount_minor')::bigint as total_minor,
        (document ->> 'payment_id')::uuid as payment_id, placed_at
    from sales.customer_order"""
_COLLECTED = "select * from payments.provider_movement"


@dataclass(slots=True)
class Match:
    """The three sides, and what of them does not fit: by sentence, with the cases."""

    entries: dict[UUID, Any]
    payments: list[Any]
    refunds: list[Any]
    orders: list[Any]
    movements: list[Movement]
    booked: dict[str, tuple[UUID | None, UUID | None]]
    now: datetime
    waiting: int = 0

    def list_wrong(self) -> Iterator[tuple[str, str]]:
        """Each case with its sentence."""
        yield from self._orders()
        yield from self._captures()
        yield from self._refunds()
        yield from self._movements()
        yield from self._entries()

    def signed(self, entry: Any) -> int:
        """The entry's amount on card clearing: positive when it grew."""
        return int(entry["amount_minor"] if entry["debit"] == CARD_CLEARING else -entry["amount_minor"])

    def _late(self, sentence: str, case: str, since: datetime) -> Iterator[tuple[str, str]]:
        """Wrong when it is older than a day, else waiting."""
        if self.now - since > PATIENCE:
            yield sentence, case
        else:
            self.waiting += 1

    def _orders(self) -> Iterator[tuple[str, str]]:
        paid = {each["payment_id"]: each for each in self.payments}
        for order in self.orders:
            payment = paid.get(order["payment_id"])
            captured = payment["captured_minor"] if payment else 0
            if order["state"] == "confirmed" and captured != order["total_minor"]:
                yield "a confirmed order is not paid as it was priced", str(order["order_id"])
            if order["state"] in ("rolled_back", "expired") and payment is not None:
                left = captured - payment["refunded_minor"]
                if left:
                    yield from self._late(
                        "an order that failed has kept its money", str(order["order_id"]), order["placed_at"]
                    )
        known = {each["payment_id"] for each in self.orders}
        for payment in self.payments:
            if payment["purpose"] == "order" and payment["payment_id"] not in known:
                yield "a captured payment belongs to no order", str(payment["payment_id"])

    def _captures(self) -> Iterator[tuple[str, str]]:
        moved = {e.source_id: e for e in self.movements if meaning_of(e) is Meaning.CAPTURE}
        for payment in self.payments:
            if payment["charge_id"] is None or not str(payment["payment_method"]).startswith("pm_"):
                continue
            case, amount = f"payment {payment['payment_id']}", payment["captured_minor"]
            entry = self.entries.get(uuid5(payment["payment_id"], "capture"))
            if entry is None or self.signed(entry) != amount:
                yield "a capture is not in the ledger as it is in payments", case
            movement = moved.pop(payment["charge_id"], None)
            if movement is None:
                yield from self._late("a capture is not on the provider's list", case, payment["updated_at"])
            elif movement.amount_minor != amount:
                yield "a capture is another amount at the provider", case
        for movement in moved.values():
            yield from self._late(
                "the provider captured what no payment of ours did", movement.movement_id, movement.moved_at
            )

    def _refunds(self) -> Iterator[tuple[str, str]]:
        moved: dict[str, int] = {}
        for each in self.movements:
            if meaning_of(each) in (Meaning.REFUND, Meaning.REFUND_RETURNED):
                moved[each.source_id] = moved.get(each.source_id, 0) + each.amount_minor
        for refund in self.refunds:
            case = f"refund {refund['refund_id']}"
            pay = self.entries.get(uuid5(refund["refund_id"], "pay"))
            back = self.entries.get(uuid5(refund["refund_id"], "return"))
            booked = sum(self.signed(each) for each in (pay, back) if each is not None)
            expected = -refund["amount_minor"] if refund["outcome"] == "paid" else 0
            if booked != expected:
                yield "a refund is not in the ledger as it is in payments", case
            there = moved.pop(refund["provider_id"], 0)
            if there != expected and refund["outcome"] != "undecided":
                yield from self._late(
                    "a refund is another amount at the provider", case, refund["updated_at"]
                )
        for source_id in moved:
            yield "the provider refunded what no refund of ours did", source_id

    def _movements(self) -> Iterator[tuple[str, str]]:
        for movement in self.movements:
            entry_id, fee_id = self.booked.get(movement.movement_id, (None, None))
            if entry_id is None:
                yield from self._late(
                    "a movement of the provider is no entry of the ledger",
                    f"{movement.movement_id} ({movement.kind} {movement.amount_minor:+})",
                    movement.moved_at,
                )
                continue
            posted = [self.entries[each] for each in (entry_id, fee_id) if each in self.entries]
            is_freed = meaning_of(movement) in (Meaning.REFUND, Meaning.REFUND_RETURNED) and not posted
            if not is_freed and sum(map(self.signed, posted)) != movement.net_minor:
                yield "a movement's entries are another amount", movement.movement_id

    def _entries(self) -> Iterator[tuple[str, str]]:
        used = {each for pair in self.booked.values() for each in pair}
        used |= {fee.transfer_id for each in self.movements if (fee := build_fee(each, at=self.now))}
        # What payments posted themselves is compared with the list above, by its own time.
        used |= {uuid5(each["payment_id"], "capture") for each in self.payments}
        used |= {uuid5(each["refund_id"], step) for each in self.refunds for step in ("pay", "return")}
        for transfer_id, entry in self.entries.items():
            if transfer_id not in used:
                yield from self._late(
                    "an entry of card clearing is no movement of the provider",
                    str(transfer_id),
                    entry["recorded_at"],
                )


async def list_broken_payments(connection: Any, data_dir: Path, *, now: datetime) -> dict[str, list[str]]:
    """What does not match, by sentence; prints the three sides beside one another."""
    collected = await connection.fetch(_COLLECTED)
    listing = list(read_stand_in(data_dir)) or [_movement(row) for row in collected]
    match = Match(
        entries={row["transfer_id"]: row for row in await connection.fetch(_ENTRIES, CARD_CLEARING)},
        payments=await connection.fetch(_PAYMENTS),
        refunds=await connection.fetch(_REFUNDS),
        orders=await connection.fetch(_ORDERS),
        movements=listing,
        booked={row["movement_id"]: (row["transfer_id"], row["fee_transfer_id"]) for row in collected},
        now=now,
    )
    wrong: dict[str, list[str]] = {}
    for sentence, case in match.list_wrong():
        wrong.setdefault(sentence, []).append(case)
    console.print(_table(match))
    if match.waiting:
        console.print(f"{match.waiting} items are on their way and not a day old.")
    return wrong


def read_stand_in(data_dir: Path) -> Iterator[Movement]:
    """The balance transactions in the stand-in's memory; none when it was never started here."""
    path = data_dir / "payment_stand_in" / "book.sqlite3"
    if not path.exists():
        return
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        rows = database.execute("select body from object where kind = 'balance_transaction' order by seq")
        for (body,) in rows:
            item = orjson.loads(body)
            yield Movement(
                movement_id=item["id"],
                kind=item["type"],
                category=item["reporting_category"],
                source_id=item["source"],
                amount_minor=item["amount"],
                fee_minor=item["fee"],
                currency=item["currency"].upper(),
                moved_at=datetime.fromtimestamp(item["created"], UTC),
            )
    finally:
        database.close()


def _movement(row: Any) -> Movement:
    return Movement(**{name: row[name] for name in Movement.__dataclass_fields__})


def _table(match: Match) -> Table:
    """What each side says was captured, given back, and is left on card clearing."""
    table = Table("side", "captured", "given back", "clearing", title="Card payments, in yen")
    cards = [each for each in match.payments if str(each["payment_method"]).startswith("pm_")]
    ids = {each["payment_id"] for each in cards}
    ordered = [each for each in match.orders if each["state"] == "confirmed" and each["payment_id"] in ids]
    others = _sum(e["captured_minor"] for e in cards if e["purpose"] != "order")
    ours = _sum(each["captured_minor"] for each in cards)
    back = _sum(each["amount_minor"] for each in match.refunds if each["outcome"] == "paid")
    captures = {uuid5(each, "capture") for each in ids}
    refunds = {uuid5(each["refund_id"], step) for each in match.refunds for step in ("pay", "return")}
    posted = [(key, match.signed(entry)) for key, entry in match.entries.items()]
    there = {
        meaning: _sum(each.amount_minor for each in match.movements if meaning_of(each) is meaning)
        for meaning in Meaning
    }
    orders = _sum(each["total_minor"] for each in ordered)
    table.add_row("orders", f"{orders:,} (and {others:,} for wallets and debts)", "", "")
    table.add_row("payments", f"{ours:,}", f"{back:,}", "")
    table.add_row(
        "ledger",
        f"{_sum(minor for key, minor in posted if key in captures):,}",
        f"{-_sum(minor for key, minor in posted if key in refunds):,}",
        f"{_sum(minor for _, minor in posted):,}",
    )
    table.add_row(
        "provider",
        f"{there[Meaning.CAPTURE]:,}",
        f"{-there[Meaning.REFUND] - there[Meaning.REFUND_RETURNED]:,}",
        f"{_sum(each.net_minor for each in match.movements):,}",
    )
    return table


def _sum(amounts: Iterable[int]) -> int:
    return sum(amounts)
