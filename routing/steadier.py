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

from collections.abc import Iterator
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
    before_s, after_s = spare_s(timetable, first, middle), spare_s(timetable, middle, last)
    if before_s == after_s:
        return middle
    best = middle
    for run in _list_runs(cancellations, middle, are_later=before_s < after_s):
        other = _on_run(timetable, middle, run)
        tightest_s = min(
            before_s + other.departs_s - middle.departs_s, after_s + middle.arrives_s - other.arrives_s
        )
        most_s = min(
            before_s + best.departs_s - middle.departs_s, after_s + middle.arrives_s - best.arrives_s
        )
        if tightest_s < most_s:
            # Farther on, the tighter interchange is tighter still.
            break
        if tightest_s > most_s:
            best = other
    return best


def _list_runs(cancellations: Cancellations, ride: Ride, *, are_later: bool) -> Iterator[int]:
    """The line's runs that day on which it can be ridden, after its own or before it, the nearest first."""
    blocks = [
        block
        for block in cancellations.list_blocks(ride.line, ride.day)
        if block.position_from <= ride.board and ride.alight < block.position_to
    ]
    if are_later:
        for block in blocks:
            yield from range(max(block.run_from, ride.run + 1), block.run_to)
    else:
        for block in reversed(blocks):
            yield from range(min(block.run_to, ride.run) - 1, block.run_from - 1, -1)


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
