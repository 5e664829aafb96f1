"""Lists and searches: newest first, in pages.

Source    https://docs.stripe.com/api/pagination and https://docs.stripe.com/search (`field:'value' AND ...`).
"""

import re
from collections.abc import Callable

from services.payments.stand_in.balance import list_movements
from services.payments.stand_in.catalog import without_secret
from services.payments.stand_in.desk import Desk
from services.payments.stand_in.errors import JsonObject, malformed
from services.payments.stand_in.forms import Params

LIMIT_DEFAULT, LIMIT_MAX = 10, 100
_FILTERS = {
    "payment_intent": ("customer",),
    "setup_intent": ("customer", "payment_method"),
    "charge": ("payment_intent", "customer"),
    "refund": ("payment_intent", "charge"),
    "balance_transaction": ("type", "source", "payout"),
    "dispute": ("charge", "payment_intent"),
    "payout": ("status",),
    "account": (),
    "transfer": ("destination", "transfer_group"),
    "transfer_reversal": (),
    "event": ("type",),
    "customer": (),
    "payment_method": ("type", "customer"),
    "webhook_endpoint": (),
}
_WITHOUT_CREATED = frozenset({"payment_method", "transfer_reversal", "webhook_endpoint"})
_COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    "gt": lambda a, b: a > b,
    "gte": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "lte": lambda a, b: a <= b,
}
_CLAUSE = re.compile(r"""\s*(?:metadata\[['"]([A-Za-z_]\w*)['"]\]|(status))\s*:\s*['"]([^'"]*)['"]\s*""")


def list_objects(kind: str, url: str) -> Callable[[Desk, Params], JsonObject]:
    """The list operation of a kind of object."""

    def operation(desk: Desk, params: Params, *parent: str) -> JsonObject:
        where = {name: value for name in _FILTERS[kind] if (value := params.find_text(name)) is not None}
        created = {} if kind in _WITHOUT_CREATED else params.get_map("created")
        limit = _limit(params)
        after, before = params.find_text("starting_after"), params.find_text("ending_before")
        params.check_all_known()
        if parent:
            where |= {"transfer": parent[0]}
        found = (
            list_movements(desk, where) if kind == "balance_transaction" else desk.book.list_all(kind, where)
        )
        items = [each for each in found if _is_within(each["created"], created)]
        page, has_more = _page(items, limit, after, before)
        if kind == "webhook_endpoint":
            page = [without_secret(each) for each in page]
        return {"object": "list", "data": page, "has_more": has_more, "url": url}

    return operation


def _limit(params: Params) -> int:
    limit = params.find_int("limit")
    if limit is None:
        return LIMIT_DEFAULT
    if not 1 <= limit <= LIMIT_MAX:
        raise malformed("limit must be from 1 to 100.", code="parameter_invalid_integer", param="limit")
    return limit


def _is_within(created: int, bounds: dict[str, str]) -> bool:
    for name, text in bounds.items():
        if name not in _COMPARISONS or not text.isdecimal():
            raise malformed("Invalid range.", code="parameter_invalid", param="created")
        if not _COMPARISONS[name](created, int(text)):
            return False
    return True


def _page(
    items: list[JsonObject], limit: int, after: str | None, before: str | None
) -> tuple[list[JsonObject], bool]:
    ids = [each["id"] for each in items]
    for cursor in (after, before):
        if cursor is not None and cursor not in ids:
            raise malformed(f"No such object: {cursor}", code="resource_missing", param="starting_after")
    if before is not None:
        newer = items[: ids.index(before)]
        return newer[-limit:], len(newer) > limit
    rest = items[ids.index(after) + 1 :] if after is not None else items
    return rest[:limit], len(rest) > limit


def search_intents(desk: Desk, params: Params) -> JsonObject:
    """GET /v1/payment_intents/search. Unlike the provider's, it shows what was written a moment ago."""
    return _search(desk, params, "payment_intent", "/v1/payment_intents/search")


def search_customers(desk: Desk, params: Params) -> JsonObject:
    """GET /v1/customers/search. As search_intents."""
    return _search(desk, params, "customer", "/v1/customers/search")


def _search(desk: Desk, params: Params, kind: str, url: str) -> JsonObject:
    where = _parse_query(params.get_text("query"))
    limit = _limit(params)
    params.ignore("page")
    params.check_all_known()
    items = desk.book.list_all(kind, where)
    return {
        "object": "search_result",
        "data": items[:limit],
        "has_more": len(items) > limit,
        "next_page": None,
        "url": url,
    }


def _parse_query(query: str) -> dict[str, str]:
    where: dict[str, str] = {}
    for clause in re.split(r"\s+AND\s+", query):
        match = _CLAUSE.fullmatch(clause)
        if match is None:
            raise malformed(f"Cannot read the query at {clause!r}.", code="parameter_invalid", param="query")
        key, status, value = match.groups()
        where["status" if status else f"metadata.{key}"] = value
    return where
