"""A compiled street graph: arrays in a folder, opened by memory map and shared by processes.

Problem   A city has a million crossings; every planner process needs them, and has no memory for them.
Idea      As routing/timetable.py does: numbers and packed strings, one .npy file an array. What decides how
          one moves on an edge is a class, of which there are few hundreds; so any speed is a small table,
          made when it is first asked for.
Not here  How it is made (compiling.py), what tags mean (rules.py), the search (kernels/streets.py).
Invariant `check` asserts what the kernels rely on; it runs when a graph is compiled, not on opening.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from routing.errors import StreetsUnreadable
from routing.kernels.arrays import Int32
from routing.kernels.street_grid import DEGREE, GridRows
from routing.kernels.streets import NONE, Paces, StreetRows
from routing.streets.rules import PROFILES, PUSHED_M_S
from routing.streets.ways import Manner, Profile, StepKind
from routing.strings import Strings, check_strings
from routing.timetable import map_array

FORMAT = 1
KINDS = tuple(StepKind)
"""In this order kinds are stored."""

PROFILE_BITS = {profile: 1 << i for i, profile in enumerate(PROFILES)}


class StreetLabels(NamedTuple):
    """What edges are called. E edges.

    names   int32[E]   index into `names`; 0 is no name
    kinds   uint8[E]   index of KINDS
    way_ids int64[E]   OpenStreetMap's
    levels  float32[E] the floor
    on_main uint8[E]   bits of profiles to whom it is no island: from there one gets to many other streets
    passages int32[C, 3, 2, 3]  of each class, profile and direction: rules.Passage; NONE if forbidden
    """

    names: Int32
    kinds: npt.NDArray[np.uint8]
    way_ids: npt.NDArray[np.int64]
    levels: npt.NDArray[np.float32]
    on_main: npt.NDArray[np.uint8]
    passages: Int32


@dataclass(frozen=True, kw_only=True)
class StreetGraph:
    """See the module. `version` is a digest of the map it was made of."""

    version: str
    rows: StreetRows
    grid: GridRows
    labels: StreetLabels
    names: Strings

    @property
    def node_count(self) -> int:
        """Crossings and ends."""
        return len(self.rows.blocked)

    @property
    def edge_count(self) -> int:
        """Stretches of street between them."""
        return len(self.rows.lengths)

    @cached_property
    def bounds(self) -> tuple[float, float, float, float]:
        """The least and greatest latitude and longitude: lat, lon, lat, lon."""
        low, high = self.grid.points.min(axis=0) / DEGREE, self.grid.points.max(axis=0) / DEGREE
        return (float(low[0]), float(low[1]), float(high[0]), float(high[1]))

    def make_paces(self, manner: Manner) -> Paces:
        """The kernel's table for somebody who moves so."""
        of_class = self.labels.passages[:, PROFILES.index(manner.profile)].astype(np.int64)
        level, fixed_a_metre, fixed = (of_class[:, :, i] for i in range(3))
        us_per_cm = np.rint(level * (10.0 / manner.pace_m_s)).astype(np.int64) + fixed_a_metre * 10
        off_m_s = min(PUSHED_M_S, manner.pace_m_s) if manner.profile is Profile.BIKE else manner.pace_m_s
        return Paces(
            us_per_cm=np.where(level == NONE, NONE, us_per_cm),
            extra_us=np.where(level == NONE, 0, fixed * 1000),
            profile=PROFILE_BITS[manner.profile],
            off_us_per_cm=round(10_000 / off_m_s),
        )

    def list_usable(self, profile: Profile) -> npt.NDArray[np.bool_]:
        """bool[E]: where somebody may enter the streets."""
        return np.asarray(self.labels.on_main & PROFILE_BITS[profile] != 0, dtype=np.bool_)

    def check(self) -> None:
        """Assert every invariant that the kernels rely on."""
        check_strings(self.names)
        _check_rows(self.rows, class_count=len(self.labels.passages))
        _check_grid(self.grid, edge_count=self.edge_count)
        for column in (self.labels.names, self.labels.kinds, self.labels.way_ids, self.labels.levels):
            assert len(column) == self.edge_count, "every edge has its labels"
        assert (self.labels.names < len(self.names.order)).all(), "a name is known"

    def save(self, folder: Path) -> None:
        """Write all arrays and a manifest into `folder`, which must not exist or be empty."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in GROUPS:
            group = getattr(self, name)
            for field, array in group._asdict().items():
                np.save(folder / f"{name}.{field}.npy", array, allow_pickle=False)
        # The manifest comes last: a folder with one is complete.
        (folder / "manifest.json").write_text(json.dumps({"format": FORMAT, "version": self.version}))


GROUPS: Mapping[str, type] = {
    "rows": StreetRows,
    "grid": GridRows,
    "labels": StreetLabels,
    "names": Strings,
}


def open_streets(folder: Path) -> StreetGraph:
    """Open a saved graph by memory map. Raises StreetsUnreadable."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
        if manifest["format"] != FORMAT:
            raise StreetsUnreadable(
                f"{folder} has streets of format {manifest['format']}, this program reads {FORMAT}; "
                "compile the map again"
            )
        groups: dict[str, Any] = {name: _open_group(folder, name, kind) for name, kind in GROUPS.items()}
        return StreetGraph(version=manifest["version"], **groups)
    except (OSError, EOFError, KeyError, TypeError, ValueError) as error:
        raise StreetsUnreadable(f"{folder} is no complete street graph: {error}") from error


def _open_group(folder: Path, name: str, kind: type) -> Any:
    return kind(
        *(map_array(folder / f"{name}.{field}.npy") for field in kind._fields)  # type: ignore[attr-defined]
    )


def _check_rows(rows: StreetRows, *, class_count: int) -> None:
    nodes, edges = len(rows.blocked), len(rows.lengths)
    assert len(rows.first) == nodes + 1, "one offset more than nodes"
    assert int(rows.first[0]) == 0, "the first node begins at 0"
    assert int(rows.first[-1]) == len(rows.arcs) == 2 * edges, "each edge is an arc at both its ends"
    assert (np.diff(rows.first) >= 0).all(), "offsets never fall"
    assert ((rows.ends >= 0) & (rows.ends < nodes)).all(), "an edge ends at a node"
    assert (rows.lengths > 0).all(), "an edge has a length"
    assert (rows.classes < class_count).all(), "a class is known"


def _check_grid(grid: GridRows, *, edge_count: int) -> None:
    assert len(grid.point_offsets) == edge_count + 1, "one offset more than edges"
    assert (np.diff(grid.point_offsets) > 1).all(), "an edge is drawn through two points at least"
    assert int(grid.point_offsets[-1]) == len(grid.points), "the last edge ends at the end"
    assert (np.diff(grid.cell_keys) > 0).all(), "cells rise"
    assert len(grid.cell_offsets) == len(grid.cell_keys) + 1, "one offset more than cells"
    assert int(grid.cell_offsets[-1]) == len(grid.pieces), "the last cell ends at the end"
    last = np.zeros(len(grid.points), dtype=np.bool_)
    last[grid.point_offsets[1:] - 1] = True
    assert not last[grid.pieces].any(), "a piece leads on within its edge"
