"""Do the seals still fit the ledger's rows? Worked out in Python from the tables alone."""

from typing import Any

from payments.seals import FIELDS, NO_SEAL, Seal, hash_leaf, hash_tree

BROKEN_CHAIN = "a seal does not continue the one before"
OTHER_ROWS = "the rows under a seal are not those that were sealed"

_SEALS = "select * from ledger.seals order by number"
_ROWS = f"""
    select {", ".join(FIELDS)} from ledger.transfers
    where sequence > $1 and sequence <= $2 order by sequence"""  # noqa: S608 - names of columns, ours


async def list_broken_seals(connection: Any) -> dict[str, list[str]]:
    """The seals that are broken, by what is wrong with them."""
    broken: dict[str, list[str]] = {BROKEN_CHAIN: [], OTHER_ROWS: []}
    number, until, previous = 0, 0, NO_SEAL
    async for row in connection.cursor(_SEALS):
        seal = _read(row)
        follows = (seal.number, seal.after_sequence, seal.previous_hash) == (number + 1, until, previous)
        if not follows or seal.seal_hash != row["seal_hash"]:
            broken[BROKEN_CHAIN].append(f"seal {seal.number}")
        leaves = [
            hash_leaf(each)
            for each in await connection.fetch(_ROWS, seal.after_sequence, seal.until_sequence)
        ]
        if len(leaves) != seal.leaf_count or not leaves or hash_tree(leaves) != seal.merkle_root:
            broken[OTHER_ROWS].append(f"seal {seal.number}")
        number, until, previous = seal.number, seal.until_sequence, row["seal_hash"]
    return broken


def _read(row: Any) -> Seal:
    return Seal(**{name: row[name] for name in Seal.__dataclass_fields__})
