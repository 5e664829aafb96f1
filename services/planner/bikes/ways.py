"""Ways by shared bike: from a door to stops, and all the way.

Problem   With a bike stops are near that no walk reaches; each such way is a walk, a ride and a walk.
Idea      From the stations near the door with a bike, rides of the same system to all stations with a free
          place, and from those walks to the stops near them; for each stop the quickest. All by beelines with
          detour factors, so legs are marked as estimates, and the same three ends give the same seconds
          whenever a journey is rebuilt from its id.
Not here  Bikes that stand anywhere, geofences; what a ride costs (maas/fares).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from routing.journey import Access, Rental
from routing.kernels.arrays import Int32
from routing.timetable import Timetable
from services.planner.bikes.stations import ON_A_BIKE, WALK_S_MAX, WAYS, BikeStations, Flags, station_key

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
    point: tuple[float, float],
    at: datetime,
    *,
    is_egress: bool,
    limit_s: int | None = None,
) -> list[Access]:
    """The quickest way by bike from a point to each stop (to the point, if is_egress), none over limit_s.

    Without a limit, none over WAY_S.

    `at` is when the journey begins, for what is counted on.
    """
    if not bikes.rows:
        return []
    can_take, can_leave = bikes.can_take(at), bikes.can_leave(at)
    here_open, there_open = (can_leave, can_take) if is_egress else (can_take, can_leave)
    door = _near_door(bikes, point, here_open)
    near = bikes.near_stops(timetable)
    limit = WAY_S if limit_s is None else min(WAY_S_MAX, limit_s)
    parts = []
    for here, walk_s in zip(door.stations.tolist(), door.walk_s.tolist(), strict=True):
        ride_s = _rides_s(bikes, here, there_open)[near.stations]
        total_s = walk_s + ride_s + near.walk_s
        pairs = np.flatnonzero((ride_s >= 0) & (total_s <= limit))
        columns = (near.stops[pairs], total_s[pairs], np.full(len(pairs), here), near.stations[pairs])
        parts.append(np.stack([*columns, np.full(len(pairs), walk_s), near.walk_s[pairs]], axis=1))
    if not parts:
        return []
    rows = np.concatenate(parts)
    # By stop, then seconds, then stations: the first row of each stop is its quickest.
    rows = rows[np.lexsort((rows[:, 3], rows[:, 2], rows[:, 1], rows[:, 0]))]
    is_first = np.concatenate(([True], rows[1:, 0] != rows[:-1, 0])) if len(rows) else np.ones(0, np.bool_)
    return [_access(bikes, row, is_egress=is_egress) for row in rows[is_first].tolist()]


def find_rental(
    bikes: BikeStations, origin: tuple[float, float], destination: tuple[float, float], at: datetime
) -> Rental | None:
    """The quickest way by bike from door to door; None where there is none."""
    if not bikes.rows:
        return None
    start = _near_door(bikes, origin, bikes.can_take(at))
    goal = _near_door(bikes, destination, bikes.can_leave(at))
    open_there = bikes.can_leave(at)
    found = [
        (walk_s + int(ride_s[there]) + last_s, here, there, walk_s, last_s)
        for here, walk_s in zip(start.stations.tolist(), start.walk_s.tolist(), strict=True)
        for ride_s in [_rides_s(bikes, here, open_there)]
        for there, last_s in zip(goal.stations.tolist(), goal.walk_s.tolist(), strict=True)
        if ride_s[there] >= 0
    ]
    if not found:
        return None
    _, here, there, walk_s, last_s = min(found)
    return _rental(bikes, here, there, walk_s, last_s)


def rebuild_rental(
    bikes: BikeStations,
    pickup: str,
    dropoff: str,
    origin: tuple[float, float],
    destination: tuple[float, float],
) -> Rental | None:
    """The way by these two stations between two points, as it was found; None if a station is gone."""
    here, there = bikes.find(pickup), bikes.find(dropoff)
    if here is None or there is None:
        return None
    return _rental(bikes, here, there, walk_s(bikes, here, origin), walk_s(bikes, there, destination))


def walk_s(bikes: BikeStations, station: int, point: tuple[float, float]) -> int:
    """Seconds on foot between a station and a point."""
    row = bikes.rows[station]
    reached = WAYS.measure(row.lat, row.lon, [point[0]], [point[1]], limit_s=np.iinfo(np.int32).max)
    return int(reached.seconds[0])


def ridden_m(bikes: BikeStations, pickup: int, dropoff: int) -> int:
    """Metres of a ride between two stations."""
    row, other = bikes.rows[pickup], bikes.rows[dropoff]
    reached = WAYS.measure(
        row.lat, row.lon, [other.lat], [other.lon], manner=ON_A_BIKE, limit_s=np.iinfo(np.int32).max
    )
    return int(reached.metres[0])


def _near_door(bikes: BikeStations, point: tuple[float, float], is_open: Flags) -> _Door:
    reached = WAYS.measure(*point, bikes.lat, bikes.lon, limit_s=WALK_S_MAX)
    near = np.flatnonzero((reached.seconds >= 0) & is_open)
    near = near[np.argsort(reached.seconds[near], kind="stable")[:NEAR_MAX]]
    return _Door(near.astype(np.int32), reached.seconds[near])


def _rides_s(bikes: BikeStations, here: int, is_open: Flags) -> Int32:
    """int32[n]: from the station to each other of its system, handling included; -1 where none is."""
    row = bikes.rows[here]
    reached = WAYS.measure(row.lat, row.lon, bikes.lat, bikes.lon, manner=ON_A_BIKE, limit_s=RIDE_S_MAX)
    is_usable = is_open & (bikes.systems == bikes.systems[here]) & (reached.seconds >= 0)
    is_usable[here] = False
    return np.where(is_usable, reached.seconds + 2 * HANDLE_S, -1).astype(np.int32)


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


def _rental(bikes: BikeStations, pickup: int, dropoff: int, walk_to_s: int, walk_from_s: int) -> Rental:
    row, other = bikes.rows[pickup], bikes.rows[dropoff]
    reached = WAYS.measure(
        row.lat, row.lon, [other.lat], [other.lon], manner=ON_A_BIKE, limit_s=np.iinfo(np.int32).max
    )
    return Rental(
        pickup=station_key(row),
        dropoff=station_key(other),
        walk_to_s=walk_to_s,
        ride_s=int(reached.seconds[0]) + 2 * HANDLE_S,
        walk_from_s=walk_from_s,
    )
