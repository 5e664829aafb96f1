"""Searches for those who cannot walk everywhere: in a wheelchair, with a pram.

Problem   The quickest way changes by stairs; to drop it from an answer would lose the one by the lift.
Idea      A router of the same arrays with the profile's own footpaths. In a wheelchair besides: nobody boards
          or alights where the stop says no. (Trips that say no are left out by whoever thins trips.)
          Bounds hold on, since nobody gets faster (pathways.py).
Rule      What nobody says is allowed. A stop entered through entrances only, none of which leads there for
          the profile, is no end of a journey; one may still change at it, from vehicle to vehicle.
Not here  Which trips take wheelchairs (the caller thins them), streets.
"""

from collections.abc import Collection
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from routing.footpaths import WalkOptions
from routing.kernels.arrays import MAY_ALIGHT, MAY_BOARD, NOT_REACHED, Int32, Lines
from routing.pacing import times_usual
from routing.pathways import StationTimes, fit_walks, measure_stations
from routing.raptor import Router
from routing.streets.ways import BEYOND, Manner, Profile
from routing.timetable import NO, Timetable, Walked, index_boardings, mirror_walks
from routing.walked import at_pace

OPTIONS = WalkOptions()


def build_for_profile(router: Router, planned: StationTimes, times: StationTimes, manner: Manner) -> Router:
    """The router for who goes in this manner, with these `times` in stations (less what is closed).

    `planned` are a walker's when nothing is. Where no pathways speak footpaths are at the manner's pace
    (pacing.py); its timetable counts all of them as fixed.
    """
    here = router.timetable
    paced_s = at_pace(here.walks.walk_s, here.walked.seconds, times_usual(manner))
    most_s = int((here.walks.walk_s - paced_s).max(initial=0))
    walks = fit_walks(
        here.walks, paced_s, planned, times, profile=manner.profile, extra_s=OPTIONS.pathway_extra_s
    )
    fitted = replace(
        here, walks=walks, mirror_walks=mirror_walks(walks), walked=Walked(np.zeros_like(walks.walk_s))
    )
    is_barred = here.stops.wheelchairs == NO
    if manner.profile is Profile.WHEELCHAIR and is_barred.any():
        fitted = replace(
            fitted,
            lines=_without_stops(here.lines, is_barred),
            mirror=_without_stops(here.mirror, is_barred),
        )
    slower = Router(
        fitted,
        router.cancellations.list_trips(),
        moved=router.cancellations.moved,
        bounds=router.bounds,
        gain_s=router.gain_s + 2 * most_s,
    )
    slower.workspaces = router.workspaces
    return slower


def measure_timetable(
    timetable: Timetable, profile: Profile = Profile.WALK, closed: Collection[int] = ()
) -> StationTimes:
    """The ways in the stations of a network."""
    return measure_stations(
        timetable.nodes, timetable.pathways, stop_count=timetable.stop_count, profile=profile, closed=closed
    )


def list_ways_through_entrances(
    timetable: Timetable, times: StationTimes, outside_s: Int32, *, is_egress: bool
) -> dict[int, int]:
    """Seconds to each gated stop that is reached (from it, if is_egress) through an entrance.

    outside_s int32[E]: seconds from a point to each of `times.entrances` (to the point), or BEYOND.
    """
    inner = times.leave_s if is_egress else times.enter_s
    if not len(outside_s):
        return {}
    is_way = (inner < NOT_REACHED) & (outside_s != BEYOND)[:, None]
    whole_s = np.where(is_way, inner.astype(np.int64) + outside_s[:, None], NOT_REACHED).min(axis=0)
    gated = np.flatnonzero(times.is_gated)
    kept = whole_s < NOT_REACHED
    assert len(times.is_gated) == timetable.stop_count, "the ways are those of this network's stations"
    return dict(zip(gated[kept].tolist(), whole_s[kept].tolist(), strict=True))


def is_entered(times: StationTimes, stop: int, *, is_egress: bool) -> bool:
    """Whether the street leads to the stop (the stop to the street, if is_egress), as far as is known."""
    if not times.is_gated[stop]:
        return True
    inner = times.leave_s if is_egress else times.enter_s
    return bool((inner[:, np.count_nonzero(times.is_gated[:stop])] < NOT_REACHED).any())


def _without_stops(lines: Lines, is_barred: npt.NDArray[np.bool_]) -> Lines:
    barred = ~np.uint8(MAY_BOARD | MAY_ALIGHT)
    flags = np.where(is_barred[lines.stops], lines.flags & barred, lines.flags).astype(np.uint8)
    by_stop = index_boardings(lines.stops, flags, lines.stop_offsets, stop_count=len(is_barred))
    return lines._replace(
        flags=flags, stop_line_offsets=by_stop[0], stop_lines=by_stop[1], stop_positions=by_stop[2]
    )
