"""What comes in and goes out of the endpoints of bills and debts."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from payments.collection import RISK_OWNER, Bill, BillState
from payments.money import Money, yen


class Model(BaseModel):
    """A document of collection: unknown fields are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class BillView(Model):
    """What was charged for some days' travel. An `amount` below 0 is given back."""

    bill_id: UUID
    number: int
    amount: Money
    outstanding: Money
    state: BillState
    closed_at: datetime
    decline_code: str | None
    next_attempt_at: datetime | None

    @classmethod
    def of(cls, bill: Bill) -> "BillView":
        """As its customer sees it."""
        return cls(
            bill_id=bill.bill_id,
            number=bill.number,
            amount=yen(bill.amount_minor),
            outstanding=yen(bill.outstanding_minor),
            state=bill.state,
            closed_at=bill.closed_at,
            decline_code=bill.decline_code,
            next_attempt_at=bill.next_attempt_at,
        )


class BillList(Model):
    """The newest first."""

    bills: list[BillView]


class ChargeView(Model):
    """A charge. `traveller_id` rode; a mandate may let another pay."""

    charge_id: UUID
    traveller_id: str
    amount: Money
    reference: str
    service_date: date

    @classmethod
    def of(cls, row: Any) -> "ChargeView":
        """As the bill's customer sees it."""
        return cls(
            charge_id=row["charge_id"],
            traveller_id=row["traveller_id"],
            amount=yen(row["amount_minor"]),
            reference=row["reference"],
            service_date=row["service_date"],
        )


class TryView(Model):
    """A try to collect: from the wallet or a card, and how it ended."""

    try_id: UUID
    source: str
    amount: Money
    state: str
    decline_code: str | None
    begun_at: datetime
    ended_at: datetime | None

    @classmethod
    def of(cls, row: Any) -> "TryView":
        """As the bill's customer sees it."""
        return cls(
            try_id=row["try_id"],
            source=row["source"],
            amount=yen(row["amount_minor"]),
            state=row["state"],
            decline_code=row["decline_code"],
            begun_at=row["begun_at"],
            ended_at=row["ended_at"],
        )


class BillDetail(Model):
    """A bill with the charges it gathered and how it was collected."""

    bill: BillView
    charges: list[ChargeView]
    tries: list[TryView]


class DebtPaymentRequest(Model):
    """Pay a debt: `payment_method` is the provider's id, `pm_...`, or `wallet`."""

    payment_method: Annotated[str, StringConstraints(pattern=r"^(wallet|pm_[A-Za-z0-9_]{1,200})$")]


class DebtPaymentView(Model):
    """The bill after paying; with `next_action_url` the payer must go there, then ask again."""

    bill: BillView
    next_action_url: str | None


class DebtView(Model):
    """A debt as a clerk sees it. `risk_owner` bears it when it is given up."""

    bill: BillView
    customer_id: str
    owed_since: datetime | None
    attempts: int
    risk_owner: str

    @classmethod
    def of(cls, bill: Bill) -> "DebtView":
        """The debt of a bill."""
        return cls(
            bill=BillView.of(bill),
            customer_id=bill.customer_id,
            owed_since=bill.owed_since,
            attempts=bill.attempts,
            risk_owner=RISK_OWNER,
        )


class DebtList(Model):
    """The oldest first."""

    debts: list[DebtView]
    owed: Money


class WriteOffRequest(Model):
    """Why a debt is given up before its attempts are exhausted."""

    reason: Annotated[str, StringConstraints(min_length=3, max_length=200, strip_whitespace=True)]


class PageQuery(Model):
    """How many."""

    limit: int = Field(default=50, ge=1, le=500)
