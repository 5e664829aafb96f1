"""From charges to money: draws, bills, debts, the deny list, and what is given back."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from payments.accounts import BAD_DEBTS, UNEARNED_FARES, traveller_receivable
from payments.collection import CITY, give_up
from payments.money import yen
from payments.ports import Charge, CollectionPort
from payments.transfers import TransferCode
from services.payments.collecting.bill_store import BillStore
from services.payments.collecting.store import CollectionStore
from services.payments.collecting.worker import CollectionWorker
from services.platform.auth import Role
from tests.services.payments.running import RunningStandIn
from tests.services.payments.wallet_setting import (
    ASKS_FIRST,
    DECLINED,
    FAILS_LATER,
    NOW,
    VISA,
    WalletSetting,
    wallet_setting,
)


class BillSetting:
    """A payments service, and days that pass in it."""

    def __init__(self, inner: WalletSetting) -> None:
        self.inner = inner
        self.port = cast("CollectionPort", inner.service.ports[CollectionPort])
        worker: Any = inner.service.workers[1]
        self.worker: CollectionWorker = worker.__self__

    async def ride(self, amount: int, traveller_id: str = "alice") -> None:
        charge = Charge(
            charge_id=uuid4(),
            customer_id=traveller_id,
            amount=yen(amount),
            reference="travel:j",
            service_date=self.inner.clock.now().astimezone(CITY).date(),
        )
        await self.port.charge(charges=[charge])

    async def pass_days(self, days: int) -> None:
        """To 05:10 of the day so many days ahead, and let the worker do what is due."""
        local = self.inner.clock.now().astimezone(CITY)
        at = datetime(local.year, local.month, local.day, 5, 10, tzinfo=CITY) + timedelta(days=days)
        self.inner.clock.set(at)
        await self.work()

    async def work(self) -> None:
        # What is claimed rests for half a minute; an impatient test takes the leases away.
        await self.inner.rows("update bill set leased_until = '-infinity' returning 1")
        await self.worker.step(at_once=True)

    async def bills(self) -> list[tuple[int, int, str]]:
        listed = (await self.inner.get("/api/bills"))["bills"]
        return [
            (each["amount"]["amount_minor"], each["outstanding"]["amount_minor"], each["state"])
            for each in listed
        ]

    async def card_charges(self) -> list[int]:
        movements = (await self.inner.stand_in.client.v1.balance_transactions.list_async()).data
        return [each.amount for each in movements]

    async def denied(self) -> list[tuple[str, bool]]:
        told = await self.port.list_denied(after_sequence=0, limit=100)
        return [(each.customer_id, each.is_denied) for each in told]

    def owes(self, traveller_id: str = "alice") -> int:
        return -self.inner.net(traveller_receivable(traveller_id))

    async def pay(self, bill_id: str, method: str) -> tuple[int, Any]:
        path, body = f"/api/bills/{bill_id}/payments", {"payment_method": method}
        return await self.inner.house.call("POST", path, body=body)

    async def first_bill(self) -> str:
        bill_id: str = (await self.inner.get("/api/bills"))["bills"][0]["bill_id"]
        return bill_id

    async def change_card(self, method: str) -> None:
        for kept in (await self.inner.get("/api/payments/methods"))["methods"]:
            await self.inner.house.call("DELETE", f"/api/payments/methods/{kept['method_id']}")
        await self.inner.keep_card(method)


async def rest(_: CollectionWorker) -> None:
    """In place of the worker's own rounds: here they are made when the test says so, and at no other time."""
    await asyncio.Event().wait()


@pytest.fixture
async def day(
    database_url: str, stand_in: RunningStandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[BillSetting]:
    monkeypatch.setattr(CollectionWorker, "collect", rest)
    async with wallet_setting(database_url, stand_in, tmp_path) as inner:
        yield BillSetting(inner)


async def test_a_days_rides_are_one_charge_of_the_card(day: BillSetting) -> None:
    await day.inner.keep_card()
    for amount in (178, 210, 178):
        await day.ride(amount)
    await day.work()
    assert (await day.bills(), day.owes()) == ([], 566), "the day is not over"
    await day.pass_days(1)
    assert await day.bills() == [(566, 0, "collected")]
    assert (await day.card_charges(), day.owes(), day.inner.net(UNEARNED_FARES)) == ([566], 0, 566)
    detail = await day.inner.get(f"/api/bills/{await day.first_bill()}")
    assert sorted(each["amount"]["amount_minor"] for each in detail["charges"]) == [178, 178, 210]
    assert [(each["source"], each["state"]) for each in detail["tries"]] == [("card", "paid")]
    await day.pass_days(1)
    assert await day.card_charges() == [566]
    assert (await day.inner.house.call("GET", f"/api/bills/{await day.first_bill()}", subject="bob"))[
        0
    ] == 404
    await day.inner.check_match()


async def test_less_than_50_yen_is_carried_forward(day: BillSetting) -> None:
    await day.inner.keep_card()
    await day.ride(49)
    await day.pass_days(1)
    assert (await day.bills(), day.owes()) == ([], 49)
    await day.ride(100)
    await day.pass_days(1)
    assert (await day.bills(), await day.card_charges()) == ([(149, 0, "collected")], [149])


async def test_a_wallet_pays_at_once_and_the_card_only_the_rest(day: BillSetting) -> None:
    await day.inner.filled(500)
    await day.inner.keep_card()
    await day.ride(178)
    await day.work()
    assert (day.inner.balance(), day.owes()) == (322, 0)
    await day.ride(600)
    await day.work()
    assert (day.inner.balance(), day.owes()) == (0, 278), "what it holds is taken"
    await day.pass_days(1)
    assert (await day.bills(), day.owes()) == ([(278, 0, "collected")], 0)
    assert await day.card_charges() == [278, 500]
    await day.inner.check_match()


async def test_a_day_that_the_wallet_paid_has_its_bill_too(day: BillSetting) -> None:
    await day.inner.filled(1000)
    await day.ride(178)
    await day.work()
    await day.pass_days(1)
    assert await day.bills() == [(0, 0, "collected")]
    detail = await day.inner.get(f"/api/bills/{await day.first_bill()}")
    assert [each["amount"]["amount_minor"] for each in detail["charges"]] == [178]
    assert [(each["source"], each["amount"]["amount_minor"]) for each in detail["tries"]] == [("wallet", 178)]


async def test_a_wallet_fills_itself_to_pay_for_rides(day: BillSetting) -> None:
    await day.inner.filled(100)
    await day.inner.keep_card()
    terms = {"threshold": 0, "amount": 1000, "day_ceiling": 3000}
    await day.inner.put("/api/wallet/auto-top-up", terms)
    await day.ride(600)
    await day.work()
    assert (day.inner.balance(), day.owes()) == (500, 0)


async def test_a_filled_wallet_pays_what_was_due_before(day: BillSetting) -> None:
    await day.inner.put("/api/wallet")
    await day.ride(600)
    await day.work()
    assert day.owes() == 600
    await day.inner.top_up(1000)
    await day.work()
    assert (day.inner.balance(), day.owes()) == (400, 0)


async def test_a_declined_card_is_a_debt_until_a_later_attempt_recovers_it(day: BillSetting) -> None:
    await day.inner.keep_card(FAILS_LATER)
    await day.ride(300)
    await day.pass_days(1)
    assert await day.bills() == [(300, 300, "owed")]
    assert await day.denied() == [("alice", True)]
    await day.work()
    await day.pass_days(2)
    [attempts] = await day.inner.rows("select count(*) from collection_try")
    assert attempts[0] == 1, "not before its day"
    await day.change_card(VISA)
    await day.pass_days(1)
    assert (await day.bills(), day.owes()) == ([(300, 0, "collected")], 0)
    assert await day.denied() == [("alice", True), ("alice", False)]
    told = await day.inner.rows("select payload from outbox where event_type = 'StandingChanged' order by id")
    assert [(row["payload"]["is_denied"], row["payload"]["owed_minor"]) for row in told] == [
        (True, 300),
        (False, 0),
    ]
    await day.inner.check_match()


async def test_attempts_end_in_a_loss_that_may_still_be_paid(day: BillSetting) -> None:
    await day.inner.keep_card(FAILS_LATER)
    await day.ride(300)
    for days in (1, 3, 7, 18):
        await day.pass_days(days)
    await day.work()
    assert await day.bills() == [(300, 300, "written_off")]
    assert (day.owes(), day.inner.net(BAD_DEBTS)) == (0, -300)
    [tries] = await day.inner.rows("select count(*) from collection_try")
    assert tries[0] == 4
    assert await day.denied() == [("alice", True)]
    status, answer = await day.pay(await day.first_bill(), VISA)
    assert (status, answer["bill"]["state"]) == (200, "collected")
    assert (day.owes(), day.inner.net(BAD_DEBTS), day.inner.collected()) == (0, 0, 300)
    assert await day.denied() == [("alice", True), ("alice", False)]
    await day.inner.check_match()


async def test_without_card_and_wallet_the_debt_is_paid_by_hand(day: BillSetting) -> None:
    await day.ride(300)
    await day.pass_days(1)
    [debt] = (await day.inner.get("/api/debts", role=Role.ADMIN))["debts"]
    assert (debt["customer_id"], debt["bill"]["decline_code"], debt["risk_owner"]) == (
        "alice",
        "no_card",
        "platform",
    )
    bill_id = await day.first_bill()
    assert (await day.pay(bill_id, DECLINED))[0] == 402
    assert (await day.pay(bill_id, "wallet"))[0] == 402
    status, waiting = await day.pay(bill_id, ASKS_FIRST)
    assert (status, waiting["bill"]["state"]) == (200, "owed")
    await day.inner.act_at(waiting["next_action_url"])
    status, paid = await day.pay(bill_id, ASKS_FIRST)
    assert (status, paid["bill"]["state"], day.owes()) == (200, "collected", 0)
    assert (await day.pay(bill_id, VISA))[0] == 409, "it is paid"
    assert (await day.denied())[-1] == ("alice", False)
    [row] = await day.inner.rows("select attempts from bill")
    assert row["attempts"] == 1, "the payer's own tries are no attempts of ours"
    await day.inner.check_match()


async def test_another_card_takes_over_from_one_whose_payer_never_acted(day: BillSetting) -> None:
    await day.ride(300)
    await day.pass_days(1)
    bill_id = await day.first_bill()
    assert (await day.pay(bill_id, ASKS_FIRST))[1]["next_action_url"] is not None
    assert (await day.pay(bill_id, VISA))[1]["bill"]["state"] == "collected"
    intents = (await day.inner.stand_in.client.v1.payment_intents.list_async()).data
    assert sorted(each.status for each in intents) == ["canceled", "succeeded"]
    await day.inner.check_match()


async def test_a_debt_is_paid_from_the_wallet(day: BillSetting) -> None:
    await day.ride(300)
    await day.pass_days(1)
    await day.inner.filled(1000)
    assert (await day.pay(await day.first_bill(), "wallet"))[1]["bill"]["state"] == "collected"
    assert (day.inner.balance(), day.owes()) == (700, 0)


async def test_a_clerk_of_the_platform_gives_a_debt_up(day: BillSetting) -> None:
    await day.ride(300)
    await day.pass_days(1)
    path, body = f"/api/debts/{await day.first_bill()}/write-off", {"reason": "bereavement"}
    call = day.inner.house.call
    assert (await call("POST", path, body=body, role=Role.CLERK, operator_id="Toei"))[0] == 403
    assert (await call("POST", path, body=body))[0] == 403
    status, debt = await call("POST", path, body=body, role=Role.CLERK)
    assert (status, debt["bill"]["state"]) == (200, "written_off")
    assert (day.owes(), day.inner.net(BAD_DEBTS)) == (0, -300)
    assert (await call("POST", path, body=body, role=Role.CLERK))[0] == 200
    assert day.inner.net(BAD_DEBTS) == -300
    [row] = await day.inner.rows("select write_off_reason from bill")
    assert row[0] == "bereavement"


async def test_a_correction_after_the_bill_goes_back_to_the_card(day: BillSetting) -> None:
    await day.inner.keep_card()
    await day.ride(2500)
    await day.pass_days(1)
    await day.ride(-2322)
    await day.pass_days(1)
    assert await day.bills() == [(-2322, 0, "given_back"), (2500, 0, "collected")]
    assert (await day.card_charges(), day.owes()) == ([-2322, 2500], 0)
    await day.work()
    assert await day.card_charges() == [-2322, 2500]
    await day.inner.check_match()


async def test_a_correction_goes_into_the_wallet_where_there_is_one(day: BillSetting) -> None:
    await day.inner.filled(3000)
    await day.ride(2500)
    await day.work()
    await day.ride(-2322)
    await day.pass_days(1)
    assert (await day.bills(), day.inner.balance(), day.owes()) == ([(-2322, 0, "given_back")], 2822, 0)


async def test_what_cannot_be_sent_back_is_set_off_against_the_next_ride(day: BillSetting) -> None:
    await day.ride(1000, "bob")  # keeps unearned fares able to give back
    await day.ride(-300)
    await day.pass_days(1)
    assert (await day.bills(), day.owes()) == ([], -300)
    await day.inner.keep_card()
    await day.ride(500)
    await day.pass_days(1)
    assert (await day.bills(), day.owes()) == ([(200, 0, "collected")], 0)


async def test_workers_side_by_side_collect_once(day: BillSetting) -> None:
    """Three workers at once, with wallets and cards, twenty customers: each yen is collected once."""
    names = [f"c{n}" for n in range(20)]
    for n, name in enumerate(names):
        await day.inner.keep_card(subject=name)
        if n % 2:
            await day.inner.filled(100 * (n % 5) + 100, subject=name)
        await day.ride(300, name)
    day.inner.clock.set(NOW + timedelta(days=1))
    for _ in range(3):
        await asyncio.gather(*(day.worker.step(at_once=True) for _ in range(3)))
    assert [day.owes(name) for name in names] == [0] * 20
    topped_up = sum(100 * (n % 5) + 100 for n in range(20) if n % 2)
    left = sum(day.inner.balance(name) for n, name in enumerate(names) if n % 2)
    assert await day.inner.captured_at_the_provider() == 20 * 300 + left
    assert left <= topped_up
    await day.inner.check_match()


async def test_a_bill_has_a_receipt_with_the_tax_rounded_once(day: BillSetting) -> None:
    """105 yen three times include 28.6 of tax: 28; line by line it would be 3 x 9 = 27."""
    await day.inner.keep_card()
    for _ in range(3):
        await day.ride(105)
    await day.pass_days(1)
    receipt = await day.inner.get(f"/api/bills/{await day.first_bill()}/receipt")
    [total] = receipt["totals"]
    assert (total["net_minor"], total["tax_minor"], total["total_minor"]) == (287, 28, 315)
    assert (receipt["is_exempt"], receipt["is_qualified"]) == (True, False), "the test's house has no number"
    path = f"/api/bills/{await day.first_bill()}/receipt"
    assert (await day.inner.house.call("GET", path, subject="bob"))[0] == 404


async def test_a_draw_whose_answer_was_lost_is_drawn_once(day: BillSetting) -> None:
    """The ledger has the draw, and the worker dies before it knows: the next round posts the same again."""
    await day.inner.filled(1000)
    ledger: Any = day.inner.ledger
    post = ledger.post

    async def lose(*, transfers: Any) -> Any:
        statuses = await post(transfers=transfers)
        if any(each.code is TransferCode.COLLECTION for each in transfers):
            ledger.post = post
            raise ConnectionError("the answer was lost")
        return statuses

    ledger.post = lose
    await day.ride(300)
    await day.work()
    assert ledger.post is post, "the draw was posted, and its answer lost"
    await day.work()
    assert (day.inner.balance(), day.owes()) == (700, 0)
    assert (await day.inner.get("/api/wallet"))["owed"]["amount_minor"] == 0


async def test_no_try_begins_upon_a_bill_written_since_or_beside_an_open_try(day: BillSetting) -> None:
    """Two workers read a bill of 300; the slower one must not ask the card for them again."""
    await day.ride(300)
    await day.pass_days(1)
    context = day.inner.service.context
    store = BillStore(CollectionStore(context.database), context.outbox)
    row = await store.get_bill(UUID(await day.first_bill()))

    async def list_tries() -> list[tuple[str, str]]:
        return [(each["source"], each["state"]) for each in await store.list_tries(row.bill)]

    await store.begin_try(row, source="card", amount_minor=300, payment_method=VISA)
    await store.begin_try(row, source="wallet", amount_minor=300)
    assert await list_tries() == [("card", "open")], "one open try at most"
    assert not await store.save_bill(row, give_up(row.bill, now=NOW), now=NOW), "a try is open upon it"
    await day.inner.filled(1000)
    assert (await day.pay(str(row.bill.bill_id), VISA))[1]["bill"]["state"] == "collected"
    await store.begin_try(row, source="wallet", amount_minor=300)
    assert await list_tries() == [("card", "paid")], "the row was read before it was paid"
    await day.work()
    assert (day.inner.balance(), day.owes()) == (1000, 0)
