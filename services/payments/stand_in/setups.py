"""Setup intents: a card is kept for a customer, with the bank's consent, so that it can be charged later.

Invariant A succeeded setup intent has attached its payment method to its customer.
Source    https://docs.stripe.com/payments/setup-intents; https://docs.stripe.com/api/setup_intents
"""

from services.payments.stand_in.cards import Card, decline
from services.payments.stand_in.catalog import card_of, get_method, put_attached
from services.payments.stand_in.desk import Desk, new_id
from services.payments.stand_in.errors import JsonObject, invalid, malformed
from services.payments.stand_in.forms import Params

_CONFIRMABLE = frozenset({"requires_payment_method", "requires_confirmation", "requires_action"})
_USAGES = frozenset({"off_session", "on_session"})
_CANCELLATION_REASONS = frozenset({"abandoned", "duplicate", "requested_by_customer"})


def create(desk: Desk, params: Params) -> JsonObject:
    """POST /v1/setup_intents."""
    setup_id = new_id("seti")
    types = params.get_list("allowed_payment_method_types") or ["card"]
    method_id, confirm_now = params.find_text("payment_method"), params.get_flag("confirm")
    return_url = params.find_text("return_url")
    setup: JsonObject = {
        "id": setup_id,
        "object": "setup_intent",
        "allowed_payment_method_types": types,
        "application": None,
        "cancellation_reason": None,
        "client_secret": f"{setup_id}_secret_{new_id('s')[2:]}",
        "created": desk.created,
        "customer": params.find_text("customer"),
        "description": params.find_text("description"),
        "last_setup_error": None,
        "latest_attempt": None,
        "livemode": False,
        "mandate": None,
        "metadata": params.get_map("metadata"),
        "next_action": None,
        "payment_method": None,
        "payment_method_types": types,
        "status": "requires_payment_method",
        "usage": params.find_text("usage", one_of=_USAGES) or "off_session",
    }
    params.ignore("automatic_payment_methods", "payment_method_options")
    params.check_all_known()
    if setup["customer"] is not None:
        desk.book.get("customer", setup["customer"])
    if method_id is not None:
        setup["payment_method"] = get_method(desk, method_id)["id"]
        setup["status"] = "requires_confirmation"
    desk.emit("setup_intent.created", desk.book.put(setup))
    return _confirm(desk, setup, return_url) if confirm_now else setup


def retrieve(desk: Desk, params: Params, setup_id: str) -> JsonObject:
    """GET /v1/setup_intents/{id}."""
    params.ignore("client_secret")
    params.check_all_known()
    return desk.book.get("setup_intent", setup_id)


def confirm(desk: Desk, params: Params, setup_id: str) -> JsonObject:
    """POST /v1/setup_intents/{id}/confirm."""
    setup = desk.book.get("setup_intent", setup_id)
    method_id, return_url = params.find_text("payment_method"), params.find_text("return_url")
    params.ignore("payment_method_options", "use_stripe_sdk")
    params.check_all_known()
    if setup["status"] not in _CONFIRMABLE:
        raise _unexpected_state("confirmed", setup)
    if method_id is not None:
        setup["payment_method"] = get_method(desk, method_id)["id"]
    if setup["payment_method"] is None:
        raise _unexpected_state("confirmed without a payment method", setup)
    return _confirm(desk, setup, return_url)


def cancel(desk: Desk, params: Params, setup_id: str) -> JsonObject:
    """POST /v1/setup_intents/{id}/cancel."""
    setup = desk.book.get("setup_intent", setup_id)
    reason = params.find_text("cancellation_reason", one_of=_CANCELLATION_REASONS)
    params.check_all_known()
    if setup["status"] not in _CONFIRMABLE:
        raise _unexpected_state("canceled", setup)
    setup.update(status="canceled", cancellation_reason=reason, next_action=None)
    desk.emit("setup_intent.canceled", desk.book.put(setup))
    return setup


def authenticate(desk: Desk, setup_id: str, secret: str, *, approved: bool) -> JsonObject:
    """The customer has answered the bank. A repeat changes nothing."""
    setup = desk.book.get("setup_intent", setup_id)
    if secret != setup["client_secret"]:
        raise malformed("The secret is not this setup's.", code="parameter_invalid", param="secret")
    if setup["status"] != "requires_action":
        return setup
    if approved:
        return _succeed(desk, setup)
    setup.update(status="requires_payment_method", next_action=None, payment_method=None)
    setup["last_setup_error"] = {
        "code": "setup_intent_authentication_failure",
        "message": "The provided PaymentMethod has failed authentication.",
        "type": "invalid_request_error",
    }
    desk.emit("setup_intent.setup_failed", desk.book.put(setup))
    return setup


def _confirm(desk: Desk, setup: JsonObject, return_url: str | None) -> JsonObject:
    method = desk.book.get("payment_method", setup["payment_method"])
    card = card_of(method)
    if card.decline_code is not None and not card.fails_later:
        return _fail(desk, setup, method, card)
    if not card.requires_action:
        return _succeed(desk, setup)
    setup["status"] = "requires_action"
    setup["next_action"] = {
        "type": "redirect_to_url",
        "redirect_to_url": {
            "return_url": return_url,
            "url": f"{desk.base_url}/bank/{setup['id']}?secret={setup['client_secret']}",
        },
    }
    desk.emit("setup_intent.requires_action", desk.book.put(setup))
    return setup


def _succeed(desk: Desk, setup: JsonObject) -> JsonObject:
    method = desk.book.get("payment_method", setup["payment_method"])
    if setup["usage"] == "off_session":
        method["metadata"]["set_up"] = "off_session"
    if setup["customer"] is not None:
        put_attached(desk, method, setup["customer"])
    else:
        desk.book.put(method)
    setup.update(status="succeeded", next_action=None, last_setup_error=None)
    desk.emit("setup_intent.succeeded", desk.book.put(setup))
    return setup


def _fail(desk: Desk, setup: JsonObject, method: JsonObject, card: Card) -> JsonObject:
    refusal = decline(card, setup_intent=setup, payment_method=method)
    setup.update(status="requires_payment_method", payment_method=None)
    setup["last_setup_error"] = {
        key: value for key, value in refusal.body["error"].items() if key != "setup_intent"
    }
    desk.emit("setup_intent.setup_failed", desk.book.put(setup))
    raise refusal


def _unexpected_state(verb: str, setup: JsonObject) -> Exception:
    return invalid(
        f"This SetupIntent's status is {setup['status']}; it cannot be {verb}.",
        code="setup_intent_unexpected_state",
        setup_intent=setup,
    )
