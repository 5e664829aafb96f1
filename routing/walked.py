"""How much of a footpath is walked, and how long it takes at another pace.

Problem   Who walks half as fast takes twice as long over the way, but not for what an interchange costs
          anyway (finding the platform, the gates), and not where the feed says how long it takes.
Idea      Of each footpath's seconds a part is walked at the usual speed; the rest is fixed. Where the feed
          gave a time nothing is walked; where nearness made the footpath, all but what an interchange costs;
          elsewhere (a station's own time) what the beeline takes, as far as that fits in.
          What stairs and lifts take on streets counts as walked.
Not here  Changes at one stop: nothing is walked there.
"""

from collections.abc import Sequence

import numpy as np

from routing.footpaths import (
    FORBIDDEN,
    MINIMUM,
    TIMED,
    Float64,
    StopTransfer,
    WalkOptions,
    distance_m,
    walking_s,
)
from routing.kernels.arrays import NOT_REACHED, Int32, Walks


def find_walked(
    walks: Walks,
    *,
    lat: Float64,
    lon: Float64,
    stations: Int32,
    transfers: Sequence[StopTransfer],
    options: WalkOptions,
) -> Int32:
    """int32[F]: of each footpath's seconds, those that are walked at the usual speed."""
    stop_count = len(lat)
    sources = np.repeat(np.arange(stop_count), np.diff(walks.offsets))
    targets = walks.targets
    pairs = sources * stop_count + targets
    said: dict[int, bool] = {}
    for row in sorted(transfers, key=lambda row: row.kind != FORBIDDEN):
        has_time = row.kind == TIMED or (row.kind == MINIMUM and row.seconds is not None)
        said.setdefault(row.source * stop_count + row.target, has_time)
    told = np.isin(pairs, [pair for pair, has_time in said.items() if has_time])
    named = np.isin(pairs, list(said))
    within = (stations[sources] >= 0) & (stations[sources] == stations[targets])
    within &= options.change_same_station_s is not None
    straight_s = walking_s(distance_m(lat[sources], lon[sources], lat[targets], lon[targets]), options)
    seconds = np.where(
        named | within, np.minimum(straight_s, walks.walk_s), walks.walk_s - options.beeline_extra_s
    )
    walked: Int32 = np.where(told, 0, np.maximum(seconds, 0)).astype(np.int32)
    return walked


def at_pace(walk_s: Int32, walked_s: Int32, times: float) -> Int32:
    """int32[n]: how long footpaths take whoever needs so many times the usual for what is walked."""
    seconds = np.ceil(walked_s * times) + (walk_s - walked_s)
    paced: Int32 = np.minimum(seconds, NOT_REACHED - 1).astype(np.int32)
    return paced
