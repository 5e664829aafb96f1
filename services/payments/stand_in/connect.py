"""Connect: operators' accounts, transfers to them, and reversals.

Invariant Transfers that name a charge never exceed it; others never exceed what is available. A transfer is
          reversed for at most its amount.
Source    https://docs.stripe.com/connect/separate-charges-and-transfers; https://docs.stripe.com/api/transfers
"""

from services.payments.stand_in.balance import available_minor, put_movement
from services.payments.stand_in.desk import Desk, new_id
from services.payments.stand_in.errors import JsonObject, invalid, malformed
from services.payments.stand_in.forms import Params

_TYPES = frozenset({"custom", "express", "standard"})
_LINK_TYPES = frozenset({"account_onboarding", "account_update"})
_LINK_LIFE_S = 300


def create_account(desk: Desk, params: Params) -> JsonObject:
    """POST /v1/accounts. It may receive transfers once its owner has been through the onboarding."""
    kind = params.find_text("type", one_of=_TYPES) or "none"
    account: JsonObject = {
        "id": new_id("acct"),
        "object": "account",
        "business_type": params.find_text("business_type"),
        "capabilities": {"transfers": "inactive"},
        "charges_enabled": False,
        "country": params.find_text("country") or "JP",
        "created": desk.created,
        "default_currency": "jpy",
        "details_submitted": False,
        "email": params.find_text("email"),
        "metadata": params.get_map("metadata"),
        "payouts_enabled": False,
        "type": kind,
    }
    params.ignore("controller", "capabilities", "business_profile", "settings")
    params.check_all_known()
    return desk.book.put(account)


def retrieve_account(desk: Desk, params: Params, account_id: str) -> JsonObject:
    """GET /v1/accounts/{id}."""
    params.check_all_known()
    return desk.book.get("account", account_id)


def create_link(desk: Desk, params: Params) -> JsonObject:
    """POST /v1/account_links: the page where the account's owner says who they are."""
    account = desk.book.get("account", params.get_text("account"))
    kind, return_url = params.get_text("type"), params.get_text("return_url")
    params.get_text("refresh_url")
    params.ignore("collect", "collection_options")
    params.check_all_known()
    if kind not in _LINK_TYPES:
        raise malformed("Invalid type.", code="parameter_invalid", param="type")
    return {
        "object": "account_link",
        "created": desk.created,
        "expires_at": desk.created + _LINK_LIFE_S,
        "url": f"{desk.base_url}/onboarding/{account['id']}?return_url={return_url}",
    }


def onboard(desk: Desk, account_id: str) -> JsonObject:
    """The owner has answered everything. A repeat changes nothing."""
    account = desk.book.get("account", account_id)
    if account["payouts_enabled"]:
        return account
    account.update(details_submitted=True, payouts_enabled=True, capabilities={"transfers": "active"})
    desk.emit("account.updated", desk.book.put(account))
    return account


def create_transfer(desk: Desk, params: Params) -> JsonObject:
    """POST /v1/transfers."""
    amount, currency = params.get_int("amount"), params.get_text("currency").lower()
    account = desk.book.get("account", params.get_text("destination"))
    source_id = params.find_text("source_transaction")
    group, metadata = params.find_text("transfer_group"), params.get_map("metadata")
    description = params.find_text("description")
    params.ignore("source_type")
    params.check_all_known()
    if amount <= 0:
        raise malformed("Invalid positive integer", code="parameter_invalid_integer", param="amount")
    _check_capable(account)
    _check_covered(desk, amount, source_id)
    transfer_id = new_id("tr")
    transfer: JsonObject = {
        "id": transfer_id,
        "object": "transfer",
        "amount": amount,
        "amount_reversed": 0,
        "balance_transaction": None,
        "created": desk.created,
        "currency": currency,
        "description": description,
        "destination": account["id"],
        "destination_payment": new_id("py"),
        "livemode": False,
        "metadata": metadata,
        "reversals": _reversals(transfer_id),
        "reversed": False,
        "source_transaction": source_id,
        "source_type": "card",
        "transfer_group": group or (f"group_{source_id}" if source_id else None),
    }
    movement = put_movement(
        desk, kind="transfer", source=transfer, amount=-amount, is_available=source_id is None
    )
    transfer["balance_transaction"] = movement["id"]
    desk.emit("transfer.created", desk.book.put(transfer))
    return transfer


def _check_capable(account: JsonObject) -> None:
    if account["capabilities"].get("transfers") != "active":
        raise invalid(
            "Your destination account needs to have the capability transfers enabled.",
            code="insufficient_capabilities_for_transfer",
        )


def _check_covered(desk: Desk, amount: int, source_id: str | None) -> None:
    if source_id is None:
        if amount > available_minor(desk):
            raise invalid(
                "You have insufficient available funds in your Stripe account.", code="balance_insufficient"
            )
        return
    charge = desk.book.get("charge", source_id)
    others = desk.book.list_all("transfer", {"source_transaction": source_id})
    left = charge["amount_captured"] - sum(each["amount"] for each in others)
    if not charge["captured"] or amount > left:
        raise invalid(
            f"Transfers must not exceed the amount of their source transaction (¥{left:,} left).",
            param="amount",
        )


def _reversals(transfer_id: str) -> JsonObject:
    return {
        "object": "list",
        "data": [],
        "has_more": False,
        "url": f"/v1/transfers/{transfer_id}/reversals",
    }


def retrieve_transfer(desk: Desk, params: Params, transfer_id: str) -> JsonObject:
    """GET /v1/transfers/{id}."""
    params.check_all_known()
    return desk.book.get("transfer", transfer_id)


def create_reversal(desk: Desk, params: Params, transfer_id: str) -> JsonObject:
    """POST /v1/transfers/{id}/reversals."""
    transfer = desk.book.get("transfer", transfer_id)
    left = transfer["amount"] - transfer["amount_reversed"]
    amount = params.find_int("amount")
    metadata = params.get_map("metadata")
    params.ignore("description", "refund_application_fee")
    params.check_all_known()
    amount = left if amount is None else amount
    if not 0 < amount <= left:
        raise invalid(f"Reversal amount is greater than what is left (¥{left:,}).", param="amount")
    reversal: JsonObject = {
        "id": new_id("trr"),
        "object": "transfer_reversal",
        "amount": amount,
        "balance_transaction": None,
        "created": desk.created,
        "currency": transfer["currency"],
        "destination_payment_refund": new_id("pyr"),
        "metadata": metadata,
        "source_refund": None,
        "transfer": transfer_id,
    }
    movement = put_movement(
        desk, kind="transfer_refund", source=reversal, amount=amount, is_available=True, category="transfer"
    )
    reversal["balance_transaction"] = movement["id"]
    desk.book.put(reversal)
    transfer["amount_reversed"] += amount
    transfer["reversed"] = transfer["amount_reversed"] == transfer["amount"]
    transfer["reversals"]["data"].insert(0, reversal)
    desk.emit("transfer.reversed", desk.book.put(transfer))
    return reversal
