"""How a ride ended when its taps do not say: still open, corrected, taken from habit, or unfinished.

Problem   Who forgets to tap out pays the maximum fare, then asks for it back; most of them ride home.
Idea      In this order: a clerk's word that replaces or waives; the taps; a correction that fills the missing
          end; while the service day lasts the ride is open; then what the traveller usually does; else the
          ride is unfinished.
Rule      A habit is an exit in at least three rides, and more than half, of those entered at that station in
          the four weeks before this week. At most two rides a week are completed so. A real exit that comes
          late takes the place of a habit and of a correction that filled the gap.
Invariant Endings are a function of rides, corrections, habits and whether the day is over.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from maas.account_travel.policy import TravelPolicy
from maas.account_travel.rides import Ride, RideState, Stop, TapKey, key_of, stop_of
from maas.taps import TapKind


class CorrectionKind(StrEnum):
    """COMPLETE fills the missing end. A clerk may also REPLACE the exit, or WAIVE the ride."""

    COMPLETE = "complete"
    REPLACE = "replace"
    WAIVE = "waive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What a traveller or a clerk said of a ride, named by one of its taps. The latest word of a kind counts.

    `stop` is the missing end, None to waive.
    """

    correction_id: UUID
    tap: TapKey
    kind: CorrectionKind
    stop: Stop | None
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class EndedRide:
    """A ride and how it ended. Of an unfinished or open ride one end is None; a scan has no destination.

    `key` is the tap that names the ride, `began_at` when its first tap was made, `is_scan` whether it was
    boarded without an exit to come.
    """

    ride: Ride
    state: RideState
    origin: Stop | None
    destination: Stop | None
    is_waived: bool = False
    key: TapKey = field(init=False, repr=False, compare=False)
    began_at: datetime = field(init=False, repr=False, compare=False)
    is_scan: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        tap = self.ride.first_tap
        object.__setattr__(self, "key", key_of(tap))
        object.__setattr__(self, "began_at", tap.tapped_at)
        object.__setattr__(self, "is_scan", self.ride.began is not None and tap.kind is TapKind.SCAN)

    @property
    def is_unfinished(self) -> bool:
        """Whether a maximum fare is due."""
        return self.state is RideState.INCOMPLETE


Habits = Mapping[Stop, Stop]
"""Where a traveller usually ends a ride, by where it began."""


def find_habits(made: Iterable[tuple[Stop, Stop]], policy: TravelPolicy) -> dict[Stop, Stop]:
    """The habits in finished rides, each as (origin, destination)."""
    counts: dict[Stop, Counter[Stop]] = defaultdict(Counter)
    for origin, destination in made:
        counts[origin][destination] += 1
    habits = {}
    for origin, ends in counts.items():
        destination, count = max(ends.items(), key=lambda item: item[1])
        if count >= policy.habit_rides_min and 2 * count > ends.total():
            habits[origin] = destination
    return habits


def index_corrections(corrections: Iterable[Correction]) -> dict[TapKey, list[Correction]]:
    """Corrections by the tap they name, oldest first."""
    found: dict[TapKey, list[Correction]] = defaultdict(list)
    for each in sorted(corrections, key=lambda each: (each.recorded_at, each.correction_id)):
        found[each.tap].append(each)
    return found


class Endings:
    """Ends the rides of one medium's week, in order; it counts what was completed by habit."""

    def __init__(
        self, policy: TravelPolicy, corrections: Mapping[TapKey, list[Correction]], habits: Habits
    ) -> None:
        self._corrections = corrections
        self._habits = habits
        self._left = policy.auto_completions_per_week

    def end(self, ride: Ride, *, day_is_over: bool) -> EndedRide:
        """How this ride ended. Call in the order of the rides."""
        said = self._said_of(ride) if self._corrections else {}
        if CorrectionKind.WAIVE in said:
            return EndedRide(ride, RideState.CORRECTED, *_ends(ride), is_waived=True)
        if CorrectionKind.REPLACE in said:
            origin, destination = _ends(ride)
            stop = said[CorrectionKind.REPLACE].stop
            ends = (stop, destination) if ride.began is None else (origin, stop)
            return EndedRide(ride, RideState.CORRECTED, *ends)
        if ride.is_finished:
            return EndedRide(ride, RideState.COMPLETE, *_ends(ride))
        return self._end_unfinished(ride, said, day_is_over=day_is_over)

    def _end_unfinished(
        self, ride: Ride, said: Mapping[CorrectionKind, Correction], *, day_is_over: bool
    ) -> EndedRide:
        origin, destination = _ends(ride)
        if CorrectionKind.COMPLETE in said:
            stop = said[CorrectionKind.COMPLETE].stop
            return EndedRide(ride, RideState.CORRECTED, origin or stop, destination or stop)
        if not day_is_over:
            return EndedRide(ride, RideState.OPEN, origin, destination)
        usual = self._habits.get(origin) if origin is not None else None
        if usual is not None and self._left > 0:
            self._left -= 1
            return EndedRide(ride, RideState.AUTO_COMPLETED, origin, usual)
        return EndedRide(ride, RideState.INCOMPLETE, origin, destination)

    def _said_of(self, ride: Ride) -> dict[CorrectionKind, Correction]:
        taps = [tap for tap in (ride.began, ride.ended) if tap is not None]
        said = [each for tap in taps for each in self._corrections.get(key_of(tap), ())]
        return {each.kind: each for each in sorted(said, key=lambda each: each.recorded_at)}


def _ends(ride: Ride) -> tuple[Stop | None, Stop | None]:
    return (
        None if ride.began is None else stop_of(ride.began),
        None if ride.ended is None else stop_of(ride.ended),
    )


def infer_alightings(rides: list[EndedRide]) -> dict[TapKey, Stop]:
    """Where those who only tapped on probably got off: where they boarded next; the last where the day began.

    For statistics only; no fare asks for it. Source: trip chaining of origin-destination studies (ODX).
    """
    found: dict[TapKey, Stop] = {}
    for place, ride in enumerate(rides):
        following = rides[(place + 1) % len(rides)]
        if ride.is_scan and following is not ride and following.origin not in (None, ride.origin):
            assert following.origin is not None, "a place that is not None"
            found[ride.key] = following.origin
    return found
