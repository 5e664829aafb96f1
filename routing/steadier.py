"""The steadier of equally good rides in the middle of a journey.

Problem   A search leaves as late as can be, so the train before the last is the latest that still reaches it:
          three minutes to change there, and twelve at the stop before, where two trains would do.
Idea      Departure, arrival, first and last vehicle stay. Of the runs of a middle ride's line that can be
          caught, and from which the next can, the one is taken that leaves most time at the tighter of its
          two interchanges. Again, while that helps.
Invariant No journey is later, longer or on other lines; the time to spare at its tightest interchange is no
          less than before.
Not here  Where one changes: found.py.
"""

from dataclasses import replace

from routing.cancellations import Cancellations
from routing.journey import FoundJourney, Ride, find_walk_s
from routing.timetable import Timetable

_PASSES_MAX = 4
"""Rides in a row pass time on to one another; more than this never helped a journey of Tokyo's."""


def make_steadier(timetable: Timetable, cancellations: Cancellations, path: FoundJourney) -> FoundJourney:
    """See the module."""
    rides = list(path.rides)
    for _ in range(_PASSES_MAX):
        before = list(rides)
        for i in range(1, len(rides) - 1):
            rides[i] = _find_steadiest(timetable, cancellations, *rides[i - 1 : i + 2])
        if rides == before:
            break
    return replace(path, rides=tuple(rides))


def spare_s(timetable: Timetable, before: Ride, after: Ride) -> int:
    """Seconds to spare at an interchange: between being ready there and the last moment to be so."""
    lines = timetable.lines
    source = int(lines.stops[int(lines.stop_offsets[before.line]) + before.alight])
    target = int(lines.stops[int(lines.stop_offsets[after.line]) + after.board])
    if source == target:
        walk_s: int | None = int(timetable.walks.change_s[source])
    else:
        walk_s = find_walk_s(timetable, source, target)
    assert walk_s is not None, "an interchange is a footpath"
    return after.departs_s - int(lines.board_early_s[after.line]) - before.arrives_s - walk_s


def _find_steadiest(
    timetable: Timetable, cancellations: Cancellations, first: Ride, middle: Ride, last: Ride
) -> Ride:
    """The run of the middle ride's line that day with most time at the tighter interchange."""
    best, most_s = middle, _tightest_s(timetable, first, middle, last)
    blocks = [
        block
        for block in cancellations.list_blocks(middle.line, middle.day)
        if block.position_from <= middle.board and middle.alight < block.position_to
    ]
    later = (run for block in blocks for run in range(max(block.run_from, middle.run + 1), block.run_to))
    earlier = (
        run
        for block in reversed(blocks)
        for run in range(min(block.run_to, middle.run) - 1, block.run_from - 1, -1)
    )
    for runs in (earlier, later):
        for run in runs:
            other = _on_run(timetable, middle, run)
            tightest_s = _tightest_s(timetable, first, other, last)
            if tightest_s > most_s:
                best, most_s = other, tightest_s
            elif tightest_s < most_s:
                # Farther on, the tighter interchange is tighter still.
                break
    return best


def _tightest_s(timetable: Timetable, first: Ride, middle: Ride, last: Ride) -> int:
    return min(spare_s(timetable, first, middle), spare_s(timetable, middle, last))


def _on_run(timetable: Timetable, ride: Ride, run: int) -> Ride:
    """The same ride on another run of its line, on the same day."""
    lines = timetable.lines
    count = int(lines.stop_offsets[ride.line + 1] - lines.stop_offsets[ride.line])
    begin = int(lines.time_offsets[ride.line])
    own, other = begin + ride.run * count, begin + run * count
    shift_s = ride.departs_s - int(lines.departures[own + ride.board])
    return replace(
        ride,
        run=run,
        departs_s=int(lines.departures[other + ride.board]) + shift_s,
        arrives_s=int(lines.arrivals[other + ride.alight]) + shift_s,
    )
