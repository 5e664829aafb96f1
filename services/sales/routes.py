"""Sales' endpoints."""

from uuid import UUID

from services.platform.service import Route
from services.sales.handlers import SalesHandlers
from services.sales.models import (
    CaseList,
    NotificationList,
    OfferRequest,
    OfferView,
    OrderList,
    OrderRequest,
    OrderView,
    Page,
    PaymentRequest,
    Receipt,
)

_PLANNING = ("journey_not_found", "fare_not_found", "network_unavailable")


def build_routes(handlers: SalesHandlers) -> list[Route]:
    """All endpoints of the service."""
    return [*_offer_routes(handlers), *_order_routes(handlers), *_after_routes(handlers)]


def _offer_routes(handlers: SalesHandlers) -> list[Route]:
    return [
        Route(
            method="POST",
            path="/api/offers",
            operation="createOffer",
            handler=handlers.create_offer,
            summary="A firm price for a journey, with places held",
            tag="sales",
            body=OfferRequest,
            response=OfferView,
            status=201,
            idempotent=True,
            problems=(
                *_PLANNING,
                "sold_out",
                "offer_expired",
                "eligibility_unproven",
                "pass_order_not_found",
            ),
        ),
        Route(
            method="GET",
            path="/api/offers/{offer_id}",
            operation="getOffer",
            handler=handlers.get_offer,
            summary="An offer of yours",
            tag="sales",
            path_types={"offer_id": UUID},
            response=OfferView,
            problems=("offer_not_found",),
        ),
    ]


def _order_routes(handlers: SalesHandlers) -> list[Route]:
    return [
        Route(
            method="POST",
            path="/api/orders",
            operation="placeOrder",
            handler=handlers.place_order,
            summary="Take an offer",
            tag="sales",
            body=OrderRequest,
            response=OrderView,
            status=201,
            idempotent=True,
            problems=("offer_not_found", "offer_expired", "offer_taken", "passengers_required"),
        ),
        Route(
            method="GET",
            path="/api/orders",
            operation="listOrders",
            handler=handlers.list_orders,
            summary="Your orders, newest first",
            tag="sales",
            query=Page,
            response=OrderList,
        ),
        Route(
            method="GET",
            path="/api/orders/{order_id}",
            operation="getOrder",
            handler=handlers.get_order,
            summary="An order of yours",
            tag="sales",
            path_types={"order_id": UUID},
            response=OrderView,
            problems=("order_not_found",),
        ),
        Route(
            method="POST",
            path="/api/orders/{order_id}/payments",
            operation="payOrder",
            handler=handlers.pay_order,
            summary="Pay an order and book everything in it",
            tag="sales",
            path_types={"order_id": UUID},
            body=PaymentRequest,
            response=OrderView,
            idempotent=True,
            problems=(
                "order_not_found",
                "order_not_payable",
                "payment_declined",
                "sold_out",
                "provider_unavailable",
            ),
        ),
        Route(
            method="POST",
            path="/api/orders/{order_id}/cancellations",
            operation="cancelOrder",
            handler=handlers.cancel_order,
            summary="Give back all that is not ridden, by each operator's rule",
            tag="sales",
            path_types={"order_id": UUID},
            response=OrderView,
            idempotent=True,
            problems=("order_not_found", "order_not_cancellable", "fare_not_found"),
        ),
    ]


def _after_routes(handlers: SalesHandlers) -> list[Route]:
    return [
        Route(
            method="GET",
            path="/api/orders/{order_id}/receipt",
            operation="getReceipt",
            handler=handlers.get_receipt,
            summary="One receipt for the whole way",
            tag="sales",
            path_types={"order_id": UUID},
            response=Receipt,
            problems=("order_not_found",),
        ),
        Route(
            method="GET",
            path="/api/notifications",
            operation="listNotifications",
            handler=handlers.list_notifications,
            summary="What you were told, in five languages",
            tag="sales",
            query=Page,
            response=NotificationList,
        ),
        Route(
            method="GET",
            path="/api/disruption-cases",
            operation="listDisruptionCases",
            handler=handlers.list_cases,
            summary="Orders put right after a cancelled sailing",
            tag="sales",
            query=Page,
            response=CaseList,
        ),
    ]
