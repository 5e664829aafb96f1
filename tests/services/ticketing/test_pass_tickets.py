"""Passes as tickets: issued when sold, ridden again and again, begun at a gate, void when given back."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from maas.events import PassGivenBack, PassSold
from maas.fares.engine import FareEngine
from maas.prices import RiderCategory
from maas.tickets.layout import decode_payload
from maas.tickets.ticket import ANY_AREA, PassArea, area_code, operator_code
from tests.support.counter import BOUGHT_AT, Counter
from tests.support.fares import TARIFFS
from tests.support.tickets import tokyo_time

ENGINE = FareEngine.from_folder(TARIFFS)
TOCHOMAE, SHIODOME = "Toei.Oedo.Tochomae", "Toei.Oedo.Shiodome"


async def sell(
    counter: Counter, *, hours: int | None = None, networks: str = "tokyo_metro toei_subway"
) -> Any:
    areas = ENGINE.list_areas(networks.split(), BOUGHT_AT.date())
    event = PassSold(
        pass_id=uuid4(),
        traveller_id="alice",
        product_id="p",
        amount_minor=900,
        rider=RiderCategory.CHILD,
        name="共通一日乗車券",
        areas=areas,
        hours=hours,
        valid_from=BOUGHT_AT if hours else tokyo_time(20, "04:00"),
        valid_until=BOUGHT_AT + timedelta(days=180, hours=hours) if hours else tokyo_time(21, "04:00"),
    )
    await counter.deliver(event)
    await counter.deliver(event)
    status, body = await counter.house.call("GET", f"/api/tickets?order_id={event.pass_id}")
    assert status == 200, body
    return sorted(body["tickets"], key=lambda ticket: ticket["part"])


def test_the_areas_of_a_pass() -> None:
    def areas(networks: str) -> list[tuple[str, str | None]]:
        found = ENGINE.list_areas(networks.split(), BOUGHT_AT.date())
        return [(area.operator_id, area.network_id) for area in found]

    # Toei has a tram, too, which this pass does not cover; of Tokyo Metro the tariff knows one network.
    assert areas("tokyo_metro toei_subway") == [("Toei", "toei_subway"), ("TokyoMetro", "tokyo_metro")]
    assert areas("toei_subway toei_tram toei_bus toei_bus_ch01") == [("Toei", None), ("ToeiBus", None)]


async def test_a_day_pass_is_one_code_for_two_operators(counter: Counter) -> None:
    (ticket,) = await sell(counter)
    assert ticket["riders"] == {"child": 1}
    assert [fare["origin"] for fare in ticket["fares"]] == ["共通一日乗車券"]
    rights = decode_payload(ticket["payload"]).ticket.entitlements
    assert [(each.operator_code, each.area_code) for each in rights] == [
        (operator_code("Toei"), area_code("Toei", "toei_subway")),
        (operator_code("TokyoMetro"), area_code("TokyoMetro", "tokyo_metro")),
    ]
    assert {each.hours for each in rights} == {0}
    code = ticket["payload"]
    taps = [
        ("enter", "Toei", TOCHOMAE, "20:00"),
        ("exit", "Toei", SHIODOME, "20:20"),
        ("enter", "Toei", SHIODOME, "20:40"),
        ("exit", "Toei", TOCHOMAE, "21:00"),
    ]
    for tap in taps:
        assert await counter.statuses(code, tap) == ["accepted"]
    assert await counter.statuses(code, ("enter", "Toei", TOCHOMAE, "21:10")) == ["accepted"]
    # Handed back over the gate.
    assert await counter.statuses(code, ("enter", "Toei", TOCHOMAE, "21:11"), device="b") == ["already_used"]
    # Nothing is earned by its rides: sales shares its price when it is over.
    await counter.settle()
    assert await counter.count_events("RideRated") == 0
    assert await counter.count_events("PassBegun") == 0


async def test_a_pass_of_hours_is_begun_by_its_first_entry_and_ends(counter: Counter) -> None:
    (ticket,) = await sell(counter, hours=24)
    code = ticket["payload"]
    assert await counter.statuses(code, ("enter", "Toei", TOCHOMAE, "21:00")) == ["accepted"]
    await counter.settle()
    payloads = await counter.context.database.fetch(
        "select payload from outbox where event_type = 'PassBegun'"
    )
    assert [UUID(row["payload"]["pass_id"]) for row in payloads] == [UUID(ticket["order_id"])]
    assert await counter.statuses(code, ("exit", "Toei", SHIODOME, "21:20")) == ["accepted"]
    assert await counter.statuses(code, ("enter", "Toei", SHIODOME, "44:59")) == ["accepted"]
    assert await counter.statuses(code, ("exit", "Toei", TOCHOMAE, "45:10")) == ["accepted"]
    assert await counter.statuses(code, ("enter", "Toei", TOCHOMAE, "45:11")) == ["expired"]


async def test_a_pass_given_back_is_void(counter: Counter) -> None:
    (ticket,) = await sell(counter)
    await counter.deliver(PassGivenBack(pass_id=UUID(ticket["order_id"])))
    assert await counter.statuses(ticket["payload"], ("enter", "Toei", TOCHOMAE, "20:00")) == ["revoked"]


async def test_more_areas_than_a_code_holds_are_parts(counter: Counter) -> None:
    tickets = await sell(
        counter, networks="toei_subway toei_bus tokyo_metro jr_east_yamanote yurikamome rinkai"
    )
    rights = [decode_payload(ticket["payload"]).ticket.entitlements for ticket in tickets]
    assert [len(each) for each in rights] == [5, 1]
    assert ANY_AREA not in {right.area_code for each in rights for right in each}
    assert PassArea(operator_id="TWR", network_id="rinkai") in ENGINE.list_areas(["rinkai"], BOUGHT_AT.date())


async def test_a_gate_of_another_network_refuses_a_pass_and_does_not_begin_it(counter: Counter) -> None:
    (ticket,) = await sell(counter, hours=24)
    stop = ("scan", "Toei", "Toei.Arakawa.Machiya", "20:00")
    await counter.put_device("Toei/tram", operator_id="Toei", area_ids=["toei_tram"])
    assert await counter.statuses(ticket["payload"], stop, device="tram") == ["wrong_place"]
    await counter.settle()
    assert await counter.count_events("PassBegun") == 0
    await counter.put_device("Toei/subway", operator_id="Toei", area_ids=["toei_subway"])
    gate = ("enter", "Toei", TOCHOMAE, "20:10")
    assert await counter.statuses(ticket["payload"], gate, device="subway") == ["accepted"]
    await counter.settle()
    assert await counter.count_events("PassBegun") == 1
