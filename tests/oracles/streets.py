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
Spot = tuple[int, float, float]
"""A place on a piece: which, the share of it, metres off."""

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
        for i, (a, b, *_) in enumerate(self.pieces):
            # A blocked point is another one for each piece that ends there, so nothing passes.
            ends = tuple((p, i) if p in self.blocked else p for p in (a, b))
            along, against = self._whole_s(i)
            if along is not None:
                self.graph.add_edge(ends[0], ends[1], seconds=along, piece=i)
            if against is not None:
                self.graph.add_edge(ends[1], ends[0], seconds=against, piece=i)
        self.main = self._find_main()

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

    def spots(self, point: Point) -> list[Spot]:
        """The nearest places on pieces; several if they are equally near."""
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

    def seconds_from(self, spot: Spot, goals: Iterable[Spot]) -> list[float]:
        """The least seconds from one place to each of others; infinite where there is no way."""
        for node, seconds in self._ways_between(spot, is_leaving=True):
            self.graph.add_edge("start", node, seconds=seconds)
        found = {}
        if "start" in self.graph:
            found = nx.single_source_dijkstra_path_length(self.graph, "start", weight="seconds")
            self.graph.remove_node("start")
        times = []
        for goal in goals:
            tries = [
                found[node] + seconds
                for node, seconds in self._ways_between(goal, is_leaving=False)
                if node in found
            ]
            times.append(min([*tries, *self._along_one(spot, goal)], default=math.inf))
        return times

    def _ways_between(self, spot: Spot, *, is_leaving: bool) -> list[tuple[object, float]]:
        """The ends of its piece, and the seconds between the point and there."""
        piece, share, off_m = spot
        a, b, *_ = self.pieces[piece]
        ends = [(p, piece) if p in self.blocked else p for p in (a, b)]
        along, against = self._whole_s(piece)
        ways = [(ends[1], along, 1 - share), (ends[0], against, share)]
        if not is_leaving:
            ways = [(ends[0], along, share), (ends[1], against, 1 - share)]
        return [
            (node, part * (seconds or 0.0) + off_m * self.off_pace)
            for node, seconds, part in ways
            if seconds is not None or part < 1e-9
        ]

    def _whole_s(self, piece: int) -> Pace:
        a, b, metres, (along, against), _ = self.pieces[piece]
        waits = (self.waits.get(a, 0.0) + self.waits.get(b, 0.0)) / 2
        return (
            None if along is None else metres * along + waits,
            None if against is None else metres * against + waits,
        )

    def _along_one(self, spot: Spot, goal: Spot) -> list[float]:
        """The seconds from one place to another of the same piece, along it."""
        ahead = goal[1] - spot[1]
        seconds = self._whole_s(spot[0])[0 if ahead >= 0 else 1]
        if goal[0] != spot[0] or (seconds is None and abs(ahead) >= 1e-9):
            return []
        return [abs(ahead) * (seconds or 0.0) + (spot[2] + goal[2]) * self.off_pace]
