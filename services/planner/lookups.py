"""The endpoints of the MOTIS API that look something up, without a search."""

from datetime import datetime

import numpy as np

from routing.timetable import Timetable
from services.planner.answering import choose_language, list_agency_names, reply, reply_list
from services.planner.geocoding import (
    GeocodeQuery,
    MatchMessage,
    ReverseGeocodeQuery,
    list_geocoded,
    list_reverse_geocoded,
)
from services.planner.handlers import Planner
from services.planner.limits import DIRECT_S_MAX
from services.planner.motis import MotisMessage, PlaceMessage
from services.planner.moving_trips import MapTripsQuery, SegmentMessage, list_moving
from services.planner.parameters import MotisQuery
from services.planner.reach import MINUTES_MAX
from services.planner.stops import MapStopsQuery, StopMessage, StopQuery, list_map_stops, tell_stop
from services.planner.trips import TripMessage, TripQuery, tell_trip
from services.planner.walks import MANY_MAX, DurationMessage, OneToManyQuery, list_walks
from services.platform.clock import Clock
from services.platform.service import Call, Reply, Route

_TAG = "planning"
_ZOOM_WIDE, _ZOOM_NEAR = 9.0, 13.0
_WIDE_DEGREES = 0.5


class ServerConfig(MotisMessage):
    """What clients of the MOTIS API may expect of this house."""

    motis_version: str = "2"
    has_elevation: bool = False
    has_routed_transfers: bool = False
    has_street_routing: bool = False
    max_one_to_many_size: int = MANY_MAX
    max_one_to_all_travel_time_limit: int = MINUTES_MAX
    max_pre_post_transit_time_limit: int = DIRECT_S_MAX
    max_direct_time_limit: int = DIRECT_S_MAX
    shapes_debug_enabled: bool = False


class InitialMessage(MotisMessage):
    """Where a map begins: the middle of what is served."""

    lat: float
    lon: float
    zoom: float
    server_config: ServerConfig


class HealthMessage(MotisMessage):
    """`rt`: what operators said about sailings was read at least once. Bikes are another service's."""

    rt: bool


class NoQuery(MotisQuery):
    """An endpoint that takes no parameters."""


class Lookups:
    """HTTP's view of the network itself."""

    def __init__(self, planner: Planner, clock: Clock) -> None:
        self._planner = planner
        self._clock = clock

    async def trip(self, call: Call) -> Reply:
        """GET /api/v6/trip."""
        query: TripQuery = call.query
        network = self._planner.in_force.get()
        now: datetime = self._clock.now()
        language = choose_language(query.language, network)
        names = list_agency_names(network)
        return await self._planner.in_thread(
            lambda: reply(tell_trip(network, query, now=now, language=language, agency_names=names))
        )

    async def stop(self, call: Call) -> Reply:
        """GET /api/v6/stop."""
        query: StopQuery = call.query
        network = self._planner.in_force.get()
        end = network.places.get_stops(query.stop_id, language=choose_language(query.language, network))
        return await self._planner.in_thread(lambda: reply(tell_stop(network, end)))

    async def map_stops(self, call: Call) -> Reply:
        """GET /api/v6/map/stops."""
        query: MapStopsQuery = call.query
        network = self._planner.in_force.get()
        language = choose_language(query.language, network)
        return await self._planner.in_thread(lambda: reply_list(list_map_stops(network, query, language)))

    async def map_trips(self, call: Call) -> Reply:
        """GET /api/v6/map/trips."""
        query: MapTripsQuery = call.query
        network = self._planner.in_force.get()
        language = choose_language(query.language, network)
        return await self._planner.in_thread(lambda: reply_list(list_moving(network, query, language)))

    async def map_initial(self, _call: Call) -> Reply:
        """GET /api/v1/map/initial."""
        network = self._planner.in_force.get()
        return reply(find_middle(network.router.timetable, has_streets=network.has_streets))

    async def one_to_many(self, call: Call) -> Reply:
        """GET /api/v1/one-to-many."""
        query: OneToManyQuery = call.query
        ways = self._planner.in_force.get().ways
        return await self._planner.in_thread(lambda: reply_list(list_walks(ways, query)))

    async def geocode(self, call: Call) -> Reply:
        """GET /api/v1/geocode."""
        query: GeocodeQuery = call.query
        network = self._planner.in_force.get()
        language = choose_language(query.language, network)
        return await self._planner.in_thread(lambda: reply_list(list_geocoded(network, query, language)))

    async def reverse_geocode(self, call: Call) -> Reply:
        """GET /api/v1/reverse-geocode."""
        query: ReverseGeocodeQuery = call.query
        network = self._planner.in_force.get()
        language = choose_language(query.language, network)
        return await self._planner.in_thread(
            lambda: reply_list(list_reverse_geocoded(network, query, language))
        )

    async def health(self, _call: Call) -> Reply:
        """GET /api/v1/health: 400 until a network is open, as in MOTIS."""
        is_open = self._planner.in_force.is_open
        body = HealthMessage(rt=is_open).model_dump_json(by_alias=True).encode()
        return Reply(body=body, status=200 if is_open else 400)


def find_middle(timetable: Timetable, *, has_streets: bool) -> InitialMessage:
    """The median of all stops, near if most of them lie together."""
    config = ServerConfig(has_routed_transfers=has_streets, has_street_routing=has_streets)
    lat, lon = timetable.stops.lat, timetable.stops.lon
    if not len(lat):
        return InitialMessage(lat=0.0, lon=0.0, zoom=_ZOOM_WIDE, server_config=config)
    spread = float(np.subtract(*np.percentile(lon, [90, 10])))
    return InitialMessage(
        lat=round(float(np.median(lat)), 6),
        lon=round(float(np.median(lon)), 6),
        zoom=_ZOOM_WIDE if spread > _WIDE_DEGREES else _ZOOM_NEAR,
        server_config=config,
    )


def build_lookup_routes(lookups: Lookups) -> list[Route]:
    """What the service answers over HTTP without searching."""
    rows = (
        ("/api/v6/trip", "trip", lookups.trip, "A whole trip on its day", TripQuery, TripMessage,
         ("trip_not_found",)),
        ("/api/v6/stop", "stopInfo", lookups.stop, "A stop and the routes that serve it", StopQuery,
         StopMessage, ("place_not_found",)),
        ("/api/v6/map/stops", "stops", lookups.map_stops, "The stops in a section of a map", MapStopsQuery,
         list[PlaceMessage], ()),
        ("/api/v6/map/trips", "trips", lookups.map_trips, "What moves in a section of a map", MapTripsQuery,
         list[SegmentMessage], ("outside_feed_dates",)),
        ("/api/v1/map/initial", "initial", lookups.map_initial, "Where a map begins", NoQuery,
         InitialMessage, ()),
        ("/api/v1/one-to-many", "oneToMany", lookups.one_to_many, "How long walks from a point take",
         OneToManyQuery, list[DurationMessage], ()),
        ("/api/v1/geocode", "geocode", lookups.geocode, "What a name may mean", GeocodeQuery,
         list[MatchMessage], ()),
        ("/api/v1/reverse-geocode", "reverseGeocode", lookups.reverse_geocode, "What lies near a point",
         ReverseGeocodeQuery, list[MatchMessage], ()),
        ("/api/v1/health", "health", lookups.health, "Whether a network is open, in the words of MOTIS",
         NoQuery, HealthMessage, ()),
    )  # fmt: skip
    return [
        Route(
            method="GET",
            path=path,
            operation=operation,
            handler=handler,
            summary=summary,
            tag=_TAG,
            query=query,
            response=response,
            problems=(*problems, "network_unavailable"),
        )
        for path, operation, handler, summary, query, response, problems in rows
    ]
