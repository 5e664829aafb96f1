"""Statements and searches over HTTP: complete, page by page; a question without an answer is a problem."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest

from payments.accounts import BANK_CASH, UNEARNED_FARES, chart_account, operator_payable
from payments.ports import LedgerPort
from payments.transfers import Transfer, TransferCode, TransferKind, TransferStatus
from services.ledger.questions import Place
from services.ledger.service import build
from services.platform.auth import Role
from services.platform.clock import FixedClock
from tests.support.house import TestHouse, running_house

NOW = datetime(2026, 5, 20, 12, 0, tzinfo=UTC)
TOEI, METRO = operator_payable("Toei"), operator_payable("Metro")


def transfer(debit: str, credit: str, amount: int, days_ago: int, **fields: Any) -> Transfer:
    return Transfer(
        transfer_id=uuid4(),
        debit=debit,
        credit=credit,
        amount_minor=amount,
        code=TransferCode.RIDE,
        reference=f"ride:{amount}",
        effective_at=NOW - timedelta(days=days_ago),
        **fields,
    )


# In the order of recording; by effective time Toei's amounts are 40, 30, then 10 and 50 at one instant, 20.
SENT = [
    transfer(BANK_CASH, UNEARNED_FARES, 1000, 9),
    transfer(UNEARNED_FARES, TOEI, 10, 3),
    transfer(UNEARNED_FARES, TOEI, 20, 1),
    transfer(UNEARNED_FARES, TOEI, 30, 4),
    transfer(UNEARNED_FARES, TOEI, 40, 8),
    transfer(TOEI, UNEARNED_FARES, 50, 3),
    transfer(UNEARNED_FARES, METRO, 60, 3),
    transfer(UNEARNED_FARES, TOEI, 70, 3, kind=TransferKind.PENDING, timeout_s=3600),
    transfer(UNEARNED_FARES, METRO, 5000, 3),
]


@pytest.fixture
async def house(database_url: str, tmp_path: Path) -> AsyncIterator[TestHouse]:
    clock = FixedClock(NOW)
    async with running_house(database_url, {"ledger": build}, clock=clock, data_dir=tmp_path) as house:
        ledger: Any = house.services["ledger"].ports[LedgerPort]
        await ledger.open_accounts(
            accounts=[chart_account(each) for each in (BANK_CASH, UNEARNED_FARES, TOEI, METRO)]
        )
        statuses = await ledger.post(transfers=SENT)
        assert statuses == [TransferStatus.CREATED] * 8 + [TransferStatus.EXCEEDS_CREDITS]
        clock.set(NOW + timedelta(hours=2))
        yield house


async def get(house: TestHouse, path: str, **query: object) -> tuple[int, Any]:
    asked = "&".join(f"{name}={quote(str(value))}" for name, value in query.items())
    return await house.call("GET", f"/api/ledger/{path}?{asked}", subject="admin", role=Role.ADMIN)


def days_ago(days: int) -> str:
    return (NOW - timedelta(days=days)).isoformat()


async def test_a_statement_runs_from_opening_to_closing(house: TestHouse) -> None:
    for limit in (1, 2, 3, 100):
        await check_statement(house, limit)


async def check_statement(house: TestHouse, limit: int) -> None:
    query: dict[str, object] = {"effective_from": days_ago(4), "effective_until": days_ago(1), "limit": limit}
    lines: list[Any] = []
    closing = 40  # eight days ago, before the statement
    while True:
        status, page = await get(house, f"accounts/{TOEI}/statement", **query)
        assert status == 200
        assert page["opening_net_credit_minor"] == closing
        assert len(page["lines"]) <= limit
        lines += page["lines"]
        closing = page["closing_net_credit_minor"]
        if page["next_after"] is None:
            break
        query |= {"after": page["next_after"], "known_at": page["known_at"]}
    told = [(each["side"], each["amount"]["amount_minor"], each["net_credit_minor"]) for each in lines]
    assert told == [("credit", 30, 70), ("credit", 10, 80), ("debit", 50, 30)]
    assert closing == 30
    assert {each["counterparty"] for each in lines} == {UNEARNED_FARES}


async def test_a_statement_shows_what_was_known_then(house: TestHouse) -> None:
    ledger: Any = house.services["ledger"].ports[LedgerPort]
    await ledger.post(transfers=[transfer(UNEARNED_FARES, TOEI, 7, 3)])
    query = {"effective_from": days_ago(3), "effective_until": days_ago(2)}
    _, page = await get(house, f"accounts/{TOEI}/statement", **query)
    assert [each["amount"]["amount_minor"] for each in page["lines"]] == [10, 50, 7]
    _, page = await get(house, f"accounts/{TOEI}/statement", **query, known_at=NOW.isoformat())
    assert [each["amount"]["amount_minor"] for each in page["lines"]] == [10, 50]
    assert page["closing_net_credit_minor"] == 30


async def test_what_was_held_then(house: TestHouse) -> None:
    _, then = await get(house, f"accounts/{TOEI}", known_at=NOW.isoformat())
    assert (then["credits_posted"], then["debits_posted"], then["credits_pending"]) == (100, 50, 70)
    _, now = await get(house, f"accounts/{TOEI}")
    assert (now["credits_posted"], now["debits_posted"], now["credits_pending"]) == (100, 50, 0)


SEARCHES: list[tuple[dict[str, object], list[int]]] = [
    ({}, [1000, 40, 30, 10, 50, 60, 20]),
    ({"effective_from": days_ago(4), "effective_until": days_ago(1)}, [30, 10, 50, 60]),
    ({"amount_minor_min": 30, "amount_minor_max": 50}, [40, 30, 50]),
    ({"counterparty": METRO}, [60]),
    ({"account": TOEI, "counterparty": UNEARNED_FARES, "amount_minor_max": 20}, [10, 20]),
    ({"account": TOEI, "counterparty": METRO}, []),
    ({"account": BANK_CASH, "effective_until": days_ago(9)}, []),
    ({"counterparty": TOEI, "amount_minor_min": 20, "effective_from": days_ago(3)}, [50, 20]),
]


async def test_searches_combine(house: TestHouse) -> None:
    for query, amounts in SEARCHES:
        assert await search(house, query) == amounts, query


async def search(house: TestHouse, query: dict[str, object]) -> list[int]:
    query = {"effective_from": days_ago(20), "effective_until": NOW.isoformat(), "limit": 2} | query
    found: list[int] = []
    while True:
        status, page = await get(house, "transfers", **query)
        assert status == 200
        found += [each["amount"]["amount_minor"] for each in page["entries"]]
        if page["next_after"] is None:
            break
        query |= {"after": page["next_after"]}
    return found


UNANSWERABLE: list[tuple[str, dict[str, object], int, str]] = [
    ("accounts/nobody/statement", {"effective_from": days_ago(4)}, 404, "account_not_found"),
    (f"accounts/{TOEI}/statement", {"effective_from": days_ago(-1)}, 422, "question_unanswerable"),
    (
        f"accounts/{TOEI}/statement",
        {"effective_from": days_ago(4), "effective_until": days_ago(-1)},
        422,
        "question_unanswerable",
    ),
    (
        f"accounts/{TOEI}/statement",
        {"effective_from": days_ago(4), "known_at": days_ago(1)},
        422,
        "question_unanswerable",
    ),
    (
        f"accounts/{TOEI}/statement",
        {"effective_from": days_ago(4), "after": str(Place(NOW - timedelta(days=5)))},
        422,
        "question_unanswerable",
    ),
    (
        f"accounts/{TOEI}/statement",
        {"effective_from": days_ago(4), "after": "99999999999999999-1"},
        422,
        "question_unanswerable",
    ),
    (
        f"accounts/{TOEI}/statement",
        {"effective_from": days_ago(4), "after": "x"},
        422,
        "validation_failed",
    ),
    (f"accounts/{TOEI}/statement", {}, 422, "validation_failed"),
    ("transfers", {"account": "nobody"}, 404, "account_not_found"),
    ("transfers", {"counterparty": "nobody"}, 404, "account_not_found"),
    ("transfers", {"effective_from": days_ago(-2)}, 422, "question_unanswerable"),
    (
        "transfers",
        {"effective_from": days_ago(-2), "effective_until": days_ago(1)},
        422,
        "question_unanswerable",
    ),
    ("transfers", {"amount_minor_min": 5, "amount_minor_max": 4}, 422, "question_unanswerable"),
    ("transfers", {"known_at": days_ago(-1)}, 422, "question_unanswerable"),
    ("transfers", {"account": TOEI, "known_at": days_ago(1)}, 422, "question_unanswerable"),
]


async def test_a_question_without_an_answer_is_a_problem(house: TestHouse) -> None:
    for path, query, status, code in UNANSWERABLE:
        dates: dict[str, object] = {}
        if path == "transfers":
            dates = {"effective_from": days_ago(4), "effective_until": NOW.isoformat()}
        answer, problem = await get(house, path, **(dates | query))
        assert (answer, problem.get("code")) == (status, code), (path, query)


async def test_only_administrators_search(house: TestHouse) -> None:
    for path in (f"accounts/{TOEI}/statement", "transfers"):
        status, _ = await house.call(
            "GET", f"/api/ledger/{path}?effective_from=2026-05-01T00:00:00Z", subject="x", role=Role.CLERK
        )
        assert status == 403


def test_places_are_read_as_they_are_written() -> None:
    place = Place(NOW + timedelta(microseconds=1), 7)
    assert Place.parse(str(place)) == place
    assert Place(NOW) < Place(NOW, 1) < place
