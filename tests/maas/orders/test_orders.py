"""An order takes an offer whole, and its money adds up however it ends."""

import itertools
from datetime import timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maas.disruptions import find_cancelled_legs, refund_lines_for_cancelled_legs
from maas.notifications import CATALOGUE, LANGUAGES, compose_message
from maas.offers import VALID_FOR, Offer, expiry, legs_to_hold, quote
from maas.orders import (
    ComponentState,
    Order,
    OrderState,
    PlaceStatus,
    confirm,
    expire,
    mark_refunded,
    mark_ridden,
    place,
    roll_back,
)
from maas.prices import RiderCategory
from payments.money import Money, yen
from tests.support.journeys import SERVICE_DATE, SHIP, START, island_journey, island_price

NOW = START - timedelta(hours=2)


def an_offer(*riders: RiderCategory) -> Offer:
    offer_id = uuid4()
    journey = island_journey()
    prices = tuple(island_price(rider) for rider in riders or (RiderCategory.ADULT,))
    return quote(
        offer_id=offer_id,
        traveller_id="alice",
        journey=journey,
        prices=prices,
        fare_class=None,
        held_legs=legs_to_hold(journey, offer_id),
        now=NOW,
        expires_at=expiry(journey, NOW),
    )[0]


def an_order(*riders: RiderCategory) -> Order:
    offer = an_offer(*riders)
    names = tuple(f"rider {number}" for number in range(len(offer.prices)))
    order = place(offer, order_id=uuid4(), passengers=names, now=NOW).order
    assert order is not None
    return order


def test_total_is_the_sum_over_riders() -> None:
    # 220 + 8,220 + 370 = 8,810 for each of two adults
    assert an_offer(RiderCategory.ADULT, RiderCategory.ADULT).total == yen(17_620)


def test_only_the_ship_is_held() -> None:
    assert [held.leg_index for held in an_offer().held_legs] == [2]


def test_offer_never_outlives_the_departure() -> None:
    journey = island_journey()
    assert expiry(journey, NOW) == NOW + VALID_FOR
    assert expiry(journey, START - timedelta(minutes=3)) == START


def test_placing_at_the_last_instant_and_after_it() -> None:
    offer = an_offer()
    before, at = offer.expires_at - timedelta(microseconds=1), offer.expires_at
    assert place(offer, order_id=uuid4(), passengers=("a",), now=before).status is PlaceStatus.PLACED
    assert place(offer, order_id=uuid4(), passengers=("a",), now=at).status is PlaceStatus.OFFER_EXPIRED


def test_a_ship_needs_a_name_for_each_rider() -> None:
    offer = an_offer(RiderCategory.ADULT, RiderCategory.CHILD)
    refused = place(offer, order_id=uuid4(), passengers=("one",), now=NOW)
    assert refused.status is PlaceStatus.PASSENGERS_REQUIRED
    assert refused.order is None


@pytest.mark.parametrize("again", [confirm, expire, lambda o: roll_back(o, reason="x")])
def test_a_closed_order_is_not_closed_again(again: object) -> None:
    confirmed, event = confirm(an_order())
    assert confirmed.state is OrderState.CONFIRMED
    assert event.prices == confirmed.prices
    with pytest.raises(AssertionError):
        again(confirmed)  # type: ignore[operator]


def test_cancelled_ship_gives_back_everything_not_ridden() -> None:
    order, _ = confirm(an_order())
    order = mark_ridden(order, 0)  # the subway was ridden already
    legs = find_cancelled_legs(order, trip_id=SHIP, service_date=SERVICE_DATE)
    lines = refund_lines_for_cancelled_legs(order, legs)
    assert legs == (2,)
    assert [(line.component_index, line.amount, line.reason) for line in lines] == [
        (1, yen(8_220), "cancelled_by_operator"),
        (2, yen(370), "journey_broken_by_cancellation"),
    ]
    assert lines[0].shares == {"Tokai": 8_220}


def test_a_ship_that_turned_back_gives_back_the_fare_of_who_was_on_board() -> None:
    """条件付き, then 引返欠航: who comes back to Tokyo has the whole fare back; the subway was ridden."""
    order, _ = confirm(an_order())
    order = mark_ridden(mark_ridden(order, 0), 1, turn=0)
    lines = refund_lines_for_cancelled_legs(order, (2,))
    assert [(line.component_index, line.amount, line.was_earned) for line in lines] == [
        (1, yen(8_220), True),
        (2, yen(370), False),
    ]
    back = mark_refunded(order, 1, lines[0].amount)
    assert (back.components[1].state, back.components[1].was_ridden) == (ComponentState.REFUNDED, True)
    # Told once more, nothing is left to give back of it.
    assert [line.component_index for line in refund_lines_for_cancelled_legs(back, (2,))] == [2]


def test_another_days_ship_touches_nothing() -> None:
    order, _ = confirm(an_order())
    assert find_cancelled_legs(order, trip_id=SHIP, service_date=SERVICE_DATE + timedelta(days=1)) == ()


def test_a_refunded_component_stays_refunded_when_a_late_ride_arrives() -> None:
    order, _ = confirm(an_order())
    order = mark_ridden(mark_refunded(order, 1, yen(8_220)), 1)
    assert order.components[1].state is ComponentState.REFUNDED


@pytest.mark.parametrize("turns", list(itertools.permutations(range(4))))
def test_the_highest_turn_of_a_ride_holds_in_whatever_order_it_is_told(turns: tuple[int, ...]) -> None:
    order, _ = confirm(an_order())
    for heard, turn in enumerate(turns, 1):
        order = mark_ridden(order, 0, turn=turn)
        is_ridden = max(turns[:heard]) % 2 == 0
        assert (order.components[0].state is ComponentState.RIDDEN) == is_ridden
    assert order.components[0].state is ComponentState.UNRIDDEN  # 3: it was not ridden after all


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from(["ride", "refund"]), st.integers(0, 100)), max_size=12
    )
)
def test_captured_less_refunded_is_what_was_ridden_plus_fees(steps: list[tuple[int, str, int]]) -> None:
    order, _ = confirm(an_order())
    for index, step, percent in steps:
        component = order.components[index]
        if step == "ride":
            order = mark_ridden(order, index)
        elif component.state is ComponentState.UNRIDDEN:
            order = mark_refunded(order, index, yen(component.amount.amount_minor * percent // 100))
    ridden_and_open = [each.amount for each in order.components if each.state is not ComponentState.REFUNDED]
    fees = [each.amount - each.refunded for each in order.components if each.state is ComponentState.REFUNDED]
    assert order.total - order.refunded == sum([*ridden_and_open, *fees], Money(0))


@pytest.mark.parametrize("code", CATALOGUE)
def test_every_message_is_told_in_every_language(code: str) -> None:
    assert set(CATALOGUE[code]) == set(LANGUAGES)
    fields = dict.fromkeys(
        ["origin", "destination", "departs", "arrives", "total", "date", "line", "amount", "fee", "place"],
        "1",
    )
    easy = compose_message(code, **fields).texts["ja-easy"]
    sentences = [sentence for sentence in easy.split("。") if sentence]
    assert all(len(sentence) <= 30 for sentence in sentences), "easy Japanese says one short fact a sentence"
    assert all(sentence.endswith(("す", "ん", "した")) for sentence in sentences), (
        "easy Japanese uses です/ます"
    )
