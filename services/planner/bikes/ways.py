"""Ways by shared bike: from a door to stops, and all the way.

Problem   With a bike stops are near that no walk reaches; each such way is a walk, a ride and a walk.
Idea      From what can be taken near the door (offers.py), rides to all stations of the same system with a
          place for it, and from those walks to the stops near them; a vehicle that may be left anywhere is
          ridden to the stop itself. For each stop the quickest. The same ends give the same seconds whenever
          a journey is rebuilt from its id.
Fences    A ride that geofences forbid is none, and one through a slow zone takes longer (fences.py). Only
          what may be the quickest is looked at: no way is quicker with fences than without.
Not here  What a ride costs (maas/fares).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import cos, radians
from typing import Any

import numpy as np
import numpy.typing as npt

from routing.journey import Access, Rental
from routing.kernels.arrays import Int32
from routing.streets.ways import BEYOND, Way
from routing.timetable import Timetable
from services.planner.bikes.fences import FORBIDDEN
from services.planner.bikes.near import WALK_S_MAX
from services.planner.bikes.offers import ANY_RENTAL, NOWHERE, Degrees, Flags, RentalFilter
from services.planner.bikes.stations import USUALLY, BikeStations, station_key
from services.planner.journey_ids import RentalCode
from services.planner.outside import Outside, Point

HANDLE_S = 60
"""To unlock a bike, and again to lock it."""
RIDE_S_MAX = 1_800
"""The longest ride: most systems want more money after half an hour."""
WAY_S, WAY_S_MAX = 1_200, 2_400
"""The longest way to a first stop, or from the last: where none is asked for, and that may be."""
NEAR_MAX = 8
"""So many stations near a door are tried, the nearest; and so many vehicles that stand by themselves."""
_DEGREE_M = 111_000.0
_SLACK_DEGREES = 1e-4
_ANY_S = 86_400


@dataclass(frozen=True, slots=True)
class _Door:
    """Places within a walk of a door: which, and how long the walk."""

    places: Int32
    walk_s: Int32


@dataclass(frozen=True, slots=True)
class _Sought:
    """What is looked for; `can_take` is bool[offers]."""

    bikes: BikeStations
    at: datetime
    rental: RentalFilter
    can_take: Flags
    outside: Outside

    def can_leave(self, offer: int) -> Flags:
        """bool[n]: at which stations what is offered may be left, less the one where it is taken."""
        offers = self.bikes.offers
        home = int(offers.homes[offer])
        ignores = self.rental.ignores_return
        found = self.bikes.can_leave(
            self.at, int(offers.kinds[offer]), ignores_return=ignores or home != NOWHERE
        )
        if home != NOWHERE and not ignores:
            at_home = np.zeros(len(found), dtype=np.bool_)
            at_home[home] = found[home]
            found = at_home
        station = int(offers.stations[offer])
        if station == NOWHERE:
            return found
        found = found.copy()
        found[station] = False
        return found

    def can_leave_at(self, station: int) -> Flags:
        """bool[offers]: what may be left at this station."""
        offers, ignores = self.bikes.offers, self.rental.ignores_return
        of_kind, of_home = (
            np.array(
                [
                    self.bikes.can_leave(self.at, kind, ignores_return=each)[station]
                    for kind in range(len(offers.all_kinds))
                ],
                dtype=np.bool_,
            )[offers.kinds]
            for each in (ignores, True)
        )
        has_home = offers.homes != NOWHERE
        if not ignores:
            of_kind = np.where(has_home, of_home & (offers.homes == station), of_kind)
        return np.asarray(of_kind & (offers.stations != station))

    def may_end_at(self, offer: int, lat: Degrees, lon: Degrees) -> Flags | None:
        """bool[n]: where geofences let what is offered be left by itself; None: anywhere."""
        return self.bikes.may_end(self.bikes.kind(offer), lat, lon) if self.bikes.is_fenced else None

    def anywhere_at(self, point: Point) -> Flags:
        """bool[offers]: what may be left at this point, if no station is there."""
        if not self.bikes.is_fenced:
            return self.anywhere
        lat, lon = np.array([point[0]]), np.array([point[1]])
        may = [bool(self.bikes.may_end(kind, lat, lon)[0]) for kind in self.bikes.offers.all_kinds]
        return self.anywhere & np.array(may, dtype=np.bool_)[self.bikes.offers.kinds]

    @property
    def anywhere(self) -> Flags:
        """bool[offers]: what may be left where there is no station."""
        offers = self.bikes.offers
        if self.rental.ignores_return:
            return np.ones(len(offers.kinds), dtype=np.bool_)
        may: Flags = np.array([kind.may_stand_anywhere for kind in offers.all_kinds], dtype=np.bool_)
        return np.asarray(may[offers.kinds] & (offers.homes == NOWHERE))


def list_rental_ways(
    bikes: BikeStations,
    timetable: Timetable,
    point: Point,
    at: datetime,
    *,
    is_egress: bool,
    limit_s: int | None = None,
    rental: RentalFilter = ANY_RENTAL,
    by_itself: bool = True,
    outside: Outside = USUALLY,
) -> list[Access]:
    """The quickest way by bike from a point to each stop (to the point, if is_egress), none over limit_s.

    Without a limit, none over WAY_S. `at` is when the journey begins, for what is counted on; by_itself:
    vehicles that stand so are counted on too.
    """
    if not bikes.rows and not bikes.vehicles:
        return []
    sought = _Sought(bikes, at, rental, bikes.can_take(at, rental, by_itself=by_itself), outside)
    limit = WAY_S if limit_s is None else min(WAY_S_MAX, limit_s)
    list_rows = _rows_to_door if is_egress else _rows_from_door
    parts = list(list_rows(sought, timetable, point, limit))
    if not parts:
        return []
    ends = None if is_egress else (timetable.stops.lat, timetable.stops.lon)
    rows = _quickest(bikes, np.concatenate(parts), (point, ends), limit, outside)
    return [_access(bikes, row) for row in rows.tolist()]


STOP, TOTAL, OFFER, DROPOFF, WALK_TO, WALK_FROM = range(6)
"""Columns of a way's row: seconds are whole; DROPOFF is a station, or NOWHERE: where the way ends."""

_Rows = npt.NDArray[np.int64]
_End = tuple[Point, tuple[Degrees, Degrees] | None]
"""Where what is left at no station is left: the point; or, if there are some, at the row's own stop."""


def _quickest(bikes: BikeStations, rows: _Rows, end: _End, limit_s: int, outside: Outside) -> _Rows:
    """The quickest row of each stop, with what geofences add; without the stops that they forbid."""
    # By stop, then seconds, then places: the first row of each stop is its quickest.
    rows = rows[np.lexsort((rows[:, DROPOFF], rows[:, OFFER], rows[:, TOTAL], rows[:, STOP]))]
    _, firsts, counts = np.unique(rows[:, STOP], return_index=True, return_counts=True)
    if not bikes.is_fenced:
        return rows[firsts]
    best_s = np.full(len(firsts), limit_s + 1)
    chosen = np.full(len(firsts), NOWHERE)
    for rank in range(int(counts.max(initial=0))):
        at = firsts + np.minimum(rank, counts - 1)
        hopeful = np.flatnonzero((rank < counts) & (rows[at, TOTAL] < best_s))
        if not len(hopeful):
            break
        at = at[hopeful]
        extra_s = _judge(bikes, rows[at], end, outside)
        total_s = rows[at, TOTAL] + extra_s
        ride_s = total_s - rows[at, WALK_TO] - rows[at, WALK_FROM] - 2 * HANDLE_S
        is_better = (extra_s != FORBIDDEN) & (ride_s <= RIDE_S_MAX) & (total_s < best_s[hopeful])
        rows[at, TOTAL] = total_s
        chosen[hopeful[is_better]] = at[is_better]
        best_s[hopeful[is_better]] = total_s[is_better]
    return np.asarray(rows[chosen[chosen != NOWHERE]])


def _judge(bikes: BikeStations, rows: _Rows, end: _End, outside: Outside) -> Int32:
    """int32[n]: what geofences add to each row's ride, or FORBIDDEN."""
    offers = bikes.offers
    point, stops = end
    lat, lon = np.full(len(rows), point[0]), np.full(len(rows), point[1])
    if stops is not None:
        lat, lon = stops[0][rows[:, STOP]], stops[1][rows[:, STOP]]
    docked = np.flatnonzero(rows[:, DROPOFF] != NOWHERE)
    lat[docked], lon[docked] = bikes.lat[rows[docked, DROPOFF]], bikes.lon[rows[docked, DROPOFF]]
    starts = np.stack([offers.lat[rows[:, OFFER]], offers.lon[rows[:, OFFER]]], axis=1)
    ends = np.stack([lat, lon], axis=1)
    ride_s = rows[:, TOTAL] - rows[:, WALK_TO] - rows[:, WALK_FROM] - 2 * HANDLE_S
    found = np.zeros(len(rows), dtype=np.int32)
    kinds = offers.kinds[rows[:, OFFER]]
    for number in np.unique(kinds).tolist():
        kind = offers.all_kinds[number]
        fences = bikes.find_fences(kind)
        if fences is not None:
            own = np.flatnonzero(kinds == number)
            found[own] = fences.judge(
                kind.type.vehicle_type_id,
                starts[own],
                ends[own],
                ride_s[own],
                pace_m_s=outside.manners.by_bike.pace_m_s,
            )
    return found


def _rows_from_door(sought: _Sought, timetable: Timetable, point: Point, limit_s: int) -> Iterator[_Rows]:
    bikes = sought.bikes
    door = _near_offers(sought, point)
    near = bikes.near_stops(timetable, sought.outside)
    stops = timetable.stops
    anywhere = sought.anywhere
    for offer, walk_s in zip(door.places.tolist(), door.walk_s.tolist(), strict=True):
        here = bikes.offer_point(offer)
        range_m = int(bikes.offers.range_m[offer])
        if len(bikes.rows):
            ride_s = _rides_to_stations(sought, offer)
            ride_s = ride_s[near.stations]
            total_s = walk_s + ride_s + near.walk_s
            pairs = np.flatnonzero((ride_s >= 0) & (total_s <= limit_s))
            yield _rows(
                near.stops[pairs], total_s[pairs], offer, near.stations[pairs], walk_s, near.walk_s[pairs]
            )
        if anywhere[offer]:
            may = sought.may_end_at(offer, stops.lat, stops.lon)
            places = (stops.lat, stops.lon)
            ride_s = _rides_s(sought.outside, here, places, may, range_m=range_m, limit_s=limit_s)
            reached = np.flatnonzero((ride_s >= 0) & (walk_s + ride_s <= limit_s))
            yield _rows(reached, walk_s + ride_s[reached], offer, NOWHERE, walk_s, 0)


def _rows_to_door(sought: _Sought, timetable: Timetable, point: Point, limit_s: int) -> Iterator[_Rows]:
    bikes, offers = sought.bikes, sought.bikes.offers
    by_itself = bool(sought.can_take[offers.at_stations :].any())
    near = bikes.near_offers(timetable, sought.outside, by_itself=by_itself)
    door = _near_stations(sought, point, bikes.can_leave_any(sought.at, sought.rental))
    ends = [
        (bikes.point(station), station, walk_s, sought.can_leave_at(station))
        for station, walk_s in zip(door.places.tolist(), door.walk_s.tolist(), strict=True)
    ]
    for end, station, walk_s, may in (*ends, (point, NOWHERE, 0, sought.anywhere_at(point))):
        usable = may & sought.can_take
        if not usable.any():
            continue
        ride_s = _rides_from_offers(sought, end, station, usable, limit_s)
        ride_s = ride_s[near.stations]
        total_s = near.walk_s + ride_s + walk_s
        pairs = np.flatnonzero((ride_s >= 0) & (total_s <= limit_s))
        yield _rows(
            near.stops[pairs], total_s[pairs], near.stations[pairs], station, near.walk_s[pairs], walk_s
        )


def _rows(*columns: npt.NDArray[Any] | int) -> _Rows:
    return np.stack(np.broadcast_arrays(*columns), axis=1).astype(np.int64)


def find_rental(
    bikes: BikeStations,
    origin: Point,
    destination: Point,
    at: datetime,
    *,
    rental: RentalFilter = ANY_RENTAL,
    by_itself: bool = True,
    outside: Outside = USUALLY,
) -> Rental | None:
    """The quickest way by bike from door to door; None where there is none. See list_rental_ways."""
    if not bikes.rows and not bikes.vehicles:
        return None
    offers = bikes.offers
    sought = _Sought(bikes, at, rental, bikes.can_take(at, rental, by_itself=by_itself), outside)
    start = _near_offers(sought, origin)
    goal = _near_stations(sought, destination, bikes.can_leave_any(at, rental))
    anywhere = sought.anywhere_at(destination)
    ends, walks_s = np.append(goal.places, NOWHERE), np.append(goal.walk_s, 0)
    there = np.array([destination[0]]), np.array([destination[1]])
    parts = []
    for offer, walk_s in zip(start.places.tolist(), start.walk_s.tolist(), strict=True):
        ride_s = np.append(_rides_to_stations(sought, offer)[goal.places], -1)
        if anywhere[offer]:
            here, range_m = bikes.offer_point(offer), int(offers.range_m[offer])
            ride_s[-1] = _rides_s(outside, here, there, None, range_m=range_m, limit_s=RIDE_S_MAX)[0]
        reached = np.flatnonzero(ride_s >= 0)
        total_s = walk_s + ride_s[reached] + walks_s[reached]
        parts.append(_rows(0, total_s, offer, ends[reached], walk_s, walks_s[reached]))
    if not parts:
        return None
    rows = _quickest(bikes, np.concatenate(parts), (destination, None), _ANY_S, outside)
    if not len(rows):
        return None
    places = (int(rows[0, OFFER]), int(rows[0, DROPOFF]))
    return make_rental(bikes, places, (origin, destination), outside)


def list_station_rides(
    bikes: BikeStations, at: datetime, needed: npt.NDArray[Any], *, limit_s: int, outside: Outside = USUALLY
) -> tuple[Int32, Int32, Int32]:
    """Rides from these offers to stations, none over limit_s: offers, stations, seconds with handling."""
    sought = _Sought(bikes, at, ANY_RENTAL, bikes.offers.is_now, outside)
    parts = [np.zeros((0, 6), dtype=np.int64)]
    for offer in needed.tolist():
        here, range_m = bikes.offer_point(offer), int(bikes.offers.range_m[offer])
        places, may = (bikes.lat, bikes.lon), sought.can_leave(offer)
        ride_s = _rides_s(outside, here, places, may, range_m=range_m, limit_s=limit_s)
        reached = np.flatnonzero((ride_s >= 0) & (ride_s <= limit_s))
        parts.append(_rows(0, ride_s[reached], offer, reached, 0, 0))
    rows = np.concatenate(parts)
    if bikes.is_fenced:
        extra_s = _judge(bikes, rows, ((0.0, 0.0), None), outside)
        rows[:, TOTAL] += extra_s
        rows = rows[(extra_s != FORBIDDEN) & (rows[:, TOTAL] <= limit_s)]
    columns = rows.astype(np.int32)
    return columns[:, OFFER], columns[:, DROPOFF], columns[:, TOTAL]


def rebuild_rental(
    bikes: BikeStations, code: RentalCode, ends: tuple[Point, Point], *, outside: Outside = USUALLY
) -> Rental | None:
    """The way by these places between two points, as it was found; None if it is not there any more."""
    offer = bikes.find_offer(code.pickup, code.kind, is_vehicle=code.is_vehicle)
    there = bikes.find(code.dropoff) if code.dropoff else NOWHERE
    if offer is None or there is None:
        return None
    ride = find_bike_ride(bikes, offer, there, ends[1], outside)
    if ride is None or ride.metres > bikes.offers.range_m[offer]:
        return None  # The battery may be emptier by now.
    found = make_rental(bikes, (offer, there), ends, outside)
    return None if found is None else replace(found, kind=code.kind)


def find_bike_ride(
    bikes: BikeStations, offer: int, dropoff: int, end: Point, outside: Outside = USUALLY
) -> Way | None:
    """The ride of what is offered to a station, or to the end (NOWHERE), handling not included.

    None where streets do not join them.
    """
    return outside.find_ride(bikes.offer_point(offer), end if dropoff == NOWHERE else bikes.point(dropoff))


def _near_offers(sought: _Sought, point: Point) -> _Door:
    """The nearest at stations, and as many that stand by themselves."""
    offers = sought.bikes.offers
    is_by_itself = np.arange(len(offers.lat)) >= offers.at_stations
    parts = [
        _near(sought.outside, point, (offers.lat, offers.lon), sought.can_take & mask, is_egress=False)
        for mask in (~is_by_itself, is_by_itself)
    ]
    return _Door(
        np.concatenate([each.places for each in parts]), np.concatenate([each.walk_s for each in parts])
    )


def _near_stations(sought: _Sought, point: Point, is_open: Flags) -> _Door:
    places = (sought.bikes.lat, sought.bikes.lon)
    return _near(sought.outside, point, places, is_open, is_egress=True)


def _near(
    outside: Outside, point: Point, places: tuple[Degrees, Degrees], is_open: Flags, *, is_egress: bool
) -> _Door:
    lat, lon = places
    near = np.flatnonzero(is_open & outside.is_near(point, lat, lon, limit_s=WALK_S_MAX))
    seconds = outside.walks_s(point, lat[near], lon[near], limit_s=WALK_S_MAX, is_backwards=is_egress)
    near, seconds = near[seconds != BEYOND], seconds[seconds != BEYOND]
    first = np.argsort(seconds, kind="stable")[:NEAR_MAX]
    return _Door(near[first].astype(np.int32), seconds[first])


def _rides_to_stations(sought: _Sought, offer: int) -> Int32:
    """int32[n]: from what is offered to each station where it may be left; -1 where it may not."""
    bikes, offers = sought.bikes, sought.bikes.offers
    station, range_m = int(offers.stations[offer]), int(offers.range_m[offer])
    may = sought.can_leave(offer)
    if station == NOWHERE:
        here, places = bikes.offer_point(offer), (bikes.lat, bikes.lon)
        return _rides_s(sought.outside, here, places, may, range_m=range_m, limit_s=RIDE_S_MAX)
    seconds, metres = bikes.rides(station, sought.outside, limit_s=RIDE_S_MAX, is_backwards=False)
    is_usable = may & (seconds != BEYOND) & (metres <= range_m)
    return np.where(is_usable, seconds + 2 * HANDLE_S, -1).astype(np.int32)


def _rides_from_offers(sought: _Sought, end: Point, station: int, usable: Flags, limit_s: int) -> Int32:
    """int32[offers]: to the station, or to the end (NOWHERE), from each that is usable; -1 from others."""
    bikes, offers, outside = sought.bikes, sought.bikes.offers, sought.outside
    docked = offers.at_stations if station != NOWHERE else 0
    by_itself = slice(docked, None)
    found = np.full(len(offers.lat), -1, dtype=np.int32)
    if docked:
        seconds, metres = bikes.rides(station, outside, limit_s=RIDE_S_MAX, is_backwards=True)
        of_offers = offers.stations[:docked]
        is_usable = usable[:docked] & (seconds[of_offers] != BEYOND)
        is_usable &= metres[of_offers] <= offers.range_m[:docked]
        found[:docked] = np.where(is_usable, seconds[of_offers] + 2 * HANDLE_S, -1)
    if usable[by_itself].any():
        found[by_itself] = _rides_s(
            outside,
            end,
            (offers.lat[by_itself], offers.lon[by_itself]),
            usable[by_itself],
            range_m=offers.range_m[by_itself],
            limit_s=limit_s,
            is_backwards=True,
        )
    return found


def _rides_s(
    outside: Outside,
    here: Point,
    places: tuple[Degrees, Degrees],
    is_usable: Flags | None,
    *,
    range_m: Int32 | int,
    limit_s: int,
    is_backwards: bool = False,
) -> Int32:
    """int32[n]: from here to each place (to here, if is_backwards), handling included; -1 where none is."""
    lat, lon = places
    manner, ride_s_max = outside.manners.by_bike, min(RIDE_S_MAX, limit_s)
    box = _box(here, lat, lon, ride_s_max * manner.pace_m_s, is_usable)
    reached = outside.ways.measure(
        *here, lat[box], lon[box], manner=manner, limit_s=ride_s_max, is_backwards=is_backwards
    )
    far = range_m[box] if isinstance(range_m, np.ndarray) else range_m
    found = np.full(len(lat), -1, dtype=np.int32)
    is_reached = (reached.seconds != BEYOND) & (reached.metres <= far)
    found[box[is_reached]] = reached.seconds[is_reached] + 2 * HANDLE_S
    return found


def _box(
    point: Point, lat: Degrees, lon: Degrees, metres: float, is_open: Flags | None
) -> npt.NDArray[np.intp]:
    """The open places in a box around the circle of so many metres: degrees are cheap to compare."""
    degrees = metres / _DEGREE_M + _SLACK_DEGREES
    east = degrees / max(0.05, cos(radians(min(89.0, abs(point[0]) + degrees))))
    is_in = (np.abs(lat - point[0]) <= degrees) & (np.abs(lon - point[1]) <= east)
    return np.flatnonzero(is_in if is_open is None else is_in & is_open)


def _access(bikes: BikeStations, row: Sequence[int]) -> Access:
    ride_s = row[TOTAL] - row[WALK_TO] - row[WALK_FROM]
    seconds = (row[WALK_TO], ride_s, row[WALK_FROM])
    return Access(stop=row[STOP], walk_s=row[TOTAL], rental=_told(bikes, row[OFFER], row[DROPOFF], seconds))


def make_rental(
    bikes: BikeStations, places: tuple[int, int], ends: tuple[Point, Point], outside: Outside = USUALLY
) -> Rental | None:
    """The way by this offer to that station (NOWHERE: to the end); None where there is none."""
    offer, dropoff = places
    to = outside.find_walk(ends[0], bikes.offer_point(offer))
    ride = find_bike_ride(bikes, offer, dropoff, ends[1], outside)
    away_s = 0
    if dropoff != NOWHERE:
        away = outside.find_walk(bikes.point(dropoff), ends[1])
        if away is None:
            return None
        away_s = away.seconds
    if to is None or ride is None:
        return None
    ride_s = ride.seconds + 2 * HANDLE_S
    if bikes.is_fenced:
        row = np.array([[0, to.seconds + ride_s + away_s, offer, dropoff, to.seconds, away_s]])
        extra_s = int(_judge(bikes, row, (ends[1], None), outside)[0])
        if extra_s == FORBIDDEN:
            return None
        ride_s += extra_s
    return _told(bikes, offer, dropoff, (to.seconds, ride_s, away_s))


def _told(bikes: BikeStations, offer: int, dropoff: int, seconds: tuple[int, int, int]) -> Rental:
    walk_to_s, ride_s, walk_from_s = seconds
    return Rental(
        pickup=bikes.offer_key(offer),
        dropoff="" if dropoff == NOWHERE else station_key(bikes.rows[dropoff]),
        walk_to_s=walk_to_s,
        ride_s=ride_s,
        walk_from_s=walk_from_s,
        kind=bikes.kind(offer).type.vehicle_type_id,
        is_vehicle=int(bikes.offers.stations[offer]) == NOWHERE,
    )
