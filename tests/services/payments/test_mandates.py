"""Mandates at work: offered, accepted, charged within their limits, corrected, revoked; and for orders."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest

from payments.accounts import traveller_receivable
from payments.money import yen
from payments.ports import Charge, ChargeStatus, CollectionPort, PaymentState
from tests.services.payments.running import RunningStandIn
from tests.services.payments.wallet_setting import NOW, WalletSetting, wallet_setting

DAY = date(2026, 5, 20)
TERMS = {"products": ["travel", "orders"], "valid_until": "2026-06-30T00:00:00+09:00"}


@pytest.fixture
async def setting(
    database_url: str, stand_in: RunningStandIn, tmp_path: Path
) -> AsyncIterator[WalletSetting]:
    async with wallet_setting(database_url, stand_in, tmp_path) as found:
        yield found


async def offer(setting: WalletSetting, **terms: Any) -> str:
    body = TERMS | {"traveller_id": "takeshi"} | terms
    status, answer = await setting.house.call("POST", "/api/mandates", subject="mother", body=body)
    assert status == 201, answer
    mandate_id: str = answer["mandate_id"]
    return mandate_id


async def in_force(setting: WalletSetting, **terms: Any) -> str:
    mandate_id = await offer(setting, **terms)
    await setting.put(f"/api/mandates/{mandate_id}/accept", subject="takeshi")
    return mandate_id


async def ride(
    setting: WalletSetting, amount: int, *, reference: str = "", modes: tuple[str, ...] = ("subway",)
) -> Charge:
    port = cast("CollectionPort", setting.service.ports[CollectionPort])
    charge = Charge(
        charge_id=uuid4(),
        customer_id="takeshi",
        amount=yen(amount),
        reference=reference or f"travel:{uuid4()}",
        service_date=DAY,
        modes=modes,
    )
    assert await port.charge(charges=[charge]) == [ChargeStatus.RECORDED]
    return charge


def owes(setting: WalletSetting) -> tuple[int, int]:
    """What the payer and the traveller owe."""
    opened = setting.ledger.books.accounts
    return tuple(  # type: ignore[return-value]
        -setting.net(traveller_receivable(name)) if traveller_receivable(name) in opened else 0
        for name in ("mother", "takeshi")
    )


async def test_only_an_accepted_mandate_pays(setting: WalletSetting) -> None:
    mandate_id = await offer(setting)
    await ride(setting, 178)
    assert owes(setting) == (0, 178)
    call = setting.house.call
    assert (await call("PUT", f"/api/mandates/{mandate_id}/accept", subject="mother"))[0] == 403
    assert (await call("PUT", f"/api/mandates/{mandate_id}/accept", subject="stranger"))[0] == 404
    await setting.put(f"/api/mandates/{mandate_id}/accept", subject="takeshi")
    await ride(setting, 210)
    assert owes(setting) == (210, 178)
    [seen] = (await setting.get("/api/mandates", subject="mother"))["mandates"]
    assert (seen["used_today"]["amount_minor"], seen["used_this_month"]["amount_minor"]) == (210, 210)


async def test_limits_and_modes_are_checked_when_charging(setting: WalletSetting) -> None:
    await in_force(setting, ride_max=300, day_max=500, modes=["subway", "bus"])
    await ride(setting, 301)
    await ride(setting, 300)
    await ride(setting, 200, modes=("ferry",))
    await ride(setting, 201)
    await ride(setting, 200, modes=("bus", "subway"))
    assert owes(setting) == (500, 301 + 200 + 201)


async def test_what_one_mandate_does_not_allow_the_next_may(setting: WalletSetting) -> None:
    await in_force(setting, ride_max=200)
    await in_force(setting, ride_max=400)
    await ride(setting, 300)
    assert owes(setting) == (300, 0)
    used = [
        each["used_today"]["amount_minor"]
        for each in (await setting.get("/api/mandates", subject="takeshi"))["mandates"]
    ]
    assert sorted(used) == [0, 300]


async def test_a_correction_goes_back_to_whoever_paid(setting: WalletSetting) -> None:
    """Also when the mandate is over by then, and when the ride was the traveller's own."""
    mandate_id = await in_force(setting, day_max=3000)
    await ride(setting, 2500, reference="travel:a")
    await setting.put(f"/api/mandates/{mandate_id}/revoke", subject="takeshi")
    await ride(setting, 1000, reference="travel:b")
    await ride(setting, -2322, reference="travel:a")
    await ride(setting, -100, reference="travel:b")
    assert owes(setting) == (178, 900)
    [seen] = (await setting.get("/api/mandates", subject="mother"))["mandates"]
    assert seen["used_today"]["amount_minor"] == 178


async def test_a_days_further_charges_count_against_its_limit(setting: WalletSetting) -> None:
    """A day is charged by its differences, under one reference; what exceeds the limit comes back first."""
    await in_force(setting, day_max=500)
    for amount in (300, 200, 100):
        await ride(setting, amount, reference="travel:day")
    assert owes(setting) == (500, 100)
    await ride(setting, -80, reference="travel:day")
    assert owes(setting) == (500, 20)
    await ride(setting, -150, reference="travel:day")
    assert owes(setting) == (350, 20)
    await ride(setting, 150, reference="travel:day")
    assert owes(setting) == (500, 20)


async def test_what_is_given_back_may_be_used_again_that_day(setting: WalletSetting) -> None:
    await in_force(setting, day_max=500)
    await ride(setting, 500, reference="travel:a")
    await ride(setting, -300, reference="travel:a")
    await ride(setting, 300)
    assert owes(setting) == (500, 0)


async def test_charges_at_once_never_exceed_a_limit(setting: WalletSetting) -> None:
    await in_force(setting, day_max=500)
    await asyncio.gather(*(ride(setting, 200) for _ in range(6)))
    assert owes(setting) == (400, 800)


async def test_an_order_is_paid_from_the_payers_wallet(setting: WalletSetting) -> None:
    await setting.filled(3000, subject="mother")
    mandate_id = await in_force(setting, ride_max=2000)
    payment = await setting.opened(1250, "takeshi")
    held = await setting.port.authorise(payment_id=payment.payment_id, payment_method=f"mandate:{mandate_id}")
    assert held.state is PaymentState.AUTHORISED
    taken = await setting.port.capture(payment_id=payment.payment_id)
    assert (taken.state, setting.balance("mother")) == (PaymentState.CAPTURED, 1750)
    await setting.port.refund(
        refund_id=uuid4(), payment_id=payment.payment_id, amount=yen(250), reason="cancelled"
    )
    assert setting.balance("mother") == 2000, "it goes back to whoever paid"


@pytest.mark.parametrize(
    ("terms", "amount", "modes", "code"),
    [
        ({"products": ["travel"]}, 100, ["bus"], "mandate_product_not_covered"),
        ({"modes": ["bus"]}, 100, ["bus", "ferry"], "mandate_mode_not_covered"),
        ({"ride_max": 99}, 100, ["bus"], "mandate_exceeds_ride"),
        ({}, 1001, ["bus"], "insufficient_funds"),
    ],
)
async def test_an_order_beyond_the_mandate_is_declined(
    setting: WalletSetting, terms: dict[str, Any], amount: int, modes: list[str], code: str
) -> None:
    await setting.filled(1000, subject="mother")
    mandate_id = await in_force(setting, **terms)
    payment = await setting.port.open_payment(
        payment_id=uuid4(), order_id=uuid4(), traveller_id="takeshi", amount=yen(amount), modes=modes
    )
    declined = await setting.port.authorise(
        payment_id=payment.payment_id, payment_method=f"mandate:{mandate_id}"
    )
    assert (declined.state, declined.decline_code) == (PaymentState.DECLINED, code)
    assert setting.balance("mother") == 1000
    [seen] = (await setting.get("/api/mandates", subject="mother"))["mandates"]
    assert seen["used_today"]["amount_minor"] == 0


async def test_nobody_pays_by_anothers_mandate(setting: WalletSetting) -> None:
    await setting.filled(1000, subject="mother")
    mandate_id = await in_force(setting)
    for method in (f"mandate:{mandate_id}", f"mandate:{uuid4()}"):
        payment = await setting.opened(100, "stranger")
        declined = await setting.port.authorise(payment_id=payment.payment_id, payment_method=method)
        assert declined.decline_code == "mandate_not_accepted"


async def test_a_void_frees_what_was_reserved_of_the_mandate(setting: WalletSetting) -> None:
    await setting.filled(1000, subject="mother")
    mandate_id = await in_force(setting, day_max=500)
    first, second = await setting.opened(500, "takeshi"), await setting.opened(500, "takeshi")
    method = f"mandate:{mandate_id}"
    for payment, state in ((first, PaymentState.AUTHORISED), (second, PaymentState.DECLINED)):
        answer = await setting.port.authorise(payment_id=payment.payment_id, payment_method=method)
        assert answer.state is state
    await setting.port.void(payment_id=first.payment_id)
    held = await setting.port.authorise(payment_id=second.payment_id, payment_method=method)
    assert (held.state, setting.balance("mother")) == (PaymentState.AUTHORISED, 500)


async def test_a_mandate_ends_by_itself(setting: WalletSetting) -> None:
    await in_force(setting)
    setting.clock.set(NOW + timedelta(days=60))
    await ride(setting, 178)
    assert owes(setting) == (0, 178)


@pytest.mark.parametrize(
    "terms",
    [
        {"traveller_id": "mother"},
        {"traveller_id": "operator:Toei"},
        {"valid_until": "2026-05-20T00:00:00+09:00"},
        {"valid_until": "2026-05-21T00:00:00"},
        {"products": []},
        {"day_max": 0},
    ],
)
async def test_a_mandate_that_makes_no_sense_is_refused(setting: WalletSetting, terms: Any) -> None:
    body = TERMS | {"traveller_id": "takeshi"} | terms
    assert (await setting.house.call("POST", "/api/mandates", subject="mother", body=body))[0] == 422
