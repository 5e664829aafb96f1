"""Events leave with their cause and take effect once: out of order, twice at a time, killed at any point."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from services.platform.bus import Envelope, InProcessBus
from services.platform.outbox import Subscription, queries, receive
from services.platform.redis_bus import RedisBus
from tests.support.event_streams import (
    GROUP,
    Streams,
    envelope_of,
    eventually,
    open_streams,
    publication,
    running,
    search,
)

ROOT = Path(__file__).parents[2]


@pytest.fixture
async def streams(database_url: str, tmp_path: Path) -> AsyncIterator[Streams]:
    async with open_streams(database_url, tmp_path) as found:
        yield found


class CountingBus(InProcessBus):
    """Remembers what was handed over; delivers nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.published: list[Envelope] = []

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        self.published += envelopes
        await asyncio.sleep(0)

    def numbers(self) -> list[int]:
        return [each.payload["journey_count"] for each in self.published]


async def test_events_that_commit_out_of_order_are_all_published(streams: Streams) -> None:
    bus = CountingBus()
    relay = streams.relay(bus, redeliver_after_s=60)
    async with streams.producer.transaction() as slow:
        await streams.outbox.append(slow, search(1))  # takes the lower id, commits last
        await streams.append(search(2))
        await relay.step()
        assert bus.numbers() == [2]
    await relay.step()
    assert bus.numbers() == [2, 1]
    await relay.step()
    assert bus.numbers() == [2, 1]


async def test_fifty_transactions_that_commit_in_any_order_are_all_published_once(streams: Streams) -> None:
    bus = CountingBus()
    relay = streams.relay(bus, redeliver_after_s=60)

    async def append(number: int) -> None:
        async with streams.producer.transaction() as tx:
            await streams.outbox.append(tx, search(number))
            await asyncio.sleep(0.001 * (number * 7 % 11))

    async with running(relay.run):
        await asyncio.gather(*(append(number) for number in range(50)))
        await eventually(lambda: _has(bus, 50))
    assert sorted(bus.numbers()) == list(range(50))


async def _has(bus: CountingBus, count: int) -> bool:
    return len(bus.published) >= count


async def test_an_event_of_a_rolled_back_transaction_never_leaves(streams: Streams) -> None:
    async def fail() -> None:
        async with streams.producer.transaction() as tx:
            await streams.outbox.append(tx, search(1))
            raise RuntimeError("the cause did not happen")

    with pytest.raises(RuntimeError):
        await fail()
    bus = CountingBus()
    await streams.relay(bus).step()
    assert bus.published == []


async def test_relays_beside_one_another_publish_each_event_once(streams: Streams) -> None:
    bus = CountingBus()
    await streams.append(*(search(number) for number in range(1000)))
    relays = [streams.relay(bus, redeliver_after_s=60) for _ in range(3)]
    await asyncio.gather(*(relay.step() for relay in relays for _ in range(3)))
    assert sorted(bus.numbers()) == list(range(1000))


async def test_one_relay_publishes_in_the_order_of_appending(streams: Streams) -> None:
    bus = CountingBus()
    await streams.append(*(search(number) for number in range(450)))
    relay = streams.relay(bus, redeliver_after_s=60)
    assert [await relay.step() for _ in range(3)] == [True, True, False]  # 200, 200, 50
    assert bus.numbers() == list(range(450))


async def test_what_the_bus_refuses_stays_in_the_outbox(streams: Streams) -> None:
    class Broken(CountingBus):
        async def publish(self, _envelopes: Sequence[Envelope]) -> None:
            raise ConnectionError("the carrier is gone")

    await streams.append(search(1))
    with pytest.raises(ConnectionError):
        await streams.relay(Broken()).step()
    bus = CountingBus()
    await streams.relay(bus).step()
    assert bus.numbers() == [1]


async def test_an_event_waits_for_each_of_its_subscribers_and_no_longer(streams: Streams) -> None:
    bus = InProcessBus()
    bus.subscribe(group=GROUP, event_types=["JourneysPlanned"], deliver=streams.take_effect)
    await streams.append(search(1), publication(1))

    async def waiting() -> dict[str, list[str]]:
        rows = await streams.producer.fetch("select event_type, waiting_for from outbox")
        return {row["event_type"]: row["waiting_for"] for row in rows}

    # Nobody listens for the planner here, so its event is kept for it.
    async def is_settled() -> bool:
        return await waiting() == {"JourneysPlanned": [], "NetworkPublished": ["planner"]}

    await bus.start()
    relay = streams.relay(bus, redeliver_after_s=60)
    await relay.publish_claimed(queries["claim_unpublished"], 10)
    assert await waiting() == {"JourneysPlanned": [GROUP], "NetworkPublished": ["planner"]}
    async with running(relay.run):
        await eventually(is_settled)
    await bus.stop()
    assert await is_settled()


async def test_an_acknowledgement_of_a_stranger_changes_nothing(streams: Streams) -> None:
    await streams.append(search(1))
    await streams.relay(CountingBus()).step()
    event_id = await streams.producer.fetchval("select event_id from outbox")
    for group in ("planner", GROUP, GROUP):
        await streams.producer.execute(queries["acknowledge"], [event_id], [group])
        waiting = await streams.producer.fetchval("select waiting_for from outbox")
        assert waiting == ([GROUP] if group == "planner" else [])


async def test_what_nobody_acknowledges_is_published_again_and_again_ever_more_slowly(
    streams: Streams,
) -> None:
    bus = CountingBus()
    relay = streams.relay(bus, redeliver_after_s=0.05)
    await streams.append(search(1))

    async def was_tried_thrice() -> bool:
        return bool(await streams.producer.fetchval("select attempts >= 3 from outbox"))

    async with running(relay.run):
        await eventually(was_tried_thrice)
    assert set(bus.numbers()) == {1}
    # After three tries the next one waits 0.05 s x 2^3 = 0.4 s: nothing is claimed before, one is after.
    published_at = await streams.producer.fetchval("update outbox set attempts = 3 returning published_at")
    claim = queries["claim_unacknowledged"]
    for waited_s, claimed in ((0.39, 0), (0.41, 1)):
        now = published_at + timedelta(seconds=waited_s)
        rows = await streams.producer.fetch(claim, 10, now, timedelta(seconds=0.05))
        assert len(rows) == claimed


async def test_old_acknowledged_events_are_forgotten_and_waiting_ones_kept(streams: Streams) -> None:
    await streams.append(search(1), publication(1))
    await streams.relay(CountingBus(), redeliver_after_s=60).step()
    event_id = await streams.producer.fetchval(
        "select event_id from outbox where event_type = 'JourneysPlanned'"
    )
    await streams.producer.execute(queries["acknowledge"], [event_id], [GROUP])
    later = await streams.producer.fetchval("select clock_timestamp() + interval '1 second'")
    await streams.producer.execute(queries["forget_old"], later)
    assert await streams.producer.fetchval("select array_agg(event_type) from outbox") == ["NetworkPublished"]


# The inbox.


async def test_ten_deliveries_at_once_have_one_effect(streams: Streams) -> None:
    envelope = envelope_of(search(5))
    await asyncio.gather(*(streams.take_effect(envelope) for _ in range(10)))
    assert await streams.effects() == [5]


async def test_an_effect_that_fails_leaves_no_inbox_row_and_comes_again(streams: Streams) -> None:
    envelope = envelope_of(search(5))

    async def half(tx: Any, event: Any, _envelope: Envelope) -> None:
        await tx.execute("insert into effect (number) values ($1)", event.journey_count)
        raise RuntimeError("after the effect, before the commit")

    with pytest.raises(RuntimeError):
        await receive(streams.consumer, {"JourneysPlanned": Subscription(object, half)}, envelope)
    assert await streams.effects() == []
    await streams.take_effect(envelope)
    assert await streams.effects() == [5]


# Killed relays: another process with the same outbox, ended with SIGKILL at a chosen point.

CHILD = """
import asyncio, sys
from pathlib import Path
from services.platform.clock import SystemClock
from services.platform.database import Database
from services.platform.outbox import Outbox, Relay
from services.platform.redis_bus import RedisBus

database_url, redis_url, point = sys.argv[1:]


class DeadlyBus(RedisBus):
    async def publish(self, envelopes):
        if point == "after_publish":
            await super().publish(envelopes)
        print("reached", len(envelopes), flush=True)
        await asyncio.Event().wait()


async def main():
    database = Database(database_url, schema="producer")
    await database.open()
    await Relay(Outbox(database, SystemClock()), database, DeadlyBus(redis_url)).run()


asyncio.run(main())
"""


@pytest.mark.parametrize("point", ["before_publish", "after_publish"])
async def test_a_relay_killed_at_any_point_leaves_each_event_one_effect(
    streams: Streams, redis_url: str, database_url: str, point: str
) -> None:
    await streams.append(*(search(number) for number in range(20)))
    async with AsyncExitStack() as stack:
        bus = RedisBus(redis_url)
        bus.subscribe(group=GROUP, event_types=["JourneysPlanned"], deliver=streams.take_effect)
        await bus.start()
        stack.push_async_callback(bus.stop)
        child = subprocess.Popen(  # noqa: ASYNC220 - our own script, and the kill must be the test's
            [sys.executable, "-c", CHILD, database_url, redis_url, point],
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        with child:
            assert child.stdout is not None
            line = await asyncio.to_thread(child.stdout.readline)
            assert line == b"reached 20\n"
            child.kill()
        # The claim died with its process: every row is unpublished again.
        assert await streams.producer.fetchval("select count(*) from outbox where published_at is null") == 20
        if point == "after_publish":
            await eventually(lambda: _took(streams, 20))
        async with running(streams.relay(bus).run):
            await eventually(streams.are_acknowledged)
    assert sorted(await streams.effects()) == list(range(20))


async def _took(streams: Streams, count: int) -> bool:
    return len(await streams.effects()) >= count
