"""Searches with more footpaths than the network has, or quicker ones.

Problem   Somebody takes a shared bike between two rides; to the search that is a footpath that others lack.
Idea      A router of the same arrays with these footpaths besides; of two for the same stops the quicker.
          Bounds say what the network can do at best, and a quicker footpath breaks them: this router has
          none, is slower, and as exact.
Not here  How the added footpaths are made.
"""

from dataclasses import replace

import numpy as np

from routing.kernels.arrays import Int32, Walks
from routing.raptor import Router
from routing.timetable import Timetable, Walked, mirror_walks


def add_walks(timetable: Timetable, sources: Int32, targets: Int32, walk_s: Int32) -> Walks:
    """The network's footpaths and these, one for each pair; none may lead to where it begins."""
    here, stop_count = timetable.walks, timetable.stop_count
    pairs = np.concatenate(
        [
            np.repeat(np.arange(stop_count, dtype=np.int64), np.diff(here.offsets)) * stop_count
            + here.targets,
            sources.astype(np.int64) * stop_count + targets,
        ]
    )
    seconds = np.concatenate([here.walk_s, walk_s])
    order = np.lexsort((seconds, pairs))
    pairs, seconds = pairs[order], seconds[order]
    first = np.flatnonzero(np.diff(pairs, prepend=-1))
    pairs, seconds = pairs[first], seconds[first]
    return Walks(
        offsets=np.searchsorted(pairs // stop_count, np.arange(stop_count + 1)).astype(np.int32),
        targets=(pairs % stop_count).astype(np.int32),
        walk_s=seconds.astype(np.int32),
        change_s=here.change_s,
    )


def build_with_walks(router: Router, sources: Int32, targets: Int32, walk_s: Int32) -> Router:
    """A router of the same network, less what is cancelled, with these footpaths besides."""
    walks = add_walks(router.timetable, sources, targets, walk_s)

    timetable = replace(
        router.timetable,
        walks=walks,
        mirror_walks=mirror_walks(walks),
        # Whoever walks at another pace was asked for before: these stay as they are.
        walked=Walked(np.zeros_like(walks.walk_s)),
    )
    added = Router(timetable, router.cancellations.list_trips(), moved=router.cancellations.moved)
    added.workspaces = router.workspaces
    return added
