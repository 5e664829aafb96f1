"""Seal what was recorded, and prove single rows by it.

The worker reads behind the writers: rows up to a sequence below which nothing can appear any more. It takes
no lock that a writer wants. One seal covers at most LEAVES_MAX rows, so that a backlog is sealed in pieces.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from payments.seals import FIELDS, NO_SEAL, Seal, hash_tree, list_path, text_of
from services.ledger.store import LedgerStore
from services.platform.database import Database, load_queries

queries = load_queries(__file__)

LEAVES_MAX = 8192
"""Hashing so many takes about ten milliseconds, in which the process does nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A row as it is hashed, its place in the tree of its seal, and the neighbours on the way up."""

    fields: dict[str, str | None]
    leaf_index: int
    path: list[bytes]
    seal: Seal


class Sealer:
    """Makes and reads seals."""

    def __init__(self, database: Database, store: LedgerStore) -> None:
        self._database = database
        self._store = store

    async def seal_due(self, *, now: datetime) -> int:
        """Seal all rows that are decided by now. Returns how many seals were made."""
        horizon, count = await self._store.await_writers(), 0
        while await self._seal_next(horizon, now):
            count += 1
        return count

    async def list_seals(self, *, after_number: int, limit: int) -> list[Seal]:
        """Seals in their order."""
        rows = await self._database.fetch(queries["list_seals"], after_number, limit)
        return [read_seal(row) for row in rows]

    async def find_transfer(self, transfer_id: UUID) -> Any:
        """The row of this id, or None."""
        return await self._database.fetchrow(queries["find_transfer"], transfer_id)

    async def find_proof(self, row: Any) -> Proof | None:
        """The proof that this row stands in the books; None while it is not sealed yet."""
        found = await self._database.fetchrow(queries["find_seal_of"], row["sequence"])
        if found is None:
            return None
        seal = read_seal(found)
        leaves = await self._database.fetch(
            queries["list_leaves"], seal.after_sequence, seal.until_sequence, LEAVES_MAX
        )
        index = [leaf["sequence"] for leaf in leaves].index(row["sequence"])
        return Proof(
            fields={name: text_of(row[name]) for name in FIELDS},
            leaf_index=index,
            path=list_path([leaf["leaf"] for leaf in leaves], index),
            seal=seal,
        )

    async def _seal_next(self, horizon: int, now: datetime) -> bool:
        async with self._database.transaction() as tx:
            if not await tx.fetchval(queries["try_sealing_lock"]):
                return False  # another process is at it
            last = await tx.fetchrow(queries["find_last_seal"])
            after = last["until_sequence"] if last else 0
            leaves = await tx.fetch(queries["list_leaves"], after, horizon, LEAVES_MAX)
            if not leaves:
                return False
            seal = Seal(
                number=last["number"] + 1 if last else 1,
                after_sequence=after,
                until_sequence=leaves[-1]["sequence"],
                leaf_count=len(leaves),
                merkle_root=hash_tree([leaf["leaf"] for leaf in leaves]),
                previous_hash=last["seal_hash"] if last else NO_SEAL,
                sealed_at=now,
            )
            await tx.execute(
                queries["insert_seal"],
                seal.number,
                seal.after_sequence,
                seal.until_sequence,
                seal.leaf_count,
                seal.merkle_root,
                seal.previous_hash,
                seal.seal_hash,
                seal.sealed_at,
            )
        return True


def read_seal(row: Any) -> Seal:
    """A row of `seals`."""
    return Seal(
        number=row["number"],
        after_sequence=row["after_sequence"],
        until_sequence=row["until_sequence"],
        leaf_count=row["leaf_count"],
        merkle_root=row["merkle_root"],
        previous_hash=row["previous_hash"],
        sealed_at=row["sealed_at"],
    )
