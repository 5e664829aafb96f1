"""Which street is nearest to a point.

Problem   A door is no crossing: it must be put onto the nearest street that one may use.
Idea      The map is cut into cells of a thousandth of a degree; each lists the pieces of streets in it. Cells
          are looked at in rings around the point, until the next ring is farther away than what was found.
Invariant No usable edge is nearer than the one found; of equally near ones it is the first.
Twin      tests/oracles/streets.py
"""

# ruff: noqa: PLR0917 - compiled functions are called by position

from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from routing.kernels.arrays import Int32

Int64 = npt.NDArray[np.int64]

DEGREE = 10_000_000
"""Coordinates are stored in ten-millionths of a degree, as OpenStreetMap does."""

CELL = 10_000
"""A cell's side in those units."""

COLUMNS = 400_000
"""More than there are cells around the earth; a cell's key is row * COLUMNS + column."""

EARTH_RADIUS_M = 6_371_009.0
METRES_A_DEGREE = 111_195.0
FAR_CM = 25_000
"""A point farther than this from every usable street is off the streets."""

EDGE, FROM_START_CM, OFF_CM, SPOT_WIDTH = range(4)


class GridRows(NamedTuple):
    """Where streets are. E edges, P points, K cells.

    point_offsets int32[E+1]  edge e is drawn through points[point_offsets[e] : point_offsets[e+1]]
    points        int32[P, 2] latitude, longitude, ten-millionths of a degree
    cell_keys     int64[K]    the cells in which there are streets, rising
    cell_offsets  int32[K+1]  cell k owns pieces[cell_offsets[k] : cell_offsets[k+1]]
    pieces        int32[]     points from which a piece of an edge leads to the next point
    """

    point_offsets: Int32
    points: Int32
    cell_keys: Int64
    cell_offsets: Int32
    pieces: Int32


@numba.njit(nogil=True, cache=True)
def find_spot(
    grid: GridRows,
    lengths: Int32,
    usable: npt.NDArray[np.bool_],
    lat: float,
    lon: float,
    out: Int64,
) -> bool:
    """The nearest place on a usable edge.

    lengths  int32[E]  centimetres; usable bool[E]; lat, lon degrees
    out      int64[SPOT_WIDTH]  written: the edge, centimetres along it, centimetres from the point to there
    Returns  False if there is none within FAR_CM.
    """
    row = int(np.floor((lat + 90.0) * DEGREE / CELL))
    column = int(np.floor((lon + 180.0) * DEGREE / CELL))
    across = METRES_A_DEGREE * np.cos(np.radians(lat))
    cell_m = min(METRES_A_DEGREE, across) * CELL / DEGREE
    nearest = np.empty(4, dtype=np.float64)
    nearest[0] = FAR_CM / 100.0
    nearest[1] = -1.0
    ring = 0
    while True:
        for r in range(row - ring, row + ring + 1):
            if r == row - ring or r == row + ring:
                _look(grid, usable, r, column - ring, column + ring, lat, lon, across, nearest)
            else:
                _look(grid, usable, r, column - ring, column - ring, lat, lon, across, nearest)
                _look(grid, usable, r, column + ring, column + ring, lat, lon, across, nearest)
        # Everything nearer than this has been seen (a percent is left for the plane being none).
        if ring * cell_m * 0.99 >= nearest[0]:
            break
        ring += 1
    if nearest[1] < 0.0:
        return False
    point, edge = int(nearest[1]), int(nearest[2])
    out[EDGE] = edge
    out[OFF_CM] = int(np.rint(nearest[0] * 100))
    along_m = 0.0
    for p in range(grid.point_offsets[edge], point):
        along_m += piece_m(grid.points, p)
    along_m += nearest[3] * piece_m(grid.points, point)
    out[FROM_START_CM] = min(max(int(np.rint(along_m * 100)), 0), int(lengths[edge]))
    return True


@numba.njit(nogil=True, cache=True)
def piece_m(points: Int32, point: int) -> float:
    """Metres from a point to the next, on the sphere."""
    phi_1, phi_2 = np.radians(points[point, 0] / DEGREE), np.radians(points[point + 1, 0] / DEGREE)
    turned = np.radians((points[point + 1, 1] - points[point, 1]) / DEGREE)
    half = np.sin((phi_2 - phi_1) / 2) ** 2 + np.cos(phi_1) * np.cos(phi_2) * np.sin(turned / 2) ** 2
    return float(2 * EARTH_RADIUS_M * np.arcsin(min(1.0, np.sqrt(half))))


@numba.njit(nogil=True, cache=True)
def measure_edges(grid: GridRows, lengths: Int32) -> None:
    """Fill int32[E] with each edge's centimetres, one at least."""
    for edge in range(len(lengths)):
        metres = 0.0
        for p in range(grid.point_offsets[edge], grid.point_offsets[edge + 1] - 1):
            metres += piece_m(grid.points, p)
        lengths[edge] = max(1, int(np.rint(metres * 100)))


@numba.njit(nogil=True, cache=True)
def _look(
    grid: GridRows,
    usable: npt.NDArray[np.bool_],
    row: int,
    column_from: int,
    column_to: int,
    lat: float,
    lon: float,
    across: float,
    nearest: npt.NDArray[np.float64],
) -> None:
    """Try the pieces of some cells of a row. nearest: metres, the piece's point, the edge, the share."""
    low, high = np.int64(row) * COLUMNS + column_from, np.int64(row) * COLUMNS + column_to
    k = np.searchsorted(grid.cell_keys, low)
    while k < len(grid.cell_keys) and grid.cell_keys[k] <= high:
        for i in range(grid.cell_offsets[k], grid.cell_offsets[k + 1]):
            point = grid.pieces[i]
            y_1 = (grid.points[point, 0] / DEGREE - lat) * METRES_A_DEGREE
            x_1 = (grid.points[point, 1] / DEGREE - lon) * across
            y = (grid.points[point + 1, 0] - grid.points[point, 0]) / DEGREE * METRES_A_DEGREE
            x = (grid.points[point + 1, 1] - grid.points[point, 1]) / DEGREE * across
            square = x * x + y * y
            share = 0.0 if square == 0.0 else min(1.0, max(0.0, -(x_1 * x + y_1 * y) / square))
            metres = np.sqrt((x_1 + share * x) ** 2 + (y_1 + share * y) ** 2)
            if metres > nearest[0] or (metres == nearest[0] and point >= nearest[1] >= 0.0):
                continue
            edge = np.searchsorted(grid.point_offsets, point, side="right") - 1
            if usable[edge]:
                nearest[0], nearest[1], nearest[2], nearest[3] = metres, point, edge, share
        k += 1
