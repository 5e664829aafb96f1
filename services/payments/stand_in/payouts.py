"""Payouts: what is available goes to the platform's bank, automatically, in yen.

Invariant An automatic payout is the sum of the movements it took; a manual one takes none.
Source    https://docs.stripe.com/payouts/reconciliation
"""

from services.payments.stand_in.balance import available_minor, is_available, put_movement
from services.payments.stand_in.desk import Desk, new_id
from services.payments.stand_in.errors import JsonObject, invalid, malformed
from services.payments.stand_in.forms import Params

_ARRIVES_AFTER_S = 2 * 86_400
_OPEN = frozenset({"pending", "in_transit"})
_STATUSES = frozenset({"pending", "in_transit", "paid", "failed", "canceled"})


def create(desk: Desk, params: Params) -> JsonObject:
    """POST /v1/payouts: a manual one."""
    amount, currency = params.get_int("amount"), params.get_text("currency").lower()
    description, metadata = params.find_text("description"), params.get_map("metadata")
    params.ignore("method", "statement_descriptor", "source_type", "destination")
    params.check_all_known()
    if amount <= 0:
        raise malformed("Invalid positive integer", code="parameter_invalid_integer", param="amount")
    if amount > available_minor(desk):
        raise invalid("You have insufficient funds in your account.", code="balance_insufficient")
    return _put(
        desk,
        amount,
        currency,
        automatic=False,
        description=description,
        metadata=metadata,
    )


def retrieve(desk: Desk, params: Params, payout_id: str) -> JsonObject:
    """GET /v1/payouts/{id}."""
    params.check_all_known()
    return desk.book.get("payout", payout_id)


def cancel(desk: Desk, params: Params, payout_id: str) -> JsonObject:
    """POST /v1/payouts/{id}/cancel."""
    params.check_all_known()
    payout = desk.book.get("payout", payout_id)
    if payout["status"] != "pending":
        raise invalid("Payouts can only be canceled while they are pending.", code="payout_not_allowed")
    return _give_back(desk, payout, "canceled", "payout_cancel")


def pay_out(desk: Desk) -> JsonObject | None:
    """The automatic payout of all that is available and not yet paid out; None when it is nothing or less."""
    taken = {each["movement"] for each in desk.book.list_all("payout_item")}
    items = [
        each
        for each in desk.book.list_all("balance_transaction")
        if is_available(desk, each) and each["id"] not in taken and not each["type"].startswith("payout")
    ]
    amount = sum(each["net"] for each in items)
    if amount <= 0:
        return None
    payout = _put(desk, amount, "jpy", automatic=True, description="STRIPE PAYOUT", metadata={})
    for item in items:
        desk.book.put(
            {
                "id": f"item_{item['id']}",
                "object": "payout_item",
                "created": desk.created,
                "payout": payout["id"],
                "movement": item["id"],
            }
        )
    return payout


def complete_reconciliation(desk: Desk, payout_id: str) -> JsonObject:
    """The provider has itemised the payout. A repeat tells it again."""
    payout = desk.book.get("payout", payout_id)
    if not payout["automatic"]:
        raise invalid("Only automatic payouts are itemised.")
    payout["reconciliation_status"] = "completed"
    desk.emit("payout.reconciliation_completed", desk.book.put(payout))
    return payout


def conclude(desk: Desk, payout_id: str, status: str) -> JsonObject:
    """The bank has taken a payout (paid), or sent it back (failed, also after it was paid)."""
    payout = desk.book.get("payout", payout_id)
    if status not in ("paid", "failed"):
        raise malformed("Say paid or failed.", code="parameter_invalid", param="status")
    if payout["status"] in (status, "failed", "canceled"):
        return payout
    if status == "paid":
        payout["status"] = "paid"
        desk.emit("payout.paid", desk.book.put(payout))
        return payout
    payout.update(failure_code="account_closed", failure_message="The bank account has been closed.")
    return _give_back(desk, payout, "failed", "payout_failure")


def _give_back(desk: Desk, payout: JsonObject, status: str, kind: str) -> JsonObject:
    movement = put_movement(desk, kind=kind, source=payout, amount=payout["amount"], is_available=True)
    payout.update(status=status, failure_balance_transaction=movement["id"])
    desk.emit(f"payout.{status}", desk.book.put(payout))
    return payout


def _put(
    desk: Desk,
    amount: int,
    currency: str,
    *,
    automatic: bool,
    description: str | None,
    metadata: dict[str, str],
) -> JsonObject:
    payout: JsonObject = {
        "id": new_id("po"),
        "object": "payout",
        "amount": amount,
        "application_fee": None,
        "application_fee_amount": None,
        "arrival_date": desk.created + _ARRIVES_AFTER_S,
        "automatic": automatic,
        "balance_transaction": None,
        "created": desk.created,
        "currency": currency,
        "description": description,
        "destination": "ba_of_the_platform",
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "livemode": False,
        "metadata": metadata,
        "method": "standard",
        "original_payout": None,
        "payout_method": None,
        "reconciliation_status": "in_progress" if automatic else "not_applicable",
        "reversed_by": None,
        "source_type": "card",
        "statement_descriptor": None,
        "status": "in_transit" if automatic else "pending",
        "trace_id": None,
        "type": "bank_account",
    }
    movement = put_movement(desk, kind="payout", source=payout, amount=-amount, is_available=True)
    payout["balance_transaction"] = movement["id"]
    desk.emit("payout.created", desk.book.put(payout))
    return payout
