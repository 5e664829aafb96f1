"""Who rides together, and what that makes of each fare.

Problem   Some fares hang on who else rides: a helper pays half only beside a disabled rider (a helper who
          taps alone does not), a group fare needs fifteen, two infants ride free with each paying rider.
Idea      Look at the whole party once and give each rider a `Company`; the rules of a run then judge one
          rider at a time.
Rule      The first helper goes with the first disabled rider, and so on; who is left over pays as an adult.
Not here  Whether someone is entitled to a category: shown on board, or proven once and kept as a claim.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from maas.prices import RiderCategory

INFANTS_FREE_PER_PAYING_RIDER = 2
_PARTNERS = {
    RiderCategory.DISABLED: RiderCategory.HELPER,
    RiderCategory.HELPER: RiderCategory.DISABLED,
}
RIDER_NAMES: dict[RiderCategory, tuple[str, str]] = {
    RiderCategory.ADULT: ("大人", "adult"),
    RiderCategory.CHILD: ("小児", "child"),
    RiderCategory.INFANT: ("幼児（同伴）無料", "infant, free with a paying rider"),
    RiderCategory.STUDENT: ("学生", "student"),
    RiderCategory.SENIOR: ("70歳以上", "aged 70 or over"),
    RiderCategory.DISABLED: ("障害者", "disabled"),
    RiderCategory.HELPER: ("介護者", "helper"),
    RiderCategory.ISLANDER: ("島民", "islander"),
    RiderCategory.GROUP: ("団体", "group"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """Who rides along: how many of the rider's own category (the rider too), and the partner of a pair.

    `home` is the island that an islander's claim names, as the tariff names stations; None: not asked.
    `leads`: pays what is due once for a whole party, such as a cabin.
    """

    alike_count: int = 1
    partner: RiderCategory | None = None
    home: str | None = None
    leads: bool = True


ALONE = Company()


def list_companies(
    riders: Sequence[RiderCategory], *, home: str | None = None
) -> list[tuple[RiderCategory, RiderCategory, Company]]:
    """For each rider, in order: who it is, what it pays as, and its company."""
    counts = Counter(riders)
    infants_free = INFANTS_FREE_PER_PAYING_RIDER * (len(riders) - counts[RiderCategory.INFANT])
    seen: Counter[RiderCategory] = Counter()
    found: list[tuple[RiderCategory, RiderCategory, Company]] = []
    for rider in riders:
        partner = _PARTNERS.get(rider)
        has_partner = partner is not None and seen[rider] < counts[partner]
        company = Company(
            alike_count=counts[rider],
            partner=partner if has_partner else None,
            home=home if rider is RiderCategory.ISLANDER else None,
            leads=not found,
        )
        is_extra = rider is RiderCategory.INFANT and seen[rider] >= infants_free
        found.append((rider, RiderCategory.CHILD if is_extra else rider, company))
        seen[rider] += 1
    return found
