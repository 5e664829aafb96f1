"""Passes as tickets: issued when sold, ridden again and again, begun at a gate, void when given back."""

import asyncio
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from maas.events import PassGivenBack, PassSold
from maas.fares.engine import FareEngine
from maas.passes import PassHeld
from maas.ports import NetworkPort, PassPort
from maas.prices import RiderCategory
from maas.tickets.layout import decode_payload
from maas.tickets.ticket import ANY_AREA, PassArea, area_code, operator_code
from tests.support.counter import BOUGHT_AT, Counter, open_counter
from tests.support.fares import TARIFFS
from tests.support.tickets import tokyo_time
from tests.support.travel_house import Holder, Published, compile_network

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
    # No pass covers the midnight buses, so that of the buses it names each network.
    assert areas("tokyo_metro toei_subway") == [("Toei", "toei_subway"), ("TokyoMetro", "tokyo_metro")]
    buses = ["toei_bus", "toei_bus_al01", "toei_bus_ch01", "toei_bus_gaku"]
    assert areas(" ".join(["toei_subway", "toei_tram", *buses])) == [
        ("Toei", None),
        *(("ToeiBus", bus) for bus in buses),
    ]
    assert areas(" ".join([*buses, "toei_bus_night"])) == [("ToeiBus", None)]


async def test_a_pass_of_the_subway_the_tram_and_the_buses_by_day_fits_in_codes(counter: Counter) -> None:
    tickets = await sell(
        counter, networks="toei_subway toei_tram toei_bus toei_bus_ch01 toei_bus_al01 toei_bus_gaku"
    )
    rights = [right for ticket in tickets for right in decode_payload(ticket["payload"]).ticket.entitlements]
    assert len(rights) == 5
    assert {right.area_code for right in rights} >= {ANY_AREA, area_code("ToeiBus", "toei_bus")}


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


async def test_what_its_rides_would_have_cost_is_told_by_operator(database_url: str, tmp_path: Path) -> None:
    """Sales shares the price by it, as for a pass ridden by card; a tap that was refused is no ride."""
    holder, published = Holder(), Published(compile_network())
    ports = {NetworkPort: published, PassPort: holder}
    async with open_counter(database_url, tmp_path, ports=ports) as counter:
        (ticket,) = await sell(counter)
        pass_id = UUID(ticket["order_id"])
        holder.passes["alice"] = [
            PassHeld(
                pass_id=pass_id,
                product_id="p",
                rider=RiderCategory.CHILD,
                networks=("tokyo_metro", "toei_subway"),
                name="共通一日乗車券",
                name_en="one-day ticket",
                usable_from=tokyo_time(20, "04:00"),
                starts_at=tokyo_time(20, "04:00"),
                ends_at=tokyo_time(21, "04:00"),
                hours=None,
            )
        ]
        code = ticket["payload"]
        await counter.statuses(code, ("enter", "Toei", TOCHOMAE, "20:00"))
        assert await counter.statuses(code, ("enter", "Toei", TOCHOMAE, "20:05"), device="b") == [
            "already_used"
        ]
        await counter.statuses(code, ("exit", "Toei", SHIODOME, "20:20"))
        await counter.statuses(code, ("enter", "TokyoMetro", "TokyoMetro.Ginza.Shimbashi", "20:40"))
        await counter.statuses(code, ("exit", "TokyoMetro", "TokyoMetro.Ginza.Shibuya", "21:00"))
        told = await until_told(counter, holder, operators=2)
        # A child by our app: 都庁前-汐留 10 km 280, half 140.
        # 新橋-渋谷 6.3 km, so 7 km: 210, half of it up to ten yen 110.
        assert (told.pass_id, told.week, told.used) == (
            pass_id,
            date(2026, 5, 18),
            {"Toei": 140, "TokyoMetro": 110},
        )
        # By itself, beside what a card of the traveller's may have made of the same pass.
        assert told.carrier == decode_payload(code).ticket.ticket_ref


async def until_told(counter: Counter, holder: Holder, *, operators: int) -> Any:
    for _ in range(200):
        if holder.uses and len(holder.uses[-1].used) == operators:
            return holder.uses[-1]
        counter.clock.set(counter.clock.now() + timedelta(seconds=61))
        await asyncio.sleep(0.05)
    raise AssertionError(f"told so far: {holder.uses}")
