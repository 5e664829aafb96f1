"""The rows of mandates and their uses."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from payments.errors import MandateNotFound
from payments.mandates import Mandate, MandateProduct
from services.platform.database import Database, load_queries

queries = load_queries(__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class MandateUse:
    """So much of a mandate is used by a charge or a payment; negative gives back."""

    mandate_id: UUID
    use_id: UUID
    amount_minor: int
    used_on: date


class MandateStore:
    """The door to the tables of mandates."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def insert(self, mandate: Mandate) -> None:
        """A repeat changes nothing."""
        await self.database.execute(
            queries["insert_mandate"],
            mandate.mandate_id,
            mandate.payer_id,
            mandate.traveller_id,
            sorted(mandate.products),
            sorted(mandate.modes),
            mandate.ride_minor_max,
            mandate.day_minor_max,
            mandate.month_minor_max,
            mandate.valid_from,
            mandate.valid_until,
        )

    async def get(self, mandate_id: UUID) -> Mandate:
        """Raises MandateNotFound."""
        found = await self.find(mandate_id)
        if found is None:
            raise MandateNotFound("No mandate of yours has this id. List your mandates to find it.")
        return found

    async def find(self, mandate_id: UUID) -> Mandate | None:
        """The mandate, or None."""
        row = await self.database.fetchrow(queries["find_mandate"], mandate_id)
        return None if row is None else _mandate(row)

    async def lock(self, tx: Any, mandate_id: UUID) -> Mandate | None:
        """The mandate, locked until the transaction ends."""
        row = await tx.fetchrow(queries["lock_mandate"], mandate_id)
        return None if row is None else _mandate(row)

    async def list_of(self, person_id: str) -> list[Mandate]:
        """Those that a person pays by, or is paid for by."""
        return [_mandate(row) for row in await self.database.fetch(queries["list_mandates"], person_id)]

    async def accept(self, mandate_id: UUID, at: datetime) -> None:
        """The traveller agrees; a revoked one stays revoked."""
        await self.database.execute(queries["accept_mandate"], mandate_id, at)

    async def revoke(self, mandate_id: UUID, at: datetime) -> None:
        """Over, for good."""
        await self.database.execute(queries["revoke_mandate"], mandate_id, at)

    async def has_any(self, traveller_ids: Sequence[str]) -> bool:
        """Whether anyone pays for one of these, or did."""
        found: bool = await self.database.fetchval(queries["has_mandates"], traveller_ids)
        return found

    async def lock_for(self, tx: Any, traveller_ids: Sequence[str]) -> dict[str, list[Mandate]]:
        """Mandates by traveller, the oldest first, locked until the transaction ends."""
        found: dict[str, list[Mandate]] = {}
        for row in await tx.fetch(queries["lock_mandates_for"], traveller_ids):
            found.setdefault(row["traveller_id"], []).append(_mandate(row))
        return found

    async def list_paid_before(
        self, tx: Any, traveller_ids: Sequence[str], references: Sequence[str]
    ) -> dict[tuple[str, str], dict[str, int]]:
        """What each payer paid so far for (traveller, reference), in minor units."""
        paid: dict[tuple[str, str], dict[str, int]] = {}
        for name in ("list_paid_by_others", "list_paid_themselves"):
            for row in await tx.fetch(queries[name], traveller_ids, references):
                key = (row["traveller_id"], row["reference"])
                paid.setdefault(key, {})[row["customer_id"]] = row["paid_minor"]
        return paid

    async def sum_uses(
        self, tx: Any, mandate_id: UUID, day: date, *, but_for: UUID | None = None
    ) -> tuple[int, int]:
        """What is used of a mandate on a day, and in its month, but for one use."""
        row = await tx.fetchrow(queries["sum_uses"], mandate_id, day, but_for)
        return row["day_minor"], row["month_minor"]

    async def insert_uses(self, tx: Any, uses: Sequence[MandateUse]) -> None:
        """A repeat changes nothing."""
        await tx.execute(
            queries["insert_uses"],
            [each.mandate_id for each in uses],
            [each.use_id for each in uses],
            [each.amount_minor for each in uses],
            [each.used_on for each in uses],
        )

    async def delete_use(self, mandate_id: UUID, use_id: UUID) -> None:
        """What it was reserved for did not happen."""
        await self.database.execute(queries["delete_use"], mandate_id, use_id)


def _mandate(row: Any) -> Mandate:
    return Mandate(
        mandate_id=row["mandate_id"],
        payer_id=row["payer_id"],
        traveller_id=row["traveller_id"],
        products=frozenset(MandateProduct(each) for each in row["products"]),
        modes=frozenset(row["modes"]),
        ride_minor_max=row["ride_minor_max"],
        day_minor_max=row["day_minor_max"],
        month_minor_max=row["month_minor_max"],
        valid_from=row["valid_from"],
        valid_until=row["valid_until"],
        accepted_at=row["accepted_at"],
        revoked_at=row["revoked_at"],
    )
