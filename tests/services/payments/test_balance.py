"""The provider's balance in the books: fees, payouts and what has no counterpart."""

from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from prometheus_client import REGISTRY

from payments.accounts import BANK_CASH, CARD_CLEARING, PROVIDER_FEES, UNEARNED_FARES
from services.payments.stand_in.balance import put_movement
from services.platform.auth import Role
from tests.services.payments.setting import VISA, Setting, eventually


async def unmatched(setting: Setting) -> Any:
    status, body = await setting.house.call("GET", "/api/payments/unmatched", role=Role.ADMIN)
    assert status == 200, body
    return body


async def balance_there(setting: Setting) -> int:
    movements = setting.stand_in.inner.book.list_all("balance_transaction")
    return sum(each["net"] for each in movements)


async def pay_out(setting: Setting) -> Any:
    await setting.stand_in.control("available")
    return await setting.stand_in.control("payouts")


async def tell(setting: Setting, event_type: str) -> None:
    for event in setting.stand_in.inner.book.list_all("event", {"type": event_type}):
        assert await setting.send_webhook(event) == 200


async def test_a_capture_is_one_entry_and_its_fee_another(setting: Setting) -> None:
    await setting.captured(10_000)
    assert (await unmatched(setting))["items"] == []
    # 3.6 % of 10,000.
    assert setting.net(PROVIDER_FEES) == -360
    assert -setting.net(CARD_CLEARING) == await balance_there(setting) == 9_640
    assert setting.net(UNEARNED_FARES) == 10_000
    answer = await setting.reconciliation()
    assert (answer["is_matched"], answer["clearing_minor"], answer["balance_minor"]) == (True, 9_640, 9_640)


async def test_looking_again_changes_nothing(setting: Setting) -> None:
    payment = await setting.captured(10_000)
    await setting.refund(payment, 4_000)
    for _ in range(3):
        assert (await unmatched(setting))["items"] == []
    assert setting.net(PROVIDER_FEES) == -360
    rows = await setting.rows("select transfer_id, fee_transfer_id from provider_movement order by moved_at")
    assert len({row["transfer_id"] for row in rows}) == 2
    assert [row["fee_transfer_id"] is not None for row in rows].count(True) == 1


async def test_every_way_of_a_refund_has_its_entries(setting: Setting) -> None:
    slow = await setting.captured(10_000, "pm_card_pendingRefund")
    back = await setting.captured(10_000, "pm_card_refundFail")
    paid, failed = await setting.refund(slow, 100), await setting.refund(slow, 200)
    returned = await setting.refund(back, 300)
    items = (await unmatched(setting))["items"]
    assert sorted((each["what"], each["amount_minor"]) for each in items) == [
        ("refund", -200),
        ("refund", -100),
    ], "the two on their way wait"
    assert not any(each["is_alarming"] for each in items)
    for refund, status in ((paid, "succeeded"), (failed, "failed"), (returned, "failed")):
        [there] = setting.stand_in.inner.book.list_all(
            "refund", {"metadata.refund_id": str(refund.refund_id)}
        )
        await setting.stand_in.control(f"refunds/{there['id']}", status=status)
    for kind in ("refund.updated", "refund.failed"):
        await tell(setting, kind)

    async def is_matched() -> bool:
        return not (await unmatched(setting))["items"]

    await eventually(is_matched)
    # Twice 10,000 less 360, and of the refunds only the 100 went.
    assert -setting.net(CARD_CLEARING) == await balance_there(setting) == 2 * 9_640 - 100


async def test_a_payout_is_booked_when_it_is_itemised(setting: Setting) -> None:
    await setting.captured(10_000)
    payout = await pay_out(setting)
    [waiting] = (await unmatched(setting))["items"]
    assert (waiting["what"], waiting["amount_minor"]) == ("payout", -9_640)
    assert setting.net(BANK_CASH) == 0
    await setting.stand_in.control(f"payouts/{payout['id']}", status="reconciled")
    await tell(setting, "payout.reconciliation_completed")

    async def is_booked() -> bool:
        return setting.net(BANK_CASH) == -9_640

    await eventually(is_booked)
    assert (await unmatched(setting))["items"] == []
    assert setting.net(CARD_CLEARING) == 0
    status, body = await setting.house.call("GET", "/api/payments/payouts", role=Role.ADMIN)
    [shown] = body["payouts"]
    assert (status, shown["is_reconciled"], shown["item_count"], shown["problem"]) == (200, True, 1, None)
    items = await setting.rows("select movement_id from provider_movement where payout_id = $1", payout["id"])
    assert len(items) == 2, "the charge and the payout's own"


async def test_a_payout_that_comes_back_leaves_the_bank(setting: Setting) -> None:
    await setting.captured(10_000)
    payout = await pay_out(setting)
    await setting.stand_in.control(f"payouts/{payout['id']}", status="reconciled")
    await setting.stand_in.control(f"payouts/{payout['id']}", status="failed")
    assert (await unmatched(setting))["items"] == []
    assert (setting.net(BANK_CASH), -setting.net(CARD_CLEARING)) == (0, 9_640)


async def test_a_payout_whose_items_do_not_sum_to_it_stays_out_of_the_books(setting: Setting) -> None:
    await setting.captured(10_000)
    payout = await pay_out(setting)
    book = setting.stand_in.inner.book
    [item] = book.list_all("payout_item")
    book.delete(item["id"])
    await setting.stand_in.control(f"payouts/{payout['id']}", status="reconciled")
    [waiting] = (await unmatched(setting))["items"]
    assert waiting["why"] == "its 0 items sum to 0, the payout is 9640"
    assert setting.net(BANK_CASH) == 0


async def test_a_payout_made_by_hand_is_believed_when_the_bank_took_it(setting: Setting) -> None:
    await setting.captured(10_000)
    await setting.stand_in.control("available")
    payout = await setting.stand_in.client.v1.payouts.create_async(
        params={"amount": 5_000, "currency": "jpy"}
    )
    assert len((await unmatched(setting))["items"]) == 1
    await setting.stand_in.control(f"payouts/{payout.id}", status="paid")
    assert (await unmatched(setting))["items"] == []
    assert setting.net(BANK_CASH) == -5_000


async def test_a_strangers_movement_ages_and_alarms(setting: Setting) -> None:
    await setting.stand_in.client.v1.payment_intents.create_async(
        params={"amount": 700, "currency": "jpy", "payment_method": VISA, "confirm": True}
    )
    desk = setting.stand_in.inner.desk()
    put_movement(desk, kind="climate_order_purchase", source={"id": "x", "currency": "jpy"}, amount=-5)
    answer = await unmatched(setting)
    assert {each["what"]: each["is_alarming"] for each in answer["items"]} == {
        "charge": False,
        "climate_order_purchase": False,
    }
    assert answer["is_alarming"] is False
    await setting.service.context.database.execute(
        "update provider_movement set moved_at = moved_at - interval '25 hours'"
    )
    answer = await unmatched(setting)
    assert answer["is_alarming"] is True
    assert "no payment of ours has this charge" in {each["why"] for each in answer["items"]}
    assert REGISTRY.get_sample_value("maas_payments_unmatched_alarms") == 2
    oldest_s = REGISTRY.get_sample_value("maas_payments_unmatched_oldest_seconds")
    assert oldest_s is not None
    assert 25 * 3600 <= oldest_s < 26 * 3600


async def test_a_fee_of_its_own_is_the_providers(setting: Setting) -> None:
    desk = setting.stand_in.inner.desk()
    put_movement(desk, kind="stripe_fee", source={"id": "fee_1", "currency": "jpy"}, amount=-120)
    assert (await unmatched(setting))["items"] == []
    assert (setting.net(PROVIDER_FEES), setting.net(CARD_CLEARING)) == (-120, 120)


async def test_an_entry_serves_one_movement_by_constraint(setting: Setting) -> None:
    await setting.captured(1_000)
    await unmatched(setting)
    database = setting.service.context.database
    [row] = await setting.rows("select transfer_id from provider_movement")
    await database.execute(
        "insert into provider_movement (movement_id, kind, category, source_id, amount_minor, fee_minor,"
        " currency, moved_at) values ('txn_2', 'charge', 'charge', 'ch_2', 1, 0, 'JPY', now())"
    )
    with pytest.raises(asyncpg.UniqueViolationError):
        await database.execute(
            "update provider_movement set transfer_id = $1, matched_at = now() where movement_id = 'txn_2'",
            row["transfer_id"],
        )
    with pytest.raises(asyncpg.RestrictViolationError):
        await database.execute(
            "update provider_movement set transfer_id = $1 where transfer_id is not null", uuid4()
        )
