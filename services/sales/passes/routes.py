"""The passes' endpoints."""

from uuid import UUID

from services.platform.service import Route
from services.sales.models import Page, PaymentRequest
from services.sales.passes.handlers import Passes
from services.sales.passes.models import (
    PassOrderList,
    PassOrderRequest,
    PassOrderView,
    PassProductList,
    ProductQuery,
)

_TAG = "sales"
_ONE = "/api/passes/{pass_id}"


def build_routes(passes: Passes) -> list[Route]:
    """All endpoints about passes."""
    return [*_shop_routes(passes), *_holder_routes(passes)]


def _shop_routes(passes: Passes) -> list[Route]:
    return [
        Route(
            method="GET",
            path="/api/passes/products",
            operation="listPassProducts",
            handler=passes.list_products,
            summary="The passes on sale on a day",
            tag=_TAG,
            query=ProductQuery,
            response=PassProductList,
            problems=("network_unavailable",),
        ),
        Route(
            method="POST",
            path="/api/passes",
            operation="placePassOrder",
            handler=passes.place,
            summary="Order a pass",
            tag=_TAG,
            body=PassOrderRequest,
            response=PassOrderView,
            status=201,
            idempotent=True,
            problems=("pass_product_not_found", "pass_not_sellable", "network_unavailable"),
        ),
        Route(
            method="POST",
            path=f"{_ONE}/payments",
            operation="payPassOrder",
            handler=passes.pay,
            summary="Pay a pass",
            tag=_TAG,
            path_types={"pass_id": UUID},
            body=PaymentRequest,
            response=PassOrderView,
            idempotent=True,
            problems=(
                "pass_order_not_found",
                "order_not_payable",
                "payment_declined",
                "provider_unavailable",
            ),
        ),
    ]


def _holder_routes(passes: Passes) -> list[Route]:
    return [
        Route(
            method="GET",
            path="/api/passes",
            operation="listPassOrders",
            handler=passes.list_own,
            summary="Your passes, newest first",
            tag=_TAG,
            query=Page,
            response=PassOrderList,
        ),
        Route(
            method="GET",
            path=_ONE,
            operation="getPassOrder",
            handler=passes.get,
            summary="A pass of yours",
            tag=_TAG,
            path_types={"pass_id": UUID},
            response=PassOrderView,
            problems=("pass_order_not_found",),
        ),
        Route(
            method="POST",
            path=f"{_ONE}/cancellations",
            operation="cancelPassOrder",
            handler=passes.cancel,
            summary="Give back a pass that has not begun, by its rule",
            tag=_TAG,
            path_types={"pass_id": UUID},
            response=PassOrderView,
            idempotent=True,
            problems=("pass_order_not_found", "order_not_cancellable", "fare_not_found"),
        ),
    ]
