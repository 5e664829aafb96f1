"""Stripe behind the `Provider` protocol, through its own SDK.

Problem   The SDK makes one attempt unless told otherwise, never repeats a 429, waits 80 seconds, leaks its
          connections unless closed, and lets some network errors through bare.
Idea      Short time-outs, one repetition by the SDK, a few patient ones for 429 here; every error is sorted
          into the three kinds that the caller can act on.
Source    facts on payments, rules 16-19; https://docs.stripe.com/api.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

import aiohttp
import stripe

from payments.errors import PaymentsError, ProviderRefused, ProviderUnavailable
from payments.money import Money
from payments.payment import ProviderReport, ProviderState
from payments.ports import RefundState
from services.payments.provider import Movement, News, ProviderFault, RefundReport
from services.payments.stripe_webhooks import read_news

T = TypeVar("T")

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
_ENDED_STATUS = 500
_PAGE = 100


class StripeProvider:
    """Stripe, or anything that speaks its API at `api_base`."""

    def __init__(
        self,
        *,
        api_key: str,
        api_base: str = "",
        webhook_secret: str = "",
        timeout_s: float = 10.0,
        network_retries: int = 1,
        rate_limit_pauses_s: tuple[float, ...] = (0.2, 0.5, 1.0),
    ) -> None:
        stripe.enable_telemetry = False
        self._webhook_secret = webhook_secret
        self._pauses_s = rate_limit_pauses_s
        timeout = aiohttp.ClientTimeout(total=timeout_s, connect=min(3.0, timeout_s))
        self._http = stripe.AIOHTTPClient(timeout=timeout)
        self._client = stripe.StripeClient(
            api_key,
            base_addresses={"api": api_base.rstrip("/")} if api_base else {},
            max_network_retries=network_retries,
            http_client=self._http,
        )

    async def create(self, *, key: str, payment_id: UUID, order_id: UUID, amount: Money) -> ProviderReport:
        """As Provider.create."""
        intent = await self._ask(
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
        self, *, key: str, provider_id: str, payment_method: str, return_url: str
    ) -> ProviderReport:
        """As Provider.confirm."""
        return await self._command(
            provider_id,
            lambda: self._client.v1.payment_intents.confirm_async(
                provider_id,
                params={"payment_method": payment_method, "return_url": return_url},
                options={"idempotency_key": key},
            ),
        )

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
        return report_of(await self._ask(lambda: self._client.v1.payment_intents.retrieve_async(provider_id)))

    async def find(self, *, payment_id: UUID) -> ProviderReport | None:
        """As Provider.find."""
        query = f"metadata['payment_id']:'{payment_id}'"
        found = await self._ask(
            lambda: self._client.v1.payment_intents.search_async(params={"query": query, "limit": 1})
        )
        return report_of(found.data[0]) if found.data else None

    async def refund(
        self, *, key: str, provider_id: str, payment_id: UUID, refund_id: UUID, amount: Money
    ) -> RefundReport:
        """As Provider.refund."""
        refund = await self._ask(
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
            await self._ask(lambda: self._client.v1.refunds.retrieve_async(provider_refund_id))
        )

    async def find_refund(self, *, provider_id: str, refund_id: UUID) -> RefundReport | None:
        """As Provider.find_refund."""

        async def find() -> RefundReport | None:
            page = await self._client.v1.refunds.list_async(
                params={"payment_intent": provider_id, "limit": _PAGE}
            )
            async for refund in page.auto_paging_iter():
                if refund.metadata and refund.metadata.to_dict().get("refund_id") == str(refund_id):
                    return refund_report_of(refund)
            return None

        return await self._ask(find)

    async def list_movements(self) -> list[Movement]:
        """As Provider.list_movements."""

        async def collect() -> list[Movement]:
            page = await self._client.v1.balance_transactions.list_async(params={"limit": _PAGE})
            return [_movement_of(each) async for each in page.auto_paging_iter()]

        return (await self._ask(collect))[::-1]

    def read_news(self, *, body: bytes, headers: Mapping[str, str], now: datetime) -> News:
        """As Provider.read_news."""
        return read_news(
            body, signature=headers.get("Stripe-Signature", ""), secret=self._webhook_secret, now=now
        )

    async def close(self) -> None:
        """As Provider.close."""
        await self._http.close_async()  # type: ignore[no-untyped-call]  # the SDK gives it no types

    async def _command(
        self, provider_id: str, act: Callable[[], Awaitable[stripe.PaymentIntent]]
    ) -> ProviderReport:
        """Do it, or report where the payment is when it is past that."""
        try:
            return report_of(await self._ask(act))
        except _Declined as declined:
            return ProviderReport(
                state=ProviderState.DECLINED, provider_id=provider_id, decline_code=str(declined)
            )
        except _PastThat:
            return await self.get(provider_id=provider_id)

    async def _ask(self, act: Callable[[], Awaitable[T]]) -> T:
        for pause_s in (*self._pauses_s, None):
            try:
                return await act()
            except stripe.RateLimitError as error:
                if pause_s is None:
                    raise ProviderUnavailable("The payment provider is busy. Try again.") from error
                await asyncio.sleep(pause_s)
            except stripe.StripeError as error:
                raise _sorted(error) from error
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                raise ProviderUnavailable("The payment provider's answer was lost. Try again.") from error
        raise AssertionError("the last pause is None and raises")


class _Declined(ProviderRefused):
    """The card's bank says no; the message is its reason."""


class _PastThat(ProviderRefused):
    """The payment is in another state than the command needs."""


def _sorted(error: stripe.StripeError) -> Exception:
    """The error in the caller's three kinds, or one of the two that `_command` answers."""
    if isinstance(error, stripe.CardError):
        details = error.error
        return _Declined((details.decline_code if details else None) or error.code or "declined")
    if isinstance(error, stripe.InvalidRequestError):
        if error.code == "payment_intent_unexpected_state":
            return _PastThat(error.code)
        return ProviderRefused(error.code or error.user_message or "invalid_request")
    return _fault_of(error)


def _fault_of(error: stripe.StripeError) -> PaymentsError:
    if isinstance(error, (stripe.AuthenticationError, stripe.PermissionError)):
        return ProviderUnavailable("The payment provider does not accept our key. Set STRIPE_API_KEY.")
    if error.http_status == _ENDED_STATUS:
        return ProviderFault("The payment provider broke while working on it. Try again.")
    return ProviderUnavailable("The payment provider does not answer. Try again.")


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
        charge_id=_id_of(intent.latest_charge),
        decline_code=(getattr(error, "decline_code", None) or error.code) if error else None,
        next_action_url=action.url if action else None,
    )


def refund_report_of(refund: stripe.Refund) -> RefundReport:
    """What a Refund says."""
    state = _REFUND_STATES.get(refund.status or "", RefundState.PENDING)
    failure = getattr(refund, "failure_reason", None) if state is RefundState.FAILED else None
    return RefundReport(provider_id=refund.id, state=state, failure=failure)


def _movement_of(item: stripe.BalanceTransaction) -> Movement:
    return Movement(
        movement_id=item.id,
        kind=item.type,
        source_id=_id_of(item.source) or "",
        amount_minor=item.amount,
        fee_minor=item.fee,
        moved_at=datetime.fromtimestamp(item.created, UTC),
    )


def _id_of(item: Any) -> str | None:
    return item if item is None or isinstance(item, str) else str(item.id)
