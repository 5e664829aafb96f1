"""The use cases of claims; implements EligibilityPort.

A traveller sees and withdraws their own. A clerk records what was shown and sees nobody's claims afterwards:
whoever asks what somebody is entitled to must be that person, or the part of the house that sells to them.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from maas.eligibility import Claim, ClaimStatus, judge_claim
from maas.passes import TAPS_ARRIVE_WITHIN
from maas.prices import RiderCategory
from services.platform.auth import Role
from services.platform.context import ServiceContext
from services.platform.problem import Problem
from services.platform.service import Call
from services.sales.claims.credentials import Issuer, find_issuer_id, read_credential
from services.sales.claims.models import (
    ClaimList,
    ClaimRequest,
    ClaimView,
    CredentialRequest,
    IssuerList,
    IssuerSettings,
    IssuerView,
)
from services.sales.claims.store import ClaimStore

CITY_ZONE = ZoneInfo("Asia/Tokyo")

_CURES = {
    ClaimStatus.CATEGORY_NEEDS_NO_CLAIM: "This category needs no claim; buy it as it is.",
    ClaimStatus.PLACE_MISSING: "Give `place`, the island that the proof of residence names.",
    ClaimStatus.ENDS_BEFORE_IT_BEGINS: "`valid_to` is before `valid_from`.",
    ClaimStatus.HAS_ENDED: "The proof has expired; ask for a new one.",
    ClaimStatus.TOO_LONG: "A claim holds for a year at most; give an earlier `valid_to` and renew it then.",
}


@dataclass(frozen=True, slots=True)
class Claims:
    """One method per endpoint, and the port."""

    context: ServiceContext
    store: ClaimStore

    # EligibilityPort ---------------------------------------------------------------------------------------

    async def list_claims(self, *, traveller_id: str, on: date) -> list[Claim]:
        """The traveller's claims that hold on a service date."""
        return await self.store.list_on(traveller_id, on)

    async def list_holders(self, *, traveller_ids: Sequence[str], since: date, until: date) -> list[str]:
        """Those of these travellers with a claim that holds on any day of the span."""
        return await self.store.list_holders(traveller_ids, since=since, until=until)

    # Endpoints ---------------------------------------------------------------------------------------------

    async def record(self, call: Call) -> ClaimView:
        """A clerk has seen the proof."""
        request: ClaimRequest = call.body
        claim = Claim(
            claim_id=call.command_id,
            traveller_id=request.traveller_id,
            rider=request.rider,
            valid_from=request.valid_from or self._today(),
            valid_to=request.valid_to,
            place=request.place,
        )
        return await self._keep(claim, proven_by=f"clerk:{call.caller.subject}")

    async def present(self, call: Call) -> ClaimView:
        """The traveller uploads an authority's signed credential."""
        request: CredentialRequest = call.body
        issuer = await self.store.find_issuer(find_issuer_id(request.credential))
        if issuer is None:
            detail = "No registered authority issued it. See /api/claim-issuers for those that are."
            raise Problem("credential_invalid", detail=detail)
        now = self.context.clock.now()
        said = read_credential(request.credential, issuer, now=now, zone=CITY_ZONE)
        if said.holder not in (None, call.caller.subject):
            raise Problem("credential_invalid", detail="It was issued to another account.")
        claim = Claim(
            claim_id=call.command_id,
            traveller_id=call.caller.subject,
            rider=said.rider,
            valid_from=said.valid_from,
            valid_to=said.valid_to,
            place=said.place,
        )
        return await self._keep(claim, proven_by=f"issuer:{issuer.issuer_id}", digest=said.digest)

    async def list_own(self, call: Call) -> ClaimList:
        """The caller's claims."""
        rows = await self.store.list_rows(call.caller.subject)
        return ClaimList(claims=[_view(row) for row in rows])

    async def withdraw(self, call: Call) -> None:
        """Forget a claim: the traveller's own, or one that was recorded by mistake."""
        row = await self.store.find(call.path["claim_id"])
        may = row is not None and (
            call.caller.role is Role.ADMIN
            or (call.caller.role is Role.TRAVELLER and row["traveller_id"] == call.caller.subject)
            or row["proven_by"] == f"clerk:{call.caller.subject}"
        )
        if not may:
            raise Problem("claim_not_found", detail="List your claims to find its id.")
        await self.store.delete(call.path["claim_id"])

    async def put_issuer(self, call: Call) -> IssuerView:
        """Register an authority whose credentials count."""
        settings: IssuerSettings = call.body
        issuer = Issuer(
            issuer_id=call.path["issuer_id"],
            name=settings.name,
            public_key=base64.urlsafe_b64decode(settings.public_key + "=="),
            riders=frozenset(rider.value for rider in settings.riders),
        )
        await self.store.put_issuer(issuer)
        return _issuer_view(issuer)

    async def list_issuers(self, _call: Call) -> IssuerList:
        """The authorities whose credentials count."""
        return IssuerList(issuers=[_issuer_view(each) for each in await self.store.list_issuers()])

    # Worker ------------------------------------------------------------------------------------------------

    async def forget_ended(self) -> None:
        """Remove the claims that have ended, once the taps of their last day must have come."""
        await self.store.delete_ended(self._today() - TAPS_ARRIVE_WITHIN)

    def _today(self) -> date:
        return self.context.clock.now().astimezone(CITY_ZONE).date()

    async def _keep(self, claim: Claim, *, proven_by: str, digest: bytes | None = None) -> ClaimView:
        status = judge_claim(claim, today=self._today())
        if status is not ClaimStatus.ACCEPTED:
            raise Problem("claim_invalid", detail=_CURES[status], status_code=status.value)
        now = self.context.clock.now()
        is_new = await self.store.insert(claim, proven_by=proven_by, credential_hash=digest, now=now)
        row = await self.store.find(claim.claim_id)
        if row is None:
            assert not is_new, "what was kept is found"
            raise Problem("credential_used", detail="Withdraw the claim that was made of it, or renew it.")
        return _view(row)


def _view(row: Any) -> ClaimView:
    kind, _, name = row["proven_by"].partition(":")
    return ClaimView(
        claim_id=str(row["claim_id"]),
        rider=RiderCategory(row["rider"]),
        valid_from=row["valid_from"],
        valid_to=row["valid_to"],
        place=row["place"],
        proven_by=name if kind == "issuer" else kind,
        recorded_at=row["recorded_at"],
    )


def _issuer_view(issuer: Issuer) -> IssuerView:
    return IssuerView(
        issuer_id=issuer.issuer_id,
        name=issuer.name,
        public_key=base64.urlsafe_b64encode(issuer.public_key).rstrip(b"=").decode(),
        riders=[RiderCategory(rider) for rider in sorted(issuer.riders)],
    )
