"""The end of a payments story: orders, ledger and provider agree to the yen, or this tells where not."""

from collections import Counter
from typing import Any
from uuid import UUID

from payments.accounts import (
    BANK_CASH,
    CARD_CLEARING,
    CHARGEBACK_LOSSES,
    DISPUTED,
    PROVIDER_FEES,
    REFUNDS_DUE,
    UNEARNED_FARES,
)
from payments.ports import Payment, PaymentState, RefundState, SavedMethodState
from services.payments.balance.alarms import list_unmatched
from services.payments.balance.store import BalanceStore
from services.payments.methods.store import MethodsStore
from services.payments.reconciliation import reconcile
from tests.simulation.payments_world import NOW, Process, World


async def audit(world: World) -> None:
    """The three sides agree to the yen, and every promise was kept."""
    process = world.process(staged=False)
    payments = [(await process.store.get_payment(each)).payment for each in await _known(world)]
    for payment in payments:
        audit_payment(world, payment)
    await _audit_refunds(world, process)
    await _audit_events(world, payments)
    _audit_ledger(world, payments)
    await _audit_movements(world)
    await _audit_methods(world)
    answer = await reconcile(process.context, process.store, world.provider)
    pending = await world.list_rows("select refund_id from refund where state = 'pending'")
    on_their_way = {str(row["refund_id"]) for row in pending}
    strangers = [each for each in answer.unmatched if each.subject_id not in on_their_way]
    assert strangers == [], f"reconciliation finds {strangers}"
    waiting = {each.state for each in answer.unfinished}
    assert waiting <= {"requires_action", "pending", "failed"}, f"left unfinished: {answer.unfinished}"


async def _known(world: World) -> list[UUID]:
    rows = await world.list_rows("select payment_id from payment order by payment_id")
    return [row["payment_id"] for row in rows]


_THERE = {
    PaymentState.OPEN: {"none"},
    PaymentState.REQUIRES_ACTION: {"requires_action"},
    PaymentState.DECLINED: {"requires_payment_method", "requires_confirmation", "none"},
    PaymentState.AUTHORISED: {"requires_capture"},
    PaymentState.CAPTURED: {"succeeded"},
    PaymentState.VOIDED: {"canceled", "none", "requires_payment_method", "requires_confirmation"},
}


def audit_payment(world: World, payment: Payment) -> None:
    """A card's payment is at the provider as it is here, once."""
    where = {"metadata.payment_id": str(payment.payment_id)}
    there = world.stand_in.book.list_all("payment_intent", where)
    received = sum(each["amount_received"] for each in there)
    assert received == payment.captured.amount_minor, f"captured once or not at all: {payment}"
    assert payment.captured.amount_minor in (0, payment.amount.amount_minor)
    # An intent that was created but lost holds nothing; at most one is more than that.
    used = [each["status"] for each in there if each["latest_charge"] or each["next_action"]] or ["none"]
    live = [each for each in used if each not in ("requires_payment_method", "canceled")] or used
    assert len(live) == 1 or set(live) <= {"canceled", "requires_payment_method"}, f"{payment}: {used}"
    allowed = _THERE[payment.state]
    assert live[0] in allowed, f"{payment.state} here, {live[0]} there: {payment}"
    if payment.payment_id in world.voided:
        assert payment.state is PaymentState.VOIDED, "what was said to be voided stays so"


async def _audit_refunds(world: World, process: Process) -> None:
    there = world.stand_in.book.list_all("refund")
    counts = Counter(each["metadata"]["refund_id"] for each in there)
    assert all(count == 1 for count in counts.values()), f"refunded twice: {counts}"
    by_id = {each["metadata"]["refund_id"]: each["status"] for each in there}
    rows = await world.list_rows("select refund_id from refund")
    for refund_id in [row["refund_id"] for row in rows]:
        row = await process.store.get_refund(refund_id)
        status = by_id.get(str(refund_id), "none")
        expected = {
            RefundState.PENDING: {"pending"},
            RefundState.SUCCEEDED: {"succeeded"},
            RefundState.FAILED: {"failed", "none"},
            RefundState.REFUSED_EXCEEDS_CAPTURED: {"none"},
        }[row.refund.state]
        assert status in expected, f"refund {row.refund.state} here, {status} there: {row}"


async def _audit_events(world: World, payments: list[Payment]) -> None:
    rows = await world.list_rows("select event_type, payload from outbox")

    def told(event_type: str, field: str) -> Counter[Any]:
        return Counter(row["payload"][field] for row in rows if row["event_type"] == event_type)

    expected = {str(each.payment_id): 1 for each in payments if each.state is PaymentState.CAPTURED}
    assert told("PaymentCaptured", "payment_id") == expected, "each capture is told once"
    outcomes = await world.list_rows("select refund_id from refund where outcome in ('paid', 'returned')")
    paid = {str(row["refund_id"]): 1 for row in outcomes}
    assert told("RefundPaid", "refund_id") == paid, "each paid refund is told once"
    there = world.stand_in.book.list_all("dispute")
    assert told("PaymentDisputed", "dispute_id") == {each["id"]: 1 for each in there}, "told of each dispute"
    decided = {each["id"]: 1 for each in there if each["status"] in ("won", "lost")}
    assert told("PaymentDisputeDecided", "dispute_id") == decided, "each decision is told once"


def _audit_ledger(world: World, payments: list[Payment]) -> None:
    trial = world.ledger.books.get_trial_balance(now=NOW)
    assert trial.is_balanced
    nets = {each.account_id: -each.net_credit for each in trial.balances}
    pending = {each.account_id: each.debits_pending + each.credits_pending for each in trial.balances}
    book = world.stand_in.book
    movements = book.list_all("balance_transaction")
    held = sum(p.amount.amount_minor for p in payments if p.state is PaymentState.AUTHORISED)
    kept = sum(p.captured.amount_minor - p.refunded.amount_minor for p in payments)
    due = -nets.get(REFUNDS_DUE, 0)
    assert pending.get(CARD_CLEARING, 0) == pending.get(UNEARNED_FARES, 0) == held, "held here = held there"
    assert -nets.get(UNEARNED_FARES, 0) + due == kept, "unearned and due = captured - refunded"
    # A refund on its way has left the provider's balance, but not card clearing: it is still due.
    there = sum(each["net"] for each in movements)
    assert nets.get(CARD_CLEARING, 0) - due == there, "card clearing less due = the provider's balance"
    assert nets.get(PROVIDER_FEES, 0) == sum(each["fee"] for each in movements), "its fees, each once"
    disputes = book.list_all("dispute")
    lost = sum(each["amount"] for each in disputes if each["status"] == "lost")
    undecided = sum(each["amount"] for each in disputes if each["status"] not in ("won", "lost"))
    assert nets.get(DISPUTED, 0) == undecided, "what is in dispute"
    assert nets.get(CHARGEBACK_LOSSES, 0) == lost, "what was lost"
    banked = sum(each["amount"] for each in book.list_all("payout") if each["status"] != "failed")
    assert nets.get(BANK_CASH, 0) == banked, "the bank has what was paid out"


async def _audit_movements(world: World) -> None:
    """Each movement maps to one entry of its own; only those of refunds on their way wait."""
    there = {each["id"] for each in world.stand_in.book.list_all("balance_transaction")}
    rows = await world.list_rows("select movement_id, transfer_id, fee_transfer_id from provider_movement")
    assert {row["movement_id"] for row in rows} == there, "every movement is known"
    used = [each for row in rows for each in (row["transfer_id"], row["fee_transfer_id"]) if each]
    assert len(used) == len(set(used)), "no entry serves twice"
    known = {each.transfer.transfer_id for each in _entries(world)}
    loose = [each for each in used if each not in known]
    waiting = await list_unmatched(BalanceStore(world.database))
    pending = [each for each in world.stand_in.book.list_all("refund") if each["status"] == "pending"]
    assert len(waiting) == len(pending), f"unmatched: {waiting}"
    assert loose == [], "an entry is a transfer of the ledger"


def _entries(world: World) -> list[Any]:
    entries = []
    for account_id in (CARD_CLEARING, REFUNDS_DUE):
        entries += world.ledger.books.list_entries(
            account_id, after_sequence=0, until=NOW.replace(year=9000), limit=100_000
        )
    return entries


async def _audit_methods(world: World) -> None:
    """A ready card is attached there, a forgotten one is not, and one default at most is charged."""
    store = MethodsStore(world.database)
    rows = await world.list_rows("select method_id from saved_method")
    methods = [(await store.get_method(row["method_id"])).method for row in rows]
    attached = {each["id"] for each in world.stand_in.book.list_all("payment_method") if each["customer"]}
    ready = {each.payment_method for each in methods if each.state is SavedMethodState.READY}
    assert ready == attached, "the cards kept there are those kept here"
    assert sum(1 for each in methods if each.is_default) == min(1, len(ready)), "one of them is the default"
