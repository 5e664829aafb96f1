"""GTFS-Realtime trip updates as changes of a timetable.

Problem   A message names trips and stops in the feed's words, by half a dozen combinations of fields, and may
          speak of what the timetable does not have.
Idea      Each update is looked up by itself; what cannot be matched is a notice that says why, and the others
          hold. Calls are matched in order, each behind the one before: so loops are told apart.
Rules     A delay holds until a later call says otherwise; NO_DATA means as planned from there on; calls
          before the first that is told of are as planned. A departure without word has its arrival's delay.
          Without a date the service day on which the trip runs nearest to now is meant.
Source    GTFS-Realtime reference, trip updates: ScheduleRelationship, StopTimeUpdate, TripProperties.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from gtfs.notices import Notices, Severity
from gtfs.realtime import LiveMessage, StopRelation, StopUpdate, TripRef, TripRelation, TripUpdate
from routing.journey import service_day_start
from routing.kernels.arrays import MAY_ALIGHT, MAY_BOARD
from routing.live.changes import Calls, ExtraTrip, TripChange, planned_calls
from routing.live.overlay import Sailing
from routing.timetable import Timetable

_CALLS_MIN = 2
_TIME_S_MAX = 8 * 86_400
"""A time further from its service day's start is a mistake."""


@dataclass(slots=True)
class Matched:
    """What messages change. `confirmed` are trips that run as the messages say, late or not.

    `old_at` is when the first of the positions among them says nothing any more; None without any.
    """

    changes: list[TripChange] = field(default_factory=list)
    extras: list[ExtraTrip] = field(default_factory=list)
    cancelled: set[Sailing] = field(default_factory=set)
    confirmed: set[Sailing] = field(default_factory=set)
    update_count: int = 0
    matched_count: int = 0
    notices: Notices = field(default_factory=Notices)
    old_at: datetime | None = None


class Unmatched(Exception):
    """An update that says nothing to this timetable: the notice's code, and why in words."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def match(timetable: Timetable, feed_id: str, message: LiveMessage, *, now: datetime, into: Matched) -> None:
    """Add what the message changes. Raises nothing: what does not match is noted."""
    matcher = Matcher(timetable, feed_id, now, into)
    for update in message.trip_updates:
        into.update_count += 1
        try:
            matcher.add(update)
            into.matched_count += 1
        except Unmatched as why:
            into.notices.add(why.code, Severity.WARNING, f"{why}", file=feed_id)


class Matcher:
    """One message against one timetable."""

    def __init__(self, timetable: Timetable, feed_id: str, now: datetime, into: Matched) -> None:
        self._timetable = timetable
        self._feed_id = feed_id
        self._now = now
        self._into = into
        self._starts: dict[tuple[int, int], dict[int, list[int]]] = {}
        self._new_ids = {each.trip_id for each in into.extras}
        self._day_starts: dict[int, float] = {}

    def add(self, update: TripUpdate) -> None:
        """Raises Unmatched."""
        acts: Mapping[TripRelation, Callable[[TripUpdate], None]] = {
            TripRelation.SCHEDULED: self._change,
            TripRelation.UNSCHEDULED: self._change,
            TripRelation.CANCELED: self._cancel,
            TripRelation.DELETED: self._cancel,
            TripRelation.REPLACEMENT: self._replace,
            TripRelation.DUPLICATED: self._duplicate,
            TripRelation.NEW: self._add_new,
            TripRelation.ADDED: self._add_new,
        }
        act = acts.get(update.trip.relation)
        if act is None:
            raise Unmatched(
                "live_relation_unknown",
                f"{_name(update.trip)} has a schedule_relationship that is not known.",
            )
        act(update)

    # What becomes of a trip --------------------------------------------------------------------------------

    def _cancel(self, update: TripUpdate) -> None:
        trip, day, _ = self.find(update.trip)
        self._into.cancelled.add((trip, day))

    def _change(self, update: TripUpdate) -> None:
        trip, day, planned = self.find(update.trip)
        calls = self._apply(update, trip, planned, day)
        self._into.confirmed.add((trip, day))
        if _differ(calls, planned):
            self._into.changes.append(TripChange(trip, day, calls))

    def _replace(self, update: TripUpdate) -> None:
        trip, day, _ = self.find(update.trip)
        self._into.confirmed.add((trip, day))
        self._into.changes.append(TripChange(trip, day, self._tell_calls(update, day)))

    def _duplicate(self, update: TripUpdate) -> None:
        model, day, planned = self.find(update.trip)
        new = update.new_trip
        if new is None or new.trip_id is None or new.start_s is None:
            raise Unmatched(
                "live_duplicate_unnamed",
                f"{_name(update.trip)} is duplicated: trip_properties must give its trip_id and start_time.",
            )
        if new.start_date is not None:
            day = (new.start_date - self._timetable.first_date).days
        self._check_new(new.trip_id, day)
        away_s = new.start_s - int(planned.departures_s[0])
        if abs(away_s) > _TIME_S_MAX:
            raise Unmatched("live_time_far", f"{_name(update.trip)} is duplicated more than eight days away.")
        moved = planned._replace(
            arrivals_s=planned.arrivals_s + np.int32(away_s),
            departures_s=planned.departures_s + np.int32(away_s),
        )
        self._add_extra(
            update, new.trip_id, self._route_of(model), day, self._apply(update, model, moved, day)
        )

    def _add_new(self, update: TripUpdate) -> None:
        ref, new = update.trip, update.new_trip
        trip_id = (new.trip_id if new is not None else None) or ref.trip_id
        if trip_id is None:
            raise Unmatched("live_trip_unnamed", "A new trip has no trip_id.")
        route = self._find_route(ref)
        on = ref.start_date or self._now.astimezone(self._timetable.zone).date()
        day = (on - self._timetable.first_date).days
        self._check_new(trip_id, day)
        self._add_extra(update, trip_id, route, day, self._tell_calls(update, day))

    def _check_new(self, trip_id: str, day: int) -> None:
        timetable, public_id = self._timetable, f"{self._feed_id}:{trip_id}"
        if public_id in timetable.trip_index or public_id in self._new_ids:
            raise Unmatched(
                "live_trip_exists", f"The new trip `{trip_id}` has the id of another; give it its own."
            )
        if not 0 <= day < timetable.day_count:
            raise Unmatched(
                "live_day_unknown", f"The new trip `{trip_id}` runs on a day beyond the timetable."
            )

    def _add_extra(self, update: TripUpdate, trip_id: str, route: int, day: int, calls: Calls) -> None:
        new = update.new_trip
        self._new_ids.add(f"{self._feed_id}:{trip_id}")
        self._into.extras.append(
            ExtraTrip(
                trip_id=f"{self._feed_id}:{trip_id}",
                route=route,
                day=day,
                calls=calls,
                headsign=(new.headsign if new is not None else None) or "",
                name=(new.short_name if new is not None else None) or "",
            )
        )

    # Which trip, which calls -------------------------------------------------------------------------------

    def find(self, ref: TripRef) -> tuple[int, int, Calls]:
        """The trip, its day (an index) and its planned calls. Raises Unmatched."""
        trip = self._find_trip(ref)
        if ref.start_date is not None:
            day = (ref.start_date - self._timetable.first_date).days
            planned = self._planned(trip, day)
            if planned is None:
                raise Unmatched(
                    "live_trip_not_that_day",
                    f"{_name(ref)} does not run on {ref.start_date} in the timetable.",
                )
            return trip, day, planned
        return (trip, *self._find_nearest_day(trip, ref))

    def _find_trip(self, ref: TripRef) -> int:
        timetable = self._timetable
        if ref.trip_id is not None:
            public_id = f"{self._feed_id}:{ref.trip_id}"
            trip = timetable.trip_index.get(public_id)
            if trip is None and ref.start_s is not None:
                trip = timetable.trip_index.get(f"{public_id}@{_clock(ref.start_s)}")
            if trip is None:
                raise Unmatched("live_trip_unknown", f"{_name(ref)} is not in the timetable.")
            return trip
        if ref.start_s is None or ref.start_date is None:
            raise Unmatched(
                "live_trip_unnamed",
                f"{_name(ref)}: without a trip_id, route_id, start_time and start_date must say which trip.",
            )
        day = (ref.start_date - timetable.first_date).days
        found = self._list_starts(self._find_route(ref), day).get(ref.start_s, [])
        if len(found) != 1:
            what = "no trip" if not found else f"{len(found)} trips"
            raise Unmatched(
                "live_trip_unclear", f"{_name(ref)}: {what} of the timetable start so. Send trip_id."
            )
        return found[0]

    def _find_route(self, ref: TripRef) -> int:
        route = self._timetable.route_index.get(f"{self._feed_id}:{ref.route_id}")
        if route is None:
            raise Unmatched(
                "live_route_unknown", f"{_name(ref)}: the timetable has no route `{ref.route_id}`."
            )
        return route

    def _route_of(self, trip: int) -> int:
        return int(self._timetable.trips.routes[trip])

    def _list_starts(self, route: int, day: int) -> dict[int, list[int]]:
        """A route's trips of a day by their first departure."""
        if (route, day) not in self._starts:
            starts = self._starts[route, day] = {}
            for trip in np.flatnonzero(self._timetable.trips.routes == route).tolist():
                planned = self._planned(trip, day)
                if planned is not None:
                    starts.setdefault(int(planned.departures_s[0]), []).append(trip)
        return self._starts[route, day]

    def _find_nearest_day(self, trip: int, ref: TripRef) -> tuple[int, Calls]:
        today = (self._now.astimezone(self._timetable.zone).date() - self._timetable.first_date).days
        found = []
        for day in range(today - 2, today + 2):
            planned = self._planned(trip, day)
            if planned is not None:
                start_s = service_day_start(self._timetable, day).timestamp()
                away_s = max(
                    start_s + int(planned.departures_s[0]) - self._now.timestamp(),
                    self._now.timestamp() - start_s - int(planned.arrivals_s[-1]),
                    0.0,
                )
                found.append((away_s, day, planned))
        if not found:
            raise Unmatched(
                "live_trip_not_that_day", f"{_name(ref)} does not run about now. Send start_date."
            )
        _, day, planned = min(found, key=lambda each: each[:2])
        return day, planned

    def _planned(self, trip: int, day: int) -> Calls | None:
        return planned_calls(self._timetable, trip, day) if 0 <= day < self._timetable.day_count else None

    # What its calls are now --------------------------------------------------------------------------------

    def _apply(self, update: TripUpdate, trip: int, planned: Calls, day: int) -> Calls:
        """The planned calls with what the update says of them."""
        # Calls are few and updates many: plain lists are quicker here than arrays.
        stops, flags = planned.stops.tolist(), planned.flags.tolist()
        arrivals, departures = planned.arrivals_s.tolist(), planned.departures_s.tolist()
        planned_stops = planned.stops.tolist()
        delay_s = update.delay_s or 0
        cursor = 0
        for told in update.stops:
            at = self.find_call(trip, planned_stops, told, cursor, update.trip)
            _shift(arrivals, departures, range(cursor, at), delay_s)
            if told.relation is StopRelation.NO_DATA:
                delay_s = 0
            elif told.relation is StopRelation.SKIPPED:
                flags[at] = 0
            if told.assigned_stop_id is not None:
                stops[at] = self._find_stop(told.assigned_stop_id, update.trip)
            arrival_s = self._delay_s(told.arrival_delay_s, told.arrives_at, arrivals[at], day)
            arrival_delay_s = delay_s if arrival_s is None else arrival_s
            departure_s = self._delay_s(told.departure_delay_s, told.departs_at, departures[at], day)
            delay_s = arrival_delay_s if departure_s is None else departure_s
            arrivals[at] += arrival_delay_s
            departures[at] += delay_s
            cursor = at + 1
        _shift(arrivals, departures, range(cursor, len(stops)), delay_s)
        return _as_calls(stops, flags, arrivals, departures, update.trip)

    def _tell_calls(self, update: TripUpdate, day: int) -> Calls:
        """The calls of a trip that is told whole. Raises Unmatched."""
        stops, flags, arrivals, departures = list[int](), list[int](), list[int](), list[int]()
        for told in update.stops:
            if told.relation is StopRelation.SKIPPED:
                continue
            arrives, departs = told.arrives_at or told.departs_at, told.departs_at or told.arrives_at
            if told.stop_id is None or arrives is None or departs is None:
                raise Unmatched(
                    "live_call_untold",
                    f"{_name(update.trip)} is told whole: each call needs stop_id and a time.",
                )
            stops.append(self._find_stop(told.assigned_stop_id or told.stop_id, update.trip))
            flags.append(int(MAY_BOARD | MAY_ALIGHT))
            arrivals.append(self.seconds(arrives, day))
            departures.append(self.seconds(departs, day))
        if len(stops) < _CALLS_MIN:
            raise Unmatched(
                "live_call_untold", f"{_name(update.trip)} is told whole and has fewer than two calls."
            )
        return _as_calls(stops, flags, arrivals, departures, update.trip)

    def find_call(self, trip: int, planned: list[int], told: StopUpdate, cursor: int, ref: TripRef) -> int:
        """The call that is told of, from the cursor on: by its number, if it is at that stop; by its stop.

        Raises Unmatched.
        """
        at = self._find_numbered(trip, planned, told, cursor)
        if told.stop_id is None:
            if at is None:
                raise Unmatched(
                    "live_stop_unnamed",
                    f"{_name(ref)}: a call is told of by no stop_id and by no stop_sequence that is to come "
                    f"({told.stop_sequence}). Send one of them as the timetable has it, in order.",
                )
            return at
        stop = self._find_stop(told.stop_id, ref)
        if at is not None and planned[at] == stop:
            return at
        if stop in planned[cursor:]:
            return planned.index(stop, cursor)
        # Feeds that name platforms in one place and their station in another.
        stations = self._timetable.stops.stations
        for at in range(cursor, len(planned)):
            if stations[stop] >= 0 and stations[planned[at]] == stations[stop]:
                return at
        raise Unmatched(
            "live_stop_unknown", f"{_name(ref)} does not call at `{told.stop_id}`, or not in this order."
        )

    def _find_numbered(self, trip: int, planned: list[int], told: StopUpdate, cursor: int) -> int | None:
        if told.stop_sequence is None:
            return None
        at = self._timetable.find_call(trip, told.stop_sequence)
        return at if at is not None and cursor <= at < len(planned) else None

    def _find_stop(self, stop_id: str, ref: TripRef) -> int:
        stop = self._timetable.stop_index.get(f"{self._feed_id}:{stop_id}")
        if stop is None:
            raise Unmatched("live_stop_unknown", f"{_name(ref)}: the timetable has no stop `{stop_id}`.")
        return stop

    def _delay_s(self, delay_s: int | None, at: datetime | None, planned_s: int, day: int) -> int | None:
        """An absolute time is better than a delay; None where neither is told."""
        return delay_s if at is None else self.seconds(at, day) - int(planned_s)

    def seconds(self, at: datetime, day: int) -> int:
        """The instant as seconds after that service day's start."""
        if day not in self._day_starts:
            self._day_starts[day] = service_day_start(self._timetable, day).timestamp()
        return round(at.timestamp() - self._day_starts[day])


def _shift(arrivals: list[int], departures: list[int], calls: range, delay_s: int) -> None:
    if delay_s:
        for i in calls:
            arrivals[i] += delay_s
            departures[i] += delay_s


def _as_calls(
    stops: list[int], flags: list[int], arrivals: list[int], departures: list[int], ref: TripRef
) -> Calls:
    if max(map(abs, (*arrivals, *departures))) > _TIME_S_MAX:
        raise Unmatched(
            "live_time_far", f"{_name(ref)} has a time more than eight days from its service day."
        )
    return Calls(
        stops=np.array(stops, dtype=np.int32),
        flags=np.array(flags, dtype=np.uint8),
        arrivals_s=np.array(arrivals, dtype=np.int32),
        departures_s=np.array(departures, dtype=np.int32),
    )


def _differ(calls: Calls, planned: Calls) -> bool:
    return not (
        calls.arrivals_s.tobytes() == planned.arrivals_s.tobytes()
        and calls.departures_s.tobytes() == planned.departures_s.tobytes()
        and calls.stops.tobytes() == planned.stops.tobytes()
        and calls.flags.tobytes() == planned.flags.tobytes()
    )


def _clock(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest:02}"


def _name(ref: TripRef) -> str:
    return f"Trip `{ref.trip_id}`" if ref.trip_id else f"A trip of route `{ref.route_id}`"
