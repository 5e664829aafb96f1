"""A ship that sailed on condition puts its passengers ashore elsewhere: the fare to there is kept, once."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from maas.ports import BerthPort, PlannerPort
from payments.ports import PaymentsPort
from services.platform.auth import Role
from services.platform.clock import FixedClock
from services.sales.service import build
from tests.services.sales.test_sales import NOW, Shop
from tests.support.house import running_house
from tests.support.port_doubles import Berths, OneJourneyPlanner, Payments

SHIP_LEG = 2
TOSHIMA, KOZU, PIER = "demo:toshima", "demo:kozu", "demo:takeshiba"
FARES = {TOSHIMA: 4_880, KOZU: 9_000}
SHIP_PAID, BUS_PAID = 8_220, 370


@pytest.fixture
async def shop(database_url: str, tmp_path: Path) -> AsyncIterator[Shop]:
    berths, payments = Berths(), Payments()
    doubles = {PlannerPort: OneJourneyPlanner(fares=FARES), BerthPort: berths, PaymentsPort: payments}
    clock = FixedClock(NOW)
    async with running_house(
        database_url, {"sales": build}, clock=clock, data_dir=tmp_path, ports=doubles
    ) as house:
        yield Shop(house, clock, berths, payments)


async def sail(shop: Shop) -> Any:
    """A paid order whose ship was boarded."""
    order = await shop.order()
    await shop.pay(order)
    await shop.board_ship(order)
    return order


async def land(shop: Shop, order: Any, stop_id: str, **who: Any) -> tuple[int, Any]:
    who = {"role": Role.CLERK, "operator_id": "Tokai", **who}
    body = {"leg_index": who.pop("leg_index", SHIP_LEG), "stop_id": stop_id}
    return await shop.house.call("POST", f"/api/orders/{order['order_id']}/landings", body=body, **who)


async def test_the_fare_to_the_other_island_is_kept_and_the_bus_is_given_back(shop: Shop) -> None:
    order = await sail(shop)
    status, landing = await land(shop, order, TOSHIMA)
    assert (status, landing["amount"]["amount_minor"]) == (200, SHIP_PAID - 4_880 + BUS_PAID)
    seen = await shop.until_refunded(order)
    assert [(each["state"], each["refunded"]["amount_minor"]) for each in seen["components"]] == [
        ("unridden", 0),
        ("refunded", SHIP_PAID - 4_880),
        ("refunded", BUS_PAID),
    ]
    assert (await shop.events()).count("FareRefunded") == 2
    _, told = await shop.house.call("GET", "/api/notifications")
    (message,) = [each for each in told["notifications"] if each["code"] == "landed_elsewhere"]
    assert "3,710" in str(message)
    # A ride to another port is public transport; the part of the fare that is kept is no fee.
    _, receipt = await shop.house.call("GET", f"/api/orders/{order['order_id']}/receipt")
    assert receipt["paid"]["amount_minor"] == 220 + 4_880


async def test_who_stays_on_board_and_comes_back_pays_nothing_for_the_ship(shop: Shop) -> None:
    order = await sail(shop)
    _, landing = await land(shop, order, PIER)
    assert landing["amount"]["amount_minor"] == SHIP_PAID + BUS_PAID


async def test_told_twice_it_is_given_back_once(shop: Shop) -> None:
    order = await sail(shop)
    first = await land(shop, order, TOSHIMA, key="one")
    again = await land(shop, order, TOSHIMA, key="two")
    elsewhere = await land(shop, order, PIER, key="three")
    assert first == again == elsewhere
    seen = await shop.until_refunded(order)
    assert len(seen["refunds"]) == 1


async def test_a_dearer_island_gives_back_the_way_that_was_to_follow_alone(shop: Shop) -> None:
    order = await sail(shop)
    _, landing = await land(shop, order, KOZU)
    assert landing["amount"]["amount_minor"] == BUS_PAID


@pytest.mark.parametrize(
    ("stop_id", "who", "refusal"),
    [
        ("demo:okada", {}, (422, "landing_impossible")),
        (TOSHIMA, {"leg_index": 0, "operator_id": "Toei"}, (422, "landing_impossible")),
        (TOSHIMA, {"operator_id": "Toei"}, (404, "order_not_found")),
        (TOSHIMA, {"leg_index": 9}, (404, "order_not_found")),
        (TOSHIMA, {"role": Role.TRAVELLER, "operator_id": None}, (403, "forbidden")),
    ],
)
async def test_what_cannot_be_is_refused(
    shop: Shop, stop_id: str, who: dict[str, Any], refusal: tuple[int, str]
) -> None:
    order = await sail(shop)
    status, problem = await land(shop, order, stop_id, **who)
    assert (status, problem["code"]) == refusal


async def test_an_order_that_was_not_paid_gives_nothing_back(shop: Shop) -> None:
    status, problem = await land(shop, await shop.order(), TOSHIMA)
    assert (status, problem["code"]) == (409, "order_not_cancellable")
