"""Cash at counters in the books, and the cashless ratio of a known mix."""

import itertools
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from maas.events import FareRefunded, RideRated, RideUnrated
from payments.accounts import counter_cash, operator_counter_sales
from payments.cashless import ratio_bp
from services.platform.auth import Role
from services.platform.bus import Envelope
from tests.services.payments.running import RunningStandIn
from tests.services.payments.wallet_setting import NOW, WalletSetting, wallet_setting

SALES = "/api/counters/hachijo-1/sales"


@pytest.fixture
async def setting(
    database_url: str, stand_in: RunningStandIn, tmp_path: Path
) -> AsyncIterator[WalletSetting]:
    async with wallet_setting(database_url, stand_in, tmp_path) as found:
        yield found


async def sell(setting: WalletSetting, amount: int, **sale: Any) -> tuple[int, Any]:
    operator, key = sale.pop("operator", "Toei"), sale.pop("key", None)
    body = {"amount": amount, "reference": "paper ticket"} | sale
    return await setting.house.call("POST", SALES, body=body, role=Role.CLERK, operator_id=operator, key=key)


async def hear(setting: WalletSetting, event: Any, at: datetime = NOW) -> None:
    [heard] = [each for each in setting.service.subscriptions if each.event is type(event)]
    envelope = Envelope(event_id=uuid4(), event_type="", payload={}, occurred_at=at, source="t")
    async with setting.service.context.database.transaction() as tx:
        await heard.handler(tx, event, envelope)


def ridden(shares: dict[str, int], at: datetime = NOW) -> RideRated:
    return RideRated(
        ride_id=uuid4(),
        order_id=uuid4(),
        component_index=0,
        leg_indices=(0,),
        shares=shares,
        amount_minor=sum(shares.values()),
        mode="subway",
        operator_id=next(iter(shares)),
        origin_lat=35.6,
        origin_lon=139.7,
        destination_lat=34.7,
        destination_lon=139.4,
        ridden_at=at,
    )


def test_the_ratio_is_of_what_was_paid() -> None:
    """The national figure of 2024: 141.0 of 329.4 trillion yen are 42.8 %."""
    assert ratio_bp(cashless_minor=1_410, cash_minor=3_294 - 1_410) == 4_280
    assert ratio_bp(cashless_minor=0, cash_minor=5) == 0
    assert ratio_bp(cashless_minor=5, cash_minor=0) == 10_000
    assert ratio_bp(cashless_minor=0, cash_minor=0) is None


async def test_a_cash_sale_is_in_the_books_once(setting: WalletSetting) -> None:
    status, sale = await sell(setting, 220, key="k")
    assert (status, sale["till"]["amount_minor"]) == (201, 220)
    assert await sell(setting, 220, key="k") == (status, sale)
    assert (setting.net(counter_cash("hachijo-1")), setting.net(operator_counter_sales("Toei"))) == (
        -220,
        220,
    )


async def test_a_till_is_emptied_by_what_it_holds_and_no_more(setting: WalletSetting) -> None:
    await sell(setting, 500)
    path, body = "/api/counters/hachijo-1/handovers", {"amount": 300, "destination": "operator"}

    async def hand_over(**change: Any) -> tuple[int, Any]:
        return await setting.house.call("POST", path, body=body | change, role=Role.CLERK, operator_id="Toei")

    status, till = await hand_over()
    assert (status, till["till"]["amount_minor"]) == (201, 200)
    assert (await hand_over())[0] == 409
    assert (await hand_over(amount=200))[1]["till"]["amount_minor"] == 0


async def test_cash_fills_a_wallet(setting: WalletSetting) -> None:
    assert (await sell(setting, 1000, traveller_id="alice"))[0] == 404
    await setting.put("/api/wallet")
    assert (await sell(setting, 1000, traveller_id="alice"))[0] == 201
    assert setting.balance() == 1000
    assert (await sell(setting, 99_001, traveller_id="alice"))[0] == 422
    assert operator_counter_sales("Toei") not in setting.ledger.books.accounts


async def test_a_clerk_sells_for_their_own_operator(setting: WalletSetting) -> None:
    assert (await sell(setting, 100, operator_id="Tokai"))[0] == 403
    assert (await sell(setting, 100, operator=None))[0] == 422
    assert (await sell(setting, 100, operator=None, operator_id="Tokai"))[0] == 201
    assert (await setting.house.call("POST", SALES, body={"amount": 1, "reference": "x"}))[0] == 403


async def test_a_ride_not_made_after_all_is_taken_off_in_any_order(setting: WalletSetting) -> None:
    """Rated, unrated, rated again with other shares: whatever arrives last, the last turn counts."""
    rated = ridden({"Toei": 300})
    fields = {name: getattr(rated, name) for name in RideUnrated.__dataclass_fields__ if name != "turn"}
    unrated = RideUnrated(**fields, turn=1)
    again = replace(rated, shares={"Tokai": 300}, turn=2)
    for order in itertools.permutations((rated, unrated, again)):
        order_id = uuid4()
        for event in order:
            await hear(setting, replace(event, order_id=order_id))
    for order in itertools.permutations((rated, unrated)):
        order_id = uuid4()
        for event in order:
            await hear(setting, replace(event, order_id=order_id))
    answer = await setting.get("/api/cashless-ratio?first=2026-05&last=2026-05", role=Role.ANALYST)
    assert [(row["operator_id"], row["cashless"]["amount_minor"]) for row in answer["operators"]] == [
        ("Toei", 0),
        ("Tokai", 6 * 300),
    ]


async def test_the_ratio_of_a_known_mix(setting: WalletSetting) -> None:
    """May: Toei 300 of 400 without cash, Tokai 0 of 600; what was earned and given back is nothing."""
    await hear(setting, ridden({"Toei": 300}))
    await hear(setting, ridden({"Toei": 100, "Tokai": 100}))
    back = FareRefunded(
        refund_id=uuid4(),
        order_id=uuid4(),
        component_index=0,
        amount_minor=200,
        shares={"Toei": 100, "Tokai": 100},
        was_earned=True,
        reason="",
    )
    await hear(setting, back)
    await sell(setting, 100, rider_category="senior", area="nishi-shinjuku")
    await sell(setting, 600, operator="Tokai", rider_category="adult", area="islands")
    await setting.put("/api/wallet")
    await sell(setting, 5000, traveller_id="alice")
    # 00:30 of June 1 in Tokyo is still May 31 in UTC.
    await hear(setting, ridden({"Toei": 50}, datetime(2026, 5, 31, 15, 30, tzinfo=UTC)))
    answer = await setting.get("/api/cashless-ratio?first=2026-05&last=2026-06", role=Role.ANALYST)
    assert [(row["month"], row["ratio_bp"]) for row in answer["months"]] == [
        ("2026-05", 3_000),
        ("2026-06", 10_000),
    ]
    assert [(row["month"], row["operator_id"], row["ratio_bp"]) for row in answer["operators"]] == [
        ("2026-05", "Toei", 7_500),
        ("2026-05", "Tokai", 0),
        ("2026-06", "Toei", 10_000),
    ]
    assert [(each["rider_category"], each["area"]) for each in answer["cash_groups"]] == [
        ("adult", "islands"),
        ("senior", "nishi-shinjuku"),
    ]
