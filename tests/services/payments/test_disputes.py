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
    traveller_wallet,
)
from payments.disputes import DisputeState, follow_dispute
from payments.errors import TransferRefused
from payments.ports import Payment, RefundState
from payments.transfers import Transfer, TransferCode
from services.payments.books import Books
from services.payments.disputes.store import DisputesStore
from services.payments.disputes.value import take_value_back
from services.payments.wallets.store import WalletStore
from services.platform.auth import Role
from services.platform.bus import Envelope
from tests.services.payments.setting import NOW, VISA, Setting, eventually

FEES = 360 + 1_300
"""Of a charge of 10,000 at 3.6 %, and of a dispute."""
PAYMENT_OF = "select payment_id from dispute where dispute_id = $1"


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


async def top_up(setting: Setting, amount: int) -> None:
    call: Any = {"subject": "alice", "body": {"amount": amount, "payment_method": VISA}}
    assert (await setting.house.call("PUT", "/api/wallet", subject="alice"))[0] == 200
    assert (await setting.house.call("POST", "/api/wallet/top-ups", **call))[0] == 201


async def lose_top_up(setting: Setting, amount: int, *, spent: int) -> str:
    """A top-up of which some is spent before its bank takes it back; the dispute's id."""
    await top_up(setting, amount)
    card = {"payment_method": VISA}
    assert (await setting.house.call("POST", "/api/payments/methods", subject="alice", body=card))[0] == 200
    auto = {"threshold": 0, "amount": 1_000, "day_ceiling": 5_000}
    assert (await setting.house.call("PUT", "/api/wallet/auto-top-up", subject="alice", body=auto))[0] == 200
    if spent:
        payment = await setting.open(spent)
        await setting.port.authorise(payment_id=payment.payment_id, payment_method="wallet")
        await setting.port.capture(payment_id=payment.payment_id)
    charge = setting.stand_in.inner.book.list_all("charge")[0]
    there = await setting.stand_in.control("disputes", charge=charge["id"])
    await tell_all(setting)
    await decide(setting, there["id"], "lost")
    return str(there["id"])


@pytest.mark.parametrize(("spent", "losses"), [(0, 0), (3_000, 3_000), (10_000, 10_000)])
async def test_what_is_left_of_a_lost_top_up_leaves_the_wallet_once(
    setting: Setting, spent: int, losses: int
) -> None:
    await lose_top_up(setting, 10_000, spent=spent)
    await tell_all(setting)
    assert setting.net(traveller_wallet("alice")) == 0
    assert (balances(setting)[CHARGEBACK_LOSSES], balances(setting)[DISPUTED]) == (losses, 0)
    _, wallet = await setting.house.call("GET", "/api/wallet", subject="alice")
    assert wallet["auto_top_up"] is None, "that card is not charged again by itself"
    assert (await setting.reconciliation())["is_matched"] is True


async def test_value_is_taken_back_once_whatever_is_left_when_it_is_tried_again(setting: Setting) -> None:
    """A driver dies after the ledger's answer; before the next one comes, the traveller tops up anew."""
    dispute_id = await lose_top_up(setting, 10_000, spent=3_000)
    await top_up(setting, 2_000)
    payment = await setting.port.get_payment(payment_id=(await setting.rows(PAYMENT_OF, dispute_id))[0][0])
    row = await DisputesStore(setting.service.context.database).get(dispute_id)
    wallets = WalletStore(setting.service.context.database)
    await take_value_back(
        Books(setting.service.context), wallets, row, payment, withdrawn_minor=10_000, at=NOW
    )
    assert setting.net(traveller_wallet("alice")) == 2_000


async def test_who_spends_in_the_same_moment_is_not_asked_for_it(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The balance is read, then 4,000 of it are spent: the ledger refuses, and what is left goes."""
    books = Books(setting.service.context)
    spend = Transfer(
        transfer_id=uuid4(),
        debit=traveller_wallet("alice"),
        credit=UNEARNED_FARES,
        amount_minor=4_000,
        code=TransferCode.PAYMENT,
        reference="a ride",
        effective_at=NOW,
    )
    try_to_post = Books.try_to_post

    async def spend_first(self: Books, transfers: Any) -> Any:
        if transfers[0].code is TransferCode.DISPUTE and transfers[0].debit == spend.debit:
            await books.post(spend)
        return await try_to_post(self, transfers)

    monkeypatch.setattr(Books, "try_to_post", spend_first)
    await lose_top_up(setting, 10_000, spent=0)
    assert setting.net(traveller_wallet("alice")) == 0
    assert balances(setting)[CHARGEBACK_LOSSES] == 4_000


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
