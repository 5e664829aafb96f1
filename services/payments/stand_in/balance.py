"""The platform's balance: what every other object moved, and when it becomes available.

Invariant The balance is the sum of the movements' nets, and a payout takes each movement at most once.
Source    https://docs.stripe.com/api/balance_transactions; https://docs.stripe.com/reports/balance-transaction-types
"""

from services.payments.stand_in.book import Book
from services.payments.stand_in.desk import Desk, new_id
from services.payments.stand_in.errors import JsonObject
from services.payments.stand_in.forms import Params

AVAILABLE_AFTER_S = 4 * 86_400


def put_movement(
    desk: Desk,
    *,
    kind: str,
    source: JsonObject,
    amount: int,
    fee: int = 0,
    category: str = "",
    is_available: bool = False,
) -> JsonObject:
    """Record a balance transaction: money that came (positive) or went. Given: the report's category."""
    details = [
        {"amount": fee, "application": None, "currency": source["currency"], "type": "stripe_fee"}
        | {"description": None}
    ]
    return desk.book.put(
        {
            "id": new_id("txn"),
            "object": "balance_transaction",
            "amount": amount,
            "available_on": desk.created + (0 if is_available else AVAILABLE_AFTER_S),
            "balance_type": "payments",
            "created": desk.created,
            "currency": source["currency"],
            "description": None,
            "exchange_rate": None,
            "fee": fee,
            "fee_details": details if fee else [],
            "net": amount - fee,
            "reporting_category": category or kind,
            "source": source["id"],
            "status": "available" if is_available else "pending",
            "type": kind,
        }
    )


def retrieve_movement(desk: Desk, params: Params, movement_id: str) -> JsonObject:
    """GET /v1/balance_transactions/{id}."""
    params.check_all_known()
    return desk.book.get("balance_transaction", movement_id)


def list_movements(desk: Desk, where: dict[str, str]) -> list[JsonObject]:
    """Movements, newest first. `payout` asks for those that a payout took, and its own."""
    payout_id = where.pop("payout", None)
    movements = desk.book.list_all("balance_transaction", where)
    if payout_id is None:
        return movements
    taken = {each["movement"] for each in desk.book.list_all("payout_item", {"payout": payout_id})}
    return [each for each in movements if each["id"] in taken or each["source"] == payout_id]


def retrieve_balance(desk: Desk, params: Params) -> JsonObject:
    """GET /v1/balance."""
    params.check_all_known()
    movements = desk.book.list_all("balance_transaction")
    available = available_minor(desk)
    pending = sum(each["net"] for each in movements) - available
    return {
        "object": "balance",
        "available": [_amount(available)],
        "livemode": False,
        "pending": [_amount(pending)],
    }


def available_minor(desk: Desk) -> int:
    """What may be paid out or transferred now."""
    movements = desk.book.list_all("balance_transaction")
    return sum(each["net"] for each in movements if is_available(desk, each))


def is_available(desk: Desk, movement: JsonObject) -> bool:
    """The movement counts for payouts."""
    return bool(movement["status"] == "available" or movement["available_on"] <= desk.now)


def make_available(book: Book) -> int:
    """Days pass: everything that is pending becomes available. Returns how many movements."""
    pending = [each for each in book.list_all("balance_transaction") if each["status"] == "pending"]
    for movement in pending:
        book.put({**movement, "status": "available"})
    return len(pending)


def _amount(minor: int) -> JsonObject:
    return {"amount": minor, "currency": "jpy", "source_types": {"card": minor}}
