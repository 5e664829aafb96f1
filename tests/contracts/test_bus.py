"""What every bus promises, asked of the bus in this process and of Redis Streams alike."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from uuid import UUID

import pytest
from redis.asyncio import Redis

from services.platform import bus as bus_module
from services.platform import redis_bus
from services.platform.bus import Acknowledgement, Bus, Envelope, InProcessBus
from services.platform.embedded.ports import pick_free_port
from services.platform.embedded.redis import EmbeddedRedis
from services.platform.redis_bus import RedisBus, decode, encode
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

MakeBus = Callable[[], Bus]


@pytest.fixture(params=["in_process", "redis"])
def make_bus(request: pytest.FixtureRequest) -> MakeBus:
    """Makes a bus; two buses made in one test share their carrier where the kind has one."""
    if request.param == "in_process":
        return InProcessBus
    url: str = request.getfixturevalue("redis_url")
    return lambda: RedisBus(url)


@pytest.fixture
async def streams(database_url: str, tmp_path: Path) -> AsyncIterator[Streams]:
    async with open_streams(database_url, tmp_path) as found:
        yield found


class Listener:
    """Keeps what is delivered; fails for the event ids in `failing`."""

    def __init__(self) -> None:
        self.heard: list[Envelope] = []
        self.failing: set[UUID] = set()

    async def deliver(self, envelope: Envelope) -> None:
        self.heard.append(envelope)
        if envelope.event_id in self.failing:
            raise RuntimeError("the subscriber fails")

    async def wait_for(self, count: int) -> None:
        async def enough() -> bool:
            return len(self.heard) >= count

        await eventually(enough)


@asynccontextmanager
async def started(bus: Bus) -> AsyncIterator[Bus]:
    await bus.start()
    try:
        yield bus
    finally:
        await bus.stop()


async def acknowledgements(bus: Bus, count: int, source: str = "producer") -> list[Acknowledgement]:
    found: list[Acknowledgement] = []

    async def enough() -> bool:
        found.extend(await bus.take_acknowledgements(source=source))
        return len(found) >= count

    await eventually(enough)
    return found


async def test_each_group_hears_each_event_of_its_types_once_and_in_order(make_bus: MakeBus) -> None:
    bus, demand, planner = make_bus(), Listener(), Listener()
    bus.subscribe(group=GROUP, event_types=["JourneysPlanned"], deliver=demand.deliver)
    bus.subscribe(
        group="planner", event_types=["JourneysPlanned", "NetworkPublished"], deliver=planner.deliver
    )
    searches = [envelope_of(search(number)) for number in range(150)]
    networks = [envelope_of(publication(number)) for number in range(20)]
    async with started(bus):
        await bus.publish(searches[:70])
        await bus.publish(networks)
        await bus.publish(searches[70:])
        await demand.wait_for(150)
        await planner.wait_for(170)
        await asyncio.sleep(0.05)
    assert demand.heard == searches
    assert [each for each in planner.heard if each.event_type == "JourneysPlanned"] == searches
    assert [each for each in planner.heard if each.event_type == "NetworkPublished"] == networks


async def test_what_was_published_before_the_start_is_delivered_after_it(make_bus: MakeBus) -> None:
    bus, listener = make_bus(), Listener()
    bus.subscribe(group=GROUP, event_types=["JourneysPlanned"], deliver=listener.deliver)
    await bus.publish([envelope_of(search(1))])
    async with started(bus):
        await listener.wait_for(1)
    assert [each.payload["journey_count"] for each in listener.heard] == [1]


async def test_acknowledgements_name_the_event_and_the_group_and_go_to_the_source(make_bus: MakeBus) -> None:
    bus, demand, planner = make_bus(), Listener(), Listener()
    bus.subscribe(group=GROUP, event_types=["JourneysPlanned"], deliver=demand.deliver)
    bus.subscribe(group="planner", event_types=["JourneysPlanned"], deliver=planner.deliver)
    mine, other = envelope_of(search(1)), envelope_of(search(2), source="elsewhere")
    async with started(bus):
        await bus.publish([mine, other])
        found = await acknowledgements(bus, 2)
        assert set(found) == {
            Acknowledgement(mine.event_id, GROUP),
            Acknowledgement(mine.event_id, "planner"),
        }
        assert await bus.take_acknowledgements(source="producer") == []
        assert {each.event_id for each in await acknowledgements(bus, 2, "elsewhere")} == {other.event_id}


async def test_a_failing_subscriber_holds_up_nobody_and_acknowledges_nothing(make_bus: MakeBus) -> None:
    bus, listener = make_bus(), Listener()
    bus.subscribe(group=GROUP, event_types=["JourneysPlanned"], deliver=listener.deliver)
    bad, good = envelope_of(search(1)), envelope_of(search(2))
    listener.failing.add(bad.event_id)
    async with started(bus):
        await bus.publish([bad, good])
        assert [each.event_id for each in await acknowledgements(bus, 1)] == [good.event_id]
        listener.failing.clear()
        await bus.publish([bad])
        assert [each.event_id for each in await acknowledgements(bus, 1)] == [bad.event_id]


@pytest.mark.parametrize("ails", ["hangs", "is cut off"])
async def test_a_delivery_that_never_ends_or_is_cut_off_holds_up_nobody_for_ever(
    make_bus: MakeBus, ails: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus_module, "DELIVERY_S_MAX", 0.2)
    bus, listener = make_bus(), Listener()
    ailing, sound = envelope_of(search(1)), envelope_of(search(2))

    async def deliver(envelope: Envelope) -> None:
        await listener.deliver(envelope)
        if envelope.event_id == ailing.event_id:
            if ails == "hangs":
                await asyncio.Event().wait()
            raise asyncio.CancelledError

    bus.subscribe(group=GROUP, event_types=["JourneysPlanned"], deliver=deliver)
    async with started(bus):
        await bus.publish([ailing, sound])
        (done,) = await acknowledgements(bus, 1)
    assert done.event_id == sound.event_id
    assert [each.event_id for each in listener.heard] == [ailing.event_id, sound.event_id]


async def test_duplicates_are_delivered_and_take_effect_once(make_bus: MakeBus, streams: Streams) -> None:
    bus = make_bus()
    bus.subscribe(group=GROUP, event_types=["JourneysPlanned"], deliver=streams.take_effect)
    envelopes = [envelope_of(search(number)) for number in range(5)]
    async with started(bus):
        for _ in range(4):
            await bus.publish(envelopes)
        await acknowledgements(bus, 20)
    assert await streams.effects() == [0, 1, 2, 3, 4]


async def test_a_consumer_that_dies_in_the_middle_gets_its_events_again(
    make_bus: MakeBus, streams: Streams
) -> None:
    first, entered = make_bus(), asyncio.Event()

    async def hang(_envelope: Envelope) -> None:
        entered.set()
        await asyncio.Event().wait()

    first.subscribe(group=GROUP, event_types=["JourneysPlanned"], deliver=hang)
    await streams.append(*(search(number) for number in range(30)))
    async with started(first), running(streams.relay(first).run):
        await asyncio.wait_for(entered.wait(), 10)
    second = make_bus()
    second.subscribe(group=GROUP, event_types=["JourneysPlanned"], deliver=streams.take_effect)
    async with started(second), running(streams.relay(second).run):
        await eventually(streams.are_acknowledged)
    assert sorted(await streams.effects()) == list(range(30))


async def test_a_subscriber_that_fails_at_first_gets_its_event_again(
    make_bus: MakeBus, streams: Streams
) -> None:
    bus, tries = make_bus(), 0

    async def stumble(envelope: Envelope) -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise RuntimeError("not yet")
        await streams.take_effect(envelope)

    bus.subscribe(group=GROUP, event_types=["JourneysPlanned"], deliver=stumble)
    async with started(bus), running(streams.relay(bus).run):
        await streams.append(search(7))
        await eventually(streams.are_acknowledged)
    assert await streams.effects() == [7]
    assert tries == 3


# Redis only: what a carrier outside can do to us.


async def test_a_living_consumer_takes_over_what_a_dead_one_left(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_bus, "_CLAIM_IDLE_MS", 50)
    monkeypatch.setattr(redis_bus, "_BLOCK_MS", 50)
    dead, entered = RedisBus(redis_url), asyncio.Event()

    async def hang(_envelope: Envelope) -> None:
        entered.set()
        await asyncio.Event().wait()

    dead.subscribe(group=GROUP, event_types=["JourneysPlanned"], deliver=hang)
    envelopes = [envelope_of(search(number)) for number in range(3)]
    async with started(dead):
        await dead.publish(envelopes)
        await asyncio.wait_for(entered.wait(), 10)
    living, listener = RedisBus(redis_url), Listener()
    living._consumer = "another-process"
    living.subscribe(group=GROUP, event_types=["JourneysPlanned"], deliver=listener.deliver)
    async with started(living):
        await listener.wait_for(3)
    assert listener.heard[:3] == envelopes


async def test_an_entry_that_is_not_ours_stops_nobody(redis_url: str) -> None:
    bus, listener, envelope = RedisBus(redis_url), Listener(), envelope_of(search(1))
    async with Redis.from_url(redis_url) as redis:
        await redis.xadd("maas:events:JourneysPlanned", {"envelope": b"{not json"})
        await redis.xadd("maas:events:JourneysPlanned", {"something": b"else"})
    bus.subscribe(group=GROUP, event_types=["JourneysPlanned"], deliver=listener.deliver)
    async with started(bus):
        await bus.publish([envelope])
        await listener.wait_for(1)
    assert listener.heard == [envelope]


@pytest.fixture
def own_redis(server_folder: Path, tmp_path: Path) -> Iterator[EmbeddedRedis]:
    """A server that the test may empty and kill: nobody else's events are on it. It keeps its port."""
    server = EmbeddedRedis(server_folder / f"redis-{tmp_path.name}", port=pick_free_port())
    yield server
    server.stop()


async def test_an_emptied_redis_loses_nothing(own_redis: EmbeddedRedis, streams: Streams) -> None:
    url = own_redis.start()
    async with AsyncExitStack() as stack:
        flusher = Redis.from_url(url)
        stack.push_async_callback(flusher.aclose)
        bus = RedisBus(url)
        slow = asyncio.Event()

        async def deliver(envelope: Envelope) -> None:
            await slow.wait()
            await streams.take_effect(envelope)

        bus.subscribe(group=GROUP, event_types=["JourneysPlanned"], deliver=deliver)
        await stack.enter_async_context(started(bus))
        await stack.enter_async_context(running(streams.relay(bus).run))
        for number in range(40):
            await streams.append(search(number))
            if number % 10 == 5:
                await flusher.flushall()
        slow.set()
        await flusher.flushall()
        await eventually(streams.are_acknowledged)
    assert sorted(await streams.effects()) == list(range(40))


async def test_a_redis_that_is_killed_and_comes_back_empty_loses_nothing(
    own_redis: EmbeddedRedis, streams: Streams
) -> None:
    bus = RedisBus(own_redis.start())
    bus.subscribe(group=GROUP, event_types=["JourneysPlanned"], deliver=streams.take_effect)
    async with started(bus), running(streams.relay(bus).run):
        await streams.append(search(1))
        await eventually(streams.are_acknowledged)
        os.kill(own_redis.pid, signal.SIGKILL)
        await streams.append(search(2), search(3))
        own_redis.stop()
        await asyncio.to_thread(own_redis.start)
        await streams.append(search(4))
        await eventually(streams.are_acknowledged)
    assert sorted(await streams.effects()) == [1, 2, 3, 4]


def test_an_envelope_survives_the_wire() -> None:
    envelope = envelope_of(search(3))
    assert decode(encode(envelope)) == envelope
