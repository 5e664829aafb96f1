"""The endpoint of landings, for the ship's clerks and administrators."""

from uuid import UUID

from services.platform.service import Route
from services.sales.landings.handlers import Landings
from services.sales.models import LandingReport, LandingView


def build_routes(landings: Landings) -> list[Route]:
    """The endpoints of this room."""
    return [
        Route(
            method="POST",
            path="/api/orders/{order_id}/landings",
            operation="recordLanding",
            handler=landings.record,
            summary="Passengers were put ashore elsewhere: keep the fare to there, give back the rest",
            tag="sales",
            path_types={"order_id": UUID},
            body=LandingReport,
            response=LandingView,
            idempotent=True,
            problems=("order_not_found", "order_not_cancellable", "landing_impossible", "fare_not_found"),
        )
    ]
