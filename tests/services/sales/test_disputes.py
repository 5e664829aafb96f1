"""A payment of an order or a pass is disputed: who is told, what stays valid, what is taken back, once."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from maas.events import PaymentDisputed, PaymentDisputeDecided, RefundPaid, RideBegun
from maas.ports import BerthPort, PlannerPort
from payments.money import yen
from payments.ports import PaymentsPort, Refund, RefundState
from services.platform.auth import Role
from services.platform.bus import Envelope
from services.platform.clock import FixedClock
from services.sales.service import build
from tests.services.sales.conftest import NOW, Counter
from tests.services.sales.test_after_the_refund import Shop
from tests.services.sales.test_passes import METRO_24H
from tests.support.house import running_house
from tests.support.port_doubles import Berths, OneJourneyPlanner, Payments

PAYMENT = uuid4()


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


def opened(order_id: str, amount: int) -> PaymentDisputed:
    return PaymentDisputed(
        payment_id=PAYMENT,
        order_id=UUID(order_id),
        dispute_id="dp_1",
        amount_minor=amount,
        reason="fraudulent",
    )


def decided(order_id: str, amount: int, *, is_won: bool) -> PaymentDisputeDecided:
    return PaymentDisputeDecided(
        payment_id=PAYMENT, order_id=UUID(order_id), dispute_id="dp_1", amount_minor=amount, is_won=is_won
    )


async def look(shop: Shop) -> Any:
    return (await shop.house.call("GET", f"/api/orders/{shop.order_id}"))[1]


async def told(shop: Shop, event_type: str) -> list[Any]:
    query = "select payload from outbox where event_type = $1 order by id"
    rows = await shop.house.services["sales"].context.database.fetch(query, event_type)
    return [row["payload"] for row in rows]


def states(view: Any) -> list[str]:
    return [each["state"] for each in view["components"]]


async def total_of(shop: Shop) -> int:
    total: int = (await look(shop))["total"]["amount_minor"]
    return total


async def test_while_the_bank_is_undecided_the_ticket_holds_and_all_are_told(shop: Shop) -> None:
    total = await total_of(shop)
    for _ in range(2):
        await shop.hear(opened(shop.order_id, total))
    view = await look(shop)
    assert states(view) == ["unridden"] * 3
    assert (view["dispute"]["state"], view["dispute"]["amount"]["amount_minor"]) == ("open", total)
    assert await shop.messages() == ["order_confirmed", "payment_disputed"]
    _, case = await shop.house.call("GET", "/api/disputed-orders", role=Role.ADMIN)
    [row] = case["disputed_orders"]
    assert (row["order_id"], row["reason"], row["is_pass"]) == (shop.order_id, "fraudulent", False)
    assert row["operators"], "a clerk finds what concerns theirs"
    status, _ = await shop.house.call("GET", "/api/disputed-orders")
    assert status == 403


async def test_a_dispute_that_is_won_leaves_everything_as_it_was(shop: Shop) -> None:
    total = await total_of(shop)
    await shop.hear(opened(shop.order_id, total))
    for _ in range(2):
        await shop.hear(decided(shop.order_id, total, is_won=True))
    view = await look(shop)
    assert (states(view), view["dispute"]["state"]) == (["unridden"] * 3, "won")
    assert await told(shop, "FaresChargedBack") == []
    assert await shop.messages() == ["order_confirmed", "payment_dispute_won", "payment_disputed"]


@pytest.mark.parametrize("order_of_news", ["as it happened", "decision first"])
async def test_what_is_not_used_of_a_lost_one_is_revoked_once(shop: Shop, order_of_news: str) -> None:
    """The first fare is begun: its operator carries somebody, and it stays."""
    view = await look(shop)
    total, first = view["total"]["amount_minor"], view["components"][0]["amount"]["amount_minor"]
    await shop.hear(RideBegun(order_id=UUID(shop.order_id), component_index=0, begun_at=NOW))
    news: list[Any] = [opened(shop.order_id, total), decided(shop.order_id, total, is_won=False)]
    for event in (news if order_of_news == "as it happened" else news[::-1]) * 2:
        await shop.hear(event)
    view = await look(shop)
    assert states(view) == ["begun", "refunded", "refunded"]
    assert view["dispute"]["taken_back"]["amount_minor"] == total - first
    assert await told(shop, "FaresChargedBack") == [
        {"dispute_id": "dp_1", "order_id": shop.order_id, "amount_minor": total - first}
    ]
    [cancelled] = await told(shop, "LegCancelled")
    assert (cancelled["component_indices"], cancelled["reason"]) == ([1, 2], "charged_back")
    refund = await shop.refund("paid")
    assert (refund["amount"]["amount_minor"], refund["reason"]) == (0, "charged_back")
    assert await shop.told_settlement() == 2
    assert "payment_dispute_lost" in await shop.messages()
    assert (await shop.cancel())[0] == 409, "nothing is left to give back"


async def test_no_more_is_revoked_than_the_bank_took(shop: Shop) -> None:
    """A dispute of the last fare's price alone: the first two are paid, and stay."""
    last = (await look(shop))["components"][2]["amount"]["amount_minor"]
    await shop.hear(decided(shop.order_id, last, is_won=False))
    assert states(await look(shop)) == ["unridden", "unridden", "refunded"]


async def test_a_refund_that_the_bank_made_meanwhile_is_not_owed_any_more(shop: Shop) -> None:
    async def refuse(**asked: Any) -> Refund:
        return Refund(
            refund_id=asked["refund_id"],
            payment_id=asked["payment_id"],
            amount=yen(1),
            reason="",
            state=RefundState.FAILED,
        )

    total = await total_of(shop)
    shop.payments.refund = refuse  # type: ignore[method-assign]
    await shop.cancel()
    owed = (await shop.refund("failed"))["amount"]["amount_minor"]
    for _ in range(2):
        await shop.hear(decided(shop.order_id, total, is_won=False))
    refund_id = UUID((await shop.refund("charged_back"))["refund_id"])
    assert await shop.told_settlement() == 3
    assert [each["amount_minor"] for each in await told(shop, "FaresChargedBack")] == [owed]
    await shop.hear(
        RefundPaid(refund_id=refund_id, order_id=UUID(shop.order_id), amount_minor=owed, reason="cancelled")
    )
    assert (await shop.refund("charged_back"))["state"] == "charged_back"


async def test_of_a_top_up_or_a_bill_sales_knows_nothing(shop: Shop) -> None:
    stranger = str(uuid4())
    await shop.hear(opened(stranger, 500))
    await shop.hear(decided(stranger, 500, is_won=False))
    _, case = await shop.house.call("GET", "/api/disputed-orders", role=Role.ADMIN)
    assert case["disputed_orders"] == []


async def hear(counter: Counter, event: Any) -> None:
    service = counter.house.services["sales"]
    [subscription] = [each for each in service.subscriptions if each.event is type(event)]
    envelope = Envelope(event_id=uuid4(), event_type="", payload={}, occurred_at=NOW, source="payments")
    async with service.context.database.transaction() as tx:
        await subscription.handler(tx, event, envelope)


async def test_a_pass_that_has_not_begun_is_void_when_its_dispute_is_lost(counter: Counter) -> None:
    paid = await counter.buy(METRO_24H)
    amount = paid["amount"]["amount_minor"]
    await hear(counter, opened(paid["pass_id"], amount))
    for _ in range(2):
        await hear(counter, decided(paid["pass_id"], amount, is_won=False))
    assert await counter.events("PassGivenBack") == [{"pass_id": paid["pass_id"]}]
    [charged_back] = await counter.events("FaresChargedBack")
    assert charged_back["amount_minor"] == amount
    [refunded] = await counter.events("FareRefunded")
    assert (refunded["amount_minor"], refunded["fee_shares"]) == (amount, {})
    _, view = await counter.house.call("GET", f"/api/passes/{paid['pass_id']}")
    assert view["state"] == "refunded"
