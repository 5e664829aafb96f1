"""Stripe's disputes behind the `DisputesProvider` protocol.

Source    https://docs.stripe.com/disputes; https://docs.stripe.com/api/disputes
"""

from datetime import UTC, datetime
from typing import cast

import stripe

from payments.disputes import DisputeReport, DisputeState
from services.payments.disputes.provider import Submitted
from services.payments.stripe_client import PAGE, StripeClient, id_of

_STATES = {
    "under_review": DisputeState.UNDER_REVIEW,
    "warning_under_review": DisputeState.UNDER_REVIEW,
    "won": DisputeState.WON,
    "warning_closed": DisputeState.WON,
    "prevented": DisputeState.WON,
    "lost": DisputeState.LOST,
}


class StripeDisputes:
    """Disputes at Stripe."""

    def __init__(self, client: StripeClient) -> None:
        self._client = client

    async def get_dispute(self, *, dispute_id: str) -> DisputeReport:
        """As DisputesProvider.get_dispute."""
        return _report_of(await self._client.ask(lambda: self._client.v1.disputes.retrieve_async(dispute_id)))

    async def list_disputes(self, *, since: datetime | None = None) -> list[DisputeReport]:
        """As DisputesProvider.list_disputes."""
        params: stripe.params.DisputeListParams = {"limit": PAGE}
        if since is not None:
            params["created"] = {"gte": int(since.timestamp())}

        async def collect() -> list[DisputeReport]:
            page = await self._client.v1.disputes.list_async(params=params)
            return [_report_of(each) async for each in page.auto_paging_iter()]

        return await self._client.ask(collect)

    async def submit_evidence(self, *, key: str, dispute_id: str, evidence: dict[str, str]) -> Submitted:
        """As DisputesProvider.submit_evidence."""
        told = cast("stripe.params.DisputeUpdateParamsEvidence", evidence)
        await self._client.ask(
            lambda: self._client.v1.disputes.update_async(
                dispute_id,
                params={"evidence": told, "submit": True},
                options={"idempotency_key": key},
            )
        )
        return Submitted()


def _report_of(dispute: stripe.Dispute) -> DisputeReport:
    due_by = dispute.evidence_details.due_by
    return DisputeReport(
        dispute_id=dispute.id,
        charge_id=id_of(dispute.charge) or "",
        amount_minor=dispute.amount,
        currency=dispute.currency.upper(),
        reason=dispute.reason,
        state=_STATES.get(dispute.status, DisputeState.OPEN),
        due_by=None if due_by is None else datetime.fromtimestamp(due_by, UTC),
        opened_at=datetime.fromtimestamp(dispute.created, UTC),
    )
