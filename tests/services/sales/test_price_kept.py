"""The price you saw is the price you pay, and the price you get back."""

from typing import Any

import pytest

from tests.services.sales.conftest import Counter

PRICE = 220 + 8_220 + 370


async def offer_and_order(counter: Counter) -> tuple[Any, Any]:
    _, offer = await counter.post("/api/offers", {"journey_id": "test-journey", "riders": ["adult"]})
    body = {"offer_id": offer["offer_id"], "passengers": ["山田 花子"]}
    status, order = await counter.post("/api/orders", body)
    assert status == 201, order
    return offer, order


async def test_an_offer_shows_the_other_price_worlds_beside_its_own(counter: Counter) -> None:
    offer, _ = await offer_and_order(counter)
    worlds = {each["medium"]: each for each in offer["other_media"]}
    assert "app" not in worlds
    assert worlds["ic"]["total"]["amount_minor"] == 8_800
    assert (worlds["card"]["total"], worlds["card"]["reason"]) == (None, "the ship takes no cards")


async def test_a_tariff_that_changes_after_the_offer_changes_nothing_of_it(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the tariff says from now on, nobody asks it: not to pay, and not to give back."""
    _, order = await offer_and_order(counter)

    async def dearer(**_: Any) -> Any:
        raise AssertionError("what was sold is never priced again")

    monkeypatch.setattr(counter.planner, "price", dearer)
    monkeypatch.setattr(counter.planner, "price_worlds", dearer)
    status, paid = await counter.post(
        f"/api/orders/{order['order_id']}/payments", {"payment_method": "pm_card_visa"}
    )
    assert (status, paid["total"]["amount_minor"]) == (200, PRICE)
    status, back = await counter.post(f"/api/orders/{order['order_id']}/cancellations")
    # The rule keeps 30 % of the price paid of each fare, to the yen below: 66, 2,466 and 111.
    assert (status, back["refunded"]["amount_minor"]) == (200, PRICE - 66 - 2_466 - 111)


async def test_a_pass_keeps_its_price_when_the_tariff_changes_before_it_begins(counter: Counter) -> None:
    bought = await counter.buy("metro_toei_day", starts_on="2026-11-25")
    counter.planner.products.clear()
    _, view = await counter.house.call("GET", f"/api/passes/{bought['pass_id']}")
    assert view["amount"]["amount_minor"] == 900
    status, back = await counter.post(f"/api/passes/{bought['pass_id']}/cancellations")
    assert (status, back["refunded"]["amount_minor"]) == (200, 630)
