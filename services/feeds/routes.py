"""The endpoints of the feeds service."""

from typing import Annotated

from pydantic import StringConstraints

from services.feeds.handlers import Feeds
from services.feeds.models import FeedList, LoadProgress, LoadReport, NetworkList, NetworkOrder, NoticeList
from services.platform.service import Call, Route

_TAG = "networks"
Version = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z.-]{1,64}$")]


class Endpoints:
    """HTTP's view of Feeds."""

    def __init__(self, feeds: Feeds) -> None:
        self._feeds = feeds

    async def load(self, call: Call) -> LoadReport:
        """POST /api/networks."""
        order: NetworkOrder = call.body
        return await self._feeds.load(order.paths, tariffs=order.tariffs, streets=order.streets)

    async def get_progress(self, _call: Call) -> LoadProgress:
        """GET /api/networks/progress."""
        return self._feeds.get_progress()

    async def list_networks(self, _call: Call) -> NetworkList:
        """GET /api/networks."""
        return await self._feeds.list_networks()

    async def list_notices(self, call: Call) -> NoticeList:
        """GET /api/networks/{version}/notices."""
        return await self._feeds.get_notices(call.path["version"])

    async def list_feeds(self, _call: Call) -> FeedList:
        """GET /api/feeds."""
        return await self._feeds.list_feeds()


def build_routes(endpoints: Endpoints) -> list[Route]:
    """What the service answers over HTTP."""
    return [
        Route(
            method="POST",
            path="/api/networks",
            operation="loadNetwork",
            handler=endpoints.load,
            summary="Make a network of feeds on the server's disk, and put it in force",
            tag=_TAG,
            body=NetworkOrder,
            response=LoadReport,
            status=201,
            problems=("feed_unreadable", "compiler_broken"),
        ),
        Route(
            method="GET",
            path="/api/networks/progress",
            operation="getLoadProgress",
            handler=endpoints.get_progress,
            summary="How far the running load is",
            tag=_TAG,
            response=LoadProgress,
        ),
        Route(
            method="GET",
            path="/api/networks",
            operation="listNetworks",
            handler=endpoints.list_networks,
            summary="The networks that are kept, newest first",
            tag=_TAG,
            response=NetworkList,
        ),
        Route(
            method="GET",
            path="/api/networks/{version}/notices",
            operation="listNetworkNotices",
            handler=endpoints.list_notices,
            summary="What was noticed in a network's feeds",
            tag=_TAG,
            path_types={"version": Version},
            response=NoticeList,
            problems=("network_not_found",),
        ),
        Route(
            method="GET",
            path="/api/feeds",
            operation="listFeeds",
            handler=endpoints.list_feeds,
            summary="The feeds in force: dates, operators, and whom to name",
            tag=_TAG,
            response=FeedList,
        ),
    ]
