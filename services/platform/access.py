"""Who may do what: one table, operation by operation.

An operation without a row cannot be mounted. PUBLIC needs no token; ANYONE is every signed-in caller. Whether
a resource is the caller's own is decided in the handler, by its owner's id. Services call one another on
internal endpoints only, which are not in this table.
"""

from services.platform.auth import Role

PUBLIC: frozenset[Role] = frozenset()
ANYONE = frozenset(Role)
TRAVELLER = frozenset({Role.TRAVELLER})
CLERK = frozenset({Role.CLERK})
VALIDATOR = frozenset({Role.VALIDATOR})
ADMIN = frozenset({Role.ADMIN})
ANALYST = frozenset({Role.ANALYST})

ACCESS: dict[str, frozenset[Role]] = {
    # gateway
    # feeds
    # planner
    # sales
    "createOffer": TRAVELLER,
    "getOffer": TRAVELLER,
    "placeOrder": TRAVELLER,
    "payOrder": TRAVELLER,
    "cancelOrder": TRAVELLER,
    "listOrders": TRAVELLER,
    "getOrder": TRAVELLER | ADMIN,
    "getReceipt": TRAVELLER | ADMIN,
    "listNotifications": TRAVELLER,
    "listDisruptionCases": CLERK | ADMIN,
    # payments
    # ledger
    # settlement
    # ticketing
    # dispatch
    # partners
    # demand
    # demo
    "getDemoClock": PUBLIC,
    "advanceDemoClock": ADMIN,
}
