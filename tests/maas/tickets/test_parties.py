import pytest
from hypothesis import given
from hypothesis import strategies as st

from maas.prices import RiderCategory
from maas.tickets.party import list_parties
from tests.support.fares import ADULT, APP, CHILD, INFANT
from tests.support.tickets import ENGINE, issue, night_trip

SENIOR, DISABLED, HELPER, GROUP = (
    RiderCategory.SENIOR,
    RiderCategory.DISABLED,
    RiderCategory.HELPER,
    RiderCategory.GROUP,
)
TRIP = night_trip()
PRICE = {rider: ENGINE.price(journey=TRIP, rider=rider, medium=APP) for rider in RiderCategory}


def parties(*riders: RiderCategory, together: bool = False) -> list[tuple[int, ...]]:
    found = list_parties([PRICE[rider] for rider in riders], are_together=together)
    return [party.rider_indices for party in found]


@pytest.mark.parametrize(
    ("riders", "expected"),
    [
        ((ADULT, CHILD, INFANT), [(0,), (1,), (2,)]),
        ((DISABLED, HELPER), [(0, 1)]),
        ((HELPER, ADULT, DISABLED), [(1,), (2, 0)]),
        # Each has a helper of their own; a helper without anybody to help rides alone.
        ((DISABLED, DISABLED, HELPER, HELPER, HELPER), [(0, 2), (1, 3), (4,)]),
        ((GROUP,) * 17, [tuple(range(17))]),
        ((ADULT, GROUP, GROUP), [(0,), (1, 2)]),
    ],
)
def test_who_shares_a_code(riders: tuple[RiderCategory, ...], expected: list[tuple[int, ...]]) -> None:
    assert parties(*riders) == expected


def test_a_family_may_ask_for_one_code_and_concessions_stay_apart() -> None:
    assert parties(ADULT, CHILD, INFANT, CHILD, together=True) == [(0, 1, 2, 3)]
    # What the gate reads out must hold for all adults of a code.
    assert sorted(parties(ADULT, SENIOR, CHILD, together=True)) == [(0, 2), (1,)]
    assert parties(*(ADULT,) * 20, together=True) == [tuple(range(15)), tuple(range(15, 20))]


@given(riders=st.lists(st.sampled_from(list(RiderCategory)), min_size=1, max_size=40), together=st.booleans())
def test_everybody_is_in_one_party_and_counted(riders: list[RiderCategory], *, together: bool) -> None:
    found = list_parties([PRICE[rider] for rider in riders], are_together=together)
    assert sorted(index for party in found for index in party.rider_indices) == list(range(len(riders)))
    for party in found:
        total = party.adults + party.children + party.infants + party.helpers
        assert total == len(party.rider_indices)


def test_one_check_of_a_shared_code_is_for_all_their_fares() -> None:
    (ticket,) = issue(TRIP, DISABLED, HELPER)
    assert ticket.ticket.riders == {CHILD: 0, INFANT: 0, DISABLED: 1, HELPER: 1}
    assert ticket.ticket.rider_count == 2
    # Four fares each: 0 to 3 of the first rider, 4 to 7 of the second.
    assert ticket.fares == ((0, 4), (1, 5), (2, 6), (3, 7))
    (group,) = issue(TRIP, *(GROUP,) * 16)
    assert group.ticket.riders[GROUP] == 16
    assert len(group.fares[0]) == 16
