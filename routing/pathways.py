"""Ways inside stations: how long from platform to platform, and from an entrance to a platform.

Problem   A flat three minutes hides the lift that is missing: one who cannot take stairs must know.
Idea      A feed's pathways are a graph of a station's platforms, entrances and nodes. For each profile a
          pathway takes so many seconds or cannot be passed; shortest ways do the rest, at compile time for
          walkers, when first asked for other profiles. A boarding area is its platform.
Profiles  WALK passes everything. WHEELCHAIR: no stairs, escalators or travelators, no slope over 8.3 %,
          nothing narrower than 0.8 m. PRAM: no stairs or escalators, no slope over 12 %, nothing
          narrower than 0.7 m.
          What a feed does not say is taken to be passable.
Seconds   The pathway's traversal time; else its length at a pace; else its steps; else by levels passed; else
          by the map; else what such a way mostly takes (DEFAULT_S). Slower profiles take longer where they
          walk, not in lifts. So nobody is faster than a walker, and bounds hold for every profile.
Rule      Where pathways touch both platforms of a pair they say all: no way, no footpath, whatever lies near.
          A time in transfers.txt holds for walkers all the same, and is the least for everybody else. Where a
          pathway is closed, such a pair takes as much longer as its shortest way does.
Not here  Reading feeds (build.py), streets, opening hours of entrances.
Twin      tests/oracles/stations.py
"""

import heapq
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from routing.footpaths import Int64, distance_m
from routing.kernels.arrays import NONE, NOT_REACHED, Int32, Walks
from routing.streets.ways import DEFAULT_SPEED_M_S, Profile

PLATFORM, ENTRANCE, NODE, BOARDING_AREA = 0, 2, 3, 4
"""What a place in a station is, as GTFS counts."""

WALKWAY, STAIRS, TRAVELATOR, ESCALATOR, ELEVATOR, FARE_GATE, EXIT_GATE = range(1, 8)
"""What a pathway is, as GTFS counts."""

PACE_M_S = {WALKWAY: 1.2, STAIRS: 0.5, TRAVELATOR: 1.2, ESCALATOR: 0.5, FARE_GATE: 1.2, EXIT_GATE: 1.2}
STEP_S = 0.6
LEVEL_S = {STAIRS: (0, 25), ESCALATOR: (0, 20), ELEVATOR: (40, 5)}
"""Seconds to begin with, and for each level passed."""
DEFAULT_S = {
    WALKWAY: 30, STAIRS: 25, TRAVELATOR: 30, ESCALATOR: 20, ELEVATOR: 45, FARE_GATE: 5, EXIT_GATE: 5,
}  # fmt: skip

PROFILES = (Profile.WALK, Profile.WHEELCHAIR, Profile.PRAM)
"""The columns of `Pathways.seconds`."""
_BARRED = {
    Profile.WALK: frozenset[int](),
    Profile.WHEELCHAIR: frozenset({STAIRS, TRAVELATOR, ESCALATOR}),
    Profile.PRAM: frozenset({STAIRS, ESCALATOR}),
}
_SLOPE_MAX = {Profile.WALK: np.inf, Profile.WHEELCHAIR: 0.083, Profile.PRAM: 0.12}
_WIDTH_MIN_M = {Profile.WALK: 0.0, Profile.WHEELCHAIR: 0.8, Profile.PRAM: 0.7}
NO_WAY = 2
"""GTFS's word for: not in a wheelchair."""
_CARRIED = (TRAVELATOR, ESCALATOR, ELEVATOR)


class Nodes(NamedTuple):
    """Places in stations that pathways join. N nodes; none where no feed has pathways.

    stops        int32[N]    the stop that this platform is, or NONE
    kinds        uint8[N]    PLATFORM, ENTRANCE or NODE
    lat, lon     float64[N]  degrees WGS84
    levels       float64[N]  the level's index, 0 the ground; NaN: not told
    wheelchairs  uint8[N]    whether one in a wheelchair can enter there: UNKNOWN, YES or NO
    """

    stops: Int32
    kinds: npt.NDArray[np.uint8]
    lat: npt.NDArray[np.float64]
    lon: npt.NDArray[np.float64]
    levels: npt.NDArray[np.float64]
    wheelchairs: npt.NDArray[np.uint8]


class Pathways(NamedTuple):
    """Ways between nodes, one direction each. W ways.

    sources, targets  int32[W]     nodes
    modes             uint8[W]     WALKWAY to EXIT_GATE
    ids               int32[W]     index into the timetable's `pathway_ids`
    seconds           int32[W, 3]  for each of PROFILES; NOT_REACHED where it cannot be passed
    """

    sources: Int32
    targets: Int32
    modes: npt.NDArray[np.uint8]
    ids: Int32
    seconds: Int32


@dataclass(frozen=True, slots=True, kw_only=True)
class StationColumns:
    """A feed's nodes and pathways, indices local to it; `ids` name nodes and pathways."""

    nodes: Nodes
    pathways: Pathways
    node_ids: list[str]
    pathway_ids: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class StationTimes:
    """Shortest ways in stations for one profile.

    pairs      int64[P]   source * stop_count + target, sorted: every pair that pathways speak about
    pair_s     int32[P]   seconds; NOT_REACHED where there is no way
    entrances  int32[E]   the nodes that are entrances this profile may use
    is_gated   bool[S]    stops that are entered and left through entrances only
    enter_s    int32[E, S']  seconds from an entrance to a stop, S' the gated stops in order
    leave_s    int32[E, S']  and from the stop to the entrance
    """

    pairs: Int64
    pair_s: Int32
    entrances: Int32
    is_gated: npt.NDArray[np.bool_]
    enter_s: Int32
    leave_s: Int32


def reduce_stations(
    *, stops: pl.DataFrame, levels: pl.DataFrame, pathways: pl.DataFrame, stop_index: pl.DataFrame
) -> StationColumns:
    """The station graph of one feed, from the rows of its tables; `stop_index` numbers the stops served."""
    served = dict(stop_index.select("stop_id", "stop_idx").iter_rows())
    level_of = dict(levels.select("level_id", "level_index").iter_rows())
    rows = {row["stop_id"]: row for row in stops.iter_rows(named=True)} if len(pathways) else {}
    numbers: dict[str, int] = {}

    def number(stop_id: str) -> int:
        row = rows[stop_id]
        is_area = (row["location_type"] or 0) == BOARDING_AREA
        return numbers.setdefault(row["parent_station"] if is_area else stop_id, len(numbers))

    ways: list[tuple[int, int, int, int, list[int]]] = []
    for i, row in enumerate(pathways.iter_rows(named=True)):
        ends = [rows[row["from_stop_id"]], rows[row["to_stop_id"]]]
        seconds = [_pass_s(row, ends, level_of, profile) for profile in PROFILES]
        source, target = number(row["from_stop_id"]), number(row["to_stop_id"])
        ways.append((source, target, row["pathway_mode"], i, seconds))
        if row["is_bidirectional"] == 1:
            ways.append((target, source, row["pathway_mode"], i, seconds))
    places = [rows[stop_id] for stop_id in numbers]
    return StationColumns(
        nodes=Nodes(
            stops=np.array([served.get(each, int(NONE)) for each in numbers], dtype=np.int32),
            kinds=np.array([row["location_type"] or PLATFORM for row in places], dtype=np.uint8),
            lat=np.array([row["stop_lat"] for row in places], dtype=np.float64),
            lon=np.array([row["stop_lon"] for row in places], dtype=np.float64),
            levels=np.array([level_of.get(row["level_id"], np.nan) for row in places], dtype=np.float64),
            wheelchairs=np.array([_inherited(row, rows) for row in places], dtype=np.uint8),
        ),
        pathways=Pathways(
            sources=np.array([way[0] for way in ways], dtype=np.int32),
            targets=np.array([way[1] for way in ways], dtype=np.int32),
            modes=np.array([way[2] for way in ways], dtype=np.uint8),
            ids=np.array([way[3] for way in ways], dtype=np.int32),
            seconds=np.array([way[4] for way in ways], dtype=np.int32).reshape(-1, len(PROFILES)),
        ),
        node_ids=list(numbers),
        pathway_ids=pathways["pathway_id"].to_list(),
    )


def _inherited(row: dict[str, Any], rows: dict[str, dict[str, Any]]) -> int:
    """What GTFS says of wheelchairs at a place: its own word, else its station's."""
    parent = rows.get(row["parent_station"] or "", {})
    return int(row["wheelchair_boarding"] or parent.get("wheelchair_boarding") or 0)


def _pass_s(
    row: dict[str, Any], ends: list[dict[str, Any]], level_of: dict[str, float], profile: Profile
) -> int:
    """Seconds to pass a pathway; NOT_REACHED for whom it does not let pass."""
    mode = row["pathway_mode"]
    slope, width_m = abs(row["max_slope"] or 0.0), row["min_width"]
    if (
        mode in _BARRED[profile]
        or slope > _SLOPE_MAX[profile]
        or (width_m is not None and width_m < _WIDTH_MIN_M[profile])
    ):
        return int(NOT_REACHED)
    slower = 1.0 if mode in _CARRIED else DEFAULT_SPEED_M_S[Profile.WALK] / DEFAULT_SPEED_M_S[profile]
    # Less a hair, so that 12.000000000000002 is no thirteenth second.
    return max(0, int(np.ceil(_walk_s(row, ends, level_of) * slower - 1e-9)))


def _walk_s(row: dict[str, Any], ends: list[dict[str, Any]], level_of: dict[str, float]) -> float:
    mode, pace_m_s = row["pathway_mode"], PACE_M_S.get(row["pathway_mode"])
    if row["traversal_time"] is not None:
        return float(row["traversal_time"])
    if row["length"] is not None and pace_m_s is not None:
        return float(row["length"]) / pace_m_s
    if mode == STAIRS and row["stair_count"]:
        return float(abs(row["stair_count"]) * STEP_S)
    heights = [level_of.get(end["level_id"]) for end in ends]
    if mode in LEVEL_S and None not in heights and heights[0] != heights[1]:
        begin_s, level_s = LEVEL_S[mode]
        return begin_s + level_s * abs(float(heights[0] or 0.0) - float(heights[1] or 0.0))
    if mode in (WALKWAY, TRAVELATOR):
        lat, lon = ([np.array(end[name]) for end in ends] for name in ("stop_lat", "stop_lon"))
        apart_m = float(distance_m(lat[0], lon[0], lat[1], lon[1]))
        if apart_m > 0:
            return apart_m / PACE_M_S[mode]
    return float(DEFAULT_S[mode])


def measure_stations(
    nodes: Nodes,
    pathways: Pathways,
    *,
    stop_count: int,
    profile: Profile = Profile.WALK,
    closed: Collection[int] = (),
) -> StationTimes:
    """All shortest ways for a profile, but through closed pathways (by their ids in `pathway_ids`)."""
    together, ways = _list_neighbours(nodes, pathways, PROFILES.index(profile), closed)
    stops = nodes.stops.tolist()
    platforms = np.flatnonzero(nodes.stops >= 0).tolist()
    may_enter = (profile is not Profile.WHEELCHAIR) | (nodes.wheelchairs != NO_WAY)
    doors = np.flatnonzero((nodes.kinds == ENTRANCE) & may_enter).tolist()
    is_gated = np.zeros(stop_count, dtype=np.bool_)
    pairs: dict[int, int] = {}
    # Whose pathways belong together is one station, whatever can be passed.
    for node in platforms:
        others = _reach(together, node)
        is_gated[stops[node]] = any(nodes.kinds[other] == ENTRANCE for other in others)
        pairs |= _pairs_of(stops, node, dict.fromkeys(others, int(NOT_REACHED)), stop_count)
    place = np.cumsum(is_gated) - 1
    enter_s = np.full((len(doors), int(is_gated.sum())), NOT_REACHED, dtype=np.int32)
    leave_s = enter_s.copy()
    for node in platforms:
        reached = _reach(ways, node)
        pairs |= _pairs_of(stops, node, reached, stop_count)
        for i, door in enumerate(doors):
            if door in reached:
                leave_s[i, place[stops[node]]] = reached[door]
    for i, door in enumerate(doors):
        for other, seconds in _reach(ways, door).items():
            if stops[other] >= 0:
                enter_s[i, place[stops[other]]] = seconds
    ordered = sorted(pairs)
    return StationTimes(
        pairs=np.array(ordered, dtype=np.int64),
        pair_s=np.array([pairs[pair] for pair in ordered], dtype=np.int32),
        entrances=np.array(doors, dtype=np.int32),
        is_gated=is_gated,
        enter_s=enter_s,
        leave_s=leave_s,
    )


_Neighbours = list[list[tuple[int, int]]]


def _list_neighbours(
    nodes: Nodes, pathways: Pathways, column: int, closed: Collection[int]
) -> tuple[_Neighbours, _Neighbours]:
    """For each node its neighbours, whatever can be passed; and those it leads to, with seconds."""
    together: _Neighbours = [[] for _ in nodes.stops]
    ways: _Neighbours = [[] for _ in nodes.stops]
    columns = pathways.sources, pathways.targets, pathways.ids, pathways.seconds[:, column]
    for source, target, way_id, seconds in zip(*(each.tolist() for each in columns), strict=True):
        together[source].append((target, 0))
        together[target].append((source, 0))
        if seconds != NOT_REACHED and way_id not in closed:
            ways[source].append((target, seconds))
    return together, ways


def _pairs_of(stops: list[int], node: int, reached: dict[int, int], stop_count: int) -> dict[int, int]:
    return {
        stops[node] * stop_count + stops[other]: seconds
        for other, seconds in reached.items()
        if other != node and stops[other] >= 0
    }


def _reach(ways: _Neighbours, start: int) -> dict[int, int]:
    """Least seconds from a node to every node that is reached (Dijkstra)."""
    done: dict[int, int] = {}
    queue = [(0, start)]
    while queue:
        seconds, node = heapq.heappop(queue)
        if node in done:
            continue
        done[node] = seconds
        for target, more_s in ways[node]:
            if target not in done:
                heapq.heappush(queue, (seconds + more_s, target))
    return done


def fit_walks(
    walks: Walks,
    paced_s: Int32,
    planned: StationTimes,
    times: StationTimes,
    *,
    profile: Profile,
    extra_s: int,
) -> Walks:
    """The network's footpaths for a profile, and less what is closed.

    `planned` are the walkers' ways when nothing is closed, those that `walks` were made with. paced_s
    int32[F] are the seconds that hold where no pathways speak.
    """
    stop_count = len(walks.change_s)
    source = np.repeat(np.arange(stop_count, dtype=np.int64), np.diff(walks.offsets))
    walk_s = paced_s
    if len(planned.pairs):
        pairs = source * stop_count + walks.targets
        at = np.minimum(np.searchsorted(planned.pairs, pairs), len(planned.pairs) - 1)
        there, now = planned.pair_s[at].astype(np.int64), times.pair_s[at].astype(np.int64)
        if profile is Profile.WALK:
            # Where no pathway ever led, a time of transfers.txt stands alone.
            fitted = np.where(there == NOT_REACHED, paced_s, paced_s + now - there)
            fitted = np.where((now == NOT_REACHED) & (there != NOT_REACHED), NOT_REACHED, fitted)
        else:
            fitted = np.where(now == NOT_REACHED, NOT_REACHED, np.maximum(walks.walk_s, now + extra_s))
        walk_s = np.where(planned.pairs[at] == pairs, fitted, paced_s).astype(np.int32)
    kept = walk_s < NOT_REACHED
    return Walks(
        offsets=np.searchsorted(source[kept], np.arange(stop_count + 1)).astype(np.int32),
        targets=walks.targets[kept],
        walk_s=walk_s[kept],
        change_s=walks.change_s,
    )


def join_stations(parts: list[tuple[StationColumns, int]]) -> tuple[Nodes, Pathways]:
    """The graphs of all feeds behind one another; each with the index of its feed's first stop."""
    nodes, ways = [], []
    node_base = way_base = 0
    for part, stop_base in parts:
        own = part.nodes.stops
        nodes.append(part.nodes._replace(stops=np.where(own >= 0, own + stop_base, own).astype(np.int32)))
        ways.append(
            part.pathways._replace(
                sources=part.pathways.sources + np.int32(node_base),
                targets=part.pathways.targets + np.int32(node_base),
                ids=part.pathways.ids + np.int32(way_base),
            )
        )
        node_base += len(own)
        way_base += len(part.pathway_ids)
    return Nodes(*_concatenate(nodes)), Pathways(*_concatenate(ways))


def _concatenate(groups: list[Any]) -> Iterator[Any]:
    return (np.concatenate(columns) for columns in zip(*groups, strict=True))
