"""Shortest ways in a station, over the rows of a feed themselves.

The rules are written again as the feed's reference and `routing/pathways.py` state them, one `if` a sentence.
"""

from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction
from math import ceil

import networkx as nx

PACE = {"walk": Fraction(12, 10), "wheelchair": Fraction(8, 10), "pram": Fraction(1)}
Row = Mapping[str, int | float | str | None]


def pass_s(row: Row, profile: str) -> int | None:
    """Seconds for a pathway that has a traversal time; None where the profile does not pass."""
    mode, slope, width = row["mode"], row["slope"], row["width"]
    barred, slope_max, width_min = {
        "walk": ((), 9.0, 0.0),
        "wheelchair": (("stairs", "escalator", "travelator"), 0.083, 0.8),
        "pram": (("stairs", "escalator"), 0.12, 0.7),
    }[profile]
    if mode in barred:
        return None
    if slope is not None and abs(slope) > slope_max:
        return None
    if width is not None and width < width_min:
        return None
    if mode in ("travelator", "escalator", "elevator"):
        return row["time"]
    return ceil(row["time"] * PACE["walk"] / PACE[profile])


def shortest(rows: Sequence[Row], profile: str, closed: Collection[str] = ()) -> dict[str, dict[str, int]]:
    """From each place to each that is reached."""
    graph = nx.MultiDiGraph()
    for row in rows:
        graph.add_nodes_from([row["source"], row["target"]])
        seconds = pass_s(row, profile)
        if seconds is None or row["id"] in closed:
            continue
        graph.add_edge(row["source"], row["target"], weight=seconds)
        if row["is_both"]:
            graph.add_edge(row["target"], row["source"], weight=seconds)
    return {source: dict(reached) for source, reached in nx.all_pairs_dijkstra_path_length(graph)}
