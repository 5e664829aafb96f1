"""What is sealed can be proven to strangers, and cannot be changed unseen."""

import asyncio
import copy
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from payments.accounts import BANK_CASH, chart_account, operator_payable, traveller_wallet
from payments.ports import LedgerPort
from payments.seals import FIELDS, hash_leaf
from payments.transfers import Transfer, TransferCode, TransferKind, TransferStatus
from services.cli.check import Books, list_wrong
from services.cli.check_seals import BROKEN_CHAIN, OTHER_ROWS
from services.ledger import verify_proof
from services.ledger.sealing import Sealer
from services.ledger.service import build
from services.ledger.store import LedgerStore
from services.platform.auth import Role
from services.platform.clock import FixedClock
from services.platform.database import Database
from tests.support.house import TestHouse, running_house

NOW = datetime(2026, 5, 20, 12, 0, 0, 123456, tzinfo=UTC)
TOEI, WALLET = operator_payable("Toei"), traveller_wallet("t1")
SCRIPT = Path(verify_proof.__file__)


def transfer(debit: str, credit: str, amount: int, **fields: Any) -> Transfer:
    values = {"transfer_id": uuid4(), "code": TransferCode.RIDE, "reference": "ride:1", "effective_at": NOW}
    return Transfer(debit=debit, credit=credit, amount_minor=amount, **(values | fields))


SENT = [
    transfer(BANK_CASH, WALLET, 12_000_001),
    transfer(WALLET, TOEI, 328, reference='3:a,"\\ 都営\n\t\u007f\U0001f687'),
    transfer(WALLET, TOEI, 500, kind=TransferKind.PENDING, timeout_s=60),
    transfer(WALLET, TOEI, 99_000_000),  # refused, and sealed as such
    transfer(BANK_CASH, WALLET, 5, effective_at=NOW + timedelta(days=1)),
]


@pytest.fixture
async def house(database_url: str, tmp_path: Path) -> AsyncIterator[TestHouse]:
    async with running_house(
        database_url, {"ledger": build}, clock=FixedClock(NOW), data_dir=tmp_path
    ) as house:
        ledger: Any = house.services["ledger"].ports[LedgerPort]
        await ledger.open_accounts(accounts=[chart_account(each) for each in (BANK_CASH, WALLET, TOEI)])
        statuses = await ledger.post(transfers=SENT)
        assert statuses.count(TransferStatus.CREATED) == 4
        yield house


@pytest.fixture
async def sealer(house: TestHouse) -> Sealer:
    database: Database = house.services["ledger"].context.database
    sealer = Sealer(database, LedgerStore(database))
    await sealer.seal_due(now=NOW)
    return sealer


async def get(house: TestHouse, path: str) -> tuple[int, Any]:
    return await house.call("GET", f"/api/ledger/{path}", subject="admin", role=Role.ADMIN)


def verdict(proof: Any, seal_hash: str) -> bool:
    try:
        verify_proof.verify(proof, seal_hash)
    except (verify_proof.NotProven, KeyError, TypeError, ValueError):
        return False
    return True


@pytest.mark.usefixtures("sealer")
async def test_a_stranger_verifies_a_transfer_with_nothing_but_python(
    house: TestHouse, tmp_path: Path
) -> None:
    for sent in SENT:
        status, proof = await get(house, f"transfers/{sent.transfer_id}/proof")
        assert status == 200
        file = tmp_path / "proof.json"
        file.write_text(json.dumps(proof))
        command = [sys.executable, "-I", "-S", str(SCRIPT), str(file), proof["seal"]["seal_hash"]]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: ASYNC221
        assert (done.returncode, done.stdout.strip()) == (0, f"proven: transfer {sent.transfer_id}")
    wrong = subprocess.run([*command[:-1], "00" * 32], capture_output=True, check=False)  # noqa: ASYNC221
    assert wrong.returncode == 1


@pytest.mark.usefixtures("sealer")
async def test_a_proof_changed_anywhere_proves_nothing(house: TestHouse) -> None:
    _, proof = await get(house, f"transfers/{SENT[1].transfer_id}/proof")
    seal_hash = proof["seal"]["seal_hash"]
    assert verdict(proof, seal_hash)
    for name in FIELDS:
        for value in ("7", None, f"{proof['transfer'][name]}0"):
            if value != proof["transfer"][name]:
                forged = copy.deepcopy(proof)
                forged["transfer"][name] = value
                assert not verdict(forged, seal_hash), name
    for name, value in proof["seal"].items():
        forged = copy.deepcopy(proof)
        forged["seal"][name] = (
            value + 1 if isinstance(value, int) else f"{'0' if value[0] != '0' else '1'}{value[1:]}"
        )
        assert not verdict(forged, seal_hash), name
    for index in range(len(proof["path"])):
        forged = copy.deepcopy(proof)
        forged["path"][index] = "ab" * 32
        assert not verdict(forged, seal_hash)
    assert not verdict(proof | {"leaf_index": proof["leaf_index"] + 1}, seal_hash)
    assert not verdict(proof | {"transfer": proof["transfer"] | {"extra": "1"}}, seal_hash)


async def test_what_is_unknown_or_not_sealed_yet_has_no_proof(house: TestHouse) -> None:
    status, problem = await get(house, f"transfers/{uuid4()}/proof")
    assert (status, problem["code"]) == (404, "transfer_not_found")
    late = transfer(BANK_CASH, TOEI, 1)
    ledger: Any = house.services["ledger"].ports[LedgerPort]
    database: Database = house.services["ledger"].context.database
    await Sealer(database, LedgerStore(database)).seal_due(now=NOW)
    await ledger.post(transfers=[late])
    status, problem = await get(house, f"transfers/{late.transfer_id}/proof")
    assert (status, problem["code"]) == (409, "transfer_not_sealed")


async def test_seals_chain_without_gap_and_are_made_only_of_something(
    house: TestHouse, sealer: Sealer
) -> None:
    assert await sealer.seal_due(now=NOW) == 0
    ledger: Any = house.services["ledger"].ports[LedgerPort]
    await ledger.post(transfers=[transfer(BANK_CASH, TOEI, 1)])
    assert await sealer.seal_due(now=NOW + timedelta(minutes=1)) == 1
    _, answer = await get(house, "seals")
    first, second = answer["seals"][-2:]
    assert second["previous_hash"] == first["seal_hash"]
    assert second["after_sequence"] == first["until_sequence"]
    assert second["leaf_count"] == 1
    _, answer = await get(house, f"seals?after_number={first['number']}&limit=1")
    assert answer["seals"] == [second]


async def test_the_database_hashes_rows_as_python_does(house: TestHouse) -> None:
    database: Database = house.services["ledger"].context.database
    rows = await database.fetch("select *, hash_leaf(transfers) as leaf from transfers")
    assert len(rows) == len(SENT)
    for row in rows:
        assert hash_leaf(row) == row["leaf"]


async def test_a_writer_on_its_way_is_sealed_after_it_has_ended(
    house: TestHouse, sealer: Sealer, database_url: str
) -> None:
    # A writer has drawn a sequence and has not committed; another one behind it has.
    slow = await asyncpg.connect(database_url)
    await slow.execute("set search_path to ledger; begin; select pg_advisory_xact_lock_shared(1279608903, 1)")
    columns = [name for name in FIELDS if name != "sequence"]
    await slow.execute(
        f"insert into transfers ({', '.join(columns)}) select "  # noqa: S608 - names of columns
        + ", ".join("gen_random_uuid()" if name == "transfer_id" else name for name in columns)
        + " from transfers where amount_minor = 328"
    )
    ledger: Any = house.services["ledger"].ports[LedgerPort]
    await ledger.post(transfers=[transfer(BANK_CASH, TOEI, 1)])
    sealing = asyncio.create_task(sealer.seal_due(now=NOW))
    await asyncio.sleep(0.1)
    assert not sealing.done()
    await slow.execute("commit")
    await slow.close()
    assert await sealing == 1
    assert [each.leaf_count for each in await sealer.list_seals(after_number=0, limit=9)][-1] == 2


CHANGES = {
    "transfer_id": "gen_random_uuid()",
    "debit": "debit || 'x'",
    "credit": "credit || 'x'",
    "amount_minor": "amount_minor + 1",
    "currency": "'USD'",
    "code": "'refund'",
    "reference": "reference || ' '",
    "kind": "'posted'",
    "pending_id": "gen_random_uuid()",
    "linked": "not linked",
    "timeout_s": "61",
    "effective_at": "effective_at + interval '1 microsecond'",
    "recorded_at": "recorded_at - interval '1 microsecond'",
    "refusal": "'exceeds_debits'",
}


@pytest.mark.usefixtures("sealer")
async def test_maas_check_sees_each_falsified_column(database_url: str) -> None:
    assert await list_wrong(database_url, [Books.LEDGER]) == {}
    assert {*CHANGES, "sequence"} == {*FIELDS}
    connection = await asyncpg.connect(database_url)
    await connection.execute("set search_path to ledger; set session_replication_role to replica")
    await connection.execute("alter table transfers drop constraint transfers_check1")
    # Columns are falsified on the refused row too, where no balance tells.
    for column, value in CHANGES.items():
        where = "refusal is not null" if column != "timeout_s" else "timeout_s = 60"
        where = where if column != "kind" else "timeout_s = 60"
        before = await connection.fetchval(f"select {column} from transfers where {where}")  # noqa: S608
        row_id = await connection.fetchval(f"select sequence from transfers where {where}")  # noqa: S608
        await connection.execute(f"update transfers set {column} = {value} where sequence = $1", row_id)  # noqa: S608
        wrong = await list_wrong(database_url, [Books.LEDGER])
        assert OTHER_ROWS in wrong, column
        await connection.execute(f"update transfers set {column} = $1 where sequence = $2", before, row_id)  # noqa: S608
    assert await list_wrong(database_url, [Books.LEDGER]) == {}
    await connection.execute("delete from transfers where refusal is not null")
    assert OTHER_ROWS in await list_wrong(database_url, [Books.LEDGER])
    await connection.execute("update seals set sealed_at = sealed_at + interval '1 second'")
    assert BROKEN_CHAIN in await list_wrong(database_url, [Books.LEDGER])
    await connection.close()


async def test_unused_prepaid_value_of_a_base_date(house: TestHouse) -> None:
    # The 20th in Japan ended at 15:00 UTC, after NOW: it has no answer yet; on the 19th there were no books.
    status, problem = await get(house, "unused-prepaid-value?base_date=2026-05-20")
    assert (status, problem["code"]) == (422, "question_unanswerable")
    status, problem = await get(house, "unused-prepaid-value?base_date=2026-05-19")
    assert (status, problem["code"]) == (422, "question_unanswerable")
    house.services["ledger"].context.clock.set(NOW + timedelta(hours=4))  # type: ignore[attr-defined]
    status, answer = await get(house, "unused-prepaid-value?base_date=2026-05-20")
    # 12,000,001 topped up less 328 ridden; the hold, the refusal and tomorrow's 5 do not count. Half of
    # 11,999,673 is 5,999,836.5, and less than half would be too little.
    assert answer["unused"] == {"amount_minor": 11_999_673, "currency": "JPY"}
    assert answer["deposit_required"] == {"amount_minor": 5_999_837, "currency": "JPY"}
