"""From an OpenStreetMap extract to a street graph.

Problem   Ways are lines that share points; a search wants crossings and the stretches between them.
Idea      A point is a node of the graph if ways end there, if more than one passage of a way goes through
          it, or if something stands there (a barrier, a kerb, a lift). Stretches between nodes are edges.
          Bridges and tunnels share no points with what they cross, so nothing joins there.
Choices   - A lift at a node adds half its time to each edge that ends there, so passing it costs it once.
          - Plazas are walked along their border.
          - An island (less than ISLAND_M_MAX of street, from which a profile gets nowhere else) is never
            where a point enters the streets, but the largest group always is.
          - The folder appears whole or not at all.
Not here  Reading the file (osm.py), what tags mean (rules.py).
"""

import hashlib
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from routing.errors import NoStreets
from routing.kernels.arrays import Int32
from routing.kernels.street_grid import CELL, COLUMNS, DEGREE, GridRows, measure_edges
from routing.kernels.streets import ARC_WIDTH, CLASS, HEAD, LENGTH_CM, MOVE, NONE, StreetRows, join_edges
from routing.streets.graph import KINDS, PROFILE_BITS, StreetGraph, StreetLabels
from routing.streets.osm import StreetMap, StreetWay, read_map
from routing.streets.rules import ELEVATOR_MS, Passage, StreetClass
from routing.streets.ways import Manner
from routing.strings import build_strings

ISLAND_M_MAX = 1_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StreetReport:
    """What a graph holds, and what of the map was left out (counts).

    ways_left_out: streets that nobody may use; ways_cut: ways of which points are missing, as at the border
    of an extract. edge_m: metres of street; by_profile: metres that each profile may use, islands left out.
    """

    version: str
    way_count: int
    ways_left_out: int
    ways_cut: int
    node_count: int
    edge_count: int
    class_count: int
    edge_m: int
    by_profile: dict[str, int]
    bounds: tuple[float, float, float, float]
    took_s: float


def compile_streets(osm: Path, folder: Path) -> StreetReport:
    """Compile an extract (.osm.pbf, .pbf, .osm) into `folder`, which must not exist or be empty.

    Raises MapUnreadable, NoStreets; OSError if the folder cannot be written. Then there is no folder.
    """
    started_s = time.perf_counter()
    street_map = read_map(osm)
    with osm.open("rb") as file:
        version = hashlib.file_digest(file, "blake2b").hexdigest()[:32]
    graph, ways_cut = build_graph(street_map, version=version)
    graph.check()
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        graph.save(part)
        part.replace(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    metres = graph.rows.lengths.astype(np.int64)
    return StreetReport(
        version=version,
        way_count=len(street_map.ways),
        ways_left_out=street_map.ways_unusable,
        ways_cut=ways_cut,
        node_count=graph.node_count,
        edge_count=graph.edge_count,
        class_count=len(graph.labels.passages),
        edge_m=int(metres.sum()) // 100,
        by_profile={
            profile: int(metres[graph.list_usable(profile)].sum()) // 100 for profile in PROFILE_BITS
        },
        bounds=graph.bounds,
        took_s=round(time.perf_counter() - started_s, 3),
    )


def build_graph(street_map: StreetMap, *, version: str) -> tuple[StreetGraph, int]:
    """The graph in memory, and how many ways are cut. Raises NoStreets."""
    stretches, ways_cut = _list_stretches(street_map)
    if not stretches:
        raise NoStreets("the extract has streets, but not the points of any; choose one with its points")
    columns = _Columns(street_map)
    uses = Counter(point for _, points in stretches for point in points)
    for way, points in stretches:
        for edge in _cut_at_nodes(points, uses, street_map):
            columns.add(way, edge)
    return columns.finish(version), ways_cut


def _list_stretches(street_map: StreetMap) -> tuple[list[tuple[StreetWay, list[int]]], int]:
    """Each way's runs of points that are known, none twice in a row."""
    stretches, ways_cut = [], 0
    for way in street_map.ways:
        runs: list[list[int]] = [[]]
        for point in way.point_ids:
            if point not in street_map.places:
                runs.append([])
            elif not runs[-1] or runs[-1][-1] != point:
                runs[-1].append(point)
        ways_cut += len(runs) > 1
        stretches += [(way, run) for run in runs if len(run) > 1]
    return stretches, ways_cut


def _cut_at_nodes(points: Sequence[int], uses: Counter[int], street_map: StreetMap) -> Iterator[list[int]]:
    begin = 0
    for i in range(1, len(points)):
        point = points[i]
        is_node = uses[point] > 1 or point in street_map.blocked or point in street_map.elevators
        if is_node or i == len(points) - 1:
            yield list(points[begin : i + 1])
            begin = i


@dataclass(slots=True)
class _Columns:
    """The graph's columns as they grow."""

    street_map: StreetMap
    nodes: dict[int, int] = field(default_factory=dict)
    ends: list[tuple[int, int]] = field(default_factory=list)
    drawn: list[int] = field(default_factory=list)
    point_offsets: list[int] = field(default_factory=lambda: [0])
    classes: list[int] = field(default_factory=list)
    class_index: dict[tuple[StreetClass, int], int] = field(default_factory=dict)
    names: list[int] = field(default_factory=list)
    name_index: dict[str, int] = field(default_factory=lambda: {"": 0})
    kinds: list[int] = field(default_factory=list)
    way_ids: list[int] = field(default_factory=list)
    levels: list[float] = field(default_factory=list)

    def add(self, way: StreetWay, points: list[int]) -> None:
        """An edge through these points."""
        start, end = (self.nodes.setdefault(point, len(self.nodes)) for point in (points[0], points[-1]))
        lifts = sum(point in self.street_map.elevators for point in (points[0], points[-1]))
        self.ends.append((start, end))
        self.drawn += points
        self.point_offsets.append(len(self.drawn))
        self.classes.append(self.class_index.setdefault((way.street_class, lifts), len(self.class_index)))
        self.names.append(self.name_index.setdefault(way.name, len(self.name_index)))
        self.kinds.append(KINDS.index(way.kind))
        self.way_ids.append(way.way_id)
        self.levels.append(way.level)

    def finish(self, version: str) -> StreetGraph:
        """The arrays."""
        ends = np.array(self.ends, dtype=np.int32)
        places = [self.street_map.places[point] for point in self.drawn]
        grid = _index_cells(
            np.array(self.point_offsets, dtype=np.int32), np.array(places, dtype=np.int32).reshape(-1, 2)
        )
        lengths = np.empty(len(ends), dtype=np.int32)
        measure_edges(grid, lengths)
        blocked = np.zeros(len(self.nodes), dtype=np.uint8)
        for point, profiles in self.street_map.blocked.items():
            if point in self.nodes:
                blocked[self.nodes[point]] = sum(PROFILE_BITS[profile] for profile in profiles)
        rows = _index_arcs(ends, lengths, np.array(self.classes, dtype=np.uint16), blocked)
        graph = StreetGraph(
            version=version,
            rows=rows,
            grid=grid,
            labels=StreetLabels(
                names=np.array(self.names, dtype=np.int32),
                kinds=np.array(self.kinds, dtype=np.uint8),
                way_ids=np.array(self.way_ids, dtype=np.int64),
                levels=np.array(self.levels, dtype=np.float32),
                on_main=np.zeros(len(ends), dtype=np.uint8),
                passages=_list_passages(list(self.class_index)),
            ),
            names=build_strings(list(self.name_index)),
        )
        _find_main(graph)
        return graph


def _list_passages(classes: Sequence[tuple[StreetClass, int]]) -> Int32:
    """int32[C, 3, 2, 3]: see StreetLabels."""
    rows = []
    for street_class, lifts in classes:
        waits = [
            [
                (NONE,) * 3
                if passage is None
                else Passage(*passage[:2], passage.fixed_ms + lifts * ELEVATOR_MS // 2)
                for passage in both
            ]
            for both in street_class.passages
        ]
        rows.append(waits)
    return np.array(rows, dtype=np.int32)


def _index_arcs(
    ends: Int32, lengths: Int32, classes: npt.NDArray[np.uint16], blocked: npt.NDArray[np.uint8]
) -> StreetRows:
    edges = np.arange(len(ends), dtype=np.int32)
    arcs = np.empty((2 * len(ends), ARC_WIDTH), dtype=np.int32)
    arcs[:, HEAD] = np.concatenate([ends[:, 1], ends[:, 0]])
    arcs[:, MOVE] = np.concatenate([2 * edges, 2 * edges + 1])
    arcs[:, LENGTH_CM] = np.tile(lengths, 2)
    arcs[:, CLASS] = np.tile(classes, 2)
    tails = np.concatenate([ends[:, 0], ends[:, 1]])
    order = np.argsort(tails, kind="stable")
    first = np.searchsorted(tails[order], np.arange(len(blocked) + 1)).astype(np.int32)
    return StreetRows(
        first=first, arcs=arcs[order], ends=ends, lengths=lengths, classes=classes, blocked=blocked
    )


def _index_cells(point_offsets: Int32, points: Int32) -> GridRows:
    """List in each cell the pieces in it. A long piece is cut, so that its parts touch four cells at most."""
    is_piece = np.ones(len(points), dtype=np.bool_)
    is_piece[point_offsets[1:] - 1] = False
    pieces = np.flatnonzero(is_piece)
    here, there = points[pieces].astype(np.int64), points[pieces + 1].astype(np.int64)
    counts = 1 + np.abs(there - here).max(axis=1, initial=0) // CELL
    piece = np.repeat(np.arange(len(pieces)), counts)
    nth = np.arange(len(piece)) - np.repeat(np.cumsum(counts) - counts, counts)
    share = np.stack([nth, nth + 1], axis=1) / counts[piece][:, None]
    origin = np.array([90 * DEGREE, 180 * DEGREE], dtype=np.int64)
    cells = [
        np.floor((here[piece] + origin + share[:, i : i + 1] * (there - here)[piece]) / CELL).astype(np.int64)
        for i in range(2)
    ]
    keys = np.concatenate([cells[i][:, 0] * COLUMNS + cells[j][:, 1] for i in range(2) for j in range(2)])
    pairs = np.unique(np.stack([keys, np.tile(pieces[piece], 4)], axis=1), axis=0)
    cell_keys, begins = np.unique(pairs[:, 0], return_index=True)
    return GridRows(
        point_offsets=point_offsets,
        points=points,
        cell_keys=cell_keys,
        cell_offsets=np.append(begins, len(pairs)).astype(np.int32),
        pieces=pairs[:, 1].astype(np.int32),
    )


def _find_main(graph: StreetGraph) -> None:
    """Mark, for each profile, the edges that are on no island."""
    for profile, bit in PROFILE_BITS.items():
        groups = np.empty(graph.edge_count, dtype=np.int32)
        join_edges(graph.rows, graph.make_paces(Manner(profile=profile)), groups)
        is_open = groups != NONE
        metres = np.bincount(groups[is_open], weights=graph.rows.lengths[is_open], minlength=1) / 100
        is_large = metres >= min(ISLAND_M_MAX, float(metres.max()))
        on_main = np.zeros(graph.edge_count, dtype=np.bool_)
        on_main[is_open] = is_large[groups[is_open]]
        graph.labels.on_main[on_main] |= np.uint8(bit)
