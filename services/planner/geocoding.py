"""Names to places and points to places, in the shape of the MOTIS API.

Idea      places.py and landmarks.py know what a text may mean and what lies near a point; here are the
          filters and the shape. A street is an ADDRESS (there are no house numbers), what else a map names a
          PLACE; without a map every place is a STOP, and asking for others finds nothing.
Rule      With `place`, matches of one kind come in order of their distance from it. Of equally good matches a
          stop comes first. Where `mode` is given only stops have modes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from pydantic import Field

from maas.journeys import Mode, Place
from routing.footpaths import distance_m
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
from services.planner.places import PlaceIndex, Spot, metres_between

_STOP, _PLACE, _ADDRESS = "STOP", "PLACE", "ADDRESS"


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


@dataclass(frozen=True, slots=True)
class _Found:
    """Something that a text may mean, or that lies near; `away_m` from where was asked, if anywhere was."""

    kind: str
    place: Place
    place_id: str
    tier: int
    importance: float
    modes: frozenset[Mode] = frozenset()
    away_m: float = 0.0


def list_geocoded(network: Network, query: GeocodeQuery, language: str) -> list[MatchMessage]:
    """What the text may mean, best first. Raises Problem for corners that are no points."""
    near = parse_point(query.place) if query.place else None
    box = parse_box(query.min, query.max) if query.min and query.max else None
    modes = modes_meant(query.mode) if query.mode else None
    kept = [
        each
        for each in _list_meant(network.places, query, near, language)
        if (not modes or each.modes & modes)
        and (
            box is None
            or (box.south <= each.place.lat <= box.north and box.west <= each.place.lon <= box.east)
        )
    ]
    # Sorting keeps the order of equals: each kind's own.
    kept.sort(key=lambda each: (each.tier, each.away_m, each.kind != _STOP))
    return [_message(each, network) for each in kept[: query.num_results]]


def list_reverse_geocoded(network: Network, query: ReverseGeocodeQuery, language: str) -> list[MatchMessage]:
    """The places nearest to the point. Raises Problem if it is none."""
    lat, lon = parse_point(query.place)
    places, found = network.places, []
    if _is_asked(_STOP, query.type):
        for match in places.list_near(lat, lon, count=query.num_results):
            away_m = metres_between(match.spot, lat, lon)
            found.append(_of_spot(places, match.spot, match.tier, away_m, language))
    if places.landmarks and set(query.type or (_PLACE,)) != {_STOP}:
        for landmark, away_m in places.landmarks.list_near(lat, lon, count=None):
            if len(found) >= 2 * query.num_results:
                break
            each = _of_landmark(places, landmark, 0, language)
            if _is_asked(each.kind, query.type):
                found.append(replace(each, away_m=away_m))
    found.sort(key=lambda each: each.away_m)
    return [_message(each, network) for each in found[: query.num_results]]


def _list_meant(
    places: PlaceIndex, query: GeocodeQuery, near: tuple[float, float] | None, language: str
) -> Iterator[_Found]:
    if _is_asked(_STOP, query.type):
        for match in places.list_matches(query.text, count=None):
            away_m = metres_between(match.spot, *near) if near else 0.0
            yield _of_spot(places, match.spot, match.tier, away_m, language)
    if places.landmarks and set(query.type or (_PLACE,)) != {_STOP}:
        for named in places.landmarks.list_matches(query.text):
            each = _of_landmark(places, named.landmark, named.tier, language)
            if _is_asked(each.kind, query.type):
                yield replace(each, away_m=_metres(each.place, *near)) if near else each


def _is_asked(kind: str, asked: Sequence[str]) -> bool:
    return not asked or kind in asked


def _metres(place: Place, lat: float, lon: float) -> float:
    return float(distance_m(np.array(place.lat), np.array(place.lon), np.array(lat), np.array(lon)))


def _of_spot(places: PlaceIndex, spot: Spot, tier: int, away_m: float, language: str) -> _Found:
    """A spot; its id is that of its most served stop."""
    place = places.place_of_stop(spot.stops[0], language)
    return _Found(_STOP, place, place.stop_id or "", tier, places.importance_of(spot), spot.modes, away_m)


def _of_landmark(places: PlaceIndex, landmark: int, tier: int, language: str) -> _Found:
    landmarks = places.landmarks
    assert landmarks is not None, "it was found among the landmarks"
    return _Found(
        _ADDRESS if landmarks.is_street(landmark) else _PLACE,
        landmarks.place(landmark, language),
        landmarks.id_of(landmark),
        tier,
        landmarks.importance_of(landmark),
    )


def _message(found: _Found, network: Network) -> MatchMessage:
    """The better it fits, the higher its score."""
    return MatchMessage(
        type=found.kind,
        name=found.place.name,
        id=found.place_id,
        lat=found.place.lat,
        lon=found.place.lon,
        tokens=[],
        areas=[],
        score=1.0 / (1 + found.tier),
        modes=sorted(MOTIS_MODES[mode] for mode in found.modes),
        importance=found.importance,
        tz=network.router.timetable.zone_name,
    )
