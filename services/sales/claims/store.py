"""The rows of claims and of the authorities that may prove them."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from maas.eligibility import Claim
from maas.prices import RiderCategory
from services.platform.database import Database, load_queries
from services.sales.claims.credentials import Issuer

queries = load_queries(__file__)


class ClaimStore:
    """All SQL of claims."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def insert(
        self, claim: Claim, *, proven_by: str, credential_hash: bytes | None, now: datetime
    ) -> bool:
        """Keep a claim; False when it, or one of the same credential, is there."""
        fresh = await self._database.fetchval(
            queries["insert_claim"],
            claim.claim_id,
            claim.traveller_id,
            claim.rider.value,
            claim.place,
            claim.valid_from,
            claim.valid_to,
            proven_by,
            credential_hash,
            now,
        )
        return fresh is not None

    async def find(self, claim_id: UUID) -> Any:
        """A claim's row, whoever's it is; None without one."""
        return await self._database.fetchrow(queries["find_claim"], claim_id)

    async def list_rows(self, traveller_id: str) -> Sequence[Any]:
        """All claims of a traveller that are still kept."""
        return await self._database.fetch(queries["list_claims"], traveller_id)

    async def list_on(self, traveller_id: str, day: date) -> list[Claim]:
        """The claims of a traveller that hold on a service date."""
        rows = await self._database.fetch(queries["list_claims_on"], traveller_id, day)
        return [Claim(**{**dict(row), "rider": RiderCategory(row["rider"])}) for row in rows]

    async def list_holders(self, traveller_ids: Sequence[str], *, since: date, until: date) -> list[str]:
        """Those with a claim that holds on any day of the span."""
        rows = await self._database.fetch(queries["list_claim_holders"], traveller_ids, since, until)
        return [row["traveller_id"] for row in rows]

    async def delete(self, claim_id: UUID) -> bool:
        """Forget a claim; False when there is none."""
        return await self._database.fetchval(queries["delete_claim"], claim_id) is not None

    async def delete_of(self, tx: Any, traveller_id: str) -> None:
        """Forget all claims of a traveller."""
        await tx.execute(queries["delete_claims_of"], traveller_id)

    async def delete_ended(self, before: date) -> None:
        """Forget the claims that ended before a day."""
        await self._database.execute(queries["delete_ended"], before)

    async def put_issuer(self, issuer: Issuer) -> None:
        """Register an authority, or change it."""
        await self._database.execute(
            queries["put_issuer"], issuer.issuer_id, issuer.name, issuer.public_key, sorted(issuer.riders)
        )

    async def find_issuer(self, issuer_id: str) -> Issuer | None:
        """A registered authority; None when it is not one."""
        row = await self._database.fetchrow(queries["find_issuer"], issuer_id)
        return None if row is None else _issuer(row)

    async def list_issuers(self) -> list[Issuer]:
        """All registered authorities."""
        return [_issuer(row) for row in await self._database.fetch(queries["list_issuers"])]


def _issuer(row: Any) -> Issuer:
    return Issuer(
        issuer_id=row["issuer_id"],
        name=row["name"],
        public_key=bytes(row["public_key"]),
        riders=frozenset(row["riders"]),
    )
