"""What stands in a city and has a name: streets, crossings, schools, parks, quarters.

Problem   A traveller names a park or a street, and feeds name stops only.
Idea      An OpenStreetMap extract names the rest, in several languages and readings. Whatever has a name and
          is of a kind that somebody goes to becomes a landmark: a point, a kind, its names. The ways of one
          name that lie together are one street.
          As routing/timetable.py does: arrays and packed strings, opened by memory map.
Not here  Stops, which the feeds name better. House numbers. How a text is matched (services/planner).
Source    OpenStreetMap wiki, "Map features", "Names", "Multilingual names: Japan".
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import osmium
from osmium import osm

from routing.errors import MapUnreadable, StreetsUnreadable
from routing.footpaths import distance_m
from routing.kernels.arrays import Int32
from routing.strings import Strings, build_strings, check_strings, get_string
from routing.timetable import map_array

FORMAT = 1
LANDMARKS = "landmarks"
"""Where they are saved, in the folder of the streets of the same map."""
STREET_M = 1_500.0
"""Ways of one name are one street while one is within so many metres of another."""

KINDS = ("place", "tourism", "amenity", "leisure", "historic", "shop", "office", "man_made", "natural",
         "junction", "building", "street")  # fmt: skip
"""What a landmark is: the first of these keys that it is tagged with; a street is a way with `highway`."""
STREET = KINDS.index("street")

_IMPORTANCE: Mapping[tuple[str, str], int] = {
    ("place", "city"): 100, ("place", "town"): 90, ("place", "island"): 90, ("place", "suburb"): 80,
    ("place", "village"): 70, ("place", "quarter"): 60, ("place", "neighbourhood"): 50,
    ("tourism", "museum"): 50, ("tourism", "attraction"): 50, ("amenity", "university"): 50,
    ("amenity", "hospital"): 50, ("amenity", "townhall"): 50, ("leisure", "park"): 45,
}  # fmt: skip
_IMPORTANCE_ELSE, _IMPORTANCE_STREET = 20, 30
_LANGUAGES: Mapping[str, str] = {
    "name": "", "alt_name": "", "short_name": "", "official_name": "", "int_name": "", "old_name": "",
    "name:ja": "ja", "name:en": "en", "name:ko": "ko", "name:zh": "zh", "name:zh-Hans": "zh",
    "name:zh-Hant": "zh", "name:ja-Hira": "ja-Hrkt", "name:ja_kana": "ja-Hrkt", "name:ja-Latn": "ja-Latn",
    "name:ja_rm": "ja-Latn", "alt_name:en": "en", "alt_name:ja": "ja", "official_name:en": "en",
}  # fmt: skip
"""The tags that name something, and the language of each; "" is whatever the place itself uses."""


class Points(NamedTuple):
    """Where landmarks are. L of them.

    lat, lon     float64[L]  degrees
    kinds        uint8[L]    index of KINDS
    importances  uint8[L]    how much is known of it, from 1 to 100: among equals the greater is meant
    """

    lat: npt.NDArray[np.float64]
    lon: npt.NDArray[np.float64]
    kinds: npt.NDArray[np.uint8]
    importances: npt.NDArray[np.uint8]


class NameRows(NamedTuple):
    """Names, N of them; the first of a landmark is its own.

    owners     int32[N]  the landmark, rising
    languages  int32[N]  index of `languages`
    """

    owners: Int32
    languages: Int32


@dataclass(frozen=True, kw_only=True)
class Landmarks:
    """See the module. `ids` are `osm:node/1`, `osm:way/1` or `osm:relation/1`."""

    points: Points
    names: NameRows
    ids: Strings
    texts: Strings
    languages: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.points.lat)

    def list_names(self, landmark: int) -> list[tuple[str, str]]:
        """(language, name), its own first."""
        begin, end = np.searchsorted(self.names.owners, [landmark, landmark + 1])
        return [
            (self.languages[int(self.names.languages[i])], get_string(self.texts, i))
            for i in range(int(begin), int(end))
        ]

    def check(self) -> None:
        """Assert the invariants of the arrays."""
        check_strings(self.ids)
        check_strings(self.texts)
        assert len(self.ids.order) == self.count, "each landmark has an id"
        assert len(self.names.owners) == len(self.texts.order), "each name has its text"
        assert (np.diff(self.names.owners) >= 0).all(), "names of one landmark stand together"
        assert len(np.unique(self.names.owners)) == self.count, "each landmark has a name"

    def save(self, folder: Path) -> None:
        """Write all arrays and a manifest into `folder`, which must not exist or be empty."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in GROUPS:
            for field, array in getattr(self, name)._asdict().items():
                np.save(folder / f"{name}.{field}.npy", array, allow_pickle=False)
        # The manifest comes last: a folder with one is complete.
        (folder / "manifest.json").write_text(json.dumps({"format": FORMAT, "languages": self.languages}))


GROUPS: Mapping[str, type] = {"points": Points, "names": NameRows, "ids": Strings, "texts": Strings}


def open_landmarks(folder: Path) -> Landmarks:
    """Open what was saved by memory map. Raises StreetsUnreadable."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
        if manifest["format"] != FORMAT:
            raise StreetsUnreadable(
                f"{folder} has landmarks of format {manifest['format']}, this program reads {FORMAT}; "
                "compile the map again"
            )
        groups: dict[str, Any] = {
            name: kind(*(map_array(folder / f"{name}.{field}.npy") for field in kind._fields))  # type: ignore[attr-defined]
            for name, kind in GROUPS.items()
        }
        return Landmarks(languages=tuple(manifest["languages"]), **groups)
    except (OSError, EOFError, KeyError, TypeError, ValueError) as error:
        raise StreetsUnreadable(f"{folder} holds no complete landmarks: {error}") from error


@dataclass(frozen=True, slots=True)
class _Named:
    """Something of the map that has a name."""

    osm_id: str
    lat: float
    lon: float
    kind: int
    importance: int
    names: tuple[tuple[str, str], ...]


def read_landmarks(path: Path) -> Landmarks:
    """The landmarks of an extract, none if it names nothing. Raises MapUnreadable."""
    try:
        named = list(_read(path))
    except (OSError, RuntimeError, ValueError) as error:
        raise MapUnreadable(f"{path} is no whole OpenStreetMap extract: {error}. Fetch it again") from error
    kept = [each for each in named if each.kind != STREET] + _join_streets(named)
    languages = {"": 0}
    owners, spoken, texts = [], [], []
    for owner, each in enumerate(kept):
        for language, text in each.names:
            owners.append(owner)
            spoken.append(languages.setdefault(language, len(languages)))
            texts.append(text)
    landmarks = Landmarks(
        points=Points(
            lat=np.array([each.lat for each in kept], dtype=np.float64),
            lon=np.array([each.lon for each in kept], dtype=np.float64),
            kinds=np.array([each.kind for each in kept], dtype=np.uint8),
            importances=np.array([each.importance for each in kept], dtype=np.uint8),
        ),
        names=NameRows(np.array(owners, dtype=np.int32), np.array(spoken, dtype=np.int32)),
        ids=build_strings([each.osm_id for each in kept]),
        texts=build_strings(texts),
        languages=tuple(languages),
    )
    landmarks.check()
    return landmarks


def _read(path: Path) -> Iterator[_Named]:
    """Points, streets, and areas with a name. An area is in the middle of its border."""
    named = osmium.FileProcessor(str(path)).with_locations().with_areas(osmium.filter.KeyFilter("name"))
    for each in named.with_filter(osmium.filter.KeyFilter("name")):
        tags = dict(each.tags)
        kind = _kind_of(tags)
        if kind is None or not tags["name"].strip():
            continue
        if isinstance(each, osm.Area):
            ring = next(iter(each.outer_rings()), ())
            points = [] if kind == STREET else [node.location for node in ring]
            osm_id = f"osm:{'way' if each.from_way() else 'relation'}/{each.orig_id()}"
        elif isinstance(each, osm.Way):
            # A closed way comes again, as an area.
            is_area = each.is_closed() and kind != STREET
            points = [] if is_area else [node.location for node in each.nodes]
            osm_id = f"osm:way/{each.id}"
        elif isinstance(each, osm.Node):
            points, osm_id = [each.location], f"osm:node/{each.id}"
        else:
            continue
        placed = [point for point in points if point.valid()]
        if placed:
            lat, lon = _middle_of(placed, is_line=kind == STREET)
            yield _Named(osm_id, lat, lon, kind, _importance(kind, tags), _names(tags))


def _kind_of(tags: Mapping[str, str]) -> int | None:
    # Stops are named by the feeds.
    if "public_transport" in tags or "railway" in tags or tags.get("highway") == "bus_stop":
        return None
    found = next((kind for kind, key in enumerate(KINDS[:STREET]) if tags.get(key, "no") != "no"), None)
    return STREET if found is None and "highway" in tags else found


def _middle_of(points: list[Any], *, is_line: bool) -> tuple[float, float]:
    """A point of a line halfway along its points; the mean of an area's border."""
    if is_line:
        middle = points[len(points) // 2]
        return middle.lat, middle.lon
    return sum(p.lat for p in points) / len(points), sum(p.lon for p in points) / len(points)


def _importance(kind: int, tags: Mapping[str, str]) -> int:
    if kind == STREET:
        return _IMPORTANCE_STREET
    key = KINDS[kind]
    return _IMPORTANCE.get((key, tags[key]), _IMPORTANCE_ELSE)


def _names(tags: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Each text once in each language; several in one tag stand between semicolons."""
    found = {
        (language, text): None
        for tag, language in _LANGUAGES.items()
        for each in tags.get(tag, "").split(";")
        if (text := each.strip())
    }
    return tuple(found)


def _join_streets(named: list[_Named]) -> list[_Named]:
    """One landmark for the ways of one name that lie together: the way in the middle of them."""
    by_name: dict[str, list[_Named]] = {}
    for each in named:
        if each.kind == STREET:
            by_name.setdefault(each.names[0][1], []).append(each)
    return [_join(group) for ways in by_name.values() for group in _lie_together(ways)]


def _lie_together(ways: list[_Named]) -> Iterator[list[_Named]]:
    lat = np.array([way.lat for way in ways])
    lon = np.array([way.lon for way in ways])
    left = np.ones(len(ways), dtype=np.bool_)
    while left.any():
        group = [int(np.argmax(left))]
        left[group[0]] = False
        for at in group:
            near = np.flatnonzero(left & (distance_m(lat[at], lon[at], lat, lon) <= STREET_M))
            left[near] = False
            group += near.tolist()
        yield [ways[i] for i in group]


def _join(ways: list[_Named]) -> _Named:
    lat, lon = np.array([way.lat for way in ways]), np.array([way.lon for way in ways])
    middle = ways[int(np.argmin(distance_m(lat.mean(), lon.mean(), lat, lon)))]
    names = {name: None for way in (middle, *ways) for name in way.names}
    return _Named(middle.osm_id, middle.lat, middle.lon, STREET, middle.importance, tuple(names))
