"""Where bikes can be taken and left now, laid out for searches.

Problem   A search needs, within a millisecond, which stations a door is near, which stops a station is near,
          and how long rides between stations take.
Idea      `BikeStations` is what all systems told at one moment, as arrays; never changed once made. What
          depends on the network as well (the stops near each station, the rides from it) is worked out once
          for each network and manner, and kept.
Rule      A bike is counted on for a journey that begins within an hour if one is there now, a place to leave
          it if one is free now; later, wherever the station rents and takes back at all: nobody knows yet.
          Where counts are not known (None) a station is taken for open.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from maas.journeys import Place
from maas.ports import StationNow
from maas.sharing.records import name_in
from routing.kernels.arrays import Int32
from routing.streets.ways import BEYOND, Ways
from routing.timetable import Timetable
from services.planner.outside import Outside, Point

COUNTED_FOR = timedelta(hours=1)
WALK_S_MAX = 600
"""The longest walk to a station, and from one."""
OWN_LANGUAGE = "ja"
"""What names are told in where no language is asked for, as the feeds' own names are."""
_KEPT = 4_096
"""Rides from so many stations are kept."""
_MANNERS_KEPT = 4
USUALLY = Outside()
"""By beelines, in the usual manner."""

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class NearStops:
    """Pairs of a station and a stop within a walk of one another: int32[n] each, seconds on foot."""

    stations: Int32
    stops: Int32
    walk_s: Int32


class Measured:
    """What was measured of the stations where they stand. Safe to use from several threads.

    Keys are of networks and manners; each row holds what its key names, so that no key is another's.
    """

    def __init__(self) -> None:
        self._near: OrderedDict[tuple[Any, ...], tuple[Any, NearStops]] = OrderedDict()
        self._rides: OrderedDict[tuple[Any, ...], tuple[Ways, Int32]] = OrderedDict()
        self._lock = Lock()

    def near_stops(
        self, stations: "BikeStations", timetable: Timetable, outside: Outside, *, is_egress: bool
    ) -> NearStops:
        """See BikeStations."""
        key = (id(timetable.stops), id(outside.ways), outside.manners.on_foot, is_egress)
        with self._lock:
            kept = self._near.get(key)
        if kept is None:
            found = _find_near_stops(stations, timetable, outside, is_egress=is_egress)
            kept = ((timetable.stops, outside.ways), found)
            _keep(self._lock, self._near, key, kept, _MANNERS_KEPT)
        return kept[1]

    def rides_s(
        self, stations: "BikeStations", station: int, outside: Outside, *, limit_s: int, is_backwards: bool
    ) -> Int32:
        """See BikeStations."""
        key = (id(outside.ways), outside.manners.by_bike, station, is_backwards, limit_s)
        with self._lock:
            kept = self._rides.get(key)
        if kept is None:
            seconds = outside.rides_s(
                stations.point(station),
                stations.lat,
                stations.lon,
                limit_s=limit_s,
                is_backwards=is_backwards,
            )
            kept = (outside.ways, seconds)
            _keep(self._lock, self._rides, key, kept, _KEPT)
        return kept[1]


def _keep(lock: Lock, rows: OrderedDict[Any, Any], key: Any, row: Any, count_max: int) -> None:
    with lock:
        rows[key] = row
        while len(rows) > count_max:
            rows.popitem(last=False)


@dataclass(frozen=True)
class BikeStations:
    """All stations of all systems at one moment."""

    rows: tuple[StationNow, ...] = ()
    told_at: datetime | None = None
    _measured: Measured = field(default_factory=Measured, compare=False)

    @cached_property
    def lat(self) -> npt.NDArray[np.float64]:
        """float64[n], degrees."""
        return np.array([row.lat for row in self.rows], dtype=np.float64)

    @cached_property
    def lon(self) -> npt.NDArray[np.float64]:
        """float64[n], degrees."""
        return np.array([row.lon for row in self.rows], dtype=np.float64)

    @cached_property
    def systems(self) -> Int32:
        """int32[n]: the same number for stations of one system."""
        numbers: dict[str, int] = {}
        found = [numbers.setdefault(row.system_id, len(numbers)) for row in self.rows]
        return np.array(found, dtype=np.int32)

    @cached_property
    def _by_id(self) -> dict[str, int]:
        return {station_key(row): i for i, row in enumerate(self.rows)}

    def renewed(self, rows: Sequence[StationNow], told_at: datetime) -> "BikeStations":
        """What is told later. Where the stations are the same, what was worked out of them is kept."""
        stay = [_where(row) for row in rows] == [_where(row) for row in self.rows]
        return BikeStations(tuple(rows), told_at, self._measured if stay else Measured())

    def find(self, key: str) -> int | None:
        """The station with this `system:station`, or None."""
        return self._by_id.get(key)

    def can_take(self, departs_at: datetime) -> Flags:
        """bool[n]: where a bike may be counted on by whoever sets out then."""
        return self._has_bike if self._is_soon(departs_at) else self._rents

    def can_leave(self, departs_at: datetime) -> Flags:
        """bool[n]: where it may be left, likewise."""
        return self._has_dock if self._is_soon(departs_at) else self._takes_back

    def _is_soon(self, departs_at: datetime) -> bool:
        return self.told_at is not None and departs_at - self.told_at < COUNTED_FOR

    @cached_property
    def _has_bike(self) -> Flags:
        return np.array([row.bikes is None or row.bikes > 0 for row in self.rows], dtype=np.bool_)

    @cached_property
    def _has_dock(self) -> Flags:
        return np.array([row.docks is None or row.docks > 0 for row in self.rows], dtype=np.bool_)

    @cached_property
    def _rents(self) -> Flags:
        return np.array([row.is_renting for row in self.rows], dtype=np.bool_)

    @cached_property
    def _takes_back(self) -> Flags:
        return np.array([row.is_returning for row in self.rows], dtype=np.bool_)

    def near_stops(
        self, timetable: Timetable, outside: Outside = USUALLY, *, is_egress: bool = False
    ) -> NearStops:
        """Which stops are near which stations: walks from the station (to it, if is_egress)."""
        return self._measured.near_stops(self, timetable, outside, is_egress=is_egress)

    def rides_s(self, station: int, outside: Outside, *, limit_s: int, is_backwards: bool) -> Int32:
        """int32[n]: seconds to ride from the station to each (to it, if is_backwards), or BEYOND."""
        return self._measured.rides_s(self, station, outside, limit_s=limit_s, is_backwards=is_backwards)

    def point(self, station: int) -> Point:
        """Where the station is."""
        return self.rows[station].lat, self.rows[station].lon

    def system_name(self, station: int, language: str) -> str:
        """What the station's system is called."""
        return name_in(self.rows[station].system_names, language or OWN_LANGUAGE)

    def place(self, station: int, language: str) -> Place:
        """The station as a place; its id carries its system's, `system:station`."""
        row = self.rows[station]
        return Place(
            name=name_in(row.names, language or OWN_LANGUAGE),
            lat=row.lat,
            lon=row.lon,
            stop_id=station_key(row),
            is_bike_station=True,
        )


NO_BIKES = BikeStations()


def station_key(row: StationNow) -> str:
    """The public id of a station."""
    return f"{row.system_id}:{row.station_id}"


def _where(row: StationNow) -> tuple[str, float, float]:
    return station_key(row), row.lat, row.lon


def _find_near_stops(
    stations: BikeStations, timetable: Timetable, outside: Outside, *, is_egress: bool
) -> NearStops:
    at, stops, walk_s = [], [], []
    for station, row in enumerate(stations.rows):
        box = np.flatnonzero(
            outside.is_near((row.lat, row.lon), timetable.stops.lat, timetable.stops.lon, limit_s=WALK_S_MAX)
        )
        seconds = outside.walks_s(
            (row.lat, row.lon),
            timetable.stops.lat[box],
            timetable.stops.lon[box],
            limit_s=WALK_S_MAX,
            is_backwards=is_egress,
        )
        is_near = seconds != BEYOND
        stops.append(box[is_near])
        walk_s.append(seconds[is_near])
        at.append(np.full(int(is_near.sum()), station))
    empty = np.empty(0, dtype=np.int32)
    return NearStops(
        *(np.concatenate([empty, *parts]).astype(np.int32) for parts in (at, stops, walk_s)),
    )
