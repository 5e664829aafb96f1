"""Claims: what counts for whom on which day."""

from datetime import date, timedelta
from uuid import uuid4

import pytest

from maas.eligibility import Claim, ClaimStatus, find_home, judge_claim, list_unproven
from maas.offers import service_date_of
from maas.prices import RiderCategory
from tests.support.fares import journey, ride

TODAY = date(2026, 11, 20)
ADULT, CHILD, SENIOR = RiderCategory.ADULT, RiderCategory.CHILD, RiderCategory.SENIOR
DISABLED, HELPER, GROUP = RiderCategory.DISABLED, RiderCategory.HELPER, RiderCategory.GROUP
ISLANDER, STUDENT = RiderCategory.ISLANDER, RiderCategory.STUDENT


def claim(rider: RiderCategory, first: date = TODAY, last: date = TODAY, place: str | None = None) -> Claim:
    return Claim(
        claim_id=uuid4(), traveller_id="alice", rider=rider, valid_from=first, valid_to=last, place=place
    )


@pytest.mark.parametrize(
    ("made", "status"),
    [
        (claim(SENIOR), ClaimStatus.ACCEPTED),
        (claim(ISLANDER, place="Oshima"), ClaimStatus.ACCEPTED),
        (claim(ADULT), ClaimStatus.CATEGORY_NEEDS_NO_CLAIM),
        (claim(HELPER), ClaimStatus.CATEGORY_NEEDS_NO_CLAIM),
        (claim(ISLANDER), ClaimStatus.PLACE_MISSING),
        (claim(SENIOR, TODAY, TODAY - timedelta(days=1)), ClaimStatus.ENDS_BEFORE_IT_BEGINS),
        (claim(SENIOR, date(2025, 1, 1), TODAY - timedelta(days=1)), ClaimStatus.HAS_ENDED),
        (claim(SENIOR, TODAY, TODAY + timedelta(days=366)), ClaimStatus.ACCEPTED),
        (claim(SENIOR, TODAY, TODAY + timedelta(days=367)), ClaimStatus.TOO_LONG),
    ],
)
def test_what_can_be_recorded(made: Claim, status: ClaimStatus) -> None:
    assert judge_claim(made, today=TODAY) is status


def test_a_claim_is_for_one_rider_and_for_its_days() -> None:
    held = [claim(SENIOR, TODAY, TODAY + timedelta(days=10))]
    assert list_unproven([ADULT, CHILD, SENIOR], held, on=TODAY) == []
    assert list_unproven([SENIOR, SENIOR], held, on=TODAY) == [SENIOR]
    assert list_unproven([SENIOR], held, on=TODAY + timedelta(days=11)) == [SENIOR]
    assert list_unproven([STUDENT], held, on=TODAY) == [STUDENT]


def test_helpers_need_a_disabled_rider_and_groups_their_number() -> None:
    held = [claim(DISABLED)]
    assert list_unproven([DISABLED, HELPER], held, on=TODAY) == []
    assert list_unproven([HELPER], held, on=TODAY) == [HELPER]
    assert list_unproven([DISABLED, HELPER, HELPER], held, on=TODAY) == [HELPER]
    assert list_unproven([GROUP] * 15, [], on=TODAY) == []
    assert list_unproven([GROUP] * 14, [], on=TODAY) == [GROUP] * 14


def test_a_pass_year_ends_with_the_last_train_of_its_last_day() -> None:
    """A Silver Pass holds through 9/30: the train at 24:30 is of that service date, not of 10/1."""
    silver = [claim(SENIOR, date(2026, 10, 1), date(2027, 9, 30))]
    assert list_unproven([SENIOR], silver, on=date(2027, 9, 30)) == []
    assert list_unproven([SENIOR], silver, on=date(2027, 10, 1)) == [SENIOR]
    train = ride("Toei.Oedo", "Tochomae", "Daimon", at="24:30", day=date(2027, 9, 30))
    assert train.departs_at.date() == date(2027, 10, 1)
    assert service_date_of(journey(train)) == date(2027, 9, 30)


def test_an_islanders_home_is_the_claims() -> None:
    assert find_home([claim(SENIOR), claim(ISLANDER, place="Oshima")], on=TODAY) == "Oshima"
    assert find_home([claim(SENIOR)], on=TODAY) is None
