"""What somebody means who names a place.

Problem   `大島` is a station in Tokyo and an island with two ports; `浜松町` is four platforms; `元町` is
          half a name; ids and coordinates are places too.
Idea      Stops of one name that lie together are one `Spot`. A text is a coordinate, a public id, or a name:
          the best tier of matches counts (whole name, name without its bracket, area in brackets, part of a
          name, its sound (romaji.py), beginning, middle, all words), and in it the spot where most lines
          stop. Where no name says it, those that begin so in sound, then those with a typing error or two.
Rule      A name that an island and a railway station share means the island: who means the station may say
          大島駅, the island has no other name. An island is where ships call and no rail is within 10 km;
          its ports are one place. An ending 駅, Station or 港, Port limits the choice to stations or ports.
          Typing errors are forgiven (name_index.py) only in a list of what may be meant: a search never
          guesses.
          A name that no stop has may be a landmark's, where a map is loaded (landmarks.py); what a stop has
          only in part comes after a landmark so called.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from maas.errors import PlaceNotFound
from maas.journeys import Mode, Place
from routing.footpaths import distance_m
from routing.strings import get_string, list_strings
from routing.timetable import Timetable
from services.planner.landmarks import LandmarkIndex
from services.planner.modes import mode_of
from services.planner.name_index import AREA, PART, UNBRACKETED, WHOLE, WORDS, NameIndex, Tiers
from services.planner.names import list_bracketed, list_parts, list_words, normalise, without_brackets

TOGETHER_M = 500.0
ISLAND_M = 10_000.0
ISLAND_PORTS_M = 30_000.0

RAIL = frozenset({Mode.TRAM, Mode.SUBWAY, Mode.RAIL, Mode.MONORAIL})
_COORDINATE = re.compile(r"^\s*(-?\d{1,3}(?:\.\d{1,15})?)\s*,\s*(-?\d{1,3}(?:\.\d{1,15})?)\s*(?:,[^,]*)?$")


@dataclass(frozen=True, slots=True)
class Spot:
    """Stops of one name that lie together. `importance` counts the lines that stop there."""

    name: str
    stops: tuple[int, ...]
    lat: float
    lon: float
    modes: frozenset[Mode]
    importance: int
    is_island: bool


@dataclass(frozen=True, slots=True)
class Match:
    """A spot that a text may mean; a smaller tier is better."""

    spot: Spot
    tier: int


@dataclass(frozen=True, slots=True)
class End:
    """One end of a search: its place, and the stops it stands for. A point has none."""

    place: Place
    stops: tuple[int, ...] = field(default=())


class PlaceIndex:
    """All places of a timetable, findable."""

    def __init__(self, timetable: Timetable, landmarks: LandmarkIndex | None = None) -> None:
        self._timetable = timetable
        self.landmarks = landmarks
        self._stop_modes = _modes_of_stops(timetable)
        self._names = _names_by_language(timetable)
        self._spots = self._make_spots()
        self._spot_lat = np.array([spot.lat for spot in self._spots])
        self._spot_lon = np.array([spot.lon for spot in self._spots])
        self._spot_by_stop = {stop: i for i, spot in enumerate(self._spots) for stop in spot.stops}
        self._importance_max = max((spot.importance for spot in self._spots), default=0) or 1
        self._index = NameIndex(self._list_forms(), may_mean=self._may_mean)
        # What was told once is told again and again: stops as places, and how far one is from the next.
        self._places: dict[tuple[int, str], Place] = {}
        self._beelines_m: dict[tuple[int, int], float] = {}

    def get_end(self, text: str, *, language: str = "") -> End:
        """What the text means. Raises PlaceNotFound."""
        end = self._find_point(text) or self._find_id(text, language) or self._find_name(text, language)
        if end is None:
            raise PlaceNotFound(f"Nothing here is called {text[:80]!r}. Ask /api/v1/geocode what is.")
        return end

    def get_stops(self, text: str, *, language: str = "") -> End:
        """The same, where only stops will do. Raises PlaceNotFound."""
        end = self.get_end(text, language=language)
        if not end.stops:
            raise PlaceNotFound(
                f"{text[:80]!r} is a point, no stop. Ask /api/v1/geocode what stops there are."
            )
        return end

    def list_matches(self, text: str, *, count: int | None) -> list[Match]:
        """The spots that the text may mean, best first: by its letters, its sound, or with errors."""
        tiers = self._index.collect(text, self._collect_written(text))
        return self._ranked(tiers)[:count]

    def _collect_written(self, text: str) -> Tiers:
        """Those written so; where none is, those of the text's last word that lie near one of its first."""
        tiers = self._index.collect_written(text)
        words = list_words(text)
        if tiers or len(words) < 2:  # noqa: PLR2004 - a first and a last one
            return tiers
        near = self._index.collect_containing(words[0])
        for i in self._index.collect_containing(words[-1]):
            here = self._spots[i]
            if any(metres_between(self._spots[j], here.lat, here.lon) <= ISLAND_PORTS_M for j in near):
                tiers[i] = WORDS
        return tiers

    def _ranked(self, tiers: Mapping[int, int]) -> list[Match]:
        return sorted((Match(self._spots[i], tier) for i, tier in tiers.items()), key=_rank)

    def list_near(self, lat: float, lon: float, *, count: int) -> list[Match]:
        """The spots nearest to a point, nearest first."""
        metres = distance_m(np.array(lat), np.array(lon), self._spot_lat, self._spot_lon)
        return [Match(self._spots[i], WHOLE) for i in np.argsort(metres, kind="stable")[:count].tolist()]

    def spot_of(self, stop: int) -> Spot:
        """The spot that the stop is one of."""
        return self._spots[self._spot_by_stop[stop]]

    def importance_of(self, spot: Spot) -> float:
        """From 0 to 1: the lines that stop there, beside those of the spot that has most."""
        return round(spot.importance / self._importance_max, 4)

    def name_of_stop(self, stop: int, language: str) -> str:
        """The stop's name in that language, or its own."""
        return self._names.get(language, {}).get(stop) or get_string(self._timetable.stop_names, stop)

    def place_of_stop(self, stop: int, language: str = "") -> Place:
        """The stop as a place."""
        place = self._places.get((stop, language))
        if place is None:
            place = self._places[stop, language] = self._make_place(stop, language)
        return place

    def beeline_m(self, stop: int, other: int) -> float:
        """Metres between two stops as the crow flies."""
        metres = self._beelines_m.get((stop, other))
        if metres is None:
            stops = self._timetable.stops
            ends = (stops.lat[stop], stops.lon[stop], stops.lat[other], stops.lon[other])
            metres = self._beelines_m[stop, other] = float(distance_m(*ends))
        return metres

    def _make_place(self, stop: int, language: str) -> Place:
        timetable = self._timetable
        station = int(timetable.stops.stations[stop])
        return Place(
            name=self.name_of_stop(stop, language),
            lat=float(timetable.stops.lat[stop]),
            lon=float(timetable.stops.lon[stop]),
            stop_id=get_string(timetable.stop_ids, stop),
            station_id=None if station < 0 else get_string(timetable.station_ids, station),
        )

    def modes_of_stops(self, stops: Iterable[int]) -> frozenset[Mode]:
        """What stops there."""
        return frozenset().union(*(self._stop_modes[stop] for stop in stops))

    # Ends --------------------------------------------------------------------------------------------------

    @staticmethod
    def _find_point(text: str) -> End | None:
        match = _COORDINATE.match(text)
        if match is None:
            return None
        lat, lon = float(match[1]), float(match[2])
        if not (-90 <= lat <= 90 and -180 <= lon <= 180):  # noqa: PLR2004 - degrees
            raise PlaceNotFound(f"{text[:80]!r} is no point on Earth. Give latitude,longitude in degrees.")
        return End(Place(name=f"{lat:.5f},{lon:.5f}", lat=lat, lon=lon))

    def _find_id(self, text: str, language: str) -> End | None:
        stop = self._timetable.find_stop(text)
        if stop is not None:
            return End(self.place_of_stop(stop, language), (stop,))
        station = self._timetable.find_station(text)
        if station is None:
            landmark = None if self.landmarks is None else self.landmarks.find_id(text)
            return None if landmark is None else self._landmark_end(landmark, language)
        stops = tuple(self._timetable.station_stops(station))
        place = Place(
            name=self._names.get(language, {}).get(-1 - station)
            or get_string(self._timetable.station_names, station),
            lat=float(self._timetable.stations.lat[station]),
            lon=float(self._timetable.stations.lon[station]),
            station_id=text,
        )
        return End(place, stops)

    def _find_name(self, text: str, language: str) -> End | None:
        matches = self._ranked(self._index.collect_exact(text) or self._index.collect_sounding(text))
        if not matches and self.landmarks and (named := self.landmarks.list_exact(text)):
            return self._landmark_end(named[0].landmark, language)
        matches = matches or self._ranked(self._collect_written(text))[:20]
        if not matches and self.landmarks and (named := self.landmarks.list_written(text)):
            return self._landmark_end(named[0].landmark, language)
        if not matches:
            return None
        best = matches[0]
        spots = [best.spot, *(match.spot for match in matches[1:] if _is_one_place(best, match))]
        first = best.spot.stops[0]
        place = self.place_of_stop(first, language)
        return End(place, tuple(stop for spot in spots for stop in spot.stops))

    def _landmark_end(self, landmark: int, language: str) -> End:
        assert self.landmarks is not None, "it was found among the landmarks"
        return End(self.landmarks.place(landmark, language))

    # Making spots ------------------------------------------------------------------------------------------

    def _list_forms(self) -> Iterator[tuple[int, str, int]]:
        for i, spot in enumerate(self._spots):
            for name in self._names_of(spot):
                yield i, name, WHOLE
                yield i, without_brackets(name), UNBRACKETED
                for inner in list_bracketed(name):
                    # 元町港（大島）: in brackets a port has its island, and by that name it is meant too.
                    yield i, inner, WHOLE if spot.is_island else AREA
                for part in list_parts(name):
                    yield i, part, PART

    def _may_mean(self, spot: int, ending: str) -> bool:
        """駅 means a station, 港 a port."""
        kinds = {"station": RAIL, "port": frozenset({Mode.FERRY})}.get(ending)
        return kinds is None or bool(self._spots[spot].modes & kinds)

    def _names_of(self, spot: Spot) -> list[str]:
        owners = set(spot.stops)
        names = {names[owner] for names in self._names.values() for owner in owners if owner in names}
        return [spot.name, *sorted(names - {spot.name})]

    def _make_spots(self) -> list[Spot]:
        by_name: dict[str, list[int]] = {}
        for stop, name in enumerate(list_strings(self._timetable.stop_names)):
            by_name.setdefault(normalise(name), []).append(stop)
        stops = self._timetable.stops
        has_rail = np.array([bool(modes & RAIL) for modes in self._stop_modes], dtype=np.bool_)
        rail_lat, rail_lon = stops.lat[has_rail], stops.lon[has_rail]
        return [
            self._make_spot(members, rail_lat, rail_lon)
            for group in by_name.values()
            for members in self._lie_together(group)
        ]

    def _lie_together(self, stops: Sequence[int]) -> list[list[int]]:
        lat, lon = self._timetable.stops.lat, self._timetable.stops.lon
        stations = self._timetable.stops.stations
        groups: list[list[int]] = []
        for stop in stops:
            index = np.array([group[0] for group in groups], dtype=np.int64)
            metres = distance_m(lat[index], lon[index], lat[stop], lon[stop])
            home = next(
                (
                    group
                    for group, away in zip(groups, metres, strict=True)
                    if away <= TOGETHER_M or 0 <= stations[group[0]] == stations[stop]
                ),
                None,
            )
            if home is None:
                groups.append([stop])
            else:
                home.append(stop)
        return groups

    def _make_spot(self, stops: Sequence[int], rail_lat: np.ndarray, rail_lon: np.ndarray) -> Spot:
        timetable = self._timetable
        offsets = timetable.lines.stop_line_offsets
        boardings = {stop: int(offsets[stop + 1] - offsets[stop]) for stop in stops}
        # The stop where most lines can be boarded speaks for the spot.
        ordered = tuple(sorted(stops, key=lambda stop: (-boardings[stop], stop)))
        modes = self.modes_of_stops(stops)
        lat, lon = float(timetable.stops.lat[ordered[0]]), float(timetable.stops.lon[ordered[0]])
        is_island = False
        if Mode.FERRY in modes:
            away = distance_m(rail_lat, rail_lon, np.array(lat), np.array(lon))
            is_island = float(away.min(initial=np.inf)) > ISLAND_M
        return Spot(
            name=get_string(timetable.stop_names, ordered[0]),
            stops=ordered,
            lat=lat,
            lon=lon,
            modes=modes,
            importance=sum(boardings.values()),
            is_island=is_island,
        )


def _rank(match: Match) -> tuple[int, bool, int, int, str]:
    # Where only words match, the name with the least besides them is meant.
    surplus = len(match.spot.name) if match.tier == WORDS else 0
    return match.tier, not match.spot.is_island, surplus, -match.spot.importance, match.spot.name


def _is_one_place(best: Match, other: Match) -> bool:
    """Spots that one name means together: an island's ports, or a station that two operators spell apart."""
    away_m = metres_between(best.spot, other.spot.lat, other.spot.lon)
    if best.spot.is_island and other.spot.is_island and other.tier == best.tier:
        return away_m <= ISLAND_PORTS_M
    return max(best.tier, other.tier) <= UNBRACKETED and away_m <= TOGETHER_M


def metres_between(spot: Spot, lat: float, lon: float) -> float:
    """From the spot to the point, as the crow flies."""
    return float(distance_m(np.array(spot.lat), np.array(spot.lon), np.array(lat), np.array(lon)))


def _modes_of_stops(timetable: Timetable) -> list[frozenset[Mode]]:
    """What stops at each stop, seen at the first run of each line."""
    lines, parts = timetable.lines, timetable.parts
    part_counts = np.diff(parts.offsets)
    starts = np.repeat(lines.stop_offsets[:-1], part_counts) + parts.starts
    within = np.arange(len(starts)) - np.repeat(parts.offsets[:-1], part_counts)
    trips = parts.trips[np.repeat(parts.trip_offsets[:-1], part_counts) + within]
    types = timetable.routes.types[timetable.trips.routes[trips]]
    of_positions = np.repeat(types, np.diff(np.append(starts, len(lines.stops))))
    modes: list[set[Mode]] = [set() for _ in range(timetable.stop_count)]
    for stop, route_type in np.unique(np.stack([lines.stops, of_positions]), axis=1).T.tolist():
        modes[stop].add(mode_of(route_type))
    return [frozenset(each) for each in modes]


def _names_by_language(timetable: Timetable) -> dict[str, dict[int, str]]:
    """Language -> owner (a stop, or -1 - station) -> name; the first of several in one language."""
    names: dict[str, dict[int, str]] = {}
    texts = list_strings(timetable.name_texts)
    for owner, language, text in zip(timetable.names.owners, timetable.names.languages, texts, strict=True):
        names.setdefault(timetable.languages[int(language)], {}).setdefault(int(owner), text)
    return names
