"""Which stops one may walk between, and how long it takes.

Problem   Feeds say little about walking: some interchanges, often without times, never to other feeds.
Idea      Four sources, the first that speaks wins: the feed's own transfers; the ways inside a station
          (pathways.py; they win over transfers without a time); stops of one station; and, for stops near
          each other, streets where they are loaded (streets/footpaths.py), else the beeline times a detour
          factor, at walking speed; plus what an interchange costs anyway. A transfer of type 3 forbids the
          pair whatever the others say.
Not here  Streets. Without them every time that no feed gave is an estimate, and legs say so.
Invariant No stop walks to itself (that is `change_s`); a pair occurs once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from routing.kernels.arrays import NOT_REACHED, Int32, Walks

EARTH_RADIUS_M = 6_371_009.0

RECOMMENDED, TIMED, MINIMUM, FORBIDDEN = 0, 1, 2, 3
"""The transfer types of GTFS that speak about stops."""

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

Pairs = tuple[Int64, Int64]
"""Footpaths: source * stop count + target, and seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkOptions:
    """How people are assumed to walk. Seconds, metres; None or 0 m leaves the source out.

    The changes are those of the city's golden itineraries: 2 minutes on a platform, 3 within an operator's
    station, 6 where one leaves through the gates of one operator and enters through another's, or walks
    between stations that the feed links without a time.
    """

    change_same_stop_s: int = 120
    change_same_station_s: int | None = 180
    change_operator_s: int = 360
    beeline_m_max: float = 800.0
    beeline_extra_s: int = 120
    beeline_count_max: int = 40
    pathway_extra_s: int = 60
    speed_m_s: float = 1.2
    detour_factor: float = 1.3


@dataclass(frozen=True, slots=True)
class StopTransfer:
    """A row of a feed's transfers, for one pair of stops (which may be the same stop)."""

    source: int
    target: int
    kind: int
    seconds: int | None


def walking_s(metres: Float64, options: WalkOptions) -> Float64:
    """Whole seconds to walk a beeline of so many metres."""
    return np.ceil(metres * options.detour_factor / options.speed_m_s)


def distance_m(lat_1: Float64, lon_1: Float64, lat_2: Float64, lon_2: Float64) -> Float64:
    """Metres as the crow flies, on a sphere. Degrees; good to half a percent."""
    phi_1, phi_2 = np.radians(lat_1), np.radians(lat_2)
    half = (
        np.sin((phi_2 - phi_1) / 2) ** 2
        + np.cos(phi_1) * np.cos(phi_2) * np.sin(np.radians(lon_2 - lon_1) / 2) ** 2
    )
    return np.asarray(2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(np.clip(half, 0, 1))))


def build_walks(
    *,
    lat: Float64,
    lon: Float64,
    stations: Int32,
    operators: Int32,
    transfers: Sequence[StopTransfer],
    options: WalkOptions,
    nearby: Pairs | None = None,
    within: tuple[Int64, Int32] | None = None,
) -> Walks:
    """All footpaths and changes. Stops at 0, 0 have no known place, and no beeline.

    stations and operators: one a stop; stations may be NONE. nearby: what stands in the place of beelines.
    `within` are pairs (source * S + target) of stations that have pathways, and seconds of the way;
    NOT_REACHED where there is none.
    """

    def from_transfers(rows: Sequence[StopTransfer]) -> tuple[Int64, Int64]:
        return _from_transfers(lat, lon, (stations, operators), rows, options)

    sources = [
        *_told(from_transfers, transfers, options, within),
        _within_stations(stations, operators, options),
        _beelines(lat, lon, options) if nearby is None else nearby,
    ]
    pairs = np.concatenate([pair for pair, _ in sources])
    seconds = np.concatenate([value for _, value in sources])
    # np.unique keeps the first of equals: the earlier source speaks.
    pairs, first = np.unique(pairs, return_index=True)
    seconds = seconds[first]
    stop_count = len(lat)
    change_s = np.full(stop_count, options.change_same_stop_s, dtype=np.int32)
    origin, target = pairs // stop_count, pairs % stop_count
    itself = origin == target
    change_s[origin[itself]] = seconds[itself]
    kept = ~itself & (seconds < NOT_REACHED)
    return Walks(
        offsets=np.searchsorted(origin[kept], np.arange(stop_count + 1)).astype(np.int32),
        targets=target[kept].astype(np.int32),
        walk_s=seconds[kept].astype(np.int32),
        change_s=change_s,
    )


def _told(
    from_transfers: Callable[[Sequence[StopTransfer]], tuple[Int64, Int64]],
    transfers: Sequence[StopTransfer],
    options: WalkOptions,
    within: tuple[Int64, Int32] | None,
) -> list[tuple[Int64, Int64]]:
    """What the feed says: transfers with a time, the ways inside stations, other transfers."""
    if within is None or not len(within[0]):
        return [from_transfers(transfers)]
    silent = [
        row for row in transfers if row.kind == RECOMMENDED or (row.kind == MINIMUM and row.seconds is None)
    ]
    timed = [row for row in transfers if row not in silent]
    pairs, seconds = within
    reached = np.where(seconds < NOT_REACHED, seconds + options.pathway_extra_s, NOT_REACHED)
    return [
        from_transfers(timed),
        (pairs, reached.astype(np.int64)),
        from_transfers(silent),
    ]


def _from_transfers(
    lat: Float64,
    lon: Float64,
    groups: tuple[Int32, Int32],
    transfers: Sequence[StopTransfer],
    options: WalkOptions,
) -> tuple[Int64, Int64]:
    # A prohibition is put first, so that it wins over another row for the same pair.
    rows = sorted(transfers, key=lambda row: row.kind != FORBIDDEN)
    source = np.array([row.source for row in rows], dtype=np.int64)
    target = np.array([row.target for row in rows], dtype=np.int64)
    walk = walking_s(distance_m(lat[source], lon[source], lat[target], lon[target]), options)
    seconds = [_transfer_s(row, float(walk[i]), groups, options) for i, row in enumerate(rows)]
    return source * len(lat) + target, np.array(seconds, dtype=np.int64)


def _transfer_s(row: StopTransfer, walk_s: float, groups: tuple[Int32, Int32], options: WalkOptions) -> int:
    stations, operators = groups
    if row.kind == FORBIDDEN:
        return int(NOT_REACHED)
    if row.kind == TIMED:
        return 0
    if row.kind == MINIMUM and row.seconds is not None:
        return row.seconds
    if row.source == row.target:
        return options.change_same_stop_s
    is_one_station = stations[row.source] >= 0 and stations[row.source] == stations[row.target]
    if is_one_station and options.change_same_station_s is not None:
        is_one_operator = operators[row.source] == operators[row.target]
        return options.change_same_station_s if is_one_operator else options.change_operator_s
    return max(options.change_operator_s, int(walk_s))


def _within_stations(stations: Int32, operators: Int32, options: WalkOptions) -> tuple[Int64, Int64]:
    if options.change_same_station_s is None:
        return no_pairs()
    members = np.flatnonzero(stations >= 0)
    members = members[np.argsort(stations[members], kind="stable")]
    begins = np.flatnonzero(np.diff(stations[members], prepend=-1))
    sources, targets = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for group in np.split(members, begins[1:]):
        sources.append(np.repeat(group, len(group)))
        targets.append(np.tile(group, len(group)))
    source, target = np.concatenate(sources), np.concatenate(targets)
    others = source != target
    source, target = source[others], target[others]
    within, between = options.change_same_station_s, options.change_operator_s
    seconds = np.where(operators[source] == operators[target], within, between)
    return source * len(stations) + target, seconds.astype(np.int64)


def _beelines(lat: Float64, lon: Float64, options: WalkOptions) -> tuple[Int64, Int64]:
    """Each stop's nearest stops within reach, found in a band of latitude at a time."""
    if options.beeline_m_max <= 0:
        return no_pairs()
    placed = np.flatnonzero((lat != 0) | (lon != 0))
    order = placed[np.argsort(lat[placed], kind="stable")]
    sorted_lat = lat[order]
    reach = np.degrees(options.beeline_m_max / EARTH_RADIUS_M) * 1.001
    pairs, seconds = [], []
    for begin in range(0, len(order), 256):
        rows = order[begin : begin + 256]
        low = np.searchsorted(sorted_lat, lat[rows[0]] - reach)
        high = np.searchsorted(sorted_lat, lat[rows[-1]] + reach, side="right")
        band = order[low:high]
        metres = distance_m(lat[rows][:, None], lon[rows][:, None], lat[band][None, :], lon[band][None, :])
        metres[rows[:, None] == band[None, :]] = np.inf
        nearest = np.argsort(metres, axis=1, kind="stable")[:, : options.beeline_count_max]
        near = np.take_along_axis(metres, nearest, axis=1)
        row, column = np.nonzero(near <= options.beeline_m_max)
        pairs.append(rows[row] * len(lat) + band[nearest[row, column]])
        seconds.append(walking_s(near[row, column], options) + options.beeline_extra_s)
    if not pairs:
        return no_pairs()
    return np.concatenate(pairs).astype(np.int64), np.concatenate(seconds).astype(np.int64)


def no_pairs() -> Pairs:
    """No footpaths."""
    return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
