"""How late a trip is, from where its vehicle is.

Problem   Some operators send where vehicles are and no trip updates.
Idea      The plan says when the vehicle should be where it was seen; the difference is its delay. Told is
          the stop it is at or on the way to; else the nearest hop of the beelines between the trip's stops,
          and of hops as near the one that makes the least delay.
Rules     Trip updates win. A position older than OLD_AFTER, from the future, or far from the trip's stops
          says nothing; nor does one at the last stop, where a vehicle may stand long after it came. An early
          vehicle has left the stops behind it, and keeps to the plan from there on: no position shows that
          it will leave early.
Source    GTFS-Realtime reference, vehicle positions: current_stop_sequence, stop_id, current_status.
"""

from datetime import datetime, timedelta

import numpy as np

from gtfs.notices import Severity
from gtfs.realtime import LiveMessage, StopRelation, StopUpdate, TripRelation, VehiclePosition, VehicleStatus
from routing.kernels.arrays import Int32
from routing.live.changes import Calls, TripChange
from routing.timetable import Timetable
from services.planner.live.matching import Matched, Matcher, Unmatched

OLD_AFTER = timedelta(minutes=5)
AHEAD_MAX = timedelta(minutes=1)
"""How far the clock of a vehicle may go ahead of ours."""
DELAY_S_MAX = 6 * 3_600
"""What seems later than this, or earlier by EARLY_S_MAX, is on another trip."""
EARLY_S_MAX = 1_800
AT_STOP_M = 150.0
_OFF_LINE_M = 1_000.0
_OFF_LINE_SHARE = 0.25
_AS_NEAR_M = 100.0
_DEGREE_M = 111_195.0


def match_positions(
    timetable: Timetable, feed_id: str, message: LiveMessage, *, now: datetime, into: Matched
) -> None:
    """Add what the positions show of trips that no trip update tells of. Raises nothing: see `match`."""
    matcher = Matcher(timetable, feed_id, now, into)
    newest = sorted(
        (position for position in message.positions if position.trip is not None),
        key=lambda each: (_seen_at(each, message) or now).timestamp(),
        reverse=True,
    )
    for position in newest:
        seen_at = _seen_at(position, message)
        if seen_at is None or not now - OLD_AFTER <= seen_at <= now + AHEAD_MAX:
            continue
        try:
            _add(timetable, matcher, position, seen_at, into)
        except Unmatched as why:
            into.notices.add(why.code, Severity.WARNING, f"{why}", file=feed_id)


def _seen_at(position: VehiclePosition, message: LiveMessage) -> datetime | None:
    return position.measured_at or message.made_at


def _add(
    timetable: Timetable, matcher: Matcher, position: VehiclePosition, seen_at: datetime, into: Matched
) -> None:
    """Raises Unmatched."""
    ref = position.trip
    assert ref is not None, "only positions on trips are looked at"
    if ref.relation is not TripRelation.SCHEDULED:
        return
    trip, day, planned = matcher.find(ref)
    if (trip, day) in into.confirmed or (trip, day) in into.cancelled:
        return
    at_s = matcher.seconds(seen_at, day)
    place = _told_place(matcher, position, trip, planned) or _nearest_place(
        timetable, position, planned, at_s
    )
    if place is None:
        return
    calls = shift_calls(planned, *place, at_s)
    if calls is None:
        return
    old_at = seen_at + OLD_AFTER
    into.old_at = old_at if into.old_at is None else min(into.old_at, old_at)
    into.confirmed.add((trip, day))
    if calls is not planned:
        into.changes.append(TripChange(trip, day, calls))


def shift_calls(planned: Calls, call: int, share: float, at_s: int) -> Calls | None:
    """The calls of a trip that is seen at `at_s`; `planned` if it is on time; None if unknown.

    share  how much of the hop before `call` is done, 0 to 1; 1 at the stop; negative where nobody knows
    """
    arrives_s, departs_s = int(planned.arrivals_s[call]), int(planned.departures_s[call])
    is_last = call == len(planned.stops) - 1
    first_s = last_s = arrives_s
    if share >= 1:
        if is_last:
            return None
        last_s = departs_s
    elif call > 0:
        left_s = int(planned.departures_s[call - 1])
        if share < 0:
            first_s = left_s
        else:
            first_s = last_s = left_s + round(share * (arrives_s - left_s))
    if call == 0:
        first_s = min(first_s, at_s)  # Before it sets out a vehicle may wait as long as it likes.
    late_s = max(0, at_s - last_s)
    early_s = max(0, first_s - at_s)
    if late_s > DELAY_S_MAX or early_s > EARLY_S_MAX:
        return None
    arrivals, departures = planned.arrivals_s.copy(), planned.departures_s.copy()
    if late_s:
        # At a stop the arrival is behind it; on the way it is still to come.
        arrivals[call + (share >= 1) :] += np.int32(late_s)
        departures[call:] += np.int32(late_s)
        return planned._replace(arrivals_s=arrivals, departures_s=departures)
    if early_s:
        np.minimum(departures[:call], at_s, out=departures[:call])
        behind = call + (share >= 1)
        np.minimum(arrivals[:behind], at_s, out=arrivals[:behind])
        return planned._replace(arrivals_s=arrivals, departures_s=departures)
    return planned


def _told_place(
    matcher: Matcher, position: VehiclePosition, trip: int, planned: Calls
) -> tuple[int, float] | None:
    """The call that is told, and -1 on the way to it, 1 at it; None where none is. Raises Unmatched."""
    if (position.stop_sequence is None and position.stop_id is None) or (
        position.status is VehicleStatus.UNKNOWN
    ):
        return None
    told = StopUpdate(
        stop_sequence=position.stop_sequence,
        stop_id=position.stop_id,
        relation=StopRelation.SCHEDULED,
        arrival_delay_s=None,
        arrives_at=None,
        departure_delay_s=None,
        departs_at=None,
    )
    assert position.trip is not None, "only positions on trips are looked at"
    call = matcher.find_call(trip, planned.stops.tolist(), told, 0, position.trip)
    return call, 1.0 if position.status is VehicleStatus.STOPPED_AT else -1.0


def _nearest_place(
    timetable: Timetable, position: VehiclePosition, planned: Calls, at_s: int
) -> tuple[int, float] | None:
    """The hop that the vehicle is on, by the call it leads to, and its share done; None if far off."""
    if position.lat is None or position.lon is None:
        return None
    lat, lon = timetable.stops.lat[planned.stops], timetable.stops.lon[planned.stops]
    # A plane about the vehicle: hops are short beside the earth.
    x = (lon - position.lon) * _DEGREE_M * np.cos(np.radians(position.lat))
    y = (lat - position.lat) * _DEGREE_M
    dx, dy = np.diff(x), np.diff(y)
    squares = dx * dx + dy * dy
    shares = np.clip(-(x[:-1] * dx + y[:-1] * dy) / np.maximum(squares, 1.0), 0.0, 1.0)
    off_m = np.hypot(x[:-1] + shares * dx, y[:-1] + shares * dy)
    nearest_m = float(off_m.min())
    best: tuple[float, int, float] | None = None
    for hop in np.flatnonzero(off_m <= nearest_m + _AS_NEAR_M).tolist():
        if off_m[hop] > max(_OFF_LINE_M, _OFF_LINE_SHARE * float(np.sqrt(squares[hop]))):
            continue
        call, share = hop + 1, float(shares[hop])
        if np.hypot(x[hop], y[hop]) <= AT_STOP_M:
            call, share = hop, 1.0
        elif np.hypot(x[hop + 1], y[hop + 1]) <= AT_STOP_M:
            share = 1.0
        away_s = _away_s(planned.arrivals_s, planned.departures_s, call, share, at_s)
        if best is None or away_s < best[0]:
            best = away_s, call, share
    return None if best is None else best[1:]


def _away_s(arrivals_s: Int32, departures_s: Int32, call: int, share: float, at_s: int) -> float:
    if share >= 1:
        return max(0, int(arrivals_s[call]) - at_s, at_s - int(departures_s[call]))
    left_s = int(departures_s[call - 1])
    return abs(at_s - left_s - share * (int(arrivals_s[call]) - left_s))
