"""Refunds into a wallet, refunds that fail or come back, and a clerk's second try."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from payments.accounts import REFUNDS_DUE, UNEARNED_FARES
from payments.money import yen
from payments.ports import Payment, Refund, RefundState
from services.platform.auth import Role
from tests.services.payments.running import RunningStandIn
from tests.services.payments.wallet_setting import VISA, WalletSetting, wallet_setting


@pytest.fixture
async def setting(
    database_url: str, stand_in: RunningStandIn, tmp_path: Path
) -> AsyncIterator[WalletSetting]:
    async with wallet_setting(database_url, stand_in, tmp_path) as found:
        yield found


async def refund(setting: WalletSetting, payment: Payment, amount: int, **how: Any) -> Refund:
    return await setting.port.refund(
        refund_id=how.pop("refund_id", None) or uuid4(),
        payment_id=payment.payment_id,
        amount=yen(amount),
        reason="cancelled",
        **how,
    )


async def come_back(setting: WalletSetting) -> None:
    """The traveller's bank sends the last refund back, and a look finds it out."""
    [there, *_] = (await setting.stand_in.client.v1.refunds.list_async()).data
    await setting.stand_in.control(f"refunds/{there.id}", status="failed")


async def look(setting: WalletSetting) -> None:
    worker: Any = setting.service.workers[0]
    refunds = worker.__self__._refunds
    for row in await setting.rows("select refund_id from refund where state = 'succeeded'"):
        await refunds.look(row["refund_id"])


async def told(setting: WalletSetting, name: str) -> list[Any]:
    rows = await setting.rows("select payload from outbox where event_type = $1 order by id", name)
    return [row["payload"]["refund_id"] for row in rows]


async def retry(setting: WalletSetting, refund_id: UUID, **how: Any) -> tuple[int, Any]:
    path = f"/api/refunds/{refund_id}/retry"
    return await setting.house.call("POST", path, body=how, role=how.pop("role", Role.CLERK))


async def failed(setting: WalletSetting) -> list[tuple[str, str]]:
    listed = (await setting.get("/api/refunds/failed", role=Role.CLERK))["refunds"]
    return [(each["refund_id"], each["outcome"]) for each in listed]


async def test_a_card_payment_is_refunded_into_the_wallet(setting: WalletSetting) -> None:
    await setting.put("/api/wallet")
    payment = await setting.paid(1250, VISA)
    given = await refund(setting, payment, 250, to_wallet=True)
    assert (given.state, setting.balance(), setting.net(UNEARNED_FARES)) == (
        RefundState.SUCCEEDED,
        250,
        1000,
    )
    assert await setting.captured_at_the_provider() == 1250, "the card sees nothing of it"
    too_much = await refund(setting, payment, 1001)
    assert too_much.state is RefundState.REFUSED_EXCEEDS_CAPTURED
    await setting.check_match()


async def test_a_refund_that_came_back_is_paid_into_the_wallet_by_a_clerk(setting: WalletSetting) -> None:
    await setting.put("/api/wallet")
    payment = await setting.paid(1250, VISA)
    first = await refund(setting, payment, 250)
    await come_back(setting)
    await look(setting)
    assert await failed(setting) == [(str(first.refund_id), "returned")]
    assert await told(setting, "RefundReturned") == [str(first.refund_id)]
    assert (await retry(setting, first.refund_id, to_wallet=True))[1]["state"] == "succeeded"
    assert (setting.balance(), setting.net(UNEARNED_FARES), setting.net(REFUNDS_DUE)) == (250, 1000, 0)
    assert await failed(setting) == []
    assert await told(setting, "RefundPaid") == [str(first.refund_id)] * 2
    again = await refund(setting, payment, 250, refund_id=first.refund_id)
    assert (again.state, again.refund_id) == (RefundState.SUCCEEDED, first.refund_id)
    assert (await retry(setting, first.refund_id, to_wallet=True))[1]["state"] == "succeeded"
    assert setting.balance() == 250, "once is enough"
    await setting.check_match()


async def test_a_refund_is_tried_again_on_the_same_card(setting: WalletSetting) -> None:
    """Twice in a row it comes back; the third try stays. Each try is a refund of its own there."""
    payment = await setting.paid(1250, VISA)
    first = await refund(setting, payment, 250)
    for _ in range(2):
        await come_back(setting)
        await look(setting)
        assert (await retry(setting, first.refund_id))[1]["state"] == "succeeded"
    assert len((await setting.stand_in.client.v1.refunds.list_async()).data) == 3
    assert await setting.captured_at_the_provider() == 1000
    assert (await setting.port.get_payment(payment_id=payment.payment_id)).refunded == yen(250)
    await setting.check_match()


async def test_what_has_not_failed_is_not_tried_again(setting: WalletSetting) -> None:
    payment = await setting.paid(1250, VISA)
    given = await refund(setting, payment, 250)
    assert (await retry(setting, given.refund_id))[1]["state"] == "succeeded"
    assert await setting.captured_at_the_provider() == 1000
    assert (await retry(setting, uuid4()))[0] == 409
    refused = await refund(setting, payment, 9999)
    assert (await retry(setting, refused.refund_id))[0] == 409


async def test_failed_refunds_are_the_platforms_business(setting: WalletSetting) -> None:
    call = setting.house.call
    assert (await call("GET", "/api/refunds/failed"))[0] == 403
    assert (await call("GET", "/api/refunds/failed", role=Role.CLERK, operator_id="Toei"))[0] == 403
    path = f"/api/refunds/{uuid4()}/retry"
    assert (await call("POST", path, body={}, role=Role.CLERK, operator_id="Toei"))[0] == 403
