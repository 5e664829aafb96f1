"""The endpoint of disputed orders, for clerks and administrators."""

from services.platform.service import Route
from services.sales.disputes.handlers import DisputedOrders
from services.sales.models import DisputedOrderList, Page


def build_routes(disputed: DisputedOrders) -> list[Route]:
    """The endpoints of this room."""
    return [
        Route(
            method="GET",
            path="/api/disputed-orders",
            operation="listDisputedOrders",
            handler=disputed.list_all,
            summary="Orders and passes whose payment is or was disputed, and what was taken back",
            tag="sales",
            query=Page,
            response=DisputedOrderList,
        )
    ]
