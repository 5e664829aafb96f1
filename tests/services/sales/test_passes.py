"""Passes: sold once, held until they end, given back before they begin, earned by use when they are over."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from maas.events import PassBegun
from maas.passes import PassUse
from maas.ports import PassPort
from payments.ports import PaymentState
from services.platform.bus import Envelope
from services.platform.outbox import event_adapter, receive
from tests.services.sales.conftest import NOW, TODAY, Counter

METRO_24H, JOINT_DAY = "metro_24h", "metro_toei_day"
MONDAY = date(2026, 11, 16)


def port_of(counter: Counter) -> Any:
    return counter.house.services["sales"].ports[PassPort]


async def held(counter: Counter, on: date = TODAY, traveller: str = "alice") -> list[Any]:
    found: list[Any] = await port_of(counter).list_passes(traveller_id=traveller, service_date=on)
    return found


async def until(counter: Counter, bought: Any, field: str, value: str) -> Any:
    for _ in range(200):
        _, view = await counter.house.call("GET", f"/api/passes/{bought['pass_id']}")
        if view[field] == value:
            return view
        await asyncio.sleep(0.05)
    raise AssertionError(f"{field} stayed {view[field]}")


async def test_what_is_on_sale_says_its_price_and_operators(counter: Counter) -> None:
    status, told = await counter.house.call("GET", "/api/passes/products")
    products = {each["product_id"]: each for each in told["products"]}
    assert status == 200
    joint = products[JOINT_DAY]
    assert (joint["adult"]["amount_minor"], joint["child"]["amount_minor"]) == (900, 450)
    assert joint["operators"] == ["Toei", "TokyoMetro"]
    assert (products[METRO_24H]["unit"], products[METRO_24H]["count"]) == ("hour", 24)


async def test_a_pass_is_ordered_paid_and_held(counter: Counter) -> None:
    bought = await counter.buy(JOINT_DAY, starts_on="2026-11-21")
    assert bought["amount"]["amount_minor"] == 900
    assert bought["addends"][0]["text_en"] == "Tokyo Metro and Toei Subway one-day ticket (adult)"
    # A service day begins at 04:00 in Tokyo: 19:00 of the day before in UTC.
    assert datetime.fromisoformat(bought["starts_at"]) == datetime(2026, 11, 20, 19, 0, tzinfo=UTC)
    assert await held(counter, TODAY) == []
    (mine,) = await held(counter, date(2026, 11, 21))
    assert (str(mine.pass_id), mine.networks) == (bought["pass_id"], ("tokyo_metro", "toei_subway"))
    assert await held(counter, date(2026, 11, 22)) == []
    assert await held(counter, date(2026, 11, 21), "bob") == []
    asked = {"traveller_ids": ["alice", "bob"], "since": TODAY}
    assert await port_of(counter).list_holders(**asked, until=TODAY) == []
    assert await port_of(counter).list_holders(**asked, until=date(2026, 11, 21)) == ["alice"]
    assert [each["product_id"] for each in await counter.events("PassSold")] == [JOINT_DAY]


async def test_a_pass_of_hours_begins_with_the_earliest_entry_however_late_it_is_told(
    counter: Counter,
) -> None:
    bought = await counter.buy(METRO_24H)
    (mine,) = await held(counter)
    assert (mine.starts_at, mine.hours) == (None, 24)
    port, entry = port_of(counter), datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
    for began in (entry, entry - timedelta(hours=1), entry, entry - timedelta(days=3)):
        use = PassUse(pass_id=mine.pass_id, week=MONDAY, began=began, used={"TokyoMetro": 209})
        (mine,) = await port.note_uses(uses=[use])
    # The entry of three days ago was before the pass was bought, and began nothing.
    assert mine.starts_at == entry - timedelta(hours=1)
    assert mine.ends_at == entry + timedelta(hours=23)
    status, refused = await counter.post(f"/api/passes/{bought['pass_id']}/cancellations")
    assert (status, refused["code"]) == (409, "order_not_cancellable")


async def test_a_pass_that_has_not_begun_goes_back_less_its_fee(counter: Counter) -> None:
    bought = await counter.buy(JOINT_DAY, starts_on="2026-11-21")
    cancel = f"/api/passes/{bought['pass_id']}/cancellations"
    status, back = await counter.post(cancel, key="once")
    # The double's rule keeps 30 %: 270 of 900.
    assert (status, back["state"], back["refunded"]["amount_minor"]) == (200, "refunded", 630)
    assert (await counter.post(cancel, key="once"))[1] == back
    await until(counter, bought, "refund_state", "paid")
    payment = counter.payments.payments[UUID(bought["payment_id"])]
    assert payment.refunded.amount_minor == 630
    (event,) = await counter.events("FareRefunded")
    # 630 and the fee of 270 are both shared in equal parts between Metro and Toei.
    assert (event["amount_minor"], event["shares"]) == (630, {"Toei": 315, "TokyoMetro": 315})
    assert (event["fee_shares"], event["was_earned"]) == ({"Toei": 135, "TokyoMetro": 135}, False)
    assert await held(counter, date(2026, 11, 21)) == []
    use = PassUse(pass_id=UUID(bought["pass_id"]), week=MONDAY, began=None, used={})
    assert await port_of(counter).note_uses(uses=[use]) == [None]


async def test_a_day_that_has_begun_is_not_given_back(counter: Counter) -> None:
    bought = await counter.buy(JOINT_DAY, starts_on=TODAY.isoformat())
    status, refused = await counter.post(f"/api/passes/{bought['pass_id']}/cancellations")
    assert (status, refused["code"]) == (409, "order_not_cancellable")


async def test_a_pass_that_is_over_is_earned_once_by_use(counter: Counter) -> None:
    bought = await counter.buy(JOINT_DAY, starts_on=TODAY.isoformat())
    pass_id = UUID(bought["pass_id"])
    # The same week told three times counts once, as it was told last: 178 x 3 by Metro, 220 by Toei.
    for used in ({"TokyoMetro": 178}, {"Toei": 999}, {"TokyoMetro": 534, "Toei": 220}):
        use = PassUse(pass_id=pass_id, week=MONDAY, began=None, used=used)
        await port_of(counter).note_uses(uses=[use])
    counter.clock.set(datetime(2026, 11, 21, 4, 0, tzinfo=UTC) + timedelta(days=2))
    await asyncio.sleep(1.2)
    assert await counter.events("PassEarned") == []  # taps may still come, for 72 hours
    # The day ended at 04:00 of the 21st in Tokyo, 19:00 UTC of the 20th; three days on all taps have come.
    counter.clock.set(datetime(2026, 11, 23, 19, 0, tzinfo=UTC))
    await until(counter, bought, "state", "earned")
    (event,) = await counter.events("PassEarned")
    # 900 by 534 : 220 of 754: 637.40 and 262.60, the yen to the larger remainder.
    assert event["shares"] == {"TokyoMetro": 637, "Toei": 263}
    assert (event["pass_id"], event["amount_minor"]) == (bought["pass_id"], 900)


async def test_rides_by_card_and_by_ticket_both_count(counter: Counter) -> None:
    bought = await counter.buy(JOINT_DAY, starts_on=TODAY.isoformat())
    pass_id = UUID(bought["pass_id"])
    card = PassUse(pass_id=pass_id, week=MONDAY, began=None, used={"TokyoMetro": 300})
    shown = PassUse(pass_id=pass_id, week=MONDAY, began=None, used={"Toei": 150}, carrier="00ff00ff00ff00ff")
    await port_of(counter).note_uses(uses=[card, shown, shown])
    counter.clock.set(NOW + timedelta(days=10))
    await until(counter, bought, "state", "earned")
    (event,) = await counter.events("PassEarned")
    # 900 by 300 : 150.
    assert event["shares"] == {"TokyoMetro": 600, "Toei": 300}


async def test_an_unused_pass_is_earned_in_equal_parts(counter: Counter) -> None:
    bought = await counter.buy(JOINT_DAY, starts_on=TODAY.isoformat(), rider="child")
    counter.clock.set(NOW + timedelta(days=10))
    await until(counter, bought, "state", "earned")
    (event,) = await counter.events("PassEarned")
    assert event["shares"] == {"TokyoMetro": 225, "Toei": 225}


async def test_what_is_not_sold_is_refused_with_its_cure(counter: Counter) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"product_id": JOINT_DAY}, "start_missing"),
        ({"product_id": METRO_24H, "starts_on": "2026-11-21"}, "start_not_asked"),
        ({"product_id": JOINT_DAY, "starts_on": "2026-11-19"}, "start_out_of_range"),
        ({"product_id": JOINT_DAY, "starts_on": "2026-12-22"}, "start_out_of_range"),
        ({"product_id": "hachijo_van_day", "starts_on": "2026-11-21", "rider": "child"}, "not_sold_to_rider"),
    ]
    for body, reason in cases:
        status, refused = await counter.post("/api/passes", body)
        assert (status, refused["code"], refused["reason"]) == (422, "pass_not_sellable", reason), body
    status, refused = await counter.post("/api/passes", {"product_id": "nothing"})
    assert (status, refused["code"]) == (404, "pass_product_not_found")


async def test_an_answer_lost_after_the_capture_is_finished_by_the_worker(counter: Counter) -> None:
    _, ordered = await counter.post("/api/passes", {"product_id": METRO_24H})
    counter.payments.die_after_capture = True
    pay = f"/api/passes/{ordered['pass_id']}/payments"
    assert (await counter.post(pay, {"payment_method": "pm_card_visa"}))[0] == 503
    database = counter.house.services["sales"].context.database
    await database.execute("update pass_order set lease_until = '-infinity'")  # some seconds pass
    await until(counter, ordered, "state", "confirmed")
    assert len(await counter.events("PassSold")) == 1


async def test_a_declined_card_and_a_pass_that_nobody_pays(counter: Counter) -> None:
    _, ordered = await counter.post("/api/passes", {"product_id": METRO_24H})
    pay = f"/api/passes/{ordered['pass_id']}/payments"
    status, refused = await counter.post(pay, {"payment_method": "pm_declined"})
    assert (status, refused["code"]) == (402, "payment_declined")
    counter.clock.set(NOW + timedelta(minutes=11))
    await until(counter, ordered, "state", "expired")
    status, refused = await counter.post(pay, {"payment_method": "pm_card_visa"})
    assert (status, refused["code"]) == (409, "order_not_payable")
    assert counter.payments.payments[UUID(ordered["payment_id"])].state is PaymentState.VOIDED


async def test_a_capture_that_won_the_race_with_the_end_is_kept(counter: Counter) -> None:
    _, ordered = await counter.post("/api/passes", {"product_id": METRO_24H})
    counter.payments.captured_elsewhere = True
    counter.clock.set(NOW + timedelta(minutes=11))
    await until(counter, ordered, "state", "confirmed")


async def test_repeating_and_others(counter: Counter) -> None:
    body = {"product_id": METRO_24H}
    first = await counter.post("/api/passes", body, key="same")
    assert await counter.post("/api/passes", body, key="same") == first
    path = f"/api/passes/{first[1]['pass_id']}"
    assert (await counter.house.call("GET", path, subject="mallory"))[0] == 404
    assert (await counter.post(f"{path}/cancellations", subject="mallory"))[0] == 404
    _, mine = await counter.house.call("GET", "/api/passes")
    assert len(mine["passes"]) == 1
    unknown = PassUse(pass_id=uuid4(), week=MONDAY, began=None, used={})
    assert await port_of(counter).note_uses(uses=[unknown]) == [None]


async def test_a_pass_in_hand_goes_to_the_price_of_an_offer(counter: Counter) -> None:
    bought = await counter.buy(METRO_24H)
    body = {"journey_id": "test-journey", "riders": ["adult"], "pass_ids": [bought["pass_id"]]}
    assert (await counter.post("/api/offers", body))[0] == 201
    assert [str(each.pass_id) for each in counter.planner.passes[-1]] == [bought["pass_id"]]
    status, refused = await counter.post("/api/offers", body, subject="bob")
    assert (status, refused["code"]) == (404, "pass_order_not_found")


async def test_a_gate_begins_a_pass_of_hours(counter: Counter) -> None:
    bought = await counter.buy(METRO_24H)
    (sold,) = await counter.events("PassSold")
    assert sold["areas"] == [{"operator_id": "TokyoMetro", "network_id": "tokyo_metro"}]
    assert sold["hours"] == 24
    service = counter.house.services["sales"]
    entered = NOW + timedelta(hours=3)
    event = PassBegun(pass_id=UUID(bought["pass_id"]), began=entered)
    by_type = {each.event.__name__: each for each in service.subscriptions}
    envelope = Envelope(
        event_id=uuid4(),
        event_type="PassBegun",
        payload=event_adapter("PassBegun").dump_python(event, mode="json"),
        occurred_at=entered,
        source="ticketing",
    )
    await receive(service.context.database, by_type, envelope)
    _, view = await counter.house.call("GET", f"/api/passes/{bought['pass_id']}")
    assert datetime.fromisoformat(view["starts_at"]) == entered
    # It has begun: it is not given back any more.
    assert (await counter.post(f"/api/passes/{bought['pass_id']}/cancellations"))[0] == 409
    assert await counter.events("PassGivenBack") == []
