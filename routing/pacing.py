"""Searches for who walks slower or faster than is usual.

Idea      A router of the same arrays whose footpaths take as long as they do at that pace (walked.py).
Bounds    Slower, they hold on. Faster, a journey gains at most the most that a footpath gains, once for each
          ride and once more; the search lowers what it reads by so much (`gain_s`).
Not here  The walks at both ends of a journey: streets/ measures them. What the feed gave a time for.
"""

from dataclasses import replace

import numpy as np

from routing.journey import find_walk
from routing.raptor import Router
from routing.streets.ways import DEFAULT_SPEED_M_S, Manner, Profile
from routing.timetable import Timetable, Walked, mirror_walks
from routing.walked import at_pace


def times_usual(manner: Manner) -> float:
    """How many times as long as usual what is walked takes."""
    return DEFAULT_SPEED_M_S[Profile.WALK] / manner.pace_m_s


def build_paced(router: Router, manner: Manner) -> Router:
    """A router of the same network, less what is cancelled, for who walks in this manner.

    Its timetable counts all of a footpath as fixed: it is at that pace already.
    """
    here = router.timetable
    walk_s = at_pace(here.walks.walk_s, here.walked.seconds, times_usual(manner))
    most_s = int((here.walks.walk_s - walk_s).max(initial=0))
    walks = here.walks._replace(walk_s=walk_s)
    paced = Router(
        replace(
            here,
            walks=walks,
            mirror_walks=mirror_walks(walks),
            walked=Walked(np.zeros_like(here.walked.seconds)),
        ),
        router.cancellations.list_trips(),
        moved=router.cancellations.moved,
        bounds=router.bounds,
        # Each ride's gain is subtracted once a ride: twice a footpath's is enough for the one more.
        gain_s=router.gain_s + 2 * most_s,
    )
    paced.workspaces = router.workspaces
    return paced


def find_paced_walk_s(timetable: Timetable, source: int, target: int, manner: Manner) -> int | None:
    """The footpath's seconds in this manner, 0 for the stop itself, None where there is none.

    As `build_paced` has it; `timetable` is at the usual pace.
    """
    if source == target:
        return 0
    at = find_walk(timetable, source, target)
    if at is None:
        return None
    one = slice(at, at + 1)
    return int(at_pace(timetable.walks.walk_s[one], timetable.walked.seconds[one], times_usual(manner))[0])
