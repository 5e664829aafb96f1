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
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from routing.footpaths import WalkOptions, distance_m, walking_s
from routing.journey import Access
from routing.kernels.arrays import MAY_ALIGHT, MAY_BOARD, NOT_REACHED, Int32, Lines
from routing.pathways import StationTimes, fit_walks, measure_stations
from routing.raptor import Router
from routing.streets.beeline import REACH_M, list_access_near
from routing.streets.ways import DEFAULT_SPEED_M_S, Profile
from routing.timetable import NO, Timetable, index_boardings, mirror_walks

OPTIONS = WalkOptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileRouter:
    """A router for a profile, and the ways in stations that it was made with."""

    profile: Profile
    router: Router
    times: StationTimes


def build_for_profile(
    router: Router, planned: StationTimes, profile: Profile, closed: Collection[int] = ()
) -> ProfileRouter:
    """The router for a profile, less closed pathways; `planned` are a walker's ways when none is."""
    timetable = router.timetable
    times = measure_timetable(timetable, profile, closed)
    if profile is Profile.WALK and not len(closed):
        return ProfileRouter(profile=profile, router=router, times=times)
    walks = fit_walks(timetable.walks, planned, times, profile=profile, extra_s=OPTIONS.pathway_extra_s)
    fitted = replace(timetable, walks=walks, mirror_walks=mirror_walks(walks))
    if profile is Profile.WHEELCHAIR and (timetable.stops.wheelchairs == NO).any():
        fitted = replace(
            fitted,
            lines=_without_stops(timetable.lines, timetable.stops.wheelchairs == NO),
            mirror=_without_stops(timetable.mirror, timetable.stops.wheelchairs == NO),
        )
    slower = Router(
        fitted,
        router.cancellations.list_trips(),
        moved=router.cancellations.moved,
        bounds=router.bounds,
        gain_s=router.gain_s,
    )
    slower.workspaces = router.workspaces
    return ProfileRouter(profile=profile, router=slower, times=times)


def measure_timetable(
    timetable: Timetable, profile: Profile = Profile.WALK, closed: Collection[int] = ()
) -> StationTimes:
    """The ways in the stations of a network."""
    return measure_stations(
        timetable.nodes, timetable.pathways, stop_count=timetable.stop_count, profile=profile, closed=closed
    )


def walk_at_pace(seconds: int, profile: Profile) -> int:
    """What takes a walker so many seconds, at the profile's pace."""
    slower = DEFAULT_SPEED_M_S[Profile.WALK] / DEFAULT_SPEED_M_S[profile]
    return int(np.ceil(seconds * slower - 1e-9))


def list_ways_near(
    timetable: Timetable, times: StationTimes, profile: Profile, lat: float, lon: float, *, is_egress: bool
) -> list[Access]:
    """Ways from a point to stops near it (to it, if is_egress), through entrances where the feed has them."""
    near = {way.stop: way.walk_s for way in list_access_near(timetable, lat, lon)}
    found = {stop: walk_at_pace(walk_s, profile) for stop, walk_s in near.items() if not times.is_gated[stop]}
    if times.is_gated.any():
        gated = np.flatnonzero(times.is_gated)
        least_s, is_near = _through_entrances(timetable, times, profile, (lat, lon), is_egress=is_egress)
        for i, stop in enumerate(gated.tolist()):
            if (stop in near or is_near[i]) and least_s[i] < NOT_REACHED:
                found[stop] = int(least_s[i])
    return [Access(stop=stop, walk_s=walk_s) for stop, walk_s in sorted(found.items())]


def find_way_s(
    timetable: Timetable,
    times: StationTimes,
    profile: Profile,
    point: tuple[float, float],
    stop: int,
    *,
    is_egress: bool,
) -> int | None:
    """What `list_ways_near` says of this stop, however far it is; None where no entrance leads there."""
    if not times.is_gated[stop]:
        here = timetable.stops
        metres = distance_m(np.array(point[0]), np.array(point[1]), here.lat[stop], here.lon[stop])
        return walk_at_pace(int(walking_s(metres, OPTIONS)), profile)
    least_s, _ = _through_entrances(timetable, times, profile, point, is_egress=is_egress)
    seconds = int(least_s[np.count_nonzero(times.is_gated[:stop])])
    return seconds if seconds < NOT_REACHED else None


def is_entered(times: StationTimes, stop: int, *, is_egress: bool) -> bool:
    """Whether the street leads to the stop (the stop to the street, if is_egress), as far as is known."""
    if not times.is_gated[stop]:
        return True
    inner = times.leave_s if is_egress else times.enter_s
    return bool((inner[:, np.count_nonzero(times.is_gated[:stop])] < NOT_REACHED).any())


def _through_entrances(
    timetable: Timetable,
    times: StationTimes,
    profile: Profile,
    point: tuple[float, float],
    *,
    is_egress: bool,
) -> tuple[Int32, npt.NDArray[np.bool_]]:
    """Least seconds for each gated stop, and whether an entrance that leads there is near."""
    nodes, inner = timetable.nodes, times.leave_s if is_egress else times.enter_s
    if not len(times.entrances):
        return np.full(inner.shape[1], NOT_REACHED, dtype=np.int32), np.zeros(inner.shape[1], dtype=np.bool_)
    lat, lon = nodes.lat[times.entrances], nodes.lon[times.entrances]
    metres = distance_m(np.array(point[0]), np.array(point[1]), lat, lon)
    outside = [walk_at_pace(int(each), profile) for each in walking_s(metres, OPTIONS)]
    is_way = inner < NOT_REACHED
    whole_s = np.where(is_way, inner.astype(np.int64) + np.array(outside)[:, None], NOT_REACHED)
    is_near = np.asarray((is_way & (metres <= REACH_M)[:, None]).any(axis=0), dtype=np.bool_)
    return whole_s.min(axis=0).astype(np.int32), is_near


def _without_stops(lines: Lines, is_barred: npt.NDArray[np.bool_]) -> Lines:
    barred = ~np.uint8(MAY_BOARD | MAY_ALIGHT)
    flags = np.where(is_barred[lines.stops], lines.flags & barred, lines.flags).astype(np.uint8)
    by_stop = index_boardings(lines.stops, flags, lines.stop_offsets, stop_count=len(is_barred))
    return lines._replace(
        flags=flags, stop_line_offsets=by_stop[0], stop_lines=by_stop[1], stop_positions=by_stop[2]
    )
