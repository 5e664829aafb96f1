"""Which stops are near bikes, and how long the walks are."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from routing.kernels.arrays import Int32
from routing.streets.ways import BEYOND
from routing.timetable import Timetable
from services.planner.bikes.offers import Offers
from services.planner.outside import Outside

WALK_S_MAX = 600
"""The longest walk to a station, and from one."""
WALK_M_S_MAX = 3.0
"""Nobody is asked about who walks faster (parameters.py)."""
_BAND_DEGREES = WALK_S_MAX * WALK_M_S_MAX / 110_000
"""No place nearer to a pole or to the equator is within the longest walk."""


@dataclass(frozen=True, slots=True)
class NearStops:
    """Pairs of a station and a stop within a walk of one another: int32[n] each, seconds on foot."""

    stations: Int32
    stops: Int32
    walk_s: Int32


def of_offers(offers: Offers, near: NearStops) -> NearStops:
    """The pairs of stations as pairs of the offers at them."""
    counts = np.diff(offers.begins)[near.stations]
    first = np.repeat(np.cumsum(counts) - counts, counts)
    within = np.arange(int(counts.sum())) - first
    return NearStops(
        (np.repeat(offers.begins[near.stations], counts) + within).astype(np.int32),
        np.repeat(near.stops, counts),
        np.repeat(near.walk_s, counts),
    )


def join_near(parts: Iterable[NearStops]) -> NearStops:
    """All pairs of the parts."""
    columns = zip(*((each.stations, each.stops, each.walk_s) for each in parts), strict=True)
    return NearStops(*(np.concatenate(column).astype(np.int32) for column in columns))


def find_near(
    lat: npt.NDArray[np.float64],
    lon: npt.NDArray[np.float64],
    timetable: Timetable,
    outside: Outside,
    *,
    is_egress: bool,
) -> NearStops:
    """The stops near each of these places, which stand for the stations."""
    at, stops, walk_s = [], [], []
    # Stops by latitude: those that may be near are side by side.
    order = np.argsort(timetable.stops.lat, kind="stable")
    stops_lat, stops_lon = timetable.stops.lat[order], timetable.stops.lon[order]
    lows = np.searchsorted(stops_lat, lat - _BAND_DEGREES)
    highs = np.searchsorted(stops_lat, lat + _BAND_DEGREES, side="right")
    for place in np.flatnonzero(highs > lows).tolist():
        here, band = (float(lat[place]), float(lon[place])), slice(lows[place], highs[place])
        box = np.flatnonzero(outside.is_near(here, stops_lat[band], stops_lon[band], limit_s=WALK_S_MAX))
        if not len(box):
            continue
        box = np.sort(order[band][box])
        seconds = outside.walks_s(
            here,
            timetable.stops.lat[box],
            timetable.stops.lon[box],
            limit_s=WALK_S_MAX,
            is_backwards=is_egress,
        )
        is_near = seconds != BEYOND
        stops.append(box[is_near])
        walk_s.append(seconds[is_near])
        at.append(np.full(int(is_near.sum()), place))
    empty = np.empty(0, dtype=np.int32)
    return NearStops(
        *(np.concatenate([empty, *parts]).astype(np.int32) for parts in (at, stops, walk_s)),
    )
