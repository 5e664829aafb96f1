"""Read streets out of an OpenStreetMap extract, with pyosmium.

Problem   An extract is mostly buildings, shops and trees; a way names its points, which stand elsewhere.
Idea      Twice through the file, filtered in C++: first ways that are streets, then the points they name.
          So the order of the file does not matter, and only what is a street ever becomes Python.
          An extract cuts ways at its border: of such a way the stretches are left whose points are there.
Not here  What the tags mean (rules.py), the graph (compiling.py). Relations: plazas drawn as multipolygons.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import osmium
from osmium import osm

from routing.errors import MapUnreadable, NoStreets
from routing.streets.rules import (
    KEYS,
    StreetClass,
    classify_way,
    find_kind,
    is_elevator,
    list_blocked,
    read_level,
)
from routing.streets.ways import Profile, StepKind

SUFFIXES = (".osm.pbf", ".pbf", ".osm")
_WAY_KEYS = ("highway", "railway", "public_transport")


@dataclass(frozen=True, slots=True)
class StreetWay:
    """A way that somebody may use: the ids of its points in order, and what the map says of it."""

    way_id: int
    point_ids: tuple[int, ...]
    street_class: StreetClass
    kind: StepKind
    name: str
    level: float


@dataclass(slots=True)
class StreetMap:
    """What a file says of streets. Points by id: ten-millionths of a degree."""

    ways: list[StreetWay] = field(default_factory=list)
    ways_unusable: int = 0
    places: dict[int, tuple[int, int]] = field(default_factory=dict)
    blocked: dict[int, frozenset[Profile]] = field(default_factory=dict)
    elevators: set[int] = field(default_factory=set)


def read_map(path: Path) -> StreetMap:
    """The streets of an extract. Raises MapUnreadable, NoStreets."""
    if not path.name.endswith(SUFFIXES):
        raise MapUnreadable(f"{path} is none of {', '.join(SUFFIXES)}; name the file as what it is")
    try:
        return _read(path)
    except (OSError, RuntimeError, ValueError, osmium.InvalidLocationError) as error:
        raise MapUnreadable(f"{path} is no whole OpenStreetMap extract: {error}. Fetch it again") from error


def _read(path: Path) -> StreetMap:
    if not path.stat().st_size:
        raise MapUnreadable(f"{path} is empty. Fetch it again")
    found = StreetMap()
    for way in osmium.FileProcessor(str(path), osm.WAY).with_filter(osmium.filter.KeyFilter(*_WAY_KEYS)):
        if isinstance(way, osm.Way):
            _add_way(found, way)
    if not found.ways:
        raise NoStreets(
            f"{path} holds no street that anybody may use ({found.ways_unusable} that nobody may)"
        )
    wanted = {point_id for way in found.ways for point_id in way.point_ids}
    points = osmium.FileProcessor(str(path), osm.NODE)
    # Maps drawn by hand have ids below 0, which the filter does not know.
    if min(wanted) >= 0:
        points = points.with_filter(osmium.filter.IdFilter(wanted))
    for point in points:
        if isinstance(point, osm.Node) and point.id in wanted:
            _add_point(found, point)
    return found


def _add_way(found: StreetMap, way: osm.Way) -> None:
    tags = dict(way.tags)
    kind, street_class = _classify(frozenset((key, tags[key]) for key in KEYS & tags.keys()))
    if kind is None:
        return
    if street_class is None:
        found.ways_unusable += 1
        return
    found.ways.append(
        StreetWay(
            way_id=way.id,
            point_ids=tuple(node.ref for node in way.nodes),
            street_class=street_class,
            kind=kind,
            name=tags.get("name", ""),
            level=read_level(tags),
        )
    )


@lru_cache(maxsize=10_000)
def _classify(told: frozenset[tuple[str, str]]) -> tuple[StepKind | None, StreetClass | None]:
    """Most streets of a city are tagged like one another."""
    tags = dict(told)
    return find_kind(tags), classify_way(tags)


def _add_point(found: StreetMap, point: osm.Node) -> None:
    if not point.location.valid():
        return
    # osmium keeps x and y in ten-millionths of a degree.
    found.places[point.id] = (point.location.y, point.location.x)
    if len(point.tags):
        tags = dict(point.tags)
        if is_elevator(tags):
            found.elevators.add(point.id)
        blocked = list_blocked(tags)
        if blocked:
            found.blocked[point.id] = blocked
