"""From taps to rides: any order, any repetition of the same taps ends in the same rides.

Problem   Devices are offline for hours, send late, twice and out of order. A ride must neither be lost nor
          counted twice, whatever came first.
Idea      Rides are a pure function of the *set* of taps of one ticket: duplicates (device, sequence) fall
          together, the rest is walked in the order of the clocks that stamped them.

            scan         (pier, bus) begins and completes a ride of the first unused entitlement of the place
            enter        (gate) begins a ride of the first unused entitlement that begins there
            exit         completes the latest open ride that an entitlement fits at both ends
            enter alone  stays BEGUN: earned when the service day is over, nobody rides for longer
            exit alone   stays ENDED: the entry tap is late or lost; earned like BEGUN

          A second scan or entry at one place within two minutes is the same person's second try.
          A pass makes no ride: it is not used up, and earns no fare of its own.
Not here  Whether a tap's ticket is genuine (tickets/verify.py); what a ride earns, and how that is put right
          when a later tap shows that another fare was ridden (services/ticketing/rating.py).
Invariant an entitlement has at most one ride; pair_rides(permutation and repetition of taps) =
          pair_rides(taps). Among scans alone a tap more takes no ride away; an entry or exit more may.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from maas.tickets.ticket import ANY_PLACE, Entitlement, operator_code, place_code, station_key

SECOND_TRY_S = 120
SERVICE_DAY_STARTS_AT_HOUR = 4


class TapKind(StrEnum):
    """What a device saw: a gate entered or left, or a single scan on boarding."""

    ENTER = "enter"
    EXIT = "exit"
    SCAN = "scan"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tap:
    """A genuine ticket seen by a device. (device_id, sequence) names it for ever."""

    device_id: str
    sequence: int
    tapped_at: datetime
    kind: TapKind
    operator_id: str
    stop_id: str


class RideState(StrEnum):
    """How much of a ride is known."""

    BEGUN = "begun"
    ENDED = "ended"
    COMPLETE = "complete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ride:
    """The use of the entitlement with this index. BEGUN has no `ended`, ENDED no `began`; a scan is both."""

    entitlement_index: int
    state: RideState
    began: Tap | None
    ended: Tap | None

    @property
    def last_tap(self) -> Tap:
        """The later of its taps."""
        tap = self.ended or self.began
        assert tap is not None, "a ride has a tap"
        return tap


def pair_rides(taps: Iterable[Tap], entitlements: tuple[Entitlement, ...]) -> tuple[Ride, ...]:
    """The rides that the taps of one ticket make, by entitlement index."""
    known = {(tap.device_id, tap.sequence): tap for tap in taps}
    ordered = sorted(known.values(), key=lambda tap: (tap.tapped_at, tap.device_id, tap.sequence))
    pairing = _Pairing(entitlements)
    for tap in ordered:
        pairing.walk(tap)
    return tuple(pairing.rides[index] for index in sorted(pairing.rides))


def adds_to_rides(tap: Tap, before: Sequence[Tap], entitlements: tuple[Entitlement, ...]) -> bool:
    """Whether a tap begins or completes a ride that those before it did not; else it is somebody's copy.

    A tap that came late, and only moves the beginning of a ride that is known, adds nothing.
    """
    known = pair_rides(before, entitlements)
    with_it = pair_rides([*before, tap], entitlements)
    return [(ride.entitlement_index, ride.state) for ride in with_it] != [
        (ride.entitlement_index, ride.state) for ride in known
    ]


def is_earned(ride: Ride, *, now: datetime, zone: ZoneInfo) -> bool:
    """Whether the fare is the operator's: the ride is complete, or its service day is over."""
    return ride.state is RideState.COMPLETE or now >= earned_at(ride, zone=zone)


def service_date_of(instant: datetime, *, zone: ZoneInfo) -> date:
    """The service day that an instant belongs to: from 04:00 to 04:00 on the zone's clocks."""
    return (
        instant.astimezone(zone).replace(tzinfo=None) - timedelta(hours=SERVICE_DAY_STARTS_AT_HOUR)
    ).date()


def earned_at(ride: Ride, *, zone: ZoneInfo) -> datetime:
    """When an incomplete ride is earned: at 04:00 after its last tap."""
    local = ride.last_tap.tapped_at.astimezone(zone)
    start = local.replace(hour=SERVICE_DAY_STARTS_AT_HOUR, minute=0, second=0, microsecond=0)
    return start + timedelta(days=1) if start <= local else start


class _Pairing:
    """The walk over taps in time order; `rides` grows and changes, entitlements are used up."""

    def __init__(self, entitlements: tuple[Entitlement, ...]) -> None:
        self._entitlements = entitlements
        self.rides: dict[int, Ride] = {}
        self._last_boarding: Tap | None = None

    def walk(self, tap: Tap) -> None:
        if tap.kind is TapKind.EXIT:
            self._leave(tap)
            return
        if self._is_second_try(tap):
            return
        self._last_boarding = tap
        index = self._find_unused(tap, leaving=False)
        if index is None:
            return
        is_scan = tap.kind is TapKind.SCAN
        self.rides[index] = Ride(
            entitlement_index=index,
            state=RideState.COMPLETE if is_scan else RideState.BEGUN,
            began=tap,
            ended=tap if is_scan else None,
        )

    def _is_second_try(self, tap: Tap) -> bool:
        last = self._last_boarding
        return (
            last is not None
            and last.operator_id == tap.operator_id
            and station_key(last.stop_id) == station_key(tap.stop_id)
            and (tap.tapped_at - last.tapped_at).total_seconds() < SECOND_TRY_S
        )

    def _leave(self, tap: Tap) -> None:
        begun = [ride for ride in self.rides.values() if ride.state is RideState.BEGUN]
        # The latest entry that fits is the one that this exit ends.
        for ride in sorted(begun, key=lambda ride: ride.last_tap.tapped_at, reverse=True):
            index = self._find_completing(ride, tap)
            if index is not None:
                del self.rides[ride.entitlement_index]
                self.rides[index] = replace(
                    ride, entitlement_index=index, state=RideState.COMPLETE, ended=tap
                )
                return
        if any(ride.ended and self._is_repeat(ride.ended, tap) for ride in self.rides.values()):
            return
        unused = self._find_unused(tap, leaving=True)
        if unused is not None:
            self.rides[unused] = Ride(entitlement_index=unused, state=RideState.ENDED, began=None, ended=tap)

    def _find_completing(self, ride: Ride, tap: Tap) -> int | None:
        """The entitlement that fits the ride's entry and this exit: the one it began, else an unused one."""
        assert ride.began is not None, "a ride that has begun knows where"
        candidates: list[int] = [ride.entitlement_index, *range(len(self._entitlements))]
        for index in candidates:
            is_free = index == ride.entitlement_index or index not in self.rides
            if (
                is_free
                and self._fits(index, ride.began, leaving=False)
                and self._fits(index, tap, leaving=True)
            ):
                return index
        return None

    def _find_unused(self, tap: Tap, *, leaving: bool) -> int | None:
        indices = range(len(self._entitlements))
        return next((i for i in indices if i not in self.rides and self._fits(i, tap, leaving=leaving)), None)

    def _fits(self, index: int, tap: Tap, *, leaving: bool) -> bool:
        entitlement = self._entitlements[index]
        if entitlement.is_pass:
            return False
        wanted = entitlement.destination_code if leaving else entitlement.origin_code
        return entitlement.operator_code == operator_code(tap.operator_id) and (
            wanted in (ANY_PLACE, place_code(tap.operator_id, tap.stop_id))
        )

    @staticmethod
    def _is_repeat(ended: Tap, tap: Tap) -> bool:
        return (
            ended.operator_id == tap.operator_id
            and station_key(ended.stop_id) == station_key(tap.stop_id)
            and (tap.tapped_at - ended.tapped_at).total_seconds() < SECOND_TRY_S
        )
