"""The endpoints of the planner: the MOTIS API's, with our additions."""

from datetime import UTC, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import StringConstraints

from maas.journeys import PlanRequest
from services.planner.answering import choose_language, list_agency_names, local_instant, reply
from services.planner.board import BoardMessage, BoardQuery, BoardRequest, tell_board
from services.planner.handlers import Planner
from services.planner.motis import (
    EVERYTHING,
    Detail,
    ItineraryMessage,
    PlanMessage,
    itinerary_message,
    place_message,
)
from services.planner.network import Network
from services.planner.plan_query import PlanQuery
from services.planner.pricing import PricedJourney, find_cheapest, price_all, rank_by_price, unpriced
from services.planner.ranking import tell_ranking
from services.planner.reach import ReachMessage, ReachQuery, ReachRequest, tell_reach
from services.planner.sought import Answer
from services.platform.clock import Clock
from services.platform.service import Call, Reply, Route

_TAG = "planning"
# Older clients of the MOTIS API ask at the second.
_BOARD_PATHS = (("stoptimes", "/api/v6/stoptimes"), ("stoptimesV5", "/api/v5/stoptimes"))
_REACH_PATHS = (("oneToAll", "/api/v6/one-to-all"), ("oneToAllV1", "/api/v1/one-to-all"))
JourneyId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,2000}$")]


class Endpoints:
    """HTTP's view of the planner."""

    def __init__(self, planner: Planner, clock: Clock) -> None:
        self._planner = planner
        self._clock = clock

    async def plan(self, call: Call) -> Reply:
        """GET /api/v6/plan."""
        query: PlanQuery = call.query
        network = self._planner.in_force.get()
        query.refuse_unless_routed(has_streets=network.has_streets)
        request = query.to_request(
            self._instant(query.time, network.router.timetable.zone), choose_language(query.language, network)
        )
        way, since = query.split_cursor()
        return await self._planner.answer(
            request,
            count_min=query.count_min,
            leaves_before=since if way == "EARLIER" else None,
            limits=query.limits,
            tell=lambda answer: reply(_plan_message(query, request, answer)),
        )

    async def reach(self, call: Call) -> Reply:
        """GET /api/v6/one-to-all."""
        query: ReachQuery = call.query
        network = self._planner.in_force.get()
        query.refuse_unless_routed(has_streets=network.has_streets)
        language = choose_language(query.language, network)
        request = ReachRequest(
            one=network.places.get_end(query.one, language=language),
            at=self._instant(query.time, network.router.timetable.zone),
            minutes=query.max_travel_time,
            arrive_by=query.arrive_by,
            interchanges_max=query.max_transfers,
            language=language,
            limits=query.limits,
        )
        return await self._planner.in_thread(lambda: reply(tell_reach(network, request)))

    async def board(self, call: Call) -> Reply:
        """GET /api/v6/stoptimes."""
        query: BoardQuery = call.query
        network = self._planner.in_force.get()
        timetable = network.router.timetable
        language = choose_language(query.language, network)
        direction, _, epoch_s = (query.page_cursor or "").partition("|")
        time = datetime.fromtimestamp(int(epoch_s), tz=UTC) if epoch_s else query.time
        direction = direction or query.direction or ("EARLIER" if query.arrive_by else "LATER")
        request = BoardRequest(
            end=network.places.get_stops(query.stop_id, language=language),
            at=self._instant(time, timetable.zone),
            count_min=query.n,
            arrivals=query.arrive_by,
            earlier=direction == "EARLIER",
            language=language,
            has_alerts=query.with_alerts,
        )
        names = list_agency_names(network)
        return await self._planner.in_thread(lambda: reply(tell_board(network, request, names)))

    async def get_journey(self, call: Call) -> Reply:
        """GET /api/journeys/{journey_id}."""
        journey = await self._planner.get_journey(journey_id=call.path["journey_id"])
        network = self._planner.in_force.get()
        names = list_agency_names(network)

        def tell() -> Reply:
            (priced,) = price_all(network.fares, (journey,))
            return reply(_itinerary(network, priced, names))

        return await self._planner.in_thread(tell)

    def _instant(self, time: datetime | None, zone: ZoneInfo) -> datetime:
        """The instant asked for; now, if none. A time without an offset is local. Raises OutsideFeedDates."""
        return local_instant(time or self._clock.now(), zone)


def build_routes(endpoints: Endpoints) -> list[Route]:
    """What the service answers over HTTP."""
    return [
        Route(
            method="GET",
            path="/api/v6/plan",
            operation="plan",
            handler=endpoints.plan,
            summary="Journeys from one place to another, with prices",
            tag=_TAG,
            query=PlanQuery,
            response=PlanMessage,
            problems=("place_not_found", "outside_feed_dates", "network_unavailable"),
        ),
        *(
            Route(
                method="GET",
                path=path,
                operation=operation,
                handler=endpoints.board,
                summary="What leaves a stop, or arrives there",
                tag=_TAG,
                query=BoardQuery,
                response=BoardMessage,
                problems=("place_not_found", "outside_feed_dates", "network_unavailable"),
            )
            for operation, path in _BOARD_PATHS
        ),
        *(
            Route(
                method="GET",
                path=path,
                operation=operation,
                handler=endpoints.reach,
                summary="Every stop within so many minutes of a place",
                tag=_TAG,
                query=ReachQuery,
                response=ReachMessage,
                problems=("place_not_found", "outside_feed_dates", "network_unavailable"),
            )
            for operation, path in _REACH_PATHS
        ),
        Route(
            method="GET",
            path="/api/journeys/{journey_id}",
            operation="getJourney",
            handler=endpoints.get_journey,
            summary="A journey found before, as the network in force has it, with prices",
            tag=_TAG,
            path_types={"journey_id": JourneyId},
            response=ItineraryMessage,
            problems=("journey_not_found", "network_unavailable"),
        ),
    ]


def _plan_message(query: PlanQuery, request: PlanRequest, answer: Answer) -> PlanMessage:
    network = answer.network
    zone_name = network.router.timetable.zone_name
    if query.needs_prices:
        direct = price_all(network.fares, answer.list_direct(), query.rider)
        found = price_all(network.fares, answer.journeys, query.rider)
    else:
        direct, found = unpriced(answer.list_direct()), unpriced(answer.journeys)
    cheapest = find_cheapest(found, rider=query.rider, medium=query.medium)
    if query.rank == "price":
        found = rank_by_price(found, rider=query.rider, medium=query.medium)
    found = found[: query.max_itineraries]
    leaving = [each.journey.departs_at for each in found] or [request.at]
    parameters = query.model_dump(mode="json", by_alias=True, exclude_none=True)
    names = list_agency_names(network)
    detail = Detail(
        legs=query.detailed_legs,
        transfers=query.has_detailed_transfers,
        fares=query.with_fares,
    )
    return PlanMessage(
        request_parameters={
            name: ",".join(map(str, value)) if isinstance(value, list) else str(value)
            for name, value in parameters.items()
        },
        debug_output={},
        from_=place_message(answer.origin.place, zone_name=zone_name),
        to=place_message(answer.destination.place, zone_name=zone_name),
        direct=[_itinerary(network, each, names, detail=detail) for each in direct],
        itineraries=[
            _itinerary(network, each, names, is_cheapest=each is cheapest, detail=detail) for each in found
        ],
        previous_page_cursor=f"EARLIER|{int(min(leaving).timestamp())}",
        next_page_cursor=f"LATER|{int((max(leaving) + timedelta(seconds=1)).timestamp())}",
        ranking=tell_ranking(query.rank, answer),
    )


def _itinerary(
    network: Network,
    priced: PricedJourney,
    agency_names: dict[str, str],
    *,
    is_cheapest: bool = False,
    detail: Detail = EVERYTHING,
) -> ItineraryMessage:
    return itinerary_message(
        priced,
        zone_name=network.router.timetable.zone_name,
        agency_names=agency_names,
        is_cheapest=is_cheapest,
        detail=detail,
    )
