"""Who may buy a reduced fare: proven once, kept as a claim that ends.

Problem   A student, an islander or somebody aged 70 must not prove it at every purchase, and a platform must
          not keep a copy of anybody's handbook.
Idea      A `Claim` says only: this traveller may ride as that category, from one service date to another. A
          clerk who saw the proof records it, or an authority's signed credential does. Selling asks whether
          the party's claims reach to the day of travel.
Rule      Adults, children and infants prove nothing here. A helper needs no claim, but a disabled rider
          beside; a group of fifteen proves itself by being there. One claim is for one rider of a party. An
          islander's claim names the island: the reduction is for the ships to and from it.
Not here  What a category pays (concessions.csv), and the proof itself, which nobody stores.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from uuid import UUID

from maas.prices import RiderCategory

OPEN_TO_ALL = frozenset({RiderCategory.ADULT, RiderCategory.CHILD, RiderCategory.INFANT})
CLAIMED = frozenset(
    {RiderCategory.STUDENT, RiderCategory.SENIOR, RiderCategory.DISABLED, RiderCategory.ISLANDER}
)
"""The categories that a claim can be made for."""

LIFETIME_MAX = timedelta(days=366)
"""A claim is renewed at least yearly, as the Silver Pass and the disabled riders' cards are."""

GROUP_MIN = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A proven category. Both dates are service dates, inclusive; `place` is an islander's island."""

    claim_id: UUID
    traveller_id: str
    rider: RiderCategory
    valid_from: date
    valid_to: date
    place: str | None = None

    def holds_on(self, day: date) -> bool:
        """Whether the claim reaches to that service date."""
        return self.valid_from <= day <= self.valid_to


class ClaimStatus(StrEnum):
    """The answer to a claim that somebody wants recorded, in order of precedence."""

    ACCEPTED = "accepted"
    CATEGORY_NEEDS_NO_CLAIM = "category_needs_no_claim"
    PLACE_MISSING = "place_missing"
    ENDS_BEFORE_IT_BEGINS = "ends_before_it_begins"
    HAS_ENDED = "has_ended"
    TOO_LONG = "too_long"


def judge_claim(claim: Claim, *, today: date) -> ClaimStatus:
    """Whether a claim can be recorded today."""
    if claim.rider not in CLAIMED:
        return ClaimStatus.CATEGORY_NEEDS_NO_CLAIM
    if claim.rider is RiderCategory.ISLANDER and claim.place is None:
        return ClaimStatus.PLACE_MISSING
    if claim.valid_to < claim.valid_from:
        return ClaimStatus.ENDS_BEFORE_IT_BEGINS
    if claim.valid_to < today:
        return ClaimStatus.HAS_ENDED
    if claim.valid_to - max(claim.valid_from, today) > LIFETIME_MAX:
        return ClaimStatus.TOO_LONG
    return ClaimStatus.ACCEPTED


def list_unproven(
    riders: Sequence[RiderCategory], claims: Iterable[Claim], *, on: date
) -> list[RiderCategory]:
    """The riders of a party who may not be sold their category for that service date; empty: all may."""
    held = Counter(claim.rider for claim in claims if claim.holds_on(on))
    wanted = Counter(riders)
    unproven: list[RiderCategory] = []
    for rider, count in sorted(wanted.items()):
        if rider in OPEN_TO_ALL:
            continue
        proven = {
            RiderCategory.HELPER: wanted[RiderCategory.DISABLED],
            RiderCategory.GROUP: count if count >= GROUP_MIN else 0,
        }.get(rider, held[rider])
        unproven += [rider] * max(0, count - proven)
    return unproven


def find_home(claims: Iterable[Claim], *, on: date) -> str | None:
    """The island that an islander's claim names; None without one."""
    held = (claim for claim in claims if claim.rider is RiderCategory.ISLANDER and claim.holds_on(on))
    return next((claim.place for claim in held), None)
