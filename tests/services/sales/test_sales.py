"""Sales on a real database: all or nothing, through declines, lost answers and cancelled ships."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from maas.events import AccountClosed, RideRated, SailingCancelled
from maas.ports import BerthPort, HoldState, PlannerPort
from payments.money import Money
from payments.ports import PaymentsPort, PaymentState, Refund, RefundState
from services.platform.auth import Role
from services.platform.clock import FixedClock
from services.sales.service import build
from tests.support.house import TestHouse, running_house
from tests.support.journeys import SERVICE_DATE, SHIP, START
from tests.support.port_doubles import Berths, OneJourneyPlanner, Payments

NOW = START - timedelta(hours=2)
PRICE = 220 + 8_220 + 370


@dataclass
class Shop:
    house: TestHouse
    clock: FixedClock
    berths: Berths
    payments: Payments

    async def offer(self, **fields: Any) -> tuple[int, Any]:
        body = {"journey_id": "test-journey", "riders": ["adult"], **fields}
        return await self.house.call("POST", "/api/offers", body=body)

    async def order(self, key: str | None = None) -> Any:
        _, offer = await self.offer()
        body = {"offer_id": offer["offer_id"], "passengers": ["山田 花子"]}
        status, order = await self.house.call("POST", "/api/orders", body=body, key=key)
        assert status == 201, order
        return order

    async def pay(self, order: Any, method: str = "pm_card_visa", key: str | None = None) -> tuple[int, Any]:
        path = f"/api/orders/{order['order_id']}/payments"
        return await self.house.call("POST", path, body={"payment_method": method}, key=key)

    async def get(self, order: Any, subject: str = "alice") -> tuple[int, Any]:
        return await self.house.call("GET", f"/api/orders/{order['order_id']}", subject=subject)

    async def until_state(self, order: Any, state: str) -> Any:
        for _ in range(200):
            _, view = await self.get(order)
            if view["state"] == state:
                return view
            await asyncio.sleep(0.05)
        raise AssertionError(f"the order stayed {view['state']}")

    async def until_refunded(self, order: Any) -> Any:
        for _ in range(200):
            _, view = await self.get(order)
            if view["refunds"] and view["refunds"][0]["state"] == "paid":
                return view
            await asyncio.sleep(0.05)
        raise AssertionError(f"refunds: {view['refunds']}")

    async def cancel_ship(self) -> None:
        context = self.house.services["sales"].context
        event = SailingCancelled(
            trip_id=SHIP, service_date=SERVICE_DATE, operator_id="Tokai", reason="high waves"
        )
        async with context.database.transaction() as tx:
            await context.outbox.append(tx, event)

    async def board_ship(self, order: Any) -> None:
        """The first passenger's ticket was seen at the pier: the fare is earned."""
        context = self.house.services["sales"].context
        ride = RideRated(
            ride_id=uuid4(),
            order_id=UUID(order["order_id"]),
            component_index=1,
            leg_indices=(1,),
            shares={"Tokai": 8_220},
            amount_minor=8_220,
            mode="ferry",
            operator_id="Tokai",
            origin_lat=35.6,
            origin_lon=139.7,
            destination_lat=34.7,
            destination_lon=139.4,
            ridden_at=NOW,
        )
        async with context.database.transaction() as tx:
            await context.outbox.append(tx, ride)
        for _ in range(100):
            document = await context.database.fetchval("select document from customer_order")
            if document["components"][1]["state"] == "ridden":
                break
            await asyncio.sleep(0.05)

    async def is_sailing_known(self) -> bool:
        database = self.house.services["sales"].context.database
        return bool(await database.fetchval("select count(*) from cancelled_sailing"))

    async def events(self) -> list[str]:
        rows = await self.house.services["sales"].context.database.fetch(
            "select event_type from outbox order by id"
        )
        return [row["event_type"] for row in rows]


@pytest.fixture
async def shop(database_url: str, tmp_path: Path) -> AsyncIterator[Shop]:
    clock, berths, payments = FixedClock(NOW), Berths(), Payments()
    doubles = {PlannerPort: OneJourneyPlanner(), BerthPort: berths, PaymentsPort: payments}
    async with running_house(
        database_url, {"sales": build}, clock=clock, data_dir=tmp_path, ports=doubles
    ) as house:
        yield Shop(house, clock, berths, payments)


async def test_offer_order_pay(shop: Shop) -> None:
    order = await shop.order()
    assert (order["state"], order["total"]["amount_minor"]) == ("pending", PRICE)
    status, paid = await shop.pay(order)
    assert (status, paid["state"]) == (200, "confirmed")
    assert shop.payments.payments[UUID(order["payment_id"])].captured.amount_minor == PRICE
    assert list(shop.berths.manifest.values()) == [["山田 花子"]]
    _, receipt = await shop.house.call("GET", f"/api/orders/{order['order_id']}/receipt")
    assert sum(line["amount"]["amount_minor"] for line in receipt["lines"]) == PRICE
    _, told = await shop.house.call("GET", "/api/notifications")
    assert [each["code"] for each in told["notifications"]] == ["order_confirmed"]


async def test_a_family_that_wishes_one_code_is_confirmed_so(shop: Shop) -> None:
    _, offer = await shop.offer(riders=["adult", "child"])
    body = {"offer_id": offer["offer_id"], "passengers": ["花子", "太郎"], "on_one_code": True}
    _, order = await shop.house.call("POST", "/api/orders", body=body)
    assert (await shop.pay(order))[1]["state"] == "confirmed"
    told = await shop.house.services["sales"].context.database.fetchval(
        "select payload from outbox where event_type = 'OrderConfirmed'"
    )
    assert told["on_one_code"] is True


async def test_repeating_a_command_changes_nothing(shop: Shop) -> None:
    order = await shop.order(key="same")
    first = await shop.pay(order, key="pay")
    second = await shop.pay(order, key="pay")
    third = await shop.pay(order, key="another key")
    assert first == second
    assert third[1]["state"] == "confirmed"
    assert (await shop.events()).count("OrderConfirmed") == 1


async def test_one_key_for_two_commands_is_refused(shop: Shop) -> None:
    one, two = await shop.order(key="a"), await shop.order(key="b")
    assert one["order_id"] != two["order_id"]
    body = {"offer_id": one["offer_id"], "passengers": ["B"]}
    status, problem = await shop.house.call("POST", "/api/orders", body=body, key="b")
    assert (status, problem["code"]) == (422, "idempotency_key_reused")


async def test_an_offer_is_taken_once(shop: Shop) -> None:
    order = await shop.order()
    body = {"offer_id": order["offer_id"], "passengers": ["B"]}
    status, problem = await shop.house.call("POST", "/api/orders", body=body)
    assert (status, problem["code"]) == (409, "offer_taken")


async def test_a_reduction_that_cannot_be_proven_is_not_sold(shop: Shop) -> None:
    status, problem = await shop.offer(riders=["adult", "senior"])
    assert (status, problem["code"]) == (422, "eligibility_unproven")


async def test_an_expired_offer_is_refused(shop: Shop) -> None:
    _, offer = await shop.offer()
    shop.clock.set(NOW + timedelta(minutes=10))
    body = {"offer_id": offer["offer_id"], "passengers": ["B"]}
    status, problem = await shop.house.call("POST", "/api/orders", body=body)
    assert (status, problem["code"]) == (409, "offer_expired")


async def test_a_full_ship_is_sold_out_and_nothing_stays_held(shop: Shop) -> None:
    shop.berths.free = 1
    status, problem = await shop.offer(riders=["adult", "child"])
    assert (status, problem["code"]) == (409, "sold_out")
    assert shop.berths.free == 1


async def test_a_declined_card_leaves_the_order_to_be_paid_with_another(shop: Shop) -> None:
    order = await shop.order()
    status, problem = await shop.pay(order, "pm_declined")
    assert (status, problem["code"]) == (402, "payment_declined")
    status, paid = await shop.pay(order)
    assert (status, paid["state"]) == (200, "confirmed")


async def test_a_lost_place_rolls_everything_back(shop: Shop) -> None:
    order = await shop.order()
    shop.berths.lost = True
    status, problem = await shop.pay(order)
    assert (status, problem["code"]) == (409, "sold_out")
    _, view = await shop.get(order)
    assert view["state"] == "rolled_back"
    assert shop.payments.payments[UUID(order["payment_id"])].state is PaymentState.VOIDED
    assert shop.berths.free == 100


async def test_an_answer_lost_after_the_capture_is_finished_by_the_worker(shop: Shop) -> None:
    order = await shop.order()
    shop.payments.die_after_capture = True
    status, _ = await shop.pay(order)
    assert status == 503
    database = shop.house.services["sales"].context.database
    await database.execute("update customer_order set lease_until = '-infinity'")  # half a minute passes
    view = await shop.until_state(order, "confirmed")
    assert view["total"]["amount_minor"] == PRICE
    assert (await shop.events()).count("OrderConfirmed") == 1


async def test_an_unpaid_order_expires_and_frees_the_ship(shop: Shop) -> None:
    order = await shop.order()
    assert shop.berths.free == 99
    shop.clock.set(NOW + timedelta(minutes=11))
    await shop.until_state(order, "expired")
    assert shop.berths.free == 100


async def test_nobody_reads_anothers_order_or_offer(shop: Shop) -> None:
    order = await shop.order()
    for path in (
        f"/api/orders/{order['order_id']}",
        f"/api/orders/{order['order_id']}/receipt",
        f"/api/offers/{order['offer_id']}",
    ):
        status, _ = await shop.house.call("GET", path, subject="mallory")
        assert status == 404, path
    pay = f"/api/orders/{order['order_id']}/payments"
    status, _ = await shop.house.call("POST", pay, subject="mallory", body={"payment_method": "pm_x"})
    assert status == 404
    _, orders = await shop.house.call("GET", "/api/orders", subject="mallory")
    assert orders == {"orders": []}


async def test_a_hold_that_ran_out_rolls_everything_back(shop: Shop) -> None:
    order = await shop.order()
    shop.payments.hold_lost = True
    status, problem = await shop.pay(order)
    assert (status, problem["code"]) == (409, "sold_out")
    assert (await shop.get(order))[1]["state"] == "rolled_back"
    assert shop.berths.free == 100


async def test_a_capture_that_won_the_race_with_the_void_is_given_back(shop: Shop) -> None:
    order = await shop.order()
    shop.berths.lost = True
    shop.payments.captured_elsewhere = True
    await shop.pay(order)
    view = await shop.until_refunded(order)
    assert view["state"] == "rolled_back"
    assert shop.payments.payments[UUID(order["payment_id"])].refunded.amount_minor == PRICE


async def test_a_free_order_needs_no_payment(shop: Shop) -> None:
    _, offer = await shop.offer(riders=["infant"])
    body = {"offer_id": offer["offer_id"], "passengers": ["山田 一"]}
    _, order = await shop.house.call("POST", "/api/orders", body=body)
    status, paid = await shop.pay(order)
    assert (status, paid["state"], paid["total"]["amount_minor"]) == (200, "confirmed", 0)
    assert not shop.payments.payments


async def test_a_free_fare_on_a_cancelled_ship_is_revoked_and_told(shop: Shop) -> None:
    _, offer = await shop.offer(riders=["infant"])
    body = {"offer_id": offer["offer_id"], "passengers": ["山田 一"]}
    _, order = await shop.house.call("POST", "/api/orders", body=body)
    await shop.pay(order)
    await shop.cancel_ship()
    view = await shop.until_refunded(order)
    assert {each["state"] for each in view["components"]} == {"refunded"}
    assert "LegCancelled" in await shop.events()
    assert shop.berths.free == 100


async def test_a_booking_under_way_is_not_called_expired(shop: Shop) -> None:
    order = await shop.order()
    shop.payments.down = True
    assert (await shop.pay(order))[0] == 503
    shop.clock.set(NOW + timedelta(minutes=11))
    status, problem = await shop.pay(order)
    assert problem["code"] in {"idempotency_in_progress", "provider_unavailable"}, status
    shop.payments.down = False
    database = shop.house.services["sales"].context.database
    await database.execute("update customer_order set lease_until = '-infinity'")
    await shop.until_state(order, "confirmed")


async def test_a_ship_cancelled_while_it_is_paid_for_is_refunded_too(shop: Shop) -> None:
    order = await shop.order()
    await shop.cancel_ship()
    for _ in range(100):
        if await shop.is_sailing_known():
            break
        await asyncio.sleep(0.05)
    _, paid = await shop.pay(order)
    assert paid["refunded"]["amount_minor"] == PRICE
    assert (await shop.events()).count("LegCancelled") == 1


async def test_the_names_of_an_account_that_is_gone_are_forgotten(shop: Shop) -> None:
    person = UUID("00000000-0000-4000-8000-000000000001")
    _, offer = await shop.house.call(
        "POST", "/api/offers", subject=str(person), body={"journey_id": "test-journey", "riders": ["adult"]}
    )
    body = {"offer_id": offer["offer_id"], "passengers": ["山田 花子"]}
    _, order = await shop.house.call("POST", "/api/orders", subject=str(person), body=body)
    pay = f"/api/orders/{order['order_id']}/payments"
    await shop.house.call("POST", pay, subject=str(person), body={"payment_method": "pm_card_visa"})
    context = shop.house.services["sales"].context
    async with context.database.transaction() as tx:
        await context.outbox.append(tx, AccountClosed(account_id=person))
    for _ in range(100):
        if "花子" not in str(await context.database.fetchval("select document::text from customer_order")):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the name is still there")


async def test_a_cancelled_ship_is_refunded_once_told_and_settled(shop: Shop) -> None:
    order = await shop.order()
    await shop.pay(order)
    await shop.cancel_ship()
    await shop.cancel_ship()  # the operator says it twice
    view = await shop.until_refunded(order)
    assert view["refunded"]["amount_minor"] == PRICE
    assert len(view["refunds"]) == 1
    assert shop.payments.payments[UUID(order["payment_id"])].refunded.amount_minor == PRICE
    events = await shop.events()
    assert (events.count("LegCancelled"), events.count("FareRefunded")) == (1, 3)
    _, told = await shop.house.call("GET", "/api/notifications")
    assert "sailing_cancelled" in [each["code"] for each in told["notifications"]]
    assert shop.berths.free == 100
    status, cases = await shop.house.call(
        "GET", "/api/disruption-cases", role=Role.CLERK, operator_id="Tokai"
    )
    assert (status, [case["amount"]["amount_minor"] for case in cases["cases"]]) == (200, [PRICE])
    _, none = await shop.house.call("GET", "/api/disruption-cases", role=Role.CLERK, operator_id="Toei")
    assert none == {"cases": []}


async def test_who_was_on_a_ship_that_turned_back_is_refunded_and_stays_in_the_manifest(shop: Shop) -> None:
    order = await shop.order()
    await shop.pay(order)
    taken = shop.berths.free
    await shop.board_ship(order)
    await shop.cancel_ship()
    view = await shop.until_refunded(order)
    assert view["refunded"]["amount_minor"] == PRICE
    rows = await shop.house.services["sales"].context.database.fetch(
        "select payload from outbox where event_type = 'FareRefunded'"
    )
    # Settlement takes the ship's fare back from its operator, who had earned it when the ship was boarded.
    assert {row["payload"]["component_index"]: row["payload"]["was_earned"] for row in rows} == {
        0: False, 1: True, 2: False,
    }  # fmt: skip
    assert shop.berths.free == taken


async def test_a_refund_waits_for_the_provider(shop: Shop) -> None:
    order = await shop.order()
    await shop.pay(order)
    shop.payments.down = True
    await shop.cancel_ship()
    for _ in range(100):
        _, view = await shop.get(order)
        if view["refunds"]:
            break
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.6)
    assert not shop.payments.refunds
    shop.payments.down = False
    for _ in range(200):
        _, view = await shop.get(order)
        if view["refunds"][0]["state"] == "paid":
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the refund was never sent")


async def test_the_traveller_cancels_and_pays_each_operators_fee(shop: Shop) -> None:
    order = await shop.order()
    await shop.pay(order)
    path = f"/api/orders/{order['order_id']}/cancellations"
    status, view = await shop.house.call("POST", path)
    # The planner of this test keeps 30 %: 66 of 220, 2,466 of 8,220, 111 of 370.
    assert (status, view["refunded"]["amount_minor"]) == (200, PRICE - 66 - 2_466 - 111)
    status, problem = await shop.house.call("POST", path)
    assert (status, problem["code"]) == (409, "order_not_cancellable")


async def test_a_refund_that_cannot_be_sent_keeps_no_other_from_going(shop: Shop) -> None:
    stuck, other = await shop.order(), await shop.order()
    await shop.pay(stuck)
    await shop.pay(other)
    del shop.payments.payments[UUID(stuck["payment_id"])]  # asking for this refund fails, each time
    await shop.house.call("POST", f"/api/orders/{stuck['order_id']}/cancellations")
    shop.clock.set(shop.clock.now() + timedelta(seconds=1))
    await shop.house.call("POST", f"/api/orders/{other['order_id']}/cancellations")
    for _ in range(60):
        _, view = await shop.get(other)
        if view["refunds"][0]["state"] == "paid":
            return
        await asyncio.sleep(0.05)
    raise AssertionError("one bad refund held up the others")


async def test_refunds_that_wait_at_the_provider_keep_no_other_from_going(shop: Shop) -> None:
    order = await shop.order()
    await shop.pay(order)
    database = shop.house.services["sales"].context.database
    payment_id = UUID(order["payment_id"])
    waiting = [uuid4() for _ in range(60)]
    for refund_id in waiting:
        shop.payments.refunds[refund_id] = Refund(
            refund_id=refund_id,
            payment_id=payment_id,
            amount=Money(1),
            reason="test",
            state=RefundState.PENDING,
        )
    await database.execute(
        "insert into refund"
        " (refund_id, order_id, payment_id, amount_minor, reason, lines, state, requested_at)"
        " select id, $2, $3, 1, 'test', '[]', 'pending', $4 from unnest($1::uuid[]) as id",
        waiting,
        UUID(order["order_id"]),
        payment_id,
        NOW - timedelta(days=1),
    )
    await shop.house.call("POST", f"/api/orders/{order['order_id']}/cancellations")
    for _ in range(60):
        _, view = await shop.get(order)
        if any(each["state"] == "paid" for each in view["refunds"]):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("sixty refunds that wait held up the next")


async def test_who_repeats_a_payment_that_is_still_under_way_is_told_to_wait(shop: Shop) -> None:
    order = await shop.order()
    database = shop.house.services["sales"].context.database
    await database.execute(  # another process has begun to pay, and still drives
        "update customer_order set payment_method = 'pm_card_visa',"
        " lease_until = clock_timestamp() + interval '1 hour'"
    )
    status, problem = await shop.pay(order, key="pay")
    assert (status, problem["code"]) == (409, "idempotency_in_progress")
    await database.execute("update customer_order set lease_until = '-infinity'")
    await shop.until_state(order, "confirmed")
    status, paid = await shop.pay(order, key="pay")
    assert (status, paid["state"]) == (200, "confirmed")


async def test_a_cancellation_whose_answer_was_lost_is_answered_alike_again(shop: Shop) -> None:
    order = await shop.order()
    await shop.pay(order)
    path = f"/api/orders/{order['order_id']}/cancellations"
    _, first = await shop.house.call("POST", path, key="cancel")
    # The process died after the refund's commit and before the answer was kept.
    database = shop.house.services["sales"].context.database
    await database.execute("delete from idempotency where key = 'cancel'")
    status, again = await shop.house.call("POST", path, key="cancel")
    assert (status, again["refunded"]) == (200, first["refunded"])
    assert len(again["refunds"]) == 1


async def test_who_sails_stays_in_the_manifest_when_the_others_fares_are_given_back(shop: Shop) -> None:
    _, offer = await shop.offer(riders=["adult", "adult"])
    body = {"offer_id": offer["offer_id"], "passengers": ["山田 花子", "山田 太郎"]}
    _, order = await shop.house.call("POST", "/api/orders", body=body)
    await shop.pay(order)
    await shop.board_ship(order)
    await shop.house.call("POST", f"/api/orders/{order['order_id']}/cancellations")
    for _ in range(100):
        _, view = await shop.get(order)
        if view["refunds"] and view["refunds"][0]["state"] == "paid":
            break
        await asyncio.sleep(0.05)
    assert view["refunds"][0]["state"] == "paid"
    assert [hold.state for hold in shop.berths.holds.values()] == [HoldState.CONFIRMED]
