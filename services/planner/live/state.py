"""What live messages make of a network: its router, and what is told of each trip.

Idea      Messages are matched and laid over the planned timetable at once, into objects that never change; a
          network takes them up as a whole, or keeps what it had.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from gtfs.notices import Notices
from gtfs.realtime import Alert
from routing.journey import TripLeg, find_ride
from routing.kernels.arrays import MAY_ALIGHT, MAY_BOARD
from routing.live.changes import Calls, planned_calls
from routing.live.overlay import Overlay, Sailing, lay_over
from routing.raptor import Router
from routing.timetable import Timetable
from services.planner.live.matching import Matched, match
from services.planner.live.positions import match_positions
from services.planner.live.store import LiveNews


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveState:
    """Messages in force on a network. The first one, without messages, is of no network.

    `old_at` is when they must be matched again, though none is new: a vehicle's place is too old then.
    """

    news: LiveNews = field(default_factory=LiveNews)
    overlay: Overlay | None = None
    confirmed: frozenset[Sailing] = frozenset()
    cancelled: frozenset[Sailing] = frozenset()
    alerts: tuple[tuple[str, Alert], ...] = ()
    update_count: int = 0
    matched_count: int = 0
    notices: Notices = field(default_factory=Notices)
    old_at: datetime | None = None

    def is_live(self, timetable: Timetable, leg: TripLeg) -> bool:
        """Whether messages say how this trip runs."""
        return (leg.trip, timetable.get_day(leg.service_date)) in self.confirmed

    def find_planned(self, leg: TripLeg) -> TripLeg | None:
        """The same ride as planned; None for one that is as planned, or that nobody planned like that."""
        overlay = self.overlay
        if overlay is None or self._find_planned(leg.trip, overlay.planned.get_day(leg.service_date)) is None:
            return None
        return find_ride(
            overlay.planned,
            trip=leg.trip,
            service_date=leg.service_date,
            board_call=leg.board_call,
            alight_call=leg.alight_call,
        )

    def find_planned_hop(self, trip: int, day: int, call: int) -> tuple[int, int] | None:
        """When a changed trip was to leave this call and reach the next, seconds of its day."""
        planned = self._find_planned(trip, day)
        return (
            None if planned is None else (int(planned.departures_s[call]), int(planned.arrivals_s[call + 1]))
        )

    def _find_planned(self, trip: int, day: int) -> Calls | None:
        """The planned calls of a trip that is changed, unless it has others now."""
        overlay = self.overlay
        if overlay is None or trip >= len(overlay.planned.trips.routes) or (trip, day) not in overlay.changed:
            return None
        then, now = (planned_calls(each, trip, day) for each in (overlay.planned, overlay.timetable))
        return then if then is not None and now is not None and len(then.stops) == len(now.stops) else None

    def is_scheduled(self, leg: TripLeg) -> bool:
        """Whether the timetable has this trip."""
        return self.overlay is None or leg.trip < len(self.overlay.planned.trips.routes)


def may_ride(timetable: Timetable, leg: TripLeg) -> bool:
    """Whether the trip takes people up where the leg begins, and lets them out where it ends."""
    calls = planned_calls(timetable, leg.trip, timetable.get_day(leg.service_date))
    return calls is not None and bool(
        calls.flags[leg.board_call] & MAY_BOARD and calls.flags[leg.alight_call] & MAY_ALIGHT
    )


def list_skipped(timetable: Timetable, leg: TripLeg) -> list[bool]:
    """For each stop between, whether the vehicle passes it without a stop."""
    calls = planned_calls(timetable, leg.trip, timetable.get_day(leg.service_date))
    assert calls is not None, "a trip that is ridden runs"
    return [int(flag) == 0 for flag in calls.flags[leg.board_call + 1 : leg.alight_call]]


def build_state(
    planned: Router, news: LiveNews, cancelled: Iterable[tuple[int, date]], now: datetime
) -> LiveState:
    """Match all messages, and lay what they change over the planned timetable."""
    timetable, matched = planned.timetable, Matched()
    for source in news.sources:
        match(timetable, source.feed_id, source.message, now=now, into=matched)
    # Behind all trip updates, whichever source they come from: those win.
    for source in news.sources:
        match_positions(timetable, source.feed_id, source.message, now=now, into=matched)
    gone = {(trip, (on - timetable.first_date).days) for trip, on in cancelled}
    overlay = lay_over(timetable, matched.changes, matched.extras, gone | matched.cancelled)
    return LiveState(
        news=news,
        overlay=overlay,
        confirmed=frozenset(matched.confirmed) | overlay.changed,
        cancelled=frozenset(matched.cancelled),
        alerts=tuple((each.feed_id, alert) for each in news.sources for alert in each.message.alerts),
        update_count=matched.update_count,
        matched_count=matched.matched_count,
        notices=matched.notices,
        old_at=matched.old_at,
    )


def build_router(
    current: Router, planned: Router, state: LiveState, cancelled: Iterable[tuple[int, date]]
) -> Router:
    """A router of the network as this state has it, ready for what is asked now."""
    assert state.overlay is not None, "a state of a network has its overlay"
    first = planned.timetable.first_date
    gone = [*cancelled, *((trip, first + timedelta(days=day)) for trip, day in state.cancelled)]
    return planned.lay_over(state.overlay, gone, windows=current.list_windows())
