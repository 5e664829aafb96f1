"""Operators paid through the provider: accounts, payouts made of captures' money, reversals."""

from typing import Any, cast
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.accounts import CARD_CLEARING, SETTLEMENT_CLEARING
from payments.errors import PaymentCommandDiffers
from payments.ports import OperatorPayoutsPort, OperatorPayoutState
from services.payments.connect.handlers import plan_parts
from services.platform.auth import Role
from tests.services.payments.setting import Setting

ADMIN: Any = {"role": Role.ADMIN, "subject": "root"}


def port_of(setting: Setting) -> OperatorPayoutsPort:
    return cast("OperatorPayoutsPort", setting.service.ports[OperatorPayoutsPort])


async def onboard(setting: Setting, operator_id: str = "Toei") -> None:
    """The operator's clerk opens the account and answers what the provider asks."""
    path = f"/api/payments/operators/{operator_id}/account"
    clerk: Any = {"role": Role.CLERK, "operator_id": operator_id}
    body = {"return_url": "http://127.0.0.1:9/back"}
    status, account = await setting.house.call("POST", path, body=body, **clerk)
    assert (status, account["can_receive"]) == (200, False)
    url = account["onboarding_url"]
    async with setting.stand_in.session.post(url, allow_redirects=False) as response:
        assert response.status == 303
    status, account = await setting.house.call("POST", path, body=body, **clerk)
    assert (status, account["can_receive"], account["onboarding_url"]) == (200, True, None)


async def pay(setting: Setting, amount: int, payout_id: UUID | None = None) -> Any:
    return await port_of(setting).pay_operator(
        payout_id=payout_id or uuid4(), operator_id="Toei", amount_minor=amount
    )


def transfers(setting: Setting) -> list[tuple[int, bool]]:
    """Of each transfer there, its amount and whether it names its charge; oldest first."""
    there = setting.stand_in.inner.book.list_all("transfer")
    return [(each["amount"], each["source_transaction"] is not None) for each in reversed(there)]


async def collect(setting: Setting) -> None:
    status, body = await setting.house.call("GET", "/api/payments/unmatched", **ADMIN)
    assert (status, body["items"]) == (200, [])


async def test_a_payout_takes_its_money_from_captures_that_are_not_available_yet(setting: Setting) -> None:
    await onboard(setting)
    first = await setting.captured(5_000)
    await setting.captured(5_000)
    await setting.refund(first, 2_000)
    payout = await pay(setting, 7_000)
    assert payout.state is OperatorPayoutState.PAID
    # 3,000 are left of one capture after its refund, 5,000 of the other. The clock stands still, so either
    # may count as the older one, which is emptied first.
    assert sorted(transfers(setting)) in ([(3_000, True), (4_000, True)], [(2_000, True), (5_000, True)])
    assert await pay(setting, 7_000, payout.payout_id) == payout
    assert len(transfers(setting)) == 2
    await collect(setting)
    assert -setting.net(SETTLEMENT_CLEARING) == 7_000
    # 10,000 less twice 3.6 % of 5,000, less the refund and the payout.
    assert -setting.net(CARD_CLEARING) == 10_000 - 360 - 2_000 - 7_000


async def test_what_no_capture_covers_waits_for_the_balance(setting: Setting) -> None:
    await onboard(setting)
    await setting.captured(5_000)
    payout = await pay(setting, 5_100)
    assert payout.state is OperatorPayoutState.OPEN
    assert "balance_insufficient" in str(payout.problem)
    await setting.stand_in.client.v1.payment_intents.create_async(
        params={"amount": 6_000, "currency": "jpy", "payment_method": "pm_card_visa", "confirm": True}
    )
    await setting.stand_in.control("available")
    assert (await pay(setting, 5_100, payout.payout_id)).state is OperatorPayoutState.PAID
    assert sorted(transfers(setting)) == [(100, False), (5_000, True)]


async def test_an_operator_is_not_paid_before_its_account_can_receive(setting: Setting) -> None:
    await setting.captured(5_000)
    payout = await pay(setting, 1_000)
    assert payout.state is OperatorPayoutState.OPEN
    assert transfers(setting) == []
    await onboard(setting)
    assert (await pay(setting, 1_000, payout.payout_id)).state is OperatorPayoutState.PAID


@pytest.mark.parametrize("kind", ["error_before", "error_after", "drop_before", "drop_after"])
async def test_after_any_fault_each_part_is_transferred_once(setting: Setting, kind: str) -> None:
    await onboard(setting)
    await setting.captured(5_000)
    await setting.stand_in.control("faults", kind=kind, method="POST", path="/v1/transfers")
    payout = await pay(setting, 4_000)
    assert payout.state is OperatorPayoutState.OPEN
    assert (await pay(setting, 4_000, payout.payout_id)).state is OperatorPayoutState.PAID
    assert transfers(setting) == [(4_000, True)]


async def test_a_payout_is_taken_back_once(setting: Setting) -> None:
    await onboard(setting)
    await setting.captured(5_000)
    payout = await pay(setting, 4_000)
    path = f"/api/payments/operator-payouts/{payout.payout_id}/reversal"
    await setting.stand_in.control("faults", kind="error_after", method="POST", ending="/reversals")
    for _ in range(3):
        status, body = await setting.house.call("POST", path, **ADMIN)
        assert status == 200
    assert body["state"] == "reversed"
    await collect(setting)
    assert setting.net(SETTLEMENT_CLEARING) == 0
    assert -setting.net(CARD_CLEARING) == 5_000 - 180
    assert len(setting.stand_in.inner.book.list_all("transfer_reversal")) == 1


async def test_ids_and_accounts_belong_to_their_owner(setting: Setting) -> None:
    payout = await pay(setting, 4_000)
    with pytest.raises(PaymentCommandDiffers):
        await pay(setting, 4_001, payout.payout_id)
    status, _ = await setting.house.call(
        "POST",
        "/api/payments/operators/Toei/account",
        body={"return_url": "http://127.0.0.1:9/"},
        role=Role.CLERK,
        operator_id="Yurikamome",
    )
    assert status == 403


@given(
    amount=st.integers(min_value=1, max_value=10_000),
    left=st.lists(st.integers(min_value=-5, max_value=3_000), max_size=8),
)
def test_parts_sum_to_the_payout_and_never_exceed_their_capture(amount: int, left: list[int]) -> None:
    charges = [(f"ch_{number}", minor) for number, minor in enumerate(left)]
    parts = plan_parts(amount, charges)
    assert sum(minor for _, minor in parts) == amount
    assert all(minor > 0 for _, minor in parts)
    covered = {charge_id: minor for charge_id, minor in parts if charge_id is not None}
    assert all(minor <= dict(charges)[charge_id] for charge_id, minor in covered.items())
    uncovered = sum(minor for charge_id, minor in parts if charge_id is None)
    assert uncovered == max(0, amount - sum(max(0, minor) for minor in left))
