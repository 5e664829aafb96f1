"""The endpoints of business customers, for administrators."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.payments.on_account.invoicing import Invoicing
from services.platform.problem import Problem
from services.platform.service import Call, Route

TAG = "payments"
_ID = r"^[A-Za-z0-9_.:-]{1,64}$"

# A path type is a pydantic type as well as a class.
_BUSINESS_ID: Any = Annotated[str, Field(pattern=_ID)]


class Business(BaseModel):
    """A business customer. `members` are the traveller ids who may travel on its account."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str = Field(pattern=r"^[^\x00-\x1f]{1,200}$")
    credit_limit_minor: int = Field(ge=0, le=10_000_000_000)
    terms_days: int = Field(default=30, ge=0, le=120)
    members: list[Annotated[str, Field(pattern=_ID)]] = Field(default_factory=list, max_length=10_000)


class BusinessInvoice(BaseModel):
    """An invoice to a business; `paid_at` is None until its transfer has come."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    invoice_id: UUID
    business_id: str
    amount_minor: int
    issued_at: datetime
    due_on: date
    paid_at: datetime | None


class BusinessInvoices(BaseModel):
    """The newest invoices."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    invoices: list[BusinessInvoice]


class OnAccountEndpoints:
    """HTTP in front of invoicing."""

    def __init__(self, invoicing: Invoicing) -> None:
        self._invoicing = invoicing

    async def put_business(self, call: Call) -> Business:
        """Say who a business is and who may travel on its account."""
        body: Business = call.body
        await self._invoicing.put_business(call.path["business_id"], **body.model_dump())
        return body

    async def issue(self, call: Call) -> BusinessInvoice:
        """Invoice a business for all that is on no invoice."""
        row = await self._invoicing.issue(call.command_id, call.path["business_id"])
        if row is None:
            raise Problem("conflict", detail="There is nothing to invoice.")
        return _shown(row)

    async def note_paid(self, call: Call) -> BusinessInvoice:
        """Note that an invoice was paid."""
        return _shown(await self._invoicing.note_paid(call.path["invoice_id"]))

    async def list_invoices(self, call: Call) -> BusinessInvoices:
        """A business's invoices."""
        rows = await self._invoicing.list_invoices(call.path["business_id"])
        return BusinessInvoices(invoices=[_shown(row) for row in rows])


def _shown(row: Any) -> BusinessInvoice:
    return BusinessInvoice(**{name: row[name] for name in BusinessInvoice.model_fields})


def build_routes(endpoints: OnAccountEndpoints) -> list[Route]:
    """The endpoints of business customers."""
    business = {"business_id": _BUSINESS_ID}
    return [
        Route(
            method="PUT",
            path="/api/payments/businesses/{business_id}",
            operation="putBusiness",
            handler=endpoints.put_business,
            summary="Let a business pay for its people's travel by invoice",
            tag=TAG,
            path_types=business,
            body=Business,
            response=Business,
        ),
        Route(
            method="POST",
            path="/api/payments/businesses/{business_id}/invoices",
            operation="issueBusinessInvoice",
            handler=endpoints.issue,
            summary="Invoice a business for what is on no invoice yet",
            tag=TAG,
            path_types=business,
            response=BusinessInvoice,
            idempotent=True,
            problems=("business_not_found", "conflict"),
        ),
        Route(
            method="GET",
            path="/api/payments/businesses/{business_id}/invoices",
            operation="listBusinessInvoices",
            handler=endpoints.list_invoices,
            summary="List a business's invoices",
            tag=TAG,
            path_types=business,
            response=BusinessInvoices,
        ),
        Route(
            method="POST",
            path="/api/payments/business-invoices/{invoice_id}/paid",
            operation="noteBusinessInvoicePaid",
            handler=endpoints.note_paid,
            summary="Note that a business has paid an invoice",
            tag=TAG,
            path_types={"invoice_id": UUID},
            response=BusinessInvoice,
            idempotent=True,
            problems=("invoice_not_found", "transfer_refused"),
        ),
    ]
