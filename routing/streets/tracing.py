"""What a way found looks like: its line on the map, and its stretches by street.

Problem   A search answers with edges; a traveller wants a line and "along this street, up those stairs".
Idea      The way is cut into pieces of edges with their points; pieces of one street become one step.
          Between a point and its street there is a step of its own, off the streets.
Invariant The steps' metres sum to the way's; each step begins where the one before ends.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt

from routing.kernels.street_grid import DEGREE, EDGE, FROM_START_CM, OFF_CM, piece_m
from routing.kernels.streets import AGAINST, ALONG, END, NONE, START, UNLABELLED, Paces, piece_label
from routing.streets.graph import KINDS, StreetGraph
from routing.streets.ways import StepKind, WayStep
from routing.strings import get_string

Point = tuple[float, float]
Spot = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Piece:
    """Part of an edge, between two places on it (centimetres from its start); edge NONE: off the streets."""

    edge: int
    from_cm: int
    to_cm: int
    points: tuple[Point, ...]

    @property
    def length_cm(self) -> int:
        """Centimetres."""
        return abs(self.to_cm - self.from_cm)


def trace_way(
    graph: StreetGraph,
    paces: Paces,
    ends: tuple[Point, Point],
    spots: tuple[Spot, Spot],
    *,
    node: int,
    moves: Sequence[int],
) -> tuple[tuple[Point, ...], tuple[WayStep, ...]]:
    """The points and the steps of what find_moves found between two spots."""
    origin, goal = spots
    on_streets = _list_pieces(graph, paces, origin, goal, node=node, moves=moves)
    pieces = [
        _Piece(NONE, 0, int(origin[OFF_CM]), (ends[0], on_streets[0].points[0])),
        *on_streets,
        _Piece(NONE, 0, int(goal[OFF_CM]), (on_streets[-1].points[-1], ends[1])),
    ]
    pieces = [piece for piece in pieces if piece.length_cm] or pieces[:1]
    steps = _list_steps(graph, pieces)
    points = _join([ends[:1], *(step.points for step in steps), ends[1:]])
    return points, steps


def _list_pieces(
    graph: StreetGraph, paces: Paces, origin: Spot, goal: Spot, *, node: int, moves: Sequence[int]
) -> list[_Piece]:
    lengths, ends = graph.rows.lengths, graph.rows.ends
    if node == NONE:
        return [_piece(graph, int(origin[EDGE]), int(origin[FROM_START_CM]), int(goal[FROM_START_CM]))]
    left_at = int(ends[moves[0] >> 1, moves[0] & 1]) if moves else node
    first = _to_side(graph, paces, origin, left_at, is_leaving=True)
    last = _to_side(graph, paces, goal, node, is_leaving=False)
    whole = []
    for move in moves:
        edge, length = move >> 1, int(lengths[move >> 1])
        whole.append(_piece(graph, edge, 0, length) if move & 1 == ALONG else _piece(graph, edge, length, 0))
    return [
        _piece(graph, int(origin[EDGE]), int(origin[FROM_START_CM]), first),
        *whole,
        _piece(graph, int(goal[EDGE]), last, int(goal[FROM_START_CM])),
    ]


def _to_side(graph: StreetGraph, paces: Paces, spot: Spot, node: int, *, is_leaving: bool) -> int:
    """Where the edge touches the node: 0, or its length. Of a loop's two ends the nearer in time."""
    edge, at = int(spot[EDGE]), int(spot[FROM_START_CM])
    length = int(graph.rows.lengths[edge])
    best, chosen = UNLABELLED + 1, 0
    for side, place in ((START, 0), (END, length)):
        if int(graph.rows.ends[edge, side]) != node:
            continue
        direction = ALONG if (side == END) == is_leaving else AGAINST
        label = int(piece_label(graph.rows, paces, edge, direction, abs(place - at)))
        if label < best:
            best, chosen = label, place
    return chosen


def _piece(graph: StreetGraph, edge: int, from_cm: int, to_cm: int) -> _Piece:
    """The part of an edge between two places, with the points that it is drawn through."""
    grid = graph.grid
    begin, end = int(grid.point_offsets[edge]), int(grid.point_offsets[edge + 1])
    drawn = grid.points[begin:end] / DEGREE
    at_cm = np.cumsum([0.0, *(100 * piece_m(grid.points, point) for point in range(begin, end - 1))])
    at_cm[-1] = graph.rows.lengths[edge]
    low, high = min(from_cm, to_cm), max(from_cm, to_cm)
    within = (at_cm > low) & (at_cm < high)
    at = np.concatenate(([low], at_cm[within], [high]))
    lat, lon = (np.interp(at, at_cm, drawn[:, i]) for i in range(2))
    points = tuple(zip(lat.tolist(), lon.tolist(), strict=True))
    return _Piece(edge, from_cm, to_cm, points if from_cm <= to_cm else points[::-1])


def _list_steps(graph: StreetGraph, pieces: Sequence[_Piece]) -> tuple[WayStep, ...]:
    labels = graph.labels

    def street_of(piece: _Piece) -> tuple[int, int]:
        if piece.edge == NONE:
            return (0, KINDS.index(StepKind.OFF_STREET))
        return (int(labels.names[piece.edge]), int(labels.kinds[piece.edge]))

    steps, done_cm = [], 0
    for (name, kind), grouped in groupby(pieces, street_of):
        group = list(grouped)
        before_cm = done_cm
        done_cm += sum(piece.length_cm for piece in group)
        edge = group[0].edge
        steps.append(
            WayStep(
                name=get_string(graph.names, name),
                # Rounded where the step ends, so that all of them sum to the whole.
                metres=(done_cm + 50) // 100 - (before_cm + 50) // 100,
                kind=KINDS[kind],
                points=_join(piece.points for piece in group),
                way_id=0 if edge == NONE else int(labels.way_ids[edge]),
                level=0.0 if edge == NONE else float(labels.levels[edge]),
            )
        )
    return tuple(steps)


def _join(lines: Iterable[Sequence[Point]]) -> tuple[Point, ...]:
    """The lines end to end, no point twice in a row, two points at least."""
    points: list[Point] = []
    for line in lines:
        for point in line:
            if not points or points[-1] != point:
                points.append(point)
    return tuple(points) if len(points) > 1 else (points[0], points[0])
