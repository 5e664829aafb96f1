"""PaymentsPort and the endpoints, over the real database, the pure ledger and the stand-in behind the SDK."""

import asyncio
import itertools
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4, uuid5

import pytest

from payments.accounts import CARD_CLEARING, REFUNDS_DUE, UNEARNED_FARES
from payments.errors import PaymentCommandDiffers, PaymentNotFound, ProviderUnavailable
from payments.money import yen
from payments.payment import Wanted
from payments.ports import PaymentState, RefundState
from payments.transfers import Transfer, TransferCode
from services.payments.store import PaymentsStore
from services.platform.auth import Role
from tests.services.payments.setting import NOW, VISA, Setting, answer_bank, both_adapters, eventually


@both_adapters
async def test_hold_then_capture(setting: Setting) -> None:
    payment = await setting.open()
    held = await setting.port.authorise(payment_id=payment.payment_id, payment_method=VISA)
    assert (held.state, held.captured) == (PaymentState.AUTHORISED, yen(0))
    assert (setting.pending(), setting.net(UNEARNED_FARES)) == (1250, 0)
    taken = await setting.port.capture(payment_id=payment.payment_id)
    assert (taken.state, taken.captured) == (PaymentState.CAPTURED, yen(1250))
    assert (setting.pending(), setting.net(UNEARNED_FARES), setting.net(CARD_CLEARING)) == (0, 1250, -1250)
    assert await setting.told("PaymentCaptured") == [
        {
            "payment_id": str(payment.payment_id),
            "order_id": str(payment.order_id),
            "amount_minor": 1250,
            "purpose": "order",
        }
    ]


@both_adapters
async def test_every_command_may_be_repeated(setting: Setting) -> None:
    payment = await setting.captured()
    again = await setting.port.open_payment(
        payment_id=payment.payment_id,
        order_id=payment.order_id,
        traveller_id=payment.traveller_id,
        amount=payment.amount,
    )
    assert again == payment
    assert await setting.port.authorise(payment_id=payment.payment_id, payment_method=VISA) == payment
    assert await setting.port.capture(payment_id=payment.payment_id) == payment
    refund_id = uuid4()
    first = await setting.refund(payment, 250, refund_id)
    assert await setting.refund(payment, 250, refund_id) == first
    assert len(await setting.told("PaymentCaptured")) == len(await setting.told("RefundPaid")) == 1
    assert len((await setting.stand_in.client.v1.balance_transactions.list_async()).data) == 2


@both_adapters
async def test_void_lets_the_hold_go(setting: Setting) -> None:
    payment = await setting.open()
    await setting.port.authorise(payment_id=payment.payment_id, payment_method=VISA)
    voided = await setting.port.void(payment_id=payment.payment_id)
    assert voided.state is PaymentState.VOIDED
    assert (setting.pending(), setting.net(UNEARNED_FARES)) == (0, 0)
    assert await setting.port.void(payment_id=payment.payment_id) == voided
    assert (await setting.port.capture(payment_id=payment.payment_id)).state is PaymentState.VOIDED
    [intent] = (await setting.stand_in.client.v1.payment_intents.list_async()).data
    assert intent.status == "canceled"


async def test_what_was_never_authorised_is_voided_without_asking_anyone(setting: Setting) -> None:
    payment = await setting.open()
    assert (await setting.port.void(payment_id=payment.payment_id)).state is PaymentState.VOIDED
    authorised = await setting.port.authorise(payment_id=payment.payment_id, payment_method=VISA)
    assert authorised.state is PaymentState.VOIDED
    assert (await setting.stand_in.client.v1.payment_intents.list_async()).data == []


async def test_a_captured_payment_is_refunded_not_voided(setting: Setting) -> None:
    payment = await setting.captured()
    assert (await setting.port.void(payment_id=payment.payment_id)).state is PaymentState.CAPTURED


@both_adapters
async def test_a_declined_card_and_then_another(setting: Setting) -> None:
    payment = await setting.open()
    declined = await setting.port.authorise(
        payment_id=payment.payment_id, payment_method="pm_card_chargeDeclinedInsufficientFunds"
    )
    assert (declined.state, declined.decline_code) == (PaymentState.DECLINED, "insufficient_funds")
    assert await setting.port.capture(payment_id=payment.payment_id) == declined
    held = await setting.port.authorise(payment_id=payment.payment_id, payment_method=VISA)
    assert (held.state, held.decline_code) == (PaymentState.AUTHORISED, None)


async def test_a_declined_card_is_not_tried_twice_and_can_be_voided(setting: Setting) -> None:
    payment = await setting.open()
    for _ in range(2):
        await setting.port.authorise(payment_id=payment.payment_id, payment_method="pm_card_chargeDeclined")
    charges = (await setting.stand_in.client.v1.charges.list_async()).data
    assert [each.status for each in charges] == ["failed"]
    assert (await setting.port.void(payment_id=payment.payment_id)).state is PaymentState.VOIDED


async def test_an_amount_below_the_providers_smallest_is_declined(setting: Setting) -> None:
    payment = await setting.open(amount=49)
    declined = await setting.port.authorise(payment_id=payment.payment_id, payment_method=VISA)
    assert (declined.state, declined.decline_code) == (PaymentState.DECLINED, "amount_too_small")


async def test_an_unknown_payment_method_is_declined(setting: Setting) -> None:
    payment = await setting.open()
    declined = await setting.port.authorise(
        payment_id=payment.payment_id, payment_method="pm_card_unheard_of"
    )
    assert (declined.state, declined.decline_code) == (PaymentState.DECLINED, "resource_missing")


async def test_the_payer_acts_and_the_next_look_sees_it(setting: Setting) -> None:
    payment = await setting.open()
    method = "pm_card_threeDSecure2Required"
    waiting = await setting.port.authorise(payment_id=payment.payment_id, payment_method=method)
    assert waiting.state is PaymentState.REQUIRES_ACTION
    assert setting.pending() == 0
    still = await setting.port.authorise(payment_id=payment.payment_id, payment_method=method)
    assert still == waiting
    await answer_bank(setting, waiting.next_action_url, "approve")
    held = await setting.port.authorise(payment_id=payment.payment_id, payment_method=method)
    assert (held.state, held.next_action_url) == (PaymentState.AUTHORISED, None)
    assert setting.pending() == 1250


async def test_the_payer_acts_and_a_webhook_tells(setting: Setting) -> None:
    payment = await setting.open()
    waiting = await setting.port.authorise(
        payment_id=payment.payment_id, payment_method="pm_card_threeDSecure2Required"
    )
    await answer_bank(setting, waiting.next_action_url, "approve")
    events = setting.stand_in.inner.book.list_all("event")
    # In the wrong order, each twice: only where the payment is now counts.
    for event in events + events:
        assert await setting.send_webhook(event) == 200
    await setting.until(payment.payment_id, PaymentState.AUTHORISED)
    assert setting.pending() == 1250
    assert len(await setting.rows("select 1 from webhook")) == len(events)


async def test_the_payer_refuses(setting: Setting) -> None:
    payment = await setting.open()
    method = "pm_card_threeDSecure2Required"
    waiting = await setting.port.authorise(payment_id=payment.payment_id, payment_method=method)
    await answer_bank(setting, waiting.next_action_url, "refuse")
    declined = await setting.port.authorise(payment_id=payment.payment_id, payment_method=method)
    assert declined.state is PaymentState.DECLINED
    assert declined.decline_code == "payment_intent_authentication_failure"


async def test_a_hold_that_expires_at_the_provider_is_voided_here(setting: Setting) -> None:
    payment = await setting.open()
    await setting.port.authorise(payment_id=payment.payment_id, payment_method=VISA)
    [intent] = setting.stand_in.inner.book.list_all("payment_intent")
    await setting.stand_in.control(f"expire/{intent['id']}")
    for event in setting.stand_in.inner.book.list_all("event", {"type": "payment_intent.canceled"}):
        await setting.send_webhook(event)
    await setting.until(payment.payment_id, PaymentState.VOIDED)
    assert (setting.pending(), setting.net(UNEARNED_FARES)) == (0, 0)


async def test_a_hold_whose_end_nobody_told_is_found_by_looking(setting: Setting) -> None:
    """No webhook comes. The hold is due within hours, is no unfinished work, and is then found void."""
    payment = await setting.open()
    await setting.port.authorise(payment_id=payment.payment_id, payment_method=VISA)
    [row] = await setting.rows("select next_attempt_at - clock_timestamp() as due_in from payment")
    assert timedelta(hours=5) < row["due_in"] <= timedelta(hours=6)
    assert (await setting.reconciliation())["unfinished"] == []
    [intent] = setting.stand_in.inner.book.list_all("payment_intent")
    await setting.stand_in.control(f"expire/{intent['id']}")
    await setting.service.context.database.execute("update payment set next_attempt_at = clock_timestamp()")
    await setting.until(payment.payment_id, PaymentState.VOIDED)
    assert (setting.pending(), setting.net(UNEARNED_FARES)) == (0, 0)
    [row] = await setting.rows("select next_attempt_at from payment")
    assert row["next_attempt_at"] is None, "what is void is not looked at again"


async def test_capture_of_an_expired_hold_is_void(setting: Setting) -> None:
    payment = await setting.open()
    await setting.port.authorise(payment_id=payment.payment_id, payment_method=VISA)
    [intent] = setting.stand_in.inner.book.list_all("payment_intent")
    await setting.stand_in.control(f"expire/{intent['id']}")
    assert (await setting.port.capture(payment_id=payment.payment_id)).state is PaymentState.VOIDED
    assert await setting.told("PaymentCaptured") == []


async def test_refunds_reach_the_traveller_and_the_books(setting: Setting) -> None:
    payment = await setting.captured()
    refund = await setting.refund(payment, 250)
    assert refund.state is RefundState.SUCCEEDED
    assert (await setting.port.get_payment(payment_id=payment.payment_id)).refunded == yen(250)
    balances = setting.balances()
    assert balances == [-1000, 1000, 0]
    assert await setting.told("RefundPaid") == [
        {
            "refund_id": str(refund.refund_id),
            "order_id": str(payment.order_id),
            "amount_minor": 250,
            "reason": "cancelled",
        }
    ]


@both_adapters
async def test_a_refund_beyond_the_captured_is_refused_and_stays_so(setting: Setting) -> None:
    payment = await setting.captured()
    refund_id = uuid4()
    assert (await setting.refund(payment, 1251, refund_id)).state is RefundState.REFUSED_EXCEEDS_CAPTURED
    assert (await setting.refund(payment, 1250)).state is RefundState.SUCCEEDED
    assert (await setting.refund(payment, 1)).state is RefundState.REFUSED_EXCEEDS_CAPTURED
    assert (await setting.refund(payment, 1251, refund_id)).state is RefundState.REFUSED_EXCEEDS_CAPTURED


async def test_refunds_at_the_same_time_share_what_is_left(setting: Setting) -> None:
    payment = await setting.captured()
    states = [each.state for each in await asyncio.gather(*(setting.refund(payment, 500) for _ in range(5)))]
    # 1250 covers 500 twice.
    assert states.count(RefundState.SUCCEEDED) == 2
    assert states.count(RefundState.REFUSED_EXCEEDS_CAPTURED) == 3


async def test_a_pending_refund_succeeds_or_fails_later(setting: Setting) -> None:
    payment = await setting.captured(method="pm_card_pendingRefund")
    succeeds, fails = await setting.refund(payment, 200), await setting.refund(payment, 300)
    assert (succeeds.state, fails.state) == (RefundState.PENDING, RefundState.PENDING)
    assert setting.net(REFUNDS_DUE) == 500
    for refund, status in ((succeeds, "succeeded"), (fails, "failed")):
        [there] = setting.stand_in.inner.book.list_all(
            "refund", {"metadata.refund_id": str(refund.refund_id)}
        )
        await setting.stand_in.control(f"refunds/{there['id']}", status=status)
    ended = [
        await setting.refund(payment, amount, each.refund_id)
        for amount, each in ((200, succeeds), (300, fails))
    ]
    assert [each.state for each in ended] == [RefundState.SUCCEEDED, RefundState.FAILED]
    assert setting.balances() == [-1050, 1050, 0]
    assert (await setting.reconciliation())["is_matched"] is True


async def test_a_refund_that_comes_back_is_booked_back(setting: Setting) -> None:
    payment = await setting.captured(method="pm_card_refundFail")
    refund = await setting.refund(payment, 400)
    assert refund.state is RefundState.SUCCEEDED
    [there] = setting.stand_in.inner.book.list_all("refund")
    await setting.stand_in.control(f"refunds/{there['id']}", status="failed")
    [event] = setting.stand_in.inner.book.list_all("event", {"type": "refund.failed"})
    await setting.send_webhook(event)

    async def is_back() -> bool:
        return (await setting.refund(payment, 400, refund.refund_id)).state is RefundState.FAILED

    await eventually(is_back)
    assert (await setting.port.get_payment(payment_id=payment.payment_id)).refunded == yen(0)
    assert setting.balances() == [-1250, 1250, 0]
    answer = await setting.reconciliation()
    assert answer["is_matched"] is True
    assert [(each["kind"], each["state"]) for each in answer["unfinished"]] == [("refund", "failed")]


async def test_a_refund_whose_return_nobody_told_is_found_on_the_balance(setting: Setting) -> None:
    """No webhook of it comes, only the listing of the provider's balance: its failure moved money."""
    payment = await setting.captured(method="pm_card_refundFail")
    refund = await setting.refund(payment, 400)
    [there] = setting.stand_in.inner.book.list_all("refund")
    await setting.stand_in.control(f"refunds/{there['id']}", status="failed")

    async def is_back() -> bool:
        await setting.house.call("GET", "/api/payments/unmatched", role=Role.ADMIN)
        return (await setting.refund(payment, 400, refund.refund_id)).state is RefundState.FAILED

    await eventually(is_back)
    assert len(await setting.told("RefundReturned")) == 1
    assert setting.balances() == [-1250, 1250, 0]
    assert (await setting.reconciliation())["is_matched"] is True


async def test_earned_fares_cannot_be_refunded_before_they_are_taken_back(setting: Setting) -> None:
    payment = await setting.captured()
    earned = Transfer(
        transfer_id=uuid4(),
        debit=UNEARNED_FARES,
        credit=CARD_CLEARING,
        amount_minor=1000,
        code=TransferCode.ADJUSTMENT,
        reference="test:earned",
        effective_at=NOW,
    )
    [status] = await setting.ledger.post(transfers=[earned])
    assert status.is_done
    refund = await setting.refund(payment, 500)
    assert refund.state is RefundState.FAILED
    assert (await setting.stand_in.client.v1.refunds.list_async()).data == []
    [row] = await setting.rows("select failure from refund")
    assert row["failure"] == "exceeds_credits"


# A time-out is a dropped connection that takes longer: one place is enough for it.
FAULTS = [
    *itertools.product(
        ["error_before", "error_after", "drop_before", "drop_after"],
        ["/v1/payment_intents", "/confirm", "/capture", "/v1/refunds"],
    ),
    ("timeout_before", "/capture"),
    ("timeout_after", "/capture"),
]


@pytest.mark.parametrize(("kind", "ending"), FAULTS)
async def test_after_any_fault_a_repeat_ends_well(setting: Setting, kind: str, ending: str) -> None:
    await setting.stand_in.control("faults", kind=kind, method="POST", ending=ending, delay_s=1.2)
    payment = await setting.open()
    authorise = {"payment_id": payment.payment_id, "payment_method": VISA}
    failures = 0
    for command, arguments in (
        (setting.port.authorise, authorise),
        (setting.port.capture, {"payment_id": payment.payment_id}),
    ):
        try:
            await command(**arguments)  # type: ignore[operator]
        except ProviderUnavailable:
            failures += 1
            await command(**arguments)  # type: ignore[operator]
    refund_id = uuid4()
    refund = await setting.refund(payment, 250, refund_id)
    if ending == "/v1/refunds":
        assert refund.state is RefundState.PENDING, "the command is kept; the worker carries it on"
        failures += 1
        refund = await setting.refund(payment, 250, refund_id)
    assert failures == 1
    assert refund.state is RefundState.SUCCEEDED
    after = await setting.port.get_payment(payment_id=payment.payment_id)
    assert (after.captured, after.refunded) == (yen(1250), yen(250))
    movements = (await setting.stand_in.client.v1.balance_transactions.list_async()).data
    assert [each.amount for each in movements] == [-250, 1250]
    assert (await setting.reconciliation())["is_matched"] is True


async def test_the_provider_is_asked_patiently_when_it_is_busy(setting: Setting) -> None:
    await setting.stand_in.control("faults", kind="rate_limited", count=2)
    payment = await setting.open()
    held = await setting.port.authorise(payment_id=payment.payment_id, payment_method=VISA)
    assert held.state is PaymentState.AUTHORISED


@both_adapters
async def test_the_worker_carries_on_what_a_caller_gave_up(setting: Setting) -> None:
    payment = await setting.open()
    await setting.port.authorise(payment_id=payment.payment_id, payment_method=VISA)
    await setting.stand_in.control("faults", kind="drop_before", ending="/capture", count=1)
    with pytest.raises(ProviderUnavailable):
        await setting.port.capture(payment_id=payment.payment_id)
    await setting.until(payment.payment_id, PaymentState.CAPTURED)
    assert len(await setting.told("PaymentCaptured")) == 1


async def test_a_void_wins_over_a_capture_that_has_not_happened(setting: Setting) -> None:
    payment = await setting.open()
    await setting.port.authorise(payment_id=payment.payment_id, payment_method=VISA)
    await setting.stand_in.control("faults", kind="drop_late", ending="/capture")
    with pytest.raises(ProviderUnavailable):
        await setting.port.capture(payment_id=payment.payment_id)
    assert (await setting.port.void(payment_id=payment.payment_id)).state is PaymentState.VOIDED
    # The lost capture arrives after all, and finds nothing to take.
    assert await setting.stand_in.control("late") == {"came": 1}
    assert (await setting.stand_in.client.v1.balance_transactions.list_async()).data == []


async def test_commands_at_the_same_time_capture_once(setting: Setting) -> None:
    payment = await setting.open()
    await asyncio.gather(
        *(setting.port.authorise(payment_id=payment.payment_id, payment_method=VISA) for _ in range(4))
    )
    await asyncio.gather(*(setting.port.capture(payment_id=payment.payment_id) for _ in range(4)))
    assert len(await setting.told("PaymentCaptured")) == 1
    assert len((await setting.stand_in.client.v1.payment_intents.list_async()).data) == 1


async def test_a_failure_that_comes_late_leaves_a_settled_payment_alone(setting: Setting) -> None:
    payment = await setting.open()
    store = PaymentsStore(setting.service.context.database)
    before = await store.get_payment(payment.payment_id)
    await setting.port.authorise(payment_id=payment.payment_id, payment_method=VISA)
    await setting.port.capture(payment_id=payment.payment_id)
    await store.note_payment_failure(before, "too late")
    [row] = await setting.rows("select next_attempt_at, last_error from payment")
    assert (row["next_attempt_at"], row["last_error"]) == (None, None)


async def test_a_row_is_saved_only_over_the_version_it_was_read_at(setting: Setting) -> None:
    payment = await setting.open()
    store = PaymentsStore(setting.service.context.database)
    row = await store.get_payment(payment.payment_id)
    assert await store.save_payment(replace(row, wanted=Wanted.VOIDED)) is not None
    assert await store.save_payment(replace(row, wanted=Wanted.CAPTURED)) is None


async def test_keys_are_used_again_until_their_call_is_known_to_have_ended(setting: Setting) -> None:
    store, subject = PaymentsStore(setting.service.context.database), uuid4()
    first = await store.begin_call("capture", subject, {"a": 1})
    again = await store.begin_call("capture", subject, {"a": 1})
    assert (first.is_first, again.is_first, again.key) == (True, False, first.key)
    other = await store.begin_call("capture", subject, {"a": 2})
    assert other.key != first.key
    await store.end_call(other.key, "faulted", ProviderUnavailable("broke"))
    fresh = await store.begin_call("capture", subject, {"a": 2})
    assert fresh.key not in (first.key, other.key)
    await setting.service.context.database.execute(
        "update provider_call set started_at = started_at - interval '24 hours' where key = $1", fresh.key
    )
    assert (await store.begin_call("capture", subject, {"a": 2})).key != fresh.key


async def test_a_call_forgotten_by_the_provider_is_found_by_its_effect(setting: Setting) -> None:
    payment = await setting.captured()
    await setting.stand_in.control("faults", kind="drop_after", ending="/v1/refunds")
    refund_id = uuid4()
    assert (await setting.refund(payment, 300, refund_id)).state is RefundState.PENDING
    # A day and more passes: the provider has forgotten the key, and we do not use it again.
    await setting.service.context.database.execute(
        "update provider_call set started_at = started_at - interval '25 hours'"
    )
    setting.stand_in.inner.book.forget_replies(9e12)
    assert (await setting.refund(payment, 300, refund_id)).state is RefundState.SUCCEEDED
    assert len((await setting.stand_in.client.v1.refunds.list_async()).data) == 1


@both_adapters
async def test_ids_belong_to_their_command(setting: Setting) -> None:
    payment = await setting.captured()
    with pytest.raises(PaymentCommandDiffers):
        await setting.port.open_payment(
            payment_id=payment.payment_id, order_id=uuid4(), traveller_id="alice", amount=payment.amount
        )
    refund = await setting.refund(payment, 100)
    with pytest.raises(PaymentCommandDiffers):
        await setting.refund(payment, 101, refund.refund_id)
    with pytest.raises(PaymentNotFound):
        await setting.port.capture(payment_id=uuid4())


async def test_a_payment_is_seen_by_its_traveller_and_administrators_only(setting: Setting) -> None:
    payment = await setting.captured()
    path = f"/api/payments/{payment.payment_id}"
    status, body = await setting.house.call("GET", path)
    assert (status, body["captured"]) == (200, {"amount_minor": 1250, "currency": "JPY"})
    assert (await setting.house.call("GET", path, role=Role.ADMIN, subject="root"))[0] == 200
    status, body = await setting.house.call("GET", path, subject="mallory")
    assert (status, body["code"]) == (404, "payment_not_found")
    assert (await setting.house.call("GET", path, role=Role.CLERK))[0] == 403
    assert (await setting.house.call("GET", "/api/payments/reconciliation"))[0] == 403
    assert (await setting.house.call("GET", f"/api/payments/{uuid4()}"))[0] == 404


async def test_reconciliation_finds_what_only_one_side_knows(setting: Setting) -> None:
    await setting.captured(1000)
    assert (await setting.reconciliation())["is_matched"] is True
    # Somebody charges a card by hand at the provider, and somebody books a payment by hand in the ledger.
    by_hand = await setting.stand_in.client.v1.payment_intents.create_async(
        params={"amount": 700, "currency": "jpy", "payment_method": VISA, "confirm": True}
    )
    wrong = Transfer(
        transfer_id=uuid5(uuid4(), "x"),
        debit=CARD_CLEARING,
        credit=UNEARNED_FARES,
        amount_minor=30,
        code=TransferCode.PAYMENT,
        reference="test:by hand",
        effective_at=NOW,
    )
    await setting.ledger.post(transfers=[wrong])
    answer = await setting.reconciliation()
    assert answer["is_matched"] is False
    found = {
        (each["kind"], each["subject_id"]): (
            each["ours_minor"],
            each["ledger_minor"],
            each["provider_minor"],
        )
        for each in answer["unmatched"]
    }
    assert found == {
        ("provider_movement", str(by_hand.latest_charge)): (0, 0, 700),
        ("ledger_entry", str(wrong.transfer_id)): (0, 30, 0),
    }
    assert (answer["ours_minor"], answer["ledger_minor"], answer["provider_minor"]) == (1000, 1030, 1700)
    # 3.6 % of 1000 is 36, of 700 is 25.2.
    assert answer["provider_fees_minor"] == 61
    assert answer["matched_count"] == 1
