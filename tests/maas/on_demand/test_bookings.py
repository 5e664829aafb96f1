"""The life of a booking: what is reachable, what is final, and its words in TOMP 2."""

from itertools import pairwise

import pytest

from maas.on_demand.bookings import (
    MOVES,
    SEATED,
    TOMP_LEG_STATUS,
    TOMP_PACKAGE_STATUS,
    BookingState,
    MoveStatus,
    is_final,
    judge_move,
)

# TOMP-API 2.0, TOMP-API-1-CORE.yaml: packageStatus and legStatus.
PACKAGE_WORDS = {
    "OFFERED", "PENDING", "CONFIRMED", "ROLLBACK", "RELEASED", "EXPIRED", "CANCELLED",
    "STARTED", "ENDED", "SETTLED",
}  # fmt: skip
LEG_WORDS = {
    "NOT_STARTED", "PREPARING", "READY_TO_USE", "IN_USE", "PAUSED", "ENDED", "ISSUE_REPORTED", "CANCELLED",
    "ABENDED",
}  # fmt: skip


def test_every_state_has_its_moves_and_its_words() -> None:
    assert set(MOVES) == set(TOMP_PACKAGE_STATUS) == set(TOMP_LEG_STATUS) == set(BookingState)
    assert set(TOMP_PACKAGE_STATUS.values()) == PACKAGE_WORDS
    assert set(TOMP_LEG_STATUS.values()) <= LEG_WORDS


def test_every_state_is_reached_from_a_quote_and_every_life_can_end() -> None:
    reached = {BookingState.QUOTED}
    while more := {to for state in reached for to in MOVES[state]} - reached:
        reached |= more
    assert reached == set(BookingState)
    ending = {state for state in BookingState if is_final(state)}
    while more := {state for state in BookingState if MOVES[state] & ending} - ending:
        ending |= more
    assert ending == set(BookingState)


def test_the_long_happy_life() -> None:
    life = [
        "quoted", "held", "pending", "confirmed", "assigned", "en_route", "arrived", "onboard",
        "completed", "settled",
    ]  # fmt: skip
    for current, wanted in pairwise(life):
        assert judge_move(BookingState(current), BookingState(wanted)) is MoveStatus.MOVED


@pytest.mark.parametrize(
    ("current", "wanted", "status"),
    [
        ("held", "held", MoveStatus.ALREADY_THERE),
        ("settled", "settled", MoveStatus.ALREADY_THERE),
        ("expired", "confirmed", MoveStatus.REFUSED),
        ("held", "onboard", MoveStatus.REFUSED),
        ("onboard", "cancelled_by_rider", MoveStatus.REFUSED),
        ("confirmed", "expired", MoveStatus.REFUSED),
        ("arrived", "no_show", MoveStatus.MOVED),
    ],
)
def test_moves_are_judged(current: str, wanted: str, status: MoveStatus) -> None:
    assert judge_move(BookingState(current), BookingState(wanted)) is status


def test_a_seat_is_kept_from_the_hold_to_the_end_and_given_back_by_every_early_exit() -> None:
    gives_back = set(BookingState) - SEATED
    assert gives_back == {
        BookingState.QUOTED,
        BookingState.EXPIRED,
        BookingState.REJECTED,
        BookingState.ROLLED_BACK,
        BookingState.CANCELLED_BY_RIDER,
        BookingState.CANCELLED_BY_OPERATOR,
        BookingState.CANCELLED_BY_UPSTREAM,
    }
    assert all(not (MOVES[state] & SEATED) for state in gives_back - {BookingState.QUOTED})
