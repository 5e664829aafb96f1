"""CollectionPort.charge and the deny list, over the real database, the pure ledger, and both adapters."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4, uuid5

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from payments.accounts import BANK_CASH, UNEARNED_FARES, chart_account, traveller_receivable
from payments.money import yen
from payments.ports import Charge, ChargeStatus, CollectionPort, LedgerPort
from payments.transfers import Transfer, TransferCode, TransferStatus
from services.payments.collecting.charging import Charging
from services.payments.collecting.store import CollectionStore
from services.payments.mandates.room import build_mandates
from services.payments.service import build_with
from services.payments.stripe_client import StripeClient
from services.platform.auth import Authenticator
from services.platform.clock import FixedClock
from services.platform.context import ServiceContext
from services.platform.http import build_app
from services.platform.rpc import add_port_routes, port_client
from services.platform.service import Service
from tests.support.house import KeyOfTheTest, running_house
from tests.support.memory_ledger import MemoryLedger

NOW = datetime(2026, 5, 20, 11, 0, tzinfo=UTC)
DAY = date(2026, 5, 20)
SECRET = "the-secret-of-the-test-house"  # noqa: S105 - of the test
IDS = UUID("5b0c2f0e-3b1f-5c1e-9d57-0a1c52f0a002")

RECORDED, EXISTS = ChargeStatus.RECORDED, ChargeStatus.EXISTS


class LedgerThatDies(MemoryLedger):
    """A ledger that may stop answering: before it has written, or after."""

    dies: str = ""

    async def post(self, *, transfers: Sequence[Transfer]) -> list[TransferStatus]:
        if self.dies == "before":
            raise ConnectionError("the ledger does not answer")
        statuses = await super().post(transfers=transfers)
        if self.dies == "after":
            raise ConnectionError("the ledger's answer was lost")
        return statuses


@dataclass
class Setting:
    port: CollectionPort
    ledger: LedgerThatDies
    service: Service
    store: CollectionStore

    def net(self, account_id: str) -> int:
        return self.ledger.books.get_balance(account_id, now=NOW).net_credit

    async def due(self, customer_id: str) -> int:
        query = "select due_minor from customer where customer_id = $1"
        due: int = await self.store.database.fetchval(query, customer_id)
        return due

    def another_process(self) -> Charging:
        return Charging(self.service.context, self.store, build_mandates(self.service.context))


def owed(name: str, amount: int, *, charge_id: UUID | None = None) -> Charge:
    return Charge(
        charge_id=charge_id or uuid4(),
        customer_id=name,
        amount=yen(amount),
        reference="travel:j1",
        service_date=DAY,
    )


@pytest.fixture(params=["local"])
async def setting(
    request: pytest.FixtureRequest, database_url: str, tmp_path: Path
) -> AsyncIterator[Setting]:
    clock = FixedClock(NOW)
    ledger = LedgerThatDies(clock)

    def build(context: ServiceContext) -> Service:
        return build_with(context, StripeClient(api_key="sk_test", api_base="http://127.0.0.1:9"))

    async with running_house(
        database_url, {"payments": build}, clock=clock, data_dir=tmp_path, ports={LedgerPort: ledger}
    ) as house:
        service = house.services["payments"]
        store = CollectionStore(service.context.database)
        port: Any = service.ports[CollectionPort]
        if request.param == "local":
            yield Setting(port, ledger, service, store)
            return
        authenticator = Authenticator(
            identity=lambda: KeyOfTheTest(clock), clock=clock, service_secret=SECRET
        )
        app = build_app([], authenticator)
        add_port_routes(app, [service], authenticator)
        async with TestServer(app) as server, aiohttp.ClientSession() as session:
            url = f"http://{server.host}:{server.port}"
            adapter: Any = port_client(CollectionPort, base_url=url, session=session, secret=SECRET)
            yield Setting(adapter, ledger, service, store)


both_adapters = pytest.mark.parametrize("setting", ["local", "http"], indirect=True)


@both_adapters
async def test_a_charge_is_owed_once_however_often_it_is_told(setting: Setting) -> None:
    ride, other = owed("hanako", 178), owed("ken", 210)
    assert await setting.port.charge(charges=[ride, other]) == [RECORDED, RECORDED]
    assert await setting.port.charge(charges=[other, ride, ride]) == [EXISTS, EXISTS, EXISTS]
    assert setting.net(traveller_receivable("hanako")) == -178
    assert (setting.net(traveller_receivable("ken")), setting.net(UNEARNED_FARES)) == (-210, 388)
    assert (await setting.due("hanako"), await setting.due("ken")) == (178, 210)


@both_adapters
async def test_each_charge_has_one_status(setting: Setting) -> None:
    known = owed("hanako", 178)
    await setting.port.charge(charges=[known])
    fresh = owed("hanako", 100)
    asked = [
        owed("hanako", 200, charge_id=known.charge_id),
        fresh,
        owed("hanako", 100, charge_id=fresh.charge_id),
        owed("hanako", 101, charge_id=fresh.charge_id),
        owed("", 100),
        owed("operator:Toei", 100),
    ]
    assert await setting.port.charge(charges=asked) == [
        ChargeStatus.EXISTS_WITH_DIFFERENT_AMOUNT,
        RECORDED,
        EXISTS,
        ChargeStatus.EXISTS_WITH_DIFFERENT_AMOUNT,
        ChargeStatus.UNKNOWN_CUSTOMER,
        ChargeStatus.UNKNOWN_CUSTOMER,
    ]
    assert setting.net(traveller_receivable("hanako")) == -278
    assert await setting.port.charge(charges=[]) == []


async def test_a_correction_gives_back_the_difference(setting: Setting) -> None:
    await setting.port.charge(charges=[owed("hanako", 2500)])
    assert await setting.port.charge(charges=[owed("hanako", -2322)]) == [RECORDED]
    assert (setting.net(traveller_receivable("hanako")), await setting.due("hanako")) == (-178, 178)


async def test_a_give_back_waits_until_unearned_fares_cover_it(setting: Setting) -> None:
    """The ride was earned and its shares are not back: the ledger refuses, and is asked again later."""
    await setting.port.charge(charges=[owed("hanako", 300)])
    earn = Transfer(
        transfer_id=uuid4(),
        debit=UNEARNED_FARES,
        credit=BANK_CASH,
        amount_minor=300,
        code=TransferCode.RIDE,
        reference="ride",
        effective_at=NOW,
    )
    await setting.ledger.open_accounts(accounts=[chart_account(BANK_CASH)])
    assert await setting.ledger.post(transfers=[earn]) == [TransferStatus.CREATED]
    back = owed("hanako", -100)
    assert await setting.port.charge(charges=[back]) == [RECORDED]
    assert (setting.net(traveller_receivable("hanako")), await setting.due("hanako")) == (-300, 200)
    for covered in (False, True):
        if covered:
            await setting.port.charge(charges=[owed("ken", 500)])
        for _ in range(2):  # the second time there is nothing left to ask for, or it is not due
            await setting.store.database.execute("update charge_refused set next_attempt_at = now()")
            await setting.another_process().post_what_was_left()
    assert setting.net(traveller_receivable("hanako")) == -200
    assert setting.net(UNEARNED_FARES) == 500 - 100
    assert await setting.port.charge(charges=[back]) == [EXISTS]


@pytest.mark.parametrize("dies", ["before", "after"])
async def test_what_a_dead_caller_left_is_posted_once(setting: Setting, dies: str) -> None:
    setting.ledger.dies = dies
    ride = owed("hanako", 178)
    with pytest.raises(ConnectionError):
        await setting.port.charge(charges=[ride])
    setting.ledger.dies = ""
    assert await setting.port.charge(charges=[ride]) == [EXISTS]
    for _ in range(2):
        await setting.another_process().post_what_was_left(at_once=True)
    assert (setting.net(traveller_receivable("hanako")), setting.net(UNEARNED_FARES)) == (-178, 178)


async def test_callers_side_by_side_charge_each_id_once(setting: Setting) -> None:
    """Four callers tell overlapping halves of forty charges of five customers, in different orders."""
    charges = [owed(f"c{n % 5}", 100 + n, charge_id=uuid5(IDS, str(n))) for n in range(40)]
    calls = [charges[:25], charges[::-1][:25], charges[10:35], charges]
    answers = await asyncio.gather(*(setting.port.charge(charges=call) for call in calls))
    recorded = [
        charge.charge_id
        for call, answer in zip(calls, answers, strict=True)
        for charge, status in zip(call, answer, strict=True)
        if status is RECORDED
    ]
    assert sorted(recorded) == sorted(each.charge_id for each in charges)
    for n in range(5):
        total = sum(each.amount.amount_minor for each in charges if each.customer_id == f"c{n}")
        assert (setting.net(traveller_receivable(f"c{n}")), await setting.due(f"c{n}")) == (-total, total)


@both_adapters
async def test_the_deny_list_tells_its_changes_in_order(setting: Setting) -> None:
    await setting.port.charge(charges=[owed("hanako", 178), owed("ken", 178)])

    async def say(customer_id: str, *, is_denied: bool) -> None:
        async with setting.store.database.transaction() as tx:
            await setting.store.set_denied(tx, customer_id, is_denied=is_denied, at=NOW)

    await say("hanako", is_denied=True)
    await say("hanako", is_denied=True)
    await say("ken", is_denied=False)
    await say("ken", is_denied=True)
    await say("hanako", is_denied=False)
    told = await setting.port.list_denied(after_sequence=0, limit=10)
    assert [(each.customer_id, each.is_denied) for each in told] == [
        ("hanako", True),
        ("ken", True),
        ("hanako", False),
    ]
    assert await setting.port.list_denied(after_sequence=told[0].sequence, limit=1) == [told[1]]
    assert await setting.port.list_denied(after_sequence=told[-1].sequence, limit=10) == []


async def test_a_sequence_that_is_visible_has_all_earlier_ones_before_it(setting: Setting) -> None:
    """A writer that began first but commits late must not be overtaken: the second one waits for it."""
    await setting.port.charge(charges=[owed("hanako", 178), owed("ken", 178)])
    begun, may_commit = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        async with setting.store.database.transaction() as tx:
            await setting.store.set_denied(tx, "hanako", is_denied=True, at=NOW)
            begun.set()
            await may_commit.wait()

    async def quick() -> None:
        async with setting.store.database.transaction() as tx:
            await setting.store.set_denied(tx, "ken", is_denied=True, at=NOW)

    first = asyncio.create_task(slow())
    await begun.wait()
    second = asyncio.create_task(quick())
    await asyncio.wait([second], timeout=0.2)
    assert await setting.port.list_denied(after_sequence=0, limit=10) == []
    may_commit.set()
    await asyncio.gather(first, second)
    told = await setting.port.list_denied(after_sequence=0, limit=10)
    assert [each.customer_id for each in told] == ["hanako", "ken"]
