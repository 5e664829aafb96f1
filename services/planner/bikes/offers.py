"""What can be rented where: each kind of vehicle at each station, and each vehicle that stands by itself.

Problem   A station may have bicycles and scooters, which go to different places; a vehicle that stands
          somewhere is taken like one at a station. A search wants one list of what can be taken.
Idea      An *offer* is a kind of vehicle at a place. Stations' offers come first, by station; then the
          vehicles that stand by themselves, one each. A *kind* is a vehicle type of one system, with where
          it may be left.
Rule      Where a system does not say how a type is given back: at any of its stations if it has some, else
          anywhere. A vehicle with a home station goes there and nowhere else; a type that must come back to
          where it was taken brings nobody anywhere, unless such rules are to be ignored.
          Without types, all are bicycles; where a station does not tell types apart, the system's first.
Source    GBFS 3.0: vehicle_types `return_constraint`, vehicle_status `home_station_id`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from maas.ports import BikeSystemNow, StationNow, VehicleNow
from maas.sharing.records import BICYCLE, VehicleType
from routing.kernels.arrays import Int32

Flags = npt.NDArray[np.bool_]
Degrees = npt.NDArray[np.float64]

NOWHERE = -1
"""Stands for no station."""
UNLIMITED_M = 2**31 - 1

FREE_FLOATING, ROUNDTRIP, ANY_STATION, HYBRID = "free_floating", "roundtrip_station", "any_station", "hybrid"


@dataclass(frozen=True, slots=True)
class RentalFilter:
    """What of all that is shared a traveller takes; an empty part asks for nothing.

    `ignores_return`: as if any vehicle could be left at any station, and anywhere.
    """

    form_factors: frozenset[str] = frozenset()
    propulsion_types: frozenset[str] = frozenset()
    systems: tuple[frozenset[str], ...] = ()
    ignores_return: bool = False

    def takes(self, kind: "Kind") -> bool:
        """Whether vehicles of this kind are wanted."""
        return (
            (not self.form_factors or kind.type.form_factor in self.form_factors)
            and (not self.propulsion_types or kind.type.propulsion_type in self.propulsion_types)
            and all(kind.system_id in each for each in self.systems)
        )


ANY_RENTAL = RentalFilter()


@dataclass(frozen=True, slots=True)
class Kind:
    """A vehicle type of one system: `constraint` is GBFS's word, guessed where the system says none."""

    system_id: str
    type: VehicleType
    constraint: str

    @property
    def may_stand_anywhere(self) -> bool:
        """Whether it may be left where there is no station."""
        return self.constraint in (FREE_FLOATING, HYBRID)


@dataclass(frozen=True)
class Offers:
    """Offers: those at stations first, by station. All arrays have one entry an offer, unless they say so.

    lat, lon     float64  degrees
    stations     int32    the station, or NOWHERE of a vehicle by itself
    vehicles     int32    the vehicle by itself, or NOWHERE
    kinds        int32    index into `all_kinds`
    homes        int32    the only station where it may be left, or NOWHERE
    is_now       bool     whether it can be taken now
    is_ever      bool     whether it may be counted on when nobody knows yet
    range_m      int32    how far it goes at most
    begins       int32[station_count + 1]  station s has the offers begins[s] to begins[s + 1]
    """

    lat: Degrees
    lon: Degrees
    stations: Int32
    vehicles: Int32
    kinds: Int32
    homes: Int32
    is_now: Flags
    is_ever: Flags
    range_m: Int32
    begins: Int32
    all_kinds: tuple[Kind, ...]
    _masks: dict[RentalFilter, Flags] = field(default_factory=dict)

    @property
    def at_stations(self) -> int:
        """How many offers are at stations."""
        return int(self.begins[-1])

    def wanted(self, rental: RentalFilter) -> Flags | None:
        """bool[n]: which are wanted; None: all are."""
        if not (rental.form_factors or rental.propulsion_types or rental.systems):
            return None
        if rental not in self._masks:
            if len(self._masks) >= _MASKS_KEPT:
                self._masks.clear()
            of_kind = np.array([rental.takes(kind) for kind in self.all_kinds], dtype=np.bool_)
            self._masks[rental] = of_kind[self.kinds] if len(self.kinds) else np.zeros(0, dtype=np.bool_)
        return self._masks[rental]

    def find_kind(self, system_id: str, type_id: str) -> int | None:
        """The kind by its system's word; an empty word is the system's first kind."""
        for i, kind in enumerate(self.all_kinds):
            if kind.system_id == system_id and type_id in ("", kind.type.vehicle_type_id):
                return i
        return None


_MASKS_KEPT = 32


class _Kinds:
    """The kinds of all systems, numbered."""

    def __init__(self, systems: Mapping[str, BikeSystemNow], rows: Sequence[StationNow]) -> None:
        self.all: list[Kind] = []
        self._by_id: dict[tuple[str, str], int] = {}
        docked = {row.system_id for row in rows}
        for system_id in sorted(docked | systems.keys()):
            types = systems[system_id].vehicle_types if system_id in systems else ()
            guess = ANY_STATION if system_id in docked else FREE_FLOATING
            for each in types or (BICYCLE,):
                self._by_id.setdefault((system_id, ""), len(self.all))
                self._by_id[system_id, each.vehicle_type_id] = len(self.all)
                self.all.append(Kind(system_id, each, each.return_constraint or guess))

    def find(self, system_id: str, type_id: str) -> int | None:
        return self._by_id.get((system_id, type_id))

    def first(self, system_id: str) -> int:
        return self._by_id[system_id, ""]


def build_offers(
    rows: Sequence[StationNow], vehicles: Sequence[VehicleNow], systems: Mapping[str, BikeSystemNow]
) -> Offers:
    """All that can be taken. What is of an unknown type, or has a home that is not known, is left out."""
    kinds = _Kinds(systems, rows)
    number = {(row.system_id, row.station_id): i for i, row in enumerate(rows)}
    found: list[tuple[int, int, int, bool, bool, int]] = []
    begins = np.zeros(len(rows) + 1, dtype=np.int32)
    for station, row in enumerate(rows):
        has_bike = row.bikes is None or row.bikes > 0
        listed = [(kinds.find(row.system_id, type_id), n) for type_id, n in row.bikes_by_type.items()]
        known = [(kind, n) for kind, n in listed if kind is not None]
        if not known:
            known = [(kinds.first(row.system_id), 1)]
        for kind, count in known:
            home = station if kinds.all[kind].constraint == ROUNDTRIP else NOWHERE
            is_now = has_bike and (count > 0 or row.bikes is None)
            found.append((station, kind, home, is_now, row.is_renting, _range_m(kinds.all[kind])))
        begins[station + 1] = len(found)
    free = []
    for i, vehicle in enumerate(vehicles):
        kind_or_none = kinds.find(vehicle.system_id, vehicle.vehicle_type_id)
        home = number.get((vehicle.system_id, vehicle.home_station_id), NOWHERE)
        if kind_or_none is None or (home == NOWHERE and vehicle.home_station_id):
            continue
        range_m = _range_m(kinds.all[kind_or_none]) if vehicle.range_m is None else vehicle.range_m
        found.append((NOWHERE, kind_or_none, home, True, False, range_m))
        free.append(i)
    places = [(row.lat, row.lon) for row in (rows[each[0]] for each in found[: begins[-1]])]
    places += [(vehicles[i].lat, vehicles[i].lon) for i in free]
    columns: list[tuple[int, ...]] = list(zip(*found, strict=True)) if found else [()] * 6
    return Offers(
        lat=np.array([lat for lat, _ in places], dtype=np.float64),
        lon=np.array([lon for _, lon in places], dtype=np.float64),
        stations=np.array(columns[0], dtype=np.int32),
        vehicles=np.concatenate([np.full(begins[-1], NOWHERE), np.array(free, dtype=np.int32)]).astype(
            np.int32
        ),
        kinds=np.array(columns[1], dtype=np.int32),
        homes=np.array(columns[2], dtype=np.int32),
        is_now=np.array(columns[3], dtype=np.bool_),
        is_ever=np.array(columns[4], dtype=np.bool_),
        range_m=np.array(columns[5], dtype=np.int32),
        begins=begins,
        all_kinds=tuple(kinds.all),
    )


def _range_m(kind: Kind) -> int:
    """How far one goes with a full battery; 0 is what systems say that do not know."""
    return kind.type.range_m_max or UNLIMITED_M
