"""From taps to the operators' accounts, on real services: charged once, corrected by the difference alone."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from payments.accounts import UNEARNED_FARES, operator_payable, traveller_receivable
from payments.mandates import Mandate, MandateProduct
from services.payments.mandates.room import build_mandates
from tests.support.travel import MONDAY, at, taps
from tests.support.travel_house import TOKEN, TravelHouse, open_travel

TUESDAY_NOON = at("36:00")
ALICE = traveller_receivable("alice")
TOEI = operator_payable("Toei")


@pytest.fixture
async def travel(database_url: str, tmp_path: Path) -> AsyncIterator[TravelHouse]:
    async with open_travel(database_url, tmp_path, now=at("06:00")) as house:
        yield house


async def test_a_ride_is_charged_and_earned_once(travel: TravelHouse) -> None:
    await travel.enrol()
    made = taps("08:00 in Toei.Oedo.Tochomae\n08:30 out Toei.Oedo.Daimon")
    travel.clock.set(at("09:00"))
    for _ in range(3):
        await travel.store(made)
        await travel.until_quiet()
    # 220 owed by alice, earned by Toei; nothing is left unearned.
    assert await travel.balances() == {ALICE: -220, TOEI: 220}
    (day,) = await travel.days()
    assert (day["service_date"], day["owed"]["amount_minor"]) == (MONDAY.isoformat(), 220)
    (fare,) = day["fares"]
    assert fare["lines"] == ["都営地下鉄 都庁前→大門 9km（大人） 220円"]
    assert fare["lines_en"] == ["Toei Subway, Tochomae to Daimon, 9 km (adult): 220 yen"]
    (ride,) = day["rides"]
    assert (ride["state"], ride["origin"]["name"], ride["destination"]["name"]) == (
        "complete",
        "都庁前",
        "大門",
    )


async def test_a_late_exit_gives_back_the_difference_to_the_maximum_fare(travel: TravelHouse) -> None:
    await travel.enrol()
    entry, left = taps("08:00 in Toei.Oedo.Tochomae\n08:30 out Toei.Oedo.Daimon")
    travel.clock.set(at("09:00"))
    await travel.store([entry])
    await travel.until_quiet()
    assert await travel.balances() == {}, "an open ride costs nothing yet"
    travel.clock.set(TUESDAY_NOON)
    await travel.until_quiet()
    # From Tochomae the dearest Toei fare is 377 (tests/maas/account_travel/test_week.py finds it apart).
    assert await travel.balances() == {ALICE: -377, TOEI: 377}
    travel.clock.set(TUESDAY_NOON + timedelta(hours=60))
    await travel.store([left])
    await travel.until_quiet()
    assert await travel.balances() == {ALICE: -220, TOEI: 220}
    posted = await travel.database.fetch(
        "select amount_minor, status from travel_charge order by recorded_at"
    )
    assert [tuple(row) for row in posted] == [(377, "posted"), (-157, "posted")]


async def test_the_commission_goes_back_with_what_was_earned(travel: TravelHouse) -> None:
    """5 % of 377 is 18.85 -> 18; of the 157 that go back 7.85 -> 7."""
    settlement = travel.house.services["settlement"].context.database
    await settlement.execute(
        "insert into agreements (operator_id, valid_from, name, commission_bp, odd_yen, bank_account, "
        "recorded_at) values ('Toei', '2026-01-01', 'Toei', 500, 'down', $1, '2026-01-01')",
        {
            "bank_code": "0001",
            "bank_name_kana": "ミズホ",
            "branch_code": "001",
            "branch_name_kana": "トウキヨウ",
            "account_type": "1",
            "account_number": "1234567",
            "holder_kana": "トエイ",
        },
    )
    await travel.enrol()
    entry, left = taps("08:00 in Toei.Oedo.Tochomae\n08:30 out Toei.Oedo.Daimon")
    travel.clock.set(TUESDAY_NOON)
    await travel.store([entry])
    await travel.until_quiet()
    assert await travel.balances() == {ALICE: -377, TOEI: 359, "platform:commission": 18}
    await travel.store([left])
    await travel.until_quiet()
    assert await travel.balances() == {ALICE: -220, TOEI: 209, "platform:commission": 11}


async def test_the_promise_is_paid_after_the_day_and_borne_by_the_operator(travel: TravelHouse) -> None:
    """Four Metro fares of 178 are 712; the 24-hour ticket is 700."""
    await travel.enrol()
    there = "{0:02}:00 in TokyoMetro.Marunouchi.Shinjuku\n{0:02}:20 out TokyoMetro.Namboku.Iidabashi"
    travel.clock.set(at("23:00"))
    await travel.store([tap for hour in (8, 10, 12, 14) for tap in taps(there.format(hour))])
    await travel.until_quiet()
    metro = operator_payable("TokyoMetro")
    assert await travel.balances() == {ALICE: -712, metro: 712}
    travel.clock.set(TUESDAY_NOON)
    await travel.until_quiet()
    assert await travel.balances() == {ALICE: -700, metro: 700}
    (day,) = await travel.days()
    (refund,) = day["refunds"]
    assert (refund["period"], refund["amount"]["amount_minor"]) == ("day", 12)
    assert refund["lines_en"][-1] == "cheapest combination 700 yen, refund 12 yen"


async def test_rides_of_nobodys_card_are_kept_and_not_charged(travel: TravelHouse) -> None:
    travel.clock.set(TUESDAY_NOON)
    await travel.store(taps("08:00 in Toei.Oedo.Tochomae\n08:30 out Toei.Oedo.Daimon"))
    await travel.until_quiet()
    assert await travel.balances() == {}
    kept = await travel.database.fetchval("select count(*) from travel_day where medium_ref = $1", TOKEN)
    assert kept == 1
    # Whoever enrols it afterwards does not see them.
    await travel.enrol()
    assert await travel.days() == []
    assert (await travel.balances()).get(UNEARNED_FARES, 0) == 0


async def test_a_mandates_limit_on_rides_looks_at_each_ride_of_a_day(travel: TravelHouse) -> None:
    """Three Metro rides of 178 that come together are one charge of 534; mom pays rides up to 200."""
    mandates = build_mandates(travel.house.services["payments"].context).store
    mandate = Mandate(
        mandate_id=uuid4(),
        payer_id="mom",
        traveller_id="alice",
        products=frozenset({MandateProduct.TRAVEL}),
        modes=frozenset(),
        ride_minor_max=200,
        day_minor_max=None,
        month_minor_max=None,
        valid_from=at("00:00"),
        valid_until=at("47:00"),
    )
    await mandates.insert(mandate)
    await mandates.accept(mandate.mandate_id, at("00:00"))
    await travel.enrol()
    there = "{0:02}:00 in TokyoMetro.Marunouchi.Shinjuku\n{0:02}:20 out TokyoMetro.Namboku.Iidabashi"
    travel.clock.set(at("23:00"))
    await travel.store([tap for hour in (8, 10, 12) for tap in taps(there.format(hour))])
    await travel.until_quiet()
    mom = traveller_receivable("mom")
    assert await travel.balances() == {mom: -534, operator_payable("TokyoMetro"): 534}
    # From Tochomae to Daimon it is 220: more than mom pays for a ride.
    await travel.store(taps("14:00 in Toei.Oedo.Tochomae\n14:30 out Toei.Oedo.Daimon"))
    await travel.until_quiet()
    assert await travel.balances() == {
        mom: -534,
        ALICE: -220,
        operator_payable("TokyoMetro"): 534,
        TOEI: 220,
    }
