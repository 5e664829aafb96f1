"""Orders that ride on a pass, and refunds of passes that fail or come back."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4, uuid5

from maas.events import RefundPaid, RefundReturned, RideRated
from payments.ports import Refund, RefundState
from tests.services.sales.conftest import NOW, TODAY, Counter

RIDDEN_AT = datetime(2026, 11, 20, 11, 30, tzinfo=UTC)


async def tell(counter: Counter, event: Any) -> None:
    context = counter.house.services["sales"].context
    async with context.database.transaction() as tx:
        await context.outbox.append(tx, event)


async def offer_on(counter: Counter, bought: Any) -> Any:
    body = {"journey_id": "test-journey", "riders": ["adult"], "pass_ids": [bought["pass_id"]]}
    status, offer = await counter.post("/api/offers", body)
    assert status == 201, offer
    return offer


async def order_on(counter: Counter, bought: Any) -> Any:
    offer = await offer_on(counter, bought)
    body = {"offer_id": offer["offer_id"], "passengers": ["山田 花子"]}
    status, order = await counter.post("/api/orders", body)
    assert status == 201, order
    pay = f"/api/orders/{order['order_id']}/payments"
    status, paid = await counter.post(pay, {"payment_method": "pm_card_visa"})
    assert (status, paid["state"]) == (200, "confirmed")
    return paid


def ridden(order: Any, index: int = 0) -> RideRated:
    return RideRated(
        ride_id=uuid4(),
        order_id=UUID(order["order_id"]),
        component_index=index,
        leg_indices=(0,),
        shares={"Toei": 0},
        amount_minor=0,
        mode="subway",
        operator_id="Toei",
        origin_lat=35.7,
        origin_lon=139.7,
        destination_lat=35.6,
        destination_lon=139.7,
        ridden_at=RIDDEN_AT,
    )


async def until(counter: Counter, bought: Any, **fields: Any) -> Any:
    for _ in range(200):
        _, view = await counter.house.call("GET", f"/api/passes/{bought['pass_id']}")
        if all(view[name] == value for name, value in fields.items()):
            return view
        await asyncio.sleep(0.05)
    raise AssertionError(f"{fields} never came: {view}")


async def test_a_pass_that_an_order_rides_on_is_not_given_back(counter: Counter) -> None:
    bought = await counter.buy("metro_toei_day", starts_on="2026-11-21")
    # The island journey is of the 20th; a pass of the 21st covers nothing of it.
    body = {"journey_id": "test-journey", "riders": ["adult"], "pass_ids": [bought["pass_id"]]}
    assert (await counter.post("/api/offers", body))[0] == 404
    counter.clock.set(NOW - timedelta(days=1))
    bought = await counter.buy("metro_toei_day", starts_on=TODAY.isoformat())
    order = await order_on(counter, bought)
    assert order["total"]["amount_minor"] == 8_220 + 370
    cancel = f"/api/passes/{bought['pass_id']}/cancellations"
    status, refused = await counter.post(cancel)
    assert (status, refused["code"]) == (409, "order_not_cancellable")
    # Once the order is given back, nothing rides on the pass any more.
    assert (await counter.post(f"/api/orders/{order['order_id']}/cancellations"))[0] == 200
    assert (await counter.post(cancel))[0] == 200


async def test_an_offer_on_a_pass_that_was_given_back_is_not_ordered(counter: Counter) -> None:
    counter.clock.set(NOW - timedelta(days=1))
    bought = await counter.buy("metro_toei_day", starts_on=TODAY.isoformat())
    offer = await offer_on(counter, bought)
    assert (await counter.post(f"/api/passes/{bought['pass_id']}/cancellations"))[0] == 200
    body = {"offer_id": offer["offer_id"], "passengers": ["山田 花子"]}
    status, refused = await counter.post("/api/orders", body)
    assert (status, refused["code"]) == (409, "offer_expired")


async def test_what_was_ridden_shares_the_pass_and_begins_its_hours(counter: Counter) -> None:
    bought = await counter.buy("subway_ticket_24h")
    order = await order_on(counter, bought)
    for _ in range(2):  # the event comes twice
        await tell(counter, ridden(order))
    await until(counter, bought, starts_at="2026-11-20T11:30:00Z")
    counter.clock.set(RIDDEN_AT + timedelta(days=4, hours=1))
    await until(counter, bought, state="earned")
    (event,) = await counter.events("PassEarned")
    # 1,000 yen for visitors; the subway of Toei alone was ridden on it.
    assert (event["amount_minor"], event["shares"]) == (1_000, {"Toei": 1_000, "TokyoMetro": 0})


async def test_a_refund_that_failed_and_was_paid_later_is_told_once(counter: Counter) -> None:
    bought = await counter.buy("metro_toei_day", starts_on="2026-11-21")
    pass_id = UUID(bought["pass_id"])
    refund_id = uuid5(pass_id, "refund")
    payment_id = UUID(bought["payment_id"])
    counter.payments.refunds[refund_id] = Refund(
        refund_id=refund_id, payment_id=payment_id, amount=counter.payments.payments[payment_id].amount,
        reason="x", state=RefundState.FAILED,
    )  # fmt: skip
    assert (await counter.post(f"/api/passes/{pass_id}/cancellations"))[0] == 200
    await until(counter, bought, refund_state="failed")
    assert await counter.events("FareRefunded") == []
    paid = RefundPaid(refund_id=refund_id, order_id=pass_id, amount_minor=630, reason="x")
    await tell(counter, paid)
    await until(counter, bought, refund_state="paid")
    await tell(counter, RefundReturned(refund_id=refund_id, order_id=pass_id, amount_minor=630))
    await until(counter, bought, refund_state="returned")
    await tell(counter, paid)
    await until(counter, bought, refund_state="paid")
    (event,) = await counter.events("FareRefunded")
    assert event["shares"] == {"Toei": 315, "TokyoMetro": 315}
