"""Cards kept for later: set up with the bank's consent, charged when nobody is there, forgotten."""

from contextlib import suppress
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from payments.accounts import UNEARNED_FARES
from payments.errors import PaymentCommandDiffers, ProviderUnavailable, SavedMethodNotFound
from payments.ports import Payment, PaymentState, SavedMethod, SavedMethodsPort, SavedMethodState
from services.payments.methods.store import MethodsStore
from services.payments.stand_in.server import StandIn
from tests.services.payments.setting import VISA, Setting, answer_bank, eventually

SCA = "pm_card_authenticationRequiredOnSetup"
ALWAYS_ASKS = "pm_card_authenticationRequired"


def port_of(setting: Setting) -> SavedMethodsPort:
    return cast("SavedMethodsPort", setting.service.ports[SavedMethodsPort])


async def save(setting: Setting, card: str = VISA, customer_id: str = "alice", **more: Any) -> SavedMethod:
    method_id: UUID = more.get("method_id") or uuid4()
    return await port_of(setting).save_method(
        method_id=method_id, customer_id=customer_id, payment_method=card
    )


async def charge(setting: Setting, method: SavedMethod, traveller_id: str = "alice") -> Payment:
    payment = await setting.open(500, traveller_id=traveller_id)
    return await port_of(setting).authorise_off_session(
        payment_id=payment.payment_id, method_id=method.method_id
    )


def attached(stand_in: StandIn) -> list[tuple[str, bool]]:
    """The test card behind each payment method there, and whether a customer has it."""
    methods = stand_in.book.list_all("payment_method")
    return [(each["metadata"]["test_card"], each["customer"] is not None) for each in reversed(methods)]


async def test_a_kept_card_is_charged_when_nobody_is_there(setting: Setting) -> None:
    method = await save(setting)
    assert (method.state, method.is_default) == (SavedMethodState.READY, True)
    assert (method.brand, method.last4, method.exp_month, method.exp_year) == ("visa", "4242", 12, 2034)
    held = await charge(setting, method)
    assert held.state is PaymentState.AUTHORISED
    await setting.port.capture(payment_id=held.payment_id)
    assert setting.net(UNEARNED_FARES) == 500
    assert (await setting.reconciliation())["is_matched"] is True


async def test_keeping_may_be_repeated_and_belongs_to_its_command(setting: Setting) -> None:
    method = await save(setting)
    assert await save(setting, method_id=method.method_id) == method
    assert len(setting.stand_in.inner.book.list_all("setup_intent")) == 1
    assert len(setting.stand_in.inner.book.list_all("customer")) == 1
    with pytest.raises(PaymentCommandDiffers):
        await save(setting, "pm_card_jcb", method_id=method.method_id)
    # The person's second card is kept for the same customer there.
    await save(setting, "pm_card_jcb")
    assert len(setting.stand_in.inner.book.list_all("customer")) == 1


async def test_a_bank_that_asks_once_is_asked_at_the_setup(setting: Setting) -> None:
    method = await save(setting, SCA)
    assert method.state is SavedMethodState.REQUIRES_ACTION
    assert await port_of(setting).find_default_method(customer_id="alice") is None
    await answer_bank(setting, method.next_action_url, "approve")
    for event in setting.stand_in.inner.book.list_all("event", {"type": "setup_intent.succeeded"}):
        assert await setting.send_webhook(event) == 200

    async def is_ready() -> bool:
        [listed] = await port_of(setting).list_saved_methods(customer_id="alice")
        return listed.state is SavedMethodState.READY

    await eventually(is_ready)
    assert (await charge(setting, method)).state is PaymentState.AUTHORISED


async def test_a_payer_who_refuses_at_the_bank_keeps_no_card(setting: Setting) -> None:
    method = await save(setting, SCA)
    await answer_bank(setting, method.next_action_url, "refuse")
    status, body = await setting.house.call("GET", f"/api/payments/methods/{method.method_id}")
    assert (status, body["state"]) == (200, "failed")
    assert body["failure"] == "setup_intent_authentication_failure"


async def test_a_bank_that_always_asks_declines_when_nobody_is_there(setting: Setting) -> None:
    method = await save(setting, ALWAYS_ASKS)
    await answer_bank(setting, method.next_action_url, "approve")
    await setting.house.call("GET", f"/api/payments/methods/{method.method_id}")
    declined = await charge(setting, method)
    assert (declined.state, declined.decline_code) == (PaymentState.DECLINED, "authentication_required")
    # When the payer is back, the same card asks them and is charged.
    [ready] = await port_of(setting).list_saved_methods(customer_id="alice")
    other = await setting.open()
    waiting = await setting.port.authorise(
        payment_id=other.payment_id, payment_method=str(ready.payment_method)
    )
    assert waiting.state is PaymentState.REQUIRES_ACTION


async def test_a_card_that_its_bank_declines_is_not_kept(setting: Setting) -> None:
    method = await save(setting, "pm_card_chargeDeclinedExpiredCard")
    assert (method.state, method.failure) == (SavedMethodState.FAILED, "expired_card")
    with pytest.raises(SavedMethodNotFound):
        await charge(setting, method)


async def test_a_kept_card_may_decline_later(setting: Setting) -> None:
    method = await save(setting, "pm_card_chargeCustomerFail")
    assert method.state is SavedMethodState.READY
    declined = await charge(setting, method)
    assert (declined.state, declined.decline_code) == (PaymentState.DECLINED, "generic_decline")


async def test_a_card_is_its_customers_only(setting: Setting) -> None:
    method = await save(setting)
    with pytest.raises(SavedMethodNotFound):
        await charge(setting, method, traveller_id="mallory")
    # Nor by the provider's id, which she may have learned somewhere.
    payment = await setting.open(traveller_id="mallory")
    declined = await setting.port.authorise(
        payment_id=payment.payment_id, payment_method=str(method.payment_method)
    )
    assert declined.state is PaymentState.DECLINED
    path = f"/api/payments/methods/{method.method_id}"
    assert (await setting.house.call("GET", path, subject="mallory"))[0] == 404
    assert (await setting.house.call("DELETE", path, subject="mallory"))[0] == 404


async def test_a_forgotten_card_is_gone_here_and_there(setting: Setting) -> None:
    first, second = await save(setting), await save(setting, "pm_card_jcb")
    path = f"/api/payments/methods/{first.method_id}"
    status, body = await setting.house.call("DELETE", path)
    assert (status, body["state"]) == (200, "detached")
    assert attached(setting.stand_in.inner) == [(VISA, False), ("pm_card_jcb", True)]
    listed = await port_of(setting).list_saved_methods(customer_id="alice")
    assert [(each.method_id, each.is_default) for each in listed] == [(second.method_id, True)]
    with pytest.raises(SavedMethodNotFound):
        await charge(setting, first)
    assert (await setting.house.call("DELETE", path))[0] == 200


async def test_the_default_is_the_customers_choice(setting: Setting) -> None:
    first, second = await save(setting), await save(setting, "pm_card_jcb")
    assert (first.is_default, second.is_default) == (True, False)
    status, body = await setting.house.call("PUT", f"/api/payments/methods/{second.method_id}/default")
    assert (status, body["is_default"]) == (200, True)
    default = await port_of(setting).find_default_method(customer_id="alice")
    assert default is not None
    assert default.method_id == second.method_id
    waiting = await save(setting, SCA)
    assert (await setting.house.call("PUT", f"/api/payments/methods/{waiting.method_id}/default"))[0] == 404
    assert await port_of(setting).find_default_method(customer_id="alice") == default


async def test_over_http_a_card_is_kept_once_for_its_key(setting: Setting) -> None:
    body = {"payment_method": VISA}
    answers = [await setting.house.call("POST", "/api/payments/methods", body=body, key="k") for _ in "12"]
    assert [status for status, _ in answers] == [200, 200]
    assert answers[0][1]["method_id"] == answers[1][1]["method_id"]
    status, listed = await setting.house.call("GET", "/api/payments/methods")
    assert (status, len(listed["methods"])) == (200, 1)
    bad = await setting.house.call(
        "POST", "/api/payments/methods", body={"payment_method": "4242424242424242"}
    )
    assert bad[0] == 422


@pytest.mark.parametrize("kind", ["error_after", "drop_after"])
@pytest.mark.parametrize("place", ["/v1/customers", "/v1/setup_intents", "/detach"])
async def test_after_any_fault_the_worker_ends_it(setting: Setting, kind: str, place: str) -> None:
    await setting.stand_in.control("faults", kind=kind, method="POST", ending=place)
    method_id = uuid4()
    # The worker's first look may meet the fault in our stead.
    with suppress(ProviderUnavailable):
        await save(setting, method_id=method_id)

    async def is_ended() -> bool:
        if place == "/detach":
            with suppress(ProviderUnavailable):
                await port_of(setting).detach_method(method_id=method_id, customer_id="alice")
        rows = await setting.rows("select state from saved_method where next_attempt_at is null")
        return [row["state"] for row in rows] == ["detached" if place == "/detach" else "ready"]

    await eventually(is_ended)
    # One card is kept, once, whatever was repeated.
    assert attached(setting.stand_in.inner) == [(VISA, place != "/detach")]


@pytest.fixture
def resting_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker finds no card to go on with: only the test's own calls meet the fault."""

    async def claim_none(*_asked: object, **_more: object) -> list[UUID]:
        return []

    monkeypatch.setattr(MethodsStore, "claim", claim_none)


@pytest.mark.usefixtures(
    "resting_worker"
)  # before the service starts, and its worker looks for the first time
async def test_a_setup_older_than_its_key_is_found_by_its_effect(setting: Setting) -> None:
    await setting.stand_in.control("faults", kind="drop_after", ending="/v1/setup_intents")
    method_id = uuid4()
    with pytest.raises(ProviderUnavailable):
        await save(setting, method_id=method_id)
    await setting.service.context.database.execute(
        "update provider_call set started_at = started_at - interval '25 hours'"
    )
    setting.stand_in.inner.book.forget_replies(9e12)
    assert (await save(setting, method_id=method_id)).state is SavedMethodState.READY
    assert len(setting.stand_in.inner.book.list_all("setup_intent")) == 1
