"""Stripe Connect behind the `ConnectProvider` protocol: separate charges and transfers, in Japan.

Source    https://docs.stripe.com/connect/separate-charges-and-transfers
"""

from uuid import UUID

import stripe

from payments.errors import ProviderRefused
from services.payments.connect.provider import AccountReport, OnboardingLink, TransferReport
from services.payments.stripe_client import PAGE, StripeClient


class StripeConnect:
    """Operators' accounts at Stripe."""

    def __init__(self, client: StripeClient) -> None:
        self._client = client

    async def create_account(self, *, key: str, operator_id: str) -> AccountReport:
        """As ConnectProvider.create_account."""
        return _account_of(
            await self._client.ask(
                lambda: self._client.v1.accounts.create_async(
                    params={
                        "type": "express",
                        "country": "JP",
                        "business_type": "company",
                        "capabilities": {"transfers": {"requested": True}},
                        "metadata": {"operator_id": operator_id},
                    },
                    options={"idempotency_key": key},
                )
            )
        )

    async def get_account(self, *, account_id: str) -> AccountReport:
        """As ConnectProvider.get_account."""
        return _account_of(
            await self._client.ask(lambda: self._client.v1.accounts.retrieve_async(account_id))
        )

    async def create_link(self, *, account_id: str, return_url: str) -> OnboardingLink:
        """As ConnectProvider.create_link."""
        link = await self._client.ask(
            lambda: self._client.v1.account_links.create_async(
                params={
                    "account": account_id,
                    "type": "account_onboarding",
                    "refresh_url": return_url,
                    "return_url": return_url,
                }
            )
        )
        return OnboardingLink(url=link.url)

    async def transfer(
        self, *, key: str, account_id: str, part_id: UUID, amount_minor: int, charge_id: str | None
    ) -> TransferReport:
        """As ConnectProvider.transfer."""
        params: stripe.params.TransferCreateParams = {
            "amount": amount_minor,
            "currency": "jpy",
            "destination": account_id,
            "metadata": {"part_id": str(part_id)},
        }
        if charge_id is not None:
            params["source_transaction"] = charge_id
        return _transfer_of(
            await self._client.ask(
                lambda: self._client.v1.transfers.create_async(
                    params=params, options={"idempotency_key": key}
                )
            )
        )

    async def find_transfer(self, *, account_id: str, part_id: UUID) -> TransferReport | None:
        """As ConnectProvider.find_transfer."""

        async def find() -> TransferReport | None:
            page = await self._client.v1.transfers.list_async(
                params={"destination": account_id, "limit": PAGE}
            )
            async for transfer in page.auto_paging_iter():
                if transfer.metadata.to_dict().get("part_id") == str(part_id):
                    return _transfer_of(transfer)
            return None

        return await self._client.ask(find)

    async def reverse(self, *, key: str, provider_id: str, amount_minor: int) -> TransferReport:
        """As ConnectProvider.reverse."""
        try:
            await self._client.ask(
                lambda: self._client.v1.transfers.reversals.create_async(
                    provider_id, params={"amount": amount_minor}, options={"idempotency_key": key}
                )
            )
        except ProviderRefused:
            there = await self._get(provider_id)
            if there.reversed_minor < amount_minor:
                raise
            return there
        return await self._get(provider_id)

    async def _get(self, provider_id: str) -> TransferReport:
        return _transfer_of(
            await self._client.ask(lambda: self._client.v1.transfers.retrieve_async(provider_id))
        )


def _account_of(account: stripe.Account) -> AccountReport:
    capabilities = account.capabilities
    is_active = capabilities is not None and getattr(capabilities, "transfers", None) == "active"
    return AccountReport(account_id=account.id, can_receive=is_active)


def _transfer_of(transfer: stripe.Transfer) -> TransferReport:
    return TransferReport(
        provider_id=transfer.id,
        amount_minor=transfer.amount,
        reversed_minor=transfer.amount_reversed,
    )
