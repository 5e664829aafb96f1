"""What this room asks of a payment provider that can keep cards."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from uuid import UUID


class SetupState(StrEnum):
    """Where the provider has a card's setup."""

    REQUIRES_ACTION = "requires_action"
    PROCESSING = "processing"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What is printed on a card."""

    brand: str
    last4: str
    exp_month: int
    exp_year: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupReport:
    """What the provider says of a card's setup, now."""

    state: SetupState
    setup_id: str | None = None
    payment_method: str | None = None
    card: Card | None = None
    failure: str | None = None
    next_action_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerReport:
    """The provider's customer that stands for ours."""

    provider_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Detached:
    """The provider has forgotten the card."""


class MethodsProvider(Protocol):
    """A provider that keeps cards. Errors as those of `Provider`."""

    async def create_customer(self, *, key: str, customer_id: str) -> CustomerReport:
        """Make a customer known there. A second one for the same person does no harm."""

    async def set_up(
        self, *, key: str, customer: str, method_id: UUID, payment_method: str, return_url: str
    ) -> SetupReport:
        """Ask the card's bank for consent to later charges and keep the card. A decline is FAILED."""

    async def get_setup(self, *, setup_id: str) -> SetupReport:
        """Where a setup is now."""

    async def find_setup(self, *, customer: str, method_id: UUID) -> SetupReport | None:
        """The setup made there for ours, if there is one."""

    async def cancel_setup(self, *, key: str, setup_id: str) -> SetupReport:
        """Give a setup up. One that has ended meanwhile is reported as it is."""

    async def detach(self, *, key: str, payment_method: str) -> Detached:
        """Forget a card. One that is forgotten already is no error."""
