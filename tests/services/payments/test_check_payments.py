"""`maas check payments`: the three-way match, worked out from the tables, finds what does not fit."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid4, uuid5

import asyncpg
import pytest

from payments.accounts import BANK_CASH, CARD_CLEARING, chart_account
from payments.ports import LedgerPort, PaymentsPort
from payments.transfers import Transfer, TransferCode
from services.cli.check import Books, list_wrong
from services.payments.stand_in.balance import put_movement
from services.platform.auth import Role
from services.platform.migrations import migrate
from tests.conftest import ROOT
from tests.services.payments.payer_process import (
    NOW,
    amount_of,
    list_payment_ids,
    pay,
    payments_house,
)
from tests.services.payments.running import API_KEY, RunningStandIn, start_stand_in, stop_stand_in

PAYMENTS = list_payment_ids(7)[:3]


@pytest.fixture
async def paid(database_url: str, tmp_path: Path) -> AsyncIterator[tuple[str, Path, RunningStandIn]]:
    """Three orders paid by card, a third of each given back, the balance collected."""
    stand_in = await start_stand_in(tmp_path / "payment_stand_in" / "book.sqlite3")
    async with payments_house(database_url, stand_in.url, API_KEY, tmp_path) as house:
        port: PaymentsPort = house.services["payments"].ports[PaymentsPort]  # type: ignore[assignment]
        for payment_id in PAYMENTS:
            await pay(port, payment_id)
        assert (await house.call("GET", "/api/payments/unmatched", role=Role.ADMIN))[0] == 200
    await migrate(database_url, schema="sales", folder=ROOT / "services" / "sales" / "migrations")
    for payment_id in PAYMENTS:
        await insert_order(database_url, payment_id)
    yield database_url, tmp_path, stand_in
    await stop_stand_in(stand_in)


async def insert_order(url: str, payment_id: UUID, state: str = "confirmed") -> None:
    """An order as sales keeps it: of its document, what the check reads."""
    document = f'{{"payment_id": "{payment_id}", "total": {{"amount_minor": {amount_of(payment_id)}}}}}'
    await execute(
        url,
        "with taken as (insert into sales.offer values ($1, 't', '{}', now()) returning offer_id)"
        " insert into sales.customer_order"
        " (order_id, offer_id, traveller_id, state, document, placed_at, expires_at)"
        " select $2, offer_id, 't', $3, $4::text::jsonb, now() - interval '2 days', now() from taken",
        uuid4(),
        uuid5(payment_id, "order"),
        state,
        document,
    )


async def execute(url: str, query: str, *args: object) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(query, *args)
    finally:
        await connection.close()


async def wrong(paid: tuple[str, Path, RunningStandIn]) -> dict[str, list[str]]:
    url, folder, _ = paid
    return await list_wrong(url, [Books.PAYMENTS], data_dir=folder)


async def test_what_agrees_is_sound_and_says_so(
    paid: tuple[str, Path, RunningStandIn], capsys: pytest.CaptureFixture[str]
) -> None:
    assert await wrong(paid) == {}
    told = capsys.readouterr().out
    captured = sum(map(amount_of, PAYMENTS))
    given_back = sum(amount_of(each) // 3 for each in PAYMENTS)
    for side in ("payments", "ledger", "provider"):
        [line] = [each for each in told.splitlines() if f" {side} " in each and "│" in each]
        assert f"{captured:,}" in line
        assert f"{given_back:,}" in line
    assert "orders, ledger and provider agree to the yen" in told


BREAKS = {
    "a confirmed order is not paid as it was priced": """
        update sales.customer_order set document = jsonb_set(document, '{total,amount_minor}', '1')""",
    "a captured payment belongs to no order": "delete from sales.customer_order",
    "an order that failed has kept its money": "update sales.customer_order set state = 'rolled_back'",
    "a capture is not in the ledger as it is in payments": """
        update payments.payment set captured_minor = captured_minor - 1""",
    "a capture is not on the provider's list": """
        update payments.payment set charge_id = 'ch_lost', updated_at = now() - interval '2 days'""",
    "a refund is not in the ledger as it is in payments": "update payments.refund set outcome = 'failed'",
    "the provider refunded what no refund of ours did": "delete from payments.refund",
}


@pytest.mark.parametrize("sentence", BREAKS)
async def test_what_does_not_agree_is_found(paid: tuple[str, Path, RunningStandIn], sentence: str) -> None:
    await execute(paid[0], BREAKS[sentence])
    assert sentence in await wrong(paid)


async def test_an_entry_that_nothing_moved_is_found(paid: tuple[str, Path, RunningStandIn]) -> None:
    stray = Transfer(
        transfer_id=uuid4(),
        debit=BANK_CASH,
        credit=CARD_CLEARING,
        amount_minor=5,
        code=TransferCode.ADJUSTMENT,
        reference="test:by hand",
        effective_at=NOW,
    )
    async with payments_house(paid[0], paid[2].url, API_KEY, paid[1]) as house:
        ledger: LedgerPort = house.services["ledger"].ports[LedgerPort]  # type: ignore[assignment]
        await ledger.open_accounts(accounts=[chart_account(BANK_CASH)])
        assert (await ledger.post(transfers=[stray]))[0].is_done
    sentence = "an entry of card clearing is no movement of the provider"
    assert (await wrong(paid))[sentence] == [str(stray.transfer_id)]


async def test_a_movement_that_nobody_booked_is_late_after_a_day(
    paid: tuple[str, Path, RunningStandIn],
) -> None:
    desk = paid[2].inner.desk()
    moved = put_movement(desk, kind="stripe_fee", source={"id": "fee_1", "currency": "jpy"}, amount=-120)
    assert await wrong(paid) == {}, "it is on its way"
    moved["created"] -= 90_000
    desk.book.put(moved)
    sentence = "a movement of the provider is no entry of the ledger"
    assert (await wrong(paid))[sentence] == [f"{moved['id']} (stripe_fee -120)"]


async def test_the_command_ends_with_1_when_something_is_wrong(
    paid: tuple[str, Path, RunningStandIn],
) -> None:
    async def check() -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "services.cli.main", "check", "payments"),
            env=os.environ | {"DATABASE_URL": paid[0], "MAAS_DATA": str(paid[1])},
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
        return process.returncode, out.decode()

    assert (await check())[0] == 0
    await execute(paid[0], "delete from sales.customer_order")
    status, told = await check()
    assert status == 1
    assert "a captured payment belongs to no order" in told
