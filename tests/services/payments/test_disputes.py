"""Disputes: the order is told, evidence is handed in, the books follow the bank's decision."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from maas.events import FaresChargedBack
from maas.ports import RideSeen
from payments.accounts import (
    CARD_CLEARING,
    CHARGEBACK_LOSSES,
    COMMISSION,
    DISPUTED,
    PROVIDER_FEES,
    UNEARNED_FARES,
)
from payments.disputes import DisputeState, follow_dispute
from payments.errors import TransferRefused
from payments.ports import Payment, RefundState
from payments.transfers import Transfer, TransferCode
from services.payments.books import Books
from services.platform.auth import Role
from services.platform.bus import Envelope
from tests.services.payments.setting import NOW, Setting, eventually

FEES = 360 + 1_300
"""Of a charge of 10,000 at 3.6 %, and of a dispute."""


async def dispute(setting: Setting) -> tuple[Payment, Any]:
    """A captured payment whose card's owner objects, as the service knows it."""
    payment = await setting.captured(10_000)
    [charge] = setting.stand_in.inner.book.list_all("charge")
    there = await setting.stand_in.control("disputes", charge=charge["id"])
    await tell_all(setting)

    async def is_known() -> bool:
        return bool(await setting.told("PaymentDisputed"))

    await eventually(is_known)
    return payment, there


async def tell_all(setting: Setting) -> None:
    """Every event of a dispute, twice, the newest first."""
    events = setting.stand_in.inner.book.list_all("event")
    for event in events:
        if event["type"].startswith("charge.dispute"):
            for _ in range(2):
                assert await setting.send_webhook(event) == 200


async def decide(setting: Setting, dispute_id: str, status: str) -> None:
    await setting.stand_in.control(f"disputes/{dispute_id}", status=status)
    await tell_all(setting)

    async def is_decided() -> bool:
        return bool(await setting.told("PaymentDisputeDecided"))

    await eventually(is_decided)


def balances(setting: Setting) -> dict[str, int]:
    accounts = (CARD_CLEARING, DISPUTED, CHARGEBACK_LOSSES, PROVIDER_FEES)
    return {each: -setting.net(each) for each in accounts}


async def test_what_is_disputed_is_withdrawn_and_the_order_is_told_once(setting: Setting) -> None:
    payment, there = await dispute(setting)
    assert await setting.told("PaymentDisputed") == [
        {
            "payment_id": str(payment.payment_id),
            "order_id": str(payment.order_id),
            "dispute_id": there["id"],
            "amount_minor": 10_000,
            "reason": "fraudulent",
        }
    ]

    async def is_booked() -> bool:
        return balances(setting)[DISPUTED] == 10_000

    await eventually(is_booked)
    assert balances(setting) == {
        CARD_CLEARING: -FEES,
        DISPUTED: 10_000,
        CHARGEBACK_LOSSES: 0,
        PROVIDER_FEES: FEES,
    }
    assert setting.net(UNEARNED_FARES) == 10_000, "the traveller may still ride"
    refund = await setting.refund(payment, 100)
    assert refund.state is RefundState.FAILED, "the bank has the money"
    assert (await setting.reconciliation())["is_matched"] is True


@pytest.mark.parametrize(
    ("status", "clearing", "losses"), [("won", 10_000 - FEES, 0), ("lost", -FEES, 10_000)]
)
async def test_the_banks_decision_is_booked_once(
    setting: Setting, status: str, clearing: int, losses: int
) -> None:
    _, there = await dispute(setting)
    await decide(setting, there["id"], status)
    await tell_all(setting)
    await setting.house.call("GET", "/api/payments/unmatched", role=Role.ADMIN)
    assert balances(setting) == {
        CARD_CLEARING: clearing,
        DISPUTED: 0,
        CHARGEBACK_LOSSES: losses,
        PROVIDER_FEES: FEES,
    }
    [decided] = await setting.told("PaymentDisputeDecided")
    assert decided["is_won"] is (status == "won")
    answer = await setting.reconciliation()
    assert (answer["is_matched"], answer["clearing_minor"], answer["balance_minor"]) == (
        True,
        clearing,
        clearing,
    )


async def test_evidence_is_drafted_added_and_handed_in_once(setting: Setting) -> None:
    payment, there = await dispute(setting)
    path = f"/api/payments/disputes/{there['id']}/evidence"
    admin: Any = {"role": Role.ADMIN}
    body: dict[str, Any] = {"evidence": {"access_activity_log": "entered at 都庁前 21:14"}}
    status, kept = await setting.house.call("POST", path, body=body, **admin)
    assert (status, kept["state"]) == (200, "open")
    assert str(payment.order_id) in kept["evidence"]["product_description"]
    await setting.stand_in.control("faults", kind="error_after", method="POST", path="/v1/disputes")
    status, _ = await setting.house.call("POST", path, body={"evidence": {}, "submit": True}, **admin)
    assert status in (200, 503)

    async def is_handed_in() -> bool:
        [shown] = (await setting.house.call("GET", "/api/payments/disputes", **admin))[1]["disputes"]
        return bool(shown["submitted_at"])

    await setting.service.context.database.execute("update dispute set next_attempt_at = now()")
    await eventually(is_handed_in)
    [at_bank] = setting.stand_in.inner.book.list_all("dispute")
    assert at_bank["status"] == "under_review"
    assert at_bank["evidence"]["access_activity_log"] == "entered at 都庁前 21:14"
    assert at_bank["evidence_details"]["submission_count"] == 1
    status, late = await setting.house.call("POST", path, body=body, **admin)
    assert (status, late["code"]) == (409, "dispute_decided")


async def test_fares_that_nobody_rides_lessen_the_loss_once(setting: Setting) -> None:
    """Of 10,000 that the bank took, 4,000 are fares that were revoked: 6,000 stay to be earned, and lost."""
    payment, there = await dispute(setting)
    await decide(setting, there["id"], "lost")
    event = FaresChargedBack(dispute_id=there["id"], order_id=payment.order_id, amount_minor=4_000)
    for _ in range(2):
        await hear(setting, event)
    assert (balances(setting)[CHARGEBACK_LOSSES], setting.net(UNEARNED_FARES)) == (6_000, 6_000)
    refund = await setting.refund(payment, 100)
    assert refund.state is RefundState.REFUSED_EXCEEDS_CAPTURED, "the bank has given all of it back"
    assert (await setting.reconciliation())["is_matched"] is True


async def test_fares_that_are_earned_still_lessen_the_loss_once_they_are_taken_back(setting: Setting) -> None:
    payment, there = await dispute(setting)
    await decide(setting, there["id"], "lost")
    earned = Transfer(
        transfer_id=uuid4(),
        debit=UNEARNED_FARES,
        credit=COMMISSION,
        amount_minor=7_000,
        code=TransferCode.RIDE,
        reference="a ride",
        effective_at=NOW,
    )
    back = replace(earned, transfer_id=uuid4(), debit=COMMISSION, credit=UNEARNED_FARES)
    books = Books(setting.service.context)
    await books.post(earned)
    event = FaresChargedBack(dispute_id=there["id"], order_id=payment.order_id, amount_minor=4_000)
    with pytest.raises(TransferRefused):
        await hear(setting, event)
    await books.post(back)
    await hear(setting, event)
    await hear(setting, event)
    assert (balances(setting)[CHARGEBACK_LOSSES], setting.net(UNEARNED_FARES)) == (6_000, 6_000)


async def test_what_was_ridden_is_evidence_until_somebody_writes_better(setting: Setting) -> None:
    rides = setting.rides
    rides.seen.append(ride(ended_at=NOW + timedelta(minutes=25)))
    payment, there = await dispute(setting)
    [shown] = await setting.rows("select evidence from dispute")
    first = "in 2026-05-20 20:00, out 2026-05-20 20:25 Toei: 都庁前 -> 新宿"
    assert shown["evidence"]["access_activity_log"].splitlines()[1:] == [first]
    assert rides.asked == [payment.order_id]
    rides.seen.append(ride(ended_at=None))
    path = f"/api/payments/disputes/{there['id']}/evidence"
    _, kept = await setting.house.call("POST", path, body={"evidence": {}}, role=Role.ADMIN)
    second = "in 2026-05-20 20:00 Toei: 都庁前 -> 新宿"
    assert kept["evidence"]["access_activity_log"].splitlines()[1:] == [first, second]
    better = {"access_activity_log": "seen by the staff"}
    await setting.house.call("POST", path, body={"evidence": better}, role=Role.ADMIN)
    _, kept = await setting.house.call("POST", path, body={"evidence": {}}, role=Role.ADMIN)
    assert kept["evidence"]["access_activity_log"] == "seen by the staff"


def ride(*, ended_at: datetime | None) -> RideSeen:
    """From 11:00 UTC, which is 20:00 in the city."""
    return RideSeen(
        operator_id="Toei",
        origin_name="都庁前",
        destination_name="新宿",
        began_at=NOW,
        ended_at=ended_at,
    )


async def hear(setting: Setting, event: FaresChargedBack) -> None:
    """What the bus would deliver."""
    [subscription] = [each for each in setting.service.subscriptions if each.event is type(event)]
    envelope = Envelope(event_id=uuid4(), event_type="", payload={}, occurred_at=NOW, source="sales")
    async with setting.service.context.database.transaction() as tx:
        await subscription.handler(tx, event, envelope)


async def test_evidence_is_checked_at_the_edge(setting: Setting) -> None:
    admin: Any = {"role": Role.ADMIN}
    path = "/api/payments/disputes/dp_none/evidence"
    assert (await setting.house.call("POST", path, body={"evidence": {"colour": "red"}}, **admin))[0] == 422
    assert (await setting.house.call("POST", path, body={"evidence": {}}, **admin))[0] == 404
    assert (await setting.house.call("GET", "/api/payments/disputes"))[0] == 403


async def test_a_dispute_of_another_house_is_no_row(setting: Setting) -> None:
    await setting.stand_in.client.v1.payment_intents.create_async(
        params={
            "amount": 700,
            "currency": "jpy",
            "payment_method": "pm_card_createDispute",
            "confirm": True,
        }
    )
    await tell_all(setting)

    async def is_done() -> bool:
        return not await setting.rows("select 1 from webhook where next_attempt_at is not null")

    await eventually(is_done)
    assert await setting.rows("select 1 from dispute") == []


@pytest.mark.parametrize("known", list(DisputeState))
@pytest.mark.parametrize("reported", list(DisputeState))
def test_a_decision_is_never_taken_back(known: DisputeState, reported: DisputeState) -> None:
    assert follow_dispute(known, reported) is (known if known.is_decided else reported)
