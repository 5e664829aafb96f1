"""What customers hold that changes their fares: proven claims and passes, asked of who sells them.

Problem   A week of a million media is rated at night, and a few in a hundred travellers hold anything.
Idea      Ask first which of the customers of a set hold something in its weeks; then ask of those alone, day
          by day. After the rating tell what it made of each pass.
Rule      A traveller's passes are carried by one medium, the one that was linked to them first; so is the use
          that shares a pass's price. Of several claims the one that most networks reduce counts: 70 and
          over, then disabled, then student. An islander's claim is for ships, which are not tapped.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

from maas.account_travel.media import Medium, PaidBy
from maas.fares.charged import ServiceClock
from maas.fares.pass_cover import PassInHand
from maas.passes import PassUse
from maas.ports import EligibilityPort, PassPort
from maas.prices import RiderCategory
from services.platform.context import ServiceContext
from services.ticketing.travel.store import TravelStore, WeekCase, WeekResult

BY_RANK = (RiderCategory.SENIOR, RiderCategory.DISABLED, RiderCategory.STUDENT)


class Holdings:
    """The door to claims and passes of travellers."""

    def __init__(self, context: ServiceContext, store: TravelStore, clock: ServiceClock) -> None:
        self._context = context
        self._store = store
        self._clock = clock

    async def add_to(self, cases: Sequence[WeekCase]) -> None:
        """Put into the cases' media what their customers hold in their weeks."""
        paid = [case for case in cases if case.medium.payers and case.taps]
        if not paid:
            return
        days = [day for case in paid for day in (case.monday, case.monday + timedelta(days=6))]
        customers = sorted({payer.customer_id for case in paid for payer in case.medium.payers})
        since, until = min(days), max(days)
        claimed = set(await self._claims.list_holders(traveller_ids=customers, since=since, until=until))
        holding = set(await self._passes.list_holders(traveller_ids=customers, since=since, until=until))
        carriers = await self._store.list_first_media(sorted(holding))
        for case in paid:
            payers = case.medium.payers
            if any(payer.customer_id in claimed for payer in payers):
                case.medium = await self._with_claims(case)
            if any(carriers.get(payer.customer_id) == case.medium.medium_ref for payer in payers):
                case.medium = await self._with_passes(case, carriers)

    async def tell_uses(self, results: Iterable[WeekResult]) -> None:
        """Tell what the rides made of passes. Telling it again replaces what was told."""
        uses = [
            PassUse(pass_id=UUID(pass_id), week=each.key[1], began=use.began, used=dict(use.used))
            for each in results
            for pass_id, use in each.pass_uses.items()
        ]
        if uses:
            await self._passes.note_uses(uses=uses)

    @property
    def _claims(self) -> EligibilityPort:
        return self._context.ports.get(EligibilityPort)

    @property
    def _passes(self) -> PassPort:
        return self._context.ports.get(PassPort)

    async def _with_claims(self, case: WeekCase) -> Medium:
        categories = dict(case.medium.categories)
        for day, payer in _list_days(case, self._clock):
            claims = await self._claims.list_claims(traveller_id=payer.customer_id, on=day)
            held = {claim.rider for claim in claims}
            best = next((rider for rider in BY_RANK if rider in held), None)
            if best is not None:
                categories[day] = best
        return replace(case.medium, categories=categories)

    async def _with_passes(self, case: WeekCase, carriers: dict[str, str]) -> Medium:
        found: dict[str, PassInHand] = {}
        for day, payer in _list_days(case, self._clock):
            if carriers.get(payer.customer_id) != case.medium.medium_ref:
                continue
            for held in await self._passes.list_passes(traveller_id=payer.customer_id, service_date=day):
                found[str(held.pass_id)] = held.in_hand
        return replace(case.medium, passes=tuple(found[pass_id] for pass_id in sorted(found)))


def _list_days(case: WeekCase, clock: ServiceClock) -> list[tuple[date, PaidBy]]:
    """The days on which the medium was tapped, with each one's payers."""
    found = {
        (clock.day_of(tap.tapped_at), payer)
        for tap in case.taps
        for payer in case.medium.payers
        if payer.holds_at(tap.tapped_at)
    }
    return sorted(found, key=lambda each: (each[0], each[1].customer_id))
