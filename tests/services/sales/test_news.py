"""A customer in debt is told why gates refuse them, and when they do no more: each change once."""

from maas.events import StandingChanged
from tests.services.sales.conftest import Counter
from tests.support.event_streams import eventually


async def change(counter: Counter, *, listing: int, is_denied: bool, owed: int) -> None:
    context = counter.house.services["sales"].context
    event = StandingChanged(customer_id="alice", is_denied=is_denied, owed_minor=owed, listing=listing)
    async with context.database.transaction() as tx:
        await context.outbox.append(tx, event)


async def test_who_is_refused_and_let_in_again_is_told_each_time_once(counter: Counter) -> None:
    await change(counter, listing=7, is_denied=True, owed=1_234)
    await change(counter, listing=7, is_denied=True, owed=1_234)
    await change(counter, listing=8, is_denied=False, owed=0)
    await change(counter, listing=9, is_denied=True, owed=500)

    async def list_told() -> list[tuple[str, bool]]:
        _, answer = await counter.house.call("GET", "/api/notifications")
        assert all(each["order_id"] is None for each in answer["notifications"])
        return sorted((each["code"], "1,234" in each["texts"]["ja"]) for each in answer["notifications"])

    async def is_all_told() -> bool:
        return len(await list_told()) >= 3

    await eventually(is_all_told)
    assert await list_told() == [
        ("travel_allowed", False),
        ("travel_refused", False),
        ("travel_refused", True),
    ]
