"""What this service asks of a payment provider. Another provider is another implementation of `Provider`.

Idea      A payment is made there in two steps. `create` holds nothing and may be lost or doubled without
          harm; `confirm`, `capture` and `cancel` name what was created, and the provider's own states keep
          them from happening twice. Only a refund has no such guard: it is looked for before it is asked
          again under another key.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from payments.errors import ProviderUnavailable
from payments.money import Money
from payments.movements import Movement
from payments.payment import ProviderReport
from payments.ports import RefundState


class ProviderFault(ProviderUnavailable):
    """The provider broke while working on this call and has finished doing so. Look what became of it."""


class WebhookRefused(Exception):
    """A webhook that is not the provider's, or too old, or from the future."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundReport:
    """What the provider says of a refund, now."""

    provider_id: str | None
    state: RefundState
    failure: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """An event of the provider: what it is about. The ids are None where the event does not tell them.

    `object_kind` and `object_id` name the provider's object: `setup_intent`, `dispute`, `payout`, ...
    """

    event_id: str
    event_type: str
    told_at: datetime
    payment_id: UUID | None
    refund_id: UUID | None
    provider_id: str | None
    provider_refund_id: str | None
    object_kind: str
    object_id: str | None


class Provider(Protocol):
    """A payment provider.

    Every command raises ProviderUnavailable (it may have happened), ProviderFault (it ended; look) or
    ProviderRefused (it did not happen and will not). A card that is declined is an answer, not an error.
    """

    async def create(
        self, *, key: str, payment_id: UUID, order_id: UUID, amount: Money, payment_method: str
    ) -> ProviderReport:
        """Make a payment known there; nothing is held. The method says which provider is meant."""

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
        """Hold the money on this card. An already confirmed payment is reported as it is.

        `customer` is the provider's, of a card kept there; `off_session`: the payer cannot be asked now.
        """

    async def capture(self, *, key: str, provider_id: str, amount: Money) -> ProviderReport:
        """Take held money. A payment in another state is reported as it is."""

    async def cancel(self, *, key: str, provider_id: str) -> ProviderReport:
        """Let held money go. A payment in another state is reported as it is."""

    async def get(self, *, provider_id: str) -> ProviderReport:
        """Where a payment is now."""

    async def find(self, *, payment_id: UUID) -> ProviderReport | None:
        """A payment made there for ours; one made a moment ago may be missed."""

    async def refund(
        self, *, key: str, provider_id: str, payment_id: UUID, refund_id: UUID, amount: Money
    ) -> RefundReport:
        """Give back captured money."""

    async def get_refund(self, *, provider_refund_id: str) -> RefundReport:
        """Where a refund is now."""

    async def find_refund(self, *, provider_id: str, refund_id: UUID) -> RefundReport | None:
        """The refund made there for ours, if there is one; never misses one that has ended."""

    async def list_movements(self, *, since: datetime | None = None) -> list[Movement]:
        """Money that moved, all or from `since` on, oldest first."""

    def read_news(self, *, body: bytes, headers: Mapping[str, str], now: datetime) -> News:
        """Check a webhook's signature and age against `now` (real time). Raises WebhookRefused."""

    async def close(self) -> None:
        """Let connections go."""
