"""Where bikes can be taken and left now, laid out for searches.

Problem   A search needs, within a millisecond, which stations a door is near, which stops a station is near,
          and how long rides between stations take.
Idea      `BikeStations` is what all systems told at one moment, as arrays; never changed once made. What
          depends on the network as well (the stops near each station, the rides from it) is worked out once
          for each network and manner, and kept.
Rule      A bike is counted on for a journey that begins within an hour if one is there now, a place to leave
          it if one is free now; later, wherever the station rents and takes back at all: nobody knows yet.
          Where counts are not known (None) a station is taken for open. A vehicle that stands by itself is
          taken within VEHICLE_FOR of when it was told of, or not at all: another may ride it away at any
          moment, none comes in its stead, and to walk to it takes up to ten minutes.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from maas.journeys import Place
from maas.ports import BikeSystemNow, StationNow, VehicleNow
from maas.sharing.geofences import Geofences
from maas.sharing.records import name_in
from routing.kernels.arrays import Int32
from routing.streets.ways import Ways
from routing.timetable import Timetable
from services.planner.bikes.fences import Fences
from services.planner.bikes.near import NearStops, find_near, join_near, of_offers
from services.planner.bikes.offers import NOWHERE, ROUNDTRIP, Flags, Kind, Offers, RentalFilter, build_offers
from services.planner.outside import Outside, Point

COUNTED_FOR = timedelta(hours=1)
VEHICLE_FOR = timedelta(minutes=15)
OWN_LANGUAGE = "ja"
"""What names are told in where no language is asked for, as the feeds' own names are."""
_KEPT = 4_096
"""Rides from so many stations are kept."""
_MANNERS_KEPT = 4
USUALLY = Outside()
"""By beelines, in the usual manner."""


Rides = tuple[Int32, Int32]
"""Seconds and metres to each station, BEYOND where it is not reached."""


class Measured:
    """What was measured of the stations where they stand. Safe to use from several threads.

    Keys are of networks and manners; each row holds what its key names, so that no key is another's.
    """

    def __init__(self) -> None:
        self._near: OrderedDict[tuple[Any, ...], tuple[Any, NearStops]] = OrderedDict()
        self._rides: OrderedDict[tuple[Any, ...], tuple[Ways, Rides]] = OrderedDict()
        self._lock = Lock()

    def near_stops(
        self, stations: "BikeStations", timetable: Timetable, outside: Outside, *, is_egress: bool
    ) -> NearStops:
        """See BikeStations."""
        key = (id(timetable.stops), id(outside.ways), outside.manners.on_foot, is_egress)
        with self._lock:
            kept = self._near.get(key)
        if kept is None:
            found = find_near(stations.lat, stations.lon, timetable, outside, is_egress=is_egress)
            kept = ((timetable.stops, outside.ways), found)
            _keep(self._lock, self._near, key, kept, _MANNERS_KEPT)
        return kept[1]

    def rides(
        self, stations: "BikeStations", station: int, outside: Outside, *, limit_s: int, is_backwards: bool
    ) -> Rides:
        """See BikeStations."""
        key = (id(outside.ways), outside.manners.by_bike, station, is_backwards, limit_s)
        with self._lock:
            kept = self._rides.get(key)
        if kept is None:
            found = outside.ways.measure(
                *stations.point(station),
                stations.lat,
                stations.lon,
                manner=outside.manners.by_bike,
                limit_s=limit_s,
                is_backwards=is_backwards,
            )
            kept = (outside.ways, (found.seconds, found.metres))
            _keep(self._lock, self._rides, key, kept, _KEPT)
        return kept[1]


def _keep(lock: Lock, rows: OrderedDict[Any, Any], key: Any, row: Any, count_max: int) -> None:
    with lock:
        rows[key] = row
        while len(rows) > count_max:
            rows.popitem(last=False)


@dataclass(frozen=True, eq=False)
class BikeWalks:
    """Ways by bike between a timetable's stops, all quicker than its footpaths, and the bikes they are by.

    int32[n] each, by stop and then by the other: `offers` are taken, at stations, and left at `dropoffs`.
    """

    timetable: Timetable
    bikes: "BikeStations"
    outside: Outside
    sources: Int32
    targets: Int32
    seconds: Int32
    offers: Int32
    dropoffs: Int32

    def find(self, source: int, target: int) -> int | None:
        """The way from stop to stop; None where there is none."""
        begin, end = np.searchsorted(self.sources, [source, source + 1]).tolist()
        at = begin + int(np.searchsorted(self.targets[begin:end], target))
        return at if at < end and self.targets[at] == target else None


@dataclass(frozen=True)
class BikeStations:
    """All stations of all systems at one moment."""

    rows: tuple[StationNow, ...] = ()
    told_at: datetime | None = None
    vehicles: tuple[VehicleNow, ...] = ()
    systems: tuple[BikeSystemNow, ...] = ()
    _measured: Measured = field(default_factory=Measured, compare=False)
    bike_walks: dict[tuple[Any, ...], BikeWalks] = field(default_factory=dict, compare=False)
    _near_offers: OrderedDict[tuple[Any, ...], tuple[Any, NearStops]] = field(
        default_factory=OrderedDict, compare=False
    )
    _lock: Lock = field(default_factory=Lock, compare=False)
    _fences: dict[str, tuple[str, Fences]] = field(default_factory=dict, compare=False)
    _leavable: dict[tuple[bool, int, bool | RentalFilter], Flags] = field(default_factory=dict, compare=False)

    @cached_property
    def lat(self) -> npt.NDArray[np.float64]:
        """float64[n], degrees."""
        return np.array([row.lat for row in self.rows], dtype=np.float64)

    @cached_property
    def lon(self) -> npt.NDArray[np.float64]:
        """float64[n], degrees."""
        return np.array([row.lon for row in self.rows], dtype=np.float64)

    @cached_property
    def offers(self) -> Offers:
        """All that can be taken."""
        return build_offers(self.rows, self.vehicles, {each.system_id: each for each in self.systems})

    @cached_property
    def _by_id(self) -> dict[str, int]:
        return {station_key(row): i for i, row in enumerate(self.rows)}

    @cached_property
    def _offer_of_vehicle(self) -> dict[str, int]:
        begin = self.offers.at_stations
        numbers = self.offers.vehicles[begin:].tolist()
        return {vehicle_key(self.vehicles[number]): begin + i for i, number in enumerate(numbers)}

    def renewed(
        self,
        rows: Sequence[StationNow],
        told_at: datetime,
        vehicles: Sequence[VehicleNow] = (),
        systems: Sequence[BikeSystemNow] = (),
    ) -> "BikeStations":
        """What is told later. Where the stations are the same, what was worked out of them is kept."""
        if [_where(row) for row in rows] != [_where(row) for row in self.rows]:
            return BikeStations(tuple(rows), told_at, tuple(vehicles), tuple(systems))
        kept = (self._measured, self.bike_walks)
        return BikeStations(tuple(rows), told_at, tuple(vehicles), tuple(systems), *kept)

    def has_same_offers(self, other: "BikeStations") -> bool:
        """Whether both have the same kinds at the same stations, however many, under the same fences."""
        here, there = self.offers, other.offers
        fences = [{name: known[0] for name, known in each._fences.items()} for each in (self, other)]  # noqa: SLF001
        return (
            here.all_kinds == there.all_kinds
            and fences[0] == fences[1]
            and np.array_equal(here.begins, there.begins)
            and np.array_equal(here.kinds[: here.at_stations], there.kinds[: there.at_stations])
        )

    def prepare(self, before: "BikeStations", geofences: Mapping[str, Geofences]) -> None:
        """Lay out what every search needs, so that none waits for it.

        geofences: those of systems that have other ones than `before`, by system.
        """
        _ = (self.lat, self.lon, self.offers, self._by_id, self._offer_of_vehicle)
        used = [made_of for key, (made_of, _) in before.list_near_offers() if key[-1]]
        if used and self.vehicles:
            # Whoever asked of the vehicles of before will ask of these.
            self.near_offers(*used[-1], by_itself=True)
        for system in self.systems:
            if system.system_id in geofences:
                fences = Fences(geofences[system.system_id])
                fences.prepare([each.vehicle_type_id for each in system.vehicle_types] or [""])
                self._fences[system.system_id] = (system.geofences, fences)
            elif before.has_fences(system):
                self._fences[system.system_id] = before._fences[system.system_id]  # noqa: SLF001 - its own kind

    def has_fences(self, system: BikeSystemNow) -> bool:
        """Whether the system's geofences are those that are known here."""
        known = self._fences.get(system.system_id)
        return bool(system.geofences) and known is not None and known[0] == system.geofences

    def find_fences(self, kind: Kind) -> Fences | None:
        """The geofences that this kind keeps to; None: it has none."""
        known = self._fences.get(kind.system_id)
        return None if known is None else known[1]

    @property
    def is_fenced(self) -> bool:
        """Whether any system has geofences."""
        return bool(self._fences)

    @cached_property
    def may_start(self) -> Flags:
        """bool[offers]: which geofences let be taken where they are. Stations say for themselves."""
        offers = self.offers
        found = np.ones(len(offers.kinds), dtype=np.bool_)
        for number, kind in enumerate(offers.all_kinds):
            fences = self.find_fences(kind)
            if fences is not None:
                own = np.flatnonzero((offers.kinds == number) & (offers.stations == NOWHERE))
                found[own] = fences.may_start(kind.type.vehicle_type_id, offers.lat[own], offers.lon[own])
        return found

    def may_end(self, kind: Kind, lat: npt.NDArray[np.float64], lon: npt.NDArray[np.float64]) -> Flags:
        """bool[n]: where geofences let this kind be left by itself."""
        fences = self.find_fences(kind)
        if fences is None:
            return np.ones(len(lat), dtype=np.bool_)
        return fences.may_end(kind.type.vehicle_type_id, lat, lon)

    def find(self, key: str) -> int | None:
        """The station with this `system:station`, or None."""
        return self._by_id.get(key)

    def find_offer(self, key: str, kind: str, *, is_vehicle: bool) -> int | None:
        """The offer of this kind (empty: any) at the station `key`, or of the vehicle; None if it is gone."""
        offers = self.offers
        if is_vehicle:
            return self._offer_of_vehicle.get(key)
        station = self.find(key)
        if station is None:
            return None
        for offer in range(int(offers.begins[station]), int(offers.begins[station + 1])):
            if kind in ("", offers.all_kinds[offers.kinds[offer]].type.vehicle_type_id):
                return offer
        return None

    def can_take(self, departs_at: datetime, rental: RentalFilter, *, by_itself: bool) -> Flags:
        """bool[offers]: what may be counted on by whoever sets out then.

        by_itself: so may vehicles that stand by themselves.
        """
        offers = self.offers
        wanted = offers.wanted(rental)
        found = (offers.is_now if self.is_soon(departs_at) else offers.is_ever).copy()
        found[offers.at_stations :] = by_itself
        if self.is_fenced:
            found &= self.may_start
        return found if wanted is None else found & wanted

    def can_leave(self, departs_at: datetime, kind: int, *, ignores_return: bool = False) -> Flags:
        """bool[n]: at which stations vehicles of that kind may be left, likewise. Homes are not looked at."""
        key = (self.is_soon(departs_at), kind, ignores_return)
        if key not in self._leavable:
            self._leavable[key] = self._find_leavable(*key)
        return self._leavable[key]

    def can_leave_any(self, departs_at: datetime, rental: RentalFilter) -> Flags:
        """bool[n]: at which stations anything that is wanted may be left; homes may be any."""
        key = (self.is_soon(departs_at), -1, rental)
        if key not in self._leavable:
            found = np.zeros(len(self.rows), dtype=np.bool_)
            for number, kind in enumerate(self.offers.all_kinds):
                if rental.takes(kind):
                    # A vehicle with a home may be of a kind that is brought back to where it was taken.
                    found |= self.can_leave(departs_at, number, ignores_return=True)
            self._leavable[key] = found
        return self._leavable[key]

    def _find_leavable(self, is_soon: bool, number: int, ignores_return: bool) -> Flags:  # noqa: FBT001
        kind = self.offers.all_kinds[number]
        if kind.constraint == ROUNDTRIP and not ignores_return:
            return np.zeros(len(self.rows), dtype=np.bool_)
        return np.array([_takes(row, kind, is_soon=is_soon) for row in self.rows], dtype=np.bool_)

    def find_deadline(self) -> datetime | None:
        """Until when vehicles that stand by themselves may be taken."""
        return None if self.told_at is None or not self.vehicles else self.told_at + VEHICLE_FOR

    def is_soon(self, departs_at: datetime) -> bool:
        """Whether what stands there now counts for who sets out then."""
        return self.told_at is not None and departs_at - self.told_at < COUNTED_FOR

    def list_near_offers(self) -> list[tuple[tuple[Any, ...], tuple[Any, NearStops]]]:
        """What searches asked for, the latest last: keys, with the timetable and the ways."""
        with self._lock:
            return list(self._near_offers.items())

    def near_offers(self, timetable: Timetable, outside: Outside = USUALLY, *, by_itself: bool) -> NearStops:
        """Which offers (in the place of stations) are near which stops: walks from the stops to them.

        by_itself: of vehicles that stand by themselves too.
        """
        key = (id(timetable.stops), id(outside.ways), outside.manners.on_foot, by_itself)
        kept = self._near_offers.get(key)
        if kept is None:
            near = of_offers(self.offers, self.near_stops(timetable, outside, is_egress=True))
            if by_itself:
                begin = self.offers.at_stations
                lat, lon = self.offers.lat[begin:], self.offers.lon[begin:]
                alone = find_near(lat, lon, timetable, outside, is_egress=True)
                near = join_near([near, replace(alone, stations=alone.stations + np.int32(begin))])
            kept = ((timetable, outside), near)
            _keep(self._lock, self._near_offers, key, kept, _MANNERS_KEPT)
        return kept[1]

    def near_stops(
        self, timetable: Timetable, outside: Outside = USUALLY, *, is_egress: bool = False
    ) -> NearStops:
        """Which stops are near which stations: walks from the station (to it, if is_egress)."""
        return self._measured.near_stops(self, timetable, outside, is_egress=is_egress)

    def rides(self, station: int, outside: Outside, *, limit_s: int, is_backwards: bool) -> Rides:
        """From the station to each (to it, if is_backwards)."""
        return self._measured.rides(self, station, outside, limit_s=limit_s, is_backwards=is_backwards)

    def point(self, station: int) -> Point:
        """Where the station is."""
        return self.rows[station].lat, self.rows[station].lon

    def offer_point(self, offer: int) -> Point:
        """Where the offer is."""
        return float(self.offers.lat[offer]), float(self.offers.lon[offer])

    def offer_key(self, offer: int) -> str:
        """The public id of the station, or of the vehicle that stands by itself."""
        station = int(self.offers.stations[offer])
        if station != NOWHERE:
            return station_key(self.rows[station])
        return vehicle_key(self.vehicles[int(self.offers.vehicles[offer])])

    def operator_id(self, offer: int) -> str:
        """Whose vehicle it is, as tariffs name the operator."""
        station = int(self.offers.stations[offer])
        if station != NOWHERE:
            return self.rows[station].operator_id
        return self._systems_by_id[self.kind(offer).system_id].operator_id

    def kind(self, offer: int) -> Kind:
        """What it is."""
        return self.offers.all_kinds[int(self.offers.kinds[offer])]

    def rental_uris(self, offer: int) -> tuple[tuple[str, str], ...]:
        """Where it is rented, by platform."""
        station = int(self.offers.stations[offer])
        row = self.vehicles[int(self.offers.vehicles[offer])] if station == NOWHERE else self.rows[station]
        return tuple(sorted(row.rental_uris.items()))

    def system_name(self, offer: int, language: str) -> str:
        """What the system is called."""
        station = int(self.offers.stations[offer])
        if station != NOWHERE:
            names = self.rows[station].system_names
        else:
            names = self._systems_by_id[self.kind(offer).system_id].names
        return name_in(names, language or OWN_LANGUAGE)

    @cached_property
    def _systems_by_id(self) -> dict[str, BikeSystemNow]:
        return {each.system_id: each for each in self.systems}

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

    def offer_place(self, offer: int, language: str) -> Place:
        """Where it is taken: the station, or a point with the system's name."""
        station = int(self.offers.stations[offer])
        if station != NOWHERE:
            return self.place(station, language)
        lat, lon = self.offer_point(offer)
        return Place(name=self.system_name(offer, language), lat=lat, lon=lon)


NO_BIKES = BikeStations()


def station_key(row: StationNow) -> str:
    """The public id of a station."""
    return f"{row.system_id}:{row.station_id}"


def _where(row: StationNow) -> tuple[str, float, float]:
    return station_key(row), row.lat, row.lon


def vehicle_key(row: VehicleNow) -> str:
    """The public id of a vehicle."""
    return f"{row.system_id}:{row.vehicle_id}"


def _takes(row: StationNow, kind: Kind, *, is_soon: bool) -> bool:
    """Whether a station takes vehicles of that kind back, now or at all."""
    if row.system_id != kind.system_id or not row.is_returning:
        return False
    if is_soon and row.docks is not None and row.docks <= 0:
        return False
    if not row.docks_by_type or not kind.type.vehicle_type_id:
        return True
    free = row.docks_by_type.get(kind.type.vehicle_type_id)
    return free is not None and (free > 0 or not is_soon)
