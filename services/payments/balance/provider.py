"""What this room asks of a payment provider that keeps a balance for us and pays it out."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from payments.movements import Movement


class PayoutState(StrEnum):
    """Where a payout is. A paid one may still fail: banks send money back."""

    ON_ITS_WAY = "on_its_way"
    PAID = "paid"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutReport:
    """What the provider says of a payout, now. Only automatic ones are ever itemised."""

    payout_id: str
    amount_minor: int
    state: PayoutState
    is_automatic: bool
    is_itemised: bool
    arrives_at: datetime
    created_at: datetime


class BalanceProvider(Protocol):
    """A provider with a balance. Errors as those of `Provider`."""

    async def list_movements(self, *, since: datetime | None = None) -> list[Movement]:
        """Money that moved, all or from `since` on, oldest first."""

    async def get_payout(self, *, payout_id: str) -> PayoutReport:
        """Where a payout is now."""

    async def list_payouts(self, *, since: datetime | None = None) -> list[PayoutReport]:
        """Payouts, all or those made from `since` on."""

    async def list_payout_movements(self, *, payout_id: str) -> list[Movement]:
        """The movements of an itemised payout, its own among them."""
