"""Real processes, really killed: kill -9 of the house and of the provider, again and again."""

import asyncio
import os
import random
import signal
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from payments.accounts import CARD_CLEARING, PROVIDER_FEES, UNEARNED_FARES
from payments.ports import LedgerPort, PaymentsPort
from services.payments.stand_in.launcher import StandInProcess, start
from services.platform.auth import Role
from tests.services.payments.payer_process import amount_of, list_payment_ids, payments_house, work
from tests.support.house import TestHouse

ROOT = Path(__file__).parents[3]
KILLS = 4


async def begin(database_url: str, stand_in: StandInProcess, seed: int) -> Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.services.payments.payer_process",
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
async def test_each_payment_is_captured_and_refunded_once(
    database_url: str, tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)
    stand_in = start(tmp_path, webhook_url="")
    started = [stand_in]
    try:
        for round_number in range(KILLS):
            process = await begin(database_url, stand_in, seed)
            await asyncio.sleep(rng.uniform(0.0, 0.25))
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


async def reconcile(house: TestHouse) -> Any:
    """The reconciliation once nothing is tried again: what the provider did not answer comes soon."""
    for _ in range(300):
        status, answer = await house.call("GET", "/api/payments/reconciliation", role=Role.ADMIN)
        assert status == 200
        if not answer["unfinished"]:
            break
        await asyncio.sleep(0.1)
    return answer


async def finish_and_audit(database_url: str, stand_in: StandInProcess, seed: int, folder: Path) -> None:
    async with payments_house(database_url, stand_in.url, stand_in.api_key, folder) as house:
        payments: Any = house.services["payments"].ports[PaymentsPort]
        ledger: Any = house.services["ledger"].ports[LedgerPort]
        async with asyncio.timeout(60):
            await work(payments, seed)
        answer = await reconcile(house)
        assert (answer["is_matched"], answer["unfinished"]) == (True, [])
        amounts = [amount_of(each) for each in list_payment_ids(seed)]
        kept = sum(amounts) - sum(each // 3 for each in amounts)
        assert (answer["ours_minor"], answer["ledger_minor"], answer["provider_minor"]) == (kept, kept, kept)
        assert answer["matched_count"] == 2 * len(amounts)
        # One reading: provider fees leave clearing for their own account at any moment, and two would tear.
        balances = {each.account_id: each for each in (await ledger.get_trial_balance()).balances}
        unearned, clearing = balances[UNEARNED_FARES], balances[CARD_CLEARING]
        fees = balances[PROVIDER_FEES].net_credit if PROVIDER_FEES in balances else 0
        assert (unearned.net_credit, clearing.net_credit + fees) == (kept, -kept)
        assert unearned.credits_pending == clearing.debits_pending == 0
