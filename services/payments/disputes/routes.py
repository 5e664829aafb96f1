"""The endpoints of disputes, for administrators."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, field_validator

from payments.disputes import EVIDENCE_FIELDS, DisputeState
from services.payments.disputes.handlers import DisputesHandlers
from services.payments.disputes.store import DisputeRow
from services.platform.service import Call, Route

TAG = "payments"
_SHOWN = 200

# A path type is a pydantic type as well as a class.
_DISPUTE_ID: Any = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,64}$")]


class Dispute(BaseModel):
    """A dispute. `due_by` is when the bank stops waiting for evidence."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    dispute_id: str
    payment_id: UUID
    amount_minor: int
    reason: str
    state: DisputeState
    due_by: datetime | None
    evidence: dict[str, str]
    submitted_at: datetime | None
    opened_at: datetime
    closed_at: datetime | None


class Disputes(BaseModel):
    """The newest disputes."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    disputes: list[Dispute]


class NewEvidence(BaseModel):
    """Evidence in words, by the provider's fields; with `submit` all of it is handed to the bank, once."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    evidence: dict[str, Annotated[str, Field(pattern=r"^[^\x00]*$", max_length=20000)]] = Field(
        examples=[{"access_activity_log": "Tapped in at Tochomae, 21:14"}]
    )
    submit: bool = False

    @field_validator("evidence")
    @classmethod
    def _known(cls, value: dict[str, str]) -> dict[str, str]:
        unknown = sorted(value.keys() - EVIDENCE_FIELDS)
        if unknown:
            raise ValueError(
                f"unknown field {unknown[0]!r}; the fields are {', '.join(sorted(EVIDENCE_FIELDS))}"
            )
        return value


class DisputesEndpoints:
    """HTTP in front of the handlers."""

    def __init__(self, handlers: DisputesHandlers) -> None:
        self._handlers = handlers

    async def list_all(self, _call: Call) -> Disputes:
        """The newest disputes."""
        return Disputes(disputes=[_shown(each) for each in await self._handlers.list_newest(_SHOWN)])

    async def add_evidence(self, call: Call) -> Dispute:
        """Add evidence, or hand it in."""
        row = await self._handlers.add_evidence(
            call.path["dispute_id"], call.body.evidence, submit=call.body.submit
        )
        return _shown(row)


def _shown(row: DisputeRow) -> Dispute:
    return Dispute(
        dispute_id=row.dispute_id,
        payment_id=row.payment_id,
        amount_minor=row.amount_minor,
        reason=row.reason,
        state=row.state,
        due_by=row.due_by,
        evidence=row.evidence,
        submitted_at=row.submitted_at,
        opened_at=row.opened_at,
        closed_at=row.closed_at,
    )


def build_routes(endpoints: DisputesEndpoints) -> list[Route]:
    """The endpoints of disputes."""
    return [
        Route(
            method="GET",
            path="/api/payments/disputes",
            operation="listDisputes",
            handler=endpoints.list_all,
            summary="List the newest disputes of captured payments",
            tag=TAG,
            response=Disputes,
        ),
        Route(
            method="POST",
            path="/api/payments/disputes/{dispute_id}/evidence",
            operation="addDisputeEvidence",
            handler=endpoints.add_evidence,
            summary="Add evidence to a dispute, or hand it to the bank",
            tag=TAG,
            path_types={"dispute_id": _DISPUTE_ID},
            body=NewEvidence,
            response=Dispute,
            idempotent=True,
            problems=("dispute_not_found", "dispute_decided", "provider_unavailable"),
        ),
    ]
