"""The endpoints of payments. Travellers pay through sales; here they only look."""

from uuid import UUID

from pydantic import BaseModel, ConfigDict

from payments.errors import PaymentNotFound
from payments.ports import Payment
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


class WebhookReceived(BaseModel):
    """`is_new` is False for an event that came before."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    is_new: bool


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


def build_routes(endpoints: PaymentsEndpoints) -> list[Route]:
    """The service's endpoints."""
    return [
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
