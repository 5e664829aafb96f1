"""From what a search wrote to journeys, with the interchanges where one would have them.

Problem   The kernel speaks of runs and shifts, and backwards in a mirrored search; and it changes at the
          first stop where it can.
Idea      `read_journeys` turns rows into rides of the timetable. `tidy` then moves each interchange to where
          least is ridden (kernels/interchange.py), on the steadiest runs (steadier.py); departure, arrival,
          first and last vehicle stay.
Not here  The search (raptor.py), legs and trips (journey.py).
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from routing.cancellations import Cancellations
from routing.journey import Access, FoundJourney, Ride, find_walk_s
from routing.kernels.arrays import (
    ACCESS,
    EGRESS_STOP,
    NOT_REACHED,
    RIDE_ALIGHT,
    RIDE_BEGIN,
    RIDE_BOARD,
    RIDE_END,
    RIDE_LINE,
    RIDE_RUN,
    RIDE_SHIFT,
    Found,
)
from routing.kernels.interchange import best_interchange
from routing.steadier import make_steadier
from routing.timetable import Timetable
from routing.windows import Window

_DAY_S = 86_400


class Ends(Protocol):
    """Where a query begins and ends."""

    @property
    def access(self) -> Sequence[Access]:
        """The ways to begin."""
        ...

    @property
    def egress(self) -> Sequence[Access]:
        """The ways to end."""
        ...


def read_journeys(
    timetable: Timetable, window: Window, ends: Ends, found: Found, count: int
) -> list[FoundJourney]:
    """The first `count` journeys in `found`, in its order; if the window is mirrored, turned round."""
    journeys = []
    for journey in found.journeys[:count].tolist():
        rows = found.rides[journey[RIDE_BEGIN] : journey[RIDE_END]].tolist()
        begins, ends_ = (ends.egress, ends.access) if window.is_mirrored else (ends.access, ends.egress)
        last = _nearest(ends_, journey[EGRESS_STOP])
        journeys.append(read_journey(timetable, window, begins[journey[ACCESS]], rows, last))
    return journeys


def read_journey(
    timetable: Timetable, window: Window, first: Access, rows: Sequence[Sequence[int]], last: Access
) -> FoundJourney:
    """A journey of these rows of `Found.rides`, between these ways; if mirrored, turned round."""
    rides = [_read_ride(timetable, window, row) for row in rows]
    if window.is_mirrored:
        return _found(timetable, window.day, last, rides[::-1], first)
    return _found(timetable, window.day, first, rides, last)


def tidy(
    timetable: Timetable, cancellations: Cancellations, path: FoundJourney, *, is_frugal: bool = False
) -> FoundJourney:
    """The steadiest rides in the middle, and changes where least is ridden; departure and arrival stay.

    `is_frugal`: and no change is longer on foot than before.
    """
    rides = list(make_steadier(timetable, cancellations, path).rides)
    change = np.empty(2, dtype=np.int32)
    for i in range(len(rides) - 1):
        first, second = rides[i], rides[i + 1]
        shift_1, shift_2 = _shift_s(timetable, first), _shift_s(timetable, second)
        position_to = cancellations.stretch(
            line=first.line, run=first.run, day=first.day, position=first.board
        )[1]
        position_from = cancellations.stretch(
            line=second.line, run=second.run, day=second.day, position=second.alight
        )[0]
        cost = best_interchange(
            timetable.lines,
            timetable.walks,
            (first.line, first.run, shift_1, first.board, position_to),
            (second.line, second.run, shift_2, position_from, second.alight),
            change_walk_s(timetable, first, second) if is_frugal else int(NOT_REACHED),
            change,
        )
        assert cost != NOT_REACHED, "the interchange found by the search is one of those tried"
        alight, board = int(change[0]), int(change[1])
        rides[i] = _timed(
            timetable, first.line, first.run, day=first.day, shift_s=shift_1, board=first.board, alight=alight
        )
        rides[i + 1] = _timed(
            timetable,
            second.line,
            second.run,
            day=second.day,
            shift_s=shift_2,
            board=board,
            alight=second.alight,
        )
    return _found(timetable, path.day, path.access, rides, path.egress)


def change_walk_s(timetable: Timetable, before: Ride, after: Ride) -> int:
    """The seconds on foot between two rides of a journey; none at one stop."""
    lines = timetable.lines
    source = int(lines.stops[int(lines.stop_offsets[before.line]) + before.alight])
    target = int(lines.stops[int(lines.stop_offsets[after.line]) + after.board])
    walk_s = find_walk_s(timetable, source, target)
    assert walk_s is not None, "an interchange is a footpath"
    return walk_s


def _read_ride(timetable: Timetable, window: Window, row: Sequence[int]) -> Ride:
    line, run, shift_s = row[RIDE_LINE], row[RIDE_RUN], row[RIDE_SHIFT]
    board, alight = row[RIDE_BOARD], row[RIDE_ALIGHT]
    if window.is_mirrored:
        lines = timetable.lines
        position_count = int(lines.stop_offsets[line + 1] - lines.stop_offsets[line])
        run_count = int(lines.time_offsets[line + 1] - lines.time_offsets[line]) // position_count
        board, alight = position_count - 1 - alight, position_count - 1 - board
        run, shift_s = run_count - 1 - run, -shift_s
    # A day is an hour shorter or longer when clocks change.
    day = window.day + round(shift_s / _DAY_S)
    return _timed(timetable, line, run, day=day, shift_s=shift_s, board=board, alight=alight)


def _timed(
    timetable: Timetable, line: int, run: int, *, day: int, shift_s: int, board: int, alight: int
) -> Ride:
    lines = timetable.lines
    position_count = int(lines.stop_offsets[line + 1] - lines.stop_offsets[line])
    times = int(lines.time_offsets[line]) + run * position_count
    return Ride(
        line=line,
        run=run,
        day=day,
        board=board,
        alight=alight,
        departs_s=int(lines.departures[times + board]) + shift_s,
        arrives_s=int(lines.arrivals[times + alight]) + shift_s,
    )


def _shift_s(timetable: Timetable, ride: Ride) -> int:
    """The start of the ride's service day, in seconds after that of the day searched."""
    lines = timetable.lines
    position_count = int(lines.stop_offsets[ride.line + 1] - lines.stop_offsets[ride.line])
    at = int(lines.time_offsets[ride.line]) + ride.run * position_count + ride.board
    return ride.departs_s - int(lines.departures[at])


def _found(
    timetable: Timetable, day: int, access: Access, rides: Sequence[Ride], egress: Access
) -> FoundJourney:
    early_s = int(timetable.lines.board_early_s[rides[0].line])
    return FoundJourney(day=day, access=access, rides=tuple(rides), egress=egress, check_in_s=early_s)


def _nearest(ends: Sequence[Access], stop: int) -> Access:
    return min((end for end in ends if end.stop == stop), key=lambda end: end.walk_s)
