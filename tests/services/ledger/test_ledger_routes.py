"""The ledger as administrators read it; `maas check` finds what is broken on purpose."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from payments.accounts import BANK_CASH, UNEARNED_FARES, chart_account, operator_payable
from payments.ports import LedgerPort
from payments.transfers import Transfer, TransferCode, TransferStatus
from services.cli.check import Books, list_wrong
from services.ledger.service import build
from services.platform.auth import Role
from services.platform.clock import FixedClock
from tests.support.house import TestHouse, running_house

NOW = datetime(2026, 5, 20, 12, 0, tzinfo=UTC)
TOEI = operator_payable("Toei")


@pytest.fixture
async def house(database_url: str, tmp_path: Path) -> AsyncIterator[TestHouse]:
    async with running_house(
        database_url, {"ledger": build}, clock=FixedClock(NOW), data_dir=tmp_path
    ) as house:
        ledger: Any = house.services["ledger"].ports[LedgerPort]
        await ledger.open_accounts(
            accounts=[chart_account(each) for each in (BANK_CASH, UNEARNED_FARES, TOEI)]
        )
        statuses = await ledger.post(
            transfers=[
                transfer(BANK_CASH, UNEARNED_FARES, 1000),
                transfer(UNEARNED_FARES, TOEI, 328),
                transfer(UNEARNED_FARES, TOEI, 133, effective_at=NOW - timedelta(days=1)),
            ]
        )
        assert statuses == [TransferStatus.CREATED] * 3
        yield house


def transfer(debit: str, credit: str, amount: int, **fields: Any) -> Transfer:
    values = {"transfer_id": uuid4(), "code": TransferCode.RIDE, "reference": "order:1", "effective_at": NOW}
    return Transfer(debit=debit, credit=credit, amount_minor=amount, **(values | fields))


async def get(house: TestHouse, path: str, role: Role = Role.ADMIN) -> tuple[int, Any]:
    return await house.call("GET", f"/api/ledger/{path}", subject="admin", role=role)


async def test_trial_balance(house: TestHouse) -> None:
    status, trial = await get(house, "trial-balance")
    assert status == 200
    assert trial["is_balanced"] is True
    assert trial["debits_posted"] == trial["credits_posted"] == 1461
    assert (trial["account_count"], trial["transfer_count"]) == (3, 3)
    assert [each["account_id"] for each in trial["balances"]] == sorted([BANK_CASH, UNEARNED_FARES, TOEI])


async def test_balance_now_and_in_the_past(house: TestHouse) -> None:
    status, account = await get(house, f"accounts/{TOEI}")
    assert status == 200
    assert (account["credits_posted"], account["credits_pending"], account["bound"]) == (461, 0, "none")
    moment = (NOW - timedelta(hours=1)).isoformat().replace("+", "%2B")
    status, account = await get(house, f"accounts/{TOEI}?as_of={moment}")
    assert (status, account["credits_posted"], account["credits_pending"]) == (200, 133, 0)
    # An hour ago nothing was known of the account: zero would be a guess.
    status, problem = await get(house, f"accounts/{TOEI}?known_at={moment}")
    assert (status, problem["code"]) == (422, "question_unanswerable")


async def test_entries_page_by_page(house: TestHouse) -> None:
    status, page = await get(house, f"accounts/{TOEI}/entries?limit=1")
    assert status == 200
    assert page["entries"][0]["amount"] == {"amount_minor": 328, "currency": "JPY"}
    status, page = await get(
        house, f"accounts/{TOEI}/entries?limit=1&after_sequence={page['next_after_sequence']}"
    )
    assert [each["amount"]["amount_minor"] for each in page["entries"]] == [133]
    assert page["next_after_sequence"] is None
    status, page = await get(
        house, f"accounts/{TOEI}/entries?amount_minor_min=200&counterparty={UNEARNED_FARES}"
    )
    assert [each["amount"]["amount_minor"] for each in page["entries"]] == [328]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("accounts/nobody", 404, "account_not_found"),
        ("accounts/nobody/entries", 404, "account_not_found"),
        (f"accounts/{TOEI}/entries?counterparty=nobody", 404, "account_not_found"),
        (f"accounts/{TOEI}?as_of=2026-05-21T00:00:00Z", 422, "question_unanswerable"),
        (f"accounts/{TOEI}/entries?known_at=2026-05-21T00:00:00Z", 422, "question_unanswerable"),
        (f"accounts/{TOEI}/entries?effective_from=2026-05-21T00:00:00Z", 422, "question_unanswerable"),
        (
            f"accounts/{TOEI}/entries?effective_from=2026-05-02T00:00:00Z&effective_until=2026-05-01T00:00:00Z",
            422,
            "question_unanswerable",
        ),
        (f"accounts/{TOEI}/entries?amount_minor_min=5&amount_minor_max=4", 422, "question_unanswerable"),
        (f"accounts/{TOEI}/entries?limit=0", 422, "validation_failed"),
        (f"accounts/{TOEI}/entries?effective_from=2026-05-02T00:00:00", 422, "validation_failed"),
        (f"accounts/{TOEI}/entries?effective_from=0001-01-01T00:00:00Z", 422, "validation_failed"),
    ],
)
async def test_a_question_without_an_answer_is_a_problem(
    house: TestHouse, path: str, status: int, code: str
) -> None:
    answer, problem = await get(house, path)
    assert (answer, problem["code"]) == (status, code)


@pytest.mark.parametrize("role", [Role.TRAVELLER, Role.CLERK, Role.ANALYST, Role.VALIDATOR])
async def test_only_administrators_read_the_books(house: TestHouse, role: Role) -> None:
    for path in ("trial-balance", f"accounts/{TOEI}", f"accounts/{TOEI}/entries"):
        status, _ = await get(house, path, role)
        assert status == 403


@pytest.mark.usefixtures("house")
async def test_maas_check_finds_what_is_broken(database_url: str) -> None:
    assert await list_wrong(database_url, [Books.LEDGER]) == {}
    connection = await asyncpg.connect(database_url)
    await connection.execute("set search_path to ledger; set session_replication_role to replica")
    # Without triggers even the books can be falsified; the check works from the rows and sees it.
    await connection.execute("update transfers set amount_minor = 329 where amount_minor = 328")
    await connection.execute("update accounts set debits_pending = 7 where account_id = $1", TOEI)
    await connection.close()
    wrong = await list_wrong(database_url, [Books.LEDGER])
    assert {sentence: sorted(cases) for sentence, cases in wrong.items()} == {
        "an account's balance is not the sum of its transfers": sorted([UNEARNED_FARES, TOEI]),
        "a pending balance is not the sum of the open holds": [TOEI],
    }
