"""What sales hears later: a ride that has begun, a refund that comes back, one that is paid after all."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from maas.events import RefundPaid, RefundReturned, RideBegun
from maas.ports import BerthPort, PlannerPort
from payments.money import yen
from payments.ports import PaymentsPort, Refund, RefundState
from services.platform.bus import Envelope
from services.platform.clock import FixedClock
from services.sales.service import build
from tests.services.sales.conftest import NOW
from tests.support.house import TestHouse, running_house
from tests.support.port_doubles import Berths, OneJourneyPlanner, Payments


@dataclass
class Shop:
    """A sales service with one paid order in it."""

    house: TestHouse
    payments: Payments
    order_id: str = ""

    async def order(self) -> None:
        body: dict[str, Any] = {"journey_id": "test-journey", "riders": ["adult"]}
        _, offer = await self.house.call("POST", "/api/offers", body=body)
        body = {"offer_id": offer["offer_id"], "passengers": ["山田 花子"]}
        _, order = await self.house.call("POST", "/api/orders", body=body)
        self.order_id = order["order_id"]
        path = f"/api/orders/{self.order_id}/payments"
        status, paid = await self.house.call("POST", path, body={"payment_method": "pm_card_visa"})
        assert (status, paid["state"]) == (200, "confirmed")

    async def cancel(self) -> tuple[int, Any]:
        return await self.house.call("POST", f"/api/orders/{self.order_id}/cancellations")

    async def hear(self, event: Any) -> None:
        """What the bus would deliver."""
        service = self.house.services["sales"]
        [subscription] = [each for each in service.subscriptions if each.event is type(event)]
        envelope = Envelope(event_id=uuid4(), event_type="", payload={}, occurred_at=NOW, source="payments")
        async with service.context.database.transaction() as tx:
            await subscription.handler(tx, event, envelope)

    async def refund(self, state: str) -> Any:
        for _ in range(100):
            _, view = await self.house.call("GET", f"/api/orders/{self.order_id}")
            [refund] = view["refunds"]
            if refund["state"] == state:
                return refund
            await asyncio.sleep(0.05)
        raise AssertionError(f"it stays {refund['state']}")

    async def told_settlement(self) -> int:
        query = "select count(*) from outbox where event_type = 'FareRefunded'"
        count: int = await self.house.services["sales"].context.database.fetchval(query)
        return count

    async def messages(self) -> list[str]:
        _, told = await self.house.call("GET", "/api/notifications")
        return sorted(each["code"] for each in told["notifications"])


@pytest.fixture
async def shop(database_url: str, tmp_path: Path) -> AsyncIterator[Shop]:
    payments = Payments()
    doubles = {PlannerPort: OneJourneyPlanner(), BerthPort: Berths(), PaymentsPort: payments}
    async with running_house(
        database_url, {"sales": build}, clock=FixedClock(NOW), data_dir=tmp_path, ports=doubles
    ) as house:
        shop = Shop(house, payments)
        await shop.order()
        yield shop


async def test_whoever_is_past_the_gate_cannot_cancel_that_fare(shop: Shop) -> None:
    """The first of three fares is begun: the other two are given back; begun twice is begun once."""
    for _ in range(2):
        await shop.hear(RideBegun(order_id=UUID(shop.order_id), component_index=0, begun_at=NOW))
    status, view = await shop.cancel()
    assert status == 200
    assert [each["state"] for each in view["components"]] == ["begun", "refunded", "refunded"]
    await shop.hear(RideBegun(order_id=UUID(shop.order_id), component_index=1, begun_at=NOW))
    _, view = await shop.house.call("GET", f"/api/orders/{shop.order_id}")
    assert view["components"][1]["state"] == "refunded", "what is given back stays so"


async def test_a_refund_that_comes_back_is_owed_again_until_it_is_paid(shop: Shop) -> None:
    await shop.cancel()
    refund_id = UUID((await shop.refund("paid"))["refund_id"])
    assert await shop.told_settlement() == 3
    returned = RefundReturned(refund_id=refund_id, order_id=UUID(shop.order_id), amount_minor=100)
    paid = RefundPaid(refund_id=refund_id, order_id=UUID(shop.order_id), amount_minor=100, reason="cancelled")
    for _ in range(2):
        await shop.hear(returned)
    await shop.refund("returned")
    for _ in range(2):
        await shop.hear(paid)
    await shop.refund("paid")
    assert await shop.told_settlement() == 3, "the operators gave their shares once"
    assert await shop.messages() == [
        "order_cancelled",
        "order_confirmed",
        "refund_paid_after_all",
        "refund_returned",
    ]


async def test_a_refund_that_failed_is_paid_after_all(shop: Shop) -> None:
    """Settlement hears of its fares when it is paid, and not before."""

    async def refuse(**asked: Any) -> Refund:
        return Refund(
            refund_id=asked["refund_id"],
            payment_id=asked["payment_id"],
            amount=yen(1),
            reason="",
            state=RefundState.FAILED,
        )

    shop.payments.refund = refuse  # type: ignore[method-assign]
    await shop.cancel()
    refund_id = UUID((await shop.refund("failed"))["refund_id"])
    assert await shop.told_settlement() == 0
    paid = RefundPaid(refund_id=refund_id, order_id=UUID(shop.order_id), amount_minor=100, reason="cancelled")
    await shop.hear(paid)
    await shop.refund("paid")
    assert await shop.told_settlement() == 3
    await shop.hear(RefundPaid(refund_id=uuid4(), order_id=uuid4(), amount_minor=1, reason="a bill"))
