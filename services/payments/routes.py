"""The endpoints of payments. Travellers pay through sales; here they only look."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from payments.errors import PaymentNotFound
from payments.money import Money, yen
from payments.payment import RefundOutcome
from payments.ports import Payment, PaymentPurpose, Refund
from services.payments.handlers import PaymentsHandlers
from services.payments.provider import Provider, WebhookRefused
from services.payments.reconciliation import Reconciliation, reconcile
from services.payments.recovery import Recovery
from services.payments.store import PaymentsStore
from services.platform.auth import Role
from services.platform.clock import SystemClock
from services.platform.context import ServiceContext
from services.platform.problem import Problem
from services.platform.service import Call, Route

TAG = "payments"
_FAILED_MAX = 500


class WebhookReceived(BaseModel):
    """`is_new` is False for an event that came before."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    is_new: bool


class FailedRefund(BaseModel):
    """A refund whose last try failed, or came back from the traveller's bank (`outcome` returned)."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    refund_id: UUID
    payment_id: UUID
    traveller_id: str
    order_id: UUID
    purpose: PaymentPurpose
    amount: Money
    reason: str
    outcome: RefundOutcome
    failure: str
    opened_at: datetime


class FailedRefunds(BaseModel):
    """The oldest first."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    refunds: list[FailedRefund]


class RefundRetry(BaseModel):
    """Try a refund again: to where the money came from, or into the traveller's wallet."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    to_wallet: bool = False


class PaymentsEndpoints:
    """HTTP in front of the handlers."""

    def __init__(
        self,
        *,
        context: ServiceContext,
        handlers: PaymentsHandlers,
        store: PaymentsStore,
        provider: Provider,
        recovery: Recovery,
    ) -> None:
        self._context = context
        self._handlers = handlers
        self._store = store
        self._provider = provider
        self._recovery = recovery

    async def get_payment(self, call: Call) -> Payment:
        """A payment, for its traveller or an administrator."""
        payment = await self._handlers.get_payment(payment_id=call.path["payment_id"])
        if call.caller.role is not Role.ADMIN and payment.traveller_id != call.caller.subject:
            raise PaymentNotFound("No payment of yours has this id. Take the id from the order.")
        return payment

    async def list_failed_refunds(self, call: Call) -> FailedRefunds:
        """What a clerk must look at."""
        _check_platform(call)
        rows = await self._store.list_failed_refunds(limit=_FAILED_MAX)
        return FailedRefunds(
            refunds=[
                FailedRefund(
                    refund_id=row["root_id"],
                    payment_id=row["payment_id"],
                    traveller_id=row["traveller_id"],
                    order_id=row["order_id"],
                    purpose=row["purpose"],
                    amount=yen(row["amount_minor"]),
                    reason=row["reason"],
                    outcome=row["outcome"],
                    failure=row["failure"],
                    opened_at=row["opened_at"],
                )
                for row in rows
            ]
        )

    async def retry_refund(self, call: Call) -> Refund:
        """Try a failed refund again."""
        _check_platform(call)
        return await self._handlers.retry_refund(
            refund_id=call.path["refund_id"], to_wallet=call.body.to_wallet
        )

    async def receive_webhook(self, call: Call) -> WebhookReceived:
        """Keep a signed event; it is acted on right after the reply."""
        try:
            # Signatures carry the machine's time: the city's clock may be days ahead in a demonstration.
            news = self._provider.read_news(body=call.raw, headers=call.headers, now=SystemClock().now())
        except WebhookRefused as refusal:
            raise Problem("webhook_signature_invalid", detail=str(refusal)) from refusal
        return WebhookReceived(is_new=await self._recovery.keep(news))

    async def reconcile(self, _call: Call) -> Reconciliation:
        """The three-way match."""
        return await reconcile(self._context, self._store, self._provider)


def _check_platform(call: Call) -> None:
    """What travellers are owed is no operator's business."""
    if call.caller.role is Role.CLERK and call.caller.operator_id is not None:
        raise Problem("forbidden", detail="Refunds are looked after by the platform's own clerks.")


def build_routes(endpoints: PaymentsEndpoints) -> list[Route]:
    """The service's endpoints."""
    return [
        Route(
            method="GET",
            path="/api/refunds/failed",
            operation="listFailedRefunds",
            handler=endpoints.list_failed_refunds,
            summary="Refunds that failed or came back, and wait for somebody",
            tag=TAG,
            response=FailedRefunds,
        ),
        Route(
            method="POST",
            path="/api/refunds/{refund_id}/retry",
            operation="retryRefund",
            handler=endpoints.retry_refund,
            summary="Try a failed refund again, or pay it into the wallet",
            tag=TAG,
            path_types={"refund_id": UUID},
            body=RefundRetry,
            response=Refund,
            idempotent=True,
            problems=("refund_not_retriable",),
        ),
        Route(
            method="GET",
            path="/api/payments/reconciliation",
            operation="reconcilePayments",
            handler=endpoints.reconcile,
            summary="Match payments, ledger and provider to the yen",
            tag=TAG,
            response=Reconciliation,
            problems=("provider_unavailable", "provider_refused", "account_not_found"),
        ),
        Route(
            method="POST",
            path="/api/payments/webhooks/stripe",
            operation="receivePaymentWebhook",
            handler=endpoints.receive_webhook,
            summary="Receive a signed event of the payment provider",
            tag=TAG,
            response=WebhookReceived,
            problems=("webhook_signature_invalid",),
        ),
        Route(
            method="GET",
            path="/api/payments/{payment_id}",
            operation="getPayment",
            handler=endpoints.get_payment,
            summary="Look at a payment of your own",
            tag=TAG,
            path_types={"payment_id": UUID},
            response=Payment,
            problems=("payment_not_found",),
        ),
    ]
