"""Builds the feeds service."""

from pathlib import Path

from maas.ports import NetworkPort
from services.feeds.handlers import Feeds
from services.feeds.routes import Endpoints, build_routes
from services.platform.context import ServiceContext
from services.platform.service import Service


def build(context: ServiceContext) -> Service:
    """Networks: loaded, judged, compiled and published."""
    feeds = Feeds(context)
    return Service(
        name="feeds",
        context=context,
        migrations=Path(__file__).with_name("migrations"),
        routes=build_routes(Endpoints(feeds)),
        ports={NetworkPort: feeds},
        on_start=[feeds.clean_up],
    )
