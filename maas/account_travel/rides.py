"""From the taps of a medium to its rides: any order, any repetition, clocks that differ.

Problem   Gates and buses work without a network for days, send late, twice and out of order, and their clocks
          differ by minutes. A ride must neither be lost nor charged twice.
Idea      Rides are a pure function of the *set* of taps. They are walked in the order of the clocks:
            scan          a bus boarded: a ride whose end is not asked for
            enter, exit   a gate passed; an exit ends the open ride
            enter, enter  the first has no exit: unfinished
            exit alone    the entry is late or lost: unfinished too
          A further tap at one station within two minutes is the same person's second try.
          An exit within four minutes of an entry that was made while another ride was open, at a station
          where one changes, ends the older ride: nobody leaves four minutes after entering while still on
          the way, but two clocks may differ. Likewise an exit alone just before an entry
          without an exit is its exit.
Rule      A service day is rated by itself. An entry or a scan belongs to the day of its clock; an exit to
          the day of the last entry before it, when that is no longer ago than a ride lasts.
          So no tap of one day changes the rides of another.
Not here  Fares; whether an unfinished ride is still open, is completed or corrected (endings.py).
Invariant list_rides(permutation and repetition of taps) = list_rides(taps). Each tap is in at most one ride.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from operator import attrgetter
from typing import NamedTuple

from maas.account_travel.policy import TravelPolicy
from maas.taps import Tap, TapKind

_order: Callable[[Tap], tuple[datetime, str, int]] = attrgetter("tapped_at", "device_id", "sequence")

IsInterchange = Callable[[Tap, Tap], bool]
"""Whether one may change from the station of the first tap to that of the second; the same station counts."""


class RideState(StrEnum):
    """open -> complete | incomplete | auto_completed | corrected.

    OPEN        entered, and the service day is not over; nothing is charged yet
    COMPLETE    begun and ended by taps, or a boarding whose end is not asked for
    INCOMPLETE  an end is missing: the maximum fare, which counts toward no cap
    AUTO_COMPLETED  the missing end was taken from what the traveller usually does
    CORRECTED   the missing end was told by the traveller or a clerk, or a clerk waived the ride
    """

    OPEN = "open"
    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    AUTO_COMPLETED = "auto_completed"
    CORRECTED = "corrected"


class Stop(NamedTuple):
    """Where a ride begins or ends, by the operator's id and the stop's."""

    operator_id: str
    stop_id: str


def stop_of(tap: Tap) -> Stop:
    """Where a tap was made."""
    return Stop(tap.operator_id, tap.stop_id)


TapKey = tuple[str, int]


def key_of(tap: Tap) -> TapKey:
    """What names a tap for ever."""
    return tap.device_id, tap.sequence


@dataclass(frozen=True, slots=True)
class Ride:
    """What taps say of a ride: a scan has `began` alone, an unfinished ride one of the two."""

    began: Tap | None
    ended: Tap | None

    @property
    def first_tap(self) -> Tap:
        """The tap that names the ride."""
        tap = self.began or self.ended
        assert tap is not None, "a ride has a tap"
        return tap

    @property
    def is_finished(self) -> bool:
        """Whether its taps tell all that its fare asks for."""
        return self.began is not None and (self.ended is not None or self.began.kind is TapKind.SCAN)


def split_by_day(taps: Iterable[Tap], policy: TravelPolicy) -> dict[date, list[Tap]]:
    """The taps of each service day, in the order of the clocks, each once.

    To be whole for a day, `taps` must reach from one ride before its beginning to one ride after its end.
    """
    known = {key_of(tap): tap for tap in taps}
    days: dict[date, list[Tap]] = {}
    entered_at: datetime | None = None
    entered_day: date | None = None
    for tap in sorted(known.values(), key=_order):
        at = tap.tapped_at
        if tap.kind is not TapKind.EXIT:
            entered_at, entered_day = at, policy.clock.day_of(at)
            day = entered_day
        elif entered_at is not None and entered_day is not None and at - entered_at <= policy.ride_max:
            day = entered_day
        else:
            day = policy.clock.day_of(at)
        days.setdefault(day, []).append(tap)
    return days


def list_rides(day_taps: list[Tap], policy: TravelPolicy, *, is_interchange: IsInterchange) -> list[Ride]:
    """The rides of one service day, in order; `day_taps` as `split_by_day` gives them."""
    walk = _Walk(policy, is_interchange)
    for tap in day_taps:
        walk.step(tap)
    return _join_reversed(walk.finish(), policy)


class _Walk:
    """The walk over one day's taps: rides made so far, the open entry, the last boarding and exit."""

    def __init__(self, policy: TravelPolicy, is_interchange: IsInterchange) -> None:
        self._policy = policy
        self._is_interchange = is_interchange
        self._rides: list[Ride] = []
        self._open: Tap | None = None
        self._left_open: int | None = None
        self._last_scan: Tap | None = None
        self._last_exit: Tap | None = None

    def step(self, tap: Tap) -> None:
        if tap.kind is TapKind.ENTER:
            self._enter(tap)
        elif tap.kind is TapKind.EXIT:
            self._leave(tap)
        elif not self._is_second_try(self._last_scan, tap):
            self._last_scan = tap
            self._rides.append(Ride(tap, None))

    def finish(self) -> list[Ride]:
        if self._open is not None:
            self._rides.append(Ride(self._open, None))
        if len(self._rides) > 1:
            self._rides.sort(key=lambda ride: _order(ride.first_tap))
        return self._rides

    def _enter(self, tap: Tap) -> None:
        if self._is_second_try(self._open, tap):
            return
        if self._open is not None:
            self._left_open = len(self._rides)
            self._rides.append(Ride(self._open, None))
        else:
            self._left_open = None
        self._open = tap

    def _leave(self, tap: Tap) -> None:
        older = self._find_older(tap)
        if older is not None:
            self._rides[older] = Ride(self._rides[older].began, tap)
            self._left_open = None
        elif self._open is not None and tap.tapped_at - self._open.tapped_at <= self._policy.ride_max:
            self._rides.append(Ride(self._open, tap))
            self._open = None
        elif self._is_second_try(self._last_exit, tap):
            return
        else:
            self._rides.append(Ride(None, tap))
        self._last_exit = tap

    def _find_older(self, tap: Tap) -> int | None:
        """The ride left open by the last entry, when this exit is its own and the clocks differ."""
        if self._open is None or self._left_open is None:
            return None
        began = self._rides[self._left_open].began
        is_close = tap.tapped_at - self._open.tapped_at <= self._policy.clocks_differ
        is_in_time = began is not None and tap.tapped_at - began.tapped_at <= self._policy.ride_max
        return self._left_open if is_close and is_in_time and self._is_interchange(tap, self._open) else None

    def _is_second_try(self, before: Tap | None, tap: Tap) -> bool:
        return (
            before is not None
            and before.operator_id == tap.operator_id
            and before.stop_id == tap.stop_id
            and tap.tapped_at - before.tapped_at <= self._policy.second_try
        )


def _join_reversed(rides: list[Ride], policy: TravelPolicy) -> list[Ride]:
    """Join an exit alone to the entry alone that comes right after it: a short ride between two clocks."""
    joined: list[Ride] = []
    for ride in rides:
        before = joined[-1] if joined else None
        if (
            before is not None
            and before.began is None
            and before.ended is not None
            and ride.began is not None
            and not ride.is_finished
            and ride.began.tapped_at - before.ended.tapped_at <= policy.clocks_differ
            and stop_of(before.ended) != stop_of(ride.began)
        ):
            joined[-1] = Ride(ride.began, before.ended)
        else:
            joined.append(ride)
    return joined
