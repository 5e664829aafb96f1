"""One medium's trouble is nobody else's: a week that cannot be rated, a customer that cannot be charged."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from maas.account_travel.charges import WeekRating
from services.ticketing.travel import rating
from tests.support.travel import at, taps
from tests.support.travel_house import TOKEN, TravelHouse, open_travel

HOME = "08:00 in Toei.Oedo.Tochomae\n08:30 out Toei.Oedo.Daimon"
BROKEN = "tok_that_breaks_the_rating"


@pytest.fixture
async def travel(database_url: str, tmp_path: Path) -> AsyncIterator[TravelHouse]:
    async with open_travel(database_url, tmp_path, now=at("06:00")) as house:
        yield house


async def test_a_week_that_cannot_be_rated_keeps_no_other_and_is_tried_again(
    travel: TravelHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    await travel.enrol()
    await travel.enrol(BROKEN, subject="bob")
    rate_week = rating.rate_week

    def rate_but_one(medium: Any, *args: Any, **more: Any) -> WeekRating:
        if medium.medium_ref == BROKEN:
            raise ZeroDivisionError
        return rate_week(medium, *args, **more)

    monkeypatch.setattr(rating, "rate_week", rate_but_one)
    travel.clock.set(at("09:00"))
    await travel.store(taps(HOME))
    await travel.store(taps(HOME.replace("08", "07")), BROKEN)
    await travel.until_quiet()
    assert (await travel.owed_by("alice"), await travel.owed_by("bob")) == (220, 0)
    # Its marker waits five minutes; by then the fault is mended.
    monkeypatch.undo()
    travel.clock.set(at("09:00") + timedelta(minutes=6))
    await travel.until_quiet()
    assert await travel.owed_by("bob") == 220


async def test_what_no_customer_can_owe_is_refused_and_earns_nobody_anything(travel: TravelHouse) -> None:
    await travel.enrol()
    await travel.enrol(BROKEN, subject="bob")
    # No customer's id has a colon: it would be a part of an account's path.
    await travel.database.execute("update medium_link set customer_id = 'b:b' where medium_ref = $1", BROKEN)
    travel.clock.set(at("09:00"))
    await travel.store(taps(HOME))
    await travel.store(taps(HOME.replace("08", "07")), BROKEN)
    await travel.until_quiet()
    assert await travel.balances() == {"traveller:alice:receivable": -220, "operator:Toei:payable": 220}
    rows = await travel.database.fetch("select medium_ref, status from travel_charge order by status")
    assert [tuple(row) for row in rows] == [(TOKEN, "posted"), (BROKEN, "refused")]


async def test_two_houses_that_rate_beside_one_another_charge_once(
    travel: TravelHouse, database_url: str, tmp_path: Path
) -> None:
    tokens = [f"tok_{number:02}_beside_another" for number in range(20)]
    for number, token in enumerate(tokens):
        await travel.enrol(token, subject=f"c{number}")
    async with open_travel(database_url, tmp_path, now=at("09:00")) as other:
        travel.clock.set(at("09:00"))
        for number, token in enumerate(tokens):
            # A device numbers its taps: no two at the same time.
            hour, minute = 6 + number // 10, number % 10
            made = taps(
                f"{hour:02}:{minute:02} in Toei.Oedo.Tochomae\n{hour:02}:{minute + 30} out Toei.Oedo.Daimon"
            )
            for tap in made:
                await (travel if tap.kind == "enter" else other).store([tap], token)
        await travel.until_quiet()
        await other.until_quiet()
    owed = [await travel.owed_by(f"c{number}") for number in range(len(tokens))]
    assert owed == [220] * len(tokens)
