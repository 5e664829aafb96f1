"""The rows of disputes.

Invariant A row is saved only over the version it was read at.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from payments.disputes import DisputeReport, DisputeState
from payments.errors import DisputeNotFound
from services.payments.store import pause_s
from services.platform.database import Database, load_queries

queries = load_queries(__file__)

_LOOK_AGAIN_S = 6 * 3600.0
"""The bank takes weeks; a webhook comes sooner."""
_GO_ON_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeRow:
    """A dispute with what only this service knows of it."""

    dispute_id: str
    payment_id: UUID
    amount_minor: int
    currency: str
    reason: str
    state: DisputeState
    due_by: datetime | None
    evidence: dict[str, str]
    is_submitted: bool
    submitted_at: datetime | None
    opened_at: datetime
    closed_at: datetime | None
    version: int
    attempts: int


class DisputesStore:
    """The door to the table of disputes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find_payment_of(self, charge_id: str) -> UUID | None:
        """Our payment with this charge, or None."""
        found: UUID | None = await self._database.fetchval(queries["find_payment_of_charge"], charge_id)
        return found

    async def insert(
        self, tx: Any, report: DisputeReport, payment_id: UUID, evidence: dict[str, str]
    ) -> bool:
        """Make a dispute known; False when it was."""
        fresh = await tx.fetchval(
            queries["insert_dispute"],
            report.dispute_id,
            payment_id,
            report.amount_minor,
            report.currency,
            report.reason,
            report.due_by,
            report.opened_at,
            evidence,
        )
        return fresh is not None

    async def find(self, dispute_id: str) -> DisputeRow | None:
        """The dispute, or None."""
        row = await self._database.fetchrow(queries["find_dispute"], dispute_id)
        return None if row is None else _dispute_row(row)

    async def get(self, dispute_id: str) -> DisputeRow:
        """The dispute. Raises DisputeNotFound."""
        row = await self.find(dispute_id)
        if row is None:
            raise DisputeNotFound(f"No dispute has the id {dispute_id!r}. List the disputes to find it.")
        return row

    async def list_newest(self, limit: int) -> list[DisputeRow]:
        """The newest disputes."""
        return [_dispute_row(row) for row in await self._database.fetch(queries["list_disputes"], limit)]

    async def save(self, row: DisputeRow, tx: Any = None) -> DisputeRow | None:
        """The row at its new version, or None when somebody else has written it since."""
        version = await (tx or self._database).fetchval(
            queries["save_dispute"],
            row.dispute_id,
            row.version,
            row.state.value,
            row.evidence,
            row.is_submitted,
            row.submitted_at,
            row.closed_at,
            _next_look_s(row),
        )
        return None if version is None else replace(row, version=version)

    async def note_failure(self, row: DisputeRow, error: str) -> None:
        """Try again later, and later each time."""
        await self._database.execute(
            queries["note_dispute_failure"], row.dispute_id, row.version, error[:500], pause_s(row.attempts)
        )

    async def claim(self, *, at_once: bool, limit: int) -> list[str]:
        """Undecided or unbooked disputes whose time has come, or all of them `at_once`."""
        rows = await self._database.fetch(queries["claim_disputes"], at_once, limit)
        return [row["dispute_id"] for row in rows]

    async def find_withdrawn(self, dispute_id: str) -> int | None:
        """What the provider withdrew and the books show, in minor units, or None."""
        found: int | None = await self._database.fetchval(queries["find_withdrawn"], dispute_id)
        return found


def _next_look_s(row: DisputeRow) -> float | None:
    if row.closed_at is not None:
        return None
    is_waiting = not row.state.is_decided and row.is_submitted == (row.submitted_at is not None)
    return _LOOK_AGAIN_S if is_waiting else _GO_ON_S


def _dispute_row(row: Any) -> DisputeRow:
    return DisputeRow(
        dispute_id=row["dispute_id"],
        payment_id=row["payment_id"],
        amount_minor=row["amount_minor"],
        currency=row["currency"],
        reason=row["reason"],
        state=DisputeState(row["state"]),
        due_by=row["due_by"],
        evidence=row["evidence"],
        is_submitted=row["is_submitted"],
        submitted_at=row["submitted_at"],
        opened_at=row["opened_at"],
        closed_at=row["closed_at"],
        version=row["version"],
        attempts=row["attempts"],
    )
