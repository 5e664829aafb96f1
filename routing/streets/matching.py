"""How far points are from the streets."""

from collections.abc import Sequence

import numpy as np

from routing.kernels.street_grid import OFF_CM, SPOT_WIDTH, find_spot
from routing.streets.graph import StreetGraph
from routing.streets.ways import Profile


def list_distances_m(
    graph: StreetGraph, points: Sequence[tuple[float, float]], profile: Profile
) -> list[float | None]:
    """Of each point, metres to the nearest street that one may set out on; None if none is near by."""
    usable, spot = graph.list_usable(profile), np.empty(SPOT_WIDTH, dtype=np.int64)
    found = []
    for lat, lon in points:
        is_found = find_spot(graph.grid, graph.rows.lengths, usable, lat, lon, spot)
        found.append(int(spot[OFF_CM]) / 100 if is_found else None)
    return found
