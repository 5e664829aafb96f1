"""A slow, obviously right twin of the street search: networkx on every single piece of every way.

It reads tagged ways, not compiled arrays: every two neighbouring points of a way are joined by themselves,
a point that is asked for is put onto the nearest piece by trying all, and groups are networkx's own.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import networkx as nx

EARTH_M = 6_371_009.0
OFF_M_MAX = 250.0
ISLAND_M = 1_000.0

Point = tuple[float, float]
Pace = tuple[float | None, float | None]
"""Seconds a metre along a way and against it; None where one may not."""


@dataclass(frozen=True)
class PlainWay:
    """A way: the ids of its points, and its tags."""

    way_id: int
    points: tuple[int, ...]
    tags: Mapping[str, str]


@dataclass
class PlainMap:
    """Points by id (latitude, longitude), their tags, and ways."""

    points: dict[int, Point]
    ways: list[PlainWay]
    point_tags: dict[int, Mapping[str, str]] = field(default_factory=dict)


def distance_m(a: Point, b: Point) -> float:
    """Metres on a sphere."""
    lat_1, lat_2 = math.radians(a[0]), math.radians(b[0])
    half = (
        math.sin((lat_2 - lat_1) / 2) ** 2
        + math.cos(lat_1) * math.cos(lat_2) * math.sin(math.radians(b[1] - a[1]) / 2) ** 2
    )
    return 2 * EARTH_M * math.asin(math.sqrt(half))


class PlainStreets:
    """The streets of a map for one way of moving.

    pace        seconds a metre of a way, by its tags
    off_pace    seconds a metre between a point and its street
    is_blocked  whether one does not get past a point, by its tags
    wait_s      seconds that passing a point takes, by its tags
    """

    def __init__(
        self,
        plain: PlainMap,
        *,
        pace: Callable[[Mapping[str, str]], Pace],
        off_pace: float,
        is_blocked: Callable[[Mapping[str, str]], bool] = lambda _tags: False,
        wait_s: Callable[[Mapping[str, str]], float] = lambda _tags: 0.0,
    ) -> None:
        self.plain = plain
        self.off_pace = off_pace
        self.blocked = {point for point, tags in plain.point_tags.items() if is_blocked(tags)}
        self.waits = {point: wait_s(tags) for point, tags in plain.point_tags.items()}
        self.pieces: list[tuple[int, int, float, Pace, PlainWay]] = []
        for way in plain.ways:
            paces = pace(way.tags)
            if paces == (None, None):
                continue
            for a, b in zip(way.points, way.points[1:], strict=False):
                if a != b and a in plain.points and b in plain.points:
                    metres = distance_m(plain.points[a], plain.points[b])
                    self.pieces.append((a, b, metres, paces, way))
        self.graph = nx.MultiDiGraph()
        for i, (a, b, metres, (along, against), _) in enumerate(self.pieces):
            waits = (self.waits.get(a, 0.0) + self.waits.get(b, 0.0)) / 2
            # A blocked point is another one for each piece that ends there, so nothing passes.
            ends = tuple((p, i) if p in self.blocked else p for p in (a, b))
            if along is not None:
                self._join(ends[0], ends[1], metres * along + waits, metres, i)
            if against is not None:
                self._join(ends[1], ends[0], metres * against + waits, metres, i)
        self.main = self._find_main()

    def _join(self, a: object, b: object, seconds: float, metres: float, piece: int) -> None:
        self.graph.add_edge(a, b, seconds=seconds, metres=metres, piece=piece)

    def _find_main(self) -> set[int]:
        """Pieces that are on no island."""
        groups = []
        for nodes in nx.weakly_connected_components(self.graph):
            inside = self.graph.subgraph(nodes)
            pieces = {piece for _, _, piece in inside.edges(data="piece")}
            groups.append((sum(self.pieces[piece][2] for piece in pieces), pieces))
        most = max((metres for metres, _ in groups), default=0.0)
        limit = min(ISLAND_M, most)
        # Rounded to centimetres an edge, such groups may fall on either side.
        self.is_close_call = sum(abs(metres - limit) < 1.0 for metres, _ in groups) > (limit == most)
        return {piece for metres, pieces in groups if metres >= limit for piece in pieces}

    def spots(self, point: Point) -> list[tuple[int, float, float]]:
        """The nearest places on pieces (piece, share of it, metres off); several if they are equally near."""
        found = []
        for piece in self.main:
            share, metres = self._project(piece, point)
            if metres <= OFF_M_MAX:
                found.append((piece, share, metres))
        least = min((metres for _, _, metres in found), default=0.0)
        return [spot for spot in found if spot[2] <= least + 0.02]

    def _project(self, piece: int, point: Point) -> tuple[float, float]:
        a, b = (self.plain.points[p] for p in self.pieces[piece][:2])
        across = math.cos(math.radians(point[0]))
        y_1, x_1 = a[0] - point[0], (a[1] - point[1]) * across
        y, x = b[0] - a[0], (b[1] - a[1]) * across
        square = x * x + y * y
        share = 0.0 if not square else min(1.0, max(0.0, -(x_1 * x + y_1 * y) / square))
        return share, math.hypot(x_1 + share * x, y_1 + share * y) * math.radians(1) * EARTH_M

    def seconds_from(
        self, spot: tuple[int, float, float], goals: Iterable[tuple[int, float, float]]
    ) -> list[float]:
        """The least seconds from one place to each of others; infinite where there is no way."""
        graph = nx.MultiDiGraph(self.graph)
        goals = list(goals)
        ends = {"start": spot} | {f"goal {i}": goal for i, goal in enumerate(goals)}
        for name, (piece, share, off_m) in ends.items():
            a, b, metres, (along, against), _ = self.pieces[piece]
            waits = (self.waits.get(a, 0.0) + self.waits.get(b, 0.0)) / 2
            a_end, b_end = ((p, piece) if p in self.blocked else p for p in (a, b))
            forth = None if along is None else metres * along + waits
            back = None if against is None else metres * against + waits
            off_s = off_m * self.off_pace
            is_start = name == "start"
            for node, seconds, part in (
                (b_end if is_start else a_end, forth, 1 - share if is_start else share),
                (a_end if is_start else b_end, back, share if is_start else 1 - share),
            ):
                if seconds is not None or part < 1e-9:
                    pair = (name, node) if is_start else (node, name)
                    graph.add_edge(*pair, seconds=part * (seconds or 0.0) + off_s)
            if not is_start and piece == spot[0]:
                ahead = share - spot[1]
                seconds = forth if ahead >= 0 else back
                if abs(ahead) < 1e-9:
                    seconds = 0.0
                if seconds is not None:
                    graph.add_edge(
                        "start", name, seconds=abs(ahead) * seconds + off_s + spot[2] * self.off_pace
                    )
        found = nx.single_source_dijkstra_path_length(graph, "start", weight="seconds")
        return [found.get(f"goal {i}", math.inf) for i in range(len(goals))]
