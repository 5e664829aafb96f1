"""Tariff distances: the shortest way over an operator's own lines, whatever way was ridden.

Problem   A fare follows the tariff kilometres (営業キロ) of the shortest path; Oedo's six-shaped loop and the
          Yamanote are ridden either way round, and 都庁前 lies twice on one line.
Idea      Stations are nodes, neighbours on a line are edges in tenths of a kilometre (no floats), stations
          that the tariff takes as one are joined by edges of length 0. Dijkstra from a station, kept once
          computed.
Source    Dijkstra 1959. Twin: tests/oracles/fare_paths.py (all simple paths).
"""

import heapq
from collections import defaultdict
from collections.abc import Iterable

TENTHS_PER_KM = 10


class KmGraph:
    """An undirected graph of stations with edges in tenths of a kilometre."""

    def __init__(self, edges: Iterable[tuple[str, str, int]]) -> None:
        self._edges: dict[str, list[tuple[str, int]]] = defaultdict(list)
        self._known: dict[str, dict[str, int]] = {}
        for station, other, tenths in edges:
            assert tenths >= 0, "a distance is never negative"
            self._edges[station].append((other, tenths))
            self._edges[other].append((station, tenths))

    def __contains__(self, station: str) -> bool:
        return station in self._edges

    def distances(self, origin: str) -> dict[str, int]:
        """Tenths of a kilometre from `origin` to every station in reach; kept for the next call."""
        known = self._known.get(origin)
        if known is None:
            known = self._known[origin] = self._search(origin)
        return known

    def find_km(self, origin: str, destination: str) -> int | None:
        """Whole tariff kilometres, rounded up; None where a station is unknown or out of reach."""
        tenths = self.distances(origin).get(destination)
        return None if tenths is None else -(-tenths // TENTHS_PER_KM)

    def _search(self, origin: str) -> dict[str, int]:
        if origin not in self._edges:
            return {}
        settled: dict[str, int] = {}
        queue = [(0, origin)]
        while queue:
            tenths, station = heapq.heappop(queue)
            if station in settled:
                continue
            settled[station] = tenths
            for other, step in self._edges[station]:
                if other not in settled:
                    heapq.heappush(queue, (tenths + step, other))
        return settled
