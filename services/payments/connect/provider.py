"""What this room asks of a payment provider that can pay operators."""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountReport:
    """An operator's account there. `can_receive` once its owner has answered all that is asked of them."""

    account_id: str
    can_receive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OnboardingLink:
    """Where an operator says who they are; it lives for minutes."""

    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferReport:
    """What the provider says of a transfer, now."""

    provider_id: str
    amount_minor: int
    reversed_minor: int


class ConnectProvider(Protocol):
    """A provider that pays operators. Errors as those of `Provider`."""

    async def create_account(self, *, key: str, operator_id: str) -> AccountReport:
        """Open an account for an operator."""

    async def get_account(self, *, account_id: str) -> AccountReport:
        """Where an account is now."""

    async def create_link(self, *, account_id: str, return_url: str) -> OnboardingLink:
        """A page for the account's owner."""

    async def transfer(
        self, *, key: str, account_id: str, part_id: UUID, amount_minor: int, charge_id: str | None
    ) -> TransferReport:
        """Move money to an operator's account: that of a charge, also before it is available, or what is."""

    async def find_transfer(self, *, account_id: str, part_id: UUID) -> TransferReport | None:
        """The transfer made there for ours, if there is one."""

    async def reverse(self, *, key: str, provider_id: str, amount_minor: int) -> TransferReport:
        """Take a transfer back. One that is taken back already is reported as it is."""
