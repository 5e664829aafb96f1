"""How long ways along streets take: compiling a map, one point to all stops around it, one way with its line.

Protocol (workload streets-1):

1. Porto Alegre (the real data's `porto_alegre/`): the extract's 16,032 ways, compiled twice (the second
   counts: the first compiles kernels too); the stops of its bus feed, all 3,986 given as targets.
2. 300 of the stops inside the extract by the seed, as origins. For each: `measure` to all stops within 15
   minutes on foot, by bike, and within 5 minutes on foot (what a footpath takes); `find_way` to another
   of the 300. CPU time of one thread, each the least of three; medians and 95th percentiles.
3. The yardstick, in the same run: scipy's compiled Dijkstra (`scipy.sparse.csgraph`) from a node of the same
   graph with the same limit, which finds seconds to nodes only and puts no points onto streets; and networkx
   (20 origins).
4. Checked while timed: scipy and networkx reach the same nodes; for 20 origins, `measure` to those nodes'
   places takes what networkx found, to two seconds, for 95 in 100 (another street may pass as near a node);
   `find_way` takes what `measure` said.

Results: a table, and one line of JSON with commit and machine.
"""

import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import numpy.typing as npt
import polars as pl
from rich.console import Console
from rich.table import Table
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from gtfs.reader import read_feed
from load_tests.machine import describe_machine, find_real_data
from routing.kernels.street_grid import DEGREE
from routing.kernels.streets import NONE
from routing.streets.compiling import StreetReport, compile_streets
from routing.streets.graph import StreetGraph, open_streets
from routing.streets.street_ways import StreetWays
from routing.streets.ways import BEYOND, ON_FOOT, Manner, Profile, Reached

WORKLOAD = "streets-1"
ORIGINS, CHECKED, TIMES, SEED = 300, 20, 3, 1
LIMIT_S, NEAR_S = 900, 300
ROUNDING_S, SHARE_MIN = 2, 0.95
BY_BIKE = Manner(profile=Profile.BIKE)

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Point = tuple[float, float]


def compile_city(data: Path, folder: Path) -> tuple[StreetReport, StreetWays]:
    """The extract, compiled for the second time, and opened."""
    source = data / "porto_alegre" / "poa_osm.pbf"
    compile_streets(source, folder / "first")
    report = compile_streets(source, folder / "second")
    return report, StreetWays(open_streets(folder / "second"))


def read_stops(data: Path) -> Float64:
    """float64[n, 2]: where the bus feed's stops are."""
    feed = read_feed(data / "porto_alegre" / "poa_eptc.zip").feed
    assert feed is not None, "the feed can be read"
    placed = feed["stops"].filter(pl.col("stop_lat").is_not_null())
    return placed.select("stop_lat", "stop_lon").to_numpy().astype(np.float64)


def list_arcs(graph: StreetGraph) -> tuple[Int64, Int64, Float64]:
    """Tails, heads and seconds on foot of every arc that is on no island, of parallel ones the fastest."""
    rows, paces = graph.rows, graph.make_paces(ON_FOOT)
    tails = np.repeat(np.arange(graph.node_count), np.diff(rows.first))
    heads, moves, lengths, classes = rows.arcs.T
    pace = paces.us_per_cm[classes, moves & 1]
    seconds = (lengths * pace + paces.extra_us[classes, moves & 1]) / 1e6
    is_main = graph.list_usable(Profile.WALK)[moves >> 1]
    is_open = is_main & (pace != NONE) & (rows.blocked[heads] & paces.profile == 0)
    order = np.lexsort((seconds[is_open], heads[is_open], tails[is_open]))
    tails, heads, seconds = (each[is_open][order] for each in (tails, heads, seconds))
    is_first = np.ones(len(tails), dtype=np.bool_)
    is_first[1:] = (np.diff(tails) != 0) | (np.diff(heads) != 0)
    return tails[is_first], heads[is_first], seconds[is_first]


def measure_all(ways: StreetWays, stops: Float64, taken: dict[str, list[float]]) -> None:
    """The protocol's questions."""
    dice = random.Random(SEED)
    low_lat, low_lon, high_lat, high_lon = ways.graph.bounds
    is_inside = (stops >= (low_lat, low_lon)).all(axis=1) & (stops <= (high_lat, high_lon)).all(axis=1)
    chosen = dice.sample(np.flatnonzero(is_inside).tolist(), ORIGINS)
    for place, origin in enumerate(chosen):
        measure_one(ways, stops, _point(stops, origin), _point(stops, chosen[place - 1]), taken)


def measure_one(
    ways: StreetWays, stops: Float64, start: Point, goal: Point, taken: dict[str, list[float]]
) -> None:
    """The protocol's questions at one stop."""
    lat, lon = stops[:, 0].copy(), stops[:, 1].copy()

    def measure(manner: Manner, limit_s: int) -> Reached:
        return ways.measure(*start, lat, lon, manner=manner, limit_s=limit_s)

    reached = _time(taken, "15 minutes on foot", lambda: measure(ON_FOOT, LIMIT_S))
    _time(taken, "15 minutes by bike", lambda: measure(BY_BIKE, LIMIT_S))
    _time(taken, "5 minutes on foot", lambda: measure(ON_FOOT, NEAR_S))
    way = _time(taken, "one way with its line", lambda: ways.find_way(start, goal))
    taken.setdefault("stops in reach on foot", []).append(float((reached.seconds != BEYOND).sum()))
    said = ways.measure(*start, [goal[0]], [goal[1]], limit_s=10**6)
    assert way is None or way.seconds == said.seconds[0], "find_way takes what measure said"


def measure_yardsticks(ways: StreetWays, taken: dict[str, list[float]]) -> None:
    """The same graph by scipy and by networkx; and what both say of the same nodes."""
    tails, heads, seconds = list_arcs(ways.graph)
    count = ways.graph.node_count
    matrix = csr_array((seconds, (tails, heads)), shape=(count, count))
    plain: nx.DiGraph[int] = nx.DiGraph()
    plain.add_weighted_edges_from(zip(tails.tolist(), heads.tolist(), seconds.tolist(), strict=True))
    dice = random.Random(SEED)
    for place, node in enumerate(dice.choices(tails.tolist(), k=ORIGINS)):
        told = _time(
            taken, "scipy, 15 minutes on foot", partial(dijkstra, matrix, indices=node, limit=LIMIT_S)
        )
        if place < CHECKED:
            ask = partial(nx.single_source_dijkstra_path_length, plain, node, cutoff=LIMIT_S)
            slow = _time(taken, "networkx, 15 minutes on foot", ask)
            assert set(np.flatnonzero(told <= LIMIT_S).tolist()) == set(slow), "both reach the same"
            _check(ways, node, slow)


def _check(ways: StreetWays, node: int, slow: dict[int, float]) -> None:
    """From a node's place to all nodes' places: what networkx found, but for rounding."""
    grid, ends = ways.graph.grid, ways.graph.rows.ends
    places = np.full((ways.graph.node_count, 2), np.nan)
    places[ends[:, 0]] = grid.points[grid.point_offsets[:-1]] / DEGREE
    places[ends[:, 1]] = grid.points[grid.point_offsets[1:] - 1] / DEGREE
    chosen = [n for n in slow if slow[n] < LIMIT_S - ROUNDING_S]
    to = places[chosen]
    reached = ways.measure(*_point(places, node), to[:, 0], to[:, 1], limit_s=LIMIT_S)
    is_close = np.abs(reached.seconds - np.array([slow[n] for n in chosen])) <= ROUNDING_S
    assert is_close.mean() >= SHARE_MIN, "the same seconds as networkx"


def _point(places: Float64, index: int) -> Point:
    return float(places[index, 0]), float(places[index, 1])


def _time(taken: dict[str, list[float]], title: str, work: Callable[[], Any]) -> Any:
    least_s, result = float("inf"), None
    for _ in range(TIMES):
        started_s = time.thread_time()
        result = work()
        least_s = min(least_s, time.thread_time() - started_s)
    taken.setdefault(title, []).append(least_s * 1000)
    return result


def main() -> int:
    """Run and print."""
    data = find_real_data()
    if data is None or not (data / "porto_alegre").is_dir():
        print(
            "streets_bench: skipped, there is no porto_alegre/. Set MAAS_REAL_DATA to the real data's folder."
        )
        return 0
    taken: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="streets-bench-") as folder:
        report, ways = compile_city(data, Path(folder))
        size_mb = sum(path.stat().st_size for path in (Path(folder) / "second").iterdir()) / 1e6
        stops = read_stops(data)
        measure_all(ways, stops, taken)
        measure_yardsticks(ways, taken)
    figures = {
        title: [round(float(np.median(each)), 3), round(float(np.percentile(each, 95)), 3)]
        for title, each in taken.items()
    }
    graph = {"nodes": report.node_count, "edges": report.edge_count, "stops": len(stops)}
    compiled = {"compile_s": report.took_s, "folder_mb": round(size_mb, 1)}
    print(json.dumps({"workload": WORKLOAD, **describe_machine(), **graph, **compiled, "ms": figures}))
    table = Table(title=f"{WORKLOAD}: {graph}, {compiled}; milliseconds of CPU")
    for title in ("", "median", "p95"):
        table.add_column(title, justify="right" if title else "left")
    for title, (median, p95) in figures.items():
        table.add_row(title, str(median), str(p95))
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
