"""Names to places and points to places, in the shape of the MOTIS API.

Idea      places.py knows what a text may mean and what lies near a point; here are the filters and the
          shape. Every place is a stop: there are no addresses, and asking for them only finds nothing.
Rule      With `place`, matches of one kind come in order of their distance from it.
"""

from pydantic import Field

from services.planner.modes import MOTIS_MODES, modes_meant
from services.planner.motis import MotisMessage
from services.planner.network import Network
from services.planner.parameters import (
    Languages,
    LocationTypes,
    Modes,
    MotisQuery,
    PlaceText,
    Point,
    parse_box,
    parse_point,
)
from services.planner.places import Match, PlaceIndex, metres_between

_STOP = "STOP"


class GeocodeQuery(MotisQuery):
    """GET /api/v1/geocode."""

    text: PlaceText
    language: Languages = ()
    type: LocationTypes = ()
    mode: Modes = ()
    place: Point | None = None
    num_results: int = Field(default=10, ge=1, le=50)
    min: Point | None = None
    max: Point | None = None


class ReverseGeocodeQuery(MotisQuery):
    """GET /api/v1/reverse-geocode."""

    place: Point
    type: LocationTypes = ()
    num_results: int = Field(default=5, ge=1, le=50)
    language: Languages = ()


class MatchMessage(MotisMessage):
    """A place that a text may mean."""

    type: str
    name: str
    id: str
    lat: float
    lon: float
    tokens: list[list[int]]
    areas: list[str]
    score: float
    modes: list[str]
    importance: float
    tz: str


def list_geocoded(network: Network, query: GeocodeQuery, language: str) -> list[MatchMessage]:
    """What the text may mean, best first. Raises Problem for corners that are no points."""
    matches = network.places.list_matches(query.text, count=None)
    if query.type and _STOP not in query.type:
        return []
    if query.mode:
        modes = modes_meant(query.mode)
        matches = [match for match in matches if match.spot.modes & modes]
    if query.min and query.max:
        box = parse_box(query.min, query.max)
        matches = [
            match
            for match in matches
            if box.south <= match.spot.lat <= box.north and box.west <= match.spot.lon <= box.east
        ]
    if query.place:
        lat, lon = parse_point(query.place)
        matches.sort(key=lambda match: (match.tier, metres_between(match.spot, lat, lon)))
    return [_match(match, network, language) for match in matches[: query.num_results]]


def list_reverse_geocoded(network: Network, query: ReverseGeocodeQuery, language: str) -> list[MatchMessage]:
    """The places nearest to the point. Raises Problem if it is none."""
    lat, lon = parse_point(query.place)
    if query.type and _STOP not in query.type:
        return []
    near = network.places.list_near(lat, lon, count=query.num_results)
    return [_match(match, network, language) for match in near]


def _match(match: Match, network: Network, language: str) -> MatchMessage:
    """A spot as a match; its id is that of its most served stop. The better it fits, the higher its score."""
    places: PlaceIndex = network.places
    place = places.place_of_stop(match.spot.stops[0], language)
    return MatchMessage(
        type=_STOP,
        name=place.name,
        id=place.stop_id or "",
        lat=place.lat,
        lon=place.lon,
        tokens=[],
        areas=[],
        score=1.0 / (1 + match.tier),
        modes=sorted(MOTIS_MODES[mode] for mode in match.spot.modes),
        importance=places.importance_of(match.spot),
        tz=network.router.timetable.zone_name,
    )
