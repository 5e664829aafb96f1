"""The use cases of media: enrol, unlink, lose and find, carry a party, pair two.

Each takes the medium's lock first, and lets the weeks that it may change be rated again.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from maas.account_travel.media import TokenFault, find_token_fault
from maas.account_travel.policy import TravelPolicy
from maas.eligibility import list_unproven
from maas.ports import EligibilityPort
from maas.prices import RiderCategory
from services.platform.context import ServiceContext
from services.platform.problem import Problem
from services.platform.service import Call
from services.ticketing.travel.denials import Denials
from services.ticketing.travel.models import (
    MediumEnrolment,
    MediumList,
    MediumLoss,
    MediumPairing,
    MediumView,
    PartyRequest,
)
from services.ticketing.travel.store import queries

_MEDIA = UUID("f7c9f5a0-6c5e-5d6b-9a35-6d656469756d")
PARTY_HOURS_MAX = 24
FAULTS = {
    TokenFault.CARD_NUMBER: "It holds a card's number, which is never stored. Send the provider's token.",
    TokenFault.LENGTH: "A token has 16 to 128 characters.",
    TokenFault.CHARACTERS: "A token has letters, digits and . _ : ~ - only.",
}


def medium_id_of(medium_ref: str) -> UUID:
    """What a medium is called outside: its token is not told to anybody."""
    return uuid5(_MEDIA, medium_ref)


@dataclass(frozen=True, slots=True)
class MediaDesk:
    """The endpoints about media."""

    context: ServiceContext
    policy: TravelPolicy
    denials: Denials

    async def list_own(self, call: Call) -> MediumList:
        """The caller's media."""
        rows = await self.context.database.fetch(queries["list_own_media"], call.caller.subject)
        return MediumList(media=[_view(row) for row in rows])

    async def enrol(self, call: Call) -> MediumView:
        """Link a card or phone to the caller: from now on they pay for its rides."""
        wanted: MediumEnrolment = call.body
        fault = find_token_fault(wanted.medium)
        if fault is not None:
            raise Problem("medium_token_invalid", detail=FAULTS[fault])
        ref, me, now = wanted.medium, call.caller.subject, self.context.clock.now()
        async with self.context.database.transaction() as tx:
            await tx.execute(queries["insert_medium"], ref, medium_id_of(ref), wanted.kind.value, now)
            medium = await tx.fetchrow(queries["lock_medium"], ref)
            if medium["kind"] != wanted.kind.value:
                detail = f"It was enrolled as {medium['kind']} before. Say the same."
                raise Problem("conflict", detail=detail)
            link = await tx.fetchrow(queries["find_open_link"], ref)
            if link is not None and link["customer_id"] != me:
                raise Problem("medium_taken", detail="Its holder has to unlink it first.")
            if link is None:
                await tx.execute(queries["insert_link"], ref, now, me, wanted.label, wanted.rider.value)
                await self.denials.meet_new_link(tx, ref, me, now)
        return await self._get_own(medium_id_of(ref), me)

    async def unlink(self, call: Call) -> MediumList:
        """End the link: who taps from now on is not paid for. Parties and pairs end too."""
        now = self.context.clock.now()
        ref = await self._find_own_ref(call)
        async with self.context.database.transaction() as tx:
            await tx.fetchrow(queries["lock_medium"], ref)
            for name in ("end_link", "end_pairs", "end_parties", "drop_later_parties"):
                await tx.execute(queries[name], ref, now)
            await self.denials.set_medium_in_debt(tx, ref, now, in_debt=False)
        return await self.list_own(call)

    async def set_lost(self, call: Call) -> MediumView:
        """Devices refuse a lost medium once they hear of it; what was tapped before is still charged."""
        wanted: MediumLoss = call.body
        ref = await self._find_own_ref(call)
        async with self.context.database.transaction() as tx:
            await self.denials.set_lost(tx, ref, self.context.clock.now(), is_lost=wanted.is_lost)
        return await self._get_own(call.path["medium_id"], call.caller.subject)

    async def set_party(self, call: Call) -> MediumView:
        """Who rides on this medium from `since` on: never changed for rides that have begun."""
        wanted: PartyRequest = call.body
        now = self.context.clock.now()
        since = max(wanted.since or now, now)
        until = wanted.until or since + timedelta(hours=PARTY_HOURS_MAX)
        if not since < until <= since + timedelta(hours=PARTY_HOURS_MAX):
            raise Problem("validation_failed", detail="`until` is at most 24 hours after `since`.")
        ref = await self._find_own_ref(call)
        await self._check_proven(call.caller.subject, wanted.riders, since)
        async with self.context.database.transaction() as tx:
            await tx.fetchrow(queries["lock_medium"], ref)
            await tx.execute(queries["end_parties"], ref, since)
            await tx.execute(queries["drop_later_parties"], ref, since)
            riders = [rider.value for rider in wanted.riders]
            await tx.execute(queries["insert_party"], ref, since, until, riders, call.caller.subject)
        return await self._get_own(call.path["medium_id"], call.caller.subject)

    async def forget_customer(self, tx: Any, customer_id: str) -> None:
        """A person left: end their links, and forget what they called their media."""
        now = self.context.clock.now()
        for row in await tx.fetch(queries["list_own_media"], customer_id):
            for name in ("end_link", "end_pairs", "end_parties", "drop_later_parties"):
                await tx.execute(queries[name], row["medium_ref"], now)
        await tx.execute(queries["forget_labels"], customer_id)

    async def pair(self, call: Call) -> None:
        """Pair two media, as a counter does for a disabled rider's card and a helper's."""
        wanted: MediumPairing = call.body
        now = self.context.clock.now()
        refs = [await self._find_ref(medium_id) for medium_id in (wanted.medium_id, wanted.helper_medium_id)]
        if refs[0] == refs[1]:
            raise Problem("validation_failed", detail="Two different media make a pair.")
        async with self.context.database.transaction() as tx:
            for ref in sorted(refs):
                await tx.fetchrow(queries["lock_medium"], ref)
            for ref in refs:
                await tx.execute(queries["end_pairs"], ref, now)
            roles = (RiderCategory.HELPER, RiderCategory.DISABLED)
            for (ref, other), rides_as in zip((refs, refs[::-1]), roles, strict=True):
                await tx.execute(queries["insert_pair"], ref, other, rides_as.value, now, wanted.until)

    async def _check_proven(self, me: str, riders: tuple[RiderCategory, ...], since: datetime) -> None:
        day = self.policy.clock.day_of(since)
        claims = await self.context.ports.get(EligibilityPort).list_claims(traveller_id=me, on=day)
        unproven = list_unproven(riders, claims, on=day)
        if unproven:
            named = ", ".join(f"{count} {rider}" for rider, count in Counter(unproven).items())
            raise Problem("eligibility_unproven", detail=f"No claim that holds on {day} proves: {named}.")

    async def _find_ref(self, medium_id: UUID) -> str:
        ref = await self.context.database.fetchval(queries["find_medium_ref"], medium_id)
        if ref is None:
            raise Problem("medium_not_found", detail="Enrol it first.")
        return str(ref)

    async def _find_own_ref(self, call: Call) -> str:
        ref = await self.context.database.fetchval(
            queries["find_own_medium"], call.path["medium_id"], call.caller.subject
        )
        if ref is None:
            raise Problem("medium_not_found", detail="List your media to find its id.")
        return str(ref)

    async def _get_own(self, medium_id: UUID, me: str) -> MediumView:
        rows = await self.context.database.fetch(queries["list_own_media"], me)
        return next(_view(row) for row in rows if row["medium_id"] == medium_id)


def _view(row: Any) -> MediumView:
    return MediumView(
        medium_id=row["medium_id"],
        kind=row["kind"],
        label=row["label"],
        rider=row["rider"],
        linked_at=row["since"],
        is_lost=row["is_lost"],
        is_denied=row["is_lost"] or row["in_debt"],
    )
