"""What comes in and goes out of the wallets' endpoints. Amounts are yen."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from payments.accounts import traveller_wallet
from payments.money import Money, yen
from payments.transfers import Entry, TransferCode
from payments.wallets import BALANCE_MINOR_MAX, TOP_UP_MINOR_MIN, AutoTopUp, TopUpState, WalletState
from services.payments.wallets.store import TopUpRow

SEQUENCE_MAX = 2**63 - 1
Method = Annotated[str, StringConstraints(pattern=r"^pm_[A-Za-z0-9_]{1,200}$")]


class Model(BaseModel):
    """A document of wallets: unknown fields are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AutoTopUpTerms(Model):
    """Below `threshold`, `amount` is added from the default card; in a day at most `day_ceiling`."""

    threshold: int = Field(ge=0, le=BALANCE_MINOR_MAX)
    amount: int = Field(ge=TOP_UP_MINOR_MIN, le=BALANCE_MINOR_MAX)
    day_ceiling: int = Field(ge=TOP_UP_MINOR_MIN, le=BALANCE_MINOR_MAX)

    @model_validator(mode="after")
    def _ceiling_leaves_room(self) -> "AutoTopUpTerms":
        if self.day_ceiling < self.amount:
            raise ValueError("day_ceiling must be at least amount")
        return self

    def to_settings(self) -> AutoTopUp:
        """As the rules take it."""
        return AutoTopUp(
            threshold_minor=self.threshold,
            amount_minor=self.amount,
            day_ceiling_minor=self.day_ceiling,
        )

    @classmethod
    def of(cls, auto: AutoTopUp) -> "AutoTopUpTerms":
        """As the traveller set it."""
        return cls(
            threshold=auto.threshold_minor,
            amount=auto.amount_minor,
            day_ceiling=auto.day_ceiling_minor,
        )


class WalletView(Model):
    """A wallet. `balance` may be spent now; `held` waits for an order; `owed` is for rides."""

    state: WalletState
    balance: Money
    held: Money
    owed: Money
    is_denied: bool
    auto_top_up: AutoTopUpTerms | None
    opened_at: datetime
    closed_at: datetime | None


class TopUpRequest(Model):
    """Add `amount` yen from a card."""

    amount: int = Field(ge=1, le=BALANCE_MINOR_MAX)
    payment_method: Method


class TopUpView(Model):
    """A top-up. While it is open and `next_action_url` is set, the traveller must go there and ask again."""

    top_up_id: UUID
    amount: Money
    is_automatic: bool
    state: TopUpState
    decline_code: str | None
    next_action_url: str | None
    requested_at: datetime

    @classmethod
    def of(cls, row: TopUpRow) -> "TopUpView":
        """As its traveller sees it."""
        return cls(
            top_up_id=row.top_up_id,
            amount=row.amount,
            is_automatic=row.is_automatic,
            state=row.state,
            decline_code=row.decline_code,
            next_action_url=row.next_action_url,
            requested_at=row.requested_at,
        )


class TopUpList(Model):
    """The newest first."""

    top_ups: list[TopUpView]


class WalletEntry(Model):
    """One movement: positive came in. `reference` names what it was for."""

    sequence: int
    amount: Money
    code: TransferCode
    reference: str
    effective_at: datetime

    @classmethod
    def of(cls, entry: Entry, traveller_id: str) -> "WalletEntry":
        """The entry as the wallet's owner sees it."""
        transfer = entry.transfer
        came_in = transfer.credit == traveller_wallet(traveller_id)
        return cls(
            sequence=entry.sequence,
            amount=yen(transfer.amount_minor if came_in else -transfer.amount_minor),
            code=transfer.code,
            reference=transfer.reference,
            effective_at=transfer.effective_at,
        )


class WalletStatement(Model):
    """Movements in the order of booking. Ask on with `after` = `next_after` while it is not None."""

    entries: list[WalletEntry]
    next_after: int | None


class StatementQuery(Model):
    """A page of a statement."""

    after: int = Field(default=0, ge=0, le=SEQUENCE_MAX)
    limit: int = Field(default=100, ge=1, le=1000)


class PageQuery(Model):
    """How many."""

    limit: int = Field(default=50, ge=1, le=200)


class PayoutView(Model):
    """What is left of a closed wallet. `counter_id`: the till that paid it; None by bank."""

    payout_id: UUID
    traveller_id: str
    amount: Money
    requested_at: datetime
    paid_at: datetime | None
    counter_id: str | None

    @classmethod
    def of(cls, row: Any) -> "PayoutView":
        """As a clerk sees it."""
        return cls(
            payout_id=row["payout_id"],
            traveller_id=row["traveller_id"],
            amount=yen(row["amount_minor"]),
            requested_at=row["requested_at"],
            paid_at=row["paid_at"],
            counter_id=row["counter_id"],
        )


class PayoutList(Model):
    """The oldest first."""

    payouts: list[PayoutView]


class PayoutConfirmation(Model):
    """How it was paid: from the till of `counter_id`, or (None) by bank."""

    counter_id: Annotated[str, StringConstraints(pattern=r"^[^:\s]{1,64}$")] | None = None
