"""The stand-in driven by the provider's own SDK, which judges its replies."""

import asyncio
from typing import Any

import aiohttp
import pytest
import stripe

from tests.services.payments.running import RunningStandIn
from tests.services.payments.sdk_types import CLASSES, list_differences

VISA = "pm_card_visa"


async def hold(
    running: RunningStandIn, amount: int = 1250, method: str = VISA, **more: Any
) -> stripe.PaymentIntent:
    return await running.client.v1.payment_intents.create_async(
        params={
            "amount": amount,
            "currency": "jpy",
            "capture_method": "manual",
            "payment_method": method,
            "allowed_payment_method_types": ["card"],
            "confirm": True,
            "metadata": {"payment_id": "p-1"},
            **more,
        }
    )


async def keep_card(running: RunningStandIn, method: str = VISA) -> stripe.SetupIntent:
    customer = await running.client.v1.customers.create_async(params={"metadata": {"customer_id": "c-1"}})
    return await running.client.v1.setup_intents.create_async(
        params={"customer": customer.id, "payment_method": method, "confirm": True, "usage": "off_session"}
    )


async def test_a_hold_is_captured_and_leaves_one_movement(stand_in: RunningStandIn) -> None:
    intents = stand_in.client.v1.payment_intents
    intent = await hold(stand_in)
    assert (intent.status, intent.amount_capturable, intent.amount_received) == ("requires_capture", 1250, 0)
    taken = await intents.capture_async(intent.id)
    assert (taken.status, taken.amount_capturable, taken.amount_received) == ("succeeded", 0, 1250)
    movements = (await stand_in.client.v1.balance_transactions.list_async()).data
    # 3.6 % of 1250 is 45.
    assert [(m.type, m.amount, m.fee, m.net) for m in movements] == [("charge", 1250, 45, 1205)]
    assert movements[0].source == taken.latest_charge


async def test_an_automatic_payment_is_taken_at_once(stand_in: RunningStandIn) -> None:
    intent = await hold(stand_in, capture_method="automatic")
    assert (intent.status, intent.amount_received) == ("succeeded", 1250)


async def test_create_then_confirm(stand_in: RunningStandIn) -> None:
    intents = stand_in.client.v1.payment_intents
    intent = await hold(stand_in, confirm=False)
    assert (intent.status, intent.latest_charge) == ("requires_confirmation", None)
    assert (await intents.confirm_async(intent.id)).status == "requires_capture"
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await intents.confirm_async(intent.id)
    assert refused.value.code == "payment_intent_unexpected_state"


async def test_a_cancelled_hold_moves_no_money(stand_in: RunningStandIn) -> None:
    intents = stand_in.client.v1.payment_intents
    intent = await hold(stand_in)
    assert (await intents.cancel_async(intent.id)).status == "canceled"
    with pytest.raises(stripe.InvalidRequestError):
        await intents.capture_async(intent.id)
    assert (await stand_in.client.v1.balance_transactions.list_async()).data == []


@pytest.mark.parametrize(
    ("method", "decline_code"),
    [
        ("pm_card_chargeDeclined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "insufficient_funds"),
    ],
)
async def test_a_declined_card(stand_in: RunningStandIn, method: str, decline_code: str) -> None:
    with pytest.raises(stripe.CardError) as declined:
        await hold(stand_in, method=method)
    error = declined.value.error
    assert error is not None
    assert (declined.value.code, error.decline_code) == ("card_declined", decline_code)
    assert error.payment_intent is not None
    there = await stand_in.client.v1.payment_intents.retrieve_async(error.payment_intent.id)
    assert there.status == "requires_payment_method"
    assert there.last_payment_error is not None
    assert there.last_payment_error.decline_code == decline_code
    charge = await stand_in.client.v1.charges.retrieve_async(str(there.latest_charge))
    assert (charge.status, charge.paid) == ("failed", False)
    # Another card may then be tried on the same intent.
    again = await stand_in.client.v1.payment_intents.confirm_async(there.id, params={"payment_method": VISA})
    assert again.status == "requires_capture"


@pytest.mark.parametrize(
    ("outcome", "status"), [("approve", "requires_capture"), ("refuse", "requires_payment_method")]
)
async def test_the_traveller_answers_the_bank(stand_in: RunningStandIn, outcome: str, status: str) -> None:
    intent = await hold(stand_in, method="pm_card_threeDSecure2Required")
    assert intent.status == "requires_action"
    assert intent.next_action is not None
    assert intent.next_action.redirect_to_url is not None
    url = str(intent.next_action.redirect_to_url.url)
    async with stand_in.session.get(url) as page:
        assert "No card is charged" in await page.text()
    secret = intent.client_secret
    async with stand_in.session.post(
        url.split("?", maxsplit=1)[0], data={"secret": "wrong", "outcome": outcome}
    ) as refused:
        assert refused.status == 400
    async with stand_in.session.post(
        url.split("?", maxsplit=1)[0], data={"secret": secret, "outcome": outcome}
    ) as done:
        assert done.status == 200
    there = await stand_in.client.v1.payment_intents.retrieve_async(intent.id)
    assert there.status == status
    assert there.next_action is None


async def test_a_kept_card_needs_its_customer_and_is_used_again_until_it_is_detached(
    stand_in: RunningStandIn,
) -> None:
    setup = await keep_card(stand_in)
    assert setup.status == "succeeded"
    methods = stand_in.client.v1.payment_methods
    [kept] = (await methods.list_async(params={"customer": str(setup.customer)})).data
    for _ in range(2):
        held = await hold(stand_in, method=kept.id, customer=str(setup.customer), off_session=True)
        assert held.status == "requires_capture"
    with pytest.raises(stripe.InvalidRequestError, match="belongs to a customer"):
        await hold(stand_in, method=kept.id)
    await methods.detach_async(kept.id)
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        await hold(stand_in, method=kept.id, customer=str(setup.customer))
    with pytest.raises(stripe.InvalidRequestError, match="detachment is impossible"):
        await methods.detach_async(kept.id)


async def test_ids_are_shown_as_objects_where_asked_for(stand_in: RunningStandIn) -> None:
    setup = await keep_card(stand_in)
    setups = stand_in.client.v1.setup_intents
    plain = await setups.retrieve_async(setup.id)
    shown = await setups.retrieve_async(setup.id, params={"expand": ["payment_method"]})
    assert isinstance(plain.payment_method, str)
    assert isinstance(shown.payment_method, stripe.PaymentMethod)
    [listed] = (await setups.list_async(params={"expand": ["data.payment_method"]})).data
    assert isinstance(listed.payment_method, stripe.PaymentMethod)


async def test_a_customer_is_found_by_its_metadata(stand_in: RunningStandIn) -> None:
    setup = await keep_card(stand_in)
    found = await stand_in.client.v1.customers.search_async(params={"query": "metadata['customer_id']:'c-1'"})
    assert [each.id for each in found.data] == [setup.customer]


@pytest.mark.parametrize(("amount", "code"), [(49, "amount_too_small"), (100_000_000, "amount_too_large")])
async def test_amounts_outside_the_bounds(stand_in: RunningStandIn, amount: int, code: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await hold(stand_in, amount=amount)
    assert refused.value.code == code
    assert (await stand_in.client.v1.payment_intents.list_async()).data == []


async def test_the_smallest_amount_is_50_yen(stand_in: RunningStandIn) -> None:
    assert (await hold(stand_in, amount=50)).amount == 50


async def test_a_partial_capture_releases_the_rest(stand_in: RunningStandIn) -> None:
    intents = stand_in.client.v1.payment_intents
    intent = await hold(stand_in)
    with pytest.raises(stripe.InvalidRequestError):
        await intents.capture_async(intent.id, params={"amount_to_capture": 1251})
    taken = await intents.capture_async(intent.id, params={"amount_to_capture": 1000})
    assert (taken.amount_received, taken.amount_capturable) == (1000, 0)


async def test_refunds_never_exceed_the_captured(stand_in: RunningStandIn) -> None:
    refunds = stand_in.client.v1.refunds
    intent = await hold(stand_in)
    with pytest.raises(stripe.InvalidRequestError):
        await refunds.create_async(params={"payment_intent": intent.id})
    await stand_in.client.v1.payment_intents.capture_async(intent.id)
    first = await refunds.create_async(params={"payment_intent": intent.id, "amount": 1000})
    assert (first.status, first.amount) == ("succeeded", 1000)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await refunds.create_async(params={"payment_intent": intent.id, "amount": 251})
    assert "greater than unrefunded" in str(refused.value)
    rest = await refunds.create_async(params={"payment_intent": intent.id})
    assert rest.amount == 250
    with pytest.raises(stripe.InvalidRequestError) as nothing_left:
        await refunds.create_async(params={"payment_intent": intent.id})
    assert nothing_left.value.code == "charge_already_refunded"
    charge = await stand_in.client.v1.charges.retrieve_async(str(rest.charge))
    assert (charge.amount_refunded, charge.refunded) == (1250, True)
    listed = (await refunds.list_async(params={"payment_intent": intent.id})).data
    assert [each.id for each in listed] == [rest.id, first.id]


async def test_a_refund_may_come_back(stand_in: RunningStandIn) -> None:
    intent = await hold(stand_in, capture_method="automatic")
    refund = await stand_in.client.v1.refunds.create_async(params={"payment_intent": intent.id})
    await stand_in.control(f"refunds/{refund.id}", status="failed")
    assert (await stand_in.client.v1.refunds.retrieve_async(refund.id)).status == "failed"
    movements = (await stand_in.client.v1.balance_transactions.list_async()).data
    assert [(m.type, m.amount) for m in movements] == [
        ("refund_failure", 1250),
        ("refund", -1250),
        ("charge", 1250),
    ]


async def test_a_key_has_one_effect_and_one_reply(stand_in: RunningStandIn) -> None:
    intents = stand_in.client.v1.payment_intents
    create: Any = {"amount": 500, "currency": "jpy", "payment_method": VISA}
    first = await intents.create_async(params=create, options={"idempotency_key": "k"})
    await intents.confirm_async(first.id)
    again = await intents.create_async(params=create, options={"idempotency_key": "k"})
    assert (again.id, again.status) == (first.id, "requires_confirmation"), "the stored reply, not a new look"
    assert again.last_response is not None
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert len((await intents.list_async()).data) == 1


async def test_a_key_belongs_to_its_parameters_and_endpoint(stand_in: RunningStandIn) -> None:
    intents = stand_in.client.v1.payment_intents
    create: Any = {"amount": 500, "currency": "jpy"}
    await intents.create_async(params=create, options={"idempotency_key": "k"})
    with pytest.raises(stripe.IdempotencyError):
        await intents.create_async(params={**create, "amount": 501}, options={"idempotency_key": "k"})
    with pytest.raises(stripe.IdempotencyError):
        await stand_in.client.v1.customers.create_async(params={}, options={"idempotency_key": "k"})


async def test_a_recorded_failure_stays_a_failure(stand_in: RunningStandIn) -> None:
    intent = await hold(stand_in)
    refund: Any = {"payment_intent": intent.id}
    with pytest.raises(stripe.InvalidRequestError):
        await stand_in.client.v1.refunds.create_async(params=refund, options={"idempotency_key": "r"})
    await stand_in.client.v1.payment_intents.capture_async(intent.id)
    with pytest.raises(stripe.InvalidRequestError):
        await stand_in.client.v1.refunds.create_async(params=refund, options={"idempotency_key": "r"})
    assert (await stand_in.client.v1.refunds.create_async(params=refund)).status == "succeeded"


async def test_a_malformed_request_does_not_use_up_its_key(stand_in: RunningStandIn) -> None:
    intents = stand_in.client.v1.payment_intents
    wrong: Any = {"amount": 500, "currency": "jpy", "colour": "red"}
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await intents.create_async(params=wrong, options={"idempotency_key": "k"})
    assert refused.value.code == "parameter_unknown"
    right: Any = {"amount": 500, "currency": "jpy"}
    assert (await intents.create_async(params=right, options={"idempotency_key": "k"})).amount == 500


@pytest.mark.parametrize(
    ("kind", "error", "effect"),
    [
        ("rate_limited", stripe.RateLimitError, False),
        ("error_before", stripe.APIError, False),
        ("error_after", stripe.APIError, True),
        ("timeout_before", stripe.APIConnectionError, False),
        ("timeout_after", stripe.APIConnectionError, True),
        ("drop_before", stripe.APIConnectionError, False),
        ("drop_after", stripe.APIConnectionError, True),
    ],
)
async def test_faults(stand_in: RunningStandIn, kind: str, error: type[Exception], effect: bool) -> None:  # noqa: FBT001
    await stand_in.control("faults", kind=kind, path="/v1/payment_intents", delay_s=1.2)
    with pytest.raises(error):
        await hold(stand_in)
    there = (await stand_in.client.v1.payment_intents.list_async()).data
    assert [each.status for each in there] == (["requires_capture"] if effect else [])


async def test_a_late_effect_comes_after_the_caller_has_gone(stand_in: RunningStandIn) -> None:
    intents = stand_in.client.v1.payment_intents
    create: Any = {"amount": 500, "currency": "jpy"}
    await stand_in.control("faults", kind="timeout_late", delay_s=1.3)
    with pytest.raises(stripe.APIConnectionError):
        await intents.create_async(params=create, options={"idempotency_key": "late"})
    assert (await intents.list_async()).data == []
    with pytest.raises(stripe.StripeError) as in_use:
        await intents.create_async(params=create, options={"idempotency_key": "late"})
    assert in_use.value.http_status == 409
    await asyncio.sleep(0.5)
    there = (await intents.list_async()).data
    again = await intents.create_async(params=create, options={"idempotency_key": "late"})
    assert [each.id for each in there] == [again.id]


async def test_a_dropped_call_may_have_its_effect_when_told(stand_in: RunningStandIn) -> None:
    intents = stand_in.client.v1.payment_intents
    create: Any = {"amount": 500, "currency": "jpy"}
    await stand_in.control("faults", kind="drop_late")
    with pytest.raises(stripe.APIConnectionError):
        await intents.create_async(params=create, options={"idempotency_key": "late"})
    with pytest.raises(stripe.StripeError) as in_use:
        await intents.create_async(params=create, options={"idempotency_key": "late"})
    assert in_use.value.http_status == 409
    assert (await intents.list_async()).data == []
    assert (await stand_in.control("late")) == {"came": 1}
    again = await intents.create_async(params=create, options={"idempotency_key": "late"})
    assert [each.id for each in (await intents.list_async()).data] == [again.id]


async def test_an_error_after_the_effect_is_replayed_as_an_error(stand_in: RunningStandIn) -> None:
    intents = stand_in.client.v1.payment_intents
    create: Any = {"amount": 500, "currency": "jpy", "metadata": {"payment_id": "p-9"}}
    await stand_in.control("faults", kind="error_after")
    for _ in range(2):
        with pytest.raises(stripe.APIError):
            await intents.create_async(params=create, options={"idempotency_key": "k"})
    found = await intents.search_async(params={"query": "metadata['payment_id']:'p-9'"})
    assert len(found.data) == 1


async def test_lists_come_in_pages_newest_first(stand_in: RunningStandIn) -> None:
    customers = stand_in.client.v1.customers
    made = [(await customers.create_async(params={"name": f"c{n}"})).id for n in range(5)]
    page = await customers.list_async(params={"limit": 2})
    assert ([each.id for each in page.data], page.has_more) == ([made[4], made[3]], True)
    walked = [each.id async for each in page.auto_paging_iter()]
    assert walked == made[::-1]
    later = await customers.list_async(params={"created": {"gt": 99_999_999_999}})
    assert later.data == []


async def test_every_object_is_what_the_sdk_declares(stand_in: RunningStandIn) -> None:
    await stand_in.client.v1.webhook_endpoints.create_async(
        params={"url": "http://127.0.0.1:9/", "enabled_events": ["customer.created"]}
    )
    await stand_in.client.v1.customers.create_async(params={"email": "a@example.jp"})
    taken = await hold(stand_in, capture_method="automatic")
    await stand_in.client.v1.refunds.create_async(params={"payment_intent": taken.id, "amount": 100})
    cancelled = await hold(stand_in)
    await stand_in.client.v1.payment_intents.cancel_async(cancelled.id)
    await hold(stand_in, method="pm_card_threeDSecure2Required")
    with pytest.raises(stripe.CardError):
        await hold(stand_in, method="pm_card_chargeDeclined")
    await keep_card(stand_in)
    with pytest.raises(stripe.CardError):
        await keep_card(stand_in, "pm_card_chargeDeclined")
    elsewhere = {"event", "dispute", "payout", "account", "transfer", "transfer_reversal"}
    for kind in CLASSES.keys() - elsewhere:
        items = stand_in.inner.book.list_all(kind)
        assert items, f"the story above makes a {kind}"
        for item in items:
            assert list_differences(item) == []
    events = stand_in.inner.book.list_all("event")
    for event in events:
        assert list_differences(event) == []
        assert list_differences(event["data"]["object"]) == []
    assert {
        "payment_intent.canceled",
        "charge.failed",
        "refund.created",
        "payment_intent.requires_action",
    } <= {event["type"] for event in events}


def test_the_checker_finds_what_is_wrong() -> None:
    wrong = {"object": "refund", "id": 7, "amount": 1, "created": 1, "currency": "jpy", "colour": "red"}
    assert sorted(list_differences(wrong)) == [
        "refund.colour is not declared",
        "refund.id = 7 has none of the types (<class 'str'>,)",
    ]


async def test_what_it_says_of_itself(stand_in: RunningStandIn) -> None:
    async with stand_in.session.get(stand_in.url + "/") as response:
        assert (await response.json())["test_double"] is True


async def test_strangers_are_refused(stand_in: RunningStandIn) -> None:
    stranger = stripe.StripeClient(
        "sk_test_other",
        base_addresses={"api": stand_in.url},
        http_client=stripe.AIOHTTPClient(session=stand_in.session, timeout=aiohttp.ClientTimeout(total=1)),
    )
    with pytest.raises(stripe.AuthenticationError):
        await stranger.v1.payment_intents.list_async()


async def test_an_unknown_object_or_endpoint(stand_in: RunningStandIn) -> None:
    with pytest.raises(stripe.InvalidRequestError) as missing:
        await stand_in.client.v1.payment_intents.retrieve_async("pi_none")
    assert missing.value.code == "resource_missing"
    with pytest.raises(stripe.InvalidRequestError, match="does not know"):
        await stand_in.client.v1.subscriptions.list_async()


async def test_an_expired_hold_is_told(stand_in: RunningStandIn) -> None:
    intent = await hold(stand_in)
    await stand_in.control(f"expire/{intent.id}")
    there = await stand_in.client.v1.payment_intents.retrieve_async(intent.id)
    assert (there.status, there.cancellation_reason) == ("canceled", "automatic")
