"""Journeys from a timetable: the shell over the kernels.

Problem   A traveller asks for a day and an hour; the kernel knows instances, shifts and labels. And the
          earliest arrival is not yet a good journey: one may leave later and arrive as early.
Idea      1. Lay out the lines of the days around the search (windows.py; kept for the next search).
          2. Search forward: the earliest arrival for each number of rides.
          3. For each, search the mirrored timetable back from that arrival for the latest departure.
             To arrive by an hour, the other way round: latest departures first, then the earliest arrivals.
          4. Move each interchange to where least is ridden (kernels/interchange.py).
Window    A search looks at the service days that can still be boarded on its day, that and the next. Only if
          nothing is found does it look further, up to two weeks, so a weekly ship is found and a metro query
          pays nothing. If the best arrival lies beyond the window, the window grows until it does not, since
          a later departure might arrive earlier. So the earliest arrival is exact; journeys with fewer rides
          are sought within the same window only.
Not here  Names and coordinates (streets.py, journey.py).
Invariant The answer is a Pareto set: each journey has more rides than the next earlier arrival would need.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from threading import Lock

import numpy as np

from routing.cancellations import Cancellations
from routing.journey import Access, FoundJourney, Ride, service_day_start
from routing.kernels.arrays import NONE, NOT_REACHED, Instances, Int32, Labels, allocate_labels
from routing.kernels.interchange import best_interchange
from routing.kernels.raptor import search
from routing.timetable import Timetable
from routing.windows import Window, lay_out

SEARCH_DAYS_AFTER = (1, 3, 7, 14)
"""Days after (or before) the day searched that are looked at, one after another until something is found."""

INSTANCES_KEPT = 12
"""Laid-out windows kept: a few dates, both directions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """From the access stops to the egress stops.

    at           leave at or after this instant; or, if `arrive_by`, arrive at or before it
    ride_count_max  vehicles boarded at most
    """

    at: datetime
    access: Sequence[Access]
    egress: Sequence[Access]
    arrive_by: bool = False
    ride_count_max: int = 8


class Router:
    """Searches one timetable, less what is cancelled. Safe to use from several threads.

    Holds no state but laid-out windows. A change of cancellations is another router: see `replace_cancelled`.
    """

    def __init__(self, timetable: Timetable, cancelled: Iterable[tuple[int, date]] = ()) -> None:
        self.timetable = timetable
        self.cancellations = Cancellations(timetable, cancelled)
        self._laid_out: OrderedDict[Window, Instances] = OrderedDict()
        self._lock = Lock()

    def replace_cancelled(self, cancelled: Iterable[tuple[int, date]]) -> "Router":
        """A router with these trips cancelled on these dates, and no others; this one stays as it is."""
        router = Router(self.timetable, cancelled)
        with self._lock:
            for window, instances in self._laid_out.items():
                changes = (self.cancellations, router.cancellations)
                if not any(each.touches(window.days) for each in changes):
                    router._laid_out[window] = instances
        return router

    def find_journeys(self, query: Query) -> list[FoundJourney]:
        """The Pareto set of arrival (departure, if arrive_by) and rides. Raises OutsideDates.

        Best first: earliest arrival, or latest departure if arrive_by.
        """
        day, time_s = self.get_day_second(query.at)
        find = self._arrive_by if query.arrive_by else self._depart_at
        paths = find(query, day, time_s)
        return [self._tidy(path) for path in reversed(paths)]

    def get_day_second(self, at: datetime) -> tuple[int, int]:
        """The day that `at` is in, as an index, and the seconds from its start. Raises OutsideDates."""
        here = at.astimezone(self.timetable.zone)
        day = self._service_day(here)
        return day, int(here.timestamp() - service_day_start(self.timetable, day).timestamp())

    def _service_day(self, at: datetime) -> int:
        """The day of `at`. The night after the last day still belongs to the network."""
        first, last = self.timetable.first_date, self.timetable.last_date
        on = at.date()
        if last < on <= last + timedelta(days=self.timetable.overhang_days):
            return (on - first).days
        return self.timetable.get_day(on)

    def warm_up(self) -> None:
        """Compile the kernels, or load them from their cache, so that no traveller waits for that."""
        ends = list_access(self.timetable, range(min(2, self.timetable.stop_count)))
        at = get_instant(self.timetable, self.timetable.first_date, 0)
        for arrive_by in (False, True):
            self.find_journeys(Query(at=at, access=ends, egress=ends, arrive_by=arrive_by))
        change = np.empty(2, dtype=np.int32)
        first, second = (0, 0, 0, 0, 2), (0, 0, 0, 0, 1)
        best_interchange(self.timetable.lines, self.timetable.walks, first, second, change)

    def lay_out(self, on: date) -> Instances:
        """The instances that a search departing that day begins with; kept for the searches after it."""
        before = self.timetable.overhang_days
        day = self.timetable.get_day(on)
        return self._instances(Window(day, before, SEARCH_DAYS_AFTER[0], is_mirrored=False))

    def goal(self, ends: Sequence[Access]) -> Int32:
        """For each stop the walk from there to the goal; NONE where there is none."""
        goal = np.full(self.timetable.stop_count, NONE, dtype=np.int32)
        for end in ends:
            if goal[end.stop] == NONE or end.walk_s < goal[end.stop]:
                goal[end.stop] = end.walk_s
        return goal

    # Searches ----------------------------------------------------------------------------------------------

    def _depart_at(self, query: Query, day: int, time_s: int) -> list[FoundJourney]:
        before = self.timetable.overhang_days
        labels, after = None, 0
        for after in SEARCH_DAYS_AFTER:
            labels = self.search_forward(query, Window(day, before, after, is_mirrored=False), time_s)
            if self._is_reached(labels) or day + after >= self.timetable.day_count:
                break
        assert labels is not None, "at least one window is searched"
        if not self._is_reached(labels):
            return []
        while (best_s := int(labels.goal_s.min())) >= self._start_s(day + after + 1, day):
            after += 1 + (best_s - self._start_s(day + after + 1, day)) // 86_400
            labels = self.search_forward(query, Window(day, before, after, is_mirrored=False), time_s)
        back = Window(day, before, after, is_mirrored=True)
        paths = []
        for k in np.flatnonzero(labels.goal_s != NOT_REACHED):
            found = self.search_backward(query, back, int(labels.goal_s[k]), earliest_s=time_s, rides=int(k))
            assert found.goal_s[k] != NOT_REACHED, "what arrives can be followed back"
            paths.append(self._read(query, back, found, int(k)))
        return paths

    def _arrive_by(self, query: Query, day: int, time_s: int) -> list[FoundJourney]:
        overhang = self.timetable.overhang_days
        labels, before = None, 0
        for reach in SEARCH_DAYS_AFTER:
            before = reach + overhang
            labels = self.search_backward(query, Window(day, before, 0, is_mirrored=True), time_s)
            if self._is_reached(labels) or day - before < 0:
                break
        assert labels is not None, "at least one window is searched"
        if not self._is_reached(labels):
            return []
        while -(best_s := int(labels.goal_s.min())) < self._start_s(day - before + overhang, day):
            before += 1 + (self._start_s(day - before + overhang, day) + best_s) // 86_400
            labels = self.search_backward(query, Window(day, before, 0, is_mirrored=True), time_s)
        there = Window(day, before, 0, is_mirrored=False)
        paths = []
        for k in np.flatnonzero(labels.goal_s != NOT_REACHED):
            leaves_s = -int(labels.goal_s[k])
            found = self.search_forward(query, there, leaves_s, latest_s=time_s, rides=int(k))
            assert found.goal_s[k] != NOT_REACHED, "what departs can be followed"
            paths.append(self._read(query, there, found, int(k)))
        return paths

    def search_forward(
        self,
        query: Query,
        window: Window,
        time_s: int,
        *,
        latest_s: int | None = None,
        rides: int | None = None,
    ) -> Labels:
        """The kernel from the access stops, leaving at time_s, to the egress stops."""
        labels = allocate_labels(
            ride_count_max=rides or query.ride_count_max, stop_count=self.timetable.stop_count
        )
        search(
            self.timetable.lines,
            self._instances(window),
            self.timetable.walks,
            (
                np.array([access.stop for access in query.access], dtype=np.int32),
                np.array([time_s + access.walk_s for access in query.access], dtype=np.int32),
            ),
            self.goal(query.egress),
            int(NOT_REACHED) - 1 if latest_s is None else latest_s,
            labels,
        )
        return labels

    def search_backward(
        self,
        query: Query,
        window: Window,
        time_s: int,
        *,
        earliest_s: int | None = None,
        rides: int | None = None,
    ) -> Labels:
        """The kernel back in time, from the egress stops, being there by time_s."""
        labels = allocate_labels(
            ride_count_max=rides or query.ride_count_max, stop_count=self.timetable.stop_count
        )
        search(
            self.timetable.mirror,
            self._instances(window),
            self.timetable.mirror_walks,
            (
                np.array([egress.stop for egress in query.egress], dtype=np.int32),
                np.array([egress.walk_s - time_s for egress in query.egress], dtype=np.int32),
            ),
            self.goal(query.access),
            int(NOT_REACHED) - 1 if earliest_s is None else -earliest_s,
            labels,
        )
        return labels

    @staticmethod
    def _is_reached(labels: Labels) -> bool:
        return bool((labels.goal_s != NOT_REACHED).any())

    # Windows -----------------------------------------------------------------------------------------------

    def _start_s(self, day: int, searched: int) -> int:
        """A service day's start, in seconds after the start of the day searched."""
        start = service_day_start(self.timetable, day).timestamp()
        return int(start - service_day_start(self.timetable, searched).timestamp())

    def _instances(self, window: Window) -> Instances:
        with self._lock:
            known = self._laid_out.get(window)
            if known is not None:
                self._laid_out.move_to_end(window)
                return known
        laid_out = lay_out(
            self.timetable, self.cancellations, window, lambda day: self._start_s(day, window.day)
        )
        with self._lock:
            self._laid_out[window] = laid_out
            while len(self._laid_out) > INSTANCES_KEPT:
                self._laid_out.popitem(last=False)
        return laid_out

    # Answers -----------------------------------------------------------------------------------------------

    def _read(self, query: Query, window: Window, labels: Labels, round_: int) -> FoundJourney:
        """The journey that the labels hold for so many rides."""
        instances = self._instances(window)
        goal = stop = int(labels.goal_stop[round_])
        rides: list[Ride] = []
        for k in range(round_, 0, -1):
            ride, boarded = self._ride(window, instances, labels, k, stop)
            rides.append(ride)
            stop = boarded if k == 1 else int(labels.ready_from[k - 1, boarded])
        start = _nearest(query.egress if window.is_mirrored else query.access, stop)
        end = _nearest(query.access if window.is_mirrored else query.egress, goal)
        if window.is_mirrored:
            return self._found(window.day, end, rides, start)
        return self._found(window.day, start, rides[::-1], end)

    def _found(self, day: int, access: Access, rides: Sequence[Ride], egress: Access) -> FoundJourney:
        early_s = int(self.timetable.lines.board_early_s[rides[0].line])
        return FoundJourney(day=day, access=access, rides=tuple(rides), egress=egress, check_in_s=early_s)

    def _ride(
        self, window: Window, instances: Instances, labels: Labels, round_: int, stop: int
    ) -> tuple[Ride, int]:
        """The ride that alights at the stop in this round, and the stop it was boarded at."""
        instance = int(labels.ride_instance[round_, stop])
        line, run = int(instances.lines[instance]), int(labels.ride_run[round_, stop])
        board, alight = int(labels.ride_board[round_, stop]), int(labels.ride_alight[round_, stop])
        lines = self.timetable.mirror if window.is_mirrored else self.timetable.lines
        boarded = int(lines.stops[lines.stop_offsets[line] + board])
        shift_s = int(instances.shifts_s[instance])
        if window.is_mirrored:
            position_count = int(lines.stop_offsets[line + 1] - lines.stop_offsets[line])
            run_count = int(lines.time_offsets[line + 1] - lines.time_offsets[line]) // position_count
            board, alight = position_count - 1 - alight, position_count - 1 - board
            run, shift_s = run_count - 1 - run, -shift_s
        on = service_day_start(self.timetable, window.day) + timedelta(seconds=shift_s, hours=12)
        day = (on.date() - self.timetable.first_date).days
        return self._timed(line=line, run=run, day=day, shift_s=shift_s, board=board, alight=alight), boarded

    def _timed(self, *, line: int, run: int, day: int, shift_s: int, board: int, alight: int) -> Ride:
        lines = self.timetable.lines
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

    def _stretch(self, ride: Ride, position: int) -> tuple[int, int]:
        return self.cancellations.stretch(line=ride.line, run=ride.run, day=ride.day, position=position)

    def _tidy(self, path: FoundJourney) -> FoundJourney:
        """Change where least is ridden; the vehicles, the departure and the arrival stay."""
        rides = list(path.rides)
        change = np.empty(2, dtype=np.int32)
        for i in range(len(rides) - 1):
            first, second = rides[i], rides[i + 1]
            shift_1, shift_2 = self._start_s(first.day, path.day), self._start_s(second.day, path.day)
            cost = best_interchange(
                self.timetable.lines,
                self.timetable.walks,
                (first.line, first.run, shift_1, first.board, self._stretch(first, first.board)[1]),
                (second.line, second.run, shift_2, self._stretch(second, second.alight)[0], second.alight),
                change,
            )
            assert cost != NOT_REACHED, "the interchange found by the search is one of those tried"
            alight, board = int(change[0]), int(change[1])
            rides[i] = self._timed(
                line=first.line,
                run=first.run,
                day=first.day,
                shift_s=shift_1,
                board=first.board,
                alight=alight,
            )
            rides[i + 1] = self._timed(
                line=second.line,
                run=second.run,
                day=second.day,
                shift_s=shift_2,
                board=board,
                alight=second.alight,
            )
        return self._found(path.day, path.access, rides, path.egress)


def list_access(timetable: Timetable, stops: Sequence[int]) -> list[Access]:
    """Ways to begin at these stops: each of them, and each stop one may walk to from them."""
    return _reach(timetable.walks.offsets, timetable.walks.targets, timetable.walks.walk_s, stops)


def list_egress(timetable: Timetable, stops: Sequence[int]) -> list[Access]:
    """Ways to end at these stops: each of them, and each stop one may walk to them from."""
    mirrored = timetable.mirror_walks
    return _reach(mirrored.offsets, mirrored.targets, mirrored.walk_s, stops)


def get_instant(timetable: Timetable, on: date, seconds: int) -> datetime:
    """So many seconds after that day's start, whether or not the network knows the day."""
    start = service_day_start(timetable, (on - timetable.first_date).days)
    return datetime.fromtimestamp(start.timestamp() + seconds, tz=timetable.zone)


def _reach(offsets: Int32, targets: Int32, walk_s: Int32, stops: Sequence[int]) -> list[Access]:
    ways = {stop: Access(stop=stop, walk_s=0, via=stop) for stop in stops}
    for stop in stops:
        for i in range(int(offsets[stop]), int(offsets[stop + 1])):
            target, seconds = int(targets[i]), int(walk_s[i])
            if target not in ways or seconds < ways[target].walk_s:
                ways[target] = Access(stop=target, walk_s=seconds, via=stop)
    return list(ways.values())


def _nearest(ends: Sequence[Access], stop: int) -> Access:
    return min((end for end in ends if end.stop == stop), key=lambda end: end.walk_s)
