"""Departures and arrivals at stops, as on a board.

Problem   What leaves here next? Lines run on some days, past midnight, and once a week.
Idea      Each line that can be boarded at the stops has its times there in one column, run after run and
          never falling; of each service day near the hour a slice of it counts. More days are looked at, up
          to two weeks, until there are enough. Arrivals are the same on the mirrored lines.
Invariant An answer is complete: every call from the hour asked to the last one told is in it, and all calls
          of one instant stand together. A trip that is part of several runs is told once. Cancelled ones
          stay, marked.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from routing.journey import Ride, TripLeg, service_day_start, trip_legs
from routing.kernels.arrays import Int32
from routing.raptor import SEARCH_DAYS_AFTER, Router
from routing.timetable import Timetable


@dataclass(frozen=True, slots=True, kw_only=True)
class StopCall:
    """A trip's call at one of the stops: `trip` is the whole trip that day, `call` counts from 0."""

    trip: TripLeg
    call: int
    at: datetime
    is_cancelled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Span:
    """What is looked for: calls from begin_s to before end_s, of runs of these days; how many, and which."""

    days: range
    searched: int
    begin_s: int
    end_s: int
    count: int
    earlier: bool


@dataclass(frozen=True, slots=True, order=True)
class _Event:
    """Seconds after the start of the day asked about; then what makes it one call of one trip on one day."""

    seconds: int
    trip: int
    day: int
    call: int
    line: int
    run: int
    part: int


def list_calls(
    router: Router,
    *,
    stops: Sequence[int],
    at: datetime,
    count_min: int,
    arrivals: bool = False,
    earlier: bool = False,
) -> list[StopCall]:
    """The first calls at or after an instant, in order of time; or, if `earlier`, the last ones before it.

    At least `count_min` of them, and all of the last one's instant; fewer if the network has no more within
    two weeks. Raises OutsideDates.
    """
    assert count_min > 0, "somebody looks at the board"
    timetable = router.timetable
    day, time_s = router.get_day_second(at)
    overhang = _overhang_days(timetable, arrivals=arrivals)
    kept: list[_Event] = []
    for reach in SEARCH_DAYS_AFTER:
        days = range(day - reach - overhang, day + 1) if earlier else range(day - overhang, day + reach + 1)
        # What lies beyond these may be a call of a day that was not looked at.
        begin_s = _start_s(timetable, day - reach, day) if earlier else time_s
        end_s = time_s if earlier else _start_s(timetable, day + reach + 1, day)
        span = _Span(days=days, searched=day, begin_s=begin_s, end_s=end_s, count=count_min, earlier=earlier)
        events = sorted(set(_events(router, stops, span, arrivals=arrivals)))
        kept = _cut(_unique(events), count_min, earlier=earlier)
        if len(kept) >= count_min:
            break
    return [_tell(router, event, day) for event in kept]


def _overhang_days(timetable: Timetable, *, arrivals: bool) -> int:
    times = timetable.lines.arrivals if arrivals else timetable.lines.departures
    return int(times.max(initial=0)) // 86_400


def _start_s(timetable: Timetable, day: int, searched: int) -> int:
    start = service_day_start(timetable, day).timestamp()
    return int(start - service_day_start(timetable, searched).timestamp())


def _events(router: Router, stops: Sequence[int], span: _Span, *, arrivals: bool) -> Iterator[_Event]:
    """The calls at the stops within the span; of each line and day as many instants as are asked for."""
    timetable, moved = router.timetable, router.cancellations.moved
    lines = timetable.lines
    days = [day for day in span.days if 0 <= day < timetable.day_count]
    known = [(day, _start_s(timetable, day, span.searched)) for day in days]
    for line, position in _positions(timetable, stops, arrivals=arrivals):
        count = int(lines.stop_offsets[line + 1] - lines.stop_offsets[line])
        times = lines.arrivals if arrivals else lines.departures
        first, last = int(lines.time_offsets[line]), int(lines.time_offsets[line + 1])
        column = times[first + position : last : count]
        active = timetable.days.active[lines.patterns[line]]
        part, start = _part_at(timetable, line, position)
        trips = int(timetable.parts.trip_offsets[line])
        part_count = int(timetable.parts.offsets[line + 1] - timetable.parts.offsets[line])
        for day, shift_s in known:
            if not active[day] or (line, day) in moved:
                continue
            low, high = _slice(column, span, shift_s)
            for run in range(low, high):
                trip = int(timetable.parts.trips[trips + run * part_count + part])
                seconds = int(column[run]) + shift_s
                yield _Event(seconds, trip, day, position - start, line, run, part)


def _slice(column: Int32, span: _Span, shift_s: int) -> tuple[int, int]:
    """Which runs of a column count: those within the span, up to the instant that is surely enough."""
    low, high = np.searchsorted(column, (span.begin_s - shift_s, span.end_s - shift_s)).tolist()
    if high - low > span.count:
        # Instants, not runs: several runs may be one trip, at one instant.
        instants = np.unique(column[low:high])
        if len(instants) > span.count and span.earlier:
            low = int(np.searchsorted(column, instants[-span.count]))
        elif len(instants) > span.count:
            high = int(np.searchsorted(column, instants[span.count - 1], side="right"))
    return low, high


def _positions(timetable: Timetable, stops: Sequence[int], *, arrivals: bool) -> Iterator[tuple[int, int]]:
    """Where lines can be boarded (left, if arrivals) at the stops: line, position."""
    lines = timetable.mirror if arrivals else timetable.lines
    for stop in sorted(set(stops)):
        for i in range(int(lines.stop_line_offsets[stop]), int(lines.stop_line_offsets[stop + 1])):
            line, position = int(lines.stop_lines[i]), int(lines.stop_positions[i])
            count = int(lines.stop_offsets[line + 1] - lines.stop_offsets[line])
            yield line, count - 1 - position if arrivals else position


def _part_at(timetable: Timetable, line: int, position: int) -> tuple[int, int]:
    """The part of the line's runs that this position belongs to, and where it begins."""
    parts = timetable.parts
    starts = parts.starts[int(parts.offsets[line]) : int(parts.offsets[line + 1])]
    part = int(np.searchsorted(starts, position, side="right")) - 1
    return part, int(starts[part])


def _unique(events: Sequence[_Event]) -> list[_Event]:
    found: dict[tuple[int, int, int], _Event] = {}
    for event in events:
        found.setdefault((event.trip, event.day, event.call), event)
    return list(found.values())


def _cut(events: list[_Event], count: int, *, earlier: bool) -> list[_Event]:
    """The first so many (the last, if earlier), and those of the same instant as the outermost."""
    if len(events) <= count:
        return events
    if earlier:
        return [event for event in events if event.seconds >= events[-count].seconds]
    return [event for event in events if event.seconds <= events[count - 1].seconds]


def _tell(router: Router, event: _Event, searched: int) -> StopCall:
    timetable = router.timetable
    lines, parts = timetable.lines, timetable.parts
    begin, end = int(parts.offsets[event.line]), int(parts.offsets[event.line + 1])
    start = int(parts.starts[begin + event.part])
    is_last = begin + event.part + 1 == end
    position_count = int(lines.stop_offsets[event.line + 1] - lines.stop_offsets[event.line])
    stop = position_count if is_last else int(parts.starts[begin + event.part + 1])
    whole = Ride(
        line=event.line,
        run=event.run,
        day=event.day,
        board=start,
        alight=stop - 1,
        departs_s=0,
        arrives_s=0,
    )
    zero = service_day_start(timetable, searched).timestamp()
    return StopCall(
        trip=next(trip_legs(timetable, whole)),
        call=event.call,
        at=datetime.fromtimestamp(zero + event.seconds, tz=timetable.zone),
        is_cancelled=router.cancellations.is_cancelled(event.trip, event.day),
    )
