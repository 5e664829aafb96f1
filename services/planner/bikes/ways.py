"""Ways by shared bike: from a door to stops, and all the way.

Problem   With a bike stops are near that no walk reaches; each such way is a walk, a ride and a walk.
Idea      From the stations near the door with a bike, rides of the same system to all stations with a free
          place, and from those walks to the stops near them; for each stop the quickest. The same three ends
          give the same seconds whenever a journey is rebuilt from its id.
Not here  Bikes that stand anywhere, geofences; what a ride costs (maas/fares).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from routing.journey import Access, Rental
from routing.kernels.arrays import Int32
from routing.streets.ways import BEYOND, Way
from routing.timetable import Timetable
from services.planner.bikes.stations import USUALLY, WALK_S_MAX, BikeStations, Flags, station_key
from services.planner.outside import Outside, Point

HANDLE_S = 60
"""To unlock a bike, and again to lock it."""
RIDE_S_MAX = 1_800
"""The longest ride: most systems want more money after half an hour."""
WAY_S, WAY_S_MAX = 1_200, 2_400
"""The longest way to a first stop, or from the last: where none is asked for, and that may be."""
NEAR_MAX = 8
"""So many stations near a door are tried, the nearest."""


@dataclass(frozen=True, slots=True)
class _Door:
    """Stations within a walk of a door: which, and how long the walk."""

    stations: Int32
    walk_s: Int32


def list_rental_ways(
    bikes: BikeStations,
    timetable: Timetable,
    point: Point,
    at: datetime,
    *,
    is_egress: bool,
    limit_s: int | None = None,
    outside: Outside = USUALLY,
) -> list[Access]:
    """The quickest way by bike from a point to each stop (to the point, if is_egress), none over limit_s.

    Without a limit, none over WAY_S. `at` is when the journey begins, for what is counted on.
    """
    if not bikes.rows:
        return []
    can_take, can_leave = bikes.can_take(at), bikes.can_leave(at)
    here_open, there_open = (can_leave, can_take) if is_egress else (can_take, can_leave)
    door = _near_door(bikes, point, here_open, outside, is_egress=is_egress)
    near = bikes.near_stops(timetable, outside, is_egress=is_egress)
    limit = WAY_S if limit_s is None else min(WAY_S_MAX, limit_s)
    parts = []
    for here, walk_s in zip(door.stations.tolist(), door.walk_s.tolist(), strict=True):
        ride_s = _rides_s(bikes, here, there_open, outside, is_backwards=is_egress)[near.stations]
        total_s = walk_s + ride_s + near.walk_s
        pairs = np.flatnonzero((ride_s >= 0) & (total_s <= limit))
        columns = (near.stops[pairs], total_s[pairs], np.full(len(pairs), here), near.stations[pairs])
        parts.append(np.stack([*columns, np.full(len(pairs), walk_s), near.walk_s[pairs]], axis=1))
    if not parts:
        return []
    rows = np.concatenate(parts)
    # By stop, then seconds, then stations: the first row of each stop is its quickest.
    rows = rows[np.lexsort((rows[:, 3], rows[:, 2], rows[:, 1], rows[:, 0]))]
    _, firsts = np.unique(rows[:, 0], return_index=True)
    return [_access(bikes, row, is_egress=is_egress) for row in rows[firsts].tolist()]


def find_rental(
    bikes: BikeStations,
    origin: Point,
    destination: Point,
    at: datetime,
    *,
    outside: Outside = USUALLY,
) -> Rental | None:
    """The quickest way by bike from door to door; None where there is none."""
    if not bikes.rows:
        return None
    can_leave = bikes.can_leave(at)
    start = _near_door(bikes, origin, bikes.can_take(at), outside, is_egress=False)
    goal = _near_door(bikes, destination, can_leave, outside, is_egress=True)
    best: tuple[int, int, int] | None = None
    for here, walk_s in zip(start.stations.tolist(), start.walk_s.tolist(), strict=True):
        ride_s = _rides_s(bikes, here, can_leave, outside, is_backwards=False)[goal.stations]
        for i in np.flatnonzero(ride_s >= 0).tolist():
            found = (walk_s + int(ride_s[i]) + int(goal.walk_s[i]), here, int(goal.stations[i]))
            best = found if best is None else min(best, found)
    return None if best is None else _rental(bikes, (best[1], best[2]), (origin, destination), outside)


def rebuild_rental(
    bikes: BikeStations,
    stations: tuple[str, str],
    ends: tuple[Point, Point],
    *,
    outside: Outside = USUALLY,
) -> Rental | None:
    """The way by these two stations between two points, as it was found; None if it is not there any more."""
    here, there = (bikes.find(key) for key in stations)
    if here is None or there is None:
        return None
    return _rental(bikes, (here, there), ends, outside)


def find_bike_ride(bikes: BikeStations, pickup: int, dropoff: int, outside: Outside = USUALLY) -> Way | None:
    """The ride between two stations, handling not included; None where streets do not join them."""
    return outside.find_ride(bikes.point(pickup), bikes.point(dropoff))


def _near_door(
    bikes: BikeStations, point: Point, is_open: Flags, outside: Outside, *, is_egress: bool
) -> _Door:
    near = np.flatnonzero(is_open & outside.is_near(point, bikes.lat, bikes.lon, limit_s=WALK_S_MAX))
    seconds = outside.walks_s(
        point, bikes.lat[near], bikes.lon[near], limit_s=WALK_S_MAX, is_backwards=is_egress
    )
    near, seconds = near[seconds != BEYOND], seconds[seconds != BEYOND]
    first = np.argsort(seconds, kind="stable")[:NEAR_MAX]
    return _Door(near[first].astype(np.int32), seconds[first])


def _rides_s(
    bikes: BikeStations, here: int, is_open: Flags, outside: Outside, *, is_backwards: bool
) -> Int32:
    """int32[n]: from the station to each other of its system, handling included; -1 where none is."""
    seconds = bikes.rides_s(here, outside, limit_s=RIDE_S_MAX, is_backwards=is_backwards)
    is_usable = is_open & (bikes.systems == bikes.systems[here]) & (seconds != BEYOND)
    is_usable[here] = False
    return np.where(is_usable, seconds + 2 * HANDLE_S, -1).astype(np.int32)


def _access(bikes: BikeStations, row: Sequence[int], *, is_egress: bool) -> Access:
    stop, seconds, here, there, door_s, stop_s = row
    pickup, dropoff = (there, here) if is_egress else (here, there)
    rental = Rental(
        pickup=station_key(bikes.rows[pickup]),
        dropoff=station_key(bikes.rows[dropoff]),
        walk_to_s=stop_s if is_egress else door_s,
        ride_s=seconds - door_s - stop_s,
        walk_from_s=door_s if is_egress else stop_s,
    )
    return Access(stop=stop, walk_s=seconds, rental=rental)


def _rental(
    bikes: BikeStations, stations: tuple[int, int], ends: tuple[Point, Point], outside: Outside
) -> Rental | None:
    pickup, dropoff = stations
    to, ride = (
        outside.find_walk(ends[0], bikes.point(pickup)),
        find_bike_ride(bikes, pickup, dropoff, outside),
    )
    away = outside.find_walk(bikes.point(dropoff), ends[1])
    if to is None or ride is None or away is None:
        return None
    return Rental(
        pickup=station_key(bikes.rows[pickup]),
        dropoff=station_key(bikes.rows[dropoff]),
        walk_to_s=to.seconds,
        ride_s=ride.seconds + 2 * HANDLE_S,
        walk_from_s=away.seconds,
    )
