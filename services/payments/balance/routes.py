"""The endpoints of the provider's balance, for administrators."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from services.payments.balance.alarms import Unmatched, list_unmatched
from services.payments.balance.collector import Collector
from services.payments.balance.store import BalanceStore
from services.platform.service import Call, Route

TAG = "payments"
_SHOWN = 100


class UnmatchedItems(BaseModel):
    """What one side only knows, oldest first. `is_alarming`: one of them is older than it may be."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    is_alarming: bool
    items: list[Unmatched]


class Payout(BaseModel):
    """A payout to our bank. `is_reconciled`: its items were listed, sum to it, and it is in the books."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    payout_id: str
    amount_minor: int
    state: str
    is_automatic: bool
    is_reconciled: bool
    item_count: int | None
    arrives_at: datetime
    problem: str | None


class Payouts(BaseModel):
    """The newest payouts."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    payouts: list[Payout]


class BalanceEndpoints:
    """HTTP in front of the collector."""

    def __init__(self, store: BalanceStore, collector: Collector) -> None:
        self._store = store
        self._collector = collector

    async def list_unmatched(self, _call: Call) -> UnmatchedItems:
        """What has no counterpart now, after a fresh look at the provider."""
        await self._collector.collect()
        await self._collector.match(at_once=True)
        items = await list_unmatched(self._store)
        return UnmatchedItems(is_alarming=any(each.is_alarming for each in items), items=items)

    async def list_payouts(self, _call: Call) -> Payouts:
        """The newest payouts, as they were last seen."""
        rows = await self._store.list_payouts(_SHOWN)
        return Payouts(
            payouts=[
                Payout(
                    payout_id=row["payout_id"],
                    amount_minor=row["amount_minor"],
                    state=row["state"],
                    is_automatic=row["is_automatic"],
                    is_reconciled=row["is_reconciled"],
                    item_count=row["item_count"],
                    arrives_at=row["arrives_at"],
                    problem=row["last_error"],
                )
                for row in rows
            ]
        )


def build_routes(endpoints: BalanceEndpoints) -> list[Route]:
    """The endpoints of the provider's balance."""
    return [
        Route(
            method="GET",
            path="/api/payments/unmatched",
            operation="listUnmatched",
            handler=endpoints.list_unmatched,
            summary="List what the provider or the books alone know, with its age",
            tag=TAG,
            response=UnmatchedItems,
            problems=("provider_unavailable", "provider_refused"),
        ),
        Route(
            method="GET",
            path="/api/payments/payouts",
            operation="listPayouts",
            handler=endpoints.list_payouts,
            summary="List the provider's payouts to our bank, and whether their items sum to them",
            tag=TAG,
            response=Payouts,
        ),
    ]
