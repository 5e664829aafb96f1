"""Refunds, bounded by what was captured.

Invariant amount_refunded of a charge = sum of its refunds that have not failed <= amount_captured.
"""

from services.payments.stand_in.balance import put_movement
from services.payments.stand_in.catalog import card_of
from services.payments.stand_in.desk import Desk, new_id
from services.payments.stand_in.errors import JsonObject, invalid, malformed
from services.payments.stand_in.forms import Params

_REASONS = frozenset({"duplicate", "fraudulent", "requested_by_customer"})


def create(desk: Desk, params: Params) -> JsonObject:
    """POST /v1/refunds."""
    charge = _charge_to_refund(desk, params)
    amount = params.find_int("amount")
    reason = params.find_text("reason", one_of=_REASONS)
    metadata = params.get_map("metadata")
    params.ignore("reverse_transfer", "refund_application_fee", "instructions_email")
    params.check_all_known()
    if charge["disputed"]:
        raise invalid(
            f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed"
        )
    amount = _check_amount(charge, amount)
    refund: JsonObject = {
        "id": new_id("re"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": desk.created,
        "currency": charge["currency"],
        "destination_details": {"card": {"type": "refund"}, "type": "card"},
        "metadata": metadata,
        "payment_intent": charge["payment_intent"],
        "reason": reason,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": _first_status(desk, charge),
        "transfer_reversal": None,
    }
    movement = put_movement(desk, kind="refund", source=refund, amount=-amount)
    refund["balance_transaction"] = movement["id"]
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount_captured"]
    desk.emit("refund.created", desk.book.put(refund))
    desk.emit("charge.refunded", desk.book.put(charge))
    return refund


def _charge_to_refund(desk: Desk, params: Params) -> JsonObject:
    charge_id, intent_id = params.find_text("charge"), params.find_text("payment_intent")
    if charge_id is not None:
        return desk.book.get("charge", charge_id)
    if intent_id is None:
        raise malformed("Give a charge or a payment_intent.", code="parameter_missing", param="charge")
    intent = desk.book.get("payment_intent", intent_id)
    if intent["latest_charge"] is None or intent["status"] != "succeeded":
        raise invalid(
            "This PaymentIntent does not have a successful charge to refund.",
            code="payment_intent_unexpected_state",
            param="payment_intent",
        )
    return desk.book.get("charge", intent["latest_charge"])


def _check_amount(charge: JsonObject, amount: int | None) -> int:
    left = charge["amount_captured"] - charge["amount_refunded"]
    if left <= 0:
        raise invalid(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    amount = left if amount is None else amount
    if amount <= 0:
        raise invalid("Invalid positive integer", code="parameter_invalid_integer", param="amount")
    if amount > left:
        raise invalid(
            f"Refund amount (¥{amount:,}) is greater than unrefunded amount on charge (¥{left:,})",
            param="amount",
        )
    return amount


def _first_status(desk: Desk, charge: JsonObject) -> str:
    return card_of(desk.book.get("payment_method", charge["payment_method"])).refund


def retrieve(desk: Desk, params: Params, refund_id: str) -> JsonObject:
    """GET /v1/refunds/{id}."""
    params.check_all_known()
    return desk.book.get("refund", refund_id)


def conclude(desk: Desk, refund_id: str, status: str) -> JsonObject:
    """The traveller's bank has taken a pending refund, or sent one back. A repeat changes nothing."""
    refund = desk.book.get("refund", refund_id)
    if status not in ("succeeded", "failed"):
        raise malformed("Say succeeded or failed.", code="parameter_invalid", param="status")
    if refund["status"] in (status, "failed"):
        return refund
    refund["status"] = status
    if status == "succeeded":
        desk.emit("refund.updated", desk.book.put(refund))
        return refund
    charge = desk.book.get("charge", refund["charge"])
    charge["amount_refunded"] -= refund["amount"]
    charge["refunded"] = False
    desk.book.put(charge)
    movement = put_movement(desk, kind="refund_failure", source=refund, amount=refund["amount"])
    refund["failure_balance_transaction"] = movement["id"]
    refund["failure_reason"] = "lost_or_stolen_card"
    desk.emit("refund.updated", desk.book.put(refund))
    desk.emit("refund.failed", refund)
    return refund
