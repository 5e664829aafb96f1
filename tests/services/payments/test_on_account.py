"""Business customers: their people travel on account, within a limit, and an invoice is paid once."""

import asyncio
from typing import Any

from payments.accounts import BANK_CASH, CARD_CLEARING, ON_ACCOUNT, UNEARNED_FARES
from payments.ports import PaymentState, RefundState
from services.payments.on_account.adapter import METHOD
from services.platform.auth import Role
from tests.services.payments.setting import VISA, Setting

ADMIN: Any = {"role": Role.ADMIN, "subject": "root"}


async def put_business(setting: Setting, limit: int = 10_000, members: tuple[str, ...] = ("alice",)) -> None:
    body = {"name": "ACME", "credit_limit_minor": limit, "terms_days": 30, "members": list(members)}
    status, answer = await setting.house.call("PUT", "/api/payments/businesses/acme", body=body, **ADMIN)
    assert status == 200, answer


async def test_travel_on_account_is_invoiced_and_paid_once(setting: Setting) -> None:
    await put_business(setting)
    payment = await setting.captured(4_000, METHOD)
    assert payment.state is PaymentState.CAPTURED
    assert (-setting.net(ON_ACCOUNT), setting.net(UNEARNED_FARES), setting.net(CARD_CLEARING)) == (
        4_000,
        4_000,
        0,
    )
    refund = await setting.refund(payment, 1_000)
    assert refund.state is RefundState.SUCCEEDED
    path = "/api/payments/businesses/acme/invoices"
    issued = [await setting.house.call("POST", path, key="k", **ADMIN) for _ in range(2)]
    assert issued[0] == issued[1]
    status, invoice = issued[0]
    assert (status, invoice["amount_minor"], invoice["due_on"]) == (200, 3_000, "2026-06-19")
    assert (await setting.house.call("POST", path, **ADMIN))[0] == 409, "nothing is left to invoice"
    for _ in range(2):
        paid = await setting.house.call(
            "POST", f"/api/payments/business-invoices/{invoice['invoice_id']}/paid", **ADMIN
        )
        assert (paid[0], bool(paid[1]["paid_at"])) == (200, True)
    assert (-setting.net(BANK_CASH), setting.net(ON_ACCOUNT)) == (3_000, 0)
    assert (await setting.reconciliation())["is_matched"] is True
    assert setting.stand_in.inner.book.list_all("payment_intent") == []


async def test_the_limit_counts_what_is_open_also_at_the_same_time(setting: Setting) -> None:
    await put_business(setting, limit=10_000)
    payments = [await setting.open(4_000) for _ in range(4)]
    answers = await asyncio.gather(
        *(setting.port.authorise(payment_id=each.payment_id, payment_method=METHOD) for each in payments)
    )
    # 10,000 covers 4,000 twice.
    assert [each.state for each in answers].count(PaymentState.AUTHORISED) == 2
    declined = [each for each in answers if each.state is PaymentState.DECLINED]
    assert {each.decline_code for each in declined} == {"credit_limit_exceeded"}
    held = next(each for each in answers if each.state is PaymentState.AUTHORISED)
    await setting.port.void(payment_id=held.payment_id)
    again = await setting.open(4_000)
    answer = await setting.port.authorise(payment_id=again.payment_id, payment_method=METHOD)
    assert answer.state is PaymentState.AUTHORISED


async def test_who_works_for_no_business_is_declined_and_may_pay_by_card(setting: Setting) -> None:
    payment = await setting.open()
    declined = await setting.port.authorise(payment_id=payment.payment_id, payment_method=METHOD)
    assert (declined.state, declined.decline_code) == (PaymentState.DECLINED, "no_business_account")
    held = await setting.port.authorise(payment_id=payment.payment_id, payment_method=VISA)
    assert held.state is PaymentState.AUTHORISED
    taken = await setting.port.capture(payment_id=payment.payment_id)
    assert (taken.state, -setting.net(CARD_CLEARING), setting.net(ON_ACCOUNT)) == (
        PaymentState.CAPTURED,
        1_250,
        0,
    )


async def test_a_card_that_declined_is_let_go_for_the_account(setting: Setting) -> None:
    await put_business(setting)
    payment = await setting.open()
    await setting.port.authorise(payment_id=payment.payment_id, payment_method="pm_card_chargeDeclined")
    held = await setting.port.authorise(payment_id=payment.payment_id, payment_method=METHOD)
    assert held.state is PaymentState.AUTHORISED
    [intent] = setting.stand_in.inner.book.list_all("payment_intent")
    assert intent["status"] == "canceled", "its payer cannot act on it any more"
    await setting.port.capture(payment_id=payment.payment_id)
    assert (-setting.net(ON_ACCOUNT), setting.net(CARD_CLEARING)) == (1_250, 0)
