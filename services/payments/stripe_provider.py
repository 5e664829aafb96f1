"""Stripe behind the `Provider` protocol, through its own SDK.

Idea      Each command is one call of the SDK under the caller's key; its answer is told as a report.
Not here  Patience and errors (stripe_client.py), webhooks (stripe_webhooks.py), saved methods, Connect, the
          balance and disputes (in the rooms of their names).
Source    https://docs.stripe.com/payments/paymentintents/lifecycle
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from uuid import UUID

import stripe

from payments.money import Money
from payments.movements import Movement
from payments.payment import ProviderReport, ProviderState
from payments.ports import RefundState
from services.payments.balance.stripe_balance import list_movements
from services.payments.provider import News, RefundReport
from services.payments.stripe_client import PAGE, Declined, PastThat, StripeClient, id_of
from services.payments.stripe_webhooks import read_news

_STATES = {
    "requires_confirmation": ProviderState.UNCONFIRMED,
    "requires_action": ProviderState.REQUIRES_ACTION,
    "processing": ProviderState.PROCESSING,
    "requires_capture": ProviderState.HELD,
    "succeeded": ProviderState.TAKEN,
    "canceled": ProviderState.CANCELLED,
}
_REFUND_STATES = {
    "succeeded": RefundState.SUCCEEDED,
    "failed": RefundState.FAILED,
    "canceled": RefundState.FAILED,
}


class StripeProvider:
    """Stripe, or anything that speaks its API at `api_base`."""

    def __init__(self, client: StripeClient, *, webhook_secret: str = "") -> None:
        self._client = client
        self._webhook_secret = webhook_secret

    async def create(
        self, *, key: str, payment_id: UUID, order_id: UUID, amount: Money, payment_method: str
    ) -> ProviderReport:
        """As Provider.create. The card is named when the intent is confirmed."""
        assert payment_method, "a payment is created for a method"
        intent = await self._client.ask(
            lambda: self._client.v1.payment_intents.create_async(
                params={
                    "amount": amount.amount_minor,
                    "currency": amount.currency.lower(),
                    "capture_method": "manual",
                    "allowed_payment_method_types": ["card"],
                    "metadata": {"payment_id": str(payment_id), "order_id": str(order_id)},
                },
                options={"idempotency_key": key},
            )
        )
        return report_of(intent)

    async def confirm(
        self,
        *,
        key: str,
        provider_id: str,
        payment_method: str,
        return_url: str,
        customer: str | None,
        off_session: bool,
    ) -> ProviderReport:
        """As Provider.confirm. A kept card is charged for its customer only, so the intent learns of them."""
        params: stripe.params.PaymentIntentConfirmParams = {"payment_method": payment_method}
        if off_session:
            params["off_session"] = True
        else:
            params["return_url"] = return_url

        async def act() -> stripe.PaymentIntent:
            if customer is not None:
                await self._client.v1.payment_intents.update_async(
                    provider_id,
                    params={"customer": customer},
                    options={"idempotency_key": f"{key}:customer"},
                )
            return await self._client.v1.payment_intents.confirm_async(
                provider_id, params=params, options={"idempotency_key": key}
            )

        return await self._command(provider_id, act)

    async def capture(self, *, key: str, provider_id: str, amount: Money) -> ProviderReport:
        """As Provider.capture."""
        return await self._command(
            provider_id,
            lambda: self._client.v1.payment_intents.capture_async(
                provider_id,
                params={"amount_to_capture": amount.amount_minor},
                options={"idempotency_key": key},
            ),
        )

    async def cancel(self, *, key: str, provider_id: str) -> ProviderReport:
        """As Provider.cancel."""
        return await self._command(
            provider_id,
            lambda: self._client.v1.payment_intents.cancel_async(
                provider_id, options={"idempotency_key": key}
            ),
        )

    async def get(self, *, provider_id: str) -> ProviderReport:
        """As Provider.get."""
        return report_of(
            await self._client.ask(lambda: self._client.v1.payment_intents.retrieve_async(provider_id))
        )

    async def find(self, *, payment_id: UUID) -> ProviderReport | None:
        """As Provider.find."""
        query = f"metadata['payment_id']:'{payment_id}'"
        found = await self._client.ask(
            lambda: self._client.v1.payment_intents.search_async(params={"query": query, "limit": 1})
        )
        return report_of(found.data[0]) if found.data else None

    async def refund(
        self, *, key: str, provider_id: str, payment_id: UUID, refund_id: UUID, amount: Money
    ) -> RefundReport:
        """As Provider.refund."""
        refund = await self._client.ask(
            lambda: self._client.v1.refunds.create_async(
                params={
                    "payment_intent": provider_id,
                    "amount": amount.amount_minor,
                    "metadata": {"payment_id": str(payment_id), "refund_id": str(refund_id)},
                },
                options={"idempotency_key": key},
            )
        )
        return refund_report_of(refund)

    async def get_refund(self, *, provider_refund_id: str) -> RefundReport:
        """As Provider.get_refund."""
        return refund_report_of(
            await self._client.ask(lambda: self._client.v1.refunds.retrieve_async(provider_refund_id))
        )

    async def find_refund(self, *, provider_id: str, refund_id: UUID) -> RefundReport | None:
        """As Provider.find_refund."""

        async def find() -> RefundReport | None:
            page = await self._client.v1.refunds.list_async(
                params={"payment_intent": provider_id, "limit": PAGE}
            )
            async for refund in page.auto_paging_iter():
                if refund.metadata and refund.metadata.to_dict().get("refund_id") == str(refund_id):
                    return refund_report_of(refund)
            return None

        return await self._client.ask(find)

    async def list_movements(self, *, since: datetime | None = None) -> list[Movement]:
        """As Provider.list_movements."""
        return await list_movements(self._client, since=since)

    def read_news(self, *, body: bytes, headers: Mapping[str, str], now: datetime) -> News:
        """As Provider.read_news."""
        return read_news(
            body, signature=headers.get("Stripe-Signature", ""), secret=self._webhook_secret, now=now
        )

    async def close(self) -> None:
        """As Provider.close."""
        await self._client.close()

    async def _command(
        self, provider_id: str, act: Callable[[], Awaitable[stripe.PaymentIntent]]
    ) -> ProviderReport:
        """Do it, or report where the payment is when it is past that."""
        try:
            return report_of(await self._client.ask(act))
        except Declined as declined:
            return ProviderReport(
                state=ProviderState.DECLINED, provider_id=provider_id, decline_code=str(declined)
            )
        except PastThat:
            return await self.get(provider_id=provider_id)


def report_of(intent: stripe.PaymentIntent) -> ProviderReport:
    """What a PaymentIntent says."""
    error = intent.last_payment_error
    if intent.status == "requires_payment_method":
        state = ProviderState.UNCONFIRMED if error is None else ProviderState.DECLINED
    else:
        state = _STATES[intent.status]
    action = intent.next_action.redirect_to_url if intent.next_action else None
    return ProviderReport(
        state=state,
        provider_id=intent.id,
        charge_id=id_of(intent.latest_charge),
        decline_code=(getattr(error, "decline_code", None) or error.code) if error else None,
        next_action_url=action.url if action else None,
    )


def refund_report_of(refund: stripe.Refund) -> RefundReport:
    """What a Refund says."""
    state = _REFUND_STATES.get(refund.status or "", RefundState.PENDING)
    failure = getattr(refund, "failure_reason", None) if state is RefundState.FAILED else None
    return RefundReport(provider_id=refund.id, state=state, failure=failure)
