"""Customers ride, fill wallets, pay and are collected from, while processes die, race and meet faults.

In the end each yen is there once: wallets, receivables, cards, unearned fares and the provider agree.
"""

import asyncio
import os
import random
import signal
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from payments.accounts import UNEARNED_FARES, traveller_receivable, traveller_wallet
from payments.ports import LedgerPort
from services.payments.stand_in.launcher import StandInProcess, start
from services.platform.auth import Role
from tests.services.payments.collector_process import (
    CUSTOMERS,
    Desk,
    charges_of,
    collect_all,
    has_wallet,
    name_of,
    order_of,
    payments_house,
    work,
)
from tests.support.house import TestHouse

ROOT = Path(__file__).parents[3]
KILLS = 4
FAULTS = ("error_before", "error_after", "drop_before", "drop_after", "rate_limited")


async def begin(database_url: str, stand_in: StandInProcess, seed: int) -> Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.services.payments.collector_process",
        database_url,
        stand_in.url,
        stand_in.api_key,
        str(seed),
        stdout=PIPE,
        cwd=ROOT,
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"working\n"
    return process


@pytest.mark.parametrize("seed", [1])
async def test_each_yen_is_there_once(database_url: str, tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    stand_in = start(tmp_path, webhook_url="")
    started = [stand_in]
    try:
        for round_number in range(KILLS):
            process = await begin(database_url, stand_in, seed)
            await asyncio.sleep(rng.uniform(0.0, 0.5))
            if round_number % 2:
                os.kill(stand_in.pid, signal.SIGKILL)
                await asyncio.sleep(rng.uniform(0.0, 0.1))
            # A quick machine may have done the rest of the work by now.
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            if round_number % 2:
                stand_in = start(tmp_path, webhook_url="")
                started.append(stand_in)
        await finish_and_audit(database_url, stand_in, seed, tmp_path)
    finally:
        for each in reversed(started):
            each.stop()


async def finish_and_audit(database_url: str, stand_in: StandInProcess, seed: int, folder: Path) -> None:
    async with payments_house(database_url, stand_in.url, stand_in.api_key, folder) as house:
        async with asyncio.timeout(120):
            await work(Desk(house), seed)
        await audit(house, seed)


@pytest.mark.parametrize("seed", [2, 3])
async def test_two_processes_do_the_same_work_at_once(database_url: str, tmp_path: Path, seed: int) -> None:
    """Every command is given twice, side by side, in different orders; the provider breaks now and then."""
    dice = random.Random(seed)
    stand_in = start(tmp_path, webhook_url="")
    try:
        async with (
            payments_house(database_url, stand_in.url, stand_in.api_key, tmp_path / "a") as one,
            payments_house(database_url, stand_in.url, stand_in.api_key, tmp_path / "b") as other,
            aiohttp.ClientSession() as session,
        ):
            for _ in range(8):
                fault = {"kind": dice.choice(FAULTS), "count": 1, "path": "/v1/payment_intents"}
                async with session.post(f"{stand_in.url}/_control/faults", json=fault) as answer:
                    assert answer.status == 200, await answer.text()
            async with asyncio.timeout(120):
                await asyncio.gather(work(Desk(one), seed), work(Desk(other), seed))
                await collect_all(Desk(one))
            await audit(one, seed)
    finally:
        stand_in.stop()


async def audit(house: TestHouse, seed: int) -> None:
    """Wallets, receivables, unearned fares and the provider, against what the seed asked for."""
    books = Books(house, seed)
    for _ in range(300):  # What the provider did not answer is tried again soon.
        status, answer = await house.call("GET", "/api/payments/reconciliation", role=Role.ADMIN)
        if status != 200 or not answer["unfinished"]:
            break
        await asyncio.sleep(0.1)
    assert (status, answer["is_matched"], answer["unfinished"]) == (200, True, [])
    charged = bought = owing = stored = 0
    for number in range(CUSTOMERS):
        owed, left = charged_to(seed, number), await books.check_receivable(number)
        charged, owing = charged + owed, owing + left
        if has_wallet(number):
            balance, spent = await books.check_wallet(number)
            stored, bought = stored + balance, bought + spent
        else:
            assert left == 0, "the card has paid it all"
    assert await books.net(UNEARNED_FARES) == charged + bought
    # What the cards paid is what was ridden and bought, less what is owed, plus what the wallets still hold.
    assert answer["provider_minor"] == charged + bought - owing + stored
    ids = [each.charge_id for n in range(CUSTOMERS) for each in charges_of(seed, n)]
    rows = await books.desk.database.fetch("select charge_id from charge")
    assert sorted(row["charge_id"] for row in rows) == sorted(ids), "each charge is there once"


def charged_to(seed: int, number: int) -> int:
    return sum(each.amount.amount_minor for each in charges_of(seed, number))


class Books:
    """The ledger and the rows, compared customer by customer."""

    def __init__(self, house: TestHouse, seed: int) -> None:
        self.desk = Desk(house)
        self.seed = seed
        self._ledger: Any = house.services["ledger"].ports[LedgerPort]

    async def net(self, account_id: str) -> int:
        balance = await self._ledger.get_balance(account_id=account_id)
        assert balance.debits_pending == balance.credits_pending == 0, "nothing is held for ever"
        return int(balance.net_credit)

    async def sum(self, query: str, *args: Any) -> int:
        return int(await self.desk.database.fetchval(query, *args) or 0)

    async def taken(self, number: int, source: str) -> int:
        query = (
            "select sum(amount_minor)::bigint from collection_try"
            " where customer_id = $1 and source = $2 and state = 'paid'"
        )
        return await self.sum(query, name_of(number), source)

    async def given_back(self, number: int) -> int:
        query = "select -sum(amount_minor)::bigint from bill where customer_id = $1 and state = 'given_back'"
        return await self.sum(query, name_of(number))

    async def check_receivable(self, number: int) -> int:
        """What a customer owes in the ledger is what was charged and not collected."""
        left = -await self.net(traveller_receivable(name_of(number)))
        collected = await self.taken(number, "wallet") + await self.taken(number, "card")
        assert left == charged_to(self.seed, number) - collected + await self.given_back(number)
        assert (await self.desk.wallets.store.find_standing(name_of(number))).owed_minor == left
        return left

    async def check_wallet(self, number: int) -> tuple[int, int]:
        """Balance, and what was bought from it: what came in less what went out, and never below 0."""
        query = "select sum(amount_minor)::bigint from top_up where traveller_id = $1 and state = 'paid'"
        filled = await self.sum(query, name_of(number))
        order = await self.desk.payments.get_payment(payment_id=order_of(self.seed, number))
        spent = order.captured.amount_minor - order.refunded.amount_minor
        balance = await self.net(traveller_wallet(name_of(number)))
        drawn = await self.taken(number, "wallet") - await self.given_back(number)
        assert balance == filled - drawn - spent
        assert balance >= 0
        return balance, spent
