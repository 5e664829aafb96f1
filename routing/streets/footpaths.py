"""Exact footpaths between stops, along streets.

Problem   How long an interchange takes across the street is known where streets are, and guessed elsewhere.
Idea      From each stop one bounded search to the stops around it; the nearest few are kept, as of beelines.
          Whoever answers (streets, or estimates) is a `Ways`; so a network that reaches beyond its streets is
          exact inside and estimated outside. Interchanges cost `beeline_extra_s` besides, as estimates do:
          finding the way out of a station is on no map.
Not here  Which source wins for a pair: routing/footpaths.py.
Invariant A stop at 0, 0 has no known place, and no footpath. No stop walks to itself.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from routing.footpaths import EARTH_RADIUS_M, Pairs, WalkOptions, no_pairs
from routing.streets.ways import BEYOND, Manner, Profile, Ways

Float64 = npt.NDArray[np.float64]


def measure_footpaths(
    lat: Float64, lon: Float64, options: WalkOptions, *, ways: Ways, profile: Profile = Profile.WALK
) -> Pairs:
    """Each stop's nearest stops within the seconds that `beeline_m_max` takes as an estimate.

    Given to build_walks in the place of its beelines. On foot one walks as `options` say.
    """
    if options.beeline_m_max <= 0 or not len(lat):
        return no_pairs()
    manner = Manner(profile=profile, speed_m_s=options.speed_m_s if profile is Profile.WALK else None)
    limit_s = int(np.ceil(options.beeline_m_max * options.detour_factor / manner.pace_m_s))
    # No way is shorter than the beeline.
    reach = np.degrees(limit_s * manner.pace_m_s * 1.01 / EARTH_RADIUS_M)
    found = [no_pairs()]
    for stop, near in _list_near(lat, lon, reach):
        reached = ways.measure(lat[stop], lon[stop], lat[near], lon[near], manner=manner, limit_s=limit_s)
        within = np.flatnonzero(reached.seconds != BEYOND)
        nearest = within[np.argsort(reached.seconds[within], kind="stable")][: options.beeline_count_max]
        seconds = reached.seconds[nearest].astype(np.int64) + options.beeline_extra_s
        found.append((stop * len(lat) + near[nearest], seconds))
    return np.concatenate([pairs for pairs, _ in found]), np.concatenate([seconds for _, seconds in found])


def _list_near(lat: Float64, lon: Float64, reach: float) -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
    """Each stop that has a place, and the other stops in a square around it."""
    placed = np.flatnonzero((lat != 0) | (lon != 0))
    order = placed[np.argsort(lat[placed], kind="stable")]
    sorted_lat = lat[order]
    for stop in placed.tolist():
        low = np.searchsorted(sorted_lat, lat[stop] - reach)
        high = np.searchsorted(sorted_lat, lat[stop] + reach, side="right")
        band = order[low:high]
        across = reach / max(0.01, np.cos(np.radians(lat[stop])))
        near = np.sort(band[(np.abs(lon[band] - lon[stop]) <= across) & (band != stop)])
        if len(near):
            yield stop, near
