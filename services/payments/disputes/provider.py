"""What this room asks of a payment provider that tells of disputes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from payments.disputes import DisputeReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """The provider has handed the evidence to the bank."""


class DisputesProvider(Protocol):
    """A provider that tells of disputes. Errors as those of `Provider`."""

    async def get_dispute(self, *, dispute_id: str) -> DisputeReport:
        """Where a dispute is now."""

    async def list_disputes(self, *, since: datetime | None = None) -> list[DisputeReport]:
        """Disputes, all or those opened from `since` on."""

    async def submit_evidence(self, *, key: str, dispute_id: str, evidence: dict[str, str]) -> Submitted:
        """Hand in the evidence, once. A dispute past that is refused."""
