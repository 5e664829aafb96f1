"""Payment intents and their charges: create, confirm, capture, cancel, and what the traveller's bank does.

Invariant amount_received = what was captured; a captured or cancelled intent never changes its status again.
Source    https://docs.stripe.com/payments/paymentintents/lifecycle
"""

from services.payments.stand_in.balance import put_movement
from services.payments.stand_in.cards import AUTHENTICATION_REQUIRED, Card, decline
from services.payments.stand_in.catalog import card_of, get_method, method_details
from services.payments.stand_in.desk import Desk, new_id
from services.payments.stand_in.disputes import open_dispute
from services.payments.stand_in.errors import JsonObject, invalid, malformed, unexpected_state
from services.payments.stand_in.forms import Params

AMOUNT_MIN = {"jpy": 50}
AMOUNT_MIN_ELSEWHERE = 50
AMOUNT_MAX = 99_999_999
FEE_PER_MILLE = 36
_CONFIRMABLE = frozenset({"requires_payment_method", "requires_confirmation", "requires_action"})
_CANCELABLE = _CONFIRMABLE | {"requires_capture", "processing"}
_CAPTURE_METHODS = frozenset({"automatic", "automatic_async", "manual"})
_CANCELLATION_REASONS = frozenset({"abandoned", "duplicate", "fraudulent", "requested_by_customer"})


def create(desk: Desk, params: Params) -> JsonObject:
    """POST /v1/payment_intents."""
    amount, currency = _amount(params)
    capture_method = params.find_text("capture_method", one_of=_CAPTURE_METHODS) or "automatic_async"
    types = params.get_list("allowed_payment_method_types") or ["card"]
    method_id = params.find_text("payment_method")
    confirm_now, off_session = params.get_flag("confirm"), params.get_flag("off_session")
    return_url = params.find_text("return_url")
    intent_id = new_id("pi")
    intent: JsonObject = {
        "id": intent_id,
        "object": "payment_intent",
        "amount": amount,
        "amount_capturable": 0,
        "amount_received": 0,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": capture_method,
        "client_secret": f"{intent_id}_secret_{new_id('s')[2:]}",
        "confirmation_method": "automatic",
        "created": desk.created,
        "currency": currency,
        "customer": params.find_text("customer"),
        "description": params.find_text("description"),
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": params.get_map("metadata"),
        "next_action": None,
        "payment_method": None,
        "allowed_payment_method_types": types,
        "payment_method_types": types,
        "receipt_email": params.find_text("receipt_email"),
        "statement_descriptor": params.find_text("statement_descriptor"),
        "statement_descriptor_suffix": params.find_text("statement_descriptor_suffix"),
        "status": "requires_payment_method",
    }
    params.ignore(
        "automatic_payment_methods", "payment_method_options", "setup_future_usage", "transfer_group"
    )
    params.check_all_known()
    if off_session and not confirm_now:
        raise malformed("off_session needs confirm=true.", code="parameter_invalid", param="off_session")
    if intent["customer"] is not None:
        desk.book.get("customer", intent["customer"])
    if method_id is not None:
        intent["payment_method"] = get_method(desk, method_id)["id"]
        intent["status"] = "requires_confirmation"
    desk.emit("payment_intent.created", desk.book.put(intent))
    return _confirm(desk, intent, return_url, off_session=off_session) if confirm_now else intent


def _amount(params: Params) -> tuple[int, str]:
    amount, currency = params.get_int("amount"), params.get_text("currency").lower()
    minimum = AMOUNT_MIN.get(currency, AMOUNT_MIN_ELSEWHERE)
    if amount < minimum:
        raise invalid(
            f"Amount must be at least {minimum} {currency}.", code="amount_too_small", param="amount"
        )
    if amount > AMOUNT_MAX:
        raise invalid("Amount must be no more than ¥99,999,999.", code="amount_too_large", param="amount")
    return amount, currency


def retrieve(desk: Desk, params: Params, intent_id: str) -> JsonObject:
    """GET /v1/payment_intents/{id}."""
    params.ignore("client_secret")
    return desk.book.get("payment_intent", intent_id)


def confirm(desk: Desk, params: Params, intent_id: str) -> JsonObject:
    """POST /v1/payment_intents/{id}/confirm."""
    intent = desk.book.get("payment_intent", intent_id)
    method_id = params.find_text("payment_method")
    return_url = params.find_text("return_url")
    off_session = params.get_flag("off_session")
    params.ignore("payment_method_options", "use_stripe_sdk", "capture_method")
    params.check_all_known()
    if intent["status"] not in _CONFIRMABLE:
        raise unexpected_state("confirmed", intent)
    if method_id is not None:
        intent["payment_method"] = get_method(desk, method_id)["id"]
    if intent["payment_method"] is None:
        raise invalid(
            "You cannot confirm this PaymentIntent because it's missing a payment method.",
            code="payment_intent_unexpected_state",
            payment_intent=intent,
        )
    return _confirm(desk, intent, return_url, off_session=off_session)


def update(desk: Desk, params: Params, intent_id: str) -> JsonObject:
    """POST /v1/payment_intents/{id}: who pays, and notes."""
    intent = desk.book.get("payment_intent", intent_id)
    customer, metadata = params.find_text("customer"), params.get_map("metadata")
    params.check_all_known()
    if intent["status"] not in _CONFIRMABLE:
        raise unexpected_state("updated", intent)
    if customer is not None:
        intent["customer"] = desk.book.get("customer", customer)["id"]
    intent["metadata"].update(metadata)
    return desk.book.put(intent)


def _confirm(desk: Desk, intent: JsonObject, return_url: str | None, *, off_session: bool) -> JsonObject:
    method = desk.book.get("payment_method", intent["payment_method"])
    if method["customer"] is not None and method["customer"] != intent["customer"]:
        raise invalid(
            "The payment method supplied belongs to a customer. Please supply that customer as well.",
            param="customer",
        )
    card = card_of(method)
    is_free = card.set_up_frees and method["metadata"].get("set_up") == "off_session"
    if card.requires_action and not is_free:
        if off_session:
            return _charge(desk, intent, card, asks_payer=True)
        intent["status"] = "requires_action"
        intent["next_action"] = {
            "type": "redirect_to_url",
            "redirect_to_url": {
                "return_url": return_url,
                "url": f"{desk.base_url}/bank/{intent['id']}?secret={intent['client_secret']}",
            },
        }
        desk.emit("payment_intent.requires_action", desk.book.put(intent))
        return intent
    return _charge(desk, intent, card)


def _charge(desk: Desk, intent: JsonObject, card: Card, *, asks_payer: bool = False) -> JsonObject:
    """The bank's answer. `asks_payer`: the payer is not there, so what needs them is declined."""
    decline_code = AUTHENTICATION_REQUIRED if asks_payer else card.decline_code
    charge = _new_charge(desk, intent, card, decline_code)
    intent["latest_charge"] = charge["id"]
    intent["next_action"] = None
    if decline_code is not None:
        return _fail(desk, intent, charge, card)
    intent["last_payment_error"] = None
    desk.emit("charge.succeeded", desk.book.put(charge))
    if intent["capture_method"] == "manual":
        intent["status"] = "requires_capture"
        intent["amount_capturable"] = intent["amount"]
        desk.emit("payment_intent.amount_capturable_updated", desk.book.put(intent))
        return intent
    return _take(desk, intent, charge, intent["amount"])


def _new_charge(desk: Desk, intent: JsonObject, card: Card, decline_code: str | None) -> JsonObject:
    declined = decline_code is not None
    return {
        "id": new_id("ch"),
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": 0,
        "amount_refunded": 0,
        "balance_transaction": None,
        "billing_details": {"address": None, "email": None, "name": None, "phone": None, "tax_id": None},
        "captured": False,
        "created": desk.created,
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_code": (card.error_code if card.decline_code else decline_code) if declined else None,
        "failure_message": "Your card was declined." if declined else None,
        "livemode": False,
        "metadata": dict(intent["metadata"]),
        "outcome": {
            "network_status": "declined_by_network" if declined else "approved_by_network",
            "reason": decline_code,
            "seller_message": "The bank declined." if declined else "Payment complete.",
            "type": "issuer_declined" if declined else "authorized",
        },
        "paid": not declined,
        "payment_intent": intent["id"],
        "payment_method": intent["payment_method"],
        "payment_method_details": method_details(card),
        "refunded": False,
        "status": "failed" if declined else "succeeded",
    }


def _fail(desk: Desk, intent: JsonObject, charge: JsonObject, card: Card) -> JsonObject:
    method = desk.book.get("payment_method", intent["payment_method"])
    intent["status"] = "requires_payment_method"
    intent["payment_method"] = None
    refusal = decline(card, charge=charge["id"], payment_intent=intent, payment_method=method)
    error = {key: value for key, value in refusal.body["error"].items() if key != "payment_intent"}
    intent["last_payment_error"] = error
    desk.emit("charge.failed", desk.book.put(charge))
    desk.emit("payment_intent.payment_failed", desk.book.put(intent))
    raise refusal


def _take(desk: Desk, intent: JsonObject, charge: JsonObject, amount: int) -> JsonObject:
    fee = (amount * FEE_PER_MILLE + 500) // 1000
    movement = put_movement(desk, kind="charge", source=charge, amount=amount, fee=fee)
    charge["captured"] = True
    charge["amount_captured"] = amount
    charge["balance_transaction"] = movement["id"]
    intent["status"] = "succeeded"
    intent["amount_capturable"] = 0
    intent["amount_received"] = amount
    desk.emit("charge.captured", desk.book.put(charge))
    desk.emit("payment_intent.succeeded", desk.book.put(intent))
    reason = card_of(desk.book.get("payment_method", charge["payment_method"])).dispute_reason
    if reason is not None:
        open_dispute(desk, charge["id"], reason)
    return intent


def capture(desk: Desk, params: Params, intent_id: str) -> JsonObject:
    """POST /v1/payment_intents/{id}/capture."""
    intent = desk.book.get("payment_intent", intent_id)
    amount = params.find_int("amount_to_capture")
    params.ignore("metadata", "statement_descriptor", "statement_descriptor_suffix")
    params.check_all_known()
    if intent["status"] != "requires_capture":
        raise unexpected_state("captured", intent)
    amount = intent["amount_capturable"] if amount is None else amount
    if not 0 < amount <= intent["amount_capturable"]:
        raise invalid(
            "The amount to capture is greater than the capturable amount.",
            code="amount_too_large",
            param="amount_to_capture",
        )
    return _take(desk, intent, desk.book.get("charge", intent["latest_charge"]), amount)


def cancel(desk: Desk, params: Params, intent_id: str) -> JsonObject:
    """POST /v1/payment_intents/{id}/cancel."""
    intent = desk.book.get("payment_intent", intent_id)
    reason = params.find_text("cancellation_reason", one_of=_CANCELLATION_REASONS)
    params.check_all_known()
    if intent["status"] not in _CANCELABLE:
        raise unexpected_state("canceled", intent)
    return _cancel(desk, intent, reason, "charge.refunded")


def expire(desk: Desk, intent_id: str) -> JsonObject:
    """What happens by itself when a hold is not captured within days."""
    intent = desk.book.get("payment_intent", intent_id)
    if intent["status"] != "requires_capture":
        raise unexpected_state("expired", intent)
    return _cancel(desk, intent, "automatic", "charge.expired")


def _cancel(desk: Desk, intent: JsonObject, reason: str | None, told_as: str) -> JsonObject:
    if intent["status"] == "requires_capture":
        charge = desk.book.get("charge", intent["latest_charge"])
        charge["refunded"] = True
        charge["amount_refunded"] = charge["amount"]
        desk.emit(told_as, desk.book.put(charge))
    intent["status"] = "canceled"
    intent["amount_capturable"] = 0
    intent["canceled_at"] = desk.created
    intent["cancellation_reason"] = reason
    intent["next_action"] = None
    desk.emit("payment_intent.canceled", desk.book.put(intent))
    return intent


def authenticate(desk: Desk, intent_id: str, secret: str, *, approved: bool) -> JsonObject:
    """The traveller has answered the bank: the charge goes on, or fails. A repeat changes nothing."""
    intent = desk.book.get("payment_intent", intent_id)
    if secret != intent["client_secret"]:
        raise malformed("The secret is not this payment's.", code="parameter_invalid", param="secret")
    if intent["status"] != "requires_action":
        return intent
    if approved:
        return _charge(desk, intent, card_of(desk.book.get("payment_method", intent["payment_method"])))
    intent["status"] = "requires_payment_method"
    intent["next_action"] = None
    intent["payment_method"] = None
    intent["last_payment_error"] = {
        "code": "payment_intent_authentication_failure",
        "message": "The provided PaymentMethod has failed authentication.",
        "type": "card_error",
    }
    desk.emit("payment_intent.payment_failed", desk.book.put(intent))
    return intent
