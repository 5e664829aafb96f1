"""Which payment goes to which provider: chosen by the payment method, remembered by the id.

Idea      A provider made of two. A payment is created where its method belongs; everything after names what
          was created, and its id tells whose it is. So drivers know one provider.
"""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from payments.accounts import CARD_CLEARING, ON_ACCOUNT, AccountId
from payments.money import Money
from payments.movements import Movement
from payments.payment import ProviderReport
from services.payments.on_account.adapter import (
    ITEM_PREFIX,
    REFUND_PREFIX,
    OnAccountProvider,
    is_on_account,
)
from services.payments.provider import News, Provider, RefundReport


def is_elsewhere(method: str | None, provider_id: str | None) -> bool:
    """The payment was begun at another provider than this method's: it is let go there first."""
    return provider_id is not None and is_on_account(method) != provider_id.startswith(ITEM_PREFIX)


def source_of(method: str | None) -> AccountId:
    """The ledger account where the money is that such a payment has captured."""
    return ON_ACCOUNT if is_on_account(method) else CARD_CLEARING


class ProviderSwitch:
    """Cards at one provider, business customers' accounts at the other."""

    def __init__(self, cards: Provider, on_account: OnAccountProvider) -> None:
        self._cards = cards
        self._on_account = on_account

    def _of(self, provider_id: str) -> Provider:
        return self._on_account if provider_id.startswith(ITEM_PREFIX) else self._cards

    async def create(
        self, *, key: str, payment_id: UUID, order_id: UUID, amount: Money, payment_method: str
    ) -> ProviderReport:
        """As Provider.create, where the method belongs."""
        chosen: Provider = self._on_account if is_on_account(payment_method) else self._cards
        return await chosen.create(
            key=key,
            payment_id=payment_id,
            order_id=order_id,
            amount=amount,
            payment_method=payment_method,
        )

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
        """As Provider.confirm."""
        return await self._of(provider_id).confirm(
            key=key,
            provider_id=provider_id,
            payment_method=payment_method,
            return_url=return_url,
            customer=customer,
            off_session=off_session,
        )

    async def capture(self, *, key: str, provider_id: str, amount: Money) -> ProviderReport:
        """As Provider.capture."""
        return await self._of(provider_id).capture(key=key, provider_id=provider_id, amount=amount)

    async def cancel(self, *, key: str, provider_id: str) -> ProviderReport:
        """As Provider.cancel."""
        return await self._of(provider_id).cancel(key=key, provider_id=provider_id)

    async def get(self, *, provider_id: str) -> ProviderReport:
        """As Provider.get."""
        return await self._of(provider_id).get(provider_id=provider_id)

    async def find(self, *, payment_id: UUID) -> ProviderReport | None:
        """As Provider.find, of cards: what is on account is created without a call that could be lost."""
        return await self._cards.find(payment_id=payment_id)

    async def refund(
        self, *, key: str, provider_id: str, payment_id: UUID, refund_id: UUID, amount: Money
    ) -> RefundReport:
        """As Provider.refund."""
        return await self._of(provider_id).refund(
            key=key, provider_id=provider_id, payment_id=payment_id, refund_id=refund_id, amount=amount
        )

    async def get_refund(self, *, provider_refund_id: str) -> RefundReport:
        """As Provider.get_refund."""
        is_ours = provider_refund_id.startswith(REFUND_PREFIX)
        chosen: Provider = self._on_account if is_ours else self._cards
        return await chosen.get_refund(provider_refund_id=provider_refund_id)

    async def find_refund(self, *, provider_id: str, refund_id: UUID) -> RefundReport | None:
        """As Provider.find_refund."""
        return await self._of(provider_id).find_refund(provider_id=provider_id, refund_id=refund_id)

    async def list_movements(self, *, since: datetime | None = None) -> list[Movement]:
        """As Provider.list_movements, of cards: the other has no balance of ours."""
        return await self._cards.list_movements(since=since)

    def read_news(self, *, body: bytes, headers: Mapping[str, str], now: datetime) -> News:
        """As Provider.read_news, of cards."""
        return self._cards.read_news(body=body, headers=headers, now=now)

    async def close(self) -> None:
        """As Provider.close, of both."""
        await self._cards.close()
        await self._on_account.close()
