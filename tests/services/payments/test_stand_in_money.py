"""The stand-in's money: the balance, payouts, disputes and Connect, driven by the provider's own SDK."""

import itertools
from typing import Any

import pytest
import stripe

from tests.services.payments.running import RunningStandIn
from tests.services.payments.sdk_types import CLASSES, list_differences

VISA = "pm_card_visa"


async def take(running: RunningStandIn, amount: int = 10_000, method: str = VISA) -> stripe.PaymentIntent:
    return await running.client.v1.payment_intents.create_async(
        params={"amount": amount, "currency": "jpy", "payment_method": method, "confirm": True}
    )


async def balance(running: RunningStandIn) -> tuple[int, int]:
    """Available and pending."""
    now = await running.client.v1.balance.retrieve_async()
    return now.available[0].amount, now.pending[0].amount


async def movements(running: RunningStandIn, **where: Any) -> list[tuple[str, int, int]]:
    page = await running.client.v1.balance_transactions.list_async(params={"limit": 100, **where})
    return [(each.type, each.amount, each.fee) for each in page.data]


async def told(running: RunningStandIn) -> list[str]:
    return [each["type"] for each in reversed(running.inner.book.list_all("event"))]


async def operator(running: RunningStandIn, *, onboarded: bool = True) -> stripe.Account:
    account = await running.client.v1.accounts.create_async(
        params={"type": "express", "country": "JP", "capabilities": {"transfers": {"requested": True}}}
    )
    if onboarded:
        link = await running.client.v1.account_links.create_async(
            params={
                "account": account.id,
                "type": "account_onboarding",
                "refresh_url": "http://127.0.0.1:9/",
                "return_url": "http://127.0.0.1:9/back",
            }
        )
        async with running.session.post(link.url, allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (303, "http://127.0.0.1:9/back")
    return account


async def transfer(
    running: RunningStandIn, account: stripe.Account, amount: int, source: str | None
) -> stripe.Transfer:
    more: Any = {"source_transaction": source} if source else {}
    return await running.client.v1.transfers.create_async(
        params={"amount": amount, "currency": "jpy", "destination": account.id, **more}
    )


async def test_a_payout_takes_what_is_available_once(stand_in: RunningStandIn) -> None:
    await take(stand_in, 10_000)
    await stand_in.control("available")
    await take(stand_in, 5_000)
    # 3.6 % of 10,000 is 360, of 5,000 is 180.
    assert await balance(stand_in) == (9_640, 4_820)
    payout = await stand_in.control("payouts")
    assert (payout["amount"], payout["automatic"], payout["status"]) == (9_640, True, "in_transit")
    assert await stand_in.control("payouts") is None, "nothing more is available"
    assert await balance(stand_in) == (0, 4_820)
    assert await movements(stand_in, payout=payout["id"]) == [("payout", -9_640, 0), ("charge", 10_000, 360)]
    await stand_in.control(f"payouts/{payout['id']}", status="reconciled")
    await stand_in.control(f"payouts/{payout['id']}", status="paid")
    there = await stand_in.client.v1.payouts.retrieve_async(payout["id"])
    assert (there.status, there.reconciliation_status) == ("paid", "completed")
    assert (await told(stand_in))[-3:] == ["payout.created", "payout.reconciliation_completed", "payout.paid"]


async def test_a_payout_may_come_back(stand_in: RunningStandIn) -> None:
    await take(stand_in)
    await stand_in.control("available")
    payout = await stand_in.control("payouts")
    await stand_in.control(f"payouts/{payout['id']}", status="paid")
    failed = await stand_in.control(f"payouts/{payout['id']}", status="failed")
    assert failed["failure_code"] == "account_closed"
    assert await balance(stand_in) == (9_640, 0)
    assert (await movements(stand_in))[0] == ("payout_failure", 9_640, 0)


async def test_a_manual_payout_is_bounded_and_not_itemised(stand_in: RunningStandIn) -> None:
    payouts = stand_in.client.v1.payouts
    await take(stand_in)
    with pytest.raises(stripe.InvalidRequestError) as too_much:
        await payouts.create_async(params={"amount": 1, "currency": "jpy"})
    assert too_much.value.code == "balance_insufficient"
    await stand_in.control("available")
    payout = await payouts.create_async(params={"amount": 640, "currency": "jpy"})
    assert (payout.automatic, payout.reconciliation_status) == (False, "not_applicable")
    assert (await payouts.cancel_async(payout.id)).status == "canceled"
    assert await balance(stand_in) == (9_640, 0)


@pytest.mark.parametrize(("outcome", "left"), [("won", 9_640 - 1_300), ("lost", -360 - 1_300)])
async def test_a_dispute_takes_the_money_until_it_is_won(
    stand_in: RunningStandIn, outcome: str, left: int
) -> None:
    intent = await take(stand_in)
    dispute = await stand_in.control("disputes", charge=intent.latest_charge)
    assert sum(await balance(stand_in)) == -360 - 1_300
    disputes = stand_in.client.v1.disputes
    draft = await disputes.update_async(
        dispute["id"], params={"evidence": {"service_date": "2026-05-20"}, "submit": False}
    )
    assert (draft.status, draft.evidence_details.has_evidence) == ("needs_response", True)
    sent = await disputes.update_async(dispute["id"], params={"evidence": {"uncategorized_text": "taps"}})
    assert (sent.status, sent.evidence.service_date) == ("under_review", "2026-05-20")
    with pytest.raises(stripe.InvalidRequestError):
        await disputes.update_async(dispute["id"], params={"evidence": {"uncategorized_text": "more"}})
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await stand_in.client.v1.refunds.create_async(params={"payment_intent": intent.id})
    assert refused.value.code == "charge_disputed"
    for _ in range(2):
        await stand_in.control(f"disputes/{dispute['id']}", status=outcome)
    assert sum(await balance(stand_in)) == left
    there = await disputes.retrieve_async(dispute["id"])
    assert there.status == outcome
    assert [(m.reporting_category, m.amount, m.fee) for m in there.balance_transactions] == [
        ("dispute", -10_000, 1_300),
        *([("dispute_reversal", 10_000, 0)] if outcome == "won" else []),
    ]


async def test_a_card_that_disputes_by_itself(stand_in: RunningStandIn) -> None:
    intent = await take(stand_in, method="pm_card_createDispute")
    [dispute] = (await stand_in.client.v1.disputes.list_async(params={"payment_intent": intent.id})).data
    assert (dispute.reason, dispute.amount, dispute.charge) == ("fraudulent", 10_000, intent.latest_charge)
    closed = await stand_in.client.v1.disputes.close_async(dispute.id)
    assert closed.status == "lost"
    assert (await told(stand_in))[-3:] == [
        "charge.dispute.created",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.closed",
    ]


async def test_transfers_are_covered_by_their_charge_or_by_the_balance(stand_in: RunningStandIn) -> None:
    account = await operator(stand_in)
    intent = await take(stand_in)
    charge = str(intent.latest_charge)
    with pytest.raises(stripe.InvalidRequestError) as uncovered:
        await transfer(stand_in, account, 1, None)
    assert uncovered.value.code == "balance_insufficient"
    first = await transfer(stand_in, account, 6_000, charge)
    assert first.transfer_group == f"group_{charge}"
    with pytest.raises(stripe.InvalidRequestError, match="source"):
        await transfer(stand_in, account, 4_001, charge)
    await transfer(stand_in, account, 4_000, charge)
    await take(stand_in)
    await stand_in.control("available")
    await transfer(stand_in, account, 100, None)
    listed = await stand_in.client.v1.transfers.list_async(params={"destination": account.id})
    assert [each.amount for each in listed.data] == [100, 4_000, 6_000]
    # Twice 10,000 less 360, less the transfers.
    assert sum(await balance(stand_in)) == 2 * 9_640 - 10_100


async def test_an_account_receives_nothing_before_its_onboarding(stand_in: RunningStandIn) -> None:
    account = await operator(stand_in, onboarded=False)
    intent = await take(stand_in)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await transfer(stand_in, account, 100, str(intent.latest_charge))
    assert refused.value.code == "insufficient_capabilities_for_transfer"


async def test_a_transfer_is_reversed_up_to_its_amount(stand_in: RunningStandIn) -> None:
    account = await operator(stand_in)
    intent = await take(stand_in)
    made = await transfer(stand_in, account, 6_000, str(intent.latest_charge))
    reversals = stand_in.client.v1.transfers.reversals
    await reversals.create_async(made.id, params={"amount": 2_000})
    with pytest.raises(stripe.InvalidRequestError):
        await reversals.create_async(made.id, params={"amount": 4_001})
    await reversals.create_async(made.id)
    there = await stand_in.client.v1.transfers.retrieve_async(made.id)
    assert (there.amount_reversed, there.reversed) == (6_000, True)
    assert [each.amount for each in (await reversals.list_async(made.id)).data] == [4_000, 2_000]
    assert await movements(stand_in) == [
        ("transfer_refund", 4_000, 0),
        ("transfer_refund", 2_000, 0),
        ("transfer", -6_000, 0),
        ("charge", 10_000, 360),
    ]


async def test_every_object_is_what_the_sdk_declares(stand_in: RunningStandIn) -> None:
    account = await operator(stand_in)
    intent = await take(stand_in)
    made = await transfer(stand_in, account, 2_000, str(intent.latest_charge))
    await stand_in.client.v1.transfers.reversals.create_async(made.id, params={"amount": 500})
    await take(stand_in, method="pm_card_createDisputeProductNotReceived")
    await stand_in.control("available")
    payout = await stand_in.control("payouts")
    await stand_in.control(f"payouts/{payout['id']}", status="failed")
    for kind in ("account", "transfer", "transfer_reversal", "dispute", "payout", "balance_transaction"):
        items = stand_in.inner.book.list_all(kind)
        assert items, f"the story above makes a {kind}"
        assert list(itertools.chain.from_iterable(list_differences(each) for each in items)) == []
    for event in stand_in.inner.book.list_all("event"):
        assert list_differences(event) == []
        assert event["data"]["object"]["object"] in CLASSES
