"""Stripe's balance behind the `BalanceProvider` protocol.

Source    https://docs.stripe.com/payouts/reconciliation; https://docs.stripe.com/api/balance_transactions
"""

from datetime import UTC, datetime

import stripe

from payments.movements import Movement
from services.payments.balance.provider import PayoutReport, PayoutState
from services.payments.stripe_client import PAGE, StripeClient, id_of

_STATES = {
    "paid": PayoutState.PAID,
    "failed": PayoutState.FAILED,
    "canceled": PayoutState.FAILED,
}


class StripeBalance:
    """The platform's balance at Stripe."""

    def __init__(self, client: StripeClient) -> None:
        self._client = client

    async def list_movements(self, *, since: datetime | None = None) -> list[Movement]:
        """As BalanceProvider.list_movements."""
        return await list_movements(self._client, since=since)

    async def get_payout(self, *, payout_id: str) -> PayoutReport:
        """As BalanceProvider.get_payout."""
        return _report_of(await self._client.ask(lambda: self._client.v1.payouts.retrieve_async(payout_id)))

    async def list_payouts(self, *, since: datetime | None = None) -> list[PayoutReport]:
        """As BalanceProvider.list_payouts."""
        params: stripe.params.PayoutListParams = {"limit": PAGE}
        if since is not None:
            params["created"] = {"gte": int(since.timestamp())}

        async def collect() -> list[PayoutReport]:
            page = await self._client.v1.payouts.list_async(params=params)
            return [_report_of(each) async for each in page.auto_paging_iter()]

        return await self._client.ask(collect)

    async def list_payout_movements(self, *, payout_id: str) -> list[Movement]:
        """As BalanceProvider.list_payout_movements."""
        return await list_movements(self._client, payout_id=payout_id)


async def list_movements(
    client: StripeClient, *, since: datetime | None = None, payout_id: str | None = None
) -> list[Movement]:
    """Movements from `since` on, or of a payout, oldest first."""
    params: stripe.params.BalanceTransactionListParams = {"limit": PAGE}
    if since is not None:
        params["created"] = {"gte": int(since.timestamp())}
    if payout_id is not None:
        params["payout"] = payout_id

    async def collect() -> list[Movement]:
        page = await client.v1.balance_transactions.list_async(params=params)
        return [_movement_of(each) async for each in page.auto_paging_iter()]

    return (await client.ask(collect))[::-1]


def _movement_of(item: stripe.BalanceTransaction) -> Movement:
    return Movement(
        movement_id=item.id,
        kind=item.type,
        category=item.reporting_category,
        source_id=id_of(item.source) or "",
        amount_minor=item.amount,
        fee_minor=item.fee,
        currency=item.currency.upper(),
        moved_at=datetime.fromtimestamp(item.created, UTC),
    )


def _report_of(payout: stripe.Payout) -> PayoutReport:
    return PayoutReport(
        payout_id=payout.id,
        amount_minor=payout.amount,
        state=_STATES.get(payout.status, PayoutState.ON_ITS_WAY),
        is_automatic=payout.automatic,
        is_itemised=payout.reconciliation_status == "completed",
        arrives_at=datetime.fromtimestamp(payout.arrival_date, UTC),
        created_at=datetime.fromtimestamp(payout.created, UTC),
    )
