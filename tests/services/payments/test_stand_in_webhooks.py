"""Deliveries of events: signed as the SDK expects, repeated until taken, and badly behaved on demand."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
import stripe
from aiohttp import web

from tests.services.payments.running import RunningStandIn


@dataclass
class Receiver:
    """An endpoint that keeps what it got; `refusals` of the next deliveries are answered with 500."""

    url: str = ""
    refusals: int = 0
    got: list[tuple[bytes, str]] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        if self.refusals > 0:
            self.refusals -= 1
            return web.Response(status=500)
        self.got.append((await request.read(), request.headers["Stripe-Signature"]))
        self.arrived.set()
        return web.Response()

    async def wait_for(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.got) < count:
                self.arrived.clear()
                await self.arrived.wait()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/", receiver.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield receiver
    await runner.cleanup()


async def subscribe(stand_in: RunningStandIn, receiver: Receiver) -> str:
    endpoint = await stand_in.client.v1.webhook_endpoints.create_async(
        params={"url": receiver.url, "enabled_events": ["customer.created"]}
    )
    assert endpoint.secret is not None
    return endpoint.secret


async def make_customers(stand_in: RunningStandIn, count: int) -> list[str]:
    create = stand_in.client.v1.customers.create_async
    return [(await create(params={"name": str(number)})).id for number in range(count)]


async def test_the_sdk_accepts_the_signature(stand_in: RunningStandIn, receiver: Receiver) -> None:
    secret = await subscribe(stand_in, receiver)
    [customer_id] = await make_customers(stand_in, 1)
    await receiver.wait_for(1)
    body, signature = receiver.got[0]
    event = stripe.Webhook.construct_event(body, signature, secret)
    assert (event.type, event.data.object.id) == ("customer.created", customer_id)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(body.replace(b"customer", b"customes"), signature, secret)


async def test_a_refused_delivery_comes_again(stand_in: RunningStandIn, receiver: Receiver) -> None:
    await subscribe(stand_in, receiver)
    receiver.refusals = 1
    await make_customers(stand_in, 1)
    await receiver.wait_for(1)
    # Deliveries go one by one: once the second has arrived, the first is written down.
    await make_customers(stand_in, 1)
    await receiver.wait_for(2)
    assert stand_in.inner.book.count_deliveries()["delivered"] >= 1
    assert b'"name":"0"' in receiver.got[0][0]


async def test_duplicates_on_demand(stand_in: RunningStandIn, receiver: Receiver) -> None:
    await subscribe(stand_in, receiver)
    await stand_in.control("webhooks", duplicate_count=2)
    await make_customers(stand_in, 3)
    await receiver.wait_for(5)
    bodies = [body for body, _ in receiver.got]
    assert len(set(bodies)) == 3


async def test_disorder_on_demand(stand_in: RunningStandIn, receiver: Receiver) -> None:
    await subscribe(stand_in, receiver)
    await stand_in.control("webhooks", reorder=True)
    made = await make_customers(stand_in, 12)
    await receiver.wait_for(12)
    arrived = [
        stripe.Webhook.construct_event_without_verification(body).data.object.id for body, _ in receiver.got
    ]
    assert sorted(arrived) == sorted(made)
    # Twelve random moments are in order by chance once in 12! = 479,001,600 runs.
    assert arrived != made


async def test_events_nobody_asked_for_are_not_sent(stand_in: RunningStandIn, receiver: Receiver) -> None:
    await subscribe(stand_in, receiver)
    await stand_in.client.v1.payment_intents.create_async(params={"amount": 100, "currency": "jpy"})
    await make_customers(stand_in, 1)
    await receiver.wait_for(1)
    assert b"customer.created" in receiver.got[0][0]
    events = (await stand_in.client.v1.events.list_async()).data
    assert [(each.type, each.pending_webhooks) for each in events] == [
        ("customer.created", 1),
        ("payment_intent.created", 0),
    ]
