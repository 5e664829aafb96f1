"""A fare that was not ridden after all gives back what it earned, in any order, whatever is refunded."""

import itertools
from dataclasses import replace

import pytest

from maas.events import RideRated, RideUnrated
from payments.accounts import COMMISSION, UNEARNED_FARES, chart_account, operator_payable
from payments.errors import RefundExceedsShare
from tests.support.settlement_city import City

SHARES = {"Toei": 328, "Yurikamome": 133}
FUNDED = 1_000_000


def unrated(ride: RideRated, turn: int) -> RideUnrated:
    """`ride` was none after all."""
    return RideUnrated(
        ride_id=ride.ride_id,
        order_id=ride.order_id,
        component_index=ride.component_index,
        amount_minor=ride.amount_minor,
        mode=ride.mode,
        origin_lat=ride.origin_lat,
        origin_lon=ride.origin_lon,
        destination_lat=ride.destination_lat,
        destination_lon=ride.destination_lon,
        ridden_at=ride.ridden_at,
        turn=turn,
    )


async def earned(city: City) -> tuple[int, int, int]:
    """What the two operators and the platform have."""
    accounts = (operator_payable("Toei"), operator_payable("Yurikamome"), COMMISSION)
    await city.ledger.open_accounts(accounts=[chart_account(each) for each in accounts])
    toei, yurikamome, commission = [await city.credit(each) for each in accounts]
    assert toei + yurikamome + commission + await city.credit(UNEARNED_FARES) == FUNDED
    return toei, yurikamome, commission


# 328 at 5 % is 16.4 -> 16, 133 is 6.65 -> 6.
ONCE = (328 - 16, 133 - 6, 22)
NOTHING = (0, 0, 0)


@pytest.mark.parametrize("last", [1, 2, 3])
async def test_turns_in_any_order_and_repeated_end_with_the_highest(city: City, last: int) -> None:
    for order in itertools.permutations(range(1, last + 1)):
        before = await earned(city)
        ride = city.ride(SHARES)
        await city.deliver(ride)
        events = [unrated(ride, turn) if turn % 2 else replace(ride, turn=turn) for turn in order]
        for event in [*events, *events]:
            await city.deliver(event)
        expected = NOTHING if last % 2 else ONCE
        assert await earned(city) == tuple(a + b for a, b in zip(before, expected, strict=True)), order
    await city.check()


async def test_a_turn_that_overtakes_its_earning_waits_for_it(city: City) -> None:
    ride = city.ride(SHARES)
    with pytest.raises(RefundExceedsShare, match="earned nothing yet"):
        await city.deliver(unrated(ride, 1))
    await city.deliver(ride)
    await city.deliver(unrated(ride, 1))
    assert await earned(city) == NOTHING


async def test_after_a_refund_no_turn_moves_anything(city: City) -> None:
    ride = city.ride(SHARES)
    await city.deliver(ride)
    await city.deliver(city.refund(ride, {"Toei": 328}))
    kept = await earned(city)
    await city.deliver(unrated(ride, 1))
    await city.deliver(replace(ride, turn=2))
    assert await earned(city) == kept
    await city.check()


async def test_what_is_refunded_after_it_was_taken_back_leaves_the_fee_and_no_more(city: City) -> None:
    ride = city.ride({"Toei": 1000})
    await city.deliver(ride)
    await city.deliver(unrated(ride, 1))
    refund = replace(city.refund(ride, {"Toei": 700}, was_earned=False), fee_shares={"Toei": 300})
    for event in (refund, refund, replace(ride, turn=2)):
        await city.deliver(event)
    # The fee of 300 less 5 %; the ride that was found again is void, its fare was given back.
    assert await earned(city) == (285, 0, 15)
    await city.check()


async def test_a_correction_enters_the_next_run_and_changes_no_locked_one(city: City) -> None:
    ride, other = city.ride({"Toei": 1000}), city.ride({"Yurikamome": 400})
    await city.deliver(ride)
    first = await city.run()
    # After the run: it was another fare that was ridden.
    await city.deliver(unrated(ride, 1))
    await city.deliver(other)
    second = await city.run()
    owed = {
        run["batch_id"]: {each["operator_id"]: each["net"]["amount_minor"] for each in run["statements"]}
        for run in (first, second)
    }
    assert owed[first["batch_id"]]["Toei"] > 0
    # What Toei was paid, it owes; taxes on the commission included.
    assert owed[second["batch_id"]]["Toei"] == -owed[first["batch_id"]]["Toei"]
    assert owed[second["batch_id"]]["Yurikamome"] > 0
    await city.check()
