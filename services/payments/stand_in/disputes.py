"""Disputes: a card's owner takes money back through the bank, and the platform may object with evidence.

Invariant Won or lost, a dispute is decided once; a won one gives back what was withdrawn, but not its fee.
Source    https://docs.stripe.com/disputes/how-disputes-work; https://docs.stripe.com/api/disputes
"""

from services.payments.stand_in.balance import put_movement
from services.payments.stand_in.desk import Desk, new_id
from services.payments.stand_in.errors import JsonObject, invalid, malformed
from services.payments.stand_in.forms import Params

FEE = 1_300
_ANSWER_WITHIN_S = 7 * 86_400
_OPEN = frozenset({"needs_response", "under_review"})
EVIDENCE = (
    "access_activity_log",
    "billing_address",
    "cancellation_policy",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_communication",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "customer_signature",
    "duplicate_charge_documentation",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "receipt",
    "refund_policy",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "service_documentation",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_documentation",
    "shipping_tracking_number",
    "uncategorized_file",
    "uncategorized_text",
)


def open_dispute(desk: Desk, charge_id: str, reason: str) -> JsonObject:
    """The card's owner objects: the money is withdrawn at once. A disputed charge is not disputed again."""
    charge = desk.book.get("charge", charge_id)
    if charge["disputed"] or not charge["captured"]:
        raise invalid(f"Charge {charge_id} cannot be disputed.", code="charge_not_disputable")
    amount = charge["amount_captured"] - charge["amount_refunded"]
    if amount <= 0:
        raise invalid(f"Charge {charge_id} has been refunded.", code="charge_already_refunded")
    dispute: JsonObject = {
        "id": new_id("dp"),
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": charge_id,
        "created": desk.created,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": dict.fromkeys(EVIDENCE) | {"appeal": None, "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": desk.created + _ANSWER_WITHIN_S,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        "intended_submission_method": None,
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "network_reason_code": "10.4",
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {
            "card": {
                "brand": "visa",
                "case_type": "chargeback",
                "network": "visa",
                "network_reason_code": "10.4",
            },
            "type": "card",
        },
        "reason": reason,
        "status": "needs_response",
    }
    charge["disputed"] = True
    desk.book.put(charge)
    desk.emit("charge.dispute.created", desk.book.put(dispute))
    movement = put_movement(
        desk, kind="adjustment", source=dispute, amount=-amount, fee=FEE, category="dispute"
    )
    dispute["balance_transactions"] = [movement]
    desk.emit("charge.dispute.funds_withdrawn", desk.book.put(dispute))
    return dispute


def retrieve(desk: Desk, params: Params, dispute_id: str) -> JsonObject:
    """GET /v1/disputes/{id}."""
    params.check_all_known()
    return desk.book.get("dispute", dispute_id)


def update(desk: Desk, params: Params, dispute_id: str) -> JsonObject:
    """POST /v1/disputes/{id}: evidence is kept, and handed to the bank when `submit` is not false."""
    dispute = desk.book.get("dispute", dispute_id)
    evidence, metadata = params.get_map("evidence"), params.get_map("metadata")
    submits = params.get_flag("submit", default=True)
    params.check_all_known()
    unknown = sorted(evidence.keys() - set(EVIDENCE))
    if unknown:
        raise malformed(
            f"Received unknown parameter: evidence[{unknown[0]}]", code="parameter_unknown", param="evidence"
        )
    if dispute["status"] not in _OPEN:
        raise invalid("This dispute is already closed.", param="evidence")
    dispute["evidence"].update(evidence)
    dispute["metadata"].update(metadata)
    details = dispute["evidence_details"]
    details["has_evidence"] = any(isinstance(each, str) for each in dispute["evidence"].values())
    if submits:
        if details["submission_count"]:
            raise invalid("Evidence for this dispute has been submitted already.", param="evidence")
        details.update(submission_count=1, submission_method="manual")
        dispute["status"] = "under_review"
    desk.emit("charge.dispute.updated", desk.book.put(dispute))
    return dispute


def close(desk: Desk, params: Params, dispute_id: str) -> JsonObject:
    """POST /v1/disputes/{id}/close: the platform gives in."""
    params.check_all_known()
    dispute = desk.book.get("dispute", dispute_id)
    if dispute["status"] != "needs_response":
        raise invalid("This dispute cannot be closed any more.")
    return conclude(desk, dispute_id, "lost")


def conclude(desk: Desk, dispute_id: str, status: str) -> JsonObject:
    """The bank decides. A repeat changes nothing."""
    dispute = desk.book.get("dispute", dispute_id)
    if status not in ("won", "lost"):
        raise malformed("Say won or lost.", code="parameter_invalid", param="status")
    if dispute["status"] not in _OPEN:
        return dispute
    dispute["status"] = status
    if status == "won":
        movement = put_movement(
            desk, kind="adjustment", source=dispute, amount=dispute["amount"], category="dispute_reversal"
        )
        dispute["balance_transactions"].append(movement)
        desk.emit("charge.dispute.funds_reinstated", desk.book.put(dispute))
    desk.emit("charge.dispute.closed", desk.book.put(dispute))
    return dispute
