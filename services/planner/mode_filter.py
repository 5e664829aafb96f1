"""Searches that use some trips only: of some modes, or those that take bikes.

Problem   Somebody takes no ships, or only buses; to drop journeys from an answer would lose those that were
          worse than them, and they are what is wanted.
Idea      A router of the same arrays, in which lines of other modes run on no day. A line that has runs of
          several modes (a bus in a tram's stead) keeps running, and the unwanted trips are cancelled instead.
          Bounds hold on: with fewer trips nothing gets faster.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from maas.journeys import Mode
from routing.raptor import Router
from routing.timetable import NO, YES, Timetable
from services.planner.modes import mode_of


def build_filtered(
    router: Router,
    modes: frozenset[Mode] | None,
    *,
    takes_bikes: bool = False,
    takes_wheelchairs: bool = False,
) -> Router:
    """A router of the same network, less what is cancelled, without trips of other modes (None: of any).

    If takes_bikes, without those either of which the operator does not say that bikes may be taken along. If
    takes_wheelchairs, without those of which it says that nobody can ride in one.
    """
    timetable = router.timetable
    wanted = np.ones(len(timetable.trips.routes), dtype=np.bool_)
    if modes is not None:
        wanted &= _wanted_trips(timetable, modes)
    if takes_bikes:
        wanted &= timetable.trips.bikes == YES
    if takes_wheelchairs:
        wanted &= timetable.trips.wheelchairs != NO
    line_of = np.repeat(np.arange(timetable.line_count), np.diff(timetable.parts.trip_offsets))
    of_runs = wanted[timetable.parts.trips]
    any_wanted = np.zeros(timetable.line_count, dtype=np.bool_)
    any_wanted[line_of[of_runs]] = True
    all_wanted = np.ones(timetable.line_count, dtype=np.bool_)
    all_wanted[line_of[~of_runs]] = False
    is_mixed = any_wanted & ~all_wanted
    unwanted = np.unique(timetable.parts.trips[is_mixed[line_of] & ~of_runs])
    never = np.int32(len(timetable.days.active))
    active = np.concatenate([timetable.days.active, np.zeros((1, timetable.day_count), dtype=np.uint8)])
    patterns = np.where(any_wanted, timetable.lines.patterns, never).astype(np.int32)
    thinned = replace(
        timetable,
        days=timetable.days._replace(active=active),
        lines=timetable.lines._replace(patterns=patterns),
        mirror=timetable.mirror._replace(patterns=patterns),
    )
    cancelled = [*router.cancellations.list_trips(), *_on_all_days(timetable, unwanted)]
    filtered = Router(
        thinned,
        cancelled,
        moved=router.cancellations.moved,
        bounds=router.bounds,
        gain_s=router.gain_s,
    )
    filtered.workspaces = router.workspaces
    return filtered


def _wanted_trips(timetable: Timetable, modes: frozenset[Mode]) -> npt.NDArray[np.bool_]:
    types = timetable.routes.types
    wanted = [route_type for route_type in np.unique(types).tolist() if mode_of(route_type) in modes]
    return np.isin(types, wanted)[timetable.trips.routes]


def _on_all_days(timetable: Timetable, trips: npt.NDArray[np.int32]) -> Iterator[tuple[int, date]]:
    days = [timetable.first_date + timedelta(days=day) for day in range(timetable.day_count)]
    return ((trip, day) for trip in trips.tolist() for day in days)
