"""Ways along a loaded street graph.

Problem   Where streets are known, seconds and metres shall be theirs; where they are not, a search goes on.
Idea      `measure` is one call of a compiled search. A point with no usable street near it (another island,
          the sea, beyond the extract) is measured by beeline, and says that it is an estimate. Points on
          streets that are not joined, or too far, are BEYOND: no estimate sends a wheelchair up stairs.
Invariant measure and find_way agree; so do forward and backward. Safe to use from several threads.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from threading import Lock

import numpy as np
import numpy.typing as npt

from routing.kernels.street_grid import SPOT_WIDTH, find_spot
from routing.kernels.streets import (
    CM_BITS,
    CM_MASK,
    MS_MAX,
    NONE,
    UNLABELLED,
    Paces,
    StreetWorkspace,
    allocate_street_workspace,
    find_moves,
    measure_targets,
)
from routing.streets.graph import PROFILE_BITS, StreetGraph
from routing.streets.tracing import trace_way
from routing.streets.ways import BEYOND, ON_FOOT, BeelineWays, Manner, Profile, Reached, Way

_MANNERS_KEPT = 64


class StreetWays:
    """Ways along these streets; see routing/streets/ways.py."""

    def __init__(self, graph: StreetGraph) -> None:
        self.graph = graph
        self._beeline = BeelineWays()
        self._kept: list[StreetWorkspace] = []
        self._lock = Lock()
        # With a pram one goes as in a wheelchair here (Manner.on_streets).
        self._usable: dict[Profile, npt.NDArray[np.bool_]] = {
            profile: graph.list_usable(profile) for profile in PROFILE_BITS
        }
        self._paces = lru_cache(maxsize=_MANNERS_KEPT)(graph.make_paces)

    def measure(
        self,
        lat: float,
        lon: float,
        targets_lat: Sequence[float] | np.ndarray,
        targets_lon: Sequence[float] | np.ndarray,
        *,
        manner: Manner = ON_FOOT,
        limit_s: int,
        is_backwards: bool = False,
    ) -> Reached:
        """See Ways."""
        targets = np.stack(
            [np.asarray(targets_lat, dtype=np.float64), np.asarray(targets_lon, dtype=np.float64)], axis=1
        )

        def estimate(chosen: npt.NDArray[np.float64]) -> Reached:
            return self._beeline.measure(
                lat,
                lon,
                chosen[:, 0],
                chosen[:, 1],
                manner=manner,
                limit_s=limit_s,
                is_backwards=is_backwards,
            )

        paces = self._paces(manner)
        limit_ms = min(max(limit_s, -1) * 1000, MS_MAX)
        found = np.empty(len(targets), dtype=np.int64)
        with self._workspace() as work:
            is_on_streets = measure_targets(
                self.graph.rows,
                self.graph.grid,
                paces,
                self._usable[manner.profile],
                lat,
                lon,
                targets,
                _reach_m(paces, limit_ms),
                limit_ms,
                is_backwards,
                work,
                found,
            )
        if not is_on_streets:
            return estimate(targets)
        reached = _read_labels(found)
        off = np.flatnonzero(found == NONE)
        if len(off):
            told = estimate(targets[off])
            for column, estimated in zip(
                (reached.seconds, reached.metres, reached.is_estimate),
                (told.seconds, told.metres, told.is_estimate),
                strict=True,
            ):
                column[off] = estimated
        return reached

    def find_way(
        self, start: tuple[float, float], goal: tuple[float, float], *, manner: Manner = ON_FOOT
    ) -> Way | None:
        """See Ways."""
        spots = [self._find_spot(point, manner.profile) for point in (start, goal)]
        if spots[0] is None or spots[1] is None:
            return self._beeline.find_way(start, goal, manner=manner)
        if start == goal:
            return Way(seconds=0, metres=0, points=(start, goal), is_estimate=False)
        paces = self._paces(manner)
        with self._workspace() as work:
            label, node, moves = find_moves(self.graph.rows, paces, spots[0], spots[1], work)
        if label == UNLABELLED:
            return None
        points, steps = trace_way(
            self.graph, paces, (start, goal), (spots[0], spots[1]), node=int(node), moves=moves.tolist()
        )
        return Way(
            seconds=-(-(int(label) >> CM_BITS) // 1000),
            metres=((int(label) & CM_MASK) + 50) // 100,
            points=points,
            is_estimate=False,
            steps=steps,
        )

    def _find_spot(self, point: tuple[float, float], profile: Profile) -> npt.NDArray[np.int64] | None:
        spot = np.empty(SPOT_WIDTH, dtype=np.int64)
        graph = self.graph
        is_found = find_spot(graph.grid, graph.rows.lengths, self._usable[profile], point[0], point[1], spot)
        return spot if is_found else None

    @contextmanager
    def _workspace(self) -> Iterator[StreetWorkspace]:
        """Memory to search in; a search that fails in the middle does not give it back."""
        with self._lock:
            work = self._kept.pop() if self._kept else None
        if work is None:
            work = allocate_street_workspace(self.graph.node_count)
        yield work
        with self._lock:
            self._kept.append(work)


def _read_labels(found: npt.NDArray[np.int64]) -> Reached:
    seconds = np.full(len(found), BEYOND, dtype=np.int32)
    metres = np.full(len(found), BEYOND, dtype=np.int32)
    at = np.flatnonzero((found != UNLABELLED) & (found != NONE))
    seconds[at] = -(-(found[at] >> CM_BITS) // 1000)
    metres[at] = ((found[at] & CM_MASK) + 50) // 100
    return Reached(seconds, metres, np.zeros(len(found), dtype=np.bool_))


def _reach_m(paces: Paces, limit_ms: int) -> float:
    """No way within the limit leads farther than this from where it begins, as the crow flies."""
    open_paces = paces.us_per_cm[paces.us_per_cm > 0]
    least = min(int(open_paces.min(initial=paces.off_us_per_cm)), paces.off_us_per_cm)
    # A percent for the plane being none, a metre for rounding.
    return limit_ms * 10 / least * 1.01 + 1.0
