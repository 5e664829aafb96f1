"""A running payments service and the world around it, for the tests of this folder.

Real database, the pure ledger, and the stand-in behind the SDK.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import orjson
import pytest
from aiohttp.test_utils import TestServer

from maas.ports import RidesPort
from payments.accounts import CARD_CLEARING, PROVIDER_FEES, REFUNDS_DUE, UNEARNED_FARES
from payments.errors import AccountNotFound
from payments.money import yen
from payments.ports import LedgerPort, Payment, PaymentsPort, PaymentState, Refund
from services.payments.service import build_with
from services.payments.stand_in.webhooks import sign
from services.payments.stripe_client import StripeClient
from services.platform.auth import Authenticator, Role
from services.platform.clock import FixedClock
from services.platform.context import ServiceContext
from services.platform.http import build_app
from services.platform.rpc import add_port_routes, port_client
from services.platform.service import Service
from tests.services.payments.running import API_KEY, RunningStandIn
from tests.support.house import KeyOfTheTest, TestHouse, running_house
from tests.support.memory_ledger import MemoryLedger
from tests.support.port_doubles import Rides

NOW = datetime(2026, 5, 20, 11, 0, tzinfo=UTC)
HOUSE_SECRET = "the-secret-of-the-test-house"  # noqa: S105 - of the test
SECRET = "whsec_of_the_test"  # noqa: S105 - of the test
VISA = "pm_card_visa"


@dataclass
class Setting:
    """A running payments service and the world around it."""

    house: TestHouse
    port: PaymentsPort
    ledger: MemoryLedger
    stand_in: RunningStandIn
    service: Service
    rides: Rides = field(default_factory=Rides)

    async def open(self, amount: int = 1250, traveller_id: str = "alice") -> Payment:
        return await self.port.open_payment(
            payment_id=uuid4(), order_id=uuid4(), traveller_id=traveller_id, amount=yen(amount)
        )

    async def captured(self, amount: int = 1250, method: str = VISA) -> Payment:
        payment = await self.open(amount)
        await self.port.authorise(payment_id=payment.payment_id, payment_method=method)
        return await self.port.capture(payment_id=payment.payment_id)

    async def refund(self, payment: Payment, amount: int, refund_id: UUID | None = None) -> Refund:
        return await self.port.refund(
            refund_id=refund_id or uuid4(),
            payment_id=payment.payment_id,
            amount=yen(amount),
            reason="cancelled",
        )

    def net(self, account_id: str) -> int:
        try:
            return self.ledger.books.get_balance(account_id, now=NOW).net_credit
        except AccountNotFound:
            return 0

    def balances(self) -> list[int]:
        """Card clearing before the provider's fees, which are collected at any moment; unearned; due."""
        before_fees = self.net(CARD_CLEARING) + self.net(PROVIDER_FEES)
        return [before_fees, self.net(UNEARNED_FARES), self.net(REFUNDS_DUE)]

    def pending(self) -> int:
        return self.ledger.books.get_balance(UNEARNED_FARES, now=NOW).credits_pending

    async def rows(self, query: str, *args: Any) -> list[Any]:
        return await self.service.context.database.fetch(query, *args)

    async def told(self, event_type: str) -> list[Any]:
        rows = await self.rows("select payload from outbox where event_type = $1 order by id", event_type)
        return [row["payload"] for row in rows]

    async def reconciliation(self) -> Any:
        status, body = await self.house.call("GET", "/api/payments/reconciliation", role=Role.ADMIN)
        assert status == 200, body
        return body

    async def send_webhook(self, event: Any, *, at: int | None = None, secret: str = SECRET) -> int:
        body = orjson.dumps(event)
        signature = sign(body, secret=secret, at=at or int(datetime.now(UTC).timestamp()))
        url = "/api/payments/webhooks/stripe"
        async with self.house.client.post(
            url, data=body, headers={"Stripe-Signature": signature}
        ) as response:
            return response.status

    async def until(self, payment_id: UUID, state: PaymentState) -> Payment:
        """The payment once the worker has brought it there."""

        async def is_there() -> bool:
            return (await self.port.get_payment(payment_id=payment_id)).state is state

        await eventually(is_there)
        return await self.port.get_payment(payment_id=payment_id)


async def eventually(is_so: Callable[[], Awaitable[bool]]) -> None:
    """Wait until another task has made it so."""
    for _ in range(500):
        if await is_so():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not come about within ten seconds")


@asynccontextmanager
async def running_setting(
    database_url: str, stand_in: RunningStandIn, data_dir: Path, *, over_http: bool = False
) -> AsyncIterator[Setting]:
    """The service; its port is the local object, or HTTP's adapter."""
    clock = FixedClock(NOW)
    ledger, rides = MemoryLedger(clock), Rides()

    def build(context: ServiceContext) -> Service:
        client = StripeClient(
            api_key=API_KEY,
            api_base=stand_in.url,
            timeout_s=1.0,
            network_retries=0,
            rate_limit_pauses_s=(0.01, 0.01),
        )
        return build_with(context, client, webhook_secret=SECRET)

    doubles = {LedgerPort: ledger, RidesPort: rides}
    async with running_house(
        database_url, {"payments": build}, clock=clock, data_dir=data_dir, ports=doubles
    ) as house:
        service = house.services["payments"]
        port: Any = service.ports[PaymentsPort]
        if not over_http:
            yield Setting(house, port, ledger, stand_in, service, rides)
            return
        async with http_adapter(service, clock) as adapter:
            yield Setting(house, adapter, ledger, stand_in, service, rides)


@asynccontextmanager
async def http_adapter(service: Service, clock: FixedClock) -> AsyncIterator[PaymentsPort]:
    """The same port, across HTTP."""
    key = KeyOfTheTest(clock)
    authenticator = Authenticator(identity=lambda: key, clock=clock, service_secret=HOUSE_SECRET)
    app = build_app([], authenticator)
    add_port_routes(app, [service], authenticator)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        url = f"http://{server.host}:{server.port}"
        adapter: Any = port_client(PaymentsPort, base_url=url, session=session, secret=HOUSE_SECRET)
        yield adapter


both_adapters = pytest.mark.parametrize("setting", ["local", "http"], indirect=True)


async def answer_bank(setting: Setting, next_action_url: str | None, outcome: str) -> None:
    address, _, secret = str(next_action_url).partition("?secret=")
    async with setting.stand_in.session.post(
        address, data={"secret": secret, "outcome": outcome}, allow_redirects=False
    ) as response:
        assert response.status == 303
