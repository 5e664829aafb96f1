"""Stripe's customers and setup intents behind the `MethodsProvider` protocol.

Source    https://docs.stripe.com/payments/save-and-reuse; https://docs.stripe.com/api/setup_intents
"""

from uuid import UUID

import stripe

from payments.errors import ProviderRefused
from services.payments.methods.provider import Card, CustomerReport, Detached, SetupReport, SetupState
from services.payments.stripe_client import PAGE, Declined, StripeClient, id_of

_STATES = {
    "requires_action": SetupState.REQUIRES_ACTION,
    "processing": SetupState.PROCESSING,
    "requires_confirmation": SetupState.PROCESSING,
    "succeeded": SetupState.READY,
}


class StripeMethods:
    """Cards kept at Stripe."""

    def __init__(self, client: StripeClient) -> None:
        self._client = client

    async def create_customer(self, *, key: str, customer_id: str) -> CustomerReport:
        """As MethodsProvider.create_customer. Stripe learns our id for the person and nothing else."""
        customer = await self._client.ask(
            lambda: self._client.v1.customers.create_async(
                params={"metadata": {"customer_id": customer_id}}, options={"idempotency_key": key}
            )
        )
        return CustomerReport(provider_id=customer.id)

    async def set_up(
        self, *, key: str, customer: str, method_id: UUID, payment_method: str, return_url: str
    ) -> SetupReport:
        """As MethodsProvider.set_up."""
        try:
            setup = await self._client.ask(
                lambda: self._client.v1.setup_intents.create_async(
                    params={
                        "customer": customer,
                        "payment_method": payment_method,
                        "allowed_payment_method_types": ["card"],
                        "usage": "off_session",
                        "confirm": True,
                        "return_url": return_url,
                        "metadata": {"method_id": str(method_id)},
                        "expand": ["payment_method"],
                    },
                    options={"idempotency_key": key},
                )
            )
        except Declined as declined:
            return SetupReport(state=SetupState.FAILED, failure=str(declined))
        return _report_of(setup)

    async def get_setup(self, *, setup_id: str) -> SetupReport:
        """As MethodsProvider.get_setup."""
        return _report_of(
            await self._client.ask(
                lambda: self._client.v1.setup_intents.retrieve_async(
                    setup_id, params={"expand": ["payment_method"]}
                )
            )
        )

    async def find_setup(self, *, customer: str, method_id: UUID) -> SetupReport | None:
        """As MethodsProvider.find_setup."""

        async def find() -> SetupReport | None:
            page = await self._client.v1.setup_intents.list_async(
                params={"customer": customer, "limit": PAGE, "expand": ["data.payment_method"]}
            )
            async for setup in page.auto_paging_iter():
                if setup.metadata and setup.metadata.to_dict().get("method_id") == str(method_id):
                    return _report_of(setup)
            return None

        return await self._client.ask(find)

    async def cancel_setup(self, *, key: str, setup_id: str) -> SetupReport:
        """As MethodsProvider.cancel_setup."""
        try:
            await self._client.ask(
                lambda: self._client.v1.setup_intents.cancel_async(setup_id, options={"idempotency_key": key})
            )
        except ProviderRefused:
            return await self.get_setup(setup_id=setup_id)
        return SetupReport(state=SetupState.FAILED, setup_id=setup_id, failure="given_up")

    async def detach(self, *, key: str, payment_method: str) -> Detached:
        """As MethodsProvider.detach."""
        try:
            await self._client.ask(
                lambda: self._client.v1.payment_methods.detach_async(
                    payment_method, options={"idempotency_key": key}
                )
            )
        except ProviderRefused:
            there = await self._client.ask(
                lambda: self._client.v1.payment_methods.retrieve_async(payment_method)
            )
            if there.customer is not None:
                raise
        return Detached()


def _report_of(setup: stripe.SetupIntent) -> SetupReport:
    error = setup.last_setup_error
    action = setup.next_action.redirect_to_url if setup.next_action else None
    method = setup.payment_method
    card = method.card if isinstance(method, stripe.PaymentMethod) else None
    return SetupReport(
        # Without a payment method it was refused or cancelled: a new setup is made for another card.
        state=_STATES.get(setup.status, SetupState.FAILED),
        setup_id=setup.id,
        payment_method=id_of(method),
        card=None
        if card is None
        else Card(brand=card.brand, last4=card.last4, exp_month=card.exp_month, exp_year=card.exp_year),
        failure=(getattr(error, "decline_code", None) or error.code) if error else None,
        next_action_url=action.url if action else None,
    )
