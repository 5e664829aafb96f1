"""Whether a ticket that is good lets somebody pass once more: the same rule at a gate and at the service.

Problem   One ticket is shown again: by the same person whose gate stayed shut, by a friend it was handed
          back to, or over a copy. A gate that is offline knows only what it has seen itself.
Idea      A fare is used when its taps make a ride (maas/taps.py): a tap that makes no new one is
          `already_used`. A pass is never used up, but nobody is in two places:
            enter   not while inside: after an entry at this operator without an exit, for three hours
            scan    not again at one stop, or in one vehicle (one device), within five minutes
            exit    always
Not here  Copies shown at two offline gates: both pass, and the upload shows it (`settle`).
Invariant settle gives the same for any order and repetition of the same taps.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from maas.taps import Tap, TapKind, adds_to_rides, pair_rides
from maas.tickets.ticket import Entitlement, operator_code, station_key
from maas.tickets.verify import VerdictStatus

ACCEPTED = VerdictStatus.ACCEPTED

PASSED_BACK_WITHIN = timedelta(minutes=5)
INSIDE_AT_MOST = timedelta(hours=3)


def judge_use(
    tap: Tap, *, entitlement: Entitlement, entitlements: tuple[Entitlement, ...], earlier: Sequence[Tap]
) -> VerdictStatus:
    """Whether `entitlement`, which fits the tap, lets somebody pass once more after the `earlier` taps.

    expired       the hours of a pass since its first tap are over; who is inside may leave
    already_used  else, where the fare is used up, or the pass was handed back
    accepted      else
    """
    if entitlement.is_pass:
        if _has_run_out(tap, entitlement, entitlements, earlier):
            return VerdictStatus.EXPIRED
        is_used = is_passed_back(tap, earlier)
    else:
        is_used = not adds_to_rides(tap, earlier, entitlements)
    return VerdictStatus.ALREADY_USED if is_used else ACCEPTED


def _has_run_out(
    tap: Tap, entitlement: Entitlement, entitlements: tuple[Entitlement, ...], earlier: Sequence[Tap]
) -> bool:
    if not entitlement.hours or tap.kind is TapKind.EXIT:
        return False
    began = first_uses(earlier, entitlements).get(entitlement.fare_index)
    return began is not None and tap.tapped_at >= began + timedelta(hours=entitlement.hours)


def is_passed_back(tap: Tap, earlier: Iterable[Tap]) -> bool:
    """Whether a pass is shown where its holder cannot be."""
    before = [
        each for each in earlier if each.operator_id == tap.operator_id and each.tapped_at <= tap.tapped_at
    ]
    if tap.kind is TapKind.ENTER:
        gates = [each for each in before if each.kind is not TapKind.SCAN]
        last = max(gates, key=lambda each: each.tapped_at, default=None)
        return (
            last is not None
            and last.kind is TapKind.ENTER
            and tap.tapped_at - last.tapped_at < INSIDE_AT_MOST
        )
    return tap.kind is TapKind.SCAN and any(
        each.kind is TapKind.SCAN
        and tap.tapped_at - each.tapped_at < PASSED_BACK_WITHIN
        and (each.device_id == tap.device_id or station_key(each.stop_id) == station_key(tap.stop_id))
        for each in before
    )


def first_uses(taps: Iterable[Tap], entitlements: tuple[Entitlement, ...]) -> Mapping[int, datetime]:
    """When each fare was first used, and each pass began, by fare index."""
    known = list(taps)
    used: dict[int, datetime] = {}
    for ride in pair_rides(known, entitlements):
        began = ride.began or ride.last_tap
        _note(used, entitlements[ride.entitlement_index].fare_index, began.tapped_at)
    for entitlement in entitlements:
        if entitlement.is_pass:
            for tap in known:
                if tap.kind is not TapKind.EXIT and operator_code(tap.operator_id) == (
                    entitlement.operator_code
                ):
                    _note(used, entitlement.fare_index, tap.tapped_at)
    return used


def _note(used: dict[int, datetime], fare_index: int, instant: datetime) -> None:
    used[fare_index] = min(instant, used.get(fare_index, instant))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The taps of one ticket that were let through, after all have arrived: riders, and those too many."""

    rides: tuple[Tap, ...]
    surplus: tuple[Tap, ...]


def settle(let_through: Iterable[Tap], entitlements: tuple[Entitlement, ...]) -> Settled:
    """Of the taps that devices let through, in the order of their clocks: those that ride, those too many."""
    known = {(tap.device_id, tap.sequence): tap for tap in let_through}
    ordered = sorted(known.values(), key=lambda tap: (tap.tapped_at, tap.device_id, tap.sequence))
    rides: list[Tap] = []
    surplus: list[Tap] = []
    for tap in ordered:
        fitting = [each for each in entitlements if each.operator_code == operator_code(tap.operator_id)]
        is_surplus = not fitting or all(
            judge_use(tap, entitlement=each, entitlements=entitlements, earlier=rides) is not ACCEPTED
            for each in fitting
        )
        (surplus if is_surplus else rides).append(tap)
    return Settled(rides=tuple(rides), surplus=tuple(surplus))
