"""Wallets: opened, filled, paid from, and their statement."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from payments.accounts import UNEARNED_FARES
from payments.money import yen
from payments.ports import PaymentState, RefundState
from services.platform.auth import Role
from tests.services.payments.running import RunningStandIn
from tests.services.payments.wallet_setting import (
    ASKS_EVERY_TIME,
    ASKS_FIRST,
    DECLINED,
    FAILS_LATER,
    NOW,
    VISA,
    WalletSetting,
    wallet_setting,
)

TERMS: dict[str, Any] = {
    "traveller_id": "t",
    "products": ["travel"],
    "valid_until": "2026-06-30T00:00:00+09:00",
}


@pytest.fixture
async def setting(
    database_url: str, stand_in: RunningStandIn, tmp_path: Path
) -> AsyncIterator[WalletSetting]:
    async with wallet_setting(database_url, stand_in, tmp_path) as found:
        yield found


async def test_a_wallet_is_opened_and_filled_from_a_card(setting: WalletSetting) -> None:
    assert (await setting.house.call("GET", "/api/wallet"))[0] == 404
    assert (await setting.put("/api/wallet"))["balance"] == {"amount_minor": 0, "currency": "JPY"}
    assert (await setting.top_up(3000))["state"] == "paid"
    wallet = await setting.get("/api/wallet")
    assert (wallet["state"], wallet["balance"]["amount_minor"]) == ("open", 3000)
    assert (setting.balance(), setting.collected()) == (3000, 3000)
    await setting.check_match()


async def test_a_repeated_top_up_is_one_top_up(setting: WalletSetting) -> None:
    await setting.put("/api/wallet")
    first = await setting.top_up(3000, key="k")
    assert await setting.top_up(3000, key="k") == first
    assert setting.balance() == 3000


async def test_a_declined_card_fills_nothing(setting: WalletSetting) -> None:
    await setting.put("/api/wallet")
    answer = await setting.top_up(3000, DECLINED)
    assert (answer["state"], answer["decline_code"]) == ("declined", "generic_decline")
    assert setting.balance() == 0
    await setting.check_match()


@pytest.mark.parametrize(
    ("amount", "status"), [(99, 422), (100, 201), (100_000, 201), (100_001, 422), (0, 422)]
)
async def test_a_top_up_has_bounds(setting: WalletSetting, amount: int, status: int) -> None:
    await setting.put("/api/wallet")
    body = {"amount": amount, "payment_method": VISA}
    assert (await setting.house.call("POST", "/api/wallet/top-ups", body=body))[0] == status


async def test_top_ups_at_once_never_lift_a_wallet_over_its_bound(setting: WalletSetting) -> None:
    """Five of 30,000 at once: three are 90,000, a fourth would be 120,000 of the 100,000 allowed."""
    await setting.put("/api/wallet")
    body = {"amount": 30_000, "payment_method": VISA}
    answers = await asyncio.gather(
        *(setting.house.call("POST", "/api/wallet/top-ups", body=body) for _ in range(5))
    )
    assert sorted(status for status, _ in answers) == [201, 201, 201, 422, 422]
    assert setting.balance() == 90_000
    await setting.check_match()


async def test_a_top_up_has_a_receipt_that_is_out_of_the_scope_of_tax(setting: WalletSetting) -> None:
    await setting.put("/api/wallet")
    paid = await setting.top_up(3_000)
    path = f"/api/wallet/top-ups/{paid['top_up_id']}/receipt"
    receipt = await setting.get(path)
    assert (receipt["total_minor"], receipt["is_exempt"], receipt["is_qualified"]) == (3_000, False, False)
    assert receipt["totals"] == [
        {"rate_percent": None, "net_minor": 3_000, "tax_minor": 0, "total_minor": 3_000}
    ]
    status, problem = await setting.house.call("GET", path, subject="bob")
    assert (status, problem["code"]) == (404, "top_up_not_found")


async def test_a_traveller_who_must_act_first_comes_back(setting: WalletSetting) -> None:
    await setting.put("/api/wallet")
    waiting = await setting.top_up(3000, ASKS_FIRST)
    assert (waiting["state"], waiting["next_action_url"] is not None) == ("open", True)
    await setting.act_at(waiting["next_action_url"])
    path = f"/api/wallet/top-ups/{waiting['top_up_id']}"
    assert (await setting.get(path))["state"] == "paid"
    assert (await setting.house.call("GET", path, subject="bob"))[0] == 404
    assert setting.balance() == 3000
    await setting.check_match()


async def test_a_traveller_who_never_acts_is_given_up(setting: WalletSetting) -> None:
    await setting.put("/api/wallet")
    waiting = await setting.top_up(3000, ASKS_FIRST)
    setting.clock.set(NOW + timedelta(hours=1, seconds=1))
    answer = await setting.get(f"/api/wallet/top-ups/{waiting['top_up_id']}")
    assert (answer["state"], answer["decline_code"]) == ("declined", "authentication_required")
    [intent] = (await setting.stand_in.client.v1.payment_intents.list_async()).data
    assert intent.status == "canceled"


async def test_an_order_is_paid_from_the_wallet(setting: WalletSetting) -> None:
    await setting.filled(3000)
    payment = await setting.opened(1250)
    held = await setting.port.authorise(payment_id=payment.payment_id, payment_method="wallet")
    assert held.state is PaymentState.AUTHORISED
    wallet = await setting.get("/api/wallet")
    assert (wallet["balance"]["amount_minor"], wallet["held"]["amount_minor"]) == (1750, 1250)
    taken = await setting.port.capture(payment_id=payment.payment_id)
    assert (taken.state, taken.captured) == (PaymentState.CAPTURED, yen(1250))
    assert await setting.port.capture(payment_id=payment.payment_id) == taken
    assert (setting.balance(), setting.net(UNEARNED_FARES)) == (1750, 1250)
    await setting.check_match()


async def test_a_void_lets_the_held_value_go(setting: WalletSetting) -> None:
    await setting.filled(3000)
    payment = await setting.opened(1250)
    await setting.port.authorise(payment_id=payment.payment_id, payment_method="wallet")
    voided = await setting.port.void(payment_id=payment.payment_id)
    assert (voided.state, setting.balance()) == (PaymentState.VOIDED, 3000)
    assert (await setting.port.capture(payment_id=payment.payment_id)).state is PaymentState.VOIDED
    assert setting.net(UNEARNED_FARES) == 0


async def test_a_wallet_too_empty_may_be_filled_and_tried_again(setting: WalletSetting) -> None:
    await setting.filled(1000)
    payment = await setting.opened(1250)
    declined = await setting.port.authorise(payment_id=payment.payment_id, payment_method="wallet")
    assert (declined.state, declined.decline_code) == (PaymentState.DECLINED, "insufficient_funds")
    await setting.top_up(300)
    held = await setting.port.authorise(payment_id=payment.payment_id, payment_method="wallet")
    assert (held.state, setting.balance()) == (PaymentState.AUTHORISED, 50)


async def test_two_payments_at_once_never_spend_the_same_yen(setting: WalletSetting) -> None:
    await setting.filled(2000)
    payments = [await setting.opened(1250) for _ in range(2)]
    states = [
        (await setting.port.authorise(payment_id=each.payment_id, payment_method="wallet")).state
        for each in payments
    ]
    assert states == [PaymentState.AUTHORISED, PaymentState.DECLINED]
    assert setting.balance() == 750


async def test_without_a_wallet_there_is_nothing_to_pay_with(setting: WalletSetting) -> None:
    payment = await setting.opened(100)
    declined = await setting.port.authorise(payment_id=payment.payment_id, payment_method="wallet")
    assert (declined.state, declined.decline_code) == (PaymentState.DECLINED, "wallet_not_open")


async def test_a_card_takes_over_from_a_wallet_and_the_other_way_round(setting: WalletSetting) -> None:
    """Whichever was tried before holds nothing in the end."""
    await setting.filled(1000)
    first = await setting.opened(1250)
    await setting.port.authorise(payment_id=first.payment_id, payment_method="wallet")
    by_card = await setting.port.authorise(payment_id=first.payment_id, payment_method=VISA)
    assert (by_card.state, setting.balance()) == (PaymentState.AUTHORISED, 1000)
    second = await setting.opened(500)
    waits = await setting.port.authorise(payment_id=second.payment_id, payment_method=ASKS_FIRST)
    assert waits.state is PaymentState.REQUIRES_ACTION
    by_wallet = await setting.port.authorise(payment_id=second.payment_id, payment_method="wallet")
    assert (by_wallet.state, setting.balance()) == (PaymentState.AUTHORISED, 500)
    intents = (await setting.stand_in.client.v1.payment_intents.list_async()).data
    [left] = [each for each in intents if each.metadata["payment_id"] == str(second.payment_id)]
    assert left.status == "canceled"
    for each in (first, second):
        assert (await setting.port.capture(payment_id=each.payment_id)).state is PaymentState.CAPTURED
    assert setting.net(UNEARNED_FARES) == 1750
    await setting.check_match()


async def test_a_card_may_follow_a_wallet_that_followed_a_card(setting: WalletSetting) -> None:
    await setting.filled(1000)
    payment = await setting.opened(1250)
    for method in (DECLINED, "wallet"):
        state = (await setting.port.authorise(payment_id=payment.payment_id, payment_method=method)).state
        assert state is PaymentState.DECLINED
    held = await setting.port.authorise(payment_id=payment.payment_id, payment_method=VISA)
    assert held.state is PaymentState.AUTHORISED
    assert (await setting.port.capture(payment_id=payment.payment_id)).captured == yen(1250)
    await setting.check_match()


async def test_a_refund_goes_back_into_the_wallet(setting: WalletSetting) -> None:
    await setting.filled(3000)
    payment = await setting.paid(1250)
    refund = await setting.port.refund(
        refund_id=uuid4(), payment_id=payment.payment_id, amount=yen(250), reason="cancelled"
    )
    assert (refund.state, setting.balance()) == (RefundState.SUCCEEDED, 2000)
    too_much = await setting.port.refund(
        refund_id=uuid4(), payment_id=payment.payment_id, amount=yen(1001), reason="cancelled"
    )
    assert too_much.state is RefundState.REFUSED_EXCEEDS_CAPTURED
    assert setting.net(UNEARNED_FARES) == 1000
    await setting.check_match()


async def test_the_wallet_fills_itself_before_it_runs_dry(setting: WalletSetting) -> None:
    """Threshold 1000, 3000 at a time, 6000 a day: the day's third top-up is refused."""
    await setting.filled(500)
    terms = {"threshold": 1000, "amount": 3000, "day_ceiling": 6000}
    assert (await setting.house.call("PUT", "/api/wallet/auto-top-up", body=terms))[0] == 404, "no card"
    await setting.keep_card()
    assert (await setting.put("/api/wallet/auto-top-up", terms))["auto_top_up"] == terms
    assert (await setting.paid(2000)).state is PaymentState.CAPTURED
    assert setting.balance() == 500 + 3000 - 2000
    assert (await setting.paid(1400)).state is PaymentState.CAPTURED
    assert setting.balance() == 1500 + 3000 - 1400
    declined = await setting.opened(3200)
    await setting.port.authorise(payment_id=declined.payment_id, payment_method="wallet")
    assert setting.balance() == 3100, "the ceiling of the day is reached"
    setting.clock.set(NOW + timedelta(days=1))
    assert (await setting.paid(3200)).state is PaymentState.CAPTURED
    assert setting.balance() == 3100 + 3000 - 3200
    listed = (await setting.get("/api/wallet/top-ups"))["top_ups"]
    assert sorted((each["is_automatic"], each["amount"]["amount_minor"]) for each in listed) == [
        (False, 500),
        (True, 3000),
        (True, 3000),
        (True, 3000),
    ]
    await setting.check_match()


@pytest.mark.parametrize(
    ("card", "code"),
    [(FAILS_LATER, "generic_decline"), (ASKS_EVERY_TIME, "authentication_required")],
)
async def test_an_automatic_top_up_that_is_declined_is_not_tried_again_that_day(
    setting: WalletSetting, card: str, code: str
) -> None:
    await setting.filled(500)
    await setting.keep_card(card)
    await setting.put("/api/wallet/auto-top-up", {"threshold": 0, "amount": 1000, "day_ceiling": 9000})
    for tries in (1, 1, 2):
        if tries == 2:
            setting.clock.set(NOW + timedelta(days=1))
        payment = await setting.opened(600)
        declined = await setting.port.authorise(payment_id=payment.payment_id, payment_method="wallet")
        assert declined.decline_code == "insufficient_funds"
        rows = await setting.rows("select state, decline_code from top_up where is_automatic")
        assert [tuple(row) for row in rows] == [("declined", code)] * tries
    assert (await setting.house.call("DELETE", "/api/wallet/auto-top-up"))[1]["auto_top_up"] is None
    await setting.check_match()


async def test_the_statement_shows_every_movement_once(setting: WalletSetting) -> None:
    await setting.filled(3000)
    payment = await setting.paid(1250)
    await setting.port.refund(
        refund_id=uuid4(), payment_id=payment.payment_id, amount=yen(250), reason="cancelled"
    )
    entries, after = [], 0
    while True:
        page = await setting.get(f"/api/wallet/entries?after={after}&limit=2")
        entries += page["entries"]
        if page["next_after"] is None:
            break
        after = page["next_after"]
    assert [each["amount"]["amount_minor"] for each in entries] == [3000, -1250, 250]
    assert [each["code"] for each in entries] == ["payment", "payment", "refund"]
    assert sum(each["amount"]["amount_minor"] for each in entries) == setting.balance()
    assert (await setting.house.call("GET", "/api/wallet/entries", subject="bob"))[0] == 404


EARLY = "0001-01-01T00:00:00+12:00"
BEYOND_ALL_TABLES = [
    ("GET", f"/api/wallet/entries?after={2**63}", None, Role.TRAVELLER),
    ("GET", "/api/bills?limit=501", None, Role.TRAVELLER),
    ("POST", "/api/wallet/top-ups", {"amount": 2**63, "payment_method": VISA}, Role.TRAVELLER),
    ("PUT", "/api/wallet/auto-top-up", {"threshold": 0, "amount": 100, "day_ceiling": 2**63}, Role.TRAVELLER),
    ("POST", "/api/counters/c/sales", {"amount": 1, "reference": "\0r", "operator_id": "o"}, Role.CLERK),
    ("POST", "/api/counters/c/sales", {"amount": 1, "reference": "r", "operator_id": "\0o"}, Role.CLERK),
    ("POST", "/api/counters/c/sales", {"amount": 1, "reference": "r", "sold_at": EARLY}, Role.CLERK),
    ("POST", "/api/mandates", TERMS | {"traveller_id": "\0t"}, Role.TRAVELLER),
    ("POST", "/api/mandates", TERMS | {"valid_until": "9999-12-31T23:59:59-12:00"}, Role.TRAVELLER),
    ("GET", "/api/cashless-ratio?first=2026-13&last=2026-12", None, Role.ADMIN),
]


async def test_what_no_table_holds_is_refused_at_the_edge(setting: WalletSetting) -> None:
    await setting.put("/api/wallet")
    for method, path, body, role in BEYOND_ALL_TABLES:
        status, answer = await setting.house.call(method, path, body=body, role=role)
        assert (status, answer["code"]) == (422, "validation_failed"), (path, body, answer)
