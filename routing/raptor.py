"""Journeys from a timetable: the shell over the kernels.

Problem   A traveller asks for a day and an hour; the kernel knows instances, shifts and labels. And the
          earliest arrival is not yet a good journey: one may leave later and arrive as early.
Idea      1. Lay out the lines of the days around the search (windows.py; kept for the next search).
          2. Search forward: the earliest arrival for each number of rides.
          3. For each, search the mirrored timetable back from that arrival for the latest departure.
             To arrive by an hour, the other way round: latest departures first, then the earliest arrivals.
          4. Move each interchange to where least is ridden (found.py).
          For all departures of some hours, `find_range`: one search of them all, which tells every journey
          with its latest departure, so that step 3 falls away.
Window    A search looks at the service days that can still be boarded on its day, that and the next. Only if
          nothing is found does it look further, up to two weeks, so a weekly ship is found and a metro query
          pays nothing. If the best arrival lies beyond the window, the window grows until it does not, since
          a later departure might arrive earlier. So the earliest arrival is exact; journeys with fewer rides
          are sought within the same window only.
Bounds    With bounds (bounds.py) a search is several times faster and its answers are the same.
Not here  Names and coordinates (streets.py, journey.py).
Invariant The answer is a Pareto set: each journey has more rides than the next earlier arrival would need.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from threading import Lock

import numpy as np

from routing.bounds import Bounds, no_bounds
from routing.cancellations import Cancellations
from routing.found import read_journeys, tidy
from routing.journey import Access, FoundJourney, service_day_start
from routing.kernels.arrays import NOT_REACHED, BoundRows, Found, Instances, Int32, Lines, Times, Walks
from routing.kernels.interchange import best_interchange
from routing.kernels.raptor import mark_departures, search
from routing.live.overlay import Overlay
from routing.timetable import Timetable
from routing.windows import Layout, Window
from routing.workspaces import Workspaces, make_room

SEARCH_DAYS_AFTER = (1, 3, 7, 14)
"""Days after (or before) the day searched that are looked at, one after another until something is found."""

INSTANCES_KEPT = 24
"""Laid-out windows kept: a few dates, both directions."""

RANGE_S_MAX = 86_400
"""The longest range of departures in one search."""

DAY_S = 86_400

Ends = tuple[Int32, Int32]


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


@dataclass(frozen=True, slots=True)
class Side:
    """The timetable seen forward, or mirrored: what the kernels read."""

    times: Times
    walks: Walks
    bounds: BoundRows
    layout: Layout


class Router:
    """Searches one timetable, less what is cancelled. Safe to use from several threads.

    Holds no state but laid-out windows and workspaces. A change of cancellations is another router
    (`replace_cancelled`), and so is one of times, stops or trips (`lay_over`). `bounds` must hold for the
    timetable, but for `gain_s` that a ride may be faster; without them searches are slower.
    """

    windows_kept = INSTANCES_KEPT

    def __init__(
        self,
        timetable: Timetable,
        cancelled: Iterable[tuple[int, date]] = (),
        *,
        moved: Iterable[tuple[int, int]] = (),
        bounds: Bounds | None = None,
        gain_s: int = 0,
    ) -> None:
        self.timetable = timetable
        self.bounds = bounds
        self.gain_s = gain_s
        self.cancellations = Cancellations(timetable, cancelled, moved)
        self.workspaces = Workspaces(timetable.stop_count)
        self._laid_out: OrderedDict[Window, Instances] = OrderedDict()
        self._starts: dict[int, int] = {}
        self._lock = Lock()

    def replace_cancelled(self, cancelled: Iterable[tuple[int, date]]) -> "Router":
        """A router with these trips cancelled on these dates, and no others; this one stays as it is."""
        moved = self.cancellations.moved
        router = Router(self.timetable, cancelled, moved=moved, bounds=self.bounds, gain_s=self.gain_s)
        router.sides = self.sides
        router.workspaces = self.workspaces
        with self._lock:
            for window, instances in self._laid_out.items():
                changes = (self.cancellations, router.cancellations)
                if not any(each.touches(window.days) for each in changes):
                    router._laid_out[window] = instances
        return router

    def lay_over(
        self,
        overlay: Overlay,
        cancelled: Iterable[tuple[int, date]],
        *,
        windows: Iterable[Window] | None = None,
    ) -> "Router":
        """A router of this one's timetable with changes; these windows, or those kept here, are laid out."""
        assert overlay.planned is self.timetable, (
            "changes are laid over the timetable that they were made for"
        )
        router = Router(
            overlay.timetable,
            cancelled,
            moved=overlay.moved,
            bounds=None if overlay.gain_s is None else self.bounds,
            gain_s=overlay.gain_s or 0,
        )
        router.workspaces = self.workspaces
        for window in self.list_windows() if windows is None else windows:
            router.get_instances(window)
        return router

    def list_windows(self) -> list[Window]:
        """The windows that are laid out now."""
        with self._lock:
            return list(self._laid_out)

    @cached_property
    def sides(self) -> tuple[Side, Side]:
        """The timetable seen forward, and mirrored."""
        here = self.timetable
        return (
            Side(
                _times(here.lines),
                here.walks,
                self.bounds.forward if self.bounds else no_bounds(),
                Layout(here, is_mirrored=False),
            ),
            Side(
                _times(here.mirror),
                here.mirror_walks,
                self.bounds.mirror if self.bounds else no_bounds(),
                Layout(here, is_mirrored=True),
            ),
        )

    def find_journeys(self, query: Query) -> list[FoundJourney]:
        """The Pareto set of arrival (departure, if arrive_by) and rides. Raises OutsideDates.

        Best first: earliest arrival, or latest departure if arrive_by.
        """
        day, time_s = self.get_day_second(query.at)
        find = self._arrive_by if query.arrive_by else self._depart_at
        paths = find(query, day, time_s)
        return [self.tidy(path) for path in reversed(paths)]

    def find_range(self, query: Query, length_s: int) -> list[FoundJourney]:
        """Journeys than which none leaves later, arrives earlier and has fewer rides. Raises OutsideDates.

        Of all that leave at `query.at` or later those that leave at most length_s later; if arrive_by, of all
        that arrive at `at` or earlier those that arrive at most length_s earlier. In order of departure.
        """
        assert 0 < length_s <= RANGE_S_MAX, "the window holds every departure of the range"
        day, time_s = self.get_day_second(query.at)
        found = self._range(query, day, time_s, length_s)
        found.sort(key=lambda path: (path.departs_s, path.arrives_s))
        return [self.tidy(path) for path in found]

    def get_day_second(self, at: datetime) -> tuple[int, int]:
        """The day that `at` is in, as an index, and the seconds from its start. Raises OutsideDates."""
        here = at.astimezone(self.timetable.zone)
        day = self._service_day(here)
        return day, int(here.timestamp()) - self._day_start(day)

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
            query = Query(at=at, access=ends, egress=ends, arrive_by=arrive_by)
            self.find_journeys(query)
            self.find_range(query, 3600)
        change = np.empty(2, dtype=np.int32)
        first, second = (0, 0, 0, 0, 2), (0, 0, 0, 0, 1)
        best_interchange(self.timetable.lines, self.timetable.walks, first, second, int(NOT_REACHED), change)

    # Searches ----------------------------------------------------------------------------------------------

    def _depart_at(self, query: Query, day: int, time_s: int) -> list[FoundJourney]:
        before = self.timetable.overhang_days
        found, after = self._look_further(
            lambda after: self.run(query, Window(day, before, after, is_mirrored=False), _instants(time_s)),
            is_last=lambda after: day + after >= self.timetable.day_count,
        )
        while found:
            best_s = min(path.arrives_s for path in found)
            if best_s < (end_s := self.get_start_s(day + after + 1, day)):
                break
            after += 1 + (best_s - end_s) // DAY_S
            found = self.run(query, Window(day, before, after, is_mirrored=False), _instants(time_s))
        back = Window(day, before, after, is_mirrored=True)
        return [
            self._only(
                self.run(
                    query, back, _instants(-path.arrives_s), latest_s=-time_s, ride_count_max=len(path.rides)
                ),
                path,
            )
            for path in found
        ]

    def _arrive_by(self, query: Query, day: int, time_s: int) -> list[FoundJourney]:
        overhang = self.timetable.overhang_days
        found, reach = self._look_further(
            lambda reach: self.run(
                query, Window(day, reach + overhang, 0, is_mirrored=True), _instants(-time_s)
            ),
            is_last=lambda reach: day - reach - overhang < 0,
        )
        while found:
            best_s = max(path.departs_s for path in found)
            if best_s >= (begin_s := self.get_start_s(day - reach, day)):
                break
            reach += 1 + (begin_s - best_s) // DAY_S
            window = Window(day, reach + overhang, 0, is_mirrored=True)
            found = self.run(query, window, _instants(-time_s))
        there = Window(day, reach + overhang, 0, is_mirrored=False)
        return [
            self._only(
                self.run(
                    query,
                    there,
                    _instants(path.departs_s),
                    latest_s=time_s,
                    ride_count_max=len(path.rides),
                ),
                path,
            )
            for path in found
        ]

    def _range(self, query: Query, day: int, time_s: int, length_s: int) -> list[FoundJourney]:
        overhang = self.timetable.overhang_days
        is_mirrored = query.arrive_by
        # The kernel's own time: backwards, if mirrored.
        begin_s = -time_s if is_mirrored else time_s

        def make_window(reach: int) -> Window:
            if is_mirrored:
                return Window(day, reach + overhang, 0, is_mirrored=True)
            return Window(day, overhang, reach, is_mirrored=False)

        def find(reach: int) -> list[FoundJourney]:
            # Departures of the next day need the day after that.
            window = make_window(reach + (begin_s + length_s > DAY_S))
            return self.run(query, window, self.list_departures(query, window, begin_s, length_s))

        def is_last(reach: int) -> bool:
            return day - reach - overhang < 0 if is_mirrored else day + reach >= self.timetable.day_count

        found, reach = self._look_further(find, is_last=is_last)
        while found and not is_last(reach):
            if is_mirrored:
                missing_s = self.get_start_s(day - reach, day) - min(path.departs_s for path in found)
            else:
                missing_s = max(path.arrives_s for path in found) - self.get_start_s(day + reach + 1, day) + 1
            if missing_s <= 0:
                break
            reach += 1 + missing_s // DAY_S
            found = find(reach)
        # Those that leave after the range have ruled out others.
        if is_mirrored:
            return [path for path in found if path.arrives_s >= time_s - length_s]
        return [path for path in found if path.departs_s <= time_s + length_s]

    @staticmethod
    def _look_further(
        find: Callable[[int], list[FoundJourney]], *, is_last: Callable[[int], bool]
    ) -> tuple[list[FoundJourney], int]:
        """What is found, and how many days were looked at for it."""
        found: list[FoundJourney] = []
        reach = 0
        for reach in SEARCH_DAYS_AFTER:
            found = find(reach)
            if found or is_last(reach):
                break
        return found, reach

    @staticmethod
    def _only(turned: list[FoundJourney], path: FoundJourney) -> FoundJourney:
        """The way back of a journey that is in a Pareto set: with fewer rides there is none."""
        assert len(turned) == 1, "what arrives can be followed back"
        assert len(turned[0].rides) == len(path.rides), "each ride pays"
        return turned[0]

    def run(
        self,
        query: Query,
        window: Window,
        departs_s: Int32,
        *,
        latest_s: int = int(NOT_REACHED) - 1,
        ride_count_max: int | None = None,
    ) -> list[FoundJourney]:
        """The kernel, once. Times are the kernel's: if the window is mirrored, negative and backwards."""
        if not len(departs_s):
            return []
        side, instances = self.sides[window.is_mirrored], self.get_instances(window)
        access, egress = self.kernel_ends(query, is_mirrored=window.is_mirrored)
        rides = ride_count_max or query.ride_count_max
        times = 1
        while True:
            found = make_room(times)
            with self.workspaces.take(instance_count=len(instances.rows), ride_count_max=rides) as workspace:
                count = search(
                    side.times,
                    instances,
                    side.walks,
                    side.bounds,
                    self.gain_s * rides,
                    access,
                    egress,
                    departs_s,
                    latest_s,
                    rides,
                    workspace,
                    found,
                )
            if count >= 0:
                return self.read(query, window, found, count)
            times *= 4

    def kernel_ends(self, query: Query, *, is_mirrored: bool) -> tuple[Ends, Ends]:
        """Where the kernel begins and ends."""
        return ends_of(query, is_mirrored=is_mirrored)

    def read(self, query: Query, window: Window, found: Found, count: int) -> list[FoundJourney]:
        """The journeys that the kernel wrote."""
        return read_journeys(self.timetable, window, query, found, count)

    def tidy(self, path: FoundJourney) -> FoundJourney:
        """The same journey with its interchanges where one would have them."""
        return tidy(self.timetable, self.cancellations, path)

    def list_departures(self, query: Query, window: Window, begin_s: int, length_s: int) -> Int32:
        """Just after the range's end, and when one would leave in it to board something, the last first.

        The kernel's times, see `run`.
        """
        side = self.sides[window.is_mirrored]
        access, _ = self.kernel_ends(query, is_mirrored=window.is_mirrored)
        is_departure = np.zeros(length_s + 1, dtype=np.bool_)
        mark_departures(side.times, self.get_instances(window), access, begin_s, is_departure)
        # After the end too, so that nobody leaves in the range who would better leave after it.
        return (np.append(np.flatnonzero(is_departure), length_s + 1)[::-1] + begin_s).astype(np.int32)

    # Windows -----------------------------------------------------------------------------------------------

    def lay_out(self, on: date) -> Instances:
        """The instances that a search departing that day begins with; kept for the searches after it."""
        before = self.timetable.overhang_days
        day = self.timetable.get_day(on)
        return self.get_instances(Window(day, before, SEARCH_DAYS_AFTER[0], is_mirrored=False))

    def _day_start(self, day: int) -> int:
        """A service day's start, in seconds since 1970."""
        if day not in self._starts:
            self._starts[day] = int(service_day_start(self.timetable, day).timestamp())
        return self._starts[day]

    def get_start_s(self, day: int, searched: int) -> int:
        """A service day's start, in seconds after the start of the day searched."""
        return self._day_start(day) - self._day_start(searched)

    def get_instances(self, window: Window) -> Instances:
        """The window, laid out."""
        with self._lock:
            known = self._laid_out.get(window)
            if known is not None:
                self._laid_out.move_to_end(window)
                return known
        laid_out = self._lay_out(window)
        with self._lock:
            self._laid_out[window] = laid_out
            while len(self._laid_out) > self.windows_kept:
                self._laid_out.popitem(last=False)
        return laid_out

    def _lay_out(self, window: Window) -> Instances:
        return self.sides[window.is_mirrored].layout.lay_out(
            self.cancellations, window, lambda day: self.get_start_s(day, window.day)
        )


def ends_of(query: Query, *, is_mirrored: bool) -> tuple[Ends, Ends]:
    """A query's access and egress as the kernel reads them; in a mirrored search the other way round."""
    ends = query.egress, query.access
    access, egress = ends if is_mirrored else ends[::-1]
    return _as_arrays(access), _as_arrays(egress)


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


def _times(lines: Lines) -> Times:
    return Times(lines.stops, lines.flags, lines.arrivals, lines.departures)


def _instants(seconds: int) -> Int32:
    return np.array([seconds], dtype=np.int32)


def _as_arrays(ends: Sequence[Access]) -> Ends:
    return (
        np.array([end.stop for end in ends], dtype=np.int32),
        np.array([end.walk_s for end in ends], dtype=np.int32),
    )


def _reach(offsets: Int32, targets: Int32, walk_s: Int32, stops: Sequence[int]) -> list[Access]:
    ways = {stop: Access(stop=stop, walk_s=0, via=stop) for stop in stops}
    for stop in stops:
        for i in range(int(offsets[stop]), int(offsets[stop + 1])):
            target, seconds = int(targets[i]), int(walk_s[i])
            if target not in ways or seconds < ways[target].walk_s:
                ways[target] = Access(stop=target, walk_s=seconds, via=stop)
    return list(ways.values())
