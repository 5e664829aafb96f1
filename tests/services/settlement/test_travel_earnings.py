"""What operators earn of travel charged afterwards: once, both ways, with its commission."""

from datetime import timedelta
from uuid import uuid4

import pytest

from maas.events import TravelEarned
from payments.accounts import COMMISSION, UNEARNED_FARES, operator_payable
from payments.errors import TransferRefused
from tests.support.settlement_city import City


def told(city: City, earned: dict[str, int], taken_back: dict[str, int] | None = None) -> TravelEarned:
    now = city.clock.now()
    return TravelEarned(
        earning_id=uuid4(),
        service_date=now.date(),
        ridden_at=now,
        earned_at=now,
        earned=earned,
        taken_back=taken_back or {},
    )


async def test_a_day_earns_once_and_goes_back_once(city: City) -> None:
    day = told(city, {"Toei": 3_280, "Yurikamome": 133})
    for _ in range(2):
        await city.deliver(day)
    # 5 % of 3,280 is 164, of 133 6.65: the odd yen falls down.
    assert await city.credit(operator_payable("Toei")) == 3_280 - 164
    assert await city.credit(operator_payable("Yurikamome")) == 133 - 6
    # A correction: 157 of Toei's go back with 7.85 -> 7 of the commission, 220 come with 11.
    correction = told(city, {"Toei": 220}, {"Toei": 157})
    for _ in range(2):
        await city.deliver(correction)
    assert await city.credit(operator_payable("Toei")) == 3_280 - 164 + 220 - 11 - 157 + 7
    assert await city.credit(COMMISSION) == 164 + 6 + 11 - 7
    assert await city.credit(UNEARNED_FARES) == 1_000_000 - 3_280 - 133 - 220 + 157
    await city.check()


async def test_what_is_not_charged_yet_is_earned_when_it_is(city: City) -> None:
    day = told(city, {"Toei": 1_000_001})
    with pytest.raises(TransferRefused, match="exceeds_credits"):
        await city.deliver(day)
    await city.fund(1)
    await city.deliver(day)
    assert await city.credit(operator_payable("Toei")) == 1_000_001 - 50_000


async def test_a_statement_shows_it_as_rides_and_refunds(city: City) -> None:
    await city.deliver(told(city, {"Toei": 1_000}, {"Toei": 200}))
    city.clock.set(city.clock.now() + timedelta(hours=1))
    run = await city.run()
    (statement,) = [each for each in run["statements"] if each["operator_id"] == "Toei"]
    assert statement["earned"]["amount_minor"] == 1_000
    assert statement["given_back"]["amount_minor"] == 200
    await city.check()
