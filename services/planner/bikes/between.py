"""Shared bikes between two rides: from the stop where one alights to the stop where one boards.

Problem   Two stations a kilometre apart are no interchange on foot, and one of five minutes by bike.
Idea      A way by bike from stop to stop is a footpath that others have not: the quickest few from each stop
          that walking does not beat, worked out for all stops together when they are first asked for
          (routing/kernels/rentals.py), and kept. A search uses a router with these footpaths besides
          (routing/added_walks.py), and the journey is told as walk, ride and walk.
Rule      From station to station only: when a vehicle by itself would be reached nobody knows. For a journey
          that begins within the hour what stood there when it was worked out counts, for KEPT_FOR.
Not here  MOTIS has no such parameter: `transferModes` is our own.
"""

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from routing.journey import TripLeg, WalkLeg
from routing.kernels.arrays import Int32, Walks
from routing.kernels.rentals import Pairs, find_rental_walks
from routing.timetable import Timetable
from services.planner.bikes.offers import ANY_RENTAL
from services.planner.bikes.stations import USUALLY, BikeStations, BikeWalks
from services.planner.bikes.ways import list_station_rides, make_rental
from services.planner.outside import Outside

WAY_S_MAX = 900
"""The longest way between two rides."""
COUNT_MAX = 20
"""So many stops are ways told to from each stop, the quickest."""
KEPT_FOR = timedelta(minutes=5)
_TABLES_KEPT = 4


def find_bike_walks(
    bikes: BikeStations, timetable: Timetable, at: datetime, *, outside: Outside = USUALLY
) -> BikeWalks:
    """The ways by bike between the network's stops, for journeys that begin then.

    The timetable's footpaths are those of whoever goes in the manner of `outside`.
    """
    key = (id(timetable.stops), bikes.is_soon(at), id(outside.ways), outside.manners)
    kept = bikes.bike_walks.get(key)
    if kept is not None and _holds(kept, bikes):
        return kept
    found = build_bike_walks(bikes, timetable, at, outside)
    while len(bikes.bike_walks) >= _TABLES_KEPT:
        bikes.bike_walks.pop(next(iter(bikes.bike_walks)), None)
    bikes.bike_walks[key] = found
    return found


def build_bike_walks(
    bikes: BikeStations, timetable: Timetable, at: datetime, outside: Outside = USUALLY
) -> BikeWalks:
    """The same, worked out now."""
    near, stop_count = bikes.near_stops(timetable, outside), timetable.stop_count
    offers = bikes.near_offers(timetable, outside, by_itself=False)
    can_take = bikes.can_take(at, ANY_RENTAL, by_itself=False)
    usable = np.flatnonzero(can_take[offers.stations])
    out_of = _pairs(offers.stops[usable], offers.stations[usable], offers.walk_s[usable], stop_count)
    into = _pairs(near.stations, near.stops, near.walk_s, len(bikes.rows))
    needed = np.unique(offers.stations[usable])
    rides = _pairs(*list_station_rides(bikes, at, needed, limit_s=WAY_S_MAX, outside=outside), len(can_take))
    found = np.empty((stop_count * COUNT_MAX, 5), dtype=np.int32)
    count = find_rental_walks(timetable.walks, out_of, rides, into, WAY_S_MAX, COUNT_MAX, found)
    return BikeWalks(timetable, bikes, outside, *(np.ascontiguousarray(found[:count, i]) for i in range(5)))


def warm_up() -> None:
    """Compile the kernel, or load it from its cache, so that no traveller waits for that."""
    one = Pairs(*(np.array(each, dtype=np.int32) for each in ([0, 1], [0], [1])))
    walks = Walks(*(np.array(each, dtype=np.int32) for each in ([0, 0], [], [], [0])))
    find_rental_walks(walks, one, one, one, WAY_S_MAX, 1, np.empty((1, 5), dtype=np.int32))


def _pairs(places: Int32, targets: Int32, seconds: Int32, place_count: int) -> Pairs:
    order = np.argsort(places, kind="stable")
    return Pairs(
        offsets=np.searchsorted(places[order], np.arange(place_count + 1)).astype(np.int32),
        targets=targets[order].astype(np.int32),
        seconds=seconds[order].astype(np.int32),
    )


def _holds(kept: BikeWalks, bikes: BikeStations) -> bool:
    """Whether what was worked out of other counts still says what can be taken where."""
    before, now = kept.bikes, bikes
    if before is now:
        return True
    if before.told_at is None or now.told_at is None or now.told_at - before.told_at > KEPT_FOR:
        return False
    return before.has_same_offers(now)


def tell_bikes(
    legs: tuple[TripLeg | WalkLeg, ...], walks: BikeWalks, bikes: BikeStations
) -> tuple[TripLeg | WalkLeg, ...]:
    """The legs, with the bikes of those between two rides that are none on foot."""
    return tuple(
        _with_bike(leg, walks, bikes) if isinstance(leg, WalkLeg) and 0 < i < len(legs) - 1 else leg
        for i, leg in enumerate(legs)
    )


def _with_bike(leg: WalkLeg, walks: BikeWalks, bikes: BikeStations) -> WalkLeg:
    assert leg.origin is not None, "between two rides one goes from stop to stop"
    assert leg.destination is not None, "between two rides one goes from stop to stop"
    at = walks.find(leg.origin, leg.destination)
    if at is None:
        return leg
    stops = walks.timetable.stops
    ends = [(float(stops.lat[stop]), float(stops.lon[stop])) for stop in (leg.origin, leg.destination)]
    rental = make_rental(
        bikes, (int(walks.offers[at]), int(walks.dropoffs[at])), (ends[0], ends[1]), walks.outside
    )
    assert rental is not None, "geofences are the same as when the way was found"
    assert leg.arrives_at - leg.departs_at == timedelta(seconds=rental.seconds), (
        "the same ends, the same seconds"
    )
    return replace(leg, rental=rental)
