"""The endpoints of mandates: the payer offers, the traveller accepts, either revokes."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from payments.errors import MandateNotFound
from payments.mandates import Mandate, MandateProduct
from payments.money import Money, yen
from services.payments.mandates.room import Mandates
from services.payments.wallets.top_ups import CITY
from services.platform.context import ServiceContext
from services.platform.problem import Problem
from services.platform.service import Call, Route

TAG = "mandates"
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)
_LIMIT = Field(default=None, ge=1, le=1_000_000)
Word = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}$")]
Person = Annotated[str, StringConstraints(pattern=r"^[^:\s]{1,100}$")]


class MandateRequest(BaseModel):
    """Offer to pay for somebody. No modes: all; no limit: none. Amounts are yen."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    traveller_id: Person
    products: list[MandateProduct] = Field(min_length=1, max_length=2)
    modes: list[Word] = Field(default_factory=list, max_length=20)
    ride_max: int | None = _LIMIT
    day_max: int | None = _LIMIT
    month_max: int | None = _LIMIT
    valid_until: Annotated[AwareDatetime, Field(le=_LATEST)]


class MandateView(BaseModel):
    """A mandate, and how much of it is used today and this month; places are not told."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    mandate_id: UUID
    payer_id: str
    traveller_id: str
    products: list[MandateProduct]
    modes: list[str]
    ride_max: Money | None
    day_max: Money | None
    month_max: Money | None
    valid_from: datetime
    valid_until: datetime
    accepted_at: datetime | None
    revoked_at: datetime | None
    used_today: Money
    used_this_month: Money


class MandateList(BaseModel):
    """The newest first."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    mandates: list[MandateView]


class MandateEndpoints:
    """HTTP in front of mandates."""

    def __init__(self, context: ServiceContext, mandates: Mandates) -> None:
        self._context = context
        self._mandates = mandates

    async def offer(self, call: Call) -> MandateView:
        """Offer to pay for somebody."""
        body: MandateRequest = call.body
        now = self._context.clock.now()
        if body.traveller_id == call.caller.subject:
            raise Problem("mandate_invalid", detail="Nobody needs a mandate for themselves.")
        if body.valid_until <= now:
            raise Problem("mandate_invalid", detail="valid_until is past; name a later time.")
        mandate = Mandate(
            mandate_id=call.command_id,
            payer_id=call.caller.subject,
            traveller_id=body.traveller_id,
            products=frozenset(body.products),
            modes=frozenset(body.modes),
            ride_minor_max=body.ride_max,
            day_minor_max=body.day_max,
            month_minor_max=body.month_max,
            valid_from=now,
            valid_until=body.valid_until,
        )
        await self._mandates.store.insert(mandate)
        return await self._view(await self._mandates.store.get(mandate.mandate_id))

    async def list_all(self, call: Call) -> MandateList:
        """Those that the caller pays by, or is paid for by."""
        mandates = await self._mandates.store.list_of(call.caller.subject)
        return MandateList(mandates=[await self._view(mandate) for mandate in mandates])

    async def accept(self, call: Call) -> MandateView:
        """The traveller agrees that another pays, and sees what is paid."""
        mandate = await self._own(call)
        if mandate.traveller_id != call.caller.subject:
            raise Problem("forbidden", detail="Only the traveller accepts; the payer has offered it.")
        if mandate.revoked_at is not None:
            raise Problem("conflict", detail="It was revoked; a new one must be offered.")
        await self._mandates.store.accept(mandate.mandate_id, self._context.clock.now())
        return await self._view(await self._mandates.store.get(mandate.mandate_id))

    async def revoke(self, call: Call) -> MandateView:
        """Over, for good; what was charged before stays."""
        mandate = await self._own(call)
        await self._mandates.store.revoke(mandate.mandate_id, self._context.clock.now())
        return await self._view(await self._mandates.store.get(mandate.mandate_id))

    async def _own(self, call: Call) -> Mandate:
        mandate = await self._mandates.store.get(call.path["mandate_id"])
        if call.caller.subject not in (mandate.payer_id, mandate.traveller_id):
            raise MandateNotFound("No mandate of yours has this id. List your mandates to find it.")
        return mandate

    async def _view(self, mandate: Mandate) -> MandateView:
        today = self._context.clock.now().astimezone(CITY).date()
        day_minor, month_minor = await self._mandates.store.sum_uses(
            self._context.database, mandate.mandate_id, today
        )
        return MandateView(
            mandate_id=mandate.mandate_id,
            payer_id=mandate.payer_id,
            traveller_id=mandate.traveller_id,
            products=sorted(mandate.products),
            modes=sorted(mandate.modes),
            ride_max=_money(mandate.ride_minor_max),
            day_max=_money(mandate.day_minor_max),
            month_max=_money(mandate.month_minor_max),
            valid_from=mandate.valid_from,
            valid_until=mandate.valid_until,
            accepted_at=mandate.accepted_at,
            revoked_at=mandate.revoked_at,
            used_today=yen(day_minor),
            used_this_month=yen(month_minor),
        )


def _money(amount_minor: int | None) -> Money | None:
    return None if amount_minor is None else yen(amount_minor)


def build_routes(endpoints: MandateEndpoints) -> list[Route]:
    """The endpoints of mandates."""
    one = "/api/mandates/{mandate_id}"
    return [
        Route(
            method="POST",
            path="/api/mandates",
            operation="offerMandate",
            handler=endpoints.offer,
            summary="Offer to pay for somebody, within limits",
            tag=TAG,
            body=MandateRequest,
            response=MandateView,
            status=201,
            idempotent=True,
            problems=("mandate_invalid",),
        ),
        Route(
            method="GET",
            path="/api/mandates",
            operation="listMandates",
            handler=endpoints.list_all,
            summary="Mandates by which you pay, or are paid for",
            tag=TAG,
            response=MandateList,
        ),
        Route(
            method="PUT",
            path=f"{one}/accept",
            operation="acceptMandate",
            handler=endpoints.accept,
            summary="Agree that somebody pays for you",
            tag=TAG,
            path_types={"mandate_id": UUID},
            response=MandateView,
            problems=("mandate_not_found", "forbidden", "conflict"),
        ),
        Route(
            method="PUT",
            path=f"{one}/revoke",
            operation="revokeMandate",
            handler=endpoints.revoke,
            summary="End a mandate",
            tag=TAG,
            path_types={"mandate_id": UUID},
            response=MandateView,
            problems=("mandate_not_found",),
        ),
    ]
