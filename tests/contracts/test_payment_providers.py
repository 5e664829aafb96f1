"""What every payment provider promises, held against each: cards, and businesses' accounts."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from payments.errors import ProviderRefused
from payments.money import yen
from payments.payment import ProviderReport, ProviderState
from payments.ports import RefundState
from services.payments.on_account.adapter import METHOD, OnAccountProvider
from services.payments.provider import Provider
from services.payments.stripe_client import StripeClient
from services.payments.stripe_provider import StripeProvider
from services.platform.database import Database
from services.platform.migrations import migrate
from tests.conftest import ROOT
from tests.services.payments.running import API_KEY, start_stand_in, stop_stand_in

AMOUNT = yen(1_250)


@dataclass
class Case:
    """A provider, a method that it takes, one that it declines, and who pays."""

    provider: Provider
    good: str
    bad: str
    customer: str | None
    nobody: str | None

    async def created(self, key: str = "") -> ProviderReport:
        key = key or uuid4().hex
        return await self.provider.create(
            key=key, payment_id=uuid4(), order_id=uuid4(), amount=AMOUNT, payment_method=self.good
        )

    async def confirm(self, provider_id: str, *, declined: bool = False, key: str = "") -> ProviderReport:
        return await self.provider.confirm(
            key=key or uuid4().hex,
            provider_id=provider_id,
            payment_method=self.bad if declined else self.good,
            return_url="http://127.0.0.1:9/",
            customer=self.nobody if declined else self.customer,
            off_session=False,
        )

    async def held(self) -> str:
        provider_id = (await self.created()).provider_id
        assert provider_id is not None
        assert (await self.confirm(provider_id)).state is ProviderState.HELD
        return provider_id

    async def taken(self) -> str:
        provider_id = await self.held()
        report = await self.provider.capture(key=uuid4().hex, provider_id=provider_id, amount=AMOUNT)
        assert report.state is ProviderState.TAKEN
        return provider_id


@pytest.fixture(params=["stripe", "on_account"])
async def case(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> AsyncIterator[Case]:
    if request.param == "stripe":
        running = await start_stand_in(tmp_path / "book.sqlite3")
        client = StripeClient(api_key=API_KEY, api_base=running.url, network_retries=0)
        yield Case(StripeProvider(client), "pm_card_visa", "pm_card_chargeDeclined", None, None)
        await client.close()
        await stop_stand_in(running)
        return
    folder = ROOT / "services" / "payments" / "migrations"
    await migrate(database_url, schema="payments", folder=folder)
    database = Database(database_url, schema="payments")
    await database.open()
    await database.execute("insert into business values ('acme', 'ACME', 1000000, 30)")
    yield Case(OnAccountProvider(database), METHOD, METHOD, "acme", None)
    await database.close()


async def test_what_is_created_holds_nothing_and_is_one_for_its_key(case: Case) -> None:
    payment_id, order_id = uuid4(), uuid4()
    reports = [
        await case.provider.create(
            key="k", payment_id=payment_id, order_id=order_id, amount=AMOUNT, payment_method=case.good
        )
        for _ in range(2)
    ]
    assert reports[0] == reports[1]
    assert reports[0].state is ProviderState.UNCONFIRMED
    assert await case.provider.find(payment_id=payment_id) == reports[0]
    assert await case.provider.find(payment_id=uuid4()) is None


async def test_hold_then_take(case: Case) -> None:
    provider_id = await case.held()
    assert (await case.confirm(provider_id)).state is ProviderState.HELD, "it is reported as it is"
    for _ in range(2):
        report = await case.provider.capture(key=uuid4().hex, provider_id=provider_id, amount=AMOUNT)
        assert report.state is ProviderState.TAKEN
    assert (await case.provider.get(provider_id=provider_id)).state is ProviderState.TAKEN


async def test_what_is_let_go_cannot_be_taken(case: Case) -> None:
    provider_id = await case.held()
    for _ in range(2):
        report = await case.provider.cancel(key=uuid4().hex, provider_id=provider_id)
        assert report.state is ProviderState.CANCELLED
    report = await case.provider.capture(key=uuid4().hex, provider_id=provider_id, amount=AMOUNT)
    assert report.state is ProviderState.CANCELLED


async def test_what_is_taken_is_not_let_go(case: Case) -> None:
    provider_id = await case.taken()
    report = await case.provider.cancel(key=uuid4().hex, provider_id=provider_id)
    assert report.state is ProviderState.TAKEN


async def test_a_decline_is_an_answer_and_another_try_may_succeed(case: Case) -> None:
    provider_id = (await case.created()).provider_id
    assert provider_id is not None
    declined = await case.confirm(provider_id, declined=True)
    assert declined.state is ProviderState.DECLINED
    assert declined.decline_code
    assert (await case.confirm(provider_id)).state is ProviderState.HELD


async def test_a_refund_is_found_and_bounded(case: Case) -> None:
    payment_id, refund_id = uuid4(), uuid4()
    created = await case.provider.create(
        key="k", payment_id=payment_id, order_id=uuid4(), amount=AMOUNT, payment_method=case.good
    )
    provider_id = created.provider_id
    assert provider_id is not None
    await case.confirm(provider_id)
    refund = {"provider_id": provider_id, "payment_id": payment_id, "refund_id": refund_id}
    with pytest.raises(ProviderRefused):
        await case.provider.refund(key="r0", amount=yen(1), **refund)  # type: ignore[arg-type]
    await case.provider.capture(key="c", provider_id=provider_id, amount=AMOUNT)
    assert await case.provider.find_refund(provider_id=provider_id, refund_id=refund_id) is None
    reports = [
        await case.provider.refund(key="r1", amount=yen(1_000), **refund)  # type: ignore[arg-type]
        for _ in range(2)
    ]
    assert reports[0] == reports[1]
    assert reports[0].state is RefundState.SUCCEEDED
    assert reports[0].provider_id is not None
    assert await case.provider.find_refund(provider_id=provider_id, refund_id=refund_id) == reports[0]
    assert await case.provider.get_refund(provider_refund_id=reports[0].provider_id) == reports[0]
    with pytest.raises(ProviderRefused):
        await case.provider.refund(
            key="r2", provider_id=provider_id, payment_id=payment_id, refund_id=uuid4(), amount=yen(251)
        )
    movements = [each.amount_minor for each in await case.provider.list_movements()]
    assert sum(movements) in (250, 0), "250 are left where there is a balance at all"


async def test_a_stranger_is_refused(case: Case) -> None:
    with pytest.raises(ProviderRefused):
        await case.provider.get(provider_id="oa_none" if case.customer else "pi_none")
