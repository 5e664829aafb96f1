"""The smaller objects: payment methods, customers, charges, events, webhook endpoints."""

import secrets

from services.payments.stand_in.cards import Card, find_card
from services.payments.stand_in.desk import API_VERSION, Desk, new_id
from services.payments.stand_in.errors import JsonObject, invalid, missing
from services.payments.stand_in.forms import Params


def get_method(desk: Desk, method_id: str) -> JsonObject:
    """A payment method: a stored one, or one made from a test card's name as the provider does."""
    stored = desk.book.find(method_id)
    if stored is not None and stored["object"] == "payment_method":
        if stored["metadata"].get("detached"):
            raise invalid(
                "This PaymentMethod was detached from a Customer and may not be used again.",
                param="payment_method",
            )
        return stored
    card = find_card(method_id)
    if card is None:
        raise invalid(
            f"No such PaymentMethod: '{method_id}'", code="resource_missing", param="payment_method"
        )
    return desk.book.put(_new_method(desk, method_id, card))


def _new_method(desk: Desk, token: str, card: Card) -> JsonObject:
    return {
        "id": new_id("pm"),
        "object": "payment_method",
        "billing_details": {"address": None, "email": None, "name": None, "phone": None, "tax_id": None},
        "card": method_details(card)["card"],
        "created": desk.created,
        "customer": None,
        "livemode": False,
        "metadata": {"test_card": token},
        "type": "card",
    }


def method_details(card: Card) -> JsonObject:
    """What a charge shows of its card."""
    return {
        "card": {
            "brand": card.brand,
            "country": "JP",
            "exp_month": 12,
            "exp_year": 2034,
            "funding": "credit",
            "last4": card.last4,
        },
        "type": "card",
    }


def retrieve_method(desk: Desk, params: Params, method_id: str) -> JsonObject:
    """GET /v1/payment_methods/{id}."""
    params.check_all_known()
    stored = desk.book.find(method_id)
    return get_method(desk, method_id) if stored is None else stored


def card_of(method: JsonObject) -> Card:
    """How the card behind a payment method behaves."""
    card = find_card(method["metadata"].get("test_card", ""))
    assert card is not None, "every payment method here was made from a test card"
    return card


def attach_method(desk: Desk, params: Params, method_id: str) -> JsonObject:
    """POST /v1/payment_methods/{id}/attach."""
    customer = desk.book.get("customer", params.get_text("customer"))
    params.check_all_known()
    return put_attached(desk, get_method(desk, method_id), customer["id"])


def put_attached(desk: Desk, method: JsonObject, customer_id: str) -> JsonObject:
    """Keep the method for the customer. Raises ApiError when it is another customer's."""
    if method["customer"] == customer_id:
        return desk.book.put(method)
    if method["customer"] is not None:
        raise invalid(
            "The payment method you provided has already been attached to a customer.", param="payment_method"
        )
    method["customer"] = customer_id
    desk.emit("payment_method.attached", desk.book.put(method))
    return method


def detach_method(desk: Desk, params: Params, method_id: str) -> JsonObject:
    """POST /v1/payment_methods/{id}/detach. It may never be used again."""
    params.check_all_known()
    method = desk.book.get("payment_method", method_id)
    if method["customer"] is None:
        raise invalid(
            "The payment method you provided is not attached to a customer so detachment is impossible.",
            param="payment_method",
        )
    method["customer"] = None
    method["metadata"]["detached"] = "true"
    desk.emit("payment_method.detached", desk.book.put(method))
    return method


def create_customer(desk: Desk, params: Params) -> JsonObject:
    """POST /v1/customers."""
    customer: JsonObject = {
        "id": new_id("cus"),
        "object": "customer",
        "created": desk.created,
        "description": params.find_text("description"),
        "email": params.find_text("email"),
        "livemode": False,
        "metadata": params.get_map("metadata"),
        "name": params.find_text("name"),
    }
    params.check_all_known()
    desk.emit("customer.created", desk.book.put(customer))
    return customer


def retrieve_customer(desk: Desk, params: Params, customer_id: str) -> JsonObject:
    """GET /v1/customers/{id}."""
    params.check_all_known()
    return desk.book.get("customer", customer_id)


def retrieve_charge(desk: Desk, params: Params, charge_id: str) -> JsonObject:
    """GET /v1/charges/{id}."""
    params.check_all_known()
    return desk.book.get("charge", charge_id)


def retrieve_event(desk: Desk, params: Params, event_id: str) -> JsonObject:
    """GET /v1/events/{id}."""
    params.check_all_known()
    return desk.book.get("event", event_id)


def create_endpoint(desk: Desk, params: Params) -> JsonObject:
    """POST /v1/webhook_endpoints. The secret is told here and never again."""
    url, enabled = params.get_text("url"), params.get_list("enabled_events")
    params.ignore("api_version", "connect")
    description, metadata = params.find_text("description"), params.get_map("metadata")
    params.check_all_known()
    if not url.startswith(("http://", "https://")):
        raise invalid("Invalid URL: an explicit scheme must be provided.", code="url_invalid", param="url")
    return new_endpoint(
        desk,
        url=url,
        enabled_events=enabled or ["*"],
        secret="whsec_" + secrets.token_hex(16),
        description=description,
        metadata=metadata,
    )


def new_endpoint(
    desk: Desk,
    *,
    url: str,
    enabled_events: list[str],
    secret: str,
    description: str | None = None,
    metadata: dict[str, str] | None = None,
) -> JsonObject:
    """Send these events to `url` from now on, signed with `secret`."""
    return desk.book.put(
        {
            "id": new_id("we"),
            "object": "webhook_endpoint",
            "api_version": API_VERSION,
            "application": None,
            "created": desk.created,
            "description": description,
            "enabled_events": enabled_events,
            "livemode": False,
            "metadata": metadata or {},
            "secret": secret,
            "status": "enabled",
            "url": url,
        }
    )


def retrieve_endpoint(desk: Desk, params: Params, endpoint_id: str) -> JsonObject:
    """GET /v1/webhook_endpoints/{id}."""
    params.check_all_known()
    return without_secret(desk.book.get("webhook_endpoint", endpoint_id))


def delete_endpoint(desk: Desk, params: Params, endpoint_id: str) -> JsonObject:
    """DELETE /v1/webhook_endpoints/{id}."""
    params.check_all_known()
    item = desk.book.find(endpoint_id)
    if item is None or item["object"] != "webhook_endpoint":
        raise missing("webhook_endpoint", endpoint_id)
    desk.book.delete(endpoint_id)
    return {"id": endpoint_id, "object": "webhook_endpoint", "deleted": True}


def without_secret(endpoint: JsonObject) -> JsonObject:
    """An endpoint as it is shown after its creation."""
    return {key: value for key, value in endpoint.items() if key != "secret"}
