"""Payments with wallets, over the real database, the pure ledger and the stand-in: what tests ask of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from payments.accounts import CARD_CLEARING, PROVIDER_FEES, chart_account, traveller_wallet
from payments.money import yen
from payments.ports import LedgerPort, Payment, PaymentsPort
from services.payments.service import build_with
from services.payments.stripe_client import StripeClient
from services.platform.auth import Role
from services.platform.clock import FixedClock
from services.platform.context import ServiceContext
from services.platform.service import Service
from tests.services.payments.running import API_KEY, RunningStandIn
from tests.support.house import TestHouse, running_house
from tests.support.memory_ledger import MemoryLedger

NOW = datetime(2026, 5, 20, 3, 0, tzinfo=UTC)  # noon in Tokyo
VISA, DECLINED, ASKS_FIRST = "pm_card_visa", "pm_card_chargeDeclined", "pm_card_threeDSecure2Required"
FAILS_LATER, ASKS_EVERY_TIME = "pm_card_chargeCustomerFail", "pm_card_authenticationRequired"


@dataclass
class WalletSetting:
    """A running payments service with the world around it."""

    house: TestHouse
    port: PaymentsPort
    ledger: MemoryLedger
    stand_in: RunningStandIn
    service: Service
    clock: FixedClock

    async def get(self, path: str, **call: Any) -> Any:
        status, body = await self.house.call("GET", path, **call)
        assert status == 200, body
        return body

    async def put(self, path: str, body: Any = None, **call: Any) -> Any:
        status, answer = await self.house.call("PUT", path, body=body, **call)
        assert status == 200, answer
        return answer

    async def top_up(self, amount: int, method: str = VISA, **call: Any) -> Any:
        body = {"amount": amount, "payment_method": method}
        status, answer = await self.house.call("POST", "/api/wallet/top-ups", body=body, **call)
        assert status == 201, answer
        return answer

    async def keep_card(self, method: str = VISA, **call: Any) -> None:
        """A default card that may be charged later."""
        body = {"payment_method": method}
        status, answer = await self.house.call("POST", "/api/payments/methods", body=body, **call)
        assert status == 200, answer
        if answer["state"] == "requires_action":
            await self.act_at(answer["next_action_url"])
            answer = await self.get(f"/api/payments/methods/{answer['method_id']}", **call)
        assert (answer["state"], answer["is_default"]) == ("ready", True), answer

    async def filled(self, amount: int, subject: str = "alice") -> None:
        """A wallet with this balance."""
        await self.put("/api/wallet", subject=subject)
        await self.top_up(amount, subject=subject)

    async def opened(self, amount: int, traveller_id: str = "alice") -> Payment:
        return await self.port.open_payment(
            payment_id=uuid4(), order_id=uuid4(), traveller_id=traveller_id, amount=yen(amount)
        )

    async def paid(self, amount: int, method: str = "wallet", traveller_id: str = "alice") -> Payment:
        payment = await self.opened(amount, traveller_id)
        await self.port.authorise(payment_id=payment.payment_id, payment_method=method)
        return await self.port.capture(payment_id=payment.payment_id)

    def net(self, account_id: str) -> int:
        return self.ledger.books.get_balance(account_id, now=self.clock.now()).net_credit

    def collected(self) -> int:
        """What cards have paid, in the books: fees are taken off it whenever they are found."""
        return -self.net(CARD_CLEARING) - self.net(PROVIDER_FEES)

    def balance(self, traveller_id: str = "alice") -> int:
        sums = self.ledger.books.get_balance(traveller_wallet(traveller_id), now=self.clock.now())
        return sums.net_credit - sums.debits_pending

    async def rows(self, query: str, *args: Any) -> list[Any]:
        return await self.service.context.database.fetch(query, *args)

    async def captured_at_the_provider(self) -> int:
        page = await self.stand_in.client.v1.balance_transactions.list_async(params={"limit": 100})
        movements = page.data
        return sum(each.amount for each in movements)

    async def act_at(self, next_action_url: str) -> None:
        """The payer does what their bank asks."""
        address, _, secret = next_action_url.partition("?secret=")
        form = {"secret": secret, "outcome": "approve"}
        async with self.stand_in.session.post(address, data=form, allow_redirects=False) as page:
            assert page.status == 303

    async def check_match(self) -> None:
        """Ledger and provider agree, and the books are whole."""
        body = await self.get("/api/payments/reconciliation", role=Role.ADMIN)
        assert (body["is_matched"], body["unfinished"]) == (True, [])
        assert self.collected() == await self.captured_at_the_provider()
        assert self.ledger.books.get_trial_balance(now=self.clock.now()).is_balanced


@asynccontextmanager
async def wallet_setting(
    database_url: str, stand_in: RunningStandIn, folder: Path
) -> AsyncIterator[WalletSetting]:
    clock = FixedClock(NOW)
    ledger = MemoryLedger(clock)
    await ledger.open_accounts(accounts=[chart_account(PROVIDER_FEES)])

    def build(context: ServiceContext) -> Service:
        client = StripeClient(api_key=API_KEY, api_base=stand_in.url, timeout_s=1.0, network_retries=0)
        return build_with(context, client)

    async with running_house(
        database_url, {"payments": build}, clock=clock, data_dir=folder, ports={LedgerPort: ledger}
    ) as house:
        service = house.services["payments"]
        port: Any = service.ports[PaymentsPort]
        yield WalletSetting(house, port, ledger, stand_in, service, clock)
