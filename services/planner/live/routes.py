"""The endpoints of live messages: where operators send them, and what became of them."""

from datetime import datetime
from typing import Annotated

from pydantic import StringConstraints

from gtfs.realtime import decode_message
from services.planner.handlers import Planner
from services.planner.live.store import FRESH_FOR
from services.planner.motis_prices import Message
from services.platform.clock import Clock
from services.platform.problem import Problem
from services.platform.service import Call, Route

FeedId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,60}$")]
SourceName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,40}$")]
_TAG = "planning"


class LiveReceipt(Message):
    """What became of a message: kept, or older than the one that is known."""

    is_kept: bool
    made_at: datetime | None
    trip_updates: int
    alerts: int
    vehicle_positions: int


class LiveSourceMessage(Message):
    """A source whose newest message is in force."""

    feed_id: str
    source: str
    made_at: datetime | None
    received_at: datetime
    trip_updates: int
    alerts: int


class LiveFinding(Message):
    """Why updates could not be matched with the timetable: how many, and the first of them."""

    code: str
    count: int
    examples: list[str]


class LiveMessageList(Message):
    """What is in force in the process that answers, on which network."""

    network_version: str
    sources: list[LiveSourceMessage]
    trip_updates: int
    matched: int
    findings: list[LiveFinding]


class LiveEndpoints:
    """HTTP's view of live messages."""

    def __init__(self, planner: Planner, clock: Clock) -> None:
        self._planner = planner
        self._clock = clock

    async def put(self, call: Call) -> LiveReceipt:
        """PUT /api/live/{feed_id}/{source}: a GTFS-Realtime message, in place of the source's last one."""
        feed_id, source = call.path["feed_id"], call.path["source"]
        reading = decode_message(call.raw, source=source)
        message = reading.message
        if message is None:
            raise Problem("validation_failed", detail=next(iter(reading.notices)).message)
        if message.is_differential:
            raise Problem(
                "validation_failed",
                detail="A DIFFERENTIAL message cannot be taken: send all that holds now, as FULL_DATASET.",
            )
        now = self._clock.now()
        if message.made_at is not None and not now - FRESH_FOR < message.made_at < now + FRESH_FOR:
            raise Problem(
                "validation_failed",
                detail=f"The message was made at {message.made_at:%Y-%m-%d %H:%M:%S}Z, and it is "
                f"{now:%Y-%m-%d %H:%M:%S}Z, more than ten minutes apart. Correct the clock of the sender.",
            )
        is_kept = await self._planner.in_force.live.put(
            feed_id=feed_id, source=source, content=call.raw, message=message, now=now
        )
        if is_kept:
            await self._planner.in_force.refresh_news()
        return LiveReceipt(
            is_kept=is_kept,
            made_at=message.made_at,
            trip_updates=len(message.trip_updates),
            alerts=len(message.alerts),
            vehicle_positions=len(message.positions),
        )

    async def list_sources(self, _call: Call) -> LiveMessageList:
        """GET /api/live."""
        network = self._planner.in_force.get()
        live = network.live
        return LiveMessageList(
            network_version=network.snapshot_version,
            sources=[
                LiveSourceMessage(
                    feed_id=each.feed_id,
                    source=each.source,
                    made_at=each.message.made_at,
                    received_at=each.received_at,
                    trip_updates=len(each.message.trip_updates),
                    alerts=len(each.message.alerts),
                )
                for each in live.news.sources
            ],
            trip_updates=live.update_count,
            matched=live.matched_count,
            findings=[
                LiveFinding(
                    code=each.code, count=each.count, examples=[sample.message for sample in each.samples[:3]]
                )
                for each in live.notices.list_counts()
            ],
        )


def build_live_routes(endpoints: LiveEndpoints) -> list[Route]:
    """What the service answers over HTTP about live messages."""
    return [
        Route(
            method="PUT",
            path="/api/live/{feed_id}/{source}",
            operation="putLiveMessage",
            handler=endpoints.put,
            summary="A GTFS-Realtime message of a feed, in place of this source's last one",
            tag=_TAG,
            path_types={"feed_id": FeedId, "source": SourceName},
            response=LiveReceipt,
        ),
        Route(
            method="GET",
            path="/api/live",
            operation="listLiveMessages",
            handler=endpoints.list_sources,
            summary="Which live messages are in force, and what could not be matched",
            tag=_TAG,
            response=LiveMessageList,
            problems=("network_unavailable",),
        ),
    ]
