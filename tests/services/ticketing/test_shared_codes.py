"""Riders who share a code: one check, everybody's fares."""

from dataclasses import replace
from uuid import uuid4

from maas.events import LegCancelled
from maas.prices import RiderCategory
from tests.support.counter import EVENING, Counter
from tests.support.fares import ADULT, CHILD
from tests.support.tickets import SHIP


async def test_a_pair_on_one_code_passes_once_and_earns_both_fares(counter: Counter) -> None:
    event = await counter.confirm(RiderCategory.DISABLED, RiderCategory.HELPER)
    (ticket,) = await counter.tickets(event)
    assert ticket["riders"] == {"disabled": 1, "helper": 1}
    pier = [fare for fare in ticket["fares"] if fare["fare_index"] == SHIP]
    assert [(fare["component_index"], fare["rider"]) for fare in pier] == [(2, "disabled"), (6, "helper")]
    assert await counter.statuses(ticket["payload"], EVENING[4]) == ["accepted"]
    assert await counter.statuses(ticket["payload"], EVENING[4], device="other") == ["already_used"]
    rated = await counter.rated(event)
    assert set(rated) == {2, 6}
    assert rated[2]["ride_id"] != rated[6]["ride_id"]
    assert [ride["rider"] for ride in await counter.rides()] == ["disabled", "helper"]
    # Only one of the two is given back: the code still lets the other through.
    cancelled = LegCancelled(order_id=event.order_id, case_id=uuid4(), component_indices=(3,), reason="x")
    await counter.deliver(cancelled)
    assert await counter.statuses(ticket["payload"], EVENING[5]) == ["accepted"]
    assert set(await counter.rated(event)) == {2, 6, 7}


async def test_a_family_asks_for_one_code(counter: Counter) -> None:
    apart = await counter.confirm(ADULT, CHILD, CHILD)
    assert len(await counter.tickets(apart)) == 3
    together = replace(apart, order_id=uuid4(), on_one_code=True)
    await counter.deliver(together)
    (ticket,) = await counter.tickets(together)
    assert ticket["riders"] == {"adult": 1, "child": 2}
    assert await counter.statuses(ticket["payload"], EVENING[4]) == ["accepted"]
    # The ship of the adult and of each child: components 2, 6 and 10 of the order.
    assert set(await counter.rated(together)) == {2, 6, 10}
