"""Ways along streets: from a point to many, up to a limit.

Problem   A search needs the seconds from a door to each stop around it; a city has a million crossings.
Idea      Dijkstra's algorithm from the two ends of the edge where the point is, with a heap whose entries can
          be moved up, until the limit; targets too are in the middle of edges. A label holds milliseconds
          and, below them, centimetres: of equally fast ways the shortest counts, so the answer is one pair of
          numbers whichever way round it is searched. All of it integers, so sums have no order.
Invariant Between searches all labels are UNLABELLED. Forward from A to B is what backward from B to A is.
Source    Dijkstra 1959; Goldberg and Silverstein 1997 on why plain heaps do for bounded searches.
Twin      tests/oracles/streets.py
"""

# ruff: noqa: PLR0917 - compiled functions are called by position

from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from routing.kernels.arrays import Int32
from routing.kernels.street_grid import (
    EDGE,
    FROM_START_CM,
    METRES_A_DEGREE,
    OFF_CM,
    SPOT_WIDTH,
    GridRows,
    find_spot,
)

Int64 = npt.NDArray[np.int64]

NONE = -1
"""arrays.NONE as a plain number: tuples of it and of nodes are of one type."""

CM_BITS = 28
"""Below this the centimetres of a label, above it the milliseconds: ways up to 2,684 km."""

CM_MASK = (1 << CM_BITS) - 1
UNLABELLED = 1 << 62
MS_MAX = 1 << 33
"""A hundred days: no limit is beyond this."""

HEAD, MOVE, LENGTH_CM, CLASS, ARC_WIDTH = range(5)
START, END = range(2)
ALONG, AGAINST = range(2)


class StreetRows(NamedTuple):
    """The graph. N nodes, E edges, C classes. A move is an edge taken along (2e) or against (2e + 1) its way.

    first     int32[N+1]   node n owns arcs[first[n] : first[n+1]]
    arcs      int32[2E, ARC_WIDTH]  HEAD the node it leads to, MOVE, LENGTH_CM > 0, CLASS
    ends      int32[E, 2]  the nodes where the edge starts and ends
    lengths   int32[E]     centimetres
    classes   uint16[E]    what decides how one moves there
    blocked   uint8[N]     bits of profiles that do not get past the node
    """

    first: Int32
    arcs: Int32
    ends: Int32
    lengths: Int32
    classes: npt.NDArray[np.uint16]
    blocked: npt.NDArray[np.uint8]


class Paces(NamedTuple):
    """How one moves.

    us_per_cm int64[C, 2]  microseconds for a centimetre of that class, along and against; NONE if forbidden
    extra_us  int64[C, 2]  microseconds besides
    profile   int64        the profile's bit in `blocked`
    off_us_per_cm int64    between a point and the street nearest to it
    """

    us_per_cm: Int64
    extra_us: Int64
    profile: int
    off_us_per_cm: int


class StreetWorkspace(NamedTuple):
    """What a search writes. N nodes.

    labels  int64[N]  UNLABELLED between searches
    moves   int32[N]  the move by which the node was reached; NONE from the point itself
    heap    int32[N]  nodes in the order of a heap; places int32[N] where each is in it, NONE once it has left
    touched int32[N]  the labelled nodes, for clearing
    """

    labels: Int64
    moves: Int32
    heap: Int32
    places: Int32
    touched: Int32


@numba.njit(nogil=True, cache=True)
def measure_targets(
    rows: StreetRows,
    grid: GridRows,
    paces: Paces,
    usable: npt.NDArray[np.bool_],
    lat: float,
    lon: float,
    targets: npt.NDArray[np.float64],
    reach_m: float,
    limit_ms: int,
    is_backwards: bool,  # noqa: FBT001 - compiled
    work: StreetWorkspace,
    out: Int64,
) -> bool:
    """Measure the ways from a point to each target (back: to the point).

    usable    bool[E]     edges where one may enter the streets
    targets   float64[n, 2]  degrees
    reach_m   float       targets farther than this as the crow flies are beyond the limit, and not looked for
    limit_ms  int         0 .. MS_MAX
    out       int64[n]    written: a label's value; UNLABELLED beyond the limit; NONE off the streets
    Returns   False if the point itself is off the streets (and `out` is not written).
    """
    origin = np.empty(SPOT_WIDTH, dtype=np.int64)
    if not find_spot(grid, rows.lengths, usable, lat, lon, origin):
        return False
    spot = np.empty(SPOT_WIDTH, dtype=np.int64)
    bound = (limit_ms + 1) << CM_BITS
    size = _enter(rows, paces, origin, is_backwards, bound, work)
    count = _settle(rows, paces, (NONE, NONE), (0, 0), bound, is_backwards, work, size)
    across = METRES_A_DEGREE * np.cos(np.radians(lat))
    for i in range(len(targets)):
        out[i] = UNLABELLED
        north, east = (targets[i, 0] - lat) * METRES_A_DEGREE, (targets[i, 1] - lon) * across
        if north * north + east * east > reach_m * reach_m:
            continue
        if targets[i, 0] == lat and targets[i, 1] == lon:
            out[i] = 0
        elif not find_spot(grid, rows.lengths, usable, targets[i, 0], targets[i, 1], spot):
            out[i] = NONE
        else:
            key, _ = _reach(rows, paces, origin, spot, is_backwards, work)
            if key < bound:
                out[i] = key
    _clear(work, count)
    return True


@numba.njit(nogil=True, cache=True)
def find_moves(
    rows: StreetRows,
    paces: Paces,
    origin: Int64,
    goal: Int64,
    work: StreetWorkspace,
) -> tuple[int, int, Int32]:
    """The fastest way between two places on edges, forward.

    origin, goal  int64[SPOT_WIDTH]  as find_spot wrote them
    Returns the label's value (UNLABELLED if they are not joined), the node from which the goal is reached
    (NONE if the way is along one edge that both are on), and the moves over whole edges before it.
    """
    bound, is_backwards = UNLABELLED, False
    direct = _direct(rows, paces, origin, goal, is_backwards)
    size = _enter(rows, paces, origin, is_backwards, bound, work)
    edge = int(goal[EDGE])
    off = _off(paces, goal)
    via_start = piece_label(rows, paces, edge, ALONG, goal[FROM_START_CM])
    via_end = piece_label(rows, paces, edge, AGAINST, rows.lengths[edge] - goal[FROM_START_CM])
    start = int(rows.ends[edge, START]) if via_start != UNLABELLED else NONE
    end = int(rows.ends[edge, END]) if via_end != UNLABELLED else NONE
    if direct != UNLABELLED:
        bound = direct
    after = (via_start + off, via_end + off)
    count = _settle(rows, paces, (start, end), after, bound, is_backwards, work, size)
    key, node = _reach(rows, paces, origin, goal, is_backwards, work)
    length = 0
    at = node
    while at != NONE and work.moves[at] != NONE:
        length += 1
        at = _tail(rows, work.moves[at])
    moves = np.empty(length, dtype=np.int32)
    at = node
    for i in range(length - 1, -1, -1):
        moves[i] = work.moves[at]
        at = _tail(rows, work.moves[at])
    _clear(work, count)
    return key, node, moves


@numba.njit(nogil=True, cache=True)
def join_edges(rows: StreetRows, paces: Paces, groups: Int32) -> None:
    """Number the groups of edges that the profile can pass between, directions aside.

    groups  int32[E]  written: an edge of the group, the same for all of it; NONE where one may not pass
    """
    for edge in range(len(groups)):
        cls = rows.classes[edge]
        is_open = paces.us_per_cm[cls, ALONG] != NONE or paces.us_per_cm[cls, AGAINST] != NONE
        groups[edge] = edge if is_open else NONE
    for node in range(len(rows.blocked)):
        if rows.blocked[node] & paces.profile:
            continue
        joined = NONE
        for arc in range(rows.first[node], rows.first[node + 1]):
            edge = int(rows.arcs[arc, MOVE] >> 1)
            if groups[edge] == NONE:
                continue
            root = int(_root(groups, edge))
            if joined == NONE:
                joined = root
            elif root != joined:
                groups[root] = joined
    for edge in range(len(groups)):
        if groups[edge] != NONE:
            groups[edge] = _root(groups, edge)


@numba.njit(nogil=True, cache=True)
def _root(groups: Int32, edge: int) -> int:
    while groups[edge] != edge:
        groups[edge] = groups[groups[edge]]
        edge = groups[edge]
    return edge


@numba.njit(nogil=True, cache=True)
def _tail(rows: StreetRows, move: int) -> int:
    """The node that a move leaves."""
    return int(rows.ends[move >> 1, move & 1])


@numba.njit(nogil=True, cache=True)
def _whole_ms(paces: Paces, cls: int, length_cm: int, direction: int) -> int:
    """Milliseconds along an edge; NONE if one may not."""
    pace = int(paces.us_per_cm[cls, direction])
    if pace == NONE:
        return NONE
    return (length_cm * pace + int(paces.extra_us[cls, direction])) // 1000


@numba.njit(nogil=True, cache=True)
def piece_label(rows: StreetRows, paces: Paces, edge: int, direction: int, cm: int) -> int:
    """The label of so many centimetres of an edge; UNLABELLED if one may not. No step needs no leave."""
    if cm == 0:
        return 0
    length_cm = int(rows.lengths[edge])
    ms = _whole_ms(paces, int(rows.classes[edge]), length_cm, direction)
    if ms == NONE:
        return UNLABELLED
    return ((ms * cm // length_cm) << CM_BITS) + cm


@numba.njit(nogil=True, cache=True)
def _off(paces: Paces, spot: Int64) -> int:
    """The label of the way between a point and its street."""
    off_cm = int(spot[OFF_CM])
    return ((off_cm * paces.off_us_per_cm // 1000) << CM_BITS) + off_cm


@numba.njit(nogil=True, cache=True)
def _direct(
    rows: StreetRows,
    paces: Paces,
    origin: Int64,
    spot: Int64,
    is_backwards: bool,  # noqa: FBT001
) -> int:
    """The label of the way along one edge, if both are on one; else UNLABELLED."""
    edge = int(origin[EDGE])
    if spot[EDGE] != edge:
        return UNLABELLED
    ahead = int(spot[FROM_START_CM] - origin[FROM_START_CM])
    if is_backwards:
        ahead = -ahead
    best = UNLABELLED
    if ahead >= 0:
        best = piece_label(rows, paces, edge, ALONG, ahead)
    if ahead <= 0:
        best = min(best, piece_label(rows, paces, edge, AGAINST, -ahead))
    if best == UNLABELLED:
        return UNLABELLED
    return best + _off(paces, origin) + _off(paces, spot)


@numba.njit(nogil=True, cache=True)
def _enter(
    rows: StreetRows,
    paces: Paces,
    origin: Int64,
    is_backwards: bool,  # noqa: FBT001
    bound: int,
    work: StreetWorkspace,
) -> int:
    """Label both ends of the edge where the search begins. Returns how many are in the heap, and touched."""
    edge, off = int(origin[EDGE]), _off(paces, origin)
    size = 0
    for side in range(2):
        node = int(rows.ends[edge, side])
        cm = int(origin[FROM_START_CM] if side == START else rows.lengths[edge] - origin[FROM_START_CM])
        direction = ALONG if (side == END) != is_backwards else AGAINST
        piece = piece_label(rows, paces, edge, direction, cm)
        if piece == UNLABELLED or rows.blocked[node] & paces.profile or piece + off >= bound:
            continue
        if piece + off >= work.labels[node]:
            continue
        if work.labels[node] == UNLABELLED:
            work.places[node] = size
            work.touched[size] = node
            size += 1
        work.labels[node] = piece + off
        work.moves[node] = NONE
        _rise(work, node, work.places[node])
    return size


@numba.njit(nogil=True, cache=True)
def _settle(
    rows: StreetRows,
    paces: Paces,
    goals: tuple[int, int],
    after: tuple[int, int],
    bound: int,
    is_backwards: bool,  # noqa: FBT001
    work: StreetWorkspace,
    size: int,
) -> int:
    """Label everything nearer than `bound`. Returns how many nodes are touched.

    goals, after  nodes from which the goal is reached (or NONE), and what is left there: they lower `bound`
    size          entries in the heap
    """
    count = size
    while size > 0:
        node = int(work.heap[0])
        size -= 1
        if size > 0:
            _sink(work, int(work.heap[size]), size)
        work.places[node] = NONE
        label = int(work.labels[node])
        if label >= bound:
            break
        for side in range(2):
            if node == goals[side]:
                bound = min(bound, label + after[side])
        for arc in range(rows.first[node], rows.first[node + 1]):
            head = int(rows.arcs[arc, HEAD])
            key = label + _arc_label(rows, paces, arc, is_backwards)
            if key >= work.labels[head] or key >= bound or rows.blocked[head] & paces.profile:
                continue
            if work.labels[head] == UNLABELLED:
                work.places[head] = size
                work.touched[count] = head
                size += 1
                count += 1
            work.labels[head] = key
            work.moves[head] = rows.arcs[arc, MOVE]
            _rise(work, head, work.places[head])
    return count


@numba.njit(nogil=True, cache=True)
def _arc_label(rows: StreetRows, paces: Paces, arc: int, is_backwards: bool) -> int:  # noqa: FBT001
    """The label of a whole edge, taken as the arc leads (back: against it); UNLABELLED if one may not."""
    direction = int(rows.arcs[arc, MOVE] & 1)
    if is_backwards:
        direction ^= 1
    cm = int(rows.arcs[arc, LENGTH_CM])
    ms = _whole_ms(paces, int(rows.arcs[arc, CLASS]), cm, direction)
    return UNLABELLED if ms == NONE else (ms << CM_BITS) + cm


@numba.njit(nogil=True, cache=True)
def _reach(
    rows: StreetRows,
    paces: Paces,
    origin: Int64,
    spot: Int64,
    is_backwards: bool,  # noqa: FBT001
    work: StreetWorkspace,
) -> tuple[int, int]:
    """The label of a place on an edge, and the node it is reached from (NONE: along the origin's edge)."""
    edge, off = int(spot[EDGE]), _off(paces, spot)
    best, via = _direct(rows, paces, origin, spot, is_backwards), NONE
    for side in range(2):
        node = int(rows.ends[edge, side])
        cm = int(spot[FROM_START_CM] if side == START else rows.lengths[edge] - spot[FROM_START_CM])
        direction = ALONG if (side == START) != is_backwards else AGAINST
        piece = piece_label(rows, paces, edge, direction, cm)
        if piece == UNLABELLED or work.labels[node] == UNLABELLED:
            continue
        if work.labels[node] + piece + off < best:
            best, via = int(work.labels[node]) + piece + off, node
    return best, via


@numba.njit(nogil=True, cache=True)
def _rise(work: StreetWorkspace, node: int, place: int) -> None:
    """Move a node up the heap to where its label belongs."""
    label = work.labels[node]
    while place > 0:
        parent = (place - 1) >> 2
        other = work.heap[parent]
        if work.labels[other] <= label:
            break
        work.heap[place] = other
        work.places[other] = place
        place = parent
    work.heap[place] = node
    work.places[node] = place


@numba.njit(nogil=True, cache=True)
def _sink(work: StreetWorkspace, node: int, size: int) -> None:
    """Put a node at the top of the heap, and down to where its label belongs."""
    label = work.labels[node]
    place = 0
    while True:
        child = 4 * place + 1
        if child >= size:
            break
        least = child
        for other in range(child + 1, min(child + 4, size)):
            if work.labels[work.heap[other]] < work.labels[work.heap[least]]:
                least = other
        if work.labels[work.heap[least]] >= label:
            break
        work.heap[place] = work.heap[least]
        work.places[work.heap[place]] = place
        place = least
    work.heap[place] = node
    work.places[node] = place


@numba.njit(nogil=True, cache=True)
def _clear(work: StreetWorkspace, count: int) -> None:
    for i in range(count):
        work.labels[work.touched[i]] = UNLABELLED


def allocate_street_workspace(node_count: int) -> StreetWorkspace:
    """A fresh workspace for a graph of so many nodes."""
    return StreetWorkspace(
        labels=np.full(node_count, UNLABELLED, dtype=np.int64),
        moves=np.empty(node_count, dtype=np.int32),
        heap=np.empty(node_count, dtype=np.int32),
        places=np.empty(node_count, dtype=np.int32),
        touched=np.empty(node_count, dtype=np.int32),
    )
